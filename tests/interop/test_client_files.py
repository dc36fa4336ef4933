"""What the real client keeps and is configured by: verified from, and brought along."""

import json
from pathlib import Path

import pytest

from imgsig.archive import DockerTrust
from imgsig.codes import Code
from imgsig.notary.settings import Notary, RootKeys
from imgsig.policy import Policy, Rule
from imgsig.verifier import Verifier
from tests.interop.conftest import Peers
from tests.support.command import Desk
from tests.support.peers import RELEASES, NotaryServer, Publisher

pytestmark = pytest.mark.interop


@pytest.fixture
def digest(publisher: Publisher, name: str) -> str:
    """The digest of the tag 1.0, which is published in a delegation."""
    publisher.init(name)
    publisher.signer_add(name, "alice")
    publisher.publish(name)
    digest = publisher.add(name, "1.0", b"version 1", roles=[RELEASES, "targets/alice"])
    publisher.publish(name)
    return digest


def test_an_image_is_verified_from_the_client_s_own_folder(
    shared_peers: Peers, notary_server: NotaryServer, publisher: Publisher, name: str, digest: str
) -> None:
    client = shared_peers.client(notary_server)
    assert client.lookup(name, "1.0").digest == digest
    section = Notary(anchor=RootKeys(publisher.key_ids("root")), signers=["alice"])
    with Verifier(Policy((Rule([name], notary=section),)), source=DockerTrust.load(client.trust)) as verifier:
        image = verifier.verify(f"{name}:1.0")
        assert image.digest == digest
        assert [signer.role for signer in image.signers] == [RELEASES, "targets/alice"]
        assert verifier.evaluate(f"{name}:2.0").code is Code.TAG_NOT_SIGNED


@pytest.mark.parametrize(("pattern", "accepted"), [("", True), ("*", True), ("-else", False)])
def test_a_pinning_that_was_brought_along_decides_as_the_client_does(
    shared_peers: Peers,
    notary_server: NotaryServer,
    publisher: Publisher,
    name: str,
    digest: str,
    *,
    tmp_path: Path,
    pattern: str,
    accepted: bool,
) -> None:
    folder = name.rpartition("/")[0]
    key = {"": name, "*": f"{folder}/*", "-else": f"{folder}/other"}[pattern]
    pins = json.loads(publisher.cached(name, "root").read_bytes())["signed"]["roles"]["root"]["keyids"]
    client = shared_peers.client(notary_server, trust_pinning={"certs": {key: pins}, "disable_tofu": True})
    assert client.lookup(name, "1.0").accepted is accepted
    desk = Desk(tmp_path)
    policy = desk.folder / "policy.toml"
    policy.write_text(desk.run("policy", "import", client.folder / "notary.json").out)
    ran = desk.run("verify", "--policy", policy, f"{name}:1.0")
    assert (ran.status, ran.lines) == ((0, [f"{name}@{digest}"]) if accepted else (12, []))


def test_the_doctor_has_nothing_to_tell_of_a_new_repository(
    notary_server: NotaryServer, publisher: Publisher, name: str, digest: str, tmp_path: Path
) -> None:
    desk = Desk(tmp_path)
    pins = publisher.key_ids("root")
    desk.write(
        f'[[rule]]\nnames = ["{name}"]\n[rule.notary]\nserver = "{notary_server.url}"\n'
        f'root-keys = {list(pins)}\nsigners = ["alice"]\n'
    )
    assert desk.run("doctor").status == 0
    told = [finding["finding"] for finding in desk.run("doctor", "--days", "3700", "--json").values]
    assert set(told) == {"metadata_ends", "certificate_ends"}
