"""Histories of TUF repositories, made by chance from a seed: what publishers, accidents and attackers do, step by step.

A bend is one thing that happens. Where imgsig is stricter than python-tuf's client on purpose, or wider, the bend names
the key of the reason in docs/differences.md.
"""

import random
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final, TypeVar, final

from tests.support.repository import NAME, NOW
from tests.support.signing import Json
from tests.support.tuf_keys import TufKey, tuf_key
from tests.support.tuf_repository import TufRepository

_Hook = TypeVar("_Hook")

SOON: Final = NOW + timedelta(days=30)
_ROLES: Final = ("root", "timestamp", "snapshot", "targets")


@final
@dataclass(slots=True)
class History:
    """One repository on its way, and what is needed to take things back."""

    chance: random.Random
    repository: TufRepository
    now: datetime = NOW
    earlier: list[dict[str, bytes]] = field(default_factory=list)
    """What was served after each step so far."""
    undo: list[Callable[[], object]] = field(default_factory=list)
    """What ends a passing trouble before the next step."""

    @classmethod
    def begin(cls, seed: int) -> "History":
        """Return a repository of a kind that the seed chooses."""
        chance = random.Random(seed)  # noqa: S311 - the same histories in every run
        repository = TufRepository(consistent=chance.random() < 0.8, hashes=chance.random() < 0.5)
        history = cls(chance, repository)
        if chance.random() < 0.5:
            delegate(history)
            repository.publish()
        return history

    def later(self, *steps: Callable[[], object]) -> None:
        """Take these steps before the next thing happens."""
        self.undo.append(lambda: [step() for step in steps])

    def role(self) -> str:
        """Choose a role."""
        return self.chance.choice((*_ROLES, *self.repository.delegated))

    def path(self) -> str:
        """Choose a target to ask for: mostly one that there is."""
        listed = [path for document in self.repository.documents.values() for path in document.get("targets", ())]
        chosen: str = self.chance.choice([*sorted(set(listed)), f"{NAME}:nothing"])
        return chosen


Bend = Callable[[History], object]


@final
@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of bend, and how often it happens."""

    bend: Bend
    weight: int = 1
    stricter: str = ""
    """Why imgsig may refuse, or answer by the newer document, where python-tuf's client accepts."""
    wider: str = ""
    """Why imgsig may accept where python-tuf's client refuses."""
    lasting: bool = False
    """Whether that can show in a later step too."""


def step(history: History) -> Kind:
    """Let one thing happen, and return what."""
    for undo in reversed(history.undo):
        undo()
    history.undo.clear()
    history.earlier.append(dict(history.repository.files))
    kind = history.chance.choices(KINDS, [kind.weight for kind in KINDS])[0]
    kind.bend(history)
    return kind


# -- what publishers do -----------------------------------------------------------------------------------------------


def retag(history: History) -> None:
    role = history.chance.choice(("targets", *history.repository.delegated))
    tag = history.chance.choice(("latest", "1.0", "2.0"))
    history.repository.add_image(tag, history.chance.randbytes(4), role=role)
    history.repository.publish()


def delegate(history: History) -> None:
    repository, chance = history.repository, history.chance
    number = len(repository.delegated)
    name = chance.choice((f"role{number}", f"a/b {number}", f"ö{number}"))
    delegator = chance.choice(("targets", *repository.delegated))
    if "succinct_roles" in repository.documents[delegator].get("delegations", {}):
        return
    tag = chance.choice(("latest", "2.0", f"only-{number}"))
    by_prefix = chance.random() < 0.25
    repository.add_delegation(
        name,
        delegator=delegator,
        paths=None if by_prefix else [chance.choice(("**", f"{NAME}:*", "registry.example.com/*/*", f"{NAME}:l?test"))],
        prefixes=[f"{digit:x}" for digit in chance.sample(range(16), 8)] if by_prefix else None,
        terminating=chance.random() < 0.3,
        listed=[f"{NAME}:{tag}"],
    )
    if chance.random() < 0.5 and tag in {"latest", "2.0"}:
        repository.targets["targets"].pop(f"{NAME}:{tag}", None)
    repository.publish()


def delegate_in_a_circle(history: History) -> None:
    roles = history.repository.delegated
    if roles:
        first, last = roles[0], roles[-1]
        history.repository.add_delegation(first, *history.repository.signers[first], delegator=last)
        history.repository.publish()


def drop_delegation(history: History) -> None:
    delegations = history.repository.targets.get("delegations")
    if delegations and delegations.get("roles"):
        delegations["roles"].pop(history.chance.randrange(len(delegations["roles"])))
        history.repository.publish()


def rotate(history: History) -> None:
    role = history.role()
    if _is_delegated(history, role):
        history.repository.rotate(role)
        history.repository.publish()
        if role == "root":
            history.repository.signers["root"] = history.repository.signers["root"][-1:]


def change_threshold(history: History) -> None:
    repository, role = history.repository, history.chance.choice(_ROLES)
    keys = [*repository.signers[role][:2], tuf_key(f"{role} more {history.chance.randrange(3)}")]
    old = repository.signers[role]
    repository.set_keys(role, *dict.fromkeys(keys), threshold=history.chance.randint(1, 3))
    if role == "root":
        repository.signers["root"] = list(dict.fromkeys([*old, *keys]))
    repository.publish()


def publish_many_roots(history: History) -> None:
    for _ in range(history.chance.randint(2, 4)):
        history.repository.rotate("root")
        history.repository.publish("root")
        history.repository.signers["root"] = history.repository.signers["root"][-1:]
    history.repository.publish()


def recover_from_fast_forward(history: History) -> None:
    repository = history.repository
    role = history.chance.choice(("timestamp", "snapshot", "targets"))
    repository.documents[role]["version"] += 1000
    repository.publish()
    history.earlier.append(dict(repository.files))
    repository.documents[role]["version"] -= 995
    for rotated in history.chance.choice((("timestamp",), ("snapshot",), ("timestamp", "snapshot"), ())):
        repository.rotate(rotated)
    repository.publish()


def switch_consistency(history: History) -> None:
    history.repository.root["consistent_snapshot"] = not history.repository.root["consistent_snapshot"]
    history.repository.publish(everything=True)


def switch_hashes(history: History) -> None:
    history.repository.with_hashes = not history.repository.with_hashes
    history.repository.publish()


def let_time_pass(history: History) -> None:
    role = history.role()
    history.repository.expire(role, f"{SOON:%Y-%m-%dT%H:%M:%SZ}")
    history.repository.publish()
    if history.chance.random() < 0.3:
        history.now = SOON + timedelta(seconds=history.chance.choice((-1, 0, 1)))


def renew(history: History) -> None:
    for document in history.repository.documents.values():
        document["expires"] = "2090-01-01T00:00:00Z"
    history.repository.publish()


def unknown_fields(history: History) -> None:
    note = {"n": history.chance.randrange(9), "": [True, None, 'é\\"']}
    history.repository.documents[history.role()]["x-note"] = note
    history.repository.publish()


def minor_specification(history: History) -> None:
    history.repository.documents[history.role()]["spec_version"] = history.chance.choice(("1.0", "1.0.0", "1.99.3"))
    history.repository.publish()


# -- accidents and attacks --------------------------------------------------------------------------------------------


def expire(history: History) -> None:
    repository, role = history.repository, history.role()
    repository.expire(role)
    history.later(lambda: repository.expire(role, "2090-01-01T00:00:00Z"), repository.publish)
    repository.publish()


def replay(history: History) -> None:
    """Serve everything as it was."""
    repository, present = history.repository, dict(history.repository.files)
    history.undo.append(lambda: repository.restore(present))
    repository.restore(history.chance.choice(history.earlier))


def replay_one(history: History) -> None:
    """Serve one file as it was."""
    repository, present = history.repository, dict(history.repository.files)
    history.undo.append(lambda: repository.restore(present))
    old = history.chance.choice(history.earlier)
    path = history.chance.choice(sorted(old))
    repository.files[path] = old[path]


def swap(history: History) -> None:
    """Serve one file in place of another."""
    repository, present = history.repository, dict(history.repository.files)
    history.undo.append(lambda: repository.restore(present))
    one, other = history.chance.sample(sorted(present), 2)
    repository.files[one] = present[other]


def lose(history: History) -> None:
    """Lose a file."""
    repository, present = history.repository, dict(history.repository.files)
    repository.publish(everything=True)
    present = dict(repository.files)
    history.undo.append(lambda: repository.restore(present))
    del repository.files[history.chance.choice(sorted(present))]


def damage(history: History) -> None:
    """Change a byte of a file, or cut it short."""
    repository = history.repository
    repository.publish(everything=True)
    present = dict(repository.files)
    history.undo.append(lambda: repository.restore(present))
    path = history.chance.choice(sorted(present))
    body = bytearray(present[path])
    place = history.chance.randrange(len(body))
    if history.chance.random() < 0.3:
        del body[place:]
    else:
        body[place] ^= 1 << history.chance.randrange(7)
    repository.files[path] = bytes(body)


def lower_version(history: History) -> None:
    role = history.role()
    version = history.repository.documents[role]["version"]
    history.repository.documents[role]["version"] = max(0, version - history.chance.randint(2, 3))
    history.repository.publish(everything=True)
    history.undo.append(lambda: _lift(history, role, version))


def same_version(history: History) -> None:
    role = history.chance.choice(("timestamp", "targets"))
    history.repository.documents[role]["x-again"] = history.chance.randrange(99)
    history.repository.publish_role(role, bump=False)
    if role == "targets":
        history.repository.publish_role("snapshot")
        history.repository.publish_role("timestamp")


def same_snapshot_version(history: History) -> None:
    history.repository.documents["snapshot"]["x-again"] = history.chance.randrange(99)
    history.repository.publish_role("snapshot", bump=False)
    history.repository.publish_role("timestamp")


def meta_version(history: History) -> None:
    """List another version than the file's."""
    repository = history.repository
    source, listed = history.chance.choice((("timestamp", "snapshot"), ("snapshot", "targets")))
    version = max(1, repository.documents[listed]["version"] + history.chance.choice((-1, 1)))
    repository.documents[source]["meta"] = {f"{listed}.json": {"version": version}}
    repository.publish()
    history.later(lambda: repository.documents[source].pop("meta"), repository.publish)


def vanish(history: History) -> None:
    """Drop a role from the snapshot."""
    repository, role = history.repository, history.chance.choice(("targets", *history.repository.delegated))
    repository.snapshot["meta"] = {f"{role}.json": None}
    repository.publish()
    history.later(lambda: repository.snapshot.pop("meta"), repository.publish)


def sign_with_too_few(history: History) -> None:
    repository, role = history.repository, history.role()
    if not _is_delegated(history, role) or role == "root":
        return
    old = repository.signers[role]
    repository.signers[role] = old[: repository.entry(role)["threshold"] - 1]
    repository.publish_role(role)
    repository.publish()
    history.later(
        lambda: repository.signers.update({role: old}), lambda: repository.publish_role(role), repository.publish
    )


def sign_with_a_stranger(history: History) -> None:
    repository, role = history.repository, history.chance.choice((*_ROLES[1:], *history.repository.delegated))
    old = repository.signers[role]
    repository.signers[role] = [tuf_key("a stranger")]
    repository.publish_role(role)
    repository.publish()
    history.later(
        lambda: repository.signers.update({role: old}), lambda: repository.publish_role(role), repository.publish
    )


def damage_signatures(history: History) -> None:
    """Put wrong, empty and unknown signatures beside or in place of the good ones; repeat one."""
    repository, role, chance = history.repository, history.role(), history.chance
    kind = chance.randrange(6)

    def change(signatures: list[Json], _: bytes) -> list[Json]:
        first = signatures[0]
        return (
            [*signatures, {"keyid": "ab" * 32, "sig": "00"}],
            [*signatures, {"keyid": "cd" * 32, "sig": ""}],
            [{**first, "sig": ""}, *signatures[1:]],
            [{**first, "sig": first["sig"][:-2] + "00"}, *signatures[1:]],
            [*signatures, first],
            [{**first, "sig": "not hex"}, *signatures[1:]],
        )[kind]

    _with_hook(history, role, repository.signs, change)


def wrong_root(history: History) -> None:
    """Offer a root that does not follow."""
    repository, chance = history.repository, history.chance
    old = list(repository.signers["root"])
    before, version = {**repository.root, "roles": {**repository.root["roles"]}}, repository.root["version"]
    files = dict(repository.files)
    kind = chance.randrange(4)
    repository.rotate("root")
    if kind == 0:
        repository.signers["root"] = repository.signers["root"][-1:]
    elif kind == 1:
        repository.signers["root"] = old
    elif kind == 2:
        repository.root["version"] += 1
    else:
        repository.root["version"] -= 1
    body = repository.render("root") if kind > 1 else repository.publish_role("root")
    repository.files[f"{version + 1}.root.json"] = body

    def undo() -> None:
        repository.documents["root"] = before
        repository.root["roles"]["root"] = {"keyids": [key.id for key in old], "threshold": 1}
        repository.root["version"] = version
        repository.signers["root"] = old
        repository.restore(files)
        repository.publish_role("root")

    history.undo.append(undo)


def break_format(history: History) -> None:
    """Publish a document that breaks the format, properly signed."""
    role, chance = history.role(), history.chance
    breaks: tuple[Callable[[Json], object], ...] = (
        lambda signed: signed.update(_type="root" if role != "root" else "targets"),
        lambda signed: signed.update(spec_version=chance.choice(("2.0.0", "", "1", "x.y.z"))),
        lambda signed: signed.update(version=chance.choice((0, -1, "1", None))),
        lambda signed: signed.update(expires=chance.choice(("2090-01-01", "never", "2090-13-01T00:00:00Z", 5))),
        lambda signed: signed.pop(chance.choice(("_type", "version", "spec_version", "expires"))),
        lambda signed: signed.update(meta=chance.choice(({}, [], None))) if "meta" in signed else signed.pop("version"),
        lambda signed: signed.update(targets=chance.choice(([], None, {"x": {}}, {"x": {"length": -1, "hashes": {}}}))),
        lambda signed: signed.update(roles={}) if "roles" in signed else signed.pop("expires"),
        lambda signed: signed.update(delegations=chance.choice(({}, {"keys": {}}, {"keys": {}, "roles": [{}]}, None))),
    )
    chosen = chance.randrange(len(breaks))
    _with_hook(history, role, history.repository.edits, breaks[chosen])


def stricter_format(history: History) -> None:
    """Publish what python-tuf's decoder lets pass."""
    role, chance = history.role(), history.chance
    kind = chance.randrange(4)
    if kind == 0:
        member = b'"version": '
        twice = member + b"7, " + member
        _with_hook(history, role, history.repository.alters, lambda body: body.replace(member, twice, 1))
    elif kind == 1:
        _with_hook(history, role, history.repository.edits, lambda signed: signed.update(version=True))
    elif kind == 2:
        _with_hook(history, role, history.repository.edits, lambda signed: signed.update({"x-big": 2**60}))
    else:
        _with_hook(history, role, history.repository.edits, lambda signed: signed.update(expires="2090-1-1T0:0:0Z"))


def one_key_twice(history: History) -> None:
    """List one key under two ids for a threshold of two."""
    role = history.chance.choice(("timestamp", "snapshot", "targets"))
    _with_other_keys(history, role, 2, tuf_key(f"{role} 0"), tuf_key(f"{role} 0").with_(extra={"x-owner": "b"}))


def wrong_key_id(history: History) -> None:
    """List a key under an id that is not its hash."""
    role = history.chance.choice(("timestamp", "snapshot", "targets"))
    _with_other_keys(history, role, 1, tuf_key(f"{role} other").with_(claimed_id="ef" * 32))


def unknown_key_type(history: History) -> None:
    """List a key of a type that nobody knows, which no threshold needs."""
    repository = history.repository
    entry = {"keytype": "quantum", "scheme": "quantum-1", "keyval": {"public": "00"}}
    repository.root["keys"]["ab" * 32] = entry
    repository.publish()


_CACHED_SNAPSHOT: Final = "tuf.cached-snapshot"
FLOORS: Final = "tuf.floors"

KINDS: Final = (
    Kind(retag, 8),
    Kind(delegate, 5),
    Kind(delegate_in_a_circle, 2),
    Kind(drop_delegation, 1),
    Kind(rotate, 6),
    Kind(change_threshold, 4, stricter=FLOORS, lasting=True),
    Kind(publish_many_roots, 2),
    Kind(recover_from_fast_forward, 4),
    Kind(switch_consistency, 1),
    Kind(switch_hashes, 2),
    Kind(let_time_pass, 4),
    Kind(renew, 3),
    Kind(unknown_fields, 3),
    Kind(minor_specification, 1),
    Kind(expire, 5),
    Kind(replay, 5),
    Kind(replay_one, 5),
    Kind(swap, 4),
    Kind(lose, 4),
    Kind(damage, 5),
    Kind(lower_version, 4, stricter=_CACHED_SNAPSHOT, wider=_CACHED_SNAPSHOT, lasting=True),
    Kind(same_version, 3),
    Kind(same_snapshot_version, 2, stricter=_CACHED_SNAPSHOT, wider=_CACHED_SNAPSHOT, lasting=True),
    Kind(meta_version, 3),
    Kind(vanish, 3),
    Kind(sign_with_too_few, 3),
    Kind(sign_with_a_stranger, 3),
    Kind(damage_signatures, 4),
    Kind(wrong_root, 4),
    Kind(break_format, 6),
    Kind(stricter_format, 2, stricter="tuf.strict-documents"),
    Kind(one_key_twice, 1, stricter="tuf.one-key-counts-once"),
    Kind(wrong_key_id, 1, stricter="tuf.key-id-is-a-hash"),
    Kind(unknown_key_type, 1, wider="tuf.unknown-key-type", lasting=True),
)


def _is_delegated(history: History, role: str) -> bool:
    """Whether the role that first delegated to `role` still does."""
    if role in _ROLES:
        return True
    delegations = history.repository.documents[history.repository.delegators[role]].get("delegations", {})
    return any(entry["name"] == role for entry in delegations.get("roles", ()))


def _lift(history: History, role: str, version: int) -> None:
    history.repository.documents[role]["version"] = version
    history.repository.publish_role(role)
    history.repository.publish()


def _with_hook(history: History, role: str, hooks: dict[str, list[_Hook]], hook: _Hook) -> None:
    repository = history.repository
    files, version = dict(repository.files), repository.root["version"]
    hooks.setdefault(role, []).append(hook)
    repository.publish_role(role)
    repository.publish()

    def undo() -> None:
        hooks[role].remove(hook)
        if role == "root":
            repository.root["version"] = version
            repository.restore({**repository.files, **files})
        repository.publish_role(role)
        repository.publish()

    history.undo.append(undo)


def _with_other_keys(history: History, role: str, threshold: int, *keys: TufKey) -> None:
    repository = history.repository
    old, entry = repository.signers[role], dict(repository.entry(role))
    repository.set_keys(role, *keys, threshold=threshold)
    repository.publish_role(role)
    repository.publish()

    def undo() -> None:
        repository.signers[role] = old
        repository.root["roles"][role] = entry
        repository.publish_role(role)
        repository.publish()

    history.undo.append(undo)
