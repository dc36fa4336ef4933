"""Fetches manifests and blobs of one repository from its registry.

Spec: OCI distribution specification, "Pulling manifests" and "Pulling blobs".
"""

from dataclasses import replace
from http import HTTPStatus
from typing import Final, NoReturn, final
from urllib.parse import urljoin

from imgsig.codes import Code
from imgsig.errors import InconclusiveError
from imgsig.limits import Deadline
from imgsig.reference import ImageReference
from imgsig.registry.manifest import IMAGE_TYPES, INDEX_TYPES
from imgsig.registry.source import Served
from imgsig.transport.addresses import parse_address
from imgsig.transport.exchange import Answer, Request, exchange
from imgsig.transport.fetching import Fetcher
from imgsig.transport.servers import Server
from imgsig.transport.statuses import read_body
from imgsig.transport.tokens import Asker

DOCKER_HUB: Final = "registry-1.docker.io"
"""Where the images of docker.io are."""
MAX_REDIRECTS: Final = 3
"""From a registry to the storage that keeps its blobs; real ones redirect once."""

_ACCEPT: Final = ", ".join((*INDEX_TYPES, *IMAGE_TYPES))
_REDIRECTS: Final = frozenset({301, 302, 303, 307, 308})


@final
class HttpRegistry:
    """One repository of a registry. Made by `HttpSources.open_registry`. Implements ``imgsig.registry.source``."""

    def __init__(self, fetcher: Fetcher, server: Server, reference: ImageReference) -> None:
        """Request nothing yet."""
        self._fetcher = fetcher
        self._server = server
        self._folder = f"/v2/{reference.repository}"
        self._asker = Asker(server, reference.registry, f"repository:{reference.repository}:pull")

    def __reduce__(self) -> NoReturn:
        """Refuse pickling, as `HttpSources` does.

        Raises:
            TypeError: always.
        """
        msg = "a registry with connections and logins is not pickled"
        raise TypeError(msg)

    @property
    def location(self) -> str:
        """The registry's origin."""
        return self._server.address.origin

    def fetch_manifest(self, tag_or_digest: str, *, max_bytes: int, deadline: Deadline) -> Served:
        """Return what the registry has under a tag or a digest. See `imgsig.registry.source.Registry`.

        A redirect is not followed: the registry itself must answer for what its names stand for.
        """
        path = f"manifests/{tag_or_digest}"
        request = self._request(f"{self._server.url}{self._folder}/{path}", path, max_bytes, accept=_ACCEPT)
        answer = self._fetcher.ask(self._asker, request, deadline=deadline)
        body = read_body(answer, path, self.location)
        return Served(body, answer.header("Content-Type").partition(";")[0].strip().lower())

    def fetch_blob(self, digest: str, *, max_bytes: int, deadline: Deadline) -> bytes:
        """Return the blob with this digest. See `imgsig.registry.source.Registry`.

        Registries keep blobs in the storage of others: redirects are followed, a few, never from https to http, and
        without any login.
        """
        path = f"blobs/{digest}"
        request = self._request(f"{self._server.url}{self._folder}/{path}", path, max_bytes)
        answer = self._fetcher.ask(self._asker, request, deadline=deadline)
        origin = self.location
        for _ in range(MAX_REDIRECTS):
            if answer.status not in _REDIRECTS:
                break
            origin, request = self._redirected(request, answer)
            if origin == self.location:
                answer = self._fetcher.ask(self._asker, request, deadline=deadline)
            else:
                answer = exchange(self._fetcher.lines, request, deadline=deadline)
        if answer.status == HTTPStatus.NOT_FOUND and origin != self.location:
            # The registry has the blob, and where it keeps it is no registry whose word would count.
            raise _bad(f"{origin}, where {self.location} keeps {path}, does not have it", path)
        return read_body(answer, path, origin)

    def _request(self, url: str, subject: str, max_bytes: int, *, accept: str = "*/*") -> Request:
        return Request(
            self._fetcher.routes.route(self._server),
            url,
            subject=subject,
            max_bytes=max_bytes,
            max_other_bytes=self._fetcher.limits.max_error_body_bytes,
            headers={"Accept": accept},
        )

    def _redirected(self, request: Request, answer: Answer) -> tuple[str, Request]:
        try:
            url = urljoin(request.url, answer.header("Location"))
            target = parse_address(url)
        except ValueError as error:
            raise _bad(f"{self.location} redirects for {request.subject} to what is no URL", request.subject) from error
        if self._server.address.secure and not target.secure:
            msg = f"{self.location} redirects for {request.subject} to {target.origin}, which is not https"
            raise _bad(msg, request.subject)
        route = self._fetcher.routes.realm_route(self._server, target)
        return target.origin, replace(request, route=route, url=url)


def _bad(message: str, subject: str) -> InconclusiveError:
    return InconclusiveError(message, code=Code.BAD_RESPONSE, subject=subject)
