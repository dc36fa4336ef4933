"""How documents are sent: statuses, lengths, encodings, broken connections. imgsig asks over HTTP here as well.

Spec: Notary v1, storage/httpstore.go:GetSized, translateStatusToError.
"""

import gzip
import zlib
from typing import Final

from tests.interop.cases.bends import Bend, released
from tests.interop.cases.client_scenarios import OUTAGE
from tests.interop.comparison import ACCEPT, REFUSE, Case, nothing
from tests.interop.stage import Stage, Step
from tests.support.repository import METADATA_NOT_FOUND, Reply, SignedRepository
from tests.support.static_server import RESET

LENGTH: Final = "no-silent-truncation"
ENCODING: Final = "unasked-encoding"
_ROLES: Final = ("root", "timestamp", "snapshot", "targets", "targets/releases")
_MEBIBYTE: Final = 1024 * 1024
_CHUNKED: Final = (("Transfer-Encoding", "chunked"),)
_VALIDATION: Final = b'{"errors":[{"code":"x","message":"y","detail":{"Name":"ErrBadTargets","Error":{"Msg":"z"}}}]}'


def _statuses() -> list[Case]:
    statuses: dict[str, tuple[int, bytes | None, tuple[tuple[str, str], ...]]] = {
        "201": (201, None, ()),
        "202": (202, None, ()),
        "203": (203, None, ()),
        "206": (206, None, ()),
        "301": (301, None, (("Location", "/elsewhere"),)),
        "302-to-itself": (302, None, (("Location", ""),)),
        "307": (307, None, (("Location", "http://127.0.0.1:9/"),)),
        "400": (400, None, ()),
        "400-validation": (400, _VALIDATION, ()),
        "401": (401, None, ()),
        "403": (403, None, ()),
        "404-notary": (404, METADATA_NOT_FOUND, ()),
        "404-other": (404, b"<html>no such page</html>", ()),
        "410": (410, None, ()),
        "418": (418, None, ()),
        "429": (429, None, (("Retry-After", "1"),)),
        "500": (500, None, ()),
        "502": (502, b"<html>bad gateway</html>", ()),
        "503": (503, b"", ()),
        "504": (504, b"", ()),
    }
    cases = []
    for name, (status, body, headers) in statuses.items():
        for role in _ROLES:
            bend = _answering(role, status, body, headers)
            cases.append(_case(f"status/{name}/{role}/no-cache", REFUSE, _then_serve(bend)))
            falls_back = role == "timestamp" and status != 400
            expect = ACCEPT if falls_back else REFUSE
            cases.append(
                _case(f"status/{name}/{role}/newer", expect, nothing, _newer(bend), reason=OUTAGE if falls_back else "")
            )
    return cases


def _case(name: str, expect: str, *steps: Step, reason: str = "") -> Case:
    return Case(f"transport/{name}", steps, expect, reason, start=released, http=True)


def _then_serve(bend: Bend) -> Step:
    return lambda stage: bend(stage.repository)


def _newer(bend: Bend) -> Step:
    def step(stage: Stage) -> None:
        stage.repository.publish(everything=True)
        bend(stage.repository)

    return step


def _answering(role: str, status: int, body: bytes | None, headers: tuple[tuple[str, str], ...]) -> Bend:
    """Answer with a status and, unless there is another body, with the right document."""

    def bend(repository: SignedRepository) -> None:
        repository.reply(role, Reply(status, repository.current[role] if body is None else body, headers))

    return bend


def _bodies() -> list[Case]:
    def sending(role: str, reply: Reply, *, length: int | None = None, part: slice = slice(None)) -> Bend:
        def bend(repository: SignedRepository) -> None:
            body = repository.current[role][part] + reply.body
            headers = reply.headers if length is None else (("Content-Length", str(len(body) + length)), *reply.headers)
            repository.reply(role, Reply(reply.status, body, headers, cut_short=reply.cut_short))

        return bend

    def encoded(role: str, how: str) -> Bend:
        def bend(repository: SignedRepository) -> None:
            body = repository.current[role]
            packed = {"gzip": gzip.compress(body), "deflate": zlib.compress(body)}.get(how, body)
            repository.reply(role, Reply(200, packed, (("Content-Encoding", how),)))

        return bend

    def broken_gzip(repository: SignedRepository) -> None:
        packed = gzip.compress(repository.current["targets"])
        repository.reply("targets", Reply(200, packed[:-9], (("Content-Encoding", "gzip"),)))

    def padded_timestamp(*headers: tuple[str, str]) -> Bend:
        def bend(repository: SignedRepository) -> None:
            body = repository.current["timestamp"]
            repository.reply("timestamp", Reply(200, body + b" " * (_MEBIBYTE + 10 - len(body)), headers))

        return bend

    cases = []
    for role in _ROLES:
        cases += [
            _case(f"body/chunked/{role}", ACCEPT, _then_serve(sending(role, Reply(headers=_CHUNKED)))),
            _case(
                f"body/chunked-with-more/{role}",
                _more_chunked(role),
                _then_serve(sending(role, Reply(body=b"x", headers=_CHUNKED))),
                reason=LENGTH if _more_chunked(role) == ACCEPT else "",
            ),
            _case(f"body/with-more/{role}", REFUSE, _then_serve(sending(role, Reply(body=b"x")))),
            _case(f"body/cut-short/{role}", REFUSE, _then_serve(sending(role, Reply(cut_short=True), length=10))),
            _case(f"body/half/{role}", REFUSE, _then_serve(sending(role, Reply(), part=slice(0, 100)))),
            _case(f"body/empty/{role}", REFUSE, _then_serve(sending(role, Reply(), part=slice(0, 0)))),
            _case(f"body/gzip/{role}", ACCEPT, _then_serve(encoded(role, "gzip")), reason=ENCODING),
            _case(f"body/deflate/{role}", REFUSE, _then_serve(encoded(role, "deflate"))),
            _case(f"body/brotli-in-name/{role}", ACCEPT, _then_serve(encoded(role, "br")), reason=ENCODING),
            _case(f"body/identity/{role}", ACCEPT, _then_serve(encoded(role, "identity"))),
            _case(f"body/reset/{role}", REFUSE, _then_serve(_answering(role, RESET, b"", ()))),
            _case(
                f"body/html/{role}",
                REFUSE,
                _then_serve(_answering(role, 200, b"<html></html>", (("Content-Type", "text/html"),))),
            ),
            _case(
                f"body/type-html/{role}",
                ACCEPT,
                _then_serve(_answering(role, 200, None, (("Content-Type", "text/html"),))),
            ),
            _case(
                f"body/cut-short/{role}/newer", REFUSE, nothing, _newer(sending(role, Reply(cut_short=True), length=10))
            ),
        ]
    cases += [
        _case("body/broken-gzip", REFUSE, _then_serve(broken_gzip)),
        _case("body/timestamp-too-long", REFUSE, _then_serve(padded_timestamp())),
        _case("body/timestamp-too-long-chunked", ACCEPT, _then_serve(padded_timestamp(*_CHUNKED)), reason=LENGTH),
        _case("body/timestamp-too-long/newer", REFUSE, nothing, _newer(padded_timestamp())),
        _case(
            "body/timestamp-reset/newer",
            ACCEPT,
            nothing,
            _newer(_answering("timestamp", RESET, b"", ())),
            reason=OUTAGE,
        ),
    ]
    return cases


def _more_chunked(role: str) -> str:
    """The length that bounds it cuts off what is too much; a root or timestamp is read to its end."""
    return REFUSE if role in {"root", "timestamp"} else ACCEPT


CASES: Final = (*_statuses(), *_bodies())
