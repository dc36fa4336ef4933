"""Notary's documents: which are read, as what, and where each of the others breaks."""

import base64
import copy
import hashlib
import json
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from imgsig.codes import Code
from imgsig.errors import RejectedError
from imgsig.limits import Limits
from imgsig.notary.metadata import (
    FileInfo,
    Role,
    Root,
    Snapshot,
    Targets,
    Timestamp,
    digests,
    is_delegation_name,
    parse_root,
    parse_snapshot,
    parse_targets,
    parse_timestamp,
)
from tests.support.canonical import canonical
from tests.support.repository import SignedRepository, envelope

LIMITS = Limits()
Json = dict[str, Any]
Change = Callable[[Json], object]
LONG_AGO = datetime(1, 1, 1, tzinfo=UTC)
FAR_AHEAD = datetime(9999, 12, 31, 23, 59, 59, 999999, UTC)


def _repository() -> SignedRepository:
    repository = SignedRepository(publish=False)
    repository.add_delegation("targets/releases", tags=("latest",), paths=("l", ""))
    repository.add_delegation("targets/releases/a", metadata=False, paths=None)
    repository.add_target("1.0", custom={"any": [1, None, "x"]})
    repository.publish()
    return repository


REPOSITORY = _repository()
ROLES = ("root", "timestamp", "snapshot", "targets", "targets/releases")
BODIES = {role: REPOSITORY.current[role] for role in ROLES}


def read(role: str, body: bytes, limits: Limits = LIMITS) -> Root | Timestamp | Snapshot | Targets:
    match role:
        case "root":
            return parse_root(body, limits)
        case "timestamp":
            return parse_timestamp(body, limits)
        case "snapshot":
            return parse_snapshot(body, limits)
        case _:
            return parse_targets(body, role, limits)


def changed(role: str, change: Change) -> bytes:
    """Return a role's file with a change in ``signed``; the signatures stay, for nobody looks at them here."""
    document = json.loads(BODIES[role])
    change(document["signed"])
    return json.dumps(document).encode()


def fault(role: str, body: bytes, limits: Limits = LIMITS) -> RejectedError:
    with pytest.raises(RejectedError) as caught:
        read(role, body, limits)
    return caught.value


def place(role: str, change: Change) -> str:
    """Return the path at which the changed document breaks."""
    error = fault(role, changed(role, change))
    assert error.code is Code.MALFORMED
    return error.subject


def setting(*path: str | int, to: object) -> Change:
    def change(signed: Json) -> None:
        found: Any = signed
        for part in path[:-1]:
            found = found[part]
        found[path[-1]] = to

    return change


def without(*path: str | int) -> Change:
    def change(signed: Json) -> None:
        found: Any = signed
        for part in path[:-1]:
            found = found[part]
        del found[path[-1]]

    return change


# -- the envelope ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("role", ROLES)
def test_a_document_is_read_with_its_message_and_signatures(role: str) -> None:
    document = read(role, BODIES[role])
    written = json.loads(BODIES[role])
    assert document.version == 1
    assert document.expires == datetime(2090, 1, 1, tzinfo=UTC)
    assert document.envelope.message == canonical(written["signed"])
    (entry,) = document.envelope.signatures
    assert (entry.key_id, entry.method) == (written["signatures"][0]["keyid"], "ecdsa")
    assert entry.value == base64.b64decode(written["signatures"][0]["sig"])


@pytest.mark.parametrize("role", ROLES)
def test_the_message_does_not_depend_on_how_the_document_is_written(role: str) -> None:
    document = json.loads(BODIES[role])
    document["signed"]["unknown"] = '\x01\u2028\\"\u00e9'
    odd = json.dumps({"extra": [1.5], **dict(reversed(document.items()))}, indent=3).encode()
    assert read(role, odd).envelope.message == canonical(document["signed"])


def test_a_number_is_signed_as_the_client_signs_it() -> None:
    text = canonical(json.loads(BODIES["targets"])["signed"])[:-1]
    body = envelope(text + b',"z":[1.0,1e3,-0,1e-400,9007199254740992]}', [])
    assert read("targets", body).envelope.message.endswith(b',"z":[1,1000,0,0,9007199254740992]}')
    for number in (b"1.5", b"9007199254740993", b"9223372036854775808", b"123456789012345678901"):
        assert fault("targets", envelope(text + b',"z":' + number + b"}", [])).code is Code.MALFORMED


def with_signatures(signatures: object) -> bytes:
    return envelope(canonical(json.loads(BODIES["targets"])["signed"]), signatures)


@pytest.mark.parametrize(
    ("signatures", "expected"),
    [
        (None, []),
        ([], []),
        ([None], [("", "", b"")]),
        ([{}], [("", "", b"")]),
        ([{"keyid": None, "method": None, "sig": None}], [("", "", b"")]),
        ([{"keyid": "AB", "method": "RSAPSS", "sig": "YQ==", "extra": {}}], [("AB", "rsapss", b"a")]),
        ([{"keyid": "a", "method": "rsap\u212acs1v15", "sig": ""}], [("a", "rsapkcs1v15", b"")]),
        ([{"sig": "Y\r\nQ=="}, {"keyid": "b"}], [("", "", b"a"), ("b", "", b"")]),
    ],
)
def test_signature_entries_that_are_read(signatures: object, expected: list[tuple[str, str, bytes]]) -> None:
    entries = read("targets", with_signatures(signatures)).envelope.signatures
    assert [(entry.key_id, entry.method, entry.value) for entry in entries] == expected


@pytest.mark.parametrize(
    "signatures",
    [
        {}, "", 1, True, ["x"], [1], [[]], [{"keyid": 1}], [{"method": []}], [{"sig": 1}], [{"sig": "!"}],
        [{"sig": "YQ"}],
        [{"sig": "YWJj="}], [{"sig": []}], [{"KEYID": "a"}], [{"\u017fig": "YQ=="}], [{"\u212aeyid": "a"}],
        [{}, {}, {"sig": True}],
    ],
)  # fmt: skip
def test_a_bad_signature_entry_breaks_the_document_whoever_it_is_of(signatures: object) -> None:
    error = fault("targets", with_signatures(signatures))
    assert error.code is Code.MALFORMED
    assert error.subject.startswith("targets.signatures")


def test_a_document_without_signatures_is_read_for_others_to_refuse() -> None:
    text = canonical(json.loads(BODIES["root"])["signed"])
    assert read("root", b'{"signed":' + text + b"}").envelope.signatures == ()


def test_signatures_are_bounded() -> None:
    limits = Limits(max_signatures=2)
    assert len(read("targets", with_signatures([{}] * 2), limits).envelope.signatures) == 2
    assert fault("targets", with_signatures([{}] * 3), limits).code is Code.LIMIT_EXCEEDED


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize(
    "body",
    [
        b"", b"null", b"[]", b"{}", b'{"signatures":[]}', b'{"signed":null}', b'{"signed":[]}', b'{"signed":"{}"}',
        b'{"signed":{}}',
        b'{"Signed":{}}', b'{"\\u0053igned":{}}', b'{"signed":{},"SIGNATURES":[]}', b"<html></html>",
        b'{"signed":{}}{}',
        b'{"signed":{"a":1,"a":2}}', b'{"signed":{},"signed":{}}', b'{"signed":' + b"[" * 100 + b"]" * 100 + b"}",
    ],
)  # fmt: skip
def test_what_is_no_document_is_refused(role: str, body: bytes) -> None:
    assert fault(role, body).code is Code.MALFORMED


@pytest.mark.parametrize("role", ROLES)
def test_every_truncation_is_refused(role: str) -> None:
    body = BODIES[role]
    for end in range(0, len(body), 7):
        fault(role, body[:end])


@pytest.mark.parametrize("role", ["timestamp", "targets/releases"])
def test_a_changed_byte_is_refused_or_changes_what_was_signed_or_nothing(role: str) -> None:
    body = BODIES[role]
    usual = read(role, body)
    for at in range(len(body)):
        for change in (1, 0x20, 0x80):
            other = body[:at] + bytes([body[at] ^ change]) + body[at + 1 :]
            try:
                document = read(role, other)
            except RejectedError:
                continue
            if document.envelope.message == usual.envelope.message:
                assert replace(document, envelope=usual.envelope) == usual


# -- common members -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize("found", ["", None, 1, "root", "ROOT", "Mirrors", "Roo\u0442", "targets", "Root "])
def test_the_type_must_be_the_role_s(role: str, found: object) -> None:
    assert place(role, setting("_type", to=found)) == f"{role}._type"


@pytest.mark.parametrize("role", ROLES)
def test_the_type_of_another_role_is_refused(role: str) -> None:
    for other in {"Root", "Targets", "Snapshot", "Timestamp"} - {json.loads(BODIES[role])["signed"]["_type"]}:
        assert place(role, setting("_type", to=other)) == f"{role}._type"


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize("version", [0, -1, None, True, "1", 1.0, [], {}])
def test_a_version_is_an_integer_of_at_least_one(role: str, version: object) -> None:
    assert place(role, setting("version", to=version)) == f"{role}.version"
    assert place(role, without("version")) == f"{role}.version"


@pytest.mark.parametrize("text", [b"1e0", b"1.0", b"1E3", b'"1"', b"01", b"+1", b"0x1", b"1_0", b"9007199254740993"])
def test_a_version_is_written_as_an_integer(text: bytes) -> None:
    body = BODIES["targets"].replace(b'"version":1', b'"version":' + text)
    assert fault("targets", body).code is Code.MALFORMED
    assert read("targets", BODIES["targets"].replace(b'"version":1', b'"version":9007199254740992')).version == 2**53


def expires(text: str) -> datetime:
    old = b'"expires":"2090-01-01T00:00:00Z"'
    assert old in BODIES["timestamp"]
    return read("timestamp", BODIES["timestamp"].replace(old, f'"expires":{text}'.encode())).expires


@pytest.mark.parametrize(
    ("text", "time"),
    [
        ("2030-05-06T07:08:09Z", datetime(2030, 5, 6, 7, 8, 9, tzinfo=UTC)),
        ("2030-05-06T07:08:09.5Z", datetime(2030, 5, 6, 7, 8, 9, 500000, UTC)),
        ("2030-05-06T07:08:09.123456789123Z", datetime(2030, 5, 6, 7, 8, 9, 123456, UTC)),
        ("2030-05-06T07:08:09.9999999Z", datetime(2030, 5, 6, 7, 8, 9, 999999, UTC)),
        ("2030-05-06T07:08:09+02:30", datetime(2030, 5, 6, 4, 38, 9, tzinfo=UTC)),
        ("2030-05-06T07:08:09-08:00", datetime(2030, 5, 6, 15, 8, 9, tzinfo=UTC)),
        ("2030-05-06T07:08:09.25-23:59", datetime(2030, 5, 7, 7, 7, 9, 250000, UTC)),
        ("2030-05-06T07:08:09-00:00", datetime(2030, 5, 6, 7, 8, 9, tzinfo=UTC)),
        ("2028-02-29T00:00:00Z", datetime(2028, 2, 29, tzinfo=UTC)),
        ("0000-01-01T00:00:00Z", LONG_AGO),
        ("0000-02-29T23:59:59Z", LONG_AGO),
        ("0000-12-31T23:59:59-23:59", LONG_AGO),
        ("0001-01-01T00:00:00Z", LONG_AGO),
        ("0001-01-01T00:00:00+00:01", LONG_AGO),
        ("9999-12-31T23:59:59.999999999Z", FAR_AHEAD),
        ("9999-12-31T23:59:59-00:01", FAR_AHEAD),
        ("9999-12-31T23:59:59+23:59", datetime(9999, 12, 31, 0, 0, 59, tzinfo=UTC)),
    ],
)  # fmt: skip
def test_times_that_are_read(text: str, time: datetime) -> None:
    assert expires(f'"{text}"') == time
    assert expires(f'"{text}"').utcoffset() == timedelta()


@pytest.mark.parametrize(
    "text",
    [
        '""', '"never"', "1", "true", "[]", "{}", '"2030-05-06"', '"2030-05-06T07:08:09"', '"2030-05-06T07:08Z"',
        '"2030-05-06t07:08:09Z"', '"2030-05-06T07:08:09z"', '"2030-05-06 07:08:09Z"', '" 2030-05-06T07:08:09Z"',
        '"2030-05-06T07:08:09Z "', '"2030-05-06T07:08:09.Z"', '"2030-05-06T07:08:09,5Z"', '"2030-05-06T7:08:09Z"',
        '"2030-5-06T07:08:09Z"', '"30-05-06T07:08:09Z"', '"02030-05-06T07:08:09Z"', '"-2030-05-06T07:08:09Z"',
        '"+2030-05-06T07:08:09Z"', '"10000-01-01T00:00:00Z"', '"2030-05-06T07:08:60Z"', '"2016-12-31T23:59:60Z"',
        '"2030-05-06T07:60:09Z"', '"2030-05-06T24:00:00Z"', '"2030-02-29T07:08:09Z"', '"2030-13-01T07:08:09Z"',
        '"2030-00-01T07:08:09Z"', '"2030-01-00T07:08:09Z"', '"0000-02-30T07:08:09Z"', '"0000-00-01T07:08:09Z"',
        '"2030-05-06T07:08:09+0200"', '"2030-05-06T07:08:09+02"', '"2030-05-06T07:08:09+24:00"',
        '"2030-05-06T07:08:09+99:99"',
        '"2030-05-06T07:08:09+02:60"', '"2030-05-06T07:08:09UTC"', '"2030-05-06T07:08:09ZZ"',
        '"2030-05-06T07:08:09\\u005a"',
        '"\\u0032030-05-06T07:08:09Z"', '"2030-05-06T07:08:09Z\\n"', '"2030-W01-1T07:08:09Z"',
        '"\uff12030-05-06T07:08:09Z"',
        '"\u06622030-05-06T07:08:09Z"', '"2030-05-06T07:08:09.\u0661Z"', '"2030-05-06T07:08:09\u22128:00"',
        '"2030-05-06T07:08:09.5.5Z"', '"2030\\/05-06T07:08:09Z"',
    ],
)  # fmt: skip
def test_times_that_are_refused(text: str) -> None:
    with pytest.raises(RejectedError) as caught:
        expires(text)
    assert (caught.value.code, caught.value.subject) == (Code.MALFORMED, "timestamp.expires")


@pytest.mark.parametrize("role", ROLES)
def test_no_expiry_is_one_long_ago(role: str) -> None:
    assert read(role, changed(role, without("expires"))).expires == LONG_AGO
    assert read(role, changed(role, setting("expires", to=None))).expires == LONG_AGO


@given(st.datetimes(datetime(2, 1, 1), datetime(9998, 12, 31)), st.integers(-1439, 1439))  # noqa: DTZ001 - made aware below
def test_a_time_is_read_as_python_reads_it(time: datetime, minutes: int) -> None:
    hours, rest = divmod(abs(minutes), 60)
    text = f"{time.isoformat()}{'-' if minutes < 0 else '+'}{hours:02d}:{rest:02d}"
    assert expires(f'"{text}"') == datetime.fromisoformat(text)


# -- root -----------------------------------------------------------------------------------------------------------


def test_root_has_the_keys_and_the_four_roles() -> None:
    root = parse_root(BODIES["root"], LIMITS)
    assert set(root.roles) == {"root", "targets", "snapshot", "timestamp"}
    assert root.roles["root"] == Role("root", REPOSITORY.root_key_ids, 1)
    key = REPOSITORY.signers["targets"][0]
    assert (root.keys[key.id].keytype, root.keys[key.id].public) == ("ecdsa", key.public)


@pytest.mark.parametrize(
    "change",
    [
        setting("consistent_snapshot", to=True), setting("consistent_snapshot", to=None),
        without("consistent_snapshot"),
        setting("roles", "mirrors", to=None), setting("roles", "root.1", to={}), setting("unknown", to=[[], {}]),
        setting("roles", "mirrors", to={"keyids": ["nowhere"], "threshold": 0}), setting("keys", "x", to=None),
        setting("keys", "x", to={}), setting("keys", "x", to={"keytype": "unknown", "keyval": {"public": "YQ=="}}),
        setting("roles", "targets", "keyids", to=[]), setting("roles", "targets", "keyids", to=None),
        setting("roles", "targets", "threshold", to=1000), setting("keys", "x", to={"keyval": None, "extra": 1}),
    ],
)  # fmt: skip
def test_root_may_hold_more_or_less_than_is_usual(change: Change) -> None:
    assert set(parse_root(changed("root", change), LIMITS).roles) == {"root", "targets", "snapshot", "timestamp"}


@pytest.mark.parametrize("role", ["root", "targets", "snapshot", "timestamp"])
def test_root_has_every_base_role(role: str) -> None:
    assert place("root", without("roles", role)) == f"root.roles.{role}"
    assert place("root", setting("roles", role, to=None)) == f"root.roles.{role}"
    odd: object
    for odd in ([], "x", 1):
        assert place("root", setting("roles", role, to=odd)) == f"root.roles['{role}']"
    for threshold in (0, -1, None, "1", True, 1.0):
        assert place("root", setting("roles", role, "threshold", to=threshold)) == f"root.roles['{role}'].threshold"
    key_ids: object
    for key_ids in (["nowhere"], [None], "x", [1], {}):
        assert place("root", setting("roles", role, "keyids", to=key_ids)) == f"root.roles['{role}'].keyids"


@pytest.mark.parametrize(
    ("change", "where"),
    [
        (setting("consistent_snapshot", to="false"), "root.consistent_snapshot"),
        (setting("consistent_snapshot", to=0), "root.consistent_snapshot"),
        (setting("keys", to=[]), "root.keys"),
        (setting("roles", to=[]), "root.roles"),
        (without("roles"), "root.roles.root"),
        (setting("keys", "x", to="text"), "root.keys['x']"),
        (setting("keys", "x", to={"keytype": 1}), "root.keys['x'].keytype"),
        (setting("keys", "x", to={"keyval": "x"}), "root.keys['x'].keyval"),
        (setting("keys", "x", to={"keyval": {"public": "!"}}), "root.keys['x'].keyval.public"),
        (setting("keys", "x", to={"keyval": {"private": 1}}), "root.keys['x'].keyval.private"),
        (setting("keys", "x", to={"keyval": {"private": "!"}}), "root.keys['x'].keyval.private"),
        (setting("keys", "x", to={"\u212aeytype": "ecdsa"}), "root.keys['x']"),
        (setting("keys", "x", to={"keyval": {"Public": ""}}), "root.keys['x'].keyval"),
        (setting("roles", "mirrors", to=[]), "root.roles['mirrors']"),
        (setting("roles", "mirrors", to={"keyids": 1}), "root.roles['mirrors'].keyids"),
        (setting("roles", "mirrors", to={"threshold": "1"}), "root.roles['mirrors'].threshold"),
        (setting("roles", "mirrors", to={"Threshold": 1}), "root.roles['mirrors']"),
        (setting("Roles", to={}), "root"),
        (setting("\u212aeys", to={}), "root"),
        (setting("_TYPE", to="Root"), "root"),
    ],
)
def test_root_breaks_at_the_place_that_is_wrong(change: Change, where: str) -> None:
    assert place("root", change) == where


def test_keys_of_root_are_bounded() -> None:
    body = changed("root", lambda signed: signed["keys"].update({str(number): None for number in range(100)}))
    assert len(parse_root(body, Limits(max_root_keys=104)).keys) == 104
    assert fault("root", body, Limits(max_root_keys=103)).code is Code.LIMIT_EXCEEDED


def test_no_public_bytes_are_told_from_empty_ones() -> None:
    keys: Json = {"null": {"keyval": {"public": None}}, "empty": {"keyval": {"public": ""}}, "none": {}}
    root = parse_root(changed("root", lambda signed: signed["keys"].update(keys)), LIMITS)
    assert [root.keys[name].public for name in keys] == [None, b"", None]


# -- timestamp and snapshot -----------------------------------------------------------------------------------------


def test_the_timestamp_names_the_snapshot() -> None:
    info = parse_timestamp(BODIES["timestamp"], LIMITS).snapshot
    assert info.mismatch(digests(BODIES["snapshot"])) is None
    assert info.length == len(BODIES["snapshot"])


def test_the_snapshot_names_every_published_role() -> None:
    meta = parse_snapshot(BODIES["snapshot"], LIMITS).meta
    assert set(meta) == {"root", "targets", "targets/releases"}
    for role, info in meta.items():
        assert info.mismatch(digests(BODIES[role])) is None


_REQUIRED = [("timestamp", "snapshot"), ("snapshot", "root"), ("snapshot", "targets")]


@pytest.mark.parametrize(("role", "named"), _REQUIRED)
@pytest.mark.parametrize(
    "entry",
    [
        None, {}, {"length": 1}, {"hashes": None}, {"hashes": {}},
        {"hashes": {"sha512": base64.b64encode(bytes(64)).decode()}},
        {"hashes": {"sha256": None}}, {"hashes": {"sha256": ""}},
        {"hashes": {"sha256": base64.b64encode(bytes(31)).decode()}},
        {"hashes": {"sha256": base64.b64encode(bytes(33)).decode()}},
        {"hashes": {"SHA256": base64.b64encode(bytes(32)).decode()}},
        {"hashes": {"sha256": base64.b64encode(bytes(32)).decode(), "sha512": "YQ=="}},
        {"hashes": {"sha256": base64.b64encode(bytes(32)).decode(), "sha512": None}},
    ],
)  # fmt: skip
def test_a_required_entry_has_hashes_of_the_right_size(role: str, named: str, entry: object) -> None:
    assert place(role, setting("meta", named, to=entry)).startswith(f"{role}.meta.{named}")
    assert place(role, without("meta", named)) == f"{role}.meta.{named}"


@pytest.mark.parametrize(("role", "named"), _REQUIRED)
def test_a_required_entry_may_have_any_length_and_more(role: str, named: str) -> None:
    sha256 = base64.b64encode(bytes(32)).decode()
    more = {"length": -5, "hashes": {"sha256": sha256, "md5": "YQ=="}, "custom": [1]}
    for entry in ({"hashes": {"sha256": sha256}}, more):
        read(role, changed(role, setting("meta", named, to=entry)))


@pytest.mark.parametrize("role", ["timestamp", "snapshot"])
def test_other_entries_need_only_have_the_right_types(role: str) -> None:
    others: Json = {"other": None, "": {}, "targets/x": {"length": -3}, "y": {"hashes": {"sha256": "YQ==", "z": None}}}
    read(role, changed(role, lambda signed: signed["meta"].update(others)))
    odd: object
    for odd in ([], "x", {"length": "1"}, {"length": 1.0}, {"hashes": []}, {"hashes": {"z": "!"}}, {"Hashes": {}}):
        assert place(role, setting("meta", "other", to=odd)).startswith(f"{role}.meta['other']")


@pytest.mark.parametrize("role", ["timestamp", "snapshot"])
def test_meta_is_an_object(role: str) -> None:
    assert place(role, setting("meta", to=[])) == f"{role}.meta"
    assert place(role, setting("Meta", to={})) == role
    place(role, without("meta"))


# -- targets --------------------------------------------------------------------------------------------------------


def test_targets_have_entries_and_delegations() -> None:
    targets = parse_targets(BODIES["targets"], "targets", LIMITS)
    key_id = REPOSITORY.signers["targets/releases"][0].id
    assert targets.delegations == (Role("targets/releases", (key_id,), 1, ("l", "")),)
    assert list(targets) == ["1.0", "latest"]
    assert "latest" in targets
    assert "other" not in targets
    assert targets.target("other") is None
    info = targets.target("1.0")
    assert info is not None
    assert f"sha256:{info.sha256.hex()}" == REPOSITORY.digest("1.0")


def test_a_delegation_may_have_no_paths() -> None:
    (role,) = parse_targets(BODIES["targets/releases"], "targets/releases", LIMITS).delegations
    assert role.paths == ()


@pytest.mark.parametrize(
    "change",
    [
        without("delegations"), setting("delegations", to=None), setting("delegations", to={}), without("targets"),
        setting("targets", to=None), setting("delegations", "roles", to=None),
        setting("delegations", "keys", "x", to=None),
        setting("unknown", to={"terminating": True}),
    ],
)  # fmt: skip
def test_targets_may_hold_more_or_less_than_is_usual(change: Change) -> None:
    parse_targets(changed("targets", change), "targets", LIMITS)


@pytest.mark.parametrize(
    "entry",
    [
        None, {}, {"length": 0}, {"length": -7}, {"hashes": {}}, {"hashes": None},
        {"hashes": {"sha256": None}, "length": None},
        {"hashes": {"sha256": "YQ=="}, "length": 1}, {"hashes": {"md5": ""}, "length": 1, "custom": "x"}, {"other": 1},
        {"hashes": {"sha256": "Y\nQ=="}, "length": 1},
    ],
)  # fmt: skip
def test_a_target_may_say_odd_things(entry: Json | None) -> None:
    targets = parse_targets(changed("targets", setting("targets", "odd", to=entry)), "targets", LIMITS)
    info = targets.target("odd")
    assert info is not None
    assert info.sha256 == b""
    assert info.length == ((entry or {}).get("length") or 0)


@pytest.mark.parametrize(
    ("entry", "where"),
    [
        ([], ""), ("x", ""), (1, ""), (True, ""), ({"length": "1"}, ".length"), ({"length": 1.0}, ".length"),
        ({"length": True, "hashes": {}}, ".length"), ({"hashes": []}, ".hashes"),
        ({"length": 1, "hashes": {"sha256": 1}}, ".hashes.sha256"),
        ({"length": 1, "hashes": {"sha256": "!"}}, ".hashes.sha256"),
        ({"length": 1, "hashes": {"x": "YWJj="}}, ".hashes.x"),
        ({"length": 1, "hashes": {"x": ["YQ=="]}}, ".hashes.x"), ({"Length": 1}, ""), ({"ha\u017fhes": {}}, ""),
        ({"CUSTOM": 1}, ""),
    ],
)  # fmt: skip
def test_a_target_has_the_right_types(entry: object, where: str) -> None:
    for name in ("latest", "other"):
        assert place("targets", setting("targets", name, to=entry)) == f"targets.targets['{name}']{where}"


def test_target_names_are_any_text() -> None:
    names = ["", "\x00", "a/../b", "\u202e", "x" * 5000, "Latest", "\U0001f600"]
    body = changed("targets", lambda signed: signed["targets"].update({name: {"length": 1} for name in names}))
    targets = parse_targets(body, "targets", LIMITS)
    assert all(name in targets for name in names)


@pytest.mark.parametrize(
    ("change", "where"),
    [
        (setting("delegations", to=[]), "targets.delegations"),
        (setting("delegations", "keys", to=[]), "targets.delegations.keys"),
        (setting("delegations", "roles", to={}), "targets.delegations.roles"),
        (setting("delegations", "Roles", to=[]), "targets.delegations"),
        (setting("delegations", "keys", "x", to=1), "targets.delegations.keys['x']"),
        (setting("delegations", "roles", 0, to=None), "targets.delegations.roles[0]"),
        (setting("delegations", "roles", 0, to="x"), "targets.delegations.roles[0]"),
        (setting("delegations", "roles", 0, "threshold", to=0), "targets.delegations.roles[0].threshold"),
        (without("delegations", "roles", 0, "threshold"), "targets.delegations.roles[0].threshold"),
        (setting("delegations", "roles", 0, "keyids", to=["x"]), "targets.delegations.roles[0].keyids"),
        (setting("delegations", "roles", 0, "paths", to="x"), "targets.delegations.roles[0].paths"),
        (setting("delegations", "roles", 0, "paths", to=[1]), "targets.delegations.roles[0].paths"),
        (setting("delegations", "roles", 0, "\u212aeyids", to=[]), "targets.delegations.roles[0]"),
        (without("delegations", "roles", 0, "name"), "targets.delegations.roles[0].name"),
        (setting("targets", to=[]), "targets.targets"),
        (setting("Targets", to={}), "targets"),
        (setting("target\u017f", to={}), "targets"),
    ],
)
def test_targets_break_at_the_place_that_is_wrong(change: Change, where: str) -> None:
    assert place("targets", change) == where


@pytest.mark.parametrize(
    "name",
    [
        "root", "targets", "snapshot", "timestamp", "", "targets/", "targets//a", "targets/./a", "targets/..",
        "targets/a/",
        "targets/a/b", "targets/A", "targets/a.b", "targets/a b", "targets/\u00e9", "targets/a\n", "/targets/a",
        "Targets/a",
        "other/a", "targets/releases/a", "targets/" + "a" * 248, None, 1,
    ],
)  # fmt: skip
def test_a_role_delegates_only_to_what_is_directly_below_it(name: object) -> None:
    assert place("targets", setting("delegations", "roles", 0, "name", to=name)) == "targets.delegations.roles[0].name"


def test_a_delegated_role_delegates_only_below_itself() -> None:
    for name in ("targets/a", "targets/releases", "targets/other/a", "targets/releases/a/b"):
        change = setting("delegations", "roles", 0, "name", to=name)
        assert place("targets/releases", change) == "targets/releases.delegations.roles[0].name"


@pytest.mark.parametrize(
    ("name", "is_one"),
    [
        ("targets/a", True), ("targets/-_09az", True), ("targets/a/b/c", True), ("targets/" + "a" * 247, True),
        ("targets/" + "a" * 248, False), ("targets", False), ("targets/", False), ("targets/a/", False),
        ("targets//a", False),
        ("targets/a\n", False), ("targets/\u0430", False), ("targets/A", False), ("", False), ("xtargets/a", False),
    ],
)  # fmt: skip
def test_names_of_delegations(name: str, is_one: bool) -> None:
    assert is_delegation_name(name) is is_one


# -- what is said of a file -----------------------------------------------------------------------------------------


def info(**hashes: bytes) -> FileInfo:
    return FileInfo(0, hashes)


def test_a_file_fits_when_every_known_hash_fits_and_there_is_one() -> None:
    body = b"body"
    right = {"sha256": hashlib.sha256(body).digest(), "sha512": hashlib.sha512(body).digest()}
    for hashes in (right, {"sha256": right["sha256"]}, {"sha512": right["sha512"]}, right | {"md5": b"x"}):
        assert info(**hashes).mismatch(digests(body)) is None
        assert info(**hashes).mismatch(digests(b"other")) is not None
    for wrong in ({}, {"md5": b""}, right | {"sha512": bytes(64)}, right | {"sha256": bytes(32)}, {"sha256": b""}):
        assert info(**wrong).mismatch(digests(body)) is not None
    assert info(sha256=right["sha256"] + b"x").mismatch(digests(body)) is not None


def test_a_file_is_published_when_anything_is_said_of_it() -> None:
    assert not FileInfo(0, {}).published
    assert FileInfo(1, {}).published
    assert FileInfo(-1, {}).published
    assert FileInfo(0, {"md5": b""}).published


def test_only_a_sha256_of_32_bytes_is_one() -> None:
    assert info(sha256=bytes(32)).sha256 == bytes(32)
    assert info(sha256=bytes(31)).sha256 == info(sha512=bytes(32)).sha256 == b""


def test_documents_cannot_be_changed() -> None:
    root = parse_root(BODIES["root"], LIMITS)
    with pytest.raises(TypeError):
        root.keys["x"] = root.keys[REPOSITORY.root_key_ids[0]]  # type: ignore[index]
    with pytest.raises(AttributeError):
        root.version = 2  # type: ignore[misc]
    assert copy.copy(root) == root
