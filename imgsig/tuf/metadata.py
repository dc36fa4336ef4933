"""The documents of TUF 1.x, decoded strictly and completely into the library's model; nothing verified.

What a document says is believed by nobody here: signatures, hashes, versions and expiry are checked in `trusted`.

Spec: TUF specification 1.0, section 4, "Document formats"; docs/tuf.md, "Documents".
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final, Generic, TypeVar, cast, final

from imgsig.errors import RejectedError
from imgsig.limits import Limits
from imgsig.strictjson import canonical_integers, malformed, parse_members, quote
from imgsig.tuf.fields import Fields, checked
from imgsig.tuf.keys import SCHEMES
from imgsig.tuf.model import (
    DelegatedRole,
    Delegations,
    MetaFile,
    Role,
    Root,
    Snapshot,
    SSlibKey,
    SuccinctRoles,
    TargetFile,
    Targets,
    Timestamp,
)

_Made = TypeVar("_Made")
_Model = TypeVar("_Model", Root, Timestamp, Snapshot, Targets)

TOP_LEVEL: Final = ("root", "timestamp", "snapshot", "targets")
_JSON: Final = ".json"
_COMMON: Final = ("_type", "version", "spec_version", "expires")
_EXPIRES: Final = re.compile(r"(\d{4})-(\d{2})-(\d{2})T(\d{2}):(\d{2}):(\d{2})Z", re.ASCII)
_NOTARY_TYPES: Final = frozenset({"Root", "Timestamp", "Snapshot", "Targets"})


@final
@dataclass(frozen=True, slots=True)
class Document(Generic[_Model]):
    """A document as it was decoded."""

    model: _Model
    """Without targets, which are made one by one, and without keys of types that are not known."""
    message: bytes
    """What its signatures are over: the canonical form of ``signed`` as it came."""
    signatures: Mapping[str, str]
    """Key id to signature, as written."""
    keys: Mapping[str, SSlibKey]
    """The keys of a root, or of the roles that targets delegate to."""
    _targets: Mapping[str, Any] = field(repr=False)

    def target(self, path: str) -> TargetFile | None:
        """Return what targets say of the target at `path`, or None if they say nothing."""
        entry = self._targets.get(path)
        if entry is None:
            return None
        return TargetFile(entry["length"], entry["hashes"], path, {"custom": entry.get("custom")})


def parse_root(body: bytes, limits: Limits) -> Document[Root]:
    """Return the root in `body`.

    Raises:
        RejectedError: it breaks the format (``malformed``).
    """
    return _parse(body, "root", limits, _root)


def parse_timestamp(body: bytes, limits: Limits) -> Document[Timestamp]:
    """Return the timestamp in `body`. Raises as `parse_root` does."""
    return _parse(body, "timestamp", limits, _timestamp)


def parse_snapshot(body: bytes, limits: Limits) -> Document[Snapshot]:
    """Return the snapshot in `body`. Raises as `parse_root` does."""
    return _parse(body, "snapshot", limits, _snapshot)


def parse_targets(body: bytes, role: str, limits: Limits) -> Document[Targets]:
    """Return the targets in `body`, the document of `role`. Raises as `parse_root` does."""
    return _parse(body, "targets", limits, _targets, role=role)


def role_of(file: str) -> str:
    """Return the role whose document is the `file` that a snapshot lists."""
    return file.removesuffix(_JSON)


def file_of(role: str) -> str:
    """Return the name by which a snapshot lists the document of `role`."""
    return role + _JSON


def _parse(
    body: bytes, kind: str, limits: Limits, make: Callable[[Fields, dict[str, Any]], _Model], *, role: str = ""
) -> Document[_Model]:
    where = quote(role) if role not in {"", kind} else kind
    depth, values = limits.max_json_depth, limits.max_json_values
    members = parse_members(body, what=where, max_depth=depth, max_values=values, integers_only=True)
    for name in ("signed", "signatures"):
        if name not in members:
            raise malformed(where, f"must have {name}", found=quote(", ".join(members)))
    signed = members["signed"]
    signatures = _signatures(members["signatures"].value, f"{where}.signatures", limits)
    fields = Fields(signed.value, f"{where}.signed")
    common = _common(fields, kind)
    model = _made(lambda: make(fields, common), fields.where)
    message = signed.compact_text.encode() if signed.ordered else canonical_integers(signed.value)
    targets = fields.members("targets") if kind == "targets" else {}
    return Document(model, message, signatures, _keys_of(model), targets)


def _keys_of(model: object) -> Mapping[str, SSlibKey]:
    holder = model.delegations if isinstance(model, Targets) else model
    return cast("Mapping[str, SSlibKey]", holder.keys) if isinstance(holder, Root | Delegations) else {}


def _signatures(value: object, where: str, limits: Limits) -> Mapping[str, str]:
    entries: list[Any] = checked(value, list, where)
    if len(entries) > limits.max_signatures:
        raise malformed(where, f"must be at most {limits.max_signatures}", found=str(len(entries)))
    found: dict[str, str] = {}
    for index, entry in enumerate(entries):
        fields = Fields(entry, f"{where}[{index}]")
        key_id = fields.text("keyid")
        if key_id in found:
            raise malformed(fields.place("keyid"), "must be there once", found=quote(key_id))
        found[key_id] = fields.text("sig")
    return found


def _common(fields: Fields, kind: str) -> dict[str, Any]:
    """Return the arguments that all documents share."""
    found = fields.text("_type")
    if found != kind:
        why = f"must be {kind}"
        if found in _NOTARY_TYPES:
            why += "; this looks like Docker Content Trust, which [rule.notary] is for"
        raise malformed(fields.place("_type"), why, found=quote(found))
    return {
        "version": fields.integer("version", least=1),
        "spec_version": fields.text("spec_version"),
        "expires": _time(fields.text("expires"), fields.place("expires")),
    }


def _time(text: str, where: str) -> datetime:
    match = _EXPIRES.fullmatch(text)
    try:
        if match is not None:
            year, month, day, hour, minute, second = map(int, match.groups())
            return datetime(year, month, day, hour, minute, second, tzinfo=UTC)
    except ValueError as error:
        raise malformed(where, "must be a time of the calendar", found=quote(text)) from error
    raise malformed(where, "must be a time in UTC, as 2026-01-31T00:00:00Z", found=quote(text))


def _root(fields: Fields, common: dict[str, Any]) -> Root:
    roles = fields.fields("roles")
    if set(fields.members("roles")) != set(TOP_LEVEL):
        raise malformed(roles.where, f"must be exactly {', '.join(TOP_LEVEL)}")
    return Root(
        **common,
        keys=dict(_keys(fields)),
        roles={name: _role(roles.fields(name)) for name in TOP_LEVEL},
        consistent_snapshot="consistent_snapshot" in fields and fields.truth("consistent_snapshot"),
        unrecognized_fields=fields.rest(*_COMMON, "keys", "roles", "consistent_snapshot"),
    )


def _timestamp(fields: Fields, common: dict[str, Any]) -> Timestamp:
    meta = fields.fields("meta").fields("snapshot.json")
    return Timestamp(**common, snapshot_meta=_file(meta), unrecognized_fields=fields.rest(*_COMMON, "meta"))


def _snapshot(fields: Fields, common: dict[str, Any]) -> Snapshot:
    entries = fields.fields("meta")
    meta: dict[str, MetaFile] = {}
    for name in fields.members("meta"):
        if not name.endswith(_JSON):
            raise malformed(entries.place(quote(name)), "must be a file whose name ends in .json")
        meta[name] = _file(entries.fields(name))
    return Snapshot(**common, meta=meta, unrecognized_fields=fields.rest(*_COMMON, "meta"))


def _targets(fields: Fields, common: dict[str, Any]) -> Targets:
    _check_targets(fields.members("targets"), fields.place("targets"))
    delegations = _delegations(fields.fields("delegations")) if "delegations" in fields else None
    return Targets(
        **common, delegations=delegations, unrecognized_fields=fields.rest(*_COMMON, "targets", "delegations")
    )


def _check_targets(targets: dict[str, Any], where: str) -> None:
    """Check every entry. Written for a hundred thousand of them: the usual ones are looked at without a call."""
    for path, entry in targets.items():
        if (
            type(entry) is dict
            and type(entry.get("length")) is int
            and entry["length"] >= 0
            and type(hashes := entry.get("hashes")) is dict
            and hashes
            and all(type(value) is str for value in hashes.values())
        ):
            continue
        fields = Fields(entry, f"{where}[{quote(path)}]")
        fields.integer("length", least=0)
        _hashes(fields)


def _delegations(fields: Fields) -> Delegations:
    roles: dict[str, DelegatedRole] | None = None
    if "roles" in fields:
        roles = {}
        for index, item in enumerate(fields.items("roles")):
            role = _delegated_role(Fields(item, f"{fields.place('roles')}[{index}]"))
            if role.name in roles:
                raise malformed(fields.place("roles"), "must list each role once", found=quote(role.name))
            roles[role.name] = role
    succinct = _succinct_roles(fields.fields("succinct_roles")) if "succinct_roles" in fields else None
    rest = fields.rest("keys", "roles", "succinct_roles")
    return Delegations(dict(_keys(fields)), roles, succinct, rest)


def _delegated_role(fields: Fields) -> DelegatedRole:
    role = _role(fields)
    return DelegatedRole(
        fields.text("name"),
        role.keyids,
        role.threshold,
        fields.truth("terminating"),
        fields.texts("paths") if "paths" in fields else None,
        fields.texts("path_hash_prefixes") if "path_hash_prefixes" in fields else None,
    )


def _succinct_roles(fields: Fields) -> SuccinctRoles:
    role = _role(fields)
    return SuccinctRoles(
        role.keyids, role.threshold, fields.integer("bit_length", least=1), fields.text("name_prefix")
    )


def _role(fields: Fields) -> Role:
    key_ids, threshold = fields.texts("keyids"), fields.integer("threshold", least=1)
    return _made(lambda: Role(key_ids, threshold), fields.where)


def _file(fields: Fields) -> MetaFile:
    return MetaFile(
        fields.integer("version", least=1),
        fields.integer("length", least=0) if "length" in fields else None,
        _hashes(fields) if "hashes" in fields else None,
    )


def _hashes(fields: Fields) -> dict[str, str]:
    hashes = fields.members("hashes")
    if not hashes:
        raise malformed(fields.place("hashes"), "must hold one at least")
    for name, value in hashes.items():
        checked(value, str, f"{fields.place('hashes')}[{quote(name)}]")
    return hashes


def _keys(fields: Fields) -> Mapping[str, SSlibKey]:
    """Return the keys that can verify something. One of a type not known is passed over: nobody may need it."""
    entries = fields.fields("keys")
    found: dict[str, SSlibKey] = {}
    for key_id in fields.members("keys"):
        key = Fields(entries.members(key_id), f"{entries.where}[{quote(key_id)}]")
        keytype, scheme, keyval = key.text("keytype"), key.text("scheme"), key.fields("keyval")
        if (keytype, scheme) not in SCHEMES:
            continue
        keyval.text("public")
        rest = key.rest("keytype", "scheme", "keyval")
        found[key_id] = SSlibKey(key_id, keytype, scheme, key.members("keyval"), rest)
    return found


def _made(make: Callable[[], _Made], where: str) -> _Made:
    """Return what `make` makes of fields that have the right types, unless the library finds fault with them."""
    try:
        return make()
    except RejectedError:
        raise
    except (ValueError, TypeError) as error:
        raise malformed(where, f"breaks the format: {quote(error)}") from error
