"""A TUF repository that is too large, too deep, too slow or endless is given up at its bound."""

import time
import tracemalloc

import pytest

from imgsig.authority import Question
from imgsig.codes import Code
from imgsig.errors import VerificationError
from imgsig.limits import Deadline, Limits
from imgsig.sections import RootFile
from imgsig.state import MemoryState
from imgsig.transport import HttpSources
from imgsig.tuf.client import TufAuthority
from imgsig.tuf.settings import Tuf
from imgsig.verdict import Checks
from tests.support.hostile import Answer, HostileServer, dripping_body, endless_body, gzip_bomb, reply, stall
from tests.support.repository import EXPIRES, NAME, NOW
from tests.support.tuf_asker import TufAsker
from tests.support.tuf_keys import tuf_key
from tests.support.tuf_repository import TufRepository

PEAK = 8 * 1024 * 1024


def asked(server: HostileServer, repository: TufRepository, *, seconds: float = 10) -> VerificationError:
    settings = Tuf(anchor=RootFile(repository.files["1.root.json"]), metadata_url=f"{server.url}/metadata")
    with HttpSources() as sources:
        question = Question(
            name=NAME,
            tag="latest",
            digest="",
            at=NOW,
            source=sources.open(settings.endpoint(NAME)),
            live=True,
            state=MemoryState(),
            deadline=Deadline(seconds),
            limits=Limits(),
        )
        with pytest.raises(VerificationError) as caught:
            TufAuthority(settings).attest(question, Checks())
    return caught.value


def served(repository: TufRepository, path: str, answer: Answer) -> dict[str, Answer]:
    answers = {f"/metadata/{file}": reply(body) for file, body in repository.files.items()}
    return answers | {"/metadata/2.root.json": reply(b"{}", status=404), f"/metadata/{path}": answer}


PATHS = ("2.root.json", "timestamp.json", "1.snapshot.json", "1.targets.json")


@pytest.mark.parametrize("path", PATHS[:3])
def test_an_endless_document_is_refused_at_its_bound(path: str) -> None:
    repository = TufRepository()
    with HostileServer(answers=served(repository, path, endless_body())) as server:
        tracemalloc.start()
        try:
            error = asked(server, repository)
            _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
    assert error.code is Code.LIMIT_EXCEEDED
    assert peak < PEAK


def test_targets_are_bounded_by_the_length_that_the_snapshot_lists() -> None:
    repository = TufRepository(hashes=True)
    with HostileServer(answers=served(repository, "1.targets.json", endless_body())) as server:
        assert asked(server, repository).code is Code.LIMIT_EXCEEDED


@pytest.mark.parametrize("path", PATHS)
def test_a_compressed_answer_is_not_unpacked(path: str) -> None:
    repository = TufRepository()
    with HostileServer(answers=served(repository, path, gzip_bomb())) as server:
        assert asked(server, repository).code in {Code.BAD_RESPONSE, Code.LIMIT_EXCEEDED}


@pytest.mark.parametrize("answer", [stall(), dripping_body()], ids=["silence", "dripping"])
@pytest.mark.parametrize("path", PATHS)
def test_a_slow_server_is_left_at_the_deadline(path: str, answer: Answer) -> None:
    repository = TufRepository()
    started = time.monotonic()
    with HostileServer(answers=served(repository, path, answer)) as server:
        assert asked(server, repository, seconds=0.6).code is Code.DEADLINE
    assert time.monotonic() - started < 15


# -- counts -----------------------------------------------------------------------------------------------------------


def test_ten_thousand_delegations_are_looked_through_but_only_so_many_asked() -> None:
    repository = TufRepository(publish=False)
    key = tuf_key("shared")
    entry = {"keyids": [key.id], "threshold": 1, "terminating": False, "paths": ["*/*/*"]}
    roles = [entry | {"name": f"role{number}"} for number in range(10_000)]
    repository.targets["delegations"] = {"keys": {key.id: key.to_json()}, "roles": roles}
    repository.publish()
    for number in range(40):
        repository.delegators[f"role{number}"] = "targets"
        repository.signers[f"role{number}"] = [key]
        repository.documents[f"role{number}"] = {
            "_type": "targets", "expires": EXPIRES, "spec_version": "1.0.31", "targets": {}, "version": 0,
        }
    repository.publish()
    asker = TufAsker(repository)
    assert asker.ask("latest").digest == repository.digest()
    assert asker.code("missing") is Code.LIMIT_EXCEEDED
    assert sum("role" in path for path in asker.requests) == 32


def test_a_deep_chain_of_delegations_ends() -> None:
    repository = TufRepository(publish=False)
    above = "targets"
    for number in range(40):
        repository.add_delegation(f"role{number}", delegator=above)
        above = f"role{number}"
    repository.publish()
    asker = TufAsker(repository)
    assert asker.code("missing") is Code.LIMIT_EXCEEDED
    asker.limit(max_delegations=40)
    assert asker.code("missing") is Code.TAG_NOT_SIGNED


def test_more_signatures_than_anyone_needs_are_refused_before_one_is_verified() -> None:
    repository = TufRepository()
    many = [{"keyid": f"{number:064x}", "sig": "00"} for number in range(1025)]
    repository.sign("targets", lambda signatures, _: [*signatures, *many])
    repository.publish(everything=True)
    assert TufAsker(repository).code() is Code.MALFORMED


def test_wildcards_cost_no_more_than_their_length() -> None:
    repository = TufRepository(publish=False)
    repository.add_delegation("role", paths=["*a" * 2000 + "b", f"{'[!x]' * 500}/*/*", "*/*/*" + "?*" * 500])
    repository.publish()
    started = time.monotonic()
    assert TufAsker(repository).code("a" * 120) is Code.TAG_NOT_SIGNED
    assert time.monotonic() - started < 10


@pytest.mark.parametrize(
    "limit", ["max_tuf_root_bytes", "max_tuf_timestamp_bytes", "max_tuf_snapshot_bytes", "max_document_bytes"]
)
def test_every_bound_can_be_chosen(limit: str) -> None:
    repository = TufRepository()
    repository.publish("root")
    asker = TufAsker(repository)
    asker.limit(**{limit: 10})
    assert asker.code() is Code.LIMIT_EXCEEDED


def test_a_repository_of_a_hundred_thousand_targets_is_within_the_bounds() -> None:
    repository = TufRepository(publish=False, hashes=True)
    repository.indent = None
    entry = {"length": 1234, "hashes": {"sha256": 64 * "a"}}
    repository.targets["targets"] |= {f"registry.example.com/team/app{number}:1": entry for number in range(100_000)}
    repository.publish()
    assert len(repository.current["targets"]) > 10_000_000
    asker = TufAsker(repository)
    assert asker.ask(name="registry.example.com/team/app77777", tag="1").digest == f"sha256:{64 * 'a'}"
