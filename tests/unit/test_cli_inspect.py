"""``imgsig inspect``: what is shown to whom, by whose word, and what is left behind."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.archives import save
from tests.support.command import Desk
from tests.support.repository import NAME, SignedRepository
from tests.support.static_server import StaticServer


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)


@pytest.fixture(scope="module")
def server() -> Iterator[StaticServer]:
    with StaticServer() as running:
        yield running


@pytest.fixture
def repository() -> SignedRepository:
    repository = SignedRepository(tags=("1.9", "1.10"))
    repository.add_delegation("targets/releases", tags=("1.9",))
    repository.add_delegation("targets/alice")
    repository.add_target("1.9", b"targets/releases:1.9", role="targets/alice")
    repository.add_delegation("targets/docs", paths=["docs-"])
    repository.publish()
    return repository


@pytest.fixture
def url(server: StaticServer, repository: SignedRepository) -> str:
    return server.add("inspected", repository)


def line(lines: list[str], label: str) -> str:
    return next(line for line in lines if line.strip().startswith(label))


def test_what_a_rule_trusts_is_shown_without_a_warning(desk: Desk, url: str, repository: SignedRepository) -> None:
    desk.trust(repository, url)
    ran = desk.run("inspect", NAME)
    assert (ran.status, ran.err) == (0, "")
    assert line(ran.lines, "name").endswith(NAME)
    assert line(ran.lines, "server").endswith(url)
    assert line(ran.lines, "trust").endswith(f"root-keys {repository.root_key_ids[0]}")
    assert line(ran.lines, "targets/docs") == (
        "  targets/docs: version 1, expires 2090-01-01T00:00:00Z, tags: 0, for docs-…"
    )
    assert ran.lines[-2:] == [
        f"  1.9   {repository.digest('1.9', 'targets/alice')}  targets/releases, targets/alice",
        f"  1.10  {repository.digest('1.10')}  targets",
    ]
    assert not desk.state.exists()


def test_without_a_rule_it_is_said_that_nothing_is_pinned(desk: Desk, url: str) -> None:
    ran = desk.run("inspect", NAME, "--server", url)
    assert ran.status == 0
    assert ran.said == [
        "imgsig: warning: nothing shows whose keys these are: no rule pins them, and they were not trusted here before"
    ]
    assert line(ran.lines, "trust").endswith("none: nothing shows whose keys these are")
    (values,) = desk.run("inspect", "--json", NAME, "--server", url).values
    assert values["pinned"] is False


def test_a_server_that_is_named_is_asked_by_the_rule_of_the_name(
    desk: Desk, server: StaticServer, url: str, repository: SignedRepository
) -> None:
    desk.trust(repository, f"{server.origin}/elsewhere")
    assert desk.run("inspect", NAME).status == 11
    (values,) = desk.run("inspect", "--json", NAME, "--server", url).values
    assert (values["pinned"], values["source"]["location"]) == (True, url)
    desk.trust(repository, url, pin="0" * 64)
    ran = desk.run("inspect", NAME, "--server", url)
    assert (ran.status, ran.lines) == (10, [])


def test_a_mirror_shows_what_its_publisher_signed(desk: Desk, url: str, repository: SignedRepository) -> None:
    rule = f'names = ["mirror.example.com/**"]\nsigned-as = "registry.example.com/**"\n[rule.notary]\nserver = "{url}"'
    desk.write(f'[[rule]]\n{rule}\nroot-keys = ["{repository.root_key_ids[0]}"]\n')
    ran = desk.run("inspect", "mirror.example.com/team/app")
    assert ran.status == 0
    assert line(ran.lines, "name").endswith(NAME)


def test_an_exempt_name_is_looked_at_unpinned(desk: Desk, url: str) -> None:
    desk.write(f'[[rule]]\nnames = ["{NAME}"]\nexempt = "tried out"\n')
    ran = desk.run("inspect", NAME, "--server", url)
    assert ran.status == 0
    assert "nothing shows whose keys these are" in ran.err


def test_a_rule_for_another_system_is_wrong_usage(desk: Desk) -> None:
    section = f'[rule.tuf]\nmetadata-url = "https://tuf.example.com"\nroot-sha256 = "{"0" * 64}"\n'
    desk.write(f'[[rule]]\nnames = ["{NAME}"]\n{section}')
    ran = desk.run("inspect", NAME)
    assert ran.status == 2
    assert "names no trust in Docker Content Trust" in ran.said[0]


def test_one_tag_or_digest_may_be_asked_for(desk: Desk, url: str, repository: SignedRepository) -> None:
    desk.trust(repository, url)
    references = (f"{NAME}:1.10", f"{NAME}@{repository.digest('1.10')}")
    tags = [desk.run("inspect", "--json", reference).values[0]["tags"] for reference in references]
    assert tags[0] == tags[1]
    assert [tag["tag"] for tag in tags[0]] == ["1.10"]
    ran = desk.run("inspect", f"{NAME}:none")
    assert (ran.status, ran.lines[-1]) == (0, "tags")
    assert ran.said == [f"imgsig: warning: {NAME}:none is not signed"]


def test_the_format_of_docker_is_indented_json(desk: Desk, url: str, repository: SignedRepository) -> None:
    desk.trust(repository, url)
    ran = desk.run("inspect", "--format", "docker", f"{NAME}:1.9")
    (one,) = json.loads(ran.out)
    assert ran.out.startswith('[\n    {\n        "Name": "')
    assert one["Name"] == f"{NAME}:1.9"
    assert sorted(row["Signers"] for row in one["SignedTags"]) == [["Repo Admin"], ["alice"]]
    assert [signer["Name"] for signer in one["Signers"]] == ["docs", "alice"]
    (same,) = json.loads(desk.run("inspect", "--format", "docker", f"{NAME}@{repository.digest('1.9')}").out)
    assert len(same["SignedTags"]) == 3, "a digest makes no difference to docker's client"


def test_the_drawing_goes_to_stdout(desk: Desk, url: str, repository: SignedRepository) -> None:
    desk.trust(repository, url)
    ran = desk.run("inspect", "--format", "dot", NAME)
    assert (ran.lines[0], ran.lines[-1]) == (f'digraph "{NAME}" {{', "}")
    assert '  "targets" -> "targets/alice" [label="every tag"];' in ran.lines


def test_text_of_others_is_escaped(desk: Desk, url: str, repository: SignedRepository) -> None:
    repository.add_target("\x1b[31m\u202e", b"x")
    repository.publish()
    for form in ([], ["--json"], ["--format", "docker"], ["--format", "dot"]):
        ran = desk.run("inspect", NAME, "--server", url, *form)
        assert ran.status == 0
        assert "\x1b" not in ran.out
        assert "\u202e" not in ran.out


def test_what_does_not_verify_is_not_shown(desk: Desk, url: str, repository: SignedRepository) -> None:
    desk.trust(repository, url)
    repository.expire("timestamp")
    repository.publish()
    ran = desk.run("inspect", NAME)
    assert (ran.status, ran.out) == (10, "")
    assert "timestamp has expired" in ran.said[0]
    repository.fail("timestamp")
    assert desk.run("inspect", NAME).status == 11


def test_a_bridged_outage_is_told(desk: Desk, url: str, repository: SignedRepository) -> None:
    desk.trust(repository, url, "max-stale-seconds = 600")
    assert desk.run("verify", f"{NAME}:1.9").status == 0
    repository.fail("timestamp")
    ran = desk.run("inspect", NAME)
    assert ran.status == 0
    assert "the server could not be reached" in ran.err
    assert line(ran.lines, "known since")


def test_an_archive_is_looked_into_without_a_server(desk: Desk, repository: SignedRepository, tmp_path: Path) -> None:
    archive = save(tmp_path / "archive", repository)
    desk.trust(repository, "https://gone.example.com")
    at = archive.captured_at.isoformat()
    ran = desk.run("inspect", NAME, "--archive", archive.path, "--archive-id", archive.id, "--at", at)
    assert (ran.status, ran.err) == (0, "")
    assert line(ran.lines, "archive").endswith(archive.id)
    assert line(ran.lines, "captured at")
    assert len(ran.lines[ran.lines.index("tags") + 1 :]) == 2
    ran = desk.run("inspect", "quay.io/other", "--archive", archive.path, "--at", at)
    assert ran.status == 11


@pytest.mark.parametrize(
    "words",
    [
        ["--at", "2027-01-01T00:00:00Z"],
        ["--archive-id", "sha256:0"],
        ["--archive", "a", "--server", "https://notary.example.com"],
        ["--archive", "a", "--state", "s"],
        ["--format", "xml"],
        ["--json", "--format", "dot"],
        ["--server", "nowhere"],
    ],
)
def test_what_does_not_go_together_is_wrong_usage(desk: Desk, words: list[str]) -> None:
    assert desk.run("inspect", NAME, *words).status == 2


def test_a_server_that_is_none_is_wrong_usage_by_a_rule_too(
    desk: Desk, url: str, repository: SignedRepository
) -> None:
    desk.trust(repository, url)
    ran = desk.run("inspect", NAME, "--server", "nowhere")
    assert ran.status == 2
    assert "--server" in ran.said[0]
