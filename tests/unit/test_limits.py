"""Bounds, and the deadline of a call on a clock of the tests."""

import dataclasses
import math

import pytest

from imgsig.codes import Code
from imgsig.errors import InconclusiveError
from imgsig.limits import DEFAULT_TIMEOUT_SECONDS, Deadline, Limits


class Clock:
    def __init__(self) -> None:
        self.seconds = 1000.0

    def __call__(self) -> float:
        return self.seconds


def test_a_deadline_counts_down() -> None:
    clock = Clock()
    deadline = Deadline(30, clock=clock)
    assert deadline.timeout_seconds == 30
    assert deadline.remaining_seconds() == 30
    clock.seconds += 29.5
    assert deadline.remaining_seconds() == 0.5


@pytest.mark.parametrize("seconds", [30, 30.001, 1e9])
def test_a_deadline_that_has_come_has_passed(seconds: float) -> None:
    clock = Clock()
    deadline = Deadline(30, clock=clock)
    clock.seconds += seconds
    with pytest.raises(InconclusiveError, match="no answer within 30 seconds") as caught:
        deadline.remaining_seconds()
    assert caught.value.code is Code.DEADLINE


def test_deadlines_of_one_clock_are_independent() -> None:
    clock = Clock()
    first = Deadline(1, clock=clock)
    clock.seconds += 2
    assert Deadline(1, clock=clock).remaining_seconds() == 1
    with pytest.raises(InconclusiveError):
        first.remaining_seconds()


@pytest.mark.parametrize("seconds", [0, -1, -0.0, math.inf, -math.inf, math.nan])
def test_a_timeout_is_positive_and_finite(seconds: float) -> None:
    with pytest.raises(ValueError, match="positive and finite"):
        Deadline(seconds)


def test_the_usual_clock_only_goes_forward() -> None:
    deadline = Deadline(DEFAULT_TIMEOUT_SECONDS)
    assert deadline.remaining_seconds() >= deadline.remaining_seconds() > 0


def test_the_message_is_short_for_any_number() -> None:
    assert str(Deadline(1e300).exceeded()) == "no answer within 1e+300 seconds"
    assert str(Deadline(0.25).exceeded()) == "no answer within 0.25 seconds"


def test_limits_are_positive_integers_that_cannot_be_changed() -> None:
    limits = Limits()
    for field in dataclasses.fields(limits):
        value = getattr(limits, field.name)
        assert isinstance(value, int)
        assert value > 0
    with pytest.raises(dataclasses.FrozenInstanceError):
        limits.max_roles = 1  # type: ignore[misc]


def test_the_client_s_own_bounds_are_kept() -> None:
    limits = Limits()
    assert limits.max_document_bytes == 100 * 1024 * 1024
    assert limits.max_timestamp_bytes == 1024 * 1024


def test_one_limit_is_changed_at_a_time() -> None:
    changed = dataclasses.replace(Limits(), max_roles=5)
    assert changed.max_roles == 5
    assert changed != Limits()
    assert dataclasses.replace(changed, max_roles=Limits().max_roles) == Limits()
