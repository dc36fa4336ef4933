"""The documents under one root: verified in order, hash by hash, never older, never believed before."""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

import pytest

from imgsig.codes import Code
from imgsig.errors import RejectedError
from imgsig.limits import Limits
from imgsig.memory import Memory
from imgsig.notary.metadata import Role, Targets
from imgsig.notary.roots import RootRules, verify_root
from imgsig.notary.trusted import SKIPPABLE, TrustedSet
from imgsig.trust import Floor
from tests.support.repository import SignedRepository
from tests.support.root_certificates import CertificateForm, certify, root_key
from tests.support.signing import make_key, signed_by

AT = datetime(2027, 1, 1, tzinfo=UTC)
Bend = Callable[[SignedRepository], Any]


def repository(bend: Bend | None = None) -> SignedRepository:
    made = SignedRepository(publish=False)
    made.add_delegation("targets/releases", tags=("latest",))
    made.add_delegation("targets/releases/a", tags=("a",))
    if bend is not None:
        bend(made)
    made.publish()
    return made


def trusted(made: SignedRepository, floors: Mapping[str, Floor] | None = None) -> TrustedSet:
    rules = RootRules(made.name, AT, Limits(), Memory())
    root = verify_root(made.current["root"], rules, previous=None, min_version=1)
    return TrustedSet(root, floors or {}, rules)


def load(made: SignedRepository, upto: str, floors: Mapping[str, Floor] | None = None) -> TrustedSet:
    """Load the documents in order, up to and with `upto`."""
    documents = trusted(made, floors)
    steps: dict[str, Callable[[], object]] = {
        "timestamp": lambda: documents.load_timestamp(made.current["timestamp"]),
        "snapshot": lambda: documents.load_snapshot(made.current["snapshot"]),
        "targets": lambda: documents.load_targets(made.current["targets"]),
        "targets/releases": lambda: delegate(documents, made, "targets/releases"),
        "targets/releases/a": lambda: delegate(documents, made, "targets/releases/a"),
    }
    for role, step in steps.items():
        step()
        if role == upto:
            return documents
    raise KeyError(upto)


def delegate(documents: TrustedSet, made: SignedRepository, name: str) -> Targets:
    parent = documents.roles[name.rpartition("/")[0]]
    return documents.load_delegation(parent, role_in(parent, name), made.current[name])


def role_in(parent: Targets, name: str) -> Role:
    return next(role for role in parent.delegations if role.name == name)


def refusal(made: SignedRepository, upto: str, floors: Mapping[str, Floor] | None = None) -> RejectedError:
    with pytest.raises(RejectedError) as caught:
        load(made, upto, floors)
    return caught.value


ALL = ("timestamp", "snapshot", "targets", "targets/releases", "targets/releases/a")


# -- what is accepted -----------------------------------------------------------------------------------------------


def test_everything_is_accepted_with_its_evidence() -> None:
    made = repository()
    documents = load(made, "targets/releases/a")
    assert set(documents.accepted) == set(ALL)
    assert set(documents.roles) == {"targets", "targets/releases", "targets/releases/a"}
    for role in ("root", *ALL):
        evidence = documents.evidence(role)
        assert (evidence.role, evidence.version, evidence.expires.year) == (role, 1, 2090)
        assert evidence.key_ids == (made.signers[role][0].canonical_id,)
    assert documents.floors == {
        role: Floor(1, (made.signers[role][0].canonical_id,), 1) for role in ALL
    }
    assert all(check.passed for check in documents.checks)
    assert {check.subject for check in documents.checks} == {"root", *ALL}
    assert documents.good_until.year == 2090


def test_the_first_thing_to_expire_ends_all() -> None:
    made = repository(lambda made: made.expire("targets/releases", "2031-02-03T00:00:00Z"))
    assert load(made, "targets").good_until.year == 2090
    assert load(made, "targets/releases").good_until == datetime(2031, 2, 3, tzinfo=UTC)


def test_documents_come_in_order() -> None:
    made = repository()
    documents = trusted(made)
    with pytest.raises(RuntimeError, match="timestamp comes before"):
        documents.load_snapshot(made.current["snapshot"])
    documents.load_timestamp(made.current["timestamp"])
    with pytest.raises(RuntimeError, match="snapshot comes before"):
        documents.load_targets(made.current["targets"])
    assert not documents.roles


# -- what is refused ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("role", ALL)
@pytest.mark.parametrize(
    ("bend", "code"),
    [
        (lambda made, role: made.expire(role), Code.EXPIRED),
        (lambda made, role: made.documents[role].update(version=0), Code.MALFORMED),
        (lambda made, role: made.documents[role].update(_type="Root"), Code.MALFORMED),
        (lambda made, role: made.sign(role, lambda _, __: []), Code.SIGNATURE),
        (lambda made, role: made.sign(role, signed_by(make_key("p256", "foreign"))), Code.THRESHOLD),
        (lambda made, role: made.set_threshold(role, 2), Code.THRESHOLD),
        (lambda made, role: made.list_keys(role, made.signers[role][0].with_listing_id("0" * 64)), Code.THRESHOLD),
        (lambda made, role: made.set_keys(role, made.signers[role][0].with_id("0" * 64)), Code.SIGNATURE),
        (lambda made, role: made.set_keys(role, make_key("rsa1024", role)), Code.THRESHOLD),
        (lambda made, role: made.alter(role, lambda body: body + b"x"), Code.MALFORMED),
    ],
)
def test_a_bad_document_is_refused_and_leaves_nothing(role: str, bend: Callable[..., Any], code: Code) -> None:
    made = repository(lambda made: bend(made, role))
    documents = load(made, previous(role)) if previous(role) else trusted(made)
    before = dict(documents.floors)
    with pytest.raises(RejectedError) as caught:
        step(documents, made, role)
    assert caught.value.code is code
    assert documents.floors == before
    assert role not in documents.accepted
    assert role not in documents.roles


def previous(role: str) -> str:
    return ALL[ALL.index(role) - 1] if role != "timestamp" else ""


def step(documents: TrustedSet, made: SignedRepository, role: str) -> None:
    match role:
        case "timestamp":
            documents.load_timestamp(made.current[role])
        case "snapshot":
            documents.load_snapshot(made.current[role])
        case "targets":
            documents.load_targets(made.current[role])
        case _:
            delegate(documents, made, role)


@pytest.mark.parametrize("role", ["snapshot", "targets", "targets/releases", "targets/releases/a"])
def test_other_bytes_than_those_vouched_for_are_refused_before_they_are_read(role: str) -> None:
    made = repository()
    documents = load(made, previous(role))
    for body in (made.current[role] + b" ", b"", b"{", made.current["targets"] + b"\n"):
        made.current[role] = body
        with pytest.raises(RejectedError) as caught:
            step(documents, made, role)
        assert caught.value.code is Code.HASH_MISMATCH


def test_the_snapshot_vouches_for_the_root() -> None:
    made = repository()
    made.edit("snapshot", lambda signed: signed["meta"]["root"].update(signed["meta"]["targets"]))
    made.publish(everything=True)
    documents = load(made, "timestamp")
    with pytest.raises(RejectedError) as caught:
        documents.load_snapshot(made.current["snapshot"])
    assert (caught.value.code, caught.value.subject) == (Code.HASH_MISMATCH, "root")
    assert documents.snapshot is not None  # it is known which root it wants, and its version counts
    assert "snapshot" in documents.floors


def test_one_key_counts_once_for_a_role_s_threshold() -> None:
    key, twin = make_key("p256", "one"), root_key("x", "p256", "one")
    made = repository(lambda made: made.set_keys("targets", key, twin, threshold=2))
    assert refusal(made, "targets").code is Code.THRESHOLD


def test_a_weak_certificate_matters_for_delegations_only() -> None:
    weak = certify(CertificateForm("x", digest="sha1"), label="weak")
    key = root_key("x", label="weak").with_public(weak.pem)
    for role in ("timestamp", "snapshot", "targets"):
        load(repository(lambda made, role=role: made.set_keys(role, key)), "targets")  # type: ignore[misc]
    made = repository(lambda made: made.set_keys("targets/releases", key, make_key("p256", "other")))
    assert refusal(made, "targets/releases").code is Code.SIGNATURE
    made = repository(lambda made: made.list_keys("targets/releases", *made.signers["targets/releases"], key))
    assert refusal(made, "targets/releases").code is Code.SIGNATURE  # though it need not sign


# -- floors ---------------------------------------------------------------------------------------------------------


def floor_of(made: SignedRepository, role: str, version: int) -> Floor:
    return Floor(version, (made.signers[role][0].canonical_id,), 1)


@pytest.mark.parametrize("role", ALL)
def test_a_role_never_goes_back(role: str) -> None:
    made = repository(lambda made: [made.documents[each].update(version=5) for each in ALL])
    floors = {each: floor_of(made, each, 5) for each in ALL}
    load(made, role, floors)
    error = refusal(made, role, floors | {role: floor_of(made, role, 6)})
    assert (error.code, error.subject) == (Code.ROLLBACK, role)
    assert error.expected == "at least version 6"
    assert error.found == "version 5"


@pytest.mark.parametrize("role", ALL)
def test_a_floor_falls_when_too_few_of_its_keys_are_listed(role: str) -> None:
    made = repository(lambda made: made.set_keys(role, make_key("p256", "a"), make_key("p256", "b")))
    known = tuple(sorted(make_key("p256", label).id for label in ("a", "b", "c")))
    assert refusal(made, role, {role: Floor(9, known, 1)}).code is Code.ROLLBACK
    assert refusal(made, role, {role: Floor(9, known, 2)}).code is Code.ROLLBACK
    assert load(made, role, {role: Floor(9, known, 3)}).floors[role].version == 1
    assert load(made, role, {role: Floor(9, (make_key("p256", "c").id,), 1)}).floors[role].version == 1


@pytest.mark.parametrize("role", ALL)
def test_a_standing_floor_never_falls(role: str) -> None:
    made = repository(lambda made: made.set_keys(role, make_key("p256", "a")))
    assert refusal(made, role, {role: Floor(2, (), 0)}).code is Code.ROLLBACK
    load(made, role, {role: Floor(1, (), 0)})


def test_a_floor_counts_public_keys_not_their_ids() -> None:
    key = make_key("p256", "same")
    made = repository(lambda made: made.set_keys("targets", root_key("x", "p256", "same")))
    assert refusal(made, "targets", {"targets": Floor(2, (key.id,), 1)}).code is Code.ROLLBACK


def test_a_delegation_is_held_to_its_floor_before_its_signatures() -> None:
    made = repository(lambda made: made.sign("targets/releases", signed_by(make_key("p256", "foreign"))))
    assert refusal(made, "targets/releases").code is Code.THRESHOLD
    floors = {"targets/releases": floor_of(made, "targets/releases", 2)}
    assert refusal(made, "targets/releases", floors).code is Code.ROLLBACK


def test_floors_of_roles_that_are_delegated_no_longer_are_dropped() -> None:
    made = repository()
    floors = {role: Floor(7, (), 0) for role in ("targets/gone", "targets/releases/gone", "targets/gone/b")}
    base = {"timestamp", "snapshot", "targets"}
    assert set(trusted(made, floors).floors) == set(floors)
    assert set(load(made, "targets", floors).floors) == base | {"targets/releases/gone"}
    assert set(load(made, "targets/releases", floors).floors) == base | {"targets/releases"}


# -- publication and passing over -----------------------------------------------------------------------------------


def test_a_delegation_may_be_unpublished_until_it_was_seen() -> None:
    made = repository()
    made.unpublished.add("targets/releases")
    made.publish(everything=True)
    documents = load(made, "targets")
    parent = documents.roles["targets"]
    assert not documents.is_published(parent, role_in(parent, "targets/releases"))
    entry: object
    for entry in (None, {}, {"length": 0}, {"hashes": {}}):
        made.snapshot["meta"] = {"targets/releases": entry}
        made.publish(everything=True)
        documents = load(made, "targets")
        parent = documents.roles["targets"]
        assert not documents.is_published(parent, role_in(parent, "targets/releases"))
    floors = {"targets/releases": Floor(0, (made.signers["targets/releases"][0].id,), 1)}
    documents = load(made, "targets", floors)
    with pytest.raises(RejectedError, match="vanished") as caught:
        documents.is_published(parent, role_in(parent, "targets/releases"))
    assert caught.value.code is Code.ROLLBACK
    documents = load(made, "targets", {"targets/releases": Floor(9, ("0" * 64,), 1)})
    assert not documents.is_published(parent, role_in(parent, "targets/releases"))


def test_an_entry_that_says_anything_at_all_is_published() -> None:
    made = repository()
    for entry in ({"length": 1}, {"length": -1}, {"hashes": {"sha512": None}}, {"hashes": {"sha256": "YQ=="}}):
        made.snapshot["meta"] = {"targets/releases": entry}
        made.publish(everything=True)
        documents = load(made, "targets")
        parent = documents.roles["targets"]
        assert documents.is_published(parent, role_in(parent, "targets/releases"))
        assert refusal(made, "targets/releases").code is Code.HASH_MISMATCH


def test_what_is_passed_over_is_remembered_as_seen() -> None:
    made = repository(lambda made: made.expire("targets/releases"))
    documents = load(made, "targets")
    parent = documents.roles["targets"]
    role = role_in(parent, "targets/releases")
    with pytest.raises(RejectedError) as caught:
        documents.load_delegation(parent, role, made.current[role.name])
    assert caught.value.code in SKIPPABLE
    documents.skip(parent, role, caught.value)
    assert documents.skipped == {role.name: caught.value}
    assert documents.floors[role.name] == Floor(0, (made.signers[role.name][0].canonical_id,), 1)
    last = list(documents.checks)[-1]
    assert (last.code, last.subject, last.passed) == (Code.EXPIRED, role.name, False)


def test_passing_over_keeps_an_older_floor() -> None:
    made = repository(lambda made: made.expire("targets/releases"))
    floor = Floor(1, (made.signers["targets/releases"][0].canonical_id,), 1)
    documents = load(made, "targets", {"targets/releases": floor})
    parent = documents.roles["targets"]
    fault = RejectedError("expired", code=Code.EXPIRED)
    documents.skip(parent, role_in(parent, "targets/releases"), fault)
    assert documents.floors["targets/releases"] == floor


def test_a_role_is_loaded_once() -> None:
    made = repository()
    documents = load(made, "targets/releases")
    with pytest.raises(RejectedError, match="twice") as caught:
        delegate(documents, made, "targets/releases")
    assert caught.value.code is Code.MALFORMED


def test_only_expiry_and_too_few_signatures_are_passed_over() -> None:
    assert frozenset({Code.EXPIRED, Code.THRESHOLD}) == SKIPPABLE


def test_what_was_verified_for_one_role_or_name_serves_no_other() -> None:
    """One memory for all: the same bytes under another role's keys must be looked at anew."""
    made = repository()
    rules = RootRules(made.name, AT, Limits(), Memory())
    root = verify_root(made.current["root"], rules, previous=None, min_version=1)
    documents = TrustedSet(root, {}, rules)
    documents.load_timestamp(made.current["timestamp"])
    made.rotate("timestamp", sign=False)
    made.publish(everything=True)
    other = verify_root(made.current["root"], rules, previous=None, min_version=1)
    with pytest.raises(RejectedError) as caught:
        TrustedSet(other, {}, rules).load_timestamp(made.current["timestamp"])
    assert caught.value.code is Code.THRESHOLD
    expired = RootRules(made.name, datetime(2091, 1, 1, tzinfo=UTC), Limits(), rules.memory)
    with pytest.raises(RejectedError) as caught:
        TrustedSet(root, {}, expired).load_timestamp(documents.accepted["timestamp"].body)
    assert caught.value.code is Code.EXPIRED
