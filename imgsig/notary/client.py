"""The Notary authority: one update, one answer, and what is remembered of it.

Spec: docs/notary-v1.md, "The update"; DESIGN decisions 4, 7, 8 and 10 in docs/decisions.md.
"""

import logging
from datetime import timedelta
from typing import Final, final

from imgsig.authority import Question
from imgsig.codes import Code
from imgsig.errors import InconclusiveError, RejectedError, VerificationError
from imgsig.limits import Deadline, Limits
from imgsig.notary.answer import answer
from imgsig.notary.capture import capture_documents
from imgsig.notary.settings import FirstUse, Notary
from imgsig.notary.update import Start, Update
from imgsig.source import Source
from imgsig.trust import Stored, Trust
from imgsig.verdict import Attestation, Checks

_LOG: Final = logging.getLogger("imgsig")
_NOTHING: Final = Stored("", None)


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
        for attempts_left in reversed(range(question.limits.max_state_attempts)):
            made = Checks()
            try:
                return self._attest(question, made)
            except InconclusiveError as error:
                if error.code is not Code.STATE_CONFLICT or not attempts_left:
                    raise
                question.memory.drop(_place(question))
                made = Checks()
            finally:
                checks.extend(made)
        msg = "max_state_attempts must be at least 1"
        raise ValueError(msg)

    def capture(self, source: Source, *, deadline: Deadline, limits: Limits) -> None:
        """Fetch every document of the name from `source`, verifying none. See `imgsig.authority.Authority`."""
        capture_documents(source, deadline=deadline, limits=limits)

    def _attest(self, question: Question, checks: Checks) -> Attestation:
        # 1. What is remembered.
        stored = _load(question)
        update = Update(question, self._settings, stored.trust)
        # 2. The verified documents.
        try:
            trusted = update.run()
        except VerificationError as fault:
            _copy_checks(update, checks)
            self._keep_progress(question, stored, update, fault)
            raise
        _copy_checks(update, checks)
        # 3. What is remembered from now on.
        start = update.start
        if start is None:
            msg = "an update that ran has a start"
            raise RuntimeError(msg)
        trust = self._remember(question, stored, update, start)
        checks.passed(Code.ANCHOR_MISMATCH, "root", expected=start.evidence.kind, found=", ".join(start.evidence.ids))
        # 4. The digest.
        _note_origin(question, stored, checks)
        return answer(
            question,
            self._settings,
            trusted,
            checks,
            anchor=start.evidence,
            fresh=question.live and not update.is_stale,
            known_since=trust.known_since if question.state is not None else None,
        )

    def _keep_progress(self, question: Question, stored: Stored, update: Update, fault: VerificationError) -> None:
        """Remember what a failed update reached. That it cannot be remembered does not change the answer."""
        try:
            if update.start is None:
                self._confirm(question, stored)
            else:
                self._remember(question, stored, update, update.start)
        except InconclusiveError as error:
            if error.code is Code.STATE_CONFLICT:
                raise
            _LOG.warning("what was learnt of %s before it failed (%s) is lost: %s", question.name, fault.code, error)

    def _remember(self, question: Question, stored: Stored, update: Update, start: Start) -> Trust:
        trust = _trust_after(question, stored.trust, update, start)
        if question.state is None:
            return trust
        if update.is_stale:
            self._confirm(question, stored)
            return trust
        system, name = self._settings.system, question.name
        if stored.trust is not None and not self._must_store(stored.trust, trust):
            self._confirm(question, stored)
            return stored.trust
        expected = stored.generation
        _hold(question, question.state.commit(system, name, trust, expected=expected, deadline=question.deadline))
        return trust

    def _confirm(self, question: Question, stored: Stored) -> None:
        """Check that what this update began with is what is stored still.

        Raises:
            InconclusiveError: it is not (``state_conflict``), or that cannot be told (``state_unreadable``).
        """
        state = question.state
        if state is not None and state.generation(self._settings.system, question.name) != stored.generation:
            msg = "another process has changed the stored trust meanwhile"
            raise InconclusiveError(msg, code=Code.STATE_CONFLICT, subject=question.name)

    def _must_store(self, old: Trust, new: Trust) -> bool:
        """Whether `new` says more than `old`, or an outage could be bridged noticeably longer by storing it."""
        if (old.root, old.evidence, old.floors, old.documents, old.origin) != (
            new.root, new.evidence, new.floors, new.documents, new.origin,
        ):
            return True
        step = timedelta(seconds=self._settings.max_stale_seconds / 10)
        return self._settings.max_stale_seconds > 0 and not timedelta() <= new.confirmed_at - old.confirmed_at < step


def _load(question: Question) -> Stored:
    if question.state is None:
        return _NOTHING
    remembered = question.memory.get(_place(question))
    if isinstance(remembered, Stored):
        return remembered
    stored = question.state.load("notary", question.name, deadline=question.deadline)
    _hold(question, stored)
    return stored


def _place(question: Question) -> tuple[str, str]:
    return "what is stored of", question.name


def _hold(question: Question, stored: Stored) -> None:
    """Keep what is stored in memory too, so that a warm answer costs one look at its generation."""
    if stored.trust is not None:
        weight_bytes = len(stored.trust.root) + sum(len(body) for body in stored.trust.documents.values())
        question.memory.put(_place(question), weight_bytes, stored)


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


def _note_origin(question: Question, stored: Stored, checks: Checks) -> None:
    origin = question.source.evidence.location
    if stored.trust is not None and stored.trust.origin != origin:
        _LOG.warning("the trust data of %s comes from another server than before: %s", question.name, origin)
        checks.passed(Code.OK, "server", expected=f"{stored.trust.origin} as before, or another", found=origin)
