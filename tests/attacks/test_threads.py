"""Threads that share one verifier get each the answer to its own question, and none goes back in time."""

import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from imgsig.codes import Code
from imgsig.notary.settings import Notary
from imgsig.policy import Policy, Rule
from imgsig.state import FolderState, MemoryState
from imgsig.verdict import Verdict
from imgsig.verifier import Verifier
from tests.support.archives import pinned
from tests.support.repository import SignedRepository
from tests.support.static_server import StaticServer

THREADS = 32
ROUNDS = 8
NAMES = tuple(f"registry.example.com/team/app{number}" for number in range(4))


@pytest.mark.parametrize("kind", ["memory", "folder"])
@pytest.mark.parametrize("many", [False, True], ids=["one by one", "many at once"])
def test_threads_that_share_a_verifier(kind: str, tmp_path: Path, *, many: bool) -> None:
    """Half of the names' tags move meanwhile; a quarter is refused: its server has the documents of another name."""
    repositories = {name: SignedRepository(name) for name in NAMES}
    state = MemoryState() if kind == "memory" else FolderState(tmp_path / "state")
    with StaticServer() as server:
        rules = []
        for name, repository in repositories.items():
            url = server.add(name.rpartition("/")[2], repository)
            rules.append(Rule([name], notary=Notary(anchor=pinned(repository), server=url)))
        replayed = repositories[NAMES[3]]
        replayed.restore(repositories[NAMES[0]].files)
        begin = threading.Barrier(THREADS)

        with Verifier(Policy(tuple(rules)), state=state) as verifier, ThreadPoolExecutor(THREADS) as pool:

            def ask(number: int) -> list[Verdict]:
                name = NAMES[number % len(NAMES)]
                begin.wait(30)
                refs = [f"{name}:latest"] * ROUNDS
                if many:  # updates are shared then, also among the threads
                    return list(verifier.evaluate_many(refs, workers=2, timeout_seconds=120))
                return [verifier.evaluate(ref, timeout_seconds=120) for ref in refs]

            asking = [pool.submit(ask, number) for number in range(THREADS)]
            digests = {name: [repository.digest("latest")] for name, repository in repositories.items()}
            for number in range(6):
                for name in NAMES[:2]:
                    digests[name].append(f"sha256:{repositories[name].add_target('latest', b'%d' % number)}")
                    repositories[name].publish()
            answers = [one.result() for one in asking]
    for number, verdicts in enumerate(answers):
        name = NAMES[number % len(NAMES)]
        if name == NAMES[3]:
            assert {verdict.code for verdict in verdicts} == {Code.ROOT_CERTIFICATE}
            continue
        assert {verdict.code for verdict in verdicts} <= {Code.OK, Code.HASH_MISMATCH, Code.LIMIT_EXCEEDED}
        verified = [verdict for verdict in verdicts if verdict.code is Code.OK]
        assert {verdict.reference for verdict in verified} == {f"{name}:latest"}
        order = [digests[name].index(verdict.digest) for verdict in verified]
        assert order == sorted(order)
        assert name in NAMES[:2] or len(verified) == ROUNDS
