"""Paths to a pinned authority: the ones that Go's verifier builds, and no other."""

import itertools
import time
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import dsa, ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from imgsig.limits import Limits
from imgsig.notary.certificates import ParsedCertificate, parse_certificate
from imgsig.notary.chains import find_anchor
from tests.support.root_certificates import (
    ANY_USAGE,
    CLIENT_AUTH,
    CODE_SIGNING,
    NOT_AFTER,
    NOT_BEFORE,
    SERVER_AUTH,
    CertificateForm,
    Certified,
    authority,
    certify,
)
from tests.support.signing import private_key

AT = datetime(2027, 1, 1, tzinfo=UTC)
AUTHORITY = CertificateForm(None, authority=True, certificate_signing=True)
LEAF = CertificateForm("leaf")
CA = authority("CA", "ca")


def found(
    leaf: Certified | bytes,
    intermediates: Sequence[Certified | bytes],
    anchors: Sequence[Certified | bytes],
    *,
    at: datetime = AT,
    limits: Limits | None = None,
) -> str:
    """Return the common name of the anchor that is found; empty for none."""
    anchor = find_anchor(read(leaf), [*map(read, intermediates)], [*map(read, anchors)], at, limits or Limits())
    return "" if anchor is None else anchor.common_name


def read(certificate: Certified | bytes) -> ParsedCertificate:
    return parse_certificate(certificate if isinstance(certificate, bytes) else certificate.der)


def leaf(issuer: Certified | None, **form: object) -> Certified:
    return certify(replace(LEAF, **form), "p256", "leaf", issuer)  # type: ignore[arg-type]


def below(**form: object) -> Certified:
    """Return an authority below the CA."""
    return certify(replace(AUTHORITY, **{"common_name": "Middle", **form}), "p256", "middle", CA)  # type: ignore[arg-type]


def test_a_leaf_below_an_anchor_is_found() -> None:
    assert found(leaf(CA), [], [CA]) == "CA"


def test_a_leaf_below_an_intermediate_is_found_if_that_is_there() -> None:
    middle = below()
    assert found(leaf(middle), [middle], [CA]) == "CA"
    assert found(leaf(middle), [CA, middle, CA], [CA]) == "CA"
    assert not found(leaf(middle), [], [CA])
    assert found(leaf(middle), [], [middle]) == "Middle"
    assert not found(leaf(middle), [middle, CA], [authority("Other", "other")])
    assert not found(leaf(middle), [middle], [])


def test_an_anchor_is_the_certificate_itself() -> None:
    own = leaf(None)
    assert found(own, [], [own]) == "leaf"
    assert not found(own, [], [leaf(None, serial=2)])
    assert not found(own, [own], [CA])


def test_an_issuer_of_the_same_name_with_another_key_is_none() -> None:
    assert not found(leaf(CA), [], [authority("CA", "another ca")])
    assert found(leaf(CA), [], [authority("CA", "another ca"), CA]) == "CA"


def test_an_issuer_with_the_same_key_and_another_name_is_none() -> None:
    assert not found(leaf(CA), [], [authority("Other", "ca")])


def test_a_damaged_signature_ends_the_path() -> None:
    body = leaf(CA).der
    assert not found(body[:-1] + bytes([body[-1] ^ 1]), [], [CA])


# -- who may issue --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("form", "may_issue"),
    [
        (AUTHORITY, True),
        (CertificateForm(None, authority=True), True),
        (CertificateForm(None, authority=True, certificate_signing=False), False),
        (CertificateForm(None, authority=False), False),
        (CertificateForm(None, authority=False, certificate_signing=True), False),
        (CertificateForm(None), False),
        (CertificateForm(None, certificate_signing=True), False),
        (replace(AUTHORITY, usages=(SERVER_AUTH,)), True),
        (replace(AUTHORITY, usages=(ANY_USAGE,)), True),
        (replace(AUTHORITY, usages=(CODE_SIGNING, SERVER_AUTH)), True),
        (replace(AUTHORITY, usages=(CODE_SIGNING,)), False),
        (replace(AUTHORITY, usages=(CLIENT_AUTH,)), False),
        (replace(AUTHORITY, critical="1.2.3.4.5"), False),
        (replace(AUTHORITY, name_constraint="example.com"), False),
        (replace(AUTHORITY, not_after=AT - timedelta(days=1)), False),
        (replace(AUTHORITY, not_before=AT + timedelta(hours=1)), False),
    ],
)
def test_an_authority_may_issue_or_not_as_anchor_and_in_between(form: CertificateForm, may_issue: bool) -> None:
    anchor = certify(replace(form, common_name="Special"), "p256", "special")
    assert found(leaf(anchor), [], [anchor]) == ("Special" if may_issue else "")
    middle = certify(replace(form, common_name="Special"), "p256", "special", CA)
    assert found(leaf(middle), [middle], [CA]) == ("CA" if may_issue else "")


@pytest.mark.parametrize(
    ("form", "usable"),
    [
        ({}, True), ({"usages": (SERVER_AUTH,)}, True), ({"usages": (CODE_SIGNING, SERVER_AUTH)}, True),
        ({"usages": (ANY_USAGE,)}, True), ({"usages": (CODE_SIGNING,)}, False), ({"usages": (CLIENT_AUTH,)}, False),
        ({"critical": "1.2.3.4.5"}, False), ({"authority": False}, True), ({"certificate_signing": False}, True),
        ({"not_before": AT + timedelta(hours=23)}, False), ({"not_before": AT}, True), ({"not_after": AT}, True),
        ({"not_after": AT - timedelta(seconds=1)}, False), ({"name_constraint": "example.com"}, False),
    ],
)  # fmt: skip
def test_a_leaf_is_valid_without_leeway_and_for_servers(form: dict[str, object], usable: bool) -> None:
    assert bool(found(leaf(CA, **form), [], [CA])) is usable
    own = leaf(None, **form)
    assert bool(found(own, [], [own])) is usable


@pytest.mark.parametrize("at_the_anchor", [True, False])
@pytest.mark.parametrize(
    ("length", "between", "fits"), [(0, 0, True), (0, 1, False), (1, 1, True), (1, 2, False), (2, 2, True)]
)
def test_path_lengths_are_kept(length: int, between: int, fits: bool, at_the_anchor: bool) -> None:
    form = replace(AUTHORITY, common_name="Top", path_length=length)
    top = certify(form, "p256", "top") if at_the_anchor else certify(form, "p256", "top", CA)
    chain = [top]
    for number in range(between):
        chain.append(authority(f"Level {number}", f"level {number}", chain[-1]))
    anchor = top if at_the_anchor else CA
    assert bool(found(leaf(chain[-1]), chain, [anchor])) is fits


def test_a_certificate_issued_by_itself_counts_as_one_in_between() -> None:
    top = certify(replace(AUTHORITY, common_name="Top", path_length=0), "p256", "top")
    again = certify(replace(AUTHORITY, common_name="Top"), "p256", "top again", top)
    assert not found(certify(LEAF, "p256", "leaf", again), [again], [top])


def test_a_path_is_bounded() -> None:
    chain = [CA]
    for number in range(7):
        chain.append(authority(f"Level {number}", f"level {number}", chain[-1]))
    assert found(leaf(chain[6]), chain[1:7], [CA]) == "CA"
    assert not found(leaf(chain[7]), chain[1:8], [CA])
    assert not found(leaf(chain[6]), chain[1:7], [CA], limits=Limits(max_chain_certificates=7))


def test_a_crafted_bundle_does_not_take_long() -> None:
    authorities = [authority("Loop", f"loop {number}") for number in range(6)]
    crossed = [
        certify(replace(AUTHORITY, common_name="Loop", serial=serial), "p256", f"loop {key}", issuer)
        for serial, (key, issuer) in enumerate(itertools.product(range(6), authorities), start=1)
    ]
    before = time.process_time()
    assert not found(leaf(authorities[0]), crossed, [CA])
    assert time.process_time() - before < 5


def test_many_anchors_of_other_names_cost_nothing() -> None:
    others = [certify(replace(AUTHORITY, common_name=f"CA {number}"), "p256", "others") for number in range(300)]
    assert found(leaf(CA), [], [*others, CA]) == "CA"


def test_the_same_key_under_the_same_name_is_in_a_path_once() -> None:
    own = authority("leaf", "leaf")
    assert not found(certify(LEAF, "p256", "leaf", own), [], [own])


def test_cross_signed_authorities_are_no_trap() -> None:
    first, second = authority("A", "a"), authority("B", "b")
    first_by_second = certify(replace(AUTHORITY, common_name="A", serial=2), "p256", "a", second)
    second_by_first = certify(replace(AUTHORITY, common_name="B", serial=2), "p256", "b", first)
    crossed = [first_by_second, second_by_first]
    assert found(leaf(first), crossed, [second]) == "B"
    assert found(leaf(first), crossed, [first]) == "A"
    assert not found(leaf(first), crossed, [CA])


# -- signatures -----------------------------------------------------------------------------------------------------


def signed(
    key: ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey | ed25519.Ed25519PrivateKey | dsa.DSAPrivateKey,
    digest: hashes.SHA224 | hashes.SHA256 | hashes.SHA384 | hashes.SHA512 | hashes.SHA3_256 | None,
    *,
    issuer: bool = False,
    pss: padding.PSS | None = None,
    names: x509.GeneralNames | None = None,
) -> bytes:
    """Return a leaf, or the authority that issues it, signed in an unusual way."""
    top = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Top")])
    bottom = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "leaf")])
    public = key if issuer else private_key("p256", "leaf")
    builder = x509.CertificateBuilder().issuer_name(top).subject_name(top if issuer else bottom).serial_number(1)
    builder = builder.not_valid_before(NOT_BEFORE).not_valid_after(NOT_AFTER).public_key(public.public_key())
    if issuer:
        builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
    if names is not None:
        builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=True)
    made = builder.sign(key, digest, rsa_padding=pss) if pss else builder.sign(key, digest)
    return made.public_bytes(Encoding.DER)


EC, RSA = private_key("p384", "top"), private_key("rsa2048", "top")
ED25519 = ed25519.Ed25519PrivateKey.from_private_bytes(bytes(32))
assert isinstance(EC, ec.EllipticCurvePrivateKey)
assert isinstance(RSA, rsa.RSAPrivateKey)


@pytest.mark.parametrize("digest", [hashes.SHA256(), hashes.SHA384(), hashes.SHA512()])
@pytest.mark.parametrize("kind", ["ec", "rsa", "pss"])
def test_signatures_that_count(kind: str, digest: hashes.SHA256 | hashes.SHA384 | hashes.SHA512) -> None:
    key = EC if kind == "ec" else RSA
    assert isinstance(key, ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey)
    pss = padding.PSS(padding.MGF1(digest), digest.digest_size) if kind == "pss" else None
    assert found(signed(key, digest, pss=pss), [], [signed(key, digest, issuer=True)]) == "Top"


def test_ed25519_counts() -> None:
    assert found(signed(ED25519, None), [], [signed(ED25519, None, issuer=True)]) == "Top"


@pytest.mark.parametrize("kind", ["ec", "rsa", "pss"])
@pytest.mark.parametrize("digest", [hashes.SHA224(), hashes.SHA3_256()])
def test_hashes_that_go_does_not_know_do_not_count(kind: str, digest: hashes.SHA224 | hashes.SHA3_256) -> None:
    key = EC if kind == "ec" else RSA
    assert isinstance(key, ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey)
    pss = padding.PSS(padding.MGF1(digest), 32) if kind == "pss" else None
    assert not found(signed(key, digest, pss=pss), [], [signed(key, hashes.SHA256(), issuer=True)])


def test_dsa_does_not_count() -> None:
    key = dsa.generate_private_key(2048)
    assert not found(signed(key, hashes.SHA256()), [], [signed(key, hashes.SHA256(), issuer=True)])


@pytest.mark.parametrize("kind", ["p256", "rsa2048"])
def test_sha_1_does_not_count(kind: str) -> None:
    weak = certify(CertificateForm("CA", authority=True, digest="sha1"), kind, "weak")
    issued_by_weak = certify(LEAF, "p256", "leaf", weak)
    assert found(issued_by_weak, [], [weak]) == "CA"  # an anchor's own signature is not looked at
    assert not found(weak, [], [CA])


@pytest.mark.parametrize(
    ("names", "handled"),
    [
        ([x509.DNSName("example.com")], True),
        ([x509.RFC822Name("a@example.com")], True),
        ([x509.UniformResourceIdentifier("https://example.com")], True),
        ([x509.RegisteredID(x509.ObjectIdentifier("1.2.3"))], False),
        ([x509.DirectoryName(x509.Name([]))], False),
        ([x509.DirectoryName(x509.Name([])), x509.DNSName("example.com")], True),
    ],
)
def test_critical_alternative_names_are_handled_if_one_is_known(names: list[x509.GeneralName], handled: bool) -> None:
    body = signed(EC, hashes.SHA256(), names=x509.GeneralNames(names))
    assert bool(found(body, [], [signed(EC, hashes.SHA256(), issuer=True)])) is handled
