"""Notary's documents as frozen values: decoded strictly, complete, with the place in every error; nothing verified.

What a document says is believed by nobody here: signatures, hashes, versions and expiry are checked in `trusted`.

Spec: docs/notary-v1.md, "Documents".
"""

import hashlib
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta, timezone
from types import MappingProxyType
from typing import Any, Final, final

from imgsig.errors import RejectedError
from imgsig.limits import Limits
from imgsig.notary.entries import CutOut, cut_out
from imgsig.notary.pem import decode_base64
from imgsig.notary.structure import Structure, json_object, malformed, too_many
from imgsig.strictjson import Member, canonical, parse_members, quote

BASE_ROLES: Final = ("root", "targets", "snapshot", "timestamp")
TYPES: Final = {"root": "Root", "targets": "Targets", "snapshot": "Snapshot", "timestamp": "Timestamp"}

_MAX_DELEGATION_NAME: Final = 255
_DELEGATION_NAME: Final = re.compile(r"targets(?:/[-a-z0-9_]+)+")
_EXPIRES: Final = re.compile(
    r'"(\d{4})-(\d{2})-(\d{2})T(\d{2}):(\d{2}):(\d{2})(?:\.(\d+))?(?:Z|([+-])([01]\d|2[0-3]):([0-5]\d))"', re.ASCII
)
_LONG_AGO: Final = datetime(1, 1, 1, tzinfo=UTC)
_FAR_AHEAD: Final = datetime(9999, 12, 31, 23, 59, 59, 999999, UTC)
_HASH_BYTES: Final = {"sha256": 32, "sha512": 64}


@final
@dataclass(frozen=True, slots=True)
class Signature:
    """One entry of ``signatures``."""

    key_id: str
    method: str
    """In lower case."""
    value: bytes


@final
@dataclass(frozen=True, slots=True)
class Envelope:
    """A signed document: the message that its signatures are over, and the entries, none verified."""

    message: bytes
    signatures: tuple[Signature, ...]


@final
@dataclass(frozen=True, slots=True)
class Key:
    """A public key as it is written in a document; it may be of an unknown type, or no key at all."""

    keytype: str
    public: bytes | None
    """None where nothing is written, which gives another key id than no bytes."""


@final
@dataclass(frozen=True, slots=True)
class Role:
    """Who may sign a role. ``paths`` are prefixes of target names; empty for a role of the root."""

    name: str
    key_ids: tuple[str, ...]
    threshold: int
    paths: tuple[str, ...] = ()


@final
@dataclass(frozen=True, slots=True)
class FileInfo:
    """What a document says of another file: an upper bound of its length, and hashes of its bytes."""

    length: int
    hashes: Mapping[str, bytes]

    @property
    def published(self) -> bool:
        """Whether it says anything at all; the reference client skips a role whose entry does not."""
        return bool(self.hashes) or self.length != 0

    @property
    def sha256(self) -> bytes:
        """The sha256, 32 bytes; empty if there is none of that size."""
        value = self.hashes.get("sha256", b"")
        return value if len(value) == _HASH_BYTES["sha256"] else b""

    def mismatch(self, found: Mapping[str, bytes]) -> str | None:
        """Return None if a body with these `digests` has every known hash listed, at least one; else what is wrong."""
        known = [name for name in _HASH_BYTES if name in self.hashes]
        if not known:
            return "no sha256 or sha512 is given for it"
        for name in known:
            if found[name] != self.hashes[name]:
                return f"its {name} is {found[name].hex()}, not {self.hashes[name].hex()}"
        return None


def digests(body: bytes) -> Mapping[str, bytes]:
    """Return the sha256 and sha512 of `body`, by name."""
    return MappingProxyType({name: hashlib.new(name, body).digest() for name in _HASH_BYTES})


@final
@dataclass(frozen=True, slots=True)
class Root:
    """The keys and thresholds of the base roles."""

    envelope: Envelope
    version: int
    expires: datetime
    keys: Mapping[str, Key]
    roles: Mapping[str, Role]
    """The four base roles; others that the document may list are left out."""


@final
@dataclass(frozen=True, slots=True)
class Timestamp:
    """Which snapshot is the newest."""

    envelope: Envelope
    version: int
    expires: datetime
    snapshot: FileInfo


@final
@dataclass(frozen=True, slots=True)
class Snapshot:
    """Which root, targets and delegations belong together."""

    envelope: Envelope
    version: int
    expires: datetime
    meta: Mapping[str, FileInfo]


@final
@dataclass(frozen=True, slots=True)
class Targets:
    """Target names with their digests, and the roles that this role delegates to."""

    envelope: Envelope
    role: str
    version: int
    expires: datetime
    keys: Mapping[str, Key]
    delegations: tuple[Role, ...]
    _entries: Mapping[str, Any] = field(repr=False)

    def __contains__(self, target: str) -> bool:
        """Whether this role lists `target`, whatever it says of it."""
        return target in self._entries

    def __iter__(self) -> Iterator[str]:
        """Iterate over the target names, in the order of the document."""
        return iter(self._entries)

    def target(self, name: str) -> FileInfo | None:
        """Return what this role says of the target `name`, or None if it does not list it."""
        if name not in self._entries:
            return None
        entry = self._entries[name]
        return _file_info(Structure(entry or {}, f"{self.role}.targets[{quote(name)}]", _FILE_FIELDS))


_FILE_FIELDS: Final = ("length", "hashes", "custom")
_ENTRY_FIELDS: Final = frozenset(_FILE_FIELDS)


def parse_root(body: bytes, limits: Limits) -> Root:
    """Return the root in `body`.

    Raises:
        RejectedError: it breaks the format (``malformed``), or has more keys or signatures than are read
            (``limit_exceeded``).

    Spec: notary tuf/data/root.go, isValidRootStructure.
    """
    envelope, written = _parse_envelope(body, "root", limits)
    signed, version, expires = _common(written.members, "root", ("consistent_snapshot", "keys", "roles"))
    signed.boolean("consistent_snapshot")
    listed = signed.mapping("keys")
    if len(listed) > limits.max_root_keys:
        raise too_many("root.keys", limits.max_root_keys)
    keys = _keys(listed, "root.keys")
    roles: dict[str, Role] = {}
    for name, value in signed.mapping("roles").items():
        where = f"root.roles[{quote(name)}]"
        fields = Structure({} if value is None else json_object(value, where), where, ("keyids", "threshold"))
        role = Role(name, fields.strings("keyids"), fields.integer("threshold"))
        if name in BASE_ROLES and value is not None:
            roles[name] = _valid_role(role, keys, where)
    for name in BASE_ROLES:
        if name not in roles:
            raise malformed(f"root.roles.{name}", "must be there")
    return Root(envelope, version, expires, keys, MappingProxyType(roles))


def parse_timestamp(body: bytes, limits: Limits) -> Timestamp:
    """Return the timestamp in `body`. Raises as `parse_root` does.

    Spec: notary tuf/data/timestamp.go, IsValidTimestampStructure.
    """
    envelope, written = _parse_envelope(body, "timestamp", limits)
    signed, version, expires = _common(written.members, "timestamp", ("meta",))
    meta = _meta(signed, "timestamp.meta")
    return Timestamp(envelope, version, expires, _hashed(meta, "snapshot", "timestamp.meta"))


def parse_snapshot(body: bytes, limits: Limits) -> Snapshot:
    """Return the snapshot in `body`. Raises as `parse_root` does.

    Spec: notary tuf/data/snapshot.go, IsValidSnapshotStructure.
    """
    envelope, written = _parse_envelope(body, "snapshot", limits)
    signed, version, expires = _common(written.members, "snapshot", ("meta",))
    meta = _meta(signed, "snapshot.meta")
    for name in ("root", "targets"):
        _hashed(meta, name, "snapshot.meta")
    return Snapshot(envelope, version, expires, meta)


def parse_targets(body: bytes, role: str, limits: Limits) -> Targets:
    """Return the targets document of `role` in `body`. Raises as `parse_root` does.

    Entries of targets have the right types, but may say nothing or have hashes of odd sizes.

    Spec: notary tuf/data/targets.go, isValidTargetsStructure.
    """
    cut = cut_out(body)
    if cut is not None:
        targets = _parse_around(cut, role, limits)
        if targets is not None:
            return targets
    envelope, written = _parse_envelope(body, role, limits)
    entries = Structure({"targets": written.value.get("targets")}, role, ("targets",)).mapping("targets")
    for name, entry in entries.items():
        if not (type(entry) is dict and entry.keys() <= _ENTRY_FIELDS and _plain_entry(entry)):
            where = f"{role}.targets[{quote(name)}]"
            _file_info(Structure({} if entry is None else json_object(entry, where), where, _FILE_FIELDS))
    return _targets(role, envelope, written.members, MappingProxyType(entries))


def _parse_around(cut: CutOut, role: str, limits: Limits) -> Targets | None:
    """Return the document that `cut` was cut from, or None if it must be decoded whole to tell what it is."""
    try:
        envelope, written = _parse_envelope(cut.rest, role, limits)
    except RejectedError:
        return None
    place = written.members.get("targets")
    if place is None or place.value != cut.marked or not written.canonical:
        return None
    message = envelope.message.replace(cut.mark, cut.text, 1)
    return _targets(role, Envelope(message, envelope.signatures), written.members, cut.entries)


def _targets(role: str, envelope: Envelope, members: Mapping[str, Member], entries: Mapping[str, Any]) -> Targets:
    signed, version, expires = _common(members, role, ("delegations", "targets"))
    where = f"{role}.delegations"
    delegations = Structure(signed.mapping("delegations"), where, ("keys", "roles"))
    keys = _keys(delegations.mapping("keys"), f"{where}.keys")
    roles = tuple(
        _delegation(value, role, keys, f"{where}.roles[{index}]")
        for index, value in enumerate(delegations.array("roles"))
    )
    return Targets(envelope, role, version, expires, keys, roles, entries)


def is_delegation_name(name: str) -> bool:
    """Return whether `name` is a valid name of a delegated role.

    Spec: notary tuf/data/roles.go, IsDelegation.
    """
    return len(name) <= _MAX_DELEGATION_NAME and _DELEGATION_NAME.fullmatch(name) is not None


def _parse_envelope(body: bytes, what: str, limits: Limits) -> tuple[Envelope, Member]:
    members = parse_members(
        body, what=what, max_depth=limits.max_json_depth, max_values=limits.max_json_values, within="signed"
    )
    fields = Structure({name: member.value for name, member in members.items()}, what, ("signed", "signatures"))
    signed = members.get("signed")
    if signed is None or not isinstance(signed.value, dict):
        raise malformed(f"{what}.signed", "must be an object")
    entries = fields.array("signatures")
    if len(entries) > limits.max_signatures:
        raise too_many(f"{what}.signatures", limits.max_signatures)
    signatures = tuple(_signature(entry, f"{what}.signatures[{index}]") for index, entry in enumerate(entries))
    message = signed.text.encode() if signed.canonical else canonical(signed.value, what=f"{what}.signed")
    return Envelope(message, signatures), signed


def _signature(entry: object, where: str) -> Signature:
    fields = Structure({} if entry is None else json_object(entry, where), where, ("keyid", "method", "sig"))
    return Signature(fields.string("keyid"), fields.string("method").lower(), fields.base64("sig"))


def _common(members: Mapping[str, Member], role: str, names: tuple[str, ...]) -> tuple[Structure, int, datetime]:
    fields = {name: member.value for name, member in members.items()}
    signed = Structure(fields, role, ("_type", "version", "expires", *names))
    expected = TYPES.get(role, "Targets")
    found = signed.string("_type")
    if found != expected:
        raise malformed(f"{role}._type", f"must be {expected}", found=quote(found))
    version = signed.integer("version")
    if version < 1:
        raise malformed(f"{role}.version", "must be at least 1", found=str(version))
    signed.string("expires")
    member = members.get("expires")
    return signed, version, _expires(member.text if member else "null", f"{role}.expires")


def _expires(text: str, where: str) -> datetime:
    # The reference client reads the JSON text itself, so an escape inside it is refused. Sub-microseconds are cut.
    # Stricter than notary: one-digit hours, a comma before the fraction and offsets of a day or more are refused.
    if text == "null":
        return _LONG_AGO
    match = _EXPIRES.fullmatch(text)
    if match is None:
        raise malformed(where, "must be an RFC 3339 time", found=quote(text))
    year, month, day, hour, minute, second = (int(part) for part in match.groups()[:6])
    micro = int((match[7] or "")[:6].ljust(6, "0"))
    sign = -1 if match[8] == "-" else 1
    offset = timezone(sign * timedelta(hours=int(match[9] or 0), minutes=int(match[10] or 0)))
    try:
        if year == 0:  # before Python's first year, and long past
            datetime(4, month, day, hour, minute, second, micro, UTC)
            return _LONG_AGO
        local = datetime(year, month, day, hour, minute, second, micro, offset)
    except ValueError as error:
        raise malformed(where, "must be a time of the calendar", found=quote(text)) from error
    try:
        return local.astimezone(UTC)
    except OverflowError:
        return _LONG_AGO if year == 1 else _FAR_AHEAD


def _keys(values: dict[str, Any], where: str) -> Mapping[str, Key]:
    return MappingProxyType({key_id: _key(value, f"{where}[{quote(key_id)}]") for key_id, value in values.items()})


def _key(value: object, where: str) -> Key:
    fields = Structure({} if value is None else json_object(value, where), where, ("keytype", "keyval"))
    keyval = Structure(fields.mapping("keyval"), f"{where}.keyval", ("private", "public"))
    keyval.base64("private")
    return Key(fields.string("keytype"), keyval.base64("public") if keyval.has("public") else None)


def _valid_role(role: Role, keys: Mapping[str, Key], where: str) -> Role:
    if role.threshold < 1:
        raise malformed(f"{where}.threshold", "must be at least 1", found=str(role.threshold))
    for key_id in role.key_ids:
        if key_id not in keys:
            raise malformed(f"{where}.keyids", "must all be among the keys", found=quote(key_id))
    return role


def _delegation(value: object, parent: str, keys: Mapping[str, Key], where: str) -> Role:
    fields = Structure(json_object(value, where), where, ("name", "keyids", "threshold", "paths"))
    name = fields.string("name")
    if not is_delegation_name(name) or name.rpartition("/")[0] != parent:
        raise malformed(f"{where}.name", f"must be a role directly below {parent}", found=quote(name))
    role = Role(name, fields.strings("keyids"), fields.integer("threshold"), fields.strings("paths"))
    return _valid_role(role, keys, where)


def _meta(signed: Structure, where: str) -> Mapping[str, FileInfo]:
    infos: dict[str, FileInfo] = {}
    for name, value in signed.mapping("meta").items():
        place = f"{where}[{quote(name)}]"
        infos[name] = _file_info(Structure({} if value is None else json_object(value, place), place, _FILE_FIELDS))
    return MappingProxyType(infos)


def _hashed(meta: Mapping[str, FileInfo], name: str, where: str) -> FileInfo:
    info = meta.get(name)
    if info is None or "sha256" not in info.hashes:
        raise malformed(f"{where}.{name}", "must be there with a sha256")
    for algorithm, size in _HASH_BYTES.items():
        found = info.hashes.get(algorithm)
        if found is not None and len(found) != size:
            raise malformed(f"{where}.{name}.hashes.{algorithm}", f"must be {size} bytes", found=f"{len(found)} bytes")
    return info


def _file_info(fields: Structure) -> FileInfo:
    hashes = Structure(fields.mapping("hashes"), f"{fields.where}.hashes", ())
    # A hash that is null is there and empty for the reference client, so that nothing can match it.
    return FileInfo(fields.integer("length"), MappingProxyType({name: hashes.base64(name) for name in hashes}))


def _plain_entry(entry: dict[str, Any]) -> bool:
    """Whether a target entry is of the usual kind, told quickly; anything else is looked at closely."""
    hashes = entry.get("hashes")
    if type(entry.get("length")) is not int or type(hashes) is not dict:
        return False
    try:
        for value in hashes.values():
            decode_base64(value.encode())
    except (AttributeError, ValueError):
        return False
    return True
