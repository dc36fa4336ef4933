"""Fetches the documents of one name: with a grant where one is demanded, as bytes or as what the answer amounts to."""

import re
from collections.abc import Callable, Mapping
from copy import copy
from dataclasses import replace
from http import HTTPStatus
from typing import Final, NoReturn, final
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
class Fetcher:
    """What the sources of one client share: connections, tokens and TLS contexts."""

    def __init__(  # noqa: PLR0913 - each a setting of its own, by name
        self,
        servers: Mapping[str, Server],
        *,
        credentials: Credentials | None,
        proxies: Proxies,
        ca_bundle: str | None,
        limits: Limits,
        clock: Callable[[], float],
    ) -> None:
        """Hold the settings; no file is read and nothing is requested yet."""
        self._clock = clock
        self.limits = limits
        self.routes = Routes(servers, proxies=proxies, ca_bundle=ca_bundle, limits=limits)
        self.lines = Lines(clock=clock)
        self.grants = Grants(self.lines, self.routes, credentials, limits=limits, clock=clock)

    def with_credentials(self, credentials: Credentials | None) -> "Fetcher":
        """Return a fetcher with other logins, and so other tokens, over the same connections."""
        twin = copy(self)
        twin.grants = Grants(self.lines, self.routes, credentials, limits=self.limits, clock=self._clock)
        return twin

    def open(self, endpoint: Endpoint) -> "HttpSource":
        """Return the source of `endpoint`'s name. The server's files are read now.

        Raises:
            UsageError: the server's URL is malformed, or one of its files cannot be used.
        """
        server = self.routes.server(endpoint.server)
        self.routes.route(server)
        return HttpSource(self, server, endpoint)

    def ask(self, asker: Asker, request: Request, *, deadline: Deadline) -> Answer:
        """Send `request` for `asker` and return the answer, whatever its status but 401.

        A login or token is sent only after the server has demanded one, or has taken it before.

        Raises:
            InconclusiveError: as `exchange` and `Grants.fetch` do, or access is refused (``access_denied``).
            RejectedError: as `exchange` does.
        """
        grants = self.grants
        grant = grants.kept(asker)
        answer = exchange(self.lines, _granted(request, grant), deadline=deadline)
        if answer.status == HTTPStatus.UNAUTHORIZED:
            grant = grants.renew(asker, grant, answer, deadline=deadline)
            answer = exchange(self.lines, _granted(request, grant), deadline=deadline)
            if answer.status == HTTPStatus.UNAUTHORIZED:
                grants.forget(asker)
                raise _refused(asker, request.subject, grant)
        return answer


@final
class HttpSource:
    """The documents of one signed name on its server. Made by `HttpSources.open`."""

    def __init__(self, fetcher: Fetcher, server: Server, endpoint: Endpoint) -> None:
        """Request nothing yet."""
        self._fetcher = fetcher
        self._server = server
        self._folder = endpoint.path
        self._asker = Asker(server, endpoint.name.partition("/")[0], endpoint.scope)

    def __reduce__(self) -> NoReturn:
        """Refuse pickling, as `HttpSources` does.

        Raises:
            TypeError: always.
        """
        msg = "a source with connections and logins is not pickled"
        raise TypeError(msg)

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
        request = Request(
            self._fetcher.routes.route(self._server),
            self._url(path),
            subject=path,
            max_bytes=max_bytes,
            max_other_bytes=self._fetcher.limits.max_error_body_bytes,
        )
        answer = self._fetcher.ask(self._asker, request, deadline=deadline)
        return read_document(answer, path, self._server.address.origin)

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


def _granted(request: Request, grant: Grant | None) -> Request:
    if grant is None:
        return request
    return replace(request, headers={**request.headers, "Authorization": grant.authorization})


def _refused(asker: Asker, subject: str, grant: Grant) -> InconclusiveError:
    whom = "an anonymous token" if grant.anonymous else f"the login for {quote(asker.registry)}"
    msg = f"{asker.server.address.origin} refuses access to {subject} in spite of {whom}"
    return InconclusiveError(msg, code=Code.ACCESS_DENIED, subject=subject)
