"""Root certificates: names, validity, algorithms, bundles, DER.

Spec: Notary v1, trustpinning/certs_test.go; tuf/utils/x509.go; Go, crypto/x509.
"""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any, Final, TypeAlias

from tests.interop.cases.bends import FOREIGN
from tests.interop.comparison import ACCEPT, REFUSE, Case, once
from tests.support.repository import NAME, SignedRepository
from tests.support.root_certificates import (
    CODE_SIGNING,
    CertificateForm,
    Certified,
    authority,
    bundle,
    certify,
    damaged,
    patched,
    root_key,
)
from tests.support.signing import SigningKey

Start: TypeAlias = Callable[[], SignedRepository]
LEAF: Final = CertificateForm(NAME)
CA_FORM: Final = CertificateForm(None, authority=True, certificate_signing=True)
EXPIRED: Final = datetime(2021, 1, 1, tzinfo=UTC)
CA: Final = authority("Test CA", "ca")
INTERMEDIATE: Final = authority("Test intermediate", "intermediate", CA)
OTHER_CA: Final = authority("Other CA", "other ca")
CHAINED: Final = root_key(NAME, chain=(INTERMEDIATE, CA))
CHAINED_SHORT: Final = root_key(NAME, chain=(INTERMEDIATE,))
OWN: Final = root_key(NAME)


def rooted(*keys: SigningKey, threshold: int = 1, name: str = NAME) -> Start:
    """Return what makes a repository with these root keys, all of them signing."""

    def start() -> SignedRepository:
        repository = SignedRepository(name, publish=False)
        repository.set_keys("root", *keys, threshold=threshold)
        repository.publish()
        return repository

    return start


def leaf(label: str = "leaf", issuer: Certified | None = None, kind: str = "p256", **form: Any) -> SigningKey:  # noqa: ANN401 - fields of a form
    """Return a root key with one certificate, whose form differs from the plain one by `form`."""
    return bundle(certify(replace(LEAF, **form), kind, label, issuer))


def around(days_from: float, days_to: float) -> dict[str, Any]:
    """Return a validity around today; cut to the hour, so that certificates of one run are the same."""
    now = datetime.now(UTC).replace(minute=0, second=0, microsecond=0)
    return {"not_before": now + timedelta(days=days_from), "not_after": now + timedelta(days=days_to)}


def signing_as(listed: SigningKey, effective: SigningKey) -> SigningKey:
    """Return `listed`, whose signatures bear the id of `effective`."""
    return listed.with_signing_id(effective.true_id)


def _names() -> list[Case]:
    table = (
        # name, common name, accepted
        (NAME, NAME, True),
        (NAME, "registry.example.com/team/other", False),
        (NAME, "registry.example.com/team", False),
        (NAME, "registry.example.com/team/app2", False),
        (NAME, "REGISTRY.example.com/team/app", False),
        (NAME, NAME + "*", True),
        (NAME, "registry.example.com/team/*", True),
        (NAME, "registry.example.com/te*", True),
        (NAME, "registry.example.com/other/*", False),
        (NAME, "*", True),
        (NAME, "**", True),
        (NAME, "registry.example.com/*******", True),
        (NAME, "registry.example.com/**/*/", False),
        (NAME, "registry.example.com/*/app", False),
        (NAME, "*/app", False),
        (NAME, "registry.example.com/*/*", False),
        (NAME, "registry.example.com/*/**", False),
        (NAME, "*app*", False),
        (NAME, "registry.example.com/*/app*", False),
        (NAME, "", False),
        (NAME, NAME + "/", False),
        (NAME, NAME + " ", False),
        (NAME, NAME + "?", False),
        ("docker.com/notary", "docker.com/*", True),
        ("docker.com/notary", "docker.com/**", True),
        ("localhost:5000/a/b", "localhost:5000/a/b", True),
        ("localhost:5000/a/b", "localhost:5000/*", True),
    )
    cases = [
        once(
            f"common-name/{name.replace('/', ':')}-by-{common_name.replace('/', ':') or 'empty'}",
            ACCEPT if accepted else REFUSE,
            lambda _: None,
            start=rooted(leaf(common_name=common_name), name=name),
        )
        for name, common_name, accepted in table
    ]
    cases.append(
        once("common-name/none-at-all", REFUSE, lambda _: None, start=rooted(leaf(common_name=None, organization="x")))
    )
    return cases


def _certificates() -> list[Case]:
    def case(name: str, expect: str, *keys: SigningKey, stricter: str = "", threshold: int = 1) -> Case:
        return once(
            f"root-certificate/{name}", expect, lambda _: None, stricter, start=rooted(*keys, threshold=threshold)
        )

    plain = certify(LEAF, label="leaf")
    expired_ca = authority("Old", "old", form=replace(CA_FORM, not_after=EXPIRED))
    sha1_ca = certify(replace(CA_FORM, common_name="Weak", digest="sha1"), label="weak")
    crlf = OWN.with_public(OWN.public.replace(b"\n", b"\r\n"))
    return [
        case("expired", REFUSE, leaf(not_after=EXPIRED)),
        case("not-yet-for-23-hours", ACCEPT, leaf(**around(23 / 24 - 1 / 24, 400))),
        case("not-yet-for-26-hours", REFUSE, leaf(**around(26 / 24, 400))),
        case("30-more-days", ACCEPT, leaf(**around(-400, 30))),
        case("expired-yesterday", REFUSE, leaf(**around(-400, -1))),
        case("damaged-own-signature", ACCEPT, damaged(OWN)),
        case("sha1-rsa", REFUSE, leaf(digest="sha1", kind="rsa2048")),
        case("sha1-ecdsa", REFUSE, leaf(digest="sha1")),
        case("sha384", ACCEPT, leaf(digest="sha384")),
        case("sha512", ACCEPT, leaf(digest="sha512", kind="rsa2048")),
        case("rsa1024", REFUSE, leaf(kind="rsa1024")),
        case("rsa2048", ACCEPT, leaf(kind="rsa2048")),
        case("rsa2048-pkcs1v15", ACCEPT, leaf(kind="rsa2048").with_method("rsapkcs1v15")),
        case("rsa3072", ACCEPT, leaf(kind="rsa3072")),
        case("rsa4096", ACCEPT, leaf(kind="rsa4096")),
        *(case(kind, ACCEPT, leaf(kind=kind)) for kind in ("p224", "p256", "p384", "p521")),
        case("secp256k1", REFUSE, leaf(kind="secp256k1")),
        case("code-signing-usage", ACCEPT, leaf(usages=(CODE_SIGNING,))),
        case("unknown-critical-extension", ACCEPT, leaf(critical="1.2.3.4.5")),
        case("malformed-known-extension", ACCEPT, leaf(critical="2.5.29.54"), stricter="certificate-parsing"),
        case("no-signing-key-usage", ACCEPT, leaf(certificate_signing=False)),
        case("basic-constraints-false", ACCEPT, leaf(authority=False)),
        case("only-a-ca", REFUSE, leaf(authority=True, certificate_signing=True)),
        case("intermediate-before-leaf", REFUSE, bundle(INTERMEDIATE, plain)),
        case("leaf-intermediate-root", ACCEPT, CHAINED),
        case("leaf-and-unrelated-ca", ACCEPT, bundle(plain, OTHER_CA)),
        case("leaf-and-root-out-of-order", ACCEPT, bundle(plain, CA, INTERMEDIATE)),
        case("two-leaves", REFUSE, bundle(plain, certify(LEAF, label="second"))),
        case("same-ca-twice", ACCEPT, bundle(plain, CA, CA)),
        case("expired-intermediate-listed-id", REFUSE, bundle(plain, expired_ca)),
        case("expired-intermediate-effective-id", ACCEPT, signing_as(bundle(plain, expired_ca), bundle(plain))),
        case("sha1-intermediate-listed-id", REFUSE, bundle(plain, sha1_ca)),
        case("sha1-intermediate-effective-id", ACCEPT, signing_as(bundle(plain, sha1_ca), bundle(plain))),
        case("crlf-listed-id", REFUSE, crlf),
        case("crlf-effective-id", ACCEPT, signing_as(crlf, OWN)),
        case("no-last-newline-effective-id", ACCEPT, signing_as(OWN.with_public(OWN.public.rstrip()), OWN)),
        case("no-last-newline-listed-id", REFUSE, OWN.with_public(OWN.public.rstrip())),
        case("text-before-effective-id", ACCEPT, signing_as(OWN.with_public(b"hello\n" + OWN.public), OWN)),
        case("text-after-effective-id", ACCEPT, signing_as(OWN.with_public(OWN.public + b"bye\n"), OWN)),
        case("headers-effective-id", ACCEPT, signing_as(OWN.with_public(_with_header(OWN.public)), OWN)),
        case("wrong-keytype-effective-id", ACCEPT, signing_as(OWN.with_keytype("rsa-x509"), OWN)),
        case("wrong-keytype-listed-id", REFUSE, OWN.with_keytype("rsa-x509")),
        case("bare-keytype-effective-id", ACCEPT, signing_as(OWN.with_keytype("ecdsa"), OWN)),
        case("unknown-keytype-effective-id", ACCEPT, signing_as(OWN.with_keytype("strange"), OWN)),
        case(
            "other-pem-block-after",
            REFUSE,
            OWN.with_public(OWN.public + OWN.public.replace(b"CERTIFICATE", b"PUBLIC KEY")),
        ),
        case("other-pem-block-only", REFUSE, OWN.with_public(OWN.public.replace(b"CERTIFICATE", b"PUBLIC KEY"))),
        case(
            "junk-in-pem",
            REFUSE,
            OWN.with_public(b"-----BEGIN CERTIFICATE-----\nanVuaw==\n-----END CERTIFICATE-----\n"),
        ),
        case("no-pem", REFUSE, OWN.with_public(b"hello")),
        case("empty-public", REFUSE, OWN.with_public(b"")),
        case("bare-key", REFUSE, FOREIGN),
        case("bare-and-certificate", ACCEPT, FOREIGN, OWN),
        case(
            "one-private-key-in-two-certificates-threshold-2",
            ACCEPT,
            OWN,
            leaf("root", serial=2),
            stricter="one-key-counts-once",
            threshold=2,
        ),
        case("two-keys-threshold-2", ACCEPT, OWN, leaf(), threshold=2),
        case("one-of-two-keys-for-another-name-threshold-2", REFUSE, OWN, leaf(common_name="other"), threshold=2),
        case("one-of-two-keys-expired-threshold-1", ACCEPT, OWN, leaf(not_after=EXPIRED)),
        case("one-of-two-keys-expired-threshold-2", REFUSE, OWN, leaf(not_after=EXPIRED), threshold=2),
        case("many-keys", ACCEPT, *(leaf(f"many {number}") for number in range(20))),
        case("300-keys", ACCEPT, *(leaf(f"many {number}") for number in range(300)), stricter="bounds"),
        case("17-certificates", ACCEPT, bundle(plain, *[CA] * 16), stricter="bounds"),
        case("claimed-id", REFUSE, OWN.with_id("0" * 64)),
        case("listed-under-wrong-id-signing-with-true-id", ACCEPT, OWN.with_listing_id("0" * 64)),
        once(
            "root-certificate/key-is-a-text",
            REFUSE,
            lambda r: r.edit("root", lambda signed: _key_to(signed, OWN, "text")),
        ),
        once(
            "root-certificate/key-is-null", REFUSE, lambda r: r.edit("root", lambda signed: _key_to(signed, OWN, None))
        ),
    ]


_SHA256_OID: Final = bytes.fromhex("06082a8648ce3d040302")
_SHA384_OID: Final = bytes.fromhex("06082a8648ce3d040303")
_COMMON_NAME: Final = b"\x06\x03\x55\x04\x03"


def _der() -> list[Case]:
    """Return the cases of certificates whose DER breaks a rule that Go's parser checks. TOFU verifies no signature."""

    def first(old: bytes, new: bytes) -> Callable[[bytes], bytes]:
        return lambda der: der.replace(old, new, 1)

    def last(old: bytes, new: bytes) -> Callable[[bytes], bytes]:
        return lambda der: new.join(der.rsplit(old, 1))

    name = NAME.encode()
    utf8, printable = b"\x0c" + bytes([len(name)]), b"\x13" + bytes([len(name)])
    validity = b"\x17\x0d200101000000Z"
    table: tuple[tuple[str, str, Callable[[bytes], bytes]], ...] = (
        ("inner-algorithm-differs", REFUSE, first(_SHA256_OID, _SHA384_OID)),
        ("outer-algorithm-differs", REFUSE, last(_SHA256_OID, _SHA384_OID)),
        (
            "unknown-algorithm-in-both",
            ACCEPT,
            lambda der: der.replace(_SHA256_OID, bytes.fromhex("06082a8648ce3d04037f")),
        ),
        ("issuer-not-utf-8", REFUSE, first(name, b"\xff" + name[1:])),
        ("subject-not-utf-8", REFUSE, last(name, b"\xff" + name[1:])),
        ("issuer-unknown-string-type", REFUSE, first(utf8, b"\x38" + utf8[1:])),
        ("subject-unknown-string-type", REFUSE, last(utf8, b"\x38" + utf8[1:])),
        ("issuer-other-text", ACCEPT, first(name, b"x" + name[1:])),
        ("issuer-printable", ACCEPT, first(utf8, printable)),
        ("subject-printable", ACCEPT, last(utf8, printable)),
        ("issuer-printable-bad-character", REFUSE, first(utf8 + name, printable + b"_" + name[1:])),
        ("issuer-ia5-high-byte", REFUSE, first(utf8 + name, b"\x16" + utf8[1:] + b"\xe4" + name[1:])),
        ("issuer-teletex", ACCEPT, first(utf8, b"\x14" + utf8[1:])),
        ("issuer-attribute-unknown", ACCEPT, first(_COMMON_NAME, b"\x06\x03\x55\x04\x7f")),
        ("subject-attribute-unknown", REFUSE, last(_COMMON_NAME, b"\x06\x03\x55\x04\x7f")),
        ("serial-negative", ACCEPT, first(b"\x02\x01\x01\x30", b"\x02\x01\x81\x30")),
        ("serial-0", ACCEPT, first(b"\x02\x01\x01\x30", b"\x02\x01\x00\x30")),
        ("version-1", ACCEPT, first(b"\xa0\x03\x02\x01\x02", b"\xa0\x03\x02\x01\x00")),
        ("version-2", ACCEPT, first(b"\xa0\x03\x02\x01\x02", b"\xa0\x03\x02\x01\x01")),
        ("version-4", REFUSE, first(b"\xa0\x03\x02\x01\x02", b"\xa0\x03\x02\x01\x03")),
        ("month-13", REFUSE, first(validity, b"\x17\x0d201301000000Z")),
        ("second-60", REFUSE, first(validity, b"\x17\x0d200101000060Z")),
        ("time-lower-case-z", REFUSE, first(validity, b"\x17\x0d200101000000z")),
        ("upside-down-validity", REFUSE, first(b"\x18\x0f2120", b"\x18\x0f2019")),
        ("trailing-byte", REFUSE, lambda der: der + b"\x00"),
        ("truncated", REFUSE, lambda der: der[:-1]),
        ("signature-empty", REFUSE, _without_signature),
    )
    return [
        once(
            f"root-certificate-der/{title}",
            expect,
            lambda _: None,
            _DER_REASONS.get(title, ""),
            start=rooted(patched(OWN, change)),
        )
        for title, expect, change in table
    ]


_DER_REASONS: Final = {"version-1": "certificate-parsing", "version-2": "certificate-parsing"}


def _without_signature(der: bytes) -> bytes:
    """Leave nothing of the signature but an empty bit string, with the lengths made right."""
    end = der.rindex(_SHA256_OID) + len(_SHA256_OID)
    inside = der[4:end] + b"\x03\x01\x00"
    return b"\x30\x82" + len(inside).to_bytes(2, "big") + inside


def _key_to(signed: dict[str, dict[str, object]], key: SigningKey, value: object) -> None:
    signed["keys"][key.id] = value


def _with_header(pem: bytes) -> bytes:
    return pem.replace(b"CERTIFICATE-----\n", b"CERTIFICATE-----\nOwner: me\n\n", 1)


CASES: Final = (*_names(), *_certificates(), *_der())
