"""An archive as a source: the documents that were captured, byte for byte, and nothing else.

Spec: docs/archive.md, "Files" and "One file".
"""

import os
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Final, final

from imgsig.archive.capture import CapturedName, archive_id, parse_capture
from imgsig.archive.documents import check_documents, read_capture, read_document, translated
from imgsig.archive.places import CAPTURE, place_of
from imgsig.archive.shelves import FolderShelf, Shelf, TarShelf
from imgsig.archive.tar import SUFFIX, load_tar
from imgsig.archive.wanted import Wanted
from imgsig.codes import Code
from imgsig.errors import InconclusiveError, RejectedError, UsageError, VerificationError
from imgsig.faults import shown_path
from imgsig.limits import DEFAULT_TIMEOUT_SECONDS, Deadline, Limits
from imgsig.source import DocumentMissingError, Endpoint, SourceEvidence, Sources
from imgsig.strictjson import quote

if TYPE_CHECKING:
    from imgsig.archive.saving import Progress

_ID: Final = re.compile(r"sha256:[0-9a-f]{64}", re.ASCII)
_LIMITS: Final = Limits()


@final
@dataclass(frozen=True, slots=True)
class Archive:
    """Trust data on disk, to verify from: ``Verifier(policy, source=archive)``. Implements ``imgsig.source.Sources``.

    It opens no socket. What is on disk may be moved, but not while an archive loaded from it is in use.
    """

    path: Path
    """The folder, or the tar file."""
    id: str
    """``sha256:…`` of its ``capture.json``, which names every other file by its hash."""
    id_pinned: bool
    """Whether the caller demanded exactly this id."""
    captured_at: datetime
    """When it says that it was captured (aware, UTC)."""
    names: tuple[CapturedName, ...]
    """What it holds, sorted by system and name."""
    shelf: Shelf = field(repr=False, compare=False)
    """Where its files are read."""
    _by_name: dict[tuple[str, str], CapturedName] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Find out where each name stands."""
        object.__setattr__(self, "_by_name", {(name.system, name.name): name for name in self.names})

    @classmethod
    def load(
        cls,
        path: str | os.PathLike[str],
        id: str | None = None,  # noqa: A002 - what everybody calls it
        *,
        limits: Limits = _LIMITS,
    ) -> "Archive":
        """Return the archive in the folder or tar file `path`.

        Not checked: the documents. Those of a name are checked when the first of them is asked for.

        Args:
            path: the folder with ``capture.json``, or one file with the same in it.
            id: the archive's id, ``sha256:…``, known from elsewhere: then nothing in it can have been changed.
            limits: bounds of what is read.

        Raises:
            RejectedError: it is not the archive with that `id` (``hash_mismatch``).
            InconclusiveError: it cannot be read, or breaks the format (``archive_unreadable``).
            UsageError: `id` is no id.
        """
        if id is not None and not _ID.fullmatch(str(id)):
            msg = f"an archive's id is sha256: and 64 hex digits in lower case, not {quote(id)}"
            raise UsageError(msg)
        place = Path(path).absolute()
        shelf = _shelf(place, limits)
        body = read_capture(shelf, max_bytes=limits.max_capture_bytes)
        found = archive_id(body)
        if id not in {None, found}:
            msg = f"the archive {shown_path(place)} is not the one that was demanded"
            raise RejectedError(msg, code=Code.HASH_MISMATCH, subject=CAPTURE, expected=str(id), found=found)
        try:
            capture = parse_capture(body)
        except RejectedError as error:
            msg = f"the archive {shown_path(place)} cannot be read: {error}"
            raise InconclusiveError(
                msg, code=Code.ARCHIVE_UNREADABLE, subject=CAPTURE, expected=error.expected, found=error.found
            ) from error
        if isinstance(shelf, TarShelf):
            _check_members(shelf, capture.names)
        return cls(place, found, id is not None, capture.captured_at, capture.names, shelf)

    @classmethod
    def save(  # noqa: PLR0913 - what is saved, where, from where and within which bounds, each by name
        cls,
        names: Iterable[Wanted],
        path: str | os.PathLike[str],
        *,
        sources: Sources,
        clock: Callable[[], datetime],
        limits: Limits = _LIMITS,
        timeout_seconds: float = DEFAULT_TIMEOUT_SECONDS,
        workers: int = 1,
        resumable: bool = False,
        progress: "Progress | None" = None,
    ) -> "Archive":
        """Save everything that servers have of `names` into the new folder or file `path`, and return the archive.

        What does not verify is kept, and marked (`CapturedName.verified`). If `path` already holds an archive of the
        same documents, that one stays and is returned; nothing else is ever written over.

        Args:
            names: the names to save, each as one system knows it.
            path: a folder that does not exist, or is empty, or a file ``NAME.tar`` that does not exist; the folder
                above it must exist.
            sources: the servers.
            clock: the current time (aware).
            limits: bounds of what is read.
            timeout_seconds: the most that each name may take.
            workers: how many names are saved at once.
            resumable: try all names even if one fails, keep what could be had in ``PATH.partial``, and begin with
                what is there of the last day.
            progress: called in this thread when a name is done, with the error if it could not be had.

        Raises:
            VerificationError: a server could not be reached, or has nothing of a name; then nothing is at `path`.
            UsageError: something else is at `path`, it cannot be written there, or the call is wrong.
        """
        from imgsig.archive.saving import Saving, compare_names, write_archive  # noqa: PLC0415 - not needed to read

        place = Path(path).absolute()
        wanted = {(one.settings.system, one.name): one for one in names}
        existing = _existing(place, limits)
        if existing is not None and [(name.system, name.name) for name in existing.names] != sorted(wanted):
            raise _occupied(place, "an archive of other names")
        saving = Saving(
            sources, clock, limits, timeout_seconds, workers=workers, resumable=resumable, progress=progress
        )
        if not wanted:
            msg = "an archive needs a name at least"
            raise UsageError(msg)
        if existing is None:
            write_archive(place, wanted, saving)
            return cls.load(place, limits=limits)
        if not (compare_names(wanted, existing.names, saving) and _is_whole(existing, saving.deadline())):
            raise _occupied(place, "other trust data than the server has now")
        return existing

    @property
    def live(self) -> bool:
        """False: it answers for the time of its capture."""
        return False

    def open(self, endpoint: Endpoint) -> "ArchiveSource":
        """Return the source of `endpoint`'s name, whichever server it was captured from."""
        return ArchiveSource(self, endpoint.name, self._by_name.get((endpoint.system, endpoint.name)))


@final
class ArchiveSource:
    """The documents of one name in an archive, each shown to be the one that was captured. Not for several threads.

    Before the first is given out, all of them are looked at: an archive that was damaged anywhere is not used.
    """

    __slots__ = ("_archive", "_captured", "_files", "_name", "_whole")

    def __init__(self, archive: Archive, name: str, captured: CapturedName | None) -> None:
        """Give out what `archive` holds of `name`; `captured` is None if that is nothing."""
        self._archive = archive
        self._name = name
        self._captured = captured
        self._files = {} if captured is None else {file.path: file for file in captured.files}
        self._whole = False

    @property
    def evidence(self) -> SourceEvidence:
        """Which archive it is, and when it says that it was captured."""
        archive = self._archive
        return SourceEvidence("archive", archive.id, archive.captured_at, archive.id_pinned)

    def fetch(self, path: str, *, max_bytes: int, deadline: Deadline) -> bytes:
        """Return the document that the server gave for `path`.

        Raises:
            DocumentMissingError: the archive has none, or nothing of the name (``archive_unreadable``).
            RejectedError: a file of the name is not the one captured (``hash_mismatch``), or the one asked for is
                longer than `max_bytes` (``limit_exceeded``).
            InconclusiveError: a file of the name is missing or cannot be read (``archive_unreadable``).
        """
        if self._captured is None:
            msg = f"the archive holds nothing of {quote(self._name)}"
            raise DocumentMissingError(msg, subject=self._name, code=Code.ARCHIVE_UNREADABLE)
        deadline.remaining_seconds()
        if not self._whole:
            check_documents(self._archive.shelf, self._captured, deadline=deadline)
            self._whole = True
        file = self._files.get(path)
        if file is None:
            msg = f"the archive has no {quote(path)} of {quote(self._name)}"
            raise DocumentMissingError(msg, subject=path, code=Code.ARCHIVE_UNREADABLE)
        if file.length > max_bytes:
            msg = f"{quote(path)} is larger than {max_bytes} bytes"
            raise RejectedError(
                msg, code=Code.LIMIT_EXCEEDED, subject=path, expected=f"at most {max_bytes}", found=str(file.length)
            )
        return read_document(self._archive.shelf, self._captured, file, deadline=deadline)


def _shelf(place: Path, limits: Limits) -> Shelf:
    """Return what is at `place`; that there is a folder is not checked yet."""
    with translated(f"the archive {shown_path(place)} cannot be read", CAPTURE):
        return load_tar(place, max_members=limits.max_archive_files) if place.is_file() else FolderShelf(place)


def _check_members(shelf: TarShelf, names: Iterable[CapturedName]) -> None:
    """Refuse a tar file with a file that ``capture.json`` does not list.

    Raises:
        InconclusiveError: it has one (``archive_unreadable``).
    """
    listed = {"/".join(place_of(name.system, name.name, file.path)) for name in names for file in name.files}
    odd = shelf.members.keys() - listed - {CAPTURE}
    if odd:
        msg = f"the archive {shown_path(shelf.path)} cannot be read: it holds a file that {CAPTURE} does not list"
        raise InconclusiveError(msg, code=Code.ARCHIVE_UNREADABLE, subject=CAPTURE, found=quote(min(odd)))


def _existing(folder: Path, limits: Limits) -> Archive | None:
    """Return the archive at `folder`, or None if one can be made there."""
    in_one_file = folder.suffix == SUFFIX
    try:
        if in_one_file and folder.is_file():
            return _loaded(folder, limits)
        if not any(folder.iterdir()):
            if in_one_file:
                raise _occupied(folder, "a folder, in the place of the tar file")
            return None
    except FileNotFoundError as error:
        if folder.parent.is_dir():
            return None
        msg = f"the archive cannot be written to {shown_path(folder)}: the folder above it does not exist"
        raise UsageError(msg, hint="make that folder first") from error
    except (OSError, ValueError) as error:
        raise _occupied(folder, "something that is no folder to read") from error
    return _loaded(folder, limits)


def _loaded(place: Path, limits: Limits) -> Archive:
    try:
        return Archive.load(place, limits=limits)
    except VerificationError as error:
        raise _occupied(place, "files that are no archive") from error


def _is_whole(archive: Archive, deadline: Deadline) -> bool:
    try:
        for name in archive.names:
            check_documents(archive.shelf, name, deadline=deadline)
    except VerificationError:
        return False
    return True


def _occupied(folder: Path, by: str) -> UsageError:
    msg = f"{shown_path(folder)} already holds {by}, and nothing is ever written over"
    return UsageError(msg, hint="choose another folder, or move this one away")
