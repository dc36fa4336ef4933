"""A policy made of another program's rules. What cannot be said is left out, and never covered by a laxer rule.

Spec: docs/migration.md, "What is carried over".
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, TypeAlias, final

from imgsig.faults import shown
from imgsig.migration.foreign import Exempt, Extent, ForeignRule, Lost, Refuse, Treatment, Trust
from imgsig.patterns import split_pattern, wider_patterns
from imgsig.policy import VERSION
from imgsig.toml import write_items

Beats: TypeAlias = Callable[[ForeignRule, ForeignRule], bool]
"""Whether the first rule decides about each name that both cover, in the program that they are of."""

_MAX_COMMENT: Final = 500
_NO_KEY: Final = "0" * 64
"""The id of no key: nobody can make one that hashes to it."""


@final
@dataclass(frozen=True, slots=True)
class Draft:
    """A policy as text, and what a person must know about it."""

    text: str
    losses: tuple[str, ...]
    """What says whom to trust and was not carried over in full. The policy is no laxer for it, but covers less."""
    notes: tuple[str, ...]
    """What else is different, and asks for attention at most."""


def draft_policy(rules: Sequence[ForeignRule], *, beats: Beats, origin: str, notes: Iterable[str] = ()) -> Draft:
    """Return the policy that `rules` become.

    Args:
        rules: those of the configuration. Of two with the same pattern, the first decides.
        beats: how they decide among each other.
        origin: what kind of configuration it is.
        notes: what is to be told besides.
    """
    losses = [f"{rule.place}: {why}" for rule in rules if (why := _loss(rule))]
    told = [*notes, *(f"{rule.place}: {why}" for rule in rules if (why := _note(rule)))]
    active = _active(rules)
    held_back = _held_back(rules, active, beats)
    losses += [f"{active[pattern].place}: {pattern} {why}" for pattern, why in held_back.items()]
    left_out = [_commented(pattern, active.pop(pattern), why) for pattern, why in held_back.items()]
    refused = _refused(rules, held_back)
    denials = [_denial(pattern, refused[pattern], wider) for pattern, wider in _denied(refused, active).items()]
    lost = [f"# Not carried over: {_shown(f'{rule.place}: {why}')}\n" for rule in rules if (why := _loss(rule))]
    head = f"# Made from a configuration of {origin}.\nversion = {VERSION}\n"
    return Draft("\n".join((head, *_blocks(active), *denials, *left_out, *lost)), tuple(losses), tuple(told))


def _loss(rule: ForeignRule) -> str:
    extent = rule.extent
    if isinstance(rule.treatment, Lost):
        return rule.treatment.reason
    if isinstance(rule.treatment, Exempt) or (extent.complete and extent.region):
        return ""
    if not extent.region:
        return "no image can have such a name"
    if extent.patterns:
        return f"carried over for {' and '.join(extent.patterns)} alone: a pattern covers whole components of a name"
    return "cannot be said: a pattern covers whole components of a name, and every tag"


def _note(rule: ForeignRule) -> str:
    if isinstance(rule.treatment, Exempt) and not rule.extent.complete:
        kept = " and ".join(rule.extent.patterns)
        return f"exempt for {kept} alone" if kept else "the exemption is left out: no pattern covers these names alone"
    return ""


def _active(rules: Iterable[ForeignRule]) -> dict[str, ForeignRule]:
    """Return the patterns that can be written as they are meant, each with the first rule that has it."""
    claimed: dict[str, ForeignRule] = {}
    for rule in rules:
        for pattern in rule.extent.patterns:
            claimed.setdefault(pattern, rule)
    return {pattern: rule for pattern, rule in claimed.items() if isinstance(rule.treatment, Trust | Exempt)}


def _held_back(rules: Iterable[ForeignRule], active: Mapping[str, ForeignRule], beats: Beats) -> dict[str, str]:
    """Return which `active` patterns would also decide about names of a rule that is not carried over in full, and why.

    Wider patterns are not among them: names are taken out of those by a denial.
    """
    found: dict[str, str] = {}
    for rule in filter(_leaves_a_gap, rules):
        for pattern, other in active.items():
            within = rule.extent.region in (pattern, *wider_patterns(pattern))
            same = other is rule or other.treatment == rule.treatment
            if within and not same and _overlap(rule.extent, pattern) and not beats(other, rule):
                found.setdefault(pattern, f"is left out: it would decide about names of {rule.place} too")
    return found


def _leaves_a_gap(rule: ForeignRule) -> bool:
    """Whether the rule restricts names that what is written of it does not cover."""
    if isinstance(rule.treatment, Exempt) or not rule.extent.region:
        return False
    return not rule.extent.complete or isinstance(rule.treatment, Lost)


def _overlap(extent: Extent, pattern: str) -> bool:
    """Whether a name can be in both, as far as its beginning tells."""
    prefix, wildcard = split_pattern(pattern)
    begins = prefix if not wildcard else f"{prefix}/" if prefix else ""
    if begins.startswith(extent.beginning):
        return True
    return bool(wildcard) and extent.beginning.startswith(begins)


def _refused(rules: Iterable[ForeignRule], held_back: Mapping[str, str]) -> dict[str, str]:
    """Return the patterns whose names nothing wider may decide about, each with the reason."""
    found: dict[str, str] = {}
    for rule in rules:
        if isinstance(rule.treatment, Refuse):
            for pattern in rule.extent.patterns:
                found.setdefault(pattern, f"refused by {rule.place}: {rule.treatment.reason}")
        if _leaves_a_gap(rule):
            found.setdefault(rule.extent.region, f"not carried over in full: {rule.place}")
    for pattern in held_back:
        found.setdefault(pattern, "left out below")
    return found


def _denied(refused: Iterable[str], active: Mapping[str, ForeignRule]) -> dict[str, ForeignRule]:
    """Return those of the `refused` patterns that must be written, each with the wider rule that covers its names."""
    denied: dict[str, ForeignRule] = {}
    for pattern in sorted(refused, key=lambda one: sum(1 for _ in wider_patterns(one))):
        nearest = next((wide for wide in wider_patterns(pattern) if wide in active or wide in denied), "")
        if pattern not in active and nearest in active:
            denied[pattern] = active[nearest]
    return denied


def _denial(pattern: str, why: str, wider: ForeignRule) -> str:
    """Return the rule that refuses the names of `pattern`; the server that would be asked without it is asked."""
    server = wider.treatment.items.get("server") if isinstance(wider.treatment, Trust) else None
    return _block(f"{why}; no key has this id", (pattern,), Trust({"server": server, "root-keys": (_NO_KEY,)}))


def _blocks(active: Mapping[str, ForeignRule]) -> Iterator[str]:
    """Yield the rules as they are written, in the order of the configuration."""
    by_rule: dict[int, tuple[ForeignRule, list[str]]] = {}
    for pattern, rule in active.items():
        by_rule.setdefault(id(rule), (rule, []))[1].append(pattern)
    for rule, patterns in by_rule.values():
        yield _block(rule.place, tuple(patterns), rule.treatment)


def _block(comment: str, patterns: tuple[str, ...], treatment: Treatment) -> str:
    """Return a rule as it stands in a policy, below a comment."""
    exempt = treatment.reason if isinstance(treatment, Exempt) else None
    lines = [f"# {_shown(comment)}", "[[rule]]", *write_items({"names": patterns, "exempt": exempt})]
    if isinstance(treatment, Trust):
        lines += ["", "[rule.notary]", *write_items(treatment.items)]
    return "\n".join((*lines, ""))


def _commented(pattern: str, rule: ForeignRule, why: str) -> str:
    lines = _block(f"{rule.place} {why}", (pattern,), rule.treatment).splitlines()
    return "\n".join((*(line if line.startswith("#") else f"# {line}".rstrip() for line in lines), ""))


def _shown(text: str) -> str:
    """Return `text` as it may stand in a comment: on one line, ASCII, not too long."""
    return shown(text, max_characters=_MAX_COMMENT)[1:-1]
