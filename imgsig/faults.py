"""The faults of a policy: noted with the path of their place while tables and files are read, told all at once."""

import os
import re
from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from typing import Final, TypeVar, final

from imgsig.errors import PolicyError

_T = TypeVar("_T")
_MAX_SHOWN: Final = 80
_MAX_PATH: Final = 500
_BARE_KEY: Final = re.compile(r"[A-Za-z0-9_-]{1,80}", re.ASCII)
_KINDS: Final[Mapping[type, str]] = {
    bool: "true or false", int: "a number", float: "a number", str: "a text", list: "a list", dict: "a table",
}


def shown(text: object, *, max_characters: int = _MAX_SHOWN) -> str:
    """Return `text` as a message may show it: quoted, ASCII, and cut off where it would be too long."""
    written = str(text)
    return ascii(written[:max_characters]) + ("..." if len(written) > max_characters else "")


def shown_path(path: str | os.PathLike[str]) -> str:
    """Return `path` as a message may show it: in full, unless it is longer than any that people use."""
    return shown(path, max_characters=_MAX_PATH)


def kind_of(value: object) -> str:
    """Return what people call the type of a value in a policy."""
    return _KINDS.get(type(value), "a " + type(value).__name__)


@final
class Faults:
    """What is wrong so far. Reading goes on after a fault, so that the user sees all of them."""

    __slots__ = ("_found",)

    def __init__(self) -> None:
        """Start with none."""
        self._found: list[str] = []

    def __len__(self) -> int:
        """Return how many there are."""
        return len(self._found)

    def note(self, path: str, message: str) -> None:
        """Note that what stands at `path` is wrong."""
        self._found.append(f"{path}: {message}")

    def note_all(self, error: PolicyError, *, before: str = "") -> None:
        """Note every fault of `error`, its path continued from `before`."""
        self._found.extend(before + fault for fault in error.faults)

    def error(self) -> PolicyError:
        """Return the error that tells them all; there must be one at least."""
        return PolicyError(tuple(self._found))


@final
class Table:
    """One table of a policy: typed values out, each wrong one noted and then as if it were absent."""

    __slots__ = ("_values", "faults", "folder", "path")

    def __init__(self, values: Mapping[str, object], path: str, faults: Faults, *, folder: Path | None = None) -> None:
        """Read from `values`, which stand at `path` (empty for the whole policy) of a policy in `folder`, if in any."""
        self._values, self.path, self.faults, self.folder = values, path, faults, folder

    def __contains__(self, key: str) -> bool:
        """Whether `key` is there, with whatever value."""
        return key in self._values

    def path_of(self, key: str) -> str:
        """Return where the value of `key` stands in the policy."""
        written = key if _BARE_KEY.fullmatch(key) else shown(key)
        return f"{self.path}.{written}" if self.path else written

    def note(self, key: str, message: str) -> None:
        """Note that the value of `key` is wrong."""
        self.faults.note(self.path_of(key), message)

    def check_keys(self, known: Collection[str]) -> None:
        """Note every key that is not `known`, with the one that was probably meant."""
        for key in self._values:
            if key not in known:
                from difflib import get_close_matches  # noqa: PLC0415 - needed for faulty policies only

                close = get_close_matches(key[:_MAX_SHOWN], known, n=1)
                advice = f"did you mean {close[0]}?" if close else f"known are {', '.join(sorted(known))}"
                self.note(key, f"unknown key; {advice}")

    def text(self, key: str) -> str | None:
        """Return a text, or None."""
        value = self._values.get(key)
        if isinstance(value, str):
            return value
        self._refuse(key, "a text")
        return None

    def integer(self, key: str) -> int | None:
        """Return a whole number, or None. ``true`` is none."""
        value = self._values.get(key)
        if isinstance(value, int) and not isinstance(value, bool):
            return value
        self._refuse(key, "a whole number")
        return None

    def items(self, key: str) -> tuple[object, ...] | None:
        """Return the values of a list, of whatever type, or None."""
        value = self._values.get(key)
        if isinstance(value, list):
            return tuple(value)
        self._refuse(key, f"a list (written [[{key}]])" if isinstance(value, dict) else "a list")
        return None

    def table(self, key: str) -> Mapping[str, object] | None:
        """Return a table, or None."""
        value = self._values.get(key)
        if isinstance(value, dict):
            return value
        self._refuse(key, "a table")
        return None

    def is_true(self, key: str) -> bool:
        """Whether `key` is ``true``, which is the only value that it may have."""
        if key in self and self._values[key] is not True:
            self.note(key, "must be true, or not be there")
        return self._values.get(key) is True

    def loaded(self, key: str, load: Callable[[Path], _T]) -> _T | None:
        """Return what `load` makes of the file that a text names relative to the policy's folder, or None."""
        text = self.text(key)
        if text is None:
            return None
        file = Path(text) if self.folder is None else self.folder.absolute() / text
        if not text:
            self.note(key, "must not be empty")
            return None
        if not file.is_absolute():
            self.note(key, f"{shown(text)} must be an absolute path, for this policy is in no folder")
            return None
        return self.parsed(lambda: load(file))

    def parsed(self, parse: Callable[[], _T]) -> _T | None:
        """Return what `parse` returns, or None after noting its faults, whose paths continue that of this table."""
        try:
            return parse()
        except PolicyError as error:
            self.faults.note_all(error, before=f"{self.path}." if self.path else "")
            return None

    def _refuse(self, key: str, wanted: str) -> None:
        if key in self._values:
            self.note(key, f"must be {wanted}, not {kind_of(self._values[key])}")


def load_file(path: str | os.PathLike[str], *, max_bytes: int, place: str = "") -> bytes:
    """Return what the file at `path` holds.

    Raises:
        PolicyError: it cannot be read, or is longer than `max_bytes`. The fault begins with `place` and names the file.
    """
    name = shown_path(path)
    before = f"{place}: {name}" if place else name
    try:
        with Path(path).open("rb") as file:
            content = file.read(max_bytes + 1)
    except OSError as error:
        reason = error.strerror.lower() if error.strerror else "input/output error"
        raise PolicyError((f"{before}: cannot be read: {reason}",)) from error
    except ValueError as error:  # a null byte in the path
        raise PolicyError((f"{before}: is no path of a file",)) from error
    if len(content) > max_bytes:
        raise PolicyError((f"{before}: is larger than {max_bytes} bytes",))
    return content
