"""TUF's documents, decoded strictly."""

import copy
import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from imgsig.codes import Code
from imgsig.errors import RejectedError
from imgsig.limits import Limits
from imgsig.tuf.metadata import parse_root, parse_snapshot, parse_targets, parse_timestamp
from tests.support.canonical import canonical
from tests.support.repository import NAME
from tests.support.signing import Json
from tests.support.tuf_keys import tuf_key
from tests.support.tuf_repository import TufRepository

LIMITS = Limits()
PARSERS: dict[str, Callable[[bytes], Any]] = {
    "root": lambda body: parse_root(body, LIMITS),
    "timestamp": lambda body: parse_timestamp(body, LIMITS),
    "snapshot": lambda body: parse_snapshot(body, LIMITS),
    "targets": lambda body: parse_targets(body, "targets", LIMITS),
}
ROLES = tuple(PARSERS)


def repository() -> TufRepository:
    made = TufRepository(hashes=True, publish=False)
    made.add_delegation("team", tuf_key("team"), tuf_key("team", "p256"), paths=["a/*", "b"])
    made.add_delegation("bins", prefixes=["0", "1f"], terminating=True)
    made.publish()
    return made


BODIES = repository().current


def signed(role: str) -> Json:
    found: Json = json.loads(BODIES[role])["signed"]
    return copy.deepcopy(found)


def parse(role: str, content: Json) -> Any:  # noqa: ANN401 - a document of whatever kind
    return PARSERS[role](json.dumps({"signed": content, "signatures": []}).encode())


def fault(role: str, content: Json) -> RejectedError:
    with pytest.raises(RejectedError) as caught:
        parse(role, content)
    assert caught.value.code is Code.MALFORMED
    return caught.value


def put(content: Json, path: str, value: object) -> None:
    """Set, or with `...` remove, what stands at a path of member names and indices."""
    *way, last = path.split(".")
    at: Any = content
    for part in way:
        at = at[int(part) if isinstance(at, list) else part]
    key: Any = int(last) if isinstance(at, list) else last
    if value is ...:
        del at[key]
    else:
        at[key] = value


@pytest.mark.parametrize("role", ROLES)
def test_the_message_is_the_canonical_form_of_what_came(role: str) -> None:
    document = PARSERS[role](BODIES[role])
    assert document.message == canonical(signed(role))
    compact = json.dumps({"signed": signed(role), "signatures": []}, sort_keys=True, separators=(",", ":")).encode()
    assert PARSERS[role](compact).message == document.message


@pytest.mark.parametrize("indent", [None, 0, 1, "\t"])
@pytest.mark.parametrize("ordered", [True, False])
@pytest.mark.parametrize("note", ["plain", "with  space\tand\nline", " ", 'a "b"', "", "ö \u2028"])
def test_the_message_does_not_depend_on_how_a_document_is_laid_out(indent: Any, ordered: bool, note: str) -> None:  # noqa: ANN401 - what json takes
    content = signed("targets") | {"x-note": {note: [note, 1, -1, 0, True, None, [], {}]}}
    text = json.dumps({"signed": content, "signatures": []}, indent=indent, sort_keys=ordered, ensure_ascii=False)
    assert parse_targets(text.encode(), "targets", LIMITS).message == canonical(content)


@pytest.mark.parametrize("text", ['a "b" \\ c', "\x00\x1f\x7f", "ö\u2028𝄞", "</script>&"])
def test_the_message_of_unusual_texts_is_canonical_too(text: str) -> None:
    content = signed("timestamp") | {"x-note": {text: [text, 5, True, None, {}]}}
    assert parse("timestamp", content).message == canonical(content)


@pytest.mark.parametrize("role", ROLES)
def test_unknown_members_are_kept_in_the_message_and_mean_nothing(role: str) -> None:
    content = signed(role) | {"x-note": {"b": 1, "a": [1]}}
    assert b'"x-note":{"a":[1],"b":1}' in parse(role, content).message
    body = json.dumps({"signed": content, "signatures": [], "x": 1}).encode()
    assert PARSERS[role](body).signatures == {}


def test_a_root_says_who_may_sign() -> None:
    document = parse_root(BODIES["root"], LIMITS)
    assert document.model.version == 1
    assert document.model.expires == datetime(2090, 1, 1, tzinfo=UTC)
    assert document.model.consistent_snapshot
    assert set(document.model.roles) == {"root", "timestamp", "snapshot", "targets"}
    key = tuf_key("root 0")
    assert document.keys[key.id].to_dict() == key.to_json()
    assert list(document.signatures) == [key.id]


def test_a_root_without_consistent_snapshot_has_none() -> None:
    content = signed("root")
    del content["consistent_snapshot"]
    assert parse("root", content).model.consistent_snapshot is False


def test_a_key_of_an_unknown_type_is_left_out() -> None:
    content = signed("root")
    content["keys"]["ab" * 32] = {"keytype": "quantum", "scheme": "q", "keyval": {}}
    content["keys"]["cd" * 32] = {"keytype": "rsa", "scheme": "pgp+rsa-pkcsv1.5", "keyval": {"x": 1}}
    assert len(parse("root", content).keys) == 4


def test_targets_say_what_stands_at_a_path() -> None:
    content = signed("targets")
    content["targets"][f"{NAME}:latest"]["custom"] = {"a": [1]}
    document = parse("targets", content)
    target = document.target(f"{NAME}:latest")
    assert target is not None
    assert target.length == content["targets"][f"{NAME}:latest"]["length"]
    assert target.hashes == content["targets"][f"{NAME}:latest"]["hashes"]
    assert target.custom == {"a": [1]}
    assert document.target("nothing") is None
    assert set(document.keys) == {tuf_key("team").id, tuf_key("team", "p256").id, tuf_key("bins 0").id}
    plain = parse("targets", content | {"targets": {"x": {"length": 0, "hashes": {"md5": ""}}}})
    assert plain.target("x").custom is None


COMMON = [
    ("_type", ..., "must be given, as a text"),
    ("_type", "mirrors", "must be"),
    ("_type", 5, "must be a text"),
    ("version", ..., "must be given, as an integer"),
    ("version", 0, "must be at least 1"),
    ("version", -1, "must be at least 1"),
    ("version", "1", "must be an integer"),
    ("version", True, "must be an integer"),
    ("version", None, "must be an integer"),
    ("spec_version", ..., "must be given, as a text"),
    ("spec_version", "2.0.0", "breaks the format"),
    ("spec_version", "1", "breaks the format"),
    ("spec_version", "", "breaks the format"),
    ("spec_version", 1, "must be a text"),
    ("expires", ..., "must be given, as a text"),
    ("expires", "2090-01-01", "must be a time in UTC"),
    ("expires", "2090-01-01T00:00:00", "must be a time in UTC"),
    ("expires", "2090-01-01T00:00:00+00:00", "must be a time in UTC"),
    ("expires", "2090-01-01T00:00:00.5Z", "must be a time in UTC"),
    ("expires", "2090-1-1T0:0:0Z", "must be a time in UTC"),
    ("expires", "2090-02-30T00:00:00Z", "must be a time of the calendar"),
    ("expires", "2090-01-01T00:00:60Z", "must be a time of the calendar"),
    ("expires", 0, "must be a text"),
]


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize(("path", "value", "why"), COMMON)
def test_what_every_document_must_say(role: str, path: str, value: object, why: str) -> None:
    content = signed(role)
    put(content, path, value)
    assert why in str(fault(role, content))


KEY = tuf_key("root 0").id
TEAM = tuf_key("team").id


@pytest.mark.parametrize(
    ("role", "path", "value"),
    [
        ("root", "keys", ...),
        ("root", "keys", []),
        ("root", f"keys.{KEY}", []),
        ("root", f"keys.{KEY}.keytype", ...),
        ("root", f"keys.{KEY}.scheme", 5),
        ("root", f"keys.{KEY}.keyval", "x"),
        ("root", f"keys.{KEY}.keyval.public", ...),
        ("root", f"keys.{KEY}.keyval.public", 5),
        ("root", "roles", ...),
        ("root", "roles.targets", ...),
        ("root", "roles.mirrors", {"keyids": [], "threshold": 1}),
        ("root", "roles.targets", None),
        ("root", "roles.targets.keyids", ...),
        ("root", "roles.targets.keyids", "x"),
        ("root", "roles.targets.keyids", [5]),
        ("root", "roles.targets.keyids", ["a", "a"]),
        ("root", "roles.targets.threshold", ...),
        ("root", "roles.targets.threshold", 0),
        ("root", "roles.targets.threshold", True),
        ("root", "roles.targets.threshold", "1"),
        ("root", "consistent_snapshot", None),
        ("root", "consistent_snapshot", 1),
        ("timestamp", "meta", ...),
        ("timestamp", "meta", []),
        ("timestamp", "meta", {}),
        ("timestamp", "meta", {"targets.json": {"version": 1}}),
        ("timestamp", "meta", {"snapshot.json": None}),
        ("timestamp", "meta", {"snapshot.json": {}}),
        ("timestamp", "meta", {"snapshot.json": {"version": 0}}),
        ("timestamp", "meta", {"snapshot.json": {"version": True}}),
        ("timestamp", "meta", {"snapshot.json": {"version": 1, "length": -1}}),
        ("timestamp", "meta", {"snapshot.json": {"version": 1, "length": None}}),
        ("timestamp", "meta", {"snapshot.json": {"version": 1, "hashes": {}}}),
        ("timestamp", "meta", {"snapshot.json": {"version": 1, "hashes": {"sha256": 5}}}),
        ("timestamp", "meta", {"snapshot.json": {"version": 1, "hashes": None}}),
        ("snapshot", "meta", ...),
        ("snapshot", "meta", {"targets": {"version": 1}}),
        ("snapshot", "meta", {"targets.json": {"version": "1"}}),
        ("snapshot", "meta", {"targets.json": 1}),
        ("targets", "targets", ...),
        ("targets", "targets", []),
        ("targets", "targets", {"x": None}),
        ("targets", "targets", {"x": {"hashes": {"sha256": "00"}}}),
        ("targets", "targets", {"x": {"length": -1, "hashes": {"sha256": "00"}}}),
        ("targets", "targets", {"x": {"length": True, "hashes": {"sha256": "00"}}}),
        ("targets", "targets", {"x": {"length": 1}}),
        ("targets", "targets", {"x": {"length": 1, "hashes": {}}}),
        ("targets", "targets", {"x": {"length": 1, "hashes": {"sha256": None}}}),
        ("targets", "targets", {"x": {"length": 1, "hashes": "x"}}),
        ("targets", "delegations", None),
        ("targets", "delegations", {}),
        ("targets", "delegations", {"keys": {}}),
        ("targets", "delegations.keys", ...),
        ("targets", "delegations.roles", None),
        ("targets", "delegations.roles.0", 5),
        ("targets", "delegations.roles.0.name", ...),
        ("targets", "delegations.roles.0.name", ""),
        ("targets", "delegations.roles.0.name", "targets"),
        ("targets", "delegations.roles.0.name", "root"),
        ("targets", "delegations.roles.0.name", "bins"),
        ("targets", "delegations.roles.0.keyids", ...),
        ("targets", "delegations.roles.0.threshold", 0),
        ("targets", "delegations.roles.0.terminating", ...),
        ("targets", "delegations.roles.0.terminating", 0),
        ("targets", "delegations.roles.0.paths", ...),
        ("targets", "delegations.roles.0.paths", "x"),
        ("targets", "delegations.roles.0.paths", [5]),
        ("targets", "delegations.roles.0.path_hash_prefixes", ["0"]),
        ("targets", "delegations.roles.1.path_hash_prefixes", [0]),
        ("targets", "delegations.succinct_roles", {"keyids": [], "threshold": 1, "bit_length": 1, "name_prefix": "b"}),
        ("targets", f"delegations.keys.{TEAM}.keyval", {}),
    ],
)
def test_a_document_that_breaks_its_format_is_malformed(role: str, path: str, value: object) -> None:
    content = signed(role)
    put(content, path, value)
    error = fault(role, content)
    assert error.subject.startswith(f"{role}.signed")


@pytest.mark.parametrize(
    "change", [{"bit_length": 0}, {"bit_length": 33}, {"bit_length": True}, {"name_prefix": 5}, {"threshold": 0}]
)
def test_bins_that_break_their_format_are_malformed(change: Json) -> None:
    content = signed("targets")
    bins = {"keyids": [], "threshold": 1, "bit_length": 8, "name_prefix": "bins"}
    content["delegations"] = {"keys": {}, "succinct_roles": bins}
    assert parse("targets", content).model.delegations.succinct_roles.bit_length == 8
    content["delegations"]["succinct_roles"] = bins | change
    fault("targets", content)


@pytest.mark.parametrize(
    ("signatures", "why"),
    [
        (None, "must be an array"),
        ({}, "must be an array"),
        ([5], "must be an object"),
        ([{"sig": "00"}], "must be given, as a text"),
        ([{"keyid": "a"}], "must be given, as a text"),
        ([{"keyid": "a", "sig": 5}], "must be a text"),
        ([{"keyid": 5, "sig": "00"}], "must be a text"),
        ([{"keyid": "a", "sig": "00"}, {"keyid": "a", "sig": "00"}], "must be there once"),
        ([{"keyid": str(number), "sig": ""} for number in range(1025)], "must be at most 1024"),
    ],
)
def test_signatures_that_break_their_format_are_malformed(signatures: object, why: str) -> None:
    body = json.dumps({"signed": signed("timestamp"), "signatures": signatures}).encode()
    with pytest.raises(RejectedError) as caught:
        parse_timestamp(body, LIMITS)
    assert caught.value.code is Code.MALFORMED
    assert why in str(caught.value)


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize(
    "number", ["1.0", "1e0", "1.5", "1E400", "NaN", "Infinity", "-Infinity", "9007199254740993", "1" + 400 * "0"]
)
def test_a_number_that_is_no_plain_integer_is_refused_wherever_it_stands(role: str, number: str) -> None:
    text = json.dumps({"signed": signed(role) | {"x-note": ["here"]}, "signatures": []})
    with pytest.raises(RejectedError) as caught:
        PARSERS[role](text.replace('"here"', number).encode())
    assert caught.value.code is Code.MALFORMED


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{}",
        b"[]",
        b"null",
        b'{"signed":{}}',
        b'{"signatures":[]}',
        b'{"signed":5,"signatures":[]}',
        b'{"signed":{},"signed":{},"signatures":[]}',
        b'{"signed":{"a":1,"a":1},"signatures":[]}',
        b'{"signed":{},"signatures":[]} x',
        b'\xef\xbb\xbf{"signed":{},"signatures":[]}',
        b'{"signed":{"\xff":1},"signatures":[]}',
        b'{"signed":{"\\ud800":1},"signatures":[]}',
        b'{"signed":' + 100_000 * b"[" + b"}",
        b'{"signed":' + 100_000 * b'{"a":' + b"}",
    ],
)
def test_what_is_no_document_is_malformed(role: str, body: bytes) -> None:
    with pytest.raises(RejectedError) as caught:
        PARSERS[role](body)
    assert caught.value.code is Code.MALFORMED


@pytest.mark.parametrize("role", ["Root", "Timestamp", "Snapshot", "Targets"])
def test_a_document_of_docker_content_trust_is_named(role: str) -> None:
    error = fault(role.lower(), signed(role.lower()) | {"_type": role})
    assert "Docker Content Trust, which [rule.notary] is for" in str(error)


def test_a_fault_in_a_delegation_s_document_names_the_role() -> None:
    body = json.dumps({"signed": signed("targets") | {"version": 0}, "signatures": []}).encode()
    with pytest.raises(RejectedError, match="'team/a'"):
        parse_targets(body, "team/a", LIMITS)
