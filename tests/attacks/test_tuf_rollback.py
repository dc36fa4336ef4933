"""A TUF repository that goes back in time, or far ahead of it, gains nothing; its publisher can recover by new keys."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from imgsig.codes import Code
from imgsig.limits import Deadline
from imgsig.state import MemoryState
from tests.support.repository import NAME
from tests.support.tuf_asker import TufAsker
from tests.support.tuf_keys import tuf_key
from tests.support.tuf_repository import TufRepository

BELOW = ("timestamp", "snapshot", "targets", "team")


@pytest.fixture
def asker() -> TufAsker:
    """Return one that knows version 5 of everything."""
    repository = TufRepository()
    repository.add_delegation("team", listed=[f"{NAME}:2.0"])
    for _ in range(4):
        repository.publish(everything=True)
    made = TufAsker(repository)
    made.ask("2.0")
    return made


def lose_documents(asker: TufAsker) -> None:
    """Leave nothing in the state but what is authoritative."""
    assert asker.state is not None
    trust = asker.state.load("tuf", NAME, deadline=Deadline(5)).trust
    assert trust is not None
    asker.state = MemoryState()
    asker.state.commit("tuf", NAME, replace(trust, documents={}), expected="", deadline=Deadline(5))


@pytest.mark.parametrize("loss", [lambda _: None, lose_documents], ids=["with documents", "documents lost"])
@pytest.mark.parametrize("role", BELOW)
def test_no_role_goes_back(asker: TufAsker, role: str, loss: Callable[[TufAsker], None]) -> None:
    loss(asker)
    before = asker.stored_versions
    asker.repository.documents[role]["version"] -= 2
    asker.repository.publish(role)
    asker.repository.publish()
    error = asker.error("2.0")
    assert (error.code, error.subject) == (Code.ROLLBACK, role)
    assert all(asker.stored_versions[below] >= version for below, version in before.items())


@pytest.mark.parametrize("loss", [lambda _: None, lose_documents], ids=["with documents", "documents lost"])
def test_everything_as_it_was_once_is_refused(asker: TufAsker, loss: Callable[[TufAsker], None]) -> None:
    old = dict(asker.repository.files)
    asker.repository.publish(everything=True)
    asker.ask()
    loss(asker)
    asker.repository.restore(old)
    assert asker.code() is Code.ROLLBACK


def test_targets_do_not_go_back_in_two_steps(asker: TufAsker) -> None:
    repository = asker.repository
    repository.snapshot["meta"] = {"targets.json": None}
    repository.publish()
    assert asker.code() is Code.ROLLBACK
    repository.snapshot["meta"] = {"targets.json": {"version": 1}}
    repository.publish()
    assert asker.code() is Code.ROLLBACK
    del repository.snapshot["meta"]
    repository.publish()
    assert asker.ask().digest == repository.digest()


@pytest.mark.parametrize("role", ["targets", "team"])
def test_no_role_vanishes_from_the_snapshot(asker: TufAsker, role: str) -> None:
    asker.repository.snapshot["meta"] = {f"{role}.json": None}
    asker.repository.publish()
    error = asker.error()
    assert (error.code, error.subject, error.found) == (Code.ROLLBACK, role, "none")


def test_a_role_that_nobody_delegates_to_any_more_may_not_vanish_either(asker: TufAsker) -> None:
    del asker.repository.targets["delegations"]
    asker.repository.snapshot["meta"] = {"team.json": None}
    asker.repository.publish()
    assert asker.code() is Code.ROLLBACK


def test_a_snapshot_listed_by_an_expired_timestamp_is_a_floor_all_the_same(asker: TufAsker) -> None:
    asker.repository.expire("timestamp", "2027-02-01T00:00:00Z")
    asker.repository.publish(everything=True)
    asker.ask()
    asker.wait(days=60)
    asker.repository.expire("timestamp", "2090-01-01T00:00:00Z")
    asker.repository.snapshot["version"] -= 2
    asker.repository.publish("snapshot", "timestamp")
    assert asker.code() is Code.ROLLBACK


def test_what_snapshots_say_of_the_roles_above_them_counts_for_nothing() -> None:
    repository = TufRepository()
    repository.snapshot["meta"] = {"root.json": {"version": 9}, "timestamp.json": {"version": 9}}
    repository.publish()
    asker = TufAsker(repository)
    asker.ask()
    del repository.snapshot["meta"]
    repository.publish()
    assert asker.ask().digest == repository.digest()
    assert asker.stored_versions == {"timestamp": 3, "snapshot": 3, "targets": 1}


# -- fast forward -----------------------------------------------------------------------------------------------------


def fast_forward(asker: TufAsker, role: str) -> None:
    """Let an attacker with the keys of the moment publish a huge version, and its publisher the true one again."""
    repository = asker.repository
    version = repository.documents[role]["version"]
    repository.documents[role]["version"] = 1_000_000
    repository.publish(role)
    repository.publish()
    asker.ask("2.0")
    repository.documents[role]["version"] = version
    repository.publish(role)
    repository.publish()
    assert asker.code("2.0") is Code.ROLLBACK


@pytest.mark.parametrize("loss", [lambda _: None, lose_documents], ids=["with documents", "documents lost"])
@pytest.mark.parametrize(
    ("role", "rotated"),
    [
        ("timestamp", ("timestamp",)),
        ("snapshot", ("timestamp",)),
        ("snapshot", ("timestamp", "snapshot")),
        ("targets", ("snapshot",)),
        ("team", ("snapshot",)),
    ],
)
def test_new_keys_end_a_fast_forward(
    asker: TufAsker, role: str, rotated: tuple[str, ...], loss: Callable[[TufAsker], None]
) -> None:
    fast_forward(asker, role)
    for source in rotated:
        asker.repository.rotate(source)
    asker.repository.publish(everything=True)
    loss(asker)
    assert asker.ask("2.0").digest == asker.repository.digest(f"{NAME}:2.0", "team")
    assert asker.stored_versions[role] < 1_000_000


@pytest.mark.parametrize(
    ("role", "rotated"), [("timestamp", "snapshot"), ("targets", "timestamp"), ("team", "targets")]
)
def test_other_new_keys_lower_no_floor(asker: TufAsker, role: str, rotated: str) -> None:
    fast_forward(asker, role)
    asker.repository.rotate(rotated)
    asker.repository.publish(everything=True)
    assert asker.code("2.0") is Code.ROLLBACK


def test_a_floor_stands_while_the_threshold_that_made_it_is_listed(asker: TufAsker) -> None:
    old = asker.repository.signers["timestamp"]
    fast_forward(asker, "timestamp")
    asker.repository.set_keys("timestamp", *old, tuf_key("more"), threshold=2)
    asker.repository.publish(everything=True)
    assert asker.code("2.0") is Code.ROLLBACK


def test_a_stored_document_that_the_present_keys_have_signed_counts_whatever_the_threshold_was(asker: TufAsker) -> None:
    keys = [tuf_key("one"), tuf_key("two")]
    asker.repository.set_keys("timestamp", *keys, threshold=2)
    asker.repository.publish(everything=True)
    fast_forward(asker, "timestamp")
    asker.repository.set_keys("timestamp", keys[0], threshold=1)
    asker.repository.publish(everything=True)
    assert asker.code("2.0") is Code.ROLLBACK
    lose_documents(asker)
    assert asker.code("2.0") is Code.ROLLBACK, "it has become the floor of the present keys"


def test_floors_fall_for_good_even_if_the_update_fails(asker: TufAsker) -> None:
    fast_forward(asker, "timestamp")
    asker.repository.rotate("timestamp")
    asker.repository.publish("root")
    assert asker.code("2.0") is Code.THRESHOLD
    assert "timestamp" not in asker.stored_versions
    asker.repository.publish(everything=True)
    assert asker.ask("2.0").fresh
