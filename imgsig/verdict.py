"""The answer with its evidence: what was found, who vouched, which checks were made."""

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final, NoReturn, final

from imgsig.codes import Code, Outcome
from imgsig.errors import InconclusiveError, NoPolicyError, RejectedError, VerificationError
from imgsig.source import SourceEvidence
from imgsig.trust import Evidence

FORMAT: Final = "imgsig-verdict/1"


@final
@dataclass(frozen=True, slots=True)
class Check:
    """One rule that was looked at."""

    code: Code
    """What a failure of this check is called."""
    subject: str
    """What was checked: a role, a document, a tag, a server."""
    passed: bool
    expected: str = ""
    found: str = ""


@final
class Checks:
    """The list of checks of one evaluation, in the order in which they were made."""

    __slots__ = ("_made",)

    def __init__(self, made: Iterable[Check] = ()) -> None:
        """Start with those `made` already."""
        self._made: list[Check] = list(made)

    def passed(self, code: Code, subject: str, *, expected: str = "", found: str = "") -> None:
        """Note that a check held."""
        self._made.append(Check(code, subject, passed=True, expected=expected, found=found))

    def failed(self, code: Code, subject: str, *, expected: str = "", found: str = "") -> None:
        """Note that a check did not hold."""
        self._made.append(Check(code, subject, passed=False, expected=expected, found=found))

    def extend(self, checks: "Checks") -> None:
        """Add what `checks` noted elsewhere."""
        self._made.extend(checks)

    def __iter__(self) -> Iterator[Check]:
        """Iterate over the checks made so far."""
        return iter(tuple(self._made))


@final
@dataclass(frozen=True, slots=True)
class Signer:
    """Someone who vouched for the digest."""

    role: str
    """The role of the metadata that lists it, e.g. ``targets/releases``."""
    key_ids: tuple[str, ...]
    """Canonical ids of the role's keys whose signatures were verified, sorted."""


@final
@dataclass(frozen=True, slots=True)
class RoleEvidence:
    """One document that the answer relies on."""

    role: str
    version: int
    expires: datetime
    """Aware, UTC; sub-microseconds are cut off."""
    key_ids: tuple[str, ...]
    """Canonical ids of the keys whose signatures were verified, sorted."""


@final
@dataclass(frozen=True, slots=True)
class Attestation:
    """What one authority says about one image."""

    authority: str
    """The system that vouches: ``notary``, ``tuf``."""
    name: str
    """The signed name; differs from the requested one for a mirror."""
    digest: str
    """``sha256:…`` of the manifest or index."""
    length: int
    """Bytes of that manifest as the publisher wrote it; 0 when it was not given. Compared by a registry check only."""
    tags: tuple[str, ...]
    """The tag asked for, or for a digest every tag whose own choice is this digest."""
    signers: tuple[Signer, ...]
    """The role that the digest was taken from, then the required signers."""
    roles: tuple[RoleEvidence, ...]
    anchor: Evidence
    source: SourceEvidence
    fresh: bool
    """Whether the server confirmed it during this call."""
    known_since: datetime | None
    """When the chain of roots was first trusted here; None without state."""
    valid_until: datetime
    """The earliest expiry relied on, root certificates included."""


@final
@dataclass(frozen=True, slots=True)
class RegistryEvidence:
    """What the registry had when it was asked. Its bytes were fetched and hashed; it had the signed ones."""

    location: str
    """The registry's origin, e.g. ``https://registry-1.docker.io``."""
    media_type: str
    """What the signed digest stands for: the type of an index, or of one image's manifest."""
    length: int
    """Bytes of it."""
    tag_digest: str
    """What the registry's tag stood for; empty if it has no such tag, or none was asked for."""
    tag_current: bool | None
    """Whether that was the signed digest; None if no tag was asked for."""
    platform: str = ""
    """The platform asked for; empty if none was."""
    platform_digest: str = ""
    """The manifest for it: the only one in the signed index, or the signed one itself."""


@final
@dataclass(frozen=True, slots=True)
class VerifiedImage:
    """An image whose digest was vouched for as the policy demands. Only a verdict makes one."""

    reference: str
    """The normalised reference that was asked for."""
    pinned: str
    """The requested name with the signed digest, e.g. ``docker.io/library/alpine@sha256:…``: what to deploy."""
    digest: str
    """``sha256:…`` of the manifest or index."""
    signers: tuple[Signer, ...]
    verdict: "Verdict"
    platform_pinned: str = ""
    """The requested name with the digest of the manifest for the platform asked for; empty if none was."""

    def __str__(self) -> str:
        """Return the pinned reference."""
        return self.pinned


@final
@dataclass(frozen=True, slots=True)
class Verdict:
    """The whole answer to one question. It has no truth value: call ``require()`` or compare ``outcome``."""

    requested: str
    """The reference exactly as it was given."""
    code: Code
    summary: str
    """One line for a person."""
    at: datetime
    """The time that expiries were compared with (aware, UTC)."""
    reference: str = ""
    """The normalised reference; empty if the text is none."""
    hint: str = ""
    """What to do next; empty when there is nothing to do."""
    rule: str = ""
    """The pattern of the rule that decided; empty if none did."""
    pinned: str = ""
    """What to deploy; exists only when verified."""
    digest: str = ""
    """``sha256:…``; exists only when verified."""
    fresh: bool = False
    """Whether every authority's server confirmed its answer during this call."""
    valid_until: datetime | None = None
    """The earliest expiry that a verified answer relies on."""
    attestations: tuple[Attestation, ...] = ()
    """What each authority said; those of a refused image show what was found before the refusal."""
    checks: tuple[Check, ...] = ()
    retry_after_seconds: float | None = field(default=None)
    """How long a throttling server asked to wait."""
    registry: RegistryEvidence | None = None
    """What the registry had; None if it was not asked, or if not verified."""
    platform_pinned: str = ""
    """What to deploy on the platform that was asked for; empty if none was, or if not verified."""

    def __post_init__(self) -> None:
        """Refuse a verdict that says two things."""
        verified = self.code is Code.OK
        if verified != bool(self.pinned) or verified != bool(self.digest) or (verified and not self.attestations):
            msg = "only a verified verdict has a digest, and every verified verdict has one"
            raise ValueError(msg)
        if not verified and (self.registry is not None or self.platform_pinned):
            msg = "only a verified verdict says what a registry has"
            raise ValueError(msg)

    def __bool__(self) -> NoReturn:
        """Refuse: a verdict that is tested for truth would always be true."""
        msg = "a Verdict has no truth value: call require() or compare outcome"
        raise TypeError(msg)

    @property
    def outcome(self) -> Outcome:
        """What the caller may do: the outcome that the code stands for."""
        return self.code.outcome

    @property
    def signers(self) -> tuple[Signer, ...]:
        """Who vouched, over all authorities; empty unless verified."""
        if self.code is not Code.OK:
            return ()
        return tuple(signer for attestation in self.attestations for signer in attestation.signers)

    def require(self) -> VerifiedImage:
        """Return the verified image.

        Raises:
            RejectedError: it was checked and must not be used.
            InconclusiveError: no answer could be reached; fail closed, maybe try again.
            NoPolicyError: no rule covers the name, or a rule exempts it.
        """
        if self.code is Code.OK:
            return VerifiedImage(
                self.reference, self.pinned, self.digest, self.signers, self, platform_pinned=self.platform_pinned
            )
        failed = next((check for check in reversed(self.checks) if check.code is self.code and not check.passed), None)
        error = _ERRORS[self.outcome](
            self.summary,
            code=self.code,
            hint=self.hint,
            subject=failed.subject if failed else "",
            expected=failed.expected if failed else "",
            found=failed.found if failed else "",
            verdict=self,
        )
        if isinstance(error, InconclusiveError):
            error.retry_after_seconds = self.retry_after_seconds
        raise error

    def to_dict(self) -> dict[str, Any]:
        """Return the verdict as JSON values, in the format ``imgsig-verdict/1``."""
        answer: dict[str, Any] = {
            "format": FORMAT,
            "requested": self.requested,
            "reference": self.reference or None,
            "outcome": self.outcome.value,
            "code": str(self.code),
            "summary": self.summary,
            "hint": self.hint or None,
            "at": _time(self.at),
            "fresh": self.fresh,
            "valid_until": _time(self.valid_until),
            "rule": self.rule or None,
            "signers": [_signer(signer) for signer in self.signers],
            "attestations": [_attestation(attestation) for attestation in self.attestations],
            "checks": [_check(check) for check in self.checks],
        }
        if self.code is Code.OK:
            answer["pinned"], answer["digest"] = self.pinned, self.digest
        if self.platform_pinned:
            answer["platform_pinned"] = self.platform_pinned
        if self.registry is not None:
            answer["registry"] = _registry(self.registry)
        if self.retry_after_seconds is not None:
            answer["retry_after_seconds"] = self.retry_after_seconds
        return answer

    def to_json(self) -> str:
        """Return the verdict as one line of ASCII JSON, without a line end."""
        return json.dumps(self.to_dict(), ensure_ascii=True, separators=(", ", ": "))


_ERRORS: Final[dict[Outcome, type[VerificationError]]] = {
    Outcome.REJECTED: RejectedError,
    Outcome.INCONCLUSIVE: InconclusiveError,
    Outcome.NO_POLICY: NoPolicyError,
}


def _time(moment: datetime | None) -> str | None:
    return None if moment is None else moment.isoformat().replace("+00:00", "Z")


def _signer(signer: Signer) -> dict[str, Any]:
    return {"role": signer.role, "key_ids": list(signer.key_ids)}


def _check(check: Check) -> dict[str, Any]:
    return {
        "code": str(check.code),
        "subject": check.subject,
        "passed": check.passed,
        "expected": check.expected or None,
        "found": check.found or None,
    }


def _registry(registry: RegistryEvidence) -> dict[str, Any]:
    return {
        "location": registry.location,
        "media_type": registry.media_type,
        "length": registry.length,
        "tag_digest": registry.tag_digest or None,
        "tag_current": registry.tag_current,
        "platform": registry.platform or None,
        "platform_digest": registry.platform_digest or None,
    }


def _attestation(attestation: Attestation) -> dict[str, Any]:
    source = attestation.source
    return {
        "authority": attestation.authority,
        "name": attestation.name,
        "digest": attestation.digest,
        "length": attestation.length,
        "tags": list(attestation.tags),
        "signers": [_signer(signer) for signer in attestation.signers],
        "roles": [
            {
                "role": role.role,
                "version": role.version,
                "expires": _time(role.expires),
                "key_ids": list(role.key_ids),
            }
            for role in attestation.roles
        ],
        "anchor": {"kind": attestation.anchor.kind, "ids": list(attestation.anchor.ids)},
        "source": {
            "kind": source.kind,
            "location": source.location,
            "captured_at": _time(source.captured_at),
            "id_pinned": source.id_pinned,
        },
        "fresh": attestation.fresh,
        "known_since": _time(attestation.known_since),
        "valid_until": _time(attestation.valid_until),
    }
