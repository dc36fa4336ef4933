"""Why a root is trusted: certificates that make a key usable, and the anchor that trusts it."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from hashlib import sha256

import pytest

from imgsig.codes import Code
from imgsig.errors import RejectedError
from imgsig.limits import Limits
from imgsig.notary.metadata import Root, parse_root
from imgsig.notary.pinning import (
    RootKey,
    acceptable_root_keys,
    anchored_keys,
    fingerprint,
    keys_by_id,
    previous_root_keys,
    still_satisfies,
)
from imgsig.notary.settings import Anchor, FirstUse, RootCA, RootKeys
from imgsig.sections import RootFile
from imgsig.trust import Evidence
from tests.support.repository import NAME, SignedRepository
from tests.support.root_certificates import (
    CODE_SIGNING,
    NOT_AFTER,
    NOT_BEFORE,
    CertificateForm,
    authority,
    bundle,
    certify,
    damaged,
    root_key,
)
from tests.support.signing import SigningKey, make_key

AT = datetime(2027, 1, 1, tzinfo=UTC)
LIMITS = Limits()
AUTHORITY = CertificateForm(None, authority=True, certificate_signing=True)
CA = authority("CA", "ca")
MIDDLE = authority("Middle", "middle", CA)
OLD = certify(replace(AUTHORITY, common_name="Old", not_after=datetime(2021, 1, 1, tzinfo=UTC)), label="old")
WEAK = certify(replace(AUTHORITY, common_name="Weak", digest="sha1"), label="weak")
LEAF = certify(CertificateForm(NAME), label="leaf")
OWN = bundle(LEAF)
CHAINED = root_key(NAME, chain=(MIDDLE, CA))


def root_of(*keys: SigningKey) -> Root:
    repository = SignedRepository(publish=False)
    repository.set_keys("root", *keys)
    repository.publish()
    return parse_root(repository.current["root"], LIMITS)


def usable(*keys: SigningKey, at: datetime = AT) -> tuple[RootKey, ...]:
    return acceptable_root_keys(root_of(*keys), NAME, at, LIMITS)


def usable_ids(*keys: SigningKey, at: datetime = AT) -> list[str]:
    return [key.key.key_id for key in usable(*keys, at=at)]


def fault(*keys: SigningKey, at: datetime = AT) -> RejectedError:
    with pytest.raises(RejectedError) as caught:
        usable(*keys, at=at)
    assert (caught.value.code, caught.value.subject) == (Code.ROOT_CERTIFICATE, "root")
    return caught.value


# -- usable keys ----------------------------------------------------------------------------------------------------


def test_a_key_is_usable_under_the_id_of_its_certificates() -> None:
    (key,) = usable(OWN)
    assert (key.key.key_id, key.key.canonical_id) == (OWN.true_id, OWN.canonical_id)
    assert key.leaf.common_name == NAME
    assert key.intermediates == ()
    assert key.not_after == NOT_AFTER
    assert usable_ids(CHAINED) == [CHAINED.true_id]


@pytest.mark.parametrize(
    "written",
    [
        OWN.with_public(OWN.public.replace(b"\n", b"\r\n")),
        OWN.with_public(OWN.public.rstrip()),
        OWN.with_public(b"text\n" + OWN.public + b"text"),
        OWN.with_public(OWN.public.replace(b"E-----\n", b"E-----\nOwner: me\n\n", 1)),
        OWN.with_public(OWN.public.replace(b"\n", b" \n")),
        OWN.with_keytype("rsa-x509"),
        OWN.with_keytype("ecdsa"),
        OWN.with_keytype("strange"),
        OWN.with_id("0" * 64),
        bundle(LEAF, OLD),
        bundle(LEAF, WEAK),
        bundle(LEAF, OLD, WEAK),
    ],
)
def test_the_id_is_that_of_the_certificates_written_anew(written: SigningKey) -> None:
    assert written.true_id != OWN.true_id or written.listed_id != OWN.true_id
    assert usable_ids(written) == [OWN.true_id]


def test_usable_intermediates_stay_in_their_order() -> None:
    assert usable_ids(bundle(LEAF, CA, OLD, MIDDLE)) == [bundle(LEAF, CA, MIDDLE).true_id]


def test_the_first_certificate_to_expire_ends_a_key() -> None:
    soon = certify(replace(AUTHORITY, common_name="Soon", not_after=AT + timedelta(days=9)), label="soon")
    (key,) = usable(bundle(LEAF, soon, CA))
    assert key.not_after == AT + timedelta(days=9)


@pytest.mark.parametrize(
    ("form", "why"),
    [
        (CertificateForm("registry.example.com/team/other"), "made for 'registry.example.com/team/other'"),
        (CertificateForm(NAME + "/*"), "made for"),
        (CertificateForm(None, organization="x"), "made for ''"),
        (CertificateForm(NAME, not_after=AT - timedelta(seconds=1)), "expired"),
        (CertificateForm(NAME, not_before=AT + timedelta(days=1, seconds=1)), "not valid before"),
        (CertificateForm(NAME, digest="sha1"), "SHA-1"),
        (CertificateForm(NAME, authority=True), "no certificate that can be read"),
    ],
)
def test_a_key_is_not_usable_and_the_error_says_why(form: CertificateForm, why: str) -> None:
    error = fault(root_key(NAME, form=form))
    assert why in str(error)
    assert NAME in str(error)
    assert error.found in str(error)


@pytest.mark.parametrize(
    "form",
    [
        CertificateForm(NAME, not_before=AT + timedelta(hours=23)),
        CertificateForm(NAME, not_after=AT),
        CertificateForm("registry.example.com/*"),
        CertificateForm("*"),
        CertificateForm(NAME, usages=(CODE_SIGNING,), certificate_signing=False, critical="1.2.3"),
    ],
)
def test_other_certificates_are_usable(form: CertificateForm) -> None:
    assert len(usable(root_key(NAME, form=form))) == 1


@pytest.mark.parametrize("kind", ["p224", "p256", "p384", "p521", "rsa2048"])
def test_every_kind_of_certificate_that_can_sign_is_usable(kind: str) -> None:
    key = root_key(NAME, kind)
    assert usable_ids(key) == [key.true_id]


@pytest.mark.parametrize(
    "key",
    [
        make_key("p256"), make_key("ed25519"), root_key(NAME, "rsa1024"), root_key(NAME, "secp256k1"), bundle(CA),
        bundle(MIDDLE, LEAF), bundle(LEAF, LEAF), OWN.with_public(b""), OWN.with_public(b"text"),
        OWN.with_public(OWN.public + b"-----BEGIN X-----\nYWJj\n-----END X-----\n"), bundle(LEAF, *[CA] * 16),
    ],
)  # fmt: skip
def test_other_keys_are_not(key: SigningKey) -> None:
    fault(key)


def test_a_certificate_of_an_ed25519_key_is_read_but_cannot_sign() -> None:
    key = bundle(certify(CertificateForm(NAME), "ed25519", "edwards"))
    assert "cannot sign" in str(fault(key))
    assert usable_ids(OWN, key) == [OWN.true_id]


def test_a_root_role_without_keys_has_none_that_is_usable() -> None:
    assert "no key" in str(fault())


def test_the_error_shows_a_few_keys_only_and_nothing_unescaped() -> None:
    keys = [root_key(NAME, "p256", f"{index}", form=CertificateForm("\u202e" + "x" * 200)) for index in range(30)]
    error = fault(*keys)
    assert str(error).isascii()
    assert len(str(error)) < 700


def test_usable_keys_are_found_among_others() -> None:
    past = bundle(certify(CertificateForm(NAME, not_after=AT - timedelta(days=1)), label="past"))
    assert usable_ids(make_key("p256"), past, OWN, CHAINED, bundle(CA)) == [OWN.true_id, CHAINED.true_id]


def test_the_same_certificate_listed_twice_is_one_key() -> None:
    twice = OWN.with_listing_id("0" * 64)
    assert usable_ids(OWN, twice) == [OWN.true_id]


def test_keys_are_found_by_the_id_that_signs() -> None:
    found = keys_by_id(usable(OWN, bundle(LEAF, OLD), CHAINED))
    assert set(found) == {OWN.true_id, CHAINED.true_id}
    assert found[OWN.true_id].key_id == OWN.true_id


# -- keys of an earlier root ----------------------------------------------------------------------------------------


def test_an_earlier_root_s_keys_count_when_they_have_expired() -> None:
    past = bundle(certify(CertificateForm(NAME, not_after=datetime(2021, 1, 1, tzinfo=UTC)), label="past"), OLD)
    (key,) = previous_root_keys(root_of(past), NAME, LIMITS)
    assert key.key.key_id == past.true_id  # with its expired intermediate
    fault(past)


def test_an_earlier_root_s_keys_are_still_held_to_the_other_rules() -> None:
    weak = root_key(NAME, form=CertificateForm(NAME, digest="sha1"))
    other = root_key(NAME, form=CertificateForm("other"))
    short = root_key(NAME, "rsa1024")
    (key,) = previous_root_keys(root_of(weak, other, short, OWN), NAME, LIMITS)
    assert key.key.key_id == OWN.true_id
    assert previous_root_keys(root_of(weak, other, short), NAME, LIMITS) == ()


# -- anchors --------------------------------------------------------------------------------------------------------


def anchored(anchor: Anchor, *keys: SigningKey, at: datetime = AT) -> dict[str, str]:
    """Return the canonical ids of the trusted keys, with the pins that they satisfy."""
    found = anchored_keys(anchor, usable(*keys, at=at), at, LIMITS)
    return {key.key.canonical_id: pin for key, pin in found.items()}


def test_first_use_trusts_every_key_by_no_pin() -> None:
    assert anchored(FirstUse(), OWN, CHAINED) == {OWN.canonical_id: "", CHAINED.canonical_id: ""}


def test_a_root_file_names_no_keys() -> None:
    assert anchored(RootFile(b"{}"), OWN) == {}


def test_pins_are_ids_of_certificates_or_of_keys() -> None:
    for pin in (OWN.true_id, OWN.canonical_id):
        assert anchored(RootKeys([pin, "0" * 64]), OWN, CHAINED) == {OWN.canonical_id: pin}
    both = anchored(RootKeys([OWN.true_id, OWN.canonical_id, CHAINED.true_id]), OWN, CHAINED)
    assert both == {OWN.canonical_id: min(OWN.true_id, OWN.canonical_id), CHAINED.canonical_id: CHAINED.true_id}
    assert anchored(RootKeys(["0" * 64]), OWN) == {}


def test_a_pin_of_a_bundle_is_that_of_all_its_usable_certificates() -> None:
    leaf_alone = root_key(NAME, chain=(MIDDLE,)).true_id
    assert anchored(RootKeys([leaf_alone]), CHAINED) == {}
    with_old = bundle(LEAF, OLD)
    assert anchored(RootKeys([with_old.true_id]), with_old) == {}
    assert anchored(RootKeys([OWN.true_id]), with_old) == {OWN.canonical_id: OWN.true_id}


def ca_file(*certificates: bytes) -> RootCA:
    return RootCA(b"".join(certificates))


def hex_of(der: bytes) -> str:
    return sha256(der).hexdigest()


def test_authorities_trust_what_they_issued() -> None:
    assert anchored(ca_file(CA.pem), OWN, CHAINED) == {CHAINED.canonical_id: hex_of(CA.der)}
    assert anchored(ca_file(b"# comment\n", OLD.pem, CA.pem), CHAINED) == {CHAINED.canonical_id: hex_of(CA.der)}
    assert anchored(ca_file(MIDDLE.pem), CHAINED) == {CHAINED.canonical_id: hex_of(MIDDLE.der)}
    assert anchored(ca_file(LEAF.pem), OWN) == {OWN.canonical_id: hex_of(LEAF.der)}
    assert anchored(ca_file(authority("Other", "other").pem), CHAINED) == {}


def test_authorities_do_not_trust_what_id_pins_forgive() -> None:
    broken = damaged(OWN)
    assert anchored(RootKeys([broken.true_id]), broken)
    soon = bundle(certify(CertificateForm(NAME, not_before=AT + timedelta(hours=20)), label="soon", issuer=CA))
    assert anchored(FirstUse(), soon)
    assert anchored(ca_file(CA.pem), soon) == {}
    for_code = bundle(certify(CertificateForm(NAME, usages=(CODE_SIGNING,)), label="code", issuer=CA))
    assert anchored(ca_file(CA.pem), for_code) == {}


@pytest.mark.parametrize(
    "pem",
    [
        OLD.pem,
        WEAK.pem,
        OLD.pem + WEAK.pem,
        CA.pem + b"-----BEGIN X-----\nYWJj\n-----END X-----\n",
        CA.pem + b"-----BEGIN CERTIFICATE-----\nanVuaw==\n-----END CERTIFICATE-----\n",
        b"-----BEGIN CERTIFICATE-----\nanVuaw==\n-----END CERTIFICATE-----\n",
        b"-----BEGIN CERTIFICATE-----\n!\n-----END CERTIFICATE-----\n",
    ],
)
def test_a_file_of_authorities_that_cannot_be_used_trusts_nothing(pem: bytes) -> None:
    with pytest.raises(RejectedError, match="CA file") as caught:
        anchored(RootCA(pem), CHAINED)
    assert (caught.value.code, caught.value.subject) == (Code.ANCHOR_MISMATCH, "root")


# -- evidence -------------------------------------------------------------------------------------------------------


def evidence(kind: str, *ids: str) -> Evidence:
    return Evidence(kind, ids)


FILE = RootFile(b"root")
SATISFIED: Sequence[tuple[Evidence, Anchor]] = (
    (evidence("root-keys", "a" * 64), RootKeys(["a" * 64])),
    (evidence("root-keys", "a" * 64), RootKeys(["b" * 64, "a" * 64])),
    (evidence("root-keys", "a" * 64, "b" * 64), RootKeys(["b" * 64, "a" * 64])),
    (evidence("root-ca", hex_of(CA.der)), ca_file(CA.pem)),
    (evidence("root-ca", hex_of(CA.der)), ca_file(OLD.pem, CA.pem)),
    (evidence("root-file", hex_of(b"root")), FILE),
    (evidence("first-use"), FirstUse()),
    (evidence("root-keys", "a" * 64), FirstUse()),
    (evidence("root-ca", "x"), FirstUse()),
)
UNSATISFIED: Sequence[tuple[Evidence, Anchor]] = (
    (evidence("root-keys", "a" * 64), RootKeys(["b" * 64])),
    (evidence("root-keys", "a" * 64, "b" * 64), RootKeys(["a" * 64])),
    (evidence("root-keys"), RootKeys(["a" * 64])),
    (evidence("first-use"), RootKeys(["a" * 64])),
    (evidence("first-use", "a" * 64), RootKeys(["a" * 64])),
    (evidence("root-ca", "a" * 64), RootKeys(["a" * 64])),
    (evidence("root-ca", hex_of(CA.der)), ca_file(OLD.pem)),
    (evidence("root-ca"), ca_file(CA.pem)),
    (evidence("root-keys", hex_of(CA.der)), ca_file(CA.pem)),
    (evidence("root-ca", hex_of(CA.der)), ca_file(CA.pem, b"-----BEGIN X-----\nYWJj\n-----END X-----\n")),
    (evidence("root-file", hex_of(b"other")), FILE),
    (evidence("root-file"), FILE),
    (evidence("root-keys", hex_of(b"root")), FILE),
    (evidence("first-use"), ca_file(CA.pem)),
    (evidence("first-use"), FILE),
)


@pytest.mark.parametrize(("found", "anchor"), SATISFIED)
def test_a_stored_chain_serves_while_its_evidence_satisfies_the_anchor(found: Evidence, anchor: Anchor) -> None:
    assert still_satisfies(found, anchor)


@pytest.mark.parametrize(("found", "anchor"), UNSATISFIED)
def test_a_stored_chain_does_not_serve_under_another_anchor(found: Evidence, anchor: Anchor) -> None:
    assert not still_satisfies(found, anchor)


def test_an_unknown_anchor_trusts_nothing() -> None:
    with pytest.raises(AssertionError):
        anchored_keys(object(), usable(OWN), AT, LIMITS)  # type: ignore[arg-type]
    with pytest.raises(AssertionError):
        still_satisfies(Evidence("root-keys"), object())  # type: ignore[arg-type]


def test_a_fingerprint_is_the_sha256_of_the_certificate() -> None:
    (key,) = usable(OWN)
    assert fingerprint(key.leaf) == hex_of(LEAF.der)


def test_a_name_is_what_the_certificate_says_and_not_more() -> None:
    for name in (NAME + "x", NAME[:-1], NAME.upper(), "", "*"):
        with pytest.raises(RejectedError):
            acceptable_root_keys(root_of(OWN), name, AT, LIMITS)


@pytest.mark.parametrize(
    "at", [datetime(1, 1, 1, tzinfo=UTC), NOT_BEFORE, NOT_AFTER, datetime(9999, 12, 31, tzinfo=UTC)]
)
def test_the_time_is_an_argument(at: datetime) -> None:
    if at in {NOT_BEFORE, NOT_AFTER}:
        assert usable(OWN, at=at)
    else:
        fault(OWN, at=at)
