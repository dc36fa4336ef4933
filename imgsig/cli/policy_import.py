"""``imgsig policy import``: a configuration of another program becomes a policy that is no laxer."""

import sys
from argparse import Namespace
from pathlib import Path
from typing import Any, Final

from imgsig.cli.console import Console
from imgsig.cli.references import STDIN
from imgsig.cli.statuses import USAGE
from imgsig.environment import Environment
from imgsig.errors import PolicyError, RejectedError, UsageError
from imgsig.limits import Limits
from imgsig.migration.connaisseur import draft_from_connaisseur, is_connaisseur
from imgsig.migration.draft import Draft
from imgsig.migration.trust_pinning import draft_from_trust_pinning, is_trust_pinning
from imgsig.strictjson import parse

_MAX_SHOWN: Final = 200
_KINDS: Final = "notary's client (trust_pinning), or Connaisseur's (validators and policy)"


def run(arguments: Namespace, console: Console, environment: Environment) -> int:  # noqa: ARG001 - as every command
    """Print the policy, tell what could not be carried over and return the exit status.

    Raises:
        UsageError: the file cannot be read, or is no configuration that is known.
    """
    draft = _draft(_read(arguments.file), arguments.file)
    for line in draft.text.splitlines():
        console.data(line)
    for note in draft.notes:
        console.note(note)
    for loss in draft.losses:
        console.warn(f"not carried over: {loss}")
    if not draft.losses:
        return 0
    console.problem(
        f"not carried over in full: {len(draft.losses)}",
        "what is left out is refused or covered by no rule; write it by hand where it is needed",
    )
    return USAGE


def _draft(values: dict[str, Any], file: str) -> Draft:
    try:
        if is_connaisseur(values):
            return draft_from_connaisseur(values)
        if is_trust_pinning(values):
            return draft_from_trust_pinning(values)
    except PolicyError as error:
        more = f" (and {len(error.faults) - 1} more)" if len(error.faults) > 1 else ""
        msg = f"{file[:_MAX_SHOWN]!a} is not what the program would take: {error.faults[0]}{more}"
        raise UsageError(msg, hint="correct it first") from error
    msg = f"{file[:_MAX_SHOWN]!a} is no configuration of {_KINDS}"
    raise UsageError(msg, hint="for Connaisseur: helm get values RELEASE --all --output json")


def _read(file: str) -> dict[str, Any]:
    """Return the JSON object in the file.

    Raises:
        UsageError: it cannot be read, is too large, or holds no JSON object.
    """
    limits = Limits()
    what = "standard input" if file == STDIN else f"{file[:_MAX_SHOWN]!a}"
    try:
        body = _bytes_of(file, limits.max_policy_bytes + 1)
        if len(body) > limits.max_policy_bytes:
            msg = f"{what} is larger than {limits.max_policy_bytes} bytes"
            raise UsageError(msg)
        values = parse(body, what=what, max_depth=limits.max_json_depth)
    except OSError as error:
        msg = f"{what} cannot be read: {(error.strerror or 'input/output error').lower()}"
        raise UsageError(msg) from error
    except RejectedError as error:
        hint = "YAML becomes JSON by: yq --output-format json FILE"
        raise UsageError(str(error), hint=hint) from error
    if not isinstance(values, dict):
        msg = f"{what} holds no JSON object"
        raise UsageError(msg)
    return values


def _bytes_of(file: str, count: int) -> bytes:
    if file == STDIN:
        return b"" if sys.stdin is None else sys.stdin.buffer.read(count)
    with Path(file).open("rb") as opened:
        return opened.read(count)
