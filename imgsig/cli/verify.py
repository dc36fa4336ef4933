"""``imgsig verify``: references in; pinned references, or verdicts as JSON, out."""

from argparse import Namespace
from collections.abc import Iterator
from datetime import datetime
from typing import Final

from imgsig.archive import Archive, DockerTrust
from imgsig.cli.console import BOLD, GREEN, RED, YELLOW, Console
from imgsig.cli.policy_file import load_policy
from imgsig.cli.references import count_references, read_references
from imgsig.cli.statuses import status_of
from imgsig.codes import Code, Outcome
from imgsig.environment import Environment
from imgsig.errors import UsageError, VerificationError
from imgsig.state import FolderState
from imgsig.verdict import Attestation, Check, RegistryEvidence, Signer, Verdict
from imgsig.verifier import Verifier

_COLORS: Final = {
    Outcome.VERIFIED: GREEN, Outcome.REJECTED: RED, Outcome.INCONCLUSIVE: YELLOW, Outcome.NO_POLICY: YELLOW,
}
_MAX_REQUESTED: Final = 300
"""Characters of a reference that are told to a person: more than any good one has."""
_SHOWN_ID: Final = 16
"""Characters of a key's id that are told to a person; the whole of it is in the JSON."""


def run(arguments: Namespace, console: Console, environment: Environment) -> int:
    """Verify every reference and return the exit status for all.

    Raises:
        UsageError: the call or the configuration is wrong.
    """
    _check(arguments)
    total = 0 if arguments.file is None else len(arguments.references) + count_references(arguments.file)
    outcomes: set[Outcome] = set()
    for done, verdict in enumerate(_verdicts(arguments, environment), 1):
        outcomes.add(verdict.outcome)
        console.clear_progress()
        if arguments.explain:
            _explain(verdict, console)
        if arguments.json:
            console.json(verdict.to_json())
        elif verdict.outcome is Outcome.VERIFIED:
            console.data(verdict.platform_pinned or verdict.pinned)
        if verdict.outcome is Outcome.VERIFIED:
            _warn(verdict, console)
        else:
            _complain(verdict, console)
        if total:
            console.show_progress(done, total)
        console.flush()
    console.clear_progress()
    if not outcomes:
        raise _no_references()
    return status_of(outcomes)


def _check(arguments: Namespace) -> None:
    if not arguments.references and arguments.file is None:
        raise _no_references()
    if arguments.archive is None:
        for option in ("at", "archive_id"):
            if getattr(arguments, option) is not None:
                msg = f"--{option.replace('_', '-')} goes with --archive only"
                raise UsageError(msg, hint="a server answers for now; name an archive to verify from")
    given = [option for option in ("archive", "docker_trust") if getattr(arguments, option) is not None]
    if given:
        unfit = [*given[1:], "state", "check_registry", "require_tag_current", "platform"]
        for option in (option for option in unfit if getattr(arguments, option) not in {None, False}):
            msg = f"--{option.replace('_', '-')} does not go with --{given[0].replace('_', '-')}"
            raise UsageError(msg, hint="what is on the disk is verified by the policy alone: leave it out")


def _verdicts(arguments: Namespace, environment: Environment) -> Iterator[Verdict]:
    policy = load_policy(environment, arguments.policy)
    if arguments.docker_trust is not None:
        verifier = Verifier(policy, source=DockerTrust.load(arguments.docker_trust))
    elif arguments.archive is None:
        state = environment.state() if arguments.state is None else FolderState(arguments.state)
        verifier = environment.verifier(policy, state)
    else:
        try:
            source = Archive.load(arguments.archive, arguments.archive_id)
        except VerificationError as error:
            moment = arguments.at or environment.now()
            yield from (_unasked(reference, error, moment) for reference in _references(arguments))
            return
        verifier = Verifier(policy, source=source)
    with verifier:
        yield from verifier.evaluate_many(
            _references(arguments),
            workers=arguments.workers,
            at=arguments.at,
            timeout_seconds=arguments.timeout,
            check_registry=arguments.check_registry,
            require_tag_current=arguments.require_tag_current,
            platform=arguments.platform,
        )


def _references(arguments: Namespace) -> Iterator[str]:
    yield from arguments.references
    if arguments.file is not None:
        yield from read_references(arguments.file)


def _no_references() -> UsageError:
    msg = "there is no reference to verify"
    return UsageError(msg, hint="imgsig verify NAME:TAG, or imgsig verify --help")


def _unasked(reference: str, error: VerificationError, moment: datetime) -> Verdict:
    """Return the verdict on a reference when there is nothing to verify it from."""
    check = Check(error.code, error.subject, passed=False, expected=error.expected, found=error.found)
    return Verdict(reference, error.code, str(error), moment, hint=error.hint, checks=(check,))


def _warn(verdict: Verdict, console: Console) -> None:
    """Tell what a user should know about an image although it is verified."""
    for attestation in verdict.attestations:
        said = ""
        if attestation.source.kind == "server" and not attestation.fresh:
            said = "the server could not be reached; this is what it said before"
        elif attestation.anchor.kind == "first-use" and attestation.known_since == verdict.at:
            said = f"{attestation.name} is trusted from now on, at first use: nothing has shown whose keys these are"
        if said:
            console.warn(f"{verdict.requested}: {said}")
    registry = verdict.registry
    if registry is not None and registry.tag_current is False:
        now = f", but for {registry.tag_digest}" if registry.tag_digest else ""
        console.warn(f"{verdict.requested}: the registry's tag does not stand for the signed digest{now}")
        console.hint("deploy what is pinned, never the tag")


def _complain(verdict: Verdict, console: Console) -> None:
    """Tell in one line why an image is not verified, and in another what to do about it."""
    requested, wait = verdict.requested, verdict.retry_after_seconds
    shortened = requested if len(requested) <= _MAX_REQUESTED else f"{requested[:_MAX_REQUESTED]}…"
    hint = verdict.hint if wait is None else f"{verdict.hint} (the server asks to wait for {wait:g} seconds)"
    console.problem(f"{shortened}: {verdict.summary} ({verdict.code})", hint)


def _explain(verdict: Verdict, console: Console) -> None:
    """Tell everything that a verdict says, for a person to read."""
    console.tell((verdict.reference or verdict.requested, BOLD), (": ", ""), _outcome(verdict))
    facts = [("as of", _time(verdict.at))]
    if verdict.rule:
        facts.insert(0, ("rule", verdict.rule))
    if verdict.outcome is Outcome.VERIFIED:
        facts.insert(0, ("digest", verdict.digest))
    if verdict.valid_until is not None:
        facts.append(("valid until", _time(verdict.valid_until)))
    for attestation in verdict.attestations:
        facts += _facts(attestation)
    if verdict.registry is not None:
        facts += _registry_facts(verdict.registry)
    for label, value in facts:
        console.say(f"  {label:<12} {value}")
    if verdict.checks:
        console.say("  checks")
    code_width = max((len(check.code) for check in verdict.checks), default=0)
    subject_width = max((len(check.subject) for check in verdict.checks), default=0)
    for check in verdict.checks:
        mark = ("    ok    ", GREEN) if check.passed else ("    FAILED", RED)
        row = f" {check.code:<{code_width}}  {check.subject:<{subject_width}}  {_operands(check)}"
        console.tell(mark, (row.rstrip(), ""))


def _outcome(verdict: Verdict) -> tuple[str, str]:
    outcome = verdict.outcome.value.replace("_", " ")
    return outcome if verdict.code is Code.OK else f"{outcome} ({verdict.code})", _COLORS[verdict.outcome]


def _facts(attestation: Attestation) -> Iterator[tuple[str, str]]:
    source = attestation.source
    yield "authority", f"{attestation.authority}, for {attestation.name}"
    if source.kind == "server":
        yield "source", f"server {source.location}, {'answered now' if attestation.fresh else 'not reached'}"
    elif source.captured_at is None:
        yield "source", f"Docker's trust folder {source.location}, captured at no known time"
    else:
        pinned = "as demanded" if source.id_pinned else "by its own word"
        yield "source", f"archive {source.location}, captured at {_time(source.captured_at)} {pinned}"
    yield "tags", ", ".join(attestation.tags)
    for signer in attestation.signers:
        yield "signer", _signer(signer)
    yield "anchor", " ".join((attestation.anchor.kind, *attestation.anchor.ids))
    if attestation.known_since is not None:
        yield "known since", _time(attestation.known_since)
    for role in attestation.roles:
        yield "document", f"{role.role} version {role.version}, expires {_time(role.expires)}"


def _registry_facts(registry: RegistryEvidence) -> Iterator[tuple[str, str]]:
    yield "registry", f"{registry.location} has it: {registry.length} bytes, {registry.media_type}"
    if registry.tag_current is not None:
        yield "its tag", "stands for it" if registry.tag_current else registry.tag_digest or "does not stand for it"
    if registry.platform:
        yield "platform", f"{registry.platform}: {registry.platform_digest}"


def _signer(signer: Signer) -> str:
    return f"{signer.role}, by key {', '.join(key_id[:_SHOWN_ID] + '…' for key_id in signer.key_ids)}"


def _operands(check: Check) -> str:
    if check.expected and check.found:
        return f"expected {check.expected}; found {check.found}"
    return f"expected {check.expected}" if check.expected else check.found


def _time(moment: datetime) -> str:
    return moment.isoformat(timespec="seconds").replace("+00:00", "Z")
