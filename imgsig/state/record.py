"""The trust record of one signed name, as bytes: all that is authoritative, and the hashes of what is cached.

A record is one JSON object (format ``imgsig-state/1``) whose first two members are always its format and its
generation, written in one way, so that the generation can be read without the rest::

    {"format": "imgsig-state/1", "generation": "0123…", "system": "notary", "name": "docker.io/library/alpine",
     "origin": "https://notary.docker.io", "known_since": "2026-01-01T00:00:00+00:00", "confirmed_at": "…",
     "evidence": {"kind": "root-keys", "ids": ["…"]}, "documents": {"targets": "<sha256>"}, "root": "<base64>",
     "floors": {"targets": {"version": 3, "key_ids": ["…"], "threshold": 1}}}
"""

import binascii
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import Any, Final, TypeVar, final

from imgsig.strictjson import malformed, parse, quote
from imgsig.trust import Evidence, Floor, Trust

_Value = TypeVar("_Value")

FORMAT: Final = "imgsig-state/1"
HEAD_BYTES: Final = 80
"""So many bytes from the beginning hold the generation."""

_HEAD: Final = re.compile(rb'\{"format": "imgsig-state/1", "generation": "([0-9a-f]{32})",')
_SHA256: Final = re.compile(r"[0-9a-f]{64}")
_MAX_DEPTH: Final = 4
_WHAT: Final = "trust record"
_MEMBERS: Final = (
    "format", "generation", "system", "name", "origin", "known_since", "confirmed_at", "evidence", "floors",
    "documents", "root",
)  # fmt: skip


@final
@dataclass(frozen=True, slots=True)
class Record:
    """What one trust record says."""

    system: str
    name: str
    generation: str
    trust: Trust
    """Without documents: they are kept apart."""
    document_hashes: Mapping[str, str]
    """Role to the sha256 (hex) of its cached document."""


def is_sha256(text: str) -> bool:
    """Return whether `text` is a sha256 in lower-case hex, and so safe as the name of a file."""
    return _SHA256.fullmatch(text) is not None


def encode_record(record: Record) -> bytes:
    """Return the bytes of `record`.

    What is written is what will be read: the bytes are parsed again before they are returned.

    Raises:
        RejectedError: `record` holds what the format does not allow, such as a time that is not UTC (``malformed``).
    """
    trust = record.trust
    members: dict[str, Any] = {
        "format": FORMAT,
        "generation": record.generation,
        "system": record.system,
        "name": record.name,
        "origin": trust.origin,
        "known_since": trust.known_since.isoformat(),
        "confirmed_at": trust.confirmed_at.isoformat(),
        "evidence": {"kind": trust.evidence.kind, "ids": trust.evidence.ids},
        "floors": {role: asdict(floor) for role, floor in trust.floors.items()},
        "documents": dict(record.document_hashes),
        "root": binascii.b2a_base64(trust.root, newline=False).decode("ascii"),
    }
    raw = json.dumps(members).encode("ascii") + b"\n"
    if parse_record(raw) != replace(record, trust=replace(trust, documents={})):
        raise malformed(_WHAT, "would not be read back as it is written")
    return raw


def parse_generation(head: bytes) -> str:
    """Return the generation of the record that begins with `head`, at least `HEAD_BYTES` long unless it is all.

    Raises:
        RejectedError: it does not begin as a record of this format does (``malformed``).
    """
    found = _HEAD.match(head)
    if found is None:
        shown = quote(head[:HEAD_BYTES].decode("ascii", "replace"))
        raise malformed(_WHAT, f"does not begin as format {FORMAT} does", found=shown)
    return found[1].decode("ascii")


def parse_record(raw: bytes) -> Record:
    """Return the record in `raw`.

    Whose record it is, and whether its root is still to be trusted, is for the caller to check.

    Raises:
        RejectedError: it breaks the format (``malformed``).
    """
    generation = parse_generation(raw)
    members = _object(parse(raw, what=_WHAT, max_depth=_MAX_DEPTH), _WHAT, _MEMBERS)
    evidence = _object(members["evidence"], "evidence", ("kind", "ids"))
    trust = Trust(
        root=_base64(members["root"], "root"),
        evidence=Evidence(_text(evidence["kind"], "evidence.kind"), _texts(evidence["ids"], "evidence.ids")),
        floors=_by_role(members["floors"], "floors", _floor),
        documents=MappingProxyType({}),
        origin=_text(members["origin"], "origin"),
        known_since=_time(members["known_since"], "known_since"),
        confirmed_at=_time(members["confirmed_at"], "confirmed_at"),
    )
    return Record(
        system=_text(members["system"], "system"),
        name=_text(members["name"], "name"),
        generation=generation,
        trust=trust,
        document_hashes=_by_role(members["documents"], "documents", _sha256),
    )


def _object(value: Any, where: str, names: tuple[str, ...]) -> dict[str, Any]:  # noqa: ANN401 - any JSON value
    if not isinstance(value, dict) or value.keys() != set(names):
        raise malformed(where, f"must be an object of {', '.join(names)} and nothing else")
    return value


def _by_role(
    value: Any,  # noqa: ANN401 - any JSON value
    where: str,
    read: Callable[[Any, str], _Value],
) -> Mapping[str, _Value]:
    if not isinstance(value, dict):
        raise malformed(where, "must be an object")
    return MappingProxyType({role: read(item, f"{where}[{quote(role)}]") for role, item in value.items()})


def _floor(value: Any, where: str) -> Floor:  # noqa: ANN401 - any JSON value
    members = _object(value, where, ("version", "key_ids", "threshold"))
    return Floor(
        version=_count(members["version"], f"{where}.version"),
        key_ids=_texts(members["key_ids"], f"{where}.key_ids"),
        threshold=_count(members["threshold"], f"{where}.threshold"),
    )


def _count(value: Any, where: str) -> int:  # noqa: ANN401 - any JSON value
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise malformed(where, "must be an integer from 0", found=quote(value))
    return value


def _text(value: Any, where: str) -> str:  # noqa: ANN401 - any JSON value
    if not isinstance(value, str):
        raise malformed(where, "must be a string", found=quote(value))
    return value


def _texts(value: Any, where: str) -> tuple[str, ...]:  # noqa: ANN401 - any JSON value
    if not isinstance(value, list):
        raise malformed(where, "must be a list", found=quote(value))
    return tuple(_text(item, where) for item in value)


def _sha256(value: Any, where: str) -> str:  # noqa: ANN401 - any JSON value
    text = _text(value, where)
    if not is_sha256(text):
        raise malformed(where, "must be a sha256 in lower-case hex", found=quote(text))
    return text


def _time(value: Any, where: str) -> datetime:  # noqa: ANN401 - any JSON value
    text = _text(value, where)
    try:
        time = datetime.fromisoformat(text)
    except ValueError as error:
        raise malformed(where, "must be a time in ISO 8601", found=quote(text)) from error
    if time.utcoffset() != timedelta(0) or time.isoformat() != text:
        raise malformed(where, "must be a time in UTC, as 2026-01-31T00:00:00+00:00", found=quote(text))
    return time


def _base64(value: Any, where: str) -> bytes:  # noqa: ANN401 - any JSON value
    text = _text(value, where)
    try:
        return binascii.a2b_base64(text, strict_mode=True)
    except ValueError as error:
        raise malformed(where, "must be base64") from error
