"""``inspect --format docker`` beside the real ``docker trust inspect``, on a real server; and what it leaves behind."""

import json
from pathlib import Path

import pytest

from imgsig.state import FolderState
from tests.interop.conftest import Peers
from tests.support.command import Desk
from tests.support.docker_client import ARGUMENTS, NAME, DockerClient, comparable, publish_for_inspection
from tests.support.peers import NotaryServer, Publisher

pytestmark = pytest.mark.interop


@pytest.fixture(scope="module")
def server(shared_peers: Peers) -> NotaryServer:
    """A server over TLS of this module's own: the name on it is the same for every test."""
    return shared_peers.server(tls=True)


@pytest.fixture(scope="module")
def publisher(shared_peers: Peers, server: NotaryServer) -> Publisher:
    publisher = shared_peers.publisher(server)
    publish_for_inspection(publisher)
    return publisher


@pytest.fixture
def desk(tmp_path: Path, server: NotaryServer) -> Desk:
    """A user who believes the server's certificate."""
    desk = Desk(tmp_path / "home")
    assert server.ca_file is not None
    place = desk.folder / ".docker" / "tls" / server.url.removeprefix("https://")
    place.mkdir(parents=True)
    (place / "ca.crt").write_bytes(server.ca_file.read_bytes())
    return desk


@pytest.mark.parametrize("argument", ARGUMENTS)
def test_the_answer_is_that_of_the_docker_client(
    server: NotaryServer, publisher: Publisher, desk: Desk, tmp_path: Path, argument: str
) -> None:
    client = DockerClient(tmp_path / "docker", server)
    if not client.version:
        pytest.skip("no docker client that inspects trust by itself; tests/conformance compares with a recorded answer")
    ran = desk.run("inspect", argument, "--server", server.url, "--format", "docker")
    assert ran.status == 0, ran.err
    assert comparable(json.loads(ran.out)) == comparable(json.loads(client.trust_inspect(argument)))


def test_a_rule_pins_what_is_looked_at_and_nothing_is_remembered(
    server: NotaryServer, publisher: Publisher, desk: Desk
) -> None:
    (root_key,) = publisher.key_ids("root")
    rule = f'[[rule]]\nnames = ["{NAME}"]\n[rule.notary]\nserver = "{server.url}"\n'
    desk.write(f'{rule}root-keys = ["{root_key}"]\n')
    ran = desk.run("inspect", "--json", NAME)
    assert (ran.status, ran.said) == (0, [])
    (values,) = ran.values
    assert values["pinned"]
    assert values["anchor"] == {"kind": "root-keys", "ids": [root_key]}
    assert not desk.state.exists()
    desk.write(f'{rule}root-keys = ["{"0" * 64}"]\n')
    ran = desk.run("inspect", NAME)
    assert (ran.status, ran.lines) == (10, [])
    assert "the offered root is not signed by" in ran.said[0]


def test_what_is_remembered_is_read_and_not_changed(server: NotaryServer, publisher: Publisher, desk: Desk) -> None:
    desk.write(f'[[rule]]\nnames = ["{NAME}"]\n[rule.notary]\nserver = "{server.url}"\nfirst-use = true\n')
    before = desk.run("inspect", NAME)
    assert "nothing shows whose keys these are" in before.err
    assert not desk.state.exists()
    assert desk.run("verify", f"{NAME}:1.10").status == 0
    files = desk.files()
    after = desk.run("inspect", NAME)
    assert (after.status, after.said) == (0, [])
    assert any(line.startswith("known since") for line in after.lines)
    publisher.add(NAME, "later", b"later", roles=["targets"])
    publisher.publish(NAME)
    assert any(line.strip().startswith("later ") for line in desk.run("inspect", NAME).lines)
    assert desk.files() == files
    assert FolderState(desk.state).names()
