import os
import socket
import threading
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from imgsig.codes import Code
from imgsig.errors import InconclusiveError, UsageError, VerificationError
from imgsig.source import DocumentMissingError, OutageError
from imgsig.transport import HttpSources, Proxies, Server
from imgsig.transport.connections import MAX_IDLE_CONNECTIONS, MAX_IDLE_SECONDS, Line, Lines, Route
from tests.support.asking import FOLDER, TARGET, client, endpoint, fetch
from tests.support.forks import in_child
from tests.support.forward_proxy import ForwardProxy
from tests.support.hostile import (
    Answer,
    Conversation,
    HostileServer,
    basic,
    hang_up,
    head,
    in_turn,
    loopback_authority,
    raw,
    reply,
    reset,
    stall,
    unauthorised,
    web_page,
    with_surplus,
    write_ca,
)

BODY = b'{"signed":{}}'
OK = reply(BODY)


@pytest.fixture
def ca(tmp_path: Path) -> Path:
    return write_ca(tmp_path)


@pytest.fixture(params=[False, True], ids=["http", "https"])
def server(request: pytest.FixtureRequest) -> Iterator[HostileServer]:
    with HostileServer(tls=request.param, answers={TARGET: OK}) as listening:
        yield listening


def test_requests_one_after_the_other_share_a_connection(server: HostileServer, ca: Path) -> None:
    with client(server, ca=ca) as sources:
        for _ in range(5):
            assert fetch(sources, server.url) == BODY
        assert fetch(sources.open(endpoint(server.url, name="registry.test/team/app"))) == BODY
    assert (server.connections, len(server.requests)) == (1, 6)


def test_a_connection_is_kept_after_a_404_and_a_401(server: HostileServer, ca: Path) -> None:
    server.answers[TARGET] = in_turn(reply(b"no", status=404), unauthorised("Negotiate"), OK)
    with client(server, ca=ca) as sources:
        with pytest.raises(DocumentMissingError):
            fetch(sources, server.url)
        with pytest.raises(InconclusiveError):
            fetch(sources, server.url)
        assert fetch(sources, server.url) == BODY
    assert server.connections == 1


@pytest.mark.parametrize(
    "bad",
    [
        reply(b"x" * 10_000, status=404),
        reply(b"x" * 10_000, status=500),
        reply(b"x", status=403),
        web_page(status=302),
        raw(head(200, [("Connection", "close"), ("Content-Length", "2")]) + b"{}"),
        raw(b"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\n{}"),
        reply(b"{" + b" " * 100_000),
        reply(b"{}", headers=[("Content-Encoding", "gzip")]),
    ],
)
def test_a_connection_in_doubt_is_not_used_again(server: HostileServer, ca: Path, bad: Answer) -> None:
    server.answers[FOLDER + "bad.json"] = bad
    with client(server, ca=ca) as sources:
        with suppress(VerificationError):
            fetch(sources, server.url, path="bad.json")
        assert fetch(sources, server.url) == BODY
    assert server.connections == 2


@pytest.mark.parametrize("surplus", [b"x", head(200, [("Content-Length", "10")]) + b'{"evil":1}', b"x" * 40_000])
def test_what_comes_after_an_answer_is_no_part_of_the_next(server: HostileServer, ca: Path, surplus: bytes) -> None:
    server.answers[TARGET] = in_turn(with_surplus(b"{}", surplus), OK)
    with client(server, ca=ca) as sources:
        assert fetch(sources, server.url) == b"{}"
        assert fetch(sources, server.url) == BODY


def test_a_server_that_has_restarted_is_asked_over_a_new_connection(server: HostileServer, ca: Path) -> None:
    with client(server, ca=ca) as sources:
        fetch(sources, server.url)
        server.drop_connections()
        assert fetch(sources, server.url) == BODY
    assert server.connections == 2


@pytest.mark.parametrize("death", [hang_up(), reset()], ids=["hang-up", "reset"])
def test_a_kept_connection_that_dies_under_a_request_is_replaced_once(
    server: HostileServer, ca: Path, death: Answer
) -> None:
    with client(server, ca=ca) as sources:
        fetch(sources, server.url)
        server.answers[TARGET] = in_turn(death, OK)
        assert fetch(sources, server.url) == BODY
        server.answers[TARGET] = in_turn(death, death, OK)
        with pytest.raises(OutageError) as raised:
            fetch(sources, server.url)
        assert raised.value.code is Code.UNREACHABLE


def test_a_new_connection_that_dies_is_not_replaced(server: HostileServer, ca: Path) -> None:
    server.answers[TARGET] = in_turn(hang_up(), OK)
    with client(server, ca=ca) as sources, pytest.raises(OutageError):
        fetch(sources, server.url)
    assert len(server.requests) == 1


def test_a_kept_connection_that_begins_to_answer_is_not_replaced(server: HostileServer, ca: Path) -> None:
    with client(server, ca=ca) as sources:
        fetch(sources, server.url)
        server.answers[TARGET] = in_turn(raw(b"HTTP/1.1 2"), OK)
        with pytest.raises(InconclusiveError) as raised:
            fetch(sources, server.url)
        assert raised.value.code is Code.BAD_RESPONSE
    assert len(server.requests) == 2


def test_a_connection_that_was_idle_for_long_is_not_trusted(server: HostileServer, ca: Path) -> None:
    now = [0.0]
    with client(server, ca=ca, clock=lambda: now[0]) as sources:
        fetch(sources, server.url)
        now[0] += MAX_IDLE_SECONDS - 1
        fetch(sources, server.url)
        assert server.connections == 1
        now[0] += MAX_IDLE_SECONDS
        fetch(sources, server.url)
    assert server.connections == 2


def test_threads_have_connections_of_their_own(server: HostileServer, ca: Path) -> None:
    gathered = threading.Barrier(8)

    def together(conversation: Conversation) -> None:
        gathered.wait(10)
        OK(conversation)

    server.answers[TARGET] = together
    found: list[bytes] = []
    with client(server, ca=ca) as sources:
        source = sources.open(endpoint(server.url))
        for _ in range(2):
            threads = [threading.Thread(target=lambda: found.append(fetch(source))) for _ in range(8)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
    assert found == [BODY] * 16
    assert server.connections == 8


def test_no_thread_is_left_behind(server: HostileServer, ca: Path) -> None:
    server.answers[TARGET] = in_turn(OK, stall())
    with client(server, ca=ca) as sources:
        fetch(sources, server.url)
        with pytest.raises(OutageError):
            fetch(sources, server.url, seconds=0.2)
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("imgsig")]


def test_closing_ends_the_kept_connections(server: HostileServer, ca: Path) -> None:
    sources = client(server, ca=ca)
    sources.close()
    fetch(sources, server.url)
    fetch(sources, server.url)
    assert server.connections == 1
    sources.close()
    fetch(sources, server.url)
    fetch(sources, server.url)
    assert server.connections == 3, "what is used after closing is not kept"


def test_a_child_process_does_not_touch_its_parents_connections(server: HostileServer, ca: Path) -> None:
    with client(server, ca=ca) as sources:
        source = sources.open(endpoint(server.url))
        fetch(source)
        assert in_child(lambda: _expect(fetch(source) == BODY)) == 0
        assert in_child(sources.close) == 0
        assert fetch(source) == BODY
    assert server.connections == 2


def _expect(holds: bool) -> None:
    if not holds:
        os._exit(9)


def kept(lines: Lines, count: int) -> list[Line]:
    made = [Line(Route(f"http://{number}.test", None)) for number in range(count)]
    for line in made:
        line.watch.opened(socket.socket())
        lines.give_back(line)
    return made


def is_open(line: Line) -> bool:
    return line.watch.socket is not None


def test_only_so_many_connections_are_kept_and_the_newest_stay() -> None:
    lines = Lines()
    made = kept(lines, MAX_IDLE_CONNECTIONS + 3)
    assert [is_open(line) for line in made] == [False] * 3 + [True] * MAX_IDLE_CONNECTIONS
    lines.close()
    assert not any(is_open(line) for line in made)


def test_old_connections_are_closed_when_another_is_given_back() -> None:
    now = [0.0]
    lines = Lines(clock=lambda: now[0])
    old = kept(lines, 2)
    now[0] = MAX_IDLE_SECONDS
    new = kept(lines, 1)
    assert [is_open(line) for line in (*old, *new)] == [False, False, True]
    lines.close()


def proxied(server: HostileServer, ca: Path, proxies: Proxies, *, host: str = "notary.test") -> bytes:
    url = server.url_at(host)
    with HttpSources(servers=[Server(url, ca_file=ca)], proxies=proxies) as sources:
        return fetch(sources, url)


NAMED = ("notary.test", "localhost")


def test_an_https_server_is_reached_through_a_tunnel(ca: Path) -> None:
    with HostileServer(tls=True, identities=NAMED, answers={TARGET: OK}) as server, ForwardProxy() as proxy:
        assert proxied(server, ca, Proxies(https=proxy.address)) == BODY
        assert proxy.seen == [f"CONNECT notary.test:{server.port}"]
        assert server.requests[0].headers["host"] == f"notary.test:{server.port}"
        assert "proxy-authorization" not in server.requests[0].headers


def test_a_tunnel_is_kept_too(ca: Path) -> None:
    with HostileServer(tls=True, identities=NAMED, answers={TARGET: OK}) as server, ForwardProxy() as proxy:
        url = server.url_at("notary.test")
        with HttpSources(servers=[Server(url, ca_file=ca)], proxies=Proxies(https=proxy.address)) as sources:
            assert [fetch(sources, url) for _ in range(3)] == [BODY] * 3
        assert len(proxy.seen) == 1


def test_the_certificate_is_checked_through_a_tunnel(ca: Path) -> None:
    with HostileServer(tls=True, identities=("other.test",)) as server, ForwardProxy() as proxy:
        with pytest.raises(InconclusiveError) as raised:
            proxied(server, ca, Proxies(https=proxy.address))
        assert raised.value.code is Code.TLS
        assert not isinstance(raised.value, OutageError)


def test_an_http_server_is_reached_through_a_forwarding_proxy(ca: Path) -> None:
    with HostileServer(answers={TARGET: OK}) as server, ForwardProxy() as proxy:
        assert proxied(server, ca, Proxies(http=proxy.address)) == BODY
        assert proxy.seen == [f"GET {server.url_at('notary.test')}{TARGET}"]


@pytest.mark.parametrize("tls", [False, True])
def test_a_proxys_user_is_shown_to_the_proxy_alone(ca: Path, tls: bool) -> None:
    login = basic("alice", "s3:cret")
    with (
        HostileServer(tls=tls, identities=NAMED, answers={TARGET: OK}) as server,
        ForwardProxy(login=login) as proxy,
    ):
        url = f"http://alice:s3%3Acret@{proxy.address}"
        assert proxied(server, ca, Proxies(http=url, https=url)) == BODY
        assert proxy.logins == [login]
        assert "proxy-authorization" not in server.requests[0].headers


def test_a_proxy_may_be_reached_over_tls_and_is_checked(ca: Path) -> None:
    with HostileServer(tls=True, identities=NAMED, answers={TARGET: OK}) as server, ForwardProxy(tls=True) as proxy:
        assert proxied(server, ca, Proxies(https=f"https://{proxy.address}")) == BODY
        with (
            pytest.raises(VerificationError) as raised,
            HttpSources(proxies=Proxies(https=f"https://{proxy.address}")) as sources,
        ):
            fetch(sources, server.url_at("notary.test"))
        assert raised.value.code is Code.TLS


@pytest.mark.parametrize("tls", [False, True], ids=["http proxy", "https proxy"])
@pytest.mark.parametrize("garbled_from", [0, 30_000], ids=["handshake", "body"])
def test_a_proxy_that_changes_bytes_is_a_tls_failure(ca: Path, tls: bool, garbled_from: int) -> None:
    answers = {TARGET: reply(b"{" + b" " * 60_000)}
    with (
        HostileServer(tls=True, identities=NAMED, answers=answers) as server,
        ForwardProxy(tls=tls, garbled_from=garbled_from) as proxy,
    ):
        with pytest.raises(InconclusiveError) as raised:
            proxied(server, ca, Proxies(https=f"{'https' if tls else 'http'}://{proxy.address}"))
        assert raised.value.code is Code.TLS
        assert not isinstance(raised.value, OutageError)


def test_a_proxy_over_tls_forwards_plain_requests_too(ca: Path) -> None:
    with HostileServer(answers={TARGET: OK}) as server, ForwardProxy(tls=True) as proxy:
        url = server.url_at("notary.test")
        proxies = Proxies(http=f"https://{proxy.address}")
        assert proxied(server, ca, proxies) == BODY
        with pytest.raises(VerificationError) as raised, HttpSources(proxies=proxies) as sources:
            fetch(sources, url)
        assert raised.value.code is Code.TLS


def test_a_proxy_is_not_shown_the_client_certificate(ca: Path, tmp_path: Path) -> None:
    issued = loopback_authority().issue_cert("client@example.com")
    pair = tmp_path / "client.pem"
    issued.private_key_and_cert_chain_pem.write_to_path(str(pair))
    with (
        HostileServer(
            tls=True, identities=NAMED, client_authority=loopback_authority(), answers={TARGET: OK}
        ) as server,
        ForwardProxy(tls=True) as proxy,
    ):
        url = server.url_at("notary.test")
        settings = Server(url, ca_file=ca, client_certificate=(pair, pair))
        with HttpSources(servers=[settings], proxies=Proxies(https=f"https://{proxy.address}")) as sources:
            assert fetch(sources, url) == BODY
        assert len(server.peer_certificates) == 1
        assert not proxy.peer_certificates


def test_hosts_without_a_proxy_are_reached_straight(ca: Path) -> None:
    with HostileServer(answers={TARGET: OK}) as server, ForwardProxy() as proxy:
        assert proxied(server, ca, Proxies(http=proxy.address), host="localhost") == BODY
        assert proxied(server, ca, Proxies(http=proxy.address), host="127.0.0.1") == BODY
        assert not proxy.seen


@pytest.mark.parametrize(
    ("status", "code", "outage"),
    [
        (407, Code.ACCESS_DENIED, False),
        (403, Code.ACCESS_DENIED, False),
        (404, Code.BAD_RESPONSE, False),
        (302, Code.BAD_RESPONSE, False),
        (502, Code.UNREACHABLE, True),
        (504, Code.UNREACHABLE, True),
    ],
)
def test_a_tunnel_that_is_refused_says_so(ca: Path, status: int, code: Code, outage: bool) -> None:
    with HostileServer(tls=True, identities=NAMED) as server, ForwardProxy(refusal=status) as proxy:
        with pytest.raises(InconclusiveError, match=f"the proxy refused .* status {status}") as raised:
            proxied(server, ca, Proxies(https=f"user:s3cret@{proxy.address}"))
        assert raised.value.code is code
        assert isinstance(raised.value, OutageError) is outage
        assert "s3cret" not in str(raised.value)


def test_a_proxy_that_is_not_there_is_an_outage(ca: Path) -> None:
    with ForwardProxy() as proxy:
        address = proxy.address
    for proxies in (Proxies(https=f"u:s3cret@{address}"), Proxies(https=f"https://u:s3cret@{address}")):
        with HostileServer(tls=True) as server, pytest.raises(OutageError, match="connection refused") as raised:
            proxied(server, ca, proxies)
        assert raised.value.code is Code.UNREACHABLE
        assert "s3cret" not in str(raised.value)


def test_a_proxy_that_is_silent_ends_at_the_deadline(ca: Path) -> None:
    for tls in (False, True):
        with HostileServer(tls=tls, answers={}) as silent:
            silent.stalled_handshake = True
            scheme = "https" if tls else "http"
            proxies = Proxies(https=f"{scheme}://127.0.0.1:{silent.port}")
            url = "https://notary.test"
            with HttpSources(servers=[Server(url, ca_file=ca)], proxies=proxies) as sources:
                with pytest.raises(OutageError) as raised:
                    fetch(sources, url, seconds=0.3)
                assert raised.value.code is Code.DEADLINE


def test_a_socks_proxy_is_a_usage_error() -> None:
    with pytest.raises(UsageError, match="must be http"):
        Proxies(https="socks5://127.0.0.1:1080")
