"""PEM as Go finds it: every block it finds, none that it passes over, and no text that takes long."""

import time
from base64 import b64encode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from imgsig.notary.pem import PemBlock, decode_base64, encode_pem_certificate, iter_pem_blocks

ONE = b"-----BEGIN CERTIFICATE-----\nYWJj\n-----END CERTIFICATE-----\n"
BLOCK = PemBlock("CERTIFICATE", b"abc", has_headers=False)


def blocks(text: bytes) -> list[PemBlock]:
    return list(iter_pem_blocks(text))


@pytest.mark.parametrize(
    "text",
    [
        ONE,
        ONE.rstrip(),
        ONE.replace(b"\n", b"\r\n"),
        ONE.replace(b"\n", b" \t\r\n"),
        b"text before\n" + ONE + b"text after",
        b"\n\n" + ONE,
        b"-----BEGIN \n" + ONE,
        b"-----BEGIN X----\n" + ONE,
        b"-----BEGIN X-----\n" + ONE,
        b"-----BEGIN X-----\nYWJj\n" + ONE,
        b"-----BEGIN CERTIFICATE-----\nYW*j\n-----END CERTIFICATE-----\n" + ONE,
        b"-----BEGIN X-----\n-----END Y-----\n" + ONE,
        b"-----BEGIN CERTIFICATE-----\nYWJj\n-----END CERTIFICATE----- x\n" + ONE,
        b"-----BEGIN CERTIFICATE-----\nY W\tJ\r\nj\n-----END CERTIFICATE-----",
        b"-----BEGIN CERTIFICATE-----\n\n\nYWJj\n\n-----END CERTIFICATE-----  \t",
        b"-----END CERTIFICATE-----\n" + ONE,
    ],
)
def test_one_block_is_found(text: bytes) -> None:
    assert blocks(text) == [BLOCK]


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"-----BEGIN ",
        b" " + ONE,
        b"x" + ONE,
        b"\r" + ONE,
        ONE[:-7],
        ONE.rstrip() + b"\r",
        ONE.replace(b"YWJj\n", b"YWJj"),
        ONE.replace(b"YWJj", b"YWJj="),
        ONE.replace(b"YWJj", b"YWJ"),
        ONE.replace(b"YWJj", b"YWJ\x0b"),
        ONE.replace(b"END C", b"END c"),
        ONE.replace(b"END ", b"END"),
        ONE.replace(b"-----\nYWJj", b"----- \r\r\nYWJj"),
        b"-----BEGIN CERTIFICATE-----\na: b\n",
        b"-----BEGIN CERTIFICATE-----\n",
        b"-----BEGIN CERTIFICATE-----\na: b\n-----END CERTIFICATE-----\n",
    ],
)
def test_no_block_is_found(text: bytes) -> None:
    assert not blocks(text)


def test_blocks_come_in_order_with_their_labels() -> None:
    text = ONE + b"between\n" + ONE.replace(b"CERTIFICATE", b"X Y:Z") + ONE.replace(b"CERTIFICATE", b"")
    assert [block.label for block in blocks(text)] == ["CERTIFICATE", "X Y:Z", ""]


def test_headers_are_passed_over_and_noted() -> None:
    text = ONE.replace(b"YWJj", b"Proc-Type: 4\nx:\n: y\n\nYWJj")
    assert blocks(text) == [PemBlock("CERTIFICATE", b"abc", has_headers=True)]
    assert blocks(ONE.replace(b"YWJj", b"a:b\nYWJj")) == [PemBlock("CERTIFICATE", b"abc", has_headers=True)]


def test_a_block_may_be_empty() -> None:
    assert blocks(b"-----BEGIN X-----\n-----END X-----\n") == [PemBlock("X", b"", has_headers=False)]
    assert blocks(b"-----BEGIN X-----\n\n-----END X-----\n") == [PemBlock("X", b"", has_headers=False)]


def test_a_beginning_among_headers_is_a_header() -> None:
    assert not blocks(b"-----BEGIN X-----\n-----BEGIN a: -----\nYWJj\n-----END a: -----\n")


def test_a_label_that_is_no_ascii_is_kept_as_bytes() -> None:
    assert blocks(ONE.replace(b"CERTIFICATE", b"\xff"))[0].label == "\xff"


@pytest.mark.parametrize("size", [0, 1, 47, 48, 49, 96, 1000])
def test_what_is_written_is_found_again(size: int) -> None:
    written = encode_pem_certificate(bytes(size))
    assert blocks(written) == [PemBlock("CERTIFICATE", bytes(size), has_headers=False)]
    assert all(len(line) <= 64 for line in written.split(b"\n"))
    assert written.endswith(b"-----END CERTIFICATE-----\n")
    assert b"\n\n" not in written
    assert b"\r" not in written


@pytest.mark.parametrize(
    "text",
    [
        b"-----BEGIN X-----\n" * 40_000,
        b"-----BEGIN X-----\n" * 40_000 + b"-----END Y-----\n",
        b"-----BEGIN X-----\n" * 40_000 + b"-----END X-----\n",
        b"-----BEGIN X-----\na:b\n" * 40_000 + b"\n-----END X-----\n",
        b"-----BEGIN X-----\n!\n-----END X-----\n" * 20_000,
        b"-----BEGIN X-----\n" + b"a:b\n" * 100_000,
        b"\n" * 1_000_000,
        b"-----BEGIN X-----\n" + b"A" * 1_000_000,
    ],
)
def test_no_text_takes_more_than_time_in_proportion(text: bytes) -> None:
    before = time.process_time()
    blocks(text)
    assert time.process_time() - before < 10


@given(st.binary(max_size=100))
def test_base64_is_read_and_nothing_like_it(content: bytes) -> None:
    text = b64encode(content)
    assert decode_base64(text) == content
    for wrong in (text + b"=", text + b"A", text + b"\n", b" " + text, text.replace(b"=", b"") + b"=="):
        if wrong != text:
            with pytest.raises(ValueError, match="base64"):
                decode_base64(wrong)


PARTS = [b"-----BEGIN ", b"-----END ", b"X", b"-----", b"\n", b"\r", b" ", b"YWJj", b":", ONE]


@given(st.lists(st.sampled_from(PARTS), max_size=12))
def test_only_what_is_written_between_marks_is_found(parts: list[bytes]) -> None:
    for block in iter_pem_blocks(b"".join(parts)):
        assert block.label in {"CERTIFICATE", "X", "", "XX"} or not block.label.isalpha()
        assert len(block.content) % 3 == 0
