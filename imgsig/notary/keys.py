"""Public keys, their ids, and signatures: the only place where a Notary signature is checked.

Spec: docs/notary-v1.md, "Keys and signatures"; notary tuf/data/keys.go, tuf/signed/verifiers.go and verify.go.
"""

import hashlib
from base64 import b64encode
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Final, TypeAlias, final

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.asymmetric.types import PublicKeyTypes
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_der_public_key

from imgsig.codes import Code
from imgsig.errors import RejectedError
from imgsig.notary.certificates import (
    CURVES,
    MAX_KEPT_BYTES,
    MIN_RSA_BITS,
    UnreadableCertificateError,
    first_certificate,
    iter_certificates,
)
from imgsig.notary.metadata import Envelope, Key
from imgsig.notary.pem import iter_pem_blocks
from imgsig.strictjson import canonical, quote

_PSS: Final = padding.PSS(padding.MGF1(SHA256()), salt_length=32)
_PARSED: Final = 1024
_MAX_RSA_EXPONENT: Final = 2**31 - 1

_Native: TypeAlias = ec.EllipticCurvePublicKey | rsa.RSAPublicKey | ed25519.Ed25519PublicKey | None


@final
@dataclass(frozen=True, slots=True)
class PublicKey:
    """A key with its ids. One that cannot be used verifies nothing."""

    key_id: str
    """The TUF key id: what signatures name, computed from the key as written."""
    canonical_id: str
    """The id of the bare public key: the same for a key and every certificate of it."""
    native: _Native = field(repr=False, compare=False)
    is_pem: bool = False
    """Whether it is an ``rsa`` key in PEM, which only the method of a client in another language can use."""

    def verifies(self, method: str, signature: bytes, message: bytes) -> bool:
        """Return whether `signature` is this key's, made over `message` by `method` (in lower case).

        Spec: docs/notary-v1.md, "Signature methods"; notary tuf/signed/verifiers.go.
        """
        try:
            match method, self.native:
                case "ecdsa", ec.EllipticCurvePublicKey() as key:
                    size = (key.curve.key_size + 7) // 8
                    if len(signature) != 2 * size:
                        return False
                    r, s = int.from_bytes(signature[:size]), int.from_bytes(signature[size:])
                    key.verify(encode_dss_signature(r, s), message, ec.ECDSA(SHA256()))
                case "rsapss", rsa.RSAPublicKey() as key if not self.is_pem:
                    key.verify(signature, message, _PSS, SHA256())
                case "pycrypto-pkcs#1 pss", rsa.RSAPublicKey() as key if self.is_pem:
                    key.verify(signature, message, _PSS, SHA256())
                case "rsapkcs1v15", rsa.RSAPublicKey() as key if not self.is_pem:
                    key.verify(signature, message, padding.PKCS1v15(), SHA256())
                case "eddsa", ed25519.Ed25519PublicKey() as key:
                    key.verify(signature, message)
                case _:
                    return False
        except InvalidSignature:
            return False
        return True


def key_id(keytype: str, public: bytes | None) -> str:
    """Return the TUF key id of a key as it is written.

    Spec: docs/notary-v1.md, "Key ids"; notary tuf/data/keys.go, TUFKey.ID.
    """
    written = None if public is None else b64encode(public).decode()
    key = {"keytype": keytype, "keyval": {"private": None, "public": written}}
    return hashlib.sha256(canonical(key, what="key")).hexdigest()


def parse_public_key(key: Key) -> PublicKey:
    """Return the key in `key`; one that is unknown or damaged is returned as a key that verifies nothing."""
    length = len(key.keytype) + len(key.public or b"")
    parse = _parsed if length <= MAX_KEPT_BYTES else _parsed.__wrapped__
    return parse(key.keytype, key.public)


@lru_cache(maxsize=_PARSED)
def _parsed(keytype: str, public: bytes | None) -> PublicKey:
    own_id = key_id(keytype, public)
    native = None if public is None else _native(keytype, public)
    if public is None or native is None:
        return PublicKey(own_id, own_id, None)
    return PublicKey(own_id, canonical_id(native), native, is_pem=keytype == "rsa" and _is_pem(public))


def _is_pem(public: bytes) -> bool:
    return public.lstrip().startswith(b"-----")


def canonical_id(native: PublicKeyTypes) -> str:
    """Return the TUF key id of a bare public key; empty for kinds that Notary does not know."""
    match native:
        case ed25519.Ed25519PublicKey():
            return key_id("ed25519", native.public_bytes(Encoding.Raw, PublicFormat.Raw))
        case ec.EllipticCurvePublicKey():
            return key_id("ecdsa", _spki(native))
        case rsa.RSAPublicKey():
            return key_id("rsa", _spki(native))
        case _:
            return ""


def check_delegation_key(key: Key, role: str) -> None:
    """Check a certificate used as a delegation's key, without its validity; other keys pass.

    Raises:
        RejectedError: the certificate is weak (``signature``); the reference client then refuses everything.

    Spec: docs/notary-v1.md, "Certificates of delegations"; notary tuf/signed/verify.go.
    """
    certificate = next(iter_certificates(key.public or b""), None)
    fault = None if certificate is None else certificate.fault(None)
    if fault is not None:
        msg = f"the certificate of a key of {role} cannot be used: {fault}"
        raise RejectedError(msg, code=Code.SIGNATURE, subject=role, expected="a sound certificate", found=fault)


def verify_signatures(envelope: Envelope, role: str, keys: Mapping[str, PublicKey], threshold: int) -> tuple[str, ...]:
    """Return the canonical ids of the keys, at least `threshold`, whose signatures hold; sorted.

    `keys` maps each key id that the role lists to its key. Signatures by others, by unknown methods, and wrong ones
    are passed over.

    Raises:
        RejectedError: there is no signature, or one names a key filed under a wrong id (``signature``, which nothing
            excuses), or fewer than `threshold` distinct public keys have signed (``threshold``).

    Spec: docs/notary-v1.md, "Verifying a role"; notary tuf/signed/verify.go, VerifySignatures.
    """
    if not envelope.signatures:
        msg = f"{role} is not signed"
        raise RejectedError(msg, code=Code.SIGNATURE, subject=role, expected="signatures", found="none")
    signed: dict[str, str] = {}
    for signature in envelope.signatures:
        key = keys.get(signature.key_id)
        if key is None or signature.key_id in signed:
            continue
        if key.key_id != signature.key_id:
            msg = f"{role} is signed by a key filed under the wrong id {quote(signature.key_id)}"
            raise RejectedError(msg, code=Code.SIGNATURE, subject=role, expected=key.key_id, found=signature.key_id)
        if key.verifies(signature.method, signature.value, envelope.message):
            signed[signature.key_id] = key.canonical_id
    # Stricter than notary: it counts key ids, so that two certificates for one key would count twice.
    signers = tuple(sorted(set(signed.values())))
    if threshold < 1 or len(signers) < threshold:
        msg = f"{role} is signed by {len(signers)} of the {threshold} keys that must sign it"
        raise RejectedError(
            msg, code=Code.THRESHOLD, subject=role, expected=f"{threshold} keys", found=f"{len(signers)} keys"
        )
    return signers


def _native(keytype: str, public: bytes) -> _Native:
    try:
        match keytype:
            case "ed25519":
                return ed25519.Ed25519PublicKey.from_public_bytes(public)
            case "ecdsa":
                return _of_kind(load_der_public_key(public), "ecdsa", public)
            case "rsa" if _is_pem(public):
                block = next(iter_pem_blocks(public), None)
                return _of_kind(load_der_public_key(block.content), "rsa", block.content) if block else None
            case "rsa":
                return _of_kind(load_der_public_key(public), "rsa", public)
            case "ecdsa-x509" | "rsa-x509":
                return _of_kind(first_certificate(public).x509.public_key(), keytype.removesuffix("-x509"), None)
    except (ValueError, UnsupportedAlgorithm, UnreadableCertificateError):
        pass  # a key that cannot be read verifies nothing
    return None


def _of_kind(key: PublicKeyTypes, kind: str, der: bytes | None) -> _Native:
    """Return `key` if it is of `kind` and usable, and written as `der` in the one way that the client reads."""
    if kind == "ecdsa" and isinstance(key, ec.EllipticCurvePublicKey) and isinstance(key.curve, CURVES):
        return key if der is None or _spki(key) == der else None
    if kind == "rsa" and isinstance(key, rsa.RSAPublicKey) and key.key_size >= MIN_RSA_BITS:
        usable = key.public_numbers().e <= _MAX_RSA_EXPONENT
        return key if usable and (der is None or _spki(key) == der) else None
    return None


def _spki(key: ec.EllipticCurvePublicKey | rsa.RSAPublicKey) -> bytes:
    return key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
