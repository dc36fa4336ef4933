"""What ``[rule.tuf]`` may say."""

import hashlib
from pathlib import Path
from typing import Any

import pytest

from imgsig import Policy, Rule
from imgsig.errors import PolicyError, UsageError
from imgsig.policy import load_authority
from imgsig.sections import RootFile
from imgsig.trust import Evidence
from imgsig.tuf.client import TufAuthority
from imgsig.tuf.settings import RootSha256, Tuf, anchor_sha256, still_satisfies

HEXED = "0123456789abcdef" * 4
URL = "https://tuf.example.com/metadata"
NAME = "registry.example.com/team/app"
LEAST: dict[str, object] = {"metadata-url": URL, "root-sha256": HEXED}


def parse(table: dict[str, object], folder: Path | None = None) -> Tuf:
    return Tuf.parse_section(table, path="rule[0].tuf", folder=folder)


def faults_of(table: dict[str, object], folder: Path | None = None) -> tuple[str, ...]:
    with pytest.raises(PolicyError) as caught:
        parse(table, folder)
    return caught.value.faults


def test_the_least_that_a_section_says() -> None:
    settings = parse(LEAST)
    assert settings == Tuf(anchor=RootSha256(HEXED), metadata_url=URL)
    assert str(settings.target) == "{registry}/{repository}:{tag}"
    assert str(settings.digest_target) == "sha256/{hex}"
    assert settings.custom is None
    assert settings.signers == ()
    assert settings.max_stale_seconds == 0
    assert settings.system == "tuf"
    assert not settings.trusts_first_use
    assert settings.to_items() == LEAST


def test_everything_that_a_section_can_say(tmp_path: Path) -> None:
    (tmp_path / "root.json").write_bytes(b"{}")
    table = {
        "metadata-url": URL,
        "root-file": "root.json",
        "target": "images/{repository}-{tag}",
        "digest-target": "by-digest/{hex}",
        "custom": "/apps/*/uri",
        "signers": ["security", "ö/b c"],
        "max-stale-seconds": 3600,
    }
    settings = parse(table, tmp_path)
    assert settings.anchor == RootFile(b"{}", str(tmp_path / "root.json"))
    assert settings.signers == ("security", "ö/b c")
    items = settings.to_items()
    assert items == table | {"root-file": str(tmp_path / "root.json"), "signers": ("security", "ö/b c")}


def test_a_section_is_written_as_it_is_read(tmp_path: Path) -> None:
    (tmp_path / "root.json").write_bytes(b"{}")
    settings = Tuf(
        anchor=RootFile.load(tmp_path / "root.json"),
        metadata_url=f"{URL}/",
        target="{name}/{tag}",
        custom="/image",
        signers=["security"],
        max_stale_seconds=5,
    )
    policy = Policy((Rule([NAME], tuf=settings),))
    assert Policy.parse(policy.to_toml()) == policy


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        ({"metadata-url": None}, "metadata-url: must be given: the URL of the folder with timestamp.json"),
        ({"metadata-url": 5}, "metadata-url: must be a text, not a number"),
        ({"metadata-url": "tuf.example.com"}, "metadata-url: must be https://HOST[:PORT][/PATH]"),
        ({"metadata-url": "https://user:pass@tuf.example.com"}, "metadata-url: must be https://HOST[:PORT][/PATH]"),
        ({"root-sha256": None}, ": has no anchor: exactly one of root-file, root-sha256 says why a root is trusted"),
        ({"root-file": "root.json"}, ": has 2 anchors (root-file, root-sha256)"),
        ({"root-sha256": HEXED.upper()}, "root-sha256: '0123456789ABCDEF"),
        ({"root-sha256": "00"}, "root-sha256: '00' is no sha256"),
        ({"root-sha256": 5}, "root-sha256: must be a text, not a number"),
        ({"target": "{name}"}, "target: '{name}' must have {tag} in it"),
        ({"target": "{repo}:{tag}"}, "target: '{repo}' is no placeholder"),
        ({"target": 5}, "target: must be a text, not a number"),
        ({"target": ["{name}:{tag}", "{tag}"]}, "target: must be a text, not a list"),
        ({"digest-target": "{tag}/{hex}"}, "digest-target: '{tag}' is no placeholder"),
        ({"digest-target": True}, "digest-target: must be a text, not true or false"),
        ({"custom": "image"}, "custom: 'image' is no JSON pointer"),
        ({"custom": "/*/*"}, "custom: '/*/*' has more than one *"),
        ({"custom": 1}, "custom: must be a text, not a number"),
        ({"signers": "security"}, "signers: must be a list, not a text"),
        ({"signers": [5]}, "signers[0]: must be a text, not a number"),
        ({"signers": [""]}, "signers[0]: must have 1 to 255 characters"),
        ({"signers": [256 * "x"]}, "signers[0]: must have 1 to 255 characters"),
        ({"signers": ["targets"]}, "signers[0]: 'targets' is no delegated role"),
        ({"signers": ["a", "b", "a"]}, "signers[2]: is the same signer as signers[0]"),
        ({"max-stale-seconds": -1}, "max-stale-seconds: must be a whole number from 0"),
        ({"max-stale-seconds": "1"}, "max-stale-seconds: must be a whole number, not a text"),
        ({"first-use": True}, "first-use: unknown key"),
        ({"server": URL}, "server: unknown key"),
        ({"Target": "x"}, "Target: unknown key; did you mean target?"),
    ],
)
def test_what_a_section_may_not_say_is_a_fault(change: dict[str, object], fault: str, tmp_path: Path) -> None:
    (tmp_path / "root.json").write_bytes(b"{}")
    table = {key: value for key, value in (LEAST | change).items() if value is not None}
    (found,) = faults_of(table, tmp_path)
    separator = "" if fault.startswith(":") else "."
    assert found.startswith(f"rule[0].tuf{separator}{fault}")


def test_all_faults_are_told_at_once() -> None:
    table = {"target": "x", "digest-target": "x", "custom": "x", "signers": [""], "max-stale-seconds": -1, "x": 1}
    assert len(faults_of(table)) == 8


def test_a_rule_for_every_registry_may_have_a_section_for_it_knows_its_server() -> None:
    text = f'version = 1\n[[rule]]\nnames = ["**"]\n[rule.tuf]\nmetadata-url = "{URL}"\nroot-sha256 = "{HEXED}"\n'
    assert Policy.parse(text).rules[0].sections[0].server == URL
    with pytest.raises(PolicyError) as caught:
        Policy.parse(text.replace(f'metadata-url = "{URL}"\n', ""))
    assert caught.value.faults == (
        "rule[0].tuf.metadata-url: must be given: the URL of the folder with timestamp.json",
    )


@pytest.mark.parametrize(
    ("arguments", "fault"),
    [
        ({"anchor": HEXED}, "tuf: the anchor must be RootFile or RootSha256"),
        ({"metadata_url": None}, "tuf.metadata-url: must be given"),
        ({"metadata_url": "ftp://x"}, "tuf.metadata-url: must be https"),
        ({"target": "x"}, "tuf.target: 'x' must have {tag}"),
        ({"signers": "alice"}, "tuf.signers: must be a list of names, not one text"),
    ],
)
def test_wrong_arguments_are_faults_too(arguments: dict[str, Any], fault: str) -> None:
    given: dict[str, Any] = {"anchor": RootSha256(HEXED), "metadata_url": URL, **arguments}
    with pytest.raises(PolicyError) as caught:
        Tuf(**given)
    assert caught.value.faults[0].startswith(fault)


def test_every_name_has_the_same_endpoint_but_for_the_name() -> None:
    settings = Tuf(anchor=RootSha256(HEXED), metadata_url=f"{URL}/")
    endpoint = settings.endpoint(NAME)
    assert (endpoint.system, endpoint.name, endpoint.server, endpoint.path, endpoint.scope) == (
        "tuf", NAME, URL, "/", "",
    )


def test_the_server_can_be_another() -> None:
    settings = Tuf(
        anchor=RootSha256(HEXED),
        metadata_url=URL,
        target="x/{tag}",
        custom="/image",
        signers=("a",),
        max_stale_seconds=9,
    )
    other = settings.with_server("https://mirror.example.com/tuf")
    assert other.server == "https://mirror.example.com/tuf"
    assert other.with_server(URL) == settings
    assert Tuf(anchor=RootSha256(HEXED), metadata_url=URL).with_server(URL).custom is None


def test_both_anchors_stand_for_the_same_root() -> None:
    hashed = hashlib.sha256(b"{}").hexdigest()
    anchors = (RootFile(b"{}"), RootSha256(hashed))
    assert [anchor_sha256(anchor) for anchor in anchors] == [hashed, hashed]
    for anchor in anchors:
        assert still_satisfies(Evidence("root-file", (hashed,)), anchor)
        assert still_satisfies(Evidence("root-sha256", (hashed,)), anchor)
        assert not still_satisfies(Evidence("root-file", (HEXED,)), anchor)
        assert not still_satisfies(Evidence("root-keys", (hashed,)), anchor)
        assert not still_satisfies(Evidence("root-file"), anchor)


def test_a_root_that_came_from_no_file_cannot_be_written_into_a_policy() -> None:
    with pytest.raises(UsageError, match="came from no file"):
        Tuf(anchor=RootFile(b"{}"), metadata_url=URL).to_items()


@pytest.mark.parametrize("sha256", [5, None, "", HEXED[1:], HEXED.upper(), f"sha256:{HEXED}", HEXED + "\n"])
def test_a_hash_that_is_none_is_no_anchor(sha256: Any) -> None:  # noqa: ANN401 - whatever a caller gives
    with pytest.raises(PolicyError, match="root-sha256"):
        RootSha256(sha256)


def test_the_policy_knows_the_authority() -> None:
    assert isinstance(load_authority(Tuf(anchor=RootSha256(HEXED), metadata_url=URL)), TufAuthority)


def test_settings_can_be_looked_up() -> None:
    one, same = (Tuf(anchor=RootSha256(HEXED), metadata_url=URL, signers=["a"]) for _ in range(2))
    assert len({one, same}) == 1
