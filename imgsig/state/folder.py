"""State in a folder of the user's own, shared by any number of threads and processes.

::

    STATE/                                           made 0700; may itself be a symbolic link that the user made
        <sha256 of system, a zero byte, name>/       0700, one for each system and signed name
            trust.json                               the record, authoritative; only ever replaced whole
            documents/<sha256>                       what was last verified: a cache, checked again when loaded
            lock                                     held while writing, never while waiting for the network

Names never become paths, so none can lead out of the folder. A link, a folder or file of another user, or one that
others may write to, is refused wherever it stands below STATE. What lies *above* STATE is not checked.
"""

import errno
import hashlib
import logging
import os
from collections.abc import Container, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from types import MappingProxyType
from typing import Final, final

from imgsig.codes import Code
from imgsig.errors import InconclusiveError, RejectedError, UsageError
from imgsig.limits import Deadline, Limits
from imgsig.state.files import (
    TEMPORARY,
    Files,
    TooLargeError,
    holds,
    locked,
    make_folder,
    make_path,
    names_in,
    opened_folder,
    read_file,
    read_head,
    remove_files,
    replace_file,
)
from imgsig.state.record import HEAD_BYTES, Record, encode_record, is_sha256, parse_generation, parse_record
from imgsig.strictjson import malformed, quote
from imgsig.trust import Stored, Trust

_LOG: Final = logging.getLogger("imgsig")
_TRUST: Final = "trust.json"
_DOCUMENTS: Final = "documents"
_LOCK: Final = "lock"
_DEFAULT_LIMITS: Final = Limits()
_NOTHING: Final = Stored("", None)


@final
class FolderState:
    """Trust kept on disk, on POSIX systems only.

    The promise: whatever happens at whatever moment, afterwards the old trust or the new one can be read, never
    neither. Only an entry that was never written or was forgotten counts as nothing; one that is damaged, of a
    format not known here, out of reach or unsafe is ``state_unreadable``.

    Threads and forked children may share one; a pickle holds its path and limits.
    """

    __slots__ = ("_files", "_limits", "path")

    path: Path
    """The folder, absolute."""

    def __init__(self, path: Path, *, limits: Limits = _DEFAULT_LIMITS, files: Files | None = None) -> None:
        """Keep trust below `path`, which is made with the first commit.

        Raises:
            UsageError: this system has no POSIX locks.
        """
        try:
            import fcntl  # noqa: F401, PLC0415 - POSIX only
        except ImportError as error:
            msg = "a state folder needs a POSIX system"
            raise UsageError(msg, hint="keep the state in memory, and let no rule begin with first use") from error
        self.path = Path(path).absolute()
        self._limits = limits
        self._files = files or Files()

    def __repr__(self) -> str:
        """Show the path."""
        return f"FolderState({str(self.path)!r})"

    @property
    def remembers(self) -> bool:
        """True: it outlives the process."""
        return True

    def load(self, system: str, name: str, *, deadline: Deadline) -> Stored:
        """Return what is stored; ``Stored("", None)`` if nothing is.

        A cached document that is missing or whose bytes are not the ones recorded is left out.

        Raises:
            InconclusiveError: it is there but cannot be read (``state_unreadable``); never taken for "nothing".
        """
        entry_id = entry_name(system, name)
        with self._translated(name, entry_id), self._entry(entry_id) as entry:
            if entry is None:
                return _NOTHING
            attempts = 0
            while True:
                record = self._record(entry)
                if record is None:
                    return _NOTHING
                _check_owner(record, entry_id)
                documents = self._documents(entry, record)
                attempts += 1
                complete = len(documents) == len(record.document_hashes) or attempts >= self._limits.max_state_attempts
                if complete or self._generation(entry) == record.generation:
                    return Stored(record.generation, replace(record.trust, documents=documents))
                deadline.remaining_seconds()  # Another process has replaced the record that was read: once more.

    def generation(self, system: str, name: str) -> str:
        """Return the present generation only, read from the disk now; empty if nothing is stored.

        Whether the rest of the record can be read is not checked.

        Raises:
            InconclusiveError: it is there but cannot be read (``state_unreadable``).
        """
        entry_id = entry_name(system, name)
        with self._translated(name, entry_id), self._entry(entry_id) as entry:
            return self._generation(entry)

    def commit(self, system: str, name: str, trust: Trust, *, expected: str, deadline: Deadline) -> Stored:
        """Store `trust` if the generation is still `expected`, and return it with its new generation.

        Raises:
            InconclusiveError: the generation has changed (``state_conflict``); or nothing could be written, or
                another process held the lock until the deadline (``state_unreadable``). The stored trust is then
                unchanged, unless only the very last step failed, the sync that makes the new one outlive a loss of
                power: then the new one may be there already.
        """
        hashes = {role: hashlib.sha256(body).hexdigest() for role, body in trust.documents.items()}
        bodies = {hashes[role]: body for role, body in trust.documents.items()}
        generation = os.urandom(16).hex()
        entry_id = entry_name(system, name)
        with self._translated(name, entry_id):
            raw = encode_record(Record(system, name, generation, trust, hashes))
            if len(raw) > self._limits.max_state_bytes:
                raise TooLargeError(_TRUST, self._limits.max_state_bytes)
            with self._entry(entry_id, make=not expected) as entry:
                if entry is None:
                    raise _conflict(name)
                with locked(_LOCK, within=entry, deadline=deadline, files=self._files):
                    if self._generation(entry) != expected:
                        raise _conflict(name)
                    self._write(entry, raw, bodies)
        return Stored(generation, trust)

    def names(self) -> tuple[tuple[str, str], ...]:
        """Return system and name of every entry, sorted.

        Raises:
            InconclusiveError: an entry is there but cannot be read (``state_unreadable``).
        """
        found = []
        with self._translated("every name", ""), self._state() as state:
            entry_ids = [] if state is None else list(filter(is_sha256, names_in(state)))
        for entry_id in entry_ids:
            with self._translated(entry_id, entry_id), self._entry(entry_id) as entry:
                record = None if entry is None else self._record(entry)
                if record is not None:
                    _check_owner(record, entry_id)
                    found.append((record.system, record.name))
        return tuple(sorted(found))

    def forget(self, system: str, name: str, *, deadline: Deadline) -> bool:
        """Remove the entry, readable or not, and say whether there was one. An empty folder and its lock stay.

        Raises:
            InconclusiveError: it could not be removed, or another process held the lock until the deadline
                (``state_unreadable``).
        """
        entry_id = entry_name(system, name)
        with self._translated(name, entry_id), self._entry(entry_id) as entry:
            if entry is None:
                return False
            with locked(_LOCK, within=entry, deadline=deadline, files=self._files):
                _check_no_strangers(entry)
                known = _TRUST in names_in(entry)
                if known:
                    self._files.remove(_TRUST, within=entry)
                    self._files.sync_folder(entry)
                self._sweep(entry, keep=())
            return known

    @contextmanager
    def _translated(self, subject: str, entry_id: str) -> Iterator[None]:
        """Turn what the disk and the format say into the one answer for a caller."""
        try:
            yield
        except (OSError, RejectedError) as error:
            why = str(error)
            if isinstance(error, OSError):
                place = "" if error.filename is None else f"{quote(error.filename)} "
                why = f"{place}{error.strerror or type(error).__name__}"
            folder = ascii(str(self.path / entry_id))
            msg = f"the stored trust of {quote(subject)} in {folder} cannot be used: {why}"
            raise InconclusiveError(msg, code=Code.STATE_UNREADABLE, subject=subject) from error

    @contextmanager
    def _state(self) -> Iterator[int | None]:
        """Give the state folder, open; None if there is none."""
        with ExitStack() as opened:
            state = None
            with suppress(FileNotFoundError):
                state = opened.enter_context(opened_folder(self.path))
            if state is None and self.path.is_symlink():
                raise FileNotFoundError(errno.ENOENT, "is a symbolic link to nothing", str(self.path))
            yield state

    @contextmanager
    def _entry(self, entry_id: str, *, make: bool = False) -> Iterator[int | None]:
        """Give the folder of one name, open; None if there is none."""
        if make:
            make_path(self.path, files=self._files)
        with self._state() as state, ExitStack() as opened:
            entry = None
            if state is not None:
                if make:
                    make_folder(entry_id, within=state, files=self._files)
                    self._files.sync_folder(state)
                with suppress(FileNotFoundError):
                    entry = opened.enter_context(opened_folder(entry_id, within=state))
            yield entry

    def _generation(self, entry: int | None) -> str:
        if entry is None:
            return ""
        try:
            return parse_generation(read_head(_TRUST, within=entry, count=HEAD_BYTES))
        except FileNotFoundError:
            _check_no_strangers(entry)
            return ""

    def _record(self, entry: int) -> Record | None:
        try:
            return parse_record(read_file(_TRUST, within=entry, max_bytes=self._limits.max_state_bytes))
        except FileNotFoundError:
            _check_no_strangers(entry)
            return None

    def _documents(self, entry: int, record: Record) -> Mapping[str, bytes]:
        """Return the cached documents that are there and are the ones recorded."""
        documents = {}
        with suppress(FileNotFoundError), opened_folder(_DOCUMENTS, within=entry) as folder:
            for role, digest in record.document_hashes.items():
                body = self._document(folder, digest)
                if body is not None:
                    documents[role] = body
        return MappingProxyType(documents)

    def _document(self, folder: int, digest: str) -> bytes | None:
        try:
            body = read_file(digest, within=folder, max_bytes=self._limits.max_document_bytes)
        except FileNotFoundError:
            return None
        except TooLargeError:
            body = b""
        if hashlib.sha256(body).hexdigest() != digest:
            _LOG.warning("state: the cached document %s is damaged and left out", digest)
            return None
        return body

    def _write(self, entry: int, raw: bytes, bodies: Mapping[str, bytes]) -> None:
        """Store the documents, then the record that names them: each on the disk before the next is begun."""
        files = self._files
        remove_files(entry, unwanted=_is_temporary, files=files)
        if bodies:
            make_folder(_DOCUMENTS, within=entry, files=files)
            with opened_folder(_DOCUMENTS, within=entry) as folder:
                remove_files(folder, unwanted=_is_temporary, files=files)
                missing = [digest for digest, body in bodies.items() if not holds(digest, body, within=folder)]
                for digest in missing:
                    replace_file(digest, bodies[digest], within=folder, files=files)
                if missing:
                    files.sync_folder(folder)
        replace_file(_TRUST, raw, within=entry, files=files)
        files.sync_folder(entry)
        self._sweep(entry, keep=bodies)

    def _sweep(self, entry: int, *, keep: Container[str]) -> None:
        """Remove the cached documents that no record names any more, as far as that can be done."""

        def is_unwanted(name: str) -> bool:
            return _is_temporary(name) or (is_sha256(name) and name not in keep)

        with suppress(OSError), opened_folder(_DOCUMENTS, within=entry) as folder:
            remove_files(folder, unwanted=is_unwanted, files=self._files)


@lru_cache(maxsize=1024)
def entry_name(system: str, name: str) -> str:
    """Return the name of the folder for one signed name: no text in it can lead elsewhere.

    Raises:
        UsageError: they hold a zero byte, or what is no text.
    """
    if "\0" in system or "\0" in name:
        msg = f"a name to be stored must hold no zero byte: {quote(name)}"
        raise UsageError(msg)
    try:
        return hashlib.sha256(f"{system}\0{name}".encode()).hexdigest()
    except UnicodeEncodeError as error:
        msg = f"a name to be stored must be unicode text: {quote(name)}"
        raise UsageError(msg) from error


def _check_owner(record: Record, entry_id: str) -> None:
    try:
        owner = entry_name(record.system, record.name)
    except UsageError as error:
        raise malformed(_TRUST, str(error)) from error
    if owner != entry_id:
        raise malformed(_TRUST, "is the record of another name", found=quote(record.name))


def _check_no_strangers(entry: int) -> None:
    """Refuse to call an entry empty that holds what imgsig did not put there, such as a record moved aside."""
    for name in names_in(entry):
        if name not in {_TRUST, _DOCUMENTS, _LOCK} and not _is_temporary(name):
            raise FileExistsError(errno.EEXIST, f"is no part of a stored trust, and {_TRUST} is missing", name)


def _is_temporary(name: str) -> bool:
    return name.startswith(TEMPORARY)


def _conflict(name: str) -> InconclusiveError:
    msg = f"the stored trust of {quote(name)} was changed by another process meanwhile"
    return InconclusiveError(msg, code=Code.STATE_CONFLICT, subject=name)
