"""One verdict out of what several authorities say: all must vouch, and for the same digest.

Spec: decision 11 in docs/decisions.md.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Final

from imgsig.codes import Code, Outcome
from imgsig.errors import InconclusiveError, VerificationError
from imgsig.reference import ImageReference
from imgsig.verdict import Attestation, Checks, Verdict

_SEVERITY: Final = (Outcome.REJECTED, Outcome.NO_POLICY, Outcome.INCONCLUSIVE)
"""Which failure decides when several authorities fail."""


def agreed_verdict(  # noqa: PLR0913, PLR0917 - the parts of a verdict
    requested: str,
    reference: ImageReference,
    pattern: str,
    moment: datetime,
    attestations: Sequence[Attestation],
    failures: Sequence[VerificationError],
    checks: Checks,
) -> Verdict:
    """Return one verdict: all authorities must vouch, for the same digest.

    Differing digests are refused whatever else happened; otherwise the gravest failure decides, the first of its kind.
    """
    digests = sorted({attestation.digest for attestation in attestations})
    if len(digests) > 1:
        checks.failed(Code.AUTHORITIES_DISAGREE, str(reference), expected="one digest", found=", ".join(digests))
        code, summary, hint = Code.AUTHORITIES_DISAGREE, f"the authorities vouch for {len(digests)} digests", ""
        wait = None
    elif failures:
        gravest = min(failures, key=lambda error: _SEVERITY.index(error.outcome))
        code, summary, hint = gravest.code, str(gravest), gravest.hint
        wait = gravest.retry_after_seconds if isinstance(gravest, InconclusiveError) else None
    else:
        return Verdict(
            requested,
            Code.OK,
            f"{reference} is signed for {digests[0]}",
            moment,
            str(reference),
            rule=pattern,
            pinned=f"{reference.name}@{digests[0]}",
            digest=digests[0],
            fresh=all(attestation.fresh for attestation in attestations),
            valid_until=min(attestation.valid_until for attestation in attestations),
            attestations=tuple(attestations),
            checks=tuple(checks),
        )
    return Verdict(
        requested,
        code,
        summary,
        moment,
        str(reference),
        hint or code.remedy,
        pattern,
        attestations=tuple(attestations),
        checks=tuple(checks),
        retry_after_seconds=wait,
    )
