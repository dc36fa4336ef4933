"""One update: find the root to trust, then timestamp, snapshot, targets and delegations, refreshing the root once.

Spec: docs/notary-v1.md, "The update"; notary client/tufclient.go, bootstrapClient, update, updateRoot.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from typing import final

from imgsig.authority import Question
from imgsig.codes import Code
from imgsig.errors import InconclusiveError, RejectedError, VerificationError
from imgsig.notary.documents import Documents, may_be_stale_root
from imgsig.notary.metadata import FileInfo, Role, Targets, digests
from imgsig.notary.pinning import still_satisfies
from imgsig.notary.prefetch import Prefetch
from imgsig.notary.roots import RootRules, TrustedRoot, check_root_expiry, verify_anchor, verify_root
from imgsig.notary.settings import Anchor, Notary
from imgsig.notary.trusted import SKIPPABLE, TrustedSet
from imgsig.remembering import Remembered, standing
from imgsig.sections import RootFile
from imgsig.source import OutageError
from imgsig.trust import Evidence, Floor, Trust, rolled_back


@final
@dataclass(frozen=True, slots=True)
class Start:
    """The root that an update begins with."""

    root: TrustedRoot
    evidence: Evidence
    floors: Mapping[str, Floor]
    first_version: int
    """The version from which missing ones in between are walked: as in the client, 1 at first contact."""
    continues: bool
    """Whether its chain is the one stored, or follows it."""
    anchor: Anchor | None
    """What every root that follows must satisfy too, as in the client; None where trust is passed on by roots alone."""


@final
class Update:
    """The state of one update. `run` it once; what it reached is there afterwards even if it failed."""

    def __init__(self, question: Question, settings: Notary, remembered: Remembered) -> None:
        """Begin with what is `remembered` of the name, if anything."""
        self._question = question
        self._settings = settings
        self._remembered = remembered
        self._trust = trust = remembered.trust
        self._rules = RootRules(question.name, question.at, question.limits, question.memory)
        cold = trust is None and question.speculate
        self._prefetch = Prefetch(question.source, question.deadline) if cold else None
        self._documents = Documents(
            question.source,
            deadline=question.deadline,
            limits=question.limits,
            memory=question.memory,
            known=trust is not None,
            prefetch=self._prefetch,
        )
        self._bodies: dict[str, bytes] = {} if trust is None else dict(trust.documents)
        self.trusted: TrustedSet | None = None
        self.start: Start | None = None
        self.is_stale = False
        """Whether stored documents stood in for a server that could not be reached."""

    def run(self) -> TrustedSet:
        """Return the verified documents.

        Raises:
            RejectedError: something that was offered breaks a rule.
            InconclusiveError: something could not be had.
        """
        try:
            return self._run()
        finally:
            if self._prefetch is not None:
                self._prefetch.close()

    def _run(self) -> TrustedSet:
        start = self.start = self._start()
        self.trusted = TrustedSet(start.root, start.floors, self._rules)
        try:
            self._pass(self.trusted, self._timestamp_body())
        except VerificationError as fault:
            if self.is_stale:
                msg = f"the server cannot be reached and the stored trust data cannot stand in: {fault}"
                raise InconclusiveError(msg, code=Code.STALE, subject=fault.subject) from fault
            if not may_be_stale_root(fault):
                raise
            root = self._refresh_root(self.trusted, start)
            self.trusted = TrustedSet(root, self.trusted.floors, self._rules)
            self._pass(self.trusted, self._documents.fetch_timestamp())
        if self._trust is not None:
            self._check_not_older(self.trusted.root, self._trust)
        return self.trusted

    @property
    def has_learnt(self) -> bool:
        """Whether what was reached is worth remembering: there is a root, and it is not older than the stored one."""
        if self.start is None:
            return False
        root = self.start.root if self.trusted is None else self.trusted.root
        return self._trust is None or root.root.version >= self._rules.parse(self._trust.root).version

    def _start(self) -> Start:
        """Return the root to begin with: the stored one, the rule's file, or an offered one that the anchor trusts."""
        anchor = self._settings.anchor
        if self._trust is not None and still_satisfies(self._trust.evidence, anchor):
            return self._start_from(self._trust.root, self._trust.evidence, self._trust.floors, continues=True)
        floors = {} if self._trust is None else standing(self._trust.floors)
        if isinstance(anchor, RootFile):
            evidence = Evidence(anchor.kind, (sha256(anchor.document).hexdigest(),))
            return self._start_from(anchor.document, evidence, floors, continues=False)
        body = self._documents.fetch_root()
        offered = verify_root(body, self._rules, previous=None, min_version=1)
        evidence = verify_anchor(offered, anchor, self._rules)
        check_root_expiry(offered, self._question.at)
        if self._trust is not None:
            self._check_not_older(offered, self._trust)
        continues = self._succeeds_stored(body)
        if continues and self._trust is not None:
            floors = dict(self._trust.floors)
        return Start(offered, evidence, floors, first_version=1, continues=continues, anchor=anchor)

    def _start_from(
        self, body: bytes, evidence: Evidence, floors: Mapping[str, Floor], *, continues: bool
    ) -> Start:
        """Begin with a root at hand. If it has expired, the offered one must follow it directly and be anchored too."""
        root = verify_root(body, self._rules, previous=None, min_version=1)
        if root.root.expires >= self._question.at:
            return Start(root, evidence, floors, root.root.version, continues, anchor=None)
        anchor = None if isinstance(self._settings.anchor, RootFile) else self._settings.anchor
        newer = self._follow(root, self._documents.fetch_root(), anchor, min_version=root.root.version)
        check_root_expiry(newer, self._question.at)
        return Start(newer, evidence, floors, root.root.version, continues, anchor)

    def _succeeds_stored(self, body: bytes) -> bool:
        if self._trust is None:
            return False
        try:
            stored = verify_root(self._trust.root, self._rules, previous=None, min_version=1)
            verify_root(body, self._rules, previous=stored, min_version=stored.root.version)
        except RejectedError:
            return False
        return True

    def _check_not_older(self, root: TrustedRoot, trust: Trust) -> None:
        stored_version = self._rules.parse(trust.root).version
        if root.root.version < stored_version:
            raise rolled_back("root", trusted=stored_version, offered=root.root.version)

    def _refresh_root(self, trusted: TrustedSet, start: Start) -> TrustedRoot:
        """Return the newest root that follows the trusted one.

        Spec: notary client/tufclient.go, updateRoot.
        """
        info = trusted.snapshot.meta["root"] if trusted.snapshot else None
        if info is not None and info.mismatch(digests(trusted.root.body)) is None:
            return trusted.root
        newest = self._documents.fetch_root() if info is None else self._documents.fetch("root", info)
        root = trusted.root
        try:
            newer = self._follow(root, newest, start.anchor, min_version=root.root.version)
        except RejectedError as error:
            if error.code is not Code.ROOT_ROTATION:
                raise
            newer = self._walk(root, newest, start)
        check_root_expiry(newer, self._question.at)
        return newer

    def _walk(self, root: TrustedRoot, newest: bytes, start: Start) -> TrustedRoot:
        """Return the `newest` root, reached from `root` over every version in between."""
        newest_version = self._rules.parse(newest).version
        if newest_version - start.first_version > self._question.limits.max_root_rotations:
            msg = f"root went from version {start.first_version} to {newest_version} at once"
            raise RejectedError(msg, code=Code.LIMIT_EXCEEDED, subject="root", found=str(newest_version))
        for version in range(start.first_version + 1, newest_version):
            body = self._documents.fetch_root_version(version)
            root = self._follow(root, body, start.anchor, min_version=version)
        return self._follow(root, newest, start.anchor, min_version=newest_version)

    def _follow(self, root: TrustedRoot, body: bytes, anchor: Anchor | None, *, min_version: int) -> TrustedRoot:
        """Return the root in `body`, which follows `root` and satisfies the `anchor` if there is one."""
        newer = verify_root(body, self._rules, previous=root, min_version=min_version)
        if anchor is not None:
            verify_anchor(newer, anchor, self._rules)
        return newer

    def _pass(self, trusted: TrustedSet, timestamp_body: bytes) -> None:
        """Load every document below the root, in order."""
        timestamp = trusted.load_timestamp(timestamp_body)
        snapshot = trusted.load_snapshot(self._body("snapshot", timestamp.snapshot))
        targets = trusted.load_targets(self._body("targets", snapshot.meta["targets"]))
        self._load_delegations(trusted, targets)

    def _load_delegations(self, trusted: TrustedSet, targets: Targets) -> None:
        """Load every delegated role, depth first, children before the siblings that follow.

        Spec: notary client/tufclient.go, downloadTargets: all roles are loaded, whichever tag is asked for.
        """
        waiting = _delegated(targets)
        seen = 0
        while waiting:
            parent, role = waiting.pop()
            if not trusted.is_published(parent, role):
                continue
            seen += 1
            if seen > self._question.limits.max_roles:
                msg = f"more than {self._question.limits.max_roles} delegated roles"
                raise RejectedError(msg, code=Code.LIMIT_EXCEEDED, subject="targets")
            info, at_hand = trusted.entry(role.name), self._bodies.get(role.name)
            body = self._body(role.name, info)
            try:
                child = trusted.load_delegation(parent, role, body)
            except RejectedError as fault:
                if fault.code not in SKIPPABLE:
                    raise
                if body is at_hand:
                    self._ask_again(role.name, info)
                trusted.skip(parent, role, fault)
                continue
            waiting += _delegated(child)

    def _ask_again(self, role: str, info: FileInfo) -> None:
        """Ask for the document of a role that was at hand and must be passed over: the server has to have it too.

        Spec: notary client/tufclient.go, tryLoadCacheThenRemote.
        """
        if self.is_stale:
            msg = f"{role} is to be passed over, which only the server can confirm"
            raise InconclusiveError(msg, code=Code.STALE, subject=role)
        self._documents.fetch(role, info)

    def _timestamp_body(self) -> bytes:
        """Return the timestamp: the server's, or the stored one if the rule bridges an outage and it is recent."""
        try:
            return self._documents.fetch_timestamp()
        except OutageError as outage:
            body = self._remembered.bridge(outage)
            self.is_stale = True
            return body

    def _body(self, role: str, info: FileInfo) -> bytes:
        """Return a document at hand if its hash is the one demanded, else the source's."""
        most = self._documents.max_bytes(role, info)
        cached = self._bodies.get(role)
        if cached is not None and len(cached) <= most and self._documents.mismatch(info, cached) is None:
            return cached
        if self.is_stale:
            msg = f"the stored trust data lacks {role}"
            raise InconclusiveError(msg, code=Code.STALE, subject=role)
        self._bodies[role] = self._documents.fetch(role, info)
        return self._bodies[role]


def _delegated(parent: Targets) -> list[tuple[Targets, Role]]:
    """Return what `parent` delegates to, the last first. A name that is listed twice has the keys of its first entry.

    Spec: notary tuf/data/targets.go, BuildDelegationRole.
    """
    first: dict[str, Role] = {}
    for role in parent.delegations:
        first.setdefault(role.name, role)
    return [(parent, first[role.name]) for role in reversed(parent.delegations)]
