"""Every small change of a JSON value, as text: members dropped, doubled, retyped, renamed, reordered, respelled."""

import json
from collections.abc import Iterator
from typing import Any, Final

_WRONG_VALUES: Final = (
    "null", "true", "false", "0", "1", "-1", '""', '"x"', "[]", "{}", "[null]", '{"":null}',
)  # fmt: skip
_NUMBERS: Final = (
    "2", "-0", "1.0", "1.5", "1e0", "1e2", "1e400", "-1e400", "1e-400", "9007199254740992", "9007199254740993",
    "9223372036854775807", "9223372036854775808", "18446744073709551617", "1" + "0" * 400, "01", "+1", "0x1", "1_0",
    "NaN", "Infinity", "true", '"1"', "\u0661",
)  # fmt: skip
_STRAY: Final = ("\ufeff", "\u200b", "\u0301", "\\ud800", "\\u0000", "\x00", "\u2028", "\U0001f600", " ", "\\n", "\\/")
_FOLDS: Final = str.maketrans({"s": "\u017f", "k": "\u212a"})
_LOOKALIKES: Final = str.maketrans({"a": "\u0430", "e": "\u0435", "o": "\u043e", "s": "\u0455", "t": "\uff54"})


def altered_json(value: Any) -> Iterator[bytes]:  # noqa: ANN401 - any JSON value
    """Yield the text of `value` with one change anywhere in it, for every place and every kind of change."""
    return (text.encode("utf-8", "surrogatepass") for text in _altered(value))


def _altered(value: Any) -> Iterator[str]:  # noqa: ANN401 - any JSON value
    written = _text(value)
    yield from (wrong for wrong in _WRONG_VALUES if wrong != written)
    yield f"[{written}]"
    yield f'{{"x":{written}}}'
    match value:
        case dict():
            yield from _altered_object(value)
        case list():
            yield from _altered_array(value)
        case str():
            yield from _altered_string(value)
        case bool() | None:
            pass
        case _:
            yield from (number for number in (*_NUMBERS, f"{written}.0", f"{written}e0") if number != written)


def _altered_object(value: dict[str, Any]) -> Iterator[str]:
    members = [(_text(name), _text(member)) for name, member in value.items()]
    for index, (name, written) in enumerate(members):
        before, after = members[:index], members[index + 1 :]
        yield _object([*before, *after])
        for twin in (written, "null", "{}", '""', "0"):
            yield _object([*before, (name, twin), (name, written), *after])
            yield _object([*before, (name, written), *after, (name, twin)])
        yield from (_object([*before, (other, written), *after]) for other in _renamed(name))
        yield from (_object([*before, (name, changed), *after]) for changed in _altered(list(value.values())[index]))
    yield _object(list(reversed(members)))
    for name in ('""', '"x"', '"__proto__"', '"\\ud800"', '"\U0001f600"'):
        yield _object([*members, (name, "null")])
    yield "{ " + " , ".join(f"{name} : {written}" for name, written in members) + " }"
    yield "{" + ",".join(f"{name}:{written}" for name, written in members) + ",}"


def _altered_array(value: list[Any]) -> Iterator[str]:
    items = [_text(item) for item in value]
    for index, written in enumerate(items):
        before, after = items[:index], items[index + 1 :]
        yield _array([*before, *after])
        yield _array([*before, written, written, *after])
        yield from (_array([*before, changed, *after]) for changed in _altered(value[index]))
    yield _array(list(reversed(items)) + ([] if len(items) > 1 else ["null"]))
    yield _array([*items, "null"])
    yield _array(["{}", *items])


def _altered_string(value: str) -> Iterator[str]:
    written = _text(value)
    yield from _renamed(written)
    for stray in _STRAY:
        yield '"' + stray + written[1:]
        yield written[:-1] + stray + '"'
    yield written[:-2] + '"'
    yield written[:-1]
    yield "'" + written[1:-1] + "'"


def _renamed(written: str) -> Iterator[str]:
    """Yield a text in quotes in other letters, and spelled otherwise with the same meaning."""
    if len(written) > 2:
        yield f'"\\u{ord(written[1]):04x}{written[2:]}'
        yield '"' + written[1:-1] + written[1:-1] + '"'
    cases = written.upper(), written.lower(), written.title()
    others = *cases, written.translate(_FOLDS), written.translate(_LOOKALIKES)
    yield from (other for other in others if other != written)


def _text(value: Any) -> str:  # noqa: ANN401 - any JSON value
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def _object(members: list[tuple[str, str]]) -> str:
    return "{" + ",".join(f"{name}:{written}" for name, written in members) + "}"


def _array(items: list[str]) -> str:
    return "[" + ",".join(items) + "]"
