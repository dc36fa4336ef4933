"""Many references: in order, a window at a time, on threads, in other processes and on an event loop."""

import asyncio
import itertools
import os
import pickle
import threading
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from datetime import timedelta
from multiprocessing import get_context
from pathlib import Path

import pytest

from imgsig.archive import Archive, Wanted
from imgsig.batch import map_in_order
from imgsig.codes import Code
from imgsig.errors import UsageError
from imgsig.notary.settings import Notary, RootKeys
from imgsig.policy import Policy, Rule, load_authority
from imgsig.state import FolderState, MemoryState
from imgsig.transport import Credential, StaticCredentials
from imgsig.transport.docker_credentials import DockerCredentials
from imgsig.verifier import Verifier
from tests.support.memory_source import MemorySources
from tests.support.repository import SignedRepository

TAGS = tuple(f"v{number}" for number in range(10))


@pytest.fixture
def repositories() -> list[SignedRepository]:
    return [SignedRepository(f"registry.example.com/team/app{number}", tags=TAGS) for number in range(3)]


def _policy(repositories: list[SignedRepository]) -> Policy:
    return Policy(tuple(Rule([one.name], notary=_section(one)) for one in repositories))


def _section(repository: SignedRepository) -> Notary:
    return Notary(anchor=RootKeys(repository.root_key_ids))


@pytest.fixture
def verifier(repositories: list[SignedRepository]) -> Iterator[Verifier]:
    now = repositories[0].now
    with Verifier(_policy(repositories), state=MemoryState(), clock=lambda: now) as verifier:
        verifier._sources = MemorySources(*repositories)
        yield verifier


@pytest.fixture
def archived(repositories: list[SignedRepository], tmp_path: Path) -> Verifier:
    wanted = [Wanted(one.name, _section(one), load_authority(_section(one))) for one in repositories]
    now = repositories[0].now
    archive = Archive.save(wanted, tmp_path / "archive", sources=MemorySources(*repositories), clock=lambda: now)
    return Verifier(_policy(repositories), source=archive)


def _references(repositories: list[SignedRepository]) -> list[str]:
    return [f"{repository.name}:{tag}" for tag in TAGS for repository in repositories]


def test_verdicts_come_in_the_order_of_the_references(verifier: Verifier, repositories: list[SignedRepository]) -> None:
    references = _references(repositories)
    verdicts = list(verifier.evaluate_many(references, workers=4))
    assert [verdict.requested for verdict in verdicts] == references
    assert {verdict.code for verdict in verdicts} == {Code.OK}


def test_references_of_one_name_share_one_update(verifier: Verifier, repositories: list[SignedRepository]) -> None:
    list(verifier.evaluate_many(_references(repositories), workers=8))
    assert [repository.requests.count("timestamp.json") for repository in repositories] == [1, 1, 1]


def test_an_update_is_not_shared_where_none_may_be_old(
    verifier: Verifier, repositories: list[SignedRepository]
) -> None:
    list(verifier.evaluate_many(_references(repositories), workers=1, max_update_age_seconds=0))
    assert [repository.requests.count("timestamp.json") for repository in repositories] == [10, 10, 10]


def test_a_shared_update_ends_when_it_is_too_old_or_something_expires(repositories: list[SignedRepository]) -> None:
    repository = repositories[0]
    times = iter(range(1000))
    ticking = (repository.now.replace(second=next(times) % 60) for _ in itertools.count())
    with Verifier(_policy(repositories), state=MemoryState(), clock=lambda: next(ticking)) as verifier:
        verifier._sources = MemorySources(*repositories)
        list(verifier.evaluate_many([f"{repository.name}:v1"] * 20, workers=1, max_update_age_seconds=4))
    assert repository.requests.count("timestamp.json") == 4
    repository.expire("timestamp", repository.now.replace(second=5).isoformat())
    repository.publish()
    seconds = iter((0, 4, 5, 6))
    clock = (repository.now.replace(second=second) for second in seconds)
    with Verifier(_policy(repositories), state=MemoryState(), clock=lambda: next(clock)) as verifier:
        verifier._sources = MemorySources(*repositories)
        verdicts = list(verifier.evaluate_many([f"{repository.name}:v1"] * 3, workers=1, max_update_age_seconds=60))
    assert [verdict.code for verdict in verdicts] == [Code.OK, Code.OK, Code.EXPIRED]


def test_a_shared_update_is_given_up_when_another_process_has_learnt_more(
    verifier: Verifier, repositories: list[SignedRepository]
) -> None:
    repository = repositories[0]
    times = itertools.count()
    verifier._clock = lambda: repository.now + timedelta(milliseconds=21 * next(times))
    reference = f"{repository.name}:v1"
    verdicts = verifier.evaluate_many(itertools.repeat(reference, 50), workers=1)
    first = next(verdicts)
    other = Verifier(_policy(repositories), state=verifier._configuration.state, clock=verifier._clock)
    other._sources = verifier._sources
    repository.add_target("v1", b"moved")
    repository.publish()
    moved = other.evaluate(reference)
    assert moved.digest != first.digest
    assert list(verdicts)[-1].digest == moved.digest


def test_one_bad_reference_does_not_stop_the_others(verifier: Verifier, repositories: list[SignedRepository]) -> None:
    name = repositories[0].name
    references = [f"{name}:v1", "?", f"{name}:none", "elsewhere.example.com/x:1", None, f"{name}:v2"]
    codes = [verdict.code for verdict in verifier.evaluate_many(references)]  # type: ignore[arg-type]
    assert codes == [
        Code.OK,
        Code.INVALID_REFERENCE,
        Code.TAG_NOT_SIGNED,
        Code.NO_POLICY,
        Code.INVALID_REFERENCE,
        Code.OK,
    ]


def test_references_are_read_a_window_ahead_only(verifier: Verifier, repositories: list[SignedRepository]) -> None:
    read = itertools.count()

    def endless() -> Iterator[str]:
        while True:
            yield f"{repositories[0].name}:v{next(read) % 10}"

    verdicts = verifier.evaluate_many(endless(), workers=2)
    for _ in range(100):
        next(verdicts)
    verdicts.close()  # type: ignore[attr-defined]
    assert next(read) <= 100 + 2 * 4


def test_closing_the_iterator_cancels_what_has_not_begun() -> None:
    begun: list[int] = []
    gate = threading.Event()

    def work(item: int) -> int:
        begun.append(item)
        if item:
            gate.wait(30)
        return item

    with ThreadPoolExecutor(1) as pool:
        results = map_in_order(pool, work, range(100), workers=2)
        assert next(results) == 0
        results.close()  # type: ignore[attr-defined]
        gate.set()
    assert len(begun) <= 2


def test_a_wrong_call_is_told_before_anything_is_done(verifier: Verifier) -> None:
    for wrong in ({"workers": 0}, {"timeout_seconds": 0}, {"at": verifier._clock()}):
        with pytest.raises(UsageError):
            verifier.evaluate_many([], **wrong)


def test_nothing_in_is_nothing_out(verifier: Verifier) -> None:
    assert list(verifier.evaluate_many([])) == []


def test_other_processes_do_the_work(archived: Verifier, repositories: list[SignedRepository]) -> None:
    references = _references(repositories)
    with ProcessPoolExecutor(2, mp_context=get_context("spawn")) as executor:
        verdicts = list(archived.evaluate_many(references, executor=executor, at=repositories[0].now))
    assert [verdict.requested for verdict in verdicts] == references
    assert {verdict.code for verdict in verdicts} == {Code.OK}


def test_an_event_loop_awaits_verdicts(verifier: Verifier, repositories: list[SignedRepository]) -> None:
    async def ask() -> list[Code]:
        verdicts = await asyncio.gather(*(verifier.evaluate_async(one) for one in _references(repositories)))
        return [verdict.code for verdict in verdicts]

    assert asyncio.run(ask()) == [Code.OK] * 30


def test_cancelling_an_awaited_verdict_returns_at_once(verifier: Verifier) -> None:
    gate = threading.Event()
    verifier._own_pool()._max_workers = 1
    verifier._own_pool().submit(gate.wait, 30)

    async def ask() -> None:
        with pytest.raises(asyncio.TimeoutError):
            await asyncio.wait_for(verifier.evaluate_async("registry.example.com/x"), 0.01)

    asyncio.run(ask())
    gate.set()


def test_a_pickled_verifier_has_its_configuration_and_no_login(
    repositories: list[SignedRepository], tmp_path: Path
) -> None:
    logins = StaticCredentials({"registry.example.com": Credential("alice", "the secret of alice")})
    with Verifier(_policy(repositories), state=FolderState(tmp_path), credentials=logins) as verifier:
        pickled = pickle.dumps(verifier)
    assert b"the secret of alice" not in pickled
    again = pickle.loads(pickled)  # noqa: S301 - made right above
    assert again._configuration.policy == verifier._configuration.policy
    assert again._configuration.credentials is None


def test_docker_s_logins_are_pickled_as_the_place_of_their_file(tmp_path: Path) -> None:
    file = tmp_path / "config.json"
    file.write_text('{"auths": {"registry.example.com": {"username": "alice", "password": "the secret of alice"}}}')
    with Verifier(Policy(), state=MemoryState(), credentials=DockerCredentials.load(file)) as verifier:
        state = verifier.__getstate__()
    pickled = pickle.dumps(state.credentials)
    assert b"the secret" not in pickled
    assert pickle.loads(pickled).file == str(file)  # noqa: S301 - made right above


def test_other_logins_share_the_memory_and_no_update(verifier: Verifier, repositories: list[SignedRepository]) -> None:
    with pytest.raises(UsageError):
        verifier.with_credentials(None)
    with Verifier(_policy(repositories), state=MemoryState()) as one:
        other = one.with_credentials(StaticCredentials({}))
        assert other._memory is one._memory
        assert other._sources is not one._sources
        other.close()
        assert one._sources is not None


def test_a_forked_child_awaits_verdicts_on_threads_of_its_own(
    verifier: Verifier, repositories: list[SignedRepository]
) -> None:
    reference = f"{repositories[0].name}:v1"
    assert asyncio.run(verifier.evaluate_async(reference)).code is Code.OK
    read, write = os.pipe()
    if not (child := os.fork()):
        os.write(write, asyncio.run(verifier.evaluate_async(reference)).code.encode())
        os._exit(0)
    os.waitpid(child, 0)
    assert os.read(read, 100) == b"ok"
    os.close(read)
    os.close(write)
