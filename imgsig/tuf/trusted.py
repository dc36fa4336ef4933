"""What is trusted of a TUF repository at one moment: documents go in as bytes and come out verified, or not at all.

Pure: no clock, disk, network or environment. Which document comes next, and what to do when one cannot be had, is for
`update` to say.

Spec: TUF specification 1.0, section 5, "Detailed client workflow"; steps are cited by their numbers.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from types import MappingProxyType
from typing import Any, Final, TypeAlias, TypeVar, final

from imgsig.codes import Code
from imgsig.errors import RejectedError
from imgsig.strictjson import quote
from imgsig.trust import Floor, rolled_back
from imgsig.tuf.delegations import role_named
from imgsig.tuf.keys import Signers, canonical_ids
from imgsig.tuf.metadata import Document, file_of, parse_root, parse_snapshot, parse_timestamp, role_of
from imgsig.tuf.model import MetaFile, Role, Snapshot, SSlibKey, Targets, Timestamp
from imgsig.tuf.rules import Rules, check_version, shown
from imgsig.verdict import Checks, RoleEvidence

_Model = TypeVar("_Model", Timestamp, Snapshot)
_AnyDocument: TypeAlias = Document[Any]

_ABOVE: Final = frozenset({"root", "timestamp", "snapshot"})
"""Roles of which a snapshot says nothing that counts."""


@final
@dataclass(frozen=True, slots=True)
class Accepted:
    """A verified document's bytes and who signed it."""

    body: bytes
    version: int
    expires: datetime
    signers: Signers
    threshold: int


@final
class TrustedSet:
    """The documents that belong together under one chain of roots, verified in the order of the specification.

    First roots, then timestamp, snapshot and targets. What is accepted raises the version floors; a document that has
    expired is not accepted.
    """

    def __init__(self, root: bytes, floors: Mapping[str, Floor], rules: Rules) -> None:
        """Start with a `root` that is trusted, whether or not it has expired, and the `floors` in force.

        Raises:
            RejectedError: it is ``malformed``, or not signed by the threshold of its own keys (``threshold``).
        """
        self._rules = rules
        self._floors = dict(floors)
        self.checks = Checks()
        self.accepted: dict[str, Accepted] = {}
        """Role to document, for every role that was accepted, root included."""
        self.roles: dict[str, Document[Targets]] = {}
        self.root = rules.parsed(parse_root, root)
        self.timestamp: Document[Timestamp] | None = None
        self.snapshot: Document[Snapshot] | None = None
        self._recalled: tuple[bytes, Document[Timestamp], Signers] | None = None
        signers = rules.signers("root", self.root.model.roles["root"], self.root.keys, root, self.root)
        self._accept("root", root, self.root, signers, self.root.model.roles["root"])

    @property
    def floors(self) -> Mapping[str, Floor]:
        """The floors after what was accepted so far."""
        return MappingProxyType(self._floors)

    def adopt_floors(self, floors: Mapping[str, Floor]) -> None:
        """Start with other `floors`. Only before `close_roots`."""
        self._floors = dict(floors)

    # -- 5.3: root ----------------------------------------------------------------------------------------------

    def load_root(self, body: bytes) -> None:
        """Verify and keep the root in `body`, which follows the one trusted so far. It may have expired.

        Raises:
            RejectedError: it is malformed, not signed by the threshold of the root before (``root_rotation``) or its
                own (``threshold``), or does not have the next version.
        """
        document = self._rules.parsed(parse_root, body)
        before, own = self.root.model.roles["root"], document.model.roles["root"]
        # 5.3.4. Check for an arbitrary software attack: signed by thresholds of the previous and of the new keys.
        try:
            self._rules.signers("root", before, self.root.keys, body, document)
        except RejectedError as error:
            version = self.root.model.version
            msg = f"the root offered is not signed by the keys of version {version}: {error}"
            expected = f"{before.threshold} keys of root version {version}"
            raise RejectedError(
                msg, code=Code.ROOT_ROTATION, subject="root", expected=expected, found=error.found
            ) from error
        signers = self._rules.signers("root", own, document.keys, body, document)
        # 5.3.5. Check for a rollback attack: the version is exactly the next.
        check_version("root", document.model.version, expected=self.root.model.version + 1)
        # 5.3.6. The expiration of the new root does not matter yet. 5.3.7. Set the trusted root.
        self.root = document
        self._accept("root", body, document, signers, own)

    def close_roots(self) -> None:
        """Say that no newer root follows, and let floors fall whose keys a new root has replaced.

        Raises:
            RejectedError: the root has expired (``expired``).
        """
        # 5.3.11. If the timestamp or snapshot keys have been rotated, what came with the old ones no longer counts.
        self._floors = {role: floor for role, floor in self._floors.items() if self._stands(role, floor)}
        # 5.3.10. Check for a freeze attack.
        self._check_unexpired("root", self.root)
        self._note_accepted("root")

    # -- 5.4: timestamp -----------------------------------------------------------------------------------------

    def recall_timestamp(self, body: bytes) -> None:
        """Let the timestamp that was trusted before count against rollback, if the root's keys have signed it."""
        try:
            document = self._rules.parsed(parse_timestamp, body)
            signers = self._top_level_signers("timestamp", body, document)
        except RejectedError:
            return
        self._recalled = body, document, signers
        self._raise_floors(self._floors_of_timestamp(document, signers))

    def load_timestamp(self, body: bytes) -> Timestamp:
        """Verify and keep the timestamp in `body`, or the one recalled if that has the same version.

        Raises:
            RejectedError: it is malformed, not signed by the root's threshold, rolls back its own version or the
                snapshot's, or has expired.
        """
        document = self._rules.parsed(parse_timestamp, body)
        # 5.4.2. Check for an arbitrary software attack.
        signers = self._top_level_signers("timestamp", body, document)
        # 5.4.3.1. Check for a rollback attack. In case the versions are equal, discard the new timestamp.
        version = document.model.version
        self._check_floor("timestamp", version)
        if self._recalled is not None and self._recalled[1].model.version == version:
            body, document, signers = self._recalled
        # 5.4.3.2. The version of the snapshot must not go back either.
        self._check_floor("snapshot", document.model.snapshot_meta.version)
        # 5.4.4. Check for a freeze attack.
        self._check_unexpired("timestamp", document)
        self.timestamp = document
        self._floors.update(self._floors_of_timestamp(document, signers))
        self._accept("timestamp", body, document, signers, self.root.model.roles["timestamp"])
        self._note_accepted("timestamp")
        return document.model

    # -- 5.5: snapshot ------------------------------------------------------------------------------------------

    def recall_snapshot(self, body: bytes) -> None:
        """Let the snapshot that was trusted before count against rollback, if the root's keys have signed it."""
        try:
            document = self._rules.parsed(parse_snapshot, body)
            signers = self._top_level_signers("snapshot", body, document)
        except RejectedError:
            return
        self._raise_floors(self._floors_of_snapshot(document, signers))

    def load_snapshot(self, body: bytes) -> Snapshot:
        """Verify and keep the snapshot in `body`, which the timestamp names.

        Raises:
            RejectedError: it is not the one named (``hash_mismatch``), malformed, not signed by the root's threshold,
                lists an older version of a role or no longer lists it (``rollback``), or has expired.
        """
        # 5.5.2. Check against the timestamp's hashes and length.
        meta = _present(self.timestamp).model.snapshot_meta
        self._rules.fits("snapshot", meta, body)
        document = self._rules.parsed(parse_snapshot, body)
        # 5.5.3. Check for an arbitrary software attack.
        signers = self._top_level_signers("snapshot", body, document)
        # 5.5.4. Check against the timestamp's version.
        check_version("snapshot", document.model.version, expected=meta.version)
        # 5.5.5. Check for a rollback attack: no role of the trusted snapshot goes back or vanishes.
        for role in self._floors:
            if role not in _ABOVE:
                self._check_listed(role, document.model.meta.get(file_of(role)))
        # 5.5.6. Check for a freeze attack.
        self._check_unexpired("snapshot", document)
        self.snapshot = document
        kept = {role: floor for role, floor in self._floors.items() if role in _ABOVE}
        self._floors = kept | self._floors_of_snapshot(document, signers)
        self._accept("snapshot", body, document, signers, self.root.model.roles["snapshot"])
        self._note_accepted("snapshot", meta)
        return document.model

    # -- 5.6: targets -------------------------------------------------------------------------------------------

    def entry(self, role: str) -> MetaFile:
        """Return what the snapshot says of the document of `role`.

        Raises:
            RejectedError: nothing, though the role is delegated (``malformed``).
        """
        meta = _present(self.snapshot).model.meta.get(file_of(role))
        if meta is None:
            msg = f"the snapshot does not list {quote(role)}, which is delegated"
            raise RejectedError(msg, code=Code.MALFORMED, subject=role, expected="an entry", found="none")
        return meta

    def load_targets(self, role: str, body: bytes, *, delegator: str) -> Document[Targets]:
        """Verify and keep the targets in `body`, the document of `role`, which the accepted `delegator` delegates to.

        The `delegator` of ``targets`` itself is ``root``.

        Raises:
            RejectedError: it is not the one that the snapshot names (``hash_mismatch``), malformed, not signed by the
                delegator's threshold, or has expired.
        """
        # 5.6.2. Check against the snapshot's hashes and length.
        meta = self.entry(role)
        self._rules.fits(role, meta, body)
        document = self._rules.parsed_targets(body, role)
        # 5.6.3. Check for an arbitrary software attack.
        listed, keys = self._delegation(role, delegator)
        signers = self._rules.signers(role, listed, keys, body, document)
        # 5.6.4. Check against the snapshot's version.
        check_version(role, document.model.version, expected=meta.version)
        # 5.6.5. Check for a freeze attack.
        self._check_unexpired(role, document)
        self.roles[role] = document
        self._accept(role, body, document, signers, listed)
        self._note_accepted(role, meta)
        return document

    # -- evidence -----------------------------------------------------------------------------------------------

    def evidence(self, role: str) -> RoleEvidence:
        """Return what is known of an accepted document."""
        accepted = self.accepted[role]
        return RoleEvidence(role, accepted.version, accepted.expires, accepted.signers.key_ids)

    def _accept(self, role: str, body: bytes, document: _AnyDocument, signers: Signers, listed: Role) -> None:
        version, expires = document.model.version, document.model.expires
        self.accepted[role] = Accepted(body, version, expires, signers, listed.threshold)

    def _note_accepted(self, role: str, meta: MetaFile | None = None) -> None:
        accepted = self.accepted[role]
        if meta is not None and meta.hashes:
            self.checks.passed(Code.HASH_MISMATCH, role, found=shown(meta))
        signed_by = f"signed by {', '.join(accepted.signers.key_ids)}"
        self.checks.passed(Code.THRESHOLD, role, expected=f"{accepted.threshold} keys", found=signed_by)
        self.checks.passed(Code.ROLLBACK, role, found=f"version {accepted.version}")
        self.checks.passed(Code.EXPIRED, role, found=accepted.expires.isoformat())

    # -- the single checks --------------------------------------------------------------------------------------

    def _top_level_signers(self, role: str, body: bytes, document: _AnyDocument) -> Signers:
        return self._rules.signers(role, self.root.model.roles[role], self.root.keys, body, document)

    def _delegation(self, role: str, delegator: str) -> tuple[Role, Mapping[str, SSlibKey]]:
        if delegator == "root":
            return self.root.model.roles[role], self.root.keys
        above = self.roles[delegator]
        listed = role_named(above.model.delegations, role)
        if listed is None:
            msg = f"{delegator} does not delegate to {role}"
            raise RuntimeError(msg)
        return listed, above.keys

    def _check_unexpired(self, role: str, document: _AnyDocument) -> None:
        expires, at = document.model.expires, self._rules.at
        if at >= expires:
            msg = f"{quote(role)} has expired on {expires:%Y-%m-%d %H:%M:%SZ}"
            expected = f"an expiry after {at.isoformat()}"
            raise RejectedError(msg, code=Code.EXPIRED, subject=role, expected=expected, found=expires.isoformat())

    def _check_floor(self, role: str, offered: int) -> None:
        floor = self._floors.get(role)
        if floor is not None and offered < floor.version:
            raise rolled_back(role, trusted=floor.version, offered=offered)

    def _check_listed(self, role: str, meta: MetaFile | None) -> None:
        if meta is None:
            msg = f"{quote(role)} has vanished from the snapshot"
            expected = "an entry in the snapshot"
            raise RejectedError(msg, code=Code.ROLLBACK, subject=role, expected=expected, found="none")
        self._check_floor(role, meta.version)

    # -- floors -------------------------------------------------------------------------------------------------

    def _stands(self, role: str, floor: Floor) -> bool:
        """Whether enough of the keys that made a floor are still listed for the role whose document it came from."""
        source = "timestamp" if role in {"timestamp", "snapshot"} else "snapshot"
        listed = canonical_ids(self.root.model.roles[source], self.root.keys) if floor.threshold else frozenset()
        return len(listed.intersection(floor.key_ids)) >= floor.threshold

    def _floors_of_timestamp(self, document: Document[Timestamp], signers: Signers) -> dict[str, Floor]:
        versions = {"timestamp": document.model.version, "snapshot": document.model.snapshot_meta.version}
        return self._floors_of("timestamp", versions, signers)

    def _floors_of_snapshot(self, document: Document[Snapshot], signers: Signers) -> dict[str, Floor]:
        """Return the floors of every role that a snapshot lists; what it may say of itself and those above is no one's.

        Spec: section 5.5.5 speaks of targets metadata alone.
        """
        versions = {
            role_of(file): meta.version for file, meta in document.model.meta.items() if role_of(file) not in _ABOVE
        }
        return self._floors_of("snapshot", versions, signers)

    def _floors_of(self, source: str, versions: Mapping[str, int], signers: Signers) -> dict[str, Floor]:
        threshold = self.root.model.roles[source].threshold
        return {role: Floor(version, signers.canonical_ids, threshold) for role, version in versions.items()}

    def _raise_floors(self, floors: Mapping[str, Floor]) -> None:
        for role, floor in floors.items():
            present = self._floors.get(role)
            if present is None or present.version < floor.version:
                self._floors[role] = floor


def _present(document: Document[_Model] | None) -> Document[_Model]:
    if document is None:
        msg = "documents are loaded in the order of the specification"
        raise RuntimeError(msg)
    return document
