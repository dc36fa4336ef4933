"""What a verified repository holds: its tags, who signed them, its roles with their keys, and when they expire.

The documents are verified as for an image; only what was verified is told. What is remembered of the name counts and is
not changed.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, final

from imgsig.authority import Question, State
from imgsig.codes import Code
from imgsig.errors import InconclusiveError, RejectedError
from imgsig.inspection.offered import OfferedKey, offered_key
from imgsig.limits import Deadline, Limits
from imgsig.memory import Memory
from imgsig.notary.choice import Choice, Tree
from imgsig.notary.keys import parse_public_key
from imgsig.notary.metadata import BASE_ROLES, Key, Role
from imgsig.notary.pinning import acceptable_root_keys
from imgsig.notary.settings import Notary
from imgsig.notary.trusted import TrustedSet
from imgsig.notary.update import Update
from imgsig.remembering import Remembered
from imgsig.source import Source, SourceEvidence
from imgsig.trust import Evidence

_ADMINISTRATION: Final = ("root", "timestamp", "snapshot", "targets")


@final
@dataclass(frozen=True, slots=True)
class VerifiedRepository:
    """The verified documents of one signed name."""

    name: str
    source: SourceEvidence
    at: datetime
    """The time that expiries were compared with."""
    fresh: bool
    """Whether the server confirmed them now."""
    evidence: Evidence
    """Why the root is trusted. First use without `known_since` is no reason at all."""
    known_since: datetime | None
    """Since when the chain of roots has been trusted here; None if it has not."""
    trusted: TrustedSet
    tree: Tree
    limits: Limits


@final
@dataclass(frozen=True, slots=True)
class InventoryTag:
    """What docker's client takes one tag for, and who has signed the same."""

    name: str
    digest: str
    """``sha256:…``; empty if the tag cannot be used."""
    length: int
    role: str
    """The role that it is taken from: ``targets/releases`` or ``targets``."""
    signers: tuple[str, ...]
    """Other roles that list it with the same digest."""
    fault: str = ""
    """Why the tag cannot be used; empty if it can."""


@final
@dataclass(frozen=True, slots=True)
class InventoryRole:
    """One role: who may sign it, and what was found of it."""

    name: str
    key_ids: tuple[str, ...]
    """Canonical ids of the keys that may sign, in the order of the document that lists them."""
    threshold: int
    """How many of them must."""
    paths: tuple[str, ...]
    """Beginnings of the tags that a delegation may speak for; an empty text is every tag. Empty for a base role."""
    version: int = 0
    """0 if it has no verified document."""
    expires: datetime | None = None
    signed_by: tuple[str, ...] = ()
    """Canonical ids of the keys whose signatures were verified, sorted."""
    tags: int = 0
    """How many tags it lists."""
    fault: str = ""
    """Why it has no verified document: it was passed over, or it has not published one."""


@final
@dataclass(frozen=True, slots=True)
class Inventory:
    """What one name holds, for a person or a program to look at."""

    repository: VerifiedRepository
    valid_until: datetime
    """When the first of its documents or root certificates expires."""
    root_keys: tuple[OfferedKey, ...]
    roles: tuple[InventoryRole, ...]
    """The base roles, then the delegations, nearest to the root first."""
    tags: tuple[InventoryTag, ...]
    """In natural order: ``1.9`` before ``1.10``."""

    def to_dict(self) -> dict[str, Any]:
        """Return it as JSON values."""
        repository = self.repository
        return {
            "name": repository.name,
            "source": {
                "kind": repository.source.kind,
                "location": repository.source.location,
                "captured_at": _time(repository.source.captured_at),
                "id_pinned": repository.source.id_pinned,
            },
            "at": _time(repository.at),
            "fresh": repository.fresh,
            "anchor": {"kind": repository.evidence.kind, "ids": list(repository.evidence.ids)},
            "known_since": _time(repository.known_since),
            "valid_until": _time(self.valid_until),
            "root_keys": [key.to_dict() for key in self.root_keys],
            "roles": [_role_values(role) for role in self.roles],
            "tags": [
                {
                    "tag": tag.name,
                    "digest": tag.digest or None,
                    "length": tag.length,
                    "role": tag.role or None,
                    "signers": list(tag.signers),
                    "fault": tag.fault or None,
                }
                for tag in self.tags
            ],
        }


def fetch_repository(  # noqa: PLR0913 - who is asked about what and by when, each by name
    settings: Notary,
    name: str,
    source: Source,
    state: State | None,
    *,
    live: bool,
    at: datetime,
    deadline: Deadline,
    limits: Limits,
) -> VerifiedRepository:
    """Return the verified documents of the signed `name`, trusted as `settings` say.

    What the `state` remembers is read and not changed; None for nothing, and then first use trusts whatever is offered:
    only to look at it. `live` is whether `source` answers for now; an archive does not.

    Raises:
        RejectedError: the name is not signed, or a document breaks a rule.
        InconclusiveError: something could not be had, or `at` lies before an archive was captured.
    """
    _check_captured(source, name, at)
    question = Question(
        name=name,
        tag="",
        digest="",
        at=at,
        source=source,
        live=live,
        state=state,
        deadline=deadline,
        limits=limits,
        speculate=live,
        memory=Memory(),
    )
    remembered = Remembered(question, settings.system, max_stale_seconds=settings.max_stale_seconds)
    update = Update(question, settings, remembered)
    trusted = update.run()
    start, trust = update.start, remembered.trust
    if start is None:
        msg = "an update that ran has a start"
        raise RuntimeError(msg)
    return VerifiedRepository(
        name=name,
        source=source.evidence,
        at=at,
        fresh=live and not update.is_stale,
        evidence=start.evidence,
        known_since=trust.known_since if trust is not None and start.continues else None,
        trusted=trusted,
        tree=Tree(trusted.roles, trusted.skipped),
        limits=limits,
    )


def _check_captured(source: Source, name: str, at: datetime) -> None:
    captured_at = source.evidence.captured_at
    if captured_at is not None and at < captured_at:
        msg = f"the archive was captured at {captured_at.isoformat()}, after the time asked about"
        raise InconclusiveError(msg, code=Code.BEFORE_CAPTURE, subject=name, expected=captured_at.isoformat())


def take_inventory(repository: VerifiedRepository, *, tag: str = "", digest: str = "") -> Inventory:
    """Return what `repository` holds: of all tags, of one `tag`, or of those that stand for a `digest`."""
    tree, trusted = repository.tree, repository.trusted
    names = [name for name in tree.released() if tag in {"", name}]
    tags = (_tag(tree, name) for name in sorted(names, key=natural_order))
    keys = acceptable_root_keys(trusted.root.root, repository.name, repository.at, repository.limits)
    return Inventory(
        repository,
        trusted.good_until,
        tuple(offered_key(key, trusted.root.key_ids) for key in keys),
        tuple(_roles(repository)),
        tuple(one for one in tags if digest in {"", one.digest}),
    )


def natural_order(text: str) -> tuple[tuple[int, int, bytes, int], ...]:
    """Return by what `text` is sorted as people count: runs of digits by their number, and before other characters.

    Of equal numbers the one with fewer leading zeros is first; all else goes byte by byte.

    Spec: fvbommel/sortorder, NaturalLess, which docker's client sorts tags by.
    """
    order: list[tuple[int, int, bytes, int]] = []
    raw, at = text.encode(), 0
    while at < len(raw):
        end = at
        while end < len(raw) and raw[end : end + 1].isdigit():
            end += 1
        if end == at:
            order.append((1, raw[at], b"", 0))
            at += 1
            continue
        number = raw[at:end].lstrip(b"0")
        order.append((0, len(number), number, end - at - len(number)))
        at = end
    return tuple(order)


def _tag(tree: Tree, name: str) -> InventoryTag:
    try:
        choice: Choice = tree.choose(name)
    except RejectedError as error:
        return InventoryTag(name, "", 0, "", (), f"{error} ({error.code})")
    return InventoryTag(name, choice.digest, choice.length, choice.role, tree.signers_of(choice))


def _roles(repository: VerifiedRepository) -> Iterator[InventoryRole]:
    trusted = repository.trusted
    root = trusted.root.root
    for name in _ADMINISTRATION:
        yield _role(trusted, root.roles[name], root.keys, ())
    for name, paths in repository.tree.delegated.items():
        if name not in BASE_ROLES:
            parent = trusted.roles[name.rpartition("/")[0]]
            role = next(role for role in parent.delegations if role.name == name)
            yield _role(trusted, role, parent.keys, paths)


def _role(trusted: TrustedSet, role: Role, keys: Any, paths: tuple[str, ...]) -> InventoryRole:  # noqa: ANN401
    listed: tuple[Key, ...] = tuple(keys[key_id] for key_id in role.key_ids)
    key_ids = tuple(dict.fromkeys(parse_public_key(key).canonical_id for key in listed))
    if role.name != "root" and role.name not in trusted.accepted:
        skipped = trusted.skipped.get(role.name)
        fault = f"passed over: {skipped} ({skipped.code})" if skipped else "it has published nothing"
        return InventoryRole(role.name, key_ids, role.threshold, paths, fault=fault)
    found = trusted.evidence(role.name)
    targets = trusted.roles.get(role.name, ())
    return InventoryRole(
        role.name,
        key_ids,
        role.threshold,
        paths,
        version=found.version,
        expires=found.expires,
        signed_by=found.key_ids,
        tags=sum(1 for _ in targets),
    )


def _role_values(role: InventoryRole) -> dict[str, Any]:
    return {
        "role": role.name,
        "key_ids": list(role.key_ids),
        "threshold": role.threshold,
        "paths": list(role.paths),
        "version": role.version or None,
        "expires": _time(role.expires),
        "signed_by": list(role.signed_by),
        "tags": role.tags,
        "fault": role.fault or None,
    }


def _time(moment: datetime | None) -> str | None:
    return None if moment is None else moment.isoformat().replace("+00:00", "Z")
