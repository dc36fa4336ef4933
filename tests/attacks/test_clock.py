"""A clock at any end of time gives an outcome, and never lets anything in that has not begun or has ended.

Before 1970 and after 9999 clocks and calendars of all kinds end; a machine without a battery begins in 1970.
"""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest

from imgsig.archive import Archive
from imgsig.codes import Code, Outcome
from imgsig.errors import InconclusiveError, UsageError
from imgsig.notary.settings import Notary
from imgsig.policy import Policy, Rule
from imgsig.state import FolderState, MemoryState
from imgsig.verifier import Verifier
from tests.support.archives import pinned, save
from tests.support.asker import Asker
from tests.support.repository import NAME, NOW, SignedRepository
from tests.support.root_certificates import CertificateForm, root_key
from tests.support.static_server import StaticServer

PAST = (
    datetime(1, 1, 1, tzinfo=UTC),
    datetime(1900, 1, 1, tzinfo=UTC),
    datetime(1969, 12, 31, 23, 59, 59, 999999, tzinfo=UTC),
    datetime(1970, 1, 1, tzinfo=UTC),
)
FUTURE = (datetime(2038, 1, 19, 3, 14, 8, tzinfo=UTC), datetime(9999, 12, 31, 23, 59, 59, 999999, tzinfo=UTC))
LATEST = "9999-12-31T23:59:59.999999Z"
BEYOND = ("9999-12-31T23:59:59-23:59", "9999-12-31T23:59:60Z", "10000-01-01T00:00:00Z", "99999-01-01T00:00:00Z")
BEFORE = ("0001-01-01T00:00:00+23:59", "0000-01-01T00:00:00Z", "0001-01-01T00:00:00Z", "1969-12-31T23:59:59Z")


@pytest.mark.parametrize("now", PAST)
def test_before_the_certificates_begin_nothing_is_valid(now: datetime) -> None:
    asker = Asker(SignedRepository())
    asker.now = now
    assert asker.code() is Code.ROOT_CERTIFICATE


@pytest.mark.parametrize("role", ["root", "timestamp", "snapshot", "targets"])
def test_at_the_end_of_time_what_expires_before_has_expired(role: str) -> None:
    repository = forever()
    repository.expire(role, "9999-12-31T23:59:58.999999Z")
    repository.publish()
    asker = Asker(repository)
    asker.ask()
    asker.now = datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC)
    assert asker.code() is Code.EXPIRED
    repository.expire(role, LATEST)
    repository.publish()
    assert asker.ask().valid_until.year == 9999


def forever() -> SignedRepository:
    """Return a repository that is good from the first moment to the last, as far as it can say so."""
    form = CertificateForm(NAME, datetime(1950, 1, 1, tzinfo=UTC), datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC))
    repository = SignedRepository(keys={"root": root_key(NAME, form=form)}, publish=False)
    for role in ("root", "timestamp", "snapshot", "targets"):
        repository.expire(role, LATEST)
    repository.publish()
    return repository


@pytest.mark.parametrize("now", [datetime(1950, 1, 1, tzinfo=UTC), *PAST[2:], *FUTURE[:1]])
def test_what_is_valid_for_ever_is_valid_at_any_time(now: datetime, tmp_path: Path) -> None:
    asker = Asker(forever(), state=FolderState(tmp_path / "state"))
    asker.now = now
    assert asker.ask().known_since == now
    asker.now = NOW
    assert asker.ask().known_since == now
    asker.now = now
    assert asker.ask().fresh


@pytest.mark.parametrize("expires", BEYOND)
@pytest.mark.parametrize("role", ["root", "timestamp", "targets"])
def test_an_expiry_beyond_the_calendar_is_refused_or_the_last_moment(role: str, expires: str) -> None:
    repository = forever()
    repository.expire(role, expires)
    repository.publish()
    asker = Asker(repository)
    if expires.endswith("-23:59"):
        asker.ask()
        asker.now = FUTURE[-1]
        assert asker.code() in {Code.EXPIRED, Code.ROOT_CERTIFICATE}
    else:
        assert asker.code() is Code.MALFORMED


@pytest.mark.parametrize("expires", BEFORE)
@pytest.mark.parametrize("role", ["root", "timestamp", "targets"])
def test_an_expiry_before_the_calendar_has_passed(role: str, expires: str) -> None:
    repository = forever()
    repository.expire(role, expires)
    repository.publish()
    assert Asker(repository).code() is Code.EXPIRED


def test_a_clock_that_went_back_confirms_and_bridges_nothing() -> None:
    """Trust that was confirmed in the future is no reason to do without the server."""
    asker = Asker(SignedRepository())
    asker.max_stale_seconds = 1000
    asker.wait(days=1)
    asker.ask()
    asker.repository.fail("timestamp")
    asker.wait(days=-1)
    assert asker.code() is Code.STALE


# -- at the doors -----------------------------------------------------------------------------------------------------


def at_the_end(offset: timezone, year: int) -> Callable[[], datetime]:
    return lambda: datetime(year, 1, 1, tzinfo=offset) if year == 1 else datetime(9999, 12, 31, 23, 59, tzinfo=offset)


@pytest.mark.parametrize("clock", [*PAST, *FUTURE])
def test_a_verifier_answers_whatever_its_clock_says(clock: datetime) -> None:
    repository = SignedRepository()
    with StaticServer() as server:
        rule = Rule([NAME], notary=Notary(anchor=pinned(repository), server=server.add("r", repository)))
        with Verifier(Policy((rule,)), state=MemoryState(), clock=lambda: clock) as verifier:
            verdict = verifier.evaluate(NAME)
    assert verdict.outcome is (Outcome.VERIFIED if clock == FUTURE[0] else Outcome.REJECTED)
    assert verdict.at == clock
    assert verdict.to_json()


@pytest.mark.parametrize(("hours", "year"), [(14, 1), (-12, 9999)])
def test_a_clock_beyond_the_calendar_is_a_wrong_call(hours: int, year: int) -> None:
    """The first moments of year 1 in the east, and the last of 9999 in the west, have no UTC in this calendar."""
    clock = at_the_end(timezone(timedelta(hours=hours)), year)
    rule = Rule([NAME], notary=Notary(anchor=pinned(SignedRepository())))
    with Verifier(Policy((rule,)), state=MemoryState(), clock=clock) as verifier, pytest.raises(UsageError):
        verifier.evaluate(NAME)


def test_a_clock_without_a_time_zone_is_a_wrong_call() -> None:
    """Local time would be taken for what the clock says, and what is good would depend on where the machine stands."""
    rule = Rule([NAME], notary=Notary(anchor=pinned(SignedRepository())))
    with (
        Verifier(Policy((rule,)), state=MemoryState(), clock=lambda: NOW.replace(tzinfo=None)) as verifier,
        pytest.raises(UsageError, match="time zone"),
    ):
        verifier.evaluate(NAME)


@pytest.mark.parametrize(("hours", "year"), [(14, 1), (-12, 9999)])
def test_asking_about_a_time_beyond_the_calendar_is_a_wrong_call(hours: int, year: int, tmp_path: Path) -> None:
    repository = SignedRepository()
    archive = save(tmp_path / "archive", repository)
    rule = Rule([NAME], notary=Notary(anchor=pinned(repository)))
    verifier = Verifier(Policy((rule,)), source=Archive.load(archive.path))
    with pytest.raises(UsageError):
        verifier.evaluate(NAME, at=at_the_end(timezone(timedelta(hours=hours)), year)())
    for moment in PAST:
        with pytest.raises(InconclusiveError) as caught:
            verifier.verify(NAME, at=moment)
        assert caught.value.code is Code.BEFORE_CAPTURE
    assert verifier.evaluate(NAME, at=FUTURE[-1]).code is Code.ROOT_CERTIFICATE


@pytest.mark.parametrize("now", [PAST[0], FUTURE[-1]])
def test_an_archive_bears_any_time_of_capture(now: datetime, tmp_path: Path) -> None:
    archive = save(tmp_path / "archive", SignedRepository(), now=now)
    assert Archive.load(archive.path).captured_at == now.replace(microsecond=0)
