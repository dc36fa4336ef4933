"""A server, or its token service, that never stops sending is cut off at the bound, and costs no memory beyond it."""

import tracemalloc
from pathlib import Path

import pytest

from imgsig.codes import Code
from imgsig.errors import RejectedError, VerificationError
from tests.support.asking import TARGET, client, endpoint, fetch
from tests.support.hostile import (
    Answer,
    HostileServer,
    bearer,
    chunks,
    endless_body,
    endless_headers,
    gzip_bomb,
    head,
    raw,
    redirect,
    reply,
    unauthorised,
    write_ca,
)

BOUND = 64 * 1024
BUFFERED = 16 * 1024 * 1024
"""What the buffers of both ends may take of what nobody reads."""
PEAK = 4 * 1024 * 1024
"""What the client may hold at most."""


def attacked(answer: Answer, tmp_path: Path, *, tls: bool = False) -> tuple[VerificationError, int]:
    """Return what an answer amounts to, and the client's peak of memory while it found out."""
    with HostileServer(tls=tls, answers={TARGET: answer}) as server, client(server, ca=write_ca(tmp_path)) as sources:
        source = sources.open(endpoint(server.url))  # imports are no part of the measure
        tracemalloc.start()
        try:
            with pytest.raises(VerificationError) as raised:
                fetch(source, server.url, max_bytes=BOUND, seconds=10)
            _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
        assert server.sent < BUFFERED
        return raised.value, peak


@pytest.mark.parametrize("tls", [False, True], ids=["http", "https"])
@pytest.mark.parametrize(
    "answer",
    [
        endless_body(),
        endless_body(chunked=True),
        endless_body(declared=2**62),
        chunks(*[b"1\r\n{\r\n"] * (3 * BOUND)),
        reply(b"{" + b" " * BOUND),
    ],
    ids=["until it closes", "chunked", "declared", "tiny chunks", "one byte more"],
)
def test_an_endless_document_is_refused_at_its_bound(answer: Answer, tls: bool, tmp_path: Path) -> None:
    error, peak = attacked(answer, tmp_path, tls=tls)
    assert isinstance(error, RejectedError)
    assert error.code is Code.LIMIT_EXCEEDED
    assert peak < PEAK


@pytest.mark.parametrize(
    "answer",
    [
        endless_headers(),
        redirect("/elsewhere"),
        gzip_bomb(megabytes=32),
        raw(head(200, [("X", "x" * 60_000)] * 99) + b"{}"),
        chunks(b"0\r\n" + b"X: y\r\n" * 1_000_000),
        chunks(b"-1\r\n" + b"{" + b"x" * 4_000_000),
    ],
    ids=["heads", "body of a redirect", "compressed", "great headers", "trailers", "chunk of size -1"],
)
def test_whatever_else_is_endless_ends_without_an_answer(answer: Answer, tmp_path: Path) -> None:
    error, peak = attacked(answer, tmp_path)
    assert error.code in {Code.BAD_RESPONSE, Code.LIMIT_EXCEEDED}
    assert peak < PEAK


@pytest.mark.parametrize("status", [401, 403, 404, 500])
def test_the_page_of_a_refusal_is_not_read_to_its_end(status: int, tmp_path: Path) -> None:
    _, peak = attacked(endless_body(status=status), tmp_path)
    assert peak < PEAK


@pytest.mark.parametrize("answer", [endless_body(), endless_body(chunked=True), endless_headers()])
def test_an_endless_token_is_no_token(answer: Answer, tmp_path: Path) -> None:
    with HostileServer(tls=True, answers={"/token": answer}) as tokens:
        error, peak = attacked(unauthorised(bearer(f"{tokens.url}/token")), tmp_path, tls=True)
        assert tokens.sent < BUFFERED
    assert error.code is Code.BAD_RESPONSE
    assert peak < PEAK
