"""``imgsig policy check``: every fault with its place, or which rule decides."""

from pathlib import Path

import pytest

from tests.support.command import Desk

RULES = """\
[[rule]]
names = ["registry.example.com/team/**"]
[rule.notary]
server = "https://notary.example.com"
root-keys = ["0000000000000000000000000000000000000000000000000000000000000000"]
signers = ["alice", "bob"]

[[rule]]
names = ["mirror.example.com/**"]
signed-as = "docker.io/**"
[rule.notary]
first-use = true
max-stale-seconds = 60

[[rule]]
names = ["registry.example.com/scratch"]
exempt = "built here"
"""


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)


def told(lines: list[str]) -> dict[str, str]:
    return {line[:18].strip(): line[19:] for line in lines}


def test_a_policy_in_order_is_said_to_be_so(desk: Desk) -> None:
    file = desk.write(RULES)
    ran = desk.run("policy", "check", file)
    assert (ran.status, ran.out, ran.said) == (0, "", [f"imgsig: {file} is in order; rules: 3"])


def test_every_fault_is_told_with_its_path(desk: Desk) -> None:
    file = desk.write('[[rule]]\nnames = ["alpine"]\n[rule.notary]\nfrob = 1\n')
    ran = desk.run("policy", "check", file)
    assert (ran.status, ran.out) == (2, "")
    assert [line.split(": ")[2] for line in ran.said[:-1]] == [
        "rule[0].notary.frob", "rule[0].notary", "rule[0].names[0]",
    ]
    assert ran.said[-1] == f"hint: correct '{file}'"
    (answer,) = desk.run("policy", "check", "--json", file).values
    assert len(answer["faults"]) == 3


def test_a_file_that_is_not_there_is_one_fault(desk: Desk) -> None:
    ran = desk.run("policy", "check", desk.policy)
    assert (ran.status, len(ran.said)) == (2, 2)
    assert ran.said[1].startswith("hint: imgsig anchor NAME --write")


def test_the_rule_that_decides_is_shown(desk: Desk) -> None:
    ran = desk.run("policy", "check", desk.write(RULES), "--for", "registry.example.com/team/app:1")
    assert ran.status == 0
    assert told(ran.lines) == {
        "reference": "registry.example.com/team/app:1",
        "rule": "registry.example.com/team/**",
        "signed name": "registry.example.com/team/app",
        "authority": "notary",
        "server": "https://notary.example.com",
        "root-keys": "0" * 64,
        "signers": "alice, bob",
    }


def test_a_mirror_s_rule_shows_the_signed_name_and_its_server(desk: Desk) -> None:
    ran = desk.run("policy", "check", desk.write(RULES), "--for", "mirror.example.com/bob/app")
    shown = told(ran.lines)
    assert (shown["signed name"], shown["server"]) == ("docker.io/bob/app", "https://notary.docker.io")
    desk.environ["DOCKER_CONTENT_TRUST_SERVER"] = "https://mine.example.com"
    ran = desk.run("policy", "check", desk.policy, "--for", "mirror.example.com/bob/app", "--json")
    assert ran.values[0]["decides"]["authorities"][0]["server"] == "https://mine.example.com"


def test_an_exempt_name_shows_the_reason(desk: Desk) -> None:
    ran = desk.run("policy", "check", desk.write(RULES), "--for", "registry.example.com/scratch")
    assert (ran.status, told(ran.lines)["exempt"]) == (0, "built here")


def test_a_name_without_a_rule_is_no_policy(desk: Desk) -> None:
    ran = desk.run("policy", "check", desk.write(RULES), "--for", "alpine")
    assert (ran.status, ran.out, len(ran.said)) == (12, "", 2)


@pytest.mark.parametrize("words", [(), ("x", "--for"), ("x", "y")])
def test_wrong_usage_is_one_line_and_a_hint(desk: Desk, words: tuple[str, ...]) -> None:
    ran = desk.run("policy", "check", *words)
    assert (ran.status, ran.out, len(ran.said)) == (2, "", 2)


def test_text_that_is_no_reference_is_wrong_usage(desk: Desk) -> None:
    ran = desk.run("policy", "check", desk.write(RULES), "--for", "A B")
    assert (ran.status, ran.out, len(ran.said)) == (2, "", 2)
