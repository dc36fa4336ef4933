"""From verified documents to what they say of one image.

Spec: docs/tuf.md, "Which target stands for an image" and "Where the digest stands".
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import final

from imgsig.assignment import assign_keys
from imgsig.authority import Question
from imgsig.codes import Code
from imgsig.errors import RejectedError
from imgsig.strictjson import quote
from imgsig.trust import Evidence
from imgsig.tuf.mapping import digest_in_custom, digest_in_hashes, hex_of
from imgsig.tuf.search import Found, Search
from imgsig.tuf.settings import Tuf
from imgsig.tuf.trusted import TrustedSet
from imgsig.verdict import Attestation, Checks, Signer


@final
@dataclass(frozen=True, slots=True)
class Spoken:
    """Who says what of the target that stands for an image."""

    path: str
    found: Found | None
    """What the search came to, if anything."""
    by_signers: Mapping[str, Found | None]
    """What each required signer says that the target is delegated to."""


def target_path(question: Question, settings: Tuf) -> str:
    """Return the path of the target that stands for the image asked about.

    Raises:
        RejectedError: only a digest is asked about, and it is no sha256 (``digest_not_signed``).
    """
    if question.tag:
        return settings.target.fill(question.name, question.tag)
    digits = hex_of(question.digest)
    if not digits:
        msg = f"a target can stand for a sha256 alone, not for {quote(question.digest)}"
        raise RejectedError(msg, code=Code.DIGEST_NOT_SIGNED, subject=question.digest, expected="sha256:…")
    return settings.digest_target.fill(question.name, digits)


def ask(search: Search, path: str, signers: tuple[str, ...]) -> Spoken:
    """Return who says what of the target at `path`. Raises as `Search.find` does."""
    found = search.find(path)
    by_signers = {} if found is None or not signers else search.find_by_roles(path, signers)
    return Spoken(path, found, by_signers)


def answer(  # noqa: PLR0913 - one caller, each by name
    question: Question,
    settings: Tuf,
    trusted: TrustedSet,
    spoken: Spoken,
    checks: Checks,
    *,
    anchor: Evidence,
    fresh: bool,
    known_since: datetime | None,
) -> Attestation:
    """Return which digest the target stands for, and that the required signers agree.

    Raises:
        RejectedError: the target is not listed, is not for this image or not as it must be, contradicts the digest
            asked about, or a required signer is missing or disagrees.
    """
    # 1. What the search came to.
    found = _found(question, spoken)
    digest = _digest(found, settings, question.name)
    # 2. What was asked.
    if question.tag:
        _check_tag(question, digest)
        checks.passed(Code.TAG_NOT_SIGNED, question.tag, found=f"{digest} by {found.role}, as {spoken.path}")
    else:
        _check_digest(question, digest, spoken.path)
        how = f"listed by {found.role} as {spoken.path}: approved, whichever tags it has now or had"
        checks.passed(Code.DIGEST_NOT_SIGNED, question.digest, found=how)
    # 3. The required signers.
    signed = [found]
    for signer in settings.signers:
        signed.append(_check_signer(signer, spoken, digest, settings, question.name))
        checks.passed(Code.SIGNER_MISSING, signer, found=f"lists {spoken.path} with the same digest")
    _check_keys(trusted, settings.signers)
    # 4. All that it relies on.
    relied_on = dict.fromkeys(("root", "timestamp", "snapshot", *(role for one in signed for role in one.chain)))
    roles = tuple(trusted.evidence(role) for role in relied_on)
    vouching = dict.fromkeys(one.role for one in signed)
    return Attestation(
        authority=settings.system,
        name=question.name,
        digest=digest,
        length=found.target.length if settings.custom is None else 0,
        tags=(question.tag,) if question.tag else (),
        signers=tuple(Signer(role, trusted.evidence(role).key_ids) for role in vouching),
        roles=roles,
        anchor=anchor,
        source=question.source.evidence,
        fresh=fresh,
        known_since=known_since,
        valid_until=min(role.expires for role in roles),
    )


def _found(question: Question, spoken: Spoken) -> Found:
    if spoken.found is not None:
        return spoken.found
    why = f"no role that may speak for it lists the target {quote(spoken.path)}"
    if question.tag:
        msg = f"tag {quote(question.tag)} is not signed: {why}"
        raise RejectedError(msg, code=Code.TAG_NOT_SIGNED, subject=question.tag, found=why)
    msg = f"{quote(question.digest)} is not signed: {why}"
    raise RejectedError(msg, code=Code.DIGEST_NOT_SIGNED, subject=question.digest, found=why)


def _digest(found: Found, settings: Tuf, name: str) -> str:
    target = found.target
    if settings.custom is None:
        return digest_in_hashes(target.hashes, target.path)
    return digest_in_custom(target.custom, settings.custom, name, target.path)


def _check_tag(question: Question, digest: str) -> None:
    if question.digest and question.digest != digest:
        msg = f"{quote(question.tag)} is signed for {digest}, not {quote(question.digest)}"
        raise RejectedError(
            msg, code=Code.TAG_DIGEST_CONFLICT, subject=question.tag, expected=question.digest, found=digest
        )


def _check_digest(question: Question, digest: str, path: str) -> None:
    if question.digest != digest:
        msg = f"the target {quote(path)} stands for {digest}, not for {quote(question.digest)}"
        raise RejectedError(
            msg, code=Code.DIGEST_NOT_SIGNED, subject=question.digest, expected=question.digest, found=digest
        )


def _check_signer(signer: str, spoken: Spoken, digest: str, settings: Tuf, name: str) -> Found:
    found = spoken.by_signers.get(signer)
    if found is None:
        why = "it does not list it" if signer in spoken.by_signers else "the target is not delegated to it"
        msg = f"required signer {quote(signer)} has not signed {quote(spoken.path)}: {why}"
        raise RejectedError(
            msg, code=Code.SIGNER_MISSING, subject=signer, expected=f"an entry for {spoken.path}", found=why
        )
    signed = _digest(found, settings, name)
    if signed != digest:
        msg = f"{quote(signer)} has signed another digest for {quote(spoken.path)}"
        raise RejectedError(msg, code=Code.SIGNERS_DISAGREE, subject=signer, expected=digest, found=signed)
    return found


def _check_keys(trusted: TrustedSet, signers: tuple[str, ...]) -> None:
    """Check that no public key has to stand for two required signers."""
    thresholds = {signer: trusted.accepted[signer].threshold for signer in signers}
    signed = {signer: trusted.accepted[signer].signers.canonical_ids for signer in signers}
    left_over = assign_keys(thresholds, signed)
    if left_over is not None:
        msg = f"required signer {quote(left_over)} has signed with keys that already stand for another signer"
        raise RejectedError(msg, code=Code.SIGNER_MISSING, subject=left_over, expected="keys of its own")
