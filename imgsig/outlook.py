"""What the trust data of one name will come to if nobody does anything: what ends when, and what never changed."""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal, final


@final
@dataclass(frozen=True, slots=True)
class Ending:
    """Something that a publisher must renew in time."""

    kind: Literal["metadata", "certificate"]
    role: str
    """Whose metadata it is, or whose keys the certificates hold."""
    at: datetime
    """The last moment at which it serves (aware, UTC)."""


@final
@dataclass(frozen=True, slots=True)
class Outlook:
    """What can be told from verified documents without asking anybody."""

    root_version: int
    root_keys_since: datetime | None
    """When the oldest certificate of the root role was made; None if its keys have no certificates."""
    endings: tuple[Ending, ...]
    """Of what a person must sign: root, its certificates, targets and delegations. Servers renew the rest."""
    strangers: tuple[str, ...]
    """Signers that the rule demands and that no document delegates to."""
