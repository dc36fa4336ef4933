"""Saving an archive: its names side by side, then all of it at its place at once or not at all, over nothing else."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, TypeAlias, TypeVar, final

from imgsig.archive.capture import Capture, CapturedName
from imgsig.archive.disk import reason_of
from imgsig.archive.partial import WorkingFolder, working_folder
from imgsig.archive.recording import Recording, record_name
from imgsig.archive.tar import SUFFIX
from imgsig.archive.wanted import Wanted
from imgsig.errors import UsageError, VerificationError
from imgsig.faults import shown_path
from imgsig.limits import MAX_WORKERS, Deadline, Limits
from imgsig.source import Sources

Progress: TypeAlias = Callable[[Wanted, VerificationError | None], object]
"""Called when a name is done, in the caller's thread, with why nothing of it could be had, if so."""

_T = TypeVar("_T")
_Key: TypeAlias = tuple[str, str]
_HINT: Final = "choose a folder that does not exist yet, in one that can be written"


@final
@dataclass(frozen=True, slots=True)
class Saving:
    """How names are asked for."""

    sources: Sources
    clock: Callable[[], datetime]
    limits: Limits
    timeout_seconds: float
    workers: int = 1
    resumable: bool = False
    progress: Progress | None = None

    def __post_init__(self) -> None:
        """Refuse a call that is wrong.

        Raises:
            UsageError: `sources` are no servers, or a number is none.
        """
        if not self.sources.live:
            msg = "an archive is captured from servers, not from another archive"
            raise UsageError(msg)
        if not 1 <= self.workers <= MAX_WORKERS:
            msg = f"workers must be from 1 to {MAX_WORKERS}, not {self.workers}"
            raise UsageError(msg)
        self.deadline()

    def deadline(self) -> Deadline:
        """Return a deadline that begins now.

        Raises:
            UsageError: the timeout is not positive and finite.
        """
        try:
            return Deadline(self.timeout_seconds)
        except (TypeError, ValueError) as error:
            raise UsageError(str(error)) from error

    def record(self, wanted: Wanted) -> Recording:
        """Return every document of a name.

        Raises:
            VerificationError: they could not be had.
        """
        return record_name(wanted, self.sources, clock=self.clock, deadline=self.deadline(), limits=self.limits)

    def done(self, wanted: Wanted, fault: VerificationError | None = None) -> None:
        """Tell that a name is done."""
        if self.progress is not None:
            self.progress(wanted, fault)


def write_archive(path: Path, wanted: Mapping[_Key, Wanted], saving: Saving) -> None:
    """Save the `wanted` names into the folder `path`, which must not exist or be empty, or a new file ``NAME.tar``.

    It is made beside `path` and then moved, so that `path` is never half an archive, whatever happens.

    Raises:
        VerificationError: documents could not be had; the first error of all.
        UsageError: it cannot be written there, or something else is there by now.
    """
    try:
        with working_folder(path, resumable=saving.resumable) as folder:
            entries = _taken_over(folder, wanted, saving) if saving.resumable else []
            done = {(name.system, name.name) for entry in entries for name in entry.names}
            tool = _tool()
            rest = [wanted[key] for key in sorted(wanted) if key not in done]
            entries += _each(lambda one: folder.put(saving.record(one), tool), rest, saving)
            names = sorted((name for entry in entries for name in entry.names), key=lambda one: (one.system, one.name))
            capture = Capture(max(entry.captured_at for entry in entries), tool, tuple(names))
            folder.finish(capture, path, in_one_file=path.suffix == SUFFIX)
    except BlockingIOError as error:
        msg = f"another process is saving to {shown_path(path)}"
        raise UsageError(msg, hint="wait for it to end") from error
    except OSError as error:
        msg = f"the archive cannot be written to {shown_path(path)}: {reason_of(error)}"
        raise UsageError(msg, hint=_HINT) from error


def compare_names(wanted: Mapping[_Key, Wanted], existing: Iterable[CapturedName], saving: Saving) -> bool:
    """Return whether the servers have now the same documents as an archive of `existing` names.

    Raises:
        VerificationError: documents could not be had.
    """
    found = _each(lambda one: saving.record(one).captured, [wanted[key] for key in sorted(wanted)], saving)
    return [_content(name) for name in existing] == [_content(name) for name in found]


def _taken_over(folder: WorkingFolder, wanted: Mapping[_Key, Wanted], saving: Saving) -> list[Capture]:
    """Return what an earlier run has left of the `wanted` names."""
    known = [(*key, _server_of(one, saving.sources)) for key, one in sorted(wanted.items())]
    at = saving.clock().astimezone(UTC)
    entries = folder.take_over(known, at=at, deadline=saving.deadline, limits=saving.limits)
    for entry in entries:
        for name in entry.names:
            saving.done(wanted[name.system, name.name])
    return list(entries)


def _each(work: Callable[[Wanted], _T], wanted: Sequence[Wanted], saving: Saving) -> list[_T]:
    """Return what `work` makes of each name, several at a time.

    Raises:
        VerificationError: the first of those that it raised. Where what was had is kept, all names are tried.
    """
    made: dict[int, _T] = {}
    faults: dict[int, VerificationError] = {}
    with ThreadPoolExecutor(saving.workers, thread_name_prefix="imgsig-save") as pool:
        futures = {pool.submit(work, one): index for index, one in enumerate(wanted)}
        try:
            for future in as_completed(futures):
                index = futures[future]
                try:
                    made[index] = future.result()
                except VerificationError as fault:
                    faults[index] = fault
                saving.done(wanted[index], faults.get(index))
                if faults and not saving.resumable:
                    break
        finally:
            for future in futures:
                future.cancel()
    if faults:
        raise faults[min(faults)]
    return [made[index] for index in sorted(made)]


def _server_of(wanted: Wanted, sources: Sources) -> str:
    return sources.open(wanted.settings.endpoint(wanted.name)).evidence.location


def _content(name: CapturedName) -> tuple[object, ...]:
    return name.system, name.name, name.server, name.files


def _tool() -> str:
    from importlib import metadata  # noqa: PLC0415 - slow to import, and not needed to read an archive

    try:
        return f"imgsig {metadata.version('imgsig')}"
    except metadata.PackageNotFoundError:
        return "imgsig unknown"  # run from a checkout that is not installed
