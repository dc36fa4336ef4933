"""Keys that sign test metadata: made once for each label, nearly all of them the same in every run."""

import base64
import hashlib
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache
from itertools import cycle
from typing import Any, Final, Self, TypeAlias, final

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

from tests.support.canonical import canonical

PrivateKey: TypeAlias = ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey | rsa.RSAPrivateKey
Json: TypeAlias = dict[str, Any]

CURVES: Final[dict[str, ec.EllipticCurve]] = {
    "p224": ec.SECP224R1(),
    "p256": ec.SECP256R1(),
    "p384": ec.SECP384R1(),
    "p521": ec.SECP521R1(),
    "secp256k1": ec.SECP256K1(),
}
RSA_BITS: Final = {"rsa1024": 1024, "rsa2048": 2048, "rsa3072": 3072, "rsa4096": 4096}
_NUMBERS: Final = {kind: cycle(range(6 if bits == 2048 else 1)) for kind, bits in RSA_BITS.items()}


@final
@dataclass(frozen=True, slots=True)
class SigningKey:
    """A private key together with what metadata says about it; ``with_`` methods make it say something else."""

    keytype: str
    public: bytes
    """The decoded ``public`` value: SPKI DER, 32 raw bytes, or PEM certificates."""
    private: PrivateKey
    method: str
    claimed_id: str = ""
    """The id that its signatures bear instead of the true one; empty for the true one."""
    claimed_listing: str = ""
    """The id under which it is listed instead of the true one; empty for the true one."""

    @property
    def true_id(self) -> str:
        """The TUF key id of the key as it is listed."""
        return key_id(self.keytype, self.public)

    @property
    def id(self) -> str:
        """The id that its signatures bear."""
        return self.claimed_id or self.true_id

    @property
    def listed_id(self) -> str:
        """The id under which it is listed."""
        return self.claimed_listing or self.true_id

    @property
    def canonical_id(self) -> str:
        """The TUF key id of the bare public key, whatever certificate it is wrapped in."""
        return bare(self.private).true_id

    def to_json(self) -> Json:
        """Return the key as metadata lists it."""
        public = base64.b64encode(self.public).decode()
        return {"keytype": self.keytype, "keyval": {"private": None, "public": public}}

    def signature(self, message: bytes) -> bytes:
        """Return the raw signature of `message` by the key's method; unknown methods sign as the key's own."""
        if isinstance(self.private, ed25519.Ed25519PrivateKey):
            return self.private.sign(message)
        if isinstance(self.private, rsa.RSAPrivateKey):
            if self.method == "rsapkcs1v15":
                return self.private.sign(message, padding.PKCS1v15(), hashes.SHA256())
            pss = padding.PSS(padding.MGF1(hashes.SHA256()), salt_length=32)
            return self.private.sign(message, pss, hashes.SHA256())
        der = self.private.sign(message, ec.ECDSA(hashes.SHA256(), deterministic_signing=True))
        size = (self.private.curve.key_size + 7) // 8
        return b"".join(number.to_bytes(size, "big") for number in decode_dss_signature(der))

    def sign(self, message: bytes) -> Json:
        """Return the signature entry for `message`."""
        signature = base64.b64encode(self.signature(message)).decode()
        return {"keyid": self.id, "method": self.method, "sig": signature}

    def with_id(self, claimed_id: str) -> Self:
        """Return the key listed and signing under another id."""
        return replace(self, claimed_id=claimed_id, claimed_listing=claimed_id)

    def with_signing_id(self, claimed_id: str) -> Self:
        """Return the key listed as before, but signing under another id."""
        return replace(self, claimed_id=claimed_id)

    def with_listing_id(self, listed_id: str) -> Self:
        """Return the key listed under another id, but signing as before."""
        return replace(self, claimed_listing=listed_id)

    def with_method(self, method: str) -> Self:
        """Return the key signing by another method, or naming it so."""
        return replace(self, method=method)

    def with_keytype(self, keytype: str) -> Self:
        """Return the key listed with another key type."""
        return replace(self, keytype=keytype)

    def with_public(self, public: bytes) -> Self:
        """Return the key listed with other public bytes."""
        return replace(self, public=public)

    def __deepcopy__(self, memo: object) -> Self:
        """Return the key itself: it cannot change."""
        return self


def key_id(keytype: str, public: bytes | None) -> str:
    """Return the TUF key id: the hash over the members in this very order, `public` decoded."""
    value = "null" if public is None else '"' + base64.b64encode(public).decode() + '"'
    text = b'{"keytype":' + canonical(keytype) + f',"keyval":{{"private":null,"public":{value}}}}}'.encode()
    return hashlib.sha256(text).hexdigest()


def spki(private: PrivateKey) -> bytes:
    """Return the public key as DER SubjectPublicKeyInfo."""
    return private.public_key().public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )


def bare(private: PrivateKey) -> SigningKey:
    """Return `private` as metadata lists a bare key."""
    if isinstance(private, ed25519.Ed25519PrivateKey):
        return SigningKey("ed25519", private.public_key().public_bytes_raw(), private, "eddsa")
    if isinstance(private, rsa.RSAPrivateKey):
        return SigningKey("rsa", spki(private), private, "rsapss")
    return SigningKey("ecdsa", spki(private), private, "ecdsa")


def make_key(kind: str = "p256", label: str = "") -> SigningKey:
    """Return the bare key of a kind that belongs to a label; the same one each time."""
    return bare(private_key(kind, label))


@cache
def private_key(kind: str, label: str = "") -> PrivateKey:
    """Return the private key of a kind that belongs to a label.

    RSA keys are slow to make: they differ from process to process, and there are six at most, so that
    the seventh label has the first one's; of sizes other than 2048 bits there is one.
    """
    seed = hashlib.sha512(f"{kind}:{label}".encode()).digest()
    if kind == "ed25519":
        return ed25519.Ed25519PrivateKey.from_private_bytes(seed[:32])
    if kind in CURVES:
        return ec.derive_private_key(int.from_bytes(seed[:24], "big") | 1, CURVES[kind])
    return _rsa_key(RSA_BITS[kind], next(_NUMBERS[kind]))


@cache
def _rsa_key(bits: int, number: int) -> rsa.RSAPrivateKey:
    del number  # it only tells keys of the same size apart
    return rsa.generate_private_key(65537, bits)


def signed_by(*keys: SigningKey) -> Callable[[list[Json], bytes], list[Json]]:
    """Return a bend that replaces a document's signatures by those of `keys`."""
    return lambda _, message: [key.sign(message) for key in keys]
