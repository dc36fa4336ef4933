"""The TUF authority: what is asked for, what a failure means, what is remembered, what the answer says."""

import hashlib
import logging
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from imgsig.codes import Code, Outcome
from imgsig.errors import InconclusiveError
from imgsig.limits import Deadline
from imgsig.sections import RootFile
from imgsig.state import FolderState, MemoryState
from imgsig.trust import Evidence, Stored, Trust
from imgsig.tuf.settings import RootSha256
from tests.support.repository import EXPIRES, Reply
from tests.support.tuf_asker import COLD, TufAsker
from tests.support.tuf_keys import tuf_key
from tests.support.tuf_repository import TufRepository

WARM = ["2.root.json", "timestamp.json"]


@pytest.fixture
def repository() -> TufRepository:
    return TufRepository()


@pytest.fixture
def asker(repository: TufRepository) -> TufAsker:
    return TufAsker(repository)


def stored(asker: TufAsker) -> Trust:
    assert asker.state is not None
    trust = asker.state.load("tuf", asker.repository.name, deadline=Deadline(10)).trust
    assert trust is not None
    return trust


# -- the way there ----------------------------------------------------------------------------------------------------


def test_first_contact_asks_for_the_documents_in_order(asker: TufAsker) -> None:
    assert asker.ask().digest == asker.repository.digest()
    assert asker.requests == COLD


def test_an_unchanged_repository_costs_two_requests(asker: TufAsker) -> None:
    asker.ask()
    asker.ask()
    assert asker.requests == WARM


def test_a_retagged_image_is_seen_at_once(asker: TufAsker) -> None:
    before = asker.ask().digest
    asker.repository.add_image("latest", b"another")
    asker.repository.publish()
    after = asker.ask()
    assert after.digest == asker.repository.digest() != before
    assert asker.requests == [*WARM, "2.snapshot.json", "2.targets.json"]


def test_a_repository_without_consistent_snapshots_is_asked_by_plain_names() -> None:
    asker = TufAsker(TufRepository(consistent=False, hashes=True))
    assert asker.ask().digest == asker.repository.digest()
    assert asker.requests == ["2.root.json", "timestamp.json", "snapshot.json", "targets.json"]
    asker.repository.publish(everything=True)
    assert asker.ask().digest == asker.repository.digest()


def test_a_target_in_a_delegated_role_is_found(asker: TufAsker) -> None:
    path = f"{asker.repository.name}:2.0"
    asker.repository.add_delegation("teams/a b", listed=[path])
    asker.repository.publish()
    attestation = asker.ask("2.0")
    assert attestation.digest == asker.repository.digest(path, "teams/a b")
    assert attestation.signers[0].role == "teams/a b"
    assert [role.role for role in attestation.roles] == ["root", "timestamp", "snapshot", "targets", "teams/a b"]
    assert asker.requests[-1] == "1.teams%2Fa%20b.json"
    asker.ask("2.0")
    assert asker.requests == WARM


def test_a_target_in_a_bin_is_found_with_one_more_request(asker: TufAsker) -> None:
    bins = asker.repository.add_bins(4)
    path = f"{asker.repository.name}:binned"
    number = int(hashlib.sha256(path.encode()).hexdigest()[0], 16)
    asker.repository.add_target(path, role=bins[number])
    asker.repository.publish()
    assert asker.ask("binned").signers[0].role == bins[number]
    assert asker.requests[-1] == f"1.{bins[number]}.json"
    assert len(asker.requests) == 5


def test_only_the_roles_that_are_needed_are_asked_for_and_kept_for_the_next_tag(asker: TufAsker) -> None:
    for tag in ("a", "b"):
        path = f"{asker.repository.name}:{tag}"
        asker.repository.add_delegation(f"role-{tag}", paths=[path], listed=[path])
    asker.repository.publish()
    asker.ask("a")
    assert "1.role-b.json" not in asker.requests
    asker.ask("b")
    assert asker.requests == [*WARM, "1.role-b.json"]
    asker.ask("a")
    assert asker.requests == WARM
    assert set(stored(asker).documents) == {"timestamp", "snapshot", "targets", "role-a", "role-b"}


def test_the_attestation_says_what_it_relies_on(asker: TufAsker) -> None:
    asker.repository.expire("targets", "2060-01-01T00:00:00Z")
    asker.repository.publish()
    attestation = asker.ask()
    assert attestation.authority == "tuf"
    assert attestation.name == asker.repository.name
    assert attestation.tags == ("latest",)
    assert attestation.signers[0].key_ids == (asker.repository.signers["targets"][0].id,)
    assert [role.role for role in attestation.roles] == ["root", "timestamp", "snapshot", "targets"]
    assert [role.version for role in attestation.roles] == [1, 2, 2, 2]
    assert attestation.valid_until.isoformat() == "2060-01-01T00:00:00+00:00"
    assert attestation.length == len(f"targets {asker.repository.name}:latest")
    assert attestation.known_since == asker.now
    assert attestation.fresh
    assert attestation.anchor == Evidence(
        "root-file", (hashlib.sha256(asker.repository.files["1.root.json"]).hexdigest(),)
    )
    assert all(check.passed for check in asker.checks)
    codes = [check.code for check in asker.checks]
    assert {Code.THRESHOLD, Code.ROLLBACK, Code.EXPIRED, Code.ANCHOR_MISMATCH, Code.TAG_NOT_SIGNED} == set(codes)


def test_hashes_that_were_compared_are_among_the_checks() -> None:
    asker = TufAsker(TufRepository(hashes=True))
    asker.ask()
    compared = [check.subject for check in asker.checks if check.code is Code.HASH_MISMATCH]
    assert compared == ["snapshot", "targets"]


# -- roots ------------------------------------------------------------------------------------------------------------


def test_newer_roots_are_walked_one_by_one(asker: TufAsker) -> None:
    first = asker.ask().known_since
    asker.wait(days=3)
    for _ in range(3):
        asker.repository.rotate("root")
        asker.repository.publish("root")
        asker.repository.signers["root"] = asker.repository.signers["root"][-1:]
    attestation = asker.ask()
    assert attestation.roles[0].version == 4
    assert attestation.known_since == first
    assert asker.requests == ["2.root.json", "3.root.json", "4.root.json", "5.root.json", "timestamp.json"]
    asker.ask()
    assert asker.requests == ["5.root.json", "timestamp.json"]


def test_an_intermediate_root_may_have_expired(asker: TufAsker) -> None:
    asker.repository.expire("root")
    asker.repository.publish("root")
    asker.repository.expire("root", EXPIRES)
    asker.repository.publish("root")
    assert asker.ask().roles[0].version == 3


def test_the_last_root_may_not_have_expired_but_is_kept(asker: TufAsker) -> None:
    asker.repository.expire("root")
    asker.repository.publish("root")
    assert asker.code() is Code.EXPIRED
    assert asker.requests == ["2.root.json", "3.root.json"]
    assert stored(asker).root == asker.repository.files["2.root.json"]


@pytest.mark.parametrize("role", ["targets", "snapshot", "timestamp"])
def test_a_rotated_key_is_found_through_a_new_root(asker: TufAsker, role: str) -> None:
    asker.ask()
    asker.repository.rotate(role)
    asker.repository.publish(everything=True)
    assert asker.ask().digest == asker.repository.digest()


def test_a_root_that_the_old_keys_did_not_sign_is_refused(asker: TufAsker) -> None:
    asker.repository.rotate("root", keep_old_signature=False)
    asker.repository.publish()
    assert asker.code() is Code.ROOT_ROTATION


def test_a_root_that_its_own_keys_did_not_sign_is_refused(asker: TufAsker) -> None:
    asker.repository.list_keys("root", tuf_key("new"))
    asker.repository.publish()
    assert asker.code() is Code.THRESHOLD


@pytest.mark.parametrize(("version", "code"), [(1, Code.ROLLBACK), (3, Code.HASH_MISMATCH)])
def test_a_root_of_another_version_than_asked_for_is_refused(asker: TufAsker, version: int, code: Code) -> None:
    asker.repository.root["version"] = version - 1
    asker.repository.files["2.root.json"] = asker.repository.publish_role("root")
    assert asker.code() is code


def test_too_many_new_roots_are_refused_but_those_reached_are_kept(asker: TufAsker) -> None:
    for _ in range(3):
        asker.repository.publish("root")
    asker.limit(max_root_rotations=2)
    error = asker.error()
    assert error.code is Code.LIMIT_EXCEEDED
    assert asker.requests == ["2.root.json", "3.root.json", "4.root.json"]
    assert error.hint == "ask again to go on from there"
    assert asker.ask().roles[0].version == 4


@pytest.mark.parametrize("status", [403, 404])
def test_storage_that_hides_what_is_missing_has_no_newer_root(asker: TufAsker, status: int) -> None:
    asker.repository.replies["2.root.json"] = Reply(status)
    assert asker.ask().roles[0].version == 1


@pytest.mark.parametrize(("status", "code"), [(500, Code.UNREACHABLE), (429, Code.THROTTLED), (302, Code.BAD_RESPONSE)])
def test_another_answer_for_a_newer_root_is_no_answer(asker: TufAsker, status: int, code: Code) -> None:
    asker.repository.replies["2.root.json"] = Reply(status)
    assert asker.code() is code


def test_just_as_many_new_roots_as_allowed_are_walked(asker: TufAsker) -> None:
    for _ in range(2):
        asker.repository.publish("root")
    asker.limit(max_root_rotations=2)
    assert asker.ask().roles[0].version == 3


# -- anchors ----------------------------------------------------------------------------------------------------------


def sha256_of(repository: TufRepository, version: int) -> RootSha256:
    return RootSha256(hashlib.sha256(repository.files[f"{version}.root.json"]).hexdigest())


def test_a_root_known_by_its_hash_is_sought_from_the_first_one_upwards(repository: TufRepository) -> None:
    for _ in range(3):
        repository.publish("root")
    asker = TufAsker(repository, anchor=sha256_of(repository, 3))
    attestation = asker.ask()
    assert attestation.anchor == Evidence("root-sha256", (sha256_of(repository, 3).sha256,))
    roots = [path for path in asker.requests if "root" in path]
    assert roots == ["1.root.json", "2.root.json", "3.root.json", "4.root.json", "5.root.json"]
    asker.ask()
    assert asker.requests == ["5.root.json", "timestamp.json"]


def test_a_hash_that_no_root_has_is_an_anchor_mismatch(repository: TufRepository) -> None:
    asker = TufAsker(repository, anchor=RootSha256(64 * "0"))
    error = asker.error()
    assert error.code is Code.ANCHOR_MISMATCH
    assert error.expected == 64 * "0"
    assert asker.requests == ["1.root.json", "2.root.json"]


def test_a_repository_without_a_first_root_is_no_tuf_repository(repository: TufRepository) -> None:
    asker = TufAsker(repository, anchor=RootSha256(64 * "0"))
    repository.files.clear()
    error = asker.error()
    assert error.code is Code.BAD_RESPONSE
    assert error.outcome is Outcome.INCONCLUSIVE


def test_the_search_for_a_hash_ends(repository: TufRepository) -> None:
    for _ in range(9):
        repository.publish("root")
    asker = TufAsker(repository, anchor=RootSha256(64 * "0"))
    asker.limit(max_root_rotations=4)
    assert asker.code() is Code.ANCHOR_MISMATCH
    assert len(asker.requests) == 4


def test_a_root_file_that_nobody_signed_is_refused(repository: TufRepository) -> None:
    repository.sign("root", lambda *_: [])
    unsigned = RootFile(repository.render("root"))
    assert TufAsker(repository, anchor=unsigned).code() is Code.THRESHOLD
    assert TufAsker(repository, anchor=RootFile(b"{}")).code() is Code.MALFORMED


def test_an_expired_root_file_serves_if_a_newer_root_follows() -> None:
    repository = TufRepository(publish=False)
    repository.expire("root")
    repository.publish()
    asker = TufAsker(repository)
    assert asker.code() is Code.EXPIRED
    repository.expire("root", EXPIRES)
    repository.publish("root")
    assert asker.ask().roles[0].version == 2


def test_the_other_way_of_naming_the_same_root_keeps_what_is_stored(asker: TufAsker) -> None:
    asker.ask()
    asker.wait(days=1)
    asker.settings["anchor"] = sha256_of(asker.repository, 1)
    assert asker.ask().anchor.kind == "root-file"
    assert asker.requests == WARM


def test_a_newer_root_of_the_same_chain_as_anchor_keeps_what_is_known(asker: TufAsker) -> None:
    repository = asker.repository
    first = asker.ask().known_since
    repository.publish("root")
    asker.ask()
    asker.wait(days=1)
    asker.settings["anchor"] = RootFile(repository.files["2.root.json"])
    attestation = asker.ask()
    assert attestation.anchor.ids == (sha256_of(repository, 2).sha256,)
    assert attestation.known_since == first
    assert stored(asker).floors["targets"].threshold == 1


def test_an_older_root_of_the_same_chain_leads_to_the_stored_one(asker: TufAsker) -> None:
    repository = asker.repository
    repository.publish("root")
    asker.settings["anchor"] = RootFile(repository.files["2.root.json"])
    first = asker.ask().known_since
    asker.wait(days=1)
    asker.settings["anchor"] = RootFile(repository.files["1.root.json"])
    assert asker.ask().known_since == first


def test_another_chain_keeps_every_floor(asker: TufAsker) -> None:
    asker.repository.publish(everything=True)
    asker.repository.publish(everything=True)
    asker.ask()
    other = TufRepository(publish=False)
    for role in ("root", "timestamp", "snapshot", "targets"):
        other.set_keys(role, tuf_key(f"other {role}"))
    other.documents["root"]["version"] = 5
    other.publish()
    asker.repository = other
    asker.wait(days=1)
    asker.settings["anchor"] = RootFile(other.files["6.root.json"])
    assert asker.code() is Code.ROLLBACK
    for role in ("timestamp", "snapshot", "targets"):
        other.documents[role]["version"] = 7
    other.publish(everything=True)
    attestation = asker.ask()
    assert attestation.known_since == asker.now
    assert stored(asker).floors["timestamp"].key_ids == (tuf_key("other timestamp").canonical_id,)


def test_another_chain_with_an_older_root_is_refused_and_not_kept(asker: TufAsker) -> None:
    asker.repository.publish("root")
    asker.ask()
    before = stored(asker)
    other = TufRepository(publish=False)
    other.set_keys("root", tuf_key("other root"))
    other.publish()
    asker.repository = other
    asker.settings["anchor"] = RootFile(other.files["1.root.json"])
    error = asker.error()
    assert (error.code, error.subject) == (Code.ROLLBACK, "root")
    assert stored(asker) == before


# -- what a failed request means --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("path", "status", "code"),
    [
        ("timestamp.json", 404, Code.BAD_RESPONSE),
        ("timestamp.json", 401, Code.ACCESS_DENIED),
        ("timestamp.json", 403, Code.ACCESS_DENIED),
        ("timestamp.json", 500, Code.UNREACHABLE),
        ("1.snapshot.json", 404, Code.MISSING_METADATA),
        ("1.snapshot.json", 503, Code.UNREACHABLE),
        ("1.targets.json", 404, Code.MISSING_METADATA),
        ("1.targets.json", 403, Code.ACCESS_DENIED),
    ],
)
def test_a_document_that_cannot_be_had_is_no_refusal(asker: TufAsker, path: str, status: int, code: Code) -> None:
    asker.repository.replies[path] = Reply(status)
    error = asker.error()
    assert error.code is code
    assert error.outcome is Outcome.INCONCLUSIVE


def test_the_next_run_goes_on_where_a_failed_one_ended(asker: TufAsker) -> None:
    asker.repository.replies["1.targets.json"] = Reply(404)
    assert asker.code() is Code.MISSING_METADATA
    assert asker.stored_versions == {"timestamp": 1, "snapshot": 1, "targets": 1}
    del asker.repository.replies["1.targets.json"]
    asker.ask()
    assert asker.requests == [*WARM, "1.targets.json"]


@pytest.mark.parametrize(
    ("path", "kept"),
    [
        ("timestamp.json", set()),
        ("2.snapshot.json", {"timestamp"}),
        ("2.targets.json", {"timestamp", "snapshot"}),
    ],
)
def test_what_came_before_a_failure_is_kept(asker: TufAsker, path: str, kept: set[str]) -> None:
    asker.ask()
    old = stored(asker).documents
    asker.repository.publish(everything=True)
    asker.repository.replies[path] = Reply(404)
    asker.error()
    now = stored(asker).documents
    assert {role for role in now if now[role] != old[role]} == kept
    assert stored(asker).root == asker.repository.files["2.root.json"]


@pytest.mark.parametrize(
    ("role", "kept"), [("timestamp", set()), ("snapshot", {"timestamp"}), ("targets", {"timestamp", "snapshot"})]
)
def test_what_has_expired_is_refused_and_not_kept(asker: TufAsker, role: str, kept: set[str]) -> None:
    asker.repository.expire(role)
    asker.repository.publish()
    assert asker.code() is Code.EXPIRED
    assert set(stored(asker).documents) == kept


def test_the_very_moment_of_expiry_is_too_late(asker: TufAsker) -> None:
    asker.repository.expire("timestamp", f"{asker.now:%Y-%m-%dT%H:%M:%SZ}")
    asker.repository.publish()
    assert asker.code() is Code.EXPIRED
    asker.wait(seconds=-1)
    assert asker.ask().fresh


# -- the state --------------------------------------------------------------------------------------------------------


def test_a_document_lost_from_the_cache_is_asked_for_again(asker: TufAsker) -> None:
    asker.ask()
    trust = stored(asker)
    assert asker.state is not None
    state = MemoryState()
    cut = replace(trust, documents={"timestamp": trust.documents["timestamp"]})
    state.commit("tuf", asker.repository.name, cut, expected="", deadline=Deadline(5))
    asker.state = state
    asker.ask()
    assert asker.requests == [*WARM, "1.snapshot.json", "1.targets.json"]


@pytest.mark.parametrize("role", ["timestamp", "snapshot", "targets"])
@pytest.mark.parametrize("body", [b"", b"{}", b'{"signed":{},"signatures":[]}', b"\xff"])
def test_a_damaged_document_in_the_cache_is_not_used(asker: TufAsker, role: str, body: bytes) -> None:
    asker.ask()
    trust = stored(asker)
    state = MemoryState()
    poisoned = replace(trust, documents={**trust.documents, role: body})
    state.commit("tuf", asker.repository.name, poisoned, expected="", deadline=Deadline(5))
    asker.state = state
    assert asker.ask().digest == asker.repository.digest()


def test_a_timestamp_of_the_same_version_is_discarded_for_the_one_at_hand(asker: TufAsker) -> None:
    asker.ask()
    before = stored(asker).documents["timestamp"]
    asker.repository.timestamp["x-again"] = 1
    asker.repository.publish_role("timestamp", bump=False)
    assert asker.ask().digest == asker.repository.digest()
    assert stored(asker).documents["timestamp"] == before


def test_an_expired_timestamp_at_hand_is_not_renewed_by_one_of_the_same_version(asker: TufAsker) -> None:
    asker.repository.expire("timestamp", "2027-02-01T00:00:00Z")
    asker.repository.publish()
    asker.ask()
    asker.wait(days=60)
    asker.repository.expire("timestamp", EXPIRES)
    asker.repository.publish_role("timestamp", bump=False)
    assert asker.code() is Code.EXPIRED


def test_an_expired_document_at_hand_does_not_stop_a_newer_one(asker: TufAsker) -> None:
    for role in ("timestamp", "snapshot", "targets"):
        asker.repository.expire(role, "2027-02-01T00:00:00Z")
    asker.repository.publish()
    asker.ask()
    asker.wait(days=60)
    for role in ("timestamp", "snapshot", "targets"):
        asker.repository.expire(role, EXPIRES)
    asker.repository.publish()
    assert asker.ask().digest == asker.repository.digest()


def test_an_archive_needs_no_state(asker: TufAsker) -> None:
    asker.state, asker.live = None, False
    attestation = asker.ask()
    assert attestation.known_since is None
    assert not attestation.fresh


def test_two_processes_do_not_overwrite_each_other(asker: TufAsker, tmp_path: Path) -> None:
    asker.state = FolderState(tmp_path / "state")
    other = TufAsker(asker.repository, state=FolderState(tmp_path / "state"))
    asker.ask()
    asker.repository.publish(everything=True)
    other.ask()
    assert asker.ask().roles[1].version == 2


@pytest.mark.parametrize("conflicts", [1, 7, 8])
def test_a_conflict_is_tried_again_so_many_times(asker: TufAsker, conflicts: int) -> None:
    state = _Contested(conflicts)
    asker.state = state
    if conflicts < asker.limits.max_state_attempts:
        asker.ask()
        assert sum(path == "timestamp.json" for path in asker.requests) == conflicts + 1
        assert [check.subject for check in asker.checks if check.code is Code.ANCHOR_MISMATCH] == ["root"]
    else:
        assert asker.code() is Code.STATE_CONFLICT


class _Contested:
    """A state that another process is always faster to change, so many times."""

    remembers = True

    def __init__(self, conflicts: int) -> None:
        self._left = conflicts

    def load(self, system: str, name: str, *, deadline: Deadline) -> Stored:
        return Stored("", None)

    def generation(self, system: str, name: str) -> str:
        return ""

    def commit(self, system: str, name: str, trust: Trust, *, expected: str, deadline: Deadline) -> Stored:
        if self._left:
            self._left -= 1
            raise InconclusiveError("another was first", code=Code.STATE_CONFLICT, subject=name)
        return Stored("1", trust)


def test_another_server_than_before_is_shown(asker: TufAsker, caplog: pytest.LogCaptureFixture) -> None:
    asker.ask()
    asker.location = "https://mirror.example.com/tuf"
    with caplog.at_level(logging.WARNING, "imgsig"):
        asker.ask()
    assert "another server" in caplog.text
    assert stored(asker).origin == "https://mirror.example.com/tuf"
    assert "server" in [check.subject for check in asker.checks]


# -- outages ----------------------------------------------------------------------------------------------------------


@pytest.fixture
def bridged(asker: TufAsker) -> TufAsker:
    """Return one that has asked before and may bridge an hour."""
    asker.repository.add_delegation("team", listed=[f"{asker.repository.name}:2.0"])
    asker.repository.publish()
    asker.settings["max_stale_seconds"] = 3600
    asker.ask()
    asker.wait(seconds=600)
    return asker


@pytest.mark.parametrize("path", ["2.root.json", "timestamp.json"])
@pytest.mark.parametrize("status", [500, 503, 429])
def test_an_outage_is_bridged_by_what_is_stored(bridged: TufAsker, path: str, status: int) -> None:
    bridged.repository.replies[path] = Reply(status)
    before = stored(bridged)
    attestation = bridged.ask()
    assert attestation.digest == bridged.repository.digest()
    assert not attestation.fresh
    assert stored(bridged) == before


def test_no_outage_is_bridged_without_leave(bridged: TufAsker) -> None:
    bridged.repository.replies["timestamp.json"] = Reply(503)
    bridged.settings["max_stale_seconds"] = 0
    assert bridged.code() is Code.UNREACHABLE


def test_no_outage_is_bridged_for_longer_than_allowed(bridged: TufAsker) -> None:
    bridged.repository.replies["timestamp.json"] = Reply(503)
    bridged.wait(seconds=3001)
    assert bridged.code() is Code.STALE


@pytest.mark.parametrize("status", [302, 400, 401, 403, 404])
def test_an_odd_answer_is_no_outage(bridged: TufAsker, status: int) -> None:
    bridged.repository.replies["timestamp.json"] = Reply(status)
    assert bridged.error().code not in {Code.STALE, Code.OK}


def test_what_is_stored_must_be_complete_to_stand_in(bridged: TufAsker) -> None:
    bridged.repository.replies["timestamp.json"] = Reply(503)
    assert bridged.code("2.0") is Code.STALE
    assert "lacks" in str(bridged.error("2.0"))


@pytest.mark.parametrize("role", ["root", "timestamp", "snapshot", "targets"])
def test_what_is_stored_must_not_have_expired_to_stand_in(asker: TufAsker, role: str) -> None:
    asker.settings["max_stale_seconds"] = 100 * 24 * 3600
    asker.repository.expire(role, "2027-02-01T00:00:00Z")
    asker.repository.publish(everything=True)
    asker.ask()
    asker.wait(days=60)
    asker.repository.replies |= {f"{version}.root.json": Reply(503) for version in (2, 3)}
    asker.repository.replies["timestamp.json"] = Reply(503)
    error = asker.error()
    assert (error.code, error.subject) == (Code.STALE, role)


def test_an_archive_is_never_stale(bridged: TufAsker) -> None:
    bridged.live = False
    bridged.repository.replies["timestamp.json"] = Reply(503)
    assert bridged.code() is Code.UNREACHABLE


def test_first_contact_cannot_be_bridged(asker: TufAsker) -> None:
    asker.settings["max_stale_seconds"] = 3600
    asker.repository.replies["2.root.json"] = Reply(503)
    assert asker.code() is Code.UNREACHABLE


def test_a_confirmation_is_written_only_now_and_then(bridged: TufAsker) -> None:
    assert bridged.ask().fresh
    confirmed = stored(bridged).confirmed_at
    assert confirmed == bridged.now
    bridged.wait(seconds=300)
    bridged.ask()
    assert stored(bridged).confirmed_at == confirmed
    bridged.wait(seconds=100)
    bridged.ask()
    assert stored(bridged).confirmed_at - confirmed == timedelta(seconds=400)


# -- the answer -------------------------------------------------------------------------------------------------------


def test_a_tag_that_no_role_lists_is_not_signed(asker: TufAsker) -> None:
    error = asker.error("9.9")
    assert (error.code, error.subject) == (Code.TAG_NOT_SIGNED, "9.9")
    assert f"'{asker.repository.name}:9.9'" in str(error)
    assert asker.stored_versions


def test_a_digest_beside_the_tag_must_be_the_signed_one(asker: TufAsker) -> None:
    assert asker.ask(digest=asker.repository.digest()).digest == asker.repository.digest()
    assert asker.code(digest=f"sha256:{64 * '0'}") is Code.TAG_DIGEST_CONFLICT


def test_a_digest_alone_is_approved_by_a_target_of_its_own(asker: TufAsker) -> None:
    content = b"a manifest"
    digest = f"sha256:{hashlib.sha256(content).hexdigest()}"
    assert asker.code("", digest=digest) is Code.DIGEST_NOT_SIGNED
    asker.repository.add_target(f"sha256/{digest[7:]}", content)
    asker.repository.publish()
    attestation = asker.ask("", digest=digest)
    assert attestation.digest == digest
    assert attestation.tags == ()
    (check,) = (check for check in asker.checks if check.code is Code.DIGEST_NOT_SIGNED)
    assert "whichever tags it has now or had" in check.found


def test_a_target_that_stands_for_another_digest_approves_nothing(asker: TufAsker) -> None:
    asker.repository.add_target(f"sha256/{64 * '0'}", b"something else")
    asker.repository.publish()
    assert asker.code("", digest=f"sha256:{64 * '0'}") is Code.DIGEST_NOT_SIGNED


def test_only_a_sha256_can_be_asked_about(asker: TufAsker) -> None:
    assert asker.code("", digest=f"sha512:{128 * '0'}") is Code.DIGEST_NOT_SIGNED
    assert asker.requests == []


def test_templates_say_which_target_is_meant(asker: TufAsker) -> None:
    asker.settings |= {"target": "images/{repository}/{tag}", "digest_target": "{name}@{hex}"}
    digest = asker.repository.add_target("images/team/app/1.0")
    asker.repository.add_target(f"{asker.repository.name}@{digest[7:]}", b"targets images/team/app/1.0")
    asker.repository.publish()
    assert asker.ask("1.0").digest == digest
    assert asker.ask("", digest=digest).digest == digest
    assert asker.code("latest") is Code.TAG_NOT_SIGNED, "no second template is tried"


def test_a_name_with_a_port_has_a_target_whose_port_is_escaped(asker: TufAsker) -> None:
    digest = asker.repository.add_target("localhost%3A5000/app:latest")
    asker.repository.publish()
    assert asker.ask(name="localhost:5000/app").digest == digest


def test_the_digest_can_stand_in_custom(asker: TufAsker) -> None:
    asker.settings |= {"custom": "/docker_compose_apps/*/uri", "target": "factory-{tag}"}
    digest = f"sha256:{64 * '5'}"
    apps = {"app": {"uri": f"{asker.repository.name}@{digest}"}, "web": {"uri": f"docker.io/x/web@{digest}"}}
    asker.repository.add_target("factory-7", custom={"docker_compose_apps": apps})
    asker.repository.add_target("factory-8")
    asker.repository.publish()
    attestation = asker.ask("7")
    assert (attestation.digest, attestation.length) == (digest, 0)
    assert asker.code("8") is Code.TAG_NOT_SIGNED
    assert asker.ask("7", name="docker.io/x/web").digest == digest
    assert asker.code("7", name="docker.io/x/other") is Code.TAG_NOT_SIGNED


@pytest.mark.parametrize(
    "hashes", [{"sha512": 128 * "0"}, {"sha256": "X" * 64}, {"sha256": 43 * "A" + "="}, {"sha256": 64 * "A"}]
)
def test_a_target_whose_hash_is_none_is_malformed(asker: TufAsker, hashes: dict[str, str]) -> None:
    asker.repository.add_image("latest", hashes=hashes)
    asker.repository.publish()
    error = asker.error()
    assert error.code is Code.MALFORMED
    assert f"'{asker.repository.name}:latest'" in error.subject


def test_a_delegated_role_that_the_snapshot_does_not_list_is_refused_without_a_request(asker: TufAsker) -> None:
    asker.repository.add_delegation("team", listed=[f"{asker.repository.name}:2.0"])
    asker.repository.snapshot["meta"] = {"team.json": None}
    asker.repository.publish()
    error = asker.error("2.0")
    assert (error.code, error.subject) == (Code.MALFORMED, "team")
    assert not any("team" in path for path in asker.requests)


# -- required signers -------------------------------------------------------------------------------------------------


@pytest.fixture
def signed(asker: TufAsker) -> TufAsker:
    """Return one that demands two delegated roles, both of which list ``latest`` with the right digest."""
    content = b"the image"
    asker.repository.add_image("latest", content)
    asker.repository.add_delegation("security")
    asker.repository.add_delegation("deep", delegator="security")
    for role in ("security", "deep"):
        asker.repository.add_image("latest", content, role=role)
    asker.repository.publish()
    asker.settings["signers"] = ("deep", "security")
    return asker


def test_required_signers_vouch_besides_the_role_that_is_found(signed: TufAsker) -> None:
    attestation = signed.ask()
    assert [signer.role for signer in attestation.signers] == ["targets", "deep", "security"]
    roles = [role.role for role in attestation.roles]
    assert roles == ["root", "timestamp", "snapshot", "targets", "security", "deep"]
    assert [check.subject for check in signed.checks if check.code is Code.SIGNER_MISSING] == ["deep", "security"]


def test_a_signer_that_does_not_list_the_tag_is_missing(signed: TufAsker) -> None:
    signed.repository.documents["security"]["targets"].clear()
    signed.repository.publish()
    error = signed.error()
    assert (error.code, error.subject, error.found) == (Code.SIGNER_MISSING, "security", "it does not list it")


def test_a_signer_that_nobody_delegates_to_is_missing(signed: TufAsker) -> None:
    signed.settings["signers"] = ("nobody",)
    error = signed.error()
    assert (error.code, error.subject) == (Code.SIGNER_MISSING, "nobody")
    assert error.found == "the target is not delegated to it"


def test_a_signer_that_lists_another_digest_disagrees(signed: TufAsker) -> None:
    signed.repository.add_image("latest", b"another", role="deep")
    signed.repository.publish()
    error = signed.error()
    assert (error.code, error.subject) == (Code.SIGNERS_DISAGREE, "deep")


def test_a_signer_s_hash_must_be_one_too(signed: TufAsker) -> None:
    signed.repository.add_image("latest", role="deep", hashes={"sha256": "x"})
    signed.repository.publish()
    assert signed.code() is Code.MALFORMED


def test_one_key_stands_for_one_signer(signed: TufAsker) -> None:
    key = tuf_key("shared")
    signed.repository.set_keys("security", key)
    signed.repository.set_keys("deep", key)
    signed.repository.publish()
    error = signed.error()
    assert error.code is Code.SIGNER_MISSING
    assert error.expected == "keys of its own"


def test_a_signer_may_be_the_role_that_is_found(signed: TufAsker) -> None:
    del signed.repository.targets["targets"][f"{signed.repository.name}:latest"]
    signed.repository.publish()
    assert [signer.role for signer in signed.ask().signers] == ["security", "deep"]


def test_a_signer_whose_metadata_has_expired_does_not_vouch(signed: TufAsker) -> None:
    signed.repository.expire("deep")
    signed.repository.publish()
    assert signed.code() is Code.EXPIRED
