"""Images published with the real client at real servers, verified end to end."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import final

import pytest

from imgsig.archive import Archive, Wanted
from imgsig.codes import Code
from imgsig.errors import VerificationError
from imgsig.notary.settings import Anchor, FirstUse, Notary, RootKeys
from imgsig.policy import Policy, Rule, load_authority
from imgsig.sections import RootFile
from imgsig.state import FolderState
from imgsig.transport import Credential, HttpSources, Server, StaticCredentials
from imgsig.verdict import VerifiedImage
from imgsig.verifier import Verifier
from tests.interop.conftest import USERS, Peers
from tests.support.peers import RELEASES, NotaryServer, Publisher
from tests.support.sockets import sockets_forbidden

pytestmark = pytest.mark.interop


@final
@dataclass
class Embedder:
    """A program that uses imgsig: one rule for one name, and a folder for its state."""

    name: str
    server: str
    state: Path
    anchor: Anchor
    signers: tuple[str, ...] = ()
    max_stale_seconds: int = 0
    servers: tuple[Server, ...] = ()
    credentials: StaticCredentials | None = None
    clock: Callable[[], datetime] = field(default=lambda: datetime.now(UTC))

    def verify(self, reference: str) -> VerifiedImage:
        """Verify in a new process's manner: nothing is shared with earlier calls but the folder."""
        section = Notary(
            anchor=self.anchor, server=self.server, signers=self.signers, max_stale_seconds=self.max_stale_seconds
        )
        policy = Policy((Rule([self.name], notary=section),))
        with Verifier(
            policy,
            state=FolderState(self.state),
            servers=self.servers,
            credentials=self.credentials,
            clock=self.clock,
        ) as verifier:
            return verifier.verify(reference)

    def tag(self, tag: str) -> VerifiedImage:
        return self.verify(f"{self.name}:{tag}")

    def code(self, tag: str) -> Code:
        """Return the code with which a tag is not verified."""
        with pytest.raises(VerificationError) as caught:
            self.tag(tag)
        assert caught.value.verdict is not None
        return caught.value.code


def _pins(publisher: Publisher) -> RootKeys:
    return RootKeys(publisher.key_ids("root"))


@pytest.fixture
def digest(publisher: Publisher, name: str) -> str:
    """The digest of the tag 1.0, which is published."""
    publisher.init(name)
    digest = publisher.add(name, "1.0", b"version 1")
    publisher.publish(name)
    return digest


@pytest.fixture
def embedder(notary_server: NotaryServer, publisher: Publisher, digest: str, name: str, tmp_path: Path) -> Embedder:
    return Embedder(name, notary_server.url, tmp_path / "state", _pins(publisher))


def test_a_published_tag_verifies(embedder: Embedder, digest: str) -> None:
    image = embedder.tag("1.0")
    assert image.pinned == f"{embedder.name}@{digest}"
    assert [signer.role for signer in image.signers] == ["targets"]
    assert image.verdict.fresh
    assert embedder.verify(f"{embedder.name}@{digest}").verdict.attestations[0].tags == ("1.0",)
    assert embedder.verify(f"{embedder.name}:1.0@{digest}").digest == digest
    assert embedder.code("2.0") is Code.TAG_NOT_SIGNED


def test_a_moved_tag_has_its_new_digest(embedder: Embedder, publisher: Publisher, digest: str) -> None:
    assert embedder.tag("1.0").digest == digest
    moved = publisher.add(embedder.name, "1.0", b"version 1, mended")
    publisher.publish(embedder.name)
    assert embedder.tag("1.0").digest == moved != digest


def test_a_name_that_nobody_signed_is_not_signed(embedder: Embedder) -> None:
    embedder.name += "-other"
    assert embedder.code("1.0") is Code.NOT_SIGNED


def test_two_required_signers_must_agree(embedder: Embedder, publisher: Publisher) -> None:
    name = embedder.name
    embedder.signers = ("alice", "bob")
    for signer in embedder.signers:
        publisher.signer_add(name, signer)
    publisher.publish(name)
    agreed = publisher.add(name, "1.0", b"agreed", roles=[RELEASES, "targets/alice", "targets/bob"])
    publisher.publish(name)
    image = embedder.tag("1.0")
    assert image.digest == agreed
    assert [signer.role for signer in image.signers] == [RELEASES, "targets/alice", "targets/bob"]
    publisher.add(name, "1.0", b"bob's own", roles=["targets/bob"])
    publisher.publish(name)
    assert embedder.code("1.0") is Code.SIGNERS_DISAGREE
    publisher.remove(name, "1.0", roles=["targets/bob"])
    publisher.publish(name)
    assert embedder.code("1.0") is Code.SIGNER_MISSING


@pytest.mark.parametrize("role", ["root", "targets", "snapshot", "timestamp"])
def test_a_key_may_rotate_between_two_verifications(
    embedder: Embedder, publisher: Publisher, digest: str, role: str
) -> None:
    assert embedder.tag("1.0").digest == digest
    publisher.rotate(embedder.name, role)
    assert embedder.tag("1.0").digest == digest
    moved = publisher.add(embedder.name, "1.0", b"after the rotation")
    publisher.publish(embedder.name)
    assert embedder.tag("1.0").digest == moved


def test_a_snapshot_key_may_go_to_the_server(embedder: Embedder, publisher: Publisher, digest: str) -> None:
    assert embedder.tag("1.0").digest == digest
    publisher.rotate(embedder.name, "snapshot", server_managed=True)
    assert embedder.tag("1.0").digest == digest


def test_two_root_rotations_may_happen_between_two_verifications(
    embedder: Embedder, publisher: Publisher, digest: str
) -> None:
    assert embedder.tag("1.0").digest == digest
    for _ in range(2):
        publisher.rotate(embedder.name, "root")
    roles = embedder.tag("1.0").verdict.attestations[0].roles
    assert next(role.version for role in roles if role.role == "root") == 3


def test_a_root_file_leads_through_rotations(
    embedder: Embedder, publisher: Publisher, notary_server: NotaryServer, digest: str
) -> None:
    embedder.anchor = RootFile(notary_server.fetch(embedder.name, "root.json"))
    for _ in range(2):
        publisher.rotate(embedder.name, "root")
    assert embedder.tag("1.0").digest == digest


def test_a_server_that_is_away_is_no_answer_unless_the_rule_bridges_it(
    peers: Peers, notary_server: NotaryServer, embedder: Embedder, digest: str
) -> None:
    gate = peers.gate(notary_server)
    embedder.server = notary_server.url_at(gate.port)
    assert embedder.tag("1.0").digest == digest
    gate.shut()
    assert embedder.code("1.0") is Code.UNREACHABLE
    embedder.max_stale_seconds = 600
    image = embedder.tag("1.0")
    assert image.digest == digest
    assert not image.verdict.fresh
    later = datetime.now(UTC) + timedelta(seconds=700)
    embedder.clock = lambda: later
    assert embedder.code("1.0") is Code.STALE
    gate.open()
    assert embedder.tag("1.0").verdict.fresh


def test_a_wiped_state_starts_anew_from_the_anchor(embedder: Embedder, publisher: Publisher, digest: str) -> None:
    assert embedder.tag("1.0").digest == digest
    embedder.state = embedder.state.with_name("another")
    assert embedder.tag("1.0").digest == digest
    publisher.rotate(embedder.name, "root")
    embedder.state = embedder.state.with_name("yet another")
    assert embedder.code("1.0") is Code.ANCHOR_MISMATCH


def test_a_wrong_pin_is_refused_and_stores_nothing(embedder: Embedder) -> None:
    embedder.anchor = RootKeys(["0" * 64])
    assert embedder.code("1.0") is Code.ANCHOR_MISMATCH
    assert not FolderState(embedder.state).names()


def test_a_changed_anchor_is_satisfied_by_the_offered_root(
    embedder: Embedder, publisher: Publisher, digest: str
) -> None:
    pins = embedder.anchor
    embedder.anchor = FirstUse()
    assert embedder.tag("1.0").verdict.attestations[0].anchor.kind == "first-use"
    embedder.anchor = RootKeys(["0" * 64])
    assert embedder.code("1.0") is Code.ANCHOR_MISMATCH
    embedder.anchor = pins
    assert embedder.tag("1.0").verdict.attestations[0].anchor.kind == "root-keys"
    assert embedder.tag("1.0").digest == digest


def test_a_name_deleted_on_the_server_is_trust_data_removed(embedder: Embedder, publisher: Publisher) -> None:
    embedder.tag("1.0")
    publisher.delete(embedder.name)
    assert embedder.code("1.0") is Code.TRUST_DATA_REMOVED


def test_a_name_that_is_signed_anew_by_others_is_refused(
    embedder: Embedder, publisher: Publisher, peers: Peers, notary_server: NotaryServer
) -> None:
    embedder.tag("1.0")
    publisher.delete(embedder.name)
    stranger = peers.publisher(notary_server)
    stranger.init(embedder.name)
    stranger.add(embedder.name, "1.0", b"of strangers")
    stranger.publish(embedder.name)
    assert embedder.code("1.0") is Code.ROOT_ROTATION


def test_a_private_ca_must_be_named(
    peers: Peers, secure_notary_server: NotaryServer, name: str, tmp_path: Path
) -> None:
    publisher = peers.publisher(secure_notary_server)
    publisher.init(name)
    digest = publisher.add(name, "1.0", b"over TLS")
    publisher.publish(name)
    embedder = Embedder(name, secure_notary_server.url, tmp_path / "state", _pins(publisher))
    assert embedder.code("1.0") is Code.TLS
    embedder.servers = (Server(secure_notary_server.url, ca_file=secure_notary_server.ca_file),)
    assert embedder.tag("1.0").digest == digest


def test_tokens_are_asked_for_with_the_registry_s_login(peers: Peers, name: str, tmp_path: Path) -> None:
    server = peers.server(tls=True, tokens=peers.tokens())
    publisher = peers.publisher(server, user="alice")
    publisher.init(name)
    digest = publisher.add(name, "1.0", b"behind a token")
    publisher.publish(name)
    embedder = Embedder(
        name,
        server.url,
        tmp_path / "state",
        _pins(publisher),
        servers=(Server(server.url, ca_file=server.ca_file),),
    )
    assert embedder.code("1.0") is Code.ACCESS_DENIED
    registry = name.partition("/")[0]
    embedder.credentials = StaticCredentials({registry: Credential("alice", "wrong")})
    assert embedder.code("1.0") is Code.ACCESS_DENIED
    embedder.credentials = StaticCredentials({registry: Credential("alice", USERS["alice"])})
    assert embedder.tag("1.0").digest == digest


def test_anonymous_tokens_do_where_the_service_gives_them(peers: Peers, name: str, tmp_path: Path) -> None:
    server = peers.server(tls=True, tokens=peers.tokens(anonymous="pull"))
    publisher = peers.publisher(server, user="alice")
    publisher.init(name)
    digest = publisher.add(name, "1.0", b"public")
    publisher.publish(name)
    embedder = Embedder(
        name,
        server.url,
        tmp_path / "state",
        _pins(publisher),
        servers=(Server(server.url, ca_file=server.ca_file),),
    )
    assert embedder.tag("1.0").digest == digest


def test_an_archive_verifies_without_a_server_until_it_expires(
    peers: Peers, publisher: Publisher, embedder: Embedder, digest: str, tmp_path: Path
) -> None:
    server = peers.server()
    gone = peers.publisher(server)
    gone.init(embedder.name)
    digest = gone.add(embedder.name, "1.0", b"archived")
    gone.publish(embedder.name)
    section = Notary(anchor=_pins(gone), server=server.url)
    wanted = [Wanted(embedder.name, section, load_authority(section))]
    with HttpSources() as sources:
        saved = Archive.save(wanted, tmp_path / "archive", sources=sources, clock=embedder.clock)
    server.stop()
    policy = Policy((Rule([embedder.name], notary=section),))
    reference = f"{embedder.name}:1.0"
    with sockets_forbidden():
        archive = Archive.load(tmp_path / "archive", id=saved.id)
        with Verifier(policy, source=archive) as verifier:
            image = verifier.verify(reference)
            before = verifier.evaluate(reference, at=archive.captured_at - timedelta(seconds=1))
            after = verifier.evaluate(reference, at=archive.captured_at + timedelta(days=15))
            much_later = verifier.evaluate(reference, at=archive.captured_at + timedelta(days=4000))
    assert image.digest == digest
    assert not image.verdict.fresh
    source = image.verdict.attestations[0].source
    assert (source.kind, source.location, source.id_pinned) == ("archive", saved.id, True)
    assert before.code is Code.BEFORE_CAPTURE
    assert after.code is Code.EXPIRED
    assert much_later.code is Code.ROOT_CERTIFICATE
