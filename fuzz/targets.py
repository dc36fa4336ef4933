"""What is fuzzed: one function for each thing that reads what others wrote, and what must hold whatever it reads.

Nothing but an `ImgsigError` leaves, or where the docstring of an inner function says so, a `ValueError`. What is read
is held against a second reading where there is one: written again, read by a stricter parser, or parsed in full.
"""

import argparse
import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final, final

from fuzz import seeds
from imgsig.archive.capture import encode_capture, parse_capture
from imgsig.cli.arguments import parse_count, parse_seconds, parse_time
from imgsig.errors import ImgsigError, RejectedError
from imgsig.inspection.offered import fetch_offered_root
from imgsig.limits import Deadline, Limits
from imgsig.notary import metadata as notary
from imgsig.notary.certificates import (
    UnreadableCertificateError,
    first_certificate,
    iter_certificates,
    parse_authorities,
    parse_bundle,
    parse_certificate,
)
from imgsig.notary.keys import check_delegation_key, parse_public_key
from imgsig.notary.metadata import Key, parse_root, parse_snapshot, parse_targets, parse_timestamp
from imgsig.notary.pem import decode_base64, iter_pem_blocks
from imgsig.notary.pins import parse_pin
from imgsig.policy import Policy
from imgsig.reference import parse_reference
from imgsig.state.record import encode_record, parse_generation, parse_record
from imgsig.strictjson import canonical, parse, parse_members
from imgsig.transport.addresses import parse_address, parse_host
from imgsig.transport.challenges import parse_challenges
from imgsig.transport.docker_config import parse_docker_config
from imgsig.tuf import metadata as tuf
from tests.support.memory_source import MemorySource
from tests.support.repository import NAME, NOW, Reply

LIMITS: Final = Limits()
_SECRET: Final = 16
"""A text this long does not stand in a repr by chance."""
Run = Callable[[bytes], object]


class BrokenPromiseError(AssertionError):
    """Two readings of the same bytes differ."""


@final
@dataclass(frozen=True, slots=True)
class Target:
    """One thing to fuzz."""

    run: Run
    seeds: Callable[[], Iterable[bytes]]
    allowed: tuple[type[Exception], ...] = (ImgsigError,)
    """The errors that may leave."""

    def once(self, data: bytes) -> bool:
        """Read `data` and return whether it was accepted.

        Raises:
            Exception: whatever may not leave.
        """
        try:
            self.run(data)
        except self.allowed as error:
            _check_message(error)
            return False
        return True


def _check_message(error: Exception) -> None:
    """Hold an error to what style demands of messages: short enough, and fit to be shown."""
    for text in (str(error), *getattr(error, "faults", ())):
        if isinstance(error, ImgsigError) and not (text.isprintable() or text.isascii()):
            raise BrokenPromiseError(ascii(text))
        if len(text) > 20_000:  # noqa: PLR2004 - a policy's path with a name of every length
            raise BrokenPromiseError(f"a message of {len(text)} characters")


def _text(data: bytes) -> str:
    """Return text in which anything may stand, halves of surrogate pairs too."""
    return data.decode("utf-8", "surrogateescape")


def _same(one: object, other: object) -> None:
    if one != other:
        raise BrokenPromiseError(f"{one!r} is not {other!r}")


# -- words ------------------------------------------------------------------------------------------------------------


def _reference(data: bytes) -> None:
    reference = parse_reference(_text(data))
    _same(parse_reference(str(reference)), reference)


def _json(data: bytes) -> None:
    value = parse(data, what="x", max_depth=LIMITS.max_json_depth)
    _same(json.dumps(value), json.dumps(_python(data.decode())))
    message = canonical(value, what="x")
    if b"\\" not in message and min(message, default=32) >= 32:  # noqa: PLR2004 - it is JSON itself then
        _same(canonical(parse(message, what="x", max_depth=LIMITS.max_json_depth), what="x"), message)


def _python(text: str) -> object:
    """Return what Python's own decoder reads; longer integers than can be exact become floats, as in imgsig."""
    return json.loads(text, parse_int=_number)  # noqa: TID251 - the second opinion


def _number(digits: str) -> float:
    return float(digits) if len(digits) > 17 else int(digits)  # noqa: PLR2004


def _json_members(data: bytes) -> None:
    members = parse_members(data, what="x", max_depth=LIMITS.max_json_depth, within="signed")
    whole = parse(data, what="x", max_depth=LIMITS.max_json_depth)
    _same(json.dumps({name: member.value for name, member in members.items()}), json.dumps(whole))
    for member in members.values():
        _same(json.dumps(_python(member.text)), json.dumps(member.value))
        if member.canonical:
            _same(canonical(member.value, what="x"), member.text.encode())


def _policy(data: bytes) -> None:
    policy = Policy.parse(_text(data))
    _same(Policy.parse(policy.to_toml()), policy)


def _docker_config(data: bytes) -> None:
    config = parse_docker_config(data)
    secrets = {credential.password for credential in config.auths.values() if len(credential.password) > _SECRET}
    if any(secret in repr(config) for secret in secrets):
        raise BrokenPromiseError("a password is shown")


def _challenges(data: bytes) -> None:
    for challenge in parse_challenges(_text(data).split("\n"), max_bytes=LIMITS.max_header_bytes):
        _same(challenge.scheme, challenge.scheme.lower())


def _url(data: bytes) -> None:
    text = _text(data)
    address = parse_address(text)
    again = parse_address(f"{address.origin}{address.path}{'?' if address.query else ''}{address.query}")
    _same((again.scheme, again.host, again.port), (address.scheme, address.host, address.port))


def _host(data: bytes) -> None:
    host = parse_host(_text(data))
    _same(parse_host(f"[{host}]" if ":" in host else host), host)


def _arguments(data: bytes) -> None:
    for read in (parse_time, parse_seconds, parse_count):
        try:
            read(_text(data))
        except argparse.ArgumentTypeError as error:
            _check_message(error)


# -- Docker Content Trust ---------------------------------------------------------------------------------------------


def _root(data: bytes) -> None:
    _check_envelope(data, parse_root(data, LIMITS).envelope)


def _timestamp(data: bytes) -> None:
    _check_envelope(data, parse_timestamp(data, LIMITS).envelope)


def _snapshot(data: bytes) -> None:
    _check_envelope(data, parse_snapshot(data, LIMITS).envelope)


def _targets(data: bytes) -> None:
    targets = parse_targets(data, "targets", LIMITS)
    _check_envelope(data, targets.envelope)
    written = parse(data, what="x", max_depth=LIMITS.max_json_depth)["signed"].get("targets") or {}
    _same(sorted(targets), sorted(written))
    for name in targets:
        info = targets.target(name)
        hashes = (written[name] or {}).get("hashes") or {}
        _same({} if info is None else dict(info.hashes), {known: _bytes(value) for known, value in hashes.items()})


def _bytes(value: str | None) -> bytes:
    return decode_base64((value or "").encode().translate(None, b"\r\n"))


def _check_envelope(data: bytes, envelope: notary.Envelope) -> None:
    """Hold the signed message against the canonical form of what the strict parser makes of the whole."""
    _same(envelope.message, canonical(parse(data, what="x", max_depth=LIMITS.max_json_depth)["signed"], what="x"))


def _offered_root(data: bytes) -> None:
    source = MemorySource(lambda _: Reply(200, data))
    fetch_offered_root(source, NAME, at=NOW, deadline=Deadline(60), limits=LIMITS)


def _expiry(data: bytes) -> None:
    body = next(iter(seeds.documents("timestamp"))).replace(b"2090-01-01T00:00:00Z", data)
    expires = parse_timestamp(body, LIMITS).expires
    if expires.utcoffset() is None:
        raise BrokenPromiseError("a time without a zone")


def _public_key(data: bytes) -> None:
    keytype, _, public = data.partition(b"\0")
    key = parse_public_key(Key(_text(keytype).encode("utf-8", "replace").decode(), public))
    for method in ("ecdsa", "rsapss", "rsapkcs1v15", "eddsa", "pycrypto-pkcs#1 pss"):
        if key.verifies(method, public[-64:], b"message"):
            raise BrokenPromiseError("a signature out of nowhere")
    try:
        check_delegation_key(Key("", public), "targets/a")
    except RejectedError as error:
        _check_message(error)


def _certificate(data: bytes) -> None:
    certificate = parse_certificate(data)
    certificate.fault(NOW)
    certificate.is_for(NAME)


def _pem(data: bytes) -> None:
    for block in iter_pem_blocks(data):
        if not isinstance(block.content, bytes):
            raise BrokenPromiseError("no bytes")
    list(iter_certificates(data))
    for read in (first_certificate, parse_authorities, lambda text: parse_bundle(text, LIMITS.max_bundle_certificates)):
        try:
            read(data)
        except UnreadableCertificateError as error:
            _check_message(error)


def _pin(data: bytes) -> None:
    _same(len(parse_pin(_text(data))), 64)


# -- the disk ---------------------------------------------------------------------------------------------------------


def _capture(data: bytes) -> None:
    _same(encode_capture(parse_capture(data)), data)


def _record(data: bytes) -> None:
    record = parse_record(data)
    _same(parse_generation(data), record.generation)
    _same(parse_record(encode_record(record)), record)


def _generation(data: bytes) -> None:
    parse_generation(data)


def _tuf(kind: str) -> Target:
    read: Mapping[str, Callable[[bytes], object]] = {
        "root": lambda data: tuf.parse_root(data, LIMITS),
        "timestamp": lambda data: tuf.parse_timestamp(data, LIMITS),
        "snapshot": lambda data: tuf.parse_snapshot(data, LIMITS),
        "targets": lambda data: tuf.parse_targets(data, "targets", LIMITS),
    }
    return Target(read[kind], lambda: seeds.tuf_documents(kind))


TARGETS: Final[Mapping[str, Target]] = MappingProxyType({
    "reference": Target(_reference, lambda: seeds.REFERENCES),
    "json": Target(_json, lambda: (*seeds.documents("targets"), *seeds.docker_configs()), (ImgsigError,)),
    "json-members": Target(_json_members, lambda: seeds.documents("snapshot")),
    "root": Target(_root, lambda: seeds.documents("root")),
    "timestamp": Target(_timestamp, lambda: seeds.documents("timestamp")),
    "snapshot": Target(_snapshot, lambda: seeds.documents("snapshot")),
    "targets": Target(_targets, lambda: (*seeds.documents("targets"), *seeds.documents("targets/releases"))),
    "large-targets": Target(_targets, seeds.large_targets),
    "offered-root": Target(_offered_root, lambda: seeds.documents("root")),
    "expiry": Target(_expiry, lambda: seeds.TIMES),
    "public-key": Target(_public_key, seeds.public_keys),
    "certificate": Target(_certificate, seeds.ders, (UnreadableCertificateError,)),
    "pem": Target(_pem, seeds.pems),
    "pin": Target(_pin, lambda: seeds.PINS, (ValueError,)),
    "policy": Target(_policy, seeds.policies),
    "docker-config": Target(_docker_config, seeds.docker_configs),
    "capture": Target(_capture, seeds.captures),
    "state-record": Target(_record, seeds.records),
    "state-generation": Target(_generation, seeds.records),
    "challenges": Target(_challenges, lambda: seeds.CHALLENGES),
    "url": Target(_url, lambda: seeds.URLS, (ValueError,)),
    "host": Target(_host, lambda: seeds.REFERENCES, (ValueError,)),
    "arguments": Target(_arguments, lambda: (*seeds.TIMES, b"1.5", b"1e3", b"16")),
    "tuf-root": _tuf("root"),
    "tuf-timestamp": _tuf("timestamp"),
    "tuf-snapshot": _tuf("snapshot"),
    "tuf-targets": _tuf("targets"),
})
