from collections.abc import Mapping
from typing import Any

import pytest
from urllib3 import HTTPHeaderDict

from imgsig.codes import Code
from imgsig.errors import InconclusiveError
from imgsig.source import DocumentMissingError, OutageError
from imgsig.transport.exchange import Answer
from imgsig.transport.statuses import read_document, retry_after_seconds


def answer(status: int, body: bytes = b"", headers: Mapping[str, str] | None = None) -> Answer:
    return Answer(status, HTTPHeaderDict(dict(headers or {})), body)


def read(reply: Answer) -> bytes:
    return read_document(reply, "timestamp.json", "https://notary.test")


@pytest.mark.parametrize("body", [b"{}", b' \t\r\n{"signed":1}', b"{ this is for the authority to refuse"])
def test_a_200_that_begins_like_an_object_is_the_document(body: bytes) -> None:
    assert read(answer(200, body, {"Content-Type": "text/html"})) == body


@pytest.mark.parametrize("body", [b"", b"[]", b"null", b"\xef\xbb\xbf{}", b"\x0b{}", b"\x1f\x8b", b"<html>{}"])
def test_another_200_is_a_bad_response(body: bytes) -> None:
    with pytest.raises(InconclusiveError, match="200 that is no JSON object") as raised:
        read(answer(200, body))
    assert raised.value.code is Code.BAD_RESPONSE
    assert ("web page" in str(raised.value)) is body.startswith(b"<")


def test_a_404_brings_the_beginning_of_its_body() -> None:
    with pytest.raises(DocumentMissingError) as raised:
        read(answer(404, b'{"errors":[{"code":"METADATA_NOT_FOUND"}]}'))
    assert raised.value.body == b'{"errors":[{"code":"METADATA_NOT_FOUND"}]}'
    assert (raised.value.code, raised.value.subject) == (Code.BAD_RESPONSE, "timestamp.json")


@pytest.mark.parametrize(
    ("status", "code", "kind"),
    [
        *((status, Code.BAD_RESPONSE, InconclusiveError) for status in (201, 202, 203, 204, 205, 206, 299)),
        *((status, Code.BAD_RESPONSE, InconclusiveError) for status in (300, 301, 302, 303, 304, 307, 308, 399)),
        *((status, Code.BAD_RESPONSE, InconclusiveError) for status in (400, 402, 405, 407, 408, 409, 410, 418, 451)),
        *((status, Code.BAD_RESPONSE, InconclusiveError) for status in (100, 199, 600, 999)),
        (401, Code.ACCESS_DENIED, InconclusiveError),
        (403, Code.ACCESS_DENIED, InconclusiveError),
        (429, Code.THROTTLED, OutageError),
        *((status, Code.UNREACHABLE, OutageError) for status in (500, 501, 502, 503, 504, 599)),
    ],
)
def test_each_status_has_its_meaning(status: int, code: Code, kind: type[InconclusiveError]) -> None:
    with pytest.raises(InconclusiveError, match=str(status)) as raised:
        read(answer(status, b"{}"))
    assert type(raised.value) is kind
    assert raised.value.code is code


def test_a_redirect_is_called_one_and_shows_no_query() -> None:
    with pytest.raises(InconclusiveError, match=r"redirect \(302\) to 'https://evil.test/x', not followed") as raised:
        read(answer(302, b"", {"Location": "https://evil.test/x?token=s3cret"}))
    assert "s3cret" not in str(raised.value)


def test_a_web_page_is_called_one() -> None:
    with pytest.raises(InconclusiveError, match="status 400: it looks like a web page"):
        read(answer(400, b"", {"Content-Type": "text/HTML; charset=utf-8"}))


DATE = "Wed, 21 Oct 2015 07:28:00 GMT"


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"Retry-After": "7"}, 7.0),
        ({"Retry-After": " 0 "}, 0.0),
        ({"Retry-After": "999999999"}, 86400.0),
        ({"Retry-After": "Wed, 21 Oct 2015 07:30:00 GMT", "Date": DATE}, 120.0),
        ({"Retry-After": "Wed, 21 Oct 2015 07:00:00 GMT", "Date": DATE}, 0.0),
        ({"Retry-After": "Wed, 21 Oct 2099 07:00:00 GMT", "Date": DATE}, 86400.0),
        ({"Retry-After": "Wed, 21 Oct 2015 07:30:00 GMT"}, None),
        ({"Retry-After": "Wed, 21 Oct 2015 07:30:00", "Date": DATE}, None),
        ({"Retry-After": "-1"}, None),
        ({"Retry-After": "1.5"}, None),
        ({"Retry-After": "9" * 5000}, None),
        ({"Retry-After": "soon", "Date": DATE}, None),
        ({"Retry-After": "٣"}, None),
        ({}, None),
    ],
)
@pytest.mark.parametrize("status", [429, 503])
def test_how_long_to_wait_is_passed_on_within_a_day(
    status: int, headers: dict[str, Any], seconds: float | None
) -> None:
    reply = answer(status, b"", headers)
    assert retry_after_seconds(reply) == seconds
    with pytest.raises(OutageError) as raised:
        read(reply)
    assert raised.value.retry_after_seconds == seconds
