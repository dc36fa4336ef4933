"""The folder in which an archive is made, beside the place that it will have, name by name.

::

    SAVED.partial/             or .imgsig-RANDOM/, if nothing of it is to be kept when it fails
        archive/               what becomes the archive
        entries/SHA256.json    a capture.json of one name, written when all of its documents are on the disk

A name that is there with an entry, and whose documents are whole and of the last day, is not asked for again.

Everything here raises `OSError`, unless said otherwise. It never changes what it has not made.
"""

import errno
import hashlib
import os
import shutil
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final, final

from imgsig.archive.capture import Capture, CapturedName, encode_capture, parse_capture
from imgsig.archive.disk import opened_document, opened_folder, sync_folder, sync_folders, write_document
from imgsig.archive.documents import check_documents
from imgsig.archive.places import CAPTURE, PARTIAL, place_of
from imgsig.archive.recording import Recording
from imgsig.archive.shelves import FolderShelf
from imgsig.archive.tar import write_tar
from imgsig.errors import VerificationError
from imgsig.limits import Deadline, Limits

_ENTRIES: Final = "entries"
_ARCHIVE: Final = "archive"
_TAR: Final = "archive.tar"
_PARTS: Final = frozenset({_ENTRIES, _ARCHIVE, _TAR})
_TEMPORARY: Final = ".imgsig-"
_KEPT_FOR: Final = timedelta(days=1)
"""How old a name may be that is taken over: the archive bears the time of its last document, and no other."""
_NO_LINKS: Final = frozenset({errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP, errno.EMLINK})


@contextmanager
def working_folder(target: Path, *, resumable: bool) -> Iterator["WorkingFolder"]:
    """Give the folder in which what will stand at `target` is made.

    Afterwards it is removed, unless it is `resumable`, unfinished, and holds a name.

    Raises:
        BlockingIOError: another process is making the same.
        FileExistsError: something else is in its place.
    """
    name = f"{target.name}{PARTIAL}" if resumable else f"{_TEMPORARY}{os.urandom(8).hex()}"
    folder = WorkingFolder(target.with_name(name))
    folder.make()
    with _locked(folder.path):
        try:
            yield folder
        finally:
            if not (resumable and folder.is_worth_keeping()):
                shutil.rmtree(folder.path, ignore_errors=True)


@final
class WorkingFolder:
    """An archive that is not finished. Several threads may put names into it."""

    def __init__(self, path: Path) -> None:
        """Be at `path`, where nothing is made yet."""
        self.path = path
        self._finished = False

    def make(self) -> None:
        """Make it, or take over what an earlier run has left."""
        if self.path.is_symlink() or (self.path.exists() and not self.path.is_dir()):
            raise FileExistsError(errno.EEXIST, "is no folder", str(self.path))
        self.path.mkdir(exist_ok=True)
        if {part.name for part in self.path.iterdir()} - _PARTS:
            raise FileExistsError(errno.EEXIST, "holds files that are no unfinished archive", str(self.path))
        for part in (_ENTRIES, _ARCHIVE):
            (self.path / part).mkdir(exist_ok=True)

    def take_over(
        self, wanted: Iterable[tuple[str, str, str]], *, at: datetime, deadline: Callable[[], Deadline], limits: Limits
    ) -> tuple[Capture, ...]:
        """Return what is there of the `wanted` system, name and server, and can be used; remove everything else."""
        shelf, found = FolderShelf(self.path / _ARCHIVE), []
        for system, name, server in wanted:
            entry = self._entry(system, name, limits)
            if entry is None or entry.names[0].server != server:
                continue
            if timedelta() <= at - entry.captured_at < _KEPT_FOR:
                with suppress(VerificationError):
                    check_documents(shelf, entry.names[0], deadline=deadline())
                    found.append(entry)
        self._sweep([entry.names[0] for entry in found])
        return tuple(found)

    def put(self, recording: Recording, tool: str) -> Capture:
        """Write a name's documents, then the entry that says so, which is returned."""
        captured = recording.captured
        with opened_folder(self.path / _ARCHIVE) as folder:
            for file in captured.files:
                place = place_of(captured.system, captured.name, file.path)
                write_document(folder, place, recording.documents[file.path])
        entry = Capture(recording.captured_at.replace(microsecond=0), tool, (captured,))
        with opened_folder(self.path / _ENTRIES) as folder:
            write_document(folder, (_entry_name(captured.system, captured.name),), encode_capture(entry))
        return entry

    def finish(self, capture: Capture, target: Path, *, in_one_file: bool) -> None:
        """Put the archive of what `capture` says at `target`: all of it at once, and over nothing."""
        archive = self.path / _ARCHIVE
        with opened_folder(archive) as folder:
            write_document(folder, (CAPTURE,), encode_capture(capture))
        if in_one_file:
            places = [place_of(name.system, name.name, file.path) for name in capture.names for file in name.files]
            write_tar(archive, [(CAPTURE,), *places], self.path / _TAR, at=capture.captured_at)
            _move_file(self.path / _TAR, target)
        else:
            sync_folders(archive)
            archive.rename(target)
        sync_folder(target.parent)
        self._finished = True

    def is_worth_keeping(self) -> bool:
        """Return whether a later run could begin with what is there."""
        return not self._finished and (self.path / _ENTRIES).is_dir() and any((self.path / _ENTRIES).iterdir())

    def _entry(self, system: str, name: str, limits: Limits) -> Capture | None:
        """Return what an entry says of a name; None if there is none that can be read."""
        try:
            with (
                opened_folder(self.path / _ENTRIES) as folder,
                opened_document(folder, (_entry_name(system, name),)) as reader,
            ):
                entry = parse_capture(reader.read(limits.max_capture_bytes))
        except (OSError, VerificationError):
            return None
        return entry if [(one.system, one.name) for one in entry.names] == [(system, name)] else None

    def _sweep(self, kept: Iterable[CapturedName]) -> None:
        """Remove what is not of the `kept` names."""
        archive = self.path / _ARCHIVE
        names = tuple(kept)
        folders = {archive.joinpath(*place_of(name.system, name.name, CAPTURE)[:-1]) for name in names}
        entries = {_entry_name(name.system, name.name) for name in names}
        for entry in (self.path / _ENTRIES).iterdir():
            if entry.name not in entries:
                entry.unlink()
        for inner in (archive / CAPTURE, self.path / _TAR):
            inner.unlink(missing_ok=True)
        documents = place_of("notary", "x", CAPTURE)[-2]
        for parent, inner_folders, _ in os.walk(archive):
            for folder in [Path(parent, one) for one in inner_folders if one == documents]:
                inner_folders.remove(documents)
                if folder not in folders:
                    shutil.rmtree(folder)
        for parent, _, _ in os.walk(archive, topdown=False):
            if Path(parent) != archive:
                with suppress(OSError):
                    Path(parent).rmdir()  # only if it is empty


def _entry_name(system: str, name: str) -> str:
    return hashlib.sha256(f"{system}\0{name}".encode()).hexdigest() + ".json"


def _move_file(file: Path, target: Path) -> None:
    """Let `target` stand for the file, if nothing is there."""
    try:
        os.link(file, target)
    except OSError as error:
        if error.errno not in _NO_LINKS:
            raise
        if target.exists() or target.is_symlink():
            raise FileExistsError(errno.EEXIST, "file exists", str(target)) from error
        file.rename(target)


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    """Hold the folder against other processes."""
    import fcntl  # noqa: PLC0415 - POSIX only

    with opened_folder(path) as folder:
        fcntl.flock(folder, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
