"""Fetches documents from trust servers: what the server says, as bytes or as the error that it amounts to."""

import re
import time
from collections.abc import Callable, Iterable
from http import HTTPStatus
from os import PathLike, fspath
from typing import Final, Literal, NoReturn, Self, final
from urllib.parse import quote as percent_encode

from imgsig.codes import Code
from imgsig.errors import InconclusiveError, RejectedError
from imgsig.limits import Deadline, Limits
from imgsig.source import Endpoint, SourceEvidence
from imgsig.strictjson import quote
from imgsig.transport.addresses import MAX_URL_CHARACTERS, has_dot_segment
from imgsig.transport.connections import Lines
from imgsig.transport.credentials import Credentials
from imgsig.transport.exchange import Answer, Request, exchange
from imgsig.transport.proxies import Proxies
from imgsig.transport.routes import Routes
from imgsig.transport.servers import Server
from imgsig.transport.statuses import read_document
from imgsig.transport.tokens import Asker, Grant, Grants

_UNRESERVED: Final = "/-._~!$&'()*+,;=:@"
_ESCAPED: Final = re.compile(r"(%[0-9A-Fa-f]{2})")


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
        self._limits = limits or Limits()
        bundle = None if ca_bundle is None else fspath(ca_bundle)
        self._routes = Routes(tuple(servers), proxies=proxies or Proxies(), ca_bundle=bundle, limits=self._limits)
        self._lines = Lines(clock=clock)
        self._grants = Grants(self._lines, self._routes, credentials, limits=self._limits, clock=clock)

    def open(self, endpoint: Endpoint) -> "HttpSource":
        """Return the source of `endpoint`'s name. The server's files are read now, nothing is requested yet.

        Raises:
            UsageError: the server's URL is malformed, or one of its files cannot be used.
        """
        server = self._routes.server(endpoint.server)
        self._routes.route(server)
        return HttpSource(
            server, endpoint, lines=self._lines, routes=self._routes, grants=self._grants, limits=self._limits
        )

    def close(self) -> None:
        """Close the kept connections; those in use are closed when their request ends."""
        self._lines.close()

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


@final
class HttpSource:
    """The documents of one signed name on its server. Made by `HttpSources.open`."""

    def __init__(  # noqa: PLR0913 - what it shares with all sources, and what is its own
        self, server: Server, endpoint: Endpoint, *, lines: Lines, routes: Routes, grants: Grants, limits: Limits
    ) -> None:
        """Request nothing yet."""
        self._lines = lines
        self._routes = routes
        self._grants = grants
        self._server = server
        self._limits = limits
        self._folder = endpoint.path
        self._asker = Asker(server, endpoint.name.partition("/")[0], endpoint.scope)

    @property
    def evidence(self) -> SourceEvidence:
        """The server that answers."""
        return SourceEvidence("server", self._server.url)

    def fetch(self, path: str, *, max_bytes: int, deadline: Deadline) -> bytes:
        """Return the document at `path`, at most `max_bytes` long, unverified.

        It begins like a JSON object; nothing else of it was looked at. A login or token is sent only after the server
        has demanded one, or has taken it before.

        Raises:
            DocumentMissingError: a 404, with the beginning of its body.
            OutageError: no connection, no head of an answer in time, a 429 or a 5xx. Nothing of a document came.
            InconclusiveError: TLS failed (``tls``); access is refused (``access_denied``, ``foreign_realm``) or a
                token could not be had; the body did not come in time (``deadline``); or the answer is none that a
                trust server gives (``bad_response``).
            RejectedError: it is longer than `max_bytes` (``limit_exceeded``), or `path` leads out of the name's
                folder (``malformed``).
        """
        url = self._url(path)
        grant = self._grants.kept(self._asker)
        answer = self._get(url, path, max_bytes, grant, deadline)
        if answer.status == HTTPStatus.UNAUTHORIZED:
            self._grants.forget(self._asker)
            grant = self._grants.fetch(self._asker, answer, deadline=deadline)
            answer = self._get(url, path, max_bytes, grant, deadline)
            if answer.status == HTTPStatus.UNAUTHORIZED:
                self._grants.forget(self._asker)
                raise self._refused(path, grant)
        return read_document(answer, path, self._server.address.origin)

    def _get(self, url: str, path: str, max_bytes: int, grant: Grant | None, deadline: Deadline) -> Answer:
        request = Request(
            self._routes.route(self._server),
            url,
            subject=path,
            max_bytes=max_bytes,
            max_other_bytes=self._limits.max_error_body_bytes,
            headers={} if grant is None else {"Authorization": grant.authorization},
        )
        return exchange(self._lines, request, deadline=deadline)

    def _url(self, path: str) -> str:
        target = self._folder + path
        encoded = "".join(
            part if _ESCAPED.fullmatch(part) else percent_encode(part, safe=_UNRESERVED)
            for part in _ESCAPED.split(target)
        )
        if has_dot_segment(encoded) or len(encoded) > MAX_URL_CHARACTERS:
            msg = f"{quote(path)} cannot be the path of a document"
            raise RejectedError(msg, code=Code.MALFORMED, subject=quote(path))
        return self._server.url + encoded

    def _refused(self, path: str, grant: Grant) -> InconclusiveError:
        whom = "an anonymous token" if grant.anonymous else f"the login for {quote(self._asker.registry)}"
        msg = f"{self._server.address.origin} refuses access to {path} in spite of {whom}"
        return InconclusiveError(msg, code=Code.ACCESS_DENIED, subject=path)
