"""What a user should know before a verification fails: findings about a policy, its names and the trust in them.

Pure: what was looked at is handed in.

Spec: docs/doctor.md.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, Final, final

from imgsig.codes import Code
from imgsig.errors import VerificationError
from imgsig.examination import Examined
from imgsig.outlook import Ending, Outlook
from imgsig.patterns import candidates, split_pattern, wider_patterns
from imgsig.policy import Policy, Rule, SectionSettings

OLD_ROOT_YEARS: Final = 3
"""How old root keys may be without one rotation."""
_IGNORING_CLIENT: Final = 29
"""The first major version of the Docker client that verifies nothing when it pulls.

Spec: docker/cli v29, where only the docker-trust plugin reads ``DOCKER_CONTENT_TRUST``.
"""

_OF_SERVERS: Final = frozenset({Code.UNREACHABLE, Code.TLS, Code.THROTTLED, Code.FOREIGN_REALM})
"""What is said of a server once, however many names are asked of it."""


@final
class Severity(StrEnum):
    """How much a finding matters."""

    ERROR = "error"
    """Something does not work now, or protects nobody."""
    WARNING = "warning"
    """It will stop working, or protects less than it seems to."""
    NOTE = "note"
    """It may be meant."""


@final
class Word(StrEnum):
    """A stable word for each kind of finding that is no code of a verdict."""

    severity: Severity
    cause: str
    remedy: str

    def __new__(cls, value: str, severity: Severity, cause: str, remedy: str) -> "Word":
        """Make a member whose value is the word and which carries its meaning."""
        member = str.__new__(cls, value)
        member._value_ = value
        member.severity, member.cause, member.remedy = severity, cause, remedy
        return member

    POLICY_MISSING = (
        "policy_missing", Severity.ERROR, "there is no policy, so that no image can be verified",
        "imgsig anchor NAME --write FILE writes a first rule",
    )
    RULE_UNUSED = (
        "rule_unused", Severity.NOTE, "a pattern covers no name that was verified here or asked about",
        "look for a misspelt registry or name, or remove the pattern",
    )
    RULE_REPEATED = (
        "rule_repeated", Severity.NOTE, "a pattern says the same as a wider one that covers its names too",
        "remove the narrower pattern",
    )
    RULE_LAXER = (
        "rule_laxer", Severity.WARNING, "a pattern takes names out of a wider one that demands more of them",
        "see whether that is meant; a rule applies whole, and inherits nothing",
    )
    ANCHOR_OUTDATED = (
        "anchor_outdated", Severity.WARNING, "the name verifies here by what is remembered, but would not elsewhere",
        "bring the rule's anchor up to date: imgsig anchor NAME shows the present keys",
    )
    SIGNER_UNKNOWN = (
        "signer_unknown", Severity.ERROR, "a signer that the rule demands has no role in the trust data",
        "correct the name of the signer; until then every tag is refused",
    )
    METADATA_ENDS = (
        "metadata_ends", Severity.WARNING, "metadata that a person must sign expires soon",
        "tell the publisher to sign the role again",
    )
    CERTIFICATE_ENDS = (
        "certificate_ends", Severity.WARNING, "the certificates of the root keys end soon",
        "tell the publisher to rotate the root key before that day; afterwards it must be trusted anew",
    )
    ROOT_NEVER_ROTATED = (
        "root_never_rotated", Severity.WARNING, "the first root still serves, and its keys are old",
        "ask the publisher whether the root key is still in good hands, and to rotate it",
    )
    LOGIN_MISSING = (
        "login_missing", Severity.ERROR, "the server wants a login, and there is none for the registry",
        "docker login REGISTRY, with an account that may pull",
    )
    DOCKER_IGNORES_TRUST = (
        "docker_ignores_trust", Severity.ERROR,
        "DOCKER_CONTENT_TRUST is set, but the installed Docker client pulls without verifying",
        "verify with imgsig and pull what it prints; nothing else checks these images",
    )
    DOCKER_UNKNOWN = (
        "docker_unknown", Severity.WARNING,
        "DOCKER_CONTENT_TRUST is set, and whether the Docker client heeds it cannot be told",
        "see what docker version says: from version 29 on the client pulls without verifying",
    )
    PLACE_UNSAFE = (
        "place_unsafe", Severity.ERROR, "others could change the policy or the state, and so whom is trusted",
        "chown and chmod go-w what is named",
    )
    STATE_READ_ONLY = (
        "state_read_only", Severity.ERROR, "the state cannot be written, so that nothing can be remembered",
        "make the folder writable, or name another one",
    )


@final
@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that a user should know."""

    word: str
    """A `Word`, or the code that a verification would end with."""
    severity: Severity
    subject: str
    """What it is about: a pattern, a name, a server, a file."""
    what: str
    """One line for a person."""
    remedy: str

    def to_dict(self) -> dict[str, Any]:
        """Return the finding as JSON values."""
        return {
            "finding": str(self.word),
            "severity": self.severity.value,
            "subject": self.subject,
            "what": self.what,
            "remedy": self.remedy,
        }


def finding_of(word: Word, subject: str, what: str) -> Finding:
    """Return the finding of that kind."""
    return Finding(word, word.severity, subject, what, word.remedy)


def finding_of_fault(fault: VerificationError, subject: str) -> Finding:
    """Return the finding that no image of the subject verifies, because of `fault`."""
    return Finding(fault.code, Severity.ERROR, subject, str(fault), fault.hint)


def unique(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """Return the findings, the gravest first; of those with the same word and subject only the first."""
    first: dict[tuple[str, str], Finding] = {}
    for finding in findings:
        repeated = finding.word in {Word.METADATA_ENDS, Word.CERTIFICATE_ENDS, Word.PLACE_UNSAFE, Word.SIGNER_UNKNOWN}
        first.setdefault((finding.word, finding.what if repeated else finding.subject), finding)
    return tuple(sorted(first.values(), key=lambda finding: tuple(Severity).index(finding.severity)))


# -- the policy ---------------------------------------------------------------------------------------------------


def exact_names(policy: Policy) -> tuple[str, ...]:
    """Return the names that the policy spells out and demands to verify."""
    named = (pattern for rule in policy.rules if rule.sections for pattern in rule.names)
    return tuple(pattern for pattern in named if not split_pattern(pattern)[1])


def check_rules(policy: Policy, asked: Iterable[str], signed: Iterable[str]) -> Iterator[Finding]:
    """Yield what can be told of the rules by themselves.

    Args:
        policy: the rules.
        asked: image names that the user asks about.
        signed: signed names that have been verified here before.
    """
    by_pattern = {pattern: rule for rule in policy.rules for pattern in rule.names}
    for pattern, rule in by_pattern.items():
        wider = next((wide for wide in wider_patterns(pattern) if wide in by_pattern), None)
        if wider is not None:
            yield from _compared(pattern, rule, wider, by_pattern[wider])
    used = {_winner(name, by_pattern) for name in asked}
    known = tuple(signed)
    if used or known:
        for pattern, rule in by_pattern.items():
            if split_pattern(pattern)[1] and pattern not in used and not _has_verified(pattern, rule, known):
                yield finding_of(Word.RULE_UNUSED, pattern, f"no name that is known here falls under {pattern}")


def check_covered(policy: Policy, asked: Iterable[str]) -> Iterator[Finding]:
    """Yield each name asked about that no rule covers."""
    for name in asked:
        if policy.rule_for(name) is None:
            what = f"no rule of the policy covers {name}"
            yield Finding(Code.NO_POLICY, Severity.ERROR, name, what, Code.NO_POLICY.remedy)


def _winner(name: str, by_pattern: dict[str, Rule]) -> str:
    return next((pattern for pattern in candidates(name) if pattern in by_pattern), "")


def _has_verified(pattern: str, rule: Rule, signed: Iterable[str]) -> bool:
    """Whether one of the `signed` names can have been verified under `pattern`."""
    if rule.exempt is not None:
        return True  # nothing of it is ever remembered
    target = pattern if rule.signed_as is None else rule.signed_as
    return any(target in candidates(name) for name in signed)


def _compared(pattern: str, rule: Rule, wider: str, other: Rule) -> Iterator[Finding]:
    """Yield what is to be told of `pattern`, whose names `wider` would cover if it were not there."""
    if rule is other or (rule.signed_as is None and other.signed_as is None and _says(rule) == _says(other)):
        yield finding_of(Word.RULE_REPEATED, pattern, f"{pattern} says the same as {wider}")
        return
    laxer = tuple(_laxer(rule, other))
    if laxer:
        yield finding_of(Word.RULE_LAXER, pattern, f"{pattern}, within {wider}, {' and '.join(laxer)}")


def _says(rule: Rule) -> tuple[object, ...]:
    return rule.exempt, rule.sections


def _laxer(rule: Rule, other: Rule) -> Iterator[str]:
    """Yield in which ways `rule` demands less than `other`. Another publisher is no laxer one."""
    if other.exempt is not None:
        return
    if rule.exempt is not None:
        yield f"is exempt from verification: {rule.exempt}"
        return
    sections = {section.system: section for section in rule.sections}
    for wanted in other.sections:
        section = sections.get(wanted.system)
        if section is None:
            yield f"is not verified by {wanted.system}"
        else:
            yield from _laxer_section(section, wanted)


def _laxer_section(section: SectionSettings, other: SectionSettings) -> Iterator[str]:
    if section.trusts_first_use and not other.trusts_first_use:
        yield "trusts whatever root is offered first"
    if (section.server or "").startswith("http:") and not (other.server or "").startswith("http:"):
        yield "is asked of a server without TLS"
    missing = [signer for signer in _texts(other, "signers") if signer not in _texts(section, "signers")]
    if missing and _anchor(section) == _anchor(other):
        yield f"does not demand the signers {', '.join(missing)}"


def _texts(section: SectionSettings, key: str) -> tuple[str, ...]:
    found = section.to_items().get(key, ())
    return found if isinstance(found, tuple) else ()


def _anchor(section: SectionSettings) -> object:
    return getattr(section, "anchor", None)


# -- names --------------------------------------------------------------------------------------------------------


def check_examined(
    examined: Examined, *, at: datetime, days: int, has_login: Callable[[str], bool]
) -> Iterator[Finding]:
    """Yield what can be told of one name.

    Args:
        examined: what came of looking at it.
        at: the present time (aware, UTC).
        days: how many days ahead to look.
        has_login: whether there is a login for a registry; asked only where a server has refused.
    """
    fault, name = examined.fault, examined.name
    if fault is not None:
        registry = name.partition("/")[0]
        if fault.code is Code.ACCESS_DENIED and not has_login(registry):
            what = f"{examined.server} wants a login, and there is none for {registry}"
            yield finding_of(Word.LOGIN_MISSING, registry, what)
        else:
            yield finding_of_fault(fault, examined.server if fault.code in _OF_SERVERS else name)
    elif examined.fault_elsewhere is not None:
        elsewhere = examined.fault_elsewhere
        what = f"{name} verifies by what is remembered here, and nowhere else: {elsewhere} ({elsewhere.code})"
        yield finding_of(Word.ANCHOR_OUTDATED, name, what)
    if examined.outlook is not None:
        yield from _check_outlook(examined.outlook, name, at, days)


def _check_outlook(outlook: Outlook, name: str, at: datetime, days: int) -> Iterator[Finding]:
    for signer in outlook.strangers:
        what = f"the rule for {name} demands the signer {signer}, whom no document delegates to"
        yield finding_of(Word.SIGNER_UNKNOWN, name, what)
    for ending in outlook.endings:
        left = ending.at - at
        if timedelta() <= left <= timedelta(days=days):
            word = Word.METADATA_ENDS if ending.kind == "metadata" else Word.CERTIFICATE_ENDS
            what = f"{name}: {_described(ending)} on {ending.at:%Y-%m-%d}, in {left.days} days"
            yield finding_of(word, name, what)
    since = outlook.root_keys_since
    if outlook.root_version == 1 and since is not None and at - since >= timedelta(days=365 * OLD_ROOT_YEARS):
        what = f"the root of {name} is version 1, and its keys are of {since:%Y-%m-%d}"
        yield finding_of(Word.ROOT_NEVER_ROTATED, name, what)


def _described(ending: Ending) -> str:
    return f"{ending.role} expires" if ending.kind == "metadata" else "the certificates of the root keys end"


# -- Docker -------------------------------------------------------------------------------------------------------


def check_docker(version: str) -> Iterator[Finding]:
    """Yield whether the Docker client of this `version` ignores ``DOCKER_CONTENT_TRUST``, which is set."""
    if version and int(version.partition(".")[0]) >= _IGNORING_CLIENT:
        what = f"DOCKER_CONTENT_TRUST is set, but the Docker client {version} pulls without verifying"
        yield finding_of(Word.DOCKER_IGNORES_TRUST, "docker", what)
