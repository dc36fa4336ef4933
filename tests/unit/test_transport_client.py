import logging
import pickle
from pathlib import Path

import pytest

from imgsig.codes import Code
from imgsig.errors import InconclusiveError, RejectedError, UsageError, VerificationError
from imgsig.limits import Deadline, Limits
from imgsig.source import DocumentMissingError, OutageError, SourceEvidence
from imgsig.transport import Credential, HttpSources, Server, StaticCredentials
from tests.support.asking import FOLDER, MAX_BYTES, TARGET, client, endpoint, fetch
from tests.support.hostile import (
    Answer,
    HostileServer,
    chunks,
    cut_short,
    declared_as,
    dripping_body,
    dripping_headers,
    endless_body,
    endless_headers,
    gzip_bomb,
    hang_up,
    head,
    raw,
    redirect,
    reply,
    reset,
    stall,
    unauthorised,
    web_page,
    write_ca,
)

DOCUMENT = b'{"signed":{},"signatures":[]}'


def failure(answer: Answer, tmp_path: Path, *, tls: bool, seconds: float = 5) -> VerificationError:
    with HostileServer(tls=tls, answers={TARGET: answer}) as server, client(server, ca=write_ca(tmp_path)) as sources:
        with pytest.raises(VerificationError) as raised:
            fetch(sources, server.url, seconds=seconds)
        assert len(server.requests) == 1
        return raised.value


ROWS = {
    "404": (reply(b"{}", status=404), DocumentMissingError, Code.BAD_RESPONSE),
    "403": (reply(b"{}", status=403), InconclusiveError, Code.ACCESS_DENIED),
    "401 of an unknown kind": (unauthorised("Negotiate"), InconclusiveError, Code.ACCESS_DENIED),
    "401 without a challenge": (unauthorised(), InconclusiveError, Code.ACCESS_DENIED),
    "429": (reply(b"{}", status=429), OutageError, Code.THROTTLED),
    "500": (reply(b"{}", status=500), OutageError, Code.UNREACHABLE),
    "503 with a web page": (web_page(status=503), OutageError, Code.UNREACHABLE),
    "201": (reply(DOCUMENT, status=201), InconclusiveError, Code.BAD_RESPONSE),
    "204": (raw(head(204)), InconclusiveError, Code.BAD_RESPONSE),
    "206": (reply(DOCUMENT, status=206), InconclusiveError, Code.BAD_RESPONSE),
    "304": (raw(head(304)), InconclusiveError, Code.BAD_RESPONSE),
    "redirect with an endless body": (redirect("https://localhost/"), InconclusiveError, Code.BAD_RESPONSE),
    "400": (reply(DOCUMENT, status=400), InconclusiveError, Code.BAD_RESPONSE),
    "999": (reply(DOCUMENT, status=999), InconclusiveError, Code.BAD_RESPONSE),
    "web page": (web_page(), InconclusiveError, Code.BAD_RESPONSE),
    "JSON array": (reply(b"[]"), InconclusiveError, Code.BAD_RESPONSE),
    "empty body": (reply(b""), InconclusiveError, Code.BAD_RESPONSE),
    "hang-up": (hang_up(), OutageError, Code.UNREACHABLE),
    "not HTTP": (raw(b"SSH-2.0-OpenSSH_9\r\n"), InconclusiveError, Code.BAD_RESPONSE),
    "HTTP/0.9": (raw(DOCUMENT), InconclusiveError, Code.BAD_RESPONSE),
    "head cut short": (raw(b"HTTP/1.1 2"), InconclusiveError, Code.BAD_RESPONSE),
    "too many headers": (raw(head(200, [("A", "b")] * 1000) + DOCUMENT), InconclusiveError, Code.BAD_RESPONSE),
    "too long a header": (raw(head(200, [("A", "b" * 70_000)])), InconclusiveError, Code.BAD_RESPONSE),
    "endless headers": (endless_headers(), InconclusiveError, Code.BAD_RESPONSE),
    "body cut short": (cut_short(DOCUMENT), InconclusiveError, Code.BAD_RESPONSE),
    "negative length": (declared_as("-1", DOCUMENT), InconclusiveError, Code.BAD_RESPONSE),
    "length with a sign": (declared_as("+29", DOCUMENT), InconclusiveError, Code.BAD_RESPONSE),
    "length in words": (declared_as("many", DOCUMENT), InconclusiveError, Code.BAD_RESPONSE),
    "empty length": (declared_as("", DOCUMENT), InconclusiveError, Code.BAD_RESPONSE),
    "two lengths": (declared_as("29, 30", DOCUMENT), InconclusiveError, Code.BAD_RESPONSE),
    "astronomical length": (declared_as("9" * 60, DOCUMENT), RejectedError, Code.LIMIT_EXCEEDED),
    "ridiculous length": (declared_as("9" * 600, DOCUMENT), VerificationError, Code.BAD_RESPONSE),
    "length and chunks": (
        raw(head(200, [("Content-Length", "2"), ("Transfer-Encoding", "chunked")]) + b"2\r\n{}\r\n0\r\n\r\n"),
        InconclusiveError,
        Code.BAD_RESPONSE,
    ),
    "unknown transfer encoding": (
        raw(head(200, [("Transfer-Encoding", "gzip, chunked")]) + b"0\r\n\r\n"),
        InconclusiveError,
        Code.BAD_RESPONSE,
    ),
    "chunks cut short": (chunks(b"1d\r\n", DOCUMENT, b"\r\n"), InconclusiveError, Code.BAD_RESPONSE),
    "chunk of no size": (chunks(b"zz\r\n", DOCUMENT), InconclusiveError, Code.BAD_RESPONSE),
    "chunk of size -1": (chunks(b"-1\r\n", DOCUMENT), InconclusiveError, Code.BAD_RESPONSE),
    "chunk of negative size": (chunks(b"-5\r\n", DOCUMENT), InconclusiveError, Code.BAD_RESPONSE),
    "endless chunk size": (chunks(b"1" * 100_000), InconclusiveError, Code.BAD_RESPONSE),
    "gzip": (gzip_bomb(megabytes=1), InconclusiveError, Code.BAD_RESPONSE),
    "unknown encoding": (reply(DOCUMENT, headers=[("Content-Encoding", "br")]), InconclusiveError, Code.BAD_RESPONSE),
    "endless body": (endless_body(), RejectedError, Code.LIMIT_EXCEEDED),
    "endless chunks": (endless_body(chunked=True), RejectedError, Code.LIMIT_EXCEEDED),
    "one byte more, declared": (reply(b"{" + b" " * MAX_BYTES), RejectedError, Code.LIMIT_EXCEEDED),
    "one byte more, undeclared": (raw(head(200) + b"{" + b" " * MAX_BYTES), RejectedError, Code.LIMIT_EXCEEDED),
    "a great length": (endless_body(declared=10**12), RejectedError, Code.LIMIT_EXCEEDED),
    "404 with an encoded body": (
        reply(b"{}", status=404, headers=[("Content-Encoding", "gzip")]),
        InconclusiveError,
        Code.BAD_RESPONSE,
    ),
}
"""What the server says, and what it amounts to."""


@pytest.mark.parametrize("tls", [False, True], ids=["http", "https"])
@pytest.mark.parametrize("row", ROWS)
def test_what_the_server_says_has_one_meaning(row: str, tls: bool, tmp_path: Path) -> None:
    answer, kind, code = ROWS[row]
    error = failure(answer, tmp_path, tls=tls)
    assert isinstance(error, kind)
    assert isinstance(error, OutageError) is (kind is OutageError)
    assert error.code is code
    assert error.args[0].isascii()


LATE = {
    "silence": (stall(), True),
    "dripping head": (dripping_headers(), True),
    "dripping body": (dripping_body(), False),
    "dripping 404": (dripping_body(status=404), False),
    "dripping 401": (dripping_body(status=401), False),
}


@pytest.mark.parametrize("tls", [False, True], ids=["http", "https"])
@pytest.mark.parametrize("row", LATE)
def test_the_deadline_ends_whatever_drips_and_is_an_outage_before_the_body_only(
    row: str, tls: bool, tmp_path: Path
) -> None:
    answer, outage = LATE[row]
    error = failure(answer, tmp_path, tls=tls, seconds=0.4)
    assert error.code is Code.DEADLINE
    assert isinstance(error, OutageError) is outage


def test_a_reset_before_the_head_is_an_outage_and_after_it_none(tmp_path: Path) -> None:
    before = failure(reset(), tmp_path, tls=False)
    assert isinstance(before, OutageError)
    assert before.code is Code.UNREACHABLE
    after = failure(reset(after=head(200, [("Content-Length", "9")]) + b"{"), tmp_path, tls=False)
    assert not isinstance(after, OutageError)
    assert after.code is Code.BAD_RESPONSE


def test_nobody_listening_is_an_outage() -> None:
    with HostileServer() as server:
        url = server.url
    with pytest.raises(OutageError, match="connection refused") as raised:
        fetch(HttpSources(), url)
    assert raised.value.code is Code.UNREACHABLE


def test_a_name_that_does_not_exist_is_an_outage() -> None:
    with pytest.raises(OutageError, match="cannot be resolved") as raised:
        fetch(HttpSources(), "http://no-such-host.invalid")
    assert raised.value.code is Code.UNREACHABLE


def test_a_deadline_that_has_passed_sends_nothing() -> None:
    now = [0.0]
    deadline = Deadline(1, clock=lambda: now[0])
    now[0] = 2.0
    with HostileServer(answers={TARGET: reply(DOCUMENT)}) as server:
        source = HttpSources().open(endpoint(server.url))
        with pytest.raises(InconclusiveError) as raised:
            source.fetch("timestamp.json", max_bytes=MAX_BYTES, deadline=deadline)
        assert raised.value.code is Code.DEADLINE
        assert not isinstance(raised.value, OutageError)
        assert not server.connections


WHOLE = {
    "declared length": reply(DOCUMENT),
    "chunked": chunks(b"d\r\n", DOCUMENT[:13], b"\r\n10;x=y\r\n", DOCUMENT[13:], b"\r\n0\r\nX: y\r\n\r\n"),
    "until the connection ends": raw(b"HTTP/1.0 200 OK\r\n\r\n" + DOCUMENT),
    "informational answers before": raw(
        b"HTTP/1.1 100 Continue\r\n\r\n" + head(200, [("Content-Length", "29")]) + DOCUMENT
    ),
    "as text": reply(DOCUMENT, headers=[("Content-Type", "text/plain; charset=utf-8")]),
    "encoded as itself": reply(DOCUMENT, headers=[("Content-Encoding", "identity")]),
    "the same length twice": reply(DOCUMENT, headers=[("Content-Length", "29")]),
}


@pytest.mark.parametrize("tls", [False, True], ids=["http", "https"])
@pytest.mark.parametrize("row", WHOLE)
def test_a_document_comes_byte_for_byte(row: str, tls: bool, tmp_path: Path) -> None:
    with HostileServer(tls=tls, answers={TARGET: WHOLE[row]}) as server:
        assert fetch(client(server, ca=write_ca(tmp_path)), server.url) == DOCUMENT


def test_a_document_may_be_exactly_as_long_as_the_bound(tmp_path: Path) -> None:
    body = b"{" + b" " * (3_000_000 - 1)
    block = b"%x\r\n%b\r\n" % (len(body), body)
    for answer in (reply(body), raw(head(200) + body), chunks(block, b"0\r\n\r\n")):
        with HostileServer(tls=True, answers={TARGET: answer}) as server:
            assert fetch(client(server, ca=write_ca(tmp_path)), server.url, max_bytes=3_000_000) == body


def test_of_a_404_only_the_beginning_is_read() -> None:
    limits = Limits(max_error_body_bytes=10)
    for body in (b"0123456789", b"0123456789abc", b"0123456789" * 100_000):
        with HostileServer(answers={TARGET: reply(body, status=404)}) as server:
            with pytest.raises(DocumentMissingError) as raised:
                fetch(client(server, limits=limits), server.url)
            assert raised.value.body == b"0123456789"


def test_a_404_whose_body_is_cut_short_says_nothing() -> None:
    answer = raw(head(404, [("Content-Length", "20")]) + b'{"errors":')
    with HostileServer(answers={TARGET: answer}) as server, pytest.raises(InconclusiveError) as raised:
        fetch(client(server), server.url)
    assert not isinstance(raised.value, DocumentMissingError)
    assert raised.value.code is Code.BAD_RESPONSE


def test_a_request_says_who_asks_and_wants_no_encoding() -> None:
    with HostileServer(answers={TARGET: reply(DOCUMENT)}) as server:
        fetch(client(server), server.url)
        asked = server.requests[0]
    assert asked.headers["user-agent"].startswith("imgsig/")
    assert asked.headers["accept-encoding"] == "identity"
    assert set(asked.headers) == {"host", "user-agent", "accept-encoding"}
    assert asked.method == "GET"


def test_a_servers_path_comes_before_the_documents() -> None:
    with HostileServer(answers={f"/prefix{TARGET}": reply(DOCUMENT)}) as server:
        source = HttpSources().open(endpoint(f"{server.url}/prefix/"))
        assert fetch(source) == DOCUMENT
        assert source.evidence == SourceEvidence("server", f"{server.url}/prefix")


@pytest.mark.parametrize(
    ("path", "sent"),
    [
        ("targets/releases.json", "targets/releases.json"),
        ("2.root.json", "2.root.json"),
        ("a b.json", "a%20b.json"),
        ("a?b#c.json", "a%3Fb%23c.json"),
        ("é.json", "%C3%A9.json"),
        ("a%2Fb.json", "a%2Fb.json"),
        ("50%.json", "50%25.json"),
        ("a\\b\r\nX: y.json", "a%5Cb%0D%0AX:%20y.json"),
        ("//evil.test/x.json", "//evil.test/x.json"),
    ],
)
def test_a_path_is_sent_as_a_path_whatever_is_in_it(path: str, sent: str) -> None:
    with HostileServer(answers={FOLDER + sent: reply(DOCUMENT)}) as server:
        assert fetch(client(server), server.url, path=path) == DOCUMENT
        assert server.requests[0].path == FOLDER + sent


@pytest.mark.parametrize("path", ["../x.json", "targets/../../x.json", "%2e%2e/x.json", "./x.json", "a/..", "x" * 5000])
def test_a_path_that_leads_elsewhere_is_refused_without_a_request(path: str) -> None:
    with HostileServer() as server, pytest.raises(RejectedError) as raised:
        fetch(client(server), server.url, path=path)
    assert raised.value.code is Code.MALFORMED
    assert not server.connections


def test_opening_requests_nothing() -> None:
    with HostileServer() as server:
        HttpSources().open(endpoint(server.url))
        assert not server.connections


@pytest.mark.parametrize("url", ["notary.test", "https://u:s3cret@notary.test", "ftp://notary.test", ""])
def test_a_url_that_is_none_is_a_usage_error(url: str) -> None:
    with pytest.raises(UsageError) as raised:
        HttpSources().open(endpoint(url))
    assert "s3cret" not in str(raised.value)


def test_two_settings_for_one_server_are_a_usage_error() -> None:
    with pytest.raises(UsageError, match="the same URL is given twice"):
        HttpSources(servers=[Server("https://a.test"), Server("https://A.test:443/", ca_file="x")])


def test_answers_are_those_of_now() -> None:
    assert HttpSources().live


def test_a_client_and_its_sources_are_not_pickled() -> None:
    sources = HttpSources(credentials=StaticCredentials({"a.test": Credential("alice", "s3cret")}))
    for kept in (sources, sources.open(endpoint("https://a.test"))):
        with pytest.raises(TypeError, match="not pickled"):
            pickle.dumps(kept)


def test_errors_can_be_pickled() -> None:
    with (
        HostileServer(answers={TARGET: reply(b"no", status=404)}) as server,
        pytest.raises(DocumentMissingError) as raised,
    ):
        fetch(client(server), server.url)
    again = pickle.loads(pickle.dumps(raised.value))  # noqa: S301 - our own bytes
    assert (type(again), again.code, again.body) == (DocumentMissingError, Code.BAD_RESPONSE, b"no")


def test_each_request_is_logged_on_one_line(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG, logger="imgsig")
    with HostileServer(answers={TARGET: reply(DOCUMENT)}) as server:
        fetch(client(server), server.url)
        with pytest.raises(DocumentMissingError):
            fetch(client(server), server.url, path="other.json")
        server.answers[TARGET] = hang_up()
        with pytest.raises(OutageError):
            fetch(client(server), server.url)
    lines = [record.getMessage() for record in caplog.records if record.name == "imgsig"]
    assert len(lines) == 3
    assert f"{TARGET}: 200, 29 bytes" in lines[0]
    assert "other.json: 404, 12 bytes" in lines[1]
    assert "failed: " in lines[2]
    assert {record.levelno for record in caplog.records if record.name == "imgsig"} == {logging.DEBUG}


def test_the_library_has_no_log_handler() -> None:
    assert not logging.getLogger("imgsig").handlers
