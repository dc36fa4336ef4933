"""Many processes and threads commit to one folder at once: nothing is lost, nothing goes back, nothing fails."""

import threading
from pathlib import Path

import pytest

from imgsig.codes import Code
from imgsig.errors import InconclusiveError
from imgsig.limits import Deadline
from imgsig.state import FolderState, MemoryState
from tests.support.forks import end_of, start_child
from tests.support.trusts import NAME, SYSTEM, trust_at, version_of

pytestmark = pytest.mark.filterwarnings("ignore:.*multi-threaded.*:DeprecationWarning")

PROCESSES = 4
COMMITS = 50


def count_up(state: FolderState | MemoryState, commits: int) -> int:
    """Raise the stored version by one, `commits` times, against everyone else; return how often another was first."""
    conflicts = 0
    done = 0
    highest = 0
    while done < commits:
        stored = state.load(SYSTEM, NAME, deadline=Deadline(60))
        version = version_of(stored.trust)
        assert version >= highest, "an older version than one that was already seen"
        assert stored.trust is None or stored.trust == trust_at(version), "parts of two versions"
        highest = version
        after = trust_at(version + 1)
        try:
            committed = state.commit(SYSTEM, NAME, after, expected=stored.generation, deadline=Deadline(60))
        except InconclusiveError as error:
            if error.code is not Code.STATE_CONFLICT:
                raise
            conflicts += 1
            continue
        assert committed.trust == after
        highest = version + 1
        done += 1
    return conflicts


def test_processes_lose_no_update(tmp_path: Path) -> None:
    path = tmp_path / "state"
    children = [start_child(lambda: check_count(path)) for _ in range(PROCESSES)]
    assert [end_of(child) for child in children] == [0] * PROCESSES
    left = FolderState(path).load(SYSTEM, NAME, deadline=Deadline(10))
    assert left.trust == trust_at(PROCESSES * COMMITS)


def check_count(path: Path) -> None:
    assert count_up(FolderState(path), COMMITS) >= 0


@pytest.mark.parametrize("kind", ["folder", "memory"])
def test_threads_that_share_a_state_lose_no_update(tmp_path: Path, kind: str) -> None:
    state = FolderState(tmp_path / "state") if kind == "folder" else MemoryState()
    finished: list[int] = []
    threads = [threading.Thread(target=lambda: finished.append(count_up(state, 20))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(finished) == len(threads)
    assert state.load(SYSTEM, NAME, deadline=Deadline(10)).trust == trust_at(80)


def test_forgetting_meanwhile_never_lets_an_outdated_commit_through(tmp_path: Path) -> None:
    state = FolderState(tmp_path / "state")
    stored = state.commit(SYSTEM, NAME, trust_at(9), expected="", deadline=Deadline(10))
    assert state.forget(SYSTEM, NAME, deadline=Deadline(10))
    again = state.commit(SYSTEM, NAME, trust_at(1), expected="", deadline=Deadline(10))
    with pytest.raises(InconclusiveError) as caught:
        state.commit(SYSTEM, NAME, trust_at(10), expected=stored.generation, deadline=Deadline(10))
    assert caught.value.code is Code.STATE_CONFLICT
    assert state.load(SYSTEM, NAME, deadline=Deadline(10)) == again
