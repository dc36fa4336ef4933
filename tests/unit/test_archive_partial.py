"""An archive that was interrupted goes on where it was, and never with anything else."""

import fcntl
import os
import threading
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from imgsig.archive import Archive, Wanted
from imgsig.codes import Code
from imgsig.errors import InconclusiveError, RejectedError, UsageError, VerificationError
from imgsig.source import Endpoint
from tests.support.archives import wanted
from tests.support.memory_source import LOCATION, MemorySource, MemorySources
from tests.support.repository import NOW, SignedRepository

NAMES = tuple(f"registry.example.com/team/{number}" for number in range(4))


@pytest.fixture
def repositories() -> list[SignedRepository]:
    return [SignedRepository(name) for name in NAMES]


@pytest.fixture
def target(tmp_path: Path) -> Path:
    return tmp_path / "saved"


def partial(target: Path) -> Path:
    return target.with_name(f"{target.name}.partial")


def save(
    target: Path,
    repositories: list[SignedRepository],
    *,
    now: datetime = NOW,
    workers: int = 1,
    resumable: bool = True,
    progress: Callable[[Wanted, VerificationError | None], object] | None = None,
) -> Archive:
    return Archive.save(
        [wanted(repository.name) for repository in repositories],
        target,
        sources=MemorySources(*repositories),
        clock=lambda: now,
        workers=workers,
        resumable=resumable,
        progress=progress,
    )


def interrupted(target: Path, repositories: list[SignedRepository], *, at: int = 2, now: datetime = NOW) -> None:
    """Save, and fail at one name; forget what was asked for."""
    repositories[at].fail("root")
    with pytest.raises(InconclusiveError):
        save(target, repositories, now=now)
    repositories[at].mend()
    for repository in repositories:
        repository.requests.clear()


def asked(repositories: list[SignedRepository]) -> list[bool]:
    return [bool(repository.requests) for repository in repositories]


# -- going on -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("suffix", ["", ".tar"])
def test_only_what_is_missing_is_asked_for_again(
    target: Path, repositories: list[SignedRepository], suffix: str
) -> None:
    target = target.with_name(f"saved{suffix}")
    interrupted(target, repositories)
    assert not target.exists()
    assert partial(target).is_dir()
    archive = save(target, repositories, now=NOW + timedelta(hours=1))
    assert asked(repositories) == [False, False, True, False]
    assert [name.name for name in archive.names] == list(NAMES)
    assert archive.captured_at == NOW + timedelta(hours=1)
    assert list(target.parent.iterdir()) == [target]


def test_it_becomes_the_archive_that_it_would_have_been(target: Path, repositories: list[SignedRepository]) -> None:
    whole = save(target.with_name("whole"), repositories)
    interrupted(target, repositories)
    assert save(target, repositories).id == whole.id


def test_a_name_of_the_day_before_is_asked_for_again(target: Path, repositories: list[SignedRepository]) -> None:
    interrupted(target, repositories)
    save(target, repositories, now=NOW + timedelta(days=1))
    assert asked(repositories) == [True] * 4


def test_a_name_of_the_future_is_asked_for_again(target: Path, repositories: list[SignedRepository]) -> None:
    interrupted(target, repositories)
    save(target, repositories, now=NOW - timedelta(seconds=1))
    assert asked(repositories) == [True] * 4


def test_a_name_that_was_damaged_meanwhile_is_asked_for_again(
    target: Path, repositories: list[SignedRepository]
) -> None:
    interrupted(target, repositories)
    files = sorted(path for path in (partial(target) / "archive").rglob("root.json"))
    files[0].write_bytes(files[0].read_bytes()[:-1])
    files[1].unlink()
    archive = save(target, repositories)
    assert asked(repositories) == [True, True, True, False]
    assert {name.verified for name in archive.names} == {True}


@pytest.mark.parametrize("bend", [b"", b"{", b"\xff" * 10])
def test_an_entry_that_cannot_be_read_is_none(target: Path, repositories: list[SignedRepository], bend: bytes) -> None:
    interrupted(target, repositories)
    for entry in (partial(target) / "entries").iterdir():
        entry.write_bytes(bend)
    save(target, repositories)
    assert asked(repositories) == [True] * 4


def test_a_name_from_another_server_is_asked_for_again(target: Path, repositories: list[SignedRepository]) -> None:
    interrupted(target, repositories)

    class Elsewhere:
        live = True

        def open(self, endpoint: Endpoint) -> MemorySource:
            served = {repository.name: repository for repository in repositories}[endpoint.name].served
            return MemorySource(served, location=f"{LOCATION}:8443")

    Archive.save(
        [wanted(name) for name in NAMES], target, sources=Elsewhere(), clock=lambda: NOW, resumable=True
    )
    assert asked(repositories) == [True] * 4


def test_names_that_are_not_wanted_any_more_leave_no_file(target: Path, repositories: list[SignedRepository]) -> None:
    interrupted(target, repositories)
    archive = save(target, repositories[1:])
    assert [name.name for name in archive.names] == list(NAMES[1:])
    assert not list(target.rglob("0"))


def test_what_a_run_was_writing_when_it_died_is_written_anew(
    target: Path, repositories: list[SignedRepository]
) -> None:
    interrupted(target, repositories)
    for entry in (partial(target) / "entries").iterdir():
        entry.unlink()
    (partial(target) / "archive" / "capture.json").write_text("{")
    (partial(target) / "archive.tar").write_text("x")
    assert save(target, repositories).id == save(target.with_name("whole"), repositories).id


# -- failing ------------------------------------------------------------------------------------------------------


def test_all_names_are_tried_and_the_first_fault_is_told(target: Path, repositories: list[SignedRepository]) -> None:
    repositories[1].drop("root")
    repositories[3].fail("root")
    told: list[tuple[str, bool]] = []
    with pytest.raises(RejectedError) as caught:
        save(target, repositories, progress=lambda one, fault: told.append((one.name, fault is None)))
    assert caught.value.code is Code.NOT_SIGNED
    assert told == [(NAMES[0], True), (NAMES[1], False), (NAMES[2], True), (NAMES[3], False)]


def test_what_is_not_resumable_stops_at_the_first_fault_and_leaves_nothing(
    target: Path, repositories: list[SignedRepository]
) -> None:
    repositories[1].drop("root")
    with pytest.raises(RejectedError):
        save(target, repositories, resumable=False)
    assert asked(repositories)[3] is False
    assert list(target.parent.iterdir()) == []


def test_where_nothing_could_be_had_nothing_is_left(target: Path, repositories: list[SignedRepository]) -> None:
    repositories[0].fail("root")
    with pytest.raises(InconclusiveError):
        save(target, repositories[:1])
    assert list(target.parent.iterdir()) == []


def test_progress_counts_what_was_there_already(target: Path, repositories: list[SignedRepository]) -> None:
    interrupted(target, repositories)
    told: list[str] = []
    save(target, repositories, progress=lambda one, _fault: told.append(one.name))
    assert sorted(told) == sorted(NAMES)


# -- side by side -------------------------------------------------------------------------------------------------


def test_names_are_saved_side_by_side_into_the_same_archive(
    target: Path, repositories: list[SignedRepository]
) -> None:
    together = threading.Barrier(len(NAMES), timeout=30)

    class Waiting:
        live = True

        def open(self, endpoint: Endpoint) -> MemorySource:
            together.wait()
            served = {repository.name: repository for repository in repositories}[endpoint.name].served
            return MemorySource(served, location=LOCATION)

    archive = Archive.save(
        [wanted(name) for name in NAMES], target, sources=Waiting(), clock=lambda: NOW, workers=len(NAMES)
    )
    assert archive.id == save(target.with_name("one by one"), repositories).id


@pytest.mark.parametrize("workers", [0, -1, 1001])
def test_workers_that_are_none_are_a_wrong_call(
    target: Path, repositories: list[SignedRepository], workers: int
) -> None:
    with pytest.raises(UsageError, match="workers"):
        save(target, repositories, workers=workers)


def test_two_runs_do_not_write_to_the_same_place(target: Path, repositories: list[SignedRepository]) -> None:
    interrupted(target, repositories)
    folder = os.open(partial(target), os.O_RDONLY)
    try:
        fcntl.flock(folder, fcntl.LOCK_EX)
        with pytest.raises(UsageError, match="another process"):
            save(target, repositories)
    finally:
        os.close(folder)
    save(target, repositories)


# -- what is not ours ---------------------------------------------------------------------------------------------


def test_a_folder_of_that_name_with_other_files_is_left_alone(
    target: Path, repositories: list[SignedRepository]
) -> None:
    partial(target).mkdir()
    (partial(target) / "letter.txt").write_text("dear all")
    with pytest.raises(UsageError, match="no unfinished archive"):
        save(target, repositories)
    assert [path.name for path in partial(target).iterdir()] == ["letter.txt"]


@pytest.mark.parametrize("make", [lambda path: path.write_text("x"), lambda path: path.symlink_to("/tmp")])  # noqa: S108 - never written to
def test_what_is_no_folder_is_left_alone(
    target: Path, repositories: list[SignedRepository], make: Callable[[Path], object]
) -> None:
    make(partial(target))
    with pytest.raises(UsageError, match="cannot be written"):
        save(target, repositories)
    assert list(target.parent.iterdir()) == [partial(target)]


def test_a_link_among_the_documents_is_not_followed(
    target: Path, repositories: list[SignedRepository], tmp_path: Path
) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "precious").write_text("x")
    interrupted(target, repositories)
    (partial(target) / "archive" / "notary" / "_trust").symlink_to(outside)
    with pytest.raises(UsageError, match="cannot be written"):
        save(target, repositories)
    assert (outside / "precious").read_text() == "x"
