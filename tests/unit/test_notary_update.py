"""One update: which roots may follow at first contact, and whose keys a role has that is delegated twice."""

import pytest

from imgsig.codes import Code
from imgsig.notary.settings import Anchor, FirstUse, RootCA, RootKeys
from imgsig.sections import RootFile
from tests.support.asker import Asker
from tests.support.repository import NAME, Reply, SignedRepository
from tests.support.root_certificates import CertificateForm, authority, bundle, certify, root_key
from tests.support.signing import SigningKey, make_key

CA = authority("CA", "ca")
OWN, ISSUED = root_key(NAME, label="own"), bundle(certify(CertificateForm(NAME), label="issued", issuer=CA))


def rotated(*successors: SigningKey) -> SignedRepository:
    """Return a repository whose server still offers its first root, though its root key has been replaced since."""
    repository = SignedRepository(keys={"root": ISSUED})
    first = repository.current["root"]
    for successor in successors:
        repository.rotate("root", successor)
        repository.rotate("targets")
        repository.publish(everything=True)
    repository.reply("root.json", Reply(200, first), Reply(200, repository.current["root"]))
    return repository


def first_root(repository: SignedRepository) -> bytes:
    return repository.files["1.root.json"]


PINS: tuple[tuple[str, Anchor], ...] = (
    ("certificate", RootKeys([ISSUED.true_id])),
    ("key", RootKeys([ISSUED.canonical_id])),
    ("authority", RootCA(CA.pem)),
)


@pytest.mark.parametrize(("kind", "anchor"), PINS)
@pytest.mark.parametrize("successors", [(OWN,), (OWN, root_key(NAME, label="third"))])
def test_a_root_that_follows_at_first_contact_must_satisfy_the_anchor_too(
    kind: str, anchor: Anchor, successors: tuple[SigningKey, ...]
) -> None:
    asker = Asker(rotated(*successors), anchor=anchor)
    assert asker.code() is Code.ANCHOR_MISMATCH, kind
    assert "timestamp.json" in asker.requests  # the first root was trusted, and what followed was not


def test_every_root_in_between_must_satisfy_the_anchor_at_first_contact() -> None:
    third = root_key(NAME, label="third")
    asker = Asker(rotated(OWN, third), anchor=RootKeys([ISSUED.true_id, third.true_id]))
    assert asker.code() is Code.ANCHOR_MISMATCH
    asker = Asker(rotated(OWN, third), anchor=RootKeys([ISSUED.true_id, OWN.true_id, third.true_id]))
    assert asker.ask().roles[0].version == 3


def test_a_successor_that_satisfies_the_anchor_is_followed() -> None:
    asker = Asker(rotated(OWN), anchor=RootKeys([ISSUED.true_id, OWN.true_id]))
    assert asker.ask().roles[0].version == 2


def test_first_use_and_a_root_file_are_followed_by_succession_alone() -> None:
    repository = rotated(OWN)
    for anchor in (FirstUse(), RootFile(first_root(repository))):
        repository.reply("root.json", Reply(200, first_root(repository)), Reply(200, repository.current["root"]))
        if isinstance(anchor, RootFile):
            repository.mend()
        asker = Asker(repository, anchor=anchor)
        assert asker.ask().roles[0].version == 2


def test_a_chain_that_is_stored_is_followed_by_succession_alone() -> None:
    repository = SignedRepository(keys={"root": ISSUED})
    asker = Asker(repository, anchor=RootKeys([ISSUED.true_id]))
    asker.ask()
    repository.rotate("root", OWN)
    repository.publish(everything=True)
    assert asker.ask().roles[0].version == 2


def doubled(*, first_is_right: bool) -> SignedRepository:
    """Return a repository that delegates to releases twice, with different keys, of which only one has signed."""
    repository = SignedRepository(publish=False)
    repository.add_delegation("targets/releases", tags=("latest",))
    delegations = repository.delegations("targets/releases")
    foreign = make_key("p256", "foreign")
    delegations["keys"][foreign.id] = foreign.to_json()
    other = {"name": "targets/releases", "keyids": [foreign.id], "threshold": 1, "paths": [""]}
    delegations["roles"].insert(1 if first_is_right else 0, other)
    repository.publish()
    return repository


def test_a_role_that_is_delegated_twice_has_the_keys_of_its_first_entry() -> None:
    assert Asker(doubled(first_is_right=False)).code() is Code.THRESHOLD
    assert Asker(doubled(first_is_right=True)).code() is Code.MALFORMED


def passed_over() -> Asker:
    """Return who knows a repository of which one delegation expires afterwards."""
    repository = SignedRepository(publish=False)
    repository.add_delegation("targets/other", tags=("other",))
    repository.expire("targets/other", "2028-01-01T00:00:00Z")
    repository.publish()
    asker = Asker(repository)
    asker.ask()
    asker.wait(days=400)
    return asker


def test_what_was_at_hand_and_is_passed_over_is_asked_for_again() -> None:
    asker = passed_over()
    assert asker.ask().digest == asker.repository.digest("latest")
    assert asker.requests == ["timestamp.json", "targets/other.json"]
    asker.ask()
    assert asker.requests == ["timestamp.json", "targets/other.json"]


@pytest.mark.parametrize(
    ("status", "code"), [(503, Code.UNREACHABLE), (404, Code.MISSING_METADATA), (400, Code.BAD_RESPONSE)]
)
def test_what_is_passed_over_must_be_there_still(status: int, code: Code) -> None:
    asker = passed_over()
    asker.repository.fail("targets/other", status)
    assert asker.code() is code


def test_what_is_passed_over_must_be_the_same_still() -> None:
    asker = passed_over()
    asker.repository.tamper("targets/other", lambda body: body[:-1] + b" ")
    assert asker.code() is Code.HASH_MISMATCH


def test_an_outage_is_not_bridged_where_a_role_must_be_passed_over() -> None:
    asker = passed_over()
    asker.max_stale_seconds = 10**8
    asker.repository.fail("timestamp", 503)
    error = asker.error()
    assert (error.code, "timestamp.json" in asker.requests) == (Code.STALE, True)
    assert asker.requests == ["timestamp.json"]


def test_a_delegation_with_only_a_sha512_is_asked_for_without_a_hash() -> None:
    repository = SignedRepository(publish=False)
    repository.add_delegation("targets/other", tags=("other",))
    repository.edit("snapshot", lambda signed: signed["meta"]["targets/other"]["hashes"].pop("sha256"))
    repository.publish()
    asker = Asker(repository)
    asker.ask()
    assert "targets/other.json" in repository.requests
    repository.tamper("targets/other", lambda body: body[:-1] + b" ")
    assert Asker(repository).code() is Code.HASH_MISMATCH
