"""Certificates: what is read of them, which are usable for which name at which time, which bundles are root keys."""

import warnings
from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import dsa, ec, ed448, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509.oid import NameOID

from imgsig.notary.certificates import (
    ParsedCertificate,
    UnreadableCertificateError,
    first_certificate,
    iter_certificates,
    parse_authorities,
    parse_bundle,
    parse_certificate,
)
from tests.support.root_certificates import (
    NOT_AFTER,
    NOT_BEFORE,
    CertificateForm,
    Certified,
    authority,
    certify,
    damaged,
    root_key,
)
from tests.support.signing import private_key, spki

NAME = "docker.io/library/alpine"
AT = datetime(2027, 1, 1, tzinfo=UTC)
LEAF = certify(CertificateForm(NAME))
CA = authority("CA", "ca")
OTHER_BLOCK = b"-----BEGIN PUBLIC KEY-----\nYWJj\n-----END PUBLIC KEY-----\n"
JUNK = b"-----BEGIN CERTIFICATE-----\nanVuaw==\n-----END CERTIFICATE-----\n"


def parsed(**form: object) -> ParsedCertificate:
    kind = str(form.pop("kind", "p256"))
    form = {"common_name": NAME, **form}
    return parse_certificate(certify(CertificateForm(**form), kind, "certificates").der)  # type: ignore[arg-type]


def built(
    key: ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey, public: object = None, *names: x509.NameAttribute[str | bytes]
) -> bytes:
    """Return the DER of a certificate whose public key and names are not what the usual forms say."""
    name = x509.Name(names or [x509.NameAttribute(NameOID.COMMON_NAME, NAME)])
    builder = x509.CertificateBuilder().subject_name(name).issuer_name(name).serial_number(1)
    builder = builder.not_valid_before(NOT_BEFORE).not_valid_after(NOT_AFTER)
    chosen = key.public_key() if public is None else public
    return builder.public_key(chosen).sign(key, hashes.SHA256()).public_bytes(Encoding.DER)  # type: ignore[arg-type]


# -- reading --------------------------------------------------------------------------------------------------------


def test_a_certificate_is_read() -> None:
    found = parsed()
    assert (found.common_name, found.is_ca, found.rsa_bits) == (NAME, False, 0)
    assert (found.not_before, found.not_after) == (NOT_BEFORE, NOT_AFTER)
    assert found.der == found.x509.public_bytes(Encoding.DER)


def test_only_basic_constraints_make_an_authority() -> None:
    assert not parsed(authority=None, certificate_signing=True).is_ca
    assert not parsed(authority=False).is_ca
    assert parsed(authority=True).is_ca


@pytest.mark.parametrize(("kind", "bits"), [("rsa1024", 1024), ("rsa2048", 2048), ("rsa3072", 3072), ("p521", 0)])
def test_the_size_of_an_rsa_key_is_told(kind: str, bits: int) -> None:
    assert parsed(kind=kind).rsa_bits == bits


def test_the_last_common_name_counts() -> None:
    names = [x509.NameAttribute(NameOID.COMMON_NAME, text) for text in ("first", "second")]
    other = x509.NameAttribute(NameOID.ORGANIZATION_NAME, "organization")
    key = private_key("p256")
    assert isinstance(key, ec.EllipticCurvePrivateKey)
    assert parse_certificate(built(key, None, *names, other)).common_name == "second"
    assert parse_certificate(built(key, None, other)).common_name == ""


def test_a_long_common_name_is_read_without_a_warning() -> None:
    with warnings.catch_warnings(record=True) as caught:
        assert parsed(common_name="x" * 200).common_name == "x" * 200
    assert not caught


@pytest.mark.parametrize(
    "der",
    [b"", b"\x00", b"junk", b"\x30\x80", LEAF.der[:-1], LEAF.der + b"\x00", LEAF.pem, spki(LEAF.private), LEAF.der * 2]
)
def test_what_is_no_certificate_is_unreadable(der: bytes) -> None:
    with pytest.raises(UnreadableCertificateError):
        parse_certificate(der)


def test_every_truncation_is_unreadable() -> None:
    for end in range(len(LEAF.der)):
        with pytest.raises(UnreadableCertificateError):
            parse_certificate(LEAF.der[:end])


def test_every_changed_byte_is_unreadable_or_read_without_a_crash() -> None:
    for at in range(len(LEAF.der)):
        for change in (0x01, 0x80, 0xFF):
            changed = LEAF.der[:at] + bytes([LEAF.der[at] ^ change]) + LEAF.der[at + 1 :]
            try:
                found = parse_certificate(changed)
            except UnreadableCertificateError:
                continue
            found.fault(AT)
            found.is_for(NAME)


def test_keys_that_go_does_not_read_make_a_certificate_unreadable() -> None:
    with pytest.raises(UnreadableCertificateError, match="secp256k1"):
        parsed(kind="secp256k1")
    usual = spki(private_key("p256"))
    point = usual[-64:]
    compressed = usual[1:-64].replace(b"\x03\x42\x00\x04", b"\x03\x22\x00" + bytes([2 + point[-1] % 2])) + point[:32]
    compressed = b"\x30" + bytes([len(compressed) - 1]) + compressed[1:]
    key = private_key("p256")
    assert isinstance(key, ec.EllipticCurvePrivateKey)
    body = built(key)
    shorter = body.replace(usual, compressed)
    assert len(shorter) == len(body) - 32
    shorter = rewrapped(shorter, -32)
    assert x509.load_der_x509_certificate(shorter).public_key() == key.public_key()
    with pytest.raises(UnreadableCertificateError, match="unusual"):
        parse_certificate(shorter)


def rewrapped(der: bytes, change: int) -> bytes:
    """Return `der`, in which the signed part has changed its length, with the outer lengths put right."""
    outer, inner = int.from_bytes(der[2:4]) + change, der[4:]
    if inner[1] == 0x82:
        length = int.from_bytes(inner[2:4]) + change
        inner = inner[:1] + b"\x82" + length.to_bytes(2) + inner[4:]
    else:
        assert inner[1] == 0x81
        inner = inner[:2] + bytes([inner[2] + change]) + inner[3:]
    return der[:2] + outer.to_bytes(2) + inner


@pytest.mark.parametrize("public", [ed25519.Ed25519PrivateKey.generate(), dsa.generate_private_key(2048)])
def test_keys_that_cannot_sign_here_are_read(public: ed25519.Ed25519PrivateKey | dsa.DSAPrivateKey) -> None:
    key = private_key("p256")
    assert isinstance(key, ec.EllipticCurvePrivateKey)
    assert parse_certificate(built(key, public.public_key())).rsa_bits == 0


def test_other_kinds_of_keys_are_read_too() -> None:
    key = private_key("p256")
    assert isinstance(key, ec.EllipticCurvePrivateKey)
    assert parse_certificate(built(key, ed448.Ed448PrivateKey.generate().public_key())).common_name == NAME


def test_an_rsa_key_for_pss_alone_is_unreadable() -> None:
    rsa_encryption = bytes.fromhex("300d06092a864886f70d0101010500")
    for_pss_alone = bytes.fromhex("300d06092a864886f70d01010a0500")
    key = private_key("rsa2048", "pss")
    assert isinstance(key, rsa.RSAPrivateKey)
    body = built(key)
    assert rsa_encryption in body
    with pytest.raises(UnreadableCertificateError):
        parse_certificate(body.replace(rsa_encryption, for_pss_alone))


def test_a_duplicate_extension_makes_a_certificate_unreadable() -> None:
    body = certify(CertificateForm(NAME, authority=False, critical="2.5.29.20"), label="twice").der
    assert body.count(b"\x06\x03\x55\x1d\x14") == 1
    with pytest.raises(UnreadableCertificateError):
        parse_certificate(body.replace(b"\x06\x03\x55\x1d\x14", b"\x06\x03\x55\x1d\x13"))


# -- validity -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("at", "usable"),
    [
        (NOT_BEFORE - timedelta(days=1, microseconds=1), False),
        (NOT_BEFORE - timedelta(days=1), True),
        (NOT_BEFORE, True),
        (NOT_AFTER, True),
        (NOT_AFTER + timedelta(microseconds=1), False),
        (datetime(1, 1, 1, tzinfo=UTC), False),
        (datetime(1969, 1, 1, tzinfo=UTC), False),
        (datetime(9999, 12, 31, 23, 59, 59, 999999, UTC), False),
    ],
)
def test_a_certificate_is_usable_a_day_before_it_is_valid_and_not_after(at: datetime, usable: bool) -> None:
    assert (parsed().fault(at) is None) is usable
    assert parsed().fault(None) is None


@pytest.mark.parametrize("year", [1, 2, 1949, 1950, 2049, 2050, 9999])
def test_every_year_can_be_compared(year: int) -> None:
    time = f"{year:04d}0101000000Z".encode()
    old = b"\x17\x0d200101000000Z"
    body = certify(CertificateForm(NAME), label="years").der
    assert old in body
    changed = body.replace(old, b"\x18\x0f" + time)
    length = changed.index(b"\x18\x0f" + time) - 2
    assert changed[length] == 0x30
    changed = changed[: length + 1] + bytes([changed[length + 1] + 2]) + changed[length + 2 :]
    found = parse_certificate(rewrapped(changed, 2))
    assert found.not_before.year == year
    for at in (datetime(1, 1, 1, tzinfo=UTC), AT, datetime(9999, 12, 31, 23, 59, 59, 999999, UTC)):
        found.fault(at)
    assert (found.fault(AT) is None) is (year < 2028)


def test_a_validity_that_ends_before_it_begins_is_a_fault_at_any_time() -> None:
    body = certify(CertificateForm(NAME), label="upside down").der
    changed = parse_certificate(body.replace(b"\x18\x0f2120", b"\x18\x0f2019"))
    assert "before it begins" in str(changed.fault(None))
    assert changed.fault(AT)


@pytest.mark.parametrize("kind", ["p256", "rsa2048"])
def test_a_signature_with_sha_1_is_a_fault_at_any_time(kind: str) -> None:
    weak = parse_certificate(certify(CertificateForm(NAME, digest="sha1"), kind, "sha1").der)
    assert weak.fault(None) == weak.fault(AT) == "it is signed with SHA-1"


def test_a_short_rsa_key_is_a_fault_at_any_time() -> None:
    assert "1024 bits" in str(parsed(kind="rsa1024").fault(None))
    assert parsed(kind="rsa2048").fault(AT) is None


@pytest.mark.parametrize("digest", ["sha256", "sha384", "sha512"])
def test_other_signatures_and_all_extensions_are_no_fault(digest: str) -> None:
    assert parsed(digest=digest, critical="1.2.3.4", certificate_signing=False).fault(AT) is None


def test_a_wrong_signature_is_no_fault() -> None:
    assert first_certificate(damaged(root_key(NAME)).public).fault(AT) is None


# -- names ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "common_name", "is_for"),
    [
        ("docker.com/notary", "docker.com/*", True), ("docker.com/notary", "docker.com/**", True),
        ("docker.com/notary", "*", True), ("docker.com/notary", "**", True), ("test/this/wild", "test/*******", True),
        ("test/this/wild", "test/**/*/", False), ("test/this/wild", "test/*/wild", False),
        ("thing/stuff/all", "*/all", False), ("docker.com/notary", "docker.com/*/*", False),
        ("docker.com/notary", "docker.com/*/**", False), ("abc", "*abc*", False),
        ("test/this/wild", "test/*/wild*", False),
        ("docker.com/notary", "", False), ("", "*", True), ("docker.com/notary", "docker.com/notary", True),
        ("docker.com/notary", "docker.com/notary*", True), ("docker.com/notary", "docker.com/notary/*", False),
        ("docker.com/notary", "Docker.com/notary", False), ("docker.com/notary", "docker.com/notar", False),
        ("docker.com/notary", "docker.com/notary ", False), ("docker.com/notary2", "docker.com/notary", False),
        ("docker.com/notary", "docker.com/n*", True), ("docker.com/notary", "docker.com/?*", False),
        ("docker.com/notary", "docker\u200b.com/notary", False), ("docker.com/notary", "d\u043ecker.com/notary", False),
    ],
)  # fmt: skip
def test_a_name_is_matched_exactly_or_by_a_prefix_before_stars(name: str, common_name: str, is_for: bool) -> None:
    assert parsed(common_name=common_name).is_for(name) is is_for


# -- PEM ------------------------------------------------------------------------------------------------------------


def pem(*certified: Certified) -> bytes:
    return b"".join(one.pem for one in certified)


def test_a_bundle_is_a_leaf_and_its_intermediates() -> None:
    intermediate = authority("Intermediate", "intermediate", CA)
    leaf = certify(CertificateForm(NAME), "p256", "leaf", intermediate)
    assert [one.common_name for one in parse_bundle(pem(leaf, intermediate, CA), 3)] == [NAME, "Intermediate", "CA"]
    assert len(parse_bundle(b"text\n" + pem(LEAF).replace(b"\n", b"\r\n") + b"text", 1)) == 1
    assert len(parse_bundle(pem(LEAF, CA, CA), 3)) == 3
    assert len(parse_bundle(pem(LEAF).replace(b"E-----\n", b"E-----\nOwner: me\n\n", 1), 1)) == 1


@pytest.mark.parametrize(
    "text",
    [
        b"", b"hello", pem(CA), pem(CA, LEAF), pem(LEAF, LEAF), pem(LEAF, CA, LEAF), pem(LEAF) + OTHER_BLOCK,
        OTHER_BLOCK + pem(LEAF), OTHER_BLOCK, pem(LEAF) + JUNK, JUNK + pem(LEAF), JUNK, LEAF.der, pem(LEAF, CA, CA, CA),
    ],
)  # fmt: skip
def test_what_is_no_bundle_is_unreadable(text: bytes) -> None:
    with pytest.raises(UnreadableCertificateError):
        parse_bundle(text, 3)


def test_the_first_block_is_the_certificate_whatever_its_label() -> None:
    assert first_certificate(pem(CA, LEAF)).common_name == "CA"
    assert first_certificate(pem(LEAF).replace(b"CERTIFICATE", b"STRANGE")).common_name == NAME
    for text in (b"", OTHER_BLOCK + pem(LEAF), JUNK + pem(LEAF), LEAF.der):
        with pytest.raises(UnreadableCertificateError):
            first_certificate(text)


def test_certificates_are_found_among_other_things() -> None:
    with_header = pem(CA).replace(b"E-----\n", b"E-----\nOwner: me\n\n", 1)
    text = OTHER_BLOCK + JUNK + with_header + b"text\n" + pem(LEAF) + pem(CA).replace(b"CERTIFICATE", b"X") + pem(CA)
    assert [one.common_name for one in iter_certificates(text)] == [NAME, "CA"]
    assert not list(iter_certificates(b"nothing"))


def test_a_file_of_authorities_holds_certificates_alone() -> None:
    assert [one.common_name for one in parse_authorities(b"# text\n" + pem(CA, LEAF))] == ["CA", NAME]
    for text in (b"", b"nothing", OTHER_BLOCK, pem(CA) + OTHER_BLOCK, pem(CA) + JUNK):
        with pytest.raises(UnreadableCertificateError):
            parse_authorities(text)


def test_the_same_bytes_are_read_once_unless_they_are_huge() -> None:
    assert parse_certificate(LEAF.der) is parse_certificate(bytes(bytearray(LEAF.der)))
    assert parse_bundle(LEAF.pem, 1) is parse_bundle(bytes(bytearray(LEAF.pem)), 1)
    huge = LEAF.pem + b"\n" * 100_000
    assert parse_bundle(huge, 1) is not parse_bundle(huge, 1)
    names = [x509.NameAttribute(NameOID.COMMON_NAME, NAME), *[
        x509.NameAttribute(NameOID.ORGANIZATION_NAME, "x" * 64) for _ in range(1000)
    ]]  # fmt: skip
    key = private_key("p256")
    assert isinstance(key, ec.EllipticCurvePrivateKey)
    large = built(key, None, *names)
    assert len(large) > 64 * 1024
    assert parse_certificate(large) is not parse_certificate(large)
    assert parse_certificate(large).common_name == NAME


def test_what_a_block_calls_itself_is_shown_escaped_and_shortened() -> None:
    for label in (b"\x1b[31m\xff", b"X" * 5000):
        with pytest.raises(UnreadableCertificateError) as caught:
            parse_bundle(b"-----BEGIN " + label + b"-----\nYWJj\n-----END " + label + b"-----\n", 3)
        assert str(caught.value).isascii()
        assert str(caught.value).isprintable()
        assert len(str(caught.value)) < 200


def test_a_certificate_is_made_of_the_bytes_that_came() -> None:
    found = parse_certificate(LEAF.der).x509.public_key()
    assert found.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo) == spki(LEAF.private)
