"""What a verifier is made of: checked once, and sent to other processes without logins."""

from dataclasses import dataclass, replace
from typing import final

from imgsig.authority import State
from imgsig.errors import UsageError
from imgsig.limits import Limits
from imgsig.policy import Policy
from imgsig.source import Sources
from imgsig.transport import Credentials, HttpSources, Proxies, Server
from imgsig.transport.docker_credentials import DockerCredentials


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Configuration:
    """The arguments of `imgsig.verifier.Verifier`, which explains them."""

    policy: Policy
    state: State | None
    source: Sources | None
    servers: tuple[Server, ...]
    credentials: Credentials | None
    proxies: Proxies | None
    limits: Limits
    speculate: bool
    ca_bundle: str | None

    def __post_init__(self) -> None:
        """Refuse what does not go together.

        Raises:
            UsageError: see `imgsig.verifier.Verifier`.
        """
        if self.source is None:
            self._check_state()
        elif (self.state, self.servers, self.credentials, self.proxies, self.ca_bundle) != (None, (), None, None, None):
            msg = "an archive needs no state, servers, credentials, proxies or CA bundle"
            raise UsageError(msg)

    def sources(self) -> Sources:
        """Return where documents come from: the archive, or a client of servers that has asked for nothing yet."""
        if self.source is not None:
            return self.source
        return HttpSources(
            servers=self.servers,
            credentials=self.credentials,
            proxies=self.proxies,
            ca_bundle=self.ca_bundle,
            limits=self.limits,
        )

    def without_logins(self) -> "Configuration":
        """Return what may be pickled: logins of Docker's go by the place of their file, others not at all."""
        logins = self.credentials
        return replace(self, credentials=logins if isinstance(logins, DockerCredentials) and logins.file else None)

    def _check_state(self) -> None:
        if self.state is None:
            msg = "a verifier needs a state: FolderState(path), or MemoryState() to remember for this process only"
            raise UsageError(msg)
        for rule in self.policy.rules:
            if not self.state.remembers and any(settings.trusts_first_use for settings in rule.sections):
                msg = f"the rule for {rule.names[0]} trusts at first use, which needs a state that outlives the process"
                raise UsageError(msg, hint="give a FolderState, or pin the root's keys")
