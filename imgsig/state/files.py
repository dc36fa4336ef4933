"""Files and folders that belong to the user alone, opened without following links and changed without half-states.

Everything here raises `OSError` and nothing else. A name is always relative to an open folder; only the state
folder itself is named by its path.
"""

import errno
import os
import stat
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

from imgsig.errors import InconclusiveError
from imgsig.limits import Deadline

TEMPORARY: Final = "tmp-"
"""How the names of files begin that were never finished."""

_OTHERS_MAY_WRITE: Final = stat.S_IWGRP | stat.S_IWOTH
_FIRST_PAUSE_SECONDS: Final = 0.001
_LONGEST_PAUSE_SECONDS: Final = 0.05
_CHUNK_BYTES: Final = 1024 * 1024


class Files:
    """Every call that changes a disk. A test hands in one that fails, or stops the process, at the n-th."""

    def make_folder(self, name: str, *, within: int | None) -> None:
        """Make a folder for the user alone, whatever the umask."""
        os.mkdir(name, 0o700, dir_fd=within)
        os.chmod(name, 0o700, dir_fd=within)

    def create(self, name: str, *, within: int) -> int:
        """Create a file for the user alone, whatever the umask, and return it open for writing."""
        flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        file = os.open(name, flags, 0o600, dir_fd=within)
        try:
            os.fchmod(file, 0o600)
        except OSError:
            os.close(file)
            raise
        return file

    def write(self, file: int, body: bytes) -> None:
        """Write all of `body`."""
        rest = memoryview(body)
        while rest:
            rest = rest[os.write(file, rest) :]

    def sync(self, file: int) -> None:
        """Wait until the file's bytes are on the disk."""
        os.fsync(file)

    def rename(self, old: str, new: str, *, within: int) -> None:
        """Let `new` stand for what `old` did, at once."""
        os.rename(old, new, src_dir_fd=within, dst_dir_fd=within)

    def sync_folder(self, folder: int) -> None:
        """Wait until the folder's names are on the disk."""
        os.fsync(folder)

    def remove(self, name: str, *, within: int) -> None:
        """Remove a file, or a link, never what a link stands for."""
        os.unlink(name, dir_fd=within)


class TooLargeError(OSError):
    """A file is longer than its bound."""

    def __init__(self, name: str, max_bytes: int) -> None:
        """Say which file, and which bound."""
        super().__init__(errno.EFBIG, f"is larger than {max_bytes} bytes", name)


@contextmanager
def opened_folder(name: str | Path, *, within: int | None = None) -> Iterator[int]:
    """Give the folder, open. Only without `within` may `name` be a symbolic link.

    Raises:
        FileNotFoundError: there is none.
        PermissionError: it is a symbolic link or no folder, belongs to someone else, or others may write to it.
    """
    flags = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC | (0 if within is None else os.O_NOFOLLOW)
    with _opened(name, flags, within, stat.S_ISDIR, "folder") as folder:
        yield folder


@contextmanager
def opened_file(name: str, *, within: int, flags: int = os.O_RDONLY) -> Iterator[int]:
    """Give the regular file, open. Raises as `opened_folder` does."""
    # Without O_NONBLOCK, a named pipe in the file's place would be waited for.
    flags |= os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    with _opened(name, flags, within, stat.S_ISREG, "regular file") as file:
        yield file


@contextmanager
def _opened(
    name: str | Path, flags: int, within: int | None, is_kind: Callable[[int], bool], kind: str
) -> Iterator[int]:
    try:
        opened = os.open(name, flags, dir_fd=within)
    except OSError as error:
        if error.errno in {errno.ELOOP, errno.EMLINK, errno.ENOTDIR}:
            raise _unsafe(name, f"is a symbolic link or no {kind}") from error
        raise
    try:
        status = os.fstat(opened)
        if not is_kind(status.st_mode):
            raise _unsafe(name, f"is no {kind}")
        if status.st_uid != os.geteuid():
            raise _unsafe(name, f"belongs to user {status.st_uid}, not to user {os.geteuid()}")
        if status.st_mode & _OTHERS_MAY_WRITE:
            raise _unsafe(name, f"may be written by others (mode {stat.S_IMODE(status.st_mode):04o})")
        yield opened
    finally:
        os.close(opened)


def _unsafe(name: str | Path, why: str) -> PermissionError:
    return PermissionError(errno.EPERM, why, str(name))


def names_in(folder: int) -> list[str]:
    """Return the names in an open folder."""
    return os.listdir(folder)


def read_head(name: str, *, within: int, count: int) -> bytes:
    """Return the first `count` bytes, or all if there are fewer. Raises as `opened_folder` does."""
    with opened_file(name, within=within) as file:
        return os.read(file, count)


def read_file(name: str, *, within: int, max_bytes: int) -> bytes:
    """Return the whole file. Raises as `opened_folder` does.

    Raises:
        TooLargeError: it is longer than `max_bytes`.
    """
    with opened_file(name, within=within) as file:
        size = os.fstat(file).st_size
        if size > max_bytes:
            raise TooLargeError(name, max_bytes)
        with open(file, "rb", closefd=False) as reader:
            return reader.read(size)


def holds(name: str, body: bytes, *, within: int) -> bool:
    """Return whether the file is there and is `body`, byte for byte. Raises as `opened_folder` does."""
    with suppress(FileNotFoundError), opened_file(name, within=within) as file:
        return os.fstat(file).st_size == len(body) and all(
            os.read(file, _CHUNK_BYTES) == body[start : start + _CHUNK_BYTES]
            for start in range(0, len(body), _CHUNK_BYTES)
        )
    return False


def replace_file(name: str, body: bytes, *, within: int, files: Files) -> None:
    """Let `name` stand for `body`: at every moment it is the old file or the new one.

    It outlives a loss of power only after the folder was synced too.
    """
    temporary = TEMPORARY + os.urandom(8).hex()
    file = files.create(temporary, within=within)
    try:
        try:
            files.write(file, body)
            files.sync(file)
        finally:
            os.close(file)
        files.rename(temporary, name, within=within)
    except OSError:
        with suppress(OSError):
            files.remove(temporary, within=within)
        raise


def remove_files(folder: int, *, unwanted: Callable[[str], bool], files: Files) -> None:
    """Remove the files in `folder` whose names are `unwanted`, as far as that can be done."""
    for name in filter(unwanted, names_in(folder)):
        with suppress(OSError):
            files.remove(name, within=folder)


def make_folder(name: str, *, within: int, files: Files) -> None:
    """Make a folder if there is nothing of that name."""
    with suppress(FileExistsError):
        files.make_folder(name, within=within)


def make_path(path: Path, *, files: Files) -> None:
    """Make the folder `path` and those above it, as far as they are missing."""
    if not path.is_dir():
        make_path(path.parent, files=files)
        with suppress(FileExistsError):
            files.make_folder(str(path), within=None)
        sync_path(path.parent, files=files)


def sync_path(path: Path, *, files: Files) -> None:
    """Wait until the names in the folder `path`, whoever owns it, are on the disk."""
    folder = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        files.sync_folder(folder)
    finally:
        os.close(folder)


@contextmanager
def locked(name: str, *, within: int, deadline: Deadline, files: Files) -> Iterator[None]:
    """Hold the lock `name`, against other processes and other threads alike.

    Raises:
        BlockingIOError: another held it until the deadline.
    """
    import fcntl  # noqa: PLC0415 - POSIX only

    with suppress(FileExistsError):
        os.close(files.create(name, within=within))
    with opened_file(name, within=within, flags=os.O_RDWR) as file:
        pause = _FIRST_PAUSE_SECONDS
        while True:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError as error:
                try:
                    left = deadline.remaining_seconds()
                except InconclusiveError:
                    raise BlockingIOError(errno.EAGAIN, "another process holds the lock", name) from error
            time.sleep(min(pause, left))
            pause = min(2 * pause, _LONGEST_PAUSE_SECONDS)
        try:
            yield
        finally:
            # Said aloud, because a child forked meanwhile holds the same open file and would keep the lock.
            fcntl.flock(file, fcntl.LOCK_UN)
