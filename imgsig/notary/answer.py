"""From verified documents to what they say of one image.

Spec: docs/notary-v1.md, "Choosing a digest".
"""

from datetime import datetime

from imgsig.assignment import assign_keys
from imgsig.authority import Question
from imgsig.codes import Code
from imgsig.errors import RejectedError
from imgsig.notary.choice import Choice, Tree
from imgsig.notary.settings import Notary
from imgsig.notary.trusted import TrustedSet
from imgsig.strictjson import quote
from imgsig.trust import Evidence
from imgsig.verdict import Attestation, Checks, Signer


def answer(  # noqa: PLR0913 - one caller, each by name
    question: Question,
    settings: Notary,
    trusted: TrustedSet,
    tree: Tree,
    checks: Checks,
    *,
    anchor: Evidence,
    fresh: bool,
    known_since: datetime | None,
) -> Attestation:
    """Return which digest docker's client would take the asked image for, and that the required signers agree.

    Raises:
        RejectedError: the tag or digest is not signed, they contradict each other, or a required signer is
            missing or disagrees.
    """
    required = tuple(f"targets/{signer}" for signer in settings.signers)
    if question.tag:
        choices: tuple[Choice, ...] = (tree.choose(question.tag),)
        _check_digest(question, choices[0])
        checks.passed(Code.TAG_NOT_SIGNED, question.tag, found=f"{choices[0].digest} by {choices[0].role}")
        for role in required:
            tree.check_signer(role, choices[0])
    else:
        choices = _with_signers(tree, tree.tags_of(question.digest), required)
        checks.passed(Code.DIGEST_NOT_SIGNED, question.digest, found=", ".join(choice.tag for choice in choices))
    _check_keys(trusted, required)
    for role in required:
        checks.passed(Code.SIGNER_MISSING, role, found=f"lists {choices[0].tag} with the same digest")
    relied_on = dict.fromkeys(("root", "timestamp", "snapshot"))
    for role in (*(choice.role for choice in choices), *required):
        relied_on.update(dict.fromkeys(tree.chain(role)))
    roles = tuple(trusted.evidence(role) for role in relied_on)
    vouching = dict.fromkeys((*(choice.role for choice in choices), *required))
    return Attestation(
        authority=settings.system,
        name=question.name,
        digest=choices[0].digest,
        length=choices[0].length,
        tags=tuple(choice.tag for choice in choices),
        signers=tuple(Signer(role, trusted.evidence(role).key_ids) for role in vouching),
        roles=roles,
        anchor=anchor,
        source=question.source.evidence,
        fresh=fresh,
        known_since=known_since,
        valid_until=min(trusted.root.certificates_until, *(role.expires for role in roles)),
    )


def _check_digest(question: Question, choice: Choice) -> None:
    if question.digest and question.digest != choice.digest:
        msg = f"{quote(choice.tag)} is signed for {choice.digest}, not {quote(question.digest)}"
        raise RejectedError(
            msg, code=Code.TAG_DIGEST_CONFLICT, subject=choice.tag, expected=question.digest, found=choice.digest
        )


def _with_signers(tree: Tree, choices: tuple[Choice, ...], required: tuple[str, ...]) -> tuple[Choice, ...]:
    """Return those of `choices` that every required signer shares; at least one."""
    kept: list[Choice] = []
    refused: RejectedError | None = None
    for choice in choices:
        try:
            for role in required:
                tree.check_signer(role, choice)
        except RejectedError as error:
            refused = refused or error
            continue
        kept.append(choice)
    if refused is not None and not kept:
        raise refused
    return tuple(kept)


def _check_keys(trusted: TrustedSet, required: tuple[str, ...]) -> None:
    """Check that no public key has to stand for two required signers."""
    thresholds = {role: trusted.accepted[role].threshold for role in required}
    left_over = assign_keys(thresholds, {role: trusted.accepted[role].key_ids for role in required})
    if left_over is not None:
        msg = f"required signer {quote(left_over)} has signed with keys that already stand for another signer"
        raise RejectedError(msg, code=Code.SIGNER_MISSING, subject=left_over, expected="keys of its own")
