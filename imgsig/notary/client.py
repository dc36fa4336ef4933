"""The Notary authority: one update, one answer, and what is remembered of it.

Spec: docs/notary-v1.md, "The update"; DESIGN decisions 4, 7, 8 and 10 in docs/decisions.md.
"""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final, final

from imgsig.authority import Question
from imgsig.codes import Code
from imgsig.errors import RejectedError, VerificationError
from imgsig.limits import Deadline, Limits
from imgsig.memory import Memory
from imgsig.notary.answer import answer
from imgsig.notary.capture import capture_documents
from imgsig.notary.choice import Tree
from imgsig.notary.outlook import outlook_of
from imgsig.notary.roots import RootRules
from imgsig.notary.settings import FirstUse, Notary
from imgsig.notary.trusted import TrustedSet
from imgsig.notary.update import Start, Update
from imgsig.outlook import Outlook
from imgsig.remembering import Remembered, answer_by_memory
from imgsig.source import Source
from imgsig.trust import Evidence, Trust
from imgsig.verdict import Attestation, Checks

_CONFIRMED_FOR: Final = timedelta(milliseconds=20)
"""How long a look at the state's generation serves for more tags of a shared update: about as long as one answer takes
to reach whoever asked."""


@final
@dataclass(frozen=True, slots=True)
class _Done:
    """A finished update, from which any tag of its name can be answered for a while."""

    trusted: TrustedSet
    tree: Tree
    evidence: Evidence
    at: datetime
    good_until: datetime
    fresh: bool
    known_since: datetime | None
    generation: str
    confirmed_at: datetime
    """When it was last seen that no other process has learnt more."""
    audience: object
    """Held, so that no other audience gets its identity while the update is shared."""


@final
class NotaryAuthority:
    """Docker Content Trust, as one rule's section trusts it. Implements ``imgsig.authority.Authority``."""

    def __init__(self, settings: Notary) -> None:
        """Answer by `settings`."""
        self._settings = settings

    def attest(self, question: Question, checks: Checks) -> Attestation:
        """Return which digest the name's publisher signed, by these steps.

        1. Load what is remembered of the name.
        2. Find a trusted root, then verify timestamp, snapshot, targets and delegations (`Update.run`).
        3. Remember the root and the version floors, also when a later step fails.
        4. Choose the digest as docker's client does, and hear the required signers (`answer`).

        If another process has changed what is remembered meanwhile, all is done again.

        Raises:
            RejectedError: a rule does not hold.
            InconclusiveError: no answer could be reached.
        """
        if question.state is None and isinstance(self._settings.anchor, FirstUse):
            msg = "a first-use rule trusts nothing that is only in an archive"
            raise RejectedError(
                msg, code=Code.ANCHOR_MISMATCH, subject="root", expected="a pinned root", found="first-use"
            )
        if question.max_update_age_seconds <= 0:
            return self._answer_by_memory(question, checks)
        with question.memory.turn(self._shared(question), question.deadline):
            return self._answer_by_memory(question, checks)

    def _answer_by_memory(self, question: Question, checks: Checks) -> Attestation:
        return answer_by_memory(
            question,
            self._settings.system,
            checks,
            lambda remembered, made: self._attest(question, remembered, made),
            max_stale_seconds=self._settings.max_stale_seconds,
        )

    def capture(self, source: Source, *, deadline: Deadline, limits: Limits) -> None:
        """Fetch every document of the name from `source`, verifying none. See `imgsig.authority.Authority`."""
        capture_documents(source, deadline=deadline, limits=limits)

    def outlook(self, trust: Trust, name: str, *, at: datetime, limits: Limits) -> Outlook:
        """Return what the verified `trust` will come to. See `imgsig.authority.Authority`."""
        return outlook_of(trust, self._settings, RootRules(name, at, limits, Memory()))

    def _attest(self, question: Question, remembered: Remembered, checks: Checks) -> Attestation:
        recent = self._recent(question, remembered)
        done = self._update(question, remembered, checks) if recent is None else recent
        checks.extend(done.trusted.checks)
        evidence = done.evidence
        checks.passed(Code.ANCHOR_MISMATCH, "root", expected=evidence.kind, found=", ".join(evidence.ids))
        remembered.note_origin(checks)
        # 4. The digest.
        return answer(
            question,
            self._settings,
            done.trusted,
            done.tree,
            checks,
            anchor=evidence,
            fresh=done.fresh,
            known_since=done.known_since,
        )

    def _recent(self, question: Question, remembered: Remembered) -> "_Done | None":
        """Return an update of the same name that is recent enough to be shared, and that nothing has overtaken."""
        done = question.memory.get(self._shared(question)) if question.max_update_age_seconds > 0 else None
        if not isinstance(done, _Done):
            return None
        age_seconds = (question.at - done.at).total_seconds()
        if not 0 <= age_seconds <= question.max_update_age_seconds or done.good_until < question.at:
            return None
        if done.generation != remembered.generation:
            return None
        if not timedelta() <= question.at - done.confirmed_at <= _CONFIRMED_FOR:
            remembered.confirm()
            question.memory.put(self._shared(question), 1, replace(done, confirmed_at=question.at))
        return done

    def _shared(self, question: Question) -> tuple[object, ...]:
        evidence = question.source.evidence
        return "update", self._settings, question.name, evidence.kind, evidence.location, id(question.audience)

    def _update(self, question: Question, remembered: Remembered, checks: Checks) -> "_Done":
        # 1. What is remembered.
        update = Update(question, self._settings, remembered)
        # 2. The verified documents.
        try:
            trusted = update.run()
        except VerificationError as fault:
            _copy_checks(update, checks)
            learnt = None
            if update.start is not None and update.has_learnt:
                learnt = _trust_after(question, remembered.trust, update, update.start)
            remembered.keep_progress(learnt, fault, is_stale=update.is_stale)
            raise
        # 3. What is remembered from now on.
        start = update.start
        if start is None:
            msg = "an update that ran has a start"
            raise RuntimeError(msg)
        trust = remembered.keep(_trust_after(question, remembered.trust, update, start), is_stale=update.is_stale)
        done = _Done(
            trusted,
            Tree(trusted.roles, trusted.skipped),
            start.evidence,
            at=question.at,
            good_until=trusted.good_until,
            fresh=question.live and not update.is_stale,
            known_since=trust.known_since if question.state is not None else None,
            generation=remembered.generation,
            confirmed_at=question.at,
            audience=question.audience,
        )
        if question.max_update_age_seconds > 0 and done.fresh:
            question.memory.put(self._shared(question), 1, done)
        return done


def _copy_checks(update: Update, checks: Checks) -> None:
    if update.trusted is not None:
        checks.extend(update.trusted.checks)


def _trust_after(question: Question, old: Trust | None, update: Update, start: Start) -> Trust:
    """Return what is known after an update, complete or not."""
    trusted = update.trusted
    root = start.root if trusted is None else trusted.root
    accepted = {} if trusted is None else {role: one.body for role, one in trusted.accepted.items()}
    complete = trusted is not None and "targets" in trusted.roles
    kept = {} if old is None or complete else dict(old.documents)
    confirmed = "timestamp" in accepted and not update.is_stale
    return Trust(
        root=root.body,
        evidence=start.evidence,
        floors=start.floors if trusted is None else trusted.floors,
        documents={**kept, **accepted},
        origin=question.source.evidence.location,
        known_since=old.known_since if old is not None and start.continues else question.at,
        confirmed_at=question.at if confirmed or old is None else old.confirmed_at,
    )
