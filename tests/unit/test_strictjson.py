"""JSON: what is refused, what is the same in spite of its form, and the canonical form that is signed."""

import json
import math
import threading
import time
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from imgsig.codes import Code
from imgsig.errors import RejectedError
from imgsig.strictjson import (
    MAX_INTEGER,
    Member,
    canonical,
    canonical_integers,
    malformed,
    parse,
    parse_members,
    quote,
)
from tests.support.canonical import canonical as canonical_of_the_tests

DEPTH = 64
SMALL = rb'{"a":[1,-2,{"b":null}],"c":"x\u00e9\"\\","d":true,"e":""}'


def read(body: bytes, *, depth: int = DEPTH) -> Any:  # noqa: ANN401 - any JSON value
    return parse(body, what="document", max_depth=depth)


def fault(body: bytes, *, depth: int = DEPTH) -> RejectedError:
    with pytest.raises(RejectedError) as caught:
        read(body, depth=depth)
    assert caught.value.code is Code.MALFORMED
    assert caught.value.subject == "document"
    return caught.value


def members(body: bytes, **options: Any) -> dict[str, Member]:  # noqa: ANN401 - those of parse_members
    return parse_members(body, what="document", max_depth=DEPTH, **options)


# -- values ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("body", "value"),
    [
        (b"{}", {}),
        (b"[]", []),
        (b' \t\r\n{ "a" : [ 1 , 2 ] } \t\r\n', {"a": [1, 2]}),
        (b"null", None),
        (b"true", True),
        (b"0", 0),
        (b"-0", 0),
        (b"-5", -5),
        (b'"\\u0000\\u001f\\b\\f\\n\\r\\t\\/\\"\\\\"', '\0\x1f\b\f\n\r\t/"\\'),
        (b'"\x7f"', "\x7f"),
        ('"\u2028\u2029\u00e9\U0001f600"'.encode(), "\u2028\u2029\u00e9\U0001f600"),
        (b'"\\ud83d\\ude00"', "\U0001f600"),
        (b'"\\uD83D\\uDE00"', "\U0001f600"),
    ],
)
def test_well_formed_values_are_read(body: bytes, value: object) -> None:
    assert read(body) == value


@pytest.mark.parametrize(
    "body",
    [
        b"", b" ", b"{", b"}", b"[", b'"', b"{}{}", b"{} x", b"{}\x00", b"[1,]", b'{"a":1,}', b"{,}", b"[,1]", b"{a:1}",
        b"{'a':1}", b'{"a" 1}', b'{"a":}', b'{"a"}', b'{"a":1 "b":2}', b"[1 2]", b"nul", b"True", b"/**/{}", b"{}//",
        b"01", b"-", b"+1", b"1.", b".5", b"1e", b"0x1", b"--1", b"1_0", "\uff11".encode(), "\u0661".encode(),
        b'"\x00"', b'"\x1f"', b'"\n"', b'"\t"', b"\"\\'\"", b'"\\x41"', b'"\\u12"', b'"\\u12g4"', b'"\\u+123"', b'"\\',
        b"\x0b{}", b"\x0c{}", b"\xc2\xa0{}", b"{}\xe2\x80\xa8",
        b"\xef\xbb\xbf{}", "{}".encode("utf-16"), "{}".encode("utf-16-le"), "{}".encode("utf-32-be"),
    ],
)  # fmt: skip
def test_what_is_not_json_is_refused(body: bytes) -> None:
    fault(body)
    with pytest.raises(RejectedError):
        members(body)


@pytest.mark.parametrize("word", [b"NaN", b"Infinity", b"-Infinity", b"1e400", b"-1e400", b"1" * 400])
def test_what_is_no_finite_number_is_refused_wherever_it_stands(word: bytes) -> None:
    fault(word)
    fault(b'{"a":[' + word + b"]}")


@pytest.mark.parametrize(
    "text", [b"\xff", b"\xc3", b"\xc0\x80", b"\xed\xa0\x80", b"\xed\xb0\x80", b"\xf4\x90\x80\x80", b"\xe2\x82"]
)
def test_invalid_utf_8_is_refused(text: bytes) -> None:
    assert "UTF-8" in str(fault(b'{"a":"' + text + b'"}'))


@pytest.mark.parametrize(
    "text",
    [
        rb"\ud800", rb"\udfff", rb"\uD800x", rb"\ude00\ud83d", rb"\ud83d\u0041", rb"\ud83d\ud83d\ude00",
        rb"\ud83d\\ude00", rb"\\\ud800", rb"\\\\\ud83d", rb"x\n\udc00", rb"\ud83d\ude00\ude00",
    ],
)  # fmt: skip
def test_half_of_a_surrogate_pair_is_refused(text: bytes) -> None:
    assert "surrogate" in str(fault(b'["' + text + b'"]'))
    assert "surrogate" in str(fault(b'{"' + text + b'":1}'))


@pytest.mark.parametrize(
    "text", [rb"\\ud800", rb"\\\\udc00", rb"\ud83d\ude00\\ude00", rb"\\u", rb"\u0041d800", rb"\ue000"]
)
def test_what_only_looks_like_half_of_a_pair_is_read(text: bytes) -> None:
    assert read(b'"' + text + b'"') == json.loads(b'"' + text + b'"')


@pytest.mark.parametrize(
    ("body", "name"),
    [
        (b'{"a":1,"a":1}', "a"),
        (b'{"b":0,"a":1,"c":[],"a":null}', "a"),
        (b'{"a":1,"\\u0061":2}', "a"),
        (b'{"":1,"":2}', ""),
        (b'[{"x":{"n\\u006e":1,"nn":2}}]', "nn"),
        ('{"\u00e9":1,"\\u00e9":2}'.encode(), "\u00e9"),
    ],
)
def test_a_duplicate_member_is_refused_however_it_is_spelt(body: bytes, name: str) -> None:
    assert quote(name) in str(fault(body))


def test_names_that_are_only_alike_are_no_duplicates() -> None:
    assert len(read('{"a":1,"A":2,"\u00e9":3,"e\u0301":4,"a ":5}'.encode())) == 5


def test_parse_and_parse_members_find_the_same_duplicates() -> None:
    for body in (b'{"a":1,"a":1}', b'{"a":1,"\\u0061":2}', b'{"x":{"a":1,"a":2}}'):
        with pytest.raises(RejectedError, match="duplicate member"):
            members(body)
        with pytest.raises(RejectedError, match="duplicate member"):
            members(body, within="x")


def test_the_member_that_is_doubled_is_shown_escaped_and_shortened() -> None:
    name = "\u202e" + "x" * 500
    message = str(fault(f'{{"{name}":1,"{name}":2}}'.encode()))
    assert message.isascii()
    assert len(message) < 150


# -- bounds ---------------------------------------------------------------------------------------------------------


def nested(depth: int, kinds: bytes = b"[]") -> bytes:
    opening = b"".join(b"[" if kinds[level % 2 : level % 2 + 1] == b"[" else b'{"a":' for level in range(depth))
    closing = b"".join(
        b"]" if kinds[level % 2 : level % 2 + 1] == b"[" else b"}" for level in reversed(range(depth))
    )
    return opening + (b"1" if opening.endswith(b":") else b"") + closing


@pytest.mark.parametrize("kinds", [b"[[", b"{{", b"[{", b"{["])
def test_nesting_is_counted_exactly(kinds: bytes) -> None:
    for depth in (1, 2, 5):
        read(nested(depth, kinds), depth=depth)
        fault(nested(depth + 1, kinds), depth=depth)


def test_brackets_within_texts_do_not_count() -> None:
    assert read(rb'["[[[[[[", "{{{\"{{{[", "\\", {"[[[[[[": 1}]', depth=2)[3] == {"[[[[[[": 1}


def test_many_values_side_by_side_are_not_deep() -> None:
    assert len(read(b"[" + b"{}," * 5000 + b"[]]", depth=2)) == 5001


@pytest.mark.parametrize(
    "body", [b"[" * 200_000, b'{"a":' * 200_000, nested(200_000), b"[" * 100 + b"}" * 100, b"[]" * 33 + b"[" * 65]
)
def test_endless_nesting_is_refused_before_a_recursion(body: bytes) -> None:
    assert "nested deeper" in str(fault(body))


def test_nesting_is_refused_within_a_deep_call_too() -> None:
    outcome: list[object] = []

    def deep(levels: int) -> None:
        if levels:
            deep(levels - 1)
        else:
            outcome.append(read(nested(DEPTH)))

    thread = threading.Thread(target=deep, args=(500,))
    thread.start()
    thread.join()
    assert len(outcome) == 1


@pytest.mark.parametrize(
    "body",
    [
        b"{" * 65 + b'"' + b'\\"' * 60_000,
        b"[" * 65 + b'"' + b"\\" * 120_001,
        b"[" * 65 + b'"a' * 60_000,
        b'"' + b"\\u0041" * 60_000,
        b" " * 2_000_000,
        b"{" + b" " * 2_000_000 + b"}",
        b"1" * 1_000_000,
        b"0." + b"1" * 1_000_000,
        b"1e" + b"1" * 1_000_000,
        b"[" + b"1," * 100_000,
    ],
)
def test_no_text_takes_more_than_time_in_proportion(body: bytes) -> None:
    before = time.process_time()
    with suppress(RejectedError):
        members(body)
    assert time.process_time() - before < 10


@pytest.mark.parametrize("body", [b"[1,1,1]", b'{"a":1,"b":[2]}', b"[[[]]]", b'["[,,,,,,"]'])
def test_values_are_bounded_before_they_are_decoded(body: bytes) -> None:
    marks = sum(body.count(mark) for mark in (b",", b"[", b"{"))
    assert parse(body, what="document", max_depth=DEPTH, max_values=marks + 1) is not None
    with pytest.raises(RejectedError, match="more than") as caught:
        parse(body, what="document", max_depth=DEPTH, max_values=marks)
    assert (caught.value.code, caught.value.subject) == (Code.LIMIT_EXCEEDED, "document")


def test_members_that_are_kept_apart_are_bounded() -> None:
    body = b"{" + b",".join(b'"%d":1' % number for number in range(1025)) + b"}"
    assert len(read(body)) == 1025
    for text in (body, b'{"signed":' + body + b"}"):
        with pytest.raises(RejectedError, match="more than 1024 members") as caught:
            members(text, within="signed")
        assert caught.value.code is Code.LIMIT_EXCEEDED
    assert len(members(b'{"other":' + body + b"}", within="signed")["other"].value) == 1025


# -- numbers --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("text", [b"1.0", b"1e0", b"1E3", b"0.0", b"-0.0", b"1e-400", b"123456789012345678901234"])
def test_a_number_with_a_fraction_an_exponent_or_many_digits_is_a_float(text: bytes) -> None:
    assert type(read(text)) is float


@pytest.mark.parametrize("text", [b"0", b"-1", b"9007199254740993", b"-9007199254740993", b"99999999999999999"])
def test_a_number_of_digits_alone_is_an_int(text: bytes) -> None:
    assert read(text) == int(text)
    assert type(read(text)) is int


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0, b"0"), (-0.0, b"0"), (1.0, b"1"), (1e3, b"1000"), (MAX_INTEGER, b"9007199254740992"),
        (-MAX_INTEGER, b"-9007199254740992"), (float(MAX_INTEGER), b"9007199254740992"), (True, b"true"),
        (False, b"false"), (None, b"null"),
        ({}, b"{}"), ([], b"[]"), ({"b": [], "a": {}}, b'{"a":{},"b":[]}'), ("", b'""'),
        ('\0\n\x7f"\\/<>&\u2028\u00e9', '"\0\n\x7f\\"\\\\/<>&\u2028\u00e9"'.encode()),
        ({"\ue000": 1, "\U0001f600": 2, "Z": 3, "a": 4}, '{"Z":3,"a":4,"\ue000":1,"\U0001f600":2}'.encode()),
        ((1, (2,)), b"[1,[2]]"),
    ],
)  # fmt: skip
def test_the_canonical_form(value: object, text: bytes) -> None:
    assert canonical(value, what="document") == text


@pytest.mark.parametrize("value", [0.5, 1e-5, MAX_INTEGER + 1, -MAX_INTEGER - 1, 2.0**60, 1e300, [{"a": 1.5}]])
def test_a_number_that_the_client_would_sign_as_another_has_no_canonical_form(value: object) -> None:
    with pytest.raises(RejectedError) as caught:
        canonical(value, what="document")
    assert caught.value.code is Code.MALFORMED


# -- members --------------------------------------------------------------------------------------------------------


def test_members_have_their_text() -> None:
    found = members(b' { "b" : [1, 2] , "a":{"x":1},"c" :"y" } ')
    assert list(found) == ["b", "a", "c"]
    assert [member.text for member in found.values()] == ["[1, 2]", '{"x":1}', '"y"']
    assert [member.value for member in found.values()] == [[1, 2], {"x": 1}, "y"]
    assert [member.canonical for member in found.values()] == [False, True, True]


@pytest.mark.parametrize(
    ("text", "is_canonical"),
    [
        (b'{"a":1,"b":[{"c":{},"d":[]},null,true,-5,9007199254740992]}', True),
        ('"\u00e9\u2028\x7f"'.encode(), True),
        (b'{"b":1,"a":1}', False),
        (b'{"a":{"b":1,"a":1}}', False),
        (b'[{"z":[{"b":1,"a":1}]}]', False),
        (b"[1, 2]", False),
        (b'"\\u0041"', False),
        (b'"\\\\"', False),
        (b"-0", False),
        (b"1.0", False),
        (b"1e3", False),
        (b"9007199254740993", False),
        (b"99999999999999999999", False),
        (b'"with space"', False),
    ],
)
def test_a_member_is_known_to_be_canonical_only_where_it_is(text: bytes, is_canonical: bool) -> None:
    assert members(b'{"m":' + text + b"}")["m"].canonical is is_canonical


def test_one_member_s_form_says_nothing_of_the_next() -> None:
    found = members(b'{"a":{"z":1,"b":2},"c":[1],"d":1.0,"e":2}')
    assert [member.canonical for member in found.values()] == [False, True, False, True]


def test_the_members_within_one_member_are_found_too() -> None:
    found = members(b'{"signed": {"b" :1,"a":"x\\n"} ,"other":{"a":1}}', within="signed")
    assert {name: member.text for name, member in found["signed"].members.items()} == {"b": "1", "a": '"x\\n"'}
    assert found["signed"].value == {"b": 1, "a": "x\n"}
    assert found["signed"].text == '{"b" :1,"a":"x\\n"}'
    assert not found["signed"].canonical
    assert not found["other"].members


@pytest.mark.parametrize("text", [b"[]", b"null", b'"{}"', b"1"])
def test_a_member_that_is_no_object_has_no_members(text: bytes) -> None:
    assert not members(b'{"signed":' + text + b"}", within="signed")["signed"].members


@pytest.mark.parametrize(
    ("inside", "is_canonical"),
    [
        (b"{}", True),
        (b"{ }", False),
        (b'{"a":1,"b":{"c":[]}}', True),
        (b'{"b":1,"a":2}', False),
        (b'{"a" :1}', False),
        (b'{"a": 1}', False),
        (b'{ "a":1}', False),
        (b'{"a":1 }', False),
        (b'{"a":1 ,"b":2}', False),
        (b'{"a":1, "b":2}', False),
        (b'{"\\u0061":1}', False),
        (b'{"a":1.0}', False),
        (b'{"a":{"c":1,"b":2}}', False),
    ],
)
def test_an_object_read_by_members_is_known_to_be_canonical_only_where_it_is(inside: bytes, is_canonical: bool) -> None:
    assert members(b'{"signed":' + inside + b"}", within="signed")["signed"].canonical is is_canonical


@pytest.mark.parametrize("body", [b"[]", b"null", b'"a"', b"1", b"<html>"])
def test_members_are_those_of_an_object(body: bytes) -> None:
    with pytest.raises(RejectedError, match="must be an object"):
        members(body)


@pytest.mark.parametrize(
    "number", [b"1.0", b"1e3", b"0.5", b"9007199254740993", b"-9007199254740993", b"123456789012345678"]
)
def test_where_only_integers_are_allowed_every_other_number_is_refused(number: bytes) -> None:
    for body in (b'{"a":' + number + b"}", b'{"signed":{"a":[' + number + b"]}}"):
        with pytest.raises(RejectedError) as caught:
            members(body, within="signed", integers_only=True)
        assert caught.value.code is Code.MALFORMED
    assert members(b'{"a":-0,"b":9007199254740992}', integers_only=True)["b"].value == MAX_INTEGER


# -- messages -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("text", ["\x1b[31m", "\u202e", "a\nb", "\U0001f600", "\ud800", "'\""])
def test_what_is_quoted_is_ascii_without_control_characters(text: str) -> None:
    assert quote(text).isascii()
    assert quote(text).isprintable()


def test_what_is_quoted_is_shortened() -> None:
    assert quote("x" * 60) == repr("x" * 60)
    assert quote("x" * 61) == repr("x" * 60) + "..."
    assert len(quote({"a": list(range(10_000))})) < 70


def test_a_fault_names_the_place() -> None:
    error = malformed("root.keys", "must be an object", found="[]")
    assert (str(error), error.code, error.subject) == ("root.keys: must be an object", Code.MALFORMED, "root.keys")
    assert (error.expected, error.found) == ("must be an object", "[]")


# -- properties -----------------------------------------------------------------------------------------------------


def test_every_truncation_of_a_document_is_refused() -> None:
    for end in range(len(SMALL)):
        fault(SMALL[:end])


def test_every_one_byte_change_of_a_document_is_refused_or_read_as_python_reads_it() -> None:
    accepted = 0
    for at in range(len(SMALL)):
        for byte in range(256):
            changed = SMALL[:at] + bytes([byte]) + SMALL[at + 1 :]
            try:
                value = read(changed)
            except RejectedError:
                continue
            accepted += 1
            assert value == json.loads(changed)
            with suppress(ValueError):  # a number that is not integral has no canonical form
                assert canonical_of_the_tests(value) == canonical(value, what="document")
    assert accepted > len(SMALL)  # texts may hold nearly everything


@given(st.binary(max_size=40))
def test_no_bytes_do_anything_but_parse_or_be_refused(body: bytes) -> None:
    for text in (body, b'{"a":' + body + b"}", b'["' + body + b'"]'):
        try:
            value = read(text)
        except RejectedError:
            continue
        assert json.loads(text) == value or value != value  # noqa: PLR0124 - no NaN ever comes out


NAMES = st.text(st.characters(exclude_categories=["Cs"]), max_size=6)
INTEGERS = st.integers(-MAX_INTEGER, MAX_INTEGER)
VALUES = st.recursive(
    st.none() | st.booleans() | INTEGERS | NAMES | st.floats(-1e15, 1e15).map(lambda number: float(round(number))),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(NAMES, inner, max_size=4),
    max_leaves=15,
)
FORMS = st.fixed_dictionaries({
    "ensure_ascii": st.booleans(),
    "indent": st.sampled_from([None, 0, 2]),
    "separators": st.sampled_from([(",", ":"), (", ", ": "), (" ,\t", "\r\n:")]),
    "sort_keys": st.booleans(),
})


@given(VALUES, FORMS)
def test_the_canonical_form_does_not_depend_on_how_a_document_is_written(value: object, form: dict[str, Any]) -> None:
    written = json.dumps(value, **form).encode()
    assert canonical(read(written), what="document") == canonical_of_the_tests(value)


@given(st.dictionaries(NAMES, VALUES, max_size=4), FORMS)
def test_the_flag_is_never_set_for_a_text_that_is_not_canonical(value: dict[str, Any], form: dict[str, Any]) -> None:
    written = json.dumps({"signed": value, **{f"other {name}": one for name, one in value.items()}}, **form).encode()
    for within in ("", "signed"):
        for member in members(written, within=within).values():
            if member.canonical:
                assert member.text.encode() == canonical(member.value, what="document")
            for inner in member.members.values():
                assert not inner.canonical or inner.text.encode() == canonical(inner.value, what="document")


@given(VALUES)
def test_a_canonical_text_is_mostly_known_to_be_one(value: object) -> None:
    text = canonical(value, what="document")
    if any(mark in text for mark in b" \\") or any(character < 0x20 for character in text):
        return
    assert members(b'{"m":' + text + b"}")["m"].canonical


@given(
    st.recursive(
        st.none() | st.booleans() | INTEGERS | NAMES,
        lambda inner: st.lists(inner) | st.dictionaries(NAMES, inner),
        max_leaves=8,
    )
)
def test_the_quick_canonical_form_of_integers_is_the_same(value: object) -> None:
    assert canonical_integers(value) == canonical(value, what="document")


@given(st.floats())
def test_a_float_has_the_canonical_form_that_the_client_signs_or_none(number: float) -> None:
    if math.isfinite(number) and number.is_integer() and abs(number) <= MAX_INTEGER:
        assert canonical(read(json.dumps(number).encode()), what="document") == canonical_of_the_tests(number)
    elif math.isfinite(number):
        with pytest.raises(RejectedError):
            canonical(number, what="document")
