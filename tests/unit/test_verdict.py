"""The verdict: it says one thing, has no truth value, and gives an image only where it was verified."""

import copy
import json
import pickle
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from imgsig.codes import Code, Outcome
from imgsig.errors import InconclusiveError, NoPolicyError, RejectedError, VerificationError
from imgsig.source import SourceEvidence
from imgsig.trust import Evidence
from imgsig.verdict import Attestation, Check, Checks, RoleEvidence, Signer, Verdict

AT = datetime(2027, 1, 2, 3, 4, 5, 678, UTC)
DIGEST = "sha256:" + "ab" * 32
NAME = "docker.io/library/alpine"
SIGNER = Signer("targets/releases", ("c" * 64,))
ATTESTATION = Attestation(
    authority="notary",
    name=NAME,
    digest=DIGEST,
    length=1638,
    tags=("latest",),
    signers=(SIGNER,),
    roles=(RoleEvidence("root", 3, AT + timedelta(days=9), ("d" * 64,)),),
    anchor=Evidence("root-keys", ("e" * 64,)),
    source=SourceEvidence("server", "https://notary.docker.io"),
    fresh=True,
    known_since=AT,
    valid_until=AT + timedelta(days=5),
)
VERIFIED = Verdict(
    "alpine",
    Code.OK,
    "signed",
    AT,
    f"{NAME}:latest",
    rule="docker.io/**",
    pinned=f"{NAME}@{DIGEST}",
    digest=DIGEST,
    fresh=True,
    valid_until=AT + timedelta(days=5),
    attestations=(ATTESTATION,),
    checks=(Check(Code.THRESHOLD, "root", passed=True, expected="1 keys", found="signed"),),
)
FAILED = [code for code in Code if code is not Code.OK]


def failed(code: Code, **changes: Any) -> Verdict:  # noqa: ANN401 - members of a verdict
    return replace(Verdict("alpine", code, "because", AT, f"{NAME}:latest", "do this"), **changes)


# -- one thing ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "changes",
    [
        {"code": Code.EXPIRED}, {"code": Code.STALE}, {"code": Code.NO_POLICY}, {"pinned": ""}, {"digest": ""},
        {"attestations": ()}, {"pinned": "", "digest": ""}, {"code": Code.EXPIRED, "pinned": ""},
        {"code": Code.EXPIRED, "digest": ""},
    ],
)  # fmt: skip
def test_a_verdict_cannot_say_two_things(changes: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="verified verdict"):
        replace(VERIFIED, **changes)


def test_what_was_attested_stays_in_a_refusal() -> None:
    refused = replace(VERIFIED, code=Code.SIGNER_MISSING, pinned="", digest="")
    assert refused.attestations == (ATTESTATION,)
    assert refused.signers == ()


@pytest.mark.parametrize("verdict", [VERIFIED, failed(Code.EXPIRED), failed(Code.STALE), failed(Code.EXEMPT)])
def test_a_verdict_has_no_truth_value(verdict: Verdict) -> None:
    with pytest.raises(TypeError, match="no truth value"):
        bool(verdict)
    with pytest.raises(TypeError):
        not verdict  # noqa: B018 - the point


@pytest.mark.parametrize("code", Code)
def test_the_outcome_is_that_of_the_code(code: Code) -> None:
    verdict = VERIFIED if code is Code.OK else failed(code)
    assert verdict.outcome is code.outcome


@pytest.mark.parametrize("verdict", [VERIFIED, *(failed(code) for code in FAILED)])
def test_a_verdict_is_the_same_after_a_journey(verdict: Verdict) -> None:
    for other in (copy.copy(verdict), copy.deepcopy(verdict), pickle.loads(pickle.dumps(verdict))):  # noqa: S301
        assert other == verdict
        assert other.to_json() == verdict.to_json()
        assert hash(other) == hash(verdict)


def test_a_verdict_cannot_be_changed() -> None:
    for value in (VERIFIED, ATTESTATION, SIGNER, VERIFIED.checks[0]):
        with pytest.raises((AttributeError, TypeError)):
            value.digest = "x"  # type: ignore[union-attr,misc]


# -- require --------------------------------------------------------------------------------------------------------


def test_a_verified_image_is_what_to_deploy() -> None:
    image = VERIFIED.require()
    assert str(image) == image.pinned == f"{NAME}@{DIGEST}"
    assert (image.reference, image.digest, image.signers) == (f"{NAME}:latest", DIGEST, (SIGNER,))
    assert image.verdict == VERIFIED


@pytest.mark.parametrize("code", FAILED)
def test_nothing_else_gives_an_image(code: Code) -> None:
    kinds = {
        Outcome.REJECTED: RejectedError,
        Outcome.INCONCLUSIVE: InconclusiveError,
        Outcome.NO_POLICY: NoPolicyError,
    }
    verdict = failed(code)
    with pytest.raises(VerificationError) as caught:
        verdict.require()
    error = caught.value
    assert type(error) is kinds[code.outcome]
    assert (error.code, str(error), error.hint, error.verdict) == (code, "because", "do this", verdict)


def test_the_error_has_the_operands_of_the_check_that_failed() -> None:
    checks = (
        Check(Code.EXPIRED, "targets/alice", passed=False, expected="first", found="skipped"),
        Check(Code.EXPIRED, "root", passed=True),
        Check(Code.EXPIRED, "targets", passed=False, expected="later", found="earlier"),
        Check(Code.ROLLBACK, "snapshot", passed=False),
    )
    with pytest.raises(RejectedError) as caught:
        failed(Code.EXPIRED, checks=checks).require()
    assert (caught.value.subject, caught.value.expected, caught.value.found) == ("targets", "later", "earlier")
    with pytest.raises(RejectedError) as caught:
        failed(Code.SIGNATURE, checks=checks).require()
    assert (caught.value.subject, caught.value.expected, caught.value.found) == ("", "", "")


def test_how_long_to_wait_is_passed_on() -> None:
    with pytest.raises(InconclusiveError) as caught:
        failed(Code.THROTTLED, retry_after_seconds=12.5).require()
    assert caught.value.retry_after_seconds == 12.5


# -- JSON -----------------------------------------------------------------------------------------------------------


def test_pinned_and_digest_exist_only_when_verified() -> None:
    assert VERIFIED.to_dict()["pinned"] == f"{NAME}@{DIGEST}"
    for code in FAILED:
        answer = failed(code).to_dict()
        assert "pinned" not in answer
        assert "digest" not in answer
        assert answer["signers"] == []


def test_what_is_empty_is_null() -> None:
    answer = Verdict("x", Code.INVALID_REFERENCE, "because", AT).to_dict()
    assert (answer["reference"], answer["hint"], answer["rule"], answer["valid_until"]) == (None, None, None, None)
    assert "retry_after_seconds" not in answer
    assert failed(Code.THROTTLED, retry_after_seconds=1.0).to_dict()["retry_after_seconds"] == 1.0


def test_times_are_utc_and_end_in_z() -> None:
    answer = VERIFIED.to_dict()
    assert answer["at"] == "2027-01-02T03:04:05.000678Z"
    assert answer["valid_until"] == "2027-01-07T03:04:05.000678Z"
    east = replace(VERIFIED, at=AT.astimezone(timezone(timedelta(hours=2))))
    assert east.to_dict()["at"] == "2027-01-02T05:04:05.000678+02:00"


@given(st.text(max_size=30), st.text(max_size=30))
def test_json_is_one_line_of_ascii_whatever_others_wrote(requested: str, found: str) -> None:
    check = Check(Code.MALFORMED, found, passed=False, found=found)
    verdict = failed(Code.MALFORMED, requested=requested, checks=(check,))
    text = verdict.to_json()
    assert text.isascii()
    assert text.isprintable()
    assert json.loads(text)["requested"] == requested
    assert json.loads(text)["checks"][0]["subject"] == found


def test_json_holds_the_whole_answer() -> None:
    answer = json.loads(VERIFIED.to_json())
    assert answer == VERIFIED.to_dict()
    assert (answer["format"], answer["outcome"], answer["code"]) == ("imgsig-verdict/1", "verified", "ok")
    (attestation,) = answer["attestations"]
    assert attestation["anchor"] == {"kind": "root-keys", "ids": ["e" * 64]}
    assert attestation["source"]["location"] == "https://notary.docker.io"
    assert attestation["roles"] == [
        {"role": "root", "version": 3, "expires": "2027-01-11T03:04:05.000678Z", "key_ids": ["d" * 64]}
    ]
    assert answer["signers"] == [{"role": "targets/releases", "key_ids": ["c" * 64]}]
    assert answer["checks"] == [
        {"code": "threshold", "subject": "root", "passed": True, "expected": "1 keys", "found": "signed"}
    ]


def test_a_source_that_is_an_archive_says_when_it_was_captured() -> None:
    source = SourceEvidence("archive", DIGEST, captured_at=AT, id_pinned=True)
    answer = replace(VERIFIED, attestations=(replace(ATTESTATION, source=source, known_since=None),)).to_dict()
    (attestation,) = answer["attestations"]
    assert attestation["source"] == {
        "kind": "archive", "location": DIGEST, "captured_at": "2027-01-02T03:04:05.000678Z", "id_pinned": True,
    }  # fmt: skip
    assert attestation["known_since"] is None


# -- checks ---------------------------------------------------------------------------------------------------------


def test_checks_are_kept_in_order() -> None:
    checks, others = Checks(), Checks()
    checks.passed(Code.THRESHOLD, "root", expected="e", found="f")
    others.failed(Code.EXPIRED, "targets")
    checks.extend(others)
    others.passed(Code.OK, "later")
    assert list(checks) == [
        Check(Code.THRESHOLD, "root", passed=True, expected="e", found="f"),
        Check(Code.EXPIRED, "targets", passed=False),
    ]


def test_checks_that_are_read_are_not_changed_by_what_comes_later() -> None:
    checks = Checks()
    checks.passed(Code.OK, "first")
    for check in checks:
        checks.passed(Code.OK, f"after {check.subject}")
    assert len(list(checks)) == 2
    checks.extend(checks)
    assert len(list(checks)) == 4
