"""The Notary authority: what is asked for, what a failure means, what is remembered."""

import hashlib
import logging
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from imgsig.codes import Code, Outcome
from imgsig.errors import InconclusiveError, RejectedError
from imgsig.limits import Deadline
from imgsig.notary.settings import Anchor, FirstUse, RootKeys
from imgsig.sections import RootFile
from imgsig.state import FolderState, MemoryState
from imgsig.trust import Evidence, Stored, Trust
from tests.support.asker import Asker
from tests.support.repository import EXPIRES, Reply, SignedRepository
from tests.support.root_certificates import root_key
from tests.support.signing import make_key

COLD = ["root.json", "timestamp.json", "snapshot.json", "targets.json"]


@pytest.fixture
def repository() -> SignedRepository:
    return SignedRepository()


@pytest.fixture
def asker(repository: SignedRepository) -> Asker:
    return Asker(repository)


# -- the way there --------------------------------------------------------------------------------------------------


def test_first_contact_asks_for_the_four_documents_in_order(asker: Asker) -> None:
    attestation = asker.ask()
    assert attestation.digest == asker.repository.digest("latest")
    assert asker.requests == COLD


def test_an_unchanged_repository_costs_one_request(asker: Asker) -> None:
    asker.ask()
    asker.ask()
    assert asker.requests == ["timestamp.json"]


def test_a_retagged_image_is_seen_at_once(asker: Asker) -> None:
    before = asker.ask().digest
    asker.repository.add_target("latest", b"another")
    asker.repository.publish()
    after = asker.ask()
    assert after.digest != before
    assert asker.requests == ["timestamp.json", "snapshot.json", "targets.json"]


def test_the_attestation_says_what_it_relies_on(asker: Asker) -> None:
    asker.repository.expire("targets", "2060-01-01T00:00:00Z")
    asker.repository.publish()
    attestation = asker.ask()
    assert [role.role for role in attestation.roles] == ["root", "timestamp", "snapshot", "targets"]
    assert [signer.role for signer in attestation.signers] == ["targets"]
    assert attestation.signers[0].key_ids == (asker.repository.signers["targets"][0].canonical_id,)
    assert attestation.valid_until.isoformat() == "2060-01-01T00:00:00+00:00"
    assert attestation.length == len("targets:latest")
    assert attestation.known_since == asker.now
    assert attestation.fresh
    assert attestation.anchor.kind == "root-keys"
    assert all(check.passed for check in asker.checks)


def test_known_since_stays_when_root_rotates(asker: Asker) -> None:
    first = asker.ask().known_since
    asker.wait(days=3)
    asker.repository.rotate("root")
    asker.repository.publish()
    assert asker.ask().known_since == first


@pytest.mark.parametrize("role", ["targets", "snapshot", "timestamp"])
def test_a_rotated_key_is_found_through_a_new_root(asker: Asker, role: str) -> None:
    asker.ask()
    asker.repository.rotate(role)
    asker.repository.publish(everything=True)
    assert asker.ask().digest == asker.repository.digest("latest")
    assert "root.json" in asker.requests


def test_two_root_rotations_at_once_are_walked(asker: Asker) -> None:
    asker.ask()
    for _ in range(2):
        asker.repository.rotate("root")
        asker.repository.publish()
    assert asker.ask().roles[0].version == 3
    assert "2.root.json" in asker.requests


def test_a_root_that_the_old_keys_did_not_sign_is_refused(asker: Asker) -> None:
    asker.ask()
    asker.repository.rotate("root", keep_old_signature=False)
    asker.repository.publish()
    assert asker.code() is Code.ROOT_ROTATION


def test_too_many_root_rotations_are_refused(asker: Asker) -> None:
    asker.ask()
    for _ in range(3):
        asker.repository.rotate("root")
        asker.repository.publish()
    asker.limit(max_root_rotations=2)
    assert asker.code() is Code.LIMIT_EXCEEDED


def test_a_missing_root_in_between_is_missing_metadata(asker: Asker) -> None:
    asker.ask()
    for _ in range(2):
        asker.repository.rotate("root")
        asker.repository.publish()
    asker.repository.drop("2.root.json")
    assert asker.code() is Code.MISSING_METADATA


def test_a_fault_that_is_gone_at_the_second_look_does_not_matter(asker: Asker) -> None:
    asker.repository.reply("snapshot", Reply(200, b"{}"), Reply(200, asker.repository.current["snapshot"]))
    assert asker.ask().digest == asker.repository.digest("latest")


def test_a_newer_root_that_has_expired_is_refused(asker: Asker) -> None:
    asker.ask()
    asker.repository.rotate("targets")
    asker.repository.expire("root")
    asker.repository.publish()
    assert asker.code() is Code.EXPIRED


# -- what a failed request means ------------------------------------------------------------------------------------


def test_a_name_that_the_server_does_not_know_is_not_signed(asker: Asker) -> None:
    asker.repository.drop("root.json")
    assert asker.code() is Code.NOT_SIGNED


def test_trust_data_that_vanishes_is_told_from_trust_data_that_never_was(asker: Asker) -> None:
    asker.ask()
    for role in ("root", "timestamp"):
        asker.repository.drop(role)
    assert asker.code() is Code.TRUST_DATA_REMOVED


def test_a_404_of_something_else_than_notary_is_no_answer(asker: Asker) -> None:
    asker.repository.fail("root.json", 404, b"<html>")
    error = asker.error()
    assert (error.code, error.outcome) == (Code.BAD_RESPONSE, Outcome.INCONCLUSIVE)


@pytest.mark.parametrize("role", ["snapshot", "targets"])
def test_a_missing_document_that_is_named_by_its_hash_is_missing_metadata(asker: Asker, role: str) -> None:
    asker.repository.drop(role)
    assert asker.code() is Code.MISSING_METADATA


def test_a_missing_timestamp_is_no_answer(asker: Asker) -> None:
    asker.repository.drop("timestamp")
    assert asker.code() is Code.BAD_RESPONSE


@pytest.mark.parametrize(
    ("status", "code"),
    [(503, Code.UNREACHABLE), (429, Code.THROTTLED), (401, Code.ACCESS_DENIED), (302, Code.BAD_RESPONSE)],
)
@pytest.mark.parametrize("role", ["root", "timestamp", "snapshot", "targets"])
def test_an_outage_is_never_a_refusal(asker: Asker, role: str, status: int, code: Code) -> None:
    asker.repository.fail(role, status)
    error = asker.error()
    assert (error.code, error.outcome) == (code, Outcome.INCONCLUSIVE)


def test_a_document_that_is_not_the_one_named_is_a_hash_mismatch(asker: Asker) -> None:
    asker.repository.tamper("targets", lambda body: body[:-1] + b" }")
    asker.repository.edit("snapshot", lambda signed: signed["meta"]["targets"].update(length=10_000))
    asker.repository.publish(everything=True)
    assert asker.code() is Code.HASH_MISMATCH


@pytest.mark.parametrize(
    ("length", "code"), [(-2, Code.LIMIT_EXCEEDED), (0, Code.LIMIT_EXCEEDED), (10, Code.LIMIT_EXCEEDED)]
)
def test_a_length_is_an_upper_bound(asker: Asker, length: int, code: Code) -> None:
    asker.repository.edit("timestamp", lambda signed: signed["meta"]["snapshot"].update(length=length))
    asker.repository.publish(everything=True)
    assert asker.code() is code


@pytest.mark.parametrize("length", [-1, 2**40])
def test_a_length_that_bounds_nothing_is_cut_to_the_limit(asker: Asker, length: int) -> None:
    asker.repository.edit("timestamp", lambda signed: signed["meta"]["snapshot"].update(length=length))
    asker.repository.publish(everything=True)
    assert asker.ask().digest
    asker.state = MemoryState()
    asker.limit(max_document_bytes=1000)
    assert asker.code() is Code.LIMIT_EXCEEDED


# -- anchors --------------------------------------------------------------------------------------------------------


def test_first_use_is_remembered(repository: SignedRepository, tmp_path: Path) -> None:
    asker = Asker(repository, anchor=FirstUse(), state=FolderState(tmp_path))
    assert asker.ask().anchor == Evidence("first-use", ())
    asker.repository.rotate("root", keep_old_signature=False)
    asker.repository.publish()
    assert asker.code() is Code.ROOT_ROTATION


def test_first_use_trusts_no_archive(repository: SignedRepository) -> None:
    asker = Asker(repository, anchor=FirstUse())
    asker.state, asker.live = None, False
    assert asker.code() is Code.ANCHOR_MISMATCH
    assert not asker.requests


def test_an_archive_is_verified_without_state(asker: Asker) -> None:
    asker.state, asker.live = None, False
    attestation = asker.ask()
    assert attestation.known_since is None
    assert not attestation.fresh


def test_an_offered_root_that_the_anchor_does_not_trust_is_shown(asker: Asker) -> None:
    asker.anchor = RootKeys(["0" * 64])
    error = asker.error()
    assert error.code is Code.ANCHOR_MISMATCH
    key = asker.repository.signers["root"][0]
    assert key.canonical_id in error.found
    assert key.listed_id in error.found


def test_a_stored_root_serves_only_while_its_evidence_satisfies_the_anchor(asker: Asker) -> None:
    asker.ask()
    asker.anchor = RootKeys(["0" * 64])
    assert asker.code() is Code.ANCHOR_MISMATCH


def test_a_pin_outlives_rotations_of_the_key_that_it_names(asker: Asker) -> None:
    asker.ask()
    asker.repository.rotate("root")
    asker.repository.publish()
    assert asker.ask().roles[0].version == 2
    assert asker.requests[0] == "timestamp.json"


def test_a_new_machine_with_the_old_pin_refuses_the_rotated_root(asker: Asker) -> None:
    asker.repository.rotate("root")
    asker.repository.publish()
    assert asker.code() is Code.ANCHOR_MISMATCH


def test_a_changed_anchor_that_trusts_the_offered_root_keeps_the_floors(asker: Asker) -> None:
    asker.ask()
    older = dict(asker.repository.files)
    asker.repository.add_target("new")
    asker.repository.publish()
    asker.ask()
    key = asker.repository.signers["root"][0]
    asker.anchor = RootKeys([key.listed_id])
    assert asker.ask("new").anchor == Evidence("root-keys", (key.listed_id,))
    asker.repository.restore(older)
    assert asker.code() is Code.ROLLBACK


def test_a_root_of_strangers_that_a_changed_anchor_trusts_lowers_no_floor(repository: SignedRepository) -> None:
    asker = Asker(repository)
    for index in range(3):
        repository.add_target(f"tag{index}")
        repository.publish()
    asker.ask()
    stranger = SignedRepository(repository.name, keys={"root": root_key(repository.name, "p256", "stranger")})
    second = Asker(stranger, state=asker.state)
    assert second.code() is Code.ROLLBACK
    for _ in range(4):
        stranger.publish(everything=True)
    assert second.ask().known_since == second.now
    stranger.restore(
        SignedRepository(repository.name, keys={"root": root_key(repository.name, "p256", "stranger")}).files
    )
    assert second.code() is Code.ROLLBACK


def _file(repository: SignedRepository) -> Anchor:
    return RootFile(repository.current["root"])


def test_a_root_file_leads_to_the_root_that_follows_it(repository: SignedRepository) -> None:
    asker = Asker(repository, anchor=_file(repository))
    digest = hashlib.sha256(repository.current["root"]).hexdigest()
    assert asker.ask().anchor == Evidence("root-file", (digest,))
    assert "root.json" not in asker.requests
    repository.rotate("root")
    repository.publish()
    fresh = Asker(repository, anchor=asker.anchor)
    assert fresh.ask().roles[0].version == 2


def test_a_root_file_of_strangers_is_not_followed(repository: SignedRepository) -> None:
    stranger = SignedRepository(repository.name, keys={"root": root_key(repository.name, "p256", "stranger")})
    asker = Asker(repository, anchor=_file(stranger))
    assert asker.error().outcome is Outcome.REJECTED


def test_an_expired_root_file_is_followed_by_one_rotation_only(repository: SignedRepository) -> None:
    repository.expire("root")
    repository.publish()
    anchor = _file(repository)
    repository.expire("root", EXPIRES)
    repository.rotate("root")
    repository.publish()
    assert Asker(repository, anchor=anchor).ask().roles[0].version == 3
    repository.rotate("root")
    repository.publish()
    assert Asker(repository, anchor=anchor).code() is Code.ROOT_ROTATION


def test_an_older_root_file_does_not_bring_back_an_older_root(repository: SignedRepository) -> None:
    anchor, older = _file(repository), dict(repository.files)
    repository.rotate("root")
    repository.publish()
    newer = repository.current["root"]
    asker = Asker(repository)
    asker.anchor = RootKeys([repository.signers["root"][0].canonical_id])
    asker.ask()
    asker.anchor = anchor
    repository.restore(older)
    assert [asker.code() for _ in range(3)] == [Code.ROLLBACK] * 3
    assert asker.stored_root() == newer


def test_an_older_root_file_is_not_remembered_when_the_way_from_it_is_blocked(repository: SignedRepository) -> None:
    anchor = _file(repository)
    repository.rotate("root")
    repository.publish()
    newer = repository.current["root"]
    asker = Asker(repository)
    asker.anchor = RootKeys([repository.signers["root"][0].canonical_id])
    asker.ask()
    asker.anchor = anchor
    repository.fail("timestamp", 503)
    assert asker.code() is Code.UNREACHABLE
    assert asker.stored_root() == newer


def test_an_expired_stored_root_makes_the_pins_count_again(asker: Asker) -> None:
    asker.repository.expire("root", "2028-01-01T00:00:00Z")
    asker.repository.publish()
    asker.ask()
    asker.repository.expire("root", EXPIRES)
    asker.repository.rotate("root")
    asker.repository.publish()
    asker.wait(days=800)
    assert asker.code() is Code.ANCHOR_MISMATCH
    asker.anchor = RootKeys([*asker.anchor.pins, asker.repository.signers["root"][0].canonical_id])  # type: ignore[union-attr]
    assert asker.ask().roles[0].version == 3


def test_a_stored_root_whose_certificate_has_expired_is_never_repaired(asker: Asker) -> None:
    asker.ask()
    asker.now = asker.now.replace(year=2200)
    assert asker.code() is Code.ROOT_CERTIFICATE


# -- floors ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("role", ["timestamp", "snapshot", "targets"])
def test_an_older_version_of_a_base_role_is_a_rollback(asker: Asker, role: str) -> None:
    asker.repository.documents[role]["version"] = 7
    asker.repository.publish(everything=True, bump=False)
    asker.ask()
    asker.repository.documents[role]["version"] = 6
    asker.repository.publish(everything=True, bump=False)
    assert asker.code() is Code.ROLLBACK


def test_a_floor_falls_when_a_new_root_no_longer_lists_its_keys(asker: Asker) -> None:
    asker.repository.targets["version"] = 7
    asker.repository.publish(bump=False)
    asker.ask()
    asker.repository.rotate("targets")
    asker.repository.targets["version"] = 2
    asker.repository.publish(bump=False)
    assert asker.repository.targets["version"] == 2
    assert {role.role: role.version for role in asker.ask().roles}["targets"] == 2


def test_a_snapshot_is_not_rolled_back_in_two_steps(asker: Asker) -> None:
    asker.ask()
    old_targets = asker.repository.current["targets"]
    asker.repository.add_target("latest", b"fixed")
    asker.repository.publish()
    asker.ask()
    # A newer timestamp is taken, while its snapshot is withheld.
    asker.repository.publish(everything=True)
    asker.repository.fail("snapshot", 503)
    assert asker.code() is Code.UNREACHABLE
    # Then the server names the old documents with a newer timestamp.
    asker.repository.mend()
    asker.repository.edit("snapshot", lambda signed: signed.update(version=1))
    asker.repository.publish(everything=True)
    assert asker.code() is Code.ROLLBACK
    assert old_targets != asker.repository.current["targets"]


def test_what_a_failed_run_has_learnt_is_kept(asker: Asker) -> None:
    asker.ask()
    older = dict(asker.repository.files)
    asker.repository.add_target("new")
    asker.repository.publish()
    asker.repository.fail("targets", 503)
    assert asker.code("new") is Code.UNREACHABLE
    asker.repository.mend()
    asker.repository.restore(older)
    assert asker.code() is Code.ROLLBACK


def test_a_delegation_is_not_rolled_back(asker: Asker) -> None:
    asker.repository.add_delegation("targets/releases", tags=["latest"])
    asker.repository.publish()
    old = asker.repository.current["targets/releases"]
    asker.ask()
    asker.repository.add_target("latest", b"fixed", role="targets/releases")
    asker.repository.publish()
    asker.ask()
    asker.repository.alter("targets/releases", lambda _: old)
    asker.repository.publish(everything=True)
    assert asker.code() is Code.ROLLBACK


def test_a_delegation_that_was_seen_may_not_vanish(asker: Asker) -> None:
    asker.repository.add_delegation("targets/releases", tags=["latest"])
    asker.repository.publish()
    asker.ask()
    asker.repository.unpublished.add("targets/releases")
    asker.repository.publish(everything=True)
    error = asker.error()
    assert (error.code, error.subject) == (Code.ROLLBACK, "targets/releases")


def test_a_delegation_that_was_never_published_is_no_fault(asker: Asker) -> None:
    asker.repository.add_delegation("targets/releases", metadata=False)
    asker.repository.publish()
    assert asker.ask().signers[0].role == "targets"
    assert any(check.subject == "targets/releases" and check.found == "never seen" for check in asker.checks)


def test_a_delegation_that_was_only_passed_over_may_not_vanish_either(asker: Asker) -> None:
    asker.repository.add_delegation("targets/alice", tags=["latest"])
    asker.repository.expire("targets/alice")
    asker.repository.publish()
    asker.ask()
    asker.repository.unpublished.add("targets/alice")
    asker.repository.publish(everything=True)
    assert asker.code() is Code.ROLLBACK


def test_a_delegation_may_start_anew_with_other_keys(asker: Asker) -> None:
    delegated = asker.repository.add_delegation("targets/releases", tags=["latest"])
    delegated["version"] = 9
    asker.repository.publish(bump=False)
    asker.ask()
    asker.repository.rotate("targets/releases")
    delegated["version"] = 1
    asker.repository.publish(bump=False)
    assert asker.repository.documents["targets/releases"]["version"] == 1
    assert asker.ask().signers[0].role == "targets/releases"


# -- outages and staleness ------------------------------------------------------------------------------------------


@pytest.fixture
def stale(asker: Asker) -> Asker:
    asker.max_stale_seconds = 3600
    asker.ask()
    asker.repository.fail("timestamp", 503)
    return asker


def test_an_outage_may_be_bridged_for_as_long_as_the_rule_says(stale: Asker) -> None:
    stale.wait(seconds=3600)
    attestation = stale.ask()
    assert not attestation.fresh
    assert attestation.digest == stale.repository.digest("latest")
    stale.wait(seconds=1)
    assert stale.code() is Code.STALE


def test_an_outage_is_not_bridged_without_leave(stale: Asker) -> None:
    stale.max_stale_seconds = 0
    assert stale.code() is Code.UNREACHABLE


def test_an_outage_is_not_bridged_before_the_first_answer(asker: Asker) -> None:
    asker.max_stale_seconds = 3600
    asker.repository.fail("timestamp", 503)
    assert asker.code() is Code.UNREACHABLE


def test_a_clock_that_went_back_bridges_nothing(stale: Asker) -> None:
    stale.wait(seconds=-1)
    assert stale.code() is Code.STALE


@pytest.mark.parametrize("status", [401, 403, 404, 400, 302, 200])
def test_only_an_outage_is_bridged(stale: Asker, status: int) -> None:
    stale.repository.fail("timestamp", status, b"no")
    assert stale.error().code is not Code.STALE


def test_stored_data_that_has_expired_bridges_nothing(stale: Asker) -> None:
    stale.repository.mend()
    stale.repository.expire("targets", (stale.now + timedelta(seconds=60)).isoformat())
    stale.repository.publish()
    stale.ask()
    stale.repository.fail("timestamp", 503)
    stale.wait(seconds=61)
    error = stale.error()
    assert (error.code, error.outcome) == (Code.STALE, Outcome.INCONCLUSIVE)


def test_a_tag_that_stored_data_does_not_list_is_refused_while_an_outage_is_bridged(stale: Asker) -> None:
    assert stale.code("other") is Code.TAG_NOT_SIGNED


def test_bridging_an_outage_confirms_nothing(stale: Asker) -> None:
    for _ in range(3):
        stale.wait(seconds=1000)
        stale.ask()
    stale.wait(seconds=1000)
    assert stale.code() is Code.STALE


def test_an_outage_in_the_middle_is_not_bridged(stale: Asker) -> None:
    stale.repository.mend()
    stale.repository.add_target("new")
    stale.repository.publish()
    stale.repository.fail("snapshot", 503)
    assert stale.code("new") is Code.UNREACHABLE


def test_incomplete_stored_data_bridges_nothing(stale: Asker) -> None:
    stale.repository.mend()
    stale.repository.add_target("new")
    stale.repository.publish()
    stale.repository.fail("snapshot", 503)
    assert stale.code("new") is Code.UNREACHABLE
    stale.repository.fail("timestamp", 503)
    assert stale.code("new") is Code.STALE


# -- state ----------------------------------------------------------------------------------------------------------


class MeddledState:
    """A state that another process changes right before each of the first `times` commits or confirmations."""

    remembers = True

    def __init__(self, times: int, *, unreadable: bool = False, full: bool = False) -> None:
        self._state = MemoryState()
        self._times = times
        self._unreadable = unreadable
        self._full = full
        self.commits = 0

    def load(self, system: str, name: str, *, deadline: Deadline) -> Stored:
        if self._unreadable:
            raise InconclusiveError("unreadable", code=Code.STATE_UNREADABLE)
        return self._state.load(system, name, deadline=deadline)

    def generation(self, system: str, name: str) -> str:
        if self._times:
            self._times -= 1
            return "another"
        return self._state.generation(system, name)

    def commit(self, system: str, name: str, trust: Trust, *, expected: str, deadline: Deadline) -> Stored:
        if self._full:
            raise InconclusiveError("no space", code=Code.STATE_UNREADABLE)
        if self._times:
            self._times -= 1
            raise InconclusiveError("changed", code=Code.STATE_CONFLICT)
        self.commits += 1
        return self._state.commit(system, name, trust, expected=expected, deadline=deadline)


def test_what_another_process_changed_meanwhile_is_taken_into_account(repository: SignedRepository) -> None:
    asker = Asker(repository, state=MeddledState(3))
    assert asker.ask().digest
    assert asker.repository.requests.count("timestamp.json") == 4


def test_a_state_that_never_rests_is_a_conflict(repository: SignedRepository) -> None:
    asker = Asker(repository, state=MeddledState(1000))
    assert asker.code() is Code.STATE_CONFLICT


def test_a_warm_answer_is_given_only_for_the_generation_that_it_was_made_from(repository: SignedRepository) -> None:
    state = MeddledState(0)
    asker = Asker(repository, state=state)
    asker.ask()
    state._times = 1
    asker.ask()
    assert asker.requests == ["timestamp.json", "timestamp.json"]
    assert state.commits == 1


def test_an_unreadable_state_is_no_first_contact(repository: SignedRepository) -> None:
    asker = Asker(repository, anchor=FirstUse(), state=MeddledState(0, unreadable=True))
    assert asker.code() is Code.STATE_UNREADABLE
    assert not asker.requests


def test_what_cannot_be_remembered_is_not_verified(repository: SignedRepository) -> None:
    asker = Asker(repository, state=MeddledState(0, full=True))
    error = asker.error()
    assert (error.code, error.outcome) == (Code.STATE_UNREADABLE, Outcome.INCONCLUSIVE)


def test_a_refusal_stays_one_when_its_progress_cannot_be_remembered(
    repository: SignedRepository, caplog: pytest.LogCaptureFixture
) -> None:
    asker = Asker(repository, state=MeddledState(0, full=True))
    repository.expire("targets")
    repository.publish()
    with caplog.at_level(logging.WARNING, "imgsig"):
        assert asker.code() is Code.EXPIRED
    assert "is lost" in caplog.text


def test_confirmations_are_stored_seldom(repository: SignedRepository) -> None:
    state = MeddledState(0)
    asker = Asker(repository, state=state)
    asker.max_stale_seconds = 1000
    for _ in range(30):
        asker.ask()
        asker.wait(seconds=10)
    assert state.commits == 3


def test_a_changed_origin_keeps_the_floors_and_is_shown(asker: Asker, caplog: pytest.LogCaptureFixture) -> None:
    asker.ask()
    asker.location = "https://elsewhere.example.com"
    with caplog.at_level(logging.WARNING, "imgsig"):
        asker.ask()
    assert "another server" in caplog.text
    assert any(check.subject == "server" and check.found == asker.location for check in asker.checks)
    asker.repository.timestamp["version"] = 0
    asker.repository.publish(bump=False)
    assert asker.code() is Code.MALFORMED


# -- delegations and signers ----------------------------------------------------------------------------------------


def test_children_are_loaded_before_the_siblings_that_follow(asker: Asker) -> None:
    for role in ("targets/a", "targets/a/x", "targets/b", "targets/b/y"):
        asker.repository.add_delegation(role)
    asker.repository.publish()
    asker.ask()
    assert asker.requests[4:] == ["targets/a.json", "targets/a/x.json", "targets/b.json", "targets/b/y.json"]


@pytest.mark.parametrize(
    ("bend", "code"),
    [
        (lambda repository: repository.sign("targets/a", lambda *_: []), Code.SIGNATURE),
        (lambda repository: repository.documents["targets/a"].update(_type="Root"), Code.MALFORMED),
        (lambda repository: repository.drop("targets/a"), Code.MISSING_METADATA),
        (lambda repository: repository.alter("targets/a", lambda body: body[5:]), Code.MALFORMED),
    ],
)
def test_a_broken_delegation_refuses_the_whole_repository(
    asker: Asker, bend: Callable[[SignedRepository], None], code: Code
) -> None:
    asker.repository.add_delegation("targets/a", tags=["other"])
    bend(asker.repository)
    asker.repository.publish()
    assert asker.code() is code


@pytest.mark.parametrize(
    "bend",
    [
        lambda repository: repository.expire("targets/a"),
        lambda repository: repository.rotate("targets/a", sign=False),
        lambda repository: repository.set_threshold("targets/a", 2),
    ],
)
def test_an_expired_or_wrongly_signed_delegation_is_passed_over(
    asker: Asker, bend: Callable[[SignedRepository], None]
) -> None:
    asker.repository.add_delegation("targets/a", tags=["other"])
    bend(asker.repository)
    asker.repository.publish()
    assert asker.ask().signers[0].role == "targets"
    assert asker.code("other") is Code.TAG_NOT_SIGNED


def test_releases_that_had_to_be_passed_over_hide_nothing_older(asker: Asker) -> None:
    asker.repository.add_delegation("targets/releases", tags=["latest"])
    asker.repository.expire("targets/releases")
    asker.repository.publish()
    assert asker.code() is Code.EXPIRED


def test_too_many_delegations_are_refused(asker: Asker) -> None:
    for index in range(3):
        asker.repository.add_delegation(f"targets/r{index}")
    asker.repository.publish()
    asker.limit(max_roles=2)
    assert asker.code() is Code.LIMIT_EXCEEDED


def test_the_same_delegation_twice_is_refused(asker: Asker) -> None:
    asker.repository.add_delegation("targets/a")
    asker.repository.targets["delegations"]["roles"] *= 2
    asker.repository.publish()
    assert asker.code() is Code.MALFORMED


def test_required_signers_are_heard(asker: Asker) -> None:
    asker.signers = ("alice", "bob")
    content = b"the image"
    asker.repository.add_target("latest", content)
    for signer in asker.signers:
        asker.repository.add_delegation(f"targets/{signer}")
        asker.repository.add_target("latest", content, role=f"targets/{signer}")
    asker.repository.publish()
    assert [signer.role for signer in asker.ask().signers] == ["targets", "targets/alice", "targets/bob"]
    asker.repository.add_target("latest", b"another", role="targets/bob")
    asker.repository.publish()
    assert asker.code() is Code.SIGNERS_DISAGREE
    asker.repository.expire("targets/bob")
    asker.repository.publish()
    assert asker.code() is Code.SIGNER_MISSING


def test_one_key_does_not_stand_for_two_signers(asker: Asker) -> None:
    asker.signers = ("alice", "bob")
    key = make_key("p256", "shared")
    asker.repository.add_target("latest", b"x")
    for signer in asker.signers:
        asker.repository.add_delegation(f"targets/{signer}", key)
        asker.repository.add_target("latest", b"x", role=f"targets/{signer}")
    asker.repository.publish()
    assert asker.code() is Code.SIGNER_MISSING


def test_a_digest_is_verified_by_the_tags_that_stand_for_it(asker: Asker) -> None:
    asker.repository.add_target("stable", b"targets:latest")
    asker.repository.publish()
    attestation = asker.ask("", digest=asker.repository.digest("latest"))
    assert attestation.tags == ("latest", "stable")
    assert asker.code("", digest="sha256:" + "0" * 64) is Code.DIGEST_NOT_SIGNED


def test_a_digest_whose_tags_lack_a_signer_is_refused(asker: Asker) -> None:
    asker.signers = ("alice",)
    asker.repository.add_delegation("targets/alice")
    asker.repository.publish()
    digest = asker.repository.digest("latest")
    assert asker.code("", digest=digest) is Code.SIGNER_MISSING
    asker.repository.add_target("stable", b"targets:latest")
    asker.repository.add_target("stable", b"targets:latest", role="targets/alice")
    asker.repository.publish()
    assert asker.ask("", digest=digest).tags == ("stable",)


def test_tag_and_digest_must_agree(asker: Asker) -> None:
    assert asker.ask(digest=asker.repository.digest("latest")).tags == ("latest",)
    assert asker.code(digest="sha256:" + "0" * 64) is Code.TAG_DIGEST_CONFLICT


def test_settings_are_told_apart_from_a_changed_limit(asker: Asker) -> None:
    asker.limits = replace(asker.limits, max_state_attempts=0)
    with pytest.raises(ValueError, match="at least 1"):
        asker.ask()


def test_a_metadata_file_of_another_name_is_refused(repository: SignedRepository) -> None:
    other = SignedRepository("registry.example.com/team/other")
    asker = Asker(repository, anchor=RootKeys(key.canonical_id for key in other.signers["root"]))
    repository.restore(other.files)
    with pytest.raises(RejectedError) as caught:
        asker.ask()
    assert caught.value.code is Code.ROOT_CERTIFICATE


def test_the_floor_of_a_role_that_is_not_delegated_any_more_is_forgotten(asker: Asker) -> None:
    asker.repository.add_delegation("targets/alice")
    asker.repository.add_delegation("targets/alice/team")
    asker.repository.publish()
    asker.ask()
    assert asker.floors() == {"timestamp", "snapshot", "targets", "targets/alice", "targets/alice/team"}
    asker.repository.expire("targets/alice")
    asker.repository.publish()
    asker.ask()
    assert asker.floors() == {"timestamp", "snapshot", "targets", "targets/alice", "targets/alice/team"}
    asker.repository.remove_delegation("targets/alice")
    asker.repository.unpublished.add("targets/alice/team")
    asker.repository.publish()
    asker.ask()
    assert asker.floors() == {"timestamp", "snapshot", "targets"}
