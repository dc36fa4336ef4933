"""Pins: root keys by id, certificate authorities, and rotations under pins.

Spec: Notary v1, trustpinning/trustpin.go and trustpin_test.go, certs_test.go.
"""

from dataclasses import replace
from typing import Any, Final

from tests.interop.cases.bends import Bend, setting
from tests.interop.cases.root_certificates import (
    CA,
    CA_FORM,
    CHAINED,
    CHAINED_SHORT,
    EXPIRED,
    INTERMEDIATE,
    LEAF,
    OTHER_CA,
    OWN,
    Start,
    around,
    leaf,
    rooted,
    signing_as,
)
from tests.interop.comparison import ACCEPT, REFUSE, Case, later, nothing
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
    root_key,
)
from tests.support.signing import SigningKey


def pinned(*ids: str, disable_tofu: bool = False) -> Step:
    """Return a step in which both clients pin these ids."""
    return lambda stage: stage.pin_keys(*ids, disable_tofu=disable_tofu)


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

    table: tuple[tuple[str, str, Step, Start], ...] = (
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
        (
            "exact-wrong-wildcard-right",
            REFUSE,
            oracle_pins({NAME: [bad], "registry.example.com/*": [good]}, bad),
            SignedRepository,
        ),
        (
            "exact-right-wildcard-wrong",
            ACCEPT,
            oracle_pins({NAME: [good], "registry.example.com/*": [bad]}, good),
            SignedRepository,
        ),
        (
            "longest-wildcard-wins",
            REFUSE,
            oracle_pins({"registry.example.com/team/*": [bad], "registry.*": [good]}, bad),
            SignedRepository,
        ),
        ("bundle", ACCEPT, pinned(CHAINED.true_id), rooted(CHAINED)),
        ("bundle-leaf-only-id", REFUSE, pinned(leaf("root", INTERMEDIATE).true_id), rooted(CHAINED)),
        ("one-of-two-threshold-1", ACCEPT, pinned(good), rooted(OWN, leaf())),
        ("one-of-two-threshold-2", REFUSE, pinned(good), rooted(OWN, leaf(), threshold=2)),
        ("two-of-two-threshold-2", ACCEPT, pinned(good, leaf().true_id), rooted(OWN, leaf(), threshold=2)),
        ("damaged-certificate", ACCEPT, pinned(damaged(OWN).true_id), rooted(damaged(OWN))),
        ("crlf-listed-id", REFUSE, pinned(_CRLF.true_id), rooted(signing_as(_CRLF, OWN))),
        ("crlf-effective-id", ACCEPT, pinned(good), rooted(signing_as(_CRLF, OWN))),
    )
    cases = [Case(f"pins/{name}", (step,), expect, start=start) for name, expect, step, start in table]
    by_key = "pin-by-key-id"
    cases.append(Case("pins/key-id", (pinned(OWN.canonical_id),), REFUSE, wider=by_key))
    cases.append(
        Case("pins/bundle-key-id", (pinned(CHAINED.canonical_id),), REFUSE, wider=by_key, start=rooted(CHAINED))
    )
    return cases


_CRLF: Final = OWN.with_public(OWN.public.replace(b"\n", b"\r\n"))


def _targets_pin(stage: Stage) -> None:
    stage.pin_keys(stage.repository.signers["targets"][0].true_id)


def _authorities() -> list[Case]:
    """Return the cases of pinned certificate authorities."""

    def case(
        name: str,
        expect: str,
        key: SigningKey,
        *pinned_certificates: Certified,
        pem: bytes | None = None,
        stricter: str = "",
    ) -> Case:
        text = b"".join(certified.pem for certified in pinned_certificates) if pem is None else pem
        return Case(f"ca/{name}", (lambda stage: stage.pin_ca(text),), expect, stricter, start=rooted(key))

    def below(ca: CertificateForm, **form: Any) -> tuple[SigningKey, Certified]:  # noqa: ANN401 - fields of a form
        made = certify(replace(ca, common_name="Special CA"), label="special")
        return bundle(certify(replace(LEAF, **form), label="leaf", issuer=made)), made

    def through(**form: Any) -> SigningKey:  # noqa: ANN401 - fields of a form
        middle = certify(replace(CA_FORM, common_name="Middle", **form), label="middle", issuer=CA)
        return bundle(certify(LEAF, label="leaf", issuer=middle), middle)

    expired = certify(replace(CA_FORM, common_name="Old", not_after=EXPIRED), label="old")
    old_leaf = bundle(certify(LEAF, label="leaf", issuer=expired))
    soon = bundle(certify(replace(LEAF, **around(0.9, 400)), label="leaf", issuer=CA))
    short = certify(replace(CA_FORM, common_name="Short", path_length=0), label="short")
    long_chain = authority("Long intermediate", "long", short)
    direct = bundle(certify(LEAF, label="leaf", issuer=CA))
    forms: tuple[tuple[str, str, tuple[SigningKey, Certified]], ...] = (
        ("ca-without-basic-constraints", REFUSE, below(CertificateForm(None))),
        ("ca-false", REFUSE, below(CertificateForm(None, authority=False))),
        ("ca-without-key-usage", ACCEPT, below(CertificateForm(None, authority=True))),
        ("ca-that-may-not-sign", REFUSE, below(replace(CA_FORM, certificate_signing=False))),
        ("ca-for-code-signing", REFUSE, below(replace(CA_FORM, usages=(CODE_SIGNING,)))),
        ("ca-for-server-authentication", ACCEPT, below(replace(CA_FORM, usages=(SERVER_AUTH,)))),
        ("ca-path-length-0", ACCEPT, below(replace(CA_FORM, path_length=0))),
        ("leaf-for-code-signing", REFUSE, below(CA_FORM, usages=(CODE_SIGNING,))),
        ("leaf-for-client-authentication", REFUSE, below(CA_FORM, usages=(CLIENT_AUTH,))),
        ("leaf-for-server-authentication", ACCEPT, below(CA_FORM, usages=(SERVER_AUTH,))),
        ("leaf-for-code-and-server", ACCEPT, below(CA_FORM, usages=(CODE_SIGNING, SERVER_AUTH))),
        ("leaf-for-any-usage", ACCEPT, below(CA_FORM, usages=(ANY_USAGE,))),
        ("leaf-critical-extension", REFUSE, below(CA_FORM, critical="1.2.3.4.5")),
    )
    return [
        case("direct", ACCEPT, direct, CA),
        case("through-intermediate", ACCEPT, CHAINED, CA),
        case("through-intermediate-root-not-in-bundle", ACCEPT, CHAINED_SHORT, CA),
        case("intermediate-not-in-bundle", REFUSE, bundle(certify(LEAF, label="leaf", issuer=INTERMEDIATE)), CA),
        case("intermediate-pinned", ACCEPT, bundle(certify(LEAF, label="leaf", issuer=INTERMEDIATE)), INTERMEDIATE),
        case("with-extra-expired-ca", ACCEPT, CHAINED, CA, expired),
        case("all-expired", REFUSE, old_leaf, expired),
        case("unrelated", REFUSE, CHAINED, OTHER_CA),
        case("self-signed-leaf-pinned", ACCEPT, leaf(), certify(LEAF, label="leaf")),
        case(
            "self-signed-leaf-for-code-signing-pinned",
            REFUSE,
            leaf(usages=(CODE_SIGNING,)),
            certify(replace(LEAF, usages=(CODE_SIGNING,)), label="leaf"),
        ),
        case("self-signed-leaf-unpinned", REFUSE, leaf(), CA),
        case("no-pem", REFUSE, CHAINED, pem=b"no certificate"),
        case("junk-pem", REFUSE, CHAINED, pem=b"-----BEGIN CERTIFICATE-----\nanVuaw==\n-----END CERTIFICATE-----\n"),
        case("not-yet-valid-leaf", REFUSE, soon, CA),
        case("path-length-exceeded", REFUSE, bundle(certify(LEAF, label="leaf", issuer=long_chain), long_chain), short),
        case("same-name-other-key", REFUSE, direct, authority("Test CA", "impostor")),
        case("intermediate-for-code-signing", REFUSE, through(usages=(CODE_SIGNING,)), CA),
        case("intermediate-for-server-authentication", ACCEPT, through(usages=(SERVER_AUTH,)), CA),
        case("intermediate-critical-extension", REFUSE, through(critical="1.2.3.4.5"), CA),
        case("intermediate-that-may-not-sign", REFUSE, through(certificate_signing=False), CA),
        case(
            "intermediate-name-constraint",
            ACCEPT,
            through(name_constraint="example.com"),
            CA,
            stricter="name-constraints",
        ),
        case("long-chain", ACCEPT, _long_chain(6), CA),
        case("longer-chain", ACCEPT, _long_chain(12), CA, stricter="bounds"),
        case("rsa-chain", ACCEPT, bundle(certify(LEAF, "rsa2048", "leaf", CA)), CA),
        case("damaged-leaf-signature", REFUSE, damaged(direct), CA),
        case("damaged-self-signed-leaf-pinned", REFUSE, damaged(leaf()), certify(LEAF, label="leaf")),
        *(case(name, expect, key, made) for name, expect, (key, made) in forms),
        Case(
            "ca/prefix-of-the-name",
            (lambda stage: stage.pin_ca(CA.pem, "registry.example.com/te"),),
            ACCEPT,
            start=rooted(CHAINED),
        ),
        Case("ca/empty-prefix", (lambda stage: stage.pin_ca(CA.pem, ""),), ACCEPT, start=rooted(CHAINED)),
    ]


def _long_chain(intermediates: int) -> SigningKey:
    chain = [CA]
    for number in range(intermediates):
        chain.insert(0, authority(f"Link {number}", f"link {number}", chain[0]))
    return bundle(certify(LEAF, label="leaf", issuer=chain[0]), *chain[:-1])


def _rotations() -> list[Case]:
    new = root_key(NAME, label="new")
    rsa_old, rsa_new = root_key(NAME, "rsa2048", "rsa old"), root_key(NAME, "rsa2048", "rsa new")

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

    def both(*steps: Step) -> Step:
        return lambda stage: [step(stage) for step in steps]

    rotate: Step = lambda stage: stage.repository.rotate("root", new)  # noqa: E731 - a step is a function
    to_chained: Step = lambda stage: stage.repository.rotate("root", CHAINED)  # noqa: E731 - a step is a function
    to_foreign: Step = lambda stage: stage.repository.rotate("root", new)  # noqa: E731 - a step is a function
    return [
        later("rotation/both-sign", ACCEPT, rotating(new)),
        later("rotation/both-sign-rsa", ACCEPT, rotating(rsa_new), start=rooted(rsa_old)),
        later("rotation/ecdsa-to-rsa", ACCEPT, rotating(rsa_new)),
        later("rotation/old-signature-missing", REFUSE, rotating(new, keep=False)),
        later("rotation/new-signature-missing", REFUSE, without_new_signature),
        later("rotation/no-keys-any-more", REFUSE, no_keys_before),
        later("rotation/to-a-bundle", ACCEPT, to_intermediate_expired),
        later("rotation/from-a-bundle", ACCEPT, rotating(new), start=rooted(CHAINED)),
        later("rotation/to-expired-certificate", REFUSE, rotating(leaf("new", not_after=EXPIRED))),
        later("rotation/to-another-name", REFUSE, rotating(leaf("new", common_name="other"))),
        later("rotation/to-sha1", REFUSE, rotating(leaf("new", digest="sha1"))),
        Case("rotation/only-old-pinned", then(pinned(OWN.true_id), rotate), ACCEPT),
        Case("rotation/both-pinned", then(pinned(OWN.true_id, new.true_id), rotate), ACCEPT),
        Case(
            "rotation/ca-pinned-to-outside",
            then(lambda stage: stage.pin_ca(CA.pem), to_foreign),
            ACCEPT,
            start=rooted(CHAINED),
        ),
        Case(
            "rotation/ca-pinned-within",
            then(lambda stage: stage.pin_ca(CA.pem), to_chained),
            ACCEPT,
            start=rooted(bundle(certify(LEAF, label="leaf", issuer=CA))),
        ),
        Case(
            "rotation/expired-cached-root-only-old-pinned",
            then(pinned(OWN.true_id), both(_expire_local_root, rotate)),
            REFUSE,
        ),
        Case(
            "rotation/expired-cached-root-both-pinned",
            then(pinned(OWN.true_id, new.true_id), both(_expire_local_root, rotate)),
            ACCEPT,
        ),
        Case(
            "rotation/expired-cached-root-only-new-pinned",
            (nothing, both(_expire_local_root, pinned(new.true_id), rotate)),
            ACCEPT,
        ),
        Case(
            "rotation/expired-cached-root-tofu-disabled",
            (nothing, both(_expire_local_root, _disable_tofu, rotate)),
            ACCEPT,
        ),
        Case("rotation/cached-root-then-other-pin", (nothing, pinned("f" * 64)), ACCEPT, "cached-root-overrides-pins"),
        Case("rotation/cached-root-then-right-pin", (nothing, pinned(OWN.true_id)), ACCEPT),
        Case(
            "rotation/cached-root-then-other-ca",
            (nothing, lambda stage: stage.pin_ca(OTHER_CA.pem)),
            ACCEPT,
            "cached-root-overrides-pins",
        ),
    ]


def _disable_tofu(stage: Stage) -> None:
    stage.pinning = Pinning(disable_tofu=True)


def _expire_local_root(stage: Stage) -> None:
    twin = stage.repository.clone()
    twin.expire("root")
    twin.publish(everything=True, bump=False)
    stage.local("root", twin.current["root"])


CASES: Final = (*_pins(), *_authorities(), *_rotations())
