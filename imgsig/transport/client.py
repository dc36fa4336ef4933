"""The door to servers: settings in, sources out. What needs `requests` is imported when a name is opened."""

import threading
import time
from collections.abc import Callable, Iterable
from os import PathLike, fspath
from types import MappingProxyType
from typing import TYPE_CHECKING, Literal, NoReturn, Self, final

from imgsig.errors import InvalidReferenceError, UsageError
from imgsig.limits import Limits
from imgsig.reference import DEFAULT_REGISTRY, ImageReference
from imgsig.registry.source import Registry
from imgsig.source import Endpoint, Source
from imgsig.strictjson import quote
from imgsig.transport.credentials import Credentials
from imgsig.transport.proxies import Proxies
from imgsig.transport.servers import Server

if TYPE_CHECKING:
    from imgsig.transport.fetching import Fetcher


@final
class HttpSources:
    """Opens the documents of signed names on their servers. Threads share it, with its connections and tokens.

    Nothing is taken from the environment: what is not given is not used. It cannot be pickled; after a fork the child
    opens connections of its own.
    """

    live: Literal[True] = True
    """Answers are those of servers now."""

    def __init__(  # noqa: PLR0913 - each a setting of its own, by name
        self,
        *,
        servers: Iterable[Server] = (),
        credentials: Credentials | None = None,
        proxies: Proxies | None = None,
        ca_bundle: str | PathLike[str] | None = None,
        limits: Limits | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Hold the settings; no file is read and nothing is requested yet.

        Args:
            servers: What is special about some servers; others need no entry.
            credentials: Asked for the login of a signed name's registry when a server demands one.
            proxies: None to go straight to every server.
            ca_bundle: A file of PEM certificates to believe in place of the operating system's.
            limits: The bounds of answers.
            clock: Forward-only seconds, for the age of tokens and of kept connections.

        Raises:
            UsageError: two of the servers have the same URL.
        """
        given = tuple(servers)
        self._servers = MappingProxyType({server.url: server for server in given})
        if len(self._servers) != len(given):
            msg = "servers: the same URL is given twice"
            raise UsageError(msg)
        self._credentials = credentials
        self._proxies = proxies or Proxies()
        self._ca_bundle = None if ca_bundle is None else fspath(ca_bundle)
        self._limits = limits or Limits()
        self._clock = clock
        self._lock = threading.Lock()
        self._fetcher: Fetcher | None = None

    def open(self, endpoint: Endpoint) -> Source:
        """Return the source of `endpoint`'s name. The server's files are read now, nothing is requested yet.

        Raises:
            UsageError: the server's URL is malformed, or one of its files cannot be used.
        """
        return (self._fetcher or self._make_fetcher()).open(endpoint)

    def open_registry(self, reference: ImageReference) -> Registry:
        """Return the repository of `reference` at its own registry. Its files are read now, nothing is requested yet.

        The registry is reached over https, unless one of the servers is it by an http URL.

        Raises:
            InvalidReferenceError: the registry's host or port cannot be one.
            UsageError: one of its files cannot be used.
        """
        from imgsig.transport.registry import DOCKER_HUB, HttpRegistry  # noqa: PLC0415 - it needs requests

        fetcher = self._fetcher or self._make_fetcher()
        host = DOCKER_HUB if reference.registry == DEFAULT_REGISTRY else reference.registry
        try:
            server = fetcher.routes.registry(host)
        except UsageError as error:
            msg = f"registry {quote(host)} cannot be reached by any URL"
            raise InvalidReferenceError(msg) from error
        fetcher.routes.route(server)
        return HttpRegistry(fetcher, server, reference)

    def with_credentials(self, credentials: Credentials | None) -> "HttpSources":
        """Return a client with other logins that shares this one's connections; tokens are not shared."""
        twin = HttpSources(
            servers=self._servers.values(),
            credentials=credentials,
            proxies=self._proxies,
            ca_bundle=self._ca_bundle,
            limits=self._limits,
            clock=self._clock,
        )
        twin._fetcher = self._make_fetcher().with_credentials(credentials)
        return twin

    def close(self) -> None:
        """Close the kept connections; those in use are closed when their request ends."""
        if self._fetcher is not None:
            self._fetcher.lines.close()

    def __enter__(self) -> Self:
        """Return itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close the kept connections."""
        self.close()

    def __reduce__(self) -> NoReturn:
        """Refuse pickling: logins and connections stay where they are.

        Raises:
            TypeError: always.
        """
        msg = "a client with connections and logins is not pickled"
        raise TypeError(msg)

    def _make_fetcher(self) -> "Fetcher":
        from imgsig.transport.fetching import Fetcher  # noqa: PLC0415 - it needs requests, and an archive does not

        with self._lock:
            if self._fetcher is None:
                self._fetcher = Fetcher(
                    self._servers,
                    credentials=self._credentials,
                    proxies=self._proxies,
                    ca_bundle=self._ca_bundle,
                    limits=self._limits,
                    clock=self._clock,
                )
            return self._fetcher
