"""Someone else puts links, pipes or files of their own where stored trust is expected."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from imgsig.codes import Code
from imgsig.errors import InconclusiveError
from imgsig.limits import Deadline
from imgsig.state import FolderState
from imgsig.state.folder import entry_name
from tests.support.forks import NOBODY
from tests.support.trusts import NAME, SYSTEM, trust_at, version_of

needs_superuser = pytest.mark.skipif(os.geteuid() != 0, reason="only the superuser can give files away")
PLACES = ["", "trust.json", "documents", "documents/*"]


@pytest.fixture
def state(tmp_path: Path) -> FolderState:
    state = FolderState(tmp_path / "state")
    state.commit(SYSTEM, NAME, trust_at(1), expected="", deadline=Deadline(10))
    return state


def place(state: FolderState, where: str) -> Path:
    """Return a path below the entry; of several documents, the one that is the same in every version."""
    entry = state.path / entry_name(SYSTEM, NAME)
    if where == "documents/*":
        return max((entry / "documents").iterdir(), key=lambda path: path.stat().st_size)
    return entry / where


def load(state: FolderState) -> object:
    return state.load(SYSTEM, NAME, deadline=Deadline(10))


def commit(state: FolderState) -> object:
    """Commit as a process would that had loaded the trust before it was tampered with."""
    expected = state.generation(SYSTEM, NAME)
    return state.commit(SYSTEM, NAME, trust_at(2), expected=expected, deadline=Deadline(10))


def forget(state: FolderState) -> object:
    return state.forget(SYSTEM, NAME, deadline=Deadline(10))


def check_unreadable(call: Callable[[FolderState], object], state: FolderState, *, because: str) -> None:
    with pytest.raises(InconclusiveError, match=because) as caught:
        call(state)
    assert caught.value.code is Code.STATE_UNREADABLE


@pytest.mark.parametrize("call", [load, commit])
@pytest.mark.parametrize("where", PLACES)
def test_a_symbolic_link_is_not_followed_even_to_the_true_thing(
    state: FolderState, where: str, call: Callable[[FolderState], object]
) -> None:
    path = place(state, where)
    moved = state.path.parent / "moved"
    path.rename(moved)
    path.symlink_to(moved)
    check_unreadable(call, state, because="is a symbolic link")
    assert path.is_symlink()


@pytest.mark.parametrize("call", [load, commit])
@pytest.mark.parametrize("where", PLACES)
def test_a_symbolic_link_to_nothing_is_not_taken_for_nothing(
    state: FolderState, where: str, call: Callable[[FolderState], object]
) -> None:
    path = place(state, where)
    path.rename(state.path.parent / "moved")
    path.symlink_to("nowhere")
    check_unreadable(call, state, because="is a symbolic link")


def test_a_link_in_place_of_the_lock_makes_no_file_elsewhere(state: FolderState) -> None:
    lock = place(state, "lock")
    lock.unlink()
    lock.symlink_to(state.path.parent / "made")
    for call in (commit, forget):
        check_unreadable(call, state, because="'lock' is a symbolic link")
    assert not (state.path.parent / "made").exists()
    load(state)


def test_forgetting_removes_a_link_and_not_what_it_stands_for(state: FolderState) -> None:
    record = place(state, "trust.json")
    moved = state.path.parent / "moved"
    record.rename(moved)
    record.symlink_to(moved)
    assert forget(state)
    assert moved.exists()
    assert not record.is_symlink()


def test_forgetting_follows_no_link_to_a_folder_of_documents(state: FolderState) -> None:
    documents = place(state, "documents")
    moved = state.path.parent / "moved"
    documents.rename(moved)
    documents.symlink_to(moved)
    assert forget(state)
    assert len(list(moved.iterdir())) == len(trust_at(1).documents)


def test_a_state_folder_that_is_a_link_to_nothing_is_not_taken_for_nothing(tmp_path: Path) -> None:
    """As when the disk that it leads to is not mounted."""
    (tmp_path / "state").symlink_to(tmp_path / "nowhere")
    state = FolderState(tmp_path / "state")
    for call in (load, commit, forget, FolderState.names):
        check_unreadable(call, state, because="is a symbolic link to nothing")
    with pytest.raises(InconclusiveError, match="is a symbolic link to nothing"):
        state.commit(SYSTEM, NAME, trust_at(1), expected="", deadline=Deadline(10))


@pytest.mark.parametrize("call", [load, commit])
@pytest.mark.parametrize("where", PLACES)
def test_a_named_pipe_is_refused_and_not_waited_for(
    state: FolderState, where: str, call: Callable[[FolderState], object]
) -> None:
    path = place(state, where)
    path.rename(state.path.parent / "moved")
    os.mkfifo(path)
    check_unreadable(call, state, because=r"is no regular file|is a symbolic link or no folder")


@pytest.mark.parametrize("where", ["trust.json", "documents/*"])
def test_a_folder_in_place_of_a_file_is_refused(state: FolderState, where: str) -> None:
    path = place(state, where)
    path.unlink()
    path.mkdir()
    check_unreadable(load, state, because="is no regular file")


def test_a_file_in_place_of_the_state_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "state").touch()
    state = FolderState(tmp_path / "state")
    check_unreadable(load, state, because="is a symbolic link or no folder")
    check_unreadable(commit, state, because="is a symbolic link or no folder")


@pytest.mark.parametrize("mode", [0o020, 0o002])
@pytest.mark.parametrize("call", [load, commit])
@pytest.mark.parametrize("where", [*PLACES, ".."])
def test_what_others_may_write_to_is_refused(
    state: FolderState, where: str, call: Callable[[FolderState], object], mode: int
) -> None:
    path = place(state, where).resolve()
    path.chmod(path.stat().st_mode | mode)
    check_unreadable(call, state, because="may be written by others")
    path.chmod(path.stat().st_mode & ~mode)
    load(state)


@needs_superuser
@pytest.mark.parametrize("call", [load, commit])
@pytest.mark.parametrize("where", [*PLACES, ".."])
def test_what_belongs_to_someone_else_is_refused(
    state: FolderState, where: str, call: Callable[[FolderState], object]
) -> None:
    os.chown(place(state, where).resolve(), NOBODY, NOBODY)
    check_unreadable(call, state, because=f"belongs to user {NOBODY}, not to user 0")


@needs_superuser
def test_the_lock_of_someone_else_is_refused(state: FolderState) -> None:
    os.chown(place(state, "lock"), NOBODY, NOBODY)
    check_unreadable(commit, state, because=f"'lock' belongs to user {NOBODY}")


def test_the_trust_stands_once_the_tampering_is_undone(state: FolderState) -> None:
    record = place(state, "trust.json")
    moved = record.rename(state.path.parent / "moved")
    record.symlink_to(moved)
    check_unreadable(load, state, because="is a symbolic link")
    moved.rename(record)
    assert version_of(state.load(SYSTEM, NAME, deadline=Deadline(10)).trust) == 1
