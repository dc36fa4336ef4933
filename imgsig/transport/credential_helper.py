"""Runs one of Docker's credential helpers: no shell, bounded in time and output."""

import os
import selectors
import signal
import subprocess
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import IO, Final, cast

from imgsig.codes import Code
from imgsig.errors import InconclusiveError
from imgsig.limits import Deadline

_CHUNK: Final = 16 * 1024


def find_helper(name: str, path: str) -> Path:
    """Return the program ``docker-credential-NAME`` in the first absolute folder of `path` that has it.

    Relative and empty entries are passed over: they would lead into the working directory.

    Raises:
        InconclusiveError: there is none (``access_denied``).
    """
    program = f"docker-credential-{name}"
    for folder in path.split(os.pathsep):
        candidate = Path(folder, program)
        if candidate.is_absolute() and candidate.is_file() and os.access(candidate, os.X_OK):
            return candidate
    msg = f"credential helper {program} is not in PATH"
    raise _denied(msg, program)


def run_helper(
    program: Path, address: str, *, environment: Mapping[str, str], deadline: Deadline, max_bytes: int
) -> tuple[int, bytes]:
    """Ask `program` for the login at `address`, and return its exit status and what it wrote.

    It and what it has started are killed when they do not end in time or write more than `max_bytes`.

    Raises:
        InconclusiveError: it could not be started or wrote too much (``access_denied``), or is late (``deadline``).
    """
    deadline.remaining_seconds()
    try:
        process = subprocess.Popen(  # noqa: S603 - no shell; the name was checked, the folder is the user's own
            [program, "get"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=dict(environment),
            cwd=os.sep,
            start_new_session=True,
        )
    except OSError as error:
        msg = f"credential helper {program.name} cannot be started: {error.strerror}"
        raise _denied(msg, program.name) from error
    with process:
        try:
            output = _converse(process, address.encode(), deadline, max_bytes, program.name)
            return process.wait(deadline.remaining_seconds()), output
        except subprocess.TimeoutExpired:
            raise deadline.exceeded() from None
        finally:
            if process.returncode is None:
                with suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)


def _converse(
    process: "subprocess.Popen[bytes]", question: bytes, deadline: Deadline, max_bytes: int, name: str
) -> bytes:
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
                msg = f"credential helper {name} wrote more than {max_bytes} bytes"
                raise _denied(msg, name)


def _denied(message: str, name: str) -> InconclusiveError:
    return InconclusiveError(message, code=Code.ACCESS_DENIED, subject=name)
