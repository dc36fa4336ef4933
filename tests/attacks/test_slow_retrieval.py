"""A server that drips, or falls silent at any point, holds the caller no longer than the deadline of the call."""

import threading
import time
from pathlib import Path

import pytest

from imgsig.codes import Code
from imgsig.errors import InconclusiveError
from imgsig.source import OutageError
from imgsig.transport import HttpSources, Proxies, Server
from tests.support.asking import TARGET, client, fetch
from tests.support.hostile import (
    Answer,
    HostileServer,
    bearer,
    dripping,
    dripping_body,
    dripping_headers,
    head,
    stall,
    unauthorised,
    write_ca,
)

DEADLINE_SECONDS = 0.4
PATIENCE_SECONDS = 10.0
"""Far more than the deadline, far less than any of the servers here would take."""


def held_up(sources: HttpSources, url: str) -> InconclusiveError:
    threads = threading.active_count()
    started = time.monotonic()
    with sources, pytest.raises(InconclusiveError) as raised:
        fetch(sources, url, seconds=DEADLINE_SECONDS)
    assert DEADLINE_SECONDS * 0.9 < time.monotonic() - started < PATIENCE_SECONDS
    assert raised.value.code is Code.DEADLINE
    assert threading.active_count() <= threads + 2, "only the server's own threads remain"
    return raised.value


@pytest.mark.parametrize("tls", [False, True], ids=["http", "https"])
@pytest.mark.parametrize(
    ("answer", "outage"),
    [
        (stall(), True),
        (dripping_headers(), True),
        (dripping(b"HTTP/1.1 100 Continue\r\n\r\n" * 1000, seconds=0.02), True),
        (dripping_body(), False),
        (dripping(head(200, [("Transfer-Encoding", "chunked")]) + b"1\r\n{\r\n" * 1000, after=50), False),
        (dripping(head(200, [("Transfer-Encoding", "chunked")]) + b"1" * 1000, after=50), False),
        (dripping_body(status=404), False),
    ],
    ids=["silence", "head", "heads", "body", "chunks", "size of a chunk", "body of a 404"],
)
def test_a_server_that_drips_is_left_at_the_deadline(answer: Answer, outage: bool, tls: bool, tmp_path: Path) -> None:
    with HostileServer(tls=tls, answers={TARGET: answer}) as server:
        error = held_up(client(server, ca=write_ca(tmp_path)), server.url)
    assert isinstance(error, OutageError) is outage


@pytest.mark.parametrize("answer", [stall(), dripping_headers(), dripping_body()], ids=["silence", "head", "body"])
def test_a_token_service_that_drips_is_left_at_the_deadline(answer: Answer, tmp_path: Path) -> None:
    with HostileServer(tls=True) as server, HostileServer(tls=True, answers={"/token": answer}) as tokens:
        server.answers[TARGET] = unauthorised(bearer(f"{tokens.url}/token"))
        error = held_up(client(server, ca=write_ca(tmp_path)), server.url)
    assert not isinstance(error, OutageError)


def test_a_handshake_that_stalls_is_left_at_the_deadline(tmp_path: Path) -> None:
    with HostileServer(tls=True, stalled_handshake=True) as server:
        assert isinstance(held_up(client(server, ca=write_ca(tmp_path)), server.url), OutageError)


def test_a_handshake_that_drips_is_left_at_the_deadline(tmp_path: Path) -> None:
    hello = b"\x16\x03\x03\x40\x00" + b"\x02" * 10_000  # the beginning of a record that never ends

    with HostileServer(dripping_greeting=hello) as server:
        url = server.url.replace("http://", "https://")
        sources = HttpSources(servers=[Server(url, ca_file=write_ca(tmp_path))])
        assert isinstance(held_up(sources, url), OutageError)


@pytest.mark.parametrize("greeting", [b"", b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 1000], ids=["silence", "head"])
def test_a_proxy_that_drips_is_left_at_the_deadline(greeting: bytes, tmp_path: Path) -> None:
    with HostileServer(stalled_handshake=True, dripping_greeting=greeting) as proxy:
        proxies = Proxies(https=f"http://127.0.0.1:{proxy.port}")
        server = Server("https://notary.test", ca_file=write_ca(tmp_path))
        assert isinstance(held_up(HttpSources(servers=[server], proxies=proxies), server.url), OutageError)
