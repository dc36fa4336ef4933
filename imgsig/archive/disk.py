"""Documents below an open folder: no link is followed, nothing that is there is written over.

Everything here raises `OSError` and nothing else.
"""

import errno
import os
import stat
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import BinaryIO, Final

_FOLDER: Final = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
_READ: Final = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
"""Without O_NONBLOCK, a named pipe in a document's place would be waited for."""
_CREATE: Final = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC


def reason_of(error: OSError) -> str:
    """Return why a file could not be read or written, for a message."""
    if error.errno in {errno.ELOOP, errno.ENOTDIR}:
        return "a symbolic link or a file stands where a folder or file of the archive should be"
    return error.strerror.lower() if error.strerror else "input/output error"


@contextmanager
def opened_folder(path: Path) -> Iterator[int]:
    """Give the folder at `path`, which alone may be named by a symbolic link, open."""
    folder = os.open(path, _FOLDER)
    try:
        yield folder
    finally:
        os.close(folder)


@contextmanager
def opened_document(folder: int, place: tuple[str, ...]) -> Iterator[BinaryIO]:
    """Give the regular file at `place` below the open `folder`, to be read."""
    with _within(folder, place[:-1], make=False) as inner:
        file = os.open(place[-1], _READ, dir_fd=inner)
        try:
            if not stat.S_ISREG(os.fstat(file).st_mode):
                raise OSError(errno.EINVAL, "it is no regular file", place[-1])
            with open(file, "rb", buffering=0, closefd=False) as reader:
                yield reader
        finally:
            os.close(file)


def write_document(folder: int, place: tuple[str, ...], body: bytes) -> None:
    """Write a new file at `place` below the open `folder`, with the folders that it needs, and wait for the disk.

    The folders are not synced: `sync_folders` does it once for all.
    """
    with _within(folder, place[:-1], make=True) as inner:
        file = os.open(place[-1], _CREATE, 0o666, dir_fd=inner)
        with open(file, "wb") as writer:  # noqa: PTH123 - a descriptor
            writer.write(body)
            writer.flush()
            os.fsync(file)


def sync_folders(path: Path) -> None:
    """Wait until the names in the folder `path` and in all folders below it are on the disk."""
    for parent, _, _ in os.walk(path):
        sync_folder(Path(parent))


def sync_folder(path: Path) -> None:
    """Wait until the names in the folder `path` are on the disk."""
    with opened_folder(path) as folder:
        os.fsync(folder)


@contextmanager
def _within(folder: int, names: tuple[str, ...], *, make: bool) -> Iterator[int]:
    with ExitStack() as opened:
        for name in names:
            if make:
                with suppress(FileExistsError):
                    os.mkdir(name, dir_fd=folder)
            folder = os.open(name, _FOLDER | os.O_NOFOLLOW, dir_fd=folder)
            opened.callback(os.close, folder)
        yield folder
