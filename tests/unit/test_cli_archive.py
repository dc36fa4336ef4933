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


def many(desk: Desk, server: StaticServer, count: int = 6) -> list[SignedRepository]:
    """Write a policy for some repositories, each on a server of its own."""
    repositories = [SignedRepository(f"registry.example.com/many/{number}") for number in range(count)]
    desk.write("".join(
        f'[[rule]]\nnames = ["{one.name}"]\n[rule.notary]\nserver = "{server.add(f"many{number}", one)}"\n'
        "first-use = true\n"
        for number, one in enumerate(repositories)
    ))
    return repositories


def test_many_names_are_saved_from_a_file_several_at_a_time(desk: Desk, server: StaticServer, tmp_path: Path) -> None:
    repositories = many(desk, server)
    names = tmp_path / "names.txt"
    names.write_text("# ours\n" + "".join(f"{one.name}:1.0\n\n" for one in repositories))
    ran = desk.run("archive", "--from", names, "--workers", "3", "-o", tmp_path / "saved")
    assert ran.status == 0, ran.err
    assert [name.name for name in Archive.load(tmp_path / "saved").names] == [one.name for one in repositories]


def test_an_archive_can_be_one_file_with_the_same_use(
    desk: Desk, url: str, repository: SignedRepository, tmp_path: Path
) -> None:
    desk.trust(repository, url)
    ran = desk.run("archive", NAME, "-o", tmp_path / "saved.tar")
    assert (ran.status, [path.name for path in tmp_path.glob("saved*")]) == (0, ["saved.tar"])
    archive_id = ran.lines[0]
    verified = desk.run("verify", "--archive", tmp_path / "saved.tar", "--archive-id", archive_id, f"{NAME}:1.0")
    assert (verified.status, verified.lines) == (0, [f"{NAME}@{repository.digest('1.0')}"])


@pytest.mark.parametrize("output", ["saved", "saved.tar"])
def test_what_could_be_had_serves_the_next_try(
    desk: Desk, server: StaticServer, tmp_path: Path, output: str
) -> None:
    repositories = many(desk, server)
    repositories[2].fail("root")
    repositories[4].drop("root")
    argv = ("archive", *(one.name for one in repositories), "-o", str(tmp_path / output))
    ran = desk.run(*argv)
    assert (ran.status, ran.out, len(ran.said)) == (11, "", 5)
    told = sorted(line.split(": ")[1] for line in ran.said[:2])
    assert told == [repositories[2].name, repositories[4].name]
    assert f"{output}.partial" in ran.said[2]
    assert not (tmp_path / output).exists()
    for one in repositories:
        one.mend()
        one.requests.clear()
    assert desk.run(*argv).status == 0
    assert [bool(one.requests) for one in repositories] == [False, False, True, False, True, False]
    assert len(Archive.load(tmp_path / output).names) == len(repositories)
    assert not (tmp_path / f"{output}.partial").exists()
