"""Kept connections: each is used by one request at a time, obeys that request's deadline, and is dropped when in doubt.

`requests` is used below its sessions, by its adapter alone: so there is nothing that reads the environment or
``.netrc``, follows redirects, tries again or keeps cookies.
"""

import os
import ssl
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Final, cast, final

import requests
from requests.adapters import HTTPAdapter
from urllib3 import HTTPConnectionPool, HTTPSConnectionPool, PoolManager
from urllib3.connection import HTTPConnection, HTTPSConnection

from imgsig.limits import Deadline
from imgsig.transport.sockets import Watch, WatchedSocket, open_socket

MAX_IDLE_CONNECTIONS: Final = 64
"""Connections kept for later, over all servers."""
MAX_IDLE_SECONDS: Final = 60.0
"""After this a kept connection is not trusted to be alive: routers forget quiet ones without a word."""


@final
@dataclass(frozen=True, slots=True)
class Route:
    """How to reach one server. Connections are shared by requests of equal routes only."""

    origin: str
    context: ssl.SSLContext | None
    """None for http."""
    proxy: str | None = field(default=None, repr=False)
    proxy_context: ssl.SSLContext | None = None
    """For a proxy that is itself reached over TLS."""


class _PlainConnection(HTTPConnection):
    def __init__(self, *arguments: Any, watch: Watch, **options: Any) -> None:  # noqa: ANN401 - as in urllib3
        super().__init__(*arguments, **options)
        self._watch = watch

    def _new_conn(self) -> WatchedSocket:
        return open_socket(self.host, self.port, self._watch)


class _TLSConnection(HTTPSConnection):
    def __init__(self, *arguments: Any, watch: Watch, **options: Any) -> None:  # noqa: ANN401 - as in urllib3
        super().__init__(*arguments, **options)
        self._watch = watch

    def _new_conn(self) -> WatchedSocket:
        return open_socket(self.host, self.port, self._watch)


class _Adapter(HTTPAdapter):
    """One connection at a time, with our sockets and our TLS context."""

    def __init__(self, route: Route, watch: Watch) -> None:
        self._route = route
        self._watch = watch
        self._pool: HTTPConnectionPool | None = None
        super().__init__(pool_connections=1, pool_maxsize=1)

    def init_poolmanager(self, *arguments: Any, **options: Any) -> None:  # noqa: ANN401 - as in requests
        super().init_poolmanager(*arguments, **options)
        self._watch_over(self.poolmanager)

    def proxy_manager_for(self, proxy: str, **options: Any) -> Any:  # noqa: ANN401 - as in requests
        manager = super().proxy_manager_for(proxy, proxy_ssl_context=self._route.proxy_context, **options)
        self._watch_over(manager)
        return manager

    def get_connection_with_tls_context(
        self, request: requests.PreparedRequest, *_: object, **__: object
    ) -> HTTPConnectionPool:
        if self._pool is None:  # a route leads to one server, so the first request decides for all
            proxy = self._route.proxy
            manager = self.proxy_manager_for(proxy) if proxy else self.poolmanager
            context = self._route.context or self._route.proxy_context  # never urllib3's own, which trusts others
            options = {} if context is None else {"ssl_context": context}
            self._pool = cast("HTTPConnectionPool", manager.connection_from_url(request.url, pool_kwargs=options))
        return self._pool

    def cert_verify(self, conn: object, url: object, verify: object, cert: object) -> None:
        """Change nothing: the context says whom to believe."""

    def _watch_over(self, manager: PoolManager) -> None:
        pools = {
            "http": partial(_pool, HTTPConnectionPool, partial(_PlainConnection, watch=self._watch)),
            "https": partial(_pool, HTTPSConnectionPool, partial(_TLSConnection, watch=self._watch)),
        }
        manager.pool_classes_by_scheme = cast("dict[str, Any]", pools)


def _pool(kind: type[HTTPConnectionPool], connection: Any, *arguments: Any, **options: Any) -> HTTPConnectionPool:  # noqa: ANN401
    pool = kind(*arguments, **options)
    pool.ConnectionCls = connection
    return pool


@final
class Line:
    """At most one open connection to one server."""

    def __init__(self, route: Route) -> None:
        """Open nothing yet."""
        self.route = route
        self.watch = Watch(route.origin)
        self.idle_since = 0.0
        self._adapter = _Adapter(route, self.watch)

    def send(self, request: requests.PreparedRequest, *, deadline: Deadline) -> requests.Response:
        """Send `request` and return the head of the answer, its body unread.

        Raises:
            VerificationError: what the sockets say.
            requests.RequestException: what `requests` says of all else.
        """
        self.watch.begin(deadline)
        proxy = self.route.proxy
        return self._adapter.send(request, stream=True, proxies={"http": proxy, "https": proxy} if proxy else None)

    def at_rest(self) -> bool:
        """Tell whether the connection is open, and nothing lies in it that nobody has asked for."""
        connection = self.watch.socket
        if connection is None or connection.fileno() < 0:
            return False
        return not (isinstance(connection, ssl.SSLSocket) and connection.pending())

    def close(self) -> None:
        """Close the connection, also where half an answer still holds on to it."""
        self._adapter.close()
        connection, self.watch.socket = self.watch.socket, None
        descriptor = -1 if connection is None else connection.detach()
        if descriptor >= 0:
            os.close(descriptor)


@final
class Lines:
    """The kept connections of all threads of this process."""

    def __init__(self, *, clock: Callable[[], float] = time.monotonic) -> None:
        """Keep none yet."""
        self._clock = clock
        self._reset()

    def _reset(self) -> None:
        self._process = os.getpid()
        self._lock = threading.Lock()
        self._idle: list[Line] = []
        self._closed = False

    def lease(self, route: Route) -> Line:
        """Return the connection to `route` that was used last, or a new one. Nobody else has it meanwhile."""
        if self._process != os.getpid():
            self._reset()  # after a fork: the connections are the parent's, and the lock may be held by no one
        with self._lock:
            found = next((line for line in reversed(self._idle) if line.route == route), None)
            if found is not None:
                self._idle.remove(found)
        if found is not None and self._clock() - found.idle_since < MAX_IDLE_SECONDS:
            return found
        if found is not None:
            found.close()
        return Line(route)

    def give_back(self, line: Line) -> None:
        """Keep the connection of a request that was answered to its end."""
        if not line.at_rest():
            line.close()
            return
        line.idle_since = now = self._clock()
        with self._lock:
            self._idle.append(line)
            stale = [kept for kept in self._idle if now - kept.idle_since >= MAX_IDLE_SECONDS]
            surplus = self._idle if self._closed else [*stale, *self._idle[:-MAX_IDLE_CONNECTIONS]]
            self._idle = [kept for kept in self._idle if kept not in surplus]
        for kept in surplus:
            kept.close()

    def close(self) -> None:
        """Close what is idle now, and what is in use when it is given back."""
        if self._process != os.getpid():
            self._reset()
        with self._lock:
            self._closed = True
            idle, self._idle = self._idle, []
        for line in idle:
            line.close()
