"""Canonical JSON as Docker Content Trust signs it, written for the tests and apart from imgsig's own."""

import json
import math
from typing import Any, Final

_INT64_MIN: Final = -(2**63)


def canonical(value: Any) -> bytes:  # noqa: ANN401 - any JSON value
    """Return the canonical form of a JSON value: sorted members, no spaces, only quote and backslash escaped."""
    return _text(value).encode("utf-8", "surrogatepass")


def message_of(text: bytes) -> bytes:
    """Return the bytes that a signature over JSON `text` covers; every number passes through a float.

    Text that is no JSON, or has a number that is not integral, is returned as it is: no signature over it counts.
    """
    try:
        return canonical(json.loads(_decode(text), parse_int=float, parse_float=float, parse_constant=_refuse))
    except (ValueError, RecursionError):
        return text


def _text(value: Any) -> str:  # noqa: ANN401 - any JSON value
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    if isinstance(value, str):
        return _string(value)
    if isinstance(value, int):
        return str(value)
    if isinstance(value, float):
        return str(_integer(value))
    if isinstance(value, dict):
        members = sorted(value.items(), key=lambda member: member[0].encode("utf-8", "surrogatepass"))
        return "{" + ",".join(f"{_string(name)}:{_text(member)}" for name, member in members) + "}"
    if isinstance(value, list | tuple):
        return "[" + ",".join(map(_text, value)) + "]"
    message = f"{type(value).__name__} is not a JSON value"
    raise TypeError(message)


def _string(value: str) -> str:
    joined = value.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    return '"' + joined.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _integer(value: float) -> int:
    if not math.isfinite(value) or not value.is_integer():
        message = f"{value!r} is not integral"
        raise ValueError(message)
    return int(value) if -(2.0**63) <= value < 2.0**63 else _INT64_MIN


def _refuse(constant: str) -> float:
    message = f"{constant} is not JSON"
    raise ValueError(message)


def _decode(text: bytes) -> str:
    """Decode UTF-8 with one replacement character for each byte that is not part of a valid sequence."""
    answer, rest = [], text
    while rest:
        try:
            answer.append(rest.decode("utf-8"))
            break
        except UnicodeDecodeError as error:
            answer.append(rest[: error.start].decode("utf-8") + "\ufffd")
            rest = rest[error.start + 1 :]
    return "".join(answer)
