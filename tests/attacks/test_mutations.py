"""A server, holding the keys of snapshot and timestamp, changes any byte or any part of any document: it gains nothing.

What verifies in spite of a change says what it said before: the same digest by the same keys, in the same versions.
The counts are those of docs/assurance.md; ``python -m tests.attacks.mutations`` prints them by document.
"""

import re
from pathlib import Path
from typing import Final

from tests.attacks.mutations import jobs, run, summed
from tests.support.server_held import ServerHeld, altered_bytes, small_repository

BYTES: Final = (34_996, 34_943, 53)
JSON: Final = (12_106, 11_748, 358)
SIGNED: Final = (1_511, 1_335, 176)
"""How many were tried, refused, and verified with the same result."""


def test_unchanged_it_verifies() -> None:
    held = ServerHeld(small_repository())
    tally = held.try_all("root", [held.true["root"]], anew=True)
    assert (tally.tried, tally.identical) == (1, 1)


def test_every_byte_is_changed_in_four_ways() -> None:
    body = small_repository().current["timestamp"]
    changed = list(altered_bytes(body, seed=0))
    assert len(changed) == 4 * len(body)
    assert body not in changed
    assert {len(other) - len(body) for other in changed} == {-1, 0, 1}


def test_no_changed_byte_is_accepted() -> None:
    total = summed(run(jobs("bytes")).values())
    assert total.laxer == []
    assert (total.tried, total.refused, total.identical) == BYTES


def test_no_changed_json_is_accepted() -> None:
    total = summed(run(jobs("json")).values())
    assert total.laxer == []
    assert (total.tried, total.refused, total.identical) == JSON


def test_whatever_the_server_signs_with_its_own_keys_changes_no_digest() -> None:
    total = summed(run(jobs("signed")).values())
    assert total.laxer == []
    assert (total.tried, total.refused, total.identical) == SIGNED


def test_the_figures_are_those_of_the_documentation() -> None:
    page = (Path(__file__).resolve().parents[2] / "docs" / "assurance.md").read_text(encoding="utf-8")
    section = page.partition("## Changed documents\n")[2].partition("\n## ")[0]
    found = re.findall(r"\| ([\d,]+) \| ([\d,]+) \| ([\d,]+) \| \*\*0\*\* \|", section)
    rows = [[int(number.replace(",", "")) for number in row] for row in found]
    assert [sum(column) for column in zip(*rows[:2], strict=True)] == list(BYTES)
    assert [sum(column) for column in zip(*rows[2:4], strict=True)] == list(JSON)
    assert rows[4] == list(SIGNED)
    assert rows[5] == [sum(column) for column in zip(*rows[:5], strict=True)]
