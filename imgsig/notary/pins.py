"""A pin of a policy, as text: the id of a key or certificate, or a public key that is turned into its id."""

import hashlib
import re
from base64 import b64encode
from typing import Final

from imgsig.faults import kind_of, shown

_ID: Final = re.compile(r"[0-9a-f]{64}", re.ASCII)
_BEGIN: Final = "-----BEGIN "
_WANTED: Final = "64 hex digits in lower case, or a public key in PEM"


def parse_pin(pin: object) -> str:
    """Return the id that `pin` is or stands for.

    Not checked: whether there is such a key.

    Raises:
        ValueError: it is neither an id nor one public key that Docker Content Trust knows; says what is wrong.

    Spec: Notary v1, tuf/data/keys.go:TUFKey.ID.
    """
    if not isinstance(pin, str):
        msg = f"must be a text, not {kind_of(pin)}"
    elif _ID.fullmatch(pin):
        return pin
    elif _BEGIN in pin:
        return _parse_public_key(pin)
    elif _ID.fullmatch(pin.lower()):
        msg = f"{shown(pin)} must be written in lower case"
    else:
        msg = f"{shown(pin)} is no key: {_WANTED}"
    raise ValueError(msg)


def _parse_public_key(pem: str) -> str:
    """Return the id of the one key in `pem`, which no message shows: it might be a private one."""
    if "PRIVATE KEY" in pem:
        msg = "is a private key: keep it secret, and pin its public key"
    elif "BEGIN CERTIFICATE" in pem:
        msg = "is a certificate: pin its id or its public key, or name the authority that issued it by root-ca"
    elif pem.count(_BEGIN) > 1:
        msg = "holds several keys: make each a pin of its own"
    else:
        return _id_of_pem(pem)
    raise ValueError(msg)


def _id_of_pem(pem: str) -> str:
    # Slow to load, and most policies pin by id.
    from cryptography.exceptions import UnsupportedAlgorithm  # noqa: PLC0415
    from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa  # noqa: PLC0415
    from cryptography.hazmat.primitives.serialization import (  # noqa: PLC0415
        Encoding,
        PublicFormat,
        load_pem_public_key,
    )

    curves = (ec.SECP224R1, ec.SECP256R1, ec.SECP384R1, ec.SECP521R1)
    try:
        key = load_pem_public_key(pem.encode())
    except (ValueError, UnsupportedAlgorithm) as error:
        msg = f"holds no public key that can be read: {_WANTED} (-----BEGIN PUBLIC KEY-----)"
        raise ValueError(msg) from error
    if isinstance(key, ed25519.Ed25519PublicKey):
        return _id_of("ed25519", key.public_bytes(Encoding.Raw, PublicFormat.Raw))
    if isinstance(key, rsa.RSAPublicKey):
        return _id_of("rsa", key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo))
    if isinstance(key, ec.EllipticCurvePublicKey) and isinstance(key.curve, curves):
        return _id_of("ecdsa", key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo))
    msg = "is no key that can sign here: ECDSA on P-224, P-256, P-384 or P-521, RSA, or Ed25519"
    raise ValueError(msg)


def _id_of(key_type: str, public: bytes) -> str:
    message = f'{{"keytype":"{key_type}","keyval":{{"private":null,"public":"{b64encode(public).decode()}"}}}}'
    return hashlib.sha256(message.encode()).hexdigest()
