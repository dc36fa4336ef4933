import copy
import hashlib
import json
import logging
import os
import pickle
import stat
import sys
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any, Self

import pytest

from imgsig.authority import State
from imgsig.codes import Code
from imgsig.errors import InconclusiveError, RejectedError, UsageError
from imgsig.limits import Deadline, Limits
from imgsig.state import FolderState, MemoryState
from imgsig.state.folder import entry_name
from imgsig.state.record import HEAD_BYTES, Record, encode_record, parse_generation, parse_record
from imgsig.trust import Evidence, Floor, Stored
from tests.support.forks import in_child
from tests.support.trusts import BEGINNING, NAME, SYSTEM, trust_at, version_of

AnyState = FolderState | MemoryState


def soon() -> Deadline:
    return Deadline(10)


def load(state: State, name: str = NAME) -> Stored:
    return state.load(SYSTEM, name, deadline=soon())


def commit(state: State, version: int, *, expected: str, name: str = NAME) -> Stored:
    return state.commit(SYSTEM, name, trust_at(version), expected=expected, deadline=soon())


def folder_of(state: FolderState, name: str = NAME) -> Path:
    return state.path / entry_name(SYSTEM, name)


def record_of(state: FolderState) -> Path:
    return folder_of(state) / "trust.json"


@pytest.fixture(params=["folder", "memory"])
def state(request: pytest.FixtureRequest, tmp_path: Path) -> AnyState:
    return FolderState(tmp_path / "state") if request.param == "folder" else MemoryState()


@pytest.fixture
def folder_state(tmp_path: Path) -> FolderState:
    return FolderState(tmp_path / "state")


class TestBothKinds:
    def test_nothing_is_stored_at_first(self, state: AnyState) -> None:
        assert load(state) == Stored("", None)
        assert state.generation(SYSTEM, NAME) == ""
        assert state.names() == ()
        assert not state.forget(SYSTEM, NAME, deadline=soon())

    def test_what_was_committed_is_loaded(self, state: AnyState) -> None:
        stored = commit(state, 1, expected="")
        assert stored.trust == trust_at(1)
        assert load(state) == stored
        assert state.generation(SYSTEM, NAME) == stored.generation != ""

    def test_each_commit_changes_the_generation_even_if_it_changes_nothing_else(self, state: AnyState) -> None:
        first = commit(state, 1, expected="")
        second = commit(state, 1, expected=first.generation)
        assert second.generation not in {"", first.generation}
        assert load(state) == second

    def test_a_commit_over_another_generation_is_a_conflict_and_changes_nothing(self, state: AnyState) -> None:
        first = commit(state, 1, expected="")
        second = commit(state, 2, expected=first.generation)
        for outdated in ("", first.generation):
            with pytest.raises(InconclusiveError, match="changed") as caught:
                commit(state, 3, expected=outdated)
            assert caught.value.code is Code.STATE_CONFLICT
            assert caught.value.subject == NAME
        assert load(state) == second

    def test_a_commit_over_what_was_never_stored_is_a_conflict(self, state: AnyState) -> None:
        with pytest.raises(InconclusiveError) as caught:
            commit(state, 1, expected="0" * 32)
        assert caught.value.code is Code.STATE_CONFLICT
        assert load(state) == Stored("", None)

    def test_what_was_forgotten_is_nothing_and_never_has_its_old_generation_again(self, state: AnyState) -> None:
        old = commit(state, 1, expected="")
        assert state.forget(SYSTEM, NAME, deadline=soon())
        assert load(state) == Stored("", None)
        assert state.generation(SYSTEM, NAME) == ""
        assert state.names() == ()
        assert not state.forget(SYSTEM, NAME, deadline=soon())
        with pytest.raises(InconclusiveError) as caught:
            commit(state, 2, expected=old.generation)
        assert caught.value.code is Code.STATE_CONFLICT
        assert commit(state, 1, expected="").generation != old.generation

    def test_entries_are_apart_by_system_and_by_name(self, state: AnyState) -> None:
        commit(state, 1, expected="")
        commit(state, 2, expected="", name="other")
        state.commit("tuf", NAME, trust_at(3), expected="", deadline=soon())
        assert version_of(load(state).trust) == 1
        assert version_of(load(state, "other").trust) == 2
        assert version_of(state.load("tuf", NAME, deadline=soon()).trust) == 3
        assert state.names() == ((SYSTEM, "other"), (SYSTEM, NAME), ("tuf", NAME))
        assert state.forget(SYSTEM, NAME, deadline=soon())
        assert state.names() == ((SYSTEM, "other"), ("tuf", NAME))

    def test_trust_without_documents_or_floors_is_kept(self, state: AnyState) -> None:
        bare = replace(trust_at(1), documents={}, floors={}, root=b"", evidence=Evidence("first-use"))
        stored = state.commit(SYSTEM, NAME, bare, expected="", deadline=soon())
        assert load(state) == stored
        assert stored.trust == bare

    def test_a_child_that_was_forked_can_commit(self, state: AnyState) -> None:
        stored = commit(state, 1, expected="")

        def child() -> None:
            assert commit(state, 2, expected=stored.generation).trust == trust_at(2)

        assert in_child(child) == 0


class TestMemory:
    def test_it_does_not_remember(self) -> None:
        assert not MemoryState().remembers

    @pytest.mark.parametrize("duplicate", [pickle.dumps, copy.copy, copy.deepcopy])
    def test_it_refuses_to_be_pickled_or_copied(self, duplicate: Callable[[MemoryState], object]) -> None:
        with pytest.raises(UsageError, match="cannot be pickled"):
            duplicate(MemoryState())

    def test_what_the_caller_changes_later_is_not_changed_in_it(self) -> None:
        state = MemoryState()
        floors = dict(trust_at(1).floors)
        stored = state.commit(SYSTEM, NAME, replace(trust_at(1), floors=floors), expected="", deadline=soon())
        floors.clear()
        assert stored.trust == trust_at(1)
        assert load(state).trust == trust_at(1)


class TestFolder:
    def test_it_remembers(self, folder_state: FolderState) -> None:
        assert folder_state.remembers

    def test_its_path_is_absolute_so_that_the_working_directory_may_change(self) -> None:
        assert FolderState(Path("state")).path == Path.cwd() / "state"

    def test_its_repr_shows_the_path(self, folder_state: FolderState) -> None:
        assert repr(folder_state) == f"FolderState({str(folder_state.path)!r})"

    def test_a_pickle_of_it_shares_the_folder(self, folder_state: FolderState) -> None:
        stored = commit(folder_state, 1, expected="")
        twin = pickle.loads(pickle.dumps(folder_state))  # noqa: S301 - made here
        assert load(twin) == stored
        commit(twin, 2, expected=stored.generation)
        assert version_of(load(folder_state).trust) == 2

    def test_without_posix_locks_it_is_a_usage_error(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setitem(sys.modules, "fcntl", None)
        with pytest.raises(UsageError, match="POSIX"):
            FolderState(tmp_path)

    def test_looking_makes_nothing(self, folder_state: FolderState) -> None:
        load(folder_state)
        folder_state.generation(SYSTEM, NAME)
        folder_state.names()
        folder_state.forget(SYSTEM, NAME, deadline=soon())
        with pytest.raises(InconclusiveError):
            commit(folder_state, 1, expected="0" * 32)
        assert not folder_state.path.exists()

    @pytest.mark.parametrize("umask", [0o000, 0o022, 0o077, 0o277])
    def test_everything_is_for_the_user_alone_whatever_the_umask(self, tmp_path: Path, umask: int) -> None:
        state = FolderState(tmp_path / "above" / "state")
        before = os.umask(umask)
        try:
            commit(state, 1, expected="")
        finally:
            os.umask(before)
        for path in (tmp_path / "above").rglob("*"):
            wanted = 0o700 if path.is_dir() else 0o600
            assert stat.S_IMODE(path.stat().st_mode) == wanted, path
        assert stat.S_IMODE((tmp_path / "above").stat().st_mode) == 0o700
        assert version_of(load(state).trust) == 1

    def test_the_layout_is_as_documented(self, folder_state: FolderState) -> None:
        stored = commit(folder_state, 1, expected="")
        digest = hashlib.sha256(f"{SYSTEM}\0{NAME}".encode()).hexdigest()
        entry = folder_state.path / digest
        assert sorted(path.name for path in entry.iterdir()) == ["documents", "lock", "trust.json"]
        record = json.loads((entry / "trust.json").read_bytes())
        assert record["format"] == "imgsig-state/1"
        assert record["generation"] == stored.generation
        assert (record["system"], record["name"]) == (SYSTEM, NAME)
        for role, body in trust_at(1).documents.items():
            assert record["documents"][role] == hashlib.sha256(body).hexdigest()
            assert (entry / "documents" / record["documents"][role]).read_bytes() == body

    def test_a_link_to_the_state_folder_is_the_users_own_affair(self, tmp_path: Path) -> None:
        (tmp_path / "elsewhere").mkdir(mode=0o700)
        (tmp_path / "state").symlink_to("elsewhere")
        state = FolderState(tmp_path / "state")
        stored = commit(state, 1, expected="")
        assert load(state) == stored

    def test_what_else_lies_in_the_state_folder_is_no_entry(self, folder_state: FolderState) -> None:
        commit(folder_state, 1, expected="")
        (folder_state.path / "notes.txt").write_text("mine")
        assert folder_state.names() == ((SYSTEM, NAME),)

    def test_a_folder_that_a_stopped_first_commit_left_is_nothing(self, folder_state: FolderState) -> None:
        entry = folder_of(folder_state)
        (entry / "documents").mkdir(parents=True, mode=0o700)
        entry.chmod(0o700)
        folder_state.path.chmod(0o700)
        (entry / "lock").touch(mode=0o600)
        (entry / "tmp-0123").write_bytes(b"half")
        (entry / "documents" / "tmp-4567").write_bytes(b"half")
        assert load(folder_state) == Stored("", None)
        assert folder_state.generation(SYSTEM, NAME) == ""
        assert folder_state.names() == ()
        commit(folder_state, 1, expected="")
        assert not list(entry.rglob("tmp-*"))

    def test_a_record_that_was_moved_aside_is_not_taken_for_nothing(self, folder_state: FolderState) -> None:
        commit(folder_state, 1, expected="")
        record_of(folder_state).rename(folder_of(folder_state) / "trust.json.old")
        calls: list[Callable[[], object]] = [
            lambda: load(folder_state),
            lambda: folder_state.generation(SYSTEM, NAME),
            folder_state.names,
            lambda: commit(folder_state, 1, expected=""),
            lambda: folder_state.forget(SYSTEM, NAME, deadline=soon()),
        ]
        for call in calls:
            with pytest.raises(InconclusiveError, match=r"'trust\.json\.old' is no part") as caught:
                call()
            assert caught.value.code is Code.STATE_UNREADABLE
        (folder_of(folder_state) / "trust.json.old").rename(record_of(folder_state))
        assert version_of(load(folder_state).trust) == 1

    def test_a_record_larger_than_its_bound_is_neither_written_nor_read(self, tmp_path: Path) -> None:
        small = FolderState(tmp_path, limits=Limits(max_state_bytes=1000))
        with pytest.raises(InconclusiveError, match="larger than 1000 bytes") as caught:
            commit(small, 1, expected="")
        assert caught.value.code is Code.STATE_UNREADABLE
        assert load(small) == Stored("", None)
        large = FolderState(tmp_path)
        commit(large, 1, expected="")
        with pytest.raises(InconclusiveError, match="larger than 1000 bytes") as caught:
            load(small)
        assert caught.value.code is Code.STATE_UNREADABLE

    @pytest.mark.parametrize(
        "damage",
        [
            lambda raw: raw[:0],
            lambda raw: raw[:40],
            lambda raw: raw[: len(raw) // 2],
            lambda raw: b"\0" * len(raw),
            lambda raw: raw.replace(b"imgsig-state/1", b"imgsig-state/2"),
            lambda raw: raw.replace(NAME.encode(), b"another/name"),
            lambda raw: raw.replace(NAME.encode(), b"a\\u0000b"),
            lambda raw: raw.replace(b'"system": "notary"', b'"system": "tuf"'),
        ],
    )
    def test_a_damaged_record_is_unreadable_and_only_forgetting_helps(
        self, folder_state: FolderState, damage: Callable[[bytes], bytes]
    ) -> None:
        commit(folder_state, 1, expected="")
        record = record_of(folder_state)
        record.write_bytes(damage(record.read_bytes()))
        for call in (lambda: load(folder_state), folder_state.names):
            with pytest.raises(InconclusiveError, match="cannot be used") as caught:
                call()
            assert caught.value.code is Code.STATE_UNREADABLE
        with pytest.raises(InconclusiveError):
            commit(folder_state, 2, expected="")
        assert folder_state.forget(SYSTEM, NAME, deadline=soon())
        commit(folder_state, 2, expected="")
        assert version_of(load(folder_state).trust) == 2

    def test_trust_that_the_format_cannot_hold_is_not_written(self, folder_state: FolderState) -> None:
        zone = timezone(timedelta(hours=1))
        for wrong in (
            replace(trust_at(1), known_since=BEGINNING.replace(tzinfo=None)),
            replace(trust_at(1), confirmed_at=BEGINNING.astimezone(zone)),
            replace(trust_at(1), origin="\ud800"),
            replace(trust_at(1), floors={"targets": Floor(-1, (), 0)}),
        ):
            with pytest.raises(InconclusiveError) as caught:
                folder_state.commit(SYSTEM, NAME, wrong, expected="", deadline=soon())
            assert caught.value.code is Code.STATE_UNREADABLE
        assert load(folder_state) == Stored("", None)


class TestCachedDocuments:
    def test_a_missing_or_changed_document_is_left_out_and_the_rest_stands(self, folder_state: FolderState) -> None:
        stored = commit(folder_state, 1, expected="")
        documents = folder_of(folder_state) / "documents"
        bodies = trust_at(1).documents
        (documents / hashlib.sha256(bodies["timestamp"]).hexdigest()).unlink()
        (documents / hashlib.sha256(bodies["targets"]).hexdigest()).write_bytes(b"TARGETS" * 1000)
        trust = load(folder_state).trust
        assert trust is not None
        assert dict(trust.documents) == {role: bodies[role] for role in ("snapshot", "targets/releases")}
        assert trust.floors == trust_at(1).floors
        assert commit(folder_state, 1, expected=stored.generation) == load(folder_state)

    def test_a_document_cut_short_is_written_anew_by_the_next_commit(self, folder_state: FolderState) -> None:
        stored = commit(folder_state, 1, expected="")
        body = trust_at(1).documents["targets"]
        (folder_of(folder_state) / "documents" / hashlib.sha256(body).hexdigest()).write_bytes(body[:-1])
        again = commit(folder_state, 1, expected=stored.generation)
        assert load(folder_state) == again

    def test_without_the_documents_folder_all_are_left_out(self, folder_state: FolderState) -> None:
        commit(folder_state, 1, expected="")
        documents = folder_of(folder_state) / "documents"
        for path in documents.iterdir():
            path.unlink()
        documents.rmdir()
        trust = load(folder_state).trust
        assert trust is not None
        assert trust.documents == {}

    def test_a_document_larger_than_its_bound_is_left_out(self, folder_state: FolderState) -> None:
        commit(folder_state, 1, expected="")
        trust = load(FolderState(folder_state.path, limits=Limits(max_document_bytes=100))).trust
        assert trust is not None
        assert "targets" not in trust.documents
        assert "snapshot" in trust.documents

    def test_documents_that_no_record_names_any_more_are_removed(self, folder_state: FolderState) -> None:
        stored = commit(folder_state, 1, expected="")
        documents = folder_of(folder_state) / "documents"
        (documents / "kept by the user").touch()
        commit(folder_state, 2, expected=stored.generation)
        named = {hashlib.sha256(body).hexdigest() for body in trust_at(2).documents.values()}
        assert {path.name for path in documents.iterdir()} == named | {"kept by the user"}

    def test_two_roles_with_the_same_bytes_share_a_document(self, folder_state: FolderState) -> None:
        same = replace(trust_at(1), documents={"targets": b"same", "targets/a": b"same"})
        stored = folder_state.commit(SYSTEM, NAME, same, expected="", deadline=soon())
        assert load(folder_state) == stored

    def test_a_record_replaced_while_its_documents_are_read_is_read_again(self, folder_state: FolderState) -> None:
        stored = commit(folder_state, 1, expected="")
        damage(folder_state, 1)
        with when_damage_is_seen(lambda _: commit(folder_state, 2, expected=stored.generation)):
            found = load(folder_state)
        assert found.trust == trust_at(2)

    def test_reading_again_ends(self, folder_state: FolderState) -> None:
        commit(folder_state, 1, expected="")
        damage(folder_state, 1)

        def spoil(times: int) -> None:
            commit(folder_state, times + 1, expected=folder_state.generation(SYSTEM, NAME))
            damage(folder_state, times + 1)

        with when_damage_is_seen(spoil) as seen:
            found = load(folder_state)
        assert len(seen.records) == Limits().max_state_attempts
        assert version_of(found.trust) == Limits().max_state_attempts

    def test_reading_again_ends_at_the_deadline(self, folder_state: FolderState) -> None:
        now = [0.0]
        stored = commit(folder_state, 1, expected="")
        damage(folder_state, 1)

        def spoil(times: int) -> None:
            commit(folder_state, 2, expected=stored.generation)
            now[0] = 2.0

        with when_damage_is_seen(spoil), pytest.raises(InconclusiveError) as caught:
            folder_state.load(SYSTEM, NAME, deadline=Deadline(1, clock=lambda: now[0]))
        assert caught.value.code is Code.DEADLINE


def damage(state: FolderState, version: int) -> None:
    digest = hashlib.sha256(trust_at(version).documents["timestamp"]).hexdigest()
    (folder_of(state) / "documents" / digest).write_bytes(b"damaged")


class when_damage_is_seen(logging.Handler):  # noqa: N801 - read as a sentence
    """Calls back, with how often so far, when a load warns of a damaged document: in the middle of the load."""

    def __init__(self, callback: Callable[[int], object]) -> None:
        super().__init__(logging.WARNING)
        self.records: list[logging.LogRecord] = []
        self._callback = callback

    def emit(self, record: logging.LogRecord) -> None:
        self.records.append(record)
        self._callback(len(self.records))

    def __enter__(self) -> Self:
        logging.getLogger("imgsig").addHandler(self)
        return self

    def __exit__(self, *_: object) -> None:
        logging.getLogger("imgsig").removeHandler(self)


GENERATION = "0123456789abcdef" * 2


def members(**changes: object) -> dict[str, Any]:
    known: dict[str, Any] = {
        "format": "imgsig-state/1",
        "generation": GENERATION,
        "system": SYSTEM,
        "name": NAME,
        "origin": "https://notary.example.com",
        "known_since": "2026-01-02T03:04:05+00:00",
        "confirmed_at": "2026-01-02T03:04:05.678901+00:00",
        "evidence": {"kind": "root-keys", "ids": ["aa"]},
        "floors": {"targets": {"version": 3, "key_ids": ["bb"], "threshold": 1}},
        "documents": {"targets": "0" * 64},
        "root": "e319",
    }
    return known | changes


def encoded(record: dict[str, Any]) -> bytes:
    return json.dumps(record).encode()


class TestRecord:
    def test_what_is_written_is_what_is_read(self) -> None:
        trust = replace(trust_at(7), documents={})
        record = Record(SYSTEM, NAME, GENERATION, trust, {"targets": "0" * 64})
        raw = encode_record(record)
        assert parse_record(raw) == record
        assert parse_generation(raw[:HEAD_BYTES]) == GENERATION
        assert raw.isascii()

    def test_the_example_is_read(self) -> None:
        record = parse_record(encoded(members()))
        assert record.trust.root == b"{}}"
        assert record.trust.floors == {"targets": Floor(3, ("bb",), 1)}
        assert record.trust.known_since == datetime.fromisoformat("2026-01-02T03:04:05Z")

    @pytest.mark.parametrize(
        ("changes", "where"),
        [
            ({"generation": "short"}, "trust record"),
            ({"generation": GENERATION.upper()}, "trust record"),
            ({"format": "imgsig-state/10"}, "trust record"),
            ({"more": 1}, "trust record"),
            ({"system": None}, "system"),
            ({"name": 1}, "name"),
            ({"origin": ["x"]}, "origin"),
            ({"known_since": "yesterday"}, "known_since"),
            ({"known_since": "2026-01-02T03:04:05"}, "known_since"),
            ({"confirmed_at": "2026-01-02T03:04:05+01:00"}, "confirmed_at"),
            ({"confirmed_at": "2026-01-02 03:04:05+00:00"}, "confirmed_at"),
            ({"confirmed_at": 5}, "confirmed_at"),
            ({"evidence": []}, "evidence"),
            ({"evidence": {"kind": "root-keys"}}, "evidence"),
            ({"evidence": {"kind": 1, "ids": []}}, "evidence.kind"),
            ({"evidence": {"kind": "root-keys", "ids": "aa"}}, "evidence.ids"),
            ({"evidence": {"kind": "root-keys", "ids": [1]}}, "evidence.ids"),
            ({"floors": []}, "floors"),
            ({"floors": {"targets": 3}}, "floors['targets']"),
            ({"floors": {"targets": {"version": 3, "key_ids": []}}}, "floors['targets']"),
            ({"floors": {"targets": {"version": -1, "key_ids": [], "threshold": 1}}}, "floors['targets'].version"),
            ({"floors": {"targets": {"version": True, "key_ids": [], "threshold": 1}}}, "floors['targets'].version"),
            ({"floors": {"targets": {"version": 3.0, "key_ids": [], "threshold": 1}}}, "floors['targets'].version"),
            ({"floors": {"targets": {"version": 3, "key_ids": {}, "threshold": 1}}}, "floors['targets'].key_ids"),
            ({"floors": {"targets": {"version": 3, "key_ids": [], "threshold": "1"}}}, "floors['targets'].threshold"),
            ({"documents": None}, "documents"),
            ({"documents": {"targets": "0" * 63}}, "documents['targets']"),
            ({"documents": {"targets": "../" + "0" * 61}}, "documents['targets']"),
            ({"documents": {"targets": "A" * 64}}, "documents['targets']"),
            ({"root": "e30"}, "root"),
            ({"root": "e3 0="}, "root"),
            ({"root": "é30="}, "root"),
            ({"root": {}}, "root"),
        ],
    )
    def test_a_wrong_member_is_refused_at_its_place(self, changes: dict[str, Any], where: str) -> None:
        with pytest.raises(RejectedError) as caught:
            parse_record(encoded(members(**changes)))
        assert caught.value.code is Code.MALFORMED
        assert caught.value.subject == where

    @pytest.mark.parametrize("missing", sorted(members()))
    def test_every_member_must_be_there(self, missing: str) -> None:
        record = members()
        del record[missing]
        with pytest.raises(RejectedError):
            parse_record(encoded(record))

    def test_a_duplicate_member_is_refused(self) -> None:
        raw = encoded(members())
        with pytest.raises(RejectedError, match="duplicate"):
            parse_record(raw[:-1] + b', "name": "other"}')

    def test_a_value_that_would_be_read_as_another_is_not_written(self) -> None:
        listed = Evidence("root-keys", ["aa"])  # type: ignore[arg-type]
        record = Record(SYSTEM, NAME, GENERATION, replace(trust_at(1), documents={}, evidence=listed), {})
        with pytest.raises(RejectedError, match="would not be read back"):
            encode_record(record)

    def test_every_truncation_is_refused(self) -> None:
        raw = encoded(members())
        for length in range(len(raw)):
            with pytest.raises(RejectedError):
                parse_record(raw[:length])

    def test_every_changed_byte_is_refused_or_changes_a_value_and_raises_nothing_else(self) -> None:
        raw = encoded(members())
        original = parse_record(raw)
        outcomes = {"refused": 0, "same": 0, "another": 0}
        for at in range(len(raw)):
            for flip in (0x01, 0x20, 0x80):
                changed = raw[:at] + bytes([raw[at] ^ flip]) + raw[at + 1 :]
                try:
                    record = parse_record(changed)
                except RejectedError:
                    outcomes["refused"] += 1
                    continue
                outcomes["same" if record == original else "another"] += 1
        assert outcomes["same"] == 0
        assert outcomes["refused"] > len(raw)
