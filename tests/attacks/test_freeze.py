"""Whoever holds back newer documents can do so only until the ones that he shows expire.

Spec: TUF 5.1, 5.3.10, 5.4.4, 5.5.6, 5.6.5.
"""

from datetime import timedelta

import pytest

from imgsig.codes import Code
from imgsig.memory import Memory
from imgsig.sections import RootFile
from tests.support.asker import Asker
from tests.support.repository import NOW, SignedRepository

ALL = pytest.mark.parametrize("role", ["root", "timestamp", "snapshot", "targets"])
SOON = "2027-01-08T00:00:00Z"
SECOND = timedelta(seconds=1)


@ALL
def test_at_first_contact_an_expired_role_is_refused(role: str) -> None:
    repository = SignedRepository(publish=False)
    repository.expire(role)
    repository.publish()
    error = Asker(repository).error()
    assert (error.code, error.subject) == (Code.EXPIRED, role)


@ALL
def test_what_was_accepted_once_expires_all_the_same(role: str) -> None:
    repository = SignedRepository(publish=False)
    repository.expire(role, SOON)
    repository.publish()
    asker = Asker(repository)
    assert asker.ask().valid_until == NOW + timedelta(days=7)
    asker.now = NOW + timedelta(days=7)
    asker.ask()
    asker.now += SECOND
    error = asker.error()
    assert (error.code, error.subject) == (Code.EXPIRED, role)


@ALL
def test_a_warm_verifier_forgets_no_expiry(role: str) -> None:
    """What is kept in memory says nothing of time."""
    repository = SignedRepository(publish=False)
    repository.expire(role, SOON)
    repository.publish()
    asker = Asker(repository)
    asker.memory = Memory()
    asker.ask()
    asker.ask()
    asker.now = NOW + timedelta(days=7, seconds=1)
    assert asker.code() is Code.EXPIRED
    asker.now = NOW
    asker.ask()


@ALL
def test_an_expired_role_is_not_bridged_over_an_outage(role: str) -> None:
    repository = SignedRepository(publish=False)
    repository.expire(role, SOON)
    repository.publish()
    asker = Asker(repository)
    asker.max_stale_seconds = 300_000_000
    asker.ask()
    repository.fail("timestamp")
    repository.fail("root")
    asker.wait(days=6)
    assert not asker.ask().fresh
    asker.wait(days=2)
    assert asker.code() in {Code.STALE, Code.UNREACHABLE}


def test_an_expired_delegation_is_no_signer_and_hides_nothing() -> None:
    repository = SignedRepository(publish=False)
    for role in ("targets/releases", "targets/alice"):
        repository.add_delegation(role)
        repository.add_target("latest", b"targets:latest", role=role)
    repository.expire("targets/alice", SOON)
    repository.publish()
    asker = Asker(repository)
    asker.signers = ("alice",)
    asker.ask()
    asker.wait(days=8)
    assert asker.code() is Code.SIGNER_MISSING
    repository.expire("targets/releases", SOON)
    repository.publish()
    asker.signers = ()
    assert asker.code() is Code.EXPIRED, "not the entry of targets"


def test_a_root_in_between_may_have_expired() -> None:
    repository = SignedRepository()
    asker = Asker(repository)
    asker.ask()
    repository.rotate("root")
    repository.expire("root")
    repository.publish()
    repository.rotate("root")
    repository.expire("root", "2090-01-01T00:00:00Z")
    repository.publish()
    assert asker.ask().roles[0].version == 3


def test_the_last_root_may_not_have_expired() -> None:
    repository = SignedRepository()
    asker = Asker(repository)
    asker.ask()
    repository.rotate("root")
    repository.expire("root")
    repository.publish()
    assert asker.code() is Code.EXPIRED


def test_an_expired_root_file_is_not_itself_enough() -> None:
    repository = SignedRepository(publish=False)
    repository.expire("root", SOON)
    repository.publish()
    asker = Asker(repository, anchor=RootFile(repository.files["1.root.json"], "root.json"))
    asker.ask()
    asker.wait(days=8)
    assert asker.code() is Code.EXPIRED


def test_the_server_cannot_hide_a_rotation_beyond_the_expiry_of_root() -> None:
    """The old root with its old documents serves until root expires, and not for ever."""
    repository = SignedRepository(publish=False)
    repository.expire("root", SOON)
    repository.publish()
    asker = Asker(repository)
    asker.ask()
    old = dict(repository.files)
    repository.expire("root", "2090-01-01T00:00:00Z")
    repository.rotate("targets")
    repository.publish(everything=True)
    repository.restore(old)
    asker.ask()
    asker.wait(days=8)
    assert asker.code() is Code.EXPIRED


def test_one_time_holds_for_the_whole_question() -> None:
    """Everything is compared with the time at which the call began: a role cannot be good here and bad there."""
    repository = SignedRepository(publish=False)
    for role in ("root", "timestamp", "snapshot", "targets"):
        repository.expire(role, SOON)
    repository.publish()
    asker = Asker(repository)
    asker.now = NOW + timedelta(days=7)
    attestation = asker.ask()
    assert {role.expires for role in attestation.roles} == {asker.now}
    assert attestation.valid_until == asker.now
