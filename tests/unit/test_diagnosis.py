"""What a diagnosis tells of a policy and of names that were looked at."""

from datetime import UTC, datetime, timedelta

import pytest

from imgsig.codes import Code
from imgsig.diagnosis import (
    Finding,
    Severity,
    Word,
    check_covered,
    check_docker,
    check_examined,
    check_rules,
    exact_names,
    finding_of,
    unique,
)
from imgsig.errors import InconclusiveError, RejectedError, VerificationError
from imgsig.examination import Examined
from imgsig.outlook import Ending, Outlook
from imgsig.policy import Policy

AT = datetime(2027, 1, 1, tzinfo=UTC)
PINS = 'root-keys = ["' + "0123456789abcdef" * 4 + '"]'
OTHER_PINS = 'root-keys = ["' + "fedcba9876543210" * 4 + '"]'
NAME = "registry.example.com/team/app"
SERVER = "https://notary.example.com"


def policy(*rules: tuple[str, str]) -> Policy:
    """Return a policy of patterns (split by spaces), each with what its section says, or its exemption."""
    texts = ["version = 1"]
    for names, said in rules:
        listed = ", ".join(f'"{name}"' for name in names.split())
        section = said if said.startswith("exempt") else f"[rule.notary]\n{said}"
        texts.append(f"[[rule]]\nnames = [{listed}]\n{section}")
    return Policy.parse("\n".join(texts))


def told(found: Policy, *, asked: tuple[str, ...] = (), signed: tuple[str, ...] = ()) -> list[tuple[str, str]]:
    return [(finding.word, finding.subject) for finding in check_rules(found, asked, signed)]


# -- rules --------------------------------------------------------------------------------------------------------


def test_rules_that_have_nothing_to_do_with_each_other_are_not_told() -> None:
    assert told(policy(("quay.io/team/**", PINS), ("quay.io/teams/*", PINS), ("quay.io/team", PINS))) == []


@pytest.mark.parametrize("narrow", ["quay.io/team/app", "quay.io/team/*", "quay.io/team/sub/**", "quay.io/team/a/b"])
@pytest.mark.parametrize("wide", ["quay.io/team/**", "quay.io/**"])
def test_a_pattern_that_says_what_a_wider_one_says_is_told(narrow: str, wide: str) -> None:
    assert told(policy((narrow, PINS), (wide, PINS))) == [("rule_repeated", narrow)]
    assert told(policy((f"{narrow} {wide}", PINS))) == [("rule_repeated", narrow)]


def test_everything_is_wider_than_anything() -> None:
    said = f'{PINS}\nserver = "{SERVER}"'
    assert told(policy(("quay.io/**", said), ("**", said))) == [("rule_repeated", "quay.io/**")]


def test_a_pattern_is_compared_with_the_one_that_would_win_without_it() -> None:
    rules = policy(("quay.io/a/b/c", PINS), ("quay.io/a/b/**", OTHER_PINS), ("quay.io/a/**", PINS))
    assert told(rules) == []


@pytest.mark.parametrize(
    ("said", "why"),
    [
        ('exempt = "scratch"', "is exempt from verification: scratch"),
        ("first-use = true", "trusts whatever root is offered first"),
        (PINS, "does not demand the signers alice"),
        (f'{PINS}\nsigners = ["alice"]\nserver = "http://notary.example.com"', "is asked of a server without TLS"),
    ],
)
def test_a_pattern_that_demands_less_than_a_wider_one_is_told_with_the_reason(said: str, why: str) -> None:
    rules = policy(("quay.io/team/app", said), ("quay.io/team/**", f'{PINS}\nsigners = ["alice"]'))
    (finding,) = check_rules(rules, (), ())
    assert (finding.word, finding.severity) == (Word.RULE_LAXER, Severity.WARNING)
    assert finding.what == f"quay.io/team/app, within quay.io/team/**, {why}"


def test_a_system_that_is_not_asked_any_more_is_told() -> None:
    wide = f'{PINS}\n[rule.tuf]\nmetadata-url = "{SERVER}"\nroot-sha256 = "{"0" * 64}"'
    (finding,) = check_rules(policy(("quay.io/team/app", PINS), ("quay.io/team/**", wide)), (), ())
    assert finding.what.endswith("is not verified by tuf")


def test_another_publisher_is_no_laxer_one_and_within_an_exemption_all_is_stricter() -> None:
    wide = f'{PINS}\nsigners = ["alice"]'
    assert told(policy(("quay.io/team/app", OTHER_PINS), ("quay.io/team/**", wide))) == []
    assert told(policy(("quay.io/team/app", "first-use = true"), ("quay.io/team/**", 'exempt = "x"'))) == []


def test_a_wildcard_that_covers_nothing_known_is_told_once_anything_is_known() -> None:
    rules = policy(("quay.io/team/**", PINS), ("quay.io/other/*", PINS), ("quay.io/x/app", PINS))
    assert told(rules) == []
    assert told(rules, signed=("quay.io/team/app",)) == [("rule_unused", "quay.io/other/*")]
    assert told(rules, asked=("quay.io/other/app",)) == [("rule_unused", "quay.io/team/**")]


def test_a_mirror_s_rule_is_used_if_the_signed_name_was_verified() -> None:
    text = f"""version = 1
[[rule]]
names = ["mirror.example.com/hub/**"]
signed-as = "docker.io/**"
[rule.notary]
{PINS}
"""
    assert told(Policy.parse(text), signed=("docker.io/library/alpine",)) == []
    assert told(Policy.parse(text), signed=("quay.io/library/alpine",)) == [
        ("rule_unused", "mirror.example.com/hub/**")
    ]


def test_a_name_that_no_rule_covers_is_told() -> None:
    (finding,) = check_covered(policy(("quay.io/team/**", PINS)), ["quay.io/team/app", "quay.io/other"])
    assert (finding.word, finding.subject) == ("no_policy", "quay.io/other")


def test_the_names_to_look_at_are_those_spelt_out_and_not_exempt() -> None:
    assert exact_names(policy((f"{NAME} quay.io/team/**", PINS), ("quay.io/x/y", 'exempt = "x"'))) == (NAME,)


# -- names --------------------------------------------------------------------------------------------------------


def examined(
    fault: VerificationError | None = None,
    elsewhere: VerificationError | None = None,
    *,
    root_version: int = 2,
    since: datetime | None = None,
    endings: tuple[Ending, ...] = (),
    strangers: tuple[str, ...] = (),
) -> Examined:
    outlook = Outlook(root_version, since, endings, strangers)
    return Examined("notary", NAME, SERVER, fault, elsewhere or fault, outlook)


def findings(seen: Examined, *, days: int = 90, logged_in: bool = True) -> list[Finding]:
    return list(check_examined(seen, at=AT, days=days, has_login=lambda _: logged_in))


def test_nothing_is_told_of_a_name_in_order() -> None:
    assert findings(examined(since=AT)) == []


def test_why_a_name_does_not_verify_is_told_with_its_code_and_remedy() -> None:
    fault = RejectedError("the offered root is another", code=Code.ANCHOR_MISMATCH)
    (finding,) = findings(examined(fault))
    assert (finding.word, finding.severity, finding.subject) == ("anchor_mismatch", Severity.ERROR, NAME)
    assert (finding.what, finding.remedy) == (str(fault), Code.ANCHOR_MISMATCH.remedy)


def test_what_is_wrong_with_a_server_is_told_of_the_server() -> None:
    fault = InconclusiveError("no connection", code=Code.UNREACHABLE)
    assert [finding.subject for finding in findings(examined(fault))] == [SERVER]


def test_a_refusal_without_a_login_is_told_as_a_missing_one() -> None:
    fault = InconclusiveError("401", code=Code.ACCESS_DENIED)
    assert [finding.word for finding in findings(examined(fault))] == ["access_denied"]
    (finding,) = findings(examined(fault), logged_in=False)
    assert (finding.word, finding.subject) == (Word.LOGIN_MISSING, "registry.example.com")


def test_what_verifies_by_memory_alone_is_told() -> None:
    (finding,) = findings(examined(None, RejectedError("another root", code=Code.ANCHOR_MISMATCH)))
    assert finding.word == Word.ANCHOR_OUTDATED
    assert finding.what.endswith("another root (anchor_mismatch)")


@pytest.mark.parametrize(
    ("left", "days", "is_told"),
    [
        (timedelta(days=90), 90, True),
        (timedelta(days=90, seconds=1), 90, False),
        (timedelta(), 90, True),
        (timedelta(seconds=-1), 90, False),
        (timedelta(days=91), 91, True),
        (timedelta(hours=1), 0, False),
    ],
)
def test_what_ends_within_the_days_is_told_and_what_has_ended_is_a_fault_already(
    left: timedelta, days: int, *, is_told: bool
) -> None:
    ending = Ending("metadata", "targets", AT + left)
    assert [finding.word for finding in findings(examined(endings=(ending,)), days=days)] == (
        [Word.METADATA_ENDS] if is_told else []
    )


def test_metadata_and_certificates_that_end_are_told_apart() -> None:
    endings = (Ending("metadata", "targets", AT), Ending("certificate", "root", AT + timedelta(days=3)))
    assert [finding.what for finding in findings(examined(endings=endings))] == [
        f"{NAME}: targets expires on 2027-01-01, in 0 days",
        f"{NAME}: the certificates of the root keys end on 2027-01-04, in 3 days",
    ]


@pytest.mark.parametrize(
    ("version", "years", "is_told"), [(1, 3, True), (1, 2, False), (2, 9, False)],
)
def test_a_first_root_with_old_keys_is_told(version: int, years: int, *, is_told: bool) -> None:
    seen = examined(root_version=version, since=AT - timedelta(days=365 * years))
    assert [finding.word for finding in findings(seen)] == ([Word.ROOT_NEVER_ROTATED] if is_told else [])


def test_the_age_of_keys_without_certificates_is_not_guessed() -> None:
    assert findings(examined(root_version=1)) == []


def test_a_signer_whom_nobody_delegates_to_is_told() -> None:
    (finding,) = findings(examined(strangers=("alcie",)))
    assert (finding.word, "alcie" in finding.what) == (Word.SIGNER_UNKNOWN, True)


# -- Docker and the rest ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("version", "ignores"), [("28.2.2", False), ("29.0.0", True), ("30", True), ("4.9.3", False), ("", False)]
)
def test_a_docker_client_from_29_on_ignores_the_variable(version: str, *, ignores: bool) -> None:
    assert [finding.word for finding in check_docker(version)] == ([Word.DOCKER_IGNORES_TRUST] if ignores else [])


def test_the_gravest_findings_come_first_and_one_of_a_server_once() -> None:
    note = finding_of(Word.RULE_UNUSED, "x", "1")
    warning = finding_of(Word.RULE_LAXER, "x", "2")
    error = Finding("unreachable", Severity.ERROR, SERVER, "3", "")
    again = Finding("unreachable", Severity.ERROR, SERVER, "4", "")
    assert unique([note, warning, error, again, note]) == (error, warning, note)


def test_two_roles_of_a_name_that_end_are_two_findings() -> None:
    endings = (Ending("metadata", "targets", AT), Ending("metadata", "root", AT))
    assert len(unique(findings(examined(endings=endings)))) == 2


def test_words_and_codes_are_never_the_same() -> None:
    assert not {str(word) for word in Word} & {str(code) for code in Code}


def test_a_finding_is_json() -> None:
    assert finding_of(Word.RULE_LAXER, "x", "y").to_dict() == {
        "finding": "rule_laxer", "severity": "warning", "subject": "x", "what": "y",
        "remedy": Word.RULE_LAXER.remedy,
    }
