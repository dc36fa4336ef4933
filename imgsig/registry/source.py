"""Where manifests come from: the protocol of a registry's client."""

from dataclasses import dataclass, field
from typing import Protocol, final

from imgsig.limits import Deadline


@final
@dataclass(frozen=True, slots=True)
class Served:
    """A manifest as a registry served it: nothing of it was looked at."""

    body: bytes = field(repr=False)
    media_type: str
    """The answer's ``Content-Type`` in lower case, without parameters; empty if there was none."""


class Registry(Protocol):
    """One repository of a registry."""

    @property
    def location(self) -> str:
        """The registry's origin, such as ``https://registry-1.docker.io``."""

    def fetch_manifest(self, tag_or_digest: str, *, max_bytes: int, deadline: Deadline) -> Served:
        """Return what the registry has under a tag or a digest, at most `max_bytes` long, unverified.

        Raises:
            DocumentMissingError: a 404, with the beginning of its body.
            OutageError: the registry could not be reached, failed or throttled.
            InconclusiveError: any other answer that is not the manifest.
            RejectedError: it is longer than `max_bytes` (``limit_exceeded``).
        """

    def fetch_blob(self, digest: str, *, max_bytes: int, deadline: Deadline) -> bytes:
        """Return the blob with this digest, unverified. Raises as `fetch_manifest` does."""
