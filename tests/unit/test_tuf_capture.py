"""An archive of a TUF repository holds all that a later verification may ask for, and verifies without a server."""

import hashlib
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Final

import pytest

from imgsig import Archive, Policy, Rule, Tuf, Verdict, Verifier
from imgsig.archive import Wanted
from imgsig.codes import Code
from imgsig.errors import InconclusiveError, VerificationError
from imgsig.limits import Deadline, Limits
from imgsig.policy import load_authority
from imgsig.sections import RootFile
from imgsig.transport import HttpSources
from imgsig.tuf.capture import capture_documents
from imgsig.tuf.settings import Anchor, RootSha256
from tests.support.memory_source import MemorySource
from tests.support.repository import NAME, NOW, Reply
from tests.support.tuf_repository import TufRepository
from tests.support.tuf_server import TufServer

COLD: Final = ["1.root.json", "2.root.json", "timestamp.json", "1.snapshot.json", "1.targets.json"]


@pytest.fixture
def repository() -> TufRepository:
    return TufRepository()


def captured(repository: TufRepository, *, anchor: Anchor | None = None, limits: Limits | None = None) -> list[str]:
    """Return what is asked for."""
    repository.requests.clear()
    capture_documents(
        MemorySource(repository.served),
        anchor or RootFile(repository.files.get("1.root.json", b"{}")),
        deadline=Deadline(10),
        limits=limits or Limits(),
    )
    return repository.requests


def refused(repository: TufRepository, *, limits: Limits | None = None) -> VerificationError:
    with pytest.raises(VerificationError) as caught:
        captured(repository, limits=limits)
    return caught.value


def test_everything_is_asked_for_that_the_snapshot_lists(repository: TufRepository) -> None:
    repository.add_delegation("a/b")
    repository.add_delegation("c", delegator="a/b")
    repository.publish()
    repository.publish("root")
    requests = captured(repository)
    assert requests[:5] == ["1.root.json", "2.root.json", "3.root.json", "timestamp.json", "2.snapshot.json"]
    assert sorted(requests[5:]) == ["1.a%2Fb.json", "1.c.json", "2.targets.json"]


def test_plain_names_are_asked_for_where_there_are_no_consistent_snapshots() -> None:
    assert captured(TufRepository(consistent=False))[2:] == ["timestamp.json", "snapshot.json", "targets.json"]


def test_roots_that_were_dropped_are_taken_from_the_anchor_on(repository: TufRepository) -> None:
    for _ in range(3):
        repository.publish("root")
    anchor = RootFile(repository.files["3.root.json"])
    for version in (1, 2, 3):
        del repository.files[f"{version}.root.json"]
    requests = captured(repository, anchor=anchor)
    assert requests[:4] == ["1.root.json", "4.root.json", "5.root.json", "timestamp.json"]
    assert requests[4:] == ["1.snapshot.json", "1.targets.json"]


def test_a_root_file_that_is_the_last_one_tells_how_documents_are_named(repository: TufRepository) -> None:
    anchor = RootFile(repository.files.pop("1.root.json"))
    assert captured(repository, anchor=anchor) == COLD


@pytest.mark.parametrize("root", [b"{}", b"{", None])
def test_without_any_root_that_can_be_understood_only_the_timestamp_can_be_had(
    repository: TufRepository, root: bytes | None
) -> None:
    del repository.files["1.root.json"]
    if root is not None:
        repository.files["1.root.json"] = root
    assert captured(repository, anchor=RootSha256(64 * "0")) == COLD[:3]
    assert captured(repository, anchor=RootFile(b"{}")) == COLD[:3]


@pytest.mark.parametrize("path", ["1.snapshot.json", "1.targets.json"])
@pytest.mark.parametrize("reply", [Reply(404), Reply(200, b"{}"), Reply(200, b"{" + 3_000_000 * b" ")])
def test_a_document_that_is_missing_or_is_none_is_passed_over(
    repository: TufRepository, path: str, reply: Reply
) -> None:
    repository.replies[path] = reply
    assert captured(repository)[:4] == COLD[:4]


@pytest.mark.parametrize("path", ["timestamp.json", "1.snapshot.json", "1.targets.json", "2.root.json"])
def test_a_server_that_fails_is_no_repository_to_keep(repository: TufRepository, path: str) -> None:
    repository.replies[path] = Reply(503)
    assert isinstance(refused(repository), InconclusiveError)


def test_a_missing_timestamp_is_a_missing_repository(repository: TufRepository) -> None:
    repository.replies["timestamp.json"] = Reply(404)
    assert refused(repository).code is Code.BAD_RESPONSE


def test_more_roles_or_roots_than_allowed_are_refused(repository: TufRepository) -> None:
    repository.add_bins(3)
    repository.publish()
    error = refused(repository, limits=Limits(max_roles=8))
    assert (error.code, error.found) == (Code.LIMIT_EXCEEDED, "9")
    for _ in range(4):
        repository.publish("root")
    error = refused(repository, limits=Limits(max_root_rotations=1))
    assert (error.code, error.subject) == (Code.LIMIT_EXCEEDED, "root")


# -- the whole way ----------------------------------------------------------------------------------------------------


@pytest.fixture
def server(repository: TufRepository) -> Iterator[TufServer]:
    with TufServer(repository) as running:
        yield running


def save(server: TufServer, folder: Path, anchor: Anchor) -> Archive:
    settings = Tuf(anchor=anchor, metadata_url=server.metadata_url)
    wanted = Wanted(NAME, settings, load_authority(settings))
    with HttpSources() as sources:
        return Archive.save([wanted], folder, sources=sources, clock=lambda: NOW)


def verdict(archive: Archive, anchor: Anchor, ref: str = f"{NAME}:latest") -> Verdict:
    settings = Tuf(anchor=anchor, metadata_url="https://gone.example.com")
    return Verifier(Policy((Rule([NAME], tuf=settings),)), source=archive).evaluate(ref, at=NOW + timedelta(days=1))


def test_an_archive_verifies_without_the_server(server: TufServer, repository: TufRepository, tmp_path: Path) -> None:
    repository.add_delegation("team/a b", listed=[f"{NAME}:2.0"])
    repository.publish()
    repository.publish("root")
    first = repository.files["1.root.json"]
    archive = save(server, tmp_path / "archive", RootFile(first))
    assert archive.names[0].verified
    server.close()
    for anchor in (RootFile(first), RootSha256(hashlib.sha256(repository.files["2.root.json"]).hexdigest())):
        image = verdict(archive, anchor, f"{NAME}:2.0").require()
        assert image.digest == repository.digest(f"{NAME}:2.0", "team/a b")
        (attestation,) = image.verdict.attestations
        assert attestation.source.kind == "archive"
        assert attestation.source.location == archive.id
        assert not attestation.fresh
        assert attestation.known_since is None
    assert verdict(archive, RootFile(first), f"{NAME}:3.0").code is Code.TAG_NOT_SIGNED
    assert verdict(archive, RootSha256(64 * "0")).code is Code.ANCHOR_MISMATCH
    assert Archive.load(archive.path, archive.id).names == archive.names


def test_what_does_not_verify_is_saved_and_marked(server: TufServer, repository: TufRepository, tmp_path: Path) -> None:
    repository.expire("targets")
    repository.publish()
    anchor = RootFile(repository.files["1.root.json"])
    archive = save(server, tmp_path / "archive", anchor)
    assert (archive.names[0].verified, archive.names[0].code) == (False, "expired")
    assert verdict(archive, anchor).code is Code.EXPIRED


def test_a_changed_archive_is_not_used(server: TufServer, repository: TufRepository, tmp_path: Path) -> None:
    anchor = RootFile(repository.files["1.root.json"])
    archive = save(server, tmp_path / "archive", anchor)
    (targets,) = (tmp_path / "archive").rglob("1.targets.json")
    targets.write_bytes(targets.read_bytes() + b" ")
    assert verdict(archive, anchor).code is Code.HASH_MISMATCH


def test_what_the_server_lacked_when_it_was_saved_is_missing_later(
    server: TufServer, repository: TufRepository, tmp_path: Path
) -> None:
    repository.add_delegation("team", listed=[f"{NAME}:2.0"])
    repository.publish()
    del repository.files["1.team.json"]
    anchor = RootFile(repository.files["1.root.json"])
    archive = save(server, tmp_path / "archive", anchor)
    assert verdict(archive, anchor).code is Code.OK
    assert verdict(archive, anchor, f"{NAME}:2.0").code is Code.ARCHIVE_UNREADABLE


def test_an_archive_without_the_name_is_no_answer(server: TufServer, repository: TufRepository, tmp_path: Path) -> None:
    anchor = RootFile(repository.files["1.root.json"])
    archive = save(server, tmp_path / "archive", anchor)
    settings = Tuf(anchor=anchor, metadata_url="https://gone.example.com")
    other = "registry.example.com/team/other"
    answer = Verifier(Policy((Rule([other], tuf=settings),)), source=archive).evaluate(other, at=NOW)
    assert answer.code is Code.ARCHIVE_UNREADABLE
