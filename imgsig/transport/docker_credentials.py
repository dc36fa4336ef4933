"""The logins that ``docker login`` has made, looked up as Docker does."""

import threading
import time
from collections.abc import Callable, Mapping
from functools import partial
from os import PathLike, fspath
from pathlib import Path
from typing import Final, final

from imgsig.codes import Code
from imgsig.errors import InconclusiveError, RejectedError, UsageError
from imgsig.limits import Deadline, Limits
from imgsig.strictjson import parse, quote
from imgsig.transport.credential_helper import find_helper, run_helper
from imgsig.transport.credentials import Credential
from imgsig.transport.docker_config import DockerConfig, parse_docker_config

DOCKER_HUB: Final = "https://index.docker.io/v1/"
"""The address under which Docker keeps the login for docker.io."""
KEPT_SECONDS: Final = 60.0
"""How long a helper's answer serves, so that many names of a registry do not start many programs."""

_NOT_FOUND: Final = b"credentials not found in native keychain"
_IDENTITY: Final = "<token>"


@final
class DockerCredentials:
    """Logins from a Docker configuration and the credential helpers that it names.

    A helper ``NAME`` is the program ``docker-credential-NAME``, found in the absolute folders of `path` only, started
    without a shell, with `environment` and nothing else.
    """

    def __init__(
        self,
        config: DockerConfig,
        *,
        path: str = "",
        environment: Mapping[str, str] | None = None,
        limits: Limits | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Look up in `config`; `path` is in the form of the ``PATH`` variable. Nothing is started yet."""
        self._config = config
        self._path = path
        self._environment = dict(environment or {})
        self._limits = limits or Limits()
        self._clock = clock
        self.file = ""
        """Where the configuration was loaded from; empty if it was given."""
        self._lock = threading.Lock()
        self._kept: dict[str, tuple[float, Credential | None]] = {}

    @classmethod
    def load(
        cls, file: str | PathLike[str], *, path: str = "", environment: Mapping[str, str] | None = None
    ) -> "DockerCredentials":
        """Return the logins of the Docker configuration in `file`, such as ``~/.docker/config.json``.

        Raises:
            UsageError: it cannot be read or is malformed. No such file: the cause is a `FileNotFoundError`.
        """
        limits = Limits()
        try:
            with Path(file).open("rb") as opened:
                body = opened.read(limits.max_config_bytes + 1)
        except OSError as error:
            reason = (error.strerror or "input/output error").lower()
            msg = f"docker config.json {fspath(file)!a} cannot be read: {reason}"
            raise UsageError(msg) from error
        loaded = cls(parse_docker_config(body, limits=limits), path=path, environment=environment, limits=limits)
        loaded.file = fspath(file)
        return loaded

    def __reduce__(self) -> tuple[object, ...]:
        """Pickle the place of the file, which is read again elsewhere, and no login.

        Raises:
            TypeError: the configuration was given, not loaded.
        """
        if not self.file:
            msg = "logins are not pickled: only those loaded from a file can be found again"
            raise TypeError(msg)
        return partial(DockerCredentials.load, path=self._path, environment=self._environment), (self.file,)

    def __repr__(self) -> str:
        """Show nothing of what is kept."""
        return "DockerCredentials()"

    def for_registry(self, registry: str, *, deadline: Deadline) -> Credential | None:
        """Return the login at `registry`; None if Docker has none.

        As in Docker, a helper configured for the registry, or for all, is asked instead of the file.

        Raises:
            InconclusiveError: the helper is missing, failed or answered nonsense (``access_denied``), or did not
                answer in time (``deadline``).
        """
        address = DOCKER_HUB if registry == "docker.io" else registry
        helper = self._config.helpers.get(address) or self._config.store
        if not helper:
            return self._from_file(address)
        with self._lock:
            until, credential = self._kept.get(address, (0.0, None))
            if self._clock() < until:
                return credential
        credential = self._from_helper(helper, address, deadline)
        with self._lock:
            self._kept[address] = self._clock() + KEPT_SECONDS, credential
        return credential

    def _from_file(self, address: str) -> Credential | None:
        credential = self._config.auths.get(address)
        if credential is not None:
            return credential
        return next((login for key, login in self._config.auths.items() if _host(key) == address), None)

    def _from_helper(self, helper: str, address: str, deadline: Deadline) -> Credential | None:
        program = find_helper(helper, self._path)
        status, output = run_helper(
            program, address, environment=self._environment, deadline=deadline, max_bytes=self._limits.max_helper_bytes
        )
        if status != 0:
            if output.strip() == _NOT_FOUND:
                return None
            raise _denied(helper, f"failed with status {status}")
        try:
            answer = parse(output, what="answer", max_depth=self._limits.max_json_depth)
        except RejectedError:
            raise _denied(helper, "did not answer with JSON") from None  # the answer may hold a password
        username, secret = (answer.get(name) if isinstance(answer, dict) else None for name in ("Username", "Secret"))
        if not (isinstance(username, str) and isinstance(secret, str) and username and secret):
            raise _denied(helper, "did not answer with Username and Secret")
        return Credential(identity_token=secret) if username == _IDENTITY else Credential(username, secret)


def _host(key: str) -> str:
    """Return the registry of a key that is spelled as a URL, as old versions of Docker did."""
    return key.removeprefix("https://").removeprefix("http://").partition("/")[0]


def _denied(helper: str, why: str) -> InconclusiveError:
    return InconclusiveError(
        f"credential helper {quote(helper)} {why}",
        code=Code.ACCESS_DENIED,
        hint="check that docker login works, and that the helper is on PATH",
        subject=f"docker-credential-{helper}",
    )
