"""One signed name looked at as a whole: does it verify here, would it elsewhere, and for how long."""

from dataclasses import dataclass
from datetime import datetime
from typing import final

from imgsig.authority import Authority, Settings
from imgsig.errors import RejectedError, VerificationError
from imgsig.limits import Deadline, Limits
from imgsig.outlook import Outlook
from imgsig.rehearsal import rehearse
from imgsig.source import Source, SourceEvidence
from imgsig.state.memory import MemoryState
from imgsig.trust import Trust


@final
@dataclass(frozen=True, slots=True)
class Examined:
    """What came of it."""

    system: str
    name: str
    """The signed name."""
    server: str
    fault: VerificationError | None
    """Why an image of this name does not verify here now, whichever it is; None if nothing stands against it."""
    fault_elsewhere: VerificationError | None
    """Why it would not on a machine that knows nothing of the name yet."""
    outlook: Outlook | None
    """None if nothing could be verified, or its root cannot be used any more."""


def examine(  # noqa: PLR0913 - who is asked about what and by when, each by name
    settings: Settings,
    authority: Authority,
    name: str,
    source: Source,
    remembered: Trust | None,
    *,
    at: datetime,
    deadline: Deadline,
    limits: Limits,
) -> Examined:
    """Return what can be told of the signed `name` by a rule's section.

    Every document is fetched and verified as for an image. What is `remembered` of the name counts, and is not changed.
    Not checked: any tag, and whether the required signers have signed one.
    """
    kept, here = _Kept(source), MemoryState()
    system = settings.system
    if remembered is not None:
        here.commit(system, name, remembered, expected="", deadline=deadline)
    fault = rehearse(authority, name, source=kept, state=here, at=at, deadline=deadline, limits=limits)
    elsewhere = fault
    if remembered is not None and fault is None:
        nowhere = MemoryState()
        elsewhere = rehearse(authority, name, source=kept, state=nowhere, at=at, deadline=deadline, limits=limits)
    trust = here.load(system, name, deadline=deadline).trust
    outlook = None
    if trust is not None:
        try:
            outlook = authority.outlook(trust, name, at=at, limits=limits)
        except RejectedError:
            outlook = None  # the same has been found before, and is told in `fault`
    return Examined(system, name, source.evidence.location, fault, elsewhere, outlook)


@final
class _Kept:
    """Asks for each document once, however often it is needed."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self._bodies: dict[str, bytes] = {}

    @property
    def evidence(self) -> SourceEvidence:
        return self._source.evidence

    def fetch(self, path: str, *, max_bytes: int, deadline: Deadline) -> bytes:
        body = self._bodies.get(path)
        if body is None or len(body) > max_bytes:
            body = self._bodies[path] = self._source.fetch(path, max_bytes=max_bytes, deadline=deadline)
        return body
