"""Many processes verify by one state folder while the publisher moves the tag, as a script and for the tests.

    python -m tests.interop.concurrency [--processes N] [--verifications N]

Each process keeps one verifier, so that it is warm in memory, and looks into the folder before each question: what was
committed there by anyone may not be undercut by the answer. Needs the real notary programs (``make peers``).
"""

import argparse
import itertools
import multiprocessing
import sys
import tempfile
import time
from collections.abc import Iterable, Mapping
from concurrent.futures import Future, ProcessPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, final

from imgsig.codes import Code
from imgsig.limits import Deadline
from imgsig.notary.settings import Notary, RootKeys
from imgsig.policy import Policy, Rule
from imgsig.state import FolderState
from imgsig.verifier import Verifier
from tests.support.peers import NotaryServer, Publisher

TAG: Final = "moving"
NAME: Final = "registry.example.com/concurrency/app"
_SECONDS: Final = 60.0


@final
@dataclass(frozen=True, slots=True)
class Work:
    """What one process is to do."""

    name: str
    server: str
    pins: tuple[str, ...]
    folder: Path
    verifications: int

    def run(self) -> "Seen":
        """Verify again and again with one verifier, and tell what was seen."""
        seen = Seen()
        state = FolderState(self.folder)
        section = Notary(anchor=RootKeys(self.pins), server=self.server)
        with Verifier(Policy((Rule([self.name], notary=section),)), state=FolderState(self.folder)) as verifier:
            for _ in range(self.verifications):
                committed = _floors(state, self.name)
                verdict = verifier.evaluate(f"{self.name}:{TAG}", timeout_seconds=_SECONDS)
                if verdict.code is not Code.OK:
                    seen.faults.append(f"{verdict.code}: {verdict.summary}")
                    continue
                roles = {role.role: role.version for role in verdict.attestations[0].roles}
                older = {role: found for role, found in roles.items() if found < committed.get(role, 0)}
                if older:
                    seen.faults.append(f"answered from {older} after {committed} was committed")
                seen.answers.append((roles["targets"], verdict.digest))
        return seen


@final
@dataclass(slots=True)
class Seen:
    """What one process saw, in order."""

    answers: list[tuple[int, str]] = field(default_factory=list)
    """The version of targets and the digest, for each verification."""
    faults: list[str] = field(default_factory=list)


@final
@dataclass(frozen=True, slots=True)
class Report:
    """What came of it."""

    verifications: int
    published: int
    """How often the tag was moved."""
    seen: int
    """How many different versions of targets were answered from."""
    faults: tuple[str, ...]
    """Everything that must not be."""
    seconds: float


def run(
    server: NotaryServer, publisher: Publisher, name: str, folder: Path, *, processes: int, verifications: int
) -> Report:
    """Publish `name`, let the processes verify it by the state in `folder`, and move its tag until they have done."""
    publisher.init(name)
    digests = [_move(publisher, name, 0)]
    work = Work(name, server.url, tuple(publisher.key_ids("root")), folder, verifications)
    started = time.monotonic()
    with ProcessPoolExecutor(processes, mp_context=multiprocessing.get_context("spawn")) as pool:
        running = [pool.submit(work.run) for _ in range(processes)]
        for number in itertools.count(1):
            digests.append(_move(publisher, name, number))
            if _all_done(running):
                break
        seen = [future.result() for future in running]
    return Report(
        verifications=sum(len(one.answers) for one in seen),
        published=len(digests),
        seen=len({version for one in seen for version, _ in one.answers}),
        faults=tuple(_faults(seen, digests)),
        seconds=time.monotonic() - started,
    )


def _move(publisher: Publisher, name: str, number: int) -> str:
    digest = publisher.add(name, TAG, b"image %d" % number)
    publisher.publish(name)
    return digest


def _all_done(running: Iterable[Future[Seen]]) -> bool:
    return all(future.done() for future in running)


def _faults(seen: Iterable[Seen], digests: list[str]) -> Iterable[str]:
    """Yield what each process found, and what shows only when their answers are laid side by side."""
    digest_of: dict[int, str] = {}
    for one in seen:
        yield from one.faults
        versions = [version for version, _ in one.answers]
        if versions != sorted(versions):
            yield f"one process went back: {versions}"
        for version, digest in one.answers:
            if digest not in digests:
                yield f"{digest} was never published"
            if digest_of.setdefault(version, digest) != digest:
                yield f"version {version} stood for two digests"
    order = [digests.index(digest) for _, digest in sorted(digest_of.items()) if digest in digests]
    if order != sorted(order):
        yield f"versions and digests are in different orders: {order}"


def _floors(state: FolderState, name: str) -> Mapping[str, int]:
    trust = state.load("notary", name, deadline=Deadline(_SECONDS)).trust
    return {} if trust is None else {role: floor.version for role, floor in trust.floors.items()}


def main() -> int:
    """Run against a server of its own, print what came of it, and return 1 if anything was wrong."""
    parser = argparse.ArgumentParser(prog="python -m tests.interop.concurrency")
    parser.add_argument("--processes", type=int, default=8)
    parser.add_argument("--verifications", type=int, default=200, help="by each process")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, NotaryServer(Path(folder) / "server") as server:
        report = run(
            server,
            Publisher(Path(folder) / "publisher", server.url),
            NAME,
            Path(folder) / "state",
            processes=options.processes,
            verifications=options.verifications,
        )
    sys.stdout.write(
        f"{options.processes} processes, {report.verifications} verifications in {report.seconds:.0f} s, tag moved "
        f"{report.published} times, {report.seen} versions seen, {len(report.faults)} faults\n"
    )
    for fault in report.faults[:20]:
        sys.stdout.write(f"    {fault}\n")
    return 1 if report.faults or report.verifications != options.processes * options.verifications else 0


if __name__ == "__main__":
    sys.exit(main())
