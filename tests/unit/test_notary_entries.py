"""Entries that are left as text say the same as entries that are decoded, and odd ones are decoded."""

import base64
import hashlib
import json
from collections.abc import Callable
from typing import Any

import pytest

from imgsig.codes import Code
from imgsig.errors import RejectedError
from imgsig.limits import Limits
from imgsig.notary.entries import UniformEntries, cut_out
from imgsig.notary.metadata import parse_targets
from tests.support.canonical import canonical

COUNT = 1000
Json = dict[str, Any]


def _entry(number: int, *, both: bool) -> Json:
    digest = hashlib.sha256(str(number).encode()).digest()
    hashes = {"sha256": base64.b64encode(digest).decode()}
    if both:
        hashes["sha512"] = base64.b64encode(digest * 2).decode()
    return {"hashes": hashes, "length": number}


def _signed(**members: Any) -> Json:  # noqa: ANN401 - JSON values
    names = [f"v{number:05d}" for number in range(COUNT - 2)] + ["ÿ", "\U0001f600"]
    return {
        "_type": "Targets",
        "delegations": {"keys": {}, "roles": []},
        "expires": "2090-01-01T00:00:00Z",
        "targets": {name: _entry(number, both=number % 3 == 0) for number, name in enumerate(names)},
        "version": 3,
        **members,
    }


def _body(signed: Json | bytes) -> bytes:
    text = signed if isinstance(signed, bytes) else canonical(signed)
    return b'{"signed":' + text + b',"signatures":[]}'


def test_uniform_entries_are_left_as_text() -> None:
    cut = cut_out(_body(_signed()))
    assert cut is not None
    assert len(cut.rest) < 300


def test_every_entry_says_what_the_decoder_would_say() -> None:
    signed = _signed()
    targets = parse_targets(_body(signed), "targets", Limits())
    assert isinstance(targets._entries, UniformEntries)
    assert targets.envelope.message == canonical(signed)
    assert list(targets) == list(signed["targets"])
    assert len(targets._entries) == COUNT
    for name, entry in signed["targets"].items():
        info = targets.target(name)
        assert info is not None
        assert info.length == entry["length"]
        assert {algorithm: base64.b64encode(value).decode() for algorithm, value in info.hashes.items()} == entry[
            "hashes"
        ]
    for name in ("", "v", "v00000x", "v99999", "zzz", "\U0010ffff", "\ud800", '"', "hashes"):
        assert name not in targets
        assert targets.target(name) is None


def _changed(old: bytes, new: bytes) -> Callable[[bytes], bytes]:
    def change(text: bytes) -> bytes:
        assert old in text
        return text.replace(old, new, 1)

    return change


@pytest.mark.parametrize(
    "change",
    [
        _changed(b'"v00001":', b'"v00000":'),  # twice
        _changed(b'"v00001":', b'"v00005":'),  # out of order
        _changed(b'"v00001":', b'"v0}001":'),  # a brace in a name
        _changed(b'"v00001":', b'"v\\u0030":'),  # an escape
        _changed(b'"v00001":', b'"v00001" :'),  # white space
        _changed(b'"v00001":', b'"v\xff":'),  # not UTF-8
        _changed(b'"length":1}', b'"length":01}'),
        _changed(b'"length":1}', b'"length":1.0}'),
        _changed(b'"length":1}', b'"length":-1}'),
        _changed(b'"length":1}', b'"length":null}'),
        _changed(b'"length":1}', b'"custom":1,"length":1}'),
        _changed(b'"length":1}', b'"length":1,"Length":2}'),
        _changed(b'"sha256":', b'"sha384":'),
        _changed(b'=","sha512":', b'=","sha511":'),
        _changed(b'=","sha512":', b'!","sha512":'),
        _changed(b'"targets":{', b'"Targets":{'),
        _changed(b'"targets":{', b'"targets": {'),
        _changed(b'"version":3', b'"version":"(the-entries-stand-here)"'),
        _changed(b'},"version":3', b'},"targets":{},"version":3'),
        _changed(b'"_type":"Targets"', b'"Type":1,"_type":"Targets"'),
    ],
)
def test_a_document_that_is_not_uniform_is_judged_by_the_decoder_alone(change: Callable[[bytes], bytes]) -> None:
    """The verdict and the values are the same as without the short way, which a small copy does not take."""
    body = _body(change(canonical(_signed())))
    small = _signed()
    small["targets"] = dict(list(small["targets"].items())[:8])
    small_body = _body(change(canonical(small)))
    assert cut_out(small_body) is None
    outcomes: list[tuple[Code | None, list[str] | None, int | None]] = []
    for one in (body, small_body):
        try:
            targets = parse_targets(one, "targets", Limits())
        except RejectedError as error:
            outcomes.append((error.code, None, None))
        else:
            outcomes.append((None, sorted(targets)[:6], targets.version))
    assert outcomes[0] == outcomes[1]


@pytest.mark.parametrize("member", ["custom", "zcustom"])
def test_entries_elsewhere_are_not_the_target_s(member: str) -> None:
    decoy = {"targets": _signed()["targets"]}
    signed = _signed(**{member: decoy}, targets={"only": _entry(1, both=False)})
    targets = parse_targets(_body(signed), "targets", Limits())
    assert list(targets) == ["only"]
    assert targets.envelope.message == canonical(signed)


def test_entries_outside_of_the_signed_part_are_not_believed() -> None:
    body = b'{"signatures":[],"signed":{"_type":"Targets","expires":"2090-01-01T00:00:00Z","version":1},"targets":{'
    entries = canonical(_signed()["targets"])[1:]
    assert list(parse_targets(body + entries + b"}", "targets", Limits())) == []


def test_a_mark_of_one_s_own_is_decoded() -> None:
    signed = _signed(zz="(the-entries-stand-here)")
    assert cut_out(_body(signed)) is None
    assert len(list(parse_targets(_body(signed), "targets", Limits()))) == COUNT


def test_a_broken_rest_is_refused() -> None:
    with pytest.raises(RejectedError) as caught:
        parse_targets(_body(_signed(version=0)), "targets", Limits())
    assert caught.value.code is Code.MALFORMED
    with pytest.raises(RejectedError):
        parse_targets(_body(_signed())[:-1], "targets", Limits())


def test_a_signed_part_that_is_not_canonical_still_has_its_message() -> None:
    signed = _signed()
    text = json.dumps(signed, ensure_ascii=False, separators=(",", ":")).replace('"version":3', '"version": 3').encode()
    targets = parse_targets(_body(text), "targets", Limits())
    assert targets.envelope.message == canonical(signed)
