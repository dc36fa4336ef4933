"""Public keys and signatures: which listed keys have signed a message, each public key counted once.

Spec: TUF specification 1.0, section 4.2, "File formats: general principles"; docs/tuf.md, "Keys and signatures".
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from types import MappingProxyType
from typing import Any, Final, final

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_public_key

from imgsig.codes import Code
from imgsig.errors import RejectedError
from imgsig.strictjson import canonical, quote
from imgsig.tuf.model import BadSignatureError, Role, Signature, SSlibKey

MIN_RSA_BITS: Final = 2048

_ECDSA: Final = ("ecdsa-sha2-nistp256", "ecdsa-sha2-nistp384", "ecdsa-sha2-nistp521")
SCHEMES: Final[Mapping[tuple[str, str], str]] = MappingProxyType({
    ("ed25519", "ed25519"): "ed25519",
    **{("ecdsa", scheme): "ecdsa" for scheme in _ECDSA},
    **{(scheme, scheme): "ecdsa" for scheme in _ECDSA},  # as older tools wrote them
    **{("rsa", f"{scheme}-sha{bits}"): "rsa" for scheme in ("rsassa-pss", "rsa-pkcs1v15") for bits in (256, 384, 512)},
    **{("ml-dsa", f"ml-dsa-{size}/1"): "ml-dsa" for size in (44, 65, 87)},
})
"""Key types and schemes that can verify, and what the library calls the type. Its own table is open to everyone."""

_HEX: Final = re.compile(r"(?:[0-9a-f]{2})+", re.ASCII | re.IGNORECASE)
_SHOWN_FAULTS: Final = 4


@final
@dataclass(frozen=True, slots=True)
class Signers:
    """The keys whose signatures on one document were verified."""

    key_ids: tuple[str, ...]
    """As the document above lists them, sorted."""
    canonical_ids: tuple[str, ...]
    """The sha256 of each bare public key, sorted: the same however the key is listed."""


@final
@dataclass(frozen=True, slots=True)
class PublicKey:
    """A listed key that can verify: its id is its hash, and it is strong enough."""

    key: SSlibKey
    canonical_id: str


@final
class UnusableKeyError(Exception):
    """A listed key cannot verify anything. That alone is no fault of the document."""


def verify_signatures(
    role: str, listed: Role, keys: Mapping[str, SSlibKey], message: bytes, signatures: Mapping[str, str]
) -> Signers:
    """Return who of the `listed` keys has signed the `message` of `role`: at least its threshold of public keys.

    Raises:
        RejectedError: fewer have (``threshold``); the message says why the others do not count.
    """
    signers: dict[str, str] = {}
    faults: list[str] = []
    for key_id in listed.keyids:
        try:
            key = usable_key(key_id, keys)
            _verify(key, signatures, message)
        except UnusableKeyError as fault:
            faults.append(f"{quote(key_id)} {fault}")
            continue
        signers[key_id] = key.canonical_id
    distinct = tuple(sorted(set(signers.values())))
    if len(distinct) < listed.threshold:
        why = "; ".join(faults[:_SHOWN_FAULTS]) or "no other key is listed"
        msg = f"{quote(role)} is signed by {len(distinct)} of the {listed.threshold} keys that it needs: {why}"
        raise RejectedError(
            msg, code=Code.THRESHOLD, subject=role, expected=f"{listed.threshold} keys", found=f"{len(distinct)}; {why}"
        )
    return Signers(tuple(sorted(signers)), distinct)


def usable_key(key_id: str, keys: Mapping[str, SSlibKey]) -> PublicKey:
    """Return the key of that id.

    Raises:
        UnusableKeyError: there is none, or none that can verify.
    """
    listed = keys.get(key_id)
    if listed is None:
        msg = "is not among the keys, or of a type that is not known"
        raise UnusableKeyError(msg)
    _check_id(listed)
    keytype = SCHEMES[listed.keytype, listed.scheme]
    der = _public_bytes(keytype, listed.keyval["public"])
    return PublicKey(SSlibKey(key_id, keytype, listed.scheme, listed.keyval), sha256(der).hexdigest())


def canonical_ids(listed: Role, keys: Mapping[str, SSlibKey]) -> frozenset[str]:
    """Return the canonical ids of those `listed` keys that can verify."""
    found = set()
    for key_id in listed.keyids:
        try:
            found.add(usable_key(key_id, keys).canonical_id)
        except UnusableKeyError:
            continue
    return frozenset(found)


def _verify(key: PublicKey, signatures: Mapping[str, str], message: bytes) -> None:
    key_id = key.key.keyid
    signature = signatures.get(key_id)
    if signature is None:
        msg = "has not signed"
        raise UnusableKeyError(msg)
    if not _HEX.fullmatch(signature):
        msg = "has a signature that is not hex"
        raise UnusableKeyError(msg)
    try:
        key.key.verify_signature(Signature(key_id, signature), message)
    except BadSignatureError as error:
        msg = "has a signature that does not hold"
        raise UnusableKeyError(msg) from error


def _check_id(key: SSlibKey) -> None:
    """Check that a key is called by its hash: of all that is listed of it, or of what makes it this key.

    Some tools note things beside a key, such as its owner, after its id was made.
    """
    everything = key.to_dict()
    essence = {name: everything[name] for name in ("keytype", "scheme", "keyval")}
    if key.keyid not in {_hash(everything), _hash(essence)}:
        msg = "is not the hash of its key"
        raise UnusableKeyError(msg)


def _hash(value: dict[str, Any]) -> str:
    return sha256(canonical(value, what="key")).hexdigest()


def _public_bytes(keytype: str, public: str) -> bytes:
    """Return the DER of a public key, after checking that it is of its type and strong enough."""
    try:
        if keytype == "ed25519":
            key = Ed25519PublicKey.from_public_bytes(bytes.fromhex(public))
            return key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        loaded = load_pem_public_key(public.encode())
    except (ValueError, UnsupportedAlgorithm) as error:
        msg = "holds no public key that can be read"
        raise UnusableKeyError(msg) from error
    if isinstance(loaded, rsa.RSAPublicKey) and loaded.key_size < MIN_RSA_BITS:
        msg = f"is an RSA key of {loaded.key_size} bits, fewer than {MIN_RSA_BITS}"
        raise UnusableKeyError(msg)
    return loaded.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
