"""Asking a server for everything of a name, keeping what it gives, and seeing whether that verifies."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from typing import final

from imgsig.archive.capture import CapturedFile, CapturedName, describe_fault
from imgsig.archive.places import is_name_or_path
from imgsig.archive.wanted import Wanted
from imgsig.codes import Code
from imgsig.errors import InconclusiveError, RejectedError, VerificationError
from imgsig.limits import Deadline, Limits
from imgsig.rehearsal import rehearse
from imgsig.source import DocumentMissingError, Source, SourceEvidence, Sources
from imgsig.state.memory import MemoryState
from imgsig.strictjson import quote


@final
@dataclass(frozen=True, slots=True)
class Recording:
    """What a server gave of one name."""

    captured: CapturedName
    documents: Mapping[str, bytes]
    """Path to bytes, for every file of `captured`."""
    captured_at: datetime
    """When the last of them had come (aware, UTC)."""


def record_name(
    wanted: Wanted, sources: Sources, *, clock: Callable[[], datetime], deadline: Deadline, limits: Limits
) -> Recording:
    """Return every document of a name, whether or not they verify.

    Raises:
        VerificationError: one could not be had, the name is not signed, or all are larger than the limit.
    """
    live = sources.open(wanted.settings.endpoint(wanted.name))
    recorder = _Recorder(live, limits.max_archive_bytes)
    wanted.authority.capture(recorder, deadline=deadline, limits=limits)
    recorder.check_size(wanted.name)
    captured_at = clock().astimezone(UTC)
    documents = recorder.documents
    files = [CapturedFile(path, len(body), sha256(body).hexdigest()) for path, body in sorted(documents.items())]
    replay = _Replay(documents, recorder.refusals, live.evidence)
    fault = _fault_of(wanted, replay, captured_at, deadline, limits)
    captured = CapturedName(
        wanted.settings.system,
        wanted.name,
        live.evidence.location,
        tuple(files),
        code="" if fault is None else str(fault.code),
        summary="" if fault is None else describe_fault(fault),
    )
    return Recording(captured, documents, captured_at)


def _fault_of(
    wanted: Wanted, source: Source, at: datetime, deadline: Deadline, limits: Limits
) -> VerificationError | None:
    """Return why the documents do not verify by the settings alone, as if nothing had been trusted before.

    Raises:
        InconclusiveError: that cannot be told.
    """
    fault = rehearse(
        wanted.authority, wanted.name, source=source, state=MemoryState(), at=at, deadline=deadline, limits=limits
    )
    if isinstance(fault, InconclusiveError) and fault.code is not Code.MISSING_METADATA:
        raise fault
    return fault


@final
class _Recorder:
    """Passes requests on to a live source and keeps each document as it came: one answer for each path."""

    def __init__(self, live: Source, max_bytes: int) -> None:
        self._live = live
        self._max_bytes = max_bytes
        self._bytes = 0
        self.documents: dict[str, bytes] = {}
        self.refusals: dict[str, RejectedError] = {}
        """Path to why what the server gave was not even taken: it is too long."""

    @property
    def evidence(self) -> SourceEvidence:
        return self._live.evidence

    def fetch(self, path: str, *, max_bytes: int, deadline: Deadline) -> bytes:
        if not is_name_or_path(path):
            msg = f"{quote(path)} is no path of a document"
            raise RejectedError(msg, code=Code.MALFORMED, subject=quote(path))
        self.check_size(path)
        if path not in self.documents:
            try:
                body = self._live.fetch(path, max_bytes=max_bytes, deadline=deadline)
            except RejectedError as error:
                self.refusals[path] = error
                raise
            self._bytes += len(body)
            self.documents[path] = body
        return _bounded(path, self.documents[path], max_bytes)

    def check_size(self, subject: str) -> None:
        """Refuse to go on once there is too much."""
        if self._bytes > self._max_bytes:
            most = f"at most {self._max_bytes} bytes"
            msg = f"an archive may hold {most} of one name, and the server has more"
            raise RejectedError(
                msg, code=Code.LIMIT_EXCEEDED, subject=subject, expected=most, found=f"{self._bytes} bytes"
            )


@final
class _Replay:
    """Answers with what was recorded."""

    def __init__(
        self, documents: Mapping[str, bytes], refusals: Mapping[str, RejectedError], evidence: SourceEvidence
    ) -> None:
        self._documents = documents
        self._refusals = refusals
        self.evidence = evidence

    def fetch(self, path: str, *, max_bytes: int, deadline: Deadline) -> bytes:
        deadline.remaining_seconds()
        if path not in self._documents:
            if path in self._refusals:
                raise self._refusals[path]
            msg = f"the server gave no {quote(path)}"
            raise DocumentMissingError(msg, subject=path, code=Code.MISSING_METADATA)
        return _bounded(path, self._documents[path], max_bytes)


def _bounded(path: str, body: bytes, max_bytes: int) -> bytes:
    if len(body) > max_bytes:
        msg = f"{quote(path)} is larger than {max_bytes} bytes"
        raise RejectedError(
            msg, code=Code.LIMIT_EXCEEDED, subject=path, expected=f"at most {max_bytes}", found=str(len(body))
        )
    return body
