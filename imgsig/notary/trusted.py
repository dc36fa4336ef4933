"""What is trusted of one name at one moment: documents go in as bytes and come out verified, or not at all.

Pure: no clock, disk, network or environment. Which document comes next, and what to do when one is refused, is for
`client` to say.

Spec: docs/notary-v1.md, "The update"; notary tuf/builder.go.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from types import MappingProxyType
from typing import Final, TypeVar, final

from imgsig.codes import Code
from imgsig.errors import RejectedError
from imgsig.limits import Limits
from imgsig.notary.keys import PublicKey, check_delegation_key, parse_public_key, verify_signatures
from imgsig.notary.metadata import (
    FileInfo,
    Key,
    Role,
    Snapshot,
    Targets,
    Timestamp,
    digests,
    parse_snapshot,
    parse_targets,
    parse_timestamp,
)
from imgsig.notary.roots import WEIGHT, RootRules, TrustedRoot, check_unexpired
from imgsig.trust import Floor, rolled_back
from imgsig.verdict import Checks, RoleEvidence

_Document = TypeVar("_Document", Timestamp, Snapshot)

SKIPPABLE: Final = frozenset({Code.EXPIRED, Code.THRESHOLD})
"""Faults for which a delegation is passed over, as the reference client does; any other refuses the repository."""


@final
@dataclass(frozen=True, slots=True)
class Accepted:
    """A verified document's bytes and who signed it."""

    body: bytes
    version: int
    expires: datetime
    key_ids: tuple[str, ...]
    threshold: int


@final
class TrustedSet:
    """The documents that belong together under one root, verified in order: timestamp, snapshot, targets, the rest."""

    def __init__(self, root: TrustedRoot, floors: Mapping[str, Floor], rules: RootRules) -> None:
        """Start under a `root` that is trusted, with the version `floors` in force."""
        self.root = root
        self._rules = rules
        self._memory = rules.memory
        self.checks = Checks()
        self.accepted: dict[str, Accepted] = {}
        self.roles: dict[str, Targets] = {}
        self.skipped: dict[str, RejectedError] = {}
        self._delegated: dict[str, frozenset[str]] = {}
        self.timestamp: Timestamp | None = None
        self.snapshot: Snapshot | None = None
        self._floors = dict(floors)
        self._note_root()

    @property
    def floors(self) -> Mapping[str, Floor]:
        """The floors after what was accepted so far, without those of roles that nobody delegates to any more."""
        return MappingProxyType({role: floor for role, floor in self._floors.items() if self._is_delegated(role)})

    def _is_delegated(self, role: str) -> bool:
        """Whether `role` is a base role or delegated still, as far as can be told from what was loaded."""
        parent = role.rpartition("/")[0]
        if not parent:
            return True
        if parent in self.roles:
            return role in self._delegated[parent]
        return self._is_delegated(parent)

    @property
    def good_until(self) -> datetime:
        """When the first thing that was accepted expires, or a certificate of root does."""
        expiries = (accepted.expires for accepted in self.accepted.values())
        return min(self.root.certificates_until, self.root.root.expires, *expiries)

    def load_timestamp(self, body: bytes) -> Timestamp:
        """Verify and keep the timestamp in `body`.

        Raises:
            RejectedError: it is malformed, not signed by the root's threshold, older than its floor, or expired.
        """
        timestamp = self._parsed(parse_timestamp, body)
        self._accept(self._base_role("timestamp"), self.root.root.keys, timestamp, body)
        self.timestamp = timestamp
        return timestamp

    def load_snapshot(self, body: bytes) -> Snapshot:
        """Verify and keep the snapshot in `body`, which the timestamp names, and hold the root against it.

        Raises:
            RejectedError: as for the timestamp, or its bytes, or those of the root, are not the ones that were
                vouched for (``hash_mismatch``).
        """
        if self.timestamp is None:
            msg = "the timestamp comes before the snapshot"
            raise RuntimeError(msg)
        self._check_hashes("snapshot", self.timestamp.snapshot, body)
        snapshot = self._parsed(parse_snapshot, body)
        self._accept(self._base_role("snapshot"), self.root.root.keys, snapshot, body)
        self.snapshot = snapshot
        self._check_hashes("root", snapshot.meta["root"], self.root.body)
        return snapshot

    def load_targets(self, body: bytes) -> Targets:
        """Verify and keep the top-level targets in `body`, which the snapshot names. Raises as for the snapshot."""
        self._check_hashes("targets", self.entry("targets"), body)
        targets = self._parsed_targets("targets", body)
        self._accept(self._base_role("targets"), self.root.root.keys, targets, body)
        self._keep(targets)
        return targets

    def load_delegation(self, parent: Targets, role: Role, body: bytes) -> Targets:
        """Verify and keep the delegated targets in `body`, for the `role` that the verified `parent` delegates to.

        Raises:
            RejectedError: as for targets. With a code of `SKIPPABLE` the reference client passes the role over.

        Spec: notary tuf/builder.go, loadDelegation: structure, version, signatures, expiry, in this order.
        """
        if role.name in self.roles:
            msg = f"{role.name} is delegated twice"
            raise RejectedError(msg, code=Code.MALFORMED, subject=role.name)
        self._check_hashes(role.name, self.entry(role.name), body)
        targets = self._parsed_targets(role.name, body)
        for listed in role.key_ids:
            check_delegation_key(parent.keys[listed], role.name)
        self._check_floor(role, parent.keys, targets.version)
        self._accept(role, parent.keys, targets, body)
        self._keep(targets)
        return targets

    def _keep(self, targets: Targets) -> None:
        self.roles[targets.role] = targets
        self._delegated[targets.role] = frozenset(role.name for role in targets.delegations)

    def is_published(self, parent: Targets, role: Role) -> bool:
        """Return whether the snapshot lists the delegated `role` of the verified `parent`.

        Raises:
            RejectedError: it does not, though an earlier one did and the role is still delegated to the same keys
                (``rollback``). Stricter than notary, which takes it for unpublished.
        """
        info = self._snapshot().meta.get(role.name)
        if info is not None and info.published:
            return True
        if self._floor_in_force(role, parent.keys) is not None:
            msg = f"{role.name} has vanished from the snapshot, though it is still delegated"
            raise RejectedError(
                msg, code=Code.ROLLBACK, subject=role.name, expected="an entry in the snapshot", found="none"
            )
        self.checks.passed(Code.ROLLBACK, role.name, expected="published or never seen", found="never seen")
        return False

    def skip(self, parent: Targets, role: Role, fault: RejectedError) -> None:
        """Pass over a delegation with a `SKIPPABLE` fault, but remember that it was seen."""
        self.skipped[role.name] = fault
        self.checks.failed(fault.code, role.name, expected=fault.expected, found=f"{fault.found}; role passed over")
        if role.name not in self._floors:
            keys = {parse_public_key(parent.keys[listed]).canonical_id for listed in role.key_ids}
            self._floors[role.name] = Floor(0, tuple(sorted(keys)), role.threshold)

    def evidence(self, role: str) -> RoleEvidence:
        """Return what is known of an accepted document."""
        if role == "root":
            root = self.root
            return RoleEvidence("root", root.root.version, root.root.expires, root.key_ids)
        accepted = self.accepted[role]
        return RoleEvidence(role, accepted.version, accepted.expires, accepted.key_ids)

    def _note_root(self) -> None:
        root = self.root.root
        until = self.root.certificates_until.isoformat()
        self.checks.passed(Code.ROOT_CERTIFICATE, "root", found=f"certificates valid until {until}")
        self._note_signed("root", root.roles["root"].threshold, self.root.key_ids)
        self.checks.passed(Code.EXPIRED, "root", found=root.expires.isoformat())

    def _note_signed(self, role: str, threshold: int, signers: tuple[str, ...]) -> None:
        self.checks.passed(Code.THRESHOLD, role, expected=f"{threshold} keys", found=f"signed by {', '.join(signers)}")

    def _parsed(self, parse: Callable[[bytes, Limits], _Document], body: bytes) -> _Document:
        return self._memory.recall((parse, body), WEIGHT * len(body), lambda: parse(body, self._rules.limits))

    def _parsed_targets(self, role: str, body: bytes) -> Targets:
        key = (parse_targets, role, body)
        return self._memory.recall(key, WEIGHT * len(body), lambda: parse_targets(body, role, self._rules.limits))

    def _signers(
        self, role: Role, listed: Mapping[str, PublicKey], document: Timestamp | Snapshot | Targets, body: bytes
    ) -> tuple[str, ...]:
        """Return who has signed. A key's id is the hash of the key, so that ids as listed and true say everything."""
        ids = frozenset((name, key.key_id) for name, key in listed.items())
        key = (verify_signatures, self._rules.name, role.name, body, ids, role.threshold)
        return self._memory.recall(
            key, len(body), lambda: verify_signatures(document.envelope, role.name, listed, role.threshold)
        )

    def _base_role(self, name: str) -> Role:
        return self.root.root.roles[name]

    def _snapshot(self) -> Snapshot:
        if self.snapshot is None:
            msg = "the snapshot comes before targets"
            raise RuntimeError(msg)
        return self.snapshot

    def entry(self, role: str) -> FileInfo:
        """Return what the verified snapshot says of the document of `role`, which it lists."""
        return self._snapshot().meta[role]

    def _accept(
        self, role: Role, keys: Mapping[str, Key], document: Timestamp | Snapshot | Targets, body: bytes
    ) -> None:
        """Check signatures, version and expiry in this order; only what passes all becomes a floor."""
        listed = _public_keys(role, keys)
        signers = self._signers(role, listed, document, body)
        self._check_floor(role, keys, document.version)
        check_unexpired(role.name, document.expires, self._rules.at)
        self._note_signed(role.name, role.threshold, signers)
        self.checks.passed(Code.ROLLBACK, role.name, found=f"version {document.version}")
        self.checks.passed(Code.EXPIRED, role.name, found=document.expires.isoformat())
        self._floors[role.name] = Floor(document.version, signers, role.threshold)
        self.accepted[role.name] = Accepted(body, document.version, document.expires, signers, role.threshold)

    def _check_floor(self, role: Role, keys: Mapping[str, Key], offered_version: int) -> None:
        floor = self._floor_in_force(role, keys)
        if floor is not None and offered_version < floor.version:
            raise rolled_back(role.name, trusted=floor.version, offered=offered_version)

    def _floor_in_force(self, role: Role, keys: Mapping[str, Key]) -> Floor | None:
        """Return the role's floor, unless too few of the keys that made it are listed any more."""
        floor = self._floors.get(role.name)
        if floor is None:
            return None
        listed = {key.canonical_id for key in _public_keys(role, keys).values()}
        return floor if len(listed.intersection(floor.key_ids)) >= floor.threshold else None

    def _check_hashes(self, subject: str, info: FileInfo, body: bytes) -> None:
        mismatch = info.mismatch(self._memory.recall((digests, body), len(body), lambda: digests(body)))
        if mismatch is not None:
            msg = f"{subject} is not the document that was vouched for: {mismatch}"
            raise RejectedError(
                msg, code=Code.HASH_MISMATCH, subject=subject, expected=info.sha256.hex(), found=mismatch
            )
        self.checks.passed(Code.HASH_MISMATCH, subject, found=info.sha256.hex())


def _public_keys(role: Role, keys: Mapping[str, Key]) -> dict[str, PublicKey]:
    return {listed: parse_public_key(keys[listed]) for listed in role.key_ids}
