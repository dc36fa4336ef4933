"""A proxy on loopback that forwards and tunnels, as well or as badly as a test tells it to."""

import contextlib
import select
import socket
import ssl
import threading
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Self, final
from urllib.parse import urlsplit

from tests.support.hostile import Recorded, head, issued, loopback_authority, read_request


@final
@dataclass(slots=True)
class ForwardProxy:
    """A proxy on 127.0.0.1: it forwards plain requests, and tunnels what is asked for with CONNECT."""

    refusal: int = 0
    """Refuse every tunnel with this status."""
    login: str = ""
    """Demand this ``Proxy-Authorization``."""
    garbled_from: int | None = None
    """Change every byte that comes back through a tunnel, from this one on."""
    seen: list[str] = field(default_factory=list)
    """The first line of every request."""
    logins: list[str] = field(default_factory=list)
    """Every ``Proxy-Authorization`` that came."""
    _listener: socket.socket | None = None
    _context: ssl.SSLContext | None = None
    tls: bool = False
    """Whether clients reach the proxy itself over TLS."""
    peer_certificates: list[dict[str, Any]] = field(default_factory=list)
    """What clients showed to the proxy, which asks for a certificate but does not insist."""

    def __enter__(self) -> Self:
        """Listen."""
        if self.tls:
            self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            issued(loopback_authority(), "localhost", "127.0.0.1").configure_cert(self._context)
            loopback_authority().configure_trust(self._context)
            self._context.verify_mode = ssl.CERT_OPTIONAL
        self._listener = socket.create_server(("127.0.0.1", 0))
        threading.Thread(target=self._accept, args=(self._listener,), daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop."""
        if self._listener is not None:
            with contextlib.suppress(OSError):
                self._listener.shutdown(socket.SHUT_RDWR)
            self._listener.close()

    @property
    def address(self) -> str:
        """``127.0.0.1:PORT``."""
        if self._listener is None:
            msg = "the proxy is not entered"
            raise RuntimeError(msg)
        return f"127.0.0.1:{self._listener.getsockname()[1]}"

    def _accept(self, listener: socket.socket) -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, plain: socket.socket) -> None:
        with contextlib.suppress(OSError, ValueError):
            inner = plain
            if self._context is not None:
                inner = secured = self._context.wrap_socket(plain, server_side=True)
                self.peer_certificates += [shown] if (shown := secured.getpeercert()) else []
            with contextlib.closing(inner), inner.makefile("rb", buffering=0) as reader:
                self._forward(inner, reader)
        plain.close()

    def _forward(self, inner: socket.socket, reader: Any) -> None:  # noqa: ANN401 - a raw reader
        request = read_request(reader, 0)
        if request is None:
            return
        self.seen.append(f"{request.method} {request.path}")
        login = request.headers.get("proxy-authorization", "")
        if login:
            self.logins.append(login)
        if self.login and login != self.login:
            inner.sendall(head(407, [("Content-Length", "0")]))
        elif request.method != "CONNECT":
            self._forward_plain(inner, request)
        elif self.refusal:
            inner.sendall(head(self.refusal, [("Content-Length", "0")]))
        else:
            # Every name leads to loopback here, so that names that do not exist can be tunnelled to.
            with socket.create_connection(("127.0.0.1", int(request.path.rpartition(":")[2]))) as outer:
                inner.sendall(head(200))
                _copy(inner, outer, self.garbled_from)

    def _forward_plain(self, inner: socket.socket, request: Recorded) -> None:
        target = urlsplit(request.path)
        with socket.create_connection(("127.0.0.1", target.port or 80)) as outer:
            line = f"{request.method} {target.path} HTTP/1.1\r\nHost: {target.netloc}\r\nConnection: close\r\n\r\n"
            outer.sendall(line.encode())
            while received := outer.recv(65_536):
                inner.sendall(received)


def _copy(one: socket.socket, other: socket.socket, garbled_from: int | None) -> None:
    back = 0
    while True:
        ready = [one] if isinstance(one, ssl.SSLSocket) and one.pending() else []
        readable = ready or select.select([one, other], [], [], 30)[0]
        if not readable:
            return
        for source in readable:
            received = source.recv(65_536)
            if not received:
                return
            if source is one:
                other.sendall(received)
                continue
            clear = len(received) if garbled_from is None else max(0, garbled_from - back)
            back += len(received)
            one.sendall(received[:clear] + bytes(byte ^ 0x55 for byte in received[clear:]))
