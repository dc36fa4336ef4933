"""A loopback server that answers just as badly as a test tells it to, and remembers what it was asked.

A test says what is answered at a path, in one line::

    with HostileServer() as server:
        server.answers["/v2/NAME/_trust/tuf/timestamp.json"] = reply(b"{}")
        server.answers["/v2/NAME/_trust/tuf/root.json"] = endless_body()
        ...
        assert server.requests[0].headers["authorization"] == "Bearer …"
"""

import base64
import contextlib
import gzip
import json
import select
import socket
import ssl
import struct
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self, final
from urllib.parse import parse_qs, urlsplit

import trustme

REASONS: Final = {200: "OK", 301: "Moved Permanently", 302: "Found", 401: "Unauthorized", 404: "Not Found"}
HTML: Final = b"<!DOCTYPE html><html><body>Please log in to the network</body></html>"
_MAX_HEAD_BYTES: Final = 65_536


@cache
def loopback_authority() -> trustme.CA:
    """Return the private CA of this test run."""
    return trustme.CA()


@cache
def issued(authority: trustme.CA, *identities: str) -> trustme.LeafCert:
    """Return one certificate for the whole test run: making them is slow."""
    return authority.issue_cert(*identities)


def write_ca(folder: Path) -> Path:
    """Write the certificate of that CA into `folder` and return its path."""
    path = folder / "private-ca.pem"
    loopback_authority().cert_pem.write_to_path(str(path))
    return path


@final
@dataclass(frozen=True, slots=True)
class Recorded:
    """One request that came."""

    method: str
    path: str
    """With the query."""
    headers: Mapping[str, str]
    """By name in lower case."""
    body: bytes
    connection: int
    """Which connection it came over, counted from 1."""

    @property
    def query(self) -> dict[str, list[str]]:
        """The parsed query."""
        return parse_qs(urlsplit(self.path).query)

    @property
    def form(self) -> dict[str, list[str]]:
        """The parsed form in the body."""
        return parse_qs(self.body.decode())


@final
@dataclass(slots=True)
class Conversation:
    """One request being answered: what an answer may use."""

    request: Recorded
    connection: socket.socket
    stopping: threading.Event
    """Set when the server is about to stop: whoever waits, waits on this."""
    meter: Callable[[int], None]
    """Told how many bytes the other side took."""
    keep: bool = True
    """Whether the connection stays open for another request."""

    def send(self, raw: bytes) -> None:
        """Send bytes as they are."""
        self.connection.sendall(raw)
        self.meter(len(raw))

    def wait(self, seconds: float) -> bool:
        """Wait, unless the server stops or the client hangs up; return whether to go on."""
        ends = time.monotonic() + seconds
        while not self.stopping.is_set() and time.monotonic() < ends:
            readable, _, _ = select.select([self.connection], [], [], min(0.02, seconds))
            if readable:
                return False
        return not self.stopping.is_set()


Answer = Callable[[Conversation], None]


def head(status: int, headers: Sequence[tuple[str, str]] = ()) -> bytes:
    """Return a status line and headers."""
    lines = [f"HTTP/1.1 {status} {REASONS.get(status, 'Whatever')}", *(f"{name}: {value}" for name, value in headers)]
    return "\r\n".join([*lines, "", ""]).encode("latin-1")


def reply(
    body: bytes | dict[str, Any] = b"{}", *, status: int = 200, headers: Sequence[tuple[str, str]] = ()
) -> Answer:
    """Answer properly."""
    raw_body = body if isinstance(body, bytes) else json.dumps(body).encode()

    def answer(conversation: Conversation) -> None:
        conversation.send(head(status, [*headers, ("Content-Length", str(len(raw_body)))]) + raw_body)

    return answer


def raw(text: bytes) -> Answer:
    """Send these bytes, whatever they are, and close."""

    def answer(conversation: Conversation) -> None:
        conversation.keep = False
        conversation.send(text)

    return answer


def in_turn(*answers: Answer) -> Answer:
    """Answer the first request with the first, and so on; the last stays."""
    left = list(answers)
    lock = threading.Lock()

    def answer(conversation: Conversation) -> None:
        with lock:
            present = left.pop(0) if len(left) > 1 else left[0]
        present(conversation)

    return answer


def redirect(target: str, *, status: int = 302) -> Answer:
    """Redirect to `target`, with an endless page for whoever reads it."""

    def answer(conversation: Conversation) -> None:
        conversation.send(head(status, [("Location", target), ("Transfer-Encoding", "chunked")]))
        _endlessly(conversation, b"400\r\n" + b"x" * 1024 + b"\r\n")

    return answer


def web_page(*, status: int = 200) -> Answer:
    """Answer with HTML, as a proxy or a captive portal does."""
    return reply(HTML, status=status, headers=[("Content-Type", "text/html; charset=utf-8")])


def endless_body(*, status: int = 200, chunked: bool = False, declared: int | None = None) -> Answer:
    """Begin a JSON object and never end it."""

    def answer(conversation: Conversation) -> None:
        length = [] if declared is None else [("Content-Length", str(declared))]
        conversation.send(head(status, [("Transfer-Encoding", "chunked")] if chunked else length))
        block = b'{"a":"' + b"x" * 4090
        _endlessly(conversation, b"%x\r\n%b\r\n" % (len(block), block) if chunked else block)

    return answer


def endless_headers() -> Answer:
    """Send header lines for ever: informational answers, as they have no limit of their own."""

    def answer(conversation: Conversation) -> None:
        _endlessly(conversation, b"HTTP/1.1 100 Continue\r\nX: " + b"x" * 4000 + b"\r\n\r\n")

    return answer


def dripping(whole: bytes, *, after: int = 0, seconds: float = 0.05) -> Answer:
    """Send `after` bytes at once and the rest byte by byte, each `seconds` after the other."""

    def answer(conversation: Conversation) -> None:
        conversation.keep = False
        conversation.send(whole[:after])
        for index in range(after, len(whole)):
            if not conversation.wait(seconds):
                return
            conversation.send(whole[index : index + 1])

    return answer


def dripping_headers() -> Answer:
    """Drip in a head that never ends in time."""
    return dripping(head(200, [("X-Long", "x" * 4000)]))


def dripping_body(*, status: int = 200) -> Answer:
    """Send the head at once and drip in the body."""
    start = head(status, [("Content-Length", "4002")])
    return dripping(start + b'{"' + b"x" * 4000, after=len(start) + 1)


def cut_short(body: bytes, *, missing: int = 1) -> Answer:
    """Declare a longer body than is sent, and close."""
    return raw(head(200, [("Content-Length", str(len(body) + missing))]) + body)


def declared_as(length: str, body: bytes = b"{}") -> Answer:
    """Send `body` with this ``Content-Length``, whatever it says."""
    return raw(head(200, [("Content-Length", length)]) + body)


def with_surplus(body: bytes, surplus: bytes) -> Answer:
    """Answer properly, and send on what nobody asked for over the same connection."""

    def answer(conversation: Conversation) -> None:
        conversation.send(head(200, [("Content-Length", str(len(body)))]) + body + surplus)

    return answer


def chunks(*pieces: bytes) -> Answer:
    """Send these bytes as what should be a chunked body, and close."""
    return raw(head(200, [("Transfer-Encoding", "chunked")]) + b"".join(pieces))


def gzip_bomb(*, megabytes: int = 64) -> Answer:
    """Answer with a body encoded though nobody asked for it: small on the wire, huge when decoded."""
    packed = gzip.compress(b'{"' + b" " * (megabytes * 1024 * 1024))
    return reply(packed, headers=[("Content-Encoding", "gzip")])


def stall(seconds: float = 30.0) -> Answer:
    """Accept the request and say nothing."""

    def answer(conversation: Conversation) -> None:
        conversation.keep = False
        conversation.wait(seconds)

    return answer


def hang_up() -> Answer:
    """Close the connection without a word."""

    def answer(conversation: Conversation) -> None:
        conversation.keep = False

    return answer


def reset(*, after: bytes = b"") -> Answer:
    """Send these bytes and reset the connection."""

    def answer(conversation: Conversation) -> None:
        conversation.keep = False
        if after:
            conversation.send(after)
            conversation.wait(0.05)  # or the reset overtakes them
        reset_connection(conversation.connection)

    return answer


def unauthorised(*challenges: str, body: bytes = b'{"errors":[{"code":"UNAUTHORIZED"}]}') -> Answer:
    """Demand a login, each challenge on a line of its own."""
    return reply(body, status=401, headers=[("WWW-Authenticate", challenge) for challenge in challenges])


def bearer(realm: str, *, service: str = "notary.test") -> str:
    """Return the challenge that sends to the token service at `realm`."""
    return f'Bearer realm="{realm}",service="{service}",scope="repository:other:pull,push"'


def for_authorization(expected: str, wanted: Answer, otherwise: Answer) -> Answer:
    """Answer by whether the request shows exactly this ``Authorization``."""

    def answer(conversation: Conversation) -> None:
        shown = conversation.request.headers.get("authorization")
        (wanted if shown == expected else otherwise)(conversation)

    return answer


def basic(username: str, password: str) -> str:
    """Return the ``Authorization`` of a name and password."""
    return "Basic " + base64.b64encode(f"{username}:{password}".encode()).decode()


def reset_connection(connection: socket.socket) -> None:
    """Close a connection with a reset."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()


@final
@dataclass(slots=True)
class HostileServer:
    """Listens on 127.0.0.1 while it is entered; what has no answer is a 404."""

    tls: bool = False
    """Whether to speak TLS, with a certificate of `loopback_authority`."""
    identities: tuple[str, ...] = ("localhost", "127.0.0.1")
    """What the certificate is good for."""
    authority: trustme.CA | None = None
    """Another CA for the certificate."""
    client_authority: trustme.CA | None = None
    """Demand a client certificate of this CA."""
    newest_tls: ssl.TLSVersion | None = None
    """Speak no newer TLS than this."""
    greeting: bytes = b""
    """Send this to whoever connects, before any handshake."""
    dripping_greeting: bytes = b""
    """Send this, byte by byte."""
    stalled_handshake: bool = False
    """Accept connections and say nothing at all."""
    answers: dict[str, Answer] = field(default_factory=dict)
    """By path without query."""
    requests: list[Recorded] = field(default_factory=list)
    """Every request that was understood, in order."""
    connections: int = 0
    """How many were accepted."""
    sent: int = 0
    """How many bytes of answers were taken, by the clients or by the buffers on the way."""
    peer_certificates: list[dict[str, Any]] = field(default_factory=list)
    """What clients showed in TLS."""
    _listener: socket.socket | None = None
    _context: ssl.SSLContext | None = None
    _open: set[socket.socket] = field(default_factory=set)
    _threads: list[threading.Thread] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _stopping: threading.Event = field(default_factory=threading.Event)

    def __enter__(self) -> Self:
        """Listen."""
        if self.tls:
            self._context = self._make_context()
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=128)
        self._spawn(self._accept, self._listener)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop, and end every connection."""
        self.stop()

    @property
    def port(self) -> int:
        """Where it listens."""
        if self._listener is None:
            msg = "the server is not entered"
            raise RuntimeError(msg)
        return int(self._listener.getsockname()[1])

    @property
    def url(self) -> str:
        """The server's URL with the host ``localhost``."""
        return self.url_at("localhost")

    def url_at(self, host: str) -> str:
        """Return the server's URL with another spelling of loopback."""
        return f"{'https' if self.tls else 'http'}://{host}:{self.port}"

    def stop(self) -> None:
        """Refuse connections from now on, and end those there are."""
        self._stopping.set()
        if self._listener is not None:
            with contextlib.suppress(OSError):
                self._listener.shutdown(socket.SHUT_RDWR)
            self._listener.close()
        self.drop_connections()
        for thread in self._threads:
            thread.join(5)

    def drop_connections(self) -> None:
        """End every connection, as a server that restarts does."""
        with self._lock:
            dropped, self._open = self._open, set()
        for connection in dropped:
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)

    def _make_context(self) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        issued(self.authority or loopback_authority(), *self.identities).configure_cert(context)
        if self.newest_tls is not None:
            context.minimum_version = ssl.TLSVersion.MINIMUM_SUPPORTED
            context.maximum_version = self.newest_tls
            context.set_ciphers("DEFAULT:@SECLEVEL=0")
        if self.client_authority is not None:
            context.verify_mode = ssl.CERT_REQUIRED
            self.client_authority.configure_trust(context)
        return context

    def _spawn(self, target: Callable[[socket.socket], None], connection: socket.socket) -> None:
        thread = threading.Thread(target=target, args=(connection,), daemon=True)
        self._threads.append(thread)
        thread.start()

    def _count(self, sent: int) -> None:
        with self._lock:
            self.sent += sent

    def _accept(self, listener: socket.socket) -> None:
        while not self._stopping.is_set():
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            with self._lock:
                self._open.add(connection)
                self.connections += 1
            self._spawn(self._serve, connection)

    def _serve(self, connection: socket.socket) -> None:
        number = self.connections
        with connection, contextlib.suppress(OSError, ValueError):
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._greet(connection)
            if self.stalled_handshake:
                self._stopping.wait(30)
            else:
                with contextlib.closing(self._secured(connection)) as secured:
                    self._converse(secured, number)
        with self._lock:
            self._open.discard(connection)

    def _greet(self, connection: socket.socket) -> None:
        connection.sendall(self.greeting)
        for index in range(len(self.dripping_greeting)):
            if self._stopping.wait(0.05):
                return
            connection.sendall(self.dripping_greeting[index : index + 1])

    def _secured(self, connection: socket.socket) -> socket.socket:
        if self._context is None:
            return connection
        secured = self._context.wrap_socket(connection, server_side=True, suppress_ragged_eofs=True)
        with self._lock:
            self._open.discard(connection)
            self._open.add(secured)
        certificate = secured.getpeercert()
        if certificate:
            self.peer_certificates.append(certificate)
        return secured

    def _converse(self, connection: socket.socket, number: int) -> None:
        with connection.makefile("rb") as reader:
            while not self._stopping.is_set():
                request = read_request(reader, number)
                if request is None:
                    return
                self.requests.append(request)
                conversation = Conversation(request, connection, self._stopping, self._count)
                self.answers.get(urlsplit(request.path).path, _missing)(conversation)
                if not conversation.keep:
                    return


def read_request(reader: Any, number: int) -> Recorded | None:  # noqa: ANN401 - a binary reader
    """Return the request that comes next, None if the client hangs up."""
    text = b""
    while not text.endswith(b"\r\n\r\n"):
        line = reader.readline(_MAX_HEAD_BYTES)
        if not line or len(text) > _MAX_HEAD_BYTES:
            return None
        text += line
    first, *rest = text.decode("latin-1").strip().split("\r\n")
    method, path, _ = first.split(" ", 2)
    headers = {}
    for line in rest:
        name, _, value = line.partition(":")
        headers[name.strip().lower()] = value.strip()
    return Recorded(method, path, headers, reader.read(int(headers.get("content-length", "0"))), number)


def _endlessly(conversation: Conversation, block: bytes) -> None:
    conversation.keep = False
    while not conversation.stopping.is_set():
        conversation.send(block)


_missing: Final = reply(b"no such page", status=404)
