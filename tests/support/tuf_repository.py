"""An in-memory TUF repository that a test bends in one line, in the manner of python-tuf's own simulator.

``TufRepository()`` is complete and valid, with targets such as ``registry.example.com/team/app:latest``. ``publish()``
gives what has changed its next version, signs it and puts it among ``files``, named as a repository names it. Most
bends are data: the documents are plain dictionaries (``repository.targets["version"] = 0``), the signers plain lists
(``repository.signers["targets"]``). The hooks reach what data cannot, in the order in which a document is made:

    edit     the ``signed`` dictionary                ->  signed anew
    sign     the list of signatures
    alter    the bytes of the whole file              ->  hashes above it follow
    tamper   the bytes as they are served             ->  hashes do not follow
"""

import copy
import hashlib
import json
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from typing import Any, Final, Self, TypeAlias, final
from urllib.parse import quote

from tests.support.canonical import canonical
from tests.support.repository import EXPIRES, NAME, NOW, PAST, Reply
from tests.support.signing import Json
from tests.support.tuf_keys import TufKey, tuf_key

TAGS: Final = ("latest", "1.0")
TOP_LEVEL: Final = ("root", "timestamp", "snapshot", "targets")

Edit: TypeAlias = Callable[[Json], object]
Sign: TypeAlias = Callable[[list[Json], bytes], list[Json]]
Rewrite: TypeAlias = Callable[[bytes], bytes]


@final
class TufRepository:
    """One repository, for any number of images."""

    def __init__(
        self,
        name: str = NAME,
        *,
        consistent: bool = True,
        hashes: bool = False,
        kind: str = "ed25519",
        publish: bool = True,
    ) -> None:
        """Make it with the four top-level roles, and publish it. With `hashes`, metadata lists those of metadata."""
        self.name = name
        self.now: datetime = NOW
        """A time at which everything is valid."""
        self.with_hashes = hashes
        self.documents: dict[str, Json] = {}
        """Role to its ``signed`` part, next to be published. ``meta`` is computed, what is in it overrides that."""
        self.signers: dict[str, list[TufKey]] = {}
        """Role to the keys that sign it."""
        self.delegators: dict[str, str] = {}
        """Delegated role to the role that delegated to it first."""
        self.files: dict[str, bytes] = {}
        """Everything published so far, by path."""
        self.current: dict[str, bytes] = {}
        """Role to the bytes last published."""
        self.replies: dict[str, Reply] = {}
        """Path to the answer given instead of the file."""
        self.requests: list[str] = []
        """The paths asked for, in order."""
        self.edits: dict[str, list[Edit]] = {}
        self.signs: dict[str, list[Sign]] = {}
        self.alters: dict[str, list[Rewrite]] = {}
        self.tampers: dict[str, Rewrite] = {}
        self.indent: int | None = 1
        self.sorted = True
        """Whether members are written in order, as most tools do."""
        self._published: dict[str, str] = {}
        self._rotations = 0
        for role in TOP_LEVEL:
            self.documents[role] = {"_type": role, "expires": EXPIRES, "spec_version": "1.0.31", "version": 0}
        self.root.update(consistent_snapshot=consistent, keys={}, roles={})
        self.targets["targets"] = {}
        for role in TOP_LEVEL:
            self.root["roles"][role] = {"keyids": [], "threshold": 1}
            self.set_keys(role, tuf_key(f"{role} 0", kind))
        for tag in TAGS:
            self.add_image(tag)
        if publish:
            self.publish()

    # -- the documents ------------------------------------------------------------------------------------------

    @property
    def root(self) -> Json:
        """The root's ``signed`` part, next to be published."""
        return self.documents["root"]

    @property
    def targets(self) -> Json:
        """The ``signed`` part of the top-level targets."""
        return self.documents["targets"]

    @property
    def snapshot(self) -> Json:
        """The snapshot's ``signed`` part."""
        return self.documents["snapshot"]

    @property
    def timestamp(self) -> Json:
        """The timestamp's ``signed`` part."""
        return self.documents["timestamp"]

    @property
    def delegated(self) -> tuple[str, ...]:
        """The delegated roles, in the order in which they were added."""
        return tuple(role for role in self.documents if role not in TOP_LEVEL)

    def entry(self, role: str, delegator: str | None = None) -> Json:
        """Return what the role above says of `role`: its key ids, threshold and, if delegated, paths."""
        if role in TOP_LEVEL:
            found: Json = self.root["roles"][role]
            return found
        delegations = self.documents[delegator or self.delegators[role]]["delegations"]
        if "succinct_roles" in delegations:
            succinct: Json = delegations["succinct_roles"]
            return succinct
        return next(entry for entry in delegations["roles"] if entry["name"] == role)

    def digest(self, path: str | None = None, role: str = "targets") -> str:
        """Return the ``sha256:…`` that a role lists for a target, as the documents stand now."""
        target = f"{self.name}:latest" if path is None else path
        return f"sha256:{self.documents[role]['targets'][target]['hashes']['sha256']}"

    # -- bends by data ------------------------------------------------------------------------------------------

    def add_target(self, path: str, content: bytes | None = None, *, role: str = "targets", **members: Any) -> str:  # noqa: ANN401 - JSON values
        """List a target in a role, for `content` or bytes made of role and path; return their ``sha256:…``."""
        content = f"{role} {path}".encode() if content is None else content
        digest = hashlib.sha256(content).hexdigest()
        entry = {"length": len(content), "hashes": {"sha256": digest}}
        self.documents[role].setdefault("targets", {})[path] = entry | members
        return f"sha256:{digest}"

    def add_image(
        self,
        tag: str = "latest",
        content: bytes | None = None,
        *,
        role: str = "targets",
        **members: Any,  # noqa: ANN401 - JSON values
    ) -> str:
        """List the target that stands for a tag of the repository's own name by the default template."""
        return self.add_target(f"{self.name}:{tag}", content, role=role, **members)

    def add_delegation(
        self,
        role: str,
        *keys: TufKey,
        delegator: str = "targets",
        paths: Iterable[str] | None = ("**",),
        prefixes: Iterable[str] | None = None,
        terminating: bool = False,
        threshold: int = 1,
        listed: Iterable[str] = (),
    ) -> Json:
        """Delegate to `role`, with targets at the paths `listed` in it; return its ``signed`` part.

        Without `paths`, by the hash `prefixes`. ``**`` stands for what has three segments, as images here have.
        """
        self.delegators.setdefault(role, delegator)
        delegations = self.documents[delegator].setdefault("delegations", {"keys": {}, "roles": []})
        entry: Json = {"name": role, "keyids": [], "threshold": threshold, "terminating": terminating}
        if prefixes is not None:
            entry["path_hash_prefixes"] = list(prefixes)
        elif paths is not None:
            entry["paths"] = ["*/*/*" if path == "**" else path for path in paths]
        delegations["roles"].append(entry)
        if role not in self.documents:
            self.documents[role] = {
                "_type": "targets", "expires": EXPIRES, "spec_version": "1.0.31", "targets": {}, "version": 0,
            }
        self.set_keys(role, *(keys or (tuf_key(f"{role} 0"),)), delegator=delegator)
        for path in listed:
            self.add_target(path, role=role)
        return self.documents[role]

    def add_bins(self, bit_length: int, prefix: str = "bins", *, key: TufKey | None = None) -> tuple[str, ...]:
        """Delegate everything to ``2 ** bit_length`` bins; return their names."""
        key = key or tuf_key(prefix)
        self.targets["delegations"] = {
            "keys": {key.id: key.to_json()},
            "succinct_roles": {
                "keyids": [key.id], "threshold": 1, "bit_length": bit_length, "name_prefix": prefix,
            },
        }
        digits = len(f"{2**bit_length - 1:x}")
        names = tuple(f"{prefix}-{number:0{digits}x}" for number in range(2**bit_length))
        for name in names:
            self.delegators[name] = "targets"
            self.signers[name] = [key]
            self.documents[name] = {
                "_type": "targets", "expires": EXPIRES, "spec_version": "1.0.31", "targets": {}, "version": 0,
            }
        return names

    def list_keys(self, role: str, *keys: TufKey, threshold: int | None = None, delegator: str | None = None) -> None:
        """Let the role above list exactly these keys for `role`, whoever signs it."""
        above = self.root if role in TOP_LEVEL else self.documents[delegator or self.delegators[role]]["delegations"]
        entry = self.entry(role, delegator)
        above["keys"].update({key.id: key.to_json() for key in keys})
        entry["keyids"] = [key.id for key in keys]
        entry["threshold"] = entry["threshold"] if threshold is None else threshold

    def set_keys(self, role: str, *keys: TufKey, threshold: int | None = None, delegator: str | None = None) -> None:
        """Let the role above list exactly these keys for `role`, and all of them sign it."""
        self.list_keys(role, *keys, threshold=threshold, delegator=delegator)
        self.signers[role] = list(keys)

    def rotate(self, role: str, *, keep_old_signature: bool | None = None, kind: str = "ed25519") -> TufKey:
        """Replace the keys of a role by a new one, and return it. Old signers of root sign once more unless told so."""
        self._rotations += 1
        new, old = tuf_key(f"{role} rotated {self._rotations}", kind), self.signers[role]
        self.set_keys(role, new)
        if keep_old_signature if keep_old_signature is not None else role == "root":
            self.signers[role] = [*old, new]
        return new

    def expire(self, role: str, at: str = PAST) -> None:
        """Let a role expire at `at`."""
        self.documents[role]["expires"] = at

    def edit(self, role: str, change: Edit) -> None:
        """Change the ``signed`` dictionary each time before it is signed."""
        self.edits.setdefault(role, []).append(change)

    def sign(self, role: str, change: Sign) -> None:
        """Change the list of signatures each time."""
        self.signs.setdefault(role, []).append(change)

    def alter(self, role: str, change: Rewrite) -> None:
        """Change the bytes of the file each time it is made."""
        self.alters.setdefault(role, []).append(change)

    def tamper(self, path: str, change: Rewrite) -> None:
        """Change the bytes of the file at `path` as they are served."""
        self.tampers[path] = change

    # -- publishing ---------------------------------------------------------------------------------------------

    def publish(self, *roles: str, everything: bool = False) -> None:
        """Publish what has changed, or exactly `roles`, or `everything`; snapshot and timestamp as they must follow."""
        order = ("root", *self.delegated, "targets", "snapshot", "timestamp")
        for role in order:
            if role in roles if roles else everything or self._fingerprint(role) != self._published.get(role):
                self.publish_role(role)

    def publish_role(self, role: str, *, bump: bool = True) -> bytes:
        """Publish one role, with its next version unless ``bump=False``; return its bytes."""
        document = self.documents[role]
        if bump:
            document["version"] += 1
        self._published[role] = self._fingerprint(role)
        body = self.render(role)
        self.current[role] = body
        for path in self.paths_of(role, document["version"]):
            self.files[path] = body
        return body

    def paths_of(self, role: str, version: int) -> tuple[str, ...]:
        """Return under which names a version of a role is kept."""
        file = f"{quote(role, '')}.json"
        if role == "timestamp":
            return (file,)
        if role == "root":
            return (f"{version}.{file}",)
        return (f"{version}.{file}",) if self.root["consistent_snapshot"] else (file,)

    def render(self, role: str) -> bytes:
        """Return the file of a role as it would be published now."""
        signed = copy.deepcopy(self._with_meta(role))
        for edit in self.edits.get(role, ()):
            edit(signed)
        message = canonical(signed)
        signatures = [key.sign(message) for key in self.signers[role]]
        for sign in self.signs.get(role, ()):
            signatures = sign(signatures, message)
        separators = (",", ":") if self.indent is None else None
        content = {"signatures": signatures, "signed": signed}
        body = json.dumps(content, indent=self.indent, separators=separators, sort_keys=self.sorted).encode()
        for alter in self.alters.get(role, ()):
            body = alter(body)
        return body

    def clone(self) -> Self:
        """Return an independent copy, of which nothing has been requested."""
        twin = copy.deepcopy(self)
        twin.requests.clear()
        return twin

    def restore(self, files: dict[str, bytes]) -> None:
        """Serve these files from now on, as an attacker replays old ones."""
        self.files = dict(files)

    def _with_meta(self, role: str) -> Json:
        document = self.documents[role]
        if role not in {"snapshot", "timestamp"}:
            return document
        below = ("snapshot",) if role == "timestamp" else ("targets", *self.delegated)
        meta = {f"{name}.json": self._meta_of(name) for name in below if name in self.current}
        merged = meta | document.get("meta", {})
        return document | {"meta": {name: value for name, value in merged.items() if value is not None}}

    def _meta_of(self, role: str) -> Json:
        meta: Json = {"version": self.documents[role]["version"]}
        if self.with_hashes:
            body = self.current[role]
            meta |= {"length": len(body), "hashes": {"sha256": hashlib.sha256(body).hexdigest()}}
        return meta

    def _fingerprint(self, role: str) -> str:
        hooks = [
            id(hook)
            for made in (self.edits.get(role, ()), self.signs.get(role, ()), self.alters.get(role, ()))
            for hook in made
        ]
        return repr((self._with_meta(role), hooks, [key.id for key in self.signers[role]]))

    # -- serving ------------------------------------------------------------------------------------------------

    def served(self, path: str) -> Reply:
        """Return the server's answer for a path such as ``1.targets.json``, and note the request."""
        self.requests.append(path)
        if path in self.replies:
            return self.replies[path]
        body = self.files.get(path)
        if body is None:
            return Reply(404, b"")
        return Reply(200, self.tampers[path](body) if path in self.tampers else body)


def at(text: str) -> datetime:
    """Return the time that an expiry names."""
    return datetime.strptime(text, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC)
