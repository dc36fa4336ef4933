"""Paths from a root key's certificate to a pinned CA, as Go's verifier builds them without a host name.

Spec: docs/notary-v1.md, "CA pinning"; notary trustpinning/trustpin.go, caCheck; Go crypto/x509, Certificate.Verify.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Final, TypeVar

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.x509.oid import ExtendedKeyUsageOID, ExtensionOID, SignatureAlgorithmOID

from imgsig.limits import Limits
from imgsig.notary.certificates import ParsedCertificate

_Kind = TypeVar("_Kind", bound=x509.ExtensionType)

_MAX_STEPS: Final = 256
"""Pairs of certificates looked at for one leaf, since a crafted bundle could hold many paths."""
_HANDLED: Final = frozenset(
    {
        ExtensionOID.KEY_USAGE,
        ExtensionOID.BASIC_CONSTRAINTS,
        ExtensionOID.SUBJECT_ALTERNATIVE_NAME,
        ExtensionOID.CRL_DISTRIBUTION_POINTS,
        ExtensionOID.AUTHORITY_KEY_IDENTIFIER,
        ExtensionOID.EXTENDED_KEY_USAGE,
        ExtensionOID.SUBJECT_KEY_IDENTIFIER,
        ExtensionOID.CERTIFICATE_POLICIES,
        ExtensionOID.AUTHORITY_INFORMATION_ACCESS,
    }
)
_BROKEN_HASHES: Final = frozenset(
    {
        SignatureAlgorithmOID.RSA_WITH_MD5,
        SignatureAlgorithmOID.RSA_WITH_SHA1,
        SignatureAlgorithmOID._RSA_WITH_SHA1,  # noqa: SLF001 - the old ISO name of the same algorithm
        SignatureAlgorithmOID.DSA_WITH_SHA1,
        SignatureAlgorithmOID.ECDSA_WITH_SHA1,
    }
)
_USABLE_FOR: Final = frozenset({ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE})


def find_anchor(
    leaf: ParsedCertificate,
    intermediates: Sequence[ParsedCertificate],
    anchors: Sequence[ParsedCertificate],
    at: datetime,
    limits: Limits,
) -> ParsedCertificate | None:
    """Return the certificate of `anchors` that a valid path from `leaf` ends in, or None if there is no such path.

    Every certificate of the path is valid at `at` without leeway and may be used for server authentication, which
    is what the reference client demands; host names are not looked at, and revocation is not.
    """
    steps = _MAX_STEPS
    paths: list[tuple[ParsedCertificate, ...]] = [(leaf,)]
    while paths:
        path = paths.pop()
        last = path[-1]
        if not _usable(last, at) or (last not in anchors and _has_unhandled_extension(last.x509)):
            continue
        if last in anchors:
            return last
        for issuer in (*intermediates, *anchors):
            steps -= 1
            if steps < 0 or len(path) == limits.max_chain_certificates:
                break
            if issuer not in path and _issued(issuer, path):
                paths.append((*path, issuer))
    return None


def _usable(certificate: ParsedCertificate, at: datetime) -> bool:
    if not certificate.not_before <= at <= certificate.not_after:
        return False
    usage = _extension(certificate.x509, x509.ExtendedKeyUsage)
    return usage is None or not _USABLE_FOR.isdisjoint(usage)


def _has_unhandled_extension(certificate: x509.Certificate) -> bool:
    # Stricter than Go: name constraints are not handled, because a root key's certificate names no host.
    return any(
        (item.critical and item.oid not in _HANDLED) or item.oid == ExtensionOID.NAME_CONSTRAINTS
        for item in certificate.extensions
    )


def _issued(issuer: ParsedCertificate, path: tuple[ParsedCertificate, ...]) -> bool:
    subject = path[-1].x509
    constraints = _extension(issuer.x509, x509.BasicConstraints)
    if constraints is None or not constraints.ca:
        return False
    between = sum(1 for certificate in path[1:] if certificate.x509.issuer != certificate.x509.subject)
    if constraints.path_length is not None and between > constraints.path_length:
        return False
    usage = _extension(issuer.x509, x509.KeyUsage)
    if usage is not None and not usage.key_cert_sign:
        return False
    if subject.signature_algorithm_oid in _BROKEN_HASHES:
        return False
    try:
        subject.verify_directly_issued_by(issuer.x509)
    except (ValueError, TypeError, InvalidSignature, UnsupportedAlgorithm):
        return False
    return True


def _extension(certificate: x509.Certificate, kind: type[_Kind]) -> _Kind | None:
    return next((item.value for item in certificate.extensions if isinstance(item.value, kind)), None)
