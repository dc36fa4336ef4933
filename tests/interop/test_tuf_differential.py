"""imgsig and python-tuf's client say and keep the same over repositories made by chance, but for reasons that are told.

``python -m tests.interop.tuf_differential --count 1000`` runs many more.
"""

from collections import Counter
from pathlib import Path
from typing import Final

import pytest

from tests.interop.tuf_differential import compare
from tests.interop.tuf_histories import KINDS

HISTORIES: Final = 120
BATCH: Final = 20
DIFFERENCES: Final = Path(__file__).resolve().parents[2] / "docs" / "differences.md"


@pytest.mark.parametrize("first", range(0, HISTORIES, BATCH))
def test_the_two_agree_or_there_is_a_reason(first: int) -> None:
    agreed: Counter[str] = Counter()
    found = [compare(seed, agreed) for seed in range(first, first + BATCH)]
    assert [difference for difference in found if difference is not None and not difference.reason] == []
    assert min(agreed[kind] for kind in ("digest", "refused", "nothing")) > 0


def test_every_reason_is_documented() -> None:
    text = DIFFERENCES.read_text(encoding="utf-8")
    stricter, _, wider = text.partition("### Stricter than python-tuf")[2].partition("### Wider than python-tuf")
    for kind in KINDS:
        assert not kind.stricter or f"| `{kind.stricter}` |" in stricter
        assert not kind.wider or f"| `{kind.wider}` |" in wider
