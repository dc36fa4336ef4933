"""One rule of another program's configuration: which names it covers, as far as patterns can say it, and what it says.

Spec: docs/migration.md, "What is carried over".
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TypeAlias, final

from imgsig.faults import Faults
from imgsig.patterns import EVERYTHING, check_names


@final
@dataclass(frozen=True, slots=True)
class Extent:
    """Which image names a foreign pattern covers."""

    patterns: tuple[str, ...]
    """Patterns that cover some of its names and no others."""
    complete: bool
    """Whether they cover all of its names."""
    region: str
    """The narrowest pattern that covers all of its names; empty if there is no such name."""
    beginning: str
    """What all of its names begin with."""


@final
@dataclass(frozen=True, slots=True)
class Trust:
    """Trust these within Docker Content Trust."""

    items: Mapping[str, object] = field(hash=False)
    """What ``[rule.notary]`` says: texts, truths and tuples of texts."""


@final
@dataclass(frozen=True, slots=True)
class Exempt:
    """Admit without verifying."""

    reason: str


@final
@dataclass(frozen=True, slots=True)
class Refuse:
    """Admit nothing."""

    reason: str


@final
@dataclass(frozen=True, slots=True)
class Lost:
    """Something that a policy cannot say."""

    reason: str


Treatment: TypeAlias = Trust | Exempt | Refuse | Lost

@final
@dataclass(frozen=True, slots=True)
class ForeignRule:
    """One rule of another program's configuration."""

    place: str
    """Where it stands there."""
    extent: Extent
    treatment: Treatment


def is_pattern(text: str) -> bool:
    """Return whether `text` is a pattern that a policy may have."""
    faults = Faults()
    check_names((text,), "", faults)
    return not faults


def extent_of_name(name: str) -> Extent:
    """Return the extent of one image name; nothing if `name` is none, or not written in full."""
    if not is_pattern(name) or "*" in name:
        return Extent((), complete=True, region="", beginning=name)
    return Extent((name,), complete=True, region=name, beginning=name)


def extent_of_beginning(text: str) -> Extent:
    """Return the extent of all names that begin with `text`."""
    if not text:
        return Extent((EVERYTHING,), complete=True, region=EVERYTHING, beginning="")
    if text.endswith("/"):
        tree = f"{text}**"
        patterns = (tree,) if is_pattern(tree) else ()
        return Extent(patterns, complete=True, region=tree if patterns else "", beginning=text)
    found = tuple(pattern for pattern in (text, f"{text}/**") if "*" not in text and is_pattern(pattern))
    return Extent(found, complete=False, region=region_of(text), beginning=text)


def region_of(beginning: str) -> str:
    """Return the narrowest pattern that covers every name that begins so; empty if there is no such name."""
    folder = beginning.rpartition("/")[0]
    if not folder:
        return EVERYTHING
    return f"{folder}/**" if is_pattern(f"{folder}/**") else ""
