"""Runs one of Docker's credential helpers: no shell, bounded in time and output."""

from collections.abc import Mapping
from pathlib import Path

from imgsig.codes import Code
from imgsig.errors import InconclusiveError
from imgsig.limits import Deadline
from imgsig.transport.programs import TooMuchOutputError, find_program, run_program


def find_helper(name: str, path: str) -> Path:
    """Return the program ``docker-credential-NAME`` in the first absolute folder of `path` that has it.

    Raises:
        InconclusiveError: there is none (``access_denied``).
    """
    program = f"docker-credential-{name}"
    found = find_program(program, path)
    if found is None:
        msg = f"credential helper {program} is not in PATH"
        raise _denied(msg, program)
    return found


def run_helper(
    program: Path, address: str, *, environment: Mapping[str, str], deadline: Deadline, max_bytes: int
) -> tuple[int, bytes]:
    """Ask `program` for the login at `address`, and return its exit status and what it wrote.

    It and what it has started are killed when they do not end in time or write more than `max_bytes`.

    Raises:
        InconclusiveError: it could not be started or wrote too much (``access_denied``), or is late (``deadline``).
    """
    try:
        return run_program(
            [program, "get"], address.encode(), environment=environment, deadline=deadline, max_bytes=max_bytes
        )
    except TooMuchOutputError as error:
        msg = f"credential helper {program.name} wrote more than {max_bytes} bytes"
        raise _denied(msg, program.name) from error
    except OSError as error:
        msg = f"credential helper {program.name} cannot be started: {error.strerror}"
        raise _denied(msg, program.name) from error


def _denied(message: str, name: str) -> InconclusiveError:
    return InconclusiveError(message, code=Code.ACCESS_DENIED, subject=name)
