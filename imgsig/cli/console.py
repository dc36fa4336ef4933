"""What the command line says: data to stdout, words for people to stderr, nothing of others' text unescaped."""

import json
import logging
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Any, Final, TextIO, final

RED: Final = "31"
GREEN: Final = "32"
YELLOW: Final = "33"
BOLD: Final = "1"
_BAR: Final = 30
_CLEAR_LINE: Final = "\r\x1b[K"


def escape(text: str) -> str:
    r"""Return `text` on one line, with every character that a terminal would obey or hide written as an escape.

    These are all that are not printable: controls (C0, C1), marks that turn the direction of writing, invisible
    spaces, halves of surrogate pairs.
    """
    return "".join(
        character if character.isprintable() else character.encode("unicode_escape").decode() for character in text
    )


@final
class Console:
    """The two streams of the process."""

    def __init__(self, out: TextIO, err: TextIO) -> None:
        """Write to `out` and `err`, without colours."""
        self._out = out
        self._err = err
        self._color = False
        self._in_progress = False

    def allow_color(self, *, wanted: bool) -> None:
        """Use colours from now on if they are `wanted`, on a terminal only."""
        self._color = wanted and self._err.isatty()

    def data(self, line: str) -> None:
        """Write one line of data to stdout."""
        _write(self._out, escape(line))

    def json(self, text: str) -> None:
        """Write one line of JSON, which is ASCII, to stdout."""
        _write(self._out, text.replace("\x7f", "\\u007f"))

    def values(self, value: Mapping[str, Any]) -> None:
        """Write `value` as one line of ASCII JSON to stdout."""
        self.json(json.dumps(value, ensure_ascii=True, separators=(", ", ": ")))

    def say(self, line: str = "") -> None:
        """Write one line for a person to stderr."""
        _write(self._err, escape(line))

    def tell(self, *parts: tuple[str, str]) -> None:
        """Write one line for a person, of texts each with its colour (empty for none)."""
        _write(self._err, "".join(self._painted(text, color) for text, color in parts))

    def note(self, message: str) -> None:
        """Say in one line what was done or found."""
        self.tell(("imgsig: ", BOLD), (message, ""))

    def warn(self, message: str) -> None:
        """Say in one line what a user should know although the command goes on."""
        self.tell(("imgsig: ", BOLD), ("warning: ", YELLOW), (message, ""))

    def hint(self, hint: str) -> None:
        """Say what to do, if there is anything."""
        if hint:
            self.tell(("hint: ", BOLD), (hint, ""))

    def problem(self, message: str, hint: str = "") -> None:
        """Say in one line what went wrong, and in another what to do about it."""
        self.tell(("imgsig: ", RED), (message, ""))
        self.hint(hint)

    def show_progress(self, done: int, total: int) -> None:
        """Show how much is done, on a terminal only, in a line that the next one overwrites."""
        if self._err.isatty():
            filled = _BAR * done // max(done, total)
            self._err.write(f"\r[{'#' * filled}{' ' * (_BAR - filled)}] {done} of {total}")
            self._in_progress = True

    def clear_progress(self) -> None:
        """Take the line of `show_progress` away."""
        if self._in_progress:
            self._err.write(_CLEAR_LINE)
            self._in_progress = False

    def flush(self) -> None:
        """Write what is still held back."""
        self._out.flush()
        self._err.flush()

    def give_up(self) -> None:
        """Send what is still held back nowhere, so that the interpreter does not fail on it when it ends."""
        for stream in (self._out, self._err):
            try:
                stream.flush()
            except (OSError, ValueError):
                _redirect(stream)

    @contextmanager
    def warnings(self) -> Iterator[None]:
        """Say what the library logs as a warning meanwhile, as one line each."""
        handler = _Handler(self)
        logging.getLogger().addHandler(handler)
        try:
            yield
        finally:
            logging.getLogger().removeHandler(handler)

    def _painted(self, text: str, color: str) -> str:
        written = escape(text)
        return f"\x1b[{color}m{written}\x1b[0m" if color and self._color else written


@final
class _Handler(logging.Handler):
    def __init__(self, console: Console) -> None:
        super().__init__(logging.WARNING)
        self._console = console

    def emit(self, record: logging.LogRecord) -> None:
        self._console.warn(record.getMessage())


def _write(stream: TextIO, line: str) -> None:
    """Write `line`, with escapes for what the stream's encoding does not have."""
    encoding = stream.encoding or "utf-8"
    stream.write(line.encode(encoding, "backslashreplace").decode(encoding) + "\n")


def _redirect(stream: TextIO) -> None:
    with suppress(OSError, ValueError):  # it may be no file at all
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, stream.fileno())
        os.close(nowhere)
