"""``capture.json``: what an archive says of itself. Its sha256 is the archive's id.

Spec: docs/archive.md, "capture.json".
"""

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any, Final, final

from imgsig.archive.places import CAPTURE, is_name_or_path, is_system
from imgsig.errors import VerificationError
from imgsig.strictjson import MAX_INTEGER, canonical, malformed, parse, quote

FORMAT: Final = "imgsig-archive/1"

_DEPTH: Final = 8
"""Levels of a capture: four, and room to say what is wrong with one that has more."""
_MAX_SUMMARY: Final = 1000
_SHA256: Final = re.compile(r"[0-9a-f]{64}", re.ASCII)
_TIME: Final = re.compile(r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}Z", re.ASCII)
_CODE: Final = re.compile(r"[a-z][a-z_]{0,63}", re.ASCII)
_SERVER: Final = re.compile(r"[!-~]{1,2048}", re.ASCII)
_LINE: Final = re.compile(rf"[ -~]{{1,{_MAX_SUMMARY}}}", re.ASCII)
_MEMBERS: Final = ("captured_at", "format", "names", "tool")
_NAME_MEMBERS: Final = ("files", "name", "server", "system", "verified")
_FAULT_MEMBERS: Final = ("code", "summary")
_FILE_MEMBERS: Final = ("length", "path", "sha256")


@final
@dataclass(frozen=True, slots=True)
class CapturedFile:
    """One document as the server gave it."""

    path: str
    """What it was asked for by, e.g. ``timestamp.json``."""
    length: int
    """In bytes."""
    sha256: str
    """Of its bytes, in hex."""


@final
@dataclass(frozen=True, slots=True)
class CapturedName:
    """Everything that one system's server gave for one signed name."""

    system: str
    """``notary`` or ``tuf``."""
    name: str
    """The signed name, e.g. ``docker.io/library/alpine``."""
    server: str
    """The server's origin, e.g. ``https://notary.docker.io``."""
    files: tuple[CapturedFile, ...]
    """Sorted by path."""
    code: str = ""
    """Why it did not verify when it was captured; empty if it did. Whoever reads the archive verifies it anew."""
    summary: str = ""
    """The same in one line for a person."""

    @property
    def verified(self) -> bool:
        """Whether it verified when it was captured."""
        return not self.code


@final
@dataclass(frozen=True, slots=True)
class Capture:
    """What ``capture.json`` says."""

    captured_at: datetime
    """By the clock of whoever captured it (aware, UTC, whole seconds)."""
    tool: str
    """The program that wrote it, with its version."""
    names: tuple[CapturedName, ...]
    """Sorted by system and name."""


def archive_id(body: bytes) -> str:
    """Return the id of the archive whose ``capture.json`` has the bytes `body`."""
    return f"sha256:{sha256(body).hexdigest()}"


def describe_fault(error: VerificationError) -> str:
    """Return what `error` says in one line that a capture can hold."""
    text = str(error)
    return (text if _LINE.fullmatch(text) else text.encode("unicode_escape").decode())[:_MAX_SUMMARY] or str(error.code)


def encode_capture(capture: Capture) -> bytes:
    """Return the bytes of ``capture.json``: canonical JSON and a line end."""
    value = {
        "captured_at": capture.captured_at.isoformat(timespec="seconds").replace("+00:00", "Z"),
        "format": FORMAT,
        "names": [_encode_name(name) for name in capture.names],
        "tool": capture.tool,
    }
    return canonical(value, what=CAPTURE) + b"\n"


def parse_capture(body: bytes) -> Capture:
    """Return what the bytes of a ``capture.json`` say.

    Raises:
        RejectedError: they break the format, or are not the one way in which it writes its content (``malformed``).
    """
    value = parse(body, what=CAPTURE, max_depth=_DEPTH)
    if isinstance(value, dict) and value.get("format", FORMAT) != FORMAT:
        raise malformed(f"{CAPTURE}: format", f"must be {FORMAT}", found=quote(value["format"]))
    moment, _, names, tool = _members(value, _MEMBERS, CAPTURE)
    listed = tuple(_parse_name(name, f"names[{index}]") for index, name in enumerate(_items(names, "names")))
    capture = Capture(_parse_time(moment), _text(tool, _LINE, "tool"), listed)
    _check_order([(name.system, name.name) for name in listed], "names")
    if encode_capture(capture) != body:
        raise malformed(CAPTURE, "must be canonical JSON with one line end")
    return capture


def _encode_name(name: CapturedName) -> dict[str, Any]:
    files = [{"length": file.length, "path": file.path, "sha256": file.sha256} for file in name.files]
    value: dict[str, Any] = {
        "files": files, "name": name.name, "server": name.server, "system": name.system, "verified": name.verified,
    }
    return value if name.verified else {**value, "code": name.code, "summary": name.summary}


def _parse_name(value: object, where: str) -> CapturedName:
    failed = isinstance(value, dict) and value.get("verified") is False
    expected = sorted(_NAME_MEMBERS + _FAULT_MEMBERS) if failed else _NAME_MEMBERS
    said = dict(zip(expected, _members(value, expected, where), strict=True))
    if not failed and said["verified"] is not True:
        raise malformed(f"{CAPTURE}: {where}.verified", "must be true or false")
    if not is_system(said["system"]):
        raise malformed(f"{CAPTURE}: {where}.system", "must be the name of a system", found=quote(said["system"]))
    if not is_name_or_path(said["name"]):
        raise malformed(f"{CAPTURE}: {where}.name", "must be a name", found=quote(said["name"]))
    items = enumerate(_items(said["files"], f"{where}.files"))
    files = tuple(_parse_file(file, f"{where}.files[{index}]") for index, file in items)
    _check_order([file.path for file in files], f"{where}.files")
    return CapturedName(
        said["system"],
        said["name"],
        _text(said["server"], _SERVER, f"{where}.server"),
        files,
        code=_text(said["code"], _CODE, f"{where}.code") if failed else "",
        summary=_text(said["summary"], _LINE, f"{where}.summary") if failed else "",
    )


def _parse_file(value: object, where: str) -> CapturedFile:
    length, path, digest = _members(value, _FILE_MEMBERS, where)
    if not isinstance(length, int) or isinstance(length, bool) or not 0 <= length <= MAX_INTEGER:
        raise malformed(f"{CAPTURE}: {where}.length", "must be a number of bytes", found=quote(length))
    if not is_name_or_path(path):
        raise malformed(f"{CAPTURE}: {where}.path", "must be a path", found=quote(path))
    return CapturedFile(str(path), length, _text(digest, _SHA256, f"{where}.sha256"))


def _parse_time(value: object) -> datetime:
    text = _text(value, _TIME, "captured_at")
    try:
        return datetime.fromisoformat(text).astimezone(UTC)
    except ValueError as error:
        raise malformed(f"{CAPTURE}: captured_at", "must be a time of the calendar", found=quote(text)) from error


def _members(value: object, names: tuple[str, ...] | list[str], where: str) -> list[Any]:
    """Return the members of an object that must have exactly these `names`."""
    place = where if where == CAPTURE else f"{CAPTURE}: {where}"
    if not isinstance(value, dict):
        raise malformed(place, "must be an object")
    if sorted(value) != list(names):
        odd = sorted(set(value).symmetric_difference(names))
        raise malformed(place, f"must have exactly the members {', '.join(names)}", found=quote(", ".join(odd)))
    return [value[name] for name in names]


def _items(value: object, where: str) -> list[Any]:
    if not isinstance(value, list):
        raise malformed(f"{CAPTURE}: {where}", "must be an array")
    return value


def _text(value: object, pattern: re.Pattern[str], where: str) -> str:
    if not isinstance(value, str) or not pattern.fullmatch(value):
        raise malformed(f"{CAPTURE}: {where}", "must be a text of the form that the format demands", found=quote(value))
    return value


def _check_order(keys: list[Any], where: str) -> None:
    """Refuse two entries for the same thing, and entries that are not sorted."""
    if keys != sorted(set(keys)):
        raise malformed(f"{CAPTURE}: {where}", "must be sorted, each entry once")
