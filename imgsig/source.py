"""Where the bytes of trust metadata come from: the one protocol that servers and archives share."""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal, Protocol, final

from imgsig.codes import Code
from imgsig.errors import InconclusiveError
from imgsig.limits import Deadline


@final
@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where one authority keeps the documents of one signed name."""

    system: str
    """The authority: ``notary`` or ``tuf``."""
    name: str
    """The signed name, e.g. ``docker.io/library/alpine``."""
    server: str
    """The server's URL as the rule spells it, e.g. ``https://notary.docker.io``."""
    path: str
    """What follows the server's URL before a document's path, e.g. ``/v2/NAME/_trust/tuf/``."""
    scope: str = ""
    """The scope to ask a token service for; empty if the authority knows none."""


@final
@dataclass(frozen=True, slots=True)
class SourceEvidence:
    """Where the documents of an attestation came from."""

    kind: Literal["server", "archive", "docker-trust"]
    location: str
    """A server's origin, an archive's id (``sha256:…``), or the path of Docker's trust folder."""
    captured_at: datetime | None = None
    """For an archive: when it says that it was captured (aware, UTC)."""
    id_pinned: bool = False
    """For an archive: whether the caller demanded exactly this id. Otherwise the time is only its own word."""


@final
class DocumentMissingError(InconclusiveError):
    """The source has no document at that path. What this means is for the authority to say."""

    body: bytes
    """The beginning of the answer's body; empty for an archive."""

    def __init__(self, message: str, *, subject: str, body: bytes = b"", code: Code = Code.BAD_RESPONSE) -> None:
        """Say which document is missing where."""
        super().__init__(message, code=code, subject=subject)
        self.body = body


@final
class OutageError(InconclusiveError):
    """The server gave no usable sign of life: no connection, a time-out, 429 or 5xx. Only this may be bridged."""


class Source(Protocol):
    """The documents of one signed name."""

    @property
    def evidence(self) -> SourceEvidence:
        """Where the documents come from."""

    def fetch(self, path: str, *, max_bytes: int, deadline: Deadline) -> bytes:
        """Return the document at `path` (such as ``timestamp.json``), at most `max_bytes` long, unverified.

        Raises:
            DocumentMissingError: there is none.
            OutageError: the server could not be reached, failed or throttled; nothing came.
            InconclusiveError: any other answer that is not the document.
            RejectedError: it is longer than `max_bytes` (``limit_exceeded``), or an archive's file is not the
                one captured (``hash_mismatch``).
        """


class Sources(Protocol):
    """Opens the source of each signed name: a client of servers, or an archive."""

    @property
    def live(self) -> bool:
        """Whether the answers are those of servers now, so that they may be called fresh."""

    def open(self, endpoint: Endpoint) -> Source:
        """Return the source of `endpoint`'s name. Nothing is requested yet."""
