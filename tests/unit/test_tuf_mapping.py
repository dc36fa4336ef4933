"""From an image to its target, and from a target to the digest."""

from typing import Any

import pytest

from imgsig.codes import Code
from imgsig.errors import RejectedError
from imgsig.tuf.mapping import (
    DEFAULT_DIGEST_TARGET,
    DEFAULT_TARGET,
    HEX,
    TAG,
    Pointer,
    Template,
    digest_in_custom,
    digest_in_hashes,
    hex_of,
)

NAME = "registry.example.com/team/app"
HEXED = "0123456789abcdef" * 4
OTHER = "fedcba9876543210" * 4


# -- templates --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "path"),
    [
        (DEFAULT_TARGET, "registry.example.com/team/app:1.4"),
        ("{name}:{tag}", "registry.example.com/team/app:1.4"),
        ("images/{repository}/{tag}", "images/team/app/1.4"),
        ("{registry}/{tag}.json", "registry.example.com/1.4.json"),
        ("app-{tag}", "app-1.4"),
        ("{tag}/{tag}", "1.4/1.4"),
    ],
)
def test_a_template_is_filled_with_the_parts_of_the_reference(text: str, path: str) -> None:
    assert Template(text, TAG).fill(NAME, "1.4") == path
    assert str(Template(text, TAG)) == text


def test_a_digest_has_a_template_of_its_own() -> None:
    assert Template(DEFAULT_DIGEST_TARGET, HEX).fill(NAME, HEXED) == f"sha256/{HEXED}"
    assert Template("{name}@{hex}", HEX).fill(NAME, HEXED) == f"{NAME}@{HEXED}"


@pytest.mark.parametrize(
    ("name", "path"),
    [
        ("localhost:5000/app", "localhost%3A5000/app:1"),
        ("[::1]:5000/team/app", "%5B%3A%3A1%5D%3A5000/team/app:1"),
    ],
)
def test_a_port_does_not_make_a_scheme_of_the_first_segment(name: str, path: str) -> None:
    assert Template(DEFAULT_TARGET, TAG).fill(name, "1") == path
    assert Template("{name}:{tag}", TAG).fill(name, "1") == path


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("{repo}:{tag}", "'{repo}' is no placeholder: known are {registry}, {repository}, {name}, {tag}"),
        ("{name}:{TAG}", "'{TAG}' is no placeholder"),
        ("{name}:{tag}{}", "'{}' is no placeholder"),
        ("{name}:{hex}", "'{hex}' is no placeholder"),
        ("{name}", "must have {tag} in it"),
        ("", "must have {tag} in it"),
        ("{tag", "must have {tag} in it"),
        ("{tag}}", "must be the path of a target"),
        ("{{tag}}", "must be the path of a target"),
        ("/{tag}", "no segment that is empty"),
        ("a//{tag}", "no segment that is empty"),
        ("{tag}/", "no segment that is empty"),
        ("../{tag}", "no segment that is empty, . or .."),
        ("./{tag}", "no segment that is empty, . or .."),
        ("{tag} x", "must be the path of a target"),
        ("{tag}?x", "must be the path of a target"),
        ("{tag}#x", "must be the path of a target"),
        ("a\\{tag}", "must be the path of a target"),
        ("ö{tag}", "must be the path of a target"),
        ("{tag}\n", "must be the path of a target"),
        ("{tag}" + 1024 * "x", "at most 1024 characters"),
        (5, "must be a text, not a number"),
    ],
)
def test_a_wrong_template_says_what_is_wrong(text: Any, fault: str) -> None:  # noqa: ANN401 - whatever a caller gives
    with pytest.raises(ValueError, match=r".+") as caught:
        Template(text, TAG)
    assert fault in str(caught.value)


# -- digests in hashes ------------------------------------------------------------------------------------------------


def test_the_digest_is_the_target_s_own_sha256() -> None:
    assert digest_in_hashes({"sha512": "00", "sha256": HEXED}, "t") == f"sha256:{HEXED}"


@pytest.mark.parametrize(
    ("hashes", "why"),
    [
        ({"sha512": HEXED}, "must list a sha256"),
        ({"SHA256": HEXED}, "must list a sha256"),
        ({"sha256": ""}, "its sha256 must be 64 hex digits"),
        ({"sha256": HEXED[:-1]}, "its sha256 must be 64 hex digits"),
        ({"sha256": HEXED + "0"}, "its sha256 must be 64 hex digits"),
        ({"sha256": HEXED + "\n"}, "its sha256 must be 64 hex digits"),
        ({"sha256": HEXED.upper()}, "its sha256 must be 64 hex digits in lower case"),
        ({"sha256": 43 * "A" + "="}, "its sha256 must be 64 hex digits, not base64 as in Docker Content Trust"),
        ({"sha256": f"sha256:{HEXED}"}, "its sha256 must be 64 hex digits"),
    ],
)
def test_a_hash_that_is_none_is_malformed(hashes: dict[str, str], why: str) -> None:
    with pytest.raises(RejectedError) as caught:
        digest_in_hashes(hashes, "t")
    assert caught.value.code is Code.MALFORMED
    assert caught.value.expected == why


# -- digests in custom ------------------------------------------------------------------------------------------------

APPS = {
    "docker_compose_apps": {
        "web": {"uri": f"registry.example.com/team/web@sha256:{OTHER}"},
        "app": {"uri": f"{NAME}@sha256:{HEXED}"},
    }
}
APPS_POINTER = Pointer("/docker_compose_apps/*/uri")


def test_the_digest_is_found_at_a_pointer_for_the_asked_name() -> None:
    assert digest_in_custom(APPS, APPS_POINTER, NAME, "t") == f"sha256:{HEXED}"
    assert digest_in_custom(APPS, APPS_POINTER, "registry.example.com/team/web", "t") == f"sha256:{OTHER}"


@pytest.mark.parametrize(
    ("pointer", "custom"),
    [
        ("/image", {"image": f"{NAME}@sha256:{HEXED}"}),
        ("/a/b", {"a": {"b": f"{NAME}@sha256:{HEXED}"}}),
        ("/a~1b/m~0n", {"a/b": {"m~n": f"{NAME}@sha256:{HEXED}"}}),
        ("/images/0", {"images": [f"{NAME}@sha256:{HEXED}", "ignored"]}),
        ("/images/*", {"images": [f"{NAME}@sha256:{HEXED}"]}),
        ("/*", {"anything": f"{NAME}@sha256:{HEXED}"}),
        ("/", {"": f"{NAME}@sha256:{HEXED}"}),
    ],
)
def test_a_pointer_leads_through_objects_and_arrays(pointer: str, custom: object) -> None:
    assert digest_in_custom(custom, Pointer(pointer), NAME, "t") == f"sha256:{HEXED}"
    assert str(Pointer(pointer)) == pointer


def test_a_short_name_means_what_docker_means_by_it() -> None:
    custom = {"image": f"alpine@sha256:{HEXED}"}
    assert digest_in_custom(custom, Pointer("/image"), "docker.io/library/alpine", "t") == f"sha256:{HEXED}"


@pytest.mark.parametrize(
    "custom",
    [
        None,
        {},
        {"docker_compose_apps": {}},
        {"docker_compose_apps": []},
        {"docker_compose_apps": "x"},
        {"docker_compose_apps": {"web": APPS["docker_compose_apps"]["web"]}},
        {"docker_compose_apps": {"web": {}}},
    ],
)
def test_a_target_without_a_value_for_the_name_does_not_sign_it(custom: object) -> None:
    with pytest.raises(RejectedError) as caught:
        digest_in_custom(custom, APPS_POINTER, NAME, "t")
    assert caught.value.code is Code.TAG_NOT_SIGNED
    assert caught.value.expected == NAME


@pytest.mark.parametrize("index", ["1", "-1", "00", "x", "9999999", "\u0660"])
def test_an_index_that_is_none_leads_nowhere(index: str) -> None:
    assert Pointer(f"/{index}").values_in([5]) == []


@pytest.mark.parametrize("digest", [HEXED, OTHER])
def test_two_values_for_the_name_are_refused_even_if_they_agree(digest: str) -> None:
    custom = {"docker_compose_apps": {"a": {"uri": f"{NAME}@sha256:{HEXED}"}, "b": {"uri": f"{NAME}@sha256:{digest}"}}}
    with pytest.raises(RejectedError, match="must not list") as caught:
        digest_in_custom(custom, APPS_POINTER, NAME, "t")
    assert caught.value.code is Code.MALFORMED


@pytest.mark.parametrize(
    "value",
    [
        5,
        None,
        {"uri": "x"},
        "",
        NAME,
        f"{NAME}:1.0",
        f"{NAME}:1.0@sha256:{HEXED}",
        f"{NAME}@sha256:{HEXED[:-1]}",
        f"{NAME}@sha256:{HEXED.upper()}",
        f"{NAME}@sha512:{HEXED}{HEXED}",
        f"{NAME.upper()}@sha256:{HEXED}",
    ],
)
def test_a_value_that_names_no_image_is_malformed(value: object) -> None:
    with pytest.raises(RejectedError, match="NAME@sha256:HEX") as caught:
        digest_in_custom({"image": value}, Pointer("/image"), NAME, "t")
    assert caught.value.code is Code.MALFORMED


@pytest.mark.parametrize("text", ["", "image", "/a/*/*", "/*/b/*", "/a~2", "/a~", "/" + 1024 * "x", 5, None])
def test_what_is_no_pointer_is_refused(text: Any) -> None:  # noqa: ANN401 - whatever a caller gives
    with pytest.raises(ValueError, match=r"pointer|more than one|must be a text"):
        Pointer(text)


@pytest.mark.parametrize(
    ("digest", "digits"),
    [(f"sha256:{HEXED}", HEXED), (f"sha512:{HEXED}{HEXED}", ""), ("", ""), (f"sha256:{HEXED}0", "")],
)
def test_only_a_sha256_has_digits_for_a_target(digest: str, digits: str) -> None:
    assert hex_of(digest) == digits
