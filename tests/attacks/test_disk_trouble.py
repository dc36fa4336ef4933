"""Trouble with the disk ends a verification without an answer, and with its reason: it is never taken for first use.

What the state itself does about such trouble is in test_state_disk.py and test_state_lock.py; here, a whole verifier
whose rule trusts at first use meets it, while the server has begun to offer the root of a stranger.
"""

import fcntl
import resource
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import final

import pytest

from imgsig.codes import Code, Outcome
from imgsig.notary.settings import FirstUse, Notary
from imgsig.policy import Policy, Rule
from imgsig.state import FolderState, MemoryState
from imgsig.state.folder import entry_name
from imgsig.verdict import Verdict
from imgsig.verifier import Verifier
from tests.support.archives import pinned
from tests.support.forks import as_ordinary_user, ordinary_folder
from tests.support.repository import NAME, SignedRepository
from tests.support.root_certificates import root_key
from tests.support.static_server import StaticServer

pytestmark = pytest.mark.filterwarnings("ignore:.*multi-threaded.*:DeprecationWarning")

ENTRY = entry_name("notary", NAME)


@final
@dataclass(frozen=True, slots=True)
class Place:
    """A state folder, and a server that has a publisher's repository, or a stranger's of the same name."""

    folder: Path
    publisher: SignedRepository
    server: str
    stranger: str

    def verdict(self, server: str = "", *, seconds: float = 20) -> Verdict:
        """Ask with a new verifier that trusts at first use."""
        rule = Rule([NAME], notary=Notary(anchor=FirstUse(), server=server or self.server))
        with Verifier(Policy((rule,)), state=FolderState(self.folder)) as verifier:
            return verifier.evaluate(NAME, timeout_seconds=seconds)

    def check_unreadable(self, because: str, *, seconds: float = 20) -> None:
        """Check that neither server gets an answer believed, and that the reason is told."""
        for server in (self.server, self.stranger):
            verdict = self.verdict(server, seconds=seconds)
            assert verdict.outcome is Outcome.INCONCLUSIVE, verdict.summary
            assert verdict.code is Code.STATE_UNREADABLE
            assert because in verdict.summary
            assert verdict.digest == ""


@pytest.fixture(scope="module", autouse=True)
def imported() -> None:
    """Everything is imported by now, for an ordinary user might not be allowed to read where it lies."""
    repository = SignedRepository()
    with StaticServer() as server:
        rule = Rule([NAME], notary=Notary(anchor=pinned(repository), server=server.add("r", repository)))
        with Verifier(Policy((rule,)), state=MemoryState()) as verifier:
            check_verified(verifier.evaluate(NAME))


@pytest.fixture
def place() -> Iterator[Place]:
    publisher = SignedRepository()
    stranger = SignedRepository(keys={"root": root_key(NAME, label="a stranger")})
    with ordinary_folder() as folder, StaticServer() as server:
        made = Place(
            folder / "state", publisher, server.add("publisher", publisher), server.add("stranger", stranger)
        )
        assert as_ordinary_user(lambda: check_verified(made.verdict())) == 0
        yield made


def check_verified(verdict: Verdict) -> None:
    assert verdict.outcome is Outcome.VERIFIED, verdict.summary


def check_recovers(place: Place) -> None:
    """Check that with the trouble gone the first trust holds: the publisher verifies, the stranger does not."""

    def look() -> None:
        check_verified(place.verdict())
        assert place.verdict(place.stranger).outcome is Outcome.REJECTED

    assert as_ordinary_user(look) == 0


@contextmanager
def with_mode(path: Path, mode: int) -> Iterator[None]:
    before = path.stat().st_mode
    path.chmod(mode)
    try:
        yield
    finally:
        path.chmod(before)


@pytest.mark.parametrize("where", ["", ENTRY, f"{ENTRY}/trust.json", f"{ENTRY}/documents"])
def test_what_cannot_be_read_is_no_first_use(place: Place, where: str) -> None:
    with with_mode(place.folder / where, 0):
        assert as_ordinary_user(lambda: place.check_unreadable("Permission denied")) == 0
    check_recovers(place)


@pytest.mark.parametrize(
    "damage",
    [
        lambda path: path.write_bytes(b""),
        lambda path: path.write_bytes(path.read_bytes()[:-10]),
        lambda path: path.write_bytes(path.read_bytes().replace(b'"floors"', b'"flaws"')),
        lambda path: path.write_bytes(b"{}"),
    ],
    ids=["empty", "cut off", "another member", "another object"],
)
def test_a_damaged_record_is_no_first_use(place: Place, damage: Callable[[Path], object]) -> None:
    record = place.folder / ENTRY / "trust.json"
    good = record.read_bytes()
    damage(record)
    assert as_ordinary_user(lambda: place.check_unreadable("cannot be used")) == 0
    assert record.read_bytes() != good, "nothing is mended or overwritten"
    record.write_bytes(good)
    check_recovers(place)


def test_a_record_moved_aside_is_no_first_use(place: Place) -> None:
    record = place.folder / ENTRY / "trust.json"
    record.rename(record.with_name("trust.json.bak"))
    assert as_ordinary_user(lambda: place.check_unreadable("is missing")) == 0
    record.with_name("trust.json.bak").rename(record)
    check_recovers(place)


@pytest.mark.parametrize("where", [ENTRY, f"{ENTRY}/documents"])
def test_what_is_learnt_but_cannot_be_kept_is_no_answer(place: Place, where: str) -> None:
    """In a read-only folder what is known still verifies; what would have to be remembered does not."""
    assert as_ordinary_user(lambda: check_verified(place.verdict())) == 0
    with with_mode(place.folder / where, 0o500):
        assert as_ordinary_user(lambda: check_verified(place.verdict())) == 0
        place.publisher.add_target("latest", b"the newer image")
        place.publisher.publish()

        def look() -> None:
            verdict = place.verdict()
            assert verdict.code is Code.STATE_UNREADABLE
            assert "Permission denied" in verdict.summary
            assert place.verdict(place.stranger).outcome is not Outcome.VERIFIED

        assert as_ordinary_user(look) == 0
    check_recovers(place)


def test_first_use_that_cannot_be_remembered_is_no_answer() -> None:
    with ordinary_folder() as folder, StaticServer() as server:
        place = Place(folder / "state", SignedRepository(), server.add("r", SignedRepository()), "")

        def look() -> None:
            verdict = place.verdict()
            assert verdict.code is Code.STATE_UNREADABLE
            assert verdict.digest == ""

        with with_mode(folder, 0o500):
            assert as_ordinary_user(look) == 0


@pytest.mark.parametrize("most_bytes", [0, 1000, 4000])
def test_a_full_disk_is_no_answer_and_keeps_what_was_known(place: Place, most_bytes: int) -> None:
    """The system's bound on the size of files stands for the full disk."""
    place.publisher.add_target("latest", b"the newer image")
    place.publisher.publish()

    def look() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (most_bytes, most_bytes))
        verdict = place.verdict()
        assert verdict.code is Code.STATE_UNREADABLE
        assert "File too large" in verdict.summary
        assert place.verdict(place.stranger).outcome is not Outcome.VERIFIED

    assert as_ordinary_user(look) == 0
    check_recovers(place)


def test_a_first_use_on_a_full_disk_is_no_answer() -> None:
    with ordinary_folder() as folder, StaticServer() as server:
        place = Place(folder / "state", SignedRepository(), server.add("r", SignedRepository()), "")

        def look() -> None:
            resource.setrlimit(resource.RLIMIT_FSIZE, (100, 100))
            assert place.verdict().code is Code.STATE_UNREADABLE

        assert as_ordinary_user(look) == 0
        assert as_ordinary_user(lambda: check_verified(place.verdict())) == 0


def test_a_lock_holder_that_never_returns_ends_the_call_at_its_deadline(place: Place) -> None:
    place.publisher.add_target("latest", b"the newer image")
    place.publisher.publish()

    def look() -> None:
        verdict = place.verdict(seconds=0.5)
        assert verdict.outcome is Outcome.INCONCLUSIVE
        assert verdict.code is Code.STATE_UNREADABLE
        assert "another process holds the lock" in verdict.summary

    with (place.folder / ENTRY / "lock").open("rb") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        assert as_ordinary_user(look) == 0
    check_recovers(place)


def test_a_folder_that_vanishes_between_two_questions_is_seen(place: Place) -> None:
    """A verifier that is warm in memory does not go by what was on the disk before."""

    def look() -> None:
        rule = Rule([NAME], notary=Notary(anchor=FirstUse(), server=place.server))
        with Verifier(Policy((rule,)), state=FolderState(place.folder)) as verifier:
            check_verified(verifier.evaluate(NAME))
            record = place.folder / ENTRY / "trust.json"
            record.chmod(0)
            assert verifier.evaluate(NAME).code is Code.STATE_UNREADABLE
            record.chmod(0o600)
            check_verified(verifier.evaluate(NAME))
            (place.folder / ENTRY).rename(place.folder / "elsewhere")
            (place.folder / ENTRY).write_bytes(b"")
            assert verifier.evaluate(NAME).code is Code.STATE_UNREADABLE

    assert as_ordinary_user(look) == 0
