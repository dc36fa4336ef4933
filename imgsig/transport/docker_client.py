"""The version of the Docker client that is installed, as the client itself tells it."""

import re
from typing import Final

from imgsig.limits import Deadline
from imgsig.transport.programs import find_program, run_program

NOT_INSTALLED: Final = ""
"""In place of a version: there is no client on the path."""

_MAX_BYTES: Final = 4096
"""A version has some ten characters."""
_NOWHERE: Final = "unix:///dev/null"
"""Instead of the user's daemon, which might be far away or ask for a password."""
_VERSION: Final = re.compile(rb"(\d{1,6}(?:\.\d{1,6}){0,3})[-+~.\w]{0,64}\s*", re.ASCII)


def fetch_client_version(path: str, *, deadline: Deadline) -> str:
    """Return the version of the ``docker`` in `path`, e.g. ``29.1.3``; `NOT_INSTALLED` if there is none.

    The client is told to talk to no daemon. It ends with a complaint about that, which is why its exit status says
    nothing.

    Raises:
        ValueError: what it wrote is no version.
        OSError: it could not be run.
        InconclusiveError: it did not answer in time (``deadline``).
    """
    program = find_program("docker", path)
    if program is None:
        return NOT_INSTALLED
    _, output = run_program(
        [program, "version", "--format", "{{.Client.Version}}"],
        b"",
        environment={"PATH": path, "DOCKER_HOST": _NOWHERE},
        deadline=deadline,
        max_bytes=_MAX_BYTES,
    )
    match = _VERSION.fullmatch(output)
    if match is None:
        msg = f"{output[:40]!a} is no version"
        raise ValueError(msg)
    return match[1].decode()
