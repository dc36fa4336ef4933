"""Nobody on the way talks a verifier out of TLS: http is spoken only where the policy spells it.

That no login goes over http is in test_credentials_over_http.py.
"""

from collections.abc import Iterator
from pathlib import Path

import pytest

from imgsig.codes import Code
from imgsig.errors import ImgsigError
from imgsig.notary.settings import Notary
from imgsig.policy import Policy, Rule
from imgsig.state import MemoryState
from imgsig.transport import Server
from imgsig.verifier import Verifier
from tests.support.archives import pinned
from tests.support.command import Desk
from tests.support.hostile import HostileServer, head, raw, redirect, reply, write_ca
from tests.support.repository import NAME, SignedRepository

FOLDER = f"/v2/{NAME}/_trust/tuf/"
FIRST = ("root.json", "timestamp.json", "snapshot.json", "targets.json", "targets/releases.json")


@pytest.fixture
def repository() -> SignedRepository:
    return SignedRepository()


@pytest.fixture
def plain(repository: SignedRepository) -> Iterator[HostileServer]:
    """A server that serves the true repository over http."""
    answers = {FOLDER + path: reply(body) for path, body in repository.files.items()}
    with HostileServer(answers=answers) as server:
        yield server


def code_of(repository: SignedRepository, url: str, ca: Path, state: MemoryState | None = None) -> Code:
    """Return what comes of a verification by a rule that bridges outages for a while."""
    section = Notary(anchor=pinned(repository), server=url, max_stale_seconds=1000)
    policy = Policy((Rule([NAME], notary=section),))
    with Verifier(policy, state=state or MemoryState(), servers=[Server(url, ca_file=ca)]) as verifier:
        return verifier.evaluate(NAME, timeout_seconds=10).code


def test_the_plain_server_would_do(repository: SignedRepository, plain: HostileServer) -> None:
    policy = Policy((Rule([NAME], notary=Notary(anchor=pinned(repository), server=plain.url)),))
    with Verifier(policy, state=MemoryState()) as verifier:
        assert verifier.evaluate(NAME).code is Code.OK


@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_a_redirect_to_http_is_not_followed(
    repository: SignedRepository, plain: HostileServer, tmp_path: Path, status: int
) -> None:
    answers = {FOLDER + path: redirect(plain.url + FOLDER + path, status=status) for path in FIRST}
    with HostileServer(tls=True, answers=answers) as server:
        assert code_of(repository, server.url, write_ca(tmp_path)) is Code.BAD_RESPONSE
    assert plain.connections == 0


@pytest.mark.parametrize("header", ["Upgrade: h2c", 'Alt-Svc: h2=":{port}"', "Location: {url}", "Refresh: 0"])
def test_a_header_leads_nowhere(
    repository: SignedRepository, plain: HostileServer, tmp_path: Path, header: str
) -> None:
    name, _, value = header.format(url=plain.url, port=plain.port).partition(": ")
    answers = {
        FOLDER + path: raw(head(200, [(name, value), ("Content-Length", str(len(body)))]) + body)
        for path, body in repository.files.items()
    }
    with HostileServer(tls=True, answers=answers) as server:
        assert code_of(repository, server.url, write_ca(tmp_path)) is Code.OK
    assert plain.connections == 0


def test_a_server_without_tls_is_not_asked_plainly_and_is_no_outage(
    repository: SignedRepository, plain: HostileServer, tmp_path: Path
) -> None:
    """As when somebody on the way answers on the port of https: not even what is stored stands in then."""
    ca, state = write_ca(tmp_path), MemoryState()
    answers = dict(plain.answers)
    with HostileServer(tls=True, answers=answers) as server:
        assert code_of(repository, server.url, ca, state) is Code.OK
        gone = server.url
    assert code_of(repository, gone, ca, state) is Code.OK, "an outage is bridged"
    with HostileServer(greeting=b"HTTP/1.1 400 Bad Request\r\n\r\n", answers=answers) as server:
        assert code_of(repository, server.url.replace("http:", "https:"), ca, state) is Code.TLS
        assert server.requests == []


@pytest.mark.parametrize("name", ["docker.io/library/x", "localhost:5000/x", "127.0.0.1/x", "[::1]:5000/x", NAME])
def test_where_no_server_is_named_it_is_https(repository: SignedRepository, name: str) -> None:
    """Also for this machine, where docker goes without."""
    assert Notary(anchor=pinned(repository)).endpoint(name).server.startswith("https://")


@pytest.mark.parametrize("url", ["http://notary.example.com", "HTTP://notary.example.com", "notary.example.com", "//x"])
def test_the_environment_names_no_server_without_tls(tmp_path: Path, repository: SignedRepository, url: str) -> None:
    desk = Desk(tmp_path, DOCKER_CONTENT_TRUST_SERVER=url)
    desk.write(f'[[rule]]\nnames = ["{NAME}"]\n[rule.notary]\nroot-keys = ["{repository.root_key_ids[0]}"]\n')
    ran = desk.run("verify", NAME)
    assert ran.status == 2
    assert "DOCKER_CONTENT_TRUST_SERVER must be https" in ran.err


@pytest.mark.parametrize("url", ["httpx://a.b", "http:/a.b", "http:a.b", "//a.b", "a.b", "ftp://a.b", "file:///etc", " http://a"])
def test_a_policy_spells_http_or_https_and_nothing_like_it(repository: SignedRepository, url: str) -> None:
    with pytest.raises(ImgsigError):
        Notary(anchor=pinned(repository), server=url)
