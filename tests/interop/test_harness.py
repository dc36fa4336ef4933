"""The harness does what it says: the real programs start, answer, refuse and stop."""

import json
import socket

import pytest
import requests

from tests.interop.conftest import Peers
from tests.support.peers import RELEASES, DockerRegistry, NotaryServer, ProgramError, Publisher, RootAuthority
from tests.support.sockets import SocketForbiddenError, sockets_forbidden


def test_a_published_tag_is_found_by_a_client_that_knows_nothing(
    notary_server: NotaryServer, publisher: Publisher, peers: Peers, name: str
) -> None:
    publisher.init(name)
    digest = publisher.add(name, "1.0", b"an image")
    publisher.publish(name)

    client = peers.client(notary_server)

    assert client.lookup(name, "1.0").digest == digest
    assert not client.lookup(name, "2.0").accepted


def test_signers_sign_what_their_roles_list(publisher: Publisher, name: str) -> None:
    publisher.init(name)
    publisher.signer_add(name, "alice")
    publisher.signer_add(name, "bob")
    publisher.publish(name)
    digest = publisher.add(name, "1.0", b"an image", roles=[RELEASES, "targets/alice"])
    publisher.publish(name)

    assert digest.removeprefix("sha256:") in publisher.list_targets(name, roles=[RELEASES]).output
    assert digest.removeprefix("sha256:") in publisher.list_targets(name, roles=["targets/alice"]).output
    assert digest.removeprefix("sha256:") not in publisher.list_targets(name, roles=["targets/bob"]).output


@pytest.mark.parametrize("role", ["root", "targets", "snapshot", "timestamp"])
def test_every_key_can_be_rotated(
    notary_server: NotaryServer, publisher: Publisher, peers: Peers, name: str, role: str
) -> None:
    publisher.init(name)
    digest = publisher.add(name, "1.0", b"an image")
    publisher.publish(name)
    client = peers.client(notary_server)
    assert client.lookup(name, "1.0").accepted

    publisher.rotate(name, role)

    old, new = (json.loads(notary_server.fetch(name, f"{version}.root.json"))["signed"] for version in (1, 2))
    assert old["roles"][role]["keyids"] != new["roles"][role]["keyids"]
    assert client.lookup(name, "1.0").digest == digest


def test_a_witnessed_role_is_signed_anew(notary_server: NotaryServer, publisher: Publisher, name: str) -> None:
    publisher.init(name)
    before = json.loads(notary_server.fetch(name, "targets.json"))["signed"]["version"]

    publisher.witness(name, "targets")
    publisher.publish(name)

    assert json.loads(notary_server.fetch(name, "targets.json"))["signed"]["version"] > before


def test_the_root_key_is_known_by_its_canonical_id(publisher: Publisher, name: str) -> None:
    publisher.init(name)

    (key_id,) = publisher.key_ids("root")

    assert key_id in publisher.must("key", "list")


def test_the_keys_of_a_server_with_a_signer_are_ecdsa(
    secure_notary_server: NotaryServer, peers: Peers, name: str
) -> None:
    publisher = peers.publisher(secure_notary_server)
    publisher.init(name)

    root = json.loads(secure_notary_server.fetch(name, "root.json"))["signed"]

    (timestamp_key,) = root["roles"]["timestamp"]["keyids"]
    assert root["keys"][timestamp_key]["keytype"] == "ecdsa"


def test_a_server_that_was_stopped_is_empty_when_it_starts_again(peers: Peers, name: str) -> None:
    server = peers.server()
    peers.publisher(server).init(name)

    server.stop()
    with pytest.raises(requests.ConnectionError):
        server.fetch(name, "root.json")
    server.start()

    with pytest.raises(ProgramError, match="METADATA_NOT_FOUND"):
        server.fetch(name, "root.json")


def test_a_shut_gate_hides_a_server_that_loses_nothing(
    notary_server: NotaryServer, publisher: Publisher, peers: Peers, name: str
) -> None:
    publisher.init(name)
    gate = peers.gate(notary_server)
    address = f"{notary_server.url_at(gate.port)}/v2/{name}/_trust/tuf/root.json"

    with requests.Session() as session:
        session.trust_env = False
        before = session.get(address, timeout=10).content
        gate.shut()
        with pytest.raises(requests.ConnectionError):
            session.get(address, timeout=10)
        gate.open()
        assert session.get(address, timeout=10).content == before


def test_a_server_with_tokens_answers_those_who_know_the_password(peers: Peers, name: str) -> None:
    server = peers.server(tls=True, tokens=peers.tokens())
    publisher = peers.publisher(server, user="alice")
    publisher.init(name)
    digest = publisher.add(name, "1.0", b"an image")
    publisher.publish(name)

    assert peers.client(server, user="alice").lookup(name, "1.0").digest == digest
    assert not peers.client(server, user="alice", password="wrong").lookup(name, "1.0").accepted
    assert not peers.client(server).lookup(name, "1.0").accepted


def test_a_server_with_tokens_may_answer_everybody(peers: Peers, name: str) -> None:
    tokens = peers.tokens(anonymous="pull")
    server = peers.server(tls=True, tokens=tokens)
    publisher = peers.publisher(server, user="alice")
    publisher.init(name)
    digest = publisher.add(name, "1.0", b"an image")
    publisher.publish(name)

    assert peers.client(server).lookup(name, "1.0").digest == digest
    assert tokens.requests[-1].account == ""


def test_a_root_certificate_below_a_ca_satisfies_a_client_that_pins_the_ca(peers: Peers, name: str) -> None:
    authority = RootAuthority(peers.folder)
    server = peers.server()
    publisher = peers.publisher(server)
    publisher.init(name, root=authority.issue(name))
    digest = publisher.add(name, "1.0", b"an image")
    publisher.publish(name)
    pinned = {"disable_tofu": True, "ca": {name: str(authority.ca_file)}}

    client = peers.client(server, trust_pinning=pinned)

    assert client.lookup(name, "1.0").digest == digest


def test_the_registry_answers(docker_registry: DockerRegistry) -> None:
    with requests.Session() as session:
        session.trust_env = False
        assert session.get(f"{docker_registry.url}/v2/_catalog", timeout=10).json() == {"repositories": []}


def test_a_registry_may_demand_tokens(peers: Peers) -> None:
    registry = peers.registry(tls=True, tokens=peers.tokens())

    with requests.Session() as session:
        session.trust_env = False
        answer = session.get(f"{registry.url}/v2/", verify=str(peers.tls.ca_file), timeout=10)

    assert answer.headers["WWW-Authenticate"].startswith("Bearer realm=")


def test_forbidden_sockets_are_refused_and_allowed_again(notary_server: NotaryServer) -> None:
    with sockets_forbidden(), pytest.raises(SocketForbiddenError):
        socket.create_connection(("127.0.0.1", notary_server.port))

    socket.create_connection(("127.0.0.1", notary_server.port)).close()
