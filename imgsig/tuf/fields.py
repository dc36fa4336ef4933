"""The members of one object of a document: taken by name and type, each fault with the path of its place."""

from collections.abc import Mapping
from typing import Any, Final, final

from imgsig.strictjson import malformed, quote

_KINDS: Final[Mapping[type, str]] = {
    str: "a text", int: "an integer", bool: "true or false", list: "an array", dict: "an object",
}


@final
class Fields:
    """An object at a place of a document. ``null`` counts as a value of no type: nothing may be ``null``."""

    __slots__ = ("_values", "where")

    def __init__(self, value: object, where: str) -> None:
        """Read from `value`, which stands at the place `where`.

        Raises:
            RejectedError: it is no object (``malformed``); so do all methods if a member is not what it must be.
        """
        self._values: dict[str, Any] = checked(value, dict, where)
        self.where = where

    def __contains__(self, name: str) -> bool:
        """Whether there is a member of this name."""
        return name in self._values

    def place(self, name: str) -> str:
        """Return where the member `name` stands."""
        return f"{self.where}.{name}"

    def text(self, name: str) -> str:
        """Return a text."""
        found: str = self._typed(name, str)
        return found

    def truth(self, name: str) -> bool:
        """Return true or false."""
        found: bool = self._typed(name, bool)
        return found

    def integer(self, name: str, *, least: int) -> int:
        """Return an integer that is at least `least`."""
        found: int = self._typed(name, int)
        if found < least:
            raise malformed(self.place(name), f"must be at least {least}", found=quote(found))
        return found

    def texts(self, name: str) -> list[str]:
        """Return an array of texts."""
        return [checked(item, str, f"{self.place(name)}[{index}]") for index, item in enumerate(self.items(name))]

    def items(self, name: str) -> list[Any]:
        """Return an array."""
        found: list[Any] = self._typed(name, list)
        return found

    def members(self, name: str) -> dict[str, Any]:
        """Return an object's members."""
        found: dict[str, Any] = self._typed(name, dict)
        return found

    def fields(self, name: str) -> "Fields":
        """Return an object as fields."""
        return Fields(self.members(name), self.place(name))

    def rest(self, *known: str) -> dict[str, Any]:
        """Return the members that are not `known`, for which the format has no meaning."""
        return {name: value for name, value in self._values.items() if name not in known}

    def _typed(self, name: str, kind: type) -> Any:  # noqa: ANN401 - the caller names the type
        if name not in self._values:
            raise malformed(self.place(name), f"must be given, as {_KINDS[kind]}", found="nothing")
        return checked(self._values[name], kind, self.place(name))


def checked(value: object, kind: type, where: str) -> Any:  # noqa: ANN401 - the caller names the type
    """Return `value`, which stands at `where`, if it is of exactly this `kind`: ``true`` is no integer.

    Raises:
        RejectedError: it is not (``malformed``).
    """
    if type(value) is not kind:
        raise malformed(where, f"must be {_KINDS[kind]}", found=quote(value))
    return value
