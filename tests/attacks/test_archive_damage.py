"""Someone changes an archive: a byte, a file, a link in a file's place, or all of it with a new capture.json."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import Any, Final

import pytest

from imgsig.archive import Archive
from imgsig.codes import Code
from imgsig.errors import InconclusiveError, RejectedError
from imgsig.limits import Deadline
from imgsig.source import Endpoint
from imgsig.verdict import Verdict
from tests.support.archives import bend, files_of, save, verifier
from tests.support.repository import NAME, NOW, SignedRepository

ROOT: Final = Path(__file__).resolve().parents[2]


def make_repository() -> SignedRepository:
    repository = SignedRepository()
    repository.add_delegation("targets/releases", tags=["1.1"])
    repository.add_delegation("targets/alice", tags=["1.1"])
    repository.publish()
    repository.rotate("root")
    repository.publish()
    return repository


REPOSITORY: Final = make_repository()


@pytest.fixture(scope="module")
def captured(tmp_path_factory: pytest.TempPathFactory) -> Archive:
    return save(tmp_path_factory.mktemp("captured") / "saved", REPOSITORY)


@pytest.fixture
def archive(captured: Archive, tmp_path: Path) -> Archive:
    shutil.copytree(captured.path, tmp_path / "saved")
    return Archive.load(tmp_path / "saved")


def paths(archive: Archive) -> list[str]:
    return [file.path for file in archive.names[0].files]


def place(archive: Archive, path: str) -> Path:
    return archive.path / "notary" / NAME / "_trust" / path


def ask(archive: Archive, tag: str = "1.1") -> Verdict:
    return verifier(archive, REPOSITORY).evaluate(f"{NAME}:{tag}")


def fetch(archive: Archive, path: str) -> bytes:
    source = archive.open(Endpoint("notary", NAME, "", ""))
    return source.fetch(path, max_bytes=10**6, deadline=Deadline(10))


def test_unchanged_it_verifies(archive: Archive) -> None:
    assert ask(archive).code is Code.OK
    assert len(paths(archive)) == len(files_of(archive)) >= 8


# -- one file -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("at", [0, 0.5, 1])
def test_one_changed_byte_in_any_file_is_refused(archive: Archive, at: float) -> None:
    for path in paths(archive):
        file = place(archive, path)
        body = file.read_bytes()
        where = int(at * (len(body) - 1))
        bend(file, lambda body, where=where: body[:where] + bytes([body[where] ^ 1]) + body[where + 1 :])  # type: ignore[misc]
        verdict = ask(archive)
        assert verdict.code is Code.HASH_MISMATCH, path
        failed = verdict.checks[-1]
        assert (failed.subject, failed.expected) == (path, sha256(body).hexdigest())
        file.write_bytes(body)
    assert ask(archive).code is Code.OK


@pytest.mark.parametrize(
    "change", [lambda body: body[:-1], lambda body: body + b"\n", lambda _body: b"", lambda body: body * 1000]
)
def test_another_length_of_any_file_is_refused(archive: Archive, change: Callable[[bytes], bytes]) -> None:
    for path in paths(archive):
        body = place(archive, path).read_bytes()
        bend(place(archive, path), change)
        assert ask(archive).code is Code.HASH_MISMATCH, path
        place(archive, path).write_bytes(body)


def test_any_missing_file_gives_no_answer(archive: Archive) -> None:
    for path in paths(archive):
        body = place(archive, path).read_bytes()
        place(archive, path).unlink()
        verdict = ask(archive)
        assert verdict.code is Code.ARCHIVE_UNREADABLE, path
        assert f"'{path}' of the archive cannot be read: no such file" in verdict.summary
        place(archive, path).write_bytes(body)


def test_files_that_changed_places_are_refused(archive: Archive) -> None:
    one, two = place(archive, "1.root.json"), place(archive, "2.root.json")
    first = one.read_bytes()
    one.write_bytes(two.read_bytes())
    two.write_bytes(first)
    assert ask(archive).code is Code.HASH_MISMATCH


def test_a_file_changed_between_two_reads_is_refused(archive: Archive) -> None:
    source = archive.open(Endpoint("notary", NAME, "", ""))
    source.fetch("root.json", max_bytes=10**6, deadline=Deadline(10))
    bend(place(archive, "timestamp.json"), lambda body: body[:-1] + b" ")
    with pytest.raises(RejectedError) as caught:
        source.fetch("timestamp.json", max_bytes=10**6, deadline=Deadline(10))
    assert caught.value.code is Code.HASH_MISMATCH


# -- something else in its place ----------------------------------------------------------------------------------


def link(place: Path) -> None:
    """Put a link to the true thing in a file's or folder's place."""
    away = place.with_name(f"{place.name}.away")
    place.rename(away)
    place.symlink_to(away)


def hang(place: Path) -> None:
    """Put a pipe in a file's place, which nobody ever writes to."""
    place.unlink()
    os.mkfifo(place)


def bury(place: Path) -> None:
    """Put a folder in a file's place."""
    place.unlink()
    place.mkdir()


@pytest.mark.parametrize("put", [link, hang, bury])
@pytest.mark.parametrize("path", ["root.json", "timestamp.json", "1.root.json"])
def test_what_is_no_file_of_its_own_is_not_read(archive: Archive, put: Callable[[Path], None], path: str) -> None:
    put(place(archive, path))
    assert ask(archive).code is Code.ARCHIVE_UNREADABLE


FOLDERS: Final = ("notary", f"notary/{NAME}", f"notary/{NAME}/_trust", f"notary/{NAME}/_trust/targets")


@pytest.mark.parametrize("folder", FOLDERS)
def test_a_folder_is_not_reached_over_a_link(archive: Archive, folder: str) -> None:
    link(archive.path / folder)
    verdict = ask(archive)
    assert verdict.code is Code.ARCHIVE_UNREADABLE
    assert "symbolic link" in verdict.summary


@pytest.mark.parametrize("put", [link, hang, bury])
def test_the_capture_itself_is_a_file_of_its_own(archive: Archive, put: Callable[[Path], None]) -> None:
    put(archive.path / "capture.json")
    with pytest.raises(InconclusiveError) as caught:
        Archive.load(archive.path)
    assert caught.value.code is Code.ARCHIVE_UNREADABLE


# -- all of it ----------------------------------------------------------------------------------------------------


def rewrite(archive: Archive, change: Callable[[Any], object]) -> None:
    """Write another capture.json in good form."""
    file = archive.path / "capture.json"
    value = json.loads(file.read_bytes())
    change(value)
    file.write_bytes(json.dumps(value, sort_keys=True, separators=(",", ":")).encode() + b"\n")


def set_time(value: Any) -> None:  # noqa: ANN401 - any JSON value
    value["captured_at"] = "2000-01-01T00:00:00Z"


def test_a_changed_capture_is_refused_where_the_id_is_demanded(archive: Archive) -> None:
    rewrite(archive, set_time)
    with pytest.raises(RejectedError) as caught:
        Archive.load(archive.path, archive.id)
    assert caught.value.code is Code.HASH_MISMATCH


def test_a_broken_capture_is_refused_first_for_its_id(archive: Archive) -> None:
    (archive.path / "capture.json").write_bytes(b"<html>")
    with pytest.raises(RejectedError) as caught:
        Archive.load(archive.path, archive.id)
    assert caught.value.code is Code.HASH_MISMATCH


def test_without_the_id_the_capture_time_is_only_its_own_word(archive: Archive) -> None:
    rewrite(archive, set_time)
    verdict = ask(Archive.load(archive.path))
    assert verdict.code is Code.OK
    source = verdict.attestations[0].source
    assert source.captured_at is not None
    assert (source.captured_at.year, source.id_pinned) == (2000, False)


def test_an_archive_made_by_an_attacker_is_still_held_to_the_rules(tmp_path: Path) -> None:
    """Everything fits together, but nobody whom the rule trusts has signed it."""
    theirs = SignedRepository(kinds={"root": "p384"})
    theirs.add_delegation("targets/releases", tags=["1.1"])
    theirs.publish()
    assert ask(save(tmp_path / "saved", theirs)).code is Code.ANCHOR_MISMATCH


def test_a_capture_that_vouches_for_changed_bytes_does_not_help(archive: Archive) -> None:
    path = REPOSITORY.path_of("targets/releases")
    bend(place(archive, path), lambda body: body.replace(b"1.1", b"6.6"))

    def vouch(value: Any) -> None:  # noqa: ANN401 - any JSON value
        for file in value["names"][0]["files"]:
            if file["path"] == path:
                file["sha256"] = sha256(place(archive, path).read_bytes()).hexdigest()

    rewrite(archive, vouch)
    verdict = ask(Archive.load(archive.path), "6.6")
    assert verdict.code is Code.HASH_MISMATCH
    assert verdict.checks[-1].subject == "targets/releases"


@pytest.mark.parametrize("path", ["../../../../../outside.json", "/outside.json", "a/../../b", "a//b", "a\0b", "."])
def test_a_capture_that_lists_files_outside_is_not_read(archive: Archive, path: str) -> None:
    def point_outside(value: Any) -> None:  # noqa: ANN401 - any JSON value
        value["names"][0]["files"][0]["path"] = path

    rewrite(archive, point_outside)
    with pytest.raises(InconclusiveError, match="path") as caught:
        Archive.load(archive.path)
    assert caught.value.code is Code.ARCHIVE_UNREADABLE


def test_a_listed_length_beyond_every_bound_reads_nothing(archive: Archive) -> None:
    def lie(value: Any) -> None:  # noqa: ANN401 - any JSON value
        value["names"][0]["files"][0]["length"] = 2**53

    rewrite(archive, lie)
    with pytest.raises(RejectedError) as caught:
        fetch(Archive.load(archive.path), "root.json")
    assert caught.value.code is Code.HASH_MISMATCH


# -- sockets ------------------------------------------------------------------------------------------------------

PROGRAM: Final = """
import socket, sys

class Forbidden(socket.socket):
    def __init__(self, *arguments, **named):
        raise SystemExit("a socket was made")

socket.socket = socket.SocketType = Forbidden

from datetime import datetime
from imgsig.archive import Archive
from imgsig.policy import Policy
from imgsig.verifier import Verifier

folder, policy, reference, at = sys.argv[1:]
verdict = Verifier(Policy.parse(policy), source=Archive.load(folder)).evaluate(reference, at=datetime.fromisoformat(at))
print(verdict.code, verdict.digest)
print(*sorted({"requests", "urllib3", "ssl"} & set(sys.modules)), file=sys.stderr)
"""


def test_a_process_without_sockets_verifies_and_loads_no_code_for_networks(archive: Archive) -> None:
    pins = ", ".join(f'"{key.canonical_id}"' for key in REPOSITORY.signers["root"])
    policy = f'version = 1\n[[rule]]\nnames = ["{NAME}"]\n[rule.notary]\nroot-keys = [{pins}]\n'
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(archive.path), policy, f"{NAME}:1.1", NOW.isoformat()],
        capture_output=True, text=True, check=False, cwd=ROOT, timeout=60,
    )
    assert done.stdout.split() == ["ok", REPOSITORY.digest("1.1", "targets/releases")], done.stderr
    assert done.stderr.split() == []
