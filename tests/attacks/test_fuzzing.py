"""Nothing but an imgsig error leaves any reader of what others wrote: a short run of every fuzzer.

The long runs are ``python -m fuzz.run``; their numbers are in docs/assurance.md. What they find becomes a test here.
"""

from itertools import islice
from random import Random

import pytest

from fuzz.mutating import mutated
from fuzz.targets import TARGETS

TRIES = 60
NOTHINGS = (b"", b"\0", b"\xff" * 9, b"[" * 100_000, b"{" * 100_000, b"9" * 100_000, b'"' * 99_999)
SMALL = [name for name in TARGETS if name != "large-targets"]


@pytest.mark.parametrize("name", TARGETS)
def test_a_reader_survives_changed_inputs(name: str) -> None:
    target = TARGETS[name]
    seeds = list(target.seeds())
    accepted = [target.once(seed) for seed in seeds]
    assert any(accepted), "a fuzzer whose inputs are all refused tests little"
    tries = TRIES if name in SMALL else TRIES // 10
    for data in islice(mutated(seeds, Random(name)), len(seeds), len(seeds) + tries):  # noqa: S311 - no secrets
        target.once(data)


@pytest.mark.parametrize("name", SMALL)
@pytest.mark.parametrize("data", NOTHINGS)
def test_a_reader_survives_what_is_nothing(name: str, data: bytes) -> None:
    TARGETS[name].once(data)
