"""References for a command: those written on the command line, or a file of them, a line each."""

import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import IO, Final

from imgsig.errors import UsageError

STDIN: Final = "-"
_MAX_LINE: Final = 4096
"""Longer lines are no references; they are passed on in pieces of this size, each of which is refused."""


def count_references(file: str) -> int:
    """Return how many references the file has; 0 if that cannot be told before they are read."""
    if file == STDIN or not Path(file).is_file():
        return 0
    return sum(1 for _ in read_references(file))


def read_references(file: str) -> Iterator[str]:
    """Yield the references in `file` (``-`` for standard input) as they are read.

    A line each; blank lines and lines that begin with ``#`` are passed over.

    Raises:
        UsageError: the file cannot be read.
    """
    try:
        with ExitStack() as stack:
            lines: IO[bytes] | None
            if file == STDIN:
                lines = None if sys.stdin is None else sys.stdin.buffer
            else:
                lines = stack.enter_context(Path(file).open("rb"))
            while lines is not None and (line := lines.readline(_MAX_LINE)):
                reference = line.decode("utf-8", "backslashreplace").strip()
                if reference and not reference.startswith("#"):
                    yield reference
    except OSError as error:
        msg = f"the references in {file[:200]!a} cannot be read: {(error.strerror or 'input/output error').lower()}"
        raise UsageError(msg) from error
