"""Where the files of an archive are read: in a folder, or within one tar file."""

import errno
import os
import stat
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO, Final, Protocol, final

from imgsig.archive.disk import opened_document, opened_folder

_READ: Final = os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC
"""Without O_NONBLOCK, a named pipe in the file's place would be waited for."""


class Reader(Protocol):
    """Something to read from."""

    def read(self, count: int, /) -> bytes:
        """Return at most `count` bytes; none at the end."""


class Shelf(Protocol):
    """The files of one archive. Everything raises `OSError` and nothing else."""

    @property
    def path(self) -> Path:
        """The folder or file."""

    @contextmanager
    def opened(self, place: tuple[str, ...]) -> Iterator[Reader]:
        """Give the file at `place`, to be read."""


@final
@dataclass(frozen=True, slots=True)
class FolderShelf:
    """A folder, in which no link is followed."""

    path: Path

    @contextmanager
    def opened(self, place: tuple[str, ...]) -> Iterator[Reader]:
        """Give the file at `place`, to be read."""
        with opened_folder(self.path) as folder, opened_document(folder, place) as reader:
            yield reader


@final
@dataclass(frozen=True, slots=True)
class TarShelf:
    """A tar file that was looked through once. What is read later is compared with its hash, as in a folder."""

    path: Path
    members: Mapping[str, tuple[int, int]] = field(repr=False)
    """Name to where its bytes begin, and how many they are."""

    @contextmanager
    def opened(self, place: tuple[str, ...]) -> Iterator[Reader]:
        """Give the member at `place`, to be read."""
        found = self.members.get("/".join(place))
        if found is None:
            raise FileNotFoundError(errno.ENOENT, "no such file in the tar file", place[-1])
        with opened_file(self.path) as file:
            file.seek(found[0])
            yield _Part(file, found[1])


@final
class _Part:
    """A part of an open file."""

    def __init__(self, file: BinaryIO, count: int) -> None:
        self._file = file
        self._left = count

    def read(self, count: int, /) -> bytes:
        chunk = self._file.read(min(count, self._left))
        self._left -= len(chunk)
        return chunk


@contextmanager
def opened_file(path: Path) -> Iterator[BinaryIO]:
    """Give the regular file at `path`, which alone may be named by a symbolic link, to be read."""
    file = os.open(path, _READ)
    try:
        if not stat.S_ISREG(os.fstat(file).st_mode):
            raise OSError(errno.EINVAL, "it is no regular file", str(path))
        with open(file, "rb", buffering=0, closefd=False) as reader:
            yield reader
    finally:
        os.close(file)
