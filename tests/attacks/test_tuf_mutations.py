"""Every cut and every changed byte of a TUF repository's documents: refused, or the answer is the same."""

import random
from collections.abc import Iterator

import pytest

from imgsig.errors import VerificationError
from imgsig.memory import Memory
from tests.support.repository import NAME
from tests.support.tuf_asker import TufAsker
from tests.support.tuf_repository import TufRepository

PATHS = ("2.root.json", "timestamp.json", "1.snapshot.json", "1.targets.json", "1.team.json")


def repository() -> TufRepository:
    made = TufRepository(publish=False)
    made.indent = None
    made.add_delegation("team", listed=[f"{NAME}:2.0"])
    made.publish()
    made.publish("root")
    return made


REPOSITORY = repository()
TRUE = REPOSITORY.digest(f"{NAME}:2.0", "team")


def changed(body: bytes) -> Iterator[bytes]:
    chance = random.Random(1)  # noqa: S311 - the same changes in every run
    for place in range(len(body)):
        yield body[:place] + bytes([body[place] ^ 1 << chance.randrange(8)]) + body[place + 1 :]
        yield body[:place] + body[place + 1 :]
        yield body[: place + 1] + body[place:]


def cut(body: bytes) -> Iterator[bytes]:
    yield from (body[:length] for length in range(0, len(body), 3))
    yield from (body[start:] for start in range(1, len(body), 7))


def tried(path: str, bodies: Iterator[bytes]) -> tuple[int, int]:
    """Serve each of `bodies` at `path`; return how many were refused, and how many changed nothing."""
    repository = REPOSITORY.clone()
    asker = TufAsker(repository)
    memory = Memory()
    refused = same = 0
    for body in bodies:
        repository.files[path] = body
        asker.memory = memory
        asker.state = None
        try:
            assert asker.ask("2.0").digest == TRUE
            same += 1
        except VerificationError:
            refused += 1
    return refused, same


@pytest.mark.parametrize("path", PATHS)
def test_a_changed_byte_changes_no_answer(path: str) -> None:
    refused, same = tried(path, changed(REPOSITORY.files[path]))
    assert refused > same
    assert same < 0.2 * refused, "most of a document is signed"


@pytest.mark.parametrize("path", PATHS)
def test_a_cut_document_is_refused(path: str) -> None:
    refused, same = tried(path, cut(REPOSITORY.files[path]))
    assert same == 0
    assert refused > 50


def test_unchanged_it_verifies() -> None:
    assert tried("timestamp.json", iter([REPOSITORY.files["timestamp.json"]])) == (0, 1)
