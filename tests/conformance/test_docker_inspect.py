"""What Docker's client once said of a name with several delegations is what ``inspect --format docker`` says of it."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.support.command import Desk
from tests.support.docker_client import ARGUMENTS, comparable

FIXTURE = Path(__file__).resolve().parents[2] / "fixtures" / "inspect"


@pytest.fixture(scope="module")
def recorded() -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads((FIXTURE / "docker-trust-inspect.json").read_text())
    return loaded


def test_every_argument_is_recorded(recorded: dict[str, Any]) -> None:
    assert tuple(recorded["answers"]) == ARGUMENTS


@pytest.mark.parametrize("argument", ARGUMENTS)
def test_the_answer_is_that_of_the_docker_client(tmp_path: Path, recorded: dict[str, Any], argument: str) -> None:
    desk = Desk(tmp_path)
    ran = desk.run(
        "inspect", argument, "--format", "docker", "--archive", FIXTURE / "app", "--at", recorded["at"]
    )
    assert ran.status == 0, ran.err
    assert comparable(json.loads(ran.out)) == comparable(recorded["answers"][argument])


def test_the_picture_in_the_docs_is_of_this_name(tmp_path: Path, recorded: dict[str, Any]) -> None:
    looked_at = ("--archive", FIXTURE / "app", "--at", recorded["at"])
    (values,) = Desk(tmp_path).run("inspect", "--json", ARGUMENTS[0], *looked_at).values
    picture = (FIXTURE.parents[1] / "docs" / "pictures" / "delegations.svg").read_text(encoding="utf-8")
    assert len(values["roles"]) == 11
    for role in values["roles"]:
        assert f"<title>{role['role']}</title>" in picture
        assert role["key_ids"][0][:12] in picture
