"""The tree of errors: caught at every height, carried between processes, never contradicting itself."""

import copy
import inspect
import pickle
import traceback
from collections.abc import Callable
from datetime import UTC, datetime

import pytest

from imgsig import errors
from imgsig.codes import Code, Outcome
from imgsig.errors import (
    ImgsigError,
    InconclusiveError,
    InvalidReferenceError,
    NoPolicyError,
    PolicyError,
    RejectedError,
    UsageError,
    VerificationError,
)
from imgsig.source import DocumentMissingError, OutageError
from imgsig.verdict import Check, Verdict

VERDICT = Verdict(
    "alpine", Code.EXPIRED, "expired", datetime(2027, 1, 1, tzinfo=UTC),
    checks=(Check(Code.EXPIRED, "root", passed=False),)
)


def waiting() -> InconclusiveError:
    error = InconclusiveError("slow down", code=Code.THROTTLED)
    error.retry_after_seconds = 7.5
    return error


def noted() -> RejectedError:
    error = RejectedError("wrong", code=Code.SIGNATURE, subject="root", expected="a", found="b", verdict=VERDICT)
    error.add_note("a note")
    return error


MADE: tuple[Callable[[], ImgsigError], ...] = (
    lambda: ImgsigError("message", code="word", hint="do this"),
    lambda: UsageError("message"),
    lambda: UsageError("message", code="other", hint="do that"),
    lambda: InvalidReferenceError("message"),
    lambda: PolicyError(("rule[0]: is wrong", "rule[1]: too")),
    lambda: OfTheTestsError("message", code=Code.EXPIRED),
    lambda: RejectedError("message", code=Code.EXPIRED),
    noted,
    lambda: InconclusiveError("message", code=Code.STALE, hint="h", subject="s", expected="e", found="f"),
    waiting,
    lambda: NoPolicyError("message", code=Code.EXEMPT),
    lambda: DocumentMissingError("message", subject="root.json", body=b"{}", code=Code.ARCHIVE_UNREADABLE),
    lambda: OutageError("message", code=Code.UNREACHABLE),
)


class OfTheTestsError(VerificationError):
    outcome = Outcome.REJECTED


@pytest.mark.parametrize("make", MADE)
@pytest.mark.parametrize(
    "carry",
    [
        copy.copy,
        copy.deepcopy,
        lambda error: pickle.loads(pickle.dumps(error, 2)),  # noqa: S301 - our own
        lambda error: pickle.loads(pickle.dumps(error)),  # noqa: S301 - our own
    ],
)
def test_an_error_is_the_same_after_a_journey(
    make: Callable[[], ImgsigError], carry: Callable[[ImgsigError], ImgsigError]
) -> None:
    error = make()
    other = carry(error)
    assert type(other) is type(error)
    assert str(other) == str(error)
    assert other.args == error.args
    assert vars(other) == vars(error)
    assert repr(other) == repr(error)
    with pytest.raises(type(error)):
        raise other


def test_a_raised_error_can_be_carried_too() -> None:
    def fail() -> None:
        raise noted() from ValueError("cause")

    with pytest.raises(RejectedError) as caught:
        fail()
    carried = pickle.loads(pickle.dumps(caught.value))  # noqa: S301 - our own
    assert carried.verdict == VERDICT
    assert carried.__notes__ == ["a note"]


@pytest.mark.parametrize(
    ("error", "heights"),
    [
        (InvalidReferenceError("x"), (UsageError, ImgsigError, Exception)),
        (PolicyError(("x",)), (UsageError, ImgsigError)),
        (RejectedError("x", code=Code.EXPIRED), (VerificationError, ImgsigError)),
        (InconclusiveError("x", code=Code.STALE), (VerificationError, ImgsigError)),
        (NoPolicyError("x", code=Code.NO_POLICY), (VerificationError, ImgsigError)),
        (DocumentMissingError("x", subject=""), (InconclusiveError, VerificationError)),
        (OutageError("x", code=Code.THROTTLED), (InconclusiveError, VerificationError)),
    ],
)
def test_errors_are_caught_at_every_height(error: ImgsigError, heights: tuple[type[Exception], ...]) -> None:
    assert all(isinstance(error, height) for height in heights)


def test_a_wrong_call_is_no_verdict() -> None:
    assert not issubclass(UsageError, VerificationError)
    assert not issubclass(VerificationError, UsageError)
    assert not issubclass(ImgsigError, ValueError | OSError)


@pytest.mark.parametrize("kind", [RejectedError, InconclusiveError, NoPolicyError])
@pytest.mark.parametrize("code", Code)
def test_an_error_has_only_codes_of_its_outcome(kind: type[VerificationError], code: Code) -> None:
    if code.outcome is kind.outcome:
        error = kind("message", code=code)
        assert error.code is code
        assert error.hint == code.remedy
    else:
        with pytest.raises(ValueError, match="is not a code of"):
            kind("message", code=code)


def test_nothing_raises_verified() -> None:
    kinds = [kind for _, kind in inspect.getmembers(errors, inspect.isclass) if issubclass(kind, VerificationError)]
    outcomes = {kind.outcome for kind in kinds if hasattr(kind, "outcome")}
    assert outcomes == {Outcome.REJECTED, Outcome.INCONCLUSIVE, Outcome.NO_POLICY}


def test_a_better_hint_is_kept() -> None:
    assert RejectedError("x", code=Code.EXPIRED, hint="wait").hint == "wait"


def test_operands_are_empty_unless_given() -> None:
    error = RejectedError("x", code=Code.EXPIRED)
    assert (error.subject, error.expected, error.found, error.verdict) == ("", "", "", None)
    assert InconclusiveError("x", code=Code.STALE).retry_after_seconds is None
    assert waiting().retry_after_seconds == 7.5
    assert InconclusiveError.retry_after_seconds is None


def test_a_policy_error_holds_every_fault_and_shows_the_first() -> None:
    error = PolicyError(("rule[0]: a", "rule[1]: b", "rule[2]: c"))
    assert str(error) == "policy: rule[0]: a (and 2 more)"
    assert error.faults == ("rule[0]: a", "rule[1]: b", "rule[2]: c")
    assert str(PolicyError(("rule[0]: a",))) == "policy: rule[0]: a"
    assert error.code == "policy"
    assert (InvalidReferenceError("x").code, UsageError("x").code) == ("invalid_reference", "usage")


def test_an_error_is_one_line_for_a_person() -> None:
    for make in MADE:
        assert "\n" not in str(make())
        assert traceback.format_exception_only(make())


def test_a_missing_document_keeps_the_beginning_of_the_answer() -> None:
    error = DocumentMissingError("x", subject="root.json", body=b"body")
    assert (error.body, error.code, error.subject) == (b"body", Code.BAD_RESPONSE, "root.json")
