"""Which digest a tag stands for: docker's walk over the roles, and the signers that must agree."""

from collections.abc import Iterable

import pytest

from imgsig.assignment import assign_keys
from imgsig.codes import Code
from imgsig.errors import RejectedError
from imgsig.limits import Limits
from imgsig.notary.choice import Choice, Tree
from imgsig.notary.metadata import parse_targets
from tests.support.repository import SignedRepository

RELEASES = "targets/releases"


class Forest:
    """A repository whose roles are looked at as if all of them had been verified, but those passed over."""

    def __init__(self, *tags: str) -> None:
        self.repository = SignedRepository(publish=False, tags=tags)
        self.skipped: dict[str, RejectedError] = {}

    def add(self, role: str, *tags: str, paths: Iterable[str] | None = ("",), loaded: bool = True) -> "Forest":
        self.repository.add_delegation(role, tags=tags, paths=paths, metadata=loaded)
        return self

    def skip(self, role: str, code: Code = Code.EXPIRED) -> "Forest":
        self.repository.unpublished.add(role)
        self.skipped[role] = RejectedError(f"{role} was passed over", code=code, subject=role)
        return self

    def same(self, tag: str, *roles: str, content: bytes = b"same") -> "Forest":
        for role in roles:
            self.repository.add_target(tag, content, role=role)
        return self

    def say(self, tag: str, entry: object, role: str = "targets") -> "Forest":
        self.repository.documents[role]["targets"][tag] = entry
        return self

    @property
    def tree(self) -> Tree:
        made = self.repository
        made.publish(everything=True)
        loaded = [role for role in ("targets", *made.delegated) if role in made.current]
        return Tree({role: parse_targets(made.current[role], role, Limits()) for role in loaded}, self.skipped)

    def role(self, tag: str) -> str:
        """Return the role from which a tag is taken."""
        choice = self.tree.choose(tag)
        assert choice.digest == self.repository.digest(tag, choice.role)
        assert choice.tag == tag
        return choice.role

    def code(self, tag: str) -> Code:
        with pytest.raises(RejectedError) as caught:
            self.tree.choose(tag)
        return caught.value.code


# -- a tag ----------------------------------------------------------------------------------------------------------


def test_a_tag_is_taken_from_targets() -> None:
    forest = Forest("latest")
    assert forest.role("latest") == "targets"
    assert forest.tree.choose("latest").length == len("targets:latest")
    assert forest.code("other") is Code.TAG_NOT_SIGNED


def test_releases_are_asked_first() -> None:
    forest = Forest("latest", "old").add(RELEASES, "latest", "new")
    assert forest.role("latest") == RELEASES
    assert forest.role("new") == RELEASES
    assert forest.role("old") == "targets"


def test_other_delegations_are_no_releases() -> None:
    forest = Forest("both").add("targets/alice", "both", "alone").add("targets/releases-2", "other")
    assert forest.role("both") == "targets"
    assert forest.code("alone") is Code.TAG_NOT_SIGNED
    assert forest.code("other") is Code.TAG_NOT_SIGNED
    with pytest.raises(RejectedError, match=r"targets/alice"):
        forest.tree.choose("alone")


def test_a_role_below_releases_hides_what_targets_say() -> None:
    forest = Forest("hidden", "shown").add(RELEASES, "shown").add("targets/releases/sub", "hidden", "shown")
    assert forest.code("hidden") is Code.TAG_NOT_SIGNED
    assert forest.role("shown") == RELEASES


def test_a_role_below_targets_is_asked_after_targets() -> None:
    forest = Forest("latest").add("targets/a").add("targets/a/b", "latest", "deep")
    assert forest.role("latest") == "targets"
    assert forest.code("deep") is Code.TAG_NOT_SIGNED


def test_releases_that_are_not_there_are_not_asked() -> None:
    assert Forest("latest").add(RELEASES, "latest", loaded=False).role("latest") == "targets"


# -- paths ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("paths", "covered"),
    [
        (("",), True), (("1",), True), (("1.0",), True), (("x", "1."), True), (("1.0.1",), False), (("x",), False),
        ((), False),
        (None, False), (("*",), False), (("1.*",), False), (("V1",), False), (("1.0 ",), False),
    ],
)  # fmt: skip
def test_a_delegation_speaks_for_names_that_begin_with_its_paths(paths: tuple[str, ...] | None, covered: bool) -> None:
    forest = Forest("1.0").add(RELEASES, "1.0", paths=paths)
    assert forest.role("1.0") == (RELEASES if covered else "targets")


@pytest.mark.parametrize(
    ("parent", "child", "covered"),
    [
        (("",), ("1",), True), (("1",), ("1.0",), True), (("1",), ("1",), True), (("1.",), ("1",), False),
        (("1.0",), ("",), False),
        (("1",), ("", "1.0"), True), (("x",), ("1",), False), (("",), (), False),
    ],
)  # fmt: skip
def test_a_broader_path_below_is_dropped_not_narrowed(
    parent: tuple[str, ...], child: tuple[str, ...], covered: bool
) -> None:
    forest = Forest("1.0").add(RELEASES, paths=parent).add("targets/releases/a", "1.0", paths=child)
    if covered:
        assert forest.code("1.0") is Code.TAG_NOT_SIGNED  # taken from a role that docker takes no releases from
    else:
        assert forest.role("1.0") == "targets"


def test_a_role_that_does_not_cover_a_name_hides_the_roles_below_it() -> None:
    forest = Forest().add("targets/a", paths=("x",)).add("targets/a/b", "1.0")
    with pytest.raises(RejectedError, match="no role"):
        forest.tree.choose("1.0")


# -- passed over ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("code", [Code.EXPIRED, Code.THRESHOLD])
def test_releases_that_were_passed_over_hide_nothing_older(code: Code) -> None:
    forest = Forest("latest").add(RELEASES, "latest").skip(RELEASES, code)
    assert forest.code("latest") is code
    assert forest.code("nowhere") is code


def test_releases_that_were_passed_over_matter_for_their_own_names_only() -> None:
    forest = Forest("latest", "1.0").add(RELEASES, "1.0", paths=("1",)).skip(RELEASES)
    assert forest.role("latest") == "targets"
    assert forest.code("1.0") is Code.EXPIRED


def test_a_role_below_releases_that_was_passed_over_matters_where_releases_are_silent() -> None:
    forest = Forest("a", "b").add(RELEASES, "a").add("targets/releases/sub", "a", "b").skip("targets/releases/sub")
    assert forest.role("a") == RELEASES
    assert forest.code("b") is Code.EXPIRED


def test_other_roles_that_were_passed_over_do_not_matter() -> None:
    forest = Forest("latest").add("targets/alice", "latest").skip("targets/alice")
    assert forest.role("latest") == "targets"
    assert forest.code("other") is Code.TAG_NOT_SIGNED


def test_a_role_that_is_listed_twice_and_never_published_does_no_harm() -> None:
    forest = Forest("latest").add(RELEASES, "latest", loaded=False)
    entries = forest.repository.targets["delegations"]["roles"]
    entries.append(entries[0] | {"paths": ["x"]})
    assert forest.role("latest") == "targets"


# -- digests --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "entry",
    [
        None, {}, {"length": 3}, {"length": 3, "hashes": {}}, {"length": 3, "hashes": {"sha256": "YQ=="}},
        {"length": 3, "hashes": {"sha256": None}}, {"length": 3, "hashes": {"SHA256": "YQ=="}},
    ],
)  # fmt: skip
def test_an_entry_without_a_sha256_is_no_digest(entry: object) -> None:
    assert Forest().say("odd", entry).code("odd") is Code.MALFORMED
    forest = Forest("odd").add(RELEASES).say("odd", entry, RELEASES)
    assert forest.code("odd") is Code.MALFORMED


@pytest.mark.parametrize("tag", ["Latest", "latest ", "late", "latest\u200b", "\u212a", "targets", "__proto__"])
def test_tags_are_compared_exactly(tag: str) -> None:
    error = Forest("latest").code(tag)
    assert error is Code.TAG_NOT_SIGNED


def test_a_strange_tag_is_shown_escaped() -> None:
    with pytest.raises(RejectedError) as caught:
        Forest().tree.choose("\x1b[31m\u202e" + "x" * 500)
    assert str(caught.value).isascii()
    assert str(caught.value).isprintable()
    assert len(str(caught.value)) < 250


def tags(forest: Forest, content: bytes = b"same") -> list[str]:
    digest = "sha256:" + forest.repository.add_target("-", content)
    del forest.repository.targets["targets"]["-"]
    return [choice.tag for choice in forest.tree.tags_of(digest)]


def hidden(forest: Forest, content: bytes = b"same") -> Code:
    with pytest.raises(RejectedError) as caught:
        tags(forest, content)
    return caught.value.code


def test_a_digest_stands_for_the_tags_whose_own_choice_it_is() -> None:
    forest = Forest("other").add(RELEASES, "c").same("b", "targets").same("a", RELEASES).same("c", "targets")
    assert tags(forest) == ["a", "b"]
    assert hidden(forest, b"unknown") is Code.DIGEST_NOT_SIGNED


def test_a_digest_that_only_others_sign_is_not_signed() -> None:
    assert hidden(Forest().add("targets/alice").same("a", "targets/alice")) is Code.DIGEST_NOT_SIGNED
    assert hidden(Forest().same("", "targets")) is Code.DIGEST_NOT_SIGNED


def test_a_digest_that_a_passed_over_role_may_have_replaced_is_not_told_for_unsigned() -> None:
    forest = Forest().add(RELEASES).same("a", "targets").skip(RELEASES)
    assert hidden(forest) is Code.EXPIRED
    partly = Forest().add(RELEASES, paths=("x",)).same("a", "targets").skip(RELEASES)
    assert tags(partly) == ["a"]
    assert hidden(partly, b"unknown") is Code.EXPIRED
    without_paths = Forest().add(RELEASES, paths=()).skip(RELEASES)
    assert hidden(without_paths) is Code.DIGEST_NOT_SIGNED


def test_an_odd_entry_among_others_is_told_only_if_the_digest_is_not_found() -> None:
    forest = Forest().same("a", "targets").say("odd", {})
    assert tags(forest) == ["a"]
    assert hidden(forest, b"unknown") is Code.MALFORMED


# -- signers --------------------------------------------------------------------------------------------------------


def signer_code(forest: Forest, role: str, tag: str = "latest") -> Code:
    tree = forest.tree
    with pytest.raises(RejectedError) as caught:
        tree.check_signer(role, tree.choose(tag))
    assert caught.value.subject == role
    return caught.value.code


def test_a_signer_lists_the_tag_with_the_same_digest() -> None:
    forest = Forest().add("targets/alice").add("targets/alice/phone")
    forest.same("latest", "targets", "targets/alice", "targets/alice/phone")
    choice = forest.tree.choose("latest")
    forest.tree.check_signer("targets/alice", choice)
    forest.tree.check_signer("targets/alice/phone", choice)


def test_a_signer_that_says_nothing_is_missing() -> None:
    forest = Forest("latest").add("targets/alice").add("targets/bob", "latest", loaded=False)
    for role in ("targets/alice", "targets/bob", "targets/nobody"):
        assert signer_code(forest, role) is Code.SIGNER_MISSING


def test_a_signer_outside_of_its_paths_is_missing() -> None:
    for paths in (("x",), (), None, ("latest2",)):
        forest = Forest().add("targets/alice", paths=paths).same("latest", "targets", "targets/alice")
        assert signer_code(forest, "targets/alice") is Code.SIGNER_MISSING
    forest = Forest().add("targets/alice", paths=("x",)).add("targets/alice/b")
    forest.same("latest", "targets", "targets/alice/b")
    assert signer_code(forest, "targets/alice/b") is Code.SIGNER_MISSING


def test_a_signer_that_was_passed_over_is_missing_and_the_error_says_why() -> None:
    forest = Forest("latest").add("targets/alice").skip("targets/alice")
    tree = forest.tree
    with pytest.raises(RejectedError, match="passed over") as caught:
        tree.check_signer("targets/alice", tree.choose("latest"))
    assert caught.value.code is Code.SIGNER_MISSING


def test_a_signer_with_another_digest_disagrees() -> None:
    forest = Forest("latest").add("targets/alice", "latest")
    assert signer_code(forest, "targets/alice") is Code.SIGNERS_DISAGREE
    odd = Forest("latest").add("targets/alice").say("latest", {}, "targets/alice")
    assert signer_code(odd, "targets/alice") is Code.MALFORMED


def test_the_roles_above_a_role_are_told_from_targets_on() -> None:
    tree = Forest().tree
    assert tree.chain("targets") == ("targets",)
    assert tree.chain("targets/a/b") == ("targets", "targets/a", "targets/a/b")


def test_choices_are_values() -> None:
    assert Choice("a", "sha256:0", 1, "targets") == Choice("a", "sha256:0", 1, "targets")


# -- keys of signers ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("needed", "signed", "left_over"),
    [
        ({}, {}, None),
        ({"a": 1}, {"a": ("1",)}, None),
        ({"a": 1}, {"a": ()}, "a"),
        ({"a": 1, "b": 1}, {"a": ("1",), "b": ("1",)}, "b"),
        ({"a": 1, "b": 1}, {"a": ("1", "2"), "b": ("1",)}, None),
        ({"a": 1, "b": 1, "c": 1}, {"a": ("1", "2"), "b": ("1", "3"), "c": ("1",)}, None),
        ({"a": 1, "b": 1, "c": 1}, {"a": ("1", "2"), "b": ("1", "2"), "c": ("1", "2")}, "c"),
        ({"a": 2}, {"a": ("1",)}, "a"),
        ({"a": 2, "b": 1}, {"a": ("1", "2"), "b": ("2",)}, "b"),
        ({"a": 2, "b": 1}, {"a": ("1", "2", "3"), "b": ("1",)}, None),
        ({"a": 2, "b": 2}, {"a": ("1", "2", "3"), "b": ("1", "2", "3")}, "b"),
        ({"a": 2, "b": 2}, {"a": ("1", "2", "3"), "b": ("1", "2", "4")}, None),
    ],
)
def test_one_key_stands_for_one_signer(
    needed: dict[str, int], signed: dict[str, tuple[str, ...]], left_over: str | None
) -> None:
    assert assign_keys(needed, signed) == left_over


def test_many_signers_of_few_keys_are_told_apart_soon() -> None:
    keys = tuple(str(number) for number in range(60))
    assert assign_keys({f"s{number}": 1 for number in range(60)}, {f"s{number}": keys for number in range(60)}) is None
    assert assign_keys({f"s{number}": 1 for number in range(61)}, {f"s{number}": keys for number in range(61)}) == "s60"
