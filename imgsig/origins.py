"""Where the documents for one section of a rule come from, and as of when they are judged.

Spec: docs/policy.md, "Archives".
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final, final

from imgsig.authority import State
from imgsig.codes import Code
from imgsig.errors import InconclusiveError, RejectedError
from imgsig.limits import Limits
from imgsig.policy import SectionSettings
from imgsig.sections import FromArchive
from imgsig.source import Source, Sources
from imgsig.verdict import Checks

if TYPE_CHECKING:
    from imgsig.archive.named import NamedArchives

_TOO_OLD: Final = "bring a newer archive, and its id into the rule"


@final
@dataclass(frozen=True, slots=True)
class Origin:
    """One answer to where, and as of when."""

    source: Source
    live: bool
    """Whether it answers for now."""
    state: State | None
    """What is remembered; None for an archive."""
    at: datetime
    """The time to compare expiries with."""
    audience: object
    """Whose answers they are."""


@final
class Origins:
    """Opens the origin of each section: the archive that it names, or else what all sections share."""

    def __init__(self, state: State | None, limits: Limits, *, given: bool) -> None:
        """Share `state`. If the caller has `given` the sources that all share, they stand for every archive too."""
        self._state = state
        self._limits = limits
        self._given = given
        self._named: NamedArchives | None = None

    def open(
        self, settings: SectionSettings, name: str, at: datetime, checks: Checks, *, sources: Sources
    ) -> Origin:
        """Return the origin of the signed `name` for one section, which has to answer as of `at`.

        All sections that name no archive share `sources`.

        Raises:
            RejectedError: an archive is not the one that the rule demands (``hash_mismatch``).
            InconclusiveError: an archive cannot be read (``archive_unreadable``), is of a later time
                (``before_capture``) or older than the rule allows (``stale``).
        """
        named = settings.archive
        if named is None or self._given:
            source = sources.open(settings.endpoint(name))
            captured_at = _check_captured(source, name, at)
            if named is not None:
                _check_demands(named, source, captured_at, at, checks)
            return Origin(source, sources.live, self._state, at, sources)
        archive = self._archives().load(named)
        source = archive.open(settings.endpoint(name))
        captured_at = _check_captured(source, name, at)
        _check_demands(named, source, captured_at, at, checks)
        as_of = at if captured_at is None or not named.as_of_capture else captured_at
        return Origin(source, live=False, state=None, at=as_of, audience=archive)

    def _archives(self) -> "NamedArchives":
        if self._named is None:
            from imgsig.archive.named import NamedArchives  # noqa: PLC0415 - most policies name none

            self._named = NamedArchives(self._limits)
        return self._named


def _check_captured(source: Source, name: str, at: datetime) -> datetime | None:
    """Return when `source` was captured, if it was, which must not be after `at`."""
    captured_at = source.evidence.captured_at
    if captured_at is not None and at < captured_at:
        msg = f"the archive was captured at {captured_at.isoformat()}, after the time asked about"
        raise InconclusiveError(
            msg, code=Code.BEFORE_CAPTURE, subject=name, expected=captured_at.isoformat(), found=at.isoformat()
        )
    return captured_at


def _check_demands(
    named: FromArchive, source: Source, captured_at: datetime | None, at: datetime, checks: Checks
) -> None:
    """Refuse a `source` that is not the archive that the rule demands, or too old."""
    found = source.evidence.location
    if named.id not in {None, found}:
        msg = "the archive is not the one that the rule demands"
        raise RejectedError(msg, code=Code.HASH_MISMATCH, subject="archive", expected=str(named.id), found=found)
    if named.max_age_days is None:
        return
    expected = f"at most {named.max_age_days} days old"
    found = "of no known time" if captured_at is None else f"captured at {captured_at.isoformat()}"
    if captured_at is None or at - captured_at > timedelta(days=named.max_age_days):
        msg = f"the archive is {found}, and the rule allows one that is {expected}"
        raise InconclusiveError(msg, code=Code.STALE, hint=_TOO_OLD, subject="archive", expected=expected, found=found)
    checks.passed(Code.STALE, "archive", expected=expected, found=found)
