import pickle
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from imgsig.authority import Settings
from imgsig.errors import PolicyError, UsageError
from imgsig.limits import Limits
from imgsig.notary.settings import FirstUse, Notary, RootCA, RootKeys
from imgsig.sections import RootFile
from imgsig.source import Endpoint
from tests.support.root_certificates import CertificateForm, certify
from tests.support.signing import bare, private_key

KEY = "c1" * 32
OTHER = "d2" * 32
CA = certify(CertificateForm("an authority", authority=True)).pem
PEM_KEY = (
    "-----BEGIN PUBLIC KEY-----\n"
    "MCowBQYDK2VwAyEAmpo02pxWya4A/Kl5BHYCvnnrAyuW6DmA4ETNqcQwO/c=\n"
    "-----END PUBLIC KEY-----\n"
)
PEM_KEY_ID = "d3892b882075ebf2f0d046960700ff0a3158f0a97429dfbc48a98918c1b36078"


def parse(table: Mapping[str, object], folder: Path | None = None) -> Notary:
    return Notary.parse_section(table, path="rule[1].notary", folder=folder)


def faults_of(table: Mapping[str, object], folder: Path | None = None) -> tuple[str, ...]:
    with pytest.raises(PolicyError) as caught:
        parse(table, folder)
    return caught.value.faults


def test_a_section_says_anchor_server_signers_and_how_stale_an_answer_may_be() -> None:
    notary = parse(
        {
            "server": "https://notary.example.com/",
            "root-keys": [KEY, PEM_KEY],
            "signers": ["alice", "team/bob-2_x"],
            "max-stale-seconds": 3600,
        }
    )
    assert notary == Notary(
        anchor=RootKeys([KEY, PEM_KEY_ID]),
        server="https://notary.example.com",
        signers=["alice", "team/bob-2_x"],
        max_stale_seconds=3600,
    )
    assert notary.signers == ("alice", "team/bob-2_x")


def test_settings_are_settings() -> None:
    def system_of(settings: Settings) -> str:
        return settings.system

    assert system_of(parse({"first-use": True})) == "notary"


@pytest.mark.parametrize(
    ("name", "server"),
    [
        ("docker.io/library/alpine", "https://notary.docker.io"),
        ("quay.io/team/app", "https://quay.io"),
        ("localhost:5000/app", "https://localhost:5000"),
        ("[::1]:5000/app", "https://[::1]:5000"),
    ],
)
def test_the_server_goes_with_the_registry_unless_one_is_given(name: str, server: str) -> None:
    path, scope = f"/v2/{name}/_trust/tuf/", f"repository:{name}:pull"
    assert Notary(anchor=FirstUse()).endpoint(name) == Endpoint("notary", name, server, path, scope)
    own = Notary(anchor=FirstUse(), server="http://127.0.0.1:4443/trust/")
    assert own.endpoint(name) == Endpoint("notary", name, "http://127.0.0.1:4443/trust", path, scope)


@pytest.mark.parametrize(
    ("url", "kept"),
    [
        ("https://notary.example.com", "https://notary.example.com"),
        ("https://notary.example.com:4443//", "https://notary.example.com:4443"),
        ("http://localhost", "http://localhost"),
        ("https://[::1]:4443/a/b%20c/", "https://[::1]:4443/a/b%20c"),
        ("https://notary_server:65535/", "https://notary_server:65535"),
    ],
)
def test_a_server_is_kept_as_the_rule_spells_it_without_a_slash_at_its_end(url: str, kept: str) -> None:
    assert parse({"first-use": True, "server": url}).server == kept


@pytest.mark.parametrize(
    ("url", "fault"),
    [
        ("", "must be https://HOST"),
        ("notary.example.com", "must be https://HOST"),
        ("//notary.example.com", "must be https://HOST"),
        ("ftp://notary.example.com", "must be https://HOST"),
        ("HTTPS://notary.example.com", "must be https://HOST"),
        ("https://", "must be https://HOST"),
        ("https:///v2", "must be https://HOST"),
        ("https://user:secret@notary.example.com", "must be https://HOST"),
        ("https://notary.example.com?x=1", "must be https://HOST"),
        ("https://notary.example.com/#x", "must be https://HOST"),
        ("https://notary.example.com\n", "must be https://HOST"),
        ("https://notary.example.com/a b", "must be https://HOST"),
        ("https://n\u00f6tary.example.com", "must be https://HOST"),
        ("https://notary.example.com/n\u00f6", "must be https://HOST"),
        ("https://notary.example.com\\@evil.example", "must be https://HOST"),
        ("https://notary.example.com:", "must be https://HOST"),
        ("https://notary.example.com:x", "must be https://HOST"),
        ("https://[::1", "must be https://HOST"),
        ("https://a/" + "b" * 2048, "must be https://HOST"),
        ("https://notary.example.com:0", "the port must be"),
        ("https://notary.example.com:65536", "the port must be"),
        ("https://notary.example.com/a/../b", "must not have"),
        ("https://notary.example.com/.", "must not have"),
    ],
)
def test_what_is_no_server_is_a_fault_that_does_not_show_it(url: str, fault: str) -> None:
    (found,) = faults_of({"first-use": True, "server": url})
    assert found.startswith("rule[1].notary.server: ")
    assert fault in found
    assert "secret" not in found


@pytest.mark.parametrize(
    ("signer", "fault"),
    [
        (5, "must be a text, not a number"),
        ("", "is no signer"),
        ("Alice", "is no signer"),
        ("al.ice", "is no signer"),
        ("al ice", "is no signer"),
        ("/alice", "is no signer"),
        ("alice/", "is no signer"),
        ("a//b", "is no signer"),
        ("alice\n", "is no signer"),
        ("\u0430lice", "is no signer"),
        ("targets/alice", "write 'alice'"),
        ("releases", "docker's own first choice"),
        ("a" * 248, "is too long"),
    ],
)
def test_a_signer_is_the_name_of_a_delegation(signer: object, fault: str) -> None:
    (found,) = faults_of({"first-use": True, "signers": ["bob", signer]})
    assert found.startswith("rule[1].notary.signers[1]: ")
    assert fault in found


def test_the_longest_signer_is_as_long_as_a_role_may_be() -> None:
    assert parse({"first-use": True, "signers": ["a" * 247]}).signers == ("a" * 247,)


def test_a_signer_below_releases_is_one_of_its_own() -> None:
    assert parse({"first-use": True, "signers": ["releases/x"]}).signers == ("releases/x",)


def test_the_same_signer_twice_is_a_fault() -> None:
    assert faults_of({"first-use": True, "signers": ["bob", "alice", "bob"]}) == (
        "rule[1].notary.signers[2]: is the same signer as signers[0]",
    )


@pytest.mark.parametrize("seconds", [True, 1.0, "1", -1, 10**10, 2**70])
def test_stale_seconds_are_a_whole_number_within_ten_years(seconds: object) -> None:
    (found,) = faults_of({"first-use": True, "max-stale-seconds": seconds})
    assert found.startswith("rule[1].notary.max-stale-seconds: must be a whole number")


@pytest.mark.parametrize("table", [{}, {"server": "https://a.example"}])
def test_a_section_without_anchor_is_a_fault(table: Mapping[str, object]) -> None:
    (found,) = faults_of(table)
    assert found.startswith("rule[1].notary: has no anchor")


def test_two_anchors_are_a_fault() -> None:
    (found,) = faults_of({"root-keys": [KEY], "first-use": True})
    assert found.startswith("rule[1].notary: has 2 anchors (root-keys, first-use)")


@pytest.mark.parametrize("value", [False, 1, "true", []])
def test_first_use_is_true_or_is_not_there(value: object) -> None:
    assert faults_of({"first-use": value}) == ("rule[1].notary.first-use: must be true, or not be there",)


def test_every_fault_is_told_at_its_place() -> None:
    assert [fault.split(": ")[0] for fault in faults_of(
        {
            "sever": "https://a.example",
            "server": 5,
            "root-keys": [KEY, "x", KEY, OTHER.upper()],
            "root-ca": "ca.pem",
            "signers": "alice",
            "max-stale-seconds": True,
        }
    )] == [
        "rule[1].notary.sever",
        "rule[1].notary.root-keys[1]",
        "rule[1].notary.root-keys[2]",
        "rule[1].notary.root-keys[3]",
        "rule[1].notary.root-ca",
        "rule[1].notary",
        "rule[1].notary.server",
        "rule[1].notary.signers",
        "rule[1].notary.max-stale-seconds",
    ]


def test_a_misspelt_key_is_recognised() -> None:
    assert faults_of({"first-use": True, "root_key": [KEY]}) == (
        "rule[1].notary.root_key: unknown key; did you mean root-keys?",
    )


@pytest.mark.parametrize("pins", [[], "x", {}, 5])
def test_root_keys_are_a_list_with_a_key_in_it(pins: object) -> None:
    (found,) = faults_of({"root-keys": pins})
    assert found.startswith("rule[1].notary.root-keys: must")


def test_the_same_key_as_id_and_as_public_key_is_a_fault() -> None:
    with pytest.raises(PolicyError) as caught:
        RootKeys([PEM_KEY, KEY, PEM_KEY_ID])
    assert caught.value.faults == ("root-keys[2]: is the same key as root-keys[0]",)


def test_a_public_key_is_pinned_by_its_id() -> None:
    assert RootKeys([PEM_KEY]).pins == (PEM_KEY_ID,)
    assert RootKeys(bare(private_key("p256", "x")).true_id for _ in range(1)).pins


def test_files_are_relative_to_the_folder_of_the_policy(tmp_path: Path) -> None:
    (tmp_path / "ca.pem").write_bytes(b"an authority\n" + CA)
    (tmp_path / "root.json").write_bytes(b"{}")
    assert parse({"root-ca": "ca.pem"}, tmp_path).anchor == RootCA(b"an authority\n" + CA, str(tmp_path / "ca.pem"))
    assert parse({"root-file": "root.json"}, tmp_path).anchor == RootFile(b"{}", str(tmp_path / "root.json"))
    absolute = {"root-ca": str(tmp_path / "ca.pem")}
    assert parse(absolute) == parse(absolute, tmp_path / "elsewhere") == parse({"root-ca": "ca.pem"}, tmp_path)


@pytest.mark.parametrize("key", ["root-ca", "root-file"])
def test_a_file_that_cannot_be_used_is_a_fault(key: str, tmp_path: Path) -> None:
    (tmp_path / "empty").write_bytes(b" \n")
    with (tmp_path / "large").open("wb") as file:
        file.truncate(Limits().max_anchor_bytes + 1)
    place = f"rule[1].notary.{key}: "
    holds = "no certificate in PEM" if key == "root-ca" else "no root document"
    for value, fault in {
        "": "must not be empty",
        "missing": f"'{tmp_path}/missing': cannot be read: no such file or directory",
        ".": f"'{tmp_path}': cannot be read: is a directory",
        "nu\0l": f"'{tmp_path}/nu\\x00l': is no path of a file",
        "large": f"'{tmp_path}/large': is larger than {Limits().max_anchor_bytes} bytes",
        "empty": f"'{tmp_path}/empty' holds {holds}",
    }.items():
        assert faults_of({key: value}, tmp_path) == (place + fault,)
    assert faults_of({key: 5}, tmp_path) == (place + "must be a text, not a number",)
    assert faults_of({key: "missing"}) == (
        place + "'missing' must be an absolute path, for this policy is in no folder",
    )


def test_anchors_can_be_loaded_from_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "ca.pem").write_bytes(CA)
    (tmp_path / "root.json").write_bytes(b"{}")
    monkeypatch.chdir(tmp_path)
    assert RootCA.load("ca.pem") == RootCA(CA, str(tmp_path / "ca.pem"))
    assert RootFile.load(Path("root.json")) == RootFile(b"{}", str(tmp_path / "root.json"))
    with pytest.raises(PolicyError, match="root-ca: 'missing': cannot be read"):
        RootCA.load("missing")


@pytest.mark.parametrize("value", [b"", b"-----BEGIN CERTIFICATE-----", b"-----BEGIN PUBLIC KEY-----", "ca.pem"])
def test_an_authority_is_a_certificate_in_pem(value: bytes) -> None:
    with pytest.raises(PolicyError, match="root-ca: holds no certificate"):
        RootCA(value)


@pytest.mark.parametrize("value", [b"", b"  ", "root.json"])
def test_a_root_file_is_a_document(value: bytes) -> None:
    with pytest.raises(PolicyError, match="root-file: holds no root document"):
        RootFile(value)


@pytest.mark.parametrize("anchor", [RootCA(CA), RootFile(b"{}")])
def test_an_anchor_from_no_file_cannot_be_written_into_a_policy(anchor: RootCA | RootFile) -> None:
    with pytest.raises(UsageError, match=f"a {anchor.kind} that came from no file"):
        Notary(anchor=anchor).to_items()


def test_kinds_are_the_words_of_evidence() -> None:
    assert [anchor.kind for anchor in (RootKeys, RootCA, RootFile, FirstUse)] == [
        "root-keys", "root-ca", "root-file", "first-use",
    ]


@pytest.mark.parametrize(
    "table",
    [
        {"first-use": True},
        {"server": "https://a.example", "root-keys": (KEY, OTHER), "signers": ("alice",), "max-stale-seconds": 5},
    ],
)
def test_a_section_can_be_written_again(table: Mapping[str, object]) -> None:
    lists = {key: list(value) if isinstance(value, tuple) else value for key, value in table.items()}
    assert parse(lists).to_items() == table


def test_wrong_values_are_refused_in_programs_too() -> None:
    wrong: Any = None
    with pytest.raises(PolicyError) as caught:
        Notary(anchor=wrong, server="x", signers=["A"], max_stale_seconds=-1)
    assert [fault.split(": ")[0] for fault in caught.value.faults] == [
        "notary", "notary.server", "notary.signers[0]", "notary.max-stale-seconds",
    ]
    with pytest.raises(PolicyError, match=r"notary\.signers: must be a list"):
        Notary(anchor=FirstUse(), signers="alice")
    with pytest.raises(PolicyError, match="root-keys: must be a list"):
        RootKeys(KEY)


def test_a_server_can_be_put_in_place_of_another() -> None:
    notary = Notary(anchor=RootKeys([KEY]), server="https://a.example", signers=["alice"], max_stale_seconds=5)
    assert notary.with_server("https://b.example/") == replace(notary, server="https://b.example")
    with pytest.raises(PolicyError, match=r"notary\.server: must be https"):
        notary.with_server("b.example")


def test_only_first_use_trusts_first_use() -> None:
    assert Notary(anchor=FirstUse()).trusts_first_use
    assert not Notary(anchor=RootKeys([KEY])).trusts_first_use


def test_settings_are_values() -> None:
    notary = Notary(anchor=RootKeys([KEY]), signers=["alice"])
    assert pickle.loads(pickle.dumps(notary)) == notary  # noqa: S301 - its own pickle
    assert {notary} == {Notary(anchor=RootKeys((KEY,)), signers=("alice",))}
    assert replace(notary, server="https://a.example").server == "https://a.example"
    with pytest.raises(AttributeError):
        notary.server = "https://a.example"  # type: ignore[misc]
