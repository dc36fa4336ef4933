"""The reference client as an oracle: what does the real ``notary`` make of a repository?"""

import itertools
import json
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from types import TracebackType
from typing import Final, Self, final

from tests.support.repository import SignedRepository
from tests.support.static_server import StaticServer

PROGRAM: Final = "/usr/bin/notary"
RELEASES: Final = "targets/releases"
_TIMEOUT_SECONDS: Final = 120
_MESSAGE_CHARACTERS: Final = 2000
_FATAL: Final = "* fatal:"
_LOOKED_UP: Final = re.compile(r"(?P<name>.*) sha256:(?P<hex>[0-9a-f]*) (?P<length>-?[0-9]+)\n", re.DOTALL)
_LISTED: Final = re.compile(r"(?P<name>.*?) +(?P<hex>[0-9a-f]*) +(?P<length>-?[0-9]+) +(?P<role>targets[-a-z0-9_/]*) *")


@final
class Answer(StrEnum):
    """What the reference client says. It distinguishes success, failure and panic; the rest is read from its text."""

    OK = "ok"
    NO_SUCH_TARGET = "no_such_target"
    """The repository is fine, but the tag is not there, or not where docker takes it from."""
    REPO_NOT_EXIST = "repo_not_exist"
    UNTRUSTED = "untrusted"
    """The root, or a rotation of it, is not trusted."""
    EXPIRED = "expired"
    ROLLBACK = "rollback"
    UNAVAILABLE = "unavailable"
    INVALID = "invalid"
    """Any other refusal: signatures, hashes, structure, syntax, sizes."""
    PANIC = "panic"
    """The client crashed, which is no acceptance."""


_MESSAGES: Final = (
    (Answer.REPO_NOT_EXIST, r"does not have trust data for"),
    (Answer.UNTRUSTED, r"could not (validate the path to a trusted root|rotate trust to a new trusted root)"),
    (Answer.EXPIRED, r"expired at|has expired"),
    (Answer.ROLLBACK, r"lower than|version [0-9]+ is lower|current version"),
    (Answer.UNAVAILABLE, r"unable to reach trust server|offline|connection refused|server is unavailable|EOF"),
    (Answer.NO_SUCH_TARGET, r"[Nn]o (valid )?trust data for|could not find"),
)


@final
@dataclass(frozen=True, slots=True)
class Pinning:
    """The ``trust_pinning`` section of the client's configuration."""

    certs: dict[str, list[str]] = field(default_factory=dict)
    ca: dict[str, str] = field(default_factory=dict)
    disable_tofu: bool = False

    def to_json(self) -> dict[str, object]:
        """Return the section."""
        return {"certs": self.certs, "ca": self.ca, "disable_tofu": self.disable_tofu}


@final
@dataclass(frozen=True, slots=True)
class OracleVerdict:
    """What the client answered: the digest as it printed it (it may be odd), and the text of a failure."""

    answer: Answer
    digest: str = ""
    role: str = ""
    message: str = ""

    @property
    def accepted(self) -> bool:
        """Whether the client named a digest, be it an odd one."""
        return self.answer is Answer.OK


@final
class Oracle:
    """Serves repositories on loopback and asks the real client about them. Threads may share one."""

    def __init__(self, program: str = PROGRAM) -> None:
        """Start the server, and make an empty home for the client."""
        self._program = program
        self._server = StaticServer()
        self._home = Path(tempfile.mkdtemp(prefix="oracle-"))
        self._numbers = itertools.count()

    @staticmethod
    def available(program: str = PROGRAM) -> bool:
        """Say whether the client is installed."""
        return Path(program).exists()

    def close(self) -> None:
        """Stop serving and remove the home."""
        self._server.close()
        shutil.rmtree(self._home)

    def __enter__(self) -> Self:
        """Return the oracle, which is serving."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop serving and remove the home."""
        self.close()

    def trust_dir(self) -> Path:
        """Return a new empty folder for the client to remember in; it lives as long as the oracle."""
        folder = self._home / f"trust-{next(self._numbers)}"
        folder.mkdir()
        return folder

    @contextmanager
    def serving(self, repository: SignedRepository, key: str) -> Iterator[str]:
        """Serve a repository and give the URL of its server, the same for the same key."""
        yield self._server.add(key, repository)
        self._server.remove(key)

    def lookup(
        self,
        repository: SignedRepository,
        tag: str = "latest",
        *,
        cache: Path | None = None,
        pins: Pinning | None = None,
        offline: bool = False,
    ) -> OracleVerdict:
        """Return what ``notary lookup NAME TAG`` says. `cache` is a kept trust folder; `offline` reaches no server."""
        ran = self._run(repository, ("lookup", repository.name, tag), cache, pins, offline=offline)
        found = _LOOKED_UP.fullmatch(ran.stdout)
        if ran.returncode == 0 and found:
            return OracleVerdict(Answer.OK, "sha256:" + found["hex"], message=ran.stderr)
        return _refusal(ran)

    def docker_choice(
        self,
        repository: SignedRepository,
        tag: str = "latest",
        *,
        cache: Path | None = None,
        pins: Pinning | None = None,
        offline: bool = False,
    ) -> OracleVerdict:
        """Return the digest that docker takes: from ``targets/releases``, else from ``targets``, else none.

        ``notary list -r targets/releases,targets`` walks in docker's order and names the role of each hit; a hit in
        any other role is none, as in docker.
        """
        command = ("list", "-r", f"{RELEASES},targets", repository.name)
        ran = self._run(repository, command, cache, pins, offline=offline)
        if ran.returncode:
            return _refusal(ran)
        for line in ran.stdout.split("\n"):
            found = _LISTED.fullmatch(line)
            if found and found["name"] == tag:
                if found["role"] not in {RELEASES, "targets"}:
                    return OracleVerdict(Answer.NO_SUCH_TARGET, role=found["role"], message=line)
                return OracleVerdict(Answer.OK, "sha256:" + found["hex"], found["role"], ran.stderr)
        return OracleVerdict(Answer.NO_SUCH_TARGET, message=ran.stdout)

    def _run(
        self,
        repository: SignedRepository,
        command: tuple[str, ...],
        cache: Path | None,
        pins: Pinning | None,
        *,
        offline: bool,
    ) -> "subprocess.CompletedProcess[str]":
        number = next(self._numbers)
        key = f"r{number}"
        url = "http://127.0.0.1:9" if offline else self._server.add(key, repository)
        folder = cache or self._home / f"trust-{number}"
        arguments = [self._program, "-s", url, "-d", str(folder)]
        if pins is not None:
            configuration = self._home / f"config-{number}.json"
            configuration.write_text(json.dumps({"trust_pinning": pins.to_json()}), "utf-8")
            arguments += ["-c", str(configuration)]
        environment = {"HOME": str(self._home), "PATH": "/usr/bin:/bin", "LC_ALL": "C.UTF-8"}
        try:
            return subprocess.run(
                [*arguments, *command],
                check=False, capture_output=True, text=True, errors="replace", env=environment, cwd=self._home,
                stdin=subprocess.DEVNULL, timeout=_TIMEOUT_SECONDS,
            )
        finally:
            if not offline:
                self._server.remove(key)
            if cache is None:
                shutil.rmtree(folder, ignore_errors=True)
            (self._home / f"config-{number}.json").unlink(missing_ok=True)


def _refusal(ran: "subprocess.CompletedProcess[str]") -> OracleVerdict:
    if ran.returncode not in {0, 1}:
        return OracleVerdict(Answer.PANIC, message=ran.stderr[:_MESSAGE_CHARACTERS])
    text = (ran.stderr + ran.stdout)[-_MESSAGE_CHARACTERS:]
    fatal = text[text.rfind(_FATAL) :] if _FATAL in text else text
    for answer, pattern in _MESSAGES:
        if re.search(pattern, fatal):
            return OracleVerdict(answer, message=text)
    return OracleVerdict(Answer.INVALID, message=text)
