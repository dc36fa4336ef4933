"""Sockets that obey the deadline and the byte budget of the request in hand, from name resolution to the last byte.

Every wait of a socket is given what is left of the deadline at that moment, so a server that drips one byte at a time
gains nothing by it, and no second thread is needed to end a read. What goes wrong is translated here, where it is
known how far the request had come.
"""

import errno
import ipaddress
import queue
import socket
import ssl
import threading
from collections.abc import Callable
from typing import Any, Final, final

from imgsig.codes import Code
from imgsig.errors import InconclusiveError, RejectedError, VerificationError
from imgsig.limits import Deadline
from imgsig.source import OutageError

MAX_HEAD_BYTES: Final = 1024 * 1024
"""Bytes read before a body begins; real answers need less than 2 KiB."""
MAX_FRAMING_BYTES: Final = 64 * 1024
"""Bytes of chunk sizes and trailers, beyond as many as the body itself may have."""
MAX_ADDRESSES: Final = 16
"""Addresses of one name that are tried."""

_MAX_WAIT_SECONDS: Final = 1e6

LookUp = Callable[..., list[tuple[Any, ...]]]


@final
class Watch:
    """What the sockets of one connection obey. One request at a time uses it, in one thread."""

    def __init__(self, peer: str) -> None:
        """Watch over connections to `peer`, named so in messages."""
        self.peer = peer
        self.reused = False
        """Whether the request in hand was sent over a connection that had served before."""
        self.received = 0
        """Bytes of the answer so far."""
        self.socket: socket.socket | None = None
        """The last one opened."""
        self._deadline: Deadline | None = None
        self._left = 0
        self._in_body = False

    def begin(self, deadline: Deadline) -> None:
        """Start a request: no byte of an answer has come, and no new connection was opened."""
        self._deadline = deadline
        self._left = MAX_HEAD_BYTES
        self.received = 0
        self.reused = True
        self._in_body = False

    def opened(self, connection: socket.socket) -> None:
        """Note that the request in hand is sent over a new connection."""
        self.socket = connection
        self.reused = False

    def expect_body(self, max_bytes: int) -> None:
        """Note that the head has been read, and that the body may have `max_bytes`."""
        self._in_body = True
        self._left = 2 * max_bytes + MAX_FRAMING_BYTES

    def seconds(self) -> float:
        """Return how long a socket may wait now.

        Raises:
            OutageError: the deadline has passed and no whole head of an answer has come (``deadline``).
            InconclusiveError: it has passed in the body (``deadline``).
        """
        deadline = self._running()
        try:
            return min(deadline.remaining_seconds(), _MAX_WAIT_SECONDS)
        except InconclusiveError:
            raise self.late() from None

    def late(self) -> InconclusiveError:
        """Return the error for a wait that the deadline ended."""
        kind = InconclusiveError if self._in_body else OutageError
        seconds = self._running().timeout_seconds
        return kind(
            f"{self.peer} did not answer within {seconds:g} seconds",
            code=Code.DEADLINE,
            subject=self.peer,
        )

    def failed(self, error: OSError) -> InconclusiveError:
        """Return what an error of a connection means at this point."""
        if isinstance(error, ssl.SSLError):
            return tls_failed(self.peer, error)
        if isinstance(error, TimeoutError) and error.errno is None:
            return self.late()
        if self._in_body:
            msg = f"{self.peer} broke off in the middle of its answer: {reason(error)}"
            return InconclusiveError(msg, code=Code.BAD_RESPONSE, subject=self.peer)
        msg = f"{self.peer} closed the connection without an answer: {reason(error)}"
        return OutageError(msg, code=Code.UNREACHABLE, subject=self.peer)

    def count(self, received: int) -> None:
        """Count bytes that came.

        Raises:
            RejectedError: more than the body, however it is framed, can need (``limit_exceeded``).
            InconclusiveError: more than a head can need (``bad_response``).
        """
        self.received += received
        self._left -= received
        if self._left < 0:
            raise self._excess()

    def _excess(self) -> VerificationError:
        if self._in_body:
            msg = f"{self.peer} sends more than the bound for this document allows"
            return RejectedError(msg, code=Code.LIMIT_EXCEEDED, subject=self.peer)
        msg = f"{self.peer} sends headers of more than {MAX_HEAD_BYTES} bytes"
        return InconclusiveError(msg, code=Code.BAD_RESPONSE, subject=self.peer)

    def _running(self) -> Deadline:
        if self._deadline is None:
            msg = "no request has begun"
            raise RuntimeError(msg)
        return self._deadline


class WatchedSocket(socket.socket):
    """A TCP socket that obeys its `watch`."""

    watch: Watch

    def recv(self, bufsize: int, flags: int = 0, /) -> bytes:
        """Receive, in the time that is left."""
        self.settimeout(self.watch.seconds())
        try:
            data = super().recv(bufsize, flags)
        except OSError as error:
            raise self.watch.failed(error) from error
        self.watch.count(len(data))
        return data

    def recv_into(self, buffer: Any, nbytes: int | None = None, flags: int = 0) -> int:  # noqa: ANN401 - any writable buffer, as in socket
        """Receive into `buffer`, in the time that is left."""
        self.settimeout(self.watch.seconds())
        try:
            received = super().recv_into(buffer, nbytes or 0, flags)
        except OSError as error:
            raise self.watch.failed(error) from error
        self.watch.count(received)
        return received

    def sendall(self, data: Any, flags: int = 0, /) -> None:  # noqa: ANN401 - any buffer
        """Send, in the time that is left.

        A connection that the peer has closed is left to the reader: it may have said why.
        """
        self.settimeout(self.watch.seconds())
        try:
            super().sendall(data, flags)
        except TimeoutError as error:
            raise self.watch.failed(error) from error
        except ssl.SSLEOFError as error:
            raise BrokenPipeError(errno.EPIPE, "connection closed") from error


@final
class WatchedTLSSocket(WatchedSocket, ssl.SSLSocket):  # type: ignore[misc]  # recv: named otherwise
    """A TLS socket that obeys its `watch`. Only `imgsig.transport.tls.WatchedContext` makes one."""


def open_socket(host: str, port: int, watch: Watch, *, look_up: LookUp = socket.getaddrinfo) -> WatchedSocket:
    """Return a socket connected to the first address of `host` that answers.

    Each address gets an even share of the time that is left, so that a dead one does not cost the others theirs.

    Raises:
        OutageError: the name has no address or none could be connected to (``unreachable``), or not in time
            (``deadline``).
    """
    addresses = resolve(host, port, watch, look_up=look_up)[:MAX_ADDRESSES]
    last: OSError | None = None
    for index, (family, kind, protocol, _, address) in enumerate(addresses):
        share = watch.seconds() / (len(addresses) - index)
        try:
            return _connected(WatchedSocket(family, kind, protocol), address, share, watch)
        except OSError as error:
            last = error
    if isinstance(last, TimeoutError) and last.errno is None:
        raise watch.late() from last
    msg = f"cannot connect to {host} port {port}: {reason(last)}"
    raise OutageError(msg, code=Code.UNREACHABLE, subject=watch.peer) from last


def resolve(host: str, port: int, watch: Watch, *, look_up: LookUp) -> list[tuple[Any, ...]]:
    """Return the addresses of `host`. A name is looked up on a thread that is abandoned at the deadline.

    Raises:
        OutageError: the name has no address (``unreachable``), or none was found in time (``deadline``).
    """
    answers: queue.SimpleQueue[list[tuple[Any, ...]] | OSError | UnicodeError] = queue.SimpleQueue()

    def ask() -> None:
        try:
            answers.put(look_up(host, port, type=socket.SOCK_STREAM))
        except (OSError, UnicodeError) as error:
            answers.put(error)

    if _is_ip(host):
        ask()
    else:
        threading.Thread(target=ask, name="imgsig-resolver", daemon=True).start()
    try:
        answer = answers.get(timeout=watch.seconds())
    except queue.Empty:
        raise watch.late() from None
    if isinstance(answer, list):
        return answer
    reason = answer.strerror.lower() if isinstance(answer, OSError) and answer.strerror else "no valid name"
    msg = f"the name {host} cannot be resolved: {reason}"
    raise OutageError(msg, code=Code.UNREACHABLE, subject=watch.peer) from answer


def tls_failed(peer: str, error: ssl.SSLError) -> InconclusiveError:
    """Return the error for a TLS connection that could not be made, or broke."""
    sentence = str(getattr(error, "verify_message", "")).strip(".")
    shown = ascii(sentence[:1].lower() + sentence[1:])[1:-1] or str(getattr(error, "reason", "") or "connection closed")
    found = shown if sentence else shown.replace("_", " ").lower()
    return InconclusiveError(f"TLS with {peer} failed: {found}", code=Code.TLS, subject=peer, found=found)


def _connected(connection: WatchedSocket, address: Any, seconds: float, watch: Watch) -> WatchedSocket:  # noqa: ANN401
    try:
        connection.settimeout(seconds)
        connection.connect(address)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    except OSError:
        connection.close()
        raise
    connection.watch = watch
    watch.opened(connection)
    return connection


def _is_ip(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def reason(error: OSError | None) -> str:
    """Return the operating system's word for an error of connecting, in lower case."""
    if error is None:
        return "it has no address"
    return (error.strerror or "connection closed").lower()
