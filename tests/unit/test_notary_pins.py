from base64 import b64decode

import pytest
from cryptography.hazmat.primitives.asymmetric import ed448, ed25519
from cryptography.hazmat.primitives.asymmetric.types import PublicKeyTypes
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat
from hypothesis import given
from hypothesis import strategies as st

from imgsig.notary.pins import parse_pin
from tests.support.root_certificates import CertificateForm, certify
from tests.support.signing import bare, private_key


def pem_of(key: PublicKeyTypes) -> str:
    return key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()


def test_an_id_stands_for_itself() -> None:
    assert parse_pin("0f" * 32) == "0f" * 32


@pytest.mark.parametrize("kind", ["p224", "p256", "p384", "p521", "rsa2048", "ed25519"])
def test_a_public_key_stands_for_the_id_of_the_bare_key(kind: str) -> None:
    private = private_key(kind, "pin")
    assert parse_pin(pem_of(private.public_key())) == bare(private).true_id


def test_the_id_of_a_real_key_is_the_one_that_notary_gives_it() -> None:
    key = ed25519.Ed25519PublicKey.from_public_bytes(b64decode("mpo02pxWya4A/Kl5BHYCvnnrAyuW6DmA4ETNqcQwO/c="))
    assert parse_pin(pem_of(key)) == "d3892b882075ebf2f0d046960700ff0a3158f0a97429dfbc48a98918c1b36078"


def test_white_space_around_a_public_key_does_not_matter() -> None:
    pem = pem_of(private_key("p256", "pin").public_key())
    assert parse_pin(f"\n  {pem}\n\n") == parse_pin(pem)
    assert parse_pin(pem.replace("\n", "\r\n")) == parse_pin(pem)


@pytest.mark.parametrize(
    ("pin", "fault"),
    [
        (None, "must be a text, not a NoneType"),
        (7, "must be a text, not a number"),
        ("", "is no key"),
        ("0f" * 31, "is no key"),
        ("0f" * 33, "is no key"),
        ("0f" * 32 + "\n", "is no key"),
        ("sha256:" + "0f" * 32, "is no key"),
        ("\u0660" * 64, "is no key"),
        ("0F" * 32, "must be written in lower case"),
        ("-----BEGIN PUBLIC KEY-----", "holds no public key that can be read"),
        ("-----BEGIN PUBLIC KEY-----\n\ud800\n-----END PUBLIC KEY-----", "holds no public key that can be read"),
        ("-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----", "holds no public key that can be read"),
        (pem_of(private_key("secp256k1", "pin").public_key()), "is no key that can sign here"),
        (pem_of(ed448.Ed448PrivateKey.generate().public_key()), "is no key that can sign here"),
        (pem_of(private_key("p256", "pin").public_key()) * 2, "holds several keys"),
        (certify(CertificateForm("docker.io/library/alpine")).pem.decode(), "is a certificate"),
    ],
)
def test_what_is_no_pin_is_refused_with_the_reason(pin: object, fault: str) -> None:
    with pytest.raises(ValueError, match=fault):
        parse_pin(pin)


@pytest.mark.parametrize("form", [PrivateFormat.PKCS8, PrivateFormat.TraditionalOpenSSL])
def test_a_private_key_is_refused_and_not_shown(form: PrivateFormat) -> None:
    pem = private_key("p256", "pin").private_bytes(Encoding.PEM, form, NoEncryption()).decode()
    with pytest.raises(ValueError, match="is a private key") as caught:
        parse_pin(pem)
    assert not any(line in str(caught.value) for line in pem.splitlines())


@given(st.text() | st.text().map("-----BEGIN PUBLIC KEY-----\n{}\n-----END PUBLIC KEY-----".format))
def test_nothing_but_a_value_error_leaves_the_parser(pin: str) -> None:
    with pytest.raises(ValueError, match=r"is|holds"):
        parse_pin(pin)
