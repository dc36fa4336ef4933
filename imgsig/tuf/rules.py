"""How a single document of a TUF repository is looked at: decoded, held against what names it, its signers found.

Results are remembered by everything that they depend on, so that a warm answer repeats none of it. Time is no part
of them.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, TypeVar, final

from imgsig.codes import Code
from imgsig.errors import RejectedError
from imgsig.limits import Limits
from imgsig.memory import Memory
from imgsig.strictjson import quote
from imgsig.trust import rolled_back
from imgsig.tuf.keys import Signers, verify_signatures
from imgsig.tuf.metadata import Document, parse_targets
from imgsig.tuf.model import LengthOrHashMismatchError, MetaFile, Role, SSlibKey, Targets

_Parsed = TypeVar("_Parsed")

WEIGHT: Final = 8
"""How many bytes of values a byte of metadata becomes, roughly."""


@final
@dataclass(frozen=True, slots=True)
class Rules:
    """When documents must be good, and what is known already of how to tell."""

    at: datetime
    limits: Limits
    memory: Memory

    def parsed(self, parse: Callable[[bytes, Limits], _Parsed], body: bytes) -> _Parsed:
        """Return what `parse` makes of `body`."""
        return self.memory.recall((parse, body), WEIGHT * len(body), lambda: parse(body, self.limits))

    def parsed_targets(self, body: bytes, role: str) -> Document[Targets]:
        """Return the targets in `body`, the document of `role`."""
        key = (parse_targets, role, body)
        return self.memory.recall(key, WEIGHT * len(body), lambda: parse_targets(body, role, self.limits))

    def signers(
        self, role: str, listed: Role, above: Mapping[str, SSlibKey], body: bytes, document: Document[Any]
    ) -> Signers:
        """Return who has signed the `document` in `body`, by the keys and the threshold of the document above it."""
        keys = {key_id: above[key_id] for key_id in listed.keyids if key_id in above}
        said = tuple((key_id, key.keytype, key.scheme, str(key.to_dict())) for key_id, key in keys.items())
        asked = (verify_signatures, role, body, tuple(listed.keyids), said, listed.threshold)
        return self.memory.recall(
            asked, len(body), lambda: verify_signatures(role, listed, keys, document.message, document.signatures)
        )

    def fits(self, role: str, meta: MetaFile, body: bytes) -> None:
        """Check that `body` has the length and the hashes that `meta` lists, if it lists any.

        Raises:
            RejectedError: it has not (``hash_mismatch``).
        """

        def check() -> bool:
            try:
                meta.verify_length_and_hashes(body)
            except LengthOrHashMismatchError as error:
                msg = f"{quote(role)} is not the document that was vouched for: {error}"
                raise RejectedError(
                    msg, code=Code.HASH_MISMATCH, subject=role, expected=shown(meta), found=str(error)
                ) from error
            return True

        hashes = tuple(sorted((meta.hashes or {}).items()))
        self.memory.recall(("fits", body, meta.length, hashes), len(body), check)


def check_version(role: str, offered: int, *, expected: int) -> None:
    """Check that a document has the version by which it was asked for."""
    if offered < expected:
        raise rolled_back(role, trusted=expected, offered=offered)
    if offered > expected:
        msg = f"{quote(role)} has version {offered}, not the version {expected} that was asked for"
        raise RejectedError(
            msg, code=Code.HASH_MISMATCH, subject=role, expected=f"version {expected}", found=f"version {offered}"
        )


def shown(meta: MetaFile) -> str:
    """Return the length and the hashes that `meta` lists, for a person."""
    hashes = [f"{name} {value}" for name, value in (meta.hashes or {}).items()]
    return ", ".join(hashes if meta.length is None else [f"{meta.length} bytes", *hashes])
