"""Docker's trust folder is verified by the policy like any other source, and never changed."""

import json
import os
import pickle
from pathlib import Path

import pytest

from imgsig.archive import DockerTrust
from imgsig.codes import Code
from imgsig.errors import InconclusiveError, UsageError
from imgsig.limits import Deadline, Limits
from imgsig.notary.settings import Anchor, FirstUse, Notary, RootKeys
from imgsig.policy import Policy, Rule
from imgsig.sections import FromArchive
from imgsig.source import DocumentMissingError, Endpoint
from imgsig.verdict import Verdict
from imgsig.verifier import Verifier
from tests.support.archives import pinned
from tests.support.command import Desk
from tests.support.repository import NAME, NOW, SignedRepository


@pytest.fixture
def repository() -> SignedRepository:
    made = SignedRepository()
    made.add_delegation("targets/releases", tags=("2.0",))
    made.publish()
    return made


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "trust"


def keep(folder: Path, repository: SignedRepository) -> Path:
    """Keep a repository as Docker's client does: the newest document of each role, without versions and hashes."""
    metadata = folder.joinpath("tuf", *repository.name.split("/"), "metadata")
    for role, body in repository.current.items():
        file = metadata / f"{role}.json"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(body)
    (folder / "private").mkdir(exist_ok=True)
    return metadata


def verdict_of(
    folder: Path, repository: SignedRepository, tag: str = "2.0", *, anchor: Anchor | None = None
) -> Verdict:
    rule = Rule([repository.name], notary=Notary(anchor=anchor or pinned(repository)))
    with Verifier(Policy((rule,)), source=DockerTrust.load(folder), clock=lambda: NOW) as verifier:
        return verifier.evaluate(f"{repository.name}:{tag}")


def test_an_image_is_verified_from_what_docker_has_kept(repository: SignedRepository, folder: Path) -> None:
    keep(folder, repository)
    verdict = verdict_of(folder, repository)
    (attestation,) = verdict.attestations
    assert (verdict.code, verdict.digest) == (Code.OK, repository.digest("2.0", "targets/releases"))
    assert (verdict.fresh, attestation.known_since) == (False, None)
    source = attestation.source
    assert (source.kind, source.location, source.captured_at, source.id_pinned) == (
        "docker-trust", str(folder), None, False,
    )


def looks(folder: Path) -> dict[Path, tuple[int, int, int]]:
    stats = {path: path.stat() for path in folder.rglob("*")}
    return {path: (stat.st_ino, stat.st_size, stat.st_mtime_ns) for path, stat in stats.items()}


def test_the_folder_is_not_changed(repository: SignedRepository, folder: Path) -> None:
    keep(folder, repository)
    before = looks(folder)
    verdict_of(folder, repository)
    assert looks(folder) == before


@pytest.mark.parametrize("name", ["localhost:5000/app", "REGISTRY.example.com/a/b/c", "docker.io/library/alpine"])
def test_a_name_is_found_under_its_own_folders(folder: Path, name: str) -> None:
    repository = SignedRepository(name)
    keep(folder, repository)
    assert verdict_of(folder, repository, "1.0").code is Code.OK


def test_what_docker_trusts_at_first_use_is_not_trusted_for_that(repository: SignedRepository, folder: Path) -> None:
    keep(folder, repository)
    assert verdict_of(folder, repository, anchor=FirstUse()).code is Code.ANCHOR_MISMATCH
    assert verdict_of(folder, repository, anchor=RootKeys(["0" * 64])).code is Code.ANCHOR_MISMATCH


def test_what_has_expired_since_is_refused(repository: SignedRepository, folder: Path) -> None:
    repository.expire("timestamp")
    repository.publish()
    keep(folder, repository)
    assert verdict_of(folder, repository).code is Code.EXPIRED


def test_documents_that_do_not_belong_together_are_refused(repository: SignedRepository, folder: Path) -> None:
    metadata = keep(folder, repository)
    repository.add_target("3.0")
    repository.publish()
    (metadata / "targets.json").write_bytes(repository.current["targets"])
    assert verdict_of(folder, repository).code in {Code.HASH_MISMATCH, Code.LIMIT_EXCEEDED}


@pytest.mark.parametrize("role", ["root", "timestamp", "snapshot", "targets", "targets/releases"])
def test_what_is_not_there_is_unreadable(repository: SignedRepository, folder: Path, role: str) -> None:
    (keep(folder, repository) / f"{role}.json").unlink()
    verdict = verdict_of(folder, repository)
    assert verdict.code is Code.ARCHIVE_UNREADABLE
    assert "docker trust inspect" in verdict.hint


def test_a_name_that_docker_never_asked_about_is_unreadable(repository: SignedRepository, folder: Path) -> None:
    keep(folder, repository)
    assert verdict_of(folder, SignedRepository("quay.io/x")).code is Code.ARCHIVE_UNREADABLE


def test_a_link_in_the_folder_is_not_followed(repository: SignedRepository, folder: Path, tmp_path: Path) -> None:
    metadata = keep(folder, repository)
    (metadata / "root.json").rename(tmp_path / "root.json")
    (metadata / "root.json").symlink_to(tmp_path / "root.json")
    assert verdict_of(folder, repository).code is Code.ARCHIVE_UNREADABLE


def test_the_folder_itself_may_be_a_link(repository: SignedRepository, folder: Path, tmp_path: Path) -> None:
    keep(folder, repository)
    (tmp_path / "link").symlink_to(folder)
    assert verdict_of(tmp_path / "link", repository).code is Code.OK


def test_a_pipe_in_a_document_s_place_is_not_waited_for(repository: SignedRepository, folder: Path) -> None:
    metadata = keep(folder, repository)
    (metadata / "root.json").unlink()
    os.mkfifo(metadata / "root.json")
    assert verdict_of(folder, repository).code is Code.ARCHIVE_UNREADABLE


def test_a_document_beyond_its_bound_is_refused(repository: SignedRepository, folder: Path) -> None:
    metadata = keep(folder, repository)
    (metadata / "timestamp.json").write_bytes(b" " * (Limits().max_timestamp_bytes + 1))
    assert verdict_of(folder, repository).code is Code.LIMIT_EXCEEDED


@pytest.mark.parametrize(
    ("system", "name", "path"),
    [
        ("tuf", NAME, "timestamp.json"),
        ("notary", "../../etc", "passwd"),
        ("notary", "/etc", "passwd"),
        ("notary", NAME, "../../../../../private/key"),
        ("notary", NAME, "targets/../root.json"),
    ],
)
def test_nothing_but_the_documents_of_the_name_is_read(
    repository: SignedRepository, folder: Path, system: str, name: str, path: str
) -> None:
    keep(folder, repository)
    (folder / "private" / "key").write_text("secret")
    source = DockerTrust.load(folder).open(Endpoint(system, name, "https://a", "/"))
    with pytest.raises(DocumentMissingError):
        source.fetch(path, max_bytes=10**6, deadline=Deadline(30))


def test_the_deadline_is_kept(repository: SignedRepository, folder: Path) -> None:
    keep(folder, repository)
    source = DockerTrust.load(folder).open(Endpoint("notary", NAME, "https://a", "/"))
    with pytest.raises(InconclusiveError) as caught:
        source.fetch("root.json", max_bytes=10**6, deadline=Deadline(1e-9))
    assert caught.value.code is Code.DEADLINE


def test_a_folder_without_trust_data_is_a_wrong_call(tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / "none", tmp_path / "a\0b"):
        with pytest.raises(UsageError, match="no trust folder"):
            DockerTrust.load(path)


def test_it_can_be_sent_to_another_process(repository: SignedRepository, folder: Path) -> None:
    keep(folder, repository)
    trust = DockerTrust.load(folder)
    assert pickle.loads(pickle.dumps(trust)) == trust  # noqa: S301 - our own


def test_a_rule_that_demands_an_archive_s_id_or_age_is_not_satisfied(
    repository: SignedRepository, folder: Path
) -> None:
    keep(folder, repository)
    terms = {"an id": FromArchive("/x", id=f"sha256:{'a' * 64}"), "an age": FromArchive("/x", max_age_days=3660)}
    for source, code in ((terms["an id"], Code.HASH_MISMATCH), (terms["an age"], Code.STALE)):
        rule = Rule([NAME], notary=Notary(anchor=pinned(repository), archive=source))
        with Verifier(Policy((rule,)), source=DockerTrust.load(folder), clock=lambda: NOW) as verifier:
            assert verifier.evaluate(NAME).code is code


# -- the command line ---------------------------------------------------------------------------------------------


def test_the_command_line_verifies_from_it(repository: SignedRepository, folder: Path, tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    keep(folder, repository)
    desk.trust(repository, "http://127.0.0.1:9")
    ran = desk.run("verify", "--docker-trust", folder, "--explain", f"{NAME}:2.0")
    assert (ran.status, ran.lines) == (0, [f"{NAME}@{repository.digest('2.0', 'targets/releases')}"])
    assert f"Docker's trust folder {folder}, captured at no known time" in ran.err
    (verdict,) = desk.run("verify", "--docker-trust", folder, "--json", f"{NAME}:2.0").values
    assert verdict["attestations"][0]["source"] == {
        "kind": "docker-trust", "location": str(folder), "captured_at": None, "id_pinned": False,
    }
    assert json.dumps(verdict).isascii()
    assert not desk.state.exists()


@pytest.mark.parametrize(
    "words",
    [
        ("--archive", "x"), ("--state", "x"), ("--at", "2027-01-01T00:00:00Z"), ("--archive-id", f"sha256:{'a' * 64}"),
        ("--check-registry",), ("--require-tag-current",), ("--platform", "linux/arm64"),
    ],
)
def test_what_does_not_go_with_it_is_wrong_usage(
    repository: SignedRepository, folder: Path, tmp_path: Path, words: tuple[str, ...]
) -> None:
    desk = Desk(tmp_path)
    keep(folder, repository)
    desk.trust(repository, "http://127.0.0.1:9")
    ran = desk.run("verify", "--docker-trust", folder, *words, NAME)
    assert (ran.status, ran.out, len(ran.said)) == (2, "", 2)


def test_a_folder_that_is_none_is_wrong_usage(repository: SignedRepository, tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    desk.trust(repository, "http://127.0.0.1:9")
    ran = desk.run("verify", "--docker-trust", tmp_path / "none", NAME)
    assert (ran.status, ran.out, len(ran.said)) == (2, "", 2)
