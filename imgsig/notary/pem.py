"""PEM blocks as the reference client finds them: text around a block and damaged blocks are passed over.

Spec: RFC 7468, read as leniently as Go's encoding/pem.
"""

import binascii
import re
from base64 import b64decode
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, final

_BEGIN: Final = re.compile(rb"(?:\A|\n)-----BEGIN ")
_DASHES: Final = b"-----"
_BLANKS: Final = re.compile(rb"[ \t\r\n]+")


@final
@dataclass(frozen=True, slots=True)
class PemBlock:
    """One block: what it says it is, and its bytes."""

    label: str
    content: bytes
    has_headers: bool


def iter_pem_blocks(text: bytes) -> Iterator[PemBlock]:
    """Yield the well-formed blocks of `text` in order. Their content is not looked at."""
    at = 0
    while match := _BEGIN.search(text, at) if at == 0 or text[at - 1 : at] != b"\n" else _BEGIN.search(text, at - 1):
        found = _block(text, match.end())
        if found is None:
            at = match.end()
        else:
            block, at = found
            yield block


def encode_pem_certificate(der: bytes) -> bytes:
    """Return a certificate's DER as PEM with 64 columns, line feeds and a final one."""
    text = binascii.b2a_base64(der, newline=False)
    lines = [text[start : start + 64] for start in range(0, len(text), 64)]
    return b"\n".join((b"-----BEGIN CERTIFICATE-----", *lines, b"-----END CERTIFICATE-----", b""))


def _line(text: bytes, at: int) -> tuple[bytes, int]:
    end = text.find(b"\n", at)
    if end < 0:
        return text[at:].rstrip(b" \t\r"), len(text)
    return text[at:end].rstrip(b" \t\r"), end + 1


def _block(text: bytes, at: int) -> tuple[PemBlock, int] | None:
    title, at = _line(text, at)
    if not title.endswith(_DASHES):
        return None
    label = title[: -len(_DASHES)]
    has_headers = False
    while at < len(text):
        line, after = _line(text, at)
        if b":" not in line:
            break
        has_headers, at = True, after
    end_mark = b"-----END "
    if not has_headers and text.startswith(end_mark, at):
        end, trailer = at, at + len(end_mark)
    else:
        end = text.find(b"\n" + end_mark, at)
        trailer = end + 1 + len(end_mark)
    if end < 0:
        return None
    closing, after = _line(text, trailer)
    if closing != label + _DASHES:
        return None
    try:
        content = b64decode(_BLANKS.sub(b"", text[at:end]), validate=True)
    except (binascii.Error, ValueError):
        return None
    return PemBlock(label.decode("latin-1"), content, has_headers), after
