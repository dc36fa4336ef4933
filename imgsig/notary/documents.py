"""Where Notary keeps each document, and what it means when one cannot be had.

Spec: docs/notary-v1.md, "Documents and their addresses"; notary storage/httpstore.go.
"""

from typing import final

from imgsig.codes import Code
from imgsig.errors import InconclusiveError, RejectedError, VerificationError
from imgsig.limits import Deadline, Limits
from imgsig.memory import Memory
from imgsig.notary.metadata import FileInfo, digests
from imgsig.notary.prefetch import Prefetch
from imgsig.source import DocumentMissingError, Source
from imgsig.strictjson import quote

_NO_SUCH_METADATA = b"METADATA_NOT_FOUND"


@final
class Documents:
    """The documents of one name, asked of a source within one deadline; none is verified here but by its hash."""

    def __init__(  # noqa: PLR0913 - what the requests of one update share, each by name
        self,
        source: Source,
        *,
        deadline: Deadline,
        limits: Limits,
        memory: Memory,
        known: bool = False,
        prefetch: Prefetch | None = None,
    ) -> None:
        """Ask `source`; `known` tells whether trust in the name is stored already, `prefetch` what was asked before."""
        self._prefetch = prefetch
        self._memory = memory
        self._source = source
        self._deadline = deadline
        self._limits = limits
        self._known = known

    def fetch_root(self) -> bytes:
        """Return the newest root.

        Raises:
            RejectedError: the server knows no trust data for the name (``not_signed``, or ``trust_data_removed``
                if there was some).
            InconclusiveError: as `Source.fetch` says.
        """
        try:
            return self._fetch("root.json", self._limits.max_document_bytes)
        except DocumentMissingError as error:
            if _NO_SUCH_METADATA not in error.body:
                raise
            if self._known:
                msg = "the server has no trust data for this name any more"
                raise RejectedError(msg, code=Code.TRUST_DATA_REMOVED, subject="root") from error
            msg = "the server has no trust data for this name"
            raise RejectedError(msg, code=Code.NOT_SIGNED, subject="root") from error

    def fetch_root_version(self, version: int) -> bytes:
        """Return root `version`, which a newer root says there was."""
        return self._fetch_named(f"{version}.root.json", self._limits.max_document_bytes)

    def fetch_timestamp(self) -> bytes:
        """Return the timestamp."""
        return self._fetch("timestamp.json", self._limits.max_timestamp_bytes)

    def fetch(self, role: str, info: FileInfo) -> bytes:
        """Return the document of `role` that `info` names by its hash.

        Raises:
            RejectedError: it is longer than `info` allows (``limit_exceeded``) or not the document that it names
                (``hash_mismatch``).
            InconclusiveError: the server lacks it (``missing_metadata``), or as `Source.fetch` says.
        """
        most = self.max_bytes(role, info)
        early = self._prefetch.take(f"{role}.json") if self._prefetch else None
        if early is not None and len(early) <= most and self.mismatch(info, early) is None:
            return early
        sha256 = info.hashes.get("sha256", b"")
        path = f"{role}.{sha256.hex()}.json" if sha256 else f"{role}.json"
        body = self._fetch_named(path, most)
        mismatch = self.mismatch(info, body)
        if mismatch is not None:
            msg = f"{role} is not the document that was vouched for: {mismatch}"
            raise RejectedError(msg, code=Code.HASH_MISMATCH, subject=role, expected=info.sha256.hex(), found=mismatch)
        return body

    def mismatch(self, info: FileInfo, body: bytes) -> str | None:
        """Return None if `body` is the document that `info` names, otherwise what is wrong."""
        return info.mismatch(self._memory.recall((digests, body), len(body), lambda: digests(body)))

    def max_bytes(self, role: str, info: FileInfo) -> int:
        """Return how long the document of `role` may be: `info`'s length, which is an upper bound, within the limits.

        Raises:
            RejectedError: the length is negative, other than -1 for "unknown" (``limit_exceeded``).

        Spec: notary const.go and storage/httpstore.go, GetSized.
        """
        if info.length < -1:
            msg = f"{role} is listed with a length of {info.length}"
            raise RejectedError(msg, code=Code.LIMIT_EXCEEDED, subject=role, found=str(info.length))
        most = self._limits.max_document_bytes
        return most if info.length == -1 else min(info.length, most)

    def _fetch(self, path: str, max_bytes: int) -> bytes:
        early = self._prefetch.take(path) if self._prefetch else None
        if early is not None and len(early) <= max_bytes:
            return early
        return self._source.fetch(path, max_bytes=max_bytes, deadline=self._deadline)

    def _fetch_named(self, path: str, max_bytes: int) -> bytes:
        try:
            return self._fetch(path, max_bytes)
        except DocumentMissingError as error:
            if error.code is Code.ARCHIVE_UNREADABLE:
                raise
            msg = f"the server lacks {quote(path)}, which its own metadata names"
            raise InconclusiveError(msg, code=Code.MISSING_METADATA, subject=path) from error


def may_be_stale_root(fault: VerificationError) -> bool:
    """Return whether a newer root could mend `fault`: it speaks of content, not of the way to the server."""
    return isinstance(fault, RejectedError | DocumentMissingError) or fault.code is Code.MISSING_METADATA
