"""Where documents lie: names and paths that others chose become names of files that are safe and never the same."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from imgsig.archive.places import is_name_or_path, is_system, place_of

CHARACTERS = st.characters(min_codepoint=33, max_codepoint=126, exclude_characters="/\\")
LONG = st.builds(
    lambda start, count, end: start * count + end, st.sampled_from("a.~"), st.integers(120, 300), st.text("a.")
)
COMPONENTS = st.one_of(st.text(CHARACTERS, min_size=1, max_size=9), LONG)
ADDRESSES = st.lists(COMPONENTS, min_size=1, max_size=3).map("/".join).filter(is_name_or_path)
SMALL = st.text("aA._%~/-", min_size=1, max_size=6).filter(is_name_or_path)


def written(name: str, path: str = "root.json") -> str:
    return "/".join(place_of("notary", name, path))


@pytest.mark.parametrize(
    ("name", "path", "expected"),
    [
        ("docker.io/library/alpine", "root.json", "notary/docker.io/library/alpine/_trust/root.json"),
        ("docker.io/a/b", "targets/releases.77d2.json", "notary/docker.io/a/b/_trust/targets/releases.77d2.json"),
        ("localhost:5000/a_b--c", "1.root.json", "notary/localhost%3A5000/a_b--c/_trust/1.root.json"),
        ("[::1]:80/a", "root.json", "notary/%5B%3A%3A1%5D%3A80/a/_trust/root.json"),
        ("Registry/a", "root.json", "notary/%52egistry/a/_trust/root.json"),
        ("a/_trust/b", "root.json", "notary/a/%5Ftrust/b/_trust/root.json"),
        ("a", "targets/_x.json", "notary/a/_trust/targets/_x.json"),
        ("a", ".../..x", "notary/a/_trust/%2E../%2E.x"),
        ("a%3Ab", "root.json", "notary/a%253%41b/_trust/root.json"),
        ("~a", "root.json", "notary/%7Ea/_trust/root.json"),
    ],
)
def test_a_document_lies_where_the_page_says(name: str, path: str, expected: str) -> None:
    assert written(name, path) == expected


def test_a_long_component_is_cut_into_pieces_that_file_systems_can_hold() -> None:
    path = f"targets/{'r' * 200}..{'0' * 64}.json"
    *folders, first, second, third = place_of("notary", "a", path)
    assert folders == ["notary", "a", "_trust", "targets"]
    assert (first, second[0], third[0]) == ("r" * 128 + "~", "~", "~")
    assert len(second) == 130
    assert (first[:-1] + second[1:-1] + third[1:]) == path.removeprefix("targets/")


@given(ADDRESSES, ADDRESSES)
def test_every_part_of_a_place_is_safe(name: str, path: str) -> None:
    for part in place_of("notary", name, path):
        assert re.fullmatch(r"[a-z0-9_%~-][A-Fa-z0-9._%-]{0,128}~?", part)


@given(st.tuples(SMALL, SMALL), st.tuples(SMALL, SMALL))
def test_no_two_documents_share_a_place_even_if_case_is_lost(one: tuple[str, str], two: tuple[str, str]) -> None:
    assert (written(*one).lower() == written(*two).lower()) == (one == two)


@given(st.tuples(ADDRESSES, ADDRESSES), st.tuples(ADDRESSES, ADDRESSES))
def test_no_two_long_ones_do_either(one: tuple[str, str], two: tuple[str, str]) -> None:
    assert (written(*one).lower() == written(*two).lower()) == (one == two)


@given(ADDRESSES)
def test_the_component_can_be_read_back(name: str) -> None:
    joined = written(name).removeprefix("notary/").removesuffix("/_trust/root.json").replace("~/~", "")
    assert re.sub("%(..)", lambda match: chr(int(match[1], 16)), joined) == name


@pytest.mark.parametrize(
    "text",
    [
        "", "/", "a/", "/a", "a//b", ".", "..", "../a", "a/../b", "a/..", "a/.", "a b", "a\\b", "a\0", "a\n", "\x7f",
        "ä", "a" * 1025, None, 1, b"a",
    ],
)
def test_an_odd_name_or_path_is_none(text: object) -> None:
    assert not is_name_or_path(text)


@pytest.mark.parametrize("text", ["", "Notary", "a b", "a.b", "_a", "1", "a/b", "a" * 33, None, 1])
def test_an_odd_system_is_none(text: object) -> None:
    assert not is_system(text)
