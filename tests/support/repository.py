"""An in-memory signed Docker Content Trust repository that a test bends in one line.

``SignedRepository()`` is complete and valid. ``publish()`` signs what has changed since the last time, with the
next version, and puts it among ``files`` beside everything published before, named as a notary-server names it.
``served(path)`` is what the server answers: ``files``, unless a test has set another answer. Most bends are data:
the documents are plain dictionaries (``repository.targets["version"] = 0``), the signers plain lists
(``repository.signers["targets"]``). The hooks reach what data cannot, in the order in which a document is made:

    edit     the dictionary, with the computed hashes in it        ->  signed anew
    rewrite  the JSON text of ``signed``                           ->  signed anew
    sign     the list of signatures
    alter    the bytes of the whole file                           ->  hashes above it follow
    tamper   the bytes as they are served                          ->  hashes do not follow
"""

import base64
import copy
import hashlib
import json
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final, Self, TypeAlias, final

from tests.support.canonical import canonical, message_of
from tests.support.root_certificates import root_key
from tests.support.signing import Json, SigningKey, make_key

NAME: Final = "registry.example.com/team/app"
NOW: Final = datetime(2027, 1, 1, tzinfo=UTC)
EXPIRES: Final = "2090-01-01T00:00:00Z"
PAST: Final = "2001-01-01T00:00:00Z"
BASE_ROLES: Final = ("root", "targets", "snapshot", "timestamp")
METADATA_NOT_FOUND: Final = (
    b'{"errors":[{"code":"METADATA_NOT_FOUND",'
    b'"message":"You have requested metadata that does not exist.","detail":{}}]}'
)

Edit: TypeAlias = Callable[[Json], object]
Rewrite: TypeAlias = Callable[[bytes], bytes]
Sign: TypeAlias = Callable[[list[Json], bytes], list[Json]]


@final
@dataclass(frozen=True, slots=True)
class Reply:
    """What the server answers to one request."""

    status: int = 200
    body: bytes = b""
    headers: tuple[tuple[str, str], ...] = ()
    """With ``Transfer-Encoding: chunked`` the server cuts the body into chunks itself."""
    cut_short: bool = False
    """Whether the connection is closed after the body, however long it was said to be."""


@dataclass(slots=True)
class _Hooks:
    edit: list[Edit] = field(default_factory=list)
    rewrite: list[Rewrite] = field(default_factory=list)
    message: list[Rewrite] = field(default_factory=list)
    sign: list[Sign] = field(default_factory=list)
    alter: list[Rewrite] = field(default_factory=list)
    serialise: list[Callable[[bytes, list[Json]], bytes]] = field(default_factory=list)


class SignedRepository:
    """One signed name. `kinds` and `keys` choose the key of a base role; a root key must be a certificate."""

    def __init__(
        self,
        name: str = NAME,
        *,
        now: datetime = NOW,
        kinds: dict[str, str] | None = None,
        keys: dict[str, SigningKey] | None = None,
        tags: tuple[str, ...] = ("latest", "1.0"),
        publish: bool = True,
    ) -> None:
        """Make the repository with the four base roles and `tags` in ``targets``, and publish it."""
        self.name = name
        self.now = now
        """A time at which everything is valid."""
        self.documents: dict[str, Json] = {}
        """Role to its ``signed`` part, next to be published. The snapshot's and timestamp's ``meta`` are computed."""
        self.signers: dict[str, list[SigningKey]] = {}
        """Role to the keys that sign it."""
        self.unpublished: set[str] = set()
        """Delegated roles without metadata."""
        self.files: dict[str, bytes] = {}
        """Everything published so far, by path."""
        self.replies: dict[str, list[Reply]] = {}
        """Path or role to the answers given instead of the files, in turn; the last one stays."""
        self.requests: list[str] = []
        """The paths asked for, in order."""
        self.current: dict[str, bytes] = {}
        """Role to the bytes last published."""
        self._hooks: dict[str, _Hooks] = {}
        self._tampers: dict[str, Rewrite] = {}
        self._rendered: dict[str, tuple[str, int]] = {}
        self._rotations = 0
        for role in reversed(BASE_ROLES):
            kind = (kinds or {}).get(role, "p256")
            made = root_key(name, kind) if role == "root" else make_key(kind, role)
            self.signers[role] = [(keys or {}).get(role, made)]
        self._start(tags)
        if publish:
            self.publish()

    def _start(self, tags: Iterable[str]) -> None:
        for role in BASE_ROLES:
            self.documents[role] = {"_type": role.capitalize(), "expires": EXPIRES, "version": 1}
        self.root.update(consistent_snapshot=False, keys={}, roles={})
        for role in BASE_ROLES:
            self.list_keys(role, *self.signers[role])
        self.targets.update(delegations={"keys": {}, "roles": []}, targets={})
        for tag in tags:
            self.add_target(tag)

    # -- the documents ------------------------------------------------------------------------------------------

    @property
    def root(self) -> Json:
        """The root's ``signed`` part, next to be published."""
        return self.documents["root"]

    @property
    def targets(self) -> Json:
        """The ``signed`` part of ``targets``."""
        return self.documents["targets"]

    @property
    def snapshot(self) -> Json:
        """The snapshot's ``signed`` part; members of ``meta`` given here override the computed ones."""
        return self.documents["snapshot"]

    @property
    def timestamp(self) -> Json:
        """The timestamp's ``signed`` part; members of ``meta`` given here override the computed ones."""
        return self.documents["timestamp"]

    @property
    def delegated(self) -> tuple[str, ...]:
        """The delegated roles that were added, in order."""
        return tuple(role for role in self.documents if role not in BASE_ROLES)

    @property
    def root_key_ids(self) -> tuple[str, ...]:
        """The ids of the root role's keys as listed: certificate ids."""
        return tuple(self.root["roles"]["root"]["keyids"])

    def entry(self, role: str) -> Json:
        """Return what the parent says of a role: its key ids, threshold and, if delegated, paths."""
        if role in BASE_ROLES:
            found: Json = self.root["roles"][role]
            return found
        return next(entry for entry in self.delegations(role)["roles"] if entry["name"] == role)

    def delegations(self, role: str) -> Json:
        """Return the ``delegations`` of the parent of a delegated role."""
        found: Json = self.documents[role.rpartition("/")[0]]["delegations"]
        return found

    # -- bends by data ------------------------------------------------------------------------------------------

    def add_target(self, tag: str, content: bytes | None = None, *, role: str = "targets", **members: Any) -> str:  # noqa: ANN401 - any JSON value
        """List a tag in a role, for `content` or bytes made from role and tag; return the digest's hex."""
        content = f"{role}:{tag}".encode() if content is None else content
        entry = {"length": len(content), "hashes": {"sha256": _b64(hashlib.sha256(content).digest())}}
        self.documents[role]["targets"][tag] = entry | members
        return hashlib.sha256(content).hexdigest()

    def digest(self, tag: str, role: str = "targets") -> str:
        """Return the ``sha256:…`` that a role lists for a tag, as the documents stand now."""
        return "sha256:" + base64.b64decode(self.documents[role]["targets"][tag]["hashes"]["sha256"]).hex()

    def add_delegation(
        self,
        role: str,
        *keys: SigningKey,
        threshold: int = 1,
        paths: Iterable[str] | None = ("",),
        tags: Iterable[str] = (),
        metadata: bool = True,
        first: bool = False,
    ) -> Json:
        """Delegate to `role` (a key of its own if none is given), with `tags` in it; return its ``signed`` part."""
        signers = list(keys) or [make_key("p256", role)]
        entry = {"name": role, "keyids": [], "threshold": threshold, "paths": None if paths is None else list(paths)}
        if paths is None:
            del entry["paths"]
        parent = self.delegations(role)
        parent["roles"].insert(0 if first else len(parent["roles"]), entry)
        self.signers[role] = signers
        self.documents[role] = {
            "_type": "Targets", "expires": EXPIRES, "version": 1,
            "delegations": {"keys": {}, "roles": []}, "targets": {},
        }
        self.list_keys(role, *signers)
        for tag in tags:
            self.add_target(tag, role=role)
        if not metadata:
            self.unpublished.add(role)
        return self.documents[role]

    def remove_delegation(self, role: str) -> None:
        """Delegate no longer to `role`, and publish nothing of it from now on."""
        parent = self.delegations(role)
        parent["roles"] = [entry for entry in parent["roles"] if entry["name"] != role]
        self.unpublished.add(role)

    def list_keys(self, role: str, *keys: SigningKey, threshold: int | None = None) -> None:
        """Let the parent of a role list exactly these keys for it, whoever signs it."""
        parent = self.root if role in BASE_ROLES else self.delegations(role)
        parent["keys"].update({key.listed_id: key.to_json() for key in keys})
        entry = self.root["roles"].setdefault(role, {"threshold": 1}) if role in BASE_ROLES else self.entry(role)
        entry["keyids"] = [key.listed_id for key in keys]
        entry["threshold"] = entry["threshold"] if threshold is None else threshold

    def set_keys(self, role: str, *keys: SigningKey, threshold: int | None = None) -> None:
        """Let the parent list exactly these keys for a role, and all of them sign it."""
        self.list_keys(role, *keys, threshold=threshold)
        self.signers[role] = list(keys)

    def set_threshold(self, role: str, threshold: int) -> None:
        """Let the parent demand so many signatures of a role."""
        self.entry(role)["threshold"] = threshold

    def rotate(
        self,
        role: str,
        *keys: SigningKey,
        keep_old_signature: bool | None = None,
        sign: bool = True,
        kind: str = "p256",
    ) -> SigningKey:
        """Replace the keys of a role by `keys` or a new one, and return the first of them.

        The old signers sign once more if `keep_old_signature`, by default for root only. With ``sign=False`` the
        role keeps its old signatures alone.
        """
        self._rotations += 1
        label = f"{role} {self._rotations}"
        made = root_key(self.name, kind, label) if role == "root" else make_key(kind, label)
        new, old = list(keys) or [made], self.signers[role]
        listed = [key for key in old if key.listed_id in self.entry(role)["keyids"]]
        self.list_keys(role, *new)
        keep = role == "root" if keep_old_signature is None else keep_old_signature
        if sign:
            self.signers[role] = new + [key for key in listed if keep and key not in new]
        return new[0]

    def expire(self, role: str, expires: str = PAST) -> None:
        """Set a role's expiry to a text, by default one in the past."""
        self.documents[role]["expires"] = expires

    # -- bends by hooks -----------------------------------------------------------------------------------------

    def edit(self, role: str, change: Edit) -> None:
        """Change a role's dictionary in place right before it is signed; computed members are there already."""
        self._hook(role).edit.append(change)

    def rewrite(self, role: str, change: Rewrite, *, message: Rewrite | None = None) -> None:
        """Change the JSON text of ``signed`` before it is signed.

        The signature covers what a reader makes of the new text, or what `message` makes of it.
        """
        self._hook(role).rewrite.append(change)
        if message is not None:
            self._hook(role).message.append(message)

    def sign(self, role: str, change: Sign) -> None:
        """Change a role's signatures: a function of their list and the signed message."""
        self._hook(role).sign.append(change)

    def add_signature(self, role: str, *keys: SigningKey) -> None:
        """Let `keys` sign a role besides its signers."""
        self.sign(role, lambda signatures, message: signatures + [key.sign(message) for key in keys])

    def serialise(self, role: str, make: Callable[[bytes, list[Json]], bytes]) -> None:
        """Make a role's file from the text of ``signed`` and the signatures in another way."""
        self._hook(role).serialise.append(make)

    def alter(self, role: str, change: Rewrite) -> None:
        """Change a role's bytes after signing; the hashes above it follow."""
        self._hook(role).alter.append(change)

    def tamper(self, role: str, change: Rewrite) -> None:
        """Change a role's bytes as they are served; no hash follows and nothing needs to be published."""
        self._tampers[role] = change

    def reply(self, where: str, *replies: Reply) -> None:
        """Answer requests for a path, or for any file of a role, with `replies` in turn; the last one stays."""
        self.replies[where] = list(replies)

    def fail(self, where: str, status: int = 503, body: bytes = b"") -> None:
        """Answer requests for a path, or for any file of a role, with a status."""
        self.reply(where, Reply(status, METADATA_NOT_FOUND if status == 404 and not body else body))

    def drop(self, where: str) -> None:
        """Answer requests for a path, or for any file of a role, with notary's 404."""
        self.fail(where, 404)

    def mend(self) -> None:
        """Forget every hook and every other answer; what is published stays."""
        self._hooks.clear()
        self._tampers.clear()
        self.replies.clear()

    def _hook(self, role: str) -> _Hooks:
        return self._hooks.setdefault(role, _Hooks())

    # -- publishing ---------------------------------------------------------------------------------------------

    def publish(self, *, bump: bool = True, everything: bool = False) -> dict[str, bytes]:
        """Sign what has changed (or `everything`) and put it among ``files``, of which a copy is returned.

        A changed role whose version was not set by the test gets the next one, unless ``bump=False``.
        """
        for role in (*self.delegated, "targets", "root", "snapshot", "timestamp"):
            if role in self.unpublished:
                self.current.pop(role, None)
            elif everything or self._changed(role):
                self._publish_role(role, bump=bump)
        return dict(self.files)

    def restore(self, files: dict[str, bytes]) -> None:
        """Serve `files`, which an earlier ``publish`` returned, instead of what has been published since."""
        self.files = dict(files)

    def clone(self) -> Self:
        """Return an independent copy, of which nothing has been requested."""
        twin = copy.deepcopy(self)
        twin.requests.clear()
        return twin

    def path_of(self, role: str) -> str:
        """Return the path by which a client asks for a role's current file."""
        if role == "timestamp" or role not in self.current:
            return f"{role}.json"
        return f"{role}.{hashlib.sha256(self.current[role]).hexdigest()}.json"

    def message(self, role: str) -> bytes:
        """Return the message that the signatures of a role's current document cover, as far as it is usual."""
        return canonical(json.loads(self.current[role])["signed"])

    def _fingerprint(self, role: str) -> str:
        hooks = self._hooks.get(role)
        changes = [] if hooks is None else [id(hook) for kind in _Hooks.__slots__ for hook in getattr(hooks, kind)]
        signers = [(key.id, key.true_id, key.method) for key in self.signers[role]]
        return repr((self._with_meta(role), changes, signers))

    def _changed(self, role: str) -> bool:
        return role not in self._rendered or self._rendered[role][0] != self._fingerprint(role)

    def _publish_role(self, role: str, *, bump: bool) -> None:
        document = self.documents[role]
        if bump and role in self._rendered and document["version"] == self._rendered[role][1]:
            document["version"] += 1
        self._rendered[role] = self._fingerprint(role), document["version"]
        body = self._render(role)
        self.current[role] = body
        for name in (role, f"{document['version']}.{role}", f"{role}.{hashlib.sha256(body).hexdigest()}"):
            self.files[f"{name}.json"] = body

    def _with_meta(self, role: str) -> Json:
        document = self.documents[role]
        if role not in {"snapshot", "timestamp"}:
            return document
        listed = ("snapshot",) if role == "timestamp" else ("root", "targets", *self.delegated)
        meta = {name: meta_of(self.current[name]) for name in listed if name in self.current}
        return document | {"meta": meta | document.get("meta", {})}

    def _render(self, role: str) -> bytes:
        signed = copy.deepcopy(self._with_meta(role))
        hooks = self._hooks.get(role, _Hooks())
        for edit in hooks.edit:
            edit(signed)
        message = text = canonical(signed)
        if min(text) < ord(" "):  # the canonical form does not escape control characters, so it is no JSON then
            text = json.dumps(signed, separators=(",", ":")).encode()
        for rewrite in hooks.rewrite:
            text = rewrite(text)
        if hooks.rewrite:
            message = message_of(text)
        for change in hooks.message:
            message = change(text)
        signatures = [key.sign(message) for key in self.signers[role]]
        for sign in hooks.sign:
            signatures = sign(signatures, message)
        body = envelope(text, signatures)
        for make in hooks.serialise:
            body = make(text, signatures)
        for alter in hooks.alter:
            body = alter(body)
        return body

    # -- serving ------------------------------------------------------------------------------------------------

    def served(self, path: str) -> Reply:
        """Return the server's answer for a path such as ``targets.HASH.json``, and note the request."""
        self.requests.append(path)
        role = role_of(path)
        for where in (path, role):
            if replies := self.replies.get(where):
                return replies.pop(0) if len(replies) > 1 else replies[0]
        body = self.files.get(path)
        if body is None:
            return Reply(404, METADATA_NOT_FOUND, (("Content-Type", "application/json; charset=utf-8"),))
        tamper = self._tampers.get(role)
        return Reply(200, body if tamper is None else tamper(body))


def envelope(text: bytes, signatures: Any) -> bytes:  # noqa: ANN401 - any JSON value
    """Return a file of the text of ``signed`` and its signatures."""
    return b'{"signed":' + text + b',"signatures":' + json.dumps(signatures, separators=(",", ":")).encode() + b"}"


def meta_of(body: bytes) -> Json:
    """Return what a snapshot or timestamp says of a file."""
    hashes = {name: _b64(hashlib.new(name, body).digest()) for name in ("sha256", "sha512")}
    return {"length": len(body), "hashes": hashes}


def role_of(path: str) -> str:
    """Return the role whose file is asked for at a path, hash and version taken off."""
    name = path.removesuffix(".json")
    name = re.sub(r"\.[0-9a-f]{64}$", "", name)
    return re.sub(r"^[0-9]+\.", "", name)


def _b64(raw: bytes) -> str:
    return base64.b64encode(raw).decode()
