"""Which server's settings belong to an address, and the TLS contexts that follow from them."""

from collections.abc import Mapping
from functools import lru_cache
from typing import final

from imgsig.limits import Limits
from imgsig.transport.addresses import Address
from imgsig.transport.connections import Route
from imgsig.transport.proxies import Proxies
from imgsig.transport.servers import Server
from imgsig.transport.tls import WatchedContext, load_context


@final
class Routes:
    """The settings of all servers. A TLS context is loaded once for all that share its files."""

    def __init__(
        self, servers: Mapping[str, Server], *, proxies: Proxies, ca_bundle: str | None, limits: Limits
    ) -> None:
        """Hold what was given, `servers` by URL; no file is read yet."""
        self._servers = servers
        self._proxies = proxies
        self._ca_bundle = ca_bundle
        self._limits = limits
        self._contexts: dict[tuple[tuple[str, ...], tuple[str, str] | None], WatchedContext] = {}

    def server(self, url: str) -> Server:
        """Return what is known of the server at `url`; of an unknown one, that nothing is special about it.

        Raises:
            UsageError: the URL is malformed.
        """
        plain = _plain_server(url)
        return self._servers.get(plain.url, plain)

    def registry(self, host: str) -> Server:
        """Return what is known of the registry at `host`, a ``HOST[:PORT]``: that of a server with this address.

        It is reached over https, unless the one server with this host and port is known by an http URL.

        Raises:
            UsageError: `host` is none.
        """
        secure = _plain_server(f"https://{host}")
        return self._servers.get(secure.url) or self._servers.get(_plain_server(f"http://{host}").url, secure)

    def route(self, server: Server) -> Route:
        """Return how to reach `server`.

        Raises:
            UsageError: one of its files cannot be used.
        """
        return self._route(server.address, server.ca_files, server.client_pair)

    def realm_route(self, server: Server, realm: Address) -> Route:
        """Return how to reach another address that `server` named: a token service, or where a blob is kept.

        It is known by its own settings if there are some, else by the server's: but the client certificate is shown
        to the server's own host only.

        Raises:
            UsageError: one of the files cannot be used.
        """
        own = next((known for known in self._servers.values() if known.address.origin == realm.origin), None)
        known = own or server
        shown = known.client_pair if realm.host == known.address.host else None
        return self._route(realm, known.ca_files, shown)

    def _route(self, address: Address, ca_files: tuple[str, ...], client: tuple[str, str] | None) -> Route:
        context = self._context(ca_files, client) if address.secure else None
        proxy = self._proxies.proxy_for(address)
        # A proxy is believed by the same authorities, and shown no client certificate.
        proxy_context = self._context(ca_files, None) if proxy and proxy.startswith("https:") else None
        return Route(address.origin, context, proxy, proxy_context)

    def _context(self, ca_files: tuple[str, ...], client: tuple[str, str] | None) -> WatchedContext:
        context = self._contexts.get((ca_files, client))
        if context is None:  # when two threads load it at a time, the first one's serves both
            loaded = load_context(
                ca_bundle=self._ca_bundle, ca_files=ca_files, client_certificate=client, limits=self._limits
            )
            context = self._contexts.setdefault((ca_files, client), loaded)
        return context


@lru_cache(maxsize=256)
def _plain_server(url: str) -> Server:
    return Server(url)
