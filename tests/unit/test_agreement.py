"""Several authorities: all must vouch, for the same digest; otherwise the gravest answer is the answer."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import permutations

import pytest

from imgsig.agreement import agreed_verdict
from imgsig.codes import Code, Outcome
from imgsig.errors import InconclusiveError, NoPolicyError, RejectedError, VerificationError
from imgsig.reference import parse_reference
from imgsig.source import SourceEvidence
from imgsig.trust import Evidence
from imgsig.verdict import Attestation, Check, Checks, Signer, Verdict

AT = datetime(2027, 1, 1, tzinfo=UTC)
FIRST = Attestation(
    authority="notary",
    name="docker.io/library/alpine",
    digest="sha256:" + "a" * 64,
    length=5,
    tags=("3",),
    signers=(Signer("targets", ("1" * 64,)),),
    roles=(),
    anchor=Evidence("root-keys", ("2" * 64,)),
    source=SourceEvidence("server", "https://notary.docker.io"),
    fresh=True,
    known_since=None,
    valid_until=AT + timedelta(days=9),
)
SECOND = replace(FIRST, authority="tuf", signers=(Signer("releases", ("3" * 64,)),), valid_until=AT + timedelta(days=4))
OTHER = replace(FIRST, authority="other", digest="sha256:" + "b" * 64)
REJECTED = RejectedError("refused", code=Code.EXPIRED, subject="targets", expected="later", found="earlier")
INCONCLUSIVE = InconclusiveError("no answer", code=Code.UNREACHABLE, hint="look at the cable")
NO_POLICY = NoPolicyError("not mine", code=Code.NO_POLICY)


def united(*said: Attestation | VerificationError) -> Verdict:
    checks = Checks()
    checks.passed(Code.THRESHOLD, "root")
    attestations = [one for one in said if isinstance(one, Attestation)]
    failures = [one for one in said if isinstance(one, VerificationError)]
    return agreed_verdict("alpine:3", parse_reference("alpine:3"), "docker.io/**", AT, attestations, failures, checks)


def test_one_authority_is_enough_where_there_is_one() -> None:
    verdict = united(FIRST)
    assert verdict.outcome is Outcome.VERIFIED
    assert verdict.pinned == f"docker.io/library/alpine@{FIRST.digest}"
    assert (verdict.digest, verdict.fresh, verdict.valid_until) == (FIRST.digest, True, FIRST.valid_until)
    assert (verdict.requested, verdict.reference) == ("alpine:3", "docker.io/library/alpine:3")
    assert (verdict.rule, verdict.at, verdict.hint) == ("docker.io/**", AT, "")
    assert verdict.checks == (Check(Code.THRESHOLD, "root", passed=True),)


def test_two_that_agree_vouch_together() -> None:
    verdict = united(FIRST, SECOND)
    assert verdict.outcome is Outcome.VERIFIED
    assert verdict.attestations == (FIRST, SECOND)
    assert verdict.signers == (*FIRST.signers, *SECOND.signers)
    assert verdict.valid_until == SECOND.valid_until
    assert not united(FIRST, replace(SECOND, fresh=False)).fresh


@pytest.mark.parametrize("more", [(), (REJECTED,), (INCONCLUSIVE,), (NO_POLICY, REJECTED, INCONCLUSIVE), (SECOND,)])
def test_differing_digests_are_refused_whatever_else_happened(
    more: tuple[Attestation | VerificationError, ...],
) -> None:
    verdict = united(FIRST, OTHER, *more)
    assert (verdict.outcome, verdict.code) == (Outcome.REJECTED, Code.AUTHORITIES_DISAGREE)
    assert verdict.pinned == verdict.digest == ""
    assert FIRST.digest in verdict.checks[-1].found
    assert OTHER.digest in verdict.checks[-1].found
    assert verdict.hint == Code.AUTHORITIES_DISAGREE.remedy
    assert not verdict.fresh


@pytest.mark.parametrize("said", [*permutations([FIRST, REJECTED, NO_POLICY, INCONCLUSIVE])])
def test_the_gravest_failure_decides_in_any_order(said: tuple[Attestation | VerificationError, ...]) -> None:
    verdict = united(*said)
    assert (verdict.code, verdict.summary, verdict.hint) == (Code.EXPIRED, "refused", Code.EXPIRED.remedy)
    assert verdict.attestations == (FIRST,)
    assert verdict.valid_until is None


@pytest.mark.parametrize("said", [*permutations([FIRST, NO_POLICY, INCONCLUSIVE])])
def test_no_policy_is_graver_than_no_answer(said: tuple[Attestation | VerificationError, ...]) -> None:
    assert united(*said).code is Code.NO_POLICY


def test_one_that_cannot_answer_withholds_the_answer() -> None:
    verdict = united(FIRST, INCONCLUSIVE)
    assert (verdict.outcome, verdict.code) == (Outcome.INCONCLUSIVE, Code.UNREACHABLE)
    assert verdict.hint == "look at the cable"


def test_the_first_of_two_equal_failures_is_told() -> None:
    other = RejectedError("another", code=Code.ROLLBACK)
    assert united(REJECTED, other).code is Code.EXPIRED
    assert united(other, REJECTED).code is Code.ROLLBACK


def test_how_long_to_wait_is_told_only_by_the_failure_that_decides() -> None:
    throttled = InconclusiveError("slow down", code=Code.THROTTLED)
    throttled.retry_after_seconds = 9.0
    assert united(throttled).retry_after_seconds == 9.0
    assert united(throttled, REJECTED).retry_after_seconds is None
    assert united(FIRST, OTHER, throttled).retry_after_seconds is None


def test_what_is_pinned_bears_the_requested_name() -> None:
    verdict = agreed_verdict(
        "m.example/alpine", parse_reference("m.example/alpine"), "m.example/**", AT, [FIRST], [], Checks()
    )
    assert verdict.pinned == f"m.example/alpine@{FIRST.digest}"
