"""Many processes and threads verify by one TUF repository with one state folder: none fails, nothing goes back."""

import multiprocessing
import threading
from pathlib import Path

import pytest

from imgsig.limits import Deadline
from imgsig.state import FolderState
from tests.support.forks import end_of, start_child
from tests.support.repository import NAME, Reply
from tests.support.tuf_asker import TufAsker
from tests.support.tuf_repository import TufRepository

pytestmark = pytest.mark.filterwarnings("ignore:.*multi-threaded.*:DeprecationWarning")

PROCESSES = 4
LOOKUPS = 60
VERSIONS = 12


class Moving:
    """A repository that has a new version after so many look-ups, whichever process makes them."""

    def __init__(self) -> None:
        repository = TufRepository()
        self.first = repository
        self._files: dict[str, bytes] = {}
        self._timestamps: list[bytes] = []
        for _ in range(VERSIONS):
            repository.publish("targets", "snapshot", "timestamp")
            self._timestamps.append(repository.current["timestamp"])
        self._files = dict(repository.files)
        self._count = multiprocessing.get_context("fork").Value("i", 0)

    def served(self, path: str) -> Reply:
        if path != "timestamp.json":
            return Reply(200, self._files[path]) if path in self._files else Reply(404)
        with self._count.get_lock():
            self._count.value += 1
            reached = (self._count.value - 1) * VERSIONS // (PROCESSES * LOOKUPS)
            return Reply(200, self._timestamps[min(reached, VERSIONS - 1)])


def look_up(path: Path, moving: Moving) -> None:
    """Ask again and again; nothing that was seen may go back, and nothing may fail."""
    asker = TufAsker(moving.first, state=FolderState(path))
    asker.served = moving.served
    version = 0
    for _ in range(LOOKUPS):
        attestation = asker.ask()
        assert attestation.digest == moving.first.digest()
        assert attestation.roles[1].version >= version
        version = attestation.roles[1].version


def test_four_processes_on_one_folder_never_fail(tmp_path: Path) -> None:
    path, moving = tmp_path / "state", Moving()
    children = [start_child(lambda: look_up(path, moving)) for _ in range(PROCESSES)]
    assert [end_of(child) for child in children] == [0] * PROCESSES
    trust = FolderState(path).load("tuf", NAME, deadline=Deadline(10)).trust
    assert trust is not None
    assert trust.floors["timestamp"].version == 1 + VERSIONS


def test_threads_that_share_a_state_never_fail(tmp_path: Path) -> None:
    repository = TufRepository()
    finished: list[str] = []

    def run() -> None:
        asker = TufAsker(repository.clone(), state=FolderState(tmp_path / "state"))
        finished.extend(asker.ask().digest for _ in range(20))

    threads = [threading.Thread(target=run) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert finished == [repository.digest()] * 80
