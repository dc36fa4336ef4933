"""Connaisseur's image policy, with its validators for Notary v1, as a policy.

Spec: Connaisseur, internal/config/config.go:MatchingRule, internal/policy/match.go:Compare,
internal/validator/notaryv1/notaryv1_validator.go; its documentation, "Basics" and "Notary (V1) / DCT".
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from os.path import commonprefix
from typing import Any, Final, final

from imgsig.errors import PolicyError
from imgsig.faults import Faults, Table, kind_of, shown
from imgsig.migration.draft import Draft, draft_policy
from imgsig.migration.foreign import (
    Exempt,
    Extent,
    ForeignRule,
    Lost,
    Refuse,
    Treatment,
    Trust,
    extent_of_beginning,
    extent_of_name,
    region_of,
)
from imgsig.notary.settings import Notary, RootKeys
from imgsig.patterns import EVERYTHING

ORIGIN: Final = "Connaisseur"
_APPLICATION: Final = "application"
_HOST: Final = "notary.docker.io"
_DEFAULT: Final = "default"
_ALL: Final = "*"
_SPECIAL: Final = re.compile(r"[*?\[\]{}\\]")
"""What no name has: wildcards of all kinds."""


@final
@dataclass(frozen=True, slots=True)
class _Validator:
    """One entry of ``validators``."""

    place: str
    table: Table
    type: str
    approves: bool
    """Whether a static one admits everything."""


def is_connaisseur(values: Mapping[str, Any]) -> bool:
    """Return whether `values` look like Connaisseur's configuration, or the values of its Helm chart."""
    inner = values.get(_APPLICATION, values)
    return isinstance(inner, dict) and "validators" in inner and "policy" in inner


def draft_from_connaisseur(values: Mapping[str, Any]) -> Draft:
    """Return the policy that demands what the rules and validators in `values` demand.

    Raises:
        PolicyError: they are not what Connaisseur would take; all faults are told.
    """
    faults = Faults()
    whole = Table(values, "", faults)
    table = whole if _APPLICATION not in values else Table(whole.table(_APPLICATION) or {}, _APPLICATION, faults)
    validators = _validators(table, faults)
    rules = []
    for place, rule_values in _objects(table, "policy", faults):
        rule = Table(rule_values, place, faults)
        pattern = rule.text("pattern")
        if not pattern:
            rule.note("pattern", "must be given, as a text")
            continue
        described = f"{place} ({shown(pattern)})"
        rules.append((pattern, ForeignRule(described, _extent(pattern), _treatment(rule, validators, faults))))
    if faults:
        raise faults.error()
    notes = [note for validator in validators.values() for note in _notes(validator)]
    # Of patterns that are equally specific the longer one decides, then the later one.
    rules.reverse()
    rules.sort(key=lambda one: -len(one[0]))
    patterns = {id(rule): pattern for pattern, rule in rules}
    return draft_policy(
        [rule for _, rule in rules],
        beats=lambda one, other: _beats(patterns[id(one)], patterns[id(other)]),
        origin=ORIGIN,
        notes=notes,
    )


# -- validators ---------------------------------------------------------------------------------------------------


def _objects(table: Table, key: str, faults: Faults) -> Iterator[tuple[str, Mapping[str, object]]]:
    """Yield each object of a list, with its place, after noting what is none."""
    for index, item in enumerate(table.items(key) or ()):
        place = f"{table.path_of(key)}[{index}]"
        if isinstance(item, dict):
            yield place, item
        else:
            faults.note(place, "must be an object")


def _validators(table: Table, faults: Faults) -> dict[str, _Validator]:
    found: dict[str, _Validator] = {}
    for place, values in _objects(table, "validators", faults):
        validator = Table(values, place, faults)
        name, kind = validator.text("name"), validator.text("type")
        approves = values.get("approve", False)
        if name is None or kind is None:
            faults.note(place, "must have a name and a type, both texts")
        elif name in found:
            faults.note(place, f"{shown(name)} is already there, as {found[name].place}")
        elif not isinstance(approves, bool):
            validator.note("approve", f"must be true or false, not {kind_of(approves)}")
        else:
            found[name] = _Validator(place, validator, kind, approves)
    return found


def _notes(validator: _Validator) -> Iterator[str]:
    """Yield what is to be told of a validator, whatever its rules are."""
    if validator.type == "notaryv1":
        if "auth" in validator.table:
            yield f"{validator.place}.auth: logins are no part of a policy: docker login to the registry of the images"
        if "cert" in validator.table:
            yield (
                f"{validator.place}.cert: certificates are no part of a policy: put it into "
                "~/.docker/tls/HOST:PORT/ca.crt"
            )


def _treatment(rule: Table, validators: Mapping[str, _Validator], faults: Faults) -> Treatment:
    name = rule.text("validator") or _DEFAULT
    validator = validators.get(name)
    if validator is None:
        return Lost(f"there is no validator {shown(name)}")
    if validator.type == "static" and validator.approves:
        return Exempt(f"admitted without verification by Connaisseur's validator {name}")
    if validator.type == "static":
        return Refuse(f"the validator {shown(name)} denies everything")
    if validator.type != "notaryv1":
        return Lost(f"the validator {shown(name)} is of the type {shown(validator.type)}, and not notaryv1 or static")
    options = Table(rule.table("with") or {}, rule.path_of("with"), faults)
    signers = options.items("delegations") or ()
    names = tuple(one.removeprefix("targets/") if isinstance(one, str) else str(one) for one in signers)
    try:
        anchor = RootKeys(_keys(options, validator, faults))
        return Trust(Notary(anchor=anchor, server=_server(validator.table), signers=names).to_items())
    except PolicyError as error:
        return Lost("; ".join(error.faults))


def _server(validator: Table) -> str:
    host = validator.text("host") or _HOST
    return host if host.lower().startswith(("http://", "https://")) else f"https://{host}"


def _keys(options: Table, validator: _Validator, faults: Faults) -> tuple[str, ...]:
    """Return the keys that a rule trusts: the one that it names, the one named default, or all.

    Raises:
        PolicyError: there is none.
    """
    wanted = options.text("trustRoot") or options.text("trust_root") or options.text("key") or _DEFAULT
    listed = "trustRoots" if "trustRoots" in validator.table else "trust_roots"
    roots = [Table(values, place, faults) for place, values in _objects(validator.table, listed, faults)]
    keys = [root.text("key") or "" for root in roots if wanted in {_ALL, root.text("name")}]
    if not keys:
        raise PolicyError((f"{validator.place} has no trust root {shown(wanted)}",))
    return tuple(_plain(key) for key in keys)


def _plain(pem: str) -> str:
    """Return a key in PEM without the headers that Docker writes into it, such as its role."""
    lines = [line.strip() for line in pem.strip().splitlines()]
    return "\n".join(line for line in lines if line and ": " not in line) + "\n"


# -- patterns -----------------------------------------------------------------------------------------------------


def _extent(pattern: str) -> Extent:
    """Return which names a pattern covers.

    There, ``*`` covers slashes too, and a pattern that does not begin or end with one is taken as if it did. It is
    read here as it is meant, from the beginning of a name on, if that is a registry.
    """
    before, digest, _ = pattern.partition("@")
    head, slash, last = before.rpartition("/")
    last, tagged, tag = last.partition(":")
    name, is_whole = f"{head}{slash}{last}", bool(tagged or digest)
    literal = name.rstrip("*")
    beginning = _SPECIAL.split(literal)[0]
    if not _begins_with_registry(beginning) and literal:
        return Extent((), complete=False, region=EVERYTHING, beginning="")
    if beginning != literal:
        return Extent((), complete=False, region=region_of(beginning), beginning=beginning)
    every_tag = not digest and tag in {_ALL, ""}
    if literal == name and is_whole:
        exact = extent_of_name(name)
        return exact if every_tag else replace(exact, patterns=(), complete=False)
    names = extent_of_beginning(literal)
    return names if every_tag else replace(names, patterns=(), complete=False)


def _begins_with_registry(text: str) -> bool:
    """Whether `text` spells out the beginning of a registry, so that it cannot be meant to stand inside a name."""
    registry = text.partition("/")[0]
    return "." in registry or ":" in registry or registry == "localhost"


def _beats(pattern: str, other: str) -> bool:
    """Whether `pattern`, whose extent a policy can say, decides about every name that `other` covers too.

    The one with more components does. Otherwise the first difference of what they have in common with the name does;
    a component that is spelled out has all of it.
    """
    components, others = pattern.split("/"), other.split("/")
    if len(components) != len(others):
        return len(components) > len(others)
    for component, against in zip(components, others, strict=True):
        spelled = component.removesuffix(_ALL)
        if _SPECIAL.search(spelled):
            return False
        if len(commonprefix((spelled, against))) < len(spelled):  # noqa: RUF071 - character by character is meant
            return True
        if spelled != component:
            return False
    return False
