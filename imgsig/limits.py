"""The bounds of every read and loop over outside data, and the deadline of a call."""

import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, final

from imgsig.codes import Code
from imgsig.errors import InconclusiveError

DEFAULT_TIMEOUT_SECONDS: Final = 30.0
DEFAULT_WORKERS: Final = 16
MAX_WORKERS: Final = 1000
"""Threads or tasks at once of one call for many references: beyond this they only get in each other's way."""


@final
@dataclass(frozen=True, slots=True)
class Limits:
    """How much outside data is read, in bytes, counts and levels. More is ``limit_exceeded``, unless said otherwise."""

    max_document_bytes: int = 100 * 1024 * 1024
    """Largest root, snapshot, targets or delegation file: the reference client's own cap."""
    max_timestamp_bytes: int = 1024 * 1024
    """Largest timestamp: the reference client's own cap."""
    max_json_depth: int = 64
    """Levels of nested objects and arrays (more is ``malformed``); metadata needs seven, custom data a few more."""
    max_json_values: int = 2_000_000
    """Values in one document, about: a repository of 100,000 tags has some 700,000. A hundred megabytes can hold fifty
    million, which would take minutes and gigabytes to decode, before anybody has vouched for them."""
    max_roles: int = 4096
    """Delegated roles loaded for one name; real repositories have tens."""
    max_root_keys: int = 256
    """Keys in a root document; real ones have four to ten."""
    max_signatures: int = 1024
    """Signature entries of one file; each may cost a public-key operation."""
    max_root_rotations: int = 256
    """Root versions walked in one update, as python-tuf's client does."""
    max_delegations: int = 32
    """Delegated roles of a TUF repository that are asked about one target, as in python-tuf's client."""
    max_tuf_root_bytes: int = 512_000
    """Largest root of a TUF repository: python-tuf's own cap."""
    max_tuf_timestamp_bytes: int = 16_384
    """Largest timestamp of a TUF repository: python-tuf's own cap."""
    max_tuf_snapshot_bytes: int = 2_000_000
    """Largest snapshot of a TUF repository: python-tuf's own cap. Its targets are bounded by ``max_document_bytes``."""
    max_bundle_certificates: int = 16
    """Certificates in one root key, which is passed over if it has more; real bundles have one to three."""
    max_chain_certificates: int = 8
    """Certificates in one path from a root key to a pinned CA."""
    max_error_body_bytes: int = 4096
    """Bytes read of an error answer, enough for notary's ``METADATA_NOT_FOUND``."""
    max_token_bytes: int = 64 * 1024
    """Largest answer of a token service; real tokens stay below 8 KiB."""
    max_header_bytes: int = 64 * 1024
    """Bytes of one challenge header that are parsed."""
    max_manifest_bytes: int = 4 * 1024 * 1024
    """Largest manifest or index taken from a registry: what the OCI distribution specification asks all to take."""
    max_image_config_bytes: int = 4 * 1024 * 1024
    """Largest configuration of an image; real ones have a few kilobytes."""
    max_policy_bytes: int = 1024 * 1024
    """Largest policy file."""
    max_anchor_bytes: int = 4 * 1024 * 1024
    """Largest file that a policy names: a root or a bundle of CA certificates."""
    max_state_bytes: int = 64 * 1024 * 1024
    """Largest trust record on disk; the root in it is most of its size."""
    max_config_bytes: int = 4 * 1024 * 1024
    """Largest Docker configuration file."""
    max_helper_bytes: int = 64 * 1024
    """Largest answer of a credential helper."""
    max_capture_bytes: int = 64 * 1024 * 1024
    """Largest ``capture.json``: about 200,000 files."""
    max_archive_files: int = 400_000
    """Files in an archive that is one file: more than the largest ``capture.json`` can list."""
    max_archive_bytes: int = 1024 * 1024 * 1024
    """Documents saved of one name; the largest real names have tens of megabytes."""
    max_state_attempts: int = 8
    """Updates tried again because another process changed the state meanwhile."""


@final
class Deadline:
    """The moment by which one call must have answered, on a clock that only goes forward."""

    __slots__ = ("_clock", "_ends", "timeout_seconds")

    def __init__(self, timeout_seconds: float, *, clock: Callable[[], float] = time.monotonic) -> None:
        """Start now and end in `timeout_seconds`, which must be positive and finite."""
        if not (timeout_seconds > 0 and math.isfinite(timeout_seconds)):
            msg = f"timeout_seconds must be positive and finite, not {timeout_seconds!r}"
            raise ValueError(msg)
        self.timeout_seconds = timeout_seconds
        self._clock = clock
        self._ends = clock() + timeout_seconds

    def remaining_seconds(self) -> float:
        """Return the seconds left, more than zero.

        Raises:
            InconclusiveError: the deadline has passed (code ``deadline``).
        """
        left = self._ends - self._clock()
        if left <= 0:
            raise self.exceeded()
        return left

    def exceeded(self) -> InconclusiveError:
        """Return the error that says this deadline has passed."""
        return InconclusiveError(f"no answer within {self.timeout_seconds:g} seconds", code=Code.DEADLINE)
