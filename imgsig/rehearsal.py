"""A verification of nobody's image: every check of a name's trust data is made, and no answer is taken from it."""

from datetime import datetime
from typing import Final

from imgsig.authority import Authority, Question, State
from imgsig.codes import Code
from imgsig.errors import InconclusiveError, RejectedError, VerificationError
from imgsig.limits import Deadline, Limits
from imgsig.source import Source
from imgsig.verdict import Checks

_NOBODYS_DIGEST: Final = f"sha256:{'0' * 64}"
"""Asking for it goes through every check of the metadata, and ends in `Code.DIGEST_NOT_SIGNED` when all hold."""


def rehearse(  # noqa: PLR0913 - what is asked, of whom and by when, each by name
    authority: Authority, name: str, *, source: Source, state: State, at: datetime, deadline: Deadline, limits: Limits
) -> VerificationError | None:
    """Return why the trust data of the signed `name` does not verify, or None if it does.

    What is learnt on the way is put into `state`. No outage is bridged.
    """
    question = Question(
        name=name,
        tag="",
        digest=_NOBODYS_DIGEST,
        at=at,
        source=source,
        live=False,
        state=state,
        deadline=deadline,
        limits=limits,
    )
    try:
        authority.attest(question, Checks())
    except RejectedError as error:
        return None if error.code is Code.DIGEST_NOT_SIGNED else error
    except InconclusiveError as error:
        return error
    return None
