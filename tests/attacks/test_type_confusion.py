"""A document of one type does not pass for another, even where one key signs both.

Spec: TUF 5.3 to 5.6 (the type of each document), docs/notary-v1.md, "Documents".
"""

import pytest

from imgsig.codes import Code
from tests.support.asker import Asker
from tests.support.repository import NAME, SignedRepository
from tests.support.root_certificates import root_key

ROLES = ("root", "timestamp", "snapshot", "targets")
SHARED = root_key(NAME, label="one key for everything")


def one_key() -> SignedRepository:
    repository = SignedRepository(publish=False)
    for role in ROLES:
        repository.set_keys(role, SHARED)
    repository.add_delegation("targets/releases", SHARED, tags=("latest",))
    repository.publish()
    return repository


@pytest.mark.parametrize("asked", [*ROLES, "targets/releases"])
@pytest.mark.parametrize("given", ROLES)
def test_the_document_of_another_role_is_refused(asked: str, given: str) -> None:
    if asked == given or (asked, given) == ("targets/releases", "targets"):
        return
    repository = one_key()
    document = repository.current[given]
    assert Asker(repository).ask().digest
    repository.alter(asked, lambda _: document)
    repository.publish(everything=True)
    assert Asker(repository).code() is Code.MALFORMED


TYPES = ("Root", "Timestamp", "Snapshot", "Targets", "targets", "TARGETS", "Target", "Targets ", "", None, 1, ["Root"])


@pytest.mark.parametrize("role", [*ROLES, "targets/releases"])
@pytest.mark.parametrize("kind", TYPES)
def test_the_type_is_exactly_the_role_s(role: str, kind: object) -> None:
    repository = one_key()
    true = repository.documents[role]["_type"]
    repository.edit(role, lambda signed: signed.update(_type=kind))
    repository.publish(everything=True)
    if kind == true:
        assert Asker(repository).ask().digest
    else:
        assert Asker(repository).code() is Code.MALFORMED


@pytest.mark.parametrize("role", [*ROLES, "targets/releases"])
def test_a_missing_type_is_no_type(role: str) -> None:
    repository = one_key()
    repository.edit(role, lambda signed: signed.pop("_type"))
    repository.publish(everything=True)
    assert Asker(repository).code() is Code.MALFORMED


def test_a_document_that_is_several_at_once_is_only_the_one_that_it_calls_itself() -> None:
    """With the members of every type, it still passes for no other."""
    repository = one_key()
    everything: dict[str, object] = {}
    for role in reversed(ROLES):
        everything.update(repository.documents[role])
    everything.pop("_type")
    for role in ROLES:
        repository.edit(role, lambda signed: [signed.setdefault(name, value) for name, value in everything.items()])
    repository.publish(everything=True)
    assert Asker(repository).ask().digest
    repository.tamper("targets", lambda _: repository.current["snapshot"])
    assert Asker(repository).code() is not Code.OK


def test_a_signer_s_document_decides_nothing_in_the_place_of_releases() -> None:
    """Both have the same type, and may even have the same key: what tells them apart is the name in the snapshot."""
    repository = SignedRepository(publish=False)
    for role in ("targets/releases", "targets/alice"):
        repository.add_delegation(role, SHARED)
    repository.add_target("latest", b"alice's own", role="targets/alice")
    repository.publish()
    repository.tamper("targets/releases", lambda _: repository.current["targets/alice"])
    assert Asker(repository).code() in {Code.HASH_MISMATCH, Code.LIMIT_EXCEEDED}
