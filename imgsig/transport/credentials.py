"""Who to log in as at a registry: secrets that show themselves nowhere, and where they are looked up."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import NoReturn, Protocol, final

from imgsig.limits import Deadline


@final
@dataclass(frozen=True, slots=True, repr=False)
class Credential:
    """A login at one registry: a name and password, or an identity token. It is never shown and never pickled."""

    username: str = ""
    password: str = ""
    identity_token: str = ""

    def __repr__(self) -> str:
        """Show the kind of login, and nothing of it."""
        return "Credential(identity token)" if self.identity_token else "Credential(user and password)"

    def __reduce__(self) -> NoReturn:
        """Refuse pickling and copying.

        Raises:
            TypeError: always.
        """
        msg = "a credential is not pickled"
        raise TypeError(msg)


class Credentials(Protocol):
    """Where logins are looked up. It is asked only when a server demands one, from any thread."""

    def for_registry(self, registry: str, *, deadline: Deadline) -> Credential | None:
        """Return the login at `registry` (``HOST[:PORT]``, or ``docker.io``); None if there is none.

        Raises:
            InconclusiveError: it could not be looked up (``access_denied``), or not in time (``deadline``).
        """


@final
class StaticCredentials:
    """Logins given by the program, by registry."""

    __slots__ = ("_logins",)

    def __init__(self, logins: Mapping[str, Credential]) -> None:
        """Hold a copy of `logins`."""
        self._logins = MappingProxyType(dict(logins))

    def __repr__(self) -> str:
        """Show the registries."""
        return f"StaticCredentials({', '.join(sorted(self._logins))})"

    def for_registry(self, registry: str, *, deadline: Deadline) -> Credential | None:  # noqa: ARG002 - the protocol's
        """Return the login at `registry`; None if none was given."""
        return self._logins.get(registry)
