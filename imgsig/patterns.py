"""Patterns over image names: exact, ``PREFIX/*`` (one component), ``PREFIX/**`` (any depth), ``**`` (all)."""

from collections.abc import Iterator, Sequence
from typing import Final

from imgsig.errors import InvalidReferenceError
from imgsig.faults import Faults, kind_of, shown
from imgsig.reference import DEFAULT_REGISTRY, parse_reference

EVERYTHING: Final = "**"
"""The only pattern that covers names in more than one registry."""
_NOTHING: Final = f"{DEFAULT_REGISTRY}/*"
"""Covers no name, because every name there has two components or more; it can only be mapped to."""


def split_pattern(pattern: str) -> tuple[str, str]:
    """Return the prefix, which may be empty, and the wildcard at the end: ``*``, ``**`` or nothing."""
    if pattern == EVERYTHING:
        return "", pattern
    for wildcard in ("**", "*"):
        if pattern.endswith(f"/{wildcard}"):
            return pattern[: -len(wildcard) - 1], wildcard
    return pattern, ""


def candidates(name: str) -> Iterator[str]:
    """Yield every pattern that covers the normalised `name`, the one that wins over all others first."""
    yield name
    prefix = name.rpartition("/")[0]
    yield f"{prefix}/*"
    while prefix:
        yield f"{prefix}/**"
        prefix = prefix.rpartition("/")[0]
    yield EVERYTHING


def wider_patterns(pattern: str) -> Iterator[str]:
    """Yield every other pattern that covers all names of `pattern`, the one that would win without it first."""
    prefix, wildcard = split_pattern(pattern)
    if not wildcard:
        yield from (wide for wide in candidates(pattern) if wide != pattern)
        return
    if pattern == EVERYTHING:
        return
    if wildcard == "*":
        yield f"{prefix}/**"
    while prefix := prefix.rpartition("/")[0]:
        yield f"{prefix}/**"
    yield EVERYTHING


def substitute(name: str, pattern: str, target: str) -> str:
    """Return the normalised name that `target` makes of what the wildcard of `pattern` stands for in `name`.

    Both patterns end in the same wildcard, and `pattern` covers `name`.

    Raises:
        InvalidReferenceError: what comes out is no name.
    """
    prefix, wildcard = split_pattern(pattern)
    if not wildcard:
        return target
    matched = name[len(prefix) + 1 :] if prefix else name
    target_prefix, _ = split_pattern(target)
    return parse_reference(f"{target_prefix}/{matched}" if target_prefix else matched).name


def check_names(names: object, path: str, faults: Faults) -> None:
    """Note what keeps `names`, which stand at `path`, from being the patterns of a rule."""
    if not isinstance(names, list | tuple):
        faults.note(path, f"must be a list of patterns, not {kind_of(names)}")
        return
    if not names:
        faults.note(path, "must list at least one pattern")
    for index, pattern in enumerate(names):
        fault = _fault_of_pattern(pattern)
        if pattern == _NOTHING:
            fault = f"{_NOTHING} covers nothing: write {DEFAULT_REGISTRY}/library/* (official images) or {_NOTHING}*"
        elif not fault and pattern in names[:index]:
            fault = f"{shown(pattern)} is already there, as names[{names.index(pattern)}]"
        if fault:
            faults.note(f"{path}[{index}]", fault)


def check_signed_as(signed_as: object, names: object, path: str, faults: Faults) -> None:
    """Note what keeps `signed_as`, which stands at `path`, from being what the patterns `names` are mapped to."""
    fault = _fault_of_pattern(signed_as)
    if not fault and isinstance(names, list | tuple):
        wildcard = split_pattern(str(signed_as))[1]
        others = [name for name in names if isinstance(name, str) and split_pattern(name)[1] != wildcard]
        if others:
            wanted = f"end in {wildcard}" if wildcard else "have no wildcard"
            fault = f"{shown(signed_as)} goes with names that {wanted} too, unlike {shown(others[0])}"
    if fault:
        faults.note(path, fault)


def check_distinct(names_of_rules: Sequence[object], faults: Faults) -> None:
    """Note every pattern that an earlier rule has too."""
    found: dict[str, tuple[int, str]] = {}
    for number, names in enumerate(names_of_rules):
        for index, pattern in enumerate(names if isinstance(names, list | tuple) else ()):
            if isinstance(pattern, str):
                path = f"rule[{number}].names[{index}]"
                earlier, place = found.setdefault(pattern, (number, path))
                if earlier != number:
                    faults.note(path, f"{shown(pattern)} is already there, as {place}")


def _fault_of_pattern(pattern: object) -> str:
    """Return what is wrong with `pattern`; empty if nothing is."""
    if not isinstance(pattern, str):
        return f"must be a text, not {kind_of(pattern)}"
    prefix, wildcard = split_pattern(pattern)
    if "*" in prefix:
        return f"{shown(pattern)} has a * where none may be: only PREFIX/*, PREFIX/** and ** alone have a meaning"
    return "" if pattern == EVERYTHING else _fault_of_prefix(prefix, wildcard, pattern)


def _fault_of_prefix(prefix: str, wildcard: str, pattern: str) -> str:
    """Return what is wrong with the part before the wildcard, tried out with a name that the pattern must cover."""
    below = "" if not wildcard else "/x" if "/" in prefix else "/x/x"
    try:
        reference = parse_reference(prefix + below)
    except InvalidReferenceError as error:
        return f"{shown(pattern)} is no pattern: {error}"
    if reference.tag or reference.digest:
        return f"{shown(pattern)} has a tag or digest: a rule is about names, and holds for all of their tags"
    if reference.name != prefix + below:
        written = reference.name.removesuffix(below) + (f"/{wildcard}" if wildcard else "")
        return f"{shown(pattern)} is a short form and must be written {written}"
    return ""
