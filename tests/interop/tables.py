"""All differential cases, and the reasons that the documentation gives for differences."""

import re
from pathlib import Path
from typing import Final

from tests.interop.cases import (
    client_scenarios,
    client_update,
    delegations,
    rollback,
    root_certificates,
    signatures,
    structure,
    surprises,
    syntax,
    transport,
    trust_pinning,
)
from tests.interop.comparison import Case

CASES: Final[tuple[Case, ...]] = (
    *client_update.CASES,
    *client_scenarios.CASES,
    *root_certificates.CASES,
    *trust_pinning.CASES,
    *signatures.CASES,
    *syntax.CASES,
    *structure.CASES,
    *delegations.CASES,
    *rollback.CASES,
    *transport.CASES,
    *surprises.CASES,
)
DIFFERENCES: Final = Path(__file__).parents[2] / "docs" / "differences.md"


def documented_reasons() -> tuple[set[str], set[str]]:
    """Return the keys of the reasons to be stricter and to be wider, as the documentation lists them."""
    stricter, _, wider = DIFFERENCES.read_text("utf-8").partition("\n## Wider\n")
    row = re.compile(r"^\| `([a-z0-9-]+)` \|", re.MULTILINE)
    return set(row.findall(stricter)), set(row.findall(wider))
