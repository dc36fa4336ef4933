"""One root document: sound by its own keys, following the one before, trusted by the anchor."""

from datetime import UTC, datetime, timedelta

import pytest

from imgsig.codes import Code
from imgsig.errors import RejectedError
from imgsig.limits import Limits
from imgsig.memory import Memory
from imgsig.notary.roots import (
    RootRules,
    TrustedRoot,
    check_root_expiry,
    check_unexpired,
    verify_anchor,
    verify_root,
)
from imgsig.notary.settings import Anchor, FirstUse, RootCA, RootKeys
from imgsig.sections import RootFile
from imgsig.trust import Evidence
from tests.support.repository import NAME, SignedRepository
from tests.support.root_certificates import CertificateForm, authority, bundle, certify, root_key
from tests.support.signing import SigningKey, make_key

AT = datetime(2027, 1, 1, tzinfo=UTC)
FIRST, SECOND, THIRD = (root_key(NAME, label=label) for label in ("first", "second", "third"))

TWIN = root_key(NAME, label="first", form=CertificateForm(NAME, serial=2))
"""Another certificate for the first key."""


def rules(*, name: str = NAME, at: datetime = AT) -> RootRules:
    return RootRules(name, at, Limits(), Memory())


def root_of(
    *keys: SigningKey, threshold: int = 1, signers: tuple[SigningKey, ...] | None = None, version: int = 1
) -> bytes:
    repository = SignedRepository(publish=False)
    repository.list_keys("root", *keys, threshold=threshold)
    repository.signers["root"] = list(keys if signers is None else signers)
    repository.root["version"] = version
    repository.publish(bump=False)
    return repository.current["root"]


def trusted(
    body: bytes, *, previous: TrustedRoot | None = None, min_version: int = 1, at: datetime = AT
) -> TrustedRoot:
    return verify_root(body, rules(at=at), previous=previous, min_version=min_version)


def code(body: bytes, *, previous: TrustedRoot | None = None, min_version: int = 1, at: datetime = AT) -> Code:
    with pytest.raises(RejectedError) as caught:
        trusted(body, previous=previous, min_version=min_version, at=at)
    return caught.value.code


# -- by its own keys ------------------------------------------------------------------------------------------------


def test_a_root_signed_by_its_own_keys_is_sound() -> None:
    body = root_of(FIRST, SECOND, threshold=2)
    root = trusted(body)
    assert root.body == body
    assert root.root.version == 1
    assert root.key_ids == tuple(sorted([FIRST.canonical_id, SECOND.canonical_id]))


def test_the_first_certificate_of_a_signer_to_expire_is_told() -> None:
    soon = bundle(certify(CertificateForm(NAME, not_after=AT + timedelta(days=3)), label="soon"))
    assert trusted(root_of(FIRST, soon)).certificates_until == AT + timedelta(days=3)
    assert trusted(root_of(FIRST, soon, signers=(FIRST,))).certificates_until.year == 2120


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (b"{}", Code.MALFORMED),
        (root_of(make_key("p256", "bare")), Code.ROOT_CERTIFICATE),
        (root_of(root_key("other")), Code.ROOT_CERTIFICATE),
        (root_of(FIRST, signers=()), Code.SIGNATURE),
        (root_of(FIRST, signers=(SECOND,)), Code.THRESHOLD),
        (root_of(FIRST, SECOND, threshold=2, signers=(FIRST,)), Code.THRESHOLD),
        (root_of(FIRST, threshold=2), Code.THRESHOLD),
        (root_of(FIRST, TWIN, threshold=2), Code.THRESHOLD),
        (root_of(FIRST.with_signing_id(FIRST.canonical_id)), Code.THRESHOLD),
        (root_of(FIRST, root_key("other", label="x"), threshold=2), Code.THRESHOLD),
    ],
)
def test_an_unsound_root_is_refused(body: bytes, expected: Code) -> None:
    assert code(body) is expected


def test_a_root_is_for_one_name() -> None:
    with pytest.raises(RejectedError) as caught:
        verify_root(root_of(FIRST), rules(name=NAME + "/other"), previous=None, min_version=1)
    assert caught.value.code is Code.ROOT_CERTIFICATE


def test_certificates_are_looked_at_as_of_the_time_asked_about() -> None:
    body = root_of(FIRST)
    assert code(body, at=datetime(2019, 12, 30, tzinfo=UTC)) is Code.ROOT_CERTIFICATE
    assert code(body, at=datetime(2121, 1, 1, tzinfo=UTC)) is Code.ROOT_CERTIFICATE
    trusted(body, at=datetime(2119, 1, 1, tzinfo=UTC))


def test_a_root_may_not_be_older() -> None:
    body = root_of(FIRST, version=4)
    trusted(body, min_version=4)
    assert code(body, min_version=5) is Code.ROLLBACK


# -- after another --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("old_threshold", "new", "signers", "expected"),
    [
        (1, (SECOND,), (FIRST, SECOND), None),
        (1, (SECOND,), (SECOND,), Code.ROOT_ROTATION),
        (1, (SECOND,), (FIRST,), Code.THRESHOLD),
        (1, (FIRST,), (FIRST,), None),
        (1, (FIRST, SECOND), (FIRST,), None),
        (1, (FIRST, SECOND), (SECOND,), Code.ROOT_ROTATION),
        (1, (SECOND,), (), Code.ROOT_ROTATION),
        (2, (SECOND, THIRD), (FIRST, SECOND, THIRD), None),
        (2, (SECOND, THIRD), (SECOND, THIRD), Code.ROOT_ROTATION),
        (2, (SECOND, THIRD), (FIRST, SECOND), None),
        (2, (THIRD,), (FIRST, THIRD), Code.ROOT_ROTATION),
    ],
)
def test_a_root_follows_by_the_old_threshold_and_its_own(
    old_threshold: int, new: tuple[SigningKey, ...], signers: tuple[SigningKey, ...], expected: Code | None
) -> None:
    old_keys = (FIRST,) if old_threshold == 1 else (FIRST, SECOND)
    old = trusted(root_of(*old_keys, threshold=old_threshold))
    body = root_of(*new, signers=signers, version=2)
    if expected is None:
        assert trusted(body, previous=old, min_version=1).root.version == 2
    else:
        assert code(body, previous=old) is expected


def test_two_certificates_of_one_key_reach_no_old_threshold_of_two() -> None:
    old = trusted(root_of(FIRST, SECOND, threshold=2))
    body = root_of(FIRST, TWIN, version=2)
    assert code(body, previous=old) is Code.ROOT_ROTATION


def test_the_old_keys_may_have_expired_meanwhile() -> None:
    ends = AT + timedelta(days=3)
    old_key = bundle(certify(CertificateForm(NAME, not_after=ends), label="ends"))
    old = trusted(root_of(old_key))
    body = root_of(SECOND, signers=(old_key, SECOND), version=2)
    assert trusted(body, previous=old, at=ends + timedelta(days=1)).root.version == 2
    assert code(root_of(old_key, version=2), previous=old, at=ends + timedelta(days=1)) is Code.ROOT_CERTIFICATE


def test_an_intermediate_that_has_expired_demands_signatures_under_both_ids() -> None:
    ends = AT + timedelta(days=3)
    intermediate = certify(CertificateForm("CA", authority=True, not_after=ends), label="ends")
    leaf = certify(CertificateForm(NAME), label="leaf")
    whole, alone = bundle(leaf, intermediate), bundle(leaf)
    old, later = trusted(root_of(whole)), ends + timedelta(days=1)
    assert code(root_of(whole, version=2), previous=old, at=later) is Code.THRESHOLD
    assert code(root_of(whole, signers=(alone,), version=2), previous=old, at=later) is Code.ROOT_ROTATION
    trusted(root_of(whole, signers=(whole, alone), version=2), previous=old, at=later)


# -- the anchor -----------------------------------------------------------------------------------------------------


def evidence(body: bytes, anchor: Anchor) -> Evidence:
    return verify_anchor(trusted(body), anchor, rules())


def refusal(body: bytes, anchor: Anchor) -> RejectedError:
    with pytest.raises(RejectedError) as caught:
        evidence(body, anchor)
    assert (caught.value.code, caught.value.subject) == (Code.ANCHOR_MISMATCH, "root")
    return caught.value


def test_first_use_leaves_no_ids() -> None:
    assert evidence(root_of(FIRST), FirstUse()) == Evidence("first-use", ())


def test_pinned_keys_alone_must_reach_the_threshold() -> None:
    body = root_of(FIRST, SECOND, threshold=2)
    pins = sorted([FIRST.true_id, SECOND.canonical_id])
    assert evidence(body, RootKeys(pins)) == Evidence("root-keys", tuple(pins))
    refusal(body, RootKeys([FIRST.true_id]))
    refusal(root_of(FIRST, SECOND, signers=(SECOND,)), RootKeys([FIRST.true_id]))
    assert evidence(root_of(FIRST, SECOND), RootKeys([FIRST.true_id])).ids == (FIRST.true_id,)


def test_evidence_names_only_pins_whose_keys_have_signed() -> None:
    body = root_of(FIRST, SECOND, signers=(SECOND,))
    assert evidence(body, RootKeys([FIRST.true_id, SECOND.true_id])).ids == (SECOND.true_id,)


def test_a_pin_of_another_role_s_key_is_none() -> None:
    repository = SignedRepository()
    refusal(repository.current["root"], RootKeys([repository.signers["targets"][0].id]))


def test_what_is_offered_is_shown() -> None:
    error = refusal(root_of(FIRST, SECOND), RootKeys(["0" * 64]))
    for key in (FIRST, SECOND):
        assert key.canonical_id in error.found
        assert key.true_id in error.found
    assert error.expected == "root-keys"
    assert isinstance(error.__cause__, RejectedError)


def test_a_root_file_is_no_reason_to_trust_an_offered_root() -> None:
    body = root_of(FIRST)
    refusal(body, RootFile(body))


def test_an_authority_must_have_issued_enough_of_the_signers() -> None:
    ca = authority("CA", "ca")
    issued = root_key(NAME, chain=(ca,))
    anchor = RootCA(ca.pem)
    assert evidence(root_of(issued, FIRST), anchor).kind == "root-ca"
    refusal(root_of(issued, FIRST, threshold=2), anchor)
    refusal(root_of(FIRST), anchor)
    refusal(root_of(issued, FIRST, signers=(FIRST,)), anchor)


# -- expiry ---------------------------------------------------------------------------------------------------------


def test_the_very_moment_of_expiry_is_still_good() -> None:
    expires = datetime(2030, 1, 1, tzinfo=UTC)
    check_unexpired("targets", expires, expires)
    with pytest.raises(RejectedError) as caught:
        check_unexpired("targets", expires, expires + timedelta(microseconds=1))
    error = caught.value
    assert (error.code, error.subject, error.found) == (Code.EXPIRED, "targets", "2030-01-01T00:00:00+00:00")


@pytest.mark.parametrize("at", [datetime(1, 1, 1, tzinfo=UTC), datetime(9999, 12, 31, 23, 59, 59, 999999, UTC)])
def test_every_time_can_be_compared(at: datetime) -> None:
    root = trusted(root_of(FIRST))
    if at.year == 1:
        check_root_expiry(root, at)
    else:
        with pytest.raises(RejectedError, match="root has expired on 2090-01-01"):
            check_root_expiry(root, at)
    with pytest.raises(RejectedError):
        check_unexpired("targets", datetime(1, 1, 1, tzinfo=UTC), datetime(1, 1, 1, 0, 0, 1, tzinfo=UTC))


def test_what_was_found_for_one_set_of_keys_serves_no_other() -> None:
    """The memory that a verifier keeps must not make a pinned root of one that is only sound."""
    shared = rules()
    body = root_of(FIRST, SECOND)
    offered = verify_root(body, shared, previous=None, min_version=1)
    verify_anchor(offered, RootKeys([FIRST.true_id]), shared)
    with pytest.raises(RejectedError):
        verify_anchor(offered, RootKeys(["0" * 64]), shared)
    verify_anchor(offered, RootKeys([SECOND.true_id]), shared)
    other = RootRules("other", AT, Limits(), shared.memory)
    with pytest.raises(RejectedError):
        verify_root(body, other, previous=None, min_version=1)
    later = RootRules(NAME, datetime(2121, 1, 1, tzinfo=UTC), Limits(), shared.memory)
    with pytest.raises(RejectedError):
        verify_root(body, later, previous=None, min_version=1)
