"""What a 401 demands: the ``WWW-Authenticate`` headers, read as Docker reads them."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final, final

MAX_CHALLENGES: Final = 16
"""Header lines that are read; real servers send one or two."""

_WORD: Final = r"[!#$%&'*+.^_`|~0-9A-Za-z-]+"
_SCHEME: Final = re.compile(rf"[ \t]*({_WORD})(?:[ \t]+|$)")
_PARAMETER: Final = re.compile(rf'({_WORD})=(?:({_WORD})|"((?:[^"\\]|\\.)*)")[ \t]*(,?)[ \t]*', re.DOTALL)


@final
@dataclass(frozen=True, slots=True)
class Challenge:
    """One way to be let in."""

    scheme: str
    """Lower case: ``bearer``, ``basic`` or one that is not understood."""
    parameters: Mapping[str, str]
    """By name in lower case."""


def parse_challenges(lines: Iterable[str], *, max_bytes: int) -> tuple[Challenge, ...]:
    """Return the challenges of some header lines, one a line; what is longer than `max_bytes` is passed over.

    Reading a line stops at its first malformed parameter, and keeps those before it. So a second scheme after a comma
    is not seen, as in Docker. A parameter given twice makes its line worthless.

    Spec: RFC 9110 §11.6.1, Docker distribution registry/client/auth/challenge/authchallenge.go:parseValueAndParams.
    """
    challenges = []
    for line in list(lines)[:MAX_CHALLENGES]:
        challenge = _parse_challenge(line) if len(line) <= max_bytes else None
        if challenge is not None:
            challenges.append(challenge)
    return tuple(challenges)


def _parse_challenge(line: str) -> Challenge | None:
    scheme = _SCHEME.match(line)
    if scheme is None:
        return None
    parameters: dict[str, str] = {}
    at = scheme.end()
    while (parameter := _PARAMETER.match(line, at)) is not None:
        name = parameter[1].lower()
        if name in parameters:
            return None
        quoted = parameter[3]
        parameters[name] = parameter[2] if quoted is None else re.sub(r"\\(.)", r"\1", quoted, flags=re.DOTALL)
        if not parameter[4]:
            break
        at = parameter.end()
    return Challenge(scheme[1].lower(), MappingProxyType(parameters))
