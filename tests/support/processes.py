"""Run the programs of others on loopback: a free port, a log, a sure end."""

import secrets
import shutil
import socket
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import final

SYSTEM_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
START_SECONDS = 30.0
STOP_SECONDS = 10.0
LOG_TAIL_BYTES = 8_000


class ProgramError(Exception):
    """A program of the harness did not do as it was told; the message holds the end of its output."""


def installed(*programs: str) -> bool:
    """Return whether all `programs` are on the system's path."""
    return all(shutil.which(program, path=SYSTEM_PATH) for program in programs)


def free_port() -> int:
    """Return a port that nothing on loopback listens on.

    It lies below the range that systems take ports for outgoing connections from, so that no
    connection of another test can snatch it between this call and the program's start.
    """
    for _ in range(200):
        port = 15_000 + secrets.randbelow(15_000)
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
        return port
    msg = "no free port on loopback"
    raise ProgramError(msg)


def listens(port: int) -> bool:
    """Return whether something on loopback takes connections on `port`."""
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
    except OSError:
        return False
    return True


@final
class Program:
    """One long-running program, its output in a file."""

    def __init__(self, arguments: Sequence[str], *, folder: Path, log: Path, environment: Mapping[str, str]) -> None:
        """Prepare `arguments`, the first one looked up on the system's path; `environment` is all that it sees."""
        executable = shutil.which(arguments[0], path=SYSTEM_PATH)
        if executable is None:
            msg = f"{arguments[0]} is not installed"
            raise ProgramError(msg)
        self._arguments = [*_dies_with_parent(), executable, *arguments[1:]]
        self._folder = folder
        self._environment = {"PATH": SYSTEM_PATH, "HOME": str(folder), **environment}
        self.log = log
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def running(self) -> bool:
        """Whether it was started and has not ended."""
        return self._process is not None and self._process.poll() is None

    def start(self, answers: Callable[[], bool]) -> None:
        """Start it and wait until `answers` says that it does its work.

        Raises:
            ProgramError: it ended, or did not answer in time.
        """
        if self.running:
            return
        with self.log.open("ab") as output:
            self._process = subprocess.Popen(
                self._arguments,
                cwd=self._folder,
                env=self._environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
            )
        ends = time.monotonic() + START_SECONDS
        while not answers():
            if not self.running or time.monotonic() > ends:
                self.stop()
                msg = f"{self._arguments} did not start:\n{self.output()}"
                raise ProgramError(msg)
            time.sleep(0.01)

    def stop(self) -> None:
        """End it, politely and then not, and wait until it is gone. Stopping twice is fine."""
        process, self._process = self._process, None
        if process is None:
            return
        process.terminate()
        try:
            process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

    def output(self) -> str:
        """Return the end of what it has written so far."""
        if not self.log.exists():
            return ""
        return self.log.read_bytes()[-LOG_TAIL_BYTES:].decode(errors="replace")


def _dies_with_parent() -> list[str]:
    """Return the words before a command that end it with us, even if we are killed; none without the tool for it."""
    tool = shutil.which("setpriv", path=SYSTEM_PATH)
    return [tool, "--pdeathsig", "KILL"] if tool else []
