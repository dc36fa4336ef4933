"""An attacker who drove a version up to the sky does no lasting harm: new keys begin anew.

Spec: TUF 5.3.11; notary-v1 as in docs/notary-v1.md, "Rollback": a floor falls with the keys that made it.
"""

import pytest

from imgsig.codes import Code
from tests.support.asker import Asker
from tests.support.repository import SignedRepository
from tests.support.signing import make_key

SKY = 2**53
BASE = pytest.mark.parametrize("role", ["timestamp", "snapshot", "targets"])
RELEASES = "targets/releases"


def fast_forwarded(role: str) -> tuple[SignedRepository, Asker]:
    repository = SignedRepository(publish=False)
    repository.add_delegation(RELEASES, tags=("latest",))
    repository.publish()
    asker = Asker(repository)
    asker.ask()
    repository.documents[role]["version"] = SKY
    repository.publish()
    asker.ask()
    repository.documents[role]["version"] = 2
    return repository, asker


@pytest.mark.parametrize("role", ["timestamp", "snapshot", "targets", RELEASES])
def test_with_the_same_keys_there_is_no_way_back(role: str) -> None:
    repository, asker = fast_forwarded(role)
    repository.publish(bump=False, everything=True)
    assert asker.code() is Code.ROLLBACK


@pytest.mark.parametrize("role", ["timestamp", "snapshot", "targets", RELEASES])
def test_with_new_keys_low_versions_are_accepted_again(role: str) -> None:
    repository, asker = fast_forwarded(role)
    repository.rotate(role)
    repository.documents["root"]["version"] += 1
    repository.publish(bump=False, everything=True)
    assert asker.ask().digest == repository.digest("latest", RELEASES)
    repository.documents[role]["version"] = 1
    repository.publish(bump=False, everything=True)
    assert asker.code() is Code.ROLLBACK, "from then on, the new floor holds"


@BASE
def test_the_rotation_of_another_role_lowers_nothing(role: str) -> None:
    repository, asker = fast_forwarded(role)
    for other in {"timestamp", "snapshot", "targets"} - {role}:
        repository.rotate(other)
    repository.documents["root"]["version"] += 1
    repository.publish(bump=False, everything=True)
    assert asker.code() is Code.ROLLBACK


@BASE
def test_a_key_that_is_merely_added_lowers_nothing(role: str) -> None:
    repository, asker = fast_forwarded(role)
    (old,) = repository.signers[role]
    repository.list_keys(role, old, make_key("p256", "added"))
    repository.documents["root"]["version"] += 1
    repository.publish(bump=False, everything=True)
    assert asker.code() is Code.ROLLBACK


@BASE
def test_the_attacker_lowers_no_floor_by_a_root_of_his_own(role: str) -> None:
    repository, asker = fast_forwarded(role)
    repository.rotate(role)
    repository.rotate("root", keep_old_signature=False)
    repository.documents["root"]["version"] += 1
    repository.publish(bump=False, everything=True)
    assert asker.code() is Code.ROOT_ROTATION
    assert asker.code() is Code.ROOT_ROTATION


@pytest.mark.parametrize("version", [2**53 + 1, 2**63, 10**30])
@pytest.mark.parametrize("role", ["root", "timestamp", "snapshot", "targets", RELEASES])
def test_a_version_beyond_exact_numbers_is_refused_and_becomes_no_floor(role: str, version: int) -> None:
    repository = SignedRepository(publish=False)
    repository.add_delegation(RELEASES, tags=("latest",))
    repository.publish()
    asker = Asker(repository)
    asker.ask()
    repository.documents[role]["version"] = version
    repository.publish(bump=False)
    assert asker.code() is Code.MALFORMED
    for lower in (role, "snapshot", "timestamp"):
        repository.documents[lower]["version"] = 3
    repository.publish(bump=False, everything=True)
    asker.ask()
