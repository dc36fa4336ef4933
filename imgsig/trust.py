"""What has been trusted so far of one signed name: the root, why it is trusted, and the version floors."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import final

from imgsig.codes import Code
from imgsig.errors import RejectedError


@final
@dataclass(frozen=True, slots=True)
class Evidence:
    """Why a chain of roots is trusted: the kind of anchor and the ids that satisfied it."""

    kind: str
    """``root-keys``, ``root-ca``, ``root-file``, ``root-sha256`` or ``first-use``, as in a policy."""
    ids: tuple[str, ...] = ()
    """The pins that were satisfied, sorted: key or certificate ids, CA fingerprints, a file's sha256."""


@final
@dataclass(frozen=True, slots=True)
class Floor:
    """The newest version of a role accepted so far, and the public keys that signed it."""

    version: int
    key_ids: tuple[str, ...]
    """Canonical key ids of the valid signatures, sorted."""
    threshold: int
    """How many of these keys must still be listed for the role, or the floor falls; 0: it stands whatever is listed."""


@final
@dataclass(frozen=True, slots=True)
class Trust:
    """Everything remembered of one signed name. ``documents`` is a cache; the rest is authoritative."""

    root: bytes
    """The trusted root document, byte for byte."""
    evidence: Evidence
    floors: Mapping[str, Floor]
    """Role to floor, for every role but root."""
    documents: Mapping[str, bytes]
    """Role to the bytes last verified; each is checked again when it is used."""
    origin: str
    """The server that the documents came from."""
    known_since: datetime
    """When the first root of this chain was trusted (aware, UTC)."""
    confirmed_at: datetime
    """When the server last confirmed the timestamp in ``documents`` (aware, UTC)."""


@final
@dataclass(frozen=True, slots=True)
class Stored:
    """A name's state as it was read: ``trust`` is None when nothing is remembered."""

    generation: str
    """A token that changes with every commit; empty when nothing is stored."""
    trust: Trust | None


def rolled_back(role: str, *, trusted: int, offered: int) -> RejectedError:
    """Return the error for a role that went back to an older version."""
    return RejectedError(
        f"{role} went back from version {trusted} to {offered}",
        code=Code.ROLLBACK,
        subject=role,
        expected=f"at least version {trusted}",
        found=f"version {offered}",
    )
