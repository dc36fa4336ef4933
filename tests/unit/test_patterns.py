import pytest
from hypothesis import given
from hypothesis import strategies as st

from imgsig.errors import InvalidReferenceError
from imgsig.faults import Faults
from imgsig.patterns import candidates, check_distinct, check_names, check_signed_as, split_pattern, substitute

COMPONENTS = st.sampled_from(["a", "b-c", "d_e", "f.g", "0"])
NAMES = st.builds(
    lambda registry, path: "/".join((registry, *path)),
    st.sampled_from(["quay.io", "localhost:5000", "[::1]:80"]),
    st.lists(COMPONENTS, min_size=1, max_size=4),
)


def faults_of(*names: object) -> list[str]:
    faults = Faults()
    check_names(names, "names", faults)
    return list(faults.error().faults) if faults else []


def covers(pattern: str, name: str) -> bool:
    """Say anew, component by component, whether a pattern covers a name."""
    wanted, found = pattern.split("/"), name.split("/")
    if wanted[-1] == "**":
        return len(found) >= len(wanted) and found[: len(wanted) - 1] == wanted[:-1]
    if wanted[-1] == "*":
        return len(found) == len(wanted) and found[:-1] == wanted[:-1]
    return found == wanted


@pytest.mark.parametrize(
    ("pattern", "parts"),
    [
        ("**", ("", "**")),
        ("quay.io/**", ("quay.io", "**")),
        ("quay.io/team/*", ("quay.io/team", "*")),
        ("quay.io/team/app", ("quay.io/team/app", "")),
        ("*", ("*", "")),
        ("/*", ("", "*")),
        ("quay.io/***", ("quay.io/***", "")),
        ("quay.io/a*", ("quay.io/a*", "")),
    ],
)
def test_a_pattern_is_a_prefix_and_a_wildcard(pattern: str, parts: tuple[str, str]) -> None:
    assert split_pattern(pattern) == parts


def test_exact_beats_one_component_beats_any_depth_and_then_the_longer_prefix_wins() -> None:
    assert list(candidates("docker.io/library/alpine")) == [
        "docker.io/library/alpine",
        "docker.io/library/*",
        "docker.io/library/**",
        "docker.io/**",
        "**",
    ]


@given(NAMES, NAMES, st.sampled_from(["", "/*", "/**"]))
def test_the_candidates_are_the_patterns_that_cover_a_name(name: str, prefix: str, wildcard: str) -> None:
    pattern = prefix + wildcard
    assert (pattern in candidates(name)) == covers(pattern, name)
    assert all(covers(candidate, name) for candidate in candidates(name))


@given(NAMES)
def test_every_candidate_is_a_pattern(name: str) -> None:
    assert not faults_of(*candidates(name))


@pytest.mark.parametrize(
    "pattern",
    [
        "**", "docker.io/**", "docker.io/library/*", "docker.io/library/alpine", "localhost/**", "localhost:5000/*",
        "[::1]:5000/a/**", "Host/**", "quay.io/*", "quay.io/" + "a" * 253 + "/*",
    ],
)
def test_a_pattern_is_written_in_full(pattern: str) -> None:
    assert not faults_of(pattern)


@pytest.mark.parametrize(
    ("pattern", "fault"),
    [
        (7, "names[0]: must be a text, not a number"),
        ("", "names[0]: '' is no pattern"),
        (" docker.io/**", "names[0]: ' docker.io/**' is no pattern"),
        ("/**", "names[0]: '/**' is no pattern"),
        ("quay.io//**", "names[0]: 'quay.io//**' is no pattern"),
        ("quay.io/team/", "names[0]: 'quay.io/team/' is no pattern"),
        ("quay.io/Team/**", "names[0]: 'quay.io/Team/**' is no pattern: repository 'Team/x' must be lower case"),
        ("quay.io/team:1/*", "names[0]: 'quay.io/team:1/*' is no pattern"),
        ("https://quay.io/**", "names[0]: 'https://quay.io/**' is no pattern"),
        ("0f" * 32, "names[0]: '" + "0f" * 32 + "' is no pattern"),
        ("*", "names[0]: '*' has a * where none may be"),
        ("***", "names[0]: '***' has a * where none may be"),
        ("**/app", "names[0]: '**/app' has a * where none may be"),
        ("*/app", "names[0]: '*/app' has a * where none may be"),
        ("quay.io/*/app", "names[0]: 'quay.io/*/app' has a * where none may be"),
        ("quay.io/te*", "names[0]: 'quay.io/te*' has a * where none may be"),
        ("quay.io/***", "names[0]: 'quay.io/***' has a * where none may be"),
        ("quay.io/**/*", "names[0]: 'quay.io/**/*' has a * where none may be"),
        ("*.example.com/**", "names[0]: '*.example.com/**' has a * where none may be"),
        ("quay.io/app:*", "names[0]: 'quay.io/app:*' has a * where none may be"),
        ("quay.io/app:1", "names[0]: 'quay.io/app:1' has a tag or digest"),
        ("quay.io/app@sha256:" + "0f" * 32, "names[0]: 'quay.io/app@sha256:" + "0f" * 30),
        ("alpine", "names[0]: 'alpine' is a short form and must be written docker.io/library/alpine"),
        ("bob/app", "names[0]: 'bob/app' is a short form and must be written docker.io/bob/app"),
        ("library/*", "names[0]: 'library/*' is a short form and must be written docker.io/library/*"),
        ("quay/**", "names[0]: 'quay/**' is a short form and must be written docker.io/quay/**"),
        ("docker.io/ab", "names[0]: 'docker.io/ab' is a short form and must be written docker.io/library/ab"),
        ("index.docker.io/**", "names[0]: 'index.docker.io/**' is a short form and must be written docker.io/**"),
        ("index.docker.io/a/*", "names[0]: 'index.docker.io/a/*' is a short form and must be written docker.io/a/*"),
        ("quay.io", "names[0]: 'quay.io' is a short form and must be written docker.io/library/quay.io"),
        ("docker.io/*", "names[0]: docker.io/* covers nothing: write docker.io/library/*"),
    ],
)
def test_what_is_no_pattern_is_a_fault_with_the_reason(pattern: object, fault: str) -> None:
    (found,) = faults_of(pattern)
    assert found.startswith(fault)


def test_names_are_a_list_with_a_pattern_in_it() -> None:
    faults = Faults()
    wrong: tuple[object, ...] = ((), [], "quay.io/a", None)
    for names in wrong:
        check_names(names, "names", faults)
    assert faults.error().faults == (
        "names: must list at least one pattern",
        "names: must list at least one pattern",
        "names: must be a list of patterns, not a text",
        "names: must be a list of patterns, not a NoneType",
    )


def test_the_same_pattern_twice_is_a_fault() -> None:
    assert faults_of("quay.io/a", "quay.io/b", "quay.io/a") == ["names[2]: 'quay.io/a' is already there, as names[0]"]


def test_the_same_pattern_in_two_rules_is_a_fault() -> None:
    faults = Faults()
    check_distinct([["quay.io/a", "quay.io/a", 5], "quay.io/a", None, ("quay.io/b", "quay.io/a")], faults)
    assert faults.error().faults == ("rule[3].names[1]: 'quay.io/a' is already there, as rule[0].names[0]",)


@pytest.mark.parametrize(
    ("names", "signed_as"),
    [
        (["mirror.io/**"], "docker.io/**"),
        (["mirror.io/**", "mirror.org/x/**"], "**"),
        (["**"], "docker.io/**"),
        (["mirror.io/*"], "docker.io/*"),
        (["mirror.io/a"], "docker.io/library/a"),
        ([5, "mirror.io/**"], "docker.io/**"),
        ("mirror.io/a", "docker.io/**"),
    ],
)
def test_names_can_be_mapped_to_a_pattern_with_the_same_wildcard(names: object, signed_as: str) -> None:
    faults = Faults()
    check_signed_as(signed_as, names, "signed-as", faults)
    assert not faults


@pytest.mark.parametrize(
    ("names", "signed_as", "fault"),
    [
        (["mirror.io/*"], "docker.io/**", "'docker.io/**' goes with names that end in ** too, unlike 'mirror.io/*'"),
        (["mirror.io/**", "mirror.io/a"], "docker.io/**", "'docker.io/**' goes with names that end in ** too"),
        (["**"], "docker.io/*", "'docker.io/*' goes with names that end in * too, unlike '**'"),
        (["mirror.io/*"], "docker.io/a/b", "'docker.io/a/b' goes with names that have no wildcard too"),
        (["mirror.io/a"], "docker.io/a", "'docker.io/a' is a short form"),
        (["mirror.io/a"], "docker.io/library/a:1", "'docker.io/library/a:1' has a tag"),
        (["mirror.io/a"], "", "'' is no pattern"),
        (["mirror.io/a"], 5, "must be a text"),
    ],
)
def test_names_cannot_be_mapped_to_another_kind_of_pattern(names: object, signed_as: object, fault: str) -> None:
    faults = Faults()
    check_signed_as(signed_as, names, "signed-as", faults)
    (found,) = faults.error().faults
    assert found.startswith(f"signed-as: {fault}")


@pytest.mark.parametrize(
    ("name", "pattern", "target", "signed"),
    [
        ("mirror.io/hub/library/alpine", "mirror.io/hub/**", "docker.io/**", "docker.io/library/alpine"),
        ("mirror.io/hub/alpine", "mirror.io/hub/**", "docker.io/**", "docker.io/library/alpine"),
        ("mirror.io/alpine", "mirror.io/*", "docker.io/library/*", "docker.io/library/alpine"),
        ("mirror.io/alpine", "mirror.io/*", "docker.io/*", "docker.io/library/alpine"),
        ("mirror.io/quay.io/team/app", "mirror.io/**", "**", "quay.io/team/app"),
        ("mirror.io/index.docker.io/alpine", "mirror.io/**", "**", "docker.io/library/alpine"),
        ("mirror.io/team/app", "mirror.io/**", "**", "docker.io/team/app"),
        ("quay.io/team/app", "**", "mirror.io/**", "mirror.io/quay.io/team/app"),
        ("quay.io/team/app", "**", "**", "quay.io/team/app"),
        ("mirror.io/a", "mirror.io/a", "docker.io/library/a", "docker.io/library/a"),
    ],
)
def test_what_the_wildcard_stands_for_is_copied(name: str, pattern: str, target: str, signed: str) -> None:
    assert substitute(name, pattern, target) == signed


@pytest.mark.parametrize(
    ("name", "pattern", "target"),
    [
        ("localhost:5000/app", "**", "docker.io/**"),
        ("mirror.io/foo_bar.com/app", "mirror.io/**", "**"),
        ("mirror.io/" + "0f" * 32, "mirror.io/**", "**"),
        ("mirror.io/" + "a" * 251, "mirror.io/**", "docker.io/team/**"),
    ],
)
def test_what_comes_out_must_be_a_name(name: str, pattern: str, target: str) -> None:
    with pytest.raises(InvalidReferenceError):
        substitute(name, pattern, target)


@given(NAMES, st.sampled_from(["", "docker.io", "quay.io/x", "localhost:80"]))
def test_a_signed_name_never_gains_a_tag(name: str, target: str) -> None:
    for pattern in candidates(name):
        prefix, wildcard = split_pattern(pattern)
        if wildcard:
            try:
                signed = substitute(name, pattern, f"{target}/{wildcard}" if target else wildcard)
            except InvalidReferenceError:
                continue
            rest = name.removeprefix(prefix)
            assert signed.endswith(rest.removeprefix("/"))
            assert not target or signed.startswith(f"{target}/")
