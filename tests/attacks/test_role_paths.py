"""A role's name is no way out of the folder of its repository, on the server or on the disk.

How names become folders of the state is in test_state_names.py, and of archives in test_archive_damage.py.
"""

import re
from pathlib import Path

import pytest

from imgsig.codes import Code
from imgsig.state import FolderState
from tests.support.asker import Asker
from tests.support.repository import SignedRepository, role_of
from tests.support.signing import make_key

HOSTILE = (
    "targets/../../../etc/passwd",
    "targets/..",
    "targets/.",
    "targets/",
    "targets//a",
    "/etc/passwd",
    "targets/a/",
    "../targets/a",
    "targets\\a",
    "targets/a\\..\\b",
    "targets/%2e%2e",
    "targets/a%00",
    "targets/a\0",
    "targets/a\n",
    "targets/a?x=1",
    "targets/a#x",
    "targets/a;x",
    "targets/a b",
    "targets/A",
    "targets/\u00f6",
    "targets/\u0430",
    "targets/a.json",
    "targets/releases.json",
    "targets/" + "a" * 248,
    "https://evil.example.com/",
    "//evil.example.com/targets",
    "root",
    "targets",
    "",
    ".",
    "..",
)
KEY = make_key("ed25519", "releases")


def delegating(name: object, parent: str = "targets") -> SignedRepository:
    """Return a repository that delegates to a role of this name, and lists it in its snapshot."""
    repository = SignedRepository(publish=False)
    if parent != "targets":
        repository.add_delegation(parent, KEY)
    repository.documents[parent]["delegations"] = {
        "keys": {KEY.true_id: KEY.to_json()},
        "roles": [{"name": name, "keyids": [KEY.true_id], "threshold": 1, "paths": [""]}],
    }
    info = {"length": 100, "hashes": {"sha256": "A" * 43 + "="}}
    repository.edit("snapshot", lambda signed: signed["meta"].setdefault(str(name), info))
    repository.publish()
    return repository


@pytest.mark.parametrize("name", HOSTILE)
@pytest.mark.parametrize("parent", ["targets", "targets/releases"])
def test_a_hostile_name_is_refused_and_never_asked_for(name: str, parent: str, tmp_path: Path) -> None:
    repository = delegating(name, parent)
    asker = Asker(repository, state=FolderState(tmp_path / "state"))
    assert asker.code() is Code.MALFORMED
    for path in repository.requests:
        assert re.fullmatch(r"(?:\d+\.)?[a-z]+(?:/[-a-z0-9_]+)*(?:\.[0-9a-f]{64})?\.json", path), path
        assert role_of(path) != name or name in {"root", "targets"}
    assert [path.name for path in tmp_path.iterdir()] == ["state"]
    names = {path.name for path in (tmp_path / "state").rglob("*")}
    assert all(re.fullmatch(r"[0-9a-f]{64}|documents|trust\.json|lock", name) for name in names)


def test_the_longest_name_is_a_name() -> None:
    repository = SignedRepository(publish=False)
    repository.add_delegation("targets/" + "a" * 247, KEY)
    repository.publish()
    Asker(repository).ask()


@pytest.mark.parametrize("name", ["../../root", "..", "/etc/passwd", "targets/../root", "\0", "\x1b[2J"])
def test_a_snapshot_may_list_what_it_likes_and_nothing_comes_of_it(name: str) -> None:
    repository = SignedRepository(publish=False)
    info = {"length": 1, "hashes": {"sha256": "A" * 43 + "="}}
    repository.edit("snapshot", lambda signed: signed["meta"].update({name: info}))
    repository.publish()
    asker = Asker(repository)
    assert asker.ask().digest
    assert asker.requests == ["root.json", "timestamp.json", "snapshot.json", "targets.json"]
