"""One request and its answer: read to a bound, framing checked, foreign errors translated."""

import http.client
import logging
import re
import ssl
import time
from collections.abc import Container, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib import metadata
from typing import Any, Final, Literal, final

import requests
import urllib3
from requests.structures import CaseInsensitiveDict
from urllib3.exceptions import HTTPError

from imgsig.codes import Code
from imgsig.errors import InconclusiveError, RejectedError, VerificationError
from imgsig.limits import Deadline
from imgsig.source import OutageError
from imgsig.strictjson import quote
from imgsig.transport.connections import Line, Lines, Route
from imgsig.transport.sockets import tls_failed

LOGGER: Final = logging.getLogger("imgsig")

_CHUNK: Final = 1024 * 1024
_READ_IN_PART: Final = frozenset({401, 404})
"""Refusals whose body says something, or whose connection is worth keeping."""
_LENGTH: Final = re.compile(r"[0-9]{1,64}")
_REFUSED_TUNNEL: Final = re.compile(r"Tunnel connection failed: ([0-9]{3})")


@final
@dataclass(frozen=True, slots=True)
class Request:
    """What to ask, and how much of an answer to read."""

    route: Route
    url: str
    subject: str
    """What is asked for, in messages."""
    max_bytes: int
    """Longest body of a wanted answer; a longer one is an error."""
    max_other_bytes: int
    """How much of a 401's or 404's body is read; the rest is cut off. Of all others none is."""
    wanted: Container[int] = frozenset({200})
    method: Literal["GET", "POST"] = "GET"
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    body: bytes | None = field(default=None, repr=False)


@final
@dataclass(frozen=True, slots=True)
class Answer:
    """What came back."""

    status: int
    headers: Any
    """A case-insensitive multi-dict: ``getlist``."""
    body: bytes = field(repr=False)

    def header(self, name: str) -> str:
        """Return the values of a header, joined by commas; empty if it is absent."""
        return ", ".join(self.headers.getlist(name))


def exchange(lines: Lines, request: Request, *, deadline: Deadline) -> Answer:
    """Send `request` and return its answer, whatever the status.

    When a kept connection turns out to be dead before a byte came, a GET is sent once more over a new one: the
    server had closed it meanwhile, and the first attempt was never answered. Nothing else is tried again.

    Raises:
        OutageError: no connection, or no head of an answer in time (``unreachable``, ``deadline``).
        InconclusiveError: TLS failed (``tls``); the answer is not HTTP, is encoded, or its body is cut short or not
            framed as it should be (``bad_response``); the body did not come in time (``deadline``).
        RejectedError: a wanted body is longer than `max_bytes`, by its declared or its true length.
    """
    started = time.monotonic()
    deadline.remaining_seconds()  # once it has passed nothing is asked, and then nobody failed to answer
    try:
        answer = _exchange_over_kept(lines, request, deadline)
    except VerificationError as error:
        LOGGER.debug("%s %s failed: %s", request.method, bare(request.url), error)
        raise
    milliseconds = (time.monotonic() - started) * 1000
    size = len(answer.body)
    LOGGER.debug("%s %s: %d, %d bytes, %.0f ms", request.method, bare(request.url), answer.status, size, milliseconds)
    return answer


def _exchange_over_kept(lines: Lines, request: Request, deadline: Deadline) -> Answer:
    line = lines.lease(request.route)
    try:
        return _exchange(lines, line, request, deadline)
    except OutageError as error:
        dead = line.watch.reused and not line.watch.received and error.code is Code.UNREACHABLE
        if not dead or request.method != "GET":
            raise
    return _exchange(lines, Line(request.route), request, deadline)


def _exchange(lines: Lines, line: Line, request: Request, deadline: Deadline) -> Answer:
    response = None
    finished = False
    try:
        response = _head(line, request, deadline)
        body = _body(response.raw, response.status_code, line, request)
        finished = response.raw.isclosed()
        return Answer(response.status_code, response.raw.headers, body)
    finally:
        if finished:
            lines.give_back(line)
        else:
            if response is not None:
                response.close()
            line.close()


def _head(line: Line, request: Request, deadline: Deadline) -> requests.Response:
    prepared = requests.PreparedRequest()  # filled in here: the URL goes out as it was checked, not quoted anew
    prepared.method, prepared.url = request.method, request.url
    headers = {"User-Agent": user_agent(), "Accept-Encoding": "identity", **request.headers}
    if request.body is not None:
        prepared.body = request.body
        headers["Content-Length"] = str(len(request.body))
    prepared.headers = CaseInsensitiveDict(headers)
    try:
        return line.send(prepared, deadline=deadline)
    except (requests.RequestException, HTTPError, http.client.HTTPException, OSError, ValueError) as error:
        raise _head_failed(error, line) from error


def _body(raw: urllib3.HTTPResponse, status: int, line: Line, request: Request) -> bytes:
    whole = status in request.wanted
    if not (whole or status in _READ_IN_PART):
        return b""
    declared = _declared_length(raw.headers, request)
    if whole and declared is not None and declared > request.max_bytes:
        raise _too_long(request, f"{declared} bytes")
    max_bytes = request.max_bytes if whole else request.max_other_bytes
    line.watch.expect_body(max_bytes)
    chunks: list[bytes] = []
    left = max_bytes + whole  # one more shows that a whole body is too long
    while left:
        chunk = _chunk(raw, min(_CHUNK, left), line, request)
        if not chunk:
            return b"".join(chunks)
        chunks.append(chunk)
        left -= len(chunk)
    if whole:
        raise _too_long(request, f"more than {max_bytes} bytes")
    return b"".join(chunks)


def _chunk(raw: urllib3.HTTPResponse, size: int, line: Line, request: Request) -> bytes:
    try:
        return raw.read(size, decode_content=False)
    except (HTTPError, http.client.HTTPException, OSError, ValueError) as error:
        for cause in _causes(error):
            if isinstance(cause, ssl.SSLError):
                raise tls_failed(line.watch.peer, cause) from error
        raise _bad(f"the answer for {request.subject} is cut short or badly framed", request) from error


def _declared_length(headers: urllib3.HTTPHeaderDict, request: Request) -> int | None:
    """Return the declared length; None if the body is chunked or ends with the connection.

    Stricter than the reference client: what HTTP forbids about lengths and encodings is refused, not interpreted.
    """
    if any(encoding.strip().lower() != "identity" for encoding in headers.getlist("Content-Encoding")):
        found = quote(headers.get("Content-Encoding"))
        raise _bad(f"{request.subject} came encoded as {found}, which was not asked for", request)
    lengths = set(headers.getlist("Content-Length"))
    transfer = [encoding.strip().lower() for encoding in headers.getlist("Transfer-Encoding")]
    if transfer and (transfer != ["chunked"] or lengths):
        raise _bad(f"{request.subject} came with a transfer encoding that HTTP does not allow here", request)
    if not lengths:
        return None
    length = lengths.pop()
    if lengths or not _LENGTH.fullmatch(length):
        raise _bad(f"{request.subject} came with the length {quote(length)}", request)
    return int(length)


def _head_failed(error: Exception, line: Line) -> InconclusiveError:
    peer = line.watch.peer
    for cause in _causes(error):
        refused = _REFUSED_TUNNEL.match(str(cause))
        if refused is not None:
            return _tunnel_refused(int(refused[1]), peer)
        if isinstance(cause, http.client.RemoteDisconnected):
            msg = f"{peer} closed the connection without an answer"
            return OutageError(msg, code=Code.UNREACHABLE, subject=peer)
        if isinstance(cause, OSError) and cause.errno is not None:
            return line.watch.failed(cause)
    return InconclusiveError(f"{peer} gave no well-formed HTTP answer", code=Code.BAD_RESPONSE, subject=peer)


def _tunnel_refused(status: int, peer: str) -> InconclusiveError:
    msg = f"the proxy refused a connection to {peer} with status {status}"
    if status >= http.client.INTERNAL_SERVER_ERROR:
        return OutageError(msg, code=Code.UNREACHABLE, subject=peer)
    denied = status in {http.client.PROXY_AUTHENTICATION_REQUIRED, http.client.FORBIDDEN}
    code = Code.ACCESS_DENIED if denied else Code.BAD_RESPONSE
    return InconclusiveError(msg, code=code, subject=peer, hint="check the proxy and the login for it")


def _causes(error: BaseException) -> Iterator[BaseException]:
    """Yield `error` and what is wrapped in it: as a cause, a context or an argument."""
    wrapped: list[object] = [error]
    seen: set[int] = set()
    while wrapped:
        inner = wrapped.pop(0)
        if isinstance(inner, BaseException) and id(inner) not in seen:
            seen.add(id(inner))
            yield inner
            wrapped += [inner.__cause__ or inner.__context__, *inner.args]


def _too_long(request: Request, found: str) -> RejectedError:
    msg = f"{request.subject} is longer than {request.max_bytes} bytes"
    expected = f"at most {request.max_bytes} bytes"
    return RejectedError(msg, code=Code.LIMIT_EXCEEDED, subject=request.subject, expected=expected, found=found)


def _bad(message: str, request: Request) -> InconclusiveError:
    return InconclusiveError(message, code=Code.BAD_RESPONSE, subject=request.subject)


def bare(url: str) -> str:
    """Return `url` without its query, which may say who asks."""
    return url.partition("?")[0]


@cache
def user_agent() -> str:
    """Return how requests name their sender."""
    try:
        return f"imgsig/{metadata.version('imgsig')}"
    except metadata.PackageNotFoundError:
        return "imgsig/unknown"  # run from a checkout that is not installed
