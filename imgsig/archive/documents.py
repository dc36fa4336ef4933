"""The files of an archive, read and shown to be the ones that were captured."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from hashlib import sha256
from typing import Final

from imgsig.archive.capture import CapturedFile, CapturedName
from imgsig.archive.disk import reason_of
from imgsig.archive.places import CAPTURE, place_of
from imgsig.archive.shelves import Shelf
from imgsig.codes import Code
from imgsig.errors import InconclusiveError, RejectedError
from imgsig.faults import shown_path
from imgsig.limits import Deadline

_CHUNK: Final = 1024 * 1024


def read_capture(archive: Shelf, *, max_bytes: int) -> bytes:
    """Return the bytes of the ``capture.json`` of the `archive`.

    Raises:
        InconclusiveError: there is none, it cannot be read or is longer than `max_bytes` (``archive_unreadable``).
    """
    chunks: list[bytes] = []
    left = max_bytes + 1  # one more shows that it is too long
    with (
        translated(f"the archive {shown_path(archive.path)} cannot be read", CAPTURE),
        archive.opened((CAPTURE,)) as reader,
    ):
        while left and (chunk := reader.read(min(_CHUNK, left))):
            chunks.append(chunk)
            left -= len(chunk)
    if not left:
        msg = f"the {CAPTURE} of the archive {shown_path(archive.path)} is larger than {max_bytes} bytes"
        raise InconclusiveError(msg, code=Code.ARCHIVE_UNREADABLE, subject=CAPTURE)
    return b"".join(chunks)


def read_document(archive: Shelf, name: CapturedName, file: CapturedFile, *, deadline: Deadline) -> bytes:
    """Return the bytes of one `file` of a `name`.

    Raises:
        RejectedError: they are not the ones captured (``hash_mismatch``).
        InconclusiveError: the file is missing, cannot be read, or is reached over a link (``archive_unreadable``).
    """
    chunks: list[bytes] = []
    _check_document(archive, name, file, deadline, chunks.append)
    return b"".join(chunks)


def check_documents(archive: Shelf, name: CapturedName, *, deadline: Deadline) -> None:
    """Check that every file of a `name` is the one captured. Raises as `read_document` does."""
    for file in name.files:
        _check_document(archive, name, file, deadline, lambda _chunk: None)


def _check_document(
    archive: Shelf, name: CapturedName, file: CapturedFile, deadline: Deadline, keep: Callable[[bytes], object]
) -> None:
    """Read one file, handing each part of it to `keep`, then compare length and hash."""
    length, digest = 0, sha256()
    place = place_of(name.system, name.name, file.path)
    with (
        translated(f"{shown_path(file.path)} of the archive cannot be read", file.path),
        archive.opened(place) as reader,
    ):
        while length <= file.length and (chunk := reader.read(_CHUNK)):
            deadline.remaining_seconds()
            length += len(chunk)
            digest.update(chunk)
            keep(chunk)
    found = digest.hexdigest()
    if length != file.length:
        found = f"{length} bytes, not {file.length}" if length < file.length else f"more than {file.length} bytes"
    if found != file.sha256:
        msg = f"{shown_path(file.path)} of the archive is not the document that was captured"
        raise RejectedError(msg, code=Code.HASH_MISMATCH, subject=file.path, expected=file.sha256, found=found)


@contextmanager
def translated(what: str, subject: str) -> Iterator[None]:
    """Say in our words that something of an archive could not be read."""
    try:
        yield
    except OSError as error:
        msg = f"{what}: {reason_of(error)}"
        raise InconclusiveError(msg, code=Code.ARCHIVE_UNREADABLE, subject=subject) from error
    except ValueError as error:  # a null byte in the path
        msg = f"{what}: it is no path of a folder"
        raise InconclusiveError(msg, code=Code.ARCHIVE_UNREADABLE, subject=subject) from error
