"""Paths from a root key's certificate to a pinned CA, as Go's verifier builds them without a host name.

Spec: docs/notary-v1.md, "CA pinning"; notary trustpinning/trustpin.go, caCheck; Go crypto/x509, Certificate.Verify.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Final, TypeVar

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.hashes import SHA256, SHA384, SHA512
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509.oid import ExtendedKeyUsageOID, ExtensionOID, SignatureAlgorithmOID

from imgsig.limits import Limits
from imgsig.notary.certificates import ParsedCertificate

_Kind = TypeVar("_Kind", bound=x509.ExtensionType)

_MAX_STEPS: Final = 256
"""Pairs of issuer and subject looked at for one leaf, since a crafted bundle could hold many paths."""
_HANDLED: Final = frozenset(
    {
        ExtensionOID.KEY_USAGE,
        ExtensionOID.BASIC_CONSTRAINTS,
        ExtensionOID.CRL_DISTRIBUTION_POINTS,
        ExtensionOID.AUTHORITY_KEY_IDENTIFIER,
        ExtensionOID.EXTENDED_KEY_USAGE,
        ExtensionOID.SUBJECT_KEY_IDENTIFIER,
        ExtensionOID.CERTIFICATE_POLICIES,
        ExtensionOID.AUTHORITY_INFORMATION_ACCESS,
    }
)
_SIGNATURES: Final = frozenset(
    {
        SignatureAlgorithmOID.RSA_WITH_SHA256,
        SignatureAlgorithmOID.RSA_WITH_SHA384,
        SignatureAlgorithmOID.RSA_WITH_SHA512,
        SignatureAlgorithmOID.RSASSA_PSS,
        SignatureAlgorithmOID.ECDSA_WITH_SHA256,
        SignatureAlgorithmOID.ECDSA_WITH_SHA384,
        SignatureAlgorithmOID.ECDSA_WITH_SHA512,
        SignatureAlgorithmOID.ED25519,
    }
)
_HASHES: Final = (SHA256, SHA384, SHA512, type(None))
"""Hashes within a signature; Ed25519 names none."""
_NAMES: Final = (x509.DNSName, x509.RFC822Name, x509.IPAddress, x509.UniformResourceIdentifier)
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
        if not _usable(last, at) or _has_unhandled_extension(last.x509):
            continue
        if last in anchors:
            return last
        for issuer in (*intermediates, *anchors):
            if issuer.x509.subject != last.x509.issuer:
                continue
            steps -= 1
            if steps < 0 or len(path) == limits.max_chain_certificates:
                break
            if not any(_same_holder(issuer, known) for known in path) and _issued(issuer, path):
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
        (item.critical and not _is_handled(item)) or item.oid == ExtensionOID.NAME_CONSTRAINTS
        for item in certificate.extensions
    )


def _is_handled(item: x509.Extension[x509.ExtensionType]) -> bool:
    """Return whether Go handles an extension: alternative names only if there is one that it knows."""
    if isinstance(item.value, x509.SubjectAlternativeName):
        return any(isinstance(name, _NAMES) for name in item.value)
    return item.oid in _HANDLED


def _same_holder(one: ParsedCertificate, other: ParsedCertificate) -> bool:
    """Return whether two certificates are about the same name and key, so that one path needs no more than one."""
    # Stricter than Go, which lets both stand if their alternative names differ.
    return one.x509.subject == other.x509.subject and _public_bytes(one) == _public_bytes(other)


def _public_bytes(certificate: ParsedCertificate) -> bytes:
    return certificate.x509.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def _issued(issuer: ParsedCertificate, path: tuple[ParsedCertificate, ...]) -> bool:
    """Return whether `issuer`, which has the name for it, may issue the last certificate of `path`, and did.

    Spec: Go crypto/x509, Certificate.CheckSignatureFrom and isValid.
    """
    constraints = _extension(issuer.x509, x509.BasicConstraints)
    if constraints is None or not constraints.ca:
        return False
    # Go counts every certificate in between, those issued by themselves too.
    if constraints.path_length is not None and len(path) - 1 > constraints.path_length:
        return False
    usage = _extension(issuer.x509, x509.KeyUsage)
    return (usage is None or usage.key_cert_sign) and _is_signed(path[-1].x509, issuer.x509)


def _is_signed(certificate: x509.Certificate, issuer: x509.Certificate) -> bool:
    try:
        if certificate.signature_algorithm_oid not in _SIGNATURES:
            return False
        if not isinstance(certificate.signature_hash_algorithm, _HASHES):
            return False
        certificate.verify_directly_issued_by(issuer)
    except (ValueError, TypeError, InvalidSignature, UnsupportedAlgorithm):
        return False
    return True


def _extension(certificate: x509.Certificate, kind: type[_Kind]) -> _Kind | None:
    return next((item.value for item in certificate.extensions if isinstance(item.value, kind)), None)
