"""Bytes to JSON values, strictly: bounded, UTF-8, no duplicate members; and the canonical form that is signed.

The only place that decodes JSON. Values are ``dict``, ``list``, ``str``, ``int``, ``float``, ``bool`` and ``None``; a
number written with a fraction or an exponent is a ``float``, so that a field that must be an integer can refuse it.

Spec: RFC 8259; OLPC canonical JSON as the reference client writes it (docs/notary-v1.md, "The signed message").
"""

import json
import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, NoReturn, cast, final

from imgsig.codes import Code
from imgsig.errors import RejectedError
from imgsig.limits import Limits

MAX_INTEGER: Final = 2**53
"""Beyond this the reference client, which computes in floating point, signs another number than the one written."""

_LIMITS: Final = Limits()
_MAX_QUOTE: Final = 60
_MAX_MEMBERS: Final = 1024
"""Members whose texts are kept apart: those of a document and of what is signed in it. Real ones have at most seven."""
_SPACE: Final = re.compile(r"[ \t\r\n]*+")
_STRINGS: Final = re.compile(rb'"(?:[^"\\]++|\\.?)*+"?', re.DOTALL)
"""A text, or all that follows a quote without a partner: never looked at twice, whatever is in it."""
_NOT_STRUCTURE: Final = bytes(set(range(256)) - set(b'{}[]"'))
_BRACES: Final = bytes.maketrans(b"[]", b"{}")


@final
@dataclass(frozen=True, slots=True)
class Member:
    """One member of an object whose text is needed too."""

    value: Any
    canonical: bool
    """Whether its text was shown to be the canonical form of `value`."""
    ordered: bool
    """Whether its text was shown to be that but for white space between its parts."""
    members: "Mapping[str, Member]"
    """The members of `value`, where they were asked for."""
    _source: str = field(repr=False)
    _start: int
    _end: int

    @property
    def text(self) -> str:
        """The value exactly as it was written, without surrounding white space."""
        return self._source[self._start : self._end]

    @property
    def compact_text(self) -> str:
        """The text without white space between its parts: the canonical form, if it is `ordered`. It has no escapes."""
        if self.canonical:
            return self.text
        parts = self.text.split('"')
        squeezed = {part: "".join(part.split()) for part in set(parts[::2])}
        parts[::2] = map(squeezed.__getitem__, parts[::2])
        return '"'.join(parts)


def quote(text: object) -> str:
    """Return untrusted `text` in quotes, escaped to ASCII and shortened, fit for a message."""
    shown = str(text)
    return ascii(shown) if len(shown) <= _MAX_QUOTE else ascii(shown[:_MAX_QUOTE]) + "..."


def malformed(where: str, why: str, *, found: str = "") -> RejectedError:
    """Return the error for a document that breaks its format at the path `where`."""
    return RejectedError(f"{where}: {why}", code=Code.MALFORMED, subject=where, expected=why, found=found)


def parse(
    body: bytes, *, what: str, max_depth: int, max_values: int = _LIMITS.max_json_values
) -> Any:  # noqa: ANN401 - any JSON value
    """Return the one JSON value in `body`.

    Raises:
        RejectedError: it is not one well-formed value, nested deeper than `max_depth`, not UTF-8, or has a
            duplicate member, a lone surrogate, or a number that is not finite (``malformed``, subject `what`); or it
            may have more than `max_values` values in it (``limit_exceeded``).
    """
    text = _decoded_text(body, what, max_depth, max_values)
    reader = _Reader(what)
    value, end = reader.value(text, _after_space(text, 0))
    _expect_end(text, end, what)
    return value


def parse_members(  # noqa: PLR0913 - what to read and its bounds, each by name
    body: bytes,
    *,
    what: str,
    max_depth: int,
    max_values: int = _LIMITS.max_json_values,
    within: str = "",
    integers_only: bool = False,
) -> dict[str, Member]:
    """Return the members of the one JSON object in `body`, each with its text. Raises as `parse` does.

    If the member `within` is an object, its own members are returned in the same way. With `integers_only`, every
    number that is no integer within `MAX_INTEGER`, or is not written as one, is refused.
    """
    text = _decoded_text(body, what, max_depth, max_values)
    members, end, _ = _members(text, _after_space(text, 0), _Reader(what, integers_only=integers_only), within)
    _expect_end(text, end, what)
    return members


def canonical(value: Any, *, what: str) -> bytes:  # noqa: ANN401 - any JSON value
    """Return the canonical form of `value`: the message that signatures and key ids are made over.

    Members sorted, no white space, integers only, and in strings nothing escaped but ``"`` and the backslash.

    Raises:
        RejectedError: `value` has a number that is no integer, or beyond `MAX_INTEGER` (``malformed``).
    """
    return "".join(_canonical(value, what)).encode()


def canonical_integers(value: Any) -> bytes:  # noqa: ANN401 - any JSON value
    """Return the canonical form of a `value` that was decoded with ``integers_only``: the same as `canonical`, sooner.

    Where the ordinary encoder needs no escape, it writes the canonical form itself.
    """
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return text.encode() if "\\" not in text else canonical(value, what="value")


def _canonical(value: Any, what: str) -> Iterator[str]:  # noqa: ANN401
    match value:
        case bool() | None:
            yield {True: "true", False: "false", None: "null"}[value]
        case str():
            yield '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'
        case int() | float():
            if value != int(value) or abs(value) > MAX_INTEGER:
                raise malformed(what, "numbers must be integers within ±2^53", found=quote(value))
            yield str(int(value))
        case dict():
            separator = "{"
            for name in sorted(value):
                yield separator
                yield from _canonical(name, what)
                yield ":"
                yield from _canonical(value[name], what)
                separator = ","
            yield "}" if value else "{}"
        case _:
            separator = "["
            for item in value:
                yield separator
                yield from _canonical(item, what)
                separator = ","
            yield "]" if value else "[]"


@final
class _Reader:
    """Decodes one value, noting on the way whether it was written in canonical form."""

    def __init__(self, what: str, *, integers_only: bool = False) -> None:
        self.what = what
        self._integers_only = integers_only
        self._plain = True
        self._decoder = json.JSONDecoder(
            object_pairs_hook=self._object,
            parse_int=self._integer,
            parse_float=self._float,
            parse_constant=self._constant,
        )

    def value(self, text: str, start: int) -> tuple[Any, int]:
        try:
            return self._decoder.raw_decode(text, start)
        except json.JSONDecodeError as error:
            raise malformed(self.what, f"not JSON: {error.msg.lower()} at character {error.pos}") from error

    def member(self, text: str, start: int) -> tuple[Member, int]:
        self._plain = True
        value, end = self.value(text, start)
        ordered = self._plain and text.find("\\", start, end) < 0
        canonical = ordered and all(text.find(mark, start, end) < 0 for mark in " \t\r\n")
        return Member(value, canonical, ordered, {}, text, start, end), end

    def _object(self, pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        members = dict(pairs)
        if len(members) != len(pairs):
            seen: set[str] = set()
            twice = next(name for name, _ in pairs if name in seen or seen.add(name))  # type: ignore[func-returns-value]
            raise malformed(self.what, f"duplicate member {quote(twice)}", found=quote(twice))
        if self._plain and len(members) > 1:
            names = list(members)
            self._plain = names == sorted(names)
        return members

    def _integer(self, digits: str) -> int | float:
        if len(digits) > 17:  # noqa: PLR2004 - longer than ±2^53 can be
            return self._float(digits)
        if digits == "-0":
            self._plain = False
        value = int(digits)
        if abs(value) > MAX_INTEGER:
            return self._float(digits) if self._integers_only else self._big(value)
        return value

    def _big(self, value: int) -> int:
        self._plain = False
        return value

    def _float(self, digits: str) -> float:
        if self._integers_only:
            raise malformed(self.what, "numbers must be integers within ±2^53", found=quote(digits))
        self._plain = False
        value = float(digits)
        if not math.isfinite(value):
            raise malformed(self.what, "number out of range", found=quote(digits))
        return value

    def _constant(self, word: str) -> NoReturn:
        raise malformed(self.what, f"{word} is not JSON")


def _members(text: str, start: int, reader: _Reader, within: str) -> tuple[dict[str, Member], int, bool]:
    """Return the members of the object at `start`, its end, and whether all of it is canonical."""
    what = reader.what
    if text[start : start + 1] != "{":
        raise malformed(what, "must be an object", found=quote(text[start : start + 20]))
    members: dict[str, Member] = {}
    at = _after_space(text, start + 1)
    if text[at : at + 1] == "}":
        return members, at + 1, at == start + 1
    length, escaped = 1, False
    """How long the object's text would be so far without white space between its parts; whether a name is escaped."""
    while True:
        if text[at : at + 1] != '"':
            raise malformed(what, f"not JSON: expected a member name at character {at}")
        name, colon = cast("tuple[str, int]", reader.value(text, at))
        length += colon - at + 2
        escaped = escaped or text.find("\\", at, colon) >= 0
        colon = _after_space(text, colon)
        if text[colon : colon + 1] != ":":
            raise malformed(what, f"not JSON: expected a colon at character {colon}")
        if name in members:
            raise malformed(what, f"duplicate member {quote(name)}", found=quote(name))
        if len(members) == _MAX_MEMBERS:
            raise _too_many(what, "members", _MAX_MEMBERS)
        begin = _after_space(text, colon + 1)
        members[name], end = _member(reader, text, begin, descend=bool(within) and name == within)
        length += end - begin
        at = _after_space(text, end)
        closing = text[at : at + 1]
        if closing == "}":
            plain = length == at + 1 - start and not escaped and list(members) == sorted(members)
            return members, at + 1, plain and all(member.canonical for member in members.values())
        if closing != ",":
            raise malformed(what, f"not JSON: expected a comma or a brace at character {at}")
        at = _after_space(text, at + 1)


def _member(reader: _Reader, text: str, begin: int, *, descend: bool) -> tuple[Member, int]:
    if not (descend and text[begin : begin + 1] == "{"):
        return reader.member(text, begin)
    members, end, plain = _members(text, begin, reader, "")
    value = {name: member.value for name, member in members.items()}
    return Member(value, plain, plain, members, text, begin, end), end


def _after_space(text: str, at: int) -> int:
    space = _SPACE.match(text, at)
    return at if space is None else space.end()


def _expect_end(text: str, end: int, what: str) -> None:
    if _after_space(text, end) != len(text):
        raise malformed(what, f"not JSON: more than one value at character {end}")


def _decoded_text(body: bytes, what: str, max_depth: int, max_values: int) -> str:
    _check_depth(body, what, max_depth)
    if len(body) > max_values and body.count(b",") + body.count(b"[") + body.count(b"{") >= max_values:
        raise _too_many(what, "values", max_values)
    try:
        text = body.decode("utf-8")
    except UnicodeDecodeError as error:
        raise malformed(what, f"not UTF-8 at byte {error.start}") from error
    if "\\u" in text and _has_lone_surrogate(text):
        raise malformed(what, "has half of a surrogate pair")
    return text


def _too_many(what: str, things: str, most: int) -> RejectedError:
    msg = f"{what} has more than {most} {things}"
    return RejectedError(msg, code=Code.LIMIT_EXCEEDED, subject=what, expected=f"at most {most} {things}")


def _has_lone_surrogate(text: str) -> bool:
    escapes = re.sub(r"\\[^u]", " ", text)
    escapes = re.sub(r"\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}", "", escapes)
    return re.search(r"\\u[dD][89a-fA-F]", escapes) is not None


def _check_depth(body: bytes, what: str, max_depth: int) -> None:
    """Refuse nesting beyond `max_depth` before a recursive decoder sees it, whatever else is wrong."""
    if body.count(b"{") + body.count(b"[") <= max_depth:
        return
    # Two quotes side by side change nothing about what stands within texts and what does not.
    texts = body.translate(None, _NOT_STRUCTURE).replace(b'""', b"") if b"\\" not in body else body
    structure = _STRINGS.sub(b"", texts).translate(_BRACES, _NOT_STRUCTURE)
    for _ in range(max_depth):
        if not structure:
            return
        structure = structure.replace(b"{}", b"")  # the innermost level, and no other
    if structure:
        raise malformed(what, f"nested deeper than {max_depth} levels, or unbalanced")
