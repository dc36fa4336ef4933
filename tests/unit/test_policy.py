import pickle
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from imgsig.errors import ImgsigError, InvalidReferenceError, PolicyError, UsageError
from imgsig.limits import Limits
from imgsig.notary.client import NotaryAuthority
from imgsig.notary.settings import FirstUse, Notary, RootCA, RootKeys
from imgsig.policy import Policy, Rule, load_authority
from imgsig.reference import parse_reference
from imgsig.source import Endpoint
from tests.support.root_certificates import CertificateForm, certify

ROOT = Path(__file__).resolve().parents[2]
KEY = "c1" * 32
NOTARY = Notary(anchor=RootKeys([KEY]))
WITH_SERVER = Notary(anchor=FirstUse(), server="https://notary.example.com")


@final
@dataclass(frozen=True, slots=True)
class Elsewhere:
    """Settings of a system that no policy has a section for."""

    system: str = "elsewhere"
    server: str | None = None
    archive: None = None
    trusts_first_use: bool = False

    def with_server(self, url: str) -> "Elsewhere":
        return replace(self, server=url)

    def endpoint(self, name: str) -> Endpoint:
        return Endpoint(self.system, name, "https://a.example", "/")

    def to_items(self) -> Mapping[str, object]:
        return {}


def section(body: str, *, names: str = '["quay.io/**"]', rule: str = "") -> str:
    return f"version = 1\n[[rule]]\nnames = {names}\n{rule}\n[rule.notary]\n{body}\n"


def faults_of(text: str, folder: Path | None = None) -> list[str]:
    with pytest.raises(PolicyError) as caught:
        Policy.parse(text, folder=folder)
    return list(caught.value.faults)


def places_of(text: str) -> list[str]:
    return [fault.split(": ")[0] for fault in faults_of(text)]


def rules(*patterns: str) -> Policy:
    return Policy(tuple(Rule([pattern], exempt=pattern) for pattern in patterns))


def winner(policy: Policy, reference: str) -> str | None:
    rule = policy.rule_for(reference)
    return rule and rule.exempt


def test_a_policy_is_a_list_of_rules() -> None:
    policy = Policy.parse(
        f"""
        version = 1

        [[rule]]
        names = ["registry.example.com/team/**", "registry.example.com/other"]
        [rule.notary]
        root-keys = ["{KEY}"]

        [[rule]]
        names = ["quay.io/scratch/*"]
        exempt = "thrown away"
        """
    )
    assert policy == Policy(
        (
            Rule(["registry.example.com/team/**", "registry.example.com/other"], notary=NOTARY),
            Rule(["quay.io/scratch/*"], exempt="thrown away"),
        )
    )


def test_a_policy_without_rules_trusts_nobody() -> None:
    assert Policy.parse("version = 1") == Policy()
    assert Policy().rule_for("alpine") is None


@pytest.mark.parametrize(
    ("reference", "pattern"),
    [
        ("alpine", "docker.io/library/alpine"),
        ("alpine:3", "docker.io/library/alpine"),
        ("index.docker.io/alpine@sha256:" + "0f" * 32, "docker.io/library/alpine"),
        ("busybox", "docker.io/library/*"),
        ("bob/app", "docker.io/**"),
        ("library/a/b", "docker.io/library/**"),
        ("quay.io/library/alpine", "**"),
        ("docker.io:443/library/alpine", "**"),
    ],
)
def test_exact_beats_one_component_beats_any_depth_then_the_longer_prefix_wins(reference: str, pattern: str) -> None:
    patterns = ["**", "docker.io/**", "docker.io/library/**", "docker.io/library/*", "docker.io/library/alpine"]
    assert winner(rules(*patterns), reference) == pattern
    assert winner(rules(*reversed(patterns)), reference) == pattern


def test_a_name_that_no_rule_covers_has_none() -> None:
    policy = rules("quay.io/team/*", "quay.io/other/**")
    assert winner(policy, "quay.io/team/app") == "quay.io/team/*"
    assert winner(policy, "quay.io/other/a/b") == "quay.io/other/**"
    for reference in ("quay.io/team", "quay.io/team/a/b", "quay.io/other", "quay.io/teams/app", "team/app"):
        assert winner(policy, reference) is None


def test_a_rule_is_found_for_a_parsed_reference_too() -> None:
    assert winner(rules("quay.io/app"), "quay.io/app:1") == "quay.io/app"
    rule = rules("quay.io/app").rule_for(parse_reference("quay.io/app:1"))
    assert rule is not None
    assert rule.exempt == "quay.io/app"


def test_what_is_no_reference_has_no_rule() -> None:
    with pytest.raises(InvalidReferenceError):
        rules("**").rule_for("Alpine")
    with pytest.raises(UsageError, match="is a str"):
        rules("**").rule_for(5)  # type: ignore[arg-type]


def test_a_rule_tells_which_of_its_patterns_won() -> None:
    rule = Rule(["**", "quay.io/**", "quay.io/app"], exempt="x")
    assert rule.pattern_for("quay.io/app") == "quay.io/app"
    assert rule.pattern_for("quay.io/a/b") == "quay.io/**"
    assert rule.pattern_for("docker.io/library/a") == "**"
    with pytest.raises(UsageError, match=r"no pattern of the rule covers 'quay\.io/b'"):
        Rule(["quay.io/a"], exempt="x").pattern_for("quay.io/b")


def test_a_mirror_is_mapped_to_the_signed_name() -> None:
    rule = Rule(["mirror.io/hub/**", "mirror.io/**"], notary=NOTARY, signed_as="docker.io/**")
    assert rule.signed_name("mirror.io/hub/library/alpine") == "docker.io/library/alpine"
    assert rule.signed_name("mirror.io/hub/alpine") == "docker.io/library/alpine"
    assert rule.signed_name("mirror.io/team/app") == "docker.io/team/app"
    with pytest.raises(UsageError, match="no pattern of the rule covers"):
        rule.signed_name("quay.io/a")


def test_without_a_mapping_the_name_is_the_signed_one() -> None:
    assert Rule(["quay.io/**"], notary=NOTARY).signed_name("quay.io/a") == "quay.io/a"


def test_a_mapping_that_gives_no_name_is_an_invalid_reference() -> None:
    rule = Rule(["mirror.io/**"], notary=WITH_SERVER, signed_as="**")
    with pytest.raises(InvalidReferenceError):
        rule.signed_name("mirror.io/foo_bar.com/app")


def test_every_fault_is_told_at_its_place() -> None:
    text = """
    version = 2
    ruls = 1
    [[rule]]
    names = ["docker.io/**", "alpine", 5, "docker.io/**"]
    signed_as = "quay.io/**"
    exempt = " "
    [rule.notary]
    root-keys = ["0F"]
    first-use = true
    [[rule]]
    names = []
    signed-as = "quay.io/**"
    exempt = "x"
    [[rule]]
    [[rule]]
    names = ["quay.io/a", "docker.io/**"]
    [rule.notary]
    [[rule]]
    names = ["**"]
    notary = 5
    """
    assert places_of(text) == [
        "ruls",
        "version",
        "rule[0].signed_as",
        "rule[0].notary.root-keys[0]",
        "rule[0].notary",
        "rule[0].names[1]",
        "rule[0].names[2]",
        "rule[0].names[3]",
        "rule[0].exempt",
        "rule[0]",
        "rule[1].names",
        "rule[1].signed-as",
        "rule[2].names",
        "rule[2]",
        "rule[3].notary",
        "rule[4].notary",
        "rule[3].names[1]",
    ]


@pytest.mark.parametrize("value", ["true", "1.0", '"1"', "[1]", "2", "0", "0x" + "f" * 5000])
def test_the_version_is_the_number_1(value: str) -> None:
    (found,) = faults_of(f"version = {value}")
    assert found.startswith("version: must be")


def test_the_version_must_be_there() -> None:
    assert faults_of("") == ["version: must be given: version = 1"]


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("[rule]\nnames = []", "rule: must be a list (written [[rule]]), not a table"),
        ("rule = 5", "rule: must be a list, not a number"),
        ("rule = [5]", "rule[0]: must be a table, not a number"),
        ("[[rules]]", "rules: unknown key; did you mean rule?"),
        ('[[rule]]\nnames = "quay.io/a"\nexempt = "x"', "rule[0].names: must be a list of patterns, not a text"),
        ('[[rule]]\nnames = ["quay.io/a"]\nexempt = true', "rule[0].exempt: must give the reason, as a text"),
        ('[[rule]]\nnames = ["quay.io/a"]\nexempt = ""', "rule[0].exempt: must give the reason, as a text"),
        ('[[rule]]\nnames = ["quay.io/a"]\nnotary = []', "rule[0].notary: must be a table, not a list"),
        ('[[rule]]\nnames = ["quay.io/a"]', "rule[0]: has neither a section (notary, tuf) nor exempt"),
        ('[[rule]]\nnames = ["quay.io/a"]\nexempt = "x"\ntag = "1"', "rule[0].tag: unknown key; known are"),
        ('[[rule]]\nnames = ["quay.io/a"]\nexempt = "x"\n[rule.tfu]', "rule[0].tfu: unknown key; did you mean tuf"),
        ('[[rule]]\nnames = ["quay.io/a"]\nexempt = "x"\n[rule.notry]', "rule[0].notry: unknown key; did you mean not"),
    ],
)
def test_what_a_rule_may_not_say_is_a_fault(text: str, fault: str) -> None:
    (found,) = faults_of(f"version = 1\n{text}" if text.startswith("[") else f"{text}\nversion = 1")
    assert found.startswith(fault)


def test_an_exempt_rule_has_nothing_else() -> None:
    text = section("first-use = true", rule='exempt = "x"\nsigned-as = "docker.io/**"')
    assert faults_of(text) == [
        "rule[0]: has both exempt and a section (notary): drop one of them",
        "rule[0].signed-as: has no meaning in a rule that is exempt",
    ]


@pytest.mark.parametrize("rule", ["", 'signed-as = "**"'])
def test_a_section_for_every_registry_names_its_server(rule: str) -> None:
    assert faults_of(section("first-use = true", names='["**"]', rule=rule)) == [
        "rule[0].notary.server: must be given, for ** covers every registry"
    ]
    Policy.parse(section('first-use = true\nserver = "https://a.example"', names='["**"]', rule=rule))


def test_a_mapping_into_one_registry_needs_no_server() -> None:
    Policy.parse(section("first-use = true", names='["**"]', rule='signed-as = "docker.io/**"'))


def test_a_missing_server_is_told_beside_the_other_faults_of_a_section() -> None:
    assert places_of(section("first-use = false", names='["**"]')) == [
        "rule[0].notary.first-use",
        "rule[0].notary.server",
    ]


def test_a_faulty_server_is_not_called_missing() -> None:
    assert places_of(section("first-use = true\nserver = 5", names='["**"]')) == ["rule[0].notary.server"]


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("version =", "text: is not TOML: invalid value (at end of document)"),
        ("version = 1\nversion = 1", "text: is not TOML: cannot overwrite a value"),
        ("#" * (Limits().max_policy_bytes + 1), "text: is larger than 1048576 bytes"),
        ("version = " + "[" * 100_000, "text: is nested too deeply"),
    ],
)
def test_a_text_that_is_no_toml_is_a_fault(text: str, fault: str) -> None:
    (found,) = faults_of(text)
    assert found.startswith(fault)


def test_a_policy_is_a_text() -> None:
    with pytest.raises(UsageError, match="a policy is a str, not bytes"):
        Policy.parse(b"version = 1")  # type: ignore[arg-type]


def test_a_policy_is_loaded_with_the_files_beside_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pem = certify(CertificateForm("an authority", authority=True)).pem
    (tmp_path / "ca.pem").write_bytes(pem)
    (tmp_path / "policy.toml").write_text(section('root-ca = "ca.pem"'))
    policy = Policy((Rule(["quay.io/**"], notary=Notary(anchor=RootCA(pem, str(tmp_path / "ca.pem")))),))
    assert Policy.load(tmp_path / "policy.toml") == policy
    monkeypatch.chdir(tmp_path)
    assert Policy.load("policy.toml") == policy
    assert Policy.parse(section('root-ca = "ca.pem"'), folder=".") == policy
    assert Policy.parse(policy.to_toml()) == policy
    assert faults_of(section('root-ca = "ca.pem"')) == [
        "rule[0].notary.root-ca: 'ca.pem' must be an absolute path, for this policy is in no folder"
    ]


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (None, "cannot be read: no such file or directory"),
        (b"version = 1\n\xff", "is not UTF-8: byte 12 is wrong"),
        (b"version", "is not TOML: expected '=' after a key in a key/value pair (at end of document)"),
        (b"#" * (Limits().max_policy_bytes + 1), "is larger than 1048576 bytes"),
    ],
)
def test_a_file_that_is_no_policy_is_a_fault_that_names_it(content: bytes | None, reason: str, tmp_path: Path) -> None:
    path = tmp_path / "policy.toml"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(PolicyError) as caught:
        Policy.load(path)
    assert caught.value.faults == (f"'{path}': {reason}",)


def test_a_folder_is_no_policy(tmp_path: Path) -> None:
    with pytest.raises(PolicyError, match=re.escape(f"'{tmp_path}': cannot be read: is a directory")):
        Policy.load(tmp_path)


def test_a_rule_can_be_added() -> None:
    policy = rules("quay.io/a").with_rule(Rule(["quay.io/b"], exempt="b"))
    assert policy == rules("quay.io/a").with_rule(Rule(["quay.io/b"], exempt="b"))
    assert winner(policy, "quay.io/a") == "quay.io/a"
    assert winner(policy, "quay.io/b") == "b"
    with pytest.raises(PolicyError) as caught:
        policy.with_rule(Rule(["quay.io/c", "quay.io/a"], exempt="c"))
    assert caught.value.faults == ("rule[2].names[1]: 'quay.io/a' is already there, as rule[0].names[0]",)


def test_a_default_server_is_put_where_no_server_is_named() -> None:
    rules = Rule(["quay.io/a"], notary=NOTARY), Rule(["quay.io/b"], notary=WITH_SERVER), Rule(["quay.io/c"], exempt="c")
    policy = Policy(rules)
    default = "https://default.example"
    assert policy.with_default_server("notary", default) == Policy(
        (Rule(["quay.io/a"], notary=replace(NOTARY, server=default)), *policy.rules[1:])
    )
    assert policy.with_default_server("elsewhere", default) == policy
    with pytest.raises(PolicyError, match=r"notary\.server: must be https"):
        policy.with_default_server("notary", "default.example")


def test_wrong_rules_are_refused_in_programs_too() -> None:
    with pytest.raises(PolicyError) as caught:
        Rule(["alpine"], sections=[NOTARY, NOTARY, Elsewhere()], signed_as="docker.io/**", exempt="")
    assert [fault.split(": ")[0] for fault in caught.value.faults] == [
        "rule.elsewhere", "rule.notary", "rule.names[0]", "rule.signed-as", "rule.exempt", "rule", "rule.signed-as",
    ]
    with pytest.raises(PolicyError, match="rule: has neither a section"):
        Rule(["quay.io/a"])
    with pytest.raises(PolicyError, match=r"rule\.names: must be a list of patterns, not a text"):
        Rule("quay.io/a", exempt="x")
    with pytest.raises(PolicyError, match=r"rule\.notary\.server: must be given"):
        Rule(["**"], notary=NOTARY)


def test_a_policy_says_itself_in_toml() -> None:
    notary = replace(WITH_SERVER, signers=("alice",), max_stale_seconds=60)
    policy = Policy(
        (
            Rule(["mirror.io/**"], notary=notary, signed_as="**"),
            Rule(["quay.io/a", "quay.io/b/*"], exempt='say "why"\n\\\x7f\u202e\U0001f600'),
        )
    )
    assert Policy.parse(policy.to_toml()) == policy
    assert policy.to_toml() == (
        "version = 1\n"
        "\n"
        "[[rule]]\n"
        'names = ["mirror.io/**"]\n'
        'signed-as = "**"\n'
        "\n"
        "[rule.notary]\n"
        'server = "https://notary.example.com"\n'
        "first-use = true\n"
        'signers = ["alice"]\n'
        "max-stale-seconds = 60\n"
        "\n"
        "[[rule]]\n"
        'names = ["quay.io/a", "quay.io/b/*"]\n'
        'exempt = "say \\"why\\"\\U0000000A\\\\\\U0000007F\\U0000202E\U0001f600"\n'
    )


KEYS = st.lists(st.integers(0, 2**256 - 1).map("{:064x}".format), min_size=1, unique=True)
NOTARIES = st.builds(
    Notary,
    anchor=st.just(FirstUse()) | KEYS.map(RootKeys),
    server=st.sampled_from(["https://a.example/", "http://localhost:1/x"]),
    signers=st.lists(st.sampled_from(["alice", "a/b", "c-d_e"]), unique=True),
    max_stale_seconds=st.integers(0, 10**6),
)
PATTERNS = st.lists(st.sampled_from(["**", "quay.io/**", "docker.io/a/**"]), min_size=1, unique=True)
RULES = st.builds(Rule, PATTERNS, notary=NOTARIES, signed_as=st.none() | st.sampled_from(["**", "docker.io/**"]))
EXEMPT = st.builds(
    Rule, st.just(["quay.io/app"]), exempt=st.text(st.characters(exclude_categories=["Cs"])).filter(str.strip)
)


@given(st.lists(RULES, max_size=1), st.lists(EXEMPT, max_size=1))
def test_what_a_policy_says_in_toml_is_read_back(some: list[Rule], others: list[Rule]) -> None:
    policy = Policy((*some, *others))
    assert Policy.parse(policy.to_toml()) == policy


VALUES: st.SearchStrategy[Any] = st.recursive(
    st.sampled_from(["1", "true", "1.5", '""', '"**"', '"docker.io/**"', '"alpine"', f'"{KEY}"', "1979-05-27"]),
    lambda inner: st.lists(inner, max_size=3).map(lambda items: f"[{', '.join(items)}]")
    | st.builds("{{ {} = {} }}".format, st.sampled_from(["server", "first-use", "root-keys", "x"]), inner),
    max_leaves=6,
)
LINES = st.builds(
    "{} = {}".format,
    st.sampled_from(["version", "names", "exempt", "signed-as", "notary", "rule", "root-keys", "first-use", "signers"]),
    VALUES,
)


HEADS = st.sampled_from(["version = 1", "[[rule]]", "[rule.notary]"])


@given(st.lists(LINES | HEADS, max_size=8).map("\n".join) | st.text())
def test_nothing_but_a_policy_error_leaves_the_parser(text: str) -> None:
    try:
        policy = Policy.parse(text)
    except PolicyError as error:
        assert all(": " in fault and fault.isascii() and fault.isprintable() for fault in error.faults)  # noqa: PT017
        return
    assert Policy.parse(policy.to_toml()) == policy


def test_the_authority_of_a_section_is_made_of_its_settings() -> None:
    assert isinstance(load_authority(NOTARY), NotaryAuthority)


def test_no_authority_is_known_for_other_settings() -> None:
    with pytest.raises(UsageError, match="no authority is known for 'elsewhere'"):
        load_authority(Elsewhere())


def test_policies_are_values() -> None:
    policy = Policy((Rule(["quay.io/**"], notary=NOTARY),))
    again = pickle.loads(pickle.dumps(policy))  # noqa: S301 - its own pickle
    assert again == policy
    assert again.rule_for("quay.io/a") == policy.rules[0]
    assert hash(again) == hash(policy)
    assert "_by_pattern" not in repr(policy)
    assert replace(policy.rules[0], exempt="x", sections=()) == Rule(["quay.io/**"], exempt="x")
    with pytest.raises(AttributeError):
        policy.rules = ()  # type: ignore[misc]


def test_faults_are_errors_of_imgsig_and_can_be_pickled() -> None:
    with pytest.raises(ImgsigError) as caught:
        Policy.parse("")
    again = pickle.loads(pickle.dumps(caught.value))  # noqa: S301 - its own pickle
    assert again.faults == ("version: must be given: version = 1",)
    assert again.hint == "imgsig policy check FILE lists every fault"


EXAMPLES = re.findall(r"^```toml\n(.*?)^```$", (ROOT / "docs" / "policy.md").read_text(), re.MULTILINE | re.DOTALL)


@pytest.mark.parametrize("example", EXAMPLES)
def test_the_examples_of_the_documentation_are_policies(example: str) -> None:
    assert Policy.parse(example).rules


def test_the_documentation_has_examples() -> None:
    assert len(EXAMPLES) >= 4
