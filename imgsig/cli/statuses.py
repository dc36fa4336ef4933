"""Exit statuses: promised, so that scripts can tell what happened."""

from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Final

from imgsig.codes import Outcome
from imgsig.errors import ImgsigError, VerificationError

USAGE: Final = 2
"""The call or the configuration is wrong."""
FOUND: Final = 10
"""A diagnosis has found something."""
UNDELIVERED: Final = 11
"""The answer could not be written: as good as none."""
INTERRUPTED: Final = 130
"""As a shell reports a program that was stopped by Ctrl-C (128 and the number of SIGINT)."""
BROKEN_PIPE: Final = 141
"""As a shell reports a program whose reader went away (128 and the number of SIGPIPE)."""

STATUSES: Final[Mapping[Outcome, int]] = MappingProxyType({
    Outcome.VERIFIED: 0,
    Outcome.REJECTED: 10,
    Outcome.INCONCLUSIVE: 11,
    Outcome.NO_POLICY: 12,
})
_GRAVEST_FIRST: Final = (Outcome.REJECTED, Outcome.NO_POLICY, Outcome.INCONCLUSIVE, Outcome.VERIFIED)


def status_of(outcomes: Iterable[Outcome]) -> int:
    """Return the status for many outcomes, at least one: rejected before no policy before inconclusive."""
    return STATUSES[min(outcomes, key=_GRAVEST_FIRST.index)]


def status_of_error(error: ImgsigError) -> int:
    """Return the status of a command that ended with `error`."""
    return STATUSES[error.outcome] if isinstance(error, VerificationError) else USAGE
