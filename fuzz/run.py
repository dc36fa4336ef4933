"""Run the fuzzers: ``python -m fuzz.run [--seconds N] [--target NAME] [--engine guided|random] [--seed N]``.

With ``atheris`` installed, inputs are guided by the coverage that they reach; without it they are changed at random. A
finding is written to a file and named; ``python -m fuzz.run --target NAME --replay FILE`` shows it again.
"""

import argparse
import importlib.util
import re
import subprocess
import sys
import tempfile
import time
import traceback
from hashlib import sha256
from pathlib import Path
from random import Random
from typing import Final

from fuzz.mutating import mutated
from fuzz.targets import TARGETS, Target

_EXECUTED: Final = re.compile(r"stat::number_of_executed_units:\s*(\d+)")
_FINDING: Final = re.compile(r"Test unit written to (\S+)")


def main() -> int:
    """Run what is asked for, print the executions of each target, and return 1 if there was a finding."""
    parser = argparse.ArgumentParser(prog="python -m fuzz.run")
    parser.add_argument("--seconds", type=float, default=60, help="altogether, shared by the targets")
    parser.add_argument("--target", choices=sorted(TARGETS), action="append", help="may be given several times")
    has_atheris = importlib.util.find_spec("atheris") is not None
    parser.add_argument("--engine", choices=["guided", "random"], default="guided" if has_atheris else "random")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--replay", type=Path, help="read this file only")
    options = parser.parse_args()
    names: list[str] = options.target or list(TARGETS)
    if options.replay is not None:
        TARGETS[names[0]].once(options.replay.read_bytes())
        return 0
    total, findings = 0, []
    for name in names:
        share = options.seconds / len(names)
        if options.engine == "guided":
            executions, finding = _guided(name, share, options.seed)
        else:
            executions, finding = _random(name, TARGETS[name], share, options.seed)
        total += executions
        findings += [finding] * bool(finding)
        _say(f"{name:18} {executions:9} executions{'  FINDING: ' + finding if finding else ''}")
    _say(f"{'all':18} {total:9} executions, {len(findings)} findings ({options.engine}, seed {options.seed})")
    return 1 if findings else 0


def _random(name: str, target: Target, seconds: float, seed: int) -> tuple[int, str]:
    ends = time.monotonic() + seconds
    executions = 0
    for data in mutated(target.seeds(), Random(f"{name}:{seed}")):  # noqa: S311 - it chooses tests, not secrets
        executions += 1
        try:
            target.once(data)
        except Exception:  # noqa: BLE001 - whatever leaves is the finding
            path = Path(tempfile.gettempdir()) / f"fuzz-{name}-{sha256(data).hexdigest()[:12]}"
            path.write_bytes(data)
            traceback.print_exc()
            return executions, str(path)
        if time.monotonic() >= ends:
            break
    return executions, ""


def _guided(name: str, seconds: float, seed: int) -> tuple[int, str]:
    with tempfile.TemporaryDirectory() as folder:
        for number, data in enumerate(TARGETS[name].seeds()):
            (Path(folder) / f"seed-{number}").write_bytes(data)
        done = subprocess.run(  # noqa: S603 - this very program
            [
                sys.executable, "-m", "fuzz.guided", name, folder, f"-max_total_time={max(1, round(seconds))}",
                f"-seed={seed}", "-print_final_stats=1", "-max_len=200000", "-timeout=25", "-rss_limit_mb=4096",
                f"-artifact_prefix={tempfile.gettempdir()}/fuzz-{name}-",
            ],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            check=False,
        )
    output = done.stdout.decode(errors="replace")
    executed, finding = _EXECUTED.search(output), _FINDING.search(output)
    if done.returncode or executed is None:
        _say(output[-4000:])
        return int(executed[1]) if executed else 0, finding[1] if finding else f"ended with {done.returncode}"
    return int(executed[1]), ""


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
