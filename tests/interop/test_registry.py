"""The real docker-registry beside the real notary-server: it has the signed bytes, or it is told that it has not."""

import base64
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, final

import pytest
import requests

from imgsig.codes import Code, Outcome
from imgsig.notary.settings import Notary, RootKeys
from imgsig.policy import Policy, Rule
from imgsig.state import MemoryState
from imgsig.transport import Credential, Server, StaticCredentials
from imgsig.verdict import Verdict
from imgsig.verifier import Verifier
from tests.interop.conftest import USERS, Peers
from tests.support.command import Desk
from tests.support.images import Blob, Image, make_image, make_index, push_images
from tests.support.peers import DockerRegistry, NotaryServer, Publisher
from tests.support.token_service import TokenService

pytestmark = pytest.mark.interop

AMD64, ARM64 = make_image("linux/amd64"), make_image("linux/arm64/v8")
INDEX = make_index(AMD64, ARM64)
DOCKER_AMD64 = make_image("linux/amd64", docker=True)
DOCKER_INDEX = make_index(DOCKER_AMD64, docker=True)
OTHER = make_index(ARM64)


@final
@dataclass
class Shop:
    """A publisher who pushes to one registry and signs at one notary-server, and whoever deploys from there."""

    registry: DockerRegistry
    notary: NotaryServer
    publisher: Publisher
    session: requests.Session
    repository: str
    logins: dict[str, Credential] = field(default_factory=dict)

    @property
    def name(self) -> str:
        return f"{self.registry.host}/{self.repository}"

    def push(self, *documents: Blob | Image, tag: str = "") -> None:
        """Push and let `tag` stand for the last one; nothing is signed."""
        push_images(self.session, self.registry.url, self.repository, documents, tag=tag)

    def sign(self, tag: str, document: Blob | Image) -> None:
        signed = document.manifest if isinstance(document, Image) else document
        self.publisher.add(self.name, tag, signed.body)
        self.publisher.publish(self.name)

    @property
    def policy(self) -> Policy:
        settings = Notary(anchor=RootKeys(self.publisher.key_ids("root")), server=self.notary.url)
        return Policy((Rule([self.name], notary=settings),))

    def evaluate(self, reference: str, **demand: Any) -> Verdict:  # noqa: ANN401 - what is asked of the registry
        ca_file = self.registry.tls.ca_file if self.registry.tls else None
        servers = [Server(self.registry.url, ca_file=ca_file)]
        if self.notary.url != self.registry.url:
            servers.append(Server(self.notary.url, ca_file=self.notary.ca_file))
        with Verifier(
            self.policy, state=MemoryState(), servers=servers, credentials=StaticCredentials(self.logins)
        ) as verifier:
            return verifier.evaluate(f"{self.name}{reference}", **(demand or {"check_registry": True}))


@pytest.fixture
def shop(
    docker_registry: DockerRegistry, notary_server: NotaryServer, publisher: Publisher, name: str
) -> Iterator[Shop]:
    repository = name.partition("/")[2]
    with requests.Session() as session:
        shop = Shop(docker_registry, notary_server, publisher, session, repository)
        publisher.init(shop.name)
        yield shop


@pytest.mark.parametrize(("index", "image"), [(INDEX, AMD64), (DOCKER_INDEX, DOCKER_AMD64)], ids=["oci", "docker"])
def test_the_registry_has_the_signed_index_and_its_platforms(shop: Shop, index: Blob, image: Image) -> None:
    shop.push(AMD64, ARM64, DOCKER_AMD64)
    shop.push(index, tag="1.0")
    shop.sign("1.0", index)
    verdict = shop.evaluate(":1.0", platform="linux/amd64")
    assert verdict.code is Code.OK, verdict.summary
    assert verdict.registry is not None
    assert (verdict.registry.media_type, verdict.registry.tag_current) == (index.media_type, True)
    assert verdict.pinned == f"{shop.name}@{index.digest}"
    assert verdict.platform_pinned == f"{shop.name}@{image.manifest.digest}"
    assert shop.evaluate(":1.0", platform="linux/s390x").code is Code.PLATFORM_MISSING


@pytest.mark.parametrize("image", [ARM64, DOCKER_AMD64], ids=["oci", "docker"])
def test_a_single_image_tells_its_platform_itself(shop: Shop, image: Image) -> None:
    shop.push(image, tag="1.0")
    shop.sign("1.0", image)
    platform = "linux/" + image.platform["architecture"]
    verdict = shop.evaluate(f"@{image.manifest.digest}", platform=platform)
    assert verdict.platform_pinned == verdict.pinned == f"{shop.name}@{image.manifest.digest}"
    assert shop.evaluate(":1.0", platform="linux/386").code is Code.PLATFORM_MISSING


def test_a_tag_that_was_pushed_again_is_told_and_refused_on_demand(shop: Shop) -> None:
    shop.push(AMD64, ARM64, INDEX)
    shop.push(OTHER, tag="1.0")
    shop.sign("1.0", INDEX)
    verdict = shop.evaluate(":1.0")
    assert verdict.outcome is Outcome.VERIFIED
    assert verdict.registry is not None
    assert (verdict.registry.tag_current, verdict.registry.tag_digest) == (False, OTHER.digest)
    assert shop.evaluate(":1.0", require_tag_current=True).code is Code.REGISTRY_MISMATCH
    shop.push(INDEX, tag="1.0")
    assert shop.evaluate(":1.0", require_tag_current=True).outcome is Outcome.VERIFIED


def test_a_manifest_that_was_never_pushed_or_was_deleted_is_refused(shop: Shop) -> None:
    shop.sign("1.0", INDEX)
    assert shop.evaluate(":1.0").code is Code.REGISTRY_MISMATCH
    shop.push(AMD64, ARM64, INDEX)
    assert shop.evaluate(":1.0").outcome is Outcome.VERIFIED
    shop.session.delete(f"{shop.registry.url}/v2/{shop.repository}/manifests/{INDEX.digest}", timeout=10)
    assert shop.evaluate(":1.0").code is Code.REGISTRY_MISMATCH


def test_a_registry_whose_storage_was_changed_is_caught(peers: Peers, shop: Shop) -> None:
    shop.registry = peers.registry()
    shop.publisher.init(shop.name)
    shop.push(AMD64, ARM64)
    shop.push(INDEX, tag="1.0")
    shop.sign("1.0", INDEX)
    assert shop.evaluate(":1.0").outcome is Outcome.VERIFIED
    digits = INDEX.digest.removeprefix("sha256:")
    (stored,) = peers.folder.glob(f"*-registry/storage/docker/registry/v2/blobs/sha256/{digits[:2]}/{digits}/data")
    stored.write_bytes(INDEX.body.replace(ARM64.manifest.digest.encode(), AMD64.manifest.digest.encode()))
    assert shop.evaluate(":1.0").code is Code.REGISTRY_MISMATCH


def logged_in(session: requests.Session, tokens: TokenService, repository: str, ca_file: Path) -> None:
    """Let a session push to a repository as alice."""
    session.trust_env = False
    session.verify = str(ca_file)
    answer = session.get(
        tokens.realm,
        params={"service": tokens.service, "scope": f"repository:{repository}:pull,push"},
        auth=("alice", USERS["alice"]),
        timeout=10,
    )
    session.headers["Authorization"] = f"Bearer {answer.json()['token']}"


def guarded(peers: Peers, notary: NotaryServer, session: requests.Session, tokens: TokenService) -> Shop:
    """Return a registry over TLS that demands tokens, with a signed and pushed index as ``team/app:1.0``."""
    shop = Shop(peers.registry(tls=True, tokens=tokens), notary, peers.publisher(notary), session, "team/app")
    logged_in(session, tokens, shop.repository, peers.tls.ca_file)
    shop.publisher.init(shop.name)
    shop.push(AMD64, ARM64)
    shop.push(INDEX, tag="1.0")
    shop.sign("1.0", INDEX)
    return shop


def scopes(tokens: TokenService) -> Iterable[str]:
    return {scope for request in tokens.requests for scope in request.scopes if scope.endswith(":pull")}


def test_tokens_are_asked_for_with_the_registry_s_login(peers: Peers, notary_server: NotaryServer) -> None:
    tokens = peers.tokens()
    with requests.Session() as session:
        shop = guarded(peers, notary_server, session, tokens)
        assert shop.evaluate(":1.0").code is Code.ACCESS_DENIED
        shop.logins = {shop.registry.host: Credential("alice", "wrong")}
        assert shop.evaluate(":1.0").code is Code.ACCESS_DENIED
        shop.logins = {"registry.example.com": Credential("alice", USERS["alice"])}
        assert shop.evaluate(":1.0").code is Code.ACCESS_DENIED
        shop.logins = {shop.registry.host: Credential("alice", USERS["alice"])}
        verdict = shop.evaluate(":1.0", platform="linux/arm64")
    assert verdict.platform_pinned == f"{shop.name}@{ARM64.manifest.digest}"
    assert scopes(tokens) == {"repository:team/app:pull"}


def test_anonymous_tokens_do_where_the_service_gives_them(peers: Peers, notary_server: NotaryServer) -> None:
    with requests.Session() as session:
        shop = guarded(peers, notary_server, session, peers.tokens(anonymous="pull"))
        assert shop.evaluate(":1.0", require_tag_current=True).outcome is Outcome.VERIFIED


def test_the_command_takes_docker_s_logins_and_certificates(
    peers: Peers, notary_server: NotaryServer, tmp_path: Path
) -> None:
    with requests.Session() as session:
        shop = guarded(peers, notary_server, session, peers.tokens())
    desk = Desk(tmp_path / "home")
    place = desk.folder / ".docker" / "tls" / shop.registry.host
    place.mkdir(parents=True)
    (place / "ca.crt").write_bytes(peers.tls.ca_file.read_bytes())
    login = base64.b64encode(f"alice:{USERS['alice']}".encode()).decode()
    config = {"auths": {shop.registry.host: {"auth": login}}}
    (desk.folder / ".docker" / "config.json").write_text(json.dumps(config))
    desk.policy.parent.mkdir(parents=True)
    desk.policy.write_text(shop.policy.to_toml())
    ran = desk.run("verify", "--platform", "linux/arm64", f"{shop.name}:1.0")
    assert (ran.status, ran.lines, ran.said) == (0, [f"{shop.name}@{ARM64.manifest.digest}"], [])
    (place / "ca.crt").unlink()
    ran = desk.run("verify", "--check-registry", f"{shop.name}:1.0")
    assert (ran.status, ran.lines) == (11, [])
    assert "(tls)" in ran.err
