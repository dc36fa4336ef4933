"""The archive in fixtures/ is what its README says, and the demo shows it."""

import json
import subprocess
import sys
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from imgsig import Archive, Code, Policy, Verdict, Verifier
from tests.support.sockets import sockets_forbidden

FIXTURES = Path(__file__).resolve().parents[2] / "fixtures"


@pytest.fixture(scope="module")
def facts() -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads((FIXTURES / "facts.json").read_text())
    return loaded


def evaluate(facts: dict[str, Any], tag: str) -> Verdict:
    policy = Policy.load(FIXTURES / "policy.toml")
    at = datetime.fromisoformat(facts["at"])
    with sockets_forbidden(), Verifier(policy, source=Archive.load(FIXTURES / "app")) as verifier:
        return verifier.evaluate(f"{facts['name']}:{tag}", at=at)


def test_the_tag_that_both_signers_signed_verifies(facts: dict[str, Any]) -> None:
    verdict = evaluate(facts, "1.0")

    assert verdict.code is Code.OK
    assert verdict.require().digest == facts["tags"]["1.0"]


@pytest.mark.parametrize("tag", ["1.1", "0.9"])
def test_a_tag_that_a_required_signer_has_not_signed_is_refused(facts: dict[str, Any], tag: str) -> None:
    assert evaluate(facts, tag).code is Code.SIGNER_MISSING


def test_a_tag_that_nobody_signed_is_refused(facts: dict[str, Any]) -> None:
    assert evaluate(facts, "2.0").code is Code.TAG_NOT_SIGNED


def test_the_demo_shows_the_image_verified_and_the_changed_byte_refused() -> None:
    done = subprocess.run([sys.executable, FIXTURES / "demo.py"], capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stderr
    assert "(exit status 0)" in done.stdout
    assert "(exit status 10)" in done.stdout
    assert "hash_mismatch" in done.stdout
