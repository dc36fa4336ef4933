"""What a user has set up around the process: the only reader of the environment, the home directory and the clock.

Everything below takes values. This is where they come from when a program gives none, and for the command line.
A path that a variable names must be absolute: what is trusted never depends on the working directory.
"""

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from types import MappingProxyType
from typing import Final, final

from imgsig.authority import State
from imgsig.errors import PolicyError, UsageError
from imgsig.faults import shown, shown_path
from imgsig.limits import DEFAULT_TIMEOUT_SECONDS, Deadline
from imgsig.policy import Policy
from imgsig.state import FolderState
from imgsig.transport import Credentials, HttpSources, Proxies, Server
from imgsig.transport.docker_client import fetch_client_version
from imgsig.transport.docker_credentials import DockerCredentials
from imgsig.transport.docker_tls import load_docker_servers
from imgsig.verdict import VerifiedImage
from imgsig.verifier import Verifier

_FALSE: Final = frozenset({"", "0", "f", "F", "false", "FALSE", "False"})
"""What turns Docker Content Trust off.

Spec: docker/cli, trust.go:Enabled, and Go's strconv.ParseBool.
"""


@final
@dataclass(frozen=True, slots=True, repr=False)
class Environment:
    """Variables as they were when it was made. Nothing is looked at before it is asked for; files are read then.

    The variables: ``IMGSIG_POLICY``, ``IMGSIG_STATE``, ``DOCKER_CONFIG``, ``DOCKER_CONTENT_TRUST_SERVER``,
    ``http_proxy``, ``https_proxy`` and ``no_proxy`` in both cases, ``SSL_CERT_FILE``, ``NO_COLOR``, ``HOME``, ``PATH``,
    ``XDG_CONFIG_HOME`` and ``XDG_STATE_HOME``, and for a diagnosis alone ``DOCKER_CONTENT_TRUST``. An empty one counts
    as unset. The others are not looked at; they are
    only handed on, with these, to the credential helpers that the user's Docker configuration names.
    """

    _variables: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))

    def __repr__(self) -> str:
        """Show nothing: a variable may hold a password."""
        return "Environment()"

    @property
    def policy_file(self) -> Path:
        """Where the policy is: ``IMGSIG_POLICY``, else ``imgsig/policy.toml`` below the user's configuration folder.

        Raises:
            UsageError: the variable is no absolute path, or there is neither it nor a home directory.
        """
        return self._place("IMGSIG_POLICY", "XDG_CONFIG_HOME", ".config", "imgsig/policy.toml")

    @property
    def state_folder(self) -> Path:
        """Where trust is remembered: ``IMGSIG_STATE``, else ``imgsig/`` below the user's folder for such things.

        Raises:
            UsageError: the variable is no absolute path, or there is neither it nor a home directory.
        """
        return self._place("IMGSIG_STATE", "XDG_STATE_HOME", ".local/state", "imgsig")

    @property
    def docker_folder(self) -> Path | None:
        """Docker's configuration folder: ``DOCKER_CONFIG``, else ``.docker`` in the home directory; None without one.

        Raises:
            UsageError: the variable is no absolute path.
        """
        named, home = self._path("DOCKER_CONFIG"), self._home()
        return named or (None if home is None else home / ".docker")

    @property
    def ca_bundle(self) -> str | None:
        """The CA certificates to believe instead of the operating system's (``SSL_CERT_FILE``), or None.

        Raises:
            UsageError: the variable is no absolute path.
        """
        named = self._path("SSL_CERT_FILE")
        return None if named is None else str(named)

    @property
    def wants_color(self) -> bool:
        """Whether the user has nothing against colours on a terminal (``NO_COLOR``)."""
        return not self._variables.get("NO_COLOR")

    @property
    def wants_content_trust(self) -> bool:
        """Whether Docker is told to verify what it pulls (``DOCKER_CONTENT_TRUST``), as old clients understood it."""
        return self._variables.get("DOCKER_CONTENT_TRUST", "") not in _FALSE

    def docker_client_version(self, *, deadline: Deadline) -> str:
        """Return the version of the Docker client in ``PATH``; empty if there is none.

        Raises:
            ValueError: it did not tell one.
            OSError: it could not be run.
            InconclusiveError: it did not answer in time (``deadline``).
        """
        return fetch_client_version(self._variables.get("PATH", ""), deadline=deadline)

    @staticmethod
    def now() -> datetime:
        """Return the present time (aware, UTC)."""
        return datetime.now(UTC)

    def load_policy(self, path: str | os.PathLike[str] | None = None) -> Policy:
        """Return the policy in the file at `path`, by default the user's own; see `with_default_server`.

        Raises:
            PolicyError: there is none, it cannot be read, or it is wrong; all faults are told.
            UsageError: a variable is wrong.
        """
        place = self.policy_file if path is None else Path(path)
        try:
            policy = Policy.load(place)
        except PolicyError as error:
            if not isinstance(error.__cause__, FileNotFoundError):
                raise
            hint = f"imgsig anchor NAME --write {shown_path(place)} writes a first rule"
            raise PolicyError((f"{shown_path(place)}: there is no such file",), hint=hint) from error
        return self.with_default_server(policy)

    def with_default_server(self, policy: Policy) -> Policy:
        """Return `policy` with the ``DOCKER_CONTENT_TRUST_SERVER`` wherever a rule names no server, if there is one.

        Raises:
            UsageError: the variable is no https URL.
        """
        url = self._variables.get("DOCKER_CONTENT_TRUST_SERVER")
        if not url:
            return policy
        scheme, mark, rest = url.partition("://")
        if scheme.lower() == "https" and mark:
            try:
                return policy.with_default_server("notary", f"https://{rest}")
            except PolicyError:
                pass  # what was given is not told: it might hold a password
        msg = "DOCKER_CONTENT_TRUST_SERVER must be https://HOST[:PORT][/PATH], without user, query and fragment"
        raise UsageError(msg)

    def state(self) -> FolderState:
        """Return the user's own state.

        Raises:
            UsageError: nothing says where it is, or this system has no POSIX locks.
        """
        return FolderState(self.state_folder)

    def proxies(self) -> Proxies:
        """Return the proxies; where a variable is there in both cases the lower one counts.

        Raises:
            UsageError: one is malformed or of a kind that is not supported.
        """
        http, https, without = (
            self._variables.get(name) or self._variables.get(name.upper()) or ""
            for name in ("http_proxy", "https_proxy", "no_proxy")
        )
        return Proxies(http or None, https or None, tuple(without.split(",")))

    def credentials(self) -> Credentials | None:
        """Return the logins that Docker keeps, or None if there is no Docker configuration.

        Raises:
            UsageError: Docker's ``config.json`` cannot be read or is malformed.
        """
        if self.docker_folder is None:
            return None
        path = self._variables.get("PATH", "")
        try:
            return DockerCredentials.load(self.docker_folder / "config.json", path=path, environment=self._variables)
        except UsageError as error:
            if isinstance(error.__cause__, FileNotFoundError | NotADirectoryError):
                return None
            raise

    def servers(self, urls: Iterable[str] = ()) -> tuple[Server, ...]:
        """Return what Docker's ``tls/HOST[:PORT]`` folders say of servers, those at `urls` among them.

        Raises:
            UsageError: a folder cannot be read.
        """
        return () if self.docker_folder is None else load_docker_servers(self.docker_folder / "tls", urls)

    def sources(self, urls: Iterable[str], *, logged_in: bool) -> HttpSources:
        """Return a client of servers, those at `urls` among them; it has no logins unless `logged_in`.

        Raises:
            UsageError: a variable or Docker's configuration is wrong.
        """
        return HttpSources(
            servers=self.servers(urls),
            credentials=self.credentials() if logged_in else None,
            proxies=self.proxies(),
            ca_bundle=self.ca_bundle,
        )

    def verifier(self, policy: Policy | None = None, state: State | None = None) -> Verifier:
        """Return a verifier by the user's own configuration, or by `policy` and `state` in place of parts of it.

        Raises:
            PolicyError: there is no policy, or it is wrong.
            UsageError: another part of the configuration is wrong.
        """
        policy = self.load_policy() if policy is None else policy
        urls = tuple(section.server for rule in policy.rules for section in rule.sections if section.server)
        return Verifier(
            policy,
            state=self.state() if state is None else state,
            servers=self.servers(urls),
            credentials=self.credentials(),
            proxies=self.proxies(),
            ca_bundle=self.ca_bundle,
        )

    def _place(self, variable: str, base: str, below_home: str, name: str) -> Path:
        named = self._path(variable)
        if named is not None:
            return named
        # Spec: XDG Base Directory Specification: "All paths must be absolute"; relative ones are to be ignored.
        folder, home = Path(self._variables.get(base, "")), self._home()
        if folder.is_absolute():
            return folder / name
        if home is None:
            msg = f"there is neither {variable}, {base} nor HOME to tell where {name} is"
            raise UsageError(msg, hint=f"set {variable}, or give the place on the command line")
        return home / below_home / name

    def _home(self) -> Path | None:
        home = Path(self._variables.get("HOME", ""))
        return home if home.is_absolute() else None

    def _path(self, variable: str) -> Path | None:
        text = self._variables.get(variable)
        if not text:
            return None
        if not Path(text).is_absolute():
            msg = f"{variable} must be an absolute path, not {shown(text)}"
            raise UsageError(msg)
        return Path(text)


def read_environment(environ: Mapping[str, str] | None = None) -> Environment:
    """Return the environment of this process, or what `environ` says in its place."""
    return Environment(MappingProxyType(dict(os.environ if environ is None else environ)))


def default_verifier() -> Verifier:
    """Return a verifier by the user's own configuration: policy, state, logins, proxies and certificates.

    Close it, or use it as a context manager.

    Raises:
        PolicyError: there is no policy, or it is wrong.
        UsageError: another part of the configuration is wrong.
    """
    return read_environment().verifier()


def verify(
    ref: str,
    *,
    timeout_seconds: float = DEFAULT_TIMEOUT_SECONDS,
    check_registry: bool = False,
    require_tag_current: bool = False,
    platform: str | None = None,
) -> VerifiedImage:
    """Return the verified image that `ref` names, by the user's own configuration.

    Each call reads the configuration anew; for many references keep one `default_verifier`.

    Args:
        ref: an image reference as Docker understands it; no tag means ``latest``.
        timeout_seconds: the most that the call may take once the configuration is read.
        check_registry: fetch the manifest from the registry by its signed digest and hash it.
        require_tag_current: refuse if the registry's tag does not stand for it; implies `check_registry`.
        platform: prove that one manifest of this platform (``linux/arm64``) belongs to it; implies `check_registry`.

    Raises:
        RejectedError: it was checked and must not be used; ``verdict`` says why.
        InconclusiveError: no answer could be reached; fail closed, maybe try again.
        NoPolicyError: no rule covers the name, or a rule exempts it.
        PolicyError: there is no policy, or it is wrong.
        UsageError: the call or another part of the configuration is wrong.
    """
    with default_verifier() as verifier:
        return verifier.verify(
            ref,
            timeout_seconds=timeout_seconds,
            check_registry=check_registry,
            require_tag_current=require_tag_current,
            platform=platform,
        )
