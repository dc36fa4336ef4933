"""Which delegated roles may speak of a target, and in which order they are asked."""

from collections.abc import Mapping
from itertools import pairwise
from typing import Any

import pytest

from imgsig.codes import Code
from imgsig.errors import RejectedError
from imgsig.limits import Limits
from imgsig.tuf.delegations import covers, role_named, roles_for
from imgsig.tuf.metadata import Document, parse_targets
from imgsig.tuf.model import DelegatedRole, Delegations, SuccinctRoles, Targets
from imgsig.tuf.search import Found, Search
from tests.support.tuf_repository import TufRepository

HASH_A = "ca978112ca1bbdcafac231b39a23dc4da786eff8147c4e72b9807785afee48bb"
"""The sha256 of ``a``."""


def delegated(*paths: str, prefixes: list[str] | None = None, name: str = "role") -> DelegatedRole:
    return DelegatedRole(name, [], 1, False, None if prefixes is not None else list(paths), prefixes)


@pytest.mark.parametrize(
    ("pattern", "target", "matches"),
    [
        ("a", "a", True),
        ("a", "A", False),
        ("a", "a/b", False),
        ("a/*", "a/b", True),
        ("a/*", "a/b/c", False),
        ("a/*", "a", False),
        ("*", "a", True),
        ("*", "a/b", False),
        ("*/*", "a/b", True),
        ("**", "a/b", False),
        ("a/?", "a/b", True),
        ("a/?", "a/bc", False),
        ("a/[bc]", "a/b", True),
        ("a/[!b]", "a/b", False),
        ("a/b*d", "a/bcd", True),
        ("a*b", "a/b", False),
        ("", "", True),
        ("registry.example.com/team/app:*", "registry.example.com/team/app:1.0", True),
        ("registry.example.com/team/*", "registry.example.com/team/app:1.0", True),
        ("*.txt", "\n.txt", True),
    ],
)
def test_a_wildcard_stays_within_its_segment(pattern: str, target: str, matches: bool) -> None:
    assert covers(delegated(pattern), target) is matches
    assert covers(delegated("nothing", pattern), target) is matches


@pytest.mark.parametrize(
    ("prefixes", "matches"),
    [
        (["c"], True),
        (["ca978"], True),
        ([HASH_A], True),
        (["0", "ca"], True),
        (["C"], False),
        (["0"], False),
        ([], False),
    ],
)
def test_a_hash_prefix_is_one_of_the_path_s_sha256(prefixes: list[str], matches: bool) -> None:
    assert covers(delegated(prefixes=prefixes), "a") is matches


def test_a_role_without_paths_speaks_of_nothing() -> None:
    assert not covers(delegated(), "a")


@pytest.mark.parametrize(
    ("bit_length", "name"), [(1, "bin-1"), (4, "bin-c"), (5, "bin-19"), (8, "bin-ca"), (32, "bin-ca978112")]
)
def test_a_target_falls_into_one_bin(bit_length: int, name: str) -> None:
    delegations = Delegations({}, None, SuccinctRoles([], 1, bit_length, "bin"))
    assert list(roles_for(delegations, "a")) == [(name, True)]
    assert role_named(delegations, name) is delegations.succinct_roles
    assert role_named(delegations, "bin-x") is None


def test_roles_come_in_the_order_of_the_document() -> None:
    roles = {name: delegated("x" if name == "c" else "*", name=name) for name in "bca"}
    delegations = Delegations({}, roles)
    assert list(roles_for(delegations, "t")) == [("b", False), ("a", False)]
    assert role_named(delegations, "c") is roles["c"]
    assert role_named(delegations, "d") is None
    assert list(roles_for(None, "t")) == []
    assert role_named(None, "a") is None


# -- the search -------------------------------------------------------------------------------------------------------

Tree = Mapping[str, tuple[tuple[str, str, bool], ...]]
"""Role to the roles that it delegates to: their names, paths, and whether they are terminating."""


def searched(
    tree: Tree, listed: Mapping[str, tuple[str, ...]], *, most: int = 32
) -> tuple[Search, list[tuple[str, str]]]:
    """Return a search over a tree of roles, and the list of what it will load."""
    repository = TufRepository(publish=False)
    for delegator, roles in tree.items():
        for name, path, terminating in roles:
            repository.add_delegation(name, delegator=delegator, paths=[path], terminating=terminating)
    for role, paths in listed.items():
        for path in paths:
            repository.add_target(path, role=role)
    for role in repository.documents:
        repository.documents[role]["version"] = 1
    loaded: list[tuple[str, str]] = []

    def load(role: str, delegator: str) -> Document[Targets]:
        loaded.append((role, delegator))
        return parse_targets(repository.render(role), role, Limits())

    return Search(load, max_delegations=most), loaded


@pytest.mark.parametrize(
    ("tree", "listed", "visited", "found"),
    [
        ({}, {"targets": ("t",)}, ["targets"], "targets"),
        ({}, {}, ["targets"], None),
        ({"targets": (("a", "t", False),)}, {"a": ("t",)}, ["targets", "a"], "a"),
        ({"targets": (("a", "t", False),)}, {"targets": ("t",), "a": ("t",)}, ["targets"], "targets"),
        ({"targets": (("a", "x", False), ("b", "t", False))}, {"a": ("t",)}, ["targets", "b"], None),
        (
            {"targets": (("a", "t", False), ("b", "t", False)), "a": (("c", "t", False),), "b": (("d", "t", False),)},
            {},
            ["targets", "a", "c", "b", "d"],
            None,
        ),
        (
            {"targets": (("a", "t", True), ("b", "t", False)), "a": (("c", "t", False),)},
            {"b": ("t",)},
            ["targets", "a", "c"],
            None,
        ),
        (
            {"targets": (("a", "t", False), ("b", "t", False)), "a": (("c", "t", True), ("d", "t", False))},
            {"b": ("t",), "d": ("t",)},
            ["targets", "a", "c"],
            None,
        ),
        (
            {"targets": (("a", "x", True), ("b", "t", False))},
            {"b": ("t",)},
            ["targets", "b"],
            "b",
        ),
        (
            {"targets": (("a", "t", False),), "a": (("b", "t", False),), "b": (("a", "t", False),)},
            {},
            ["targets", "a", "b"],
            None,
        ),
        (
            {"targets": (("a", "t", False), ("b", "t", False)), "a": (("c", "t", False),), "b": (("c", "t", False),)},
            {},
            ["targets", "a", "c", "b"],
            None,
        ),
        ({"targets": (("a", "t", False),), "a": (("b", "x", False),)}, {"b": ("t",)}, ["targets", "a"], None),
    ],
)
def test_roles_are_asked_before_their_siblings_and_after_their_delegator(
    tree: Tree, listed: Mapping[str, tuple[str, ...]], visited: list[str], found: str | None
) -> None:
    search, loaded = searched(tree, listed)
    answer = search.find("t")
    assert [role for role, _ in loaded] == visited
    assert (None if answer is None else answer.role) == found


def test_what_is_found_tells_its_way() -> None:
    search, loaded = searched({"targets": (("a", "t", False),), "a": (("b", "t", False),)}, {"b": ("t",)})
    answer = search.find("t")
    assert answer is not None
    assert answer.chain == ("targets", "a", "b")
    assert loaded == [("targets", "root"), ("a", "targets"), ("b", "a")]


def deep(count: int) -> Tree:
    names = ["targets", *(f"r{number}" for number in range(count))]
    return {above: ((below, "t", False),) for above, below in pairwise(names)}


@pytest.mark.parametrize("tree", [deep(4), {"targets": tuple((f"r{number}", "t", False) for number in range(4))}])
def test_a_search_ends_after_so_many_roles(tree: Tree) -> None:
    assert searched(tree, {"r3": ("t",)}, most=4)[0].find("t") is not None
    search, loaded = searched(tree, {"r3": ("t",)}, most=3)
    with pytest.raises(RejectedError) as caught:
        search.find("t")
    assert caught.value.code is Code.LIMIT_EXCEEDED
    assert len(loaded) == 4
    with pytest.raises(RejectedError):
        search.find_by_roles("t", ("nobody",))


def names_of(found: Mapping[str, Found | None]) -> dict[str, Any]:
    return {role: None if one is None else one.chain for role, one in found.items()}


def test_roles_asked_for_by_name_are_found_wherever_they_are() -> None:
    tree = {
        "targets": (("a", "t", True), ("b", "t", False), ("other", "t", False)),
        "a": (("deep", "t", False),),
    }
    search, loaded = searched(tree, {"deep": ("t",)})
    found = search.find_by_roles("t", ("b", "deep"))
    assert names_of(found) == {"b": None, "deep": ("targets", "a", "deep")}
    assert [role for role, _ in loaded] == ["targets", "b", "a", "deep"], "other is not needed"


def test_a_role_that_the_target_is_not_delegated_to_is_not_found() -> None:
    search, loaded = searched({"targets": (("a", "x", False),)}, {"a": ("t",)})
    assert search.find_by_roles("t", ("a",)) == {}
    assert [role for role, _ in loaded] == ["targets"]


def test_nobody_asked_for_nobody_loaded() -> None:
    search, loaded = searched({}, {})
    assert search.find_by_roles("t", ()) == {}
    assert loaded == []


def test_a_circle_ends_a_search_by_name_too() -> None:
    tree = {"targets": (("a", "t", False),), "a": (("b", "t", False),), "b": (("a", "t", False),)}
    search, loaded = searched(tree, {})
    assert search.find_by_roles("t", ("nobody",)) == {}
    assert [role for role, _ in loaded] == ["targets", "a", "b"]
