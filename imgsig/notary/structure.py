"""Fields of a JSON object by name and type, as the reference client's typed decoder sees them, or stricter.

A missing field and ``null`` both give the zero value of the type. A field of another type is refused wherever it is.

Spec: docker/go canonical/json decode.go, object and literalStore.
"""

import re
from collections.abc import Iterator
from typing import Any, Final, final

from imgsig.codes import Code
from imgsig.errors import RejectedError
from imgsig.notary.pem import decode_base64
from imgsig.strictjson import malformed, quote

__all__ = ["Structure", "json_object", "malformed", "too_many"]

_USUAL: Final = re.compile(r"[A-Za-z0-9_]{1,32}", re.ASCII)
"""Names that need no quotes in a path; the names of hashes are the document's own."""
_LONG_S, _KELVIN = "\u017f", "\u212a"
_FOLDS: Final = str.maketrans(_LONG_S + _KELVIN, "sk")
"""The two letters beyond ASCII that Go takes for an ASCII one when it ignores case."""


def too_many(where: str, most: int) -> RejectedError:
    """Return the error for a list or object at the path `where` that is longer than the limits allow."""
    msg = f"{where}: more than {most}"
    return RejectedError(msg, code=Code.LIMIT_EXCEEDED, subject=where, expected=f"at most {most}")


def json_object(value: object, where: str) -> dict[str, Any]:
    """Return `value` if it is an object.

    Raises:
        RejectedError: it is not (``malformed``).
    """
    if not isinstance(value, dict):
        raise malformed(where, "must be an object", found=quote(value))
    return value


@final
class Structure:
    """An object with the known field names `known`; other members are ignored."""

    __slots__ = ("_fields", "where")

    def __init__(self, fields: dict[str, Any], where: str, known: tuple[str, ...]) -> None:
        """Wrap `fields`, found at the path `where`.

        Raises:
            RejectedError: a member is a known name in other letters (``malformed``).
        """
        self._fields = fields
        self.where = where
        for name in sorted(fields.keys() - known):
            # Stricter than notary: it takes "Targets" for "targets", and merges both.
            folded = name.translate(_FOLDS)
            if folded.isascii() and folded.lower() in known:
                raise malformed(where, f"{quote(name)} must be written {folded.lower()}", found=quote(name))

    def __iter__(self) -> Iterator[str]:
        """Iterate over the names of all members."""
        return iter(self._fields)

    def has(self, name: str) -> bool:
        """Return whether there is a value, other than ``null``."""
        return self._fields.get(name) is not None

    def string(self, name: str) -> str:
        """Return a string; empty if there is none."""
        value = self._fields.get(name)
        if value is not None and not isinstance(value, str):
            raise self._wrong(name, "must be a string", value)
        return value or ""

    def integer(self, name: str) -> int:
        """Return a 64-bit integer; 0 if there is none."""
        value = self._fields.get(name)
        if value is not None and type(value) is not int:
            raise self._wrong(name, "must be an integer", value)
        return value or 0

    def boolean(self, name: str) -> bool:
        """Return a truth value; false if there is none."""
        value = self._fields.get(name)
        if value is not None and not isinstance(value, bool):
            raise self._wrong(name, "must be true or false", value)
        return bool(value)

    def base64(self, name: str) -> bytes:
        """Return the bytes of a base64 string; empty if there is none. Line ends inside are allowed."""
        text = self.string(name)
        try:
            return decode_base64(text.encode().translate(None, b"\r\n"))
        except ValueError as error:
            raise self._wrong(name, "must be base64", text) from error

    def mapping(self, name: str) -> dict[str, Any]:
        """Return an object; empty if there is none."""
        value = self._fields.get(name)
        return {} if value is None else json_object(value, f"{self.where}.{name}")

    def array(self, name: str) -> list[Any]:
        """Return a list; empty if there is none."""
        value = self._fields.get(name)
        if value is not None and not isinstance(value, list):
            raise self._wrong(name, "must be a list", value)
        return value or []

    def strings(self, name: str) -> tuple[str, ...]:
        """Return a list of strings; ``null`` in it is an empty string."""
        values = self.array(name)
        for value in values:
            if value is not None and not isinstance(value, str):
                raise self._wrong(name, "must be a list of strings", value)
        return tuple(value or "" for value in values)

    def _wrong(self, name: str, why: str, value: object) -> Exception:
        place = f"{self.where}.{name}" if _USUAL.fullmatch(name) else f"{self.where}[{quote(name)}]"
        return malformed(place, why, found=quote(value))
