"""``imgsig policy``: what is wrong with a policy file, and which rule decides about an image."""

from argparse import Namespace
from collections.abc import Mapping
from typing import Any

from imgsig.cli.console import Console
from imgsig.cli.statuses import STATUSES
from imgsig.codes import Code, Outcome
from imgsig.environment import Environment
from imgsig.errors import NoPolicyError, PolicyError
from imgsig.faults import shown_path
from imgsig.policy import Policy, Rule
from imgsig.reference import ImageReference, parse_reference


def check(arguments: Namespace, console: Console, environment: Environment) -> int:
    """Tell every fault, or which rule decides, and return the exit status.

    Raises:
        PolicyError: the policy has faults.
        NoPolicyError: no rule covers the image asked about.
        UsageError: another part of the call is wrong.
    """
    reference = None if arguments.reference is None else parse_reference(arguments.reference).with_default_tag()
    try:
        policy = environment.load_policy(arguments.file)
    except PolicyError as error:
        if arguments.json:
            console.values({"file": arguments.file, "faults": list(error.faults)})
        if isinstance(error.__cause__, PolicyError):  # there is no such file
            raise
        raise PolicyError(error.faults, hint=f"correct {shown_path(arguments.file)}") from error
    answer: dict[str, Any] = {"file": arguments.file, "faults": [], "rules": len(policy.rules)}
    if reference is None:
        console.note(f"{arguments.file} is in order; rules: {len(policy.rules)}")
    else:
        decides = _described(reference, _rule_for(reference, policy))
        answer |= {"decides": decides}
        if not arguments.json:
            _tell(decides, console)
    if arguments.json:
        console.values(answer)
    return STATUSES[Outcome.VERIFIED]


def _rule_for(reference: ImageReference, policy: Policy) -> Rule:
    rule = policy.rule_for(reference)
    if rule is None:
        msg = f"no rule of the policy covers {reference.name}"
        raise NoPolicyError(msg, code=Code.NO_POLICY)
    return rule


def _described(reference: ImageReference, rule: Rule) -> dict[str, Any]:
    """Return what the rule says about one image."""
    said: dict[str, Any] = {
        "reference": str(reference), "rule": rule.pattern_for(reference.name), "exempt": rule.exempt, "authorities": [],
    }
    if rule.exempt is None:
        signed = rule.signed_name(reference.name)
        said["signed_name"] = signed
        for section in rule.sections:
            server = {"system": section.system, "server": section.endpoint(signed).server}
            said["authorities"].append({**section.to_items(), **server})
    return said


def _tell(said: Mapping[str, Any], console: Console) -> None:
    """Tell the same to a person."""
    rows = [(key, said.get(key)) for key in ("reference", "rule", "exempt", "signed_name")]
    for authority in said["authorities"]:
        rows.append(("authority", authority["system"]))
        rows += [(key, value) for key, value in authority.items() if key != "system"]
    for key, value in rows:
        if value is not None:
            text = ", ".join(value) if isinstance(value, tuple) else str(value)
            console.data(f"{key.replace('_', ' '):<18} {text}")
