"""The engine: from a reference and a policy to a verdict."""

import logging
import os
import pickle
import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Executor, ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from types import TracebackType
from typing import Final, Self, final

from imgsig.agreement import agreed_verdict
from imgsig.authority import Question, State
from imgsig.batch import map_elsewhere, map_in_groups
from imgsig.codes import Code
from imgsig.configuration import Configuration
from imgsig.errors import InvalidReferenceError, UsageError, VerificationError
from imgsig.limits import DEFAULT_TIMEOUT_SECONDS, DEFAULT_WORKERS, MAX_WORKERS, Deadline, Limits
from imgsig.lowering import verdict_with_registry
from imgsig.memory import Memory
from imgsig.origins import Origin, Origins
from imgsig.policy import Policy, SectionSettings, load_authority
from imgsig.reference import ImageReference, parse_reference
from imgsig.registry.check import Demand, parse_demand
from imgsig.source import Sources
from imgsig.strictjson import quote
from imgsig.transport import Credentials, HttpSources, Proxies, Server
from imgsig.verdict import Attestation, Checks, Verdict, VerifiedImage

_LOG: Final = logging.getLogger("imgsig")
DEFAULT_UPDATE_AGE_SECONDS: Final = 10.0
MAX_ASYNC_WORKERS: Final = 32


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
            policy: whom to trust for which names. Rules that name an archive are verified from it.
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
        self._start(
            Configuration(
                policy=policy,
                state=state,
                source=source,
                servers=tuple(servers),
                credentials=credentials,
                proxies=proxies,
                limits=limits or Limits(),
                speculate=speculate,
                ca_bundle=ca_bundle,
            ),
            clock,
        )

    def _start(self, configuration: Configuration, clock: Callable[[], datetime]) -> None:
        self._configuration = configuration
        self._sources = configuration.sources()
        given = configuration.source is not None
        self._origins = Origins(configuration.state, configuration.limits, given=given)
        self._owns_sources = True
        self._memory = Memory()
        self._clock = clock
        self._pool: ThreadPoolExecutor | None = None
        self._pool_process = 0
        self._pool_lock = threading.Lock()

    def verify(  # noqa: PLR0913 - what to check, each by name
        self,
        ref: str,
        *,
        at: datetime | None = None,
        timeout_seconds: float = DEFAULT_TIMEOUT_SECONDS,
        check_registry: bool = False,
        require_tag_current: bool = False,
        platform: str | None = None,
    ) -> VerifiedImage:
        """Return the verified image that `ref` names: what to deploy is its ``pinned``.

        Not checked: what is in the image, that a certificate was revoked, and that the registry has these bytes
        unless one of the last three arguments asks for it. The arguments are those of `evaluate`.

        Raises:
            RejectedError: it was checked and must not be used; ``verdict`` says why.
            InconclusiveError: no answer could be reached; fail closed, maybe try again.
            NoPolicyError: no rule covers the name, or a rule exempts it.
            UsageError: the call is wrong.
        """
        verdict = self.evaluate(
            ref,
            at=at,
            timeout_seconds=timeout_seconds,
            check_registry=check_registry,
            require_tag_current=require_tag_current,
            platform=platform,
        )
        return verdict.require()

    async def evaluate_async(  # noqa: PLR0913 - what to check, each by name
        self,
        ref: str,
        *,
        at: datetime | None = None,
        timeout_seconds: float = DEFAULT_TIMEOUT_SECONDS,
        check_registry: bool = False,
        require_tag_current: bool = False,
        platform: str | None = None,
    ) -> Verdict:
        """Return what `evaluate` returns, made on a thread of the verifier's own.

        Cancelling returns at once; the work itself ends by its deadline.

        Raises:
            UsageError: as `evaluate` does.
        """
        import asyncio  # noqa: PLC0415 - slow to import, and few programs need it

        work = partial(
            self.evaluate,
            ref,
            at=at,
            timeout_seconds=timeout_seconds,
            check_registry=check_registry,
            require_tag_current=require_tag_current,
            platform=platform,
        )
        return await asyncio.wrap_future(self._own_pool().submit(work))

    def evaluate_many(  # noqa: PLR0913 - what to verify and how, each by name
        self,
        refs: Iterable[str],
        *,
        workers: int = DEFAULT_WORKERS,
        executor: Executor | None = None,
        at: datetime | None = None,
        timeout_seconds: float = DEFAULT_TIMEOUT_SECONDS,
        max_update_age_seconds: float = DEFAULT_UPDATE_AGE_SECONDS,
        check_registry: bool = False,
        require_tag_current: bool = False,
        platform: str | None = None,
    ) -> Iterator[Verdict]:
        """Yield the verdict of each of `refs`, in their order, several at a time.

        `refs` is read as the verdicts are taken, a window ahead. One bad reference never stops the others: what is
        no text is REJECTED too. Closing the iterator cancels what has not begun.

        Args:
            refs: image references; an iterator of millions will do.
            workers: how many are verified at once, and how wide the window is.
            executor: does the work elsewhere, e.g. ``dask.distributed.Client.get_executor()``; the verifier's
                configuration is sent there, its credentials are not (except Docker's, by the place of their file).
                None for threads here.
            at: the time to compare expiries with, for archives only.
            timeout_seconds: the most that one reference may take.
            max_update_age_seconds: references of one name share an update that is at most this old. ``fresh``
                then means: confirmed by the server within this time.
            check_registry: as in `evaluate`, for each reference; so are the last two.
            require_tag_current: likewise.
            platform: likewise.

        Raises:
            UsageError: the call is wrong.
        """
        if not 1 <= workers <= MAX_WORKERS:
            msg = f"workers must be from 1 to {MAX_WORKERS}, not {workers}"
            raise UsageError(msg)
        self._moment(at)
        _deadline(timeout_seconds)
        work = partial(
            _evaluated,
            at=at,
            timeout_seconds=timeout_seconds,
            max_update_age_seconds=max_update_age_seconds,
            demand=self._demand(check_registry, require_tag_current, platform),
        )
        if executor is None:
            return self._map_here(partial(work, self), refs, workers)
        return map_elsewhere(executor, pickle.dumps(self), work, refs, workers=workers)

    def with_credentials(self, credentials: Credentials | None) -> "Verifier":
        """Return a verifier that differs in its credentials alone, and shares connections and memory with this one.

        For pull secrets that come with each request. Closing it closes nothing of this one.

        Raises:
            UsageError: this one verifies from an archive.
        """
        if not isinstance(self._sources, HttpSources):
            msg = "an archive needs no credentials"
            raise UsageError(msg)
        twin = object.__new__(Verifier)
        twin.__dict__.update(self.__dict__)
        twin._configuration = replace(self._configuration, credentials=credentials)
        twin._sources = self._sources.with_credentials(credentials)
        twin._owns_sources = False
        twin._pool = None
        return twin

    def __getstate__(self) -> Configuration:
        """Return the configuration for a pickle, without logins: Docker's go by the place of their file."""
        return self._configuration.without_logins()

    def __setstate__(self, configuration: Configuration) -> None:
        """Begin anew with a pickled configuration, and this process's clock."""
        self._start(configuration, _now)

    def evaluate(  # noqa: PLR0913 - what to check, each by name
        self,
        ref: str,
        *,
        at: datetime | None = None,
        timeout_seconds: float = DEFAULT_TIMEOUT_SECONDS,
        check_registry: bool = False,
        require_tag_current: bool = False,
        platform: str | None = None,
    ) -> Verdict:
        """Return the verdict on `ref`, whatever it is, by these steps.

        1. Parse the reference; text that is none is REJECTED.
        2. Find the rule; without one nothing is requested.
        3. Ask each authority of the rule, within one deadline.
        4. Unite what they say: all must vouch, for the same digest.
        5. If that is demanded, ask the registry of the requested name for the signed bytes; this can only lower the
           verdict.

        Args:
            ref: an image reference as Docker understands it; no tag means ``latest``.
            at: the time to compare expiries with (aware), for archives only; now by default.
            timeout_seconds: the most that the whole call may take.
            check_registry: fetch the manifest from the registry by its signed digest, hash it, and tell whether the
                registry's tag still stands for it.
            require_tag_current: refuse if the tag does not; implies `check_registry`.
            platform: prove that exactly one manifest of this platform (``linux/arm64``) belongs to the signed index:
                ``platform_pinned``; implies `check_registry`.

        Raises:
            UsageError: `ref` is no text, `at` is naive or given for a live server, the timeout is not positive, the
                platform is none, or a registry is to be asked and there is only an archive.
        """
        demand = self._demand(check_registry, require_tag_current, platform)
        return self._evaluate(ref, self._moment(at), _deadline(timeout_seconds), demand, max_update_age_seconds=0)

    def _evaluate(
        self, ref: str, moment: datetime, deadline: Deadline, demand: Demand | None, *, max_update_age_seconds: float
    ) -> Verdict:
        # 1. The reference.
        try:
            reference = parse_reference(ref).with_default_tag()
        except InvalidReferenceError as error:
            return Verdict(ref, Code.INVALID_REFERENCE, str(error), moment, hint=error.hint)
        # 2. The rule.
        rule = self._configuration.policy.rule_for(reference)
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
        checks, now = Checks(), moment
        attestations: list[Attestation] = []
        failures: list[VerificationError] = []
        for settings in rule.sections:
            try:
                origin = self._origins.open(settings, name, now, checks, sources=self._sources)
                moment = min(moment, origin.at)
                attestations.append(
                    self._attest(settings, name, reference, origin, deadline, checks, max_update_age_seconds)
                )
            except VerificationError as error:
                checks.failed(error.code, error.subject, expected=error.expected, found=error.found)
                failures.append(error)
        # 4. One verdict.
        verdict = agreed_verdict(ref, reference, pattern, moment, attestations, failures, checks)
        # 5. The registry.
        if demand is not None and verdict.code is Code.OK:
            limits = self._configuration.limits
            verdict = verdict_with_registry(verdict, reference, demand, self._servers(), deadline, limits)
        _LOG.debug("%s: %s (%s)", reference, verdict.outcome.value, verdict.code)
        return verdict

    def close(self) -> None:
        """Close kept connections and threads. The verifier must not be used afterwards."""
        if self._pool is not None:
            self._pool.shutdown(wait=False, cancel_futures=True)
        if self._owns_sources and isinstance(self._sources, HttpSources):
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
        origin: Origin,
        deadline: Deadline,
        checks: Checks,
        max_update_age_seconds: float,
    ) -> Attestation:
        question = Question(
            name=name,
            tag=reference.tag,
            digest=reference.digest,
            at=origin.at,
            source=origin.source,
            live=origin.live,
            state=origin.state,
            deadline=deadline,
            limits=self._configuration.limits,
            speculate=self._configuration.speculate and origin.live,
            max_update_age_seconds=max_update_age_seconds,
            audience=origin.audience,
            memory=self._memory,
        )
        return load_authority(settings).attest(question, checks)

    def _demand(
        self, check_registry: bool, require_tag_current: bool, platform: str | None  # noqa: FBT001 - as the callers say
    ) -> Demand | None:
        demand = parse_demand(
            check_registry=check_registry, require_tag_current=require_tag_current, platform=platform
        )
        if demand is not None:
            self._servers()
        return demand

    def _servers(self) -> HttpSources:
        if not isinstance(self._sources, HttpSources):
            msg = "an archive cannot tell what a registry has"
            raise UsageError(msg, hint="verify with the servers, or leave the registry out")
        return self._sources

    def _own_pool(self) -> ThreadPoolExecutor:
        with self._pool_lock:
            if self._pool is None or self._pool_process != os.getpid():  # threads do not survive a fork
                self._pool_process = os.getpid()
                self._pool = ThreadPoolExecutor(MAX_ASYNC_WORKERS, thread_name_prefix="imgsig")
            return self._pool

    def _map_here(self, work: Callable[[str], Verdict], refs: Iterable[str], workers: int) -> Iterator[Verdict]:
        with ThreadPoolExecutor(workers, thread_name_prefix="imgsig-many") as pool:
            yield from map_in_groups(pool, work, refs, workers=workers, key=_without_tag)

    def _moment(self, at: datetime | None) -> datetime:
        if at is None:
            at = self._clock()
        elif self._sources.live:
            msg = "a time can be asked about only with an archive: a server answers for now"
            raise UsageError(msg)
        is_time = isinstance(at, datetime)  # callers need not check types
        if not is_time or at.utcoffset() is None:
            msg = "the time must be an aware datetime: give it a time zone"
            raise UsageError(msg)
        try:
            return at.astimezone(UTC)
        except OverflowError as error:
            msg = f"the time {at.isoformat()} lies outside the years 1 to 9999"
            raise UsageError(msg) from error


def _without_tag(ref: object) -> str:
    """Return about the name in a reference: only to find others of the same name."""
    return ref.partition("@")[0].rpartition(":")[0] if isinstance(ref, str) else ""


def _evaluated(  # noqa: PLR0913 - what to check, each by name
    verifier: Verifier,
    ref: str,
    *,
    at: datetime | None,
    timeout_seconds: float,
    max_update_age_seconds: float,
    demand: Demand | None,
) -> Verdict:
    moment = verifier._moment(at)  # noqa: SLF001 - a method in all but name, so that it can be pickled
    if not isinstance(ref, str):
        shown = ascii(ref)
        msg = f"an image reference is a str, not {type(ref).__name__}"
        return Verdict(shown, Code.INVALID_REFERENCE, msg, moment, hint=Code.INVALID_REFERENCE.remedy)
    deadline = Deadline(timeout_seconds)
    return verifier._evaluate(  # noqa: SLF001
        ref, moment, deadline, demand, max_update_age_seconds=max_update_age_seconds
    )


def _deadline(timeout_seconds: float) -> Deadline:
    try:
        return Deadline(timeout_seconds)
    except (TypeError, ValueError, OverflowError) as error:
        msg = f"timeout_seconds must be a positive, finite number, not {quote(timeout_seconds)}"
        raise UsageError(msg) from error
