"""The TUF authority: one update, one answer, and what is remembered of it.

Spec: docs/tuf.md, "The update"; decisions 4, 7, 8 and 10 in docs/decisions.md.
"""

from datetime import datetime
from typing import final

from imgsig.authority import Question
from imgsig.codes import Code
from imgsig.limits import Deadline, Limits
from imgsig.outlook import Outlook
from imgsig.remembering import Remembered, answer_by_memory
from imgsig.source import Source
from imgsig.trust import Trust
from imgsig.tuf.answer import answer, ask, target_path
from imgsig.tuf.capture import capture_documents
from imgsig.tuf.outlook import outlook_of
from imgsig.tuf.settings import Tuf
from imgsig.tuf.update import Update, learn
from imgsig.verdict import Attestation, Checks


@final
class TufAuthority:
    """A TUF repository, as one rule's section trusts it. Implements ``imgsig.authority.Authority``."""

    def __init__(self, settings: Tuf) -> None:
        """Answer by `settings`."""
        self._settings = settings

    def attest(self, question: Question, checks: Checks) -> Attestation:
        """Return which digest the target that stands for the image has, by these steps.

        1. Find the target's path.
        2. Load what is remembered of the name, and verify root, timestamp, snapshot and targets (`Update.refresh`).
        3. Search the target, and hear the required signers (`ask`).
        4. Remember roots, version floors and documents, also when one of these steps fails.
        5. Take the digest from the target (`answer`).

        If another process has changed what is remembered meanwhile, all is done again.

        Raises:
            RejectedError: a rule does not hold.
            InconclusiveError: no answer could be reached.
        """
        return answer_by_memory(
            question,
            self._settings.system,
            checks,
            lambda remembered, made: self._attest(question, remembered, made),
            max_stale_seconds=self._settings.max_stale_seconds,
        )

    def capture(self, source: Source, *, deadline: Deadline, limits: Limits) -> None:
        """Fetch every document of the repository from `source`. See `imgsig.authority.Authority`."""
        capture_documents(source, self._settings.anchor, deadline=deadline, limits=limits)

    def outlook(self, trust: Trust, name: str, *, at: datetime, limits: Limits) -> Outlook:  # noqa: ARG002 - the protocol's
        """Return what the verified `trust` will come to. See `imgsig.authority.Authority`."""
        return outlook_of(trust, limits)

    def _attest(self, question: Question, remembered: Remembered, checks: Checks) -> Attestation:
        path = target_path(question, self._settings)
        update = Update(question, self._settings, remembered)
        spoken = learn(update, remembered, checks, lambda search: ask(search, path, self._settings.signers))
        evidence = update.evidence
        checks.passed(Code.ANCHOR_MISMATCH, "root", expected=evidence.kind, found=", ".join(evidence.ids))
        remembered.note_origin(checks)
        return answer(
            question,
            self._settings,
            update.trusted,
            spoken,
            checks,
            anchor=evidence,
            fresh=question.live and not update.is_stale,
            known_since=None if question.state is None else update.learnt().known_since,
        )
