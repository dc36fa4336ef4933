"""Under ``python -O`` and ``-OO``, which remove every ``assert``, exactly the same is refused."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Final

import pytest

from tests.attacks.mutations import Job

ROOT: Final = Path(__file__).resolve().parents[2]
JOB: Final = Job("json", "timestamp")
SCRIPT: Final = """
import json, sys
from tests.attacks.mutations import Job
assert False
tally = Job(*json.loads(sys.argv[1])).run()
print(json.dumps([tally.tried, tally.refused, tally.identical, tally.laxer]))
"""


@pytest.mark.parametrize("level", ["-O", "-OO"])
def test_the_same_changes_are_refused(level: str) -> None:
    job = json.dumps([JOB.kind, JOB.role, JOB.anew])
    done = subprocess.run(
        [sys.executable, level, "-c", SCRIPT, job], cwd=ROOT, capture_output=True, text=True, check=True
    )
    here = JOB.run()
    assert here.refused > here.identical > 0
    assert json.loads(done.stdout) == [here.tried, here.refused, here.identical, []]
