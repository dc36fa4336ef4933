"""Keys, signature methods, key ids, counting: which signatures count, which do not, which kill the file.

Spec: Notary v1, tuf/signed/verify.go:VerifySignatures, tuf/signed/verifiers.go, tuf/data/keys.go.
"""

import base64
from collections.abc import Callable
from typing import Any, Final

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed

from tests.interop.cases.bends import FOREIGN, Bend, bad_signature, signed_by, signing, together
from tests.interop.comparison import ACCEPT, REFUSE, Case, once
from tests.support.repository import NAME, SignedRepository
from tests.support.root_certificates import CertificateForm, bundle, certify, damaged, root_key
from tests.support.signing import SigningKey, make_key, spki

_ROLES: Final = ("targets", "snapshot", "timestamp")
_FIRST: Final = make_key("p256", "first")
_SECOND: Final = make_key("p256", "second")
_THIRD: Final = make_key("rsa2048", "third")


def _keyed(role: str, *keys: SigningKey, threshold: int = 1) -> Bend:
    return lambda repository: repository.set_keys(role, *keys, threshold=threshold)


def _b64(raw: bytes) -> str:
    return base64.b64encode(raw).decode()


def _resigned(role: str, key: SigningKey, make: Callable[[bytes], bytes]) -> Bend:
    """List `key` for a role and sign by whatever `make` makes of the message."""

    def bend(repository: SignedRepository) -> None:
        repository.set_keys(role, key)
        repository.sign(role, lambda _, message: [{"keyid": key.id, "method": key.method, "sig": _b64(make(message))}])

    return bend


def _kinds() -> list[Case]:
    cases = []
    for role in _ROLES:
        cases += [
            once(f"key/{kind}/{role}", ACCEPT, _keyed(role, make_key(kind, role)))
            for kind in ("p224", "p256", "p384", "p521", "rsa2048", "rsa3072", "rsa4096", "ed25519")
        ]
        for kind in ("p224", "p256", "p384", "p521", "rsa2048"):
            key = root_key("any name at all", kind, role)
            cases.append(once(f"key/x509-{kind}/{role}", ACCEPT, _keyed(role, key)))
        pkcs1v15 = make_key("rsa2048", role).with_method("rsapkcs1v15")
        cases.append(once(f"key/rsa2048-pkcs1v15/{role}", ACCEPT, _keyed(role, pkcs1v15)))
        cases += [
            once(f"key/{kind}/{role}", REFUSE, _keyed(role, make_key(kind, role))) for kind in ("rsa1024", "secp256k1")
        ]
    old = CertificateForm("x", not_after=CertificateForm("x").not_before.replace(year=2021))
    cases += [
        once("key/x509-expired", ACCEPT, _keyed("targets", bundle(certify(old, label="old")))),
        once(
            "key/x509-ca", ACCEPT, _keyed("targets", bundle(certify(CertificateForm("x", authority=True), label="ca2")))
        ),
        once(
            "key/x509-sha1",
            ACCEPT,
            _keyed("targets", bundle(certify(CertificateForm("x", digest="sha1"), label="sha1"))),
        ),
        once("key/x509-damaged", ACCEPT, _keyed("targets", damaged(root_key("x", label="x")))),
        once(
            "key/x509-chain",
            ACCEPT,
            _keyed(
                "targets", root_key("x", label="x", chain=(certify(CertificateForm("y", authority=True), label="y"),))
            ),
        ),
    ]
    return cases


def _forms() -> list[Case]:
    """Return the cases of one key listed in some other form; its own signature is good."""
    ecdsa, rsa_key, edwards = make_key("p256", "form"), make_key("rsa2048", "form"), make_key("ed25519", "form")
    x509 = root_key("x", label="form")
    rsa_x509 = root_key("x", "rsa2048", label="form")
    pem = ecdsa.private.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    rsa_pem = rsa_key.private.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    pkcs1 = rsa_key.private.public_key().public_bytes(serialization.Encoding.DER, serialization.PublicFormat.PKCS1)
    point = ecdsa.private.public_key().public_bytes(
        serialization.Encoding.X962, serialization.PublicFormat.CompressedPoint
    )
    uncompressed = ecdsa.private.public_key().public_bytes(
        serialization.Encoding.X962, serialization.PublicFormat.UncompressedPoint
    )
    compressed = (
        ecdsa.public[:1]
        + bytes([len(ecdsa.public) - 2 - 32])
        + ecdsa.public[2:].replace(b"\x03\x42\x00" + uncompressed, b"\x03\x22\x00" + point)
    )
    hybrid = ecdsa.public.replace(uncompressed, bytes([6 + (uncompressed[-1] & 1)]) + uncompressed[1:])
    off_curve = ecdsa.public[:-1] + bytes([ecdsa.public[-1] ^ 1])
    twice = x509.public + root_key("x", label="other form").public
    text = b"-----BEGIN PUBLIC KEY-----"
    forms: tuple[tuple[str, str, SigningKey], ...] = (
        ("keytype-ecdsa-invalid", REFUSE, ecdsa.with_keytype("ecdsa-invalid")),
        ("keytype-rsa-invalid", REFUSE, rsa_key.with_keytype("rsa-invalid")),
        ("keytype-upper-case", REFUSE, ecdsa.with_keytype("ECDSA")),
        ("keytype-empty", REFUSE, ecdsa.with_keytype("")),
        ("keytype-rsa-for-ecdsa", REFUSE, ecdsa.with_keytype("rsa")),
        ("keytype-ecdsa-for-rsa", REFUSE, rsa_key.with_keytype("ecdsa")),
        ("keytype-ed25519-for-ecdsa", REFUSE, ecdsa.with_keytype("ed25519")),
        ("keytype-eddsa", REFUSE, edwards.with_keytype("eddsa")),
        ("keytype-x509-for-bare", REFUSE, ecdsa.with_keytype("ecdsa-x509")),
        ("keytype-bare-for-x509", REFUSE, x509.with_keytype("ecdsa")),
        ("keytype-rsa-x509-for-ecdsa-certificate", REFUSE, x509.with_keytype("rsa-x509")),
        ("keytype-ecdsa-x509-for-rsa-certificate", REFUSE, rsa_x509.with_keytype("ecdsa-x509")),
        ("ecdsa-pem", REFUSE, ecdsa.with_public(pem)),
        ("rsa-pem", REFUSE, rsa_key.with_public(rsa_pem)),
        ("rsa-pem-pycrypto", ACCEPT, rsa_key.with_public(rsa_pem).with_method("pycrypto-pkcs#1 pss")),
        ("rsa-der-pycrypto", REFUSE, rsa_key.with_method("pycrypto-pkcs#1 pss")),
        ("rsa-x509-pycrypto", REFUSE, rsa_x509.with_method("pycrypto-pkcs#1 pss")),
        ("rsa-pkcs1-der", REFUSE, rsa_key.with_public(pkcs1)),
        ("ecdsa-compressed-point", REFUSE, ecdsa.with_public(compressed)),
        ("ecdsa-hybrid-point", REFUSE, ecdsa.with_public(hybrid)),
        ("ecdsa-point-off-curve", REFUSE, ecdsa.with_public(off_curve)),
        ("ecdsa-trailing-bytes", REFUSE, ecdsa.with_public(ecdsa.public + b"\x00")),
        ("rsa-trailing-bytes", REFUSE, rsa_key.with_public(rsa_key.public + b"\x00")),
        ("ecdsa-truncated", REFUSE, ecdsa.with_public(ecdsa.public[:-1])),
        ("ecdsa-empty", REFUSE, ecdsa.with_public(b"")),
        ("ed25519-31-bytes", REFUSE, edwards.with_public(edwards.public[:-1])),
        ("ed25519-33-bytes", REFUSE, edwards.with_public(edwards.public + b"\x00")),
        ("ed25519-spki", REFUSE, edwards.with_public(spki(edwards.private))),
        ("x509-two-leaves", ACCEPT, x509.with_public(twice)),
        ("x509-crlf", ACCEPT, x509.with_public(x509.public.replace(b"\n", b"\r\n"))),
        ("x509-other-label", ACCEPT, x509.with_public(x509.public.replace(b"CERTIFICATE", b"STRANGE"))),
        ("x509-public-key-first", REFUSE, x509.with_public(pem + x509.public)),
        ("x509-der", REFUSE, x509.with_public(base64.b64decode(b"".join(x509.public.splitlines()[1:-1])))),
        ("x509-text-before", ACCEPT, x509.with_public(b"hello\n" + x509.public)),
        ("x509-broken-begin-line-before", ACCEPT, x509.with_public(text + b"\nno base64!\n" + x509.public)),
        ("method-upper-case", ACCEPT, ecdsa.with_method("ECDSA")),
        ("method-mixed-case", ACCEPT, rsa_key.with_method("RsaPss")),
        ("method-of-certificate", REFUSE, x509.with_method("ecdsa-x509")),
        ("method-empty", REFUSE, ecdsa.with_method("")),
        ("method-unknown", REFUSE, ecdsa.with_method("ecdsa-sha2-nistp256")),
        ("method-ed25519", REFUSE, edwards.with_method("ed25519")),
        ("method-with-space", REFUSE, ecdsa.with_method("ecdsa ")),
        ("method-rsapss-for-ecdsa", REFUSE, ecdsa.with_method("rsapss")),
        ("method-ecdsa-for-rsa", REFUSE, rsa_key.with_method("ecdsa")),
        ("method-eddsa-for-ecdsa", REFUSE, ecdsa.with_method("eddsa")),
        ("method-kelvin-sign", REFUSE, rsa_key.with_method("rsap\u212ass")),
        ("method-long-s", REFUSE, ecdsa.with_method("ecd\u017fa")),
    )
    return [once(f"key-form/{name}", expect, _keyed("targets", key)) for name, expect, key in forms]


def _ecdsa_order(key: SigningKey) -> int:
    orders = {"secp256r1": 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551}
    if not isinstance(key.private, ec.EllipticCurvePrivateKey):
        raise TypeError
    return orders[key.private.curve.name]


def _signature_bytes() -> list[Case]:
    key, rsa_key, edwards = make_key("p256", "bytes"), make_key("rsa2048", "bytes"), make_key("ed25519", "bytes")
    p521 = make_key("p521", "bytes")
    private, rsa_private = key.private, rsa_key.private
    if not isinstance(private, ec.EllipticCurvePrivateKey) or not isinstance(rsa_private, rsa.RSAPrivateKey):
        raise TypeError
    order = _ecdsa_order(key)

    def der(message: bytes) -> bytes:
        return private.sign(message, ec.ECDSA(hashes.SHA256()))

    def other_s(message: bytes) -> bytes:
        raw = key.signature(message)
        return raw[:32] + (order - int.from_bytes(raw[32:], "big")).to_bytes(32, "big")

    def pss(salt: int, digest: hashes.HashAlgorithm, mask: hashes.HashAlgorithm) -> Callable[[bytes], bytes]:
        return lambda message: rsa_private.sign(message, padding.PSS(padding.MGF1(mask), salt_length=salt), digest)

    def sha384(message: bytes) -> bytes:
        return rsa_private.sign(message, padding.PKCS1v15(), hashes.SHA384())

    def sum_as_message(message: bytes) -> bytes:
        digest = hashes.Hash(hashes.SHA256())
        digest.update(message)
        return rsa_private.sign(digest.finalize(), padding.PKCS1v15(), Prehashed(hashes.SHA256()))

    sha256 = hashes.SHA256()
    pkcs = rsa_key.with_method("rsapkcs1v15")
    table: tuple[tuple[str, str, SigningKey, Callable[[bytes], bytes]], ...] = (
        ("ecdsa-der", REFUSE, key, der),
        ("ecdsa-other-s", ACCEPT, key, other_s),
        ("ecdsa-one-byte-short", REFUSE, key, lambda message: key.signature(message)[:-1]),
        ("ecdsa-one-byte-long", REFUSE, key, lambda message: key.signature(message) + b"\x00"),
        ("ecdsa-leading-zero", REFUSE, key, lambda message: b"\x00" + key.signature(message)),
        ("ecdsa-swapped", REFUSE, key, lambda message: key.signature(message)[32:] + key.signature(message)[:32]),
        ("ecdsa-zero", REFUSE, key, lambda _: bytes(64)),
        ("ecdsa-r-plus-order", REFUSE, key, lambda _: order.to_bytes(32, "big") + bytes(31) + b"\x01"),
        ("ecdsa-empty", REFUSE, key, lambda _: b""),
        ("ecdsa-other-message", REFUSE, key, lambda message: key.signature(message + b" ")),
        ("p521-130-bytes", REFUSE, p521, lambda message: p521.signature(message)[1:66] + p521.signature(message)[67:]),
        ("rsapss-salt-32", ACCEPT, rsa_key, pss(32, sha256, sha256)),
        ("rsapss-salt-0", REFUSE, rsa_key, pss(0, sha256, sha256)),
        ("rsapss-salt-20", REFUSE, rsa_key, pss(20, sha256, sha256)),
        ("rsapss-salt-maximal", REFUSE, rsa_key, pss(222, sha256, sha256)),
        ("rsapss-sha512", REFUSE, rsa_key, pss(32, hashes.SHA512(), hashes.SHA512())),
        ("rsapss-mask-sha512", REFUSE, rsa_key, pss(32, sha256, hashes.SHA512())),
        ("rsapss-holds-pkcs1v15", REFUSE, rsa_key, pkcs.signature),
        ("rsapkcs1v15", ACCEPT, pkcs, sum_as_message),
        ("rsapkcs1v15-holds-pss", REFUSE, pkcs, rsa_key.signature),
        ("rsapkcs1v15-sha384", REFUSE, pkcs, sha384),
        ("rsapkcs1v15-leading-zero", REFUSE, pkcs, lambda message: b"\x00" + pkcs.signature(message)),
        ("rsapss-leading-zero", REFUSE, rsa_key, lambda message: b"\x00" + rsa_key.signature(message)),
        ("eddsa-63-bytes", REFUSE, edwards, lambda message: edwards.signature(message)[:-1]),
        ("eddsa-65-bytes", REFUSE, edwards, lambda message: edwards.signature(message) + b"\x00"),
        ("eddsa-hash-as-message", REFUSE, edwards, lambda message: edwards.signature(_sha256(message))),
    )
    return [once(f"signature/{name}", expect, _resigned("targets", used, make)) for name, expect, used, make in table]


def _sha256(message: bytes) -> bytes:
    digest = hashes.Hash(hashes.SHA256())
    digest.update(message)
    return digest.finalize()


def _counting() -> list[Case]:
    wrong = "0" * 64

    def both_then(change: Callable[[list[dict[str, Any]]], list[Any]], threshold: int = 1) -> Bend:
        def bend(repository: SignedRepository) -> None:
            repository.set_keys("targets", _FIRST, _SECOND, threshold=threshold)
            signing("targets", change)(repository)

        return bend

    def misfiled(*signers: SigningKey) -> Bend:
        """List two keys, one under a wrong id, and let `signers` sign."""

        def bend(repository: SignedRepository) -> None:
            repository.list_keys("targets", _FIRST, _SECOND.with_id(wrong))
            repository.signers["targets"] = list(signers)

        return bend

    def unlisted_keyid(repository: SignedRepository) -> None:
        repository.edit("root", lambda signed: signed["roles"]["targets"]["keyids"].append(wrong))

    def repeated_keyid(repository: SignedRepository) -> None:
        repository.set_keys("targets", _FIRST, threshold=2)
        repository.edit("root", lambda signed: signed["roles"]["targets"].update(keyids=[_FIRST.id, _FIRST.id]))

    def bad(entry: dict[str, Any]) -> dict[str, Any]:
        return entry | {"sig": _b64(bytes(64))}

    same = root_key("x", label="first")
    bare = make_key("p256", "first")
    shared = make_key("p256", "shared")
    return [
        once("counting/two-of-two", ACCEPT, _keyed("targets", _FIRST, _SECOND, threshold=2)),
        once("counting/three-of-three", ACCEPT, _keyed("targets", _FIRST, _SECOND, _THIRD, threshold=3)),
        once("counting/more-than-enough", ACCEPT, _keyed("targets", _FIRST, _SECOND, _THIRD, threshold=2)),
        once("counting/one-of-two", REFUSE, both_then(lambda found: found[:1], 2)),
        once("counting/one-twice", REFUSE, both_then(lambda found: [found[0], found[0]], 2)),
        once("counting/threshold-above-keys", REFUSE, _keyed("targets", _FIRST, threshold=2)),
        once("counting/threshold-0", REFUSE, _keyed("targets", _FIRST, threshold=0)),
        once("counting/threshold-negative", REFUSE, _keyed("targets", _FIRST, threshold=-1)),
        once("counting/no-signatures", REFUSE, both_then(lambda _: [])),
        once("counting/invalid-then-valid-of-the-same-key", ACCEPT, both_then(lambda found: [bad(found[0]), found[0]])),
        once("counting/valid-then-invalid-of-the-same-key", ACCEPT, both_then(lambda found: [found[0], bad(found[0])])),
        once("counting/invalid-and-valid-of-other-keys", ACCEPT, both_then(lambda found: [bad(found[0]), found[1]])),
        once("counting/unknown-key-beside", ACCEPT, lambda r: r.add_signature("targets", FOREIGN)),
        once("counting/unknown-key-alone", REFUSE, signed_by("targets", FOREIGN)),
        once(
            "counting/unknown-method-beside",
            ACCEPT,
            both_then(lambda found: [found[0] | {"method": "magic"}, found[1]]),
        ),
        once("counting/other-signature-copied", REFUSE, both_then(lambda found: [found[0] | {"keyid": _SECOND.id}], 1)),
        once("counting/upper-case-keyid", REFUSE, both_then(lambda found: [found[0] | {"keyid": _FIRST.id.upper()}])),
        once("counting/keyid-with-space", REFUSE, both_then(lambda found: [found[0] | {"keyid": _FIRST.id + " "}])),
        once("counting/null-entry-beside", ACCEPT, both_then(lambda found: [None, *found])),
        once("counting/empty-entry-beside", ACCEPT, both_then(lambda found: [{}, *found])),
        once("counting/null-entry-alone", REFUSE, both_then(lambda _: [None])),
        once(
            "counting/many-unknown",
            ACCEPT,
            both_then(lambda found: [found[0] | {"keyid": f"{number:064x}"} for number in range(500)] + found),
        ),
        once("counting/2000-entries", ACCEPT, both_then(lambda found: [None] * 2000 + found), "bounds"),
        once("counting/misfiled-key-not-signing", ACCEPT, misfiled(_FIRST)),
        once("counting/misfiled-key-signing-by-its-true-id", ACCEPT, misfiled(_FIRST, _SECOND)),
        once("counting/misfiled-key-signing-by-the-wrong-id", REFUSE, misfiled(_SECOND.with_id(wrong))),
        once("counting/misfiled-key-after-valid", REFUSE, misfiled(_FIRST, _SECOND.with_id(wrong))),
        once("counting/misfiled-key-before-valid", REFUSE, misfiled(_SECOND.with_id(wrong), _FIRST)),
        once("counting/keyid-not-in-keys", REFUSE, unlisted_keyid),
        once("counting/keyid-listed-twice", REFUSE, repeated_keyid),
        once(
            "counting/one-key-bare-and-certified",
            ACCEPT,
            _keyed("targets", bare, same, threshold=2),
            "one-key-counts-once",
        ),
        once("counting/one-key-for-all-roles", ACCEPT, together(*(_keyed(role, shared) for role in _ROLES))),
        once("counting/role-without-keys", REFUSE, _keyed("targets")),
        *(once(f"counting/bad-signature-{role}", REFUSE, bad_signature(role)) for role in _ROLES),
        *(
            once(f"counting/signature-copied-from-{other}-to-{role}", REFUSE, _copied(role, other))
            for role in ("targets", "snapshot", "timestamp")
            for other in ("root", "targets", "snapshot", "timestamp")
            if role != other
        ),
    ]


def _copied(role: str, other: str) -> Bend:
    """Let one key stand for both roles, and give one the other's signature."""
    shared = make_key("p256", "shared")

    def bend(repository: SignedRepository) -> None:
        repository.set_keys(role, shared)
        message = repository.message(other)
        repository.sign(role, lambda _, __: [shared.sign(message)])

    return bend


def _root_signatures() -> list[Case]:
    own = root_key(NAME)

    def entries(change: Callable[[list[dict[str, Any]]], list[Any]]) -> Bend:
        return signing("root", change)

    table: tuple[tuple[str, str, Bend], ...] = (
        ("none", REFUSE, entries(lambda _: [])),
        ("bad", REFUSE, bad_signature("root")),
        ("by-unknown", REFUSE, signed_by("root", root_key(NAME, label="foreign"))),
        ("eddsa-method", REFUSE, entries(lambda found: [found[0] | {"method": "eddsa"}])),
        ("upper-case-method", ACCEPT, entries(lambda found: [found[0] | {"method": "ECDSA"}])),
        ("bare-key-id", REFUSE, entries(lambda found: [found[0] | {"keyid": own.canonical_id}])),
        ("unknown-beside", ACCEPT, lambda r: r.add_signature("root", FOREIGN)),
        ("null-beside", ACCEPT, entries(lambda found: [None, *found])),
        (
            "malformed-beside",
            REFUSE,
            entries(lambda found: [*found, {"keyid": "x", "method": "y", "sig": "not base64!"}]),
        ),
        ("threshold-0", REFUSE, lambda r: r.set_threshold("root", 0)),
        ("threshold-2-of-1", REFUSE, lambda r: r.set_threshold("root", 2)),
    )
    return [once(f"root-signature/{name}", expect, bend) for name, expect, bend in table]


CASES: Final = (*_kinds(), *_forms(), *_signature_bytes(), *_counting(), *_root_signatures())
