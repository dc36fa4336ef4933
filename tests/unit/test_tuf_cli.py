"""The command line with a rule for a TUF repository: it knows no difference."""

import json
from collections.abc import Iterator
from pathlib import Path

import jsonschema
import pytest

from tests.support.command import Desk
from tests.support.repository import NAME
from tests.support.tuf_repository import TufRepository
from tests.support.tuf_server import TufServer

SCHEMA = Path(__file__).resolve().parents[2] / "docs" / "schemas" / "verdict-1.json"


@pytest.fixture
def server() -> Iterator[TufServer]:
    with TufServer(TufRepository()) as running:
        yield running


@pytest.fixture
def desk(tmp_path: Path, server: TufServer) -> Desk:
    """A home whose policy trusts the repository's first root for a name."""
    made = Desk(tmp_path)
    (tmp_path / "root.json").write_bytes(server.repository.files["1.root.json"])
    section = f'metadata-url = "{server.metadata_url}"\nroot-file = "{tmp_path / "root.json"}"\n'
    made.write(f'[[rule]]\nnames = ["{NAME}"]\n[rule.tuf]\n{section}')
    return made


def test_an_image_is_verified_and_its_pinned_reference_printed(desk: Desk, server: TufServer) -> None:
    ran = desk.run("verify", f"{NAME}:1.0")
    assert (ran.status, ran.lines) == (0, [f"{NAME}@{server.repository.digest(f'{NAME}:1.0')}"])
    assert desk.run("verify", f"{NAME}:9.9").status == 10


def test_every_check_is_explained(desk: Desk) -> None:
    ran = desk.run("verify", "--explain", NAME)
    assert ran.status == 0
    assert all(role in ran.err for role in ("root", "timestamp", "snapshot", "targets"))


def test_the_verdict_names_the_authority(desk: Desk) -> None:
    (verdict,) = desk.run("verify", "--json", NAME).values
    (attestation,) = verdict["attestations"]
    assert (attestation["authority"], attestation["anchor"]["kind"]) == ("tuf", "root-file")
    jsonschema.validate(verdict, json.loads(SCHEMA.read_text()))


def test_what_is_remembered_is_shown_and_forgotten(desk: Desk, server: TufServer) -> None:
    assert desk.run("verify", NAME).status == 0
    (entry,) = desk.run("state", "show", NAME, "--json").values
    assert (entry["system"], entry["name"], entry["root_version"]) == ("tuf", NAME, 1)
    assert entry["server"] == server.metadata_url.rstrip("/")
    assert entry["floors"] == {"snapshot": 1, "targets": 1, "timestamp": 1}
    assert "authority    tuf" in desk.run("state", "show").out
    assert desk.run("state", "forget", NAME).status == 0
    assert desk.run("state", "show", "--json").values == []


def test_an_archive_is_saved_and_verified_from(desk: Desk, server: TufServer, tmp_path: Path) -> None:
    saved = desk.run("archive", NAME, "-o", tmp_path / "archive")
    assert saved.status == 0
    server.close()
    ran = desk.run("verify", "--archive", tmp_path / "archive", NAME)
    assert (ran.status, ran.lines) == (0, [f"{NAME}@{server.repository.digest()}"])


def test_a_faulty_section_is_told_with_its_path(desk: Desk) -> None:
    policy = desk.policy.read_text().replace("root-file", 'target = "{repo}:{tag}"\nroot-file')
    desk.policy.write_text(policy)
    ran = desk.run("policy", "check", desk.policy)
    assert ran.status == 2
    assert "rule[0].tuf.target: '{repo}' is no placeholder" in ran.out + ran.err


def test_root_keys_to_pin_are_those_of_the_other_system(desk: Desk) -> None:
    ran = desk.run("anchor", NAME)
    assert ran.status == 2
    assert "Docker Content Trust" in ran.err
