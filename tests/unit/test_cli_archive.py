"""``imgsig archive``: everything of the names is saved, whatever it is worth, or nothing is."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from imgsig.archive import Archive
from tests.support.command import Desk
from tests.support.repository import NAME, SignedRepository
from tests.support.static_server import StaticServer

NOWHERE = "http://127.0.0.1:9"


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)


@pytest.fixture(scope="module")
def server() -> Iterator[StaticServer]:
    with StaticServer() as running:
        yield running


@pytest.fixture
def repository() -> SignedRepository:
    return SignedRepository()


@pytest.fixture
def url(server: StaticServer, repository: SignedRepository) -> str:
    return server.add("r", repository)


def test_a_name_is_saved_without_a_rule_and_its_id_printed(desk: Desk, url: str, tmp_path: Path) -> None:
    ran = desk.run("archive", NAME, "-o", tmp_path / "saved", "--server", url)
    assert ran.status == 0
    archive = Archive.load(tmp_path / "saved")
    assert ran.lines == [archive.id]
    assert ran.said == [f"imgsig: {NAME}: {len(archive.names[0].files)} documents from {url}"]
    assert not desk.state.exists()


def test_what_is_saved_can_be_told_as_json(desk: Desk, url: str, tmp_path: Path) -> None:
    (told,) = desk.run("archive", NAME, "-o", tmp_path / "saved", "--server", url, "--json").values
    archive = Archive.load(tmp_path / "saved")
    assert told["archive"] == archive.id
    (name,) = told["names"]
    assert name.pop("files") == len(archive.names[0].files)
    assert name == {
        "system": "notary", "name": NAME, "server": url, "verified": True, "code": None, "summary": None,
    }


def test_the_rule_s_server_is_asked(desk: Desk, url: str, repository: SignedRepository, tmp_path: Path) -> None:
    desk.trust(repository, url)
    assert desk.run("archive", NAME, "-o", tmp_path / "saved").status == 0


def test_a_name_given_twice_is_saved_once(desk: Desk, url: str, tmp_path: Path) -> None:
    ran = desk.run("archive", NAME, f"{NAME}:1.0", "-o", tmp_path / "saved", "--server", url)
    assert (ran.status, len(ran.said)) == (0, 1)


def test_what_does_not_verify_is_kept_and_marked(
    desk: Desk, url: str, repository: SignedRepository, tmp_path: Path
) -> None:
    repository.expire("timestamp")
    repository.publish()
    ran = desk.run("archive", NAME, "-o", tmp_path / "saved", "--server", url)
    assert ran.status == 0
    assert ran.said[1].startswith(f"imgsig: warning: {NAME} does not verify and is marked so: ")
    assert ran.said[1].endswith("(expired)")
    (name,) = Archive.load(tmp_path / "saved").names
    assert not name.verified


@pytest.mark.parametrize(("document", "http_status", "status"), [("root", 404, 10), ("timestamp", 503, 11)])
def test_what_cannot_be_had_leaves_no_archive(
    desk: Desk, server: StaticServer, document: str, http_status: int, status: int
) -> None:
    repository = SignedRepository()
    repository.fail(document, http_status)
    ran = desk.run("archive", NAME, "-o", desk.folder / "saved", "--server", server.add("bad", repository))
    assert (ran.status, ran.out, len(ran.said)) == (status, "", 2)
    assert not (desk.folder / "saved").exists()


def test_other_files_are_never_written_over(desk: Desk, url: str, tmp_path: Path) -> None:
    (tmp_path / "saved").mkdir()
    (tmp_path / "saved" / "mine").write_text("mine")
    ran = desk.run("archive", NAME, "-o", tmp_path / "saved", "--server", url)
    assert (ran.status, len(ran.said)) == (2, 2)
    assert desk.files(tmp_path / "saved") == {"mine": b"mine"}


@pytest.mark.parametrize(
    "words", [(), ("-o", "x"), (NAME,), ("Bad Name", "-o", "x"), (NAME, "-o", "x", "--server", "x")]
)
def test_wrong_usage_is_one_line_and_a_hint(desk: Desk, words: tuple[str, ...]) -> None:
    ran = desk.run("archive", *words)
    assert (ran.status, ran.out, len(ran.said)) == (2, "", 2)


def test_several_names_each_go_to_their_own_server(desk: Desk, server: StaticServer, tmp_path: Path) -> None:
    here, there = SignedRepository("registry.example.com/here"), SignedRepository("registry.example.com/there")
    desk.write("".join(
        f'[[rule]]\nnames = ["{one.name}"]\n[rule.notary]\nserver = "{server.add(key, one)}"\nfirst-use = true\n'
        for key, one in (("here", here), ("there", there))
    ))
    ran = desk.run("archive", here.name, there.name, "-o", tmp_path / "saved")
    assert ran.status == 0, ran.err
    assert [name.name for name in Archive.load(tmp_path / "saved").names] == [here.name, there.name]
