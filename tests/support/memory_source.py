"""Repositories as a `Sources`, without sockets: what a live server's client would hand to an authority."""

from collections.abc import Callable
from typing import final

from imgsig.codes import Code
from imgsig.errors import InconclusiveError, RejectedError
from imgsig.limits import Deadline
from imgsig.source import DocumentMissingError, Endpoint, OutageError, SourceEvidence
from tests.support.repository import METADATA_NOT_FOUND, Reply, SignedRepository

LOCATION = "https://notary.example.com"


@final
class MemorySource:
    """The documents of one repository, answered from memory."""

    def __init__(self, served: Callable[[str], Reply], *, location: str = LOCATION) -> None:
        """Answer with what `served` says for a path."""
        self._served = served
        self.evidence = SourceEvidence("server", location)
        self.fetched: list[str] = []
        """The paths asked for, in order."""

    def fetch(self, path: str, *, max_bytes: int, deadline: Deadline) -> bytes:
        """Return the document at `path`, or raise as a transport does."""
        deadline.remaining_seconds()
        self.fetched.append(path)
        reply = self._served(path)
        if reply.status == 200:
            if len(reply.body) > max_bytes:
                message = f"{path!r} is larger than {max_bytes} bytes"
                raise RejectedError(message, code=Code.LIMIT_EXCEEDED, subject=path)
            return reply.body
        raise _failure(path, reply)


@final
class MemorySources:
    """Opens repositories by name; a name that is not among them has no trust data."""

    def __init__(self, *repositories: SignedRepository, live: bool = True) -> None:
        """Serve `repositories` as they stand at the time of each request."""
        self._repositories = {repository.name: repository for repository in repositories}
        self.live = live
        self.opened: list[Endpoint] = []
        """The endpoints opened, in order."""

    def open(self, endpoint: Endpoint) -> MemorySource:
        """Return the source of the endpoint's name."""
        self.opened.append(endpoint)
        repository = self._repositories.get(endpoint.name)
        return MemorySource(_nothing if repository is None else repository.served, location=endpoint.server or LOCATION)


def source_of(repository: SignedRepository) -> MemorySource:
    """Return the documents of one repository."""
    return MemorySource(repository.served)


def _nothing(path: str) -> Reply:
    del path
    return Reply(404, METADATA_NOT_FOUND)


def _failure(path: str, reply: Reply) -> InconclusiveError:
    message = f"{path!r} was answered with status {reply.status}"
    if reply.status == 404:
        return DocumentMissingError(message, subject=path, body=reply.body[:4096])
    if reply.status == 429:
        return OutageError(message, code=Code.THROTTLED, subject=path)
    if reply.status >= 500:
        return OutageError(message, code=Code.UNREACHABLE, subject=path)
    code = Code.ACCESS_DENIED if reply.status in {401, 403} else Code.BAD_RESPONSE
    return InconclusiveError(message, code=code, subject=path)
