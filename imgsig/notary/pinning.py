"""Why a root is trusted: the certificates of its keys, and the anchor that the rule names.

Spec: docs/notary-v1.md, "Root certificates" and "Anchors"; notary trustpinning/certs.go and trustpin.go.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from typing import Final, assert_never, final

from cryptography.hazmat.primitives.asymmetric import ec, rsa

from imgsig.codes import Code
from imgsig.errors import RejectedError
from imgsig.limits import Limits
from imgsig.notary.certificates import (
    ParsedCertificate,
    UnreadableCertificateError,
    parse_authorities,
    parse_bundle,
)
from imgsig.notary.chains import find_anchor
from imgsig.notary.keys import PublicKey, key_id, parse_public_key
from imgsig.notary.metadata import Key, Root
from imgsig.notary.pem import encode_pem_certificate
from imgsig.notary.settings import Anchor, FirstUse, RootCA, RootKeys
from imgsig.sections import RootFile
from imgsig.strictjson import quote
from imgsig.trust import Evidence

_SHOWN_KEYS: Final = 4


@final
@dataclass(frozen=True, slots=True)
class RootKey:
    """A key of the root role with its certificates, ready to verify: ``key`` has the re-encoded bundle's id."""

    key: PublicKey
    leaf: ParsedCertificate
    intermediates: tuple[ParsedCertificate, ...]

    @property
    def not_after(self) -> datetime:
        """When the first of its certificates expires."""
        return min(certificate.not_after for certificate in (self.leaf, *self.intermediates))


def acceptable_root_keys(root: Root, name: str, at: datetime, limits: Limits) -> tuple[RootKey, ...]:
    """Return the keys of the root role whose certificate is made for `name` and valid at `at`; at least one.

    Intermediates that are not usable at `at` are left out, which changes the id of the bundle that signs.

    Raises:
        RejectedError: there is none (``root_certificate``); the message says why the first ones were not taken.

    Spec: notary trustpinning/certs.go, ValidateRoot step 2.
    """
    faults: list[str] = []
    keys: list[RootKey] = []
    for certificates in _bundles(root, limits, faults):
        fault = _leaf_fault(certificates[0], name, at)
        if fault is not None:
            faults.append(fault)
            continue
        encoded = _encoded(certificates[0], [one for one in certificates[1:] if one.fault(at) is None])
        if not encoded:
            faults.append("a certificate's key is neither ECDSA nor RSA, and cannot sign a root")
        keys += encoded
    if not keys:
        why = "; ".join(faults[:_SHOWN_KEYS]) or "the root role has no key"
        msg = f"no key of the root role can be used for {quote(name)}: {why}"
        raise RejectedError(
            msg, code=Code.ROOT_CERTIFICATE, subject="root", expected=f"a certificate for {name}", found=why
        )
    return tuple(keys)


def previous_root_keys(root: Root, name: str, limits: Limits) -> tuple[RootKey, ...]:
    """Return the keys of an earlier root that may vouch for the next, whether or not they are still valid.

    Spec: notary trustpinning/certs.go, ValidateRoot step 3.
    """
    keys: list[RootKey] = []
    for certificates in _bundles(root, limits, []):
        if _leaf_fault(certificates[0], name, None) is None:
            keys += _encoded(certificates[0], certificates[1:])
    return tuple(keys)


def keys_by_id(keys: Iterable[RootKey]) -> Mapping[str, PublicKey]:
    """Return the keys by the id that signatures must name."""
    return {root_key.key.key_id: root_key.key for root_key in keys}


def anchored_keys(anchor: Anchor, keys: tuple[RootKey, ...], at: datetime, limits: Limits) -> dict[RootKey, str]:
    """Return those of `keys` that `anchor` trusts at first contact, each with the pin that it satisfies.

    A root file names no keys: whether the root is that one, or reached from it, is for the caller to see.

    Raises:
        RejectedError: the pinned CA file cannot be read, or has no certificate that can be used at `at`
            (``anchor_mismatch``).
    """
    match anchor:
        case FirstUse():
            return dict.fromkeys(keys, "")
        case RootKeys():
            pins = {root_key: {root_key.key.key_id, root_key.key.canonical_id} & set(anchor.pins) for root_key in keys}
            return {root_key: min(found) for root_key, found in pins.items() if found}
        case RootCA():
            anchors = _authorities(anchor, at)
            found = {one: find_anchor(one.leaf, one.intermediates, anchors, at, limits) for one in keys}
            return {root_key: fingerprint(ca) for root_key, ca in found.items() if ca is not None}
        case RootFile():
            return {}
        case _:
            assert_never(anchor)


def still_satisfies(evidence: Evidence, anchor: Anchor) -> bool:
    """Return whether a chain of roots that `evidence` once anchored may serve under `anchor` now."""
    match anchor:
        case FirstUse():
            return True
        case RootKeys():
            accepted = set(anchor.pins)
        case RootCA():
            accepted = _fingerprints(anchor)
        case RootFile():
            accepted = {sha256(anchor.document).hexdigest()}
        case _:
            assert_never(anchor)
    return evidence.kind == anchor.kind and bool(evidence.ids) and accepted.issuperset(evidence.ids)


def fingerprint(certificate: ParsedCertificate) -> str:
    """Return the sha256 of a certificate's DER, in hex."""
    return sha256(certificate.der).hexdigest()


def _authorities(anchor: RootCA, at: datetime) -> list[ParsedCertificate]:
    """Return the certificates of the pinned CA file that can be used at `at`, at least one."""
    expected = "a file of CA certificates, one of them usable"
    try:
        certificates = parse_authorities(anchor.pem)
    except UnreadableCertificateError as error:
        msg = f"the pinned CA file cannot be used: {error}"
        raise RejectedError(
            msg, code=Code.ANCHOR_MISMATCH, subject="root", expected=expected, found=str(error)
        ) from error
    usable = [one for one in certificates if one.fault(at) is None]
    if not usable:
        faults = "; ".join(fault for one in certificates[:_SHOWN_KEYS] if (fault := one.fault(at)) is not None)
        msg = f"no certificate of the pinned CA file can be used: {faults}"
        raise RejectedError(msg, code=Code.ANCHOR_MISMATCH, subject="root", expected=expected, found=faults)
    return usable


def _fingerprints(anchor: RootCA) -> set[str]:
    """Return the fingerprints of the certificates of the pinned CA file; none if it cannot be used."""
    try:
        return {fingerprint(one) for one in parse_authorities(anchor.pem)}
    except UnreadableCertificateError:
        return set()


def _bundles(root: Root, limits: Limits, faults: list[str]) -> list[tuple[ParsedCertificate, ...]]:
    """Return the certificates of each key of the root role, by the computed id; unreadable ones into `faults`."""
    found: dict[str, tuple[ParsedCertificate, ...]] = {}
    for listed in root.roles["root"].key_ids:
        written = root.keys[listed]
        try:
            bundle = parse_bundle(written.public or b"", limits.max_bundle_certificates)
        except UnreadableCertificateError as error:
            faults.append(f"key {quote(listed)} has no certificate that can be read: {error}")
            continue
        found[key_id(written.keytype, written.public)] = bundle
    return list(found.values())


def _leaf_fault(leaf: ParsedCertificate, name: str, at: datetime | None) -> str | None:
    if not leaf.is_for(name):
        return f"a certificate is made for {quote(leaf.common_name)}"
    fault = leaf.fault(at)
    return None if fault is None else f"the certificate for {quote(leaf.common_name)}: {fault}"


def _encoded(leaf: ParsedCertificate, intermediates: Iterable[ParsedCertificate]) -> list[RootKey]:
    """Return the key of a bundle written anew, in a list that is empty for kinds of keys that cannot sign."""
    kept = tuple(intermediates)
    native = leaf.x509.public_key()
    if isinstance(native, ec.EllipticCurvePublicKey):
        keytype = "ecdsa-x509"
    elif isinstance(native, rsa.RSAPublicKey):
        keytype = "rsa-x509"
    else:
        return []
    public = b"".join(encode_pem_certificate(certificate.der) for certificate in (leaf, *kept))
    return [RootKey(parse_public_key(Key(keytype, public)), leaf, kept)]
