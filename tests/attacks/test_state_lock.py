"""A lock holder never returns, or dies, or was forked while it held the lock."""

import fcntl
import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from imgsig.codes import Code
from imgsig.errors import InconclusiveError
from imgsig.limits import Deadline
from imgsig.state import FolderState
from imgsig.state.folder import entry_name
from tests.support.failing_disk import RecordingDisk
from tests.support.forks import end_of, start_child
from tests.support.trusts import NAME, SYSTEM, trust_at, version_of

pytestmark = pytest.mark.filterwarnings("ignore:.*multi-threaded.*:DeprecationWarning")


@pytest.fixture
def state(tmp_path: Path) -> FolderState:
    state = FolderState(tmp_path / "state")
    state.commit(SYSTEM, NAME, trust_at(1), expected="", deadline=Deadline(10))
    return state


def commit(state: FolderState, deadline: Deadline) -> None:
    state.commit(SYSTEM, NAME, trust_at(2), expected=state.generation(SYSTEM, NAME), deadline=deadline)


@contextmanager
def lock_held(state: FolderState) -> Iterator[None]:
    with (state.path / entry_name(SYSTEM, NAME) / "lock").open("rb") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


@pytest.mark.parametrize(
    "write", [commit, lambda state, deadline: state.forget(SYSTEM, NAME, deadline=deadline)], ids=["commit", "forget"]
)
def test_a_lock_that_is_never_let_go_ends_the_call_at_its_deadline(
    state: FolderState, write: Callable[[FolderState, Deadline], None]
) -> None:
    with lock_held(state), pytest.raises(InconclusiveError, match="another process holds the lock") as caught:
        write(state, Deadline(0.05))
    assert caught.value.code is Code.STATE_UNREADABLE
    assert version_of(state.load(SYSTEM, NAME, deadline=Deadline(10)).trust) == 1


def test_readers_wait_for_no_lock(state: FolderState) -> None:
    with lock_held(state):
        assert version_of(state.load(SYSTEM, NAME, deadline=Deadline(10)).trust) == 1
        assert state.generation(SYSTEM, NAME)
        assert state.names() == ((SYSTEM, NAME),)


def test_another_name_waits_for_no_lock(state: FolderState) -> None:
    with lock_held(state):
        state.commit(SYSTEM, "other", trust_at(1), expected="", deadline=Deadline(10))


def test_a_lock_that_is_let_go_in_time_is_waited_for(state: FolderState) -> None:
    held = threading.Event()
    let_go = threading.Event()

    def hold() -> None:
        with lock_held(state):
            held.set()
            let_go.wait(10)

    holder = threading.Thread(target=hold)
    holder.start()
    assert held.wait(10)
    threading.Timer(0.05, let_go.set).start()
    commit(state, Deadline(10))
    holder.join()
    assert version_of(state.load(SYSTEM, NAME, deadline=Deadline(10)).trust) == 2


def test_the_lock_of_a_process_that_was_killed_is_free(state: FolderState) -> None:
    reader, writer = os.pipe()

    def hold() -> None:
        with lock_held(state):
            os.write(writer, b"held")
            signal.pause()

    child = start_child(hold)
    assert os.read(reader, 4) == b"held"
    try:
        with pytest.raises(InconclusiveError, match="another process holds the lock"):
            commit(state, Deadline(0.05))
    finally:
        os.kill(child, signal.SIGKILL)
        assert end_of(child) == -signal.SIGKILL
        os.close(reader)
        os.close(writer)
    commit(state, Deadline(10))


def test_a_child_forked_during_a_commit_does_not_keep_the_lock(state: FolderState) -> None:
    children: list[int] = []

    class ForkingDisk(RecordingDisk):
        """Forks a long-lived child in the middle of the commit, as another thread might."""

        def sync(self, file: int) -> None:
            if not children:
                children.append(start_child(lambda: signal.pause()))  # noqa: PLW0108 - a typed None
            super().sync(file)

    try:
        commit(FolderState(state.path, files=ForkingDisk()), Deadline(10))
        commit(state, Deadline(1))
    finally:
        os.kill(children[0], signal.SIGKILL)
        end_of(children[0])
