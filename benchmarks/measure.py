"""Times and memory, as medians with their spread."""

import json
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Self, final

_QUARTERS = 4


@final
@dataclass(frozen=True, slots=True)
class Sample:
    """Repeated measurements of one thing, in seconds."""

    seconds: tuple[float, ...]

    @classmethod
    def of(cls, work: Callable[[], object], *, times: int, warm_up: int = 3, pause_seconds: float = 0) -> Self:
        """Call `work` again and again, with a pause before each time that is not counted."""
        for _ in range(warm_up):
            work()
        found = []
        for _ in range(times):
            time.sleep(pause_seconds)
            start = time.perf_counter()
            work()
            found.append(time.perf_counter() - start)
        return cls(tuple(found))

    @classmethod
    def of_process(cls, *arguments: str, times: int, environment: dict[str, str] | None = None) -> Self:
        """Run a program again and again, from its start to its end."""

        def run() -> None:
            subprocess.run(arguments, check=True, capture_output=True, env=environment)

        return cls.of(run, times=times, warm_up=1)

    @property
    def median(self) -> float:
        """The median."""
        return statistics.median(self.seconds)

    @property
    def spread(self) -> float:
        """Half of the distance between the quartiles, as a part of the median."""
        if len(self.seconds) < _QUARTERS:
            return (max(self.seconds) - min(self.seconds)) / 2 / self.median
        low, _, high = statistics.quantiles(self.seconds, n=_QUARTERS)
        return (high - low) / 2 / self.median

    def __str__(self) -> str:
        """Return the median with the spread, in milliseconds."""
        return f"{self.median * 1000:.2f} ms ±{self.spread:.0%}"


@final
@dataclass(frozen=True, slots=True)
class Row:
    """One line of the table: a bound, and what was measured against it."""

    what: str
    bound: str
    ours: str
    against: str
    ratio: float
    met: bool

    def markdown(self) -> str:
        """Return the line."""
        mark = "met" if self.met else "**missed**"
        return f"| {self.what} | {self.bound} | {self.ours} | {self.against} | {self.ratio:.2f} | {mark} |"


def at_most(what: str, bound: float, ours: Sample, peer: Sample, against: str) -> Row:
    """Compare times: `ours` may be at most `bound` times the peer's."""
    ratio = ours.median / peer.median
    return Row(what, f"≤ {bound:g} ×", str(ours), f"{against}: {peer}", ratio, ratio <= bound)


def at_least(what: str, bound: float, ours: Sample, peer: Sample, against: str) -> Row:
    """Compare throughput: ours must be at least `bound` times the peer's, for the same work."""
    ratio = peer.median / ours.median
    return Row(what, f"≥ {bound:g} ×", str(ours), f"{against}: {peer}", ratio, ratio >= bound)


def in_fresh_process(code: str, *arguments: str) -> dict[str, Any]:
    """Run Python `code` in a process of its own; it prints one JSON object at last."""
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments], check=True, capture_output=True, text=True
    )
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def table(rows: Sequence[Row]) -> str:
    """Return a Markdown table."""
    head = "| what | bound | imgsig | against | ratio | |\n| --- | --- | --- | --- | --- | --- |"
    return "\n".join((head, *(row.markdown() for row in rows)))
