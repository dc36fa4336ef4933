"""A login goes over https only, whatever a server without TLS, or whoever stands in its place, demands."""

from pathlib import Path

import pytest

from imgsig.codes import Code
from imgsig.errors import InconclusiveError
from imgsig.limits import Deadline
from imgsig.source import OutageError
from imgsig.transport import Credential, HttpSources, Server
from tests.support.asking import TARGET, fetch
from tests.support.hostile import HostileServer, bearer, for_authorization, reply, unauthorised, write_ca

BODY = b'{"signed":{}}'
OK = reply(BODY)
TOKEN = reply({"token": "t0ken"})


class Asked:
    """Logins that remember whether anybody looked."""

    def __init__(self) -> None:
        self.registries: list[str] = []

    def for_registry(self, registry: str, *, deadline: Deadline) -> Credential | None:
        self.registries.append(registry)
        return Credential("alice", "s3cret")


def test_a_password_demanded_over_http_is_not_even_looked_up() -> None:
    logins = Asked()
    with HostileServer(answers={TARGET: unauthorised("Basic realm=x")}) as server:
        with pytest.raises(InconclusiveError, match="over https only") as raised:
            fetch(HttpSources(credentials=logins), server.url)
        assert raised.value.code is Code.ACCESS_DENIED
        assert len(server.requests) == 1
    assert not logins.registries


def test_a_token_service_over_http_is_asked_anonymously_by_an_http_server_of_the_same_host() -> None:
    logins = Asked()
    with HostileServer(answers={"/token": TOKEN}) as server:
        demand = unauthorised(bearer(f"{server.url}/token"))
        server.answers[TARGET] = for_authorization("Bearer t0ken", OK, demand)
        assert fetch(HttpSources(credentials=logins), server.url) == BODY
        assert "authorization" not in server.requests[1].headers
        assert "account" not in server.requests[1].query
    assert not logins.registries


def test_a_token_service_over_http_on_another_host_is_not_asked() -> None:
    with HostileServer() as server, HostileServer(answers={"/token": TOKEN}) as tokens:
        server.answers[TARGET] = unauthorised(bearer(f"{tokens.url_at('127.0.0.1')}/token"))
        settings = Server(server.url, token_hosts=("127.0.0.1",))
        with pytest.raises(InconclusiveError, match="which is not https") as raised:
            fetch(HttpSources(servers=[settings], credentials=Asked()), server.url)
        assert raised.value.code is Code.FOREIGN_REALM
        assert not tokens.connections


def test_an_https_server_cannot_send_to_a_token_service_over_http(tmp_path: Path) -> None:
    logins = Asked()
    with HostileServer(tls=True) as server, HostileServer(answers={"/token": TOKEN}) as tokens:
        server.answers[TARGET] = unauthorised(bearer(f"{tokens.url}/token"))
        settings = Server(server.url, ca_file=write_ca(tmp_path))
        with pytest.raises(InconclusiveError, match="which is not https") as raised:
            fetch(HttpSources(servers=[settings], credentials=logins), server.url)
        assert raised.value.code is Code.FOREIGN_REALM
        assert not tokens.connections
    assert not logins.registries


def test_an_https_server_is_never_asked_over_http(tmp_path: Path) -> None:
    with HostileServer(answers={TARGET: OK}) as plain:
        url = plain.url.replace("http://", "https://")
        settings = Server(url, ca_file=write_ca(tmp_path))
        with pytest.raises(InconclusiveError):
            fetch(HttpSources(servers=[settings], credentials=Asked()), url, seconds=0.5)
        assert not plain.requests


def test_a_certificate_that_is_not_believed_sees_no_request_and_no_stale_answer(tmp_path: Path) -> None:
    with HostileServer(tls=True, identities=("evil.test",), answers={TARGET: OK}) as server:
        settings = Server(server.url, ca_file=write_ca(tmp_path))
        with pytest.raises(InconclusiveError) as raised:
            fetch(HttpSources(servers=[settings], credentials=Asked()), server.url)
        assert raised.value.code is Code.TLS
        assert not isinstance(raised.value, OutageError), "an outage might be bridged"
        assert not server.requests
