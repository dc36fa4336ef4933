"""Structure: expiry, roots, timestamps, snapshots, hashes, lengths, keys.

Spec: Notary v1, tuf/data/root.go, timestamp.go, snapshot.go, targets.go, types.go, keys.go.
"""

import base64
import hashlib
from collections.abc import Callable
from typing import Any, Final

from tests.interop.cases.bends import FOREIGN, Bend, altering, family, released, removing, rewriting, setting
from tests.interop.comparison import ACCEPT, REFUSE, Case, once
from tests.support.repository import NAME, PAST, SignedRepository
from tests.support.root_certificates import CertificateForm, root_key
from tests.support.signing import Json, SigningKey, make_key

DIGEST: Final = "unusable-digest"
TIME: Final = "strict-time"
_FAR: Final = "2090-01-01T00:00:00Z"


def _b64(raw: bytes) -> str:
    return base64.b64encode(raw).decode()


def _expiries() -> list[Case]:
    table: tuple[tuple[str, str, str], ...] = (
        (_FAR, ACCEPT, ""),
        ("2090-01-01T00:00:00+00:00", ACCEPT, ""),
        ("2090-01-01T00:00:00-08:00", ACCEPT, ""),
        ("2090-01-01T00:00:00+23:59", ACCEPT, ""),
        ("2090-01-01T00:00:00-00:00", ACCEPT, ""),
        ("2090-01-01T00:00:00.1Z", ACCEPT, ""),
        ("2090-01-01T00:00:00.123456789Z", ACCEPT, ""),
        ("2090-01-01T00:00:00.12345678901234567890Z", ACCEPT, ""),
        ("9999-12-31T23:59:59Z", ACCEPT, ""),
        ("9999-12-31T23:59:59.999999999Z", ACCEPT, ""),
        ("9999-12-31T23:59:59-23:59", ACCEPT, ""),
        ("9999-12-31T23:59:59+23:59", ACCEPT, ""),
        ("2096-02-29T00:00:00Z", ACCEPT, ""),
        ("2090-01-01T1:00:00Z", ACCEPT, TIME),
        ("2090-01-01T00:00:00,5Z", ACCEPT, TIME),
        ("2090-01-01T00:00:00+24:00", ACCEPT, TIME),
        ("2090-01-01T00:00:00+99:99", ACCEPT, TIME),
        ("0000-01-01T00:00:00Z", REFUSE, ""),
        ("0001-01-01T00:00:00Z", REFUSE, ""),
        ("0001-01-01T00:00:00+23:59", REFUSE, ""),
        ("1969-12-31T23:59:59Z", REFUSE, ""),
        ("2001-01-01T00:00:00Z", REFUSE, ""),
        ("2026-01-01T00:00:00Z", REFUSE, ""),
        ("10000-01-01T00:00:00Z", REFUSE, ""),
        ("-2090-01-01T00:00:00Z", REFUSE, ""),
        ("2090-01-01", REFUSE, ""),
        ("2090-01-01T00:00:00", REFUSE, ""),
        ("2090-01-01 00:00:00Z", REFUSE, ""),
        ("2090-01-01t00:00:00Z", REFUSE, ""),
        ("2090-01-01T00:00:00z", REFUSE, ""),
        ("2090-01-01T00:00Z", REFUSE, ""),
        ("2090-1-01T00:00:00Z", REFUSE, ""),
        ("2090-01-1T00:00:00Z", REFUSE, ""),
        ("2090-01-01T00:0:00Z", REFUSE, ""),
        ("2090-01-01T00:00:0Z", REFUSE, ""),
        ("2090-13-01T00:00:00Z", REFUSE, ""),
        ("2090-00-01T00:00:00Z", REFUSE, ""),
        ("2090-01-32T00:00:00Z", REFUSE, ""),
        ("2090-01-00T00:00:00Z", REFUSE, ""),
        ("2090-02-29T00:00:00Z", REFUSE, ""),
        ("2100-02-29T00:00:00Z", REFUSE, ""),
        ("2090-01-01T24:00:00Z", REFUSE, ""),
        ("2090-01-01T00:60:00Z", REFUSE, ""),
        ("2090-12-31T23:59:60Z", REFUSE, ""),
        ("2090-01-01T00:00:00.Z", REFUSE, ""),
        ("2090-01-01T00:00:00+0000", REFUSE, ""),
        ("2090-01-01T00:00:00+00", REFUSE, ""),
        ("2090-01-01T00:00:00+1:00", REFUSE, ""),
        ("2090-01-01T00:00:00 Z", REFUSE, ""),
        ("2090-01-01T00:00:00Z ", REFUSE, ""),
        (" 2090-01-01T00:00:00Z", REFUSE, ""),
        ("20900101T000000Z", REFUSE, ""),
        ("2090-W01-1T00:00:00Z", REFUSE, ""),
        ("2090-001T00:00:00Z", REFUSE, ""),
        ("\u0662090-01-01T00:00:00Z", REFUSE, ""),
        ("Sun Jan 1 00:00:00 2090", REFUSE, ""),
        ("3786912000", REFUSE, ""),
        ("", REFUSE, ""),
    )
    cases = [
        once(f"expires/{text or 'empty'}/{role}", expect, _expiring(role, text), reason)
        for text, expect, reason in table
        for role in ("timestamp", "targets")
    ]
    cases += [
        once("expires/null", REFUSE, setting("targets", "expires", to=None)),
        once("expires/missing", REFUSE, removing("targets", "expires")),
        once("expires/number", REFUSE, setting("targets", "expires", to=3786912000)),
        once("expires/escaped", REFUSE, rewriting("targets", '"expires":"2090', '"expires":"\\u0032090')),
        once("expires/escaped-slash-free", REFUSE, rewriting("targets", "00:00:00Z", "00:00:00\\u005a")),
        *(once(f"expires/past/{role}", REFUSE, _expiring(role, PAST)) for role in ("root", "snapshot")),
        once("expires/root-offset", ACCEPT, _expiring("root", "2090-01-01T00:00:00-08:00")),
    ]
    return cases


def _expiring(role: str, text: str) -> Bend:
    return lambda repository: repository.expire(role, text)


def _roots() -> list[Case]:
    def role(name: str, **members: object) -> Bend:
        return lambda repository: repository.edit("root", lambda signed: signed["roles"][name].update(members))

    def key(change: Callable[[Json], Any]) -> Bend:
        """Add to ``keys`` one more, which no role lists."""
        return lambda repository: repository.edit(
            "root", lambda signed: signed["keys"].update(spare=change(FOREIGN.to_json()))
        )

    def keyval(**members: object) -> Bend:
        return key(lambda found: found | {"keyval": found["keyval"] | members})

    table: tuple[tuple[str, str, Bend], ...] = (
        *(
            (f"role-missing-{name}", REFUSE, removing("root", "roles", name))
            for name in ("root", "targets", "snapshot", "timestamp")
        ),
        *(
            (f"role-null-{name}", REFUSE, setting("root", "roles", name, to=None))
            for name in ("root", "targets", "snapshot", "timestamp")
        ),
        *(
            (f"threshold-0-{name}", REFUSE, role(name, threshold=0))
            for name in ("root", "targets", "snapshot", "timestamp")
        ),
        *(
            (f"keyids-empty-{name}", REFUSE, role(name, keyids=[]))
            for name in ("root", "targets", "snapshot", "timestamp")
        ),
        ("role-a-list", REFUSE, setting("root", "roles", "targets", to=[])),
        ("roles-null", REFUSE, setting("root", "roles", to=None)),
        ("roles-a-list", REFUSE, setting("root", "roles", to=[])),
        ("keys-null", REFUSE, setting("root", "keys", to=None)),
        ("keys-missing", REFUSE, removing("root", "keys")),
        ("keys-a-list", REFUSE, setting("root", "keys", to=[])),
        ("keyids-null", REFUSE, role("targets", keyids=None)),
        ("keyids-a-text", REFUSE, role("targets", keyids="x")),
        ("keyid-a-number", REFUSE, role("targets", keyids=[1])),
        (
            "keyid-unknown-in-extra-role",
            ACCEPT,
            setting("root", "roles", "root.1", to={"keyids": ["0" * 64], "threshold": 1}),
        ),
        ("extra-role", ACCEPT, setting("root", "roles", "mirrors", to={"keyids": [], "threshold": 1})),
        ("extra-role-null", ACCEPT, setting("root", "roles", "mirrors", to=None)),
        ("extra-role-threshold-0", ACCEPT, setting("root", "roles", "mirrors", to={"keyids": [], "threshold": 0})),
        ("extra-role-a-text", REFUSE, setting("root", "roles", "mirrors", to="x")),
        (
            "extra-role-with-delegation-name",
            ACCEPT,
            setting("root", "roles", "targets/a", to={"keyids": [], "threshold": 1}),
        ),
        ("extra-member-in-role", ACCEPT, role("targets", paths=["x"], other=1)),
        ("threshold-missing", REFUSE, removing("root", "roles", "targets", "threshold")),
        ("threshold-null", REFUSE, role("targets", threshold=None)),
        ("threshold-a-text", REFUSE, role("targets", threshold="1")),
        ("threshold-true", REFUSE, role("targets", threshold=True)),
        ("threshold-1.0", REFUSE, rewriting("root", '"threshold":1', '"threshold":1.0')),
        ("threshold-huge", REFUSE, role("targets", threshold=2**53)),
        ("spare-key-null", ACCEPT, key(lambda _: None)),
        ("spare-key-a-text", REFUSE, key(lambda _: "x")),
        ("spare-key-a-list", REFUSE, key(lambda _: [])),
        ("spare-key-empty", ACCEPT, key(lambda _: {})),
        ("spare-key-unknown-type", ACCEPT, key(lambda found: found | {"keytype": "post-quantum"})),
        ("spare-key-type-null", ACCEPT, key(lambda found: found | {"keytype": None})),
        ("spare-key-type-a-number", REFUSE, key(lambda found: found | {"keytype": 1})),
        ("spare-key-keyval-null", ACCEPT, key(lambda found: found | {"keyval": None})),
        ("spare-key-keyval-a-text", REFUSE, key(lambda found: found | {"keyval": "x"})),
        ("spare-key-public-null", ACCEPT, keyval(public=None)),
        ("spare-key-public-empty", ACCEPT, keyval(public="")),
        ("spare-key-public-not-base64", REFUSE, keyval(public="!")),
        ("spare-key-public-excess-padding", REFUSE, keyval(public="YWJj=")),
        ("spare-key-public-a-number", REFUSE, keyval(public=1)),
        ("spare-key-private-given", ACCEPT, keyval(private="YWJj")),
        ("spare-key-private-empty", ACCEPT, keyval(private="")),
        ("spare-key-private-not-base64", REFUSE, keyval(private="!")),
        ("spare-key-private-a-number", REFUSE, keyval(private=1)),
        (
            "spare-key-extra-members",
            ACCEPT,
            key(lambda found: found | {"scheme": "x", "keyid_hash_algorithms": ["sha256"]}),
        ),
        ("used-key-private-given", ACCEPT, lambda r: r.edit("root", _with_private)),
        ("used-key-public-with-newlines", ACCEPT, lambda r: r.edit("root", _with_newlines)),
        ("certificate-body-excess-padding", REFUSE, _padded_certificate),
    )
    return [once(f"root/{name}", expect, bend) for name, expect, bend in table]


def _used(signed: Json) -> Json:
    found: Json = signed["keys"][signed["roles"]["targets"]["keyids"][0]]["keyval"]
    return found


def _with_private(signed: Json) -> None:
    _used(signed)["private"] = "YWJj"


def _with_newlines(signed: Json) -> None:
    public = _used(signed)["public"]
    _used(signed)["public"] = public[:20] + "\n" + public[20:] + "\r\n"


def _padded_certificate(repository: SignedRepository) -> None:
    """Put one padding character too many into the PEM of a certificate that needs none."""
    keys = [root_key(NAME, form=CertificateForm(NAME, organization="x" * size)) for size in range(1, 20)]
    key = next(key for key in keys if b"=\n-----END" not in key.public)
    bad = key.public.replace(b"\n-----END", b"=\n-----END")
    repository.set_keys("root", key.with_public(bad).with_signing_id(key.true_id))


def _meta() -> list[Case]:
    def entry(role: str, name: str, **members: object) -> Bend:
        return lambda repository: repository.edit(role, lambda signed: signed["meta"][name].update(members))

    def hashes(role: str, name: str, change: Callable[[Json], Any]) -> Bend:
        def edit(signed: Json) -> None:
            signed["meta"][name]["hashes"] = change(signed["meta"][name]["hashes"])

        return lambda repository: repository.edit(role, edit)

    wrong256, wrong512 = _b64(bytes(32)), _b64(bytes(64))
    cases = []
    for role, name in (("timestamp", "snapshot"), ("snapshot", "targets"), ("snapshot", "root")):
        table: tuple[tuple[str, str, Bend], ...] = (
            ("only-sha256", ACCEPT, hashes(role, name, lambda found: {"sha256": found["sha256"]})),
            ("only-sha512", REFUSE, hashes(role, name, lambda found: {"sha512": found["sha512"]})),
            ("no-hashes", REFUSE, hashes(role, name, lambda _: {})),
            ("hashes-null", REFUSE, hashes(role, name, lambda _: None)),
            ("hashes-a-list", REFUSE, hashes(role, name, lambda _: [])),
            ("unknown-algorithm-beside", ACCEPT, hashes(role, name, lambda found: found | {"blake2b": "YQ=="})),
            ("unknown-algorithm-not-base64", REFUSE, hashes(role, name, lambda found: found | {"blake2b": "!"})),
            (
                "unknown-algorithm-excess-padding",
                REFUSE,
                hashes(role, name, lambda found: found | {"blake2b": "YWJj="}),
            ),
            ("unknown-algorithm-null", ACCEPT, hashes(role, name, lambda found: found | {"blake2b": None})),
            ("unknown-algorithm-alone", REFUSE, hashes(role, name, lambda found: {"blake2b": found["sha256"]})),
            ("wrong-sha256", REFUSE, hashes(role, name, lambda found: found | {"sha256": wrong256})),
            ("wrong-sha512", REFUSE, hashes(role, name, lambda found: found | {"sha512": wrong512})),
            ("short-sha256", REFUSE, hashes(role, name, lambda found: found | {"sha256": "YQ=="})),
            ("short-sha512", REFUSE, hashes(role, name, lambda found: found | {"sha512": "YQ=="})),
            ("sha256-null", REFUSE, hashes(role, name, lambda found: found | {"sha256": None})),
            ("sha512-null", REFUSE, hashes(role, name, lambda found: found | {"sha512": None})),
            ("sha256-empty", REFUSE, hashes(role, name, lambda found: found | {"sha256": ""})),
            ("sha512-empty", REFUSE, hashes(role, name, lambda found: found | {"sha512": ""})),
            (
                "sha256-hex",
                REFUSE,
                hashes(role, name, lambda found: found | {"sha256": base64.b64decode(found["sha256"]).hex()}),
            ),
            ("sha256-a-number", REFUSE, hashes(role, name, lambda found: found | {"sha256": 1})),
            ("entry-null", REFUSE, setting(role, "meta", name, to=None)),
            ("entry-missing", REFUSE, removing(role, "meta", name)),
            ("entry-a-list", REFUSE, setting(role, "meta", name, to=[])),
            ("with-json-suffix", REFUSE, _suffixed(role, name)),
            ("length-too-small", REFUSE, entry(role, name, length=10)),
            ("length-0", REFUSE, entry(role, name, length=0)),
            ("length-null", REFUSE, entry(role, name, length=None)),
            ("length-minus-1", ACCEPT, entry(role, name, length=-1)),
            ("length-minus-2", REFUSE, entry(role, name, length=-2)),
            ("length-too-large", ACCEPT, entry(role, name, length=10**6)),
            ("length-2^40", ACCEPT, entry(role, name, length=2**40)),
            ("length-a-text", REFUSE, entry(role, name, length="1")),
            ("length-fraction", REFUSE, rewriting(role, '"length":', '"length":1.5,"x":')),
            ("custom", ACCEPT, entry(role, name, custom={"a": [1, None]})),
            ("version-member", ACCEPT, entry(role, name, version=99)),
            ("meta-null", REFUSE, setting(role, "meta", to=None)),
            ("meta-missing", REFUSE, removing(role, "meta")),
            ("meta-a-list", REFUSE, setting(role, "meta", to=[])),
        )
        root_length = {"length-too-small", "length-0", "length-null", "length-minus-2"}
        for title, expect, bend in table:
            expected = ACCEPT if name == "root" and title in root_length else expect
            cases.append(once(f"meta/{title}/{name}-in-{role}", expected, bend))
    others: tuple[tuple[str, str, Bend], ...] = (
        (
            "extra-entry-in-timestamp",
            ACCEPT,
            setting("timestamp", "meta", "targets", to={"length": 1, "hashes": {"sha256": wrong256}}),
        ),
        ("extra-null-entry-in-timestamp", ACCEPT, setting("timestamp", "meta", "targets", to=None)),
        (
            "extra-entry-of-timestamp-in-snapshot",
            ACCEPT,
            setting("snapshot", "meta", "timestamp", to={"length": 1, "hashes": {"sha256": wrong256}}),
        ),
        (
            "unknown-role-in-snapshot",
            ACCEPT,
            setting("snapshot", "meta", "Strange/Role", to={"length": 1, "hashes": {"sha256": "YQ=="}}),
        ),
        ("unknown-role-null-in-snapshot", ACCEPT, setting("snapshot", "meta", "x", to=None)),
        ("unknown-role-a-text-in-snapshot", REFUSE, setting("snapshot", "meta", "x", to="y")),
    )
    return [*cases, *(once(f"meta/{title}", expect, bend) for title, expect, bend in others)]


def _suffixed(role: str, name: str) -> Bend:
    def edit(signed: Json) -> None:
        signed["meta"][f"{name}.json"] = signed["meta"].pop(name)

    return lambda repository: repository.edit(role, edit)


def _delegation_meta() -> list[Case]:
    """Return the cases of what the snapshot says of ``targets/releases``."""
    name = "targets/releases"

    def hashes(change: Callable[[Json], Any], **members: object) -> Bend:
        def edit(signed: Json) -> None:
            entry = signed["meta"][name]
            entry["hashes"] = change(entry["hashes"])
            entry.update(members)

        return lambda repository: repository.edit("snapshot", edit)

    def only(algorithm: str) -> Callable[[Json], Any]:
        return lambda found: {algorithm: found.get(algorithm, "YQ==")}

    wrong256, wrong512 = _b64(bytes(32)), _b64(bytes(64))
    table: tuple[tuple[str, str, Bend], ...] = (
        ("only-sha256", ACCEPT, hashes(only("sha256"))),
        ("only-sha512", ACCEPT, hashes(only("sha512"))),
        ("only-sha512-wrong", REFUSE, hashes(lambda _: {"sha512": wrong512})),
        ("wrong-sha256", REFUSE, hashes(lambda found: found | {"sha256": wrong256})),
        ("wrong-sha512", REFUSE, hashes(lambda found: found | {"sha512": wrong512})),
        ("sha256-null", REFUSE, hashes(lambda found: found | {"sha256": None})),
        ("sha256-empty", REFUSE, hashes(lambda found: found | {"sha256": ""})),
        ("sha512-null", REFUSE, hashes(lambda found: found | {"sha512": None})),
        ("short-sha256", REFUSE, hashes(lambda found: found | {"sha256": "YQ=="})),
        ("unknown-algorithm-alone", REFUSE, hashes(only("blake2b"))),
        ("no-hashes-but-length", REFUSE, hashes(lambda _: {})),
        ("hashes-null-but-length", REFUSE, hashes(lambda _: None)),
        ("no-hashes-no-length", ACCEPT, hashes(lambda _: {}, length=0)),
        ("hashes-null-length-null", ACCEPT, hashes(lambda _: None, length=None)),
        ("length-too-small", REFUSE, hashes(lambda found: found, length=10)),
        ("length-0", REFUSE, hashes(lambda found: found, length=0)),
        ("length-minus-1", ACCEPT, hashes(lambda found: found, length=-1)),
        ("length-huge", ACCEPT, hashes(lambda found: found, length=2**40)),
        ("entry-null", ACCEPT, setting("snapshot", "meta", name, to=None)),
        ("entry-empty", ACCEPT, setting("snapshot", "meta", name, to={})),
        ("entry-missing", ACCEPT, removing("snapshot", "meta", name)),
        ("entry-a-text", REFUSE, setting("snapshot", "meta", name, to="x")),
    )
    return [once(f"delegation-meta/{title}", expect, bend, start=released) for title, expect, bend in table]


def _targets() -> list[Case]:
    def entry(value: object) -> Bend:
        return setting("targets", "targets", "latest", to=value)

    right = hashlib.sha256(b"content").digest()
    good: Json = {"length": 7, "hashes": {"sha256": _b64(right)}}
    table: tuple[tuple[str, str, str, Bend], ...] = (
        ("null", ACCEPT, DIGEST, entry(None)),
        ("empty", ACCEPT, DIGEST, entry({})),
        ("no-hashes", ACCEPT, DIGEST, entry({"length": 7, "hashes": {}})),
        ("hashes-null", ACCEPT, DIGEST, entry({"length": 7, "hashes": None})),
        ("only-sha512", ACCEPT, DIGEST, entry({"length": 7, "hashes": {"sha512": _b64(bytes(64))}})),
        ("sha256-null", ACCEPT, DIGEST, entry({"length": 7, "hashes": {"sha256": None}})),
        ("sha256-empty", ACCEPT, DIGEST, entry({"length": 7, "hashes": {"sha256": ""}})),
        ("sha256-31-bytes", ACCEPT, DIGEST, entry({"length": 7, "hashes": {"sha256": _b64(bytes(31))}})),
        ("sha256-33-bytes", ACCEPT, DIGEST, entry({"length": 7, "hashes": {"sha256": _b64(bytes(33))}})),
        ("sha256-upper-case", ACCEPT, DIGEST, entry({"length": 7, "hashes": {"SHA256": _b64(right)}})),
        (
            "sha256-with-newline",
            ACCEPT,
            "",
            entry({"length": 7, "hashes": {"sha256": _b64(right)[:9] + "\n" + _b64(right)[9:]}}),
        ),
        ("sha256-loose-last-bits", ACCEPT, "", entry({"length": 7, "hashes": {"sha256": _loose(right)}})),
        ("sha256-not-base64", REFUSE, "", entry({"length": 7, "hashes": {"sha256": "!"}})),
        ("sha256-excess-padding", REFUSE, "", entry({"length": 7, "hashes": {"sha256": _b64(right[:30]) + "="}})),
        ("other-excess-padding", REFUSE, "", entry(good | {"hashes": good["hashes"] | {"x": "YWJj="}})),
        ("other-not-base64", REFUSE, "", entry(good | {"hashes": good["hashes"] | {"x": "!"}})),
        ("other-a-number", REFUSE, "", entry(good | {"hashes": good["hashes"] | {"x": 1}})),
        ("short-sha512-beside", ACCEPT, "", entry(good | {"hashes": good["hashes"] | {"sha512": "YQ=="}})),
        ("length-missing", ACCEPT, "", entry({"hashes": good["hashes"]})),
        ("length-negative", ACCEPT, "", entry(good | {"length": -5})),
        ("length-0", ACCEPT, "", entry(good | {"length": 0})),
        ("length-null", ACCEPT, "", entry(good | {"length": None})),
        ("length-2^53", ACCEPT, "", entry(good | {"length": 2**53})),
        ("length-a-text", REFUSE, "", entry(good | {"length": "7"})),
        ("length-true", REFUSE, "", entry(good | {"length": True})),
        ("length-1.0", REFUSE, "", rewriting("targets", '"length":', '"length":1.0,"x":')),
        ("entry-a-text", REFUSE, "", entry("x")),
        ("entry-a-list", REFUSE, "", entry([])),
        ("entry-false", REFUSE, "", entry(False)),
        ("other-entry-a-text", REFUSE, "", setting("targets", "targets", "other", to="x")),
        ("other-entry-null", ACCEPT, "", setting("targets", "targets", "other", to=None)),
        ("other-entry-bad-base64", REFUSE, "", setting("targets", "targets", "other", to={"hashes": {"sha256": "!"}})),
        ("custom-object", ACCEPT, "", entry(good | {"custom": {"a": [1, {"b": None}]}})),
        ("custom-text", ACCEPT, "", entry(good | {"custom": "x"})),
        ("custom-null", ACCEPT, "", entry(good | {"custom": None})),
        ("hashes-a-list", REFUSE, "", entry(good | {"hashes": []})),
        ("targets-null", "absent", "", setting("targets", "targets", to=None)),
        ("targets-missing", "absent", "", removing("targets", "targets")),
        ("targets-a-list", REFUSE, "", setting("targets", "targets", to=[])),
        ("delegations-null", ACCEPT, "", setting("targets", "delegations", to=None)),
        ("delegations-missing", ACCEPT, "", removing("targets", "delegations")),
        ("delegations-empty", ACCEPT, "", setting("targets", "delegations", to={})),
        ("delegations-a-list", REFUSE, "", setting("targets", "delegations", to=[])),
        ("delegations-keys-null", ACCEPT, "", setting("targets", "delegations", "keys", to=None)),
        ("delegations-roles-null", ACCEPT, "", setting("targets", "delegations", "roles", to=None)),
        ("delegations-roles-an-object", REFUSE, "", setting("targets", "delegations", "roles", to={})),
        ("delegations-spare-key", ACCEPT, "", setting("targets", "delegations", "keys", "x", to=FOREIGN.to_json())),
        ("delegations-spare-key-null", ACCEPT, "", setting("targets", "delegations", "keys", "x", to=None)),
        ("delegations-spare-key-a-text", REFUSE, "", setting("targets", "delegations", "keys", "x", to="y")),
        ("delegations-extra-members", ACCEPT, "", setting("targets", "delegations", "succinct_roles", to=[1])),
    )
    cases = [once(f"targets/{name}", expect, bend, reason) for name, expect, reason, bend in table]
    names = ("", " ", "a b", "ä", "UPPER", "../x", "a/b", "x" * 300, "latest\n", "<script>", "%2e", "null", "-r")
    cases += [once(f"targets/tag-{tag[:9]!r}", ACCEPT, _listing(tag)) for tag in names]
    cases += [
        once("targets/tag-absent", "absent", lambda _: None, tag="nothing"),
        once("targets/tag-case-differs", "absent", lambda _: None, tag="Latest"),
        once("targets/tag-prefix", "absent", lambda _: None, tag="lat"),
        once("targets/slash-in-tag", ACCEPT, lambda r: r.add_target("a/b"), tag="a/b"),
    ]
    return cases


def _listing(tag: str) -> Bend:
    return lambda repository: repository.add_target(tag)


def _releasing_by(key: SigningKey) -> Bend:
    return lambda repository: repository.set_keys("targets/releases", key)


def _loose(raw: bytes) -> str:
    """Return base64 of 32 bytes whose last, unused bits are not zero."""
    text = _b64(raw)
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
    return text[:-2] + alphabet[alphabet.index(text[-2]) | 1] + "="


def _sizes() -> list[Case]:
    mebibyte = 1024 * 1024

    def padded(role: str, size: int) -> Bend:
        return altering(role, lambda body: body + b" " * (size - len(body)))

    return [
        once("size/timestamp-1-mebibyte", ACCEPT, padded("timestamp", mebibyte)),
        once("size/timestamp-1-mebibyte-and-1", REFUSE, padded("timestamp", mebibyte + 1)),
        once("size/root-3-mebibytes", ACCEPT, padded("root", 3 * mebibyte)),
        once("size/targets-3-mebibytes", ACCEPT, padded("targets", 3 * mebibyte)),
        once("size/delegation-3-mebibytes", ACCEPT, padded("targets/a", 3 * mebibyte), start=family),
    ]


def _delegation_keys() -> list[Case]:
    table = (
        ("rsa1024", make_key("rsa1024", "small"), "skip"),
        ("p521", make_key("p521", "curve"), ""),
        ("ed25519", make_key("ed25519", "edwards"), ""),
        ("x509", root_key("any", label="any"), ""),
    )
    return [
        once(
            f"delegation-key/{name}",
            ACCEPT,
            _releasing_by(key),
            "skipped-releases" if effect == "skip" else "",
            start=released,
        )
        for name, key, effect in table
    ]


CASES: Final = (*_expiries(), *_roots(), *_meta(), *_delegation_meta(), *_targets(), *_sizes(), *_delegation_keys())
