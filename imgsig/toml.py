"""TOML: the text of a policy into tables, and the items of a table into text."""

import tomllib
from collections.abc import Mapping
from typing import Final

from imgsig.errors import PolicyError, UsageError
from imgsig.faults import shown

_MAX_MESSAGE: Final = 200


def parse_toml(text: str, *, place: str, max_bytes: int) -> Mapping[str, object]:
    """Return the tables that `text` says.

    Raises:
        PolicyError: it is longer than `max_bytes`, or no TOML; the fault is of `place`.
    """
    try:
        if len(text.encode()) > max_bytes:
            raise PolicyError((f"{place}: is larger than {max_bytes} bytes",))
        return tomllib.loads(text)
    except UnicodeEncodeError as error:
        raise PolicyError((f"{place}: is not TOML: character {error.start} is half of a surrogate pair",)) from error
    except ValueError as error:  # a TOMLDecodeError, or a number too long to be read
        message = str(error).encode("ascii", "backslashreplace").decode()[:_MAX_MESSAGE]
        raise PolicyError((f"{place}: is not TOML: {message[:1].lower()}{message[1:]}",)) from error
    except RecursionError as error:
        raise PolicyError((f"{place}: is nested too deeply",)) from error


def write_items(items: Mapping[str, object]) -> list[str]:
    """Return the lines that give each bare key its text, number, truth or tuple of these; None stands for nothing.

    Raises:
        UsageError: a text holds half of a surrogate pair, which no UTF-8 file can.
    """
    return [f"{key} = {_write_value(value)}" for key, value in items.items() if value is not None]


def _write_value(value: object) -> str:
    if isinstance(value, tuple):
        return f"[{', '.join(map(_write_value, value))}]"
    if isinstance(value, str):
        return '"' + "".join(map(_write_character, value)) + '"'
    return str(value).lower() if isinstance(value, bool) else str(value)


def _write_character(character: str) -> str:
    if character in {'"', "\\"}:
        return f"\\{character}"
    if character.isprintable():
        return character
    if "\ud800" <= character <= "\udfff":
        msg = f"{shown(character)} cannot be written into a policy: it is half of a surrogate pair"
        raise UsageError(msg)
    return f"\\U{ord(character):08X}"
