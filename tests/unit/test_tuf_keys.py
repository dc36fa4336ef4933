"""Who has signed: distinct public keys, by keys that can verify."""

import hashlib
from typing import Any

import pytest

from imgsig.codes import Code
from imgsig.errors import RejectedError
from imgsig.tuf.keys import SCHEMES, Signers, UnusableKeyError, canonical_ids, usable_key, verify_signatures
from imgsig.tuf.model import Role, SSlibKey
from tests.support.tuf_keys import SCHEMES as KINDS
from tests.support.tuf_keys import TufKey, tuf_key

MESSAGE = b'{"signed":1}'


def listed(*keys: TufKey) -> dict[str, SSlibKey]:
    return {
        key.id: SSlibKey(key.id, key.keytype, key.scheme, {"public": key.public}, dict(key.extra)) for key in keys
    }


def signers(*keys: TufKey, threshold: int = 1, signing: tuple[TufKey, ...] | None = None) -> Signers:
    signatures = {key.id: key.sign(MESSAGE)["sig"] for key in (keys if signing is None else signing)}
    role = Role([key.id for key in keys], threshold)
    return verify_signatures("targets", role, listed(*keys), MESSAGE, signatures)


def fault(*keys: TufKey, threshold: int = 1, signing: tuple[TufKey, ...] | None = None) -> str:
    with pytest.raises(RejectedError) as caught:
        signers(*keys, threshold=threshold, signing=signing)
    assert caught.value.code is Code.THRESHOLD
    return str(caught.value)


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "rsa1024"])
def test_a_key_of_each_kind_verifies_its_signature_and_no_other(kind: str) -> None:
    key = tuf_key("a", kind)
    assert signers(key) == Signers((key.id,), (key.canonical_id,))
    with pytest.raises(RejectedError, match="does not hold"):
        verify_signatures("x", Role([key.id], 1), listed(key), MESSAGE + b" ", {key.id: key.sign(MESSAGE)["sig"]})


@pytest.mark.parametrize("scheme", [scheme for keytype, scheme in SCHEMES if keytype == "rsa"])
def test_every_rsa_scheme_verifies(scheme: str) -> None:
    key = tuf_key("a", "rsa2048").with_(scheme=scheme)
    assert signers(key).key_ids == (key.id,)


@pytest.mark.parametrize("kind", ["p256", "p384", "p521"])
def test_a_curve_under_its_older_key_type_verifies_without_a_warning(kind: str) -> None:
    key = tuf_key("a", kind)
    assert signers(key.with_(keytype=key.scheme)).canonical_ids == (key.canonical_id,)


def test_as_many_as_the_threshold_must_have_signed() -> None:
    one, two, three = (tuf_key(label) for label in "abc")
    assert len(signers(one, two, three, threshold=3).key_ids) == 3
    assert len(signers(one, two, three, threshold=2, signing=(one, three)).key_ids) == 2
    assert "1 of the 2 keys" in fault(one, two, three, threshold=2, signing=(one,))
    assert "has not signed" in fault(one, signing=())


def test_a_threshold_larger_than_the_keys_cannot_be_reached() -> None:
    assert "1 of the 2 keys" in fault(tuf_key("a"), threshold=2)


def test_a_role_without_keys_cannot_be_signed() -> None:
    assert "no other key is listed" in fault(threshold=1)


def test_a_signature_by_a_key_that_is_not_listed_does_not_count() -> None:
    assert "has not signed" in fault(tuf_key("a"), signing=(tuf_key("b"),))


@pytest.mark.parametrize(
    "twin",
    [
        tuf_key("a").with_(extra={"x-owner": "somebody"}),
        tuf_key("a").with_(public=tuf_key("a").public.upper()),
    ],
    ids=["another-member", "other-letters"],
)
def test_one_public_key_counts_once_under_two_ids(twin: TufKey) -> None:
    key = tuf_key("a")
    assert key.id != twin.id
    assert "1 of the 2 keys" in fault(key, twin, threshold=2)
    both = signers(key, twin)
    assert both.key_ids == tuple(sorted([key.id, twin.id]))
    assert both.canonical_ids == (key.canonical_id,)


def test_one_rsa_key_counts_once_under_two_schemes_and_one_pem_with_more_space() -> None:
    key = tuf_key("a", "rsa2048")
    other = key.with_(scheme="rsa-pkcs1v15-sha512")
    spaced = key.with_(public=key.public + "\n\n")
    assert len({key.id, other.id, spaced.id}) == 3
    assert "1 of the 2 keys" in fault(key, other, spaced, threshold=2)


def test_a_key_id_is_the_hash_of_all_that_is_listed_or_of_what_makes_the_key() -> None:
    plain = tuf_key("a")
    noted = plain.with_(extra={"x-owner": "alice"})
    essential = noted.with_(claimed_id=plain.id)
    assert signers(noted).key_ids == (noted.id,)
    assert signers(essential).key_ids == (plain.id,)


@pytest.mark.parametrize("wrong", ["abc", 64 * "0", tuf_key("b").id, tuf_key("a").id.upper(), ""])
def test_a_key_id_that_is_not_the_hash_does_not_count(wrong: str) -> None:
    key = tuf_key("a").with_(claimed_id=wrong or "x")
    assert "is not the hash of its key" in fault(key)


def test_a_short_rsa_key_does_not_count() -> None:
    assert "is an RSA key of 1024 bits, fewer than 2048" in fault(tuf_key("a", "rsa1024"))


@pytest.mark.parametrize(
    ("kind", "public"),
    [
        ("ed25519", ""),
        ("ed25519", "00"),
        ("ed25519", "not hex"),
        ("p256", "garbage"),
        ("p256", ""),
        ("rsa2048", "-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n"),
    ],
)
def test_a_public_key_that_is_none_does_not_count(kind: str, public: str) -> None:
    assert "holds no public key that can be read" in fault(tuf_key("a", kind).with_(public=public))


@pytest.mark.parametrize(("kind", "other"), [("p256", "p384"), ("rsa2048", "p256"), ("p256", "rsa2048")])
def test_a_public_key_of_another_type_does_not_count(kind: str, other: str) -> None:
    assert "does not hold" in fault(tuf_key("a", kind).with_(public=tuf_key("a", other).public))


@pytest.mark.parametrize("signature", ["", "0", "zz", "00 11", "0x00"])
def test_a_signature_that_is_not_hex_does_not_count_and_harms_nobody(signature: str) -> None:
    key, other = tuf_key("a"), tuf_key("b")
    keys = listed(key, other)
    signatures = {key.id: signature, other.id: other.sign(MESSAGE)["sig"]}
    found = verify_signatures("x", Role([key.id, other.id], 1), keys, MESSAGE, signatures)
    assert found.key_ids == (other.id,)
    with pytest.raises(RejectedError, match="not hex"):
        verify_signatures("x", Role([key.id, other.id], 2), keys, MESSAGE, signatures)


def test_a_key_of_an_unknown_type_is_told_from_one_that_has_not_signed() -> None:
    role = Role(["ab" * 32], 1)
    with pytest.raises(RejectedError, match="not among the keys, or of a type that is not known"):
        verify_signatures("x", role, {}, MESSAGE, {})


def test_only_keys_that_can_verify_have_a_canonical_id() -> None:
    good, bad = tuf_key("a"), tuf_key("b").with_(claimed_id="ab" * 32)
    role = Role([good.id, bad.id, "cd" * 32], 1)
    assert canonical_ids(role, listed(good, bad)) == {good.canonical_id}
    with pytest.raises(UnusableKeyError):
        usable_key(bad.id, listed(bad))


def test_no_other_library_can_change_which_keys_verify(monkeypatch: pytest.MonkeyPatch) -> None:
    import securesystemslib.signer as theirs  # noqa: PLC0415 - as another library would

    table: Any = theirs.KEY_FOR_TYPE_AND_SCHEME  # type: ignore[attr-defined]
    monkeypatch.setitem(table, ("quantum", "quantum-1"), SSlibKey)
    monkeypatch.delitem(table, ("ed25519", "ed25519"))
    assert signers(tuf_key("a")).key_ids
    assert ("quantum", "quantum-1") not in SCHEMES


def test_faults_are_told_shortly() -> None:
    keys = tuple(tuf_key(str(number)) for number in range(40))
    assert len(fault(*keys, threshold=40, signing=())) < 600
    assert hashlib.sha256(b"").hexdigest() not in fault(*keys, threshold=40, signing=())
