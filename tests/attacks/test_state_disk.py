"""The disk is full, read-only or out of reach: said with its reason, never taken for "nothing stored"."""

import json
import os
import resource
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from imgsig.codes import Code
from imgsig.errors import InconclusiveError
from imgsig.limits import Deadline
from imgsig.state import FolderState
from imgsig.state.folder import entry_name
from tests.support.forks import as_ordinary_user, in_child, ordinary_folder
from tests.support.trusts import NAME, SYSTEM, trust_at, version_of

pytestmark = pytest.mark.filterwarnings("ignore:.*multi-threaded.*:DeprecationWarning")

ENTRY = entry_name(SYSTEM, NAME)


@pytest.fixture
def state() -> Iterator[FolderState]:
    with ordinary_folder() as folder:
        state = FolderState(folder / "state")
        assert as_ordinary_user(lambda: commit(state, 1, expected="")) == 0
        yield state


def commit(state: FolderState, version: int, *, expected: str) -> None:
    state.commit(SYSTEM, NAME, trust_at(version), expected=expected, deadline=Deadline(10))


def check_unreadable(call: Callable[[], object], *, because: str) -> None:
    with pytest.raises(InconclusiveError, match=because) as caught:
        call()
    assert caught.value.code is Code.STATE_UNREADABLE
    assert isinstance(caught.value.__cause__, OSError)


def check_still(state: FolderState, version: int) -> None:
    """Check what is stored, and that it can be replaced."""

    def look() -> None:
        stored = state.load(SYSTEM, NAME, deadline=Deadline(10))
        assert version_of(stored.trust) == version
        commit(state, version + 1, expected=stored.generation)

    assert as_ordinary_user(look) == 0


def generation_in(state: FolderState) -> str:
    """Return the stored generation, read without the permissions that are in question."""
    return str(json.loads((state.path / ENTRY / "trust.json").read_bytes())["generation"])


@contextmanager
def with_mode(path: Path, mode: int) -> Iterator[None]:
    before = path.stat().st_mode
    path.chmod(mode)
    try:
        yield
    finally:
        path.chmod(before)


@pytest.mark.parametrize("where", ["", ENTRY, f"{ENTRY}/trust.json", f"{ENTRY}/documents"])
def test_what_may_not_be_read_is_not_taken_for_nothing(state: FolderState, where: str) -> None:
    generation = generation_in(state)

    def look() -> None:
        check_unreadable(lambda: state.load(SYSTEM, NAME, deadline=Deadline(10)), because="Permission denied")
        check_unreadable(lambda: commit(state, 2, expected=generation), because="Permission denied")

    with with_mode(state.path / where, 0):
        assert as_ordinary_user(look) == 0
    check_still(state, 1)


@pytest.mark.parametrize("where", ["", ENTRY, f"{ENTRY}/trust.json"])
def test_no_generation_is_made_up_for_what_may_not_be_read(state: FolderState, where: str) -> None:
    def look() -> None:
        check_unreadable(lambda: state.generation(SYSTEM, NAME), because="Permission denied")
        check_unreadable(state.names, because="Permission denied")

    with with_mode(state.path / where, 0):
        assert as_ordinary_user(look) == 0


def test_a_cached_document_that_may_not_be_read_is_said(state: FolderState) -> None:
    def look() -> None:
        check_unreadable(lambda: state.load(SYSTEM, NAME, deadline=Deadline(10)), because="Permission denied")

    document = next((state.path / ENTRY / "documents").iterdir())
    with with_mode(document, 0):
        assert as_ordinary_user(look) == 0


@pytest.mark.parametrize("where", [ENTRY, f"{ENTRY}/documents"])
def test_from_a_read_only_folder_trust_is_loaded_but_none_is_stored(state: FolderState, where: str) -> None:
    generation = generation_in(state)

    def look() -> None:
        assert state.load(SYSTEM, NAME, deadline=Deadline(10)).trust == trust_at(1)
        check_unreadable(lambda: commit(state, 2, expected=generation), because="Permission denied")
        assert state.load(SYSTEM, NAME, deadline=Deadline(10)).trust == trust_at(1)

    with with_mode(state.path / where, 0o500):
        assert as_ordinary_user(look) == 0
    check_still(state, 1)


def test_a_new_name_is_not_stored_in_a_read_only_folder(state: FolderState) -> None:
    def look() -> None:
        assert state.load(SYSTEM, "new", deadline=Deadline(10)).trust is None
        with pytest.raises(InconclusiveError, match="Permission denied") as caught:
            state.commit(SYSTEM, "new", trust_at(1), expected="", deadline=Deadline(10))
        assert caught.value.code is Code.STATE_UNREADABLE

    with with_mode(state.path, 0o500):
        assert as_ordinary_user(look) == 0


def test_nothing_is_forgotten_in_a_read_only_folder(state: FolderState) -> None:
    def look() -> None:
        check_unreadable(lambda: state.forget(SYSTEM, NAME, deadline=Deadline(10)), because="Permission denied")

    with with_mode(state.path / ENTRY, 0o500):
        assert as_ordinary_user(look) == 0
    check_still(state, 1)


def test_a_state_folder_that_cannot_be_made_is_said(state: FolderState) -> None:
    """Nothing is stored there, and nothing can be: the one is no error, the other is."""
    elsewhere = FolderState(state.path.parent / "above" / "state")

    def look() -> None:
        assert elsewhere.load(SYSTEM, NAME, deadline=Deadline(10)).trust is None
        check_unreadable(lambda: commit(elsewhere, 1, expected=""), because="Permission denied")

    with with_mode(state.path.parent, 0o500):
        assert as_ordinary_user(look) == 0


def test_a_write_that_the_system_cuts_short_leaves_the_old_trust(state: FolderState) -> None:
    """The system's own bound on the size of files stands for a full disk: half is written, then an error."""
    generation = generation_in(state)

    def write() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (500, 500))
        check_unreadable(lambda: commit(state, 2, expected=generation), because="File too large")
        assert state.load(SYSTEM, NAME, deadline=Deadline(10)).trust == trust_at(1)

    assert as_ordinary_user(write) == 0
    assert not list(state.path.rglob("tmp-*"))
    check_still(state, 1)


@pytest.mark.parametrize("open_files", range(8))
def test_too_few_open_files_are_never_taken_for_nothing_stored(tmp_path: Path, open_files: int) -> None:
    state = FolderState(tmp_path / "state")
    commit(state, 1, expected="")
    generation = state.generation(SYSTEM, NAME)
    enough = 4  # The state folder, the entry, and there the lock or the documents, and a document.

    def work() -> None:
        os.closerange(3, 1024)
        resource.setrlimit(resource.RLIMIT_NOFILE, (3 + open_files, 3 + open_files))
        if open_files < enough:
            check_unreadable(lambda: state.load(SYSTEM, NAME, deadline=Deadline(10)), because="Too many open files")
            check_unreadable(lambda: commit(state, 2, expected=generation), because="Too many open files")
        elif open_files == enough:
            assert state.load(SYSTEM, NAME, deadline=Deadline(10)).trust == trust_at(1)
            check_unreadable(lambda: commit(state, 2, expected=generation), because="Too many open files")
        else:
            commit(state, 2, expected=generation)

    assert in_child(work) == 0
    left = state.load(SYSTEM, NAME, deadline=Deadline(10))
    assert left.trust == trust_at(2 if open_files > enough else 1)
