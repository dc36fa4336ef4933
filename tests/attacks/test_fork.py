"""A child that is forked from a process in use neither hangs nor mixes its answers with its parent's."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

from tests.support.archives import pinned
from tests.support.repository import NAME, SignedRepository
from tests.support.static_server import StaticServer

ROOT: Final = Path(__file__).resolve().parents[2]
SECONDS: Final = 120
SCRIPT: Final = """
import os, sys, threading, warnings
from pathlib import Path
from imgsig.codes import Code
from imgsig.notary.settings import Notary, RootKeys
from imgsig.policy import Policy, Rule
from imgsig.state import FolderState, MemoryState
from imgsig.verifier import Verifier

warnings.simplefilter("ignore")
name, pin, server, state, children, many = sys.argv[1:]
rule = Rule([name], notary=Notary(anchor=RootKeys([pin]), server=server))
verifier = Verifier(Policy((rule,)), state=FolderState(Path(state)) if state else MemoryState())

def right(tag, code):
    ref = f"{name}:{tag}"
    if many == "many":
        return [verdict.code for verdict in verifier.evaluate_many([ref] * 3, timeout_seconds=60)] == [code] * 3
    return verifier.evaluate(ref, timeout_seconds=60).code is code

def all_right():
    return all(right("latest", Code.OK) and right("none", Code.TAG_NOT_SIGNED) for _ in range(5))

wrong = not all_right()
stopped = threading.Event()
def go_on():
    while not stopped.is_set():
        right("latest", Code.OK)
threads = [threading.Thread(target=go_on) for _ in range(4)]
for thread in threads:
    thread.start()
forked = []
for _ in range(int(children)):
    child = os.fork()
    if not child:
        grandchild = os.fork()
        if not grandchild:
            os._exit(0 if all_right() else 3)
        good = all_right() and os.waitstatus_to_exitcode(os.waitpid(grandchild, 0)[1]) == 0
        os._exit(0 if good else 4)
    forked.append(child)
    wrong = wrong or not right("latest", Code.OK)
statuses = [os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in forked]
stopped.set()
for thread in threads:
    thread.join()
print(wrong or not all_right(), statuses)
"""


@pytest.fixture
def server() -> Iterator[StaticServer]:
    with StaticServer() as running:
        yield running


@pytest.mark.parametrize("many", ["one", "many"])
@pytest.mark.parametrize("kind", ["memory", "folder"])
def test_children_of_a_busy_process_answer_rightly(
    server: StaticServer, tmp_path: Path, kind: str, many: str
) -> None:
    repository = SignedRepository()
    children = 6
    state = str(tmp_path / "state") if kind == "folder" else ""
    words = [NAME, *pinned(repository).pins, server.add("r", repository), state, str(children), many]
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, *words],
        cwd=ROOT,
        env={"PATH": os.defpath},
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
    )
    assert (done.returncode, done.stdout.strip()) == (0, f"False {[0] * children}"), done.stderr
