"""A server cannot have a login sent, or a token fetched, anywhere but where the login belongs."""

from pathlib import Path

import pytest

from imgsig.codes import Code
from imgsig.errors import InconclusiveError
from imgsig.source import OutageError
from imgsig.transport import Credential, HttpSources, Server, StaticCredentials
from tests.support.asking import TARGET, endpoint, fetch
from tests.support.hostile import HostileServer, basic, bearer, redirect, reply, unauthorised, write_ca

ALICE = Credential("alice", "s3cret")
REFRESH = Credential(identity_token="s3cret")
TOKEN = reply({"token": "t0ken"})


def sources(url: str, ca: Path, credential: Credential | None, **settings: tuple[str, ...]) -> HttpSources:
    logins = {} if credential is None else {"registry.test": credential, "docker.io": credential}
    server = Server(url, ca_file=ca, **settings)  # type: ignore[arg-type]
    return HttpSources(servers=[server], credentials=StaticCredentials(logins))


@pytest.fixture
def ca(tmp_path: Path) -> Path:
    return write_ca(tmp_path)


@pytest.mark.parametrize("credential", [None, ALICE, REFRESH], ids=["anonymous", "password", "identity token"])
def test_a_token_service_on_another_host_is_not_even_asked(ca: Path, credential: Credential | None) -> None:
    with HostileServer(tls=True) as notary, HostileServer(tls=True, answers={"/token": TOKEN}) as foreign:
        notary.answers[TARGET] = unauthorised(bearer(f"{foreign.url_at('127.0.0.1')}/token"))
        with pytest.raises(InconclusiveError, match="which is not listed") as raised:
            fetch(sources(notary.url, ca, credential), notary.url)
        assert raised.value.code is Code.FOREIGN_REALM
        assert not isinstance(raised.value, OutageError)
        assert (raised.value.found, raised.value.expected) == ("127.0.0.1", "localhost, registry.test")
        assert not foreign.connections
        assert len(notary.requests) == 1


def test_a_listed_token_service_is_asked(ca: Path) -> None:
    with HostileServer(tls=True) as notary, HostileServer(tls=True, answers={"/token": TOKEN}) as listed:
        notary.answers[TARGET] = unauthorised(bearer(f"{listed.url_at('127.0.0.1')}/token"))
        with pytest.raises(InconclusiveError, match="in spite of"):
            fetch(sources(notary.url, ca, ALICE, token_hosts=("127.0.0.1",)), notary.url)
        assert listed.requests[0].headers["authorization"] == basic("alice", "s3cret")


@pytest.mark.parametrize(
    "realm",
    [
        "https://localhost.evil.test/token",
        "https://evil.test/localhost",
        "https://evil.test:443/token?localhost",
        "https://evil-localhost/token",
        "https://localhos/token",
        "https://ocalhost/token",
        "https://auth.docker.io/token",
        "https://notary.docker.io/token",
    ],
)
def test_a_host_that_nearly_matches_is_foreign(ca: Path, realm: str) -> None:
    with HostileServer(tls=True) as notary:
        notary.answers[TARGET] = unauthorised(bearer(realm))
        with pytest.raises(InconclusiveError) as raised:
            fetch(sources(notary.url, ca, ALICE), notary.url)
        assert raised.value.code is Code.FOREIGN_REALM


@pytest.mark.parametrize(
    "realm",
    [
        "https://localhost@evil.test/token",
        "https://localhost:443@evil.test/token",
        "https://evil.test\\@localhost/token",
        "https://evil.test#@localhost/token",
        "https://evil.test%2f@localhost/token",
        "https://localhost\t.evil.test/token",
        "https://[localhost]/token",
        "//localhost/token",
        "ftp://localhost/token",
        "https:localhost/token",
        "https://localhost/../token",
        "https://\uff4cocalhost/token".encode().decode("latin-1"),
    ],
)
def test_a_realm_that_could_be_read_in_two_ways_is_read_in_none(ca: Path, realm: str) -> None:
    with HostileServer(tls=True) as notary:
        notary.answers[TARGET] = unauthorised(f'Bearer realm="{realm}"')
        with pytest.raises(InconclusiveError) as raised:
            fetch(sources(notary.url, ca, ALICE), notary.url)
        assert raised.value.code is Code.BAD_RESPONSE
        assert len(notary.requests) == 1


def test_docker_hubs_own_token_service_is_for_names_of_docker_hub_alone() -> None:
    server = Server("https://notary.docker.io")
    assert "auth.docker.io" in server.realm_hosts("docker.io")
    assert "auth.docker.io" not in server.realm_hosts("registry.test")
    assert "auth.docker.io" not in server.realm_hosts("docker.io.evil.test")


def test_a_login_is_that_of_the_signed_names_registry_and_of_no_other(ca: Path) -> None:
    name = "other.test/team/app"
    with HostileServer(tls=True, answers={"/token": TOKEN}) as notary:
        notary.answers[f"/v2/{name}/_trust/tuf/timestamp.json"] = unauthorised(bearer(f"{notary.url}/token"))
        with pytest.raises(InconclusiveError, match="an anonymous token"):
            fetch(sources(notary.url, ca, ALICE).open(endpoint(notary.url, name=name)))
        assert "s3cret" not in str(notary.requests)
        assert not any("authorization" in request.headers for request in notary.requests[:2])


def test_the_servers_own_password_demand_gets_no_login_of_another_registry(ca: Path) -> None:
    name = "other.test/team/app"
    with HostileServer(tls=True) as notary:
        notary.answers[f"/v2/{name}/_trust/tuf/timestamp.json"] = unauthorised("Basic realm=x")
        with pytest.raises(InconclusiveError, match=r"there is none for 'other\.test'"):
            fetch(sources(notary.url, ca, ALICE).open(endpoint(notary.url, name=name)))
        assert len(notary.requests) == 1


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize("scheme", ["https", "http"])
def test_a_redirect_is_not_followed_with_or_without_a_login(ca: Path, status: int, scheme: str) -> None:
    with (
        HostileServer(tls=True) as notary,
        HostileServer(tls=scheme == "https", answers={TARGET: reply(b'{"signed":{}}')}) as elsewhere,
    ):
        notary.answers["/token"] = TOKEN
        notary.answers[TARGET] = redirect(elsewhere.url + TARGET, status=status)
        with pytest.raises(InconclusiveError, match="redirect") as raised:
            fetch(sources(notary.url, ca, ALICE), notary.url)
        assert raised.value.code is Code.BAD_RESPONSE
        assert not isinstance(raised.value, OutageError)
        assert not elsewhere.connections


def test_a_redirect_of_the_token_service_is_not_followed(ca: Path) -> None:
    with HostileServer(tls=True) as notary, HostileServer(tls=True, answers={"/token": TOKEN}) as elsewhere:
        notary.answers[TARGET] = unauthorised(bearer(f"{notary.url}/token"))
        for credential in (None, ALICE, REFRESH):
            notary.answers["/token"] = redirect(f"{elsewhere.url}/token", status=307)
            with pytest.raises(InconclusiveError) as raised:
                fetch(sources(notary.url, ca, credential), notary.url)
            assert raised.value.code is Code.ACCESS_DENIED
        assert not elsewhere.connections


def test_cookies_are_not_kept(ca: Path) -> None:
    answer = reply(b'{"signed":{}}', headers=[("Set-Cookie", "session=evil; Path=/")])
    with HostileServer(tls=True, answers={TARGET: answer}) as notary:
        client = sources(notary.url, ca, None)
        fetch(client, notary.url)
        fetch(client, notary.url)
        assert not any("cookie" in request.headers for request in notary.requests)
