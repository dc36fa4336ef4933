"""The libraries behind the model: imported when needed, and without a trace in the host program."""

import subprocess
import sys
from pathlib import Path

import pytest

POLICY = f"""
version = 1
[[rule]]
names = ["**"]
[rule.tuf]
metadata-url = "https://tuf.example.com"
root-sha256 = "{64 * "0"}"
"""
ROOT = Path(__file__).resolve().parents[2]


def run(script: str) -> str:
    done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True)
    return done.stdout.strip()


def test_the_log_of_the_host_program_is_left_alone() -> None:
    script = (
        "import logging; log = logging.getLogger('securesystemslib'); before = (list(log.handlers), log.level)\n"
        "import imgsig.tuf.client\n"
        "assert 'securesystemslib' in __import__('sys').modules\n"
        "print((list(log.handlers), log.level) == before)"
    )
    assert run(script) == "True"


def test_what_the_host_program_chose_for_that_log_stays() -> None:
    script = (
        "import logging; log = logging.getLogger('securesystemslib')\n"
        "mine = logging.NullHandler(); log.addHandler(mine); log.setLevel(logging.INFO)\n"
        "import imgsig.tuf.client\n"
        "print(log.handlers == [mine], log.level == logging.INFO)"
    )
    assert run(script) == "True True"


def test_what_an_earlier_import_has_done_is_not_ours_to_undo() -> None:
    script = (
        "import logging, securesystemslib; log = logging.getLogger('securesystemslib'); before = list(log.handlers)\n"
        "import imgsig.tuf.client\n"
        "print(log.handlers == before, len(before))"
    )
    assert run(script) == "True 1"


@pytest.mark.parametrize("module", ["imgsig.policy", "imgsig.tuf.settings", "imgsig.verifier"])
def test_a_policy_with_tuf_in_it_costs_no_library_before_it_is_used(module: str) -> None:
    script = (
        f"import {module}, sys\n"
        "from imgsig.policy import Policy\n"
        f"Policy.parse({POLICY!r})\n"
        "print([name for name in ('tuf', 'securesystemslib', 'cryptography') if name in sys.modules])"
    )
    assert run(script) == "[]"
