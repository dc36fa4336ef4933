import logging
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, final

import pytest
import trustme
from urllib3 import HTTPHeaderDict

from imgsig.codes import Code
from imgsig.errors import InconclusiveError
from imgsig.limits import Deadline, Limits
from imgsig.source import DocumentMissingError, OutageError, Source
from imgsig.transport import Credential, HttpSources, Proxies, Server, StaticCredentials
from imgsig.transport.connections import Lines
from imgsig.transport.exchange import Answer
from imgsig.transport.routes import Routes
from imgsig.transport.tokens import MAX_KEPT_GRANTS, MAX_TOKEN_SECONDS, MIN_TOKEN_SECONDS, Asker, Grants
from tests.support.asking import NAME, SCOPE, TARGET, endpoint, fetch
from tests.support.hostile import Answer as Behaviour
from tests.support.hostile import (
    HostileServer,
    basic,
    bearer,
    dripping_body,
    dripping_headers,
    endless_body,
    for_authorization,
    hang_up,
    loopback_authority,
    redirect,
    reply,
    stall,
    unauthorised,
    web_page,
    write_ca,
)

BODY = b'{"signed":{}}'
OK = reply(BODY)
ALICE = Credential("alice", "s3cret")


@final
@dataclass
class World:
    """A trust server that demands tokens, the service that gives them, and a client."""

    notary: HostileServer
    tokens: HostileServer
    ca: Path

    @property
    def realm(self) -> str:
        return f"{self.tokens.url}/token"

    def demand(self, *challenges: str, token: str = "t0ken") -> None:  # noqa: S107 - it guards nothing
        """Let the trust server demand `token`, by these challenges."""
        demanded = challenges or (bearer(self.realm),)
        self.notary.answers[TARGET] = for_authorization(f"Bearer {token}", OK, unauthorised(*demanded))

    def give(self, answer: Behaviour | None = None) -> None:
        """Let the token service answer so."""
        self.tokens.answers["/token"] = answer or reply({"token": "t0ken"})

    def client(self, credential: Credential | None = None, *, server: Any = None, **options: Any) -> HttpSources:  # noqa: ANN401 - those of Server and HttpSources
        credentials = None if credential is None else StaticCredentials({"registry.test": credential})
        settings = Server(self.notary.url, ca_file=self.ca, **(server or {}))
        return HttpSources(servers=[settings], credentials=credentials, **options)

    def fetch(self, credential: Credential | None = None, **options: Any) -> bytes:  # noqa: ANN401 - likewise
        with self.client(credential, **options) as sources:
            return fetch(sources, self.notary.url)

    def refusal(self, credential: Credential | None = None, *, seconds: float = 5, **options: Any) -> InconclusiveError:  # noqa: ANN401 - likewise
        with self.client(credential, **options) as sources, pytest.raises(InconclusiveError) as raised:
            fetch(sources, self.notary.url, seconds=seconds)
        assert not isinstance(raised.value, OutageError), "stale data never stand in for a token refused"
        return raised.value


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    with HostileServer(tls=True) as notary, HostileServer(tls=True) as tokens:
        made = World(notary, tokens, write_ca(tmp_path))
        made.demand()
        made.give()
        yield made


def test_without_a_login_an_anonymous_token_is_asked_for(world: World) -> None:
    assert world.fetch() == BODY
    asked = world.tokens.requests[0]
    assert (asked.method, asked.query) == ("GET", {"service": ["notary.test"], "scope": [SCOPE]})
    assert "authorization" not in asked.headers
    assert [request.headers.get("authorization") for request in world.notary.requests] == [None, "Bearer t0ken"]


def test_the_scope_is_ours_whatever_the_server_says(world: World) -> None:
    world.demand(f'Bearer realm="{world.realm}",scope="repository:other:push"')
    world.fetch()
    assert world.tokens.requests[0].query == {"scope": [SCOPE]}


def test_no_scope_is_asked_for_where_there_is_none(world: World) -> None:
    with world.client() as sources:
        assert fetch(sources.open(endpoint(world.notary.url, scope=""))) == BODY
    assert world.tokens.requests[0].query == {"service": ["notary.test"]}


def test_a_password_is_shown_to_the_token_service_alone(world: World) -> None:
    assert world.fetch(ALICE) == BODY
    asked = world.tokens.requests[0]
    assert asked.headers["authorization"] == basic("alice", "s3cret")
    assert asked.query == {"service": ["notary.test"], "scope": [SCOPE], "account": ["alice"]}
    for request in world.notary.requests:
        assert "s3cret" not in str(request)
        assert basic("alice", "s3cret") not in str(request)


def test_an_identity_token_is_exchanged_by_a_form(world: World) -> None:
    world.give(reply({"access_token": "t0ken", "expires_in": 300, "scope": "x"}))
    assert world.fetch(Credential("00000000", "", "refresh me & more")) == BODY
    asked = world.tokens.requests[0]
    assert (asked.method, asked.path) == ("POST", "/token")
    assert asked.headers["content-type"] == "application/x-www-form-urlencoded"
    assert "authorization" not in asked.headers
    assert asked.form == {
        "grant_type": ["refresh_token"],
        "service": ["notary.test"],
        "scope": [SCOPE],
        "client_id": ["imgsig"],
        "refresh_token": ["refresh me & more"],
    }


def test_a_realms_own_query_is_kept(world: World) -> None:
    world.demand(bearer(f"{world.realm}?tenant=a%20b&empty="))
    world.fetch()
    assert world.tokens.requests[0].path.startswith("/token?tenant=a+b&empty=&service=")
    world.fetch(Credential(identity_token="refresh"))
    assert world.tokens.requests[1].path == "/token?tenant=a%20b&empty="


def test_a_realm_without_questions_is_asked_plainly(world: World) -> None:
    world.demand(f'Bearer realm="{world.realm}"')
    with world.client() as sources:
        fetch(sources.open(endpoint(world.notary.url, scope="")))
    assert world.tokens.requests[0].path == "/token"


@pytest.mark.parametrize("credential", [Credential("alice", ""), Credential()])
def test_half_a_login_is_not_sent(world: World, credential: Credential) -> None:
    assert world.fetch(credential) == BODY
    assert "authorization" not in world.tokens.requests[0].headers


def test_access_token_wins_over_token(world: World) -> None:
    world.give(reply({"access_token": "t0ken", "token": "other"}))
    assert world.fetch() == BODY
    world.give(reply({"access_token": "", "token": "t0ken"}))
    assert world.fetch() == BODY


@pytest.mark.parametrize("status", [200, 201, 203, 299])
def test_any_success_brings_a_token(world: World, status: int) -> None:
    world.give(reply({"token": "t0ken"}, status=status))
    assert world.fetch() == BODY


@pytest.mark.parametrize(
    ("answer", "code"),
    [
        (reply({"errors": []}, status=401), Code.ACCESS_DENIED),
        (reply({"errors": []}, status=403), Code.ACCESS_DENIED),
        (reply({"errors": []}, status=404), Code.ACCESS_DENIED),
        (reply({"errors": []}, status=400), Code.ACCESS_DENIED),
        (redirect("/other"), Code.ACCESS_DENIED),
        (unauthorised(bearer("https://localhost/token")), Code.ACCESS_DENIED),
        (reply({}, status=429, headers=[("Retry-After", "9")]), Code.THROTTLED),
        (reply({}, status=500), Code.UNREACHABLE),
        (web_page(status=502), Code.UNREACHABLE),
        (hang_up(), Code.UNREACHABLE),
        (web_page(), Code.BAD_RESPONSE),
        (reply(b""), Code.BAD_RESPONSE),
        (reply(b"[]"), Code.BAD_RESPONSE),
        (reply(b'{"token":"a","token":"b"}'), Code.BAD_RESPONSE),
        (reply({}), Code.BAD_RESPONSE),
        (reply({"token": ""}), Code.BAD_RESPONSE),
        (reply({"token": None}), Code.BAD_RESPONSE),
        (reply({"token": 7}), Code.BAD_RESPONSE),
        (reply({"access_token": ["t0ken"], "token": "t0ken"}), Code.BAD_RESPONSE),
        (reply({"token": "t0ken\r\nX-Evil: yes"}), Code.BAD_RESPONSE),
        (reply({"token": "tökèn"}), Code.BAD_RESPONSE),
        (reply({"token": "t0 ken"}), Code.BAD_RESPONSE),
        (reply({"token": "x" * 65_536}), Code.BAD_RESPONSE),
        (reply(b"[" * 60_000), Code.BAD_RESPONSE),
        (endless_body(), Code.BAD_RESPONSE),
        (endless_body(chunked=True), Code.BAD_RESPONSE),
        (endless_body(declared=10**12), Code.BAD_RESPONSE),
        (reply({"token": "t0ken"}, headers=[("Content-Encoding", "gzip")]), Code.BAD_RESPONSE),
    ],
)
def test_a_token_service_that_misbehaves_is_no_outage_of_the_server(
    world: World, answer: Behaviour, code: Code
) -> None:
    world.give(answer)
    error = world.refusal(ALICE)
    assert error.code is code
    assert "s3cret" not in str(error)
    assert error.retry_after_seconds == (9 if code is Code.THROTTLED else None)
    assert len(world.tokens.requests) == 1
    assert len(world.notary.requests) == 1


@pytest.mark.parametrize("answer", [stall(), dripping_headers(), dripping_body()])
def test_a_token_service_that_is_slow_ends_at_the_deadline(world: World, answer: Behaviour) -> None:
    world.give(answer)
    assert world.refusal(seconds=0.4).code is Code.DEADLINE


def test_a_token_service_that_is_not_there_is_no_outage_of_the_server(world: World) -> None:
    world.tokens.stop()
    assert world.refusal().code is Code.UNREACHABLE


def test_a_token_service_that_is_not_believed_is_a_tls_failure(world: World, tmp_path: Path) -> None:
    with HostileServer(tls=True, identities=("other.test",)) as other:
        world.demand(bearer(f"{other.url}/token"))
        assert world.refusal(ALICE).code is Code.TLS
        assert not other.requests


def test_the_size_of_a_token_is_a_limit(world: World) -> None:
    assert world.refusal(limits=Limits(max_token_bytes=10)).code is Code.BAD_RESPONSE


def test_a_token_serves_for_all_documents_of_a_name(world: World) -> None:
    with world.client() as sources:
        for _ in range(3):
            assert fetch(sources, world.notary.url) == BODY
    assert len(world.tokens.requests) == 1
    assert len(world.notary.requests) == 4
    assert (world.tokens.connections, world.notary.connections) == (1, 1)


@pytest.mark.parametrize(
    ("name", "scope"), [(NAME, "repository:another:pull"), ("elsewhere.test/app", SCOPE), (NAME, "")]
)
def test_a_token_is_not_used_for_another_scope_or_registry(world: World, name: str, scope: str) -> None:
    world.notary.answers[f"/v2/{name}/_trust/tuf/timestamp.json"] = world.notary.answers[TARGET]
    with world.client(ALICE) as sources:
        fetch(sources, world.notary.url)
        fetch(sources.open(endpoint(world.notary.url, name=name, scope=scope)))
    shown = [request.headers.get("authorization") for request in world.notary.requests]
    assert shown == [None, "Bearer t0ken", None, "Bearer t0ken"]
    assert len(world.tokens.requests) == 2


@pytest.mark.parametrize(
    ("expires_in", "seconds"),
    [
        (300, 300.0),
        (1, MIN_TOKEN_SECONDS),
        (-5, MIN_TOKEN_SECONDS),
        (10**15, MAX_TOKEN_SECONDS),
        (None, MIN_TOKEN_SECONDS),
        ("300", MIN_TOKEN_SECONDS),
        (300.5, MIN_TOKEN_SECONDS),
        (True, MIN_TOKEN_SECONDS),
    ],
)
def test_a_token_serves_as_long_as_its_service_says_within_reason(
    world: World, expires_in: object, seconds: float
) -> None:
    now = [1000.0]
    world.give(reply({"token": "t0ken", "expires_in": expires_in}))
    with world.client(clock=lambda: now[0]) as sources:
        fetch(sources, world.notary.url)
        now[0] += seconds - 0.5
        fetch(sources, world.notary.url)
        assert len(world.tokens.requests) == 1
        now[0] += 0.5
        fetch(sources, world.notary.url)
        assert len(world.tokens.requests) == 2


def test_a_kept_token_that_is_refused_is_replaced_once(world: World) -> None:
    with world.client() as sources:
        fetch(sources, world.notary.url)
        world.demand(token="newer")
        world.give(reply({"token": "newer"}))
        assert fetch(sources, world.notary.url) == BODY
        assert len(world.tokens.requests) == 2
        world.demand(token="newest")
        with pytest.raises(InconclusiveError, match="in spite of an anonymous token") as raised:
            fetch(sources, world.notary.url)
        assert raised.value.code is Code.ACCESS_DENIED
        assert len(world.tokens.requests) == 3
        with pytest.raises(InconclusiveError):
            fetch(sources, world.notary.url)
        assert len(world.tokens.requests) == 4, "a token that was refused is not kept"


def test_endless_demands_end_after_one_token(world: World) -> None:
    world.notary.answers[TARGET] = unauthorised(bearer(world.realm))
    error = world.refusal(ALICE)
    assert error.code is Code.ACCESS_DENIED
    assert "in spite of the login for 'registry.test'" in str(error)
    assert (len(world.notary.requests), len(world.tokens.requests)) == (2, 1)


def test_what_follows_a_token_has_its_usual_meaning(world: World) -> None:
    world.notary.answers[TARGET] = for_authorization(
        "Bearer t0ken", reply(b"no", status=404), unauthorised(bearer(world.realm))
    )
    with pytest.raises(DocumentMissingError):
        world.fetch()
    world.notary.answers[TARGET] = for_authorization(
        "Bearer t0ken", reply(b"no", status=503), unauthorised(bearer(world.realm))
    )
    with pytest.raises(OutageError):
        world.fetch()


BASIC = Answer(401, HTTPHeaderDict({"WWW-Authenticate": "Basic realm=x"}), b"")


def test_grants_of_many_names_do_not_pile_up() -> None:
    limits = Limits()
    routes = Routes({}, proxies=Proxies(), ca_bundle=None, limits=limits)
    grants = Grants(Lines(), routes, StaticCredentials({"registry.test": ALICE}), limits=limits)
    server = Server("https://notary.test")
    askers = [Asker(server, "registry.test", f"repository:{number}:pull") for number in range(MAX_KEPT_GRANTS + 1)]
    for asker in askers:
        grants.fetch(asker, BASIC, deadline=Deadline(5))
    assert grants.kept(askers[0]) is None
    assert all(grants.kept(asker) for asker in askers[1:])


def test_a_password_is_shown_to_the_server_itself_if_it_demands_that(world: World) -> None:
    world.notary.answers[TARGET] = for_authorization(basic("alice", "s3cret"), OK, unauthorised('Basic realm="n"'))
    with world.client(ALICE) as sources:
        assert [fetch(sources, world.notary.url) for _ in range(2)] == [BODY] * 2
    assert len(world.notary.requests) == 3, "it is shown at once the next time"


@pytest.mark.parametrize("credential", [None, Credential(identity_token="s3cret"), Credential("alice", "")])
def test_without_a_password_basic_is_refused(world: World, credential: Credential | None) -> None:
    world.notary.answers[TARGET] = unauthorised("Basic realm=x")
    error = world.refusal(credential)
    assert error.code is Code.ACCESS_DENIED
    assert "demands a password, and there is none for 'registry.test'" in str(error)


def test_a_wrong_password_is_refused_after_one_attempt(world: World) -> None:
    world.notary.answers[TARGET] = unauthorised("Basic realm=x")
    assert world.refusal(ALICE).code is Code.ACCESS_DENIED
    assert len(world.notary.requests) == 2


@pytest.mark.parametrize("order", [1, -1])
def test_bearer_is_preferred_to_basic(world: World, order: int) -> None:
    world.demand(*("Basic realm=x", bearer(world.realm))[::order])
    assert world.fetch(ALICE) == BODY
    assert basic("alice", "s3cret") not in str(world.notary.requests)


def test_of_two_token_services_the_first_is_asked(world: World) -> None:
    world.demand(bearer(world.realm), bearer("https://elsewhere.test/token"))
    assert world.fetch() == BODY


@pytest.mark.parametrize(
    "challenge", ["Bearer", 'Bearer realm=""', 'Bearer realm="/token"', 'Bearer realm="token"', "Bearer service=x"]
)
def test_a_challenge_without_a_usable_realm_is_a_bad_response(world: World, challenge: str) -> None:
    world.demand(challenge)
    assert world.refusal(ALICE).code is Code.BAD_RESPONSE
    assert not world.tokens.requests


def test_logins_are_looked_up_when_one_is_demanded_and_not_before(world: World) -> None:
    asked: list[str] = []

    class Recording:
        def for_registry(self, registry: str, *, deadline: Deadline) -> Credential | None:
            asked.append(registry)
            assert deadline.remaining_seconds() < 5
            return ALICE

    with HttpSources(servers=[Server(world.notary.url, ca_file=world.ca)], credentials=Recording()) as sources:
        source: Source = sources.open(endpoint(world.notary.url, name=NAME))
        world.notary.answers[TARGET] = OK
        fetch(source)
        assert asked == []
        world.demand()
        fetch(source)
        fetch(source)
        assert asked == ["registry.test"]


def test_a_client_with_other_logins_shares_connections_but_no_tokens(world: World) -> None:
    with world.client(ALICE) as sources:
        assert fetch(sources, world.notary.url) == BODY
        twin = sources.with_credentials(None)
        assert fetch(twin, world.notary.url) == BODY
    shown = [request.headers.get("authorization") for request in world.tokens.requests]
    assert shown == [basic("alice", "s3cret"), None]
    assert (world.notary.connections, world.tokens.connections) == (1, 1)


def test_a_login_that_cannot_be_looked_up_is_refused(world: World) -> None:
    class Broken:
        def for_registry(self, registry: str, *, deadline: Deadline) -> Credential | None:
            raise InconclusiveError("the helper failed", code=Code.ACCESS_DENIED)

    sources = HttpSources(servers=[Server(world.notary.url, ca_file=world.ca)], credentials=Broken())
    with sources, pytest.raises(InconclusiveError, match="the helper failed"):
        fetch(sources, world.notary.url)
    assert not world.tokens.requests


def test_a_token_service_is_known_by_settings_of_its_own(world: World, tmp_path: Path) -> None:
    authority = trustme.CA()
    anchor = tmp_path / "token-ca.pem"
    authority.cert_pem.write_to_path(str(anchor))
    with HostileServer(tls=True, authority=authority) as tokens:
        tokens.answers["/token"] = reply({"token": "t0ken"})
        world.demand(bearer(f"{tokens.url}/token"))
        assert world.refusal().code is Code.TLS
        notary = Server(world.notary.url, ca_file=world.ca)
        with HttpSources(servers=[notary, Server(tokens.url, ca_file=anchor)]) as sources:
            assert fetch(sources, world.notary.url) == BODY


def test_a_client_certificate_is_shown_to_the_servers_own_host_alone(world: World, tmp_path: Path) -> None:
    pair = tmp_path / "client.pem"
    loopback_authority().issue_cert("c@example.com").private_key_and_cert_chain_pem.write_to_path(str(pair))
    options = {"client_certificate": (pair, pair), "token_hosts": ("127.0.0.1",)}
    with HostileServer(tls=True, client_authority=loopback_authority()) as tokens:
        tokens.answers["/token"] = reply({"token": "t0ken"})
        world.demand(bearer(f"{tokens.url}/token"))
        assert world.fetch(server=options) == BODY
        assert len(tokens.peer_certificates) == 1
        world.demand(bearer(f"{tokens.url_at('127.0.0.1')}/token"))
        assert world.refusal(server=options).code is Code.TLS
        assert len(tokens.peer_certificates) == 1


def test_no_secret_is_logged(world: World, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    world.fetch(ALICE)
    world.fetch(Credential(identity_token="s3cret"))
    lines = [record.getMessage() for record in caplog.records if record.name == "imgsig"]
    assert f"GET {world.realm}: 200, 18 bytes" in "".join(lines)
    assert f"POST {world.realm}: 200, 18 bytes" in "".join(lines)
    for secret in ("s3cret", "t0ken", "alice", basic("alice", "s3cret")):
        assert secret not in "".join(lines)
        assert secret == "alice" or secret not in caplog.text


@pytest.mark.parametrize("token", ["t0ken", "another"])
def test_threads_that_are_refused_at_once_share_one_token(world: World, token: str) -> None:
    world.demand(token=token)
    waiting = threading.Barrier(5)

    def ask(sources: HttpSources) -> bytes | Code:
        waiting.wait(10)
        try:
            return fetch(sources, world.notary.url)
        except InconclusiveError as error:
            return error.code

    with world.client(ALICE) as sources, ThreadPoolExecutor(5) as pool:
        found = set(pool.map(ask, [sources] * 5))
    assert found == {BODY if token == "t0ken" else Code.ACCESS_DENIED}
    if token == "t0ken":
        assert len(world.tokens.requests) == 1
