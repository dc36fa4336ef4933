"""Random changes of JSON text: members dropped, doubled, renamed, retyped, spelled otherwise."""

import json
from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass, field
from random import Random
from typing import Final, Self

_NUMBERS: Final = (
    b"0",
    b"-0",
    b"1",
    b"-1",
    b"2",
    b"1.0",
    b"1e0",
    b"1E2",
    b"1.5",
    b"1e400",
    b"1e-400",
    b"9007199254740993",
    b"9223372036854775807",
    b"9223372036854775808",
    b"18446744073709551616",
    b"01",
    b"+1",
    b"NaN",
    b"1" + b"0" * 400,
)
_STRINGS: Final = (
    b'""',
    b'" "',
    b'"\\u0000"',
    b'"\\n"',
    b'"\xc3\xa4"',
    b'"\\ud83d"',
    b'"\\ud83d\\ude00"',
    b'"\xff"',
    b'"\\/"',
    b'"\\x"',
    b'"YWJj="',
    b'"YQ"',
    b'"YQ=="',
    b'"YR=="',
    b'"-_-_"',
    b'"targets"',
    b'"Targets"',
    b'"root"',
    b'"targets/releases"',
    b'"2001-01-01T00:00:00Z"',
    b'"2090-01-01T00:00:00Z"',
    b'"2090-01-01T1:00:00Z"',
    b'"0000-00-00T00:00:00Z"',
    b'"ecdsa"',
    b'"rsapss"',
    b'"eddsa"',
    b'"sha256"',
    b'"latest"',
    b'"unterminated',
    b'"\x01"',
    b"'x'",
    b'"\xe2\x80\xa8"',
)
_VALUES: Final = (
    b"null",
    b"true",
    b"false",
    b"[]",
    b"{}",
    b"[null]",
    b'{"":null}',
    b"[[]]",
    b"tru",
    b"",
    *_NUMBERS[:6],
    *_STRINGS[:6],
)
_FOLDS: Final = {ord("s"): "\u017f", ord("k"): "\u212a"}


@dataclass(slots=True)
class Node:
    """A JSON value as text: scalars are kept as they are spelled."""

    kind: str
    scalar: bytes = b""
    members: list[tuple[bytes, "Node"]] = field(default_factory=list)
    """Names as they are spelled and values; in a list the names are empty."""

    @classmethod
    def parse(cls, value: object) -> Self:
        """Return the tree of a decoded JSON value."""
        if isinstance(value, dict):
            return cls("object", members=[(_spelled(name), cls.parse(member)) for name, member in value.items()])
        if isinstance(value, list):
            return cls("array", members=[(b"", cls.parse(member)) for member in value])
        return cls("scalar", _spelled(value))

    def text(self) -> bytes:
        """Return the JSON text."""
        if self.kind == "scalar":
            return self.scalar
        inner = b",".join((name + b":" if name else b"") + member.text() for name, member in self.members)
        return b"{" + inner + b"}" if self.kind == "object" else b"[" + inner + b"]"

    def all(self) -> list["Node"]:
        """Return the node and everything in it."""
        return [self, *(node for _, member in self.members for node in member.all())]


def _spelled(value: object) -> bytes:
    return json.dumps(value, ensure_ascii=False).encode()


def mutate(text: bytes, random: Random) -> tuple[bytes, str]:
    """Return `text` with one to three random changes, and what they were."""
    try:
        tree = Node.parse(json.loads(text))
    except ValueError:
        return text, "nothing: no JSON"
    said = []
    for _ in range(random.choice((1, 1, 1, 2, 3))):
        change = random.choice(_CHANGES)
        said.append(f"{change.__name__.strip('_')} {change(tree, random)}")
    changed = tree.text()
    if random.random() < 0.05:
        changed = random.choice((b" ", b"\n", b"\xef\xbb\xbf", b"\x0c", b"x")) + changed
        said.append("prefix")
    return changed, ", ".join(said)


def _holder(tree: Node, random: Random) -> Node | None:
    holders = [node for node in tree.all() if node.members]
    return random.choice(holders) if holders else None


def _drop(tree: Node, random: Random) -> str:
    holder = _holder(tree, random)
    if holder is None:
        return ""
    name, member = holder.members.pop(random.randrange(len(holder.members)))
    return _brief(name or member.text())


def _double(tree: Node, random: Random) -> str:
    holder = _holder(tree, random)
    if holder is None:
        return ""
    index = random.randrange(len(holder.members))
    name, member = holder.members[index]
    twin = random.choice((member, Node("scalar", random.choice(_VALUES)), random.choice(tree.all())))
    holder.members.insert(random.choice((index, index + 1, len(holder.members))), (name, deepcopy(twin)))
    return _brief(name or member.text())


def _reorder(tree: Node, random: Random) -> str:
    holder = _holder(tree, random)
    if holder is not None:
        random.shuffle(holder.members)
    return ""


def _rename(tree: Node, random: Random) -> str:
    objects = [node for node in tree.all() if node.kind == "object" and node.members]
    if not objects:
        return ""
    node = random.choice(objects)
    index = random.randrange(len(node.members))
    name, member = node.members[index]
    new = random.choice(_RENAMINGS)(name.decode())
    node.members[index] = (new.encode(), member)
    return f"{_brief(name)} to {_brief(new.encode())}"


def _replace(tree: Node, random: Random) -> str:
    holder = _holder(tree, random)
    if holder is None:
        return ""
    index = random.randrange(len(holder.members))
    name, member = holder.members[index]
    values = random.choice((_VALUES, _NUMBERS, _STRINGS))
    new = deepcopy(random.choice((Node("scalar", random.choice(values)), random.choice(tree.all()))))
    holder.members[index] = (name, new)
    return f"{_brief(name or member.text())} by {_brief(new.text())}"


def _respell(tree: Node, random: Random) -> str:
    scalars = [node for node in tree.all() if node.kind == "scalar" and node.scalar]
    if not scalars:
        return ""
    node = random.choice(scalars)
    old = node.scalar
    node.scalar = random.choice(_SPELLINGS)(old, random)
    return f"{_brief(old)} as {_brief(node.scalar)}"


def _wrap(tree: Node, random: Random) -> str:
    holder = _holder(tree, random)
    if holder is None:
        return ""
    index = random.randrange(len(holder.members))
    name, member = holder.members[index]
    wrapped = (
        Node("array", members=[(b"", member)]) if random.random() < 0.5 else Node("object", members=[(b'"x"', member)])
    )
    holder.members[index] = (name, wrapped)
    return _brief(name or member.text())


def _insert(tree: Node, random: Random) -> str:
    objects = [node for node in tree.all() if node.kind != "scalar"]
    if not objects:
        return ""
    node = random.choice(objects)
    name = random.choice((b'"x"', b'""', b'"targets"', b'"hashes"', b'"version"', b'"custom"', b'"paths"', b'"keys"'))
    node.members.insert(
        random.randint(0, len(node.members)),
        (name if node.kind == "object" else b"", Node("scalar", random.choice(_VALUES))),
    )
    return _brief(name)


def _escape(name: str) -> str:
    return f'"\\u{ord(name[1]):04x}{name[2:]}' if len(name) > 2 else name


_RENAMINGS: Final[tuple[Callable[[str], str], ...]] = (
    str.upper,
    str.title,
    lambda name: name.translate(_FOLDS),
    _escape,
    lambda name: name[:-1] + ' "',
    lambda name: '"' + name[2:],
    lambda name: name[:-1] + '\\u0000"',
    lambda _: '""',
    lambda _: '"\u00e4"',
)


def _flip(scalar: bytes, random: Random) -> bytes:
    index = random.randrange(len(scalar))
    return scalar[:index] + bytes([scalar[index] ^ (1 << random.randrange(8))]) + scalar[index + 1 :]


def _cut(scalar: bytes, random: Random) -> bytes:
    index = random.randrange(len(scalar))
    return scalar[:index] + scalar[index + 1 :]


def _grow(scalar: bytes, random: Random) -> bytes:
    index = random.randrange(len(scalar) + 1)
    extra = random.choice(
        (b"=", b"A", b"0", b" ", b"\\n", b"\\u0000", b"/", b".", b"*", b"Z", b"+", b"-", b"\\r", b"9")
    )
    return scalar[:index] + extra + scalar[index:]


def _escaped(scalar: bytes, random: Random) -> bytes:
    if len(scalar) < 3 or scalar[:1] != b'"':
        return scalar + b".0"
    index = random.randrange(1, len(scalar) - 1)
    return scalar[:index] + b"\\u%04x" % scalar[index] + scalar[index + 1 :] if scalar[index] != ord("\\") else scalar


_SPELLINGS: Final[tuple[Callable[[bytes, Random], bytes], ...]] = (_flip, _cut, _grow, _escaped)
_CHANGES: Final[tuple[Callable[[Node, Random], str], ...]] = (
    _drop,
    _double,
    _reorder,
    _rename,
    _replace,
    _respell,
    _respell,
    _wrap,
    _insert,
)


def _brief(text: bytes) -> str:
    return ascii(text[:40])[1:]
