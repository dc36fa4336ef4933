"""What is trusted of a TUF repository: a wrong order is a mistake of the program, never an answer."""

from dataclasses import replace

import pytest

from imgsig.authority import Question
from imgsig.codes import Code
from imgsig.errors import RejectedError
from imgsig.limits import Deadline, Limits
from imgsig.memory import Memory
from imgsig.remembering import Remembered
from imgsig.sections import RootFile
from imgsig.trust import Floor
from imgsig.tuf.rules import Rules
from imgsig.tuf.settings import Tuf
from imgsig.tuf.trusted import TrustedSet
from imgsig.tuf.update import Update
from tests.support.memory_source import MemorySource
from tests.support.repository import NAME, NOW
from tests.support.tuf_keys import tuf_key
from tests.support.tuf_repository import TufRepository


@pytest.fixture
def repository() -> TufRepository:
    made = TufRepository(publish=False)
    made.add_delegation("team")
    made.publish()
    return made


def trusted(repository: TufRepository, floors: dict[str, Floor] | None = None) -> TrustedSet:
    made = TrustedSet(repository.files["1.root.json"], floors or {}, Rules(NOW, Limits(), Memory()))
    made.close_roots()
    return made


def test_documents_come_in_their_order(repository: TufRepository) -> None:
    found = trusted(repository)
    with pytest.raises(RuntimeError, match="order"):
        found.load_snapshot(repository.current["snapshot"])
    with pytest.raises(RuntimeError, match="order"):
        found.load_targets("targets", repository.current["targets"], delegator="root")


def test_a_role_is_loaded_for_those_who_delegate_to_it(repository: TufRepository) -> None:
    found = trusted(repository)
    found.load_timestamp(repository.current["timestamp"])
    found.load_snapshot(repository.current["snapshot"])
    found.load_targets("targets", repository.current["targets"], delegator="root")
    found.load_targets("team", repository.current["team"], delegator="targets")
    with pytest.raises(RuntimeError, match="team does not delegate to team"):
        found.load_targets("team", repository.current["team"], delegator="team")


def test_a_floor_that_stands_whatever_is_listed_stands(repository: TufRepository) -> None:
    floors = {"timestamp": Floor(5, (), 0)}
    with pytest.raises(RejectedError) as caught:
        trusted(repository, floors).load_timestamp(repository.current["timestamp"])
    assert caught.value.code is Code.ROLLBACK


def test_a_floor_falls_with_the_keys_that_made_it(repository: TufRepository) -> None:
    listed, stranger = tuf_key("timestamp 0").canonical_id, tuf_key("stranger").canonical_id
    for floor, falls in (
        (Floor(5, (listed,), 1), False),
        (Floor(5, (listed, stranger), 2), True),
        (Floor(5, (stranger,), 1), True),
    ):
        assert ("timestamp" not in trusted(repository, {"timestamp": floor}).floors) is falls
        assert ("snapshot" not in trusted(repository, {"snapshot": floor}).floors) is falls
        assert "targets" not in trusted(repository, {"targets": floor}).floors


def test_results_that_are_remembered_are_those_of_the_very_document(repository: TufRepository) -> None:
    memory = Memory()
    rules = Rules(NOW, Limits(), memory)
    first = TrustedSet(repository.files["1.root.json"], {}, rules)
    again = TrustedSet(repository.files["1.root.json"], {}, replace(rules))
    assert first.root is again.root
    other = TufRepository(publish=False)
    other.set_keys("root", tuf_key("another"))
    other.publish()
    assert TrustedSet(other.files["1.root.json"], {}, rules).root is not first.root


def test_an_update_that_has_not_begun_trusts_nothing(repository: TufRepository) -> None:
    question = Question(
        name=NAME,
        tag="latest",
        digest="",
        at=NOW,
        source=MemorySource(repository.served),
        live=True,
        state=None,
        deadline=Deadline(5),
        limits=Limits(),
    )
    settings = Tuf(anchor=RootFile(b"{}"), metadata_url="https://tuf.example.com")
    update = Update(question, settings, Remembered(question, "tuf", max_stale_seconds=0))
    assert update.progress() is None
    assert not update.has_begun
    with pytest.raises(RuntimeError, match="begins with a trusted root"):
        update.learnt()
