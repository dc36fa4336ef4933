"""The process stops, or the power fails, at every point at which the state on disk is changed."""

import errno
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from imgsig.codes import Code
from imgsig.errors import InconclusiveError
from imgsig.limits import Deadline
from imgsig.state import FolderState
from imgsig.state.folder import entry_name
from tests.support.failing_disk import PowerLossDisk, RecordingDisk, failing_disk, stopping_disk
from tests.support.forks import STOPPED, in_child
from tests.support.trusts import NAME, SYSTEM, trust_at, version_of

pytestmark = pytest.mark.filterwarnings("ignore:.*multi-threaded.*:DeprecationWarning")

Change = Callable[[FolderState], None]

FIRST_COMMIT = [
    "make folder state", "sync folder", "make folder sha256", "sync folder", "create lock", "make folder documents",
    *(["create temporary", "write", "sync", "rename temporary to sha256"] * 4), "sync folder",
    "create temporary", "write", "sync", "rename temporary to trust.json", "sync folder",
]  # fmt: skip
LATER_COMMIT = [
    "create lock", "make folder documents",
    *(["create temporary", "write", "sync", "rename temporary to sha256"] * 2), "sync folder",
    "create temporary", "write", "sync", "rename temporary to trust.json", "sync folder",
    "remove sha256", "remove sha256",
]  # fmt: skip
FORGET = ["create lock", "remove trust.json", "sync folder", *(["remove sha256"] * 4)]


def commit_next(state: FolderState) -> None:
    """Commit the version after the one that is stored."""
    stored = state.load(SYSTEM, NAME, deadline=Deadline(10))
    after = trust_at(version_of(stored.trust) + 1)
    state.commit(SYSTEM, NAME, after, expected=stored.generation, deadline=Deadline(10))


def forget(state: FolderState) -> None:
    state.forget(SYSTEM, NAME, deadline=Deadline(10))


def stored_version(path: Path) -> int:
    return version_of(FolderState(path).load(SYSTEM, NAME, deadline=Deadline(10)).trust)


def prepared(path: Path, commits: int) -> Path:
    for _ in range(commits):
        commit_next(FolderState(path))
    return path


CASES = [(0, commit_next, FIRST_COMMIT), (1, commit_next, LATER_COMMIT), (1, forget, FORGET)]
EVERY_STEP = [
    pytest.param(commits, change, step, steps, id=f"{change.__name__}-over-{commits}-step-{step}")
    for commits, change, steps in CASES
    for step in range(1, len(steps) + 1)
]
DISKS = [
    pytest.param(stopping_disk, id="stop"),
    pytest.param(lambda step: PowerLossDisk(step, names_too=False), id="bytes-lost"),
    pytest.param(lambda step: PowerLossDisk(step, names_too=True), id="bytes-and-names-lost"),
]


@pytest.mark.parametrize(("commits", "change", "steps"), CASES)
def test_each_step_is_on_the_disk_before_the_next_relies_on_it(
    tmp_path: Path, commits: int, change: Change, steps: list[str]
) -> None:
    """Documents before the record that names them; write, sync, rename, sync of the folder; removal at the end."""
    disk = RecordingDisk()
    change(FolderState(prepared(tmp_path / "state", commits), files=disk))
    assert disk.steps == steps


@pytest.mark.parametrize("disk", DISKS)
@pytest.mark.parametrize(("commits", "change", "step", "steps"), EVERY_STEP)
def test_a_stop_at_any_step_leaves_the_old_trust_or_the_new(
    tmp_path: Path, disk: Callable[[int], RecordingDisk], commits: int, change: Change, step: int, steps: list[str]
) -> None:
    path = prepared(tmp_path / "state", commits)
    old, new = commits, (0 if change is forget else commits + 1)

    status = in_child(lambda: change(FolderState(path, files=disk(step))))

    assert status == STOPPED
    lasting = len(steps) - steps[::-1].index("sync folder")
    allowed = {old, new} if step <= lasting else {new}
    assert stored_version(path) in allowed
    check_that_it_can_be_used(path)


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EIO, errno.EROFS, errno.EACCES, errno.EMFILE])
@pytest.mark.parametrize(("commits", "change", "step", "steps"), EVERY_STEP)
def test_an_error_at_any_step_is_said_and_leaves_the_old_trust(
    tmp_path: Path, code: int, commits: int, change: Change, step: int, steps: list[str]
) -> None:
    path = prepared(tmp_path / "state", commits)
    old, new = commits, (0 if change is forget else commits + 1)
    lasting = len(steps) - steps[::-1].index("sync folder")
    state = FolderState(path, files=failing_disk(step, code))

    if step > lasting:  # Only the tidying up failed: that is no failure.
        change(state)
        assert stored_version(path) == new
    else:
        with pytest.raises(InconclusiveError) as caught:
            change(state)
        assert caught.value.code is Code.STATE_UNREADABLE
        assert os.strerror(code) in str(caught.value)
        assert isinstance(caught.value.__cause__, OSError)
        assert stored_version(path) == (old if step < lasting else new)
    check_that_it_can_be_used(path)


def check_that_it_can_be_used(path: Path) -> None:
    """Commit once more, and see that nothing is left over."""
    before = stored_version(path)
    commit_next(FolderState(path))
    stored = FolderState(path).load(SYSTEM, NAME, deadline=Deadline(10))
    assert stored.trust == trust_at(before + 1)
    entry = path / entry_name(SYSTEM, NAME)
    assert {file.name for file in entry.iterdir()} == {"documents", "lock", "trust.json"}
    assert len(list((entry / "documents").iterdir())) == len(trust_at(1).documents)
