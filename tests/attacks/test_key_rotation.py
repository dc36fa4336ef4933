"""A stolen key is worth nothing from the moment at which its publisher replaced it.

Spec: TUF 5.3 and 6.1. Stolen means here: the attacker signs with it whatever is needed, and controls the server.
"""

import pytest

from imgsig.codes import Code
from tests.support.asker import Asker
from tests.support.repository import SignedRepository
from tests.support.root_certificates import root_key
from tests.support.signing import make_key

BASE = pytest.mark.parametrize("role", ["timestamp", "snapshot", "targets"])


@BASE
def test_what_the_old_key_of_a_role_signs_is_refused(role: str) -> None:
    repository = SignedRepository()
    asker = Asker(repository)
    (stolen,) = repository.signers[role]
    asker.ask()
    repository.rotate(role)
    repository.publish(everything=True)
    asker.ask()
    repository.signers[role] = [stolen]
    repository.add_target("latest", b"what the attacker wants")
    repository.publish(everything=True)
    assert asker.code() is Code.THRESHOLD


def test_the_old_root_key_makes_no_more_roots() -> None:
    repository = SignedRepository()
    asker = Asker(repository)
    (stolen,) = repository.signers["root"]
    asker.ask()
    repository.rotate("root")
    repository.publish()
    asker.ask()
    repository.set_keys("root", stolen)
    repository.publish()
    assert asker.code() is Code.ROOT_ROTATION


def test_a_root_needs_the_old_threshold_and_not_one_old_key() -> None:
    repository = SignedRepository(publish=False)
    one, two, three = (root_key(repository.name, label=f"root {number}") for number in range(3))
    repository.set_keys("root", one, two, threshold=2)
    repository.publish()
    asker = Asker(repository)
    asker.ask()
    repository.set_keys("root", one, three, threshold=1)
    repository.publish()
    assert asker.code() is Code.ROOT_ROTATION
    repository.signers["root"] = [one, two, three]
    repository.publish(everything=True)
    asker.ask()


def test_a_root_needs_its_own_threshold_too() -> None:
    repository = SignedRepository(publish=False)
    (old,) = repository.signers["root"]
    repository.publish()
    asker = Asker(repository)
    asker.ask()
    new = root_key(repository.name, label="new")
    repository.list_keys("root", new)
    repository.publish(everything=True)
    assert repository.signers["root"] == [old]
    assert asker.code() is Code.THRESHOLD


def test_a_pin_of_a_replaced_root_key_is_no_way_back_in() -> None:
    """Whoever has met the new root is not led back by the old one, though the rule still names its key."""
    repository = SignedRepository()
    asker = Asker(repository)
    asker.ask()
    old = dict(repository.files)
    repository.rotate("root")
    repository.publish()
    asker.ask()
    repository.restore(old)
    assert asker.code() is Code.ROOT_ROTATION
    assert Asker(repository, anchor=asker.anchor).ask().roles[0].version == 1, "who has not is: a new pin is due"


def test_a_threshold_may_be_raised_and_then_holds() -> None:
    repository = SignedRepository()
    asker = Asker(repository)
    (one,) = repository.signers["targets"]
    asker.ask()
    two = make_key("p256", "second")
    repository.set_keys("targets", one, two, threshold=2)
    repository.publish(everything=True)
    asker.ask()
    repository.signers["targets"] = [one]
    repository.publish(everything=True)
    assert asker.code() is Code.THRESHOLD


def test_a_delegation_s_replaced_key_signs_no_tag() -> None:
    repository = SignedRepository(tags=(), publish=False)
    repository.add_delegation("targets/releases", tags=("latest",))
    repository.publish()
    asker = Asker(repository)
    (stolen,) = repository.signers["targets/releases"]
    asker.ask()
    repository.rotate("targets/releases")
    repository.publish()
    asker.ask()
    repository.signers["targets/releases"] = [stolen]
    repository.add_target("latest", b"what the attacker wants", role="targets/releases")
    repository.publish(everything=True)
    assert asker.code() is Code.THRESHOLD


def test_the_keys_of_one_role_sign_no_other() -> None:
    """Each base role's key signs each other role in vain."""
    for role in ("root", "timestamp", "snapshot", "targets"):
        for other in {"timestamp", "snapshot", "targets"} - {role}:
            repository = SignedRepository(publish=False)
            repository.signers[role] = repository.signers[other]
            repository.publish()
            asker = Asker(repository, anchor=Asker(SignedRepository()).anchor)
            assert asker.code() is Code.THRESHOLD
