"""Disks that fail, stop the process, or lose what was not synced, at the n-th change."""

import errno
import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import NoReturn

from imgsig.state.files import Files
from tests.support.forks import STOPPED


class RecordingDisk(Files):
    """Writes down every change; before the n-th it calls `at_step`, if there is one."""

    def __init__(self, *, step: int = 0, at_step: Callable[[], NoReturn] | None = None) -> None:
        self.steps: list[str] = []
        self._step = step
        self._at_step = at_step

    def reached(self, what: str) -> None:
        self.steps.append(what)
        if self.due():
            self.strike()

    def due(self) -> bool:
        return len(self.steps) == self._step

    def strike(self) -> None:
        assert self._at_step is not None
        self._at_step()

    def make_folder(self, name: str, *, within: int | None) -> None:
        self.reached(f"make folder {_kind(name)}")
        super().make_folder(name, within=within)

    def create(self, name: str, *, within: int) -> int:
        self.reached(f"create {_kind(name)}")
        return super().create(name, within=within)

    def write(self, file: int, body: bytes) -> None:
        self.steps.append("write")
        if self.due():
            super().write(file, body[: len(body) // 2])
            self.strike()
        super().write(file, body)

    def sync(self, file: int) -> None:
        self.reached("sync")
        super().sync(file)

    def rename(self, old: str, new: str, *, within: int) -> None:
        self.reached(f"rename {_kind(old)} to {_kind(new)}")
        super().rename(old, new, within=within)

    def sync_folder(self, folder: int) -> None:
        self.reached("sync folder")
        super().sync_folder(folder)

    def remove(self, name: str, *, within: int) -> None:
        self.reached(f"remove {_kind(name)}")
        super().remove(name, within=within)


def failing_disk(step: int, code: int = errno.ENOSPC) -> RecordingDisk:
    """Return a disk whose n-th change fails; a write leaves half of the bytes."""

    def fail() -> NoReturn:
        raise OSError(code, os.strerror(code))

    return RecordingDisk(step=step, at_step=fail)


def stopping_disk(step: int) -> RecordingDisk:
    """Return a disk that stops the process at the n-th change; what the system was told by then, is kept."""
    return RecordingDisk(step=step, at_step=_stop)


class PowerLossDisk(RecordingDisk):
    """Stops the process at the n-th change, and what was not synced by then is lost.

    The bytes of files that were not synced are always lost. The names of folders that were not synced are lost
    with `names_too`; without, they are kept, as file systems may do either.
    """

    def __init__(self, step: int, *, names_too: bool) -> None:
        super().__init__(step=step, at_step=_stop)
        self._names_too = names_too
        self._unsynced_files: dict[int, int] = {}
        self._unsynced_names: list[_Name] = []

    def strike(self) -> None:
        for file in self._unsynced_files.values():
            os.ftruncate(file, 0)
        if self._names_too:
            for name in reversed(self._unsynced_names):
                name.restore()
        super().strike()

    def make_folder(self, name: str, *, within: int | None) -> None:
        before = None if within is None else _Name.noted(name, within)
        super().make_folder(name, within=within)
        if before is not None:
            self._unsynced_names.append(before)

    def create(self, name: str, *, within: int) -> int:
        before = _Name.noted(name, within)
        file = super().create(name, within=within)
        self._unsynced_names.append(before)
        self._unsynced_files[os.fstat(file).st_ino] = os.dup(file)
        return file

    def sync(self, file: int) -> None:
        super().sync(file)
        os.close(self._unsynced_files.pop(os.fstat(file).st_ino))

    def rename(self, old: str, new: str, *, within: int) -> None:
        before = [_Name.noted(new, within), _Name.noted(old, within)]
        super().rename(old, new, within=within)
        self._unsynced_names += before

    def remove(self, name: str, *, within: int) -> None:
        before = _Name.noted(name, within)
        super().remove(name, within=within)
        self._unsynced_names.append(before)

    def sync_folder(self, folder: int) -> None:
        super().sync_folder(folder)
        inode = os.fstat(folder).st_ino
        self._unsynced_names = [name for name in self._unsynced_names if name.folder.stat().st_ino != inode]


@dataclass(frozen=True)
class _Name:
    """What a name in a folder stood for before it was changed."""

    folder: Path
    name: str
    body: bytes | None = field(repr=False)

    @classmethod
    def noted(cls, name: str, within: int) -> "_Name":
        folder = Path(f"/proc/self/fd/{within}").resolve()
        path = folder / name
        return cls(folder, name, path.read_bytes() if path.is_file() else None)

    def restore(self) -> None:
        path = self.folder / self.name
        if path.is_dir():
            shutil.rmtree(path)
        elif self.body is None:
            path.unlink(missing_ok=True)
        else:
            path.write_bytes(self.body)
            path.chmod(0o600)


def _stop() -> NoReturn:
    os._exit(STOPPED)


def _kind(name: str) -> str:
    """Return a word for a name that is otherwise different each time."""
    if name.startswith("tmp-"):
        return "temporary"
    if len(name) == 64:  # a sha256 in hex
        return "sha256"
    return Path(name).name
