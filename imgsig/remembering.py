"""What an authority remembers of a name from one update to the next: loaded, compared, committed, bridged.

Both dialects of TUF remember in the same way; what they remember is theirs to say.

Spec: decisions 4, 8 and 10 in docs/decisions.md.
"""

import logging
from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Final, TypeVar, final

from imgsig.authority import Question
from imgsig.codes import Code
from imgsig.errors import InconclusiveError, VerificationError
from imgsig.source import OutageError
from imgsig.trust import Floor, Stored, Trust
from imgsig.verdict import Checks

_Answer = TypeVar("_Answer")

_LOG: Final = logging.getLogger("imgsig")
_NOTHING: Final = Stored("", None)


@final
class Remembered:
    """What is stored of one question's name in one system, and what becomes of it. For one update."""

    def __init__(self, question: Question, system: str, *, max_stale_seconds: int) -> None:
        """Load it.

        Raises:
            InconclusiveError: it cannot be read (``state_unreadable``).
        """
        self._question = question
        self._system = system
        self._max_stale_seconds = max_stale_seconds
        self._stored = _load(question, system)
        self._generation = self._stored.generation

    @property
    def trust(self) -> Trust | None:
        """What was stored when this update began; None if that was nothing, or there is no state."""
        return self._stored.trust

    @property
    def generation(self) -> str:
        """The generation of what is stored, after what was kept; empty for nothing."""
        return self._generation

    def keep(self, trust: Trust, *, is_stale: bool) -> Trust:
        """Store what an update has learnt, if that is anything new, and return what is remembered now.

        Raises:
            InconclusiveError: another process has changed what is stored (``state_conflict``), or it could not be
                written (``state_unreadable``).
        """
        question, stored = self._question, self._stored
        if question.state is None:
            return trust
        if is_stale:
            self.confirm()
            return trust
        if stored.trust is not None and not self._must_store(stored.trust, trust):
            self.confirm()
            return stored.trust
        committed = question.state.commit(
            self._system, question.name, trust, expected=stored.generation, deadline=question.deadline
        )
        _hold(question, self._system, committed)
        self._generation = committed.generation
        return trust

    def keep_progress(self, trust: Trust | None, fault: VerificationError, *, is_stale: bool) -> None:
        """Store what an update had reached when it failed with `fault`; None if that was nothing.

        That it cannot be stored does not change the answer.

        Raises:
            InconclusiveError: another process has changed what is stored meanwhile (``state_conflict``).
        """
        try:
            if trust is None:
                self.confirm()
            else:
                self.keep(trust, is_stale=is_stale)
        except InconclusiveError as error:
            if error.code is Code.STATE_CONFLICT:
                raise
            name = self._question.name
            _LOG.warning("what was learnt of %s before it failed (%s) is lost: %s", name, fault.code, error)

    def confirm(self) -> None:
        """Check that what this update began with is what is stored still.

        Raises:
            InconclusiveError: it is not (``state_conflict``), or that cannot be told (``state_unreadable``).
        """
        state, name = self._question.state, self._question.name
        if state is not None and state.generation(self._system, name) != self._stored.generation:
            msg = "another process has changed the stored trust meanwhile"
            raise InconclusiveError(msg, code=Code.STATE_CONFLICT, subject=name)

    def bridge(self, outage: OutageError) -> bytes:
        """Return the stored timestamp, if the rule lets it stand in for a server that is out of reach.

        Raises:
            InconclusiveError: `outage` itself where the rule does not, or there is nothing to stand in; ``stale``
                if it was confirmed too long ago.
        """
        trust, most = self.trust, self._max_stale_seconds
        if trust is None or not most or not self._question.live:
            raise outage
        age = (self._question.at - trust.confirmed_at).total_seconds()
        body = trust.documents.get("timestamp")
        if body is None or not 0 <= age <= most:
            msg = f"{outage}, and the stored trust data was confirmed {age:.0f} seconds ago, not within {most}"
            raise InconclusiveError(
                msg, code=Code.STALE, subject="timestamp", expected=f"at most {most} s", found=f"{age:.0f} s"
            ) from outage
        return body

    def note_origin(self, checks: Checks) -> None:
        """Note that the documents come from another server than before, if they do."""
        origin = self._question.source.evidence.location
        if self.trust is not None and self.trust.origin != origin:
            name = self._question.name
            _LOG.warning("the trust data of %s comes from another server than before: %s", name, origin)
            checks.passed(Code.OK, "server", expected=f"{self.trust.origin} as before, or another", found=origin)

    def _must_store(self, old: Trust, new: Trust) -> bool:
        """Whether `new` says more than `old`, or an outage could be bridged noticeably longer by storing it."""
        if (old.root, old.evidence, old.floors, old.documents, old.origin) != (
            new.root, new.evidence, new.floors, new.documents, new.origin,
        ):
            return True
        step = timedelta(seconds=self._max_stale_seconds / 10)
        return self._max_stale_seconds > 0 and not timedelta() <= new.confirmed_at - old.confirmed_at < step


def answer_by_memory(
    question: Question,
    system: str,
    checks: Checks,
    attempt: Callable[[Remembered, Checks], _Answer],
    *,
    max_stale_seconds: int,
) -> _Answer:
    """Return what `attempt` says with what is remembered; if another process changes that meanwhile, ask it again.

    What each attempt noted is added to `checks`, except for those that are made again.

    Raises:
        VerificationError: as `attempt` does, or what is remembered cannot be read.
    """
    for attempts_left in reversed(range(question.limits.max_state_attempts)):
        made = Checks()
        try:
            remembered = Remembered(question, system, max_stale_seconds=max_stale_seconds)
            return attempt(remembered, made)
        except InconclusiveError as error:
            if error.code is not Code.STATE_CONFLICT or not attempts_left:
                raise
            question.memory.drop(_place(question, system))
            made = Checks()
        finally:
            checks.extend(made)
    msg = "max_state_attempts must be at least 1"
    raise ValueError(msg)


def standing(floors: Mapping[str, Floor]) -> dict[str, Floor]:
    """Return floors that no change of keys lowers: those of a chain that another anchor has replaced."""
    return {role: Floor(floor.version, (), 0) for role, floor in floors.items()}


def _load(question: Question, system: str) -> Stored:
    if question.state is None:
        return _NOTHING
    remembered = question.memory.get(_place(question, system))
    if isinstance(remembered, Stored):
        return remembered
    stored = question.state.load(system, question.name, deadline=question.deadline)
    _hold(question, system, stored)
    return stored


def _place(question: Question, system: str) -> tuple[str, str, str]:
    return "what is stored of", system, question.name


def _hold(question: Question, system: str, stored: Stored) -> None:
    """Keep what is stored in memory too, so that a warm answer costs one look at its generation."""
    if stored.trust is not None:
        weight_bytes = len(stored.trust.root) + sum(len(body) for body in stored.trust.documents.values())
        question.memory.put(_place(question, system), weight_bytes, stored)
