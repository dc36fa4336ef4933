"""What a server's answer means, by its status: the table "what the server says"."""

import re
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import Final

from imgsig.codes import Code
from imgsig.errors import InconclusiveError
from imgsig.source import DocumentMissingError, OutageError
from imgsig.strictjson import quote
from imgsig.transport.exchange import Answer

MAX_RETRY_AFTER_SECONDS: Final = 86400.0
"""The longest wait that a server's word is passed on for."""

_FAILURES: Final = range(500, 600)
_OBJECT: Final = re.compile(rb"[ \t\r\n]*\{")
_MARKUP: Final = re.compile(rb"\s*<")
_SECONDS: Final = re.compile(r"[0-9]{1,9}")


def read_document(answer: Answer, subject: str, origin: str) -> bytes:
    """Return the body of an answer that may be the document asked for: a 200 that begins like a JSON object.

    Raises as `read_body` does.
    """
    body = read_body(answer, subject, origin)
    if not _OBJECT.match(body):
        raise _bad(f"{origin} answered for {subject} with a 200 that is no JSON object{_looks_like(answer)}", subject)
    return body


def read_body(answer: Answer, subject: str, origin: str) -> bytes:
    """Return the body of a 200, whatever it is.

    A 401 is for the caller to satisfy first.

    Raises:
        DocumentMissingError: a 404; the error holds the beginning of its body.
        OutageError: a 429 (``throttled``) or a 5xx (``unreachable``).
        InconclusiveError: a 401 or 403 (``access_denied``), or anything else (``bad_response``).
    """
    status = answer.status
    if status == HTTPStatus.OK:
        return answer.body
    if status == HTTPStatus.NOT_FOUND:
        raise DocumentMissingError(f"{origin} has no {subject}", subject=subject, body=answer.body)
    if status in {HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN}:
        msg = f"{origin} refuses access to {subject} with status {status}"
        raise InconclusiveError(msg, code=Code.ACCESS_DENIED, subject=subject)
    failure = outage(answer, origin)
    if failure is not None:
        raise failure
    if HTTPStatus.MULTIPLE_CHOICES <= status < HTTPStatus.BAD_REQUEST:
        target = quote(answer.header("Location").partition("?")[0])
        raise _bad(f"{origin} answered for {subject} with a redirect ({status}) to {target}, not followed", subject)
    raise _bad(f"{origin} answered for {subject} with status {status}{_looks_like(answer)}", subject)


def outage(answer: Answer, origin: str) -> OutageError | None:
    """Return the error for a 429 or a 5xx; None for any other status."""
    if answer.status == HTTPStatus.TOO_MANY_REQUESTS:
        failure = OutageError(f"{origin} asks to slow down (429)", code=Code.THROTTLED, subject=origin)
    elif answer.status in _FAILURES:
        failure = OutageError(f"{origin} failed with status {answer.status}", code=Code.UNREACHABLE, subject=origin)
    else:
        return None
    failure.retry_after_seconds = retry_after_seconds(answer)
    return failure


def retry_after_seconds(answer: Answer) -> float | None:
    """Return how long the server asks to wait, at most a day; None if it does not say so in a way that counts.

    A date is compared with the server's own ``Date``, so that the clocks need not agree.
    """
    value = answer.header("Retry-After").strip()
    if _SECONDS.fullmatch(value):
        return min(float(value), MAX_RETRY_AFTER_SECONDS)
    try:
        wait = (parsedate_to_datetime(value) - parsedate_to_datetime(answer.header("Date"))).total_seconds()
    except (ValueError, TypeError, IndexError, OverflowError):  # what the parser raises for nonsense
        return None
    return min(max(wait, 0.0), MAX_RETRY_AFTER_SECONDS)


def _looks_like(answer: Answer) -> str:
    html = answer.header("Content-Type").lower().startswith("text/html") or _MARKUP.match(answer.body)
    return ": it looks like a web page, perhaps of a proxy" if html else ""


def _bad(message: str, subject: str) -> InconclusiveError:
    return InconclusiveError(message, code=Code.BAD_RESPONSE, subject=subject)
