"""Every small change of every document of a small repository, as a script and for the tests.

    python -m tests.attacks.mutations [--times N] [--forget] [--seed N]

Changed are every byte of every file (four changes a byte, N times over) and every place in its JSON. Each is served as
it is, and once more with snapshot and timestamp signed anew over it, for a server holds those keys. And what snapshot
and timestamp say is changed too, and signed by their true keys. Nothing but the same result may come of it.
"""

import argparse
import json
import multiprocessing
import os
import sys
from collections.abc import Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from typing import Final, Literal, TypeAlias, final

from tests.support.altered_json import altered_json
from tests.support.server_held import ROLES, ServerHeld, Tally, altered_bytes, small_repository

Kind: TypeAlias = Literal["bytes", "json", "signed"]
KINDS: Final[tuple[Kind, ...]] = ("bytes", "json", "signed")
OWN: Final = ("snapshot", "timestamp")
"""The roles whose keys the server holds."""


@final
@dataclass(frozen=True, slots=True)
class Job:
    """One document, changed in one kind of way."""

    kind: Kind
    role: str
    anew: bool = False
    seed: int = 0
    times: int = 1
    forget: bool = False
    """Whether each try begins without any result of those before."""

    def run(self) -> Tally:
        """Make every change and tell what came of it."""
        held = ServerHeld(small_repository(older=self.kind != "signed"), remember=not self.forget)
        body = held.true[self.role]
        match self.kind:
            case "bytes":
                changed: Iterable[bytes] = altered_bytes(body, seed=self.seed, times=self.times)
                return held.try_all(self.role, changed, anew=self.anew)
            case "json":
                return held.try_all(self.role, altered_json(json.loads(body)), anew=self.anew)
            case "signed":
                return held.try_signed(self.role, altered_json(json.loads(body)["signed"]))


def jobs(kind: Kind, *, seed: int = 0, times: int = 1, forget: bool = False) -> Iterator[Job]:
    """Yield the jobs of one kind, the longest first."""
    if kind == "signed":
        yield from (Job(kind, role, anew=True, forget=forget) for role in OWN)
        return
    for anew in (True, False):
        for role in ROLES:
            if role != "timestamp" or not anew:  # nothing stands above it
                yield Job(kind, role, anew, seed, times, forget)


def run(wanted: Iterable[Job]) -> dict[Job, Tally]:
    """Do all jobs, in as many processes as there are processors."""
    listed = tuple(wanted)
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(min(len(listed), os.cpu_count() or 1), mp_context=context) as pool:
        return dict(zip(listed, pool.map(Job.run, listed), strict=True))


def summed(tallies: Iterable[Tally]) -> Tally:
    """Return all of `tallies` as one."""
    total = Tally()
    for tally in tallies:
        total += tally
    return total


def main() -> int:
    """Do everything, print a line for each document, and return 1 if anything was accepted that may not be."""
    parser = argparse.ArgumentParser(prog="python -m tests.attacks.mutations")
    parser.add_argument("--times", type=int, default=1, help="how often each byte is changed in each of four ways")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--forget", action="store_true", help="use no result of one try for the next")
    options = parser.parse_args()
    total = Tally()
    for kind in KINDS:
        for job, tally in run(jobs(kind, seed=options.seed, times=options.times, forget=options.forget)).items():
            over = "signed over anew" if job.anew else "as it is"
            _say(f"{kind:7} {job.role:18} {over:17}", tally)
            for laxer in tally.laxer[:5]:
                sys.stdout.write(f"    LAXER {laxer[:400]}\n")
            total += tally
    _say(f"{'all':44}", total)
    return 1 if total.laxer else 0


def _say(what: str, tally: Tally) -> None:
    counts = f"{tally.tried:7} tried {tally.refused:7} refused {tally.identical:5} identical {len(tally.laxer):3} laxer"
    sys.stdout.write(f"{what} {counts}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
