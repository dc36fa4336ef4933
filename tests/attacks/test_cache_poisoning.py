"""A bad copy of a document, on the disk or in memory, is just not used.

On the disk, documents are a cache: each is held to the hash in the record, and to the one in the document above it. In
memory, a result is found only by all that it depends on. The record itself is in test_state_disk.py and its fellows.

Spec: TUF 5.3.1, "cache poisoning"; decision 10 in docs/decisions.md.
"""

import hashlib
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from imgsig.codes import Code
from imgsig.limits import Deadline
from imgsig.memory import Memory
from imgsig.notary.settings import FirstUse, RootKeys
from imgsig.state import FolderState
from tests.support.asker import Asker
from tests.support.repository import SignedRepository
from tests.support.signing import make_key

RELEASES = "targets/releases"
ROLES = ("timestamp", "snapshot", "targets", RELEASES)

DAMAGE: dict[str, Callable[[bytes], bytes]] = {
    "one bit": lambda body: bytes([body[0] ^ 1]) + body[1:],
    "cut off": lambda body: body[:-1],
    "empty": lambda _: b"",
    "longer": lambda body: body + b" ",
    "another document": lambda body: body.replace(b'"signed"', b'"singed"'),
}


@pytest.fixture
def repository() -> SignedRepository:
    repository = SignedRepository(publish=False)
    repository.add_delegation(RELEASES, tags=("latest",))
    repository.publish()
    return repository


@pytest.fixture
def asker(repository: SignedRepository, tmp_path: Path) -> Asker:
    return Asker(repository, state=FolderState(tmp_path / "state"))


def document(folder: Path, body: bytes) -> Path:
    """Return where a document lies in the state folder."""
    (found,) = folder.rglob(hashlib.sha256(body).hexdigest())
    return found


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize("how", DAMAGE)
def test_a_damaged_copy_is_asked_for_again(
    asker: Asker, repository: SignedRepository, tmp_path: Path, role: str, how: str
) -> None:
    before = asker.ask()
    path = document(tmp_path, repository.current[role])
    path.write_bytes(DAMAGE[how](path.read_bytes()))
    assert asker.ask() == before
    assert f"{role}.json" in asker.requests


@pytest.mark.parametrize("role", ROLES[1:])
def test_a_damaged_copy_is_not_believed_though_the_server_is_away(
    asker: Asker, repository: SignedRepository, tmp_path: Path, role: str
) -> None:
    asker.max_stale_seconds = 1000
    asker.ask()
    repository.fail("timestamp")
    assert not asker.ask().fresh
    path = document(tmp_path, repository.current[role])
    path.write_bytes(path.read_bytes() + b" ")
    assert asker.code() is Code.STALE


@pytest.mark.parametrize("role", ROLES)
def test_a_removed_copy_is_asked_for_again(
    asker: Asker, repository: SignedRepository, tmp_path: Path, role: str
) -> None:
    before = asker.ask()
    document(tmp_path, repository.current[role]).unlink()
    assert asker.ask() == before


def poison(state: FolderState, name: str, **documents: bytes) -> None:
    """Put other documents into the cache, as someone would who can write the record too."""
    stored = state.load("notary", name, deadline=Deadline(10))
    assert stored.trust is not None
    bodies = {role.replace("_", "/"): body for role, body in documents.items()}
    trust = replace(stored.trust, documents={**stored.trust.documents, **bodies})
    state.commit("notary", name, trust, expected=stored.generation, deadline=Deadline(10))


def forged(repository: SignedRepository) -> dict[str, bytes]:
    """Return documents in which a stranger signs another digest, consistent among themselves."""
    stranger = make_key("p256", "a stranger")
    other = SignedRepository(publish=False)
    other.add_delegation(RELEASES, stranger)
    other.add_target("latest", b"what the attacker wants", role=RELEASES)
    other.publish()
    return {role.replace("/", "_"): other.current[role] for role in ROLES}


def test_forged_copies_are_not_used_though_the_record_names_them(
    asker: Asker, repository: SignedRepository, tmp_path: Path
) -> None:
    before = asker.ask()
    poison(FolderState(tmp_path / "state"), repository.name, **forged(repository))
    assert asker.ask() == before


def test_forged_copies_bridge_no_outage(asker: Asker, repository: SignedRepository, tmp_path: Path) -> None:
    asker.max_stale_seconds = 1000
    asker.ask()
    repository.fail("timestamp")
    for role, body in forged(repository).items():
        if role != "timestamp":
            poison(FolderState(tmp_path / "state"), repository.name, **{role: body})
            assert asker.code() is Code.STALE


def test_a_stored_root_of_a_stranger_satisfies_no_other_pin(repository: SignedRepository, tmp_path: Path) -> None:
    """A root that was trusted at first use, or by another pin, is not trusted by the rule of today."""
    stranger = SignedRepository()
    stranger.rotate("root")
    stranger.signers["root"] = stranger.signers["root"][:1]
    stranger.publish()
    Asker(stranger, anchor=FirstUse(), state=FolderState(tmp_path / "state")).ask()
    asker = Asker(stranger, anchor=Asker(repository).anchor, state=FolderState(tmp_path / "state"))
    assert asker.code() is Code.ANCHOR_MISMATCH
    asker = Asker(stranger, anchor=RootKeys(["ab" * 32]), state=FolderState(tmp_path / "state"))
    assert asker.code() is Code.ANCHOR_MISMATCH


# -- in memory --------------------------------------------------------------------------------------------------------


@pytest.fixture
def warm(repository: SignedRepository) -> Asker:
    asker = Asker(repository)
    asker.memory = Memory()
    asker.ask()
    asker.ask()
    return asker


@pytest.mark.parametrize("role", ROLES)
def test_what_was_refused_once_is_refused_again(repository: SignedRepository, role: str) -> None:
    repository.sign(role, lambda _, message: [make_key("p256", "a stranger").sign(message)])
    repository.publish(everything=True)
    asker = Asker(repository)
    asker.memory = Memory()
    codes = [asker.code() for _ in range(3)]
    assert codes == [Code.THRESHOLD] * 3


def test_what_verified_under_a_threshold_is_counted_again_under_another(warm: Asker) -> None:
    repository = warm.repository
    (one,) = repository.signers["targets"]
    body = repository.current["targets"]
    repository.list_keys("targets", one, make_key("p256", "another"), threshold=2)
    repository.alter("targets", lambda _: body)
    repository.publish()
    assert warm.code() is Code.THRESHOLD


def test_what_verified_under_a_root_is_checked_again_under_the_next(warm: Asker) -> None:
    repository = warm.repository
    repository.rotate("targets", sign=False)
    repository.publish()
    assert warm.code() is Code.THRESHOLD


def test_what_verified_for_one_delegation_serves_no_other(warm: Asker) -> None:
    """The same bytes as the document of another role are looked at anew, with the keys of that role."""
    repository = warm.repository
    body = repository.current[RELEASES]
    repository.add_delegation("targets/alice")
    repository.alter("targets/alice", lambda _: body)
    repository.publish()
    warm.signers = ("alice",)
    assert warm.code() is Code.SIGNER_MISSING


def test_what_verified_under_an_id_is_refused_when_it_is_listed_under_another(warm: Asker) -> None:
    repository = warm.repository
    (key,) = repository.signers["targets"]
    body = repository.current["targets"].replace(key.id.encode(), b"ab" * 32)
    repository.list_keys("targets", key.with_id("ab" * 32))
    repository.alter("targets", lambda _: body)
    repository.publish()
    assert warm.code() is Code.SIGNATURE


def test_a_memory_too_small_for_anything_changes_no_answer(warm: Asker) -> None:
    before = warm.ask()
    for max_bytes in (0, 1, 1000):
        warm.memory = Memory(max_bytes)
        assert warm.ask() == before


def test_a_warm_verifier_sees_what_another_has_stored(repository: SignedRepository, tmp_path: Path) -> None:
    """What is in memory of the state counts only as long as it is what is on the disk."""
    warm = Asker(repository, state=FolderState(tmp_path / "state"))
    warm.memory = Memory()
    warm.ask()
    old = dict(repository.files)
    repository.add_target("latest", b"the newer image", role=RELEASES)
    repository.publish()
    Asker(repository, state=FolderState(tmp_path / "state")).ask()
    repository.restore(old)
    assert warm.code() is Code.ROLLBACK


def test_a_warm_verifier_notices_that_its_state_is_damaged_or_gone(
    repository: SignedRepository, tmp_path: Path
) -> None:
    warm = Asker(repository, state=FolderState(tmp_path / "state"))
    warm.memory = Memory()
    known_since = warm.ask().known_since
    warm.wait(days=1)
    (record,) = (tmp_path / "state").rglob("trust.json")
    good = record.read_bytes()
    record.write_bytes(b"{" + good)
    assert warm.code() is Code.STATE_UNREADABLE
    record.write_bytes(good)
    assert warm.ask().known_since == known_since
    assert json.loads(record.read_bytes())["name"] == repository.name
    record.unlink()
    assert warm.ask().known_since == warm.now, "to forget is the user's right"
