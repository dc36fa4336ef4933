"""A name that only looks like one a rule covers is covered by no rule, and a rule that only looks right is refused."""

import pytest

from imgsig.errors import InvalidReferenceError, PolicyError
from imgsig.notary.settings import FirstUse, Notary, RootKeys
from imgsig.policy import Policy, Rule
from imgsig.reference import parse_reference

KEY = "c1" * 32
POLICY = f"""
version = 1
[[rule]]
names = ["quay.io/team/app"]
[rule.notary]
root-keys = ["{KEY}"]
signers = ["alice"]
"""


def pattern_that_covers(reference: str, *patterns: str) -> str:
    rule = Policy((Rule(patterns, exempt="x"),)).rule_for(reference)
    return rule.pattern_for(parse_reference(reference).name) if rule else ""


@pytest.mark.parametrize(
    "reference",
    [
        "quay.io/team/app2",
        "quay.io/team/ap",
        "quay.io/team/app/app",
        "quay.io/team-app",
        "quay.io/teamapp",
        "quay.io/team",
        "quay.io/x/team/app",
        "quay.io:443/team/app",
        "QUAY.io/team/app",
        "quay.io.evil.example/team/app",
        "evil-quay.io/team/app",
        "quay.ioo/team/app",
        "evil.example/quay.io/team/app",
        "team/app",
        "docker.io/team/app",
    ],
)
def test_a_similar_name_is_not_covered_by_an_exact_pattern(reference: str) -> None:
    assert pattern_that_covers(reference, "quay.io/team/app") == ""


@pytest.mark.parametrize(
    "reference",
    [
        "quay.io/team",
        "quay.io/teams/app",
        "quay.io/team-x/app",
        "quay.io/team.x/app",
        "quay.io/team__x/app",
        "quay.io/tea/app",
        "quay.io/x/team/app",
        "quay.io:5000/team/app",
        "Quay.io/team/app",
        "quay.io.evil.example/team/app",
        "evil.example/quay.io/team/app",
        "team/app",
    ],
)
def test_a_similar_name_is_not_covered_by_a_prefix(reference: str) -> None:
    assert pattern_that_covers(reference, "quay.io/team/*", "quay.io/team/**") == ""


def test_one_component_is_one_component() -> None:
    assert pattern_that_covers("quay.io/team/app", "quay.io/team/*") == "quay.io/team/*"
    assert pattern_that_covers("quay.io/team/app/x", "quay.io/team/*") == ""
    assert pattern_that_covers("quay.io/app", "quay.io/team/*", "quay.io/app/*") == ""


def test_a_registry_with_a_port_is_another_one() -> None:
    assert pattern_that_covers("localhost:5000/app", "localhost:5000/**") == "localhost:5000/**"
    for reference in ("localhost/app", "localhost:5001/app", "localhost:50000/app", "localhost:05000/app"):
        assert pattern_that_covers(reference, "localhost:5000/**") == ""


def test_an_official_image_is_not_one_of_the_same_name_elsewhere() -> None:
    official = "docker.io/library/*"
    assert pattern_that_covers("alpine", official) == official
    for reference in ("evil/alpine", "library/x/alpine", "docker.io.evil.example/library/alpine", "a.b/library/alpine"):
        assert pattern_that_covers(reference, official) == ""


@pytest.mark.parametrize(
    "reference",
    [
        "quay.io/team/../team/app",
        "quay.io/./team/app",
        "quay.io//team/app",
        "quay.io/team/app/",
        "quay.io/team%2fapp",
        "quay.io/team\\app",
        "quay.io/team/app\n",
        " quay.io/team/app",
        "quay.io/te\u200dam/app",
        "quay.io/te\u0430m/app",
        "user@quay.io/team/app",
        "https://quay.io/team/app",
        "quay.io/team/app?x",
        "quay.io/Team/app",
    ],
)
def test_another_way_to_write_a_name_is_no_reference(reference: str) -> None:
    with pytest.raises(InvalidReferenceError):
        pattern_that_covers(reference, "quay.io/team/app")


def test_a_tag_or_digest_does_not_change_which_rule_decides() -> None:
    for end in ("", ":1", ":quay.io", "@sha256:" + "0f" * 32, ":1@sha256:" + "0f" * 32):
        assert pattern_that_covers(f"quay.io/team/app{end}", "quay.io/team/app") == "quay.io/team/app"


def test_an_exemption_of_a_folder_does_not_reach_an_image_with_a_rule_of_its_own() -> None:
    strict = Rule(["quay.io/team/app"], notary=Notary(anchor=RootKeys([KEY])))
    for pattern in ("**", "quay.io/**", "quay.io/team/**", "quay.io/team/*"):
        for rules in ((strict, Rule([pattern], exempt="x")), (Rule([pattern], exempt="x"), strict)):
            assert Policy(rules).rule_for("quay.io/team/app:1") == strict


def test_a_rule_inherits_nothing_from_a_wider_one() -> None:
    wide = Rule(["quay.io/**"], notary=Notary(anchor=RootKeys([KEY]), signers=["alice"], max_stale_seconds=60))
    narrow = Rule(["quay.io/team/**"], notary=Notary(anchor=FirstUse()))
    assert Policy((wide, narrow)).rule_for("quay.io/team/app") == narrow


@pytest.mark.parametrize("key", ["version", "rule", "names", "notary", "root-keys", "signers"])
def test_a_key_with_one_wrong_character_is_a_fault_and_not_ignored(key: str) -> None:
    assert Policy.parse(POLICY).rules
    for position in range(len(key)):
        for wrong in (key[:position] + key[position + 1 :], key[:position] + "_" + key[position + 1 :], key.upper()):
            if wrong:
                with pytest.raises(PolicyError):
                    Policy.parse(POLICY.replace(key, wrong))


@pytest.mark.parametrize("position", range(64))
def test_a_key_id_with_one_digit_less_is_a_fault(position: int) -> None:
    with pytest.raises(PolicyError):
        Policy.parse(POLICY.replace(KEY, KEY[:position] + KEY[position + 1 :]))


@pytest.mark.parametrize("end", range(len(POLICY)))
def test_a_policy_that_was_cut_off_is_refused_or_demands_less_only_by_whole_lines(end: int) -> None:
    try:
        policy = Policy.parse(POLICY[:end])
    except PolicyError:
        return
    rest = POLICY[end:].strip()
    assert not policy.rules or not rest or rest.startswith("signers")


def test_a_mapping_gives_a_name_below_its_target_or_none() -> None:
    notary = Notary(anchor=RootKeys([KEY]))
    rule = Rule(["mirror.example/**"], notary=notary, signed_as="docker.io/team/**")
    assert rule.signed_name("mirror.example/app") == "docker.io/team/app"
    assert rule.signed_name("mirror.example/quay.io/app") == "docker.io/team/quay.io/app"
    ports = Rule(["**"], notary=notary, signed_as="docker.io/team/**")
    with pytest.raises(InvalidReferenceError):
        ports.signed_name("localhost:5000/app")
