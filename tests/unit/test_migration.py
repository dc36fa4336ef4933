"""Other programs' configurations become policies that are no laxer, whatever is in them."""

import re
from collections.abc import Mapping
from typing import Any, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from imgsig.errors import PolicyError
from imgsig.migration.connaisseur import draft_from_connaisseur, is_connaisseur
from imgsig.migration.draft import Draft
from imgsig.migration.trust_pinning import draft_from_trust_pinning, is_trust_pinning
from imgsig.notary.settings import FirstUse, Notary, RootKeys
from imgsig.policy import Policy

A, B, C = "a" * 64, "b" * 64, "c" * 64
NOBODY = "0" * 64
SERVER = "https://notary.example.com"
PEM = """-----BEGIN PUBLIC KEY-----
role: root

MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEOXYta5TgdCwXTCnLU09W5T4M4r9f
QQrqJuADP6U7g5r9ICgPSmZuRHP/1AYUfOQW3baveKsT969EfELKj1lfCA==
-----END PUBLIC KEY-----
"""
PEM_ID: Final = "c15164663f80d58bf3d8d5a0cd08b8086cba02065feb00421fc2a5436c563210"
OTHER_PEM = """-----BEGIN PUBLIC KEY-----
MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEsx28WV7BsQfnHF1kZmpdCTTLJaWe
d0CA+JOi8H4REuBaWSZ5zPDe468WuOJ6f71E7WFg3CVEVYHuoZt2UYbN/Q==
-----END PUBLIC KEY-----
"""
OTHER_ID: Final = "5fd0a12a2fba07ea9fa39564d991be97a43256d1962ee84739efeebab3353a61"


def said_of(draft: Draft, name: str) -> str:
    """Return what the policy of a draft says of an image name, in a word."""
    rule = Policy.parse(draft.text).rule_for(name)
    if rule is None:
        return "nothing"
    if rule.exempt is not None:
        return "exempt"
    (section,) = rule.sections
    assert isinstance(section, Notary)
    if isinstance(section.anchor, FirstUse):
        return "first use"
    assert isinstance(section.anchor, RootKeys)
    return "refused" if section.anchor.pins == (NOBODY,) else " ".join((*section.anchor.pins, *section.signers))


# -- notary's trust pinning ---------------------------------------------------------------------------------------


def pinning(*, server: str | None = SERVER, **said: Any) -> Draft:  # noqa: ANN401 - any JSON
    values: dict[str, Any] = {"trust_pinning": said}
    if server is not None:
        values["remote_server"] = {"url": server}
    return draft_from_trust_pinning(values)


def test_a_pin_for_a_name_is_carried_over_with_the_server() -> None:
    draft = pinning(certs={"quay.io/team/app": [A, B]}, disable_tofu=True)
    assert (draft.losses, draft.notes) == ((), ())
    assert said_of(draft, "quay.io/team/app") == f"{A} {B}"
    assert said_of(draft, "quay.io/team/other") == "nothing"
    (section,) = Policy.parse(draft.text).rules[0].sections
    assert section.server == SERVER


def test_a_wildcard_after_a_slash_covers_any_depth_and_the_longer_one_decides() -> None:
    draft = pinning(certs={"quay.io/*": [A], "quay.io/team/*": [B], "quay.io/team/app": [C]}, disable_tofu=True)
    assert draft.losses == ()
    names = ("quay.io/x/y", "quay.io/team/x/y", "quay.io/team/app", "docker.io/library/x")
    assert [said_of(draft, name) for name in names] == [A, B, C, "nothing"]


def test_pins_come_before_authorities_whichever_is_longer() -> None:
    draft = pinning(certs={"quay.io/*": [A]}, ca={"quay.io/team/": "/ca.pem"}, disable_tofu=True)
    assert draft.losses == ()
    assert said_of(draft, "quay.io/team/app") == A


def test_an_authority_is_carried_over_with_its_file() -> None:
    draft = pinning(ca={"quay.io/team/": "/etc/ca.pem"}, disable_tofu=True)
    assert 'names = ["quay.io/team/**"]' in draft.text
    assert 'root-ca = "/etc/ca.pem"' in draft.text


def test_an_authority_in_a_relative_file_is_lost_and_nothing_wider_stands_in() -> None:
    draft = pinning(ca={"quay.io/team/": "ca.pem"})
    assert len(draft.losses) == 1
    assert said_of(draft, "quay.io/team/app") == "refused"
    assert said_of(draft, "quay.io/other") == "first use"


def test_first_use_is_carried_over_where_a_server_is_named() -> None:
    assert said_of(pinning(certs={"quay.io/team/app": [A]}), "quay.io/other/x") == "first use"
    draft = pinning(certs={"quay.io/team/app": [A]}, server=None)
    assert said_of(draft, "quay.io/other/x") == "nothing"
    assert (len(draft.losses), len(draft.notes)) == (0, 1)


def test_a_name_that_is_pinned_to_no_key_is_refused() -> None:
    draft = pinning(certs={"quay.io/team/app": [], "quay.io/team/b": ["C" * 64]})
    assert draft.losses == ()
    assert [said_of(draft, f"quay.io/team/{name}") for name in ("app", "b", "c")] == ["refused", "refused", "first use"]


def test_ids_that_no_key_can_have_are_left_out() -> None:
    assert said_of(pinning(certs={"quay.io/team/app": [A, A.upper(), "x", A]}), "quay.io/team/app") == A


def test_a_beginning_within_a_component_is_carried_over_as_far_as_patterns_can_say_it() -> None:
    draft = pinning(certs={"quay.io/team*": [A], "quay.io/*": [B]})
    assert len(draft.losses) == 2
    names = ("quay.io/team", "quay.io/team/app", "quay.io/teams/app", "quay.io/x", "docker.io/library/x")
    assert [said_of(draft, name) for name in names] == [A, A, "refused", "refused", "first use"]
    assert f'# root-keys = ["{B}"]' in draft.text, "what is left out is there to be read"


def test_a_longer_pin_within_an_incomplete_one_stays() -> None:
    draft = pinning(certs={"quay.io/team*": [A], "quay.io/teams/*": [B]}, disable_tofu=True)
    assert said_of(draft, "quay.io/teams/app") == B


def test_a_name_that_no_image_can_have_is_lost() -> None:
    draft = pinning(certs={"alpine": [A], "library/*": [A], "docker.io/alpine": [A]}, disable_tofu=True)
    assert len(draft.losses) == 3
    assert Policy.parse(draft.text).rules == ()


def test_what_is_no_part_of_a_policy_is_told() -> None:
    values = {
        "remote_server": {"url": SERVER, "root_ca": "ca.pem", "skipTLSVerify": True},
        "trust_pinning": {"certs": {}, "disable_tofu": True, "else": 1},
    }
    draft = draft_from_trust_pinning(values)
    assert (len(draft.losses), len(draft.notes)) == (0, 3)


def test_the_pinning_alone_is_understood_too() -> None:
    draft = draft_from_trust_pinning({"certs": {"quay.io/team/app": [A]}})
    assert said_of(draft, "quay.io/team/app") == A


@pytest.mark.parametrize(
    ("said", "fault"),
    [
        ({"certs": {"quay.io/x": None}}, "must be a list of texts"),
        ({"certs": {"quay.io/x": [1]}}, "must be a list of texts"),
        ({"certs": {"quay.io/x": A}}, "must be a list of texts"),
        ({"certs": []}, "must be a table"),
        ({"ca": {"quay.io/": ["x"]}}, "must be a text"),
        ({"disable_tofu": "yes"}, "must be true or false"),
        ([], "must be a table"),
    ],
)
def test_what_the_client_would_not_take_is_a_fault(said: object, fault: str) -> None:
    with pytest.raises(PolicyError) as caught:
        draft_from_trust_pinning({"trust_pinning": said})
    assert fault in caught.value.faults[0]


@pytest.mark.parametrize(
    ("values", "known"),
    [
        ({"trust_pinning": {}}, True), ({"certs": {}}, True), ({"disable_tofu": True}, True), ({}, False),
        ({"certs": {}, "x": 1}, False), ({"validators": [], "policy": []}, False),
    ],
)
def test_a_configuration_of_notary_is_recognised(values: Mapping[str, Any], *, known: bool) -> None:
    assert is_trust_pinning(values) is known


def notary_says(name: str, certs: Mapping[str, list[str]], *, tofu: bool) -> str:
    """Return what notary's client demands of a name: exact pins, then the longest wildcard, then first use."""
    if name in certs:
        return " ".join(certs[name]) or "refused"
    wild = [key for key in certs if key.endswith("*") and name.startswith(key[:-1])]
    if wild:
        return " ".join(certs[max(wild, key=len)]) or "refused"
    return "first use" if tofu else "nothing"


_PARTS = st.lists(st.sampled_from(["a", "ab", "b"]), min_size=1, max_size=3).map("/".join)
_NAMES = _PARTS.map("q.io/{}".format)
_PINNED = st.tuples(_NAMES | st.just("q.io"), st.sampled_from(["", "*", "/*"])).map("".join)
_CERTS = st.dictionaries(_PINNED, st.sampled_from([[A], [B], []]), max_size=5)


@given(_CERTS, st.lists(_NAMES, min_size=1, max_size=10), st.booleans())
def test_no_name_is_pinned_more_loosely_than_notary_pins_it(
    certs: dict[str, list[str]], names: list[str], disabled: bool
) -> None:
    draft = pinning(certs=certs, disable_tofu=disabled)
    for name in names:
        there, here = notary_says(name, certs, tofu=not disabled), said_of(draft, name)
        assert here in {there, "nothing", "refused"}
        if not draft.losses:
            assert here == there or {here, there} <= {"nothing", "refused"}


# -- Connaisseur --------------------------------------------------------------------------------------------------


def connaisseur(*policy: Mapping[str, Any] | tuple[str, str], **besides: Any) -> Draft:  # noqa: ANN401 - any JSON
    rules = [{"pattern": rule[0], "validator": rule[1]} if isinstance(rule, tuple) else rule for rule in policy]
    roots = [{"name": "default", "key": PEM}, {"name": "other", "key": OTHER_PEM}]
    validators = [
        {"name": "allow", "type": "static", "approve": True},
        {"name": "deny", "type": "static", "approve": False},
        {"name": "hub", "type": "notaryv1", "trustRoots": roots, **besides},
        {"name": "cosign", "type": "cosign"},
    ]
    return draft_from_connaisseur({"application": {"validators": validators, "policy": rules}})


def test_the_chart_s_own_policy_is_carried_over_in_full() -> None:
    draft = connaisseur(
        ("*:*", "deny"),
        ("docker.io/library/*:*", "hub"),
        {"pattern": "docker.io/team/*:*", "validator": "hub", "with": {"trustRoot": "other"}},
        ("registry.k8s.io/*:*", "allow"),
    )
    assert (draft.losses, draft.notes) == ((), ())
    names = ("docker.io/library/alpine", "docker.io/team/app", "registry.k8s.io/a/b", "quay.io/x")
    assert [said_of(draft, name) for name in names] == [PEM_ID, OTHER_ID, "exempt", "nothing"]
    assert 'server = "https://notary.docker.io"' in draft.text


def test_the_configuration_without_the_chart_and_with_the_old_spellings_is_understood() -> None:
    draft = draft_from_connaisseur({
        "validators": [{"name": "default", "type": "notaryv1", "trust_roots": [{"name": "k", "key": OTHER_PEM}]}],
        "policy": [{"pattern": "docker.io/library/*:*", "with": {"trust_root": "k"}}],
    })
    assert said_of(draft, "docker.io/library/alpine") == OTHER_ID


def test_all_trust_roots_are_all_of_them() -> None:
    draft = connaisseur({"pattern": "docker.io/library/*:*", "validator": "hub", "with": {"trustRoot": "*"}})
    assert said_of(draft, "docker.io/library/alpine") == f"{PEM_ID} {OTHER_ID}"


def test_delegations_become_signers() -> None:
    rule = {"pattern": "quay.io/team/*:*", "validator": "hub", "with": {"delegations": ["alice", "targets/bob"]}}
    assert said_of(connaisseur(rule), "quay.io/team/app") == f"{PEM_ID} alice bob"


def test_a_delegation_that_cannot_be_demanded_is_lost_and_nothing_wider_stands_in() -> None:
    rule = {"pattern": "quay.io/team/*:*", "validator": "hub", "with": {"delegations": ["releases"]}}
    draft = connaisseur(rule, ("*:*", "allow"))
    assert len(draft.losses) == 1
    assert said_of(draft, "quay.io/team/app") == "refused"
    assert said_of(draft, "quay.io/other") == "exempt"


@pytest.mark.parametrize(
    ("host", "server"),
    [("notary.example.com", SERVER), ("https://notary.example.com", SERVER), ("http://n.example", "http://n.example")],
)
def test_the_host_becomes_the_server(host: str, server: str) -> None:
    assert f'server = "{server}"' in connaisseur(("quay.io/team/*:*", "hub"), host=host).text


def test_logins_and_certificates_are_told_and_never_written() -> None:
    draft = connaisseur(("quay.io/team/*:*", "hub"), auth={"username": "u", "password": "hunter2"}, cert="PEM-TEXT")
    assert len(draft.notes) == 2
    assert "hunter2" not in draft.text + "".join(draft.notes)
    assert "PEM-TEXT" not in draft.text + "".join(draft.notes)


def test_a_name_s_own_pattern_decides_before_the_one_around_it() -> None:
    draft = connaisseur(("quay.io/team/*:*", "allow"), ("quay.io/team/app:*", "hub"), ("quay.io/team/bad:*", "deny"))
    assert draft.losses == ()
    names = ("quay.io/team/x", "quay.io/team/app", "quay.io/team/bad")
    assert [said_of(draft, name) for name in names] == ["exempt", PEM_ID, "refused"]


def test_of_two_rules_with_the_same_pattern_the_later_one_decides() -> None:
    assert said_of(connaisseur(("quay.io/a/*:*", "allow"), ("quay.io/a/*:*", "hub")), "quay.io/a/b") == PEM_ID
    assert said_of(connaisseur(("quay.io/a/*:*", "hub"), ("quay.io/a/*", "allow")), "quay.io/a/b") == PEM_ID


@pytest.mark.parametrize("pattern", ["quay.io/team/app:v*", "quay.io/team/app:1.0", "quay.io/team/app@sha256:*"])
def test_a_rule_for_some_tags_or_digests_is_lost_and_all_of_the_name_refused(pattern: str) -> None:
    draft = connaisseur((pattern, "hub"), ("quay.io/team/*:*", "allow"))
    assert len(draft.losses) >= 1
    assert said_of(draft, "quay.io/team/app") == "refused"


def test_an_exemption_for_some_tags_is_left_out_without_a_loss() -> None:
    draft = connaisseur(("quay.io/team/app:v*", "allow"), ("quay.io/team/*:*", "hub"))
    assert (len(draft.losses), len(draft.notes)) == (0, 1)
    assert said_of(draft, "quay.io/team/app") == PEM_ID


def test_a_validator_of_another_kind_is_lost_and_nothing_wider_stands_in() -> None:
    draft = connaisseur(("quay.io/team/*:*", "cosign"), ("*:*", "allow"), ("quay.io/gone/*:*", "nobody"))
    assert len(draft.losses) == 2
    names = ("quay.io/team/x", "quay.io/gone/x", "quay.io/x")
    assert [said_of(draft, name) for name in names] == ["refused", "refused", "exempt"]


def test_a_pattern_that_could_be_about_any_registry_holds_back_what_it_would_decide_before() -> None:
    draft = connaisseur(("library/redis:*", "deny"), ("*:*", "allow"), ("quay.io/team/*:*", "hub"))
    assert said_of(draft, "quay.io/team/redis") == PEM_ID, "it has more components there"
    assert said_of(draft, "docker.io/library/redis") == "nothing"
    assert len(draft.losses) == 2


@pytest.mark.parametrize(
    ("values", "fault"),
    [
        ({"validators": 1, "policy": []}, "validators: must be a list"),
        ({"validators": [1], "policy": []}, "validators[0]: must be an object"),
        ({"validators": [{"name": "x"}], "policy": []}, "validators[0]: must have a name and a type"),
        ({"validators": [], "policy": [{}]}, "policy[0].pattern: must be given"),
        ({"validators": [], "policy": [{"pattern": 1}]}, "policy[0].pattern: must be a text"),
        ({"validators": [{"name": "x", "type": "static", "approve": "yes"}], "policy": []}, "must be true or false"),
    ],
)
def test_what_connaisseur_would_not_take_is_a_fault(values: Mapping[str, Any], fault: str) -> None:
    with pytest.raises(PolicyError) as caught:
        draft_from_connaisseur(values)
    assert fault in caught.value.faults[0]


@pytest.mark.parametrize(
    ("values", "known"),
    [
        ({"application": {"validators": [], "policy": []}}, True), ({"validators": [], "policy": []}, True),
        ({"application": 1}, False), ({"validators": []}, False), ({}, False),
    ],
)
def test_a_configuration_of_connaisseur_is_recognised(values: Mapping[str, Any], *, known: bool) -> None:
    assert is_connaisseur(values) is known


def common(one: str, other: str) -> int:
    return next((index for index, pair in enumerate(zip(one, other, strict=False)) if pair[0] != pair[1]),
                min(len(one), len(other)))


def connaisseur_says(image: str, rules: list[tuple[str, str]]) -> str:
    """Return what Connaisseur does with an image: the most specific pattern that matches decides."""
    best: tuple[tuple[object, ...], str] | None = None
    for pattern, validator in rules:
        # Read from the beginning of a name on, where a registry is spelled out: the one liberty that is taken.
        begin = "" if "." in pattern.partition("/")[0] or pattern.startswith("*") else "*"
        end = "" if pattern.endswith("*") else "*"
        text = "".join(".*" if part == "*" else re.escape(part) for part in re.split(r"(\*)", begin + pattern + end))
        if not re.fullmatch(text, image):
            continue
        parts, image_parts = pattern.split("/"), image.split("/")
        rank = (
            len(parts),
            [common(part, image_parts[index] if index < len(image_parts) else "") for index, part in enumerate(parts)],
            [len(part) for part in parts],
        )
        if best is None or rank >= best[0]:
            best = rank, validator
    return "nothing" if best is None else {"allow": "exempt", "deny": "refused", "hub": PEM_ID}.get(best[1], "lost")


_LAST = st.sampled_from(["a", "ab", "b", "*", "a*", "ab*", "*b"])
_PATTERNS = st.builds(
    lambda head, last, tag: "/".join((*head, last)) + tag,
    st.sampled_from([(), ("q.io",), ("q.io", "a"), ("q.io", "ab"), ("q.io", "*"), ("q.io", "a", "b"), ("a",)]),
    _LAST,
    st.sampled_from([":*", "", ":v*", ":*x"]),
)
_RULES = st.lists(st.tuples(_PATTERNS, st.sampled_from(["allow", "deny", "hub", "cosign"])), max_size=5)


@given(_RULES, st.lists(_NAMES, min_size=1, max_size=8))
def test_no_image_is_treated_more_loosely_than_connaisseur_treats_it(
    rules: list[tuple[str, str]], names: list[str]
) -> None:
    draft = connaisseur(*rules)
    for name in names:
        here = said_of(draft, name)
        for tag in ("v1", "x", "1"):
            there = connaisseur_says(f"{name}:{tag}", rules)
            allowed = {"nothing", "refused", there}
            assert there == "exempt" or here in allowed, (name, tag, there, here, draft.text)
