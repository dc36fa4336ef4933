"""JSON: syntax, duplicate members, member names, types, numbers, strings, the envelope.

Spec: Notary v1, docker/go canonical/json (scanner.go, decode.go, encode.go), tuf/data/types.go.
"""

import base64
import hashlib
import json
from collections.abc import Callable
from typing import Any, Final

from tests.interop.cases.bends import Bend, altering, enveloping, released, removing, rewriting, setting, signing
from tests.interop.comparison import ACCEPT, PANIC, REFUSE, Case, once
from tests.support.repository import SignedRepository, envelope
from tests.support.signing import Json

DUPLICATE: Final = "duplicate-members"
UNICODE: Final = "text-is-unicode"
NUMBERS: Final = "exact-numbers"
DEPTH: Final = "json-depth"
FOLDED: Final = "folded-member-names"
_ROLES: Final = ("root", "timestamp", "snapshot", "targets", "targets/releases")
_EVIL: Final = base64.b64encode(hashlib.sha256(b"evil").digest()).decode()
_EVIL_TARGET: Final = json.dumps({"latest": {"hashes": {"sha256": _EVIL}, "length": 4}}).encode()


def _files() -> list[Case]:
    """Return the cases of whole files, each for every role."""
    table: tuple[tuple[str, str, str, Callable[[bytes], bytes]], ...] = (
        ("space-before", ACCEPT, "", lambda body: b" \t\r\n" + body),
        ("space-after", ACCEPT, "", lambda body: body + b" \t\r\n"),
        ("form-feed-before", REFUSE, "", lambda body: b"\x0c" + body),
        ("no-break-space-after", REFUSE, "", lambda body: body + b"\xc2\xa0"),
        ("byte-order-mark", REFUSE, "", lambda body: b"\xef\xbb\xbf" + body),
        ("utf-16", REFUSE, "", lambda body: body.decode().encode("utf-16")),
        ("utf-16-le", REFUSE, "", lambda body: body.decode().encode("utf-16-le")),
        ("text-after", REFUSE, "", lambda body: body + b"x"),
        ("second-document-after", REFUSE, "", lambda body: body + body),
        ("nul-after", REFUSE, "", lambda body: body + b"\x00"),
        ("comma-after", REFUSE, "", lambda body: body + b","),
        ("empty", REFUSE, "", lambda _: b""),
        ("only-space", REFUSE, "", lambda _: b" \n"),
        ("truncated", REFUSE, "", lambda body: body[:-1]),
        ("null", REFUSE, "", lambda _: b"null"),
        ("list", REFUSE, "", lambda body: b"[" + body + b"]"),
        ("text", REFUSE, "", lambda _: b'"text"'),
        ("number", REFUSE, "", lambda _: b"1"),
        ("empty-object", REFUSE, "", lambda _: b"{}"),
        ("html", REFUSE, "", lambda _: b"<!doctype html><html></html>"),
        ("trailing-comma", REFUSE, "", lambda body: body[:-1] + b",}"),
        ("single-quotes", REFUSE, "", lambda body: body.replace(b'"signed"', b"'signed'", 1)),
        ("comment", REFUSE, "", lambda body: b"/* */" + body),
        ("extra-member", ACCEPT, "", lambda body: body[:-1] + b',"extra":[1.5,null,{"a":"b"}]}'),
        ("extra-member-bad-number", REFUSE, "", lambda body: body[:-1] + b',"extra":01}'),
        ("extra-member-nan", REFUSE, "", lambda body: body[:-1] + b',"extra":NaN}'),
        ("extra-member-infinity", REFUSE, "", lambda body: body[:-1] + b',"extra":-Infinity}'),
        ("extra-member-control-character", REFUSE, "", lambda body: body[:-1] + b',"extra":"\x01"}'),
        ("extra-member-bad-utf-8", ACCEPT, UNICODE, lambda body: body[:-1] + b',"extra":"\xff"}'),
        ("bad-utf-8-outside", REFUSE, "", lambda body: body[:-1] + b"\xff}"),
        ("lone-surrogate", ACCEPT, UNICODE, lambda body: body[:-1] + b',"extra":"\\ud800"}'),
        ("short-escape", REFUSE, "", lambda body: body[:-1] + b',"extra":"\\u12"}'),
        ("unknown-escape", REFUSE, "", lambda body: body[:-1] + b',"extra":"\\x41"}'),
        ("escaped-names", ACCEPT, "", lambda body: body.replace(b'"signed"', b'"\\u0073igned"', 1)),
        ("upper-case-signed", ACCEPT, FOLDED, lambda body: body.replace(b'"signed"', b'"SIGNED"', 1)),
        ("upper-case-signatures", ACCEPT, FOLDED, lambda body: body.replace(b'"signatures"', b'"SIGNATURES"', 1)),
        ("long-s-signed", ACCEPT, FOLDED, lambda body: body.replace(b'"signed"', '"\u017figned"'.encode(), 1)),
        ("duplicate-extra", ACCEPT, DUPLICATE, lambda body: body[:-1] + b',"extra":1,"extra":2}'),
        (
            "duplicate-signatures",
            ACCEPT,
            DUPLICATE,
            lambda body: body.replace(b',"signatures"', b',"signatures":[],"signatures"', 1),
        ),
        (
            "duplicate-signed-first-null",
            ACCEPT,
            DUPLICATE,
            lambda body: body.replace(b'{"signed"', b'{"signed":null,"signed"', 1),
        ),
        ("signed-is-a-list", REFUSE, "", lambda body: body.replace(b'{"signed":', b'{"signed":[],"unsigned":', 1)),
        ("signed-is-a-text", REFUSE, "", lambda body: body.replace(b'{"signed":', b'{"signed":"","unsigned":', 1)),
    )
    crashing = {"null/targets/releases", "empty-object/targets/releases"}
    return [
        once(
            f"file/{name}/{role}",
            PANIC if f"{name}/{role}" in crashing else expect,
            altering(role, change),
            reason,
            start=released,
        )
        for name, expect, reason, change in table
        for role in _ROLES
    ]


def _envelopes() -> list[Case]:
    """Return the cases of the two members of a file."""
    lists: tuple[tuple[str, str, str, Callable[[list[Json]], Any]], ...] = (
        ("null", REFUSE, "", lambda _: None),
        ("object", REFUSE, "", lambda found: found[0]),
        ("text", REFUSE, "", lambda _: "none"),
        ("entry-a-text", REFUSE, "", lambda found: [*found, "x"]),
        ("entry-a-number", REFUSE, "", lambda found: [*found, 1]),
        ("entry-a-list", REFUSE, "", lambda found: [*found, []]),
        ("entry-null", ACCEPT, "", lambda found: [*found, None]),
        ("entry-empty", ACCEPT, "", lambda found: [*found, {}]),
        ("keyid-a-number", REFUSE, "", lambda found: [*found, {"keyid": 1, "method": "ecdsa", "sig": ""}]),
        ("keyid-null", ACCEPT, "", lambda found: [*found, {"keyid": None, "method": "ecdsa", "sig": ""}]),
        ("method-a-number", REFUSE, "", lambda found: [*found, {"keyid": "", "method": 1, "sig": ""}]),
        ("method-null", ACCEPT, "", lambda found: [*found, {"keyid": "", "method": None, "sig": ""}]),
        ("sig-a-number", REFUSE, "", lambda found: [*found, {"keyid": "", "method": "", "sig": 1}]),
        ("sig-null", ACCEPT, "", lambda found: [*found, {"keyid": "", "method": "", "sig": None}]),
        ("sig-not-base64", REFUSE, "", lambda found: [*found, {"keyid": "", "method": "", "sig": "!"}]),
        ("sig-no-padding", REFUSE, "", lambda found: [*found, {"keyid": "", "method": "", "sig": "YQ"}]),
        ("sig-url-alphabet", REFUSE, "", lambda found: [*found, {"keyid": "", "method": "", "sig": "-_-_"}]),
        ("sig-with-space", REFUSE, "", lambda found: [*found, {"keyid": "", "method": "", "sig": "YW Jj"}]),
        (
            "sig-with-newline",
            ACCEPT,
            "",
            lambda found: [found[0] | {"sig": found[0]["sig"][:8] + "\r\n" + found[0]["sig"][8:]}],
        ),
        ("sig-loose-last-bits", ACCEPT, "", lambda found: [*found, {"keyid": "", "method": "", "sig": "YR=="}]),
        ("sig-excess-padding", REFUSE, "", lambda found: [*found, {"keyid": "", "method": "", "sig": "YWJj="}]),
        *((f"sig-{text or 'empty'!r}", expect, "", _extra(text)) for text, expect in _BASE64.items()),
        ("sig-newline-after-padding", ACCEPT, "", lambda found: [*found, {"keyid": "", "method": "", "sig": "YQ==\n"}]),
        ("extra-members", ACCEPT, "", lambda found: [found[0] | {"extra": {"a": [1.5]}}]),
        ("upper-case-keyid", ACCEPT, FOLDED, lambda found: [_renamed(found[0], "keyid", "KEYID")]),
        ("kelvin-keyid", ACCEPT, FOLDED, lambda found: [_renamed(found[0], "keyid", "\u212aeyid")]),
        ("long-s-sig", ACCEPT, FOLDED, lambda found: [_renamed(found[0], "sig", "\u017fig")]),
    )
    cases = [
        once(f"signatures/{name}/{role}", expect, signing(role, change), reason, start=released)
        for name, expect, reason, change in lists
        for role in ("root", "targets", "timestamp")
    ]
    for role, signed_missing in (("root", REFUSE), ("timestamp", PANIC), ("snapshot", PANIC), ("targets", PANIC)):
        missing = enveloping(role, lambda _, found: json.dumps({"signatures": found}).encode())
        null = enveloping(role, lambda _, found: envelope(b"null", found))
        none = enveloping(role, lambda text, _: b'{"signed":' + text + b"}")
        cases += [
            once(f"envelope/signed-missing/{role}", signed_missing, missing),
            once(f"envelope/signed-null/{role}", signed_missing, null),
            once(f"envelope/signatures-missing/{role}", REFUSE, none),
        ]
    return cases


_BASE64: Final = {
    "": ACCEPT,
    "=": REFUSE,
    "==": REFUSE,
    "===": REFUSE,
    "====": REFUSE,
    "YWJj=": REFUSE,
    "YWJj==": REFUSE,
    "YWJj====": REFUSE,
    "YQ===": REFUSE,
    "YQ==YQ==": REFUSE,
    "YQ==YWJj": REFUSE,
    "Y===": REFUSE,
    "Y": REFUSE,
    "YW=": REFUSE,
    "YWI=": ACCEPT,
    "YWI=Y": REFUSE,
    "=YQ=": REFUSE,
    "Y=Q=": REFUSE,
    "YQ=\n=": ACCEPT,
    "\n": ACCEPT,
    "\r\r": ACCEPT,
    "\nYWJj\n": ACCEPT,
    "YWJj\t": REFUSE,
    "YWJj\x0b": REFUSE,
    "YWJj\u0085": REFUSE,
    "YWJ\u00df": REFUSE,
    "YWJj\x00": REFUSE,
    "YWJj+/": REFUSE,
    "++//": ACCEPT,
    "YQ==\n\n": ACCEPT,
    "YQ==x": REFUSE,
    "YQ== ": REFUSE,
}


def _extra(sig: str) -> Callable[[list[Json]], Any]:
    return lambda found: [*found, {"keyid": "", "method": "", "sig": sig}]


def _renamed(entry: Json, old: str, new: str) -> Json:
    return {new if name == old else name: value for name, value in entry.items()}


def _duplicates() -> list[Case]:
    """Return the cases of duplicate members within ``signed``; the last copy is what was signed."""
    twice = rewriting
    evil_hash = b'"hashes":{"sha256":"' + _EVIL.encode() + b'"},"hashes"'
    return [
        once(
            "duplicate/targets-evil-first",
            ACCEPT,
            twice(
                "targets", b'"targets":{', b'"targets":' + _EVIL_TARGET.replace(b"latest", b"evil") + b',"targets":{'
            ),
            DUPLICATE,
            tag="evil",
        ),
        once(
            "duplicate/targets-evil-first-same-tag",
            ACCEPT,
            twice("targets", b'"targets":{', b'"targets":' + _EVIL_TARGET + b',"targets":{'),
            DUPLICATE,
        ),
        once("duplicate/targets-evil-last", REFUSE, _evil_last),
        once("duplicate/hashes-evil-first", ACCEPT, twice("targets", b'"hashes"', evil_hash), DUPLICATE),
        once(
            "duplicate/tag-twice",
            ACCEPT,
            twice("targets", b'"latest":{', b'"latest":{"length":1},"latest":{'),
            DUPLICATE,
        ),
        once("duplicate/version", ACCEPT, twice("targets", b'"version"', b'"version":9,"version"'), DUPLICATE),
        once(
            "duplicate/expires",
            ACCEPT,
            twice("timestamp", b'"expires"', b'"expires":"2001-01-01T00:00:00Z","expires"'),
            DUPLICATE,
        ),
        once("duplicate/type", ACCEPT, twice("snapshot", b'"_type"', b'"_type":"Root","_type"'), DUPLICATE),
        once("duplicate/meta", ACCEPT, twice("snapshot", b'"meta"', b'"meta":{},"meta"'), DUPLICATE),
        once("duplicate/root-keys", ACCEPT, twice("root", b'"keys"', b'"keys":{},"keys"'), DUPLICATE),
        once("duplicate/root-roles", ACCEPT, twice("root", b'"roles"', b'"roles":{},"roles"'), DUPLICATE),
        once(
            "duplicate/custom", ACCEPT, rewriting("targets", '"length"', '"custom":{"a":1,"a":2},"length"'), DUPLICATE
        ),
        once("duplicate/unknown-member", ACCEPT, rewriting("targets", '"version"', '"x":1,"x":2,"version"'), DUPLICATE),
        once(
            "duplicate/escaped-spelling",
            ACCEPT,
            twice("targets", b'"version"', b'"versi\\u006fn":9,"version"'),
            DUPLICATE,
        ),
        once("duplicate/delegation-paths-inherited", ACCEPT, _inherited_paths, DUPLICATE, start=_narrow, tag="latest"),
        once(
            "folded/both-cases-merge",
            ACCEPT,
            rewriting("targets", '"version"', '"TARGETS":' + _EVIL_TARGET.decode() + ',"version"'),
            FOLDED,
            tag="latest",
        ),
    ]


def _evil_last(repository: SignedRepository) -> None:
    """Add a copy that would win for signatures, but keep the signature of the document without it."""
    evil = b',"targets":' + _EVIL_TARGET + b',"version"'
    repository.rewrite(
        "targets",
        lambda text: text.replace(b',"version"', evil),
        message=lambda text: text.replace(evil, b',"version"'),
    )


def _narrow() -> SignedRepository:
    repository = SignedRepository(publish=False)
    repository.add_delegation("targets/releases", paths=None, tags=("latest",))
    repository.publish()
    return repository


def _inherited_paths(repository: SignedRepository) -> None:
    wide = '"delegations":{"roles":[{"paths":[""]}]},"delegations"'
    rewriting("targets", '"delegations"', wide)(repository)


def _members() -> list[Case]:
    """Return the cases of the names and types of known members."""
    table: tuple[tuple[str, str, str, str, Bend], ...] = (
        ("upper-case-targets", ACCEPT, FOLDED, "targets", rewriting("targets", '"targets":{', '"TARGETS":{')),
        ("upper-case-type", ACCEPT, FOLDED, "targets", rewriting("targets", '"_type"', '"_TYPE"')),
        ("long-s-targets", ACCEPT, FOLDED, "targets", rewriting("targets", '"targets":{', '"target\u017f":{')),
        ("mixed-case-version", ACCEPT, FOLDED, "targets", rewriting("targets", '"version"', '"Version"')),
        ("mixed-case-hashes", ACCEPT, FOLDED, "targets", rewriting("targets", '"hashes"', '"Hashes"')),
        ("mixed-case-meta", ACCEPT, FOLDED, "snapshot", rewriting("snapshot", '"meta"', '"Meta"')),
        ("mixed-case-keys", ACCEPT, FOLDED, "root", rewriting("root", '"keys"', '"Keys"')),
        ("mixed-case-keytype", ACCEPT, FOLDED, "root", rewriting("root", '"keytype"', '"KeyType"')),
        ("sha256-in-upper-case", REFUSE, "", "snapshot", rewriting("snapshot", '"sha256"', '"SHA256"')),
        ("role-in-upper-case", REFUSE, "", "root", rewriting("root", '"snapshot"', '"Snapshot"')),
        ("escaped-name", ACCEPT, "", "targets", rewriting("targets", '"targets":{', '"t\\u0061rgets":{')),
        ("spaces-and-order", ACCEPT, "", "targets", lambda r: r.rewrite("targets", _shuffled)),
        ("unknown-member", ACCEPT, "", "targets", setting("targets", "unknown", to={"a": [None, True, "x", 5]})),
        ("unknown-member-odd-types", ACCEPT, "", "root", setting("root", "mirrors", to=[[], {}, ""])),
        ("version-text", REFUSE, "", "targets", setting("targets", "version", to="1")),
        ("version-null", REFUSE, "", "targets", setting("targets", "version", to=None)),
        ("version-missing", REFUSE, "", "targets", removing("targets", "version")),
        ("version-0", REFUSE, "", "targets", setting("targets", "version", to=0)),
        ("version-negative", REFUSE, "", "targets", setting("targets", "version", to=-1)),
        ("version-true", REFUSE, "", "targets", setting("targets", "version", to=True)),
        ("version-1.0", REFUSE, "", "targets", rewriting("targets", '"version":2', '"version":2.0')),
        ("version-2e0", REFUSE, "", "targets", rewriting("targets", '"version":2', '"version":2e0')),
        ("version-2^53", ACCEPT, "", "targets", setting("targets", "version", to=2**53)),
        ("version-2^53+1-signed-exactly", REFUSE, "", "targets", _exact_version(2**53 + 1)),
        (
            "version-2^53+1-signed-rounded",
            ACCEPT,
            NUMBERS,
            "targets",
            rewriting("targets", '"version":2', f'"version":{2**53 + 1}'),
        ),
        ("version-2^63", REFUSE, "", "targets", rewriting("targets", '"version":2', f'"version":{2**63}')),
        ("version-2^63-1", ACCEPT, NUMBERS, "targets", rewriting("targets", '"version":2', f'"version":{2**63 - 1}')),
        ("version-10^400", REFUSE, "", "targets", rewriting("targets", '"version":2', '"version":1' + "0" * 400)),
        ("type-missing", REFUSE, "", "targets", removing("targets", "_type")),
        ("type-null", REFUSE, "", "targets", setting("targets", "_type", to=None)),
        ("type-lower-case", REFUSE, "", "targets", setting("targets", "_type", to="targets")),
        ("type-of-another-role", REFUSE, "", "targets", setting("targets", "_type", to="Snapshot")),
        ("type-number", REFUSE, "", "targets", setting("targets", "_type", to=1)),
        ("consistent-snapshot-null", ACCEPT, "", "root", setting("root", "consistent_snapshot", to=None)),
        ("consistent-snapshot-missing", ACCEPT, "", "root", removing("root", "consistent_snapshot")),
        ("consistent-snapshot-true", ACCEPT, "", "root", setting("root", "consistent_snapshot", to=True)),
        ("consistent-snapshot-text", REFUSE, "", "root", setting("root", "consistent_snapshot", to="no")),
        ("consistent-snapshot-0", REFUSE, "", "root", setting("root", "consistent_snapshot", to=0)),
    )
    return [once(f"member/{name}/{role}", expect, bend, reason) for name, expect, reason, role, bend in table]


def _exact_version(version: int) -> Bend:
    def bend(repository: SignedRepository) -> None:
        text = repository.message("targets").replace(b'"version":1', b'"version":%d' % version)
        repository.rewrite("targets", lambda _: text, message=lambda _: text)

    return bend


def _shuffled(text: bytes) -> bytes:
    value = json.loads(text)
    return json.dumps(dict(reversed(value.items())), indent="\t", ensure_ascii=True).encode()


def _numbers() -> list[Case]:
    """Return the cases of numbers where any JSON is allowed: everything in ``signed`` goes through a float."""
    table = (
        ("1", ACCEPT),
        ("-1", ACCEPT),
        ("0", ACCEPT),
        ("-0", ACCEPT),
        ("1.0", ACCEPT),
        ("-0.0", ACCEPT),
        ("1e3", ACCEPT),
        ("1E+3", ACCEPT),
        ("1000e-3", ACCEPT),
        ("1.5", REFUSE),
        ("1e-1", REFUSE),
        ("0.1e1", ACCEPT),
        ("1e-400", ACCEPT),
        ("9007199254740993", ACCEPT),
        ("9223372036854775807", ACCEPT),
        ("9223372036854775808", ACCEPT),
        ("-9223372036854775809", ACCEPT),
        ("18446744073709551616", ACCEPT),
        ("1e22", ACCEPT),
        ("1e308", ACCEPT),
        ("1e309", REFUSE),
        ("1e400", REFUSE),
        ("-1e400", REFUSE),
        ("01", REFUSE),
        ("+1", REFUSE),
        (".5", REFUSE),
        ("1.", REFUSE),
        ("1e", REFUSE),
        ("0x10", REFUSE),
        ("NaN", REFUSE),
        ("Infinity", REFUSE),
        ("1_000", REFUSE),
        ("--1", REFUSE),
        ("-", REFUSE),
        ("2.2250738585072014e-308", REFUSE),
        ("4.9e-324", REFUSE),
        ("1e-324", ACCEPT),
        ("123456789012345678901234567890", ACCEPT),
        ("0e999999999", ACCEPT),
        ("1" + "0" * 308, ACCEPT),
        ("0." + "0" * 400 + "1e401", ACCEPT),
        ("100000000000000000000e-20", ACCEPT),
        ("9007199254740992.5", ACCEPT),
        ("4503599627370496.5", ACCEPT),
        ("4503599627370495.5", REFUSE),
        ("\u0661", REFUSE),
        ("tru", REFUSE),
        ("True", REFUSE),
        ("nul", REFUSE),
    )
    cases = []
    for number, expect in table:
        spelled = number if len(number) < 40 else f"{number[:20]}…{len(number)}"
        for place, old, new in (
            ("custom", '"length"', f'"custom":{{"n":{number}}},"length"'),
            ("unknown", '"version"', f'"unknown":[{number}],"version"'),
        ):
            inexact = expect == ACCEPT and (abs(float(number)) > 2**53 or number == "9007199254740993")
            reason = NUMBERS if inexact else ""
            cases.append(once(f"number/{spelled}/{place}", expect, rewriting("targets", old, new), reason))
    return cases


def _strings() -> list[Case]:
    """Return the cases of what a signed string holds; `signed_as` is what its canonical form must be."""
    table: tuple[tuple[str, str, bytes, bytes], ...] = (
        ("newline", ACCEPT, rb"\n", b"\n"),
        ("nul", ACCEPT, rb"\u0000", b"\x00"),
        ("nul-kept-escaped", REFUSE, rb"\u0000", rb"\u0000"),
        ("delete", ACCEPT, b"\x7f", b"\x7f"),
        ("raw-control", REFUSE, b"\x1f", b"\x1f"),
        ("raw-newline", REFUSE, b"\n", b"\n"),
        ("html", ACCEPT, b"<>&", b"<>&"),
        ("escaped-html", ACCEPT, rb"\u003c", b"<"),
        ("slash", ACCEPT, rb"\/", b"/"),
        ("quote", ACCEPT, rb"\"", rb"\""),
        ("backslash", ACCEPT, rb"\\", rb"\\"),
        ("backspace", ACCEPT, rb"\b\f", b"\b\f"),
        ("line-separator", ACCEPT, "\u2028\u2029".encode(), "\u2028\u2029".encode()),
        ("escaped-line-separator", ACCEPT, rb"\u2028", "\u2028".encode()),
        ("non-ascii", ACCEPT, "ä€😀".encode(), "ä€😀".encode()),
        ("escaped-non-ascii", ACCEPT, rb"\u00e4", "ä".encode()),
        ("surrogate-pair", ACCEPT, rb"\ud83d\ude00", "😀".encode()),
        ("upper-case-surrogate-pair", ACCEPT, rb"\uD83D\uDE00", "😀".encode()),
        ("lone-high-surrogate", ACCEPT, rb"\ud83d", "\ufffd".encode()),
        ("lone-low-surrogate", ACCEPT, rb"\ude00", "\ufffd".encode()),
        ("reversed-surrogates", ACCEPT, rb"\ude00\ud83d", "\ufffd\ufffd".encode()),
        ("high-surrogate-then-letter", ACCEPT, rb"\ud83dA", "\ufffdA".encode()),
        ("high-surrogate-then-escape", ACCEPT, rb"\ud83d\u0041", "\ufffdA".encode()),
        ("two-high-surrogates", ACCEPT, rb"\ud83d\ud83d", "\ufffd\ufffd".encode()),
        ("high-high-low-surrogates", ACCEPT, rb"\ud83d\ud83d\ude00", "\ufffd😀".encode()),
        ("bad-byte", ACCEPT, b"\xff", "\ufffd".encode()),
        ("bad-bytes-each", ACCEPT, b"\xe2\x82A", "\ufffd\ufffdA".encode()),
        ("bad-bytes-grouped", REFUSE, b"\xe2\x82A", "\ufffdA".encode()),
        ("encoded-surrogate", ACCEPT, b"\xed\xa0\x80", "\ufffd\ufffd\ufffd".encode()),
        ("overlong-slash", ACCEPT, b"\xc0\xaf", "\ufffd\ufffd".encode()),
        ("beyond-unicode", ACCEPT, b"\xf4\x90\x80\x80", "\ufffd\ufffd\ufffd\ufffd".encode()),
        ("truncated-four-bytes", ACCEPT, b"\xf0\x9f\x98", "\ufffd\ufffd\ufffd".encode()),
        ("replacement-character", ACCEPT, "\ufffd".encode(), "\ufffd".encode()),
        ("not-a-character", ACCEPT, "\uffff".encode(), "\uffff".encode()),
        ("byte-order-mark", ACCEPT, "\ufeff".encode(), "\ufeff".encode()),
        ("decomposed", ACCEPT, "a\u0308".encode(), "a\u0308".encode()),
        ("composed-instead", REFUSE, "a\u0308".encode(), "ä".encode()),
        ("apostrophe-escape", REFUSE, rb"\'", b"'"),
        ("unknown-escape", REFUSE, rb"\a", b"a"),
        ("upper-case-u", REFUSE, rb"\U0041", b"A"),
        ("three-digits", REFUSE, rb"\u041", b"A"),
        ("tab-raw", REFUSE, b"\t", b"\t"),
    )
    return [
        once(f"string/{name}/{place}", expect, _with_string(place, raw, message), _string_reason(name, expect))
        for name, expect, raw, message in table
        for place in ("value", "member-name", "tag")
    ]


def _string_reason(name: str, expect: str) -> str:
    broken = ("lone-", "reversed-", "high-", "two-high", "bad-", "encoded-", "overlong-", "beyond-", "truncated-")
    return UNICODE if expect == ACCEPT and name.startswith(broken) else ""


def _with_string(place: str, raw: bytes, message: bytes) -> Bend:
    """Put a string somewhere in ``signed``, and sign a canonical form that holds `message` there."""

    def bend(repository: SignedRepository) -> None:
        usual = repository.message("targets")

        def put(held: bytes, version: bytes) -> bytes:
            old, new = {
                "value": (b',"version":1', b',"unknown":"' + held + b'","version":' + version),
                "member-name": (b',"version":1', b',"uz' + held + b'":null,"version":' + version),
                "tag": (b'"latest":{', b'"k' + held + b'":{"length":1},"latest":{'),
            }[place]
            return usual.replace(old, new, 1)

        repository.rewrite("targets", lambda _: put(raw, b"1"), message=lambda _: put(message, b"1"))

    return bend


def _depth() -> list[Case]:
    def nested(levels: int) -> Bend:
        return rewriting("targets", '"version"', '"unknown":' + "[" * levels + "]" * levels + ',"version"')

    return [
        once("depth/50-levels", ACCEPT, nested(50)),
        once("depth/1000-levels", ACCEPT, nested(1000), DEPTH),
        once("depth/9000-levels", ACCEPT, nested(9000), DEPTH),
        once("depth/100000-levels", ACCEPT, lambda r: r.alter("targets", _deep_beside), DEPTH),
    ]


def _deep_beside(body: bytes) -> bytes:
    return body[:-1] + b',"unknown":' + b"[" * 100_000 + b"]" * 100_000 + b"}"


CASES: Final = (*_files(), *_envelopes(), *_duplicates(), *_members(), *_numbers(), *_strings(), *_depth())
