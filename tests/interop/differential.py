"""Play every case, and random mutations, to the reference client and to imgsig, and print how the verdicts compare.

    python -m tests.interop.differential [--only TEXT] [--mutations N] [--histories N] [--seed S] …

The exit status is 1 if imgsig was laxer than the reference client, crashed, or differed from what a case says.
"""

# ruff: noqa: T201 - this is a program: what it prints is its result

import argparse
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from typing import Final, TypeVar

from tests.interop.comparison import Case, Outcome, Relation, run
from tests.interop.histories import history
from tests.interop.mutations import KINDS_OF_CHANGE, Mutation, mutation
from tests.interop.tables import CASES
from tests.support.oracle import Oracle

_BATCH: Final = 200
_Item = TypeVar("_Item")
_Made = TypeVar("_Made")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run what the arguments ask for, print the tables, and return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m tests.interop.differential")
    parser.add_argument("--only", default="", metavar="TEXT", help="only the cases whose id holds TEXT")
    parser.add_argument("--mutations", type=int, default=0, metavar="N", help="then N random mutations")
    parser.add_argument("--seed", type=int, default=0, metavar="S", help="the seed of what is random")
    parser.add_argument("--first", type=int, default=0, metavar="N", help="the number of the first of them")
    parser.add_argument(
        "--kind", action="append", choices=KINDS_OF_CHANGE, default=[], help="only mutations of this kind"
    )
    parser.add_argument("--histories", type=int, default=0, metavar="N", help="then N random histories")
    parser.add_argument("--quick", action="store_true", help="let imgsig speculate and remember, in the cases")
    parser.add_argument("--workers", type=int, default=2, metavar="N", help="how many run at a time")
    asked = parser.parse_args(arguments)
    if not Oracle.available():
        print("the notary client is not installed")
        return 1
    with Oracle() as oracle, ThreadPoolExecutor(asked.workers) as pool:
        cases = [case for case in CASES if asked.only in case.id]
        faults = _run_cases(cases, oracle, pool, quick=asked.quick)
        if asked.mutations:
            numbers = range(asked.first, asked.first + asked.mutations)
            faults += _run_mutations(asked.seed, numbers, asked.kind, oracle, pool)
        if asked.histories:
            faults += _run_histories(asked.seed, range(asked.first, asked.first + asked.histories), oracle, pool)
    return 1 if faults else 0


def _run_cases(cases: Sequence[Case], oracle: Oracle, pool: ThreadPoolExecutor, *, quick: bool) -> int:
    started = time.monotonic()
    count: Counter[str] = Counter()
    faults = 0
    for outcome in _mapped(pool, lambda case: run(case, oracle, quick=quick), cases):
        fault = outcome.fault()
        if fault:
            faults += 1
            print(f"{outcome.case.id}: {fault}")
        count[_bucket(outcome)] += 1
    print(f"\n{len(cases)} cases in {time.monotonic() - started:.0f} s")
    _print_counts(count)
    print(f"{faults:7}  faults")
    return faults


def _bucket(outcome: Outcome) -> str:
    if outcome.relation is Relation.AGREE:
        return "agree, accepted" if outcome.ours.accepted else "agree, refused"
    if outcome.relation is Relation.STRICTER:
        return f"stricter: {outcome.case.stricter or 'no reason'}"
    return f"wider on purpose: {outcome.case.wider}" if outcome.case.wider else "laxer"


def _run_mutations(
    seed: int, numbers: Iterable[int], kinds: Sequence[str], oracle: Oracle, pool: ThreadPoolExecutor
) -> int:
    started = time.monotonic()
    count: Counter[str] = Counter()
    faults = played = 0

    def play(number: int) -> tuple[Mutation, Outcome]:
        made = mutation(seed, number, kinds)
        return made, run(made.case, oracle)

    for made, outcome in _mapped(pool, play, numbers):
        played += 1
        if outcome.relation is Relation.LAXER or outcome.ours.crashed:
            faults += 1
            print(f"{made.case.id} ({made.what}): oracle {outcome.oracle}; imgsig {outcome.ours}", flush=True)
        name = "accepted" if outcome.ours.accepted else "refused"
        if outcome.relation is Relation.STRICTER:
            name = str(outcome.ours.code)
        count[f"{outcome.relation}, {name} ({made.kind})"] += 1
    print(f"\n{played} mutations with seed {seed} in {time.monotonic() - started:.0f} s")
    _print_counts(count)
    print(f"{faults:7}  laxer or crashed")
    return faults


def _run_histories(seed: int, numbers: Iterable[int], oracle: Oracle, pool: ThreadPoolExecutor) -> int:
    started = time.monotonic()
    count: Counter[str] = Counter()
    faults = steps = 0
    for outcome in _mapped(pool, lambda number: run(history(seed, number), oracle, until_differing=True), numbers):
        steps += outcome.step + 1
        name = str(outcome.relation)
        if outcome.relation is Relation.STRICTER:
            name = f"ended stricter, {outcome.ours.code}"
        elif outcome.refused_once:
            name = "ended wider on purpose: rotation-resets-floors"
        elif outcome.relation is Relation.LAXER or outcome.ours.crashed:
            faults += 1
            print(f"{outcome.case.id} step {outcome.step}: oracle {outcome.oracle}; imgsig {outcome.ours}", flush=True)
        count[name] += 1
    ran = sum(count.values())
    print(f"\n{ran} histories of {steps} look-ups with seed {seed} in {time.monotonic() - started:.0f} s")
    _print_counts(count)
    print(f"{faults:7}  laxer or crashed")
    return faults


def _print_counts(count: Counter[str]) -> None:
    for name in sorted(count):
        print(f"{count[name]:7}  {name}")


def _mapped(pool: ThreadPoolExecutor, function: Callable[[_Item], _Made], items: Iterable[_Item]) -> Iterator[_Made]:
    """Map in batches, so that a long run holds few results at a time."""
    rest = iter(items)
    while batch := tuple(islice(rest, _BATCH)):
        yield from pool.map(function, batch)


if __name__ == "__main__":
    raise SystemExit(main())
