"""Keys and signatures: the ids that are computed, the methods that count, the keys that count once."""

import base64
from dataclasses import replace
from typing import Any

import pytest
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import dsa, ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from hypothesis import given
from hypothesis import strategies as st

from imgsig.codes import Code
from imgsig.errors import RejectedError
from imgsig.notary.keys import (
    PublicKey,
    canonical_id,
    check_delegation_key,
    key_id,
    parse_public_key,
    verify_signatures,
)
from imgsig.notary.metadata import Envelope, Key, Signature
from tests.support.root_certificates import CertificateForm, authority, bundle, certify, root_key
from tests.support.signing import SigningKey, make_key, private_key, spki
from tests.support.signing import key_id as key_id_of_the_tests

MESSAGE = b'{"_type":"Targets"}'
BARE = ("p224", "p256", "p384", "p521", "rsa2048", "rsa3072", "ed25519")
METHODS = (
    "ecdsa", "rsapss", "rsapkcs1v15", "eddsa", "pycrypto-pkcs#1 pss", "", "ecdsa-x509", "ed25519", "ECDSA", "rsa"
)  # fmt: skip
RSA_WITHOUT_NULL = bytes.fromhex("300b06092a864886f70d010101")
ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551


def public(key: SigningKey) -> PublicKey:
    return parse_public_key(Key(key.keytype, key.public))


def verifies(key: SigningKey, signature: bytes | None = None, method: str | None = None) -> bool:
    signature = key.signature(MESSAGE) if signature is None else signature
    return public(key).verifies(key.method if method is None else method, signature, MESSAGE)


# -- ids ------------------------------------------------------------------------------------------------------------


def test_the_id_of_a_key_of_the_real_server() -> None:
    written = base64.b64decode("mpo02pxWya4A/Kl5BHYCvnnrAyuW6DmA4ETNqcQwO/c=")
    assert key_id("ed25519", written) == "d3892b882075ebf2f0d046960700ff0a3158f0a97429dfbc48a98918c1b36078"


@given(st.text(st.characters(exclude_categories=["Cs"]), max_size=8), st.none() | st.binary(max_size=40))
def test_an_id_is_computed_of_what_is_written(keytype: str, written: bytes | None) -> None:
    assert key_id(keytype, written) == key_id_of_the_tests(keytype, written)
    assert parse_public_key(Key(keytype, written)).key_id == key_id_of_the_tests(keytype, written)


def test_nothing_written_has_another_id_than_no_bytes() -> None:
    assert key_id("ecdsa", None) != key_id("ecdsa", b"")


@pytest.mark.parametrize("kind", ["p224", "p256", "p384", "p521", "rsa2048"])
def test_a_key_has_the_same_canonical_id_in_every_certificate_and_bare(kind: str) -> None:
    bare, first, second = make_key(kind, "same"), root_key("a", kind, "same"), root_key("b", kind, "same")
    assert len({public(key).key_id for key in (bare, first, second)}) == 3
    assert {public(key).canonical_id for key in (bare, first, second)} == {bare.true_id}
    assert public(bare).key_id == bare.true_id


def test_a_bundle_has_the_canonical_id_of_its_leaf() -> None:
    ca = authority("CA", "ca")
    whole = bundle(certify(CertificateForm("x"), "p256", "same", ca), ca)
    assert public(whole).canonical_id == make_key("p256", "same").id


def test_a_key_in_pem_has_the_canonical_id_of_the_bare_key() -> None:
    bare = make_key("rsa2048", "pem")
    assert public(bare.with_public(pem_of(bare))).canonical_id == bare.true_id


def test_a_key_that_cannot_be_used_has_the_id_of_what_is_written() -> None:
    broken = parse_public_key(Key("ecdsa", b"junk"))
    assert broken.key_id == broken.canonical_id == key_id_of_the_tests("ecdsa", b"junk")


def test_a_kind_that_notary_does_not_know_has_no_canonical_id() -> None:
    assert canonical_id(dsa.generate_private_key(2048).public_key()) == ""
    assert canonical_id(make_key("ed25519").private.public_key()) == make_key("ed25519").id


# -- methods --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", BARE)
def test_every_kind_of_key_signs_by_its_own_method_and_no_other(kind: str) -> None:
    key = make_key(kind)
    signature = key.signature(MESSAGE)
    assert verifies(key)
    assert [method for method in METHODS if verifies(key, signature, method)] == [key.method]
    assert not public(key).verifies(key.method, signature, MESSAGE + b" ")
    if not kind.startswith("rsa"):
        assert not public(make_key(kind, "other")).verifies(key.method, signature, MESSAGE)


@pytest.mark.parametrize("kind", ["p224", "p256", "p384", "p521", "rsa2048", "rsa3072"])
def test_certified_keys_sign_in_the_same_way(kind: str) -> None:
    key = root_key("any name", kind)
    assert verifies(key)
    assert [method for method in METHODS if verifies(key, key.signature(MESSAGE), method)] == [key.method]


@pytest.mark.parametrize("kind", ["rsa2048", "rsa3072"])
def test_rsa_signs_by_pkcs_1_too(kind: str) -> None:
    for key in (make_key(kind), root_key("x", kind)):
        assert verifies(key.with_method("rsapkcs1v15"))


def pem_of(key: SigningKey) -> bytes:
    return key.private.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )


def test_only_an_rsa_key_in_pem_signs_by_the_method_of_pycrypto() -> None:
    key = make_key("rsa2048")
    in_pem = key.with_public(pem_of(key))
    signature = key.signature(MESSAGE)
    assert [method for method in METHODS if verifies(in_pem, signature, method)] == ["pycrypto-pkcs#1 pss"]
    assert verifies(key.with_public(b"\n" + pem_of(key)), signature, "pycrypto-pkcs#1 pss")
    for other in (b"-----", pem_of(make_key("p256")), root_key("x", "rsa2048").public, pem_of(key)[:-40]):
        assert not verifies(key.with_public(other), signature, "pycrypto-pkcs#1 pss")


def with_type(key: SigningKey, keytype: str) -> SigningKey:
    return key.with_keytype(keytype)


@pytest.mark.parametrize(
    "keytype", ["", "ECDSA", "ecdsa-invalid", "rsa", "ed25519", "eddsa", "ecdsa-x509", "rsa-x509", "x509"]
)
def test_a_key_is_of_the_type_that_is_written(keytype: str) -> None:
    key = with_type(make_key("p256"), keytype)
    assert not any(verifies(key, make_key("p256").signature(MESSAGE), method) for method in METHODS)


def test_a_certificate_is_of_the_type_that_is_written() -> None:
    for keytype in ("ecdsa", "rsa", "rsa-x509", "ed25519", ""):
        assert not verifies(with_type(root_key("x"), keytype))
    for keytype in ("ecdsa", "rsa", "ecdsa-x509", "ed25519", ""):
        assert not verifies(with_type(root_key("x", "rsa2048"), keytype))


@pytest.mark.parametrize("kind", ["secp256k1", "rsa1024"])
def test_weak_and_strange_keys_verify_nothing(kind: str) -> None:
    assert not verifies(make_key(kind))
    assert not verifies(make_key(kind).with_method("rsapkcs1v15"))
    assert not verifies(root_key("x", kind))


def _odd_forms() -> dict[str, SigningKey]:
    ecdsa, rsa_key, edwards = make_key("p256"), make_key("rsa2048"), make_key("ed25519")
    x509 = root_key("x")
    numbers = ecdsa.private.public_key()
    assert isinstance(numbers, ec.EllipticCurvePublicKey)
    point = numbers.public_bytes(serialization.Encoding.X962, serialization.PublicFormat.CompressedPoint)
    whole = numbers.public_bytes(serialization.Encoding.X962, serialization.PublicFormat.UncompressedPoint)
    compressed = ecdsa.public[:1] + bytes([len(ecdsa.public) - 34]) + ecdsa.public[2:].replace(
        b"\x03\x42\x00" + whole, b"\x03\x22\x00" + point
    )
    pkcs1 = rsa_key.private.public_key().public_bytes(serialization.Encoding.DER, serialization.PublicFormat.PKCS1)
    large = rsa.RSAPublicNumbers(2**31 + 1, make_modulus(rsa_key)).public_key()
    of_other_kind = dsa.generate_private_key(2048).public_key()
    der = serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    return {
        "ecdsa-compressed": ecdsa.with_public(compressed),
        "ecdsa-hybrid": ecdsa.with_public(ecdsa.public.replace(whole, bytes([6 + (whole[-1] & 1)]) + whole[1:])),
        "ecdsa-off-curve": ecdsa.with_public(ecdsa.public[:-1] + bytes([ecdsa.public[-1] ^ 1])),
        "ecdsa-at-infinity": ecdsa.with_public(ecdsa.public[:1] + b"\x19" + ecdsa.public[2:23] + b"\x03\x02\x00\x00"),
        "ecdsa-trailing": ecdsa.with_public(ecdsa.public + b"\x00"),
        "ecdsa-truncated": ecdsa.with_public(ecdsa.public[:-1]),
        "ecdsa-pem": ecdsa.with_public(pem_of(ecdsa)),
        "ecdsa-point-alone": ecdsa.with_public(whole),
        "ecdsa-empty": ecdsa.with_public(b""),
        "ecdsa-certificate": ecdsa.with_public(x509.public),
        "rsa-trailing": rsa_key.with_public(rsa_key.public + b"\x00"),
        "rsa-pkcs1": rsa_key.with_public(pkcs1),
        "rsa-without-null": rsa_key.with_public(
            rsa_key.public[:2]
            + (int.from_bytes(rsa_key.public[2:4]) - 2).to_bytes(2)
            + rsa_key.public[4:].replace(bytes.fromhex("300d06092a864886f70d0101010500"), RSA_WITHOUT_NULL)
        ),
        "rsa-large-exponent": rsa_key.with_public(large.public_bytes(*der)),
        "rsa-dsa": rsa_key.with_public(of_other_kind.public_bytes(*der)),
        "ed25519-short": edwards.with_public(edwards.public[:-1]),
        "ed25519-long": edwards.with_public(edwards.public + b"\x00"),
        "ed25519-spki": edwards.with_public(spki(edwards.private)),
        "x509-key-first": x509.with_public(pem_of(ecdsa) + x509.public),
        "x509-der": x509.with_public(base64.b64decode(b"".join(x509.public.splitlines()[1:-1]))),
        "x509-nothing": x509.with_public(b""),
    }


def make_modulus(key: SigningKey) -> int:
    numbers = key.private.public_key()
    assert isinstance(numbers, rsa.RSAPublicKey)
    return numbers.public_numbers().n


def test_keys_are_written_in_one_way() -> None:
    for form, key in _odd_forms().items():
        assert not any(verifies(key, key.signature(MESSAGE), method) for method in METHODS), form


@pytest.mark.parametrize(
    "change",
    [
        lambda pem: pem.replace(b"\n", b"\r\n"), lambda pem: pem.replace(b"CERTIFICATE", b"STRANGE"),
        lambda pem: b"text\n" + pem,
        lambda pem: pem + root_key("x", label="second").public, lambda pem: pem.rstrip(),
    ],
)  # fmt: skip
def test_certificates_are_found_in_pem_of_any_form(change: Any) -> None:  # noqa: ANN401 - a function
    key = root_key("x")
    assert verifies(key.with_public(change(key.public)))


# -- signatures -----------------------------------------------------------------------------------------------------


def test_an_ecdsa_signature_is_two_numbers_of_exact_size() -> None:
    key = make_key("p256")
    signature = key.signature(MESSAGE)
    assert isinstance(key.private, ec.EllipticCurvePrivateKey)
    der = key.private.sign(MESSAGE, ec.ECDSA(hashes.SHA256()))
    other_s = signature[:32] + (ORDER - int.from_bytes(signature[32:])).to_bytes(32)
    assert verifies(key, other_s)
    wrong = [
        b"", der, signature[:-1], signature + b"\x00", b"\x00" + signature, signature[32:] + signature[:32], bytes(64),
        signature[:32] + bytes(32), bytes(32) + signature[32:], ORDER.to_bytes(32) + bytes(31) + b"\x01", b"\xff" * 64,
        signature[:32] + (ORDER + 1).to_bytes(32), signature[:31] + signature[32:63],
    ]  # fmt: skip
    assert not any(verifies(key, one) for one in wrong)


@pytest.mark.parametrize(("kind", "size"), [("p224", 56), ("p256", 64), ("p384", 96), ("p521", 132)])
def test_an_ecdsa_signature_has_the_size_of_its_curve(kind: str, size: int) -> None:
    key = make_key(kind)
    assert len(key.signature(MESSAGE)) == size
    for other in (56, 64, 96, 130, 132):
        assert not verifies(key, bytes(other))
    for curve in ("p224", "p256", "p384", "p521"):
        assert verifies(key, make_key(curve).signature(MESSAGE)) is (curve == kind)


def test_ecdsa_hashes_with_sha_256_on_every_curve() -> None:
    key = make_key("p384")
    assert isinstance(key.private, ec.EllipticCurvePrivateKey)
    numbers = decode_dss_signature(key.private.sign(MESSAGE, ec.ECDSA(hashes.SHA384())))
    assert not verifies(key, b"".join(number.to_bytes(48) for number in numbers))


@pytest.mark.parametrize(
    ("salt", "holds"), [(32, True), (0, False), (20, False), (31, False), (33, False), (222, False)]
)
def test_a_pss_signature_has_a_salt_of_32_bytes(salt: int, holds: bool) -> None:
    key = make_key("rsa2048")
    assert isinstance(key.private, rsa.RSAPrivateKey)
    signature = key.private.sign(MESSAGE, padding.PSS(padding.MGF1(hashes.SHA256()), salt), hashes.SHA256())
    assert verifies(key, signature) is holds


@pytest.mark.parametrize(("digest", "mask"), [(hashes.SHA512(), hashes.SHA512()), (hashes.SHA256(), hashes.SHA512())])
def test_a_pss_signature_uses_sha_256_throughout(digest: hashes.HashAlgorithm, mask: hashes.HashAlgorithm) -> None:
    key = make_key("rsa2048")
    assert isinstance(key.private, rsa.RSAPrivateKey)
    assert not verifies(key, key.private.sign(MESSAGE, padding.PSS(padding.MGF1(mask), 32), digest))
    assert not verifies(key, key.private.sign(MESSAGE, padding.PKCS1v15(), hashes.SHA384()), "rsapkcs1v15")


@pytest.mark.parametrize("method", ["rsapss", "rsapkcs1v15"])
def test_an_rsa_signature_is_as_long_as_the_modulus(method: str) -> None:
    key = make_key("rsa2048").with_method(method)
    signature = key.signature(MESSAGE)
    longer, shorter = (signature + b"\x00", b"\x00" + signature), (b"", signature[:-1], signature[1:])
    for wrong in (*longer, *shorter, bytes(256), b"\xff" * 256):
        assert not verifies(key, wrong)


def test_an_ed25519_signature_is_64_bytes_over_the_message_itself() -> None:
    key = make_key("ed25519")
    signature = key.signature(MESSAGE)
    for wrong in (b"", signature[:-1], signature + b"\x00", bytes(64), b"\xff" * 64):
        assert not verifies(key, wrong)
    digest = hashes.Hash(hashes.SHA256())
    digest.update(MESSAGE)
    assert not verifies(key, key.signature(digest.finalize()))
    order = 2**252 + 27742317777372353535851937790883648493
    other_s = signature[:32] + (int.from_bytes(signature[32:], "little") + order).to_bytes(32, "little")
    assert not verifies(key, other_s)


@pytest.mark.parametrize("kind", ["p256", "ed25519", "p521"])
def test_every_one_byte_change_of_a_signature_fails(kind: str) -> None:
    key = make_key(kind)
    signature = key.signature(MESSAGE)
    for at in range(len(signature)):
        for change in (0x01, 0x80):
            assert not verifies(key, signature[:at] + bytes([signature[at] ^ change]) + signature[at + 1 :])


@pytest.mark.parametrize("kind", ["p256", "ed25519", "rsa2048"])
def test_every_one_byte_change_of_a_key_fails_and_has_another_id(kind: str) -> None:
    key = make_key(kind)
    signature = key.signature(MESSAGE)
    for at in range(len(key.public)):
        for change in (0x01, 0x80):
            written = key.public[:at] + bytes([key.public[at] ^ change]) + key.public[at + 1 :]
            other = key.with_public(written)
            assert not verifies(other, signature)
            assert public(other).key_id != key.true_id


def test_every_truncation_of_a_key_fails() -> None:
    for key in (make_key("p256"), make_key("rsa2048"), make_key("ed25519"), root_key("x")):
        end = key.public.rindex(b"-----") if key.keytype.endswith("x509") else len(key.public)
        signature = key.signature(MESSAGE)
        for length in range(0, end, 1 if end < 200 else 17):
            assert not verifies(key.with_public(key.public[:length]), signature)


# -- certificates as keys of delegations ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("form", "kind", "why"),
    [
        (CertificateForm("x", digest="sha1"), "p256", "SHA-1"),
        (CertificateForm("x"), "rsa1024", "1024 bits"),
    ],
)
def test_a_weak_certificate_as_key_of_a_delegation_is_refused_whoever_signs(
    form: CertificateForm, kind: str, why: str
) -> None:
    weak = certify(form, kind, "weak")
    for text in (weak.pem, b"-----BEGIN X-----\nYWJj\n-----END X-----\n" + weak.pem):
        with pytest.raises(RejectedError, match=why) as caught:
            check_delegation_key(Key("anything", text), "targets/a")
        assert (caught.value.code, caught.value.subject) == (Code.SIGNATURE, "targets/a")


def test_other_keys_of_delegations_pass() -> None:
    weak = certify(CertificateForm("x", digest="sha1"), "p256", "weak")
    past = replace(CertificateForm("x"), not_after=CertificateForm("x").not_before.replace(year=2021))
    passing = [
        None, b"", b"junk", make_key("p256").public, make_key("rsa1024").public, certify(past, "p256", "past").pem,
        authority("CA", "ca").pem, root_key("x", "secp256k1").public, weak.der, weak.pem.replace(b"CERTIFICATE", b"X"),
        weak.pem.replace(b"E-----\n", b"E-----\nOwner: me\n\n", 1), root_key("x").public + weak.pem,
    ]  # fmt: skip
    for written in passing:
        check_delegation_key(Key("ecdsa-x509", written), "targets/a")


# -- counting -------------------------------------------------------------------------------------------------------

FIRST, SECOND, THIRD = make_key("p256", "first"), make_key("ed25519", "second"), make_key("p384", "third")


def entry(key: SigningKey, *, key_id: str = "", method: str = "", value: bytes | None = None) -> Signature:
    value = key.signature(MESSAGE) if value is None else value
    return Signature(key_id or key.true_id, method or key.method, value)


def signers(keys: list[SigningKey], *entries: Signature, threshold: int = 1) -> tuple[str, ...]:
    listed = {key.listed_id: public(key) for key in keys}
    return verify_signatures(Envelope(MESSAGE, entries), "targets", listed, threshold)


def code(keys: list[SigningKey], *entries: Signature, threshold: int = 1) -> Code:
    with pytest.raises(RejectedError) as caught:
        signers(keys, *entries, threshold=threshold)
    assert caught.value.subject == "targets"
    return caught.value.code


def test_who_signed_is_told_by_canonical_ids_in_order() -> None:
    expected = tuple(sorted(key.id for key in (FIRST, SECOND, THIRD)))
    entries = [entry(key) for key in (THIRD, FIRST, SECOND)]
    assert signers([FIRST, SECOND, THIRD], *entries, threshold=2) == expected
    certified = root_key("x", "p256", "first")
    assert signers([certified], entry(certified)) == (FIRST.id,)


def test_no_signature_at_all_is_worse_than_too_few() -> None:
    assert code([FIRST]) is Code.SIGNATURE
    assert code([]) is Code.SIGNATURE
    assert code([FIRST], entry(SECOND)) is Code.THRESHOLD
    assert code([], entry(SECOND)) is Code.THRESHOLD
    assert code([FIRST], Signature("", "", b"")) is Code.THRESHOLD


@pytest.mark.parametrize("threshold", [0, -1])
def test_a_threshold_below_one_is_never_reached(threshold: int) -> None:
    assert code([FIRST], entry(FIRST), threshold=threshold) is Code.THRESHOLD


def test_each_key_counts_once() -> None:
    assert code([FIRST, SECOND], entry(FIRST), entry(FIRST), threshold=2) is Code.THRESHOLD
    assert code([FIRST], entry(FIRST), threshold=2) is Code.THRESHOLD
    assert len(signers([FIRST, SECOND], entry(FIRST), entry(SECOND), threshold=2)) == 2


def test_one_public_key_under_several_ids_counts_once() -> None:
    certified = [root_key("x", "p256", "first"), root_key("y", "p256", "first")]
    entries = [entry(key) for key in certified]
    assert code(certified, *entries, threshold=2) is Code.THRESHOLD
    assert code([FIRST, *certified], entry(FIRST), *entries, threshold=2) is Code.THRESHOLD
    assert signers([FIRST, *certified], entry(FIRST), *entries) == (FIRST.id,)


def test_wrong_signatures_are_passed_over_in_any_order() -> None:
    wrong, right = entry(FIRST, value=bytes(64)), entry(FIRST)
    for entries in ([wrong, right], [right, wrong], [wrong, wrong, right]):
        assert signers([FIRST], *entries) == (FIRST.id,)
    assert code([FIRST], wrong) is Code.THRESHOLD
    assert signers([FIRST], entry(SECOND), entry(FIRST, method="magic"), right) == (FIRST.id,)
    assert code([FIRST, SECOND], entry(FIRST, key_id=SECOND.id)) is Code.THRESHOLD


def test_ids_are_compared_exactly() -> None:
    for written in (FIRST.id.upper(), FIRST.id + " ", FIRST.id[:-1], ""):
        assert code([FIRST], Signature(written, "ecdsa", FIRST.signature(MESSAGE))) is Code.THRESHOLD


def test_a_key_filed_under_a_wrong_id_matters_only_when_that_id_signs() -> None:
    filed = SECOND.with_listing_id("0" * 64)
    assert signers([FIRST, filed], entry(FIRST)) == (FIRST.id,)
    assert signers([FIRST, filed], entry(FIRST), entry(SECOND)) == (FIRST.id,)
    for entries in ([entry(FIRST), entry(SECOND, key_id="0" * 64)], [entry(SECOND, key_id="0" * 64), entry(FIRST)]):
        assert code([FIRST, filed], *entries) is Code.SIGNATURE
    assert code([FIRST, filed], entry(FIRST), entry(FIRST), entry(SECOND, key_id="0" * 64, value=b"")) is Code.SIGNATURE


def test_unusable_keys_that_are_alike_are_no_signers() -> None:
    broken = [parse_public_key(Key("ecdsa", None)), parse_public_key(Key("unknown", b"x"))]
    listed = {key.key_id: key for key in broken}
    entries = tuple(Signature(key.key_id, "ecdsa", b"") for key in broken)
    with pytest.raises(RejectedError):
        verify_signatures(Envelope(MESSAGE, entries), "targets", listed, 1)


def test_a_key_with_a_huge_modulus_fails_without_a_crash() -> None:
    numbers = rsa.RSAPublicNumbers(65537, (1 << 20_000) | 1).public_key()
    der = numbers.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    huge = parse_public_key(Key("rsa", der))
    assert not huge.verifies("rsapss", bytes(2500), MESSAGE)
    assert not huge.verifies("rsapkcs1v15", bytes(2500), MESSAGE)


def test_keys_are_parsed_once_unless_they_are_huge() -> None:
    key = make_key("p256")
    assert public(key) is public(key)
    huge = root_key("x").with_public(root_key("x").public + b"\n" * 100_000)
    assert public(huge) is not public(huge)
    assert verifies(huge)
    assert isinstance(private_key("ed25519"), ed25519.Ed25519PrivateKey)
