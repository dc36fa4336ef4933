"""The engine: from a reference and a policy to a verdict."""

import logging
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime
from types import TracebackType
from typing import Final, Self, final

from imgsig.authority import Question, State
from imgsig.codes import Code, Outcome
from imgsig.errors import InconclusiveError, InvalidReferenceError, UsageError, VerificationError
from imgsig.limits import DEFAULT_TIMEOUT_SECONDS, Deadline, Limits
from imgsig.memory import Memory
from imgsig.policy import Policy, SectionSettings, load_authority
from imgsig.reference import ImageReference, parse_reference
from imgsig.source import Sources
from imgsig.transport import Credentials, HttpSources, Proxies, Server
from imgsig.verdict import Attestation, Checks, Verdict, VerifiedImage

_LOG: Final = logging.getLogger("imgsig")
_SEVERITY: Final = (Outcome.REJECTED, Outcome.NO_POLICY, Outcome.INCONCLUSIVE)
"""Which failure decides when several authorities fail."""


def _now() -> datetime:
    return datetime.now(UTC)


@final
class Verifier:
    """Verifies images by one policy. Thread-safe; close it, or use it as a context manager."""

    def __init__(  # noqa: PLR0913 - configuration, each by name
        self,
        policy: Policy,
        *,
        state: State | None = None,
        source: Sources | None = None,
        servers: Iterable[Server] = (),
        credentials: Credentials | None = None,
        proxies: Proxies | None = None,
        limits: Limits | None = None,
        speculate: bool = True,
        ca_bundle: str | None = None,
        clock: Callable[[], datetime] = _now,
    ) -> None:
        """Verify by `policy`, either with the servers and `state`, or with an archive as `source` alone.

        Args:
            policy: whom to trust for which names.
            state: where trust is remembered: ``FolderState(path)``, or ``MemoryState()`` for this process only.
            source: an archive; then there is no state, and no socket is opened.
            servers: CA files, client certificates and token services of servers that need them.
            credentials: logins by registry.
            proxies: through which proxies to connect; none by default, whatever the environment says.
            limits: bounds of what is read; the defaults are generous for real repositories.
            speculate: ask for all documents of an unknown name at once; never changes a verdict.
            ca_bundle: a file of CA certificates to trust instead of the operating system's.
            clock: the current time (aware); another one only in tests.

        Raises:
            UsageError: neither state nor source is given, or both; a rule trusts at first use, which the state
                would forget; with an archive, anything that only a server needs.
        """
        self._policy = policy
        self._limits = limits or Limits()
        self._state = state
        self._memory = Memory()
        self._speculate = speculate
        self._clock = clock
        configured = servers, credentials, proxies, ca_bundle
        if source is None:
            _check_state(policy, state)
            self._sources: Sources = HttpSources(
                servers=servers, credentials=credentials, proxies=proxies, ca_bundle=ca_bundle, limits=self._limits
            )
        elif state is not None or configured != ((), None, None, None):
            msg = "an archive needs no state, servers, credentials, proxies or CA bundle"
            raise UsageError(msg)
        else:
            self._sources = source

    def verify(
        self, ref: str, *, at: datetime | None = None, timeout_seconds: float = DEFAULT_TIMEOUT_SECONDS
    ) -> VerifiedImage:
        """Return the verified image that `ref` names: what to deploy is its ``pinned``.

        Not checked: that the registry has these bytes, what is in the image, that a certificate was revoked.

        Raises:
            RejectedError: it was checked and must not be used; ``verdict`` says why.
            InconclusiveError: no answer could be reached; fail closed, maybe try again.
            NoPolicyError: no rule covers the name, or a rule exempts it.
            UsageError: the call is wrong.
        """
        return self.evaluate(ref, at=at, timeout_seconds=timeout_seconds).require()

    def evaluate(
        self, ref: str, *, at: datetime | None = None, timeout_seconds: float = DEFAULT_TIMEOUT_SECONDS
    ) -> Verdict:
        """Return the verdict on `ref`, whatever it is, by these steps.

        1. Parse the reference; text that is none is REJECTED.
        2. Find the rule; without one nothing is requested.
        3. Ask each authority of the rule, within one deadline.
        4. Unite what they say: all must vouch, for the same digest.

        Args:
            ref: an image reference as Docker understands it; no tag means ``latest``.
            at: the time to compare expiries with (aware), for archives only; now by default.
            timeout_seconds: the most that the whole call may take.

        Raises:
            UsageError: `ref` is no text, `at` is naive or given for a live server, the timeout is not positive.
        """
        moment = self._moment(at)
        deadline = _deadline(timeout_seconds)
        # 1. The reference.
        try:
            reference = parse_reference(ref).with_default_tag()
        except InvalidReferenceError as error:
            return Verdict(ref, Code.INVALID_REFERENCE, str(error), moment, hint=error.hint)
        # 2. The rule.
        rule = self._policy.rule_for(reference)
        if rule is None:
            msg = f"no rule of the policy covers {reference.name}"
            return Verdict(ref, Code.NO_POLICY, msg, moment, str(reference), Code.NO_POLICY.remedy)
        pattern = rule.pattern_for(reference.name)
        if rule.exempt is not None:
            msg = f"exempt from verification: {rule.exempt}"
            return Verdict(ref, Code.EXEMPT, msg, moment, str(reference), rule=pattern)
        try:
            name = rule.signed_name(reference.name)
        except InvalidReferenceError as error:
            return Verdict(ref, Code.INVALID_REFERENCE, str(error), moment, str(reference), error.hint, pattern)
        # 3. The authorities.
        checks = Checks()
        attestations: list[Attestation] = []
        failures: list[VerificationError] = []
        for settings in rule.sections:
            try:
                attestations.append(self._attest(settings, name, reference, moment, deadline, checks))
            except VerificationError as error:
                checks.failed(error.code, error.subject, expected=error.expected, found=error.found)
                failures.append(error)
        # 4. One verdict.
        verdict = _united(ref, reference, pattern, moment, attestations, failures, checks)
        _LOG.debug("%s: %s (%s)", reference, verdict.outcome.value, verdict.code)
        return verdict

    def close(self) -> None:
        """Close kept connections. The verifier must not be used afterwards."""
        if isinstance(self._sources, HttpSources):
            self._sources.close()

    def __enter__(self) -> Self:
        """Return the verifier itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close it."""
        self.close()

    def _attest(  # noqa: PLR0913, PLR0917 - what one authority is asked
        self,
        settings: SectionSettings,
        name: str,
        reference: ImageReference,
        moment: datetime,
        deadline: Deadline,
        checks: Checks,
    ) -> Attestation:
        source = self._sources.open(settings.endpoint(name))
        captured_at = source.evidence.captured_at
        if captured_at is not None and moment < captured_at:
            msg = f"the archive was captured at {captured_at.isoformat()}, after the time asked about"
            raise InconclusiveError(
                msg, code=Code.BEFORE_CAPTURE, subject=name, expected=captured_at.isoformat(), found=moment.isoformat()
            )
        question = Question(
            name=name,
            tag=reference.tag,
            digest=reference.digest,
            at=moment,
            source=source,
            live=self._sources.live,
            state=self._state,
            deadline=deadline,
            limits=self._limits,
            speculate=self._speculate and self._sources.live,
            memory=self._memory,
        )
        return load_authority(settings).attest(question, checks)

    def _moment(self, at: datetime | None) -> datetime:
        if at is None:
            return self._clock().astimezone(UTC)
        if self._sources.live:
            msg = "a time can be asked about only with an archive: a server answers for now"
            raise UsageError(msg)
        if at.tzinfo is None or at.utcoffset() is None:
            msg = "the time must be aware: give it a time zone"
            raise UsageError(msg)
        try:
            return at.astimezone(UTC)
        except OverflowError as error:
            msg = f"the time {at.isoformat()} lies outside the years 1 to 9999"
            raise UsageError(msg) from error


def _check_state(policy: Policy, state: State | None) -> None:
    if state is None:
        msg = "a verifier needs a state: FolderState(path), or MemoryState() to remember for this process only"
        raise UsageError(msg)
    for rule in policy.rules:
        if not state.remembers and any(settings.trusts_first_use for settings in rule.sections):
            msg = f"the rule for {rule.names[0]} trusts at first use, which needs a state that outlives the process"
            raise UsageError(msg, hint="give a FolderState, or pin the root's keys")


def _deadline(timeout_seconds: float) -> Deadline:
    try:
        return Deadline(timeout_seconds)
    except (TypeError, ValueError) as error:
        raise UsageError(str(error)) from error


def _united(  # noqa: PLR0913, PLR0917 - the parts of a verdict
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
