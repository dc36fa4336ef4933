"""What becomes of a verified verdict when the registry is asked too: it stays, or it is lowered.

Spec: docs/registry.md, "What it can change".
"""

from dataclasses import replace

from imgsig.codes import Code
from imgsig.errors import InconclusiveError, InvalidReferenceError, RejectedError, VerificationError
from imgsig.limits import Deadline, Limits
from imgsig.reference import ImageReference
from imgsig.registry.check import Demand, RegistryQuestion, check_registry
from imgsig.transport import HttpSources
from imgsig.verdict import Checks, RegistryEvidence, Verdict


def verdict_with_registry(  # noqa: PLR0913, PLR0917 - what is asked, of whom, within which bounds
    verdict: Verdict,
    reference: ImageReference,
    demand: Demand,
    servers: HttpSources,
    deadline: Deadline,
    limits: Limits,
) -> Verdict:
    """Return a verified `verdict` with what the registry of the requested `reference` has, or a refusal."""
    checks = Checks(verdict.checks)
    try:
        evidence = _evidence(verdict, reference, demand, servers, deadline, limits, checks)
    except VerificationError as error:
        return _refused(verdict, error, checks)
    pinned = f"{reference.name}@{evidence.platform_digest}" if evidence.platform else ""
    return replace(verdict, registry=evidence, platform_pinned=pinned, checks=tuple(checks))


def _evidence(  # noqa: PLR0913, PLR0917 - as above
    verdict: Verdict,
    reference: ImageReference,
    demand: Demand,
    servers: HttpSources,
    deadline: Deadline,
    limits: Limits,
    checks: Checks,
) -> RegistryEvidence:
    try:
        registry = servers.open_registry(reference)
    except InvalidReferenceError as error:
        raise RejectedError(str(error), code=Code.INVALID_REFERENCE, subject=reference.registry) from error
    question = RegistryQuestion(
        registry=registry,
        tag=reference.tag,
        digest=verdict.digest,
        lengths=tuple(attestation.length for attestation in verdict.attestations),
        demand=demand,
        deadline=deadline,
        limits=limits,
    )
    return check_registry(question, checks)


def _refused(verdict: Verdict, error: VerificationError, checks: Checks) -> Verdict:
    """Return `verdict` without its digest; what was attested, and every check, stays."""
    checks.failed(error.code, error.subject, expected=error.expected, found=error.found)
    return replace(
        verdict,
        code=error.code,
        summary=str(error),
        hint=error.hint,
        pinned="",
        digest="",
        fresh=False,
        valid_until=None,
        checks=tuple(checks),
        retry_after_seconds=error.retry_after_seconds if isinstance(error, InconclusiveError) else None,
    )
