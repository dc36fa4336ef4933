"""Root certificates and pins: names, validity, bundles, CA chains, rotations under pins.

Spec: Notary v1, trustpinning/certs_test.go and trustpin_test.go.
"""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Final

from tests.interop.cases.bends import FOREIGN, Bend, setting
from tests.interop.comparison import ACCEPT, REFUSE, Case, later, nothing, once
from tests.interop.stage import Stage, Step
from tests.support.oracle import Pinning
from tests.support.repository import NAME, SignedRepository
from tests.support.root_certificates import (
    ANY_USAGE,
    CLIENT_AUTH,
    CODE_SIGNING,
    SERVER_AUTH,
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

_LEAF: Final = CertificateForm(NAME)
_CA: Final = CertificateForm(None, authority=True, certificate_signing=True)
_EXPIRED: Final = datetime(2021, 1, 1, tzinfo=UTC)
CA: Final = authority("Test CA", "ca")
INTERMEDIATE: Final = authority("Test intermediate", "intermediate", CA)
OTHER_CA: Final = authority("Other CA", "other ca")
CHAINED: Final = root_key(NAME, chain=(INTERMEDIATE, CA))
CHAINED_SHORT: Final = root_key(NAME, chain=(INTERMEDIATE,))
OWN: Final = root_key(NAME)


def rooted(*keys: SigningKey, threshold: int = 1, name: str = NAME) -> Callable[[], SignedRepository]:
    """Return what makes a repository with these root keys, all of them signing."""

    def start() -> SignedRepository:
        repository = SignedRepository(name, publish=False)
        repository.set_keys("root", *keys, threshold=threshold)
        repository.publish()
        return repository

    return start


def pinned(*ids: str, disable_tofu: bool = False) -> Step:
    """Return a step in which both clients pin these ids."""
    return lambda stage: stage.pin_keys(*ids, disable_tofu=disable_tofu)


def _leaf(label: str = "leaf", issuer: Certified | None = None, kind: str = "p256", **form: object) -> SigningKey:
    return bundle(certify(replace(_LEAF, **form), kind, label, issuer))  # type: ignore[arg-type]


def _around(days_from: float, days_to: float) -> dict[str, datetime]:
    """Return a validity around today; cut to the hour, so that certificates of one run are the same."""
    now = datetime.now(UTC).replace(minute=0, second=0, microsecond=0)
    return {"not_before": now + timedelta(days=days_from), "not_after": now + timedelta(days=days_to)}


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
            start=rooted(_leaf(common_name=common_name), name=name),
        )
        for name, common_name, accepted in table
    ]
    cases.append(once("common-name/none-at-all", REFUSE, lambda _: None, start=rooted(_leaf(common_name=None, organization="x"))))
    return cases


def _certificates() -> list[Case]:
    def case(name: str, expect: str, *keys: SigningKey, stricter: str = "", threshold: int = 1) -> Case:
        return once(f"root-certificate/{name}", expect, lambda _: None, stricter, start=rooted(*keys, threshold=threshold))

    leaf = certify(_LEAF, label="leaf")
    expired_ca = authority("Old", "old", form=replace(_CA, not_after=_EXPIRED))
    sha1_ca = certify(replace(_CA, common_name="Weak", digest="sha1"), label="weak")
    crlf = OWN.with_public(OWN.public.replace(b"\n", b"\r\n"))
    return [
        case("expired", REFUSE, _leaf(not_after=_EXPIRED)),
        case("not-yet-for-23-hours", ACCEPT, _leaf(**_around(23 / 24 - 1 / 24, 400))),
        case("not-yet-for-26-hours", REFUSE, _leaf(**_around(26 / 24, 400))),
        case("30-more-days", ACCEPT, _leaf(**_around(-400, 30))),
        case("expired-yesterday", REFUSE, _leaf(**_around(-400, -1))),
        case("damaged-own-signature", ACCEPT, damaged(OWN)),
        case("sha1-rsa", REFUSE, _leaf(digest="sha1", kind="rsa2048")),
        case("sha1-ecdsa", REFUSE, _leaf(digest="sha1")),
        case("sha384", ACCEPT, _leaf(digest="sha384")),
        case("sha512", ACCEPT, _leaf(digest="sha512", kind="rsa2048")),
        case("rsa1024", REFUSE, _leaf(kind="rsa1024")),
        case("rsa2048", ACCEPT, _leaf(kind="rsa2048")),
        case("rsa2048-pkcs1v15", ACCEPT, _leaf(kind="rsa2048").with_method("rsapkcs1v15")),
        case("rsa3072", ACCEPT, _leaf(kind="rsa3072")),
        case("rsa4096", ACCEPT, _leaf(kind="rsa4096")),
        *(case(kind, ACCEPT, _leaf(kind=kind)) for kind in ("p224", "p256", "p384", "p521")),
        case("secp256k1", REFUSE, _leaf(kind="secp256k1")),
        case("code-signing-usage", ACCEPT, _leaf(usages=(CODE_SIGNING,))),
        case("unknown-critical-extension", ACCEPT, _leaf(critical="1.2.3.4.5")),
        case("no-signing-key-usage", ACCEPT, _leaf(certificate_signing=False)),
        case("basic-constraints-false", ACCEPT, _leaf(authority=False)),
        case("only-a-ca", REFUSE, _leaf(authority=True, certificate_signing=True)),
        case("intermediate-before-leaf", REFUSE, bundle(INTERMEDIATE, leaf)),
        case("leaf-intermediate-root", ACCEPT, CHAINED),
        case("leaf-and-unrelated-ca", ACCEPT, bundle(leaf, OTHER_CA)),
        case("leaf-and-root-out-of-order", ACCEPT, bundle(leaf, CA, INTERMEDIATE)),
        case("two-leaves", REFUSE, bundle(leaf, certify(_LEAF, label="second"))),
        case("same-ca-twice", ACCEPT, bundle(leaf, CA, CA)),
        case("expired-intermediate-listed-id", REFUSE, bundle(leaf, expired_ca)),
        case("expired-intermediate-effective-id", ACCEPT, _signing_as(bundle(leaf, expired_ca), bundle(leaf))),
        case("sha1-intermediate-listed-id", REFUSE, bundle(leaf, sha1_ca)),
        case("sha1-intermediate-effective-id", ACCEPT, _signing_as(bundle(leaf, sha1_ca), bundle(leaf))),
        case("crlf-listed-id", REFUSE, crlf),
        case("crlf-effective-id", ACCEPT, _signing_as(crlf, OWN)),
        case("no-last-newline-effective-id", ACCEPT, _signing_as(OWN.with_public(OWN.public.rstrip()), OWN)),
        case("no-last-newline-listed-id", REFUSE, OWN.with_public(OWN.public.rstrip())),
        case("text-before-effective-id", ACCEPT, _signing_as(OWN.with_public(b"hello\n" + OWN.public), OWN)),
        case("text-after-effective-id", ACCEPT, _signing_as(OWN.with_public(OWN.public + b"bye\n"), OWN)),
        case("headers-effective-id", ACCEPT, _signing_as(OWN.with_public(_with_header(OWN.public)), OWN)),
        case("wrong-keytype-effective-id", ACCEPT, _signing_as(OWN.with_keytype("rsa-x509"), OWN)),
        case("wrong-keytype-listed-id", REFUSE, OWN.with_keytype("rsa-x509")),
        case("bare-keytype-effective-id", ACCEPT, _signing_as(OWN.with_keytype("ecdsa"), OWN)),
        case("unknown-keytype-effective-id", ACCEPT, _signing_as(OWN.with_keytype("strange"), OWN)),
        case("other-pem-block-after", REFUSE, OWN.with_public(OWN.public + OWN.public.replace(b"CERTIFICATE", b"PUBLIC KEY"))),
        case("other-pem-block-only", REFUSE, OWN.with_public(OWN.public.replace(b"CERTIFICATE", b"PUBLIC KEY"))),
        case("junk-in-pem", REFUSE, OWN.with_public(b"-----BEGIN CERTIFICATE-----\nanVuaw==\n-----END CERTIFICATE-----\n")),
        case("no-pem", REFUSE, OWN.with_public(b"hello")),
        case("empty-public", REFUSE, OWN.with_public(b"")),
        case("bare-key", REFUSE, FOREIGN),
        case("bare-and-certificate", ACCEPT, FOREIGN, OWN),
        case("one-private-key-in-two-certificates-threshold-2", ACCEPT, OWN, _leaf("root", serial=2),
             stricter="one-key-counts-once", threshold=2),
        case("two-keys-threshold-2", ACCEPT, OWN, _leaf(), threshold=2),
        case("one-of-two-keys-for-another-name-threshold-2", REFUSE, OWN, _leaf(common_name="other"), threshold=2),
        case("one-of-two-keys-expired-threshold-1", ACCEPT, OWN, _leaf(not_after=_EXPIRED)),
        case("one-of-two-keys-expired-threshold-2", REFUSE, OWN, _leaf(not_after=_EXPIRED), threshold=2),
        case("many-keys", ACCEPT, *(_leaf(f"many {number}") for number in range(20))),
        case("300-keys", ACCEPT, *(_leaf(f"many {number}") for number in range(300)), stricter="bounds"),
        case("17-certificates", ACCEPT, bundle(leaf, *[CA] * 16), stricter="bounds"),
        case("claimed-id", REFUSE, OWN.with_id("0" * 64)),
        case("listed-under-wrong-id-signing-with-true-id", ACCEPT, OWN.with_listing_id("0" * 64)),
        once("root-certificate/key-is-a-text", REFUSE, lambda r: r.edit("root", lambda signed: _key_to(signed, OWN, "text"))),
        once("root-certificate/key-is-null", REFUSE, lambda r: r.edit("root", lambda signed: _key_to(signed, OWN, None))),
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
        ("unknown-algorithm-in-both", ACCEPT, lambda der: der.replace(_SHA256_OID, bytes.fromhex("06082a8648ce3d04037f"))),
        ("issuer-not-utf-8", REFUSE, first(name, b"\xff" + name[1:])),
        ("subject-not-utf-8", REFUSE, last(name, b"\xff" + name[1:])),
        ("issuer-unknown-string-type", REFUSE, first(utf8, b"\x38" + utf8[1:])),
        ("subject-unknown-string-type", REFUSE, last(utf8, b"\x38" + utf8[1:])),
        ("issuer-other-text", ACCEPT, first(name, b"x" + name[1:])),
        ("issuer-printable", ACCEPT, first(utf8, printable)),
        ("subject-printable", ACCEPT, last(utf8, printable)),
        ("issuer-printable-bad-character", REFUSE, lambda der: first(utf8 + name, printable + b"_" + name[1:])(der)),
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
        once(f"root-certificate-der/{title}", expect, lambda _: None, _DER_REASONS.get(title, ""), start=rooted(patched(OWN, change)))
        for title, expect, change in table
    ]


_DER_REASONS: Final = {"version-1": "certificate-versions", "version-2": "certificate-versions"}


def _without_signature(der: bytes) -> bytes:
    """Leave nothing of the signature but an empty bit string, with the lengths made right."""
    end = der.rindex(_SHA256_OID) + len(_SHA256_OID)
    inside = der[4:end] + b"\x03\x01\x00"
    return b"\x30\x82" + len(inside).to_bytes(2, "big") + inside


def _key_to(signed: dict[str, dict[str, object]], key: SigningKey, value: object) -> None:
    signed["keys"][key.id] = value


def _with_header(pem: bytes) -> bytes:
    return pem.replace(b"CERTIFICATE-----\n", b"CERTIFICATE-----\nOwner: me\n\n", 1)


def _signing_as(listed: SigningKey, effective: SigningKey) -> SigningKey:
    """Return `listed`, whose signatures bear the id of `effective`."""
    return listed.with_signing_id(effective.true_id)


def _pins() -> list[Case]:
    """Return the cases of pins by id: any of them listed suffices, and nothing else does."""
    good, bad = OWN.true_id, "f" * 64

    def oracle_pins(certs: dict[str, list[str]], *effective: str, disable_tofu: bool = False) -> Step:
        """Configure the reference client with `certs`; imgsig's rule says what should be in force."""

        def step(stage: Stage) -> None:
            if effective:
                stage.pin_keys(*effective)
            stage.pinning = Pinning(certs, disable_tofu=disable_tofu)

        return step

    table: tuple[tuple[str, str, Step, Callable[[], SignedRepository]], ...] = (
        ("right", ACCEPT, pinned(good), SignedRepository),
        ("right-and-wrong", ACCEPT, pinned(good, bad), SignedRepository),
        ("wrong", REFUSE, pinned(bad), SignedRepository),
        ("right-without-tofu", ACCEPT, pinned(good, disable_tofu=True), SignedRepository),
        ("targets-key", REFUSE, _targets_pin, SignedRepository),
        ("empty-list", REFUSE, oracle_pins({NAME: []}, bad), SignedRepository),
        ("garbage", REFUSE, oracle_pins({NAME: ["garbage"]}, bad), SignedRepository),
        ("empty-text", REFUSE, oracle_pins({NAME: [""]}, bad), SignedRepository),
        ("upper-case", REFUSE, oracle_pins({NAME: [good.upper()]}, bad), SignedRepository),
        ("other-name", ACCEPT, oracle_pins({"registry.example.com/team/other": [bad]}), SignedRepository),
        ("wildcard-right", ACCEPT, oracle_pins({"registry.example.com/te*": [good]}, good), SignedRepository),
        ("wildcard-wrong", REFUSE, oracle_pins({"registry.example.com/te*": [bad]}, bad), SignedRepository),
        ("exact-wrong-wildcard-right", REFUSE, oracle_pins({NAME: [bad], "registry.example.com/*": [good]}, bad), SignedRepository),
        ("exact-right-wildcard-wrong", ACCEPT, oracle_pins({NAME: [good], "registry.example.com/*": [bad]}, good), SignedRepository),
        (
            "longest-wildcard-wins", REFUSE,
            oracle_pins({"registry.example.com/team/*": [bad], "registry.*": [good]}, bad), SignedRepository,
        ),
        ("bundle", ACCEPT, pinned(CHAINED.true_id), rooted(CHAINED)),
        ("bundle-leaf-only-id", REFUSE, pinned(_leaf("root", INTERMEDIATE).true_id), rooted(CHAINED)),
        ("one-of-two-threshold-1", ACCEPT, pinned(good), rooted(OWN, _leaf())),
        ("one-of-two-threshold-2", REFUSE, pinned(good), rooted(OWN, _leaf(), threshold=2)),
        ("two-of-two-threshold-2", ACCEPT, pinned(good, _leaf().true_id), rooted(OWN, _leaf(), threshold=2)),
        ("damaged-certificate", ACCEPT, pinned(damaged(OWN).true_id), rooted(damaged(OWN))),
        ("crlf-listed-id", REFUSE, pinned(_CRLF.true_id), rooted(_signing_as(_CRLF, OWN))),
        ("crlf-effective-id", ACCEPT, pinned(good), rooted(_signing_as(_CRLF, OWN))),
    )
    cases = [Case(f"pins/{name}", (step,), expect, start=start) for name, expect, step, start in table]
    by_key = "pin-by-key-id"
    cases.append(Case("pins/key-id", (pinned(OWN.canonical_id),), REFUSE, wider=by_key))
    cases.append(Case("pins/bundle-key-id", (pinned(CHAINED.canonical_id),), REFUSE, wider=by_key, start=rooted(CHAINED)))
    return cases


_CRLF: Final = OWN.with_public(OWN.public.replace(b"\n", b"\r\n"))


def _targets_pin(stage: Stage) -> None:
    stage.pin_keys(stage.repository.signers["targets"][0].true_id)


def _authorities() -> list[Case]:
    """Return the cases of pinned certificate authorities."""

    def case(
        name: str, expect: str, key: SigningKey, *pinned_certificates: Certified, pem: bytes | None = None, stricter: str = ""
    ) -> Case:
        text = b"".join(certified.pem for certified in pinned_certificates) if pem is None else pem
        return Case(f"ca/{name}", (lambda stage: stage.pin_ca(text),), expect, stricter, start=rooted(key))

    def below(ca: CertificateForm, **leaf: object) -> tuple[SigningKey, Certified]:
        made = certify(replace(ca, common_name="Special CA"), label="special")
        return bundle(certify(replace(_LEAF, **leaf), label="leaf", issuer=made)), made  # type: ignore[arg-type]

    def through(**form: object) -> SigningKey:
        middle = certify(replace(_CA, common_name="Middle", **form), label="middle", issuer=CA)  # type: ignore[arg-type]
        return bundle(certify(_LEAF, label="leaf", issuer=middle), middle)

    expired = certify(replace(_CA, common_name="Old", not_after=_EXPIRED), label="old")
    old_leaf = bundle(certify(_LEAF, label="leaf", issuer=expired))
    soon = bundle(certify(replace(_LEAF, **_around(0.9, 400)), label="leaf", issuer=CA))  # type: ignore[arg-type]
    short = certify(replace(_CA, common_name="Short", path_length=0), label="short")
    long_chain = authority("Long intermediate", "long", short)
    direct = bundle(certify(_LEAF, label="leaf", issuer=CA))
    forms: tuple[tuple[str, str, tuple[SigningKey, Certified]], ...] = (
        ("ca-without-basic-constraints", REFUSE, below(CertificateForm(None))),
        ("ca-false", REFUSE, below(CertificateForm(None, authority=False))),
        ("ca-without-key-usage", ACCEPT, below(CertificateForm(None, authority=True))),
        ("ca-that-may-not-sign", REFUSE, below(replace(_CA, certificate_signing=False))),
        ("ca-for-code-signing", REFUSE, below(replace(_CA, usages=(CODE_SIGNING,)))),
        ("ca-for-server-authentication", ACCEPT, below(replace(_CA, usages=(SERVER_AUTH,)))),
        ("ca-path-length-0", ACCEPT, below(replace(_CA, path_length=0))),
        ("leaf-for-code-signing", REFUSE, below(_CA, usages=(CODE_SIGNING,))),
        ("leaf-for-client-authentication", REFUSE, below(_CA, usages=(CLIENT_AUTH,))),
        ("leaf-for-server-authentication", ACCEPT, below(_CA, usages=(SERVER_AUTH,))),
        ("leaf-for-code-and-server", ACCEPT, below(_CA, usages=(CODE_SIGNING, SERVER_AUTH))),
        ("leaf-for-any-usage", ACCEPT, below(_CA, usages=(ANY_USAGE,))),
        ("leaf-critical-extension", REFUSE, below(_CA, critical="1.2.3.4.5")),
    )
    return [
        case("direct", ACCEPT, direct, CA),
        case("through-intermediate", ACCEPT, CHAINED, CA),
        case("through-intermediate-root-not-in-bundle", ACCEPT, CHAINED_SHORT, CA),
        case("intermediate-not-in-bundle", REFUSE, bundle(certify(_LEAF, label="leaf", issuer=INTERMEDIATE)), CA),
        case("intermediate-pinned", ACCEPT, bundle(certify(_LEAF, label="leaf", issuer=INTERMEDIATE)), INTERMEDIATE),
        case("with-extra-expired-ca", ACCEPT, CHAINED, CA, expired),
        case("all-expired", REFUSE, old_leaf, expired),
        case("unrelated", REFUSE, CHAINED, OTHER_CA),
        case("self-signed-leaf-pinned", ACCEPT, _leaf(), certify(_LEAF, label="leaf")),
        case("self-signed-leaf-for-code-signing-pinned", REFUSE, _leaf(usages=(CODE_SIGNING,)),
             certify(replace(_LEAF, usages=(CODE_SIGNING,)), label="leaf")),
        case("self-signed-leaf-unpinned", REFUSE, _leaf(), CA),
        case("no-pem", REFUSE, CHAINED, pem=b"no certificate"),
        case("junk-pem", REFUSE, CHAINED, pem=b"-----BEGIN CERTIFICATE-----\nanVuaw==\n-----END CERTIFICATE-----\n"),
        case("not-yet-valid-leaf", REFUSE, soon, CA),
        case("path-length-exceeded", REFUSE, bundle(certify(_LEAF, label="leaf", issuer=long_chain), long_chain), short),
        case("same-name-other-key", REFUSE, direct, authority("Test CA", "impostor")),
        case("intermediate-for-code-signing", REFUSE, through(usages=(CODE_SIGNING,)), CA),
        case("intermediate-for-server-authentication", ACCEPT, through(usages=(SERVER_AUTH,)), CA),
        case("intermediate-critical-extension", REFUSE, through(critical="1.2.3.4.5"), CA),
        case("intermediate-that-may-not-sign", REFUSE, through(certificate_signing=False), CA),
        case("intermediate-name-constraint", ACCEPT, through(name_constraint="example.com"), CA, stricter="name-constraints"),
        case("long-chain", ACCEPT, _long_chain(6), CA),
        case("longer-chain", ACCEPT, _long_chain(12), CA, stricter="bounds"),
        case("rsa-chain", ACCEPT, bundle(certify(_LEAF, "rsa2048", "leaf", CA)), CA),
        case("damaged-leaf-signature", REFUSE, damaged(direct), CA),
        case("damaged-self-signed-leaf-pinned", REFUSE, damaged(_leaf()), certify(_LEAF, label="leaf")),
        *(case(name, expect, key, made) for name, expect, (key, made) in forms),
        Case("ca/prefix-of-the-name", (lambda stage: stage.pin_ca(CA.pem, "registry.example.com/te"),), ACCEPT, start=rooted(CHAINED)),
        Case("ca/empty-prefix", (lambda stage: stage.pin_ca(CA.pem, ""),), ACCEPT, start=rooted(CHAINED)),
    ]


def _long_chain(intermediates: int) -> SigningKey:
    chain = [CA]
    for number in range(intermediates):
        chain.insert(0, authority(f"Link {number}", f"link {number}", chain[0]))
    return bundle(certify(_LEAF, label="leaf", issuer=chain[0]), *chain[:-1])


def _rotations() -> list[Case]:
    new = root_key(NAME, label="new")
    rsa_old, rsa_new = root_key(NAME, "rsa2048", "old"), root_key(NAME, "rsa2048", "new")

    def rotating(*keys: SigningKey, keep: bool = True) -> Bend:
        return lambda repository: repository.rotate("root", *keys, keep_old_signature=keep)

    def without_new_signature(repository: SignedRepository) -> None:
        repository.rotate("root", new, sign=False)

    def no_keys_before(repository: SignedRepository) -> None:
        setting("root", "roles", "root", "keyids", to=[])(repository)

    def to_intermediate_expired(repository: SignedRepository) -> None:
        repository.rotate("root", CHAINED)

    def then(*steps: Step) -> tuple[Step, ...]:
        return steps

    rotate: Step = lambda stage: stage.repository.rotate("root", new)  # noqa: E731
    to_chained: Step = lambda stage: stage.repository.rotate("root", CHAINED)  # noqa: E731
    to_foreign: Step = lambda stage: stage.repository.rotate("root", new)  # noqa: E731
    return [
        later("rotation/both-sign", ACCEPT, rotating(new)),
        later("rotation/both-sign-rsa", ACCEPT, rotating(rsa_new), start=rooted(rsa_old)),
        later("rotation/ecdsa-to-rsa", ACCEPT, rotating(rsa_new)),
        later("rotation/old-signature-missing", REFUSE, rotating(new, keep=False)),
        later("rotation/new-signature-missing", REFUSE, without_new_signature),
        later("rotation/no-keys-any-more", REFUSE, no_keys_before),
        later("rotation/to-a-bundle", ACCEPT, to_intermediate_expired),
        later("rotation/from-a-bundle", ACCEPT, rotating(new), start=rooted(CHAINED)),
        later("rotation/to-expired-certificate", REFUSE, rotating(_leaf("new", not_after=_EXPIRED))),
        later("rotation/to-another-name", REFUSE, rotating(_leaf("new", common_name="other"))),
        later("rotation/to-sha1", REFUSE, rotating(_leaf("new", digest="sha1"))),
        Case("rotation/only-old-pinned", then(pinned(OWN.true_id), rotate), ACCEPT),
        Case("rotation/both-pinned", then(pinned(OWN.true_id, new.true_id), rotate), ACCEPT),
        Case("rotation/ca-pinned-to-outside", then(lambda stage: stage.pin_ca(CA.pem), to_foreign), ACCEPT, start=rooted(CHAINED)),
        Case("rotation/ca-pinned-within", then(lambda stage: stage.pin_ca(CA.pem), to_chained), ACCEPT,
             start=rooted(bundle(certify(_LEAF, label="leaf", issuer=CA)))),
        Case(
            "rotation/expired-cached-root-only-old-pinned",
            then(pinned(OWN.true_id), lambda stage: (_expire_local_root(stage), rotate(stage))), REFUSE,
        ),
        Case(
            "rotation/expired-cached-root-both-pinned",
            then(pinned(OWN.true_id, new.true_id), lambda stage: (_expire_local_root(stage), rotate(stage))), ACCEPT,
        ),
        Case(
            "rotation/expired-cached-root-only-new-pinned",
            (nothing, lambda stage: (_expire_local_root(stage), stage.pin_keys(new.true_id), rotate(stage))), ACCEPT,
        ),
        Case(
            "rotation/expired-cached-root-tofu-disabled",
            (nothing, lambda stage: (_expire_local_root(stage), _disable_tofu(stage), rotate(stage))), ACCEPT,
        ),
        Case("rotation/cached-root-then-other-pin", (nothing, pinned("f" * 64)), ACCEPT, "cached-root-overrides-pins"),
        Case("rotation/cached-root-then-right-pin", (nothing, pinned(OWN.true_id)), ACCEPT),
        Case("rotation/cached-root-then-other-ca", (nothing, lambda stage: stage.pin_ca(OTHER_CA.pem)), ACCEPT,
             "cached-root-overrides-pins"),
    ]


def _disable_tofu(stage: Stage) -> None:
    stage.pinning = Pinning(disable_tofu=True)


def _expire_local_root(stage: Stage) -> None:
    twin = stage.repository.clone()
    twin.expire("root")
    twin.publish(everything=True, bump=False)
    stage.local("root", twin.current["root"])


CASES: Final = (*_names(), *_certificates(), *_der(), *_pins(), *_authorities(), *_rotations())
