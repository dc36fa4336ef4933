"""Keys that sign TUF test metadata: made once for each label, and what metadata says of them."""

import hashlib
from dataclasses import dataclass, field, replace
from typing import Any, Final, Self, final

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa

from tests.support.canonical import canonical
from tests.support.signing import Json, PrivateKey, private_key

SCHEMES: Final = {
    "ed25519": ("ed25519", "ed25519"),
    "p256": ("ecdsa", "ecdsa-sha2-nistp256"),
    "p384": ("ecdsa", "ecdsa-sha2-nistp384"),
    "p521": ("ecdsa", "ecdsa-sha2-nistp521"),
    "rsa1024": ("rsa", "rsassa-pss-sha256"),
    "rsa2048": ("rsa", "rsassa-pss-sha256"),
}


@final
@dataclass(frozen=True, slots=True)
class TufKey:
    """A private key together with what metadata says about it; ``with_`` methods make it say something else."""

    private: PrivateKey
    keytype: str
    scheme: str
    public: str
    extra: Json = field(default_factory=dict, hash=False)
    """Members beside those that every key has."""
    claimed_id: str = ""
    """The id under which it is listed and signs, instead of its hash."""

    def to_json(self) -> Json:
        """Return the key as metadata lists it."""
        return {"keytype": self.keytype, "scheme": self.scheme, "keyval": {"public": self.public}, **self.extra}

    @property
    def id(self) -> str:
        """The id under which it is listed."""
        return self.claimed_id or hashlib.sha256(canonical(self.to_json())).hexdigest()

    @property
    def canonical_id(self) -> str:
        """The sha256 of the bare public key's DER."""
        der = self.private.public_key().public_bytes(
            serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
        )
        return hashlib.sha256(der).hexdigest()

    def sign(self, message: bytes) -> Json:
        """Return the signature entry for `message`."""
        return {"keyid": self.id, "sig": self._raw(message).hex()}

    def _raw(self, message: bytes) -> bytes:
        if isinstance(self.private, ed25519.Ed25519PrivateKey):
            return self.private.sign(message)
        digest = {"256": hashes.SHA256(), "384": hashes.SHA384(), "521": hashes.SHA512(), "512": hashes.SHA512()}[
            self.scheme[-3:]
        ]
        if isinstance(self.private, ec.EllipticCurvePrivateKey):
            return self.private.sign(message, ec.ECDSA(digest))
        if "pkcs1v15" in self.scheme:
            return self.private.sign(message, padding.PKCS1v15(), digest)
        return self.private.sign(message, padding.PSS(padding.MGF1(digest), digest.digest_size), digest)

    def with_(self, **changes: Any) -> Self:  # noqa: ANN401 - the fields of the class
        """Return the key saying something else of itself."""
        return replace(self, **changes)

    def __deepcopy__(self, memo: object) -> Self:
        """Return the key itself: it cannot change."""
        return self


def tuf_key(label: str, kind: str = "ed25519") -> TufKey:
    """Return the key of a kind that belongs to a label; the same one each time."""
    keytype, scheme = SCHEMES[kind]
    private = private_key(kind, label)
    return TufKey(private, keytype, scheme, _public(private))


def _public(private: PrivateKey) -> str:
    if isinstance(private, ed25519.Ed25519PrivateKey):
        return private.public_key().public_bytes_raw().hex()
    assert isinstance(private, ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey)
    return (
        private.public_key()
        .public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
        .decode()
    )
