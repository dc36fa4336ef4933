"""``imgsig-archive/1``: what its schema and page say, in one form only."""

import copy
import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st

from imgsig.archive.capture import (
    Capture,
    CapturedFile,
    CapturedName,
    archive_id,
    describe_fault,
    encode_capture,
    parse_capture,
)
from imgsig.archive.places import is_name_or_path
from imgsig.codes import Code
from imgsig.errors import RejectedError

DOCS: Final = Path(__file__).resolve().parents[2] / "docs"
PAGE: Final = (DOCS / "archive.md").read_text(encoding="utf-8")
SCHEMA: Final[dict[str, Any]] = json.loads((DOCS / "schemas" / "archive-1.json").read_text(encoding="utf-8"))
VALIDATOR: Final = jsonschema.Draft202012Validator(SCHEMA)
EXAMPLE: Final[dict[str, Any]] = json.loads(PAGE.split("## capture.json\n\n```json\n")[1].split("```")[0])

DIGEST: Final = "ab" * 32
SMALL: Final = Capture(
    datetime(2026, 11, 25, 9, 30, tzinfo=UTC),
    "imgsig 0.1.0",
    (
        CapturedName("notary", "docker.io/a/b", "https://n", (CapturedFile("root.json", 12, DIGEST),)),
        CapturedName("notary", "docker.io/a/c", "https://n", (), code="expired", summary="root has expired"),
    ),
)
CHARACTERS = st.characters(min_codepoint=33, max_codepoint=126, exclude_characters="/\\")
COMPONENTS = st.text(CHARACTERS, min_size=1, max_size=20)
ADDRESSES = st.lists(COMPONENTS, min_size=1, max_size=3).map("/".join).filter(is_name_or_path)
LINES = st.text(st.characters(min_codepoint=32, max_codepoint=126), min_size=1, max_size=40)
FILES = st.builds(
    CapturedFile, ADDRESSES, st.integers(0, 2**53), st.binary(min_size=32, max_size=32).map(lambda raw: raw.hex())
)
SORTED_FILES = st.lists(FILES, unique_by=lambda file: file.path, max_size=4).map(
    lambda files: tuple(sorted(files, key=lambda file: file.path))
)
FAULTS = st.one_of(st.just(("", "")), st.tuples(st.sampled_from(Code).map(str), LINES))
NAMES = st.builds(
    lambda system, name, files, fault: CapturedName(system, name, "https://notary.docker.io", files, *fault),
    st.sampled_from(["notary", "tuf"]), ADDRESSES, SORTED_FILES, FAULTS,
)
CAPTURES = st.builds(
    lambda moment, tool, names: Capture(
        moment.replace(microsecond=0, tzinfo=UTC), tool, tuple(sorted(names, key=lambda name: (name.system, name.name)))
    ),
    st.datetimes(), LINES, st.lists(NAMES, unique_by=lambda name: (name.system, name.name), max_size=3),
)


def encoded(value: object) -> bytes:
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode() + b"\n"


def refusal(body: bytes) -> RejectedError:
    with pytest.raises(RejectedError) as caught:
        parse_capture(body)
    assert caught.value.code is Code.MALFORMED
    assert str(caught.value).isascii()
    return caught.value


def test_the_example_of_the_page_is_one() -> None:
    capture = parse_capture(encoded(EXAMPLE))
    assert capture.captured_at == datetime(2026, 11, 25, 9, 30, tzinfo=UTC)
    (name,) = capture.names
    assert (name.verified, name.code) == (False, "expired")
    assert encode_capture(capture) == encoded(EXAMPLE)
    VALIDATOR.validate(EXAMPLE)


def test_every_member_is_described_on_the_page() -> None:
    members = set(SCHEMA["properties"])
    members |= {f"names[].{member}" for member in SCHEMA["$defs"]["name"]["properties"]}
    members |= {f"names[].files[].{member}" for member in SCHEMA["$defs"]["file"]["properties"]}
    assert not [member for member in members if f"`{member}`" not in PAGE]


def test_the_form_is_pinned() -> None:
    assert encode_capture(SMALL) == (
        b'{"captured_at":"2026-11-25T09:30:00Z","format":"imgsig-archive/1","names":['
        b'{"files":[{"length":12,"path":"root.json","sha256":"' + DIGEST.encode() + b'"}],'
        b'"name":"docker.io/a/b","server":"https://n","system":"notary","verified":true},'
        b'{"code":"expired","files":[],"name":"docker.io/a/c","server":"https://n","summary":"root has expired",'
        b'"system":"notary","verified":false}],"tool":"imgsig 0.1.0"}\n'
    )
    assert archive_id(b"") == "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"


@given(CAPTURES)
def test_what_is_written_is_ascii_follows_the_schema_and_is_read_back(capture: Capture) -> None:
    body = encode_capture(capture)
    assert body.isascii()
    assert parse_capture(body) == capture
    VALIDATOR.validate(json.loads(body))


def test_every_truncation_is_refused() -> None:
    body = encode_capture(SMALL)
    for end in range(len(body)):
        refusal(body[:end])


@pytest.mark.parametrize(
    "change", [lambda byte: byte ^ 1, lambda byte: byte ^ 0x80, lambda _byte: 0x20, lambda _byte: 0x30]
)
def test_every_one_byte_change_is_refused_or_says_something_else(change: Callable[[int], int]) -> None:
    body = encode_capture(SMALL)
    for place, byte in enumerate(body):
        changed = body[:place] + bytes([change(byte)]) + body[place + 1 :]
        try:
            capture = parse_capture(changed)
        except RejectedError as error:
            assert error.code is Code.MALFORMED  # noqa: PT017 - both ways are right
        else:
            assert (capture == SMALL) == (changed == body)


@pytest.mark.parametrize(
    "body",
    [
        b"", b"\n", b"null\n", b"[]\n", b"{}\n", b"1\n", b'"imgsig-archive/1"\n', b"{\n", b"\xff\n",
        b"[" * 1000 + b"]" * 1000, b"[" * 100_000,
    ],
)
def test_what_is_no_capture_is_refused(body: bytes) -> None:
    refusal(body)


def test_another_format_is_said_to_be_one() -> None:
    assert "imgsig-archive/2" in refusal(encoded({"format": "imgsig-archive/2", "more": 1})).found


@pytest.mark.parametrize(
    "change",
    [
        lambda body: body[:-1],
        lambda body: body + b"\n",
        lambda body: b" " + body,
        lambda body: body.replace(b":", b": ", 1),
        lambda body: body.replace(b"\n", b"\r\n"),
        lambda body: body.replace(b"root.json", b"r\\u006fot.json"),
        lambda body: body.replace(b'"length":12', b'"length":12.0'),
        lambda body: body.replace(b'"length":12', b'"length":1.2e1'),
        lambda body: body.replace(b'"tool":"imgsig 0.1.0"', b'"tool":"a","tool":"imgsig 0.1.0"'),
        lambda body: b'{"tool":"imgsig 0.1.0",' + body[1:].replace(b',"tool":"imgsig 0.1.0"', b""),
        lambda body: b"\xef\xbb\xbf" + body,
    ],
)
def test_another_way_to_write_the_same_is_refused(change: Callable[[bytes], bytes]) -> None:
    body = encode_capture(SMALL)
    assert change(body) != body
    refusal(change(body))


def set_in(*place: str | int, to: object) -> Callable[[dict[str, Any]], None]:
    def bend(value: Any) -> None:  # noqa: ANN401 - any JSON value
        for step in place[:-1]:
            value = value[step]
        value[place[-1]] = to

    return bend


FILE: Final = ("names", 0, "files", 0)


@pytest.mark.parametrize(
    "bend",
    [
        set_in("captured_at", to="2026-11-25T09:30:00.5Z"),
        set_in("captured_at", to="2026-11-25T09:30:00+00:00"),
        set_in("captured_at", to="2026-02-30T09:30:00Z"),
        set_in("captured_at", to="0000-01-01T00:00:00Z"),
        set_in("captured_at", to=1),
        set_in("captured_at", to="٢٠٢٦-11-25T09:30:00Z"),
        set_in("format", to="imgsig-archive/1\n"),
        set_in("format", to=None),
        set_in("names", to={}),
        set_in("names", to=None),
        set_in("names", 0, to=[]),
        set_in("tool", to=""),
        set_in("tool", to="imgsig\n"),
        set_in("tool", to="ä"),
        set_in("more", to=1),
        set_in("names", 0, "more", to=1),
        set_in("names", 0, "system", to="../x"),
        set_in("names", 0, "system", to=None),
        set_in("names", 0, "name", to="a/../b"),
        set_in("names", 0, "name", to="/a"),
        set_in("names", 0, "name", to=["a"]),
        set_in("names", 0, "server", to=""),
        set_in("names", 0, "server", to="https://a b"),
        set_in("names", 0, "files", to=None),
        set_in("names", 0, "verified", to=1),
        set_in("names", 0, "verified", to=None),
        set_in("names", 0, "verified", to=False),
        set_in("names", 0, "code", to="expired"),
        set_in("names", 1, "verified", to=True),
        set_in("names", 1, "code", to=""),
        set_in("names", 1, "code", to="Expired"),
        set_in("names", 1, "summary", to="a\x1b[2Jb"),
        set_in("names", 1, "name", to="docker.io/a/b"),
        set_in("names", 1, "name", to="docker.io/a/a"),
        set_in(*FILE, to="root.json"),
        set_in(*FILE, "more", to=1),
        set_in(*FILE, "path", to="../root.json"),
        set_in(*FILE, "path", to="/etc/passwd"),
        set_in(*FILE, "path", to="a//b"),
        set_in(*FILE, "path", to=""),
        set_in(*FILE, "path", to=7),
        set_in(*FILE, "path", to="a\0b"),
        set_in(*FILE, "path", to="a" * 1025),
        set_in(*FILE, "length", to=-1),
        set_in(*FILE, "length", to=True),
        set_in(*FILE, "length", to="12"),
        set_in(*FILE, "length", to=2**53 + 1),
        set_in(*FILE, "length", to=1.5),
        set_in(*FILE, "sha256", to=DIGEST.upper()),
        set_in(*FILE, "sha256", to=DIGEST[:-1]),
        set_in(*FILE, "sha256", to=DIGEST + "\n"),
        set_in(*FILE, "sha256", to=None),
        lambda value: value["names"].reverse(),
        lambda value: value["names"][0]["files"].append(value["names"][0]["files"][0]),
        lambda value: value["names"].append(value["names"][1]),
        lambda value: value.pop("tool"),
        lambda value: value["names"][0].pop("server"),
        lambda value: value["names"][0]["files"][0].pop("length"),
        lambda value: value["names"][1].pop("summary"),
    ],
)
def test_a_member_of_another_kind_is_refused(bend: Callable[[dict[str, Any]], None]) -> None:
    value = copy.deepcopy(json.loads(encode_capture(SMALL)))
    bend(value)
    refusal(encoded(value))


@pytest.mark.parametrize(
    ("message", "line"),
    [
        ("root has expired", "root has expired"),
        ("two\nlines\x1b ä", "two\\nlines\\x1b \\xe4"),
        ("", "expired"),
        ("a" * 2000, "a" * 1000),
        ("ä" * 2000, "\\xe4" * 250),
    ],
)
def test_a_fault_is_told_in_one_line_of_ascii(message: str, line: str) -> None:
    assert describe_fault(RejectedError(message, code=Code.EXPIRED)) == line
