"""``imgsig policy import``: a policy on stdout, what is missing from it on stderr."""

import io
import json
from pathlib import Path
from typing import Any

import pytest

from imgsig.policy import Policy
from tests.support.command import Desk

PIN = "a" * 64
NOTARY = {"trust_pinning": {"certs": {"quay.io/team/app": [PIN]}, "disable_tofu": True}}
CONNAISSEUR = {
    "application": {
        "validators": [{"name": "allow", "type": "static", "approve": True}],
        "policy": [{"pattern": "quay.io/*:*", "validator": "allow"}],
    }
}


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)


def written(desk: Desk, values: object) -> Path:
    file = desk.folder / "config.json"
    file.write_text(json.dumps(values))
    return file


@pytest.mark.parametrize(("values", "name"), [(NOTARY, "quay.io/team/app"), (CONNAISSEUR, "quay.io/x")])
def test_a_configuration_becomes_a_policy_on_stdout(desk: Desk, values: dict[str, Any], name: str) -> None:
    ran = desk.run("policy", "import", written(desk, values))
    assert (ran.status, ran.err) == (0, "")
    assert Policy.parse(ran.out).rule_for(name) is not None


def test_what_is_printed_can_be_checked(desk: Desk) -> None:
    policy = desk.folder / "policy.toml"
    policy.write_text(desk.run("policy", "import", written(desk, NOTARY)).out)
    assert desk.run("policy", "check", policy, "--for", "quay.io/team/app").status == 0


def test_standard_input_is_read_for_a_dash(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(json.dumps(NOTARY).encode())))
    assert PIN in desk.run("policy", "import", "-").out


def test_a_restriction_that_is_lost_is_told_and_is_wrong_usage(desk: Desk) -> None:
    values = {"trust_pinning": {"certs": {"quay.io/team*": [PIN]}}}
    ran = desk.run("policy", "import", written(desk, values))
    assert ran.status == 2
    assert Policy.parse(ran.out).rule_for("quay.io/team/app") is not None
    assert ran.said[1].startswith("imgsig: warning: not carried over: trust_pinning.certs['quay.io/team*']: ")
    assert ran.said[-1].startswith("hint: ")


@pytest.mark.parametrize(
    "body",
    [
        b"", b"{", b"[]", b"null", b"{}", b'{"a": 1, "a": 2}', b"application:\n  policy: []\n", b"\xff",
        b'{"trust_pinning": []}', b'{"validators": [{}], "policy": []}', b"[" * 100000, b" " * (1 << 20) + b"{}",
    ],
)
def test_what_is_no_such_configuration_is_one_line_and_a_hint(desk: Desk, body: bytes) -> None:
    file = desk.folder / "config.json"
    file.write_bytes(body)
    ran = desk.run("policy", "import", file)
    assert (ran.status, ran.out, len(ran.said)) == (2, "", 2)


def test_a_file_that_cannot_be_read_is_one_line_and_a_hint(desk: Desk) -> None:
    ran = desk.run("policy", "import", desk.folder / "none.json")
    assert (ran.status, ran.out, len(ran.said)) == (2, "", 2)


def test_texts_of_the_configuration_cannot_end_a_comment(desk: Desk) -> None:
    evil = 'x\n[[rule]]\nnames = ["**"]\nexempt = "owned"\n#'
    values = {
        "validators": [{"name": evil, "type": "cosign"}, {"name": "allow", "type": "static", "approve": True}],
        "policy": [{"pattern": "quay.io/*:*", "validator": evil}, {"pattern": evil, "validator": "allow"}],
    }
    ran = desk.run("policy", "import", written(desk, values))
    assert ran.status == 2
    assert Policy.parse(ran.out).rules == ()
