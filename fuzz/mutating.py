"""Inputs made from good ones by changes of bytes, of tokens and of whole parts; the same ones for the same seed."""

from collections.abc import Iterable, Iterator
from random import Random
from typing import Final

_TOKENS: Final = (
    b'"', b"\\", b"{", b"}", b"[", b"]", b",", b":", b"null", b"true", b"1e999", b"-0", b"1.5", b"9007199254740993",
    b"NaN", b'""', b"{}", b"[]", b"\\u0000", b"\\ud800", b"\\udc00", b"\xff", b"\xed\xa0\x80", b"\xef\xbb\xbf", b"\0",
    b"\n", b"\r\n", b"\xe2\x80\xae", b"\x1b[", b"=", b"==", b"-----BEGIN ", b"-----END ", b"-----", b"../", b"//", b"@",
    b"sha256:", b"*", b"**", b"[[", b"]]", b'"""', b"'''", b"%2e", b"0" * 400, b"9" * 5000, b"[" * 300, b'{"":' * 100,
    b"\x30\x84\xff\xff\xff\xff", b"\x30\x80", b"\x02\x01\x00", b"9999-12-31T23:59:59Z", b"0000-00-00T00:00:00Z",
)  # fmt: skip


def mutated(seeds: Iterable[bytes], random: Random) -> Iterator[bytes]:
    """Yield the `seeds`, then changed ones without end. What is interesting is not known, so nothing is learnt."""
    known = list(seeds)
    yield from known
    while True:
        data = bytearray(random.choice(known))
        for _ in range(random.choice((1, 1, 1, 2, 3, 8))):
            _change(data, random, known)
        yield bytes(data)


def _change(data: bytearray, random: Random, known: list[bytes]) -> None:
    at = random.randrange(len(data) + 1)
    end = min(len(data), at + random.choice((1, 1, 2, 4, 16, 64, 1000)))
    match random.randrange(8):
        case 0 if at < len(data):
            data[at] ^= 1 << random.randrange(8)
        case 1 if at < len(data):
            data[at] = random.randrange(256)
        case 2:
            del data[at:end]
        case 3:
            data[at:at] = random.choice(_TOKENS)
        case 4:
            data[at:end] = random.choice(_TOKENS)
        case 5:
            data[at:at] = data[at:end] * random.choice((1, 2, 5))
        case 6:
            other = random.choice(known)
            start = random.randrange(len(other) + 1)
            data[at:end] = other[start : start + end - at]
        case _:
            data[at:at] = random.randbytes(random.choice((1, 2, 8)))
