"""PEM blocks as the reference client finds them: text around a block and damaged blocks are passed over.

Spec: RFC 7468, read as leniently as Go's encoding/pem.
"""

import binascii
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, final

_BEGIN: Final = b"-----BEGIN "
_END: Final = b"-----END "
_DASHES: Final = b"-----"
_BLANKS: Final = b" \t\r\n"
_BASE64: Final = re.compile(rb"(?:[A-Za-z0-9+/]{4})*+(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?")


@final
@dataclass(frozen=True, slots=True)
class PemBlock:
    """One block: what it says it is, and its bytes."""

    label: str
    content: bytes
    has_headers: bool


def iter_pem_blocks(text: bytes) -> Iterator[PemBlock]:
    """Yield the well-formed blocks of `text` in order. Their content is not looked at.

    Spec: Go encoding/pem, Decode, step by step: what it passes over, and where it looks on, is kept as it is.
    """
    at = end = 0
    while (start := _after_begin(text, at)) is not None:
        title, at = _line(text, start)
        if not title.endswith(_DASHES):
            continue
        at, has_headers = _after_headers(text, at)
        if at == len(text):
            return
        if not has_headers and text.startswith(_END, at):
            found = _block(text, at, at, title, has_headers=False)
        else:
            # The next end is looked for once, not once for every beginning before it.
            end = end if at <= end else text.find(b"\n" + _END, at)
            if end < 0:
                return
            found = _block(text, at, end + 1, title, has_headers=has_headers)
        if found is not None:
            block, at = found
            yield block


def decode_base64(text: bytes) -> bytes:
    """Return the bytes that `text` says in base64: standard alphabet, full padding, nothing else.

    Raises:
        ValueError: it is not that. (Python's own decoder passes over padding that is too long.)
    """
    if _BASE64.fullmatch(text) is None:
        msg = "not base64"
        raise ValueError(msg)
    return binascii.a2b_base64(text)


def encode_pem_certificate(der: bytes) -> bytes:
    """Return a certificate's DER as PEM with 64 columns, line feeds and a final one."""
    text = binascii.b2a_base64(der, newline=False)
    lines = [text[start : start + 64] for start in range(0, len(text), 64)]
    return b"\n".join((b"-----BEGIN CERTIFICATE-----", *lines, b"-----END CERTIFICATE-----", b""))


def _after_begin(text: bytes, at: int) -> int | None:
    """Return where the title of the next block begins: at the beginning of a line, or right at `at`."""
    if text.startswith(_BEGIN, at):
        return at + len(_BEGIN)
    found = text.find(b"\n" + _BEGIN, at)
    return None if found < 0 else found + 1 + len(_BEGIN)


def _after_headers(text: bytes, at: int) -> tuple[int, bool]:
    """Return where the lines with a colon end, and whether there were any."""
    has_headers = False
    while at < len(text):
        line, after = _line(text, at)
        if b":" not in line:
            break
        has_headers, at = True, after
    return at, has_headers


def _line(text: bytes, at: int) -> tuple[bytes, int]:
    """Return the line at `at` without the space at its end, and where the next one begins."""
    end = text.find(b"\n", at)
    if end < 0:
        return text[at:].rstrip(b" \t"), len(text)
    return text[at:end].removesuffix(b"\r").rstrip(b" \t"), end + 1


def _block(text: bytes, at: int, end: int, title: bytes, *, has_headers: bool) -> tuple[PemBlock, int] | None:
    """Return the block whose base64 begins at `at`, and where to look for the next; None if it is damaged."""
    closing, after = _line(text, end + len(_END))
    if closing != title or text.find(b"-", at, end) >= 0:
        return None
    try:
        content = decode_base64(text[at:end].translate(None, _BLANKS))
    except ValueError:
        return None
    label = title.removesuffix(_DASHES).decode("latin-1")
    return PemBlock(label, content, has_headers), after
