"""How a certificate is written: what Go's reader refuses though the library reads it."""

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.name import _ASN1Type
from cryptography.x509.oid import NameOID

from imgsig.notary.der import fault_of_writing
from tests.support.root_certificates import NOT_AFTER, NOT_BEFORE, CertificateForm, certify
from tests.support.signing import private_key, spki

FORM = CertificateForm("name", organization="organization")
SHA256 = bytes.fromhex("06082a8648ce3d040302")
SHA384 = bytes.fromhex("06082a8648ce3d040303")


def certificate(kind: str = "p256") -> bytes:
    return certify(FORM, kind, "der").der


@pytest.mark.parametrize("kind", ["p224", "p256", "p384", "p521", "rsa2048", "rsa3072"])
def test_what_is_usually_written_is_no_fault(kind: str) -> None:
    assert fault_of_writing(certificate(kind), spki(private_key(kind, "der"))) is None
    assert fault_of_writing(certificate(kind), b"") is None


def test_a_certificate_without_a_version_is_read_too() -> None:
    body = certificate("rsa2048")
    assert b"\xa0\x03\x02\x01\x02" in body
    shorter = body.replace(b"\xa0\x03\x02\x01\x02", b"", 1)
    outer, inner = int.from_bytes(body[2:4]), int.from_bytes(body[6:8])
    shorter = body[:2] + (outer - 5).to_bytes(2) + body[4:6] + (inner - 5).to_bytes(2) + shorter[8:]
    assert fault_of_writing(shorter, spki(private_key("rsa2048", "der"))) is None


@pytest.mark.parametrize("which", ["inner", "outer"])
def test_two_algorithms_for_one_signature_are_a_fault(which: str) -> None:
    body = certificate()
    changed = body.replace(SHA256, SHA384, 1) if which == "inner" else SHA384.join(body.rsplit(SHA256, 1))
    assert "two algorithms" in str(fault_of_writing(changed, b""))
    assert fault_of_writing(body.replace(SHA256, SHA384), b"") is None


def test_another_writing_of_the_key_is_a_fault() -> None:
    other = spki(private_key("p256", "another"))
    assert "unusual" in str(fault_of_writing(certificate(), other))


def named(tag: _ASN1Type, content: str, *, issuer: bool) -> bytes:
    """Return a certificate with a name in a text of the type that `tag` says; a placeholder is replaced afterwards."""
    odd = x509.Name([x509.NameAttribute(NameOID.ORGANIZATION_NAME, content, tag)])
    usual = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "usual")])
    key = private_key("p256", "der")
    assert isinstance(key, ec.EllipticCurvePrivateKey)
    builder = x509.CertificateBuilder().serial_number(1).public_key(key.public_key())
    builder = builder.not_valid_before(NOT_BEFORE).not_valid_after(NOT_AFTER)
    builder = builder.issuer_name(odd if issuer else usual).subject_name(usual if issuer else odd)
    return builder.sign(key, hashes.SHA256(), ecdsa_deterministic=True).public_bytes(Encoding.DER)


@pytest.mark.parametrize("issuer", [True, False])
@pytest.mark.parametrize(
    ("tag", "content", "is_text"),
    [
        (12, b"abcdefgh", True), (12, "\u00e9\u20acabc".encode(), True), (12, b"\xffbcdefgh", False),
        (12, b"abcdefg\xc3", False), (19, b"Ab0 '()+", True), (19, b"*&,-./:=", True), (19, b"abc?efgh", True),
        (19, b"abc_efgh", False), (19, b"abc@efgh", False), (19, b"abc\x00efgh", False), (22, b"abc@_!\x7f\x00", True),
        (22, b"abcdefg\x80", False), (20, b"\xff\x00\x80anyt", True), (18, b"0123 567", True), (18, b"0123a567", False),
        (30, b"\x00a\x00b\xd8\x00\x00c", True), (26, b"abcdefgh", False), (28, b"\x00\x00\x00a\x00\x00\x00b", False),
        (24, b"abcdefgh", False), (4, b"abcdefgh", False), (2, b"\x01\x02\x03\x04\x05\x06\x07\x08", False),
    ],
)  # fmt: skip
def test_a_name_holds_texts_of_their_types(tag: int, content: bytes, is_text: bool, *, issuer: bool) -> None:
    body = named(_ASN1Type.UTF8String, "x" * len(content), issuer=issuer)
    mark = bytes([12, len(content)]) + b"x" * len(content)
    assert mark in body
    changed = body.replace(mark, bytes([tag, len(content)]) + content)
    assert (fault_of_writing(changed, b"") is None) is is_text


def test_a_text_of_two_byte_characters_has_an_even_length() -> None:
    body = named(_ASN1Type.UTF8String, "xxx", issuer=True)
    assert fault_of_writing(body.replace(b"\x0c\x03xxx", b"\x1e\x03\x00a\x00"), b"") is not None
