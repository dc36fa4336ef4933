"""The process stops, or the power fails, at every point at which the state on disk is changed."""

import errno
import os
from collections.abc import Callable
from dataclasses import dataclass
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
    """Return the version that a new process would find, having checked that it finds all of it."""
    trust = FolderState(path).load(SYSTEM, NAME, deadline=Deadline(10)).trust
    version = version_of(trust)
    assert trust == (trust_at(version) if version else None)
    return version


def prepared(path: Path, commits: int) -> Path:
    for _ in range(commits):
        commit_next(FolderState(path))
    return path


@dataclass(frozen=True)
class Case:
    """A change of the state over so many commits, and every step that it takes on the disk."""

    change: Change
    commits: int
    steps: list[str]

    @property
    def new_version(self) -> int:
        return 0 if self.change is forget else self.commits + 1

    @property
    def lasting_step(self) -> int:
        """The step that makes the change outlive a loss of power; after it there is only tidying up."""
        return len(self.steps) - self.steps[::-1].index("sync folder")


CASES = [Case(commit_next, 0, FIRST_COMMIT), Case(commit_next, 1, LATER_COMMIT), Case(forget, 1, FORGET)]
EVERY_STEP = [
    pytest.param(case, step, id=f"{case.change.__name__}-over-{case.commits}-step-{step}")
    for case in CASES
    for step in range(1, len(case.steps) + 1)
]
DISKS = [
    pytest.param(stopping_disk, id="stop"),
    pytest.param(lambda step: PowerLossDisk(step, names_too=False), id="bytes-lost"),
    pytest.param(lambda step: PowerLossDisk(step, names_too=True), id="bytes-and-names-lost"),
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.change.__name__}-over-{case.commits}")
def test_each_step_is_on_the_disk_before_the_next_relies_on_it(tmp_path: Path, case: Case) -> None:
    """Documents before the record that names them; write, sync, rename, sync of the folder; removal at the end."""
    disk = RecordingDisk()
    case.change(FolderState(prepared(tmp_path / "state", case.commits), files=disk))
    assert disk.steps == case.steps


@pytest.mark.parametrize("disk", DISKS)
@pytest.mark.parametrize(("case", "step"), EVERY_STEP)
def test_a_stop_at_any_step_leaves_the_old_trust_or_the_new(
    tmp_path: Path, disk: Callable[[int], RecordingDisk], case: Case, step: int
) -> None:
    path = prepared(tmp_path / "state", case.commits)

    status = in_child(lambda: case.change(FolderState(path, files=disk(step))))

    assert status == STOPPED
    allowed = {case.commits, case.new_version} if step <= case.lasting_step else {case.new_version}
    assert stored_version(path) in allowed
    check_that_it_can_be_used(path)


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EIO, errno.ENOENT])
@pytest.mark.parametrize(("case", "step"), EVERY_STEP)
def test_an_error_at_any_step_is_said_and_leaves_the_old_trust(
    tmp_path: Path, code: int, case: Case, step: int
) -> None:
    path = prepared(tmp_path / "state", case.commits)
    state = FolderState(path, files=failing_disk(step, code))

    if step > case.lasting_step:  # Only the tidying up failed: that is no failure.
        case.change(state)
        assert stored_version(path) == case.new_version
    else:
        with pytest.raises(InconclusiveError) as caught:
            case.change(state)
        assert caught.value.code is Code.STATE_UNREADABLE
        assert os.strerror(code) in str(caught.value)
        assert isinstance(caught.value.__cause__, OSError)
        assert stored_version(path) == (case.commits if step < case.lasting_step else case.new_version)
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
