"""Where a TUF repository keeps each document, and what it means when one cannot be had.

Spec: TUF specification 1.0, sections 5.3 to 5.6 and 6.2, "Consistent snapshots"; docs/tuf.md, "Documents".
"""

from typing import final
from urllib.parse import quote as percent_encode

from imgsig.codes import Code
from imgsig.errors import InconclusiveError
from imgsig.limits import Deadline, Limits
from imgsig.source import DocumentMissingError, Source
from imgsig.strictjson import quote
from imgsig.tuf.model import MetaFile


@final
class Documents:
    """The documents of one repository, asked of a source within one deadline; none is verified here."""

    def __init__(self, source: Source, *, deadline: Deadline, limits: Limits) -> None:
        """Ask `source`."""
        self._source = source
        self._deadline = deadline
        self._limits = limits

    def fetch_root(self, version: int) -> bytes:
        """Return root `version`. Raises as `Source.fetch` does."""
        return self._fetch(f"{version}.root.json", self._limits.max_tuf_root_bytes)

    def fetch_next_root(self, version: int) -> bytes | None:
        """Return root `version`, or None if there is none yet.

        Storage that may not be listed answers with 403 for what is not there, so that this, too, counts as none: if
        access is really refused, so is that to the timestamp.

        Raises:
            InconclusiveError: as `Source.fetch` says, for other reasons.
        """
        try:
            return self.fetch_root(version)
        except DocumentMissingError:
            return None
        except InconclusiveError as error:
            if error.code is not Code.ACCESS_DENIED:
                raise
            return None

    def fetch_timestamp(self) -> bytes:
        """Return the timestamp."""
        return self._fetch("timestamp.json", self._limits.max_tuf_timestamp_bytes)

    def fetch_snapshot(self, meta: MetaFile, *, consistent: bool) -> bytes:
        """Return the snapshot that `meta` describes, named by its version if the repository is `consistent`.

        Raises:
            RejectedError: it is longer than `meta` or the limits allow (``limit_exceeded``).
            InconclusiveError: the server lacks it (``missing_metadata``), or as `Source.fetch` says.
        """
        return self._fetch_named("snapshot", meta, self._limits.max_tuf_snapshot_bytes, consistent=consistent)

    def fetch_targets(self, role: str, meta: MetaFile, *, consistent: bool) -> bytes:
        """Return the targets of `role` that `meta` describes. Raises as `fetch_snapshot` does."""
        return self._fetch_named(role, meta, self._limits.max_document_bytes, consistent=consistent)

    def _fetch_named(self, role: str, meta: MetaFile, most: int, *, consistent: bool) -> bytes:
        file = f"{percent_encode(role, safe='')}.json"
        path = f"{meta.version}.{file}" if consistent else file
        max_bytes = most if meta.length is None else min(meta.length, most)
        try:
            return self._fetch(path, max_bytes)
        except DocumentMissingError as error:
            if error.code is Code.ARCHIVE_UNREADABLE:
                raise
            msg = f"the server lacks {quote(path)}, which its own metadata names"
            raise InconclusiveError(msg, code=Code.MISSING_METADATA, subject=path) from error

    def _fetch(self, path: str, max_bytes: int) -> bytes:
        return self._source.fetch(path, max_bytes=max_bytes, deadline=self._deadline)
