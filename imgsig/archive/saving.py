"""Writing an archive: all of it at once under its name, or nothing; never over other bytes."""

import os
from collections.abc import Callable, Iterable
from datetime import datetime
from pathlib import Path
from typing import Final

from imgsig.archive.capture import Capture, CapturedName, encode_capture
from imgsig.archive.disk import opened_folder, reason_of, sync_folder, sync_folders, write_document
from imgsig.archive.places import CAPTURE, place_of
from imgsig.archive.recording import Recording, record_name
from imgsig.archive.wanted import Wanted
from imgsig.errors import UsageError
from imgsig.faults import shown_path
from imgsig.limits import Deadline, Limits
from imgsig.source import Sources

_TEMPORARY: Final = ".imgsig-"
"""How the name of a folder begins that is not yet an archive."""


def record_names(
    wanted: Iterable[Wanted],
    sources: Sources,
    *,
    clock: Callable[[], datetime],
    limits: Limits,
    timeout_seconds: float,
) -> tuple[Capture, tuple[Recording, ...]]:
    """Return every document of every name, each of which is wanted once, with what their archive says of itself.

    Raises:
        VerificationError: a name's documents could not be had.
        UsageError: no name is wanted, `sources` are no servers, or the timeout is not positive.
    """
    if not sources.live:
        msg = "an archive is captured from servers, not from another archive"
        raise UsageError(msg)
    ordered = sorted(wanted, key=lambda one: (one.settings.system, one.name))
    if not ordered:
        msg = "an archive needs a name at least"
        raise UsageError(msg)
    recordings = tuple(
        record_name(one, sources, clock=clock, deadline=check_deadline(timeout_seconds), limits=limits)
        for one in ordered
    )
    captured_at = max(recording.captured_at for recording in recordings)
    capture = Capture(
        captured_at.replace(microsecond=0), _tool(), tuple(recording.captured for recording in recordings)
    )
    return capture, recordings


def write_archive(path: Path, capture: Capture, recordings: Iterable[Recording]) -> None:
    """Write an archive into the folder `path`, which must not exist or be empty.

    It is made beside `path` and then renamed, so that `path` is never half an archive, whatever happens.

    Raises:
        UsageError: it cannot be written there, or something else is there by now.
    """
    temporary = path.parent / f"{_TEMPORARY}{os.urandom(8).hex()}"
    try:
        try:
            temporary.mkdir()
            with opened_folder(temporary) as folder:
                for recording in recordings:
                    _write_documents(folder, recording)
                write_document(folder, (CAPTURE,), encode_capture(capture))
            sync_folders(temporary)
            temporary.rename(path)
        finally:
            _remove(temporary)
        sync_folder(path.parent)
    except OSError as error:
        msg = f"the archive cannot be written to {shown_path(path)}: {reason_of(error)}"
        raise UsageError(msg, hint="choose a folder that does not exist yet, in one that can be written") from error


def holds_the_same(existing: tuple[CapturedName, ...], capture: Capture) -> bool:
    """Return whether an archive of `existing` names has the same documents of the same servers as `capture`."""
    return [_content(name) for name in existing] == [_content(name) for name in capture.names]


def check_deadline(timeout_seconds: float) -> Deadline:
    """Return a deadline that begins now.

    Raises:
        UsageError: `timeout_seconds` is not positive and finite.
    """
    try:
        return Deadline(timeout_seconds)
    except (TypeError, ValueError) as error:
        raise UsageError(str(error)) from error


def _write_documents(folder: int, recording: Recording) -> None:
    captured = recording.captured
    for file in captured.files:
        place = place_of(captured.system, captured.name, file.path)
        write_document(folder, place, recording.documents[file.path])


def _content(name: CapturedName) -> tuple[object, ...]:
    return name.system, name.name, name.server, name.files


def _remove(temporary: Path) -> None:
    """Remove what was not renamed."""
    if temporary.exists():
        import shutil  # noqa: PLC0415 - needed after failures only

        shutil.rmtree(temporary, ignore_errors=True)


def _tool() -> str:
    from importlib import metadata  # noqa: PLC0415 - slow to import, and not needed to read an archive

    try:
        return f"imgsig {metadata.version('imgsig')}"
    except metadata.PackageNotFoundError:
        return "imgsig unknown"  # run from a checkout that is not installed
