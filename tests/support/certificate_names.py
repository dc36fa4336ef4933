"""The name under which OpenSSL looks for an authority in a folder of certificates."""

import hashlib
from pathlib import Path
from typing import Final

from cryptography import x509

_OID: Final = b"\x06"
_SEQUENCE: Final = b"\x30"
_SET: Final = b"\x31"
_UTF8: Final = b"\x0c"


def hashed_name(certificate: Path) -> str:
    """Return that name for the certificate in a PEM file: a digest of its subject in canonical form."""
    subject = x509.load_pem_x509_certificate(certificate.read_bytes()).subject
    canonical = b"".join(_SET + _sized(_SEQUENCE + _sized(_oid(part) + _text(part))) for part in subject)
    digest = hashlib.sha1(canonical).digest()  # noqa: S324 - OpenSSL's choice, and it guards nothing
    return f"{int.from_bytes(digest[:4], 'little'):08x}.0"


def _oid(part: x509.NameAttribute[str | bytes]) -> bytes:
    encoded = x509.Name([part]).public_bytes()
    start = encoded.index(_OID)
    return encoded[start : start + 2 + encoded[start + 1]]


def _text(part: x509.NameAttribute[str | bytes]) -> bytes:
    return _UTF8 + _sized(" ".join(str(part.value).split()).lower().encode())


def _sized(content: bytes) -> bytes:
    return bytes([len(content)]) + content
