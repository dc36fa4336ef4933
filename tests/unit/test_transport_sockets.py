import errno
import socket
import ssl
import threading
from collections.abc import Callable
from typing import Any

import pytest

from imgsig.codes import Code
from imgsig.errors import InconclusiveError, RejectedError
from imgsig.limits import Deadline
from imgsig.source import OutageError
from imgsig.transport.sockets import MAX_FRAMING_BYTES, MAX_HEAD_BYTES, Watch, WatchedSocket, open_socket, resolve
from tests.support.hostile import HostileServer, reset

PEER = "https://notary.test"


def watch(seconds: float = 5, *, in_body: bool = False) -> Watch:
    made = Watch(PEER)
    made.begin(Deadline(seconds))
    if in_body:
        made.expect_body(100)
    return made


def expired() -> Watch:
    now = [0.0]
    made = Watch(PEER)
    made.begin(Deadline(1, clock=lambda: now[0]))
    now[0] = 2.0
    return made


def addresses_of(*ports: int) -> Any:  # noqa: ANN401 - stands for socket.getaddrinfo
    def look_up(host: str, port: int, **_: object) -> list[tuple[Any, ...]]:
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", each)) for each in ports]

    return look_up


def closed_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


def test_the_next_address_is_tried_when_one_refuses() -> None:
    with HostileServer() as server:
        made = watch()
        connection = open_socket("notary.test", 443, made, look_up=addresses_of(closed_port(), server.port))
        assert connection.getpeername()[1] == server.port
        assert not made.reused
        connection.close()


def test_a_silent_address_does_not_cost_the_next_its_time() -> None:
    silent = socket.socket()
    silent.bind(("127.0.0.1", 0))
    silent.listen(0)
    port = silent.getsockname()[1]
    fillers = [socket.socket() for _ in range(4)]
    for filler in fillers:  # the queue is full, so the next to connect hears nothing
        filler.setblocking(False)
        filler.connect_ex(("127.0.0.1", port))
    with HostileServer() as server:
        connection = open_socket("notary.test", 443, watch(1), look_up=addresses_of(port, server.port))
        assert connection.getpeername()[1] == server.port
        connection.close()
        with pytest.raises(OutageError) as raised:
            open_socket("notary.test", 443, watch(0.2), look_up=addresses_of(port))
        assert raised.value.code is Code.DEADLINE
    for each in (silent, *fillers):
        each.close()


def test_when_none_accepts_the_server_is_unreachable() -> None:
    with pytest.raises(OutageError, match=r"cannot connect to notary\.test port 443: connection refused") as raised:
        open_socket("notary.test", 443, watch(), look_up=addresses_of(closed_port()))
    assert raised.value.code is Code.UNREACHABLE


def test_a_name_without_addresses_is_unreachable() -> None:
    with pytest.raises(OutageError, match="it has no address") as raised:
        open_socket("notary.test", 443, watch(), look_up=addresses_of())
    assert raised.value.code is Code.UNREACHABLE


@pytest.mark.parametrize(
    "error",
    [socket.gaierror(socket.EAI_NONAME, "Name or service not known"), UnicodeError("label too long"), OSError()],
)
def test_a_name_that_cannot_be_resolved_is_unreachable(error: Exception) -> None:
    def look_up(*_: object, **__: object) -> Any:  # noqa: ANN401 - stands for socket.getaddrinfo
        raise error

    with pytest.raises(OutageError, match=r"the name notary\.test cannot be resolved") as raised:
        resolve("notary.test", 443, watch(), look_up=look_up)
    assert raised.value.code is Code.UNREACHABLE


def test_a_resolver_that_hangs_is_abandoned_at_the_deadline() -> None:
    release = threading.Event()
    done = threading.Event()

    def look_up(*_: object, **__: object) -> Any:  # noqa: ANN401 - stands for socket.getaddrinfo
        release.wait(30)
        done.set()
        return []

    with pytest.raises(OutageError) as raised:
        resolve("notary.test", 443, watch(0.2), look_up=look_up)
    assert raised.value.code is Code.DEADLINE
    release.set()
    assert done.wait(5)


def test_an_ip_address_needs_no_thread() -> None:
    askers: list[threading.Thread] = []

    def look_up(*_: object, **__: object) -> Any:  # noqa: ANN401 - stands for socket.getaddrinfo
        askers.append(threading.current_thread())
        return []

    resolve("::1", 443, watch(), look_up=look_up)
    resolve("notary.test", 443, watch(), look_up=look_up)
    assert askers[0] is threading.current_thread()
    assert askers[1] is not threading.current_thread()
    assert askers[1].daemon


def test_a_passed_deadline_is_an_outage_until_the_body_comes() -> None:
    late = expired()
    with pytest.raises(OutageError) as raised:
        late.seconds()
    assert raised.value.code is Code.DEADLINE
    late.expect_body(1)
    with pytest.raises(InconclusiveError) as raised_in_body:
        late.seconds()
    assert type(raised_in_body.value) is InconclusiveError
    assert raised_in_body.value.code is Code.DEADLINE


def test_a_wait_fits_what_sockets_can_wait() -> None:
    assert watch(1e300).seconds() <= 1e6


def test_a_watch_without_a_request_is_a_mistake_of_ours() -> None:
    with pytest.raises(RuntimeError, match="no request has begun"):
        Watch(PEER).seconds()


@pytest.mark.parametrize(
    ("error", "in_body", "code", "outage"),
    [
        (TimeoutError("timed out"), False, Code.DEADLINE, True),
        (TimeoutError("timed out"), True, Code.DEADLINE, False),
        (TimeoutError(errno.ETIMEDOUT, "Connection timed out"), False, Code.UNREACHABLE, True),
        (ConnectionResetError(errno.ECONNRESET, "Connection reset"), False, Code.UNREACHABLE, True),
        (ConnectionResetError(errno.ECONNRESET, "Connection reset"), True, Code.BAD_RESPONSE, False),
        (OSError(errno.EHOSTUNREACH, "No route to host"), False, Code.UNREACHABLE, True),
        (ssl.SSLError(1, "[SSL: BAD_RECORD_MAC]"), False, Code.TLS, False),
        (ssl.SSLError(1, "[SSL: BAD_RECORD_MAC]"), True, Code.TLS, False),
        (ssl.SSLEOFError(8, "EOF"), False, Code.TLS, False),
    ],
)
def test_an_error_means_what_the_request_had_come_to(error: OSError, in_body: bool, code: Code, outage: bool) -> None:
    failed = watch(in_body=in_body).failed(error)
    assert failed.code is code
    assert isinstance(failed, OutageError) is outage


def test_more_bytes_than_a_head_can_need_are_a_bad_response() -> None:
    counting = watch()
    counting.count(MAX_HEAD_BYTES)
    with pytest.raises(InconclusiveError) as raised:
        counting.count(1)
    assert raised.value.code is Code.BAD_RESPONSE


def test_more_bytes_than_a_body_can_need_exceed_the_limit_however_they_are_framed() -> None:
    counting = watch(in_body=True)
    counting.count(2 * 100 + MAX_FRAMING_BYTES)
    with pytest.raises(RejectedError) as raised:
        counting.count(1)
    assert raised.value.code is Code.LIMIT_EXCEEDED


def test_a_new_request_starts_a_new_count() -> None:
    counting = watch(in_body=True)
    counting.count(100)
    counting.begin(Deadline(1))
    assert (counting.received, counting.reused) == (0, True)
    counting.count(MAX_HEAD_BYTES)


def watched_pair(seconds: float) -> tuple[WatchedSocket, socket.socket]:
    plain, other = socket.socketpair()
    watched = WatchedSocket(plain.family, plain.type, plain.proto, plain.detach())
    watched.watch = watch(seconds)
    return watched, other


def test_each_wait_gets_only_what_is_left() -> None:
    watched, other = watched_pair(0.2)
    with watched, other:
        other.sendall(b"abc")
        assert watched.recv(1) == b"a"
        assert watched.recv_into(bytearray(2)) == 2
        assert watched.watch.received == 3
        with pytest.raises(OutageError):
            watched.recv(1)
        with pytest.raises(OutageError):
            watched.recv_into(bytearray(1))
        with pytest.raises(OutageError):
            watched.sendall(b"x")


class _Closed(socket.socket):
    """Stands for a TLS socket whose peer has gone."""

    def sendall(self, data: object, flags: int = 0, /) -> None:
        raise ssl.SSLEOFError(8, "EOF occurred in violation of protocol")


class _WatchedClosed(WatchedSocket, _Closed):
    """The same, watched."""


def test_sending_to_one_who_has_gone_leaves_it_to_the_reader_to_find_out_why() -> None:
    with _WatchedClosed() as connection:
        connection.watch = watch()
        with pytest.raises(BrokenPipeError):
            connection.sendall(b"x")


def test_sending_to_one_who_does_not_read_ends_at_the_deadline() -> None:
    watched, other = watched_pair(0.2)
    with watched, other, pytest.raises(OutageError) as raised:
        watched.sendall(b"x" * 10_000_000)
    assert raised.value.code is Code.DEADLINE


@pytest.mark.parametrize("receive", [lambda it: it.recv(1), lambda it: it.recv_into(bytearray(1))])
def test_receiving_translates_what_the_system_says(receive: Callable[[WatchedSocket], object]) -> None:
    with HostileServer(answers={"/": reset()}) as server:
        connection = open_socket("127.0.0.1", server.port, watch())
        connection.sendall(b"GET / HTTP/1.1\r\n\r\n")
        with pytest.raises(OutageError, match="connection reset by peer") as raised:
            receive(connection)
        assert raised.value.code is Code.UNREACHABLE
        connection.close()
