"""What an authority answers: given a name, its settings and a time, which digest it vouches for."""

from collections.abc import Hashable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol, final

from imgsig.limits import Deadline, Limits
from imgsig.memory import Memory
from imgsig.outlook import Outlook
from imgsig.source import Endpoint, Source
from imgsig.trust import Stored, Trust
from imgsig.verdict import Attestation, Checks


class State(Protocol):
    """What has been trusted so far, shared by threads and processes. One entry per system and signed name."""

    @property
    def remembers(self) -> bool:
        """Whether it outlives the process: only then may trust begin at first use."""

    def load(self, system: str, name: str, *, deadline: Deadline) -> Stored:
        """Return what is stored; ``Stored("", None)`` if nothing is.

        Raises:
            InconclusiveError: it is there but cannot be read (``state_unreadable``); never taken for "nothing".
        """

    def generation(self, system: str, name: str) -> str:
        """Return the present generation only, as cheaply as possible; empty if nothing is stored."""

    def commit(self, system: str, name: str, trust: Trust, *, expected: str, deadline: Deadline) -> Stored:
        """Store `trust` if the generation is still `expected`, and return it with its new generation.

        Raises:
            InconclusiveError: the generation has changed (``state_conflict``), or nothing could be
                written (``state_unreadable``); the stored trust is then unchanged.
        """


class Settings(Hashable, Protocol):
    """One section of a rule: whom to trust within one system. Equal settings give equal answers."""

    @property
    def system(self) -> str:
        """The section's name in the policy: ``notary``, ``tuf``."""

    @property
    def trusts_first_use(self) -> bool:
        """Whether trust begins with whatever is offered first, so that it must outlive the process."""

    def endpoint(self, name: str) -> Endpoint:
        """Return where the documents of the signed `name` are kept, by these settings."""


@final
@dataclass(frozen=True, slots=True)
class Question:
    """One image, asked of one authority. All that an authority may know is in here."""

    name: str
    """The signed name, e.g. ``docker.io/library/alpine``."""
    tag: str
    """The tag; empty if only a digest is asked about."""
    digest: str
    """``sha256:…`` if one was given, else empty."""
    at: datetime
    """The time that expiries are compared with (aware, UTC)."""
    source: Source
    live: bool
    """Whether `source` answers for now, so that an answer may be called fresh."""
    state: State | None
    """None when verifying from an archive."""
    deadline: Deadline
    limits: Limits
    speculate: bool = False
    """Whether to ask for documents at once that may be needed, before the one before has been checked."""
    max_update_age_seconds: float = 0.0
    """How old an update of the same name may be that this question shares; 0 for one of its own."""
    audience: object = None
    """Whose credentials the answers were fetched with: updates are shared within one audience only."""
    memory: Memory = field(default_factory=Memory, repr=False, compare=False)
    """Results that are used again: of one verifier, or of this question alone."""


class Authority(Protocol):
    """A system that vouches for images."""

    def attest(self, question: Question, checks: Checks) -> Attestation:
        """Return what this authority says, having noted every check that held in `checks`.

        The check that did not hold is in the error; the caller notes it.

        Raises:
            RejectedError: it was checked and must not be used.
            InconclusiveError: no answer could be reached.
        """

    def capture(self, source: Source, *, deadline: Deadline, limits: Limits) -> None:
        """Fetch from `source` every document that a later verification might ask for, verifying none.

        What cannot be understood is not followed further.

        Raises:
            VerificationError: a document that the metadata names could not be fetched.
        """

    def outlook(self, trust: Trust, name: str, *, at: datetime, limits: Limits) -> Outlook:
        """Return what `trust` in the signed `name`, which this authority has verified, will come to after `at`.

        Raises:
            RejectedError: its root cannot be used any more at `at`.
        """
