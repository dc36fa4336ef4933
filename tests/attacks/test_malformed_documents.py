"""What is no well-formed document is refused cleanly, and leaves what was trusted as it was.

The fine points of the format are in the tests of its parsers; here, each document meets what a server may really send.
"""

import pytest

from imgsig.codes import Code
from imgsig.errors import RejectedError
from tests.support.asker import Asker
from tests.support.repository import SignedRepository

ROLES = ("root", "timestamp", "snapshot", "targets", "targets/releases")

FILES = {
    "nothing": b"",
    "space": b" \n",
    "null": b"null",
    "a number": b"1",
    "a text": b'"signed"',
    "a list": b"[]",
    "an empty object": b"{}",
    "html": b"<!DOCTYPE html>",
    "half": b'{"signed":{"_type":"Root"',
    "no signatures": b'{"signed":{}}',
    "signed is null": b'{"signed":null,"signatures":[]}',
    "signed is a text": b'{"signed":"{}","signatures":[]}',
    "signatures is an object": b'{"signed":{},"signatures":{}}',
    "not a number": b'{"signed":{"version":NaN},"signatures":[]}',
    "infinite": b'{"signed":{"version":-Infinity},"signatures":[]}',
    "too large a number": b'{"signed":{"version":1e999},"signatures":[]}',
    "nested": b"[" * 200_000,
    "nested objects": b'{"a":' * 200_000,
    "zero bytes": b"\0" * 1000,
    "utf-16": '{"signed":{},"signatures":[]}'.encode("utf-16"),
    "invalid utf-8": b'{"signed":{"\xff":1},"signatures":[]}',
    "overlong utf-8": b'{"signed":{"\xc0\xaf":1},"signatures":[]}',
    "a surrogate in utf-8": b'{"signed":{"\xed\xa0\x80":1},"signatures":[]}',
    "half a surrogate pair": b'{"signed":{"\\ud800":1},"signatures":[]}',
    "a comment": b'{"signed":{},/**/"signatures":[]}',
    "a pickle": b"\x80\x04K\x01.",
    "gzip": b"\x1f\x8b\x08\0\0\0\0\0\0\0\3\0\0\0\0\0\0\0\0\0",
}

CHANGES = {
    "a mark of order": lambda body: b"\xef\xbb\xbf" + body,
    "two documents": lambda body: body + body,
    "a last comma": lambda body: body[:-1] + b",}",
    "signed twice": lambda body: b'{"signed":{},' + body[1:],
    "signatures twice": lambda body: body[:-1] + b',"signatures":[]}',
    "signed twice, once escaped": lambda body: body[:-1] + b',"\\u0073igned":{}}',
    "Signed besides": lambda body: body[:-1] + b',"Signed":{}}',
    "single quotes": lambda body: body.replace(b'"', b"'"),
    "the end cut off": lambda body: body[:-1],
    "the half cut off": lambda body: body[: len(body) // 2],
}


@pytest.fixture
def repository() -> SignedRepository:
    repository = SignedRepository(publish=False)
    repository.add_delegation("targets/releases", tags=("latest",))
    repository.publish()
    return repository


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize("file", FILES)
def test_another_file_is_refused(repository: SignedRepository, role: str, file: str) -> None:
    repository.alter(role, lambda _: FILES[file])
    repository.publish(everything=True)
    error = Asker(repository).error()
    assert isinstance(error, RejectedError)
    assert error.code is Code.MALFORMED
    assert len(str(error)) < 300
    assert str(error).isprintable()


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize("change", CHANGES)
def test_a_changed_file_is_refused_and_what_was_trusted_stays(
    repository: SignedRepository, role: str, change: str
) -> None:
    asker = Asker(repository)
    known_since = asker.ask().known_since
    repository.alter(role, CHANGES[change])
    repository.rotate("timestamp")  # so that the root is asked for too
    repository.publish(everything=True)
    asker.wait(days=1)
    assert asker.code() is Code.MALFORMED
    repository.mend()
    repository.publish(everything=True)
    assert asker.ask().known_since == known_since


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize("member", ["expires", "version"])
@pytest.mark.parametrize("value", [True, "1", [], {}, -1, "9999-99-99T00:00:00Z", "2090-01-01", "\x1b[31m"])
def test_a_signed_value_of_the_wrong_kind_is_refused(
    repository: SignedRepository, role: str, member: str, value: object
) -> None:
    repository.edit(role, lambda signed: signed.update({member: value}))
    repository.publish(everything=True)
    error = Asker(repository).error()
    assert error.code in {Code.MALFORMED, Code.THRESHOLD}
    assert str(error).isprintable()
