"""Certificates: read once, and the rules by which the reference client accepts one for a name.

A certificate's own signature is checked only where a CA anchors the root (see `chains`).

Spec: docs/notary-v1.md, "Root certificates"; notary trustpinning/certs.go and tuf/utils/x509.go.
"""

import threading
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Final, final

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.types import CertificatePublicKeyTypes
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509.oid import NameOID, SignatureAlgorithmOID

from imgsig.notary.der import fault_of_writing
from imgsig.notary.pem import iter_pem_blocks
from imgsig.strictjson import quote

MIN_RSA_BITS: Final = 2048
CURVES: Final = (ec.SECP224R1, ec.SECP256R1, ec.SECP384R1, ec.SECP521R1)
_LEEWAY: Final = timedelta(days=1)
_SHA1: Final = frozenset(
    {
        SignatureAlgorithmOID.RSA_WITH_SHA1,
        x509.ObjectIdentifier("1.3.14.3.2.29"),  # the old ISO name of the same algorithm
        SignatureAlgorithmOID.DSA_WITH_SHA1,
        SignatureAlgorithmOID.ECDSA_WITH_SHA1,
    }
)
_PARSED: Final = 256
MAX_KEPT_BYTES: Final = 64 * 1024
"""Longer keys and certificates are read anew each time: many of them, kept, would be too much."""
_WARNINGS: Final = threading.Lock()


_UNREADABLE: Final = (
    ValueError,
    TypeError,
    OverflowError,
    KeyError,  # what cryptography up to 47 says of a string type that it does not know
    UnsupportedAlgorithm,
    x509.InvalidVersion,
    x509.DuplicateExtension,
    x509.UnsupportedGeneralNameType,
)
"""What the library raises for certificates that it cannot read, wherever it notices."""


class UnreadableCertificateError(ValueError):
    """The bytes are no certificate that can be read. Caught by every caller in this package."""


@final
@dataclass(frozen=True, slots=True)
class ParsedCertificate:
    """A certificate and what is asked of it."""

    der: bytes
    x509: x509.Certificate
    common_name: str
    """The last common name of the subject; empty if there is none."""
    is_ca: bool
    rsa_bits: int
    """The size of an RSA key; 0 for other kinds."""
    not_before: datetime
    not_after: datetime

    def fault(self, at: datetime | None) -> str | None:
        """Return why the certificate is unusable, or None. Without `at` its validity is not looked at.

        Spec: notary tuf/utils/x509.go, ValidateCertificate.
        """
        if self.not_before > self.not_after:
            return "its validity ends before it begins"
        if self.x509.signature_algorithm_oid in _SHA1:
            return "it is signed with SHA-1"
        if 0 < self.rsa_bits < MIN_RSA_BITS:
            return f"its RSA key has {self.rsa_bits} bits, fewer than {MIN_RSA_BITS}"
        if at is not None and self.not_before - at > _LEEWAY:
            return f"it is not valid before {self.not_before:%Y-%m-%d %H:%M:%SZ}"
        if at is not None and at > self.not_after:
            return f"it has expired on {self.not_after:%Y-%m-%d %H:%M:%SZ}"
        return None

    def is_for(self, name: str) -> bool:
        """Return whether the common name is `name`, or ends in ``*`` and is a prefix of it.

        Spec: notary trustpinning/certs.go, MatchCNToGun.
        """
        if self.common_name.endswith("*"):
            return name.startswith(self.common_name.rstrip("*"))
        return self.common_name == name


def parse_certificate(der: bytes) -> ParsedCertificate:
    """Return the certificate in `der`.

    Raises:
        UnreadableCertificateError: it is none, or one that only a lenient parser would read.
    """
    return _certificate(der) if len(der) <= MAX_KEPT_BYTES else _certificate.__wrapped__(der)


@lru_cache(maxsize=_PARSED)
def _certificate(der: bytes) -> ParsedCertificate:
    try:
        # The library warns of what it tolerates (long common names, odd serial numbers); nothing may be printed.
        with _WARNINGS, warnings.catch_warnings():
            warnings.simplefilter("ignore")
            certificate = x509.load_der_x509_certificate(der)
            names = certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
            extensions = [item.value for item in certificate.extensions]
            key = certificate.public_key()
        _check_writing(der, key)
        common_name = names[-1].value if names else ""
        return ParsedCertificate(
            der,
            certificate,
            common_name if isinstance(common_name, str) else "",
            any(extension.ca for extension in extensions if isinstance(extension, x509.BasicConstraints)),
            key.key_size if isinstance(key, rsa.RSAPublicKey) else 0,
            certificate.not_valid_before_utc,
            certificate.not_valid_after_utc,
        )
    except _UNREADABLE as error:
        raise UnreadableCertificateError(str(error)) from error


def first_certificate(text: bytes) -> ParsedCertificate:
    """Return the certificate in the first PEM block of `text`, whatever its label.

    Raises:
        UnreadableCertificateError: there is no block, or it holds no certificate.
    """
    block = next(iter_pem_blocks(text), None)
    if block is None:
        msg = "no PEM block"
        raise UnreadableCertificateError(msg)
    return parse_certificate(block.content)


def parse_bundle(text: bytes, max_certificates: int) -> tuple[ParsedCertificate, ...]:
    """Return the certificates of a root key: the leaf, then its intermediates.

    Raises:
        UnreadableCertificateError: another kind of block, an unreadable certificate, none, or too many; not
            exactly one leaf, or it is not the first.

    Spec: notary tuf/utils/x509.go, LoadCertBundleFromPEM; trustpinning/certs.go, parseAllCerts.
    """
    parse = _bundle if len(text) <= MAX_KEPT_BYTES else _bundle.__wrapped__
    return parse(text, max_certificates)


@lru_cache(maxsize=_PARSED)
def _bundle(text: bytes, max_certificates: int) -> tuple[ParsedCertificate, ...]:
    certificates: list[ParsedCertificate] = []
    for block in iter_pem_blocks(text):
        if block.label != "CERTIFICATE" or len(certificates) == max_certificates:
            msg = f"a block {quote(block.label)}, or more than {max_certificates} certificates"
            raise UnreadableCertificateError(msg)
        certificates.append(parse_certificate(block.content))
    if [certificate.is_ca for certificate in certificates] != [False, *[True] * (len(certificates) - 1)]:
        msg = "not one leaf certificate followed by its intermediates"
        raise UnreadableCertificateError(msg)
    return tuple(certificates)


def parse_authorities(text: bytes) -> tuple[ParsedCertificate, ...]:
    """Return the certificates of a file of certificate authorities.

    Raises:
        UnreadableCertificateError: another kind of block, an unreadable certificate, or none.

    Spec: notary tuf/utils/x509.go, LoadCertBundleFromFile.
    """
    certificates: list[ParsedCertificate] = []
    for block in iter_pem_blocks(text):
        if block.label != "CERTIFICATE":
            msg = "a block that is no certificate"
            raise UnreadableCertificateError(msg)
        certificates.append(parse_certificate(block.content))
    if not certificates:
        msg = "no certificate"
        raise UnreadableCertificateError(msg)
    return tuple(certificates)


def iter_certificates(text: bytes) -> Iterator[ParsedCertificate]:
    """Yield every readable certificate in `text`'s CERTIFICATE blocks without headers; the rest is passed over.

    Spec: notary tuf/utils/x509.go, LoadCertFromPEM.
    """
    for block in iter_pem_blocks(text):
        if block.label == "CERTIFICATE" and not block.has_headers:
            try:
                yield parse_certificate(block.content)
            except UnreadableCertificateError:
                continue


def _check_writing(der: bytes, key: CertificatePublicKeyTypes) -> None:
    """Refuse what Go's reader refuses and the library does not.

    Raises:
        UnreadableCertificateError: a key on a curve that Go does not know, or an odd way of writing.
    """
    if isinstance(key, ec.EllipticCurvePublicKey) and not isinstance(key.curve, CURVES):
        msg = f"its key is on the curve {key.curve.name}"
        raise UnreadableCertificateError(msg)
    usual_key = b""
    if isinstance(key, ec.EllipticCurvePublicKey | rsa.RSAPublicKey):
        usual_key = key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    fault = fault_of_writing(der, usual_key)
    if fault is not None:
        raise UnreadableCertificateError(fault)
