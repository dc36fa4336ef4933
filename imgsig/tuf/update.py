"""One update: the newest root that follows the trusted one, then timestamp, snapshot, targets, and what is delegated.

Spec: TUF specification 1.0, section 5, "Detailed client workflow"; docs/tuf.md, "The update".
"""

from collections.abc import Callable
from hashlib import sha256
from typing import TypeVar, final

from imgsig.authority import Question
from imgsig.codes import Code
from imgsig.errors import InconclusiveError, RejectedError, VerificationError
from imgsig.remembering import Remembered, standing
from imgsig.sections import RootFile
from imgsig.source import OutageError
from imgsig.strictjson import quote
from imgsig.trust import Evidence, Trust, rolled_back
from imgsig.tuf.documents import Documents
from imgsig.tuf.metadata import Document, file_of, parse_root
from imgsig.tuf.model import Targets
from imgsig.tuf.rules import Rules
from imgsig.tuf.search import Search
from imgsig.tuf.settings import Tuf, anchor_sha256, still_satisfies
from imgsig.tuf.trusted import TrustedSet
from imgsig.verdict import Checks

_T = TypeVar("_T")


@final
class Update:
    """The state of one update. `refresh` it once, then `search`; what it reached is there even if that failed."""

    def __init__(self, question: Question, settings: Tuf, remembered: Remembered) -> None:
        """Begin with what is `remembered` of the name, if anything."""
        self._question = question
        self._settings = settings
        self._remembered = remembered
        self._trust = trust = remembered.trust
        self._rules = Rules(question.at, question.limits, question.memory)
        self._documents = Documents(question.source, deadline=question.deadline, limits=question.limits)
        self._cached = {} if trust is None else dict(trust.documents)
        self._loaded: dict[tuple[str, str], Document[Targets]] = {}
        self._evidence = Evidence("")
        self._continues = False
        """Whether the chain of roots is the one stored, or contains it."""
        self._trusted: TrustedSet | None = None
        self.is_stale = False
        """Whether stored documents stand in for a server that cannot be reached."""
        self.search = Search(self._load_targets, max_delegations=question.limits.max_delegations)

    @property
    def trusted(self) -> TrustedSet:
        """What is verified so far."""
        if self._trusted is None:
            msg = "an update begins with a trusted root"
            raise RuntimeError(msg)
        return self._trusted

    @property
    def has_begun(self) -> bool:
        """Whether there is a trusted root."""
        return self._trusted is not None

    @property
    def evidence(self) -> Evidence:
        """Why the chain of roots is trusted."""
        return self._evidence

    def refresh(self) -> None:
        """Verify everything up to the top-level targets.

        Raises:
            RejectedError: something that was offered breaks a rule.
            InconclusiveError: something could not be had.
        """
        trusted = self._trusted = self._start()
        timestamp: bytes | None = None
        try:
            self._walk_roots(trusted)
        except OutageError as outage:
            timestamp = self._bridge(outage)
        self._check_not_older(trusted)
        self._when_stale(trusted.close_roots)
        if "timestamp" in self._cached:
            trusted.recall_timestamp(self._cached["timestamp"])
        if timestamp is None:
            timestamp = self._fetch_timestamp()
        self._when_stale(lambda: self._refresh(trusted, timestamp))

    def progress(self) -> Trust | None:
        """Return what is worth keeping of an update that has failed; None if it has not even found a root to follow."""
        if self._trusted is None or self._stored_version > self._trusted.root.model.version:
            return None
        return self.learnt()

    def learnt(self) -> Trust:
        """Return what is known now."""
        trusted, old, question = self.trusted, self._trust, self._question
        accepted = {role: one.body for role, one in trusted.accepted.items() if role != "root"}
        kept = {} if old is None else dict(old.documents)
        if trusted.snapshot is not None:
            listed = trusted.snapshot.model.meta
            kept = {role: body for role, body in kept.items() if file_of(role) in listed}
        confirmed = "timestamp" in accepted and not self.is_stale
        return Trust(
            root=trusted.accepted["root"].body,
            evidence=self._evidence,
            floors=trusted.floors,
            documents={**kept, **accepted},
            origin=question.source.evidence.location,
            known_since=old.known_since if old is not None and self._continues else question.at,
            confirmed_at=question.at if confirmed or old is None else old.confirmed_at,
        )

    # -- root ---------------------------------------------------------------------------------------------------

    def _start(self) -> TrustedSet:
        """Begin with the stored root, if its evidence satisfies the rule's anchor still, else with the anchor's own."""
        trust, anchor = self._trust, self._settings.anchor
        if trust is not None and still_satisfies(trust.evidence, anchor):
            self._evidence, self._continues = trust.evidence, True
            return TrustedSet(trust.root, trust.floors, self._rules)
        self._evidence = Evidence(anchor.kind, (anchor_sha256(anchor),))
        body = anchor.document if isinstance(anchor, RootFile) else self._fetch_anchored(anchor.sha256)
        trusted = TrustedSet(body, {} if trust is None else standing(trust.floors), self._rules)
        self._recognise(trusted, body)
        return trusted

    def _fetch_anchored(self, wanted: str) -> bytes:
        """Return the root with the hash that the rule's anchor names, sought from the first version upwards."""
        most = self._question.limits.max_root_rotations
        seen = 0
        for version in range(1, most + 1):
            body = self._documents.fetch_root(1) if version == 1 else self._documents.fetch_next_root(version)
            if body is None:
                break
            if sha256(body).hexdigest() == wanted:
                return body
            seen = version
        msg = f"none of the {seen} roots offered has the hash that the rule's {self._settings.anchor.kind} trusts"
        raise RejectedError(
            msg, code=Code.ANCHOR_MISMATCH, subject="root", expected=wanted, found=f"roots 1 to {seen}, all others"
        )

    def _walk_roots(self, trusted: TrustedSet) -> None:
        """Load one root after another. 5.3.3: the client stops when the next one is not available, or after so many."""
        most = self._question.limits.max_root_rotations
        for _ in range(most):
            body = self._documents.fetch_next_root(trusted.root.model.version + 1)
            if body is None:
                return
            trusted.load_root(body)
            self._recognise(trusted, body)
        if self._documents.fetch_next_root(trusted.root.model.version + 1) is None:
            return
        # Stricter than the specification, which goes on with a root that others have replaced.
        msg = f"more than {most} newer roots at once; those up to {trusted.root.model.version} are trusted now"
        raise RejectedError(
            msg, code=Code.LIMIT_EXCEEDED, subject="root", hint="ask again to go on from there", found=f"over {most}"
        )

    def _recognise(self, trusted: TrustedSet, body: bytes) -> None:
        """Let the stored floors count as they were made once the chain has come to the stored root itself."""
        if self._trust is not None and body == self._trust.root and not self._continues:
            self._continues = True
            trusted.adopt_floors(self._trust.floors)

    def _check_not_older(self, trusted: TrustedSet) -> None:
        if self._stored_version > trusted.root.model.version:
            raise rolled_back("root", trusted=self._stored_version, offered=trusted.root.model.version)

    @property
    def _stored_version(self) -> int:
        return 0 if self._trust is None else self._rules.parsed(parse_root, self._trust.root).model.version

    # -- what stands below it -----------------------------------------------------------------------------------

    def _refresh(self, trusted: TrustedSet, timestamp_body: bytes) -> None:
        timestamp = trusted.load_timestamp(timestamp_body)
        if "snapshot" in self._cached:
            trusted.recall_snapshot(self._cached["snapshot"])
        consistent = self._is_consistent(trusted)
        self._load(
            "snapshot",
            trusted.load_snapshot,
            lambda: self._documents.fetch_snapshot(timestamp.snapshot_meta, consistent=consistent),
        )
        self._load_targets("targets", "root")

    def _load_targets(self, role: str, delegator: str) -> Document[Targets]:
        """Return the verified document of `role`, which the accepted `delegator` delegates to."""
        trusted, place = self.trusted, (delegator, role)
        if place not in self._loaded:
            meta, consistent = trusted.entry(role), self._is_consistent(trusted)
            self._loaded[place] = self._load(
                role,
                lambda body: trusted.load_targets(role, body, delegator=delegator),
                lambda: self._documents.fetch_targets(role, meta, consistent=consistent),
            )
        return self._loaded[place]

    def _load(self, role: str, accept: Callable[[bytes], _T], fetch: Callable[[], bytes]) -> _T:
        """Return what `accept` makes of the document at hand, if that still passes, else of the source's."""
        if role in self._cached:
            try:
                return accept(self._cached[role])
            except RejectedError as fault:
                if self.is_stale:
                    raise _cannot_stand_in(fault) from fault
        if self.is_stale:
            msg = f"the stored trust data lacks {quote(role)}"
            raise InconclusiveError(msg, code=Code.STALE, subject=role)
        body = fetch()
        accepted = accept(body)
        self._cached[role] = body
        return accepted

    @staticmethod
    def _is_consistent(trusted: TrustedSet) -> bool:
        return bool(trusted.root.model.consistent_snapshot)

    # -- outages ------------------------------------------------------------------------------------------------

    def _fetch_timestamp(self) -> bytes:
        try:
            return self._documents.fetch_timestamp()
        except OutageError as outage:
            return self._bridge(outage)

    def _bridge(self, outage: OutageError) -> bytes:
        body = self._remembered.bridge(outage)
        self.is_stale = True
        return body

    def _when_stale(self, step: Callable[[], None]) -> None:
        """Do a step. If stored documents stand in and do not pass, that is no verdict on the repository."""
        try:
            step()
        except RejectedError as fault:
            if not self.is_stale:
                raise
            raise _cannot_stand_in(fault) from fault


def _cannot_stand_in(fault: RejectedError) -> InconclusiveError:
    msg = f"the server cannot be reached and the stored trust data cannot stand in: {fault}"
    return InconclusiveError(msg, code=Code.STALE, subject=fault.subject)


def learn(update: Update, remembered: Remembered, checks: Checks, ask_for: Callable[[Search], _T]) -> _T:
    """Return what `ask_for` finds once `update` is done, and remember what was learnt, also if either fails.

    Raises:
        VerificationError: as `Update.refresh`, `ask_for` and `Remembered.keep` do.
    """
    try:
        update.refresh()
        found = ask_for(update.search)
    except VerificationError as fault:
        _copy_checks(update, checks)
        remembered.keep_progress(update.progress(), fault, is_stale=update.is_stale)
        raise
    _copy_checks(update, checks)
    remembered.keep(update.learnt(), is_stale=update.is_stale)
    return found


def _copy_checks(update: Update, checks: Checks) -> None:
    if update.has_begun:
        checks.extend(update.trusted.checks)
