"""The entries of a very large role, all of the usual form: each is checked, and a typed value is made of one asked for.

A role of 100,000 tags is 19 MB. Decoded as JSON it would take seconds and hundreds of megabytes, to look up one tag.
Where every entry has the form that Notary's own client writes, one regular expression checks them all, and the text
itself is kept. Anything else is left to the strict decoder.
"""

import operator
import re
from array import array
from collections.abc import Iterator, Mapping
from itertools import accumulate, islice
from typing import Any, Final, final

_MIN_BYTES: Final = 64 * 1024
"""Smaller documents are decoded whole: they take less than a millisecond for each 10 KiB."""
_START: Final = b'"targets":{'
_ENTRY: Final = (
    rb'"[^"\\}\x00-\x1f]*":\{"hashes":\{"sha256":"[A-Za-z0-9+/]{43}="(?:,"sha512":"[A-Za-z0-9+/]{86}==")?\}'
    rb',"length":(?:0|[1-9][0-9]{0,14})\}'
)
_ENTRIES: Final = re.compile(rb"(?:" + _ENTRY + rb",)*+" + _ENTRY + rb"\}")
_BETWEEN: Final = b'},"'
"""What stands between an entry's hashes and its length, and between two entries; names have no brace."""
_PARTS: Final = re.compile(rb'"sha256":"([^"]*)"(?:,"sha512":"([^"]*)")?\},"length":([0-9]+)\}')
_MARK: Final = b'"(the-entries-stand-here)"'


@final
class UniformEntries(Mapping[str, Any]):
    """Target names to what is said of them, over the text of a document. Names are in order, and each is there once."""

    __slots__ = ("_starts", "_text")

    def __init__(self, text: bytes, starts: "array[int]") -> None:
        """Hold the `text` of entries that begin at `starts`; `cut_out` checks that they are such."""
        self._text = text
        self._starts = starts

    def __len__(self) -> int:
        """Return how many targets there are."""
        return len(self._starts)

    def __iter__(self) -> Iterator[str]:
        """Iterate over the names."""
        return (self._name(start).decode() for start in self._starts)

    def __getitem__(self, name: str) -> dict[str, Any]:
        """Return the entry as the strict decoder would."""
        wanted = name.encode("utf-8", "surrogatepass")
        low, high = 0, len(self._starts)
        while low < high:
            middle = (low + high) // 2
            if self._name(self._starts[middle]) < wanted:
                low = middle + 1
            else:
                high = middle
        if low == len(self._starts) or self._name(self._starts[low]) != wanted:
            raise KeyError(name)
        return self._entry(self._starts[low])

    def _name(self, start: int) -> bytes:
        return self._text[start + 1 : self._text.index(b'"', start + 1)]

    def _entry(self, start: int) -> dict[str, Any]:
        match = _PARTS.search(self._text, start)
        if match is None:
            raise KeyError(start)
        sha256, sha512, length = match.groups()
        hashes = {name: text.decode() for name, text in (("sha256", sha256), ("sha512", sha512)) if text}
        return {"hashes": hashes, "length": int(length)}


@final
class CutOut:
    """A document with its entries cut out and a mark in their place."""

    __slots__ = ("entries", "mark", "rest", "text")

    def __init__(self, rest: bytes, text: bytes, entries: UniformEntries) -> None:
        """Hold the `rest` of a document, and the `text` that the mark stands for."""
        self.rest = rest
        self.text = text
        self.entries = entries
        self.mark = _MARK

    @property
    def marked(self) -> str:
        """The JSON value that must stand for ``targets`` in the rest."""
        return self.mark[1:-1].decode()


def cut_out(body: bytes) -> CutOut | None:
    """Return `body` with a long object of uniform target entries cut out, or None if it has none to be sure of.

    The entries are in canonical form: sorted, no member twice, no white space, no escapes, UTF-8. Whether they stand
    where the document's own ``targets`` stand shows when the rest is decoded: its ``targets`` must be the mark.
    """
    if len(body) < _MIN_BYTES or _MARK in body:
        return None
    found = body.find(_START)
    if found < 0:
        return None
    begin = found + len(_START)
    match = _ENTRIES.match(body, begin)
    if match is None:
        return None
    text = body[begin - 1 : match.end()]
    pieces = text[2:].split(_BETWEEN)
    names = [piece[: piece.index(b'"')] for piece in pieces[::2]]
    if not _is_utf8(text) or any(map(operator.ge, names, names[1:])):
        return None
    ends = accumulate(len(piece) + len(_BETWEEN) for piece in pieces)
    starts = array("Q", (1, *(end + 1 for end in islice(ends, 1, len(pieces) - 1, 2))))
    return CutOut(body[: begin - 1] + _MARK + body[match.end() :], text, UniformEntries(text, starts))


def _is_utf8(text: bytes) -> bool:
    try:
        text.decode()
    except UnicodeDecodeError:
        return False
    return True
