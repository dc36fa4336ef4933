"""A key counts once towards a threshold, whatever it is called, listed as or wrapped in.

Spec: TUF 5.3.4 and "Each key counts once".
"""

from collections.abc import Callable

import pytest

from imgsig.codes import Code
from imgsig.notary.settings import RootKeys
from tests.support.asker import Asker
from tests.support.repository import NAME, SignedRepository
from tests.support.root_certificates import CertificateForm, Certified, authority, root_key
from tests.support.signing import SigningKey, make_key, private_key

BASE = pytest.mark.parametrize("role", ["timestamp", "snapshot", "targets"])
RELEASES = "targets/releases"


def two_demanded(role: str, *keys: SigningKey) -> SignedRepository:
    """Return a repository that lists `keys` for a role, all of which sign it, and demands two."""
    repository = SignedRepository(publish=False)
    if role == RELEASES:
        repository.add_delegation(role, tags=("latest",))
    repository.set_keys(role, *keys, threshold=2)
    repository.publish()
    return repository


def twins(one: SigningKey, label: str) -> dict[str, tuple[SigningKey, SigningKey]]:
    """Return pairs that look like two keys and are one."""
    again = root_key("anyone", label=label)
    return {
        "bare and in a certificate": (one, again),
        "in two certificates": (again, root_key("anyone", label=label, form=CertificateForm("anyone", serial=2))),
        "in a certificate and in a bundle": (again, root_key("anyone", label=label, chain=(authority("CA", "ca"),))),
        "in certificates with other line ends": (again, again.with_public(again.public.replace(b"\n", b"\r\n"))),
        "in a certificate with text before it": (again, again.with_public(b"text\n" + again.public)),
    }


PAIRS = tuple(twins(make_key("p256", "twin"), "twin"))


@pytest.mark.parametrize("role", ["timestamp", "snapshot", "targets", RELEASES])
@pytest.mark.parametrize("pair", PAIRS)
def test_one_key_in_two_wrappings_counts_once(role: str, pair: str) -> None:
    one, two = twins(make_key("p256", "twin"), "twin")[pair]
    assert one.true_id != two.true_id
    assert Asker(two_demanded(role, one, two)).code() is Code.THRESHOLD
    other = make_key("p256", "another")
    assert Asker(two_demanded(role, one, other)).ask().digest


@pytest.mark.parametrize("chain", [(), (authority("CA", "ca"),)], ids=["certificate", "bundle"])
def test_one_root_key_in_two_certificates_counts_once(chain: tuple[Certified, ...]) -> None:
    one = root_key(NAME, label="twin")
    two = root_key(NAME, label="twin", form=CertificateForm(NAME, serial=2), chain=chain)
    repository = two_demanded("root", one, two)
    assert Asker(repository, anchor=RootKeys([one.canonical_id])).code() is Code.THRESHOLD
    assert Asker(repository, anchor=RootKeys([one.true_id, two.true_id])).code() is Code.THRESHOLD


@BASE
def test_one_key_under_two_ids_counts_once(role: str) -> None:
    """The second id is not the key's own, so that a signature under it refuses the document."""
    one = make_key("p256", "twin")
    repository = two_demanded(role, one, one.with_id("ab" * 32))
    assert Asker(repository).code() is Code.SIGNATURE
    repository.sign(role, lambda signatures, _: signatures[:1] * 2)
    repository.publish(everything=True)
    assert Asker(repository).code() is Code.THRESHOLD


@pytest.mark.parametrize("role", ["root", "timestamp", "snapshot", "targets"])
def test_one_signature_twice_counts_once(role: str) -> None:
    repository = SignedRepository(publish=False)
    repository.set_threshold(role, 2)
    repository.sign(role, lambda signatures, _: signatures * 3)
    repository.publish()
    assert Asker(repository).code() is Code.THRESHOLD


@BASE
def test_an_id_that_is_listed_twice_counts_once(role: str) -> None:
    repository = SignedRepository(publish=False)
    repository.entry(role)["keyids"] *= 2
    repository.set_threshold(role, 2)
    repository.publish()
    assert Asker(repository).code() is Code.THRESHOLD


@BASE
def test_two_signatures_by_two_methods_of_one_key_count_once(role: str) -> None:
    key = make_key("rsa2048", "methods")
    repository = SignedRepository(publish=False)
    repository.set_keys(role, key, threshold=2)
    repository.add_signature(role, key.with_method("rsapkcs1v15"))
    repository.publish()
    assert Asker(repository).code() is Code.THRESHOLD


@pytest.mark.parametrize(
    "other", [lambda key: key.with_keytype("ECDSA"), lambda key: key.with_keytype("ecdsa ")], ids=["upper", "space"]
)
def test_a_key_of_an_odd_type_counts_for_nothing(other: Callable[[SigningKey], SigningKey]) -> None:
    one = make_key("p256", "twin")
    assert Asker(two_demanded("targets", one, other(one))).code() is Code.THRESHOLD


def test_a_threshold_of_more_keys_than_there_are_is_never_reached() -> None:
    repository = SignedRepository(publish=False)
    repository.set_threshold("targets", 2**31)
    repository.publish()
    assert Asker(repository).code() is Code.THRESHOLD


@pytest.mark.parametrize("threshold", [0, -1])
@pytest.mark.parametrize("role", ["root", "timestamp", "snapshot", "targets", RELEASES])
def test_a_threshold_below_one_is_no_threshold(role: str, threshold: int) -> None:
    repository = SignedRepository(publish=False)
    repository.add_delegation(RELEASES, tags=("latest",))
    repository.set_threshold(role, threshold)
    repository.sign(role, lambda _, __: [])
    repository.publish()
    assert Asker(repository).code() is Code.MALFORMED


def test_one_key_as_two_signers_stands_for_one() -> None:
    """Also when each signer lists it in a certificate of its own."""
    repository = SignedRepository(publish=False)
    first = root_key("alice", label="shared", form=CertificateForm("alice"))
    second = root_key("bob", label="shared", form=CertificateForm("bob", serial=2))
    assert private_key("p256", "shared") == first.private == second.private
    for signer, key in (("alice", first), ("bob", second)):
        repository.add_delegation(f"targets/{signer}", key)
        repository.add_target("latest", b"targets:latest", role=f"targets/{signer}")
    repository.publish()
    asker = Asker(repository)
    asker.signers = ("alice", "bob")
    assert asker.code() is Code.SIGNER_MISSING
    repository.set_keys("targets/bob", make_key("p256", "bob's own"))
    repository.publish()
    assert asker.ask().digest == repository.digest("latest")
