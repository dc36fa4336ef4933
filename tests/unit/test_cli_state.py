"""``imgsig state``: what is remembered is shown, and forgotten name by name."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.command import Desk
from tests.support.repository import NAME, SignedRepository
from tests.support.static_server import StaticServer

OTHER = "registry.example.com/team/other"


@pytest.fixture(scope="module")
def server() -> Iterator[StaticServer]:
    with StaticServer() as running:
        yield running


@pytest.fixture
def desk(tmp_path: Path, server: StaticServer) -> Desk:
    """A home in which two names are trusted."""
    made = Desk(tmp_path)
    rules = [
        f'[[rule]]\nnames = ["{name}"]\n[rule.notary]\nserver = "{server.add(key, SignedRepository(name))}"\n'
        "first-use = true\n"
        for key, name in (("first", NAME), ("second", OTHER))
    ]
    made.write("".join(rules))
    assert made.run("verify", NAME, OTHER).status == 0
    return made


def test_what_is_remembered_is_shown(desk: Desk) -> None:
    ran = desk.run("state", "show")
    assert (ran.status, ran.err) == (0, "")
    shown = [dict(line.split(maxsplit=1) for line in part.splitlines()) for part in ran.out.split("\n\n")]
    assert [entry["name"] for entry in shown] == [NAME, OTHER]
    assert shown[0]["root"] == "version 1"
    assert shown[0]["anchor"] == "first-use"
    assert shown[0]["floors"] == "snapshot 1, targets 1, timestamp 1"


def test_what_is_remembered_is_shown_as_json(desk: Desk, server: StaticServer) -> None:
    entries = desk.run("state", "show", "--json").values
    assert [entry["name"] for entry in entries] == [NAME, OTHER]
    assert entries[0]["server"] == f"{server.origin}/first"
    assert entries[0]["floors"] == {"snapshot": 1, "targets": 1, "timestamp": 1}


def test_one_name_can_be_asked_for(desk: Desk) -> None:
    assert [entry["name"] for entry in desk.run("state", "show", f"{OTHER}:1.0", "--json").values] == [OTHER]


def test_a_name_is_forgotten_and_the_others_are_not(desk: Desk) -> None:
    ran = desk.run("state", "forget", NAME)
    assert (ran.status, ran.out, ran.said) == (0, "", [f"imgsig: what was trusted of {NAME} is forgotten"])
    assert [entry["name"] for entry in desk.run("state", "show", "--json").values] == [OTHER]


def test_what_is_damaged_is_told_and_can_be_forgotten(desk: Desk) -> None:
    for record in desk.state.glob("*/trust.json"):
        record.write_bytes(b"{")
    shown = desk.run("state", "show", NAME)
    assert (shown.status, shown.out, len(shown.said)) == (11, "", 2)
    verified = desk.run("verify", "--json", NAME)
    assert (verified.status, verified.values[0]["code"]) == (11, "state_unreadable")
    assert desk.run("state", "forget", NAME).status == 0
    assert desk.run("verify", NAME).status == 0


@pytest.mark.parametrize("command", ["show", "forget"])
def test_a_name_of_which_nothing_is_remembered_is_wrong_usage(desk: Desk, command: str) -> None:
    ran = desk.run("state", command, "alpine")
    assert (ran.status, ran.out) == (2, "")
    assert "nothing is remembered of docker.io/library/alpine" in ran.said[0]
    assert ran.said[1].startswith("hint: ")


def test_an_empty_state_is_no_error_and_is_not_made(desk: Desk, tmp_path: Path) -> None:
    ran = desk.run("state", "show", "--state", tmp_path / "empty")
    assert (ran.status, ran.out) == (0, "")
    assert ran.said == [f"imgsig: nothing is remembered in {tmp_path / 'empty'}"]
    assert not (tmp_path / "empty").exists()


@pytest.mark.parametrize("words", [("forget",), ("show", "a", "b"), ("forget", "A B"), ()])
def test_wrong_usage_is_one_line_and_a_hint(desk: Desk, words: tuple[str, ...]) -> None:
    ran = desk.run("state", *words)
    assert (ran.status, ran.out, len(ran.said)) == (2, "", 2)
