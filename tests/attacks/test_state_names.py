"""A name or a role tries to lead out of the state folder, or to stand for another."""

from pathlib import Path

import pytest

from imgsig.errors import InconclusiveError, UsageError
from imgsig.limits import Deadline
from imgsig.state import FolderState
from imgsig.trust import Floor
from tests.support.trusts import SYSTEM, trust_at

HOSTILE = [
    "../../etc/passwd",
    "/etc/passwd",
    "..",
    ".",
    "",
    "a/../../b",
    "~/x",
    "C:\\x",
    "trust.json",
    "x" * 10_000,
    "line\nbreak\x1b[2J",
    "名前",
]


@pytest.mark.parametrize("name", HOSTILE)
def test_a_name_becomes_no_path(tmp_path: Path, name: str) -> None:
    state = FolderState(tmp_path / "state")
    stored = state.commit(SYSTEM, name, trust_at(1), expected="", deadline=Deadline(10))
    assert state.load(SYSTEM, name, deadline=Deadline(10)) == stored
    assert state.names() == ((SYSTEM, name),)
    assert [path.name for path in tmp_path.iterdir()] == ["state"]
    (entry,) = state.path.iterdir()
    assert len(entry.name) == len("0" * 64)


@pytest.mark.parametrize("role", HOSTILE)
def test_a_role_becomes_no_path(tmp_path: Path, role: str) -> None:
    state = FolderState(tmp_path / "state")
    trust = trust_at(1)
    hostile = type(trust)(
        root=trust.root,
        evidence=trust.evidence,
        floors={role: Floor(1, (), 0)},
        documents={role: b"body"},
        origin=trust.origin,
        known_since=trust.known_since,
        confirmed_at=trust.confirmed_at,
    )
    stored = state.commit(SYSTEM, "name", hostile, expected="", deadline=Deadline(10))
    assert state.load(SYSTEM, "name", deadline=Deadline(10)) == stored
    assert [path.name for path in tmp_path.iterdir()] == ["state"]
    (entry,) = state.path.iterdir()
    assert len(list(entry.rglob("*"))) == len(["documents", "its document", "lock", "trust.json"])


@pytest.mark.parametrize(("system", "name"), [("notary\0a", "b"), ("notary", "a\0b"), ("notary", "\ud800")])
def test_a_name_that_could_stand_for_two_is_a_usage_error(tmp_path: Path, system: str, name: str) -> None:
    state = FolderState(tmp_path / "state")
    with pytest.raises(UsageError, match="a name to be stored must"):
        state.load(system, name, deadline=Deadline(10))
    with pytest.raises(UsageError, match="a name to be stored must"):
        state.commit(system, name, trust_at(1), expected="", deadline=Deadline(10))
    assert not state.path.exists()


def test_names_that_differ_in_case_alone_are_apart(tmp_path: Path) -> None:
    state = FolderState(tmp_path / "state")
    state.commit(SYSTEM, "team/app", trust_at(1), expected="", deadline=Deadline(10))
    assert state.load(SYSTEM, "team/App", deadline=Deadline(10)).trust is None


def test_the_record_of_one_name_does_not_serve_another(tmp_path: Path) -> None:
    """As when a folder is renamed to the hash of another name."""
    state = FolderState(tmp_path / "state")
    state.commit(SYSTEM, "mine", trust_at(1), expected="", deadline=Deadline(10))
    (mine,) = state.path.iterdir()
    state.commit(SYSTEM, "other", trust_at(1), expected="", deadline=Deadline(10))
    (other,) = (path for path in state.path.iterdir() if path != mine)
    (mine / "trust.json").replace(other / "trust.json")
    with pytest.raises(InconclusiveError, match="is the record of another name"):
        state.load(SYSTEM, "other", deadline=Deadline(10))
    with pytest.raises(InconclusiveError, match="is the record of another name"):
        state.names()
