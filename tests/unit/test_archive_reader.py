"""An archive as a source: what it gives out, what it says of itself, how images are verified from it."""

import copy
import json
import pickle
import shutil
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path

import pytest

from imgsig.archive import Archive
from imgsig.archive.capture import archive_id
from imgsig.codes import Code, Outcome
from imgsig.errors import InconclusiveError, RejectedError, UsageError
from imgsig.limits import Deadline, Limits
from imgsig.notary.settings import FirstUse, RootKeys
from imgsig.sections import RootFile
from imgsig.source import DocumentMissingError, Endpoint, SourceEvidence
from imgsig.state import MemoryState
from imgsig.verifier import Verifier
from tests.support.archives import bend, save, verifier
from tests.support.repository import NAME, NOW, SignedRepository
from tests.support.root_certificates import root_key
from tests.support.sockets import sockets_forbidden

OTHER = "docker.io/library/alpine"


@pytest.fixture
def repository() -> SignedRepository:
    repository = SignedRepository()
    repository.add_delegation("targets/releases", tags=["1.1"])
    repository.add_delegation("targets/releases/eu", tags=["1.2"])
    repository.rotate("root")
    repository.publish()
    return repository


@pytest.fixture
def archive(repository: SignedRepository, tmp_path: Path) -> Archive:
    return save(tmp_path / "saved", repository)


def endpoint(name: str = NAME, system: str = "notary") -> Endpoint:
    return Endpoint(system, name, "https://elsewhere.example.com", "/v2/")


def fetch(archive: Archive, path: str, *, name: str = NAME, max_bytes: int = 10**6) -> bytes:
    return archive.open(endpoint(name)).fetch(path, max_bytes=max_bytes, deadline=Deadline(10))


# -- what it gives out ----------------------------------------------------------------------------------------------


def test_every_document_comes_out_as_the_server_gave_it(archive: Archive, repository: SignedRepository) -> None:
    (name,) = archive.names
    assert {file.path: fetch(archive, file.path) for file in name.files} == {
        file.path: repository.files[file.path] for file in name.files
    }
    paths = {file.path for file in name.files}
    assert {"1.root.json", "2.root.json", "root.json", "timestamp.json"} < paths
    assert {repository.path_of(role) for role in repository.current if role != "root"} < paths


def test_it_says_what_it_holds(archive: Archive) -> None:
    assert archive.id == archive_id((archive.path / "capture.json").read_bytes())
    assert archive.captured_at == NOW
    assert [(name.system, name.name, name.server, name.verified) for name in archive.names] == [
        ("notary", NAME, "https://notary.example.com", True)
    ]
    assert not archive.live
    assert not archive.id_pinned
    assert archive.open(endpoint()).evidence == SourceEvidence("archive", archive.id, NOW, id_pinned=False)


def test_which_server_the_rule_names_does_not_matter(archive: Archive, repository: SignedRepository) -> None:
    assert verifier(archive, repository).verify(f"{NAME}:1.1").digest == repository.digest("1.1", "targets/releases")


def test_a_document_longer_than_asked_for_is_refused(archive: Archive, repository: SignedRepository) -> None:
    length = len(repository.files["root.json"])
    assert len(fetch(archive, "root.json", max_bytes=length)) == length
    with pytest.raises(RejectedError, match="larger") as caught:
        fetch(archive, "root.json", max_bytes=length - 1)
    assert caught.value.code is Code.LIMIT_EXCEEDED


@pytest.mark.parametrize(
    "path", ["3.root.json", "", "../capture.json", "../../../../capture.json", "/etc/passwd", "a\0b"]
)
def test_a_document_that_it_does_not_list_is_missing_whatever_lies_on_disk(archive: Archive, path: str) -> None:
    with pytest.raises(DocumentMissingError) as caught:
        fetch(archive, path)
    assert caught.value.code is Code.ARCHIVE_UNREADABLE
    assert str(caught.value).isascii()


@pytest.mark.parametrize(("name", "system"), [(OTHER, "notary"), (NAME, "tuf")])
def test_a_name_that_it_does_not_hold_is_missing_not_unsigned(archive: Archive, name: str, system: str) -> None:
    source = archive.open(endpoint(name, system))
    assert source.evidence.captured_at == NOW
    with pytest.raises(DocumentMissingError, match="holds nothing") as caught:
        source.fetch("root.json", max_bytes=10, deadline=Deadline(10))
    assert caught.value.code is Code.ARCHIVE_UNREADABLE


def test_nothing_is_read_after_the_deadline(archive: Archive) -> None:
    now = [0.0]
    deadline = Deadline(1, clock=lambda: now[0])
    source = archive.open(endpoint())
    assert source.fetch("root.json", max_bytes=10**6, deadline=deadline)
    now[0] = 2.0
    with pytest.raises(InconclusiveError) as caught:
        source.fetch("root.json", max_bytes=10**6, deadline=deadline)
    assert caught.value.code is Code.DEADLINE


def test_it_can_be_pickled_copied_compared_and_printed(archive: Archive) -> None:
    for twin in (pickle.loads(pickle.dumps(archive)), copy.deepcopy(archive)):  # noqa: S301 - our own
        assert twin == archive
        assert fetch(twin, "root.json") == fetch(archive, "root.json")
    assert "_by_name" not in repr(archive)


def test_a_moved_archive_stays_what_it_was(archive: Archive, tmp_path: Path) -> None:
    moved = tmp_path / "elsewhere"
    archive.path.rename(moved)
    assert Archive.load(moved, archive.id).names == archive.names
    assert fetch(Archive.load(str(moved)), "root.json")


def test_a_link_may_lead_to_the_archive_itself(archive: Archive, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(archive.path)
    assert fetch(Archive.load(tmp_path / "link"), "root.json")


# -- the id -------------------------------------------------------------------------------------------------------


def test_the_demanded_id_is_told(archive: Archive, repository: SignedRepository) -> None:
    pinned_archive = Archive.load(archive.path, archive.id)
    assert pinned_archive.id_pinned
    (attestation,) = verifier(pinned_archive, repository).evaluate(f"{NAME}:1.0").attestations
    assert attestation.source == SourceEvidence("archive", archive.id, NOW, id_pinned=True)


def test_another_archive_than_the_demanded_one_is_refused(archive: Archive) -> None:
    demanded = "sha256:" + "0" * 64
    with pytest.raises(RejectedError) as caught:
        Archive.load(archive.path, demanded)
    assert caught.value.code is Code.HASH_MISMATCH
    assert (caught.value.expected, caught.value.found) == (demanded, archive.id)


@pytest.mark.parametrize(
    "text", ["", "sha256:", "0" * 64, f"sha256:{'A' * 64}", f"sha512:{'0' * 64}", f"sha256:{'0' * 63}"]
)
def test_what_is_no_id_is_a_wrong_call(archive: Archive, text: str) -> None:
    with pytest.raises(UsageError, match="id is sha256"):
        Archive.load(archive.path, text)


# -- loading ------------------------------------------------------------------------------------------------------


def unreadable(path: Path | str, *, limits: Limits | None = None) -> InconclusiveError:
    with pytest.raises(InconclusiveError) as caught:
        Archive.load(path, limits=limits or Limits())
    assert caught.value.code is Code.ARCHIVE_UNREADABLE
    assert str(caught.value).isascii()
    return caught.value


def test_a_folder_that_is_no_archive_is_unreadable(tmp_path: Path) -> None:
    assert "no such file" in str(unreadable(tmp_path / "absent"))
    assert "no such file" in str(unreadable(tmp_path))
    (tmp_path / "file").write_bytes(b"")
    unreadable(tmp_path / "file")
    assert "no path" in str(unreadable("a\0b"))


@pytest.mark.parametrize(
    ("body", "because"),
    [
        (b"", "not JSON"),
        (b"<html>", "not JSON"),
        (b"{}\n", "exactly the members"),
        (b'{"format":"imgsig-archive/2"}\n', "must be imgsig-archive/1"),
    ],
)
def test_a_capture_that_breaks_the_format_is_unreadable_and_said_why(tmp_path: Path, body: bytes, because: str) -> None:
    (tmp_path / "capture.json").write_bytes(body)
    assert because in str(unreadable(tmp_path))


def test_a_capture_beyond_its_bound_is_unreadable(archive: Archive) -> None:
    size = (archive.path / "capture.json").stat().st_size
    assert Archive.load(archive.path, limits=Limits(max_capture_bytes=size)) == archive
    assert f"larger than {size - 1} bytes" in str(unreadable(archive.path, limits=Limits(max_capture_bytes=size - 1)))


# -- verifying ----------------------------------------------------------------------------------------------------


def test_verdicts_are_those_of_the_server_but_never_fresh(archive: Archive, repository: SignedRepository) -> None:
    for tag, role in (("1.0", "targets"), ("1.1", "targets/releases")):
        verdict = verifier(archive, repository).evaluate(f"{NAME}:{tag}")
        assert verdict.code is Code.OK
        assert verdict.digest == repository.digest(tag, role)
        assert not verdict.fresh
        (attestation,) = verdict.attestations
        assert attestation.known_since is None
        assert attestation.source.kind == "archive"
        assert attestation.source.captured_at == NOW
    for tag in ("1.2", "9"):
        assert verifier(archive, repository).evaluate(f"{NAME}:{tag}").code is Code.TAG_NOT_SIGNED
    by_digest = verifier(archive, repository).evaluate(f"{NAME}@{repository.digest('1.0')}")
    assert by_digest.code is Code.OK


def test_no_socket_is_opened(archive: Archive, repository: SignedRepository) -> None:
    with sockets_forbidden():
        loaded = Archive.load(archive.path)
        assert verifier(loaded, repository).evaluate(f"{NAME}:1.0").code is Code.OK


def test_a_time_before_the_capture_gives_no_answer(archive: Archive, repository: SignedRepository) -> None:
    verdict = verifier(archive, repository).evaluate(f"{NAME}:1.0", at=NOW - timedelta(seconds=1))
    assert (verdict.code, verdict.outcome) == (Code.BEFORE_CAPTURE, Outcome.INCONCLUSIVE)
    assert verifier(archive, repository).evaluate(f"{NAME}:1.0", at=NOW).code is Code.OK
    assert verifier(archive, repository, now=NOW - timedelta(days=1)).evaluate(NAME).code is Code.BEFORE_CAPTURE


def test_a_time_after_expiry_is_expired(repository: SignedRepository, tmp_path: Path) -> None:
    repository.expire("timestamp", "2027-01-15T00:00:00Z")
    repository.publish()
    archive = save(tmp_path / "saved", repository)
    asked = verifier(archive, repository)
    assert asked.evaluate(NAME, at=datetime(2027, 1, 14, tzinfo=UTC)).code is Code.OK
    assert asked.evaluate(NAME, at=datetime(2027, 1, 16, tzinfo=UTC)).code is Code.EXPIRED


def test_first_use_is_no_anchor(archive: Archive, repository: SignedRepository) -> None:
    assert verifier(archive, repository, anchor=FirstUse()).evaluate(NAME).code is Code.ANCHOR_MISMATCH


def test_another_root_than_the_pinned_one_is_refused(archive: Archive, repository: SignedRepository) -> None:
    other = RootKeys([root_key(NAME, label="another").canonical_id])
    assert verifier(archive, repository, anchor=other).evaluate(NAME).code is Code.ANCHOR_MISMATCH


def test_a_pinned_root_file_is_followed_through_every_version(tmp_path: Path) -> None:
    repository = SignedRepository()
    first = RootFile(repository.files["root.json"])
    for _ in range(3):
        repository.rotate("root")
        repository.publish()
    archive = save(tmp_path / "saved", repository)
    verdict = verifier(archive, repository, anchor=first).evaluate(f"{NAME}:1.0")
    assert verdict.code is Code.OK
    assert verdict.attestations[0].roles[0].version == 4


def test_a_name_that_the_archive_does_not_hold_gives_no_answer(archive: Archive) -> None:
    other = SignedRepository(OTHER)
    verdict = verifier(archive, other).evaluate("alpine")
    assert (verdict.code, verdict.outcome) == (Code.ARCHIVE_UNREADABLE, Outcome.INCONCLUSIVE)


def test_names_of_one_archive_do_not_mix(repository: SignedRepository, tmp_path: Path) -> None:
    other = SignedRepository(OTHER)
    other.add_target("latest", b"alpine")
    other.publish()
    archive = save(tmp_path / "saved", repository, other)
    assert [name.name for name in archive.names] == [OTHER, NAME]
    assert verifier(archive, repository).verify(NAME).digest == repository.digest("latest")
    assert verifier(archive, other).verify("alpine").digest == other.digest("latest")
    shutil.rmtree(archive.path / "notary" / "docker.io")
    assert verifier(archive, repository).verify(NAME).digest == repository.digest("latest")
    assert verifier(archive, other).evaluate("alpine").code is Code.ARCHIVE_UNREADABLE


def test_a_verifier_takes_no_state_beside_an_archive(archive: Archive, repository: SignedRepository) -> None:
    policy = verifier(archive, repository)._configuration.policy
    with pytest.raises(UsageError, match="needs no state"):
        Verifier(policy, source=archive, state=MemoryState())


# -- without imgsig -----------------------------------------------------------------------------------------------


def test_the_documents_can_be_found_and_checked_by_the_page_alone(archive: Archive) -> None:
    capture = json.loads((archive.path / "capture.json").read_text(encoding="ascii"))
    for name in capture["names"]:
        for file in name["files"]:
            body = (archive.path / name["system"] / name["name"] / "_trust" / file["path"]).read_bytes()
            assert (len(body), sha256(body).hexdigest()) == (file["length"], file["sha256"])


def test_a_file_that_is_not_listed_plays_no_part(archive: Archive, repository: SignedRepository) -> None:
    (archive.path / "notary" / NAME / "_trust" / "3.root.json").write_bytes(b"{}")
    (archive.path / "README").write_bytes(b"mine")
    assert verifier(archive, repository).evaluate(NAME).code is Code.OK


def test_a_loaded_archive_does_not_change_with_its_capture(archive: Archive, repository: SignedRepository) -> None:
    bend(archive.path / "capture.json", lambda _body: b"{}\n")
    assert verifier(archive, repository).evaluate(NAME).code is Code.OK
