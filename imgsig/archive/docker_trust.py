"""Docker's own trust folder as a source: what its client last believed of each name, without word of when.

Spec: Notary v1, client/client.go:NewFileCachedRepository and storage/filestore.go; docker/cli,
trust.go:GetTrustDirectory.
"""

import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Final, Literal, final

from imgsig.archive.disk import opened_document, opened_folder, reason_of
from imgsig.archive.places import is_name_or_path
from imgsig.codes import Code
from imgsig.errors import InconclusiveError, RejectedError, UsageError
from imgsig.faults import shown_path
from imgsig.limits import Deadline
from imgsig.source import DocumentMissingError, Endpoint, SourceEvidence
from imgsig.strictjson import quote

_SYSTEM: Final = "notary"
_CHUNK: Final = 1024 * 1024
_NAMED_BY_HASH: Final = re.compile(r"\.[0-9a-f]{64}(?=\.json$)", re.ASCII)
_HINT: Final = "docker trust inspect NAME, by a client that verifies, brings the folder up to date"


@final
@dataclass(frozen=True, slots=True)
class DockerTrust:
    """Docker's trust folder, such as ``~/.docker/trust``, to verify from. Implements ``imgsig.source.Sources``.

    It opens no socket and changes nothing. What is in it is verified by the policy like the data of any other source;
    that Docker once trusted it plays no part. There is no word of when it was fetched, and nothing that shows whether
    anybody has replaced it by older data.
    """

    path: Path
    """The folder, absolute."""
    live: ClassVar[Literal[False]] = False
    """It answers for whenever Docker last asked."""

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> "DockerTrust":
        """Return the trust folder at `path`.

        Raises:
            UsageError: there is no ``tuf`` folder in it.
        """
        folder = Path(path).absolute()
        try:
            with opened_folder(folder / "tuf"):
                return cls(folder)
        except (OSError, ValueError) as error:
            why = reason_of(error) if isinstance(error, OSError) else "it is no path of a folder"
            msg = f"{shown_path(folder)} is no trust folder of Docker's: its folder tuf cannot be read: {why}"
            raise UsageError(msg, hint="Docker's is ~/.docker/trust, notary's ~/.notary") from error

    def open(self, endpoint: Endpoint) -> "DockerTrustSource":
        """Return the documents of `endpoint`'s name, whichever server they came from."""
        return DockerTrustSource(self.path, endpoint)


@final
class DockerTrustSource:
    """What Docker's client has kept of one name: the newest document of each role."""

    __slots__ = ("_endpoint", "_path")

    def __init__(self, path: Path, endpoint: Endpoint) -> None:
        """Read below `path`."""
        self._path = path
        self._endpoint = endpoint

    @property
    def evidence(self) -> SourceEvidence:
        """Which folder it is."""
        return SourceEvidence("docker-trust", str(self._path))

    def fetch(self, path: str, *, max_bytes: int, deadline: Deadline) -> bytes:
        """Return the document at `path`. Not checked: whether it has the hash that `path` names, for files bear none.

        Raises:
            DocumentMissingError: there is none, or nothing of the name (``archive_unreadable``).
            RejectedError: it is longer than `max_bytes` (``limit_exceeded``).
            InconclusiveError: it cannot be read, or is reached over a link (``archive_unreadable``).
        """
        deadline.remaining_seconds()
        name = self._endpoint.name
        file = _NAMED_BY_HASH.sub("", path)
        if self._endpoint.system != _SYSTEM or not is_name_or_path(name) or not is_name_or_path(file):
            raise self._missing(path)
        place = ("tuf", *name.split("/"), "metadata", *file.split("/"))
        body = bytearray()
        try:
            with opened_folder(self._path) as folder, opened_document(folder, place) as reader:
                while len(body) <= max_bytes and (chunk := reader.read(_CHUNK)):
                    deadline.remaining_seconds()
                    body += chunk
        except FileNotFoundError as error:
            raise self._missing(path) from error
        except OSError as error:
            msg = f"{quote(path)} of {quote(name)} in {shown_path(self._path)} cannot be read: {reason_of(error)}"
            raise InconclusiveError(msg, code=Code.ARCHIVE_UNREADABLE, subject=path) from error
        if len(body) > max_bytes:
            msg = f"{quote(path)} is larger than {max_bytes} bytes"
            raise RejectedError(msg, code=Code.LIMIT_EXCEEDED, subject=path, expected=f"at most {max_bytes}")
        return bytes(body)

    def _missing(self, path: str) -> DocumentMissingError:
        msg = f"{shown_path(self._path)} has no {quote(path)} of {quote(self._endpoint.name)}"
        error = DocumentMissingError(msg, subject=path, code=Code.ARCHIVE_UNREADABLE)
        error.hint = _HINT
        return error
