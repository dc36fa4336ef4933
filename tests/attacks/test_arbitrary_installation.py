"""Nothing is believed that the threshold of the role's own keys has not signed, at first contact or later.

Spec: TUF 5.3.4, 5.4.2, 5.5.3, 5.6.3.
"""

import base64
from collections.abc import Callable

import pytest

from imgsig.codes import Code
from imgsig.limits import Deadline
from tests.support.asker import Asker
from tests.support.repository import SignedRepository
from tests.support.root_certificates import root_key
from tests.support.signing import Json, make_key, signed_by

ROLES = ("root", "timestamp", "snapshot", "targets")
BASE = pytest.mark.parametrize("role", ROLES)
STRANGER = make_key("p256", "a stranger")


def unsigned(repository: SignedRepository, role: str) -> None:
    repository.sign(role, lambda _, __: [])


def signed_by_a_stranger(repository: SignedRepository, role: str) -> None:
    repository.sign(role, signed_by(STRANGER))


def signed_in_another_name(repository: SignedRepository, role: str) -> None:
    (true,) = repository.signers[role]
    repository.sign(role, signed_by(STRANGER.with_signing_id(true.id)))


def with_a_signature_over_something_else(repository: SignedRepository, role: str) -> None:
    (true,) = repository.signers[role]
    repository.sign(role, lambda _, message: [true.sign(message + b" ")])


def with_the_signature_of_the_version_before(repository: SignedRepository, role: str) -> None:
    (true,) = repository.signers[role]
    repository.sign(role, lambda _, message: [true.sign(message.replace(b'"version":2', b'"version":1'))])


def with_the_first_bit_flipped(repository: SignedRepository, role: str) -> None:
    def flip(signatures: list[Json], _: bytes) -> list[Json]:
        raw = base64.b64decode(signatures[0]["sig"])
        return [{**signatures[0], "sig": base64.b64encode(bytes([raw[0] ^ 128]) + raw[1:]).decode()}]

    repository.sign(role, flip)


def with_zeros_for_a_signature(repository: SignedRepository, role: str) -> None:
    repository.sign(role, lambda signatures, _: [{**signatures[0], "sig": base64.b64encode(bytes(64)).decode()}])


def with_no_method(repository: SignedRepository, role: str) -> None:
    repository.sign(role, lambda signatures, _: [{**signatures[0], "method": ""}])


FORGERIES = (
    unsigned,
    signed_by_a_stranger,
    signed_in_another_name,
    with_a_signature_over_something_else,
    with_the_signature_of_the_version_before,
    with_the_first_bit_flipped,
    with_zeros_for_a_signature,
    with_no_method,
)
FORGED = pytest.mark.parametrize("forge", FORGERIES)


def change(repository: SignedRepository, role: str) -> None:
    """Let the next version of a role be needed, and say something else."""
    repository.documents[role]["version"] += 1
    repository.expire(role, "2089-01-01T00:00:00Z")
    repository.add_target("latest", b"what the attacker wants")


@BASE
@FORGED
def test_at_first_contact_it_is_refused_and_nothing_after_it_is_believed(
    role: str, forge: Callable[[SignedRepository, str], None]
) -> None:
    repository = SignedRepository(publish=False)
    change(repository, role)
    forge(repository, role)
    repository.publish()
    asker = Asker(repository)
    assert asker.code() in {Code.SIGNATURE, Code.THRESHOLD}
    state = asker.state
    assert state is not None
    stored = state.load("notary", repository.name, deadline=Deadline(10)).trust
    order = ("root", "timestamp", "snapshot", "targets")
    believed = set() if stored is None else {"root", *stored.documents}
    assert believed == set(order[: order.index(role)])


@BASE
@FORGED
def test_later_it_is_refused_and_what_was_trusted_stays(
    role: str, forge: Callable[[SignedRepository, str], None]
) -> None:
    repository = SignedRepository()
    asker = Asker(repository)
    known_since = asker.ask().known_since
    change(repository, role)
    forge(repository, role)
    repository.publish()
    asker.wait(days=1)
    assert asker.code() in {Code.SIGNATURE, Code.THRESHOLD, Code.ROOT_ROTATION, Code.HASH_MISMATCH}
    assert asker.code() in {Code.SIGNATURE, Code.THRESHOLD, Code.ROOT_ROTATION, Code.HASH_MISMATCH}
    repository.mend()
    repository.publish(everything=True)
    mended = asker.ask()
    assert mended.digest == repository.digest("latest")
    assert mended.known_since == known_since


@BASE
def test_fewer_signatures_than_the_threshold_are_not_enough(role: str) -> None:
    repository = SignedRepository(publish=False)
    make = root_key if role == "root" else (lambda _, kind, label: make_key(kind, label))
    one, two, three = (make(repository.name, "p256", f"{role} {number}") for number in range(3))
    repository.set_keys(role, one, two, three, threshold=2)
    repository.publish()
    asker = Asker(repository)
    asker.ask()
    repository.signers[role] = [three]
    repository.documents[role]["version"] += 1
    repository.publish(everything=True)
    again = Asker(repository, anchor=asker.anchor)
    assert again.code() is Code.THRESHOLD
    repository.signers[role] = [one, three]
    repository.publish(everything=True)
    again.ask()


def test_an_intermediate_root_is_held_to_the_same_thresholds() -> None:
    """A root in between that only its own key has signed is no bridge, however good the newest is."""
    repository = SignedRepository()
    asker = Asker(repository)
    asker.ask()
    repository.rotate("root", keep_old_signature=False)
    repository.publish()
    repository.rotate("root")
    repository.publish()
    assert asker.code() is Code.ROOT_ROTATION
    assert "2.root.json" in asker.requests


@pytest.mark.parametrize("forge", FORGERIES[1:])
def test_a_forged_delegation_signs_no_tag(forge: Callable[[SignedRepository, str], None]) -> None:
    repository = SignedRepository(tags=("latest",), publish=False)
    repository.add_delegation("targets/releases", tags=("new",))
    forge(repository, "targets/releases")
    repository.documents["targets/releases"]["version"] = 2
    repository.publish()
    asker = Asker(repository)
    assert asker.code("new") is Code.THRESHOLD
    assert asker.code() is Code.THRESHOLD, "it covers the tag, and is asked first"
