"""Runs a program of the user's own: no shell, nothing ambient, bounded in time and output."""

import errno
import os
import selectors
import signal
import subprocess
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import IO, Final, cast, final

from imgsig.limits import Deadline

_CHUNK: Final = 16 * 1024


@final
class TooMuchOutputError(OSError):
    """A program wrote more than it may."""

    def __init__(self, max_bytes: int) -> None:
        """Say how much it may write."""
        super().__init__(errno.EFBIG, f"it wrote more than {max_bytes} bytes")


def find_program(name: str, path: str) -> Path | None:
    """Return the program `name` in the first absolute folder of `path` that has it, or None.

    Relative and empty entries are passed over: they would lead into the working directory.
    """
    for folder in path.split(os.pathsep):
        candidate = Path(folder, name)
        if candidate.is_absolute() and candidate.is_file() and os.access(candidate, os.X_OK):
            return candidate
    return None


def run_program(
    words: Sequence[str | Path], question: bytes, *, environment: Mapping[str, str], deadline: Deadline, max_bytes: int
) -> tuple[int, bytes]:
    """Run the program and arguments `words` with `question` on its input; return its exit status and what it wrote.

    What it writes to standard error is lost. It and what it has started are killed when they do not end in time or
    write more than `max_bytes`. `question` must be short, so that a pipe holds it.

    Raises:
        TooMuchOutputError: it wrote more than `max_bytes`.
        OSError: it could not be started.
        InconclusiveError: it is late (``deadline``).
    """
    deadline.remaining_seconds()
    process = subprocess.Popen(  # noqa: S603 - no shell; the caller has found the program in the user's own folders
        words,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env=dict(environment),
        cwd=os.sep,
        start_new_session=True,
    )
    with process:
        try:
            output = _converse(process, question, deadline, max_bytes)
            return process.wait(deadline.remaining_seconds()), output
        except subprocess.TimeoutExpired:
            raise deadline.exceeded() from None
        finally:
            if process.returncode is None:
                with suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)


def _converse(process: "subprocess.Popen[bytes]", question: bytes, deadline: Deadline, max_bytes: int) -> bytes:
    stdin, stdout = cast("IO[bytes]", process.stdin), cast("IO[bytes]", process.stdout)  # both were asked for
    with suppress(BrokenPipeError):  # it may answer without having asked
        os.write(stdin.fileno(), question)  # shorter than a pipe's buffer, so it does not wait
    stdin.close()
    output = bytearray()
    with selectors.DefaultSelector() as selector:
        selector.register(stdout, selectors.EVENT_READ)
        while True:
            if not selector.select(deadline.remaining_seconds()):
                raise deadline.exceeded()
            chunk = os.read(stdout.fileno(), _CHUNK)
            if not chunk:
                return bytes(output)
            output += chunk
            if len(output) > max_bytes:
                raise TooMuchOutputError(max_bytes)
