"""How a certificate is written, where Go's reader is stricter than the library that decodes it here.

Spec: Go crypto/x509, parser.go; X.690, definite lengths.
"""

import re
from collections.abc import Iterator
from typing import Final

_VERSION: Final = 0xA0
_LONG: Final = 0x80
_UTF8: Final = 12
_TEXTS: Final = {
    18: re.compile(rb"[0-9 ]*"),  # NumericString
    19: re.compile(rb"[A-Za-z0-9'()*+,\-./:=?& ]*"),  # PrintableString, with * and & as Go takes them
    20: re.compile(rb"(?s:.*)"),  # T61String
    22: re.compile(rb"[\x00-\x7f]*"),  # IA5String
    30: re.compile(rb"(?s:..)*"),  # BMPString
}
"""What the content of each type of text must look like, by tag."""


def fault_of_writing(der: bytes, usual_key: bytes) -> str | None:
    """Return what Go's reader would refuse in a certificate, or None.

    `der` has been decoded already, and so is well-formed. `usual_key` is its public key written in the one way that
    Go reads; empty for a kind of key that it does not look into.

    Spec: Go crypto/x509, parseCertificate, parseName and parsePublicKey.
    """
    to_be_signed, outer_algorithm, _ = _elements(der)
    parts = list(_elements(to_be_signed))
    _, algorithm, issuer, _, subject, key = parts[1:7] if parts[0][0] == _VERSION else parts[:6]
    if algorithm != outer_algorithm:
        return "it names two algorithms for its signature"
    if usual_key and key != usual_key:
        return "its key is written in an unusual way"
    for name in (issuer, subject):
        for text in _texts(name):
            if not _is_text(text[0], _content(text)):
                return "a name in it holds a text that is none of its type"
    return None


def _texts(name: bytes) -> Iterator[bytes]:
    """Yield the values of a name's attributes."""
    for relative_name in _elements(name):
        for attribute in _elements(relative_name):
            _, text = _elements(attribute)
            yield text


def _is_text(tag: int, content: bytes) -> bool:
    """Return whether `content` is a text of the type that `tag` stands for.

    Spec: Go crypto/x509, parseASN1String.
    """
    if tag == _UTF8:
        return _is_utf8(content)
    form = _TEXTS.get(tag)
    return form is not None and form.fullmatch(content) is not None


def _is_utf8(content: bytes) -> bool:
    try:
        content.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True


def _elements(der: bytes) -> Iterator[bytes]:
    """Yield the elements within the one element `der`, each whole."""
    content = _content(der)
    at = 0
    while at < len(content):
        _, end = _span(content, at)
        yield content[at:end]
        at = end


def _content(der: bytes) -> bytes:
    begin, end = _span(der, 0)
    return der[begin:end]


def _span(der: bytes, at: int) -> tuple[int, int]:
    """Return where the content of the element at `at` begins and ends."""
    length, begin = der[at + 1], at + 2
    if length >= _LONG:
        octets = length - _LONG
        length, begin = int.from_bytes(der[begin : begin + octets]), begin + octets
    return begin, begin + length
