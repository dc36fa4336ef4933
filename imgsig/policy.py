"""The policy: for which image names whom to trust, and in which systems."""

import importlib
import os
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from types import MappingProxyType
from typing import Final, Protocol, Self, cast, final

from imgsig.authority import Authority, Settings
from imgsig.errors import PolicyError, UsageError
from imgsig.faults import Faults, Table, kind_of, load_file, shown, shown_path
from imgsig.limits import Limits
from imgsig.notary.settings import Notary
from imgsig.patterns import EVERYTHING, candidates, check_distinct, check_names, check_signed_as, substitute
from imgsig.reference import ImageReference, parse_reference
from imgsig.sections import ARCHIVE_KEYS, FromArchive
from imgsig.toml import parse_toml, write_items
from imgsig.tuf.settings import Tuf

VERSION: Final = 1
"""The version of the policy file's format."""

_LIMITS: Final = Limits()


class SectionSettings(Settings, Protocol):
    """The settings of one authority, as a section of a rule says them."""

    @property
    def server(self) -> str | None:
        """The server that the section names, or None if it goes by the name's registry."""

    @property
    def archive(self) -> FromArchive | None:
        """The archive that the section names in place of a server; None if it names none."""

    def with_server(self, url: str) -> Self:
        """Return these settings with the server at `url`.

        Raises:
            PolicyError: it is no URL of a server.
        """

    def to_items(self) -> Mapping[str, object]:
        """Return the section: texts, numbers, truths, and tuples of texts."""


@final
@dataclass(frozen=True, slots=True)
class _Section:
    """One system that a rule may have a section for."""

    parse: Callable[[Mapping[str, object], str, Path | None], SectionSettings]
    """Takes the table, its path in the policy, and the folder of the policy's file."""
    authority: str
    """``MODULE:CLASS``, imported when first needed; the class is called with the settings."""
    server: str = "server"
    """The key that may name the server; empty if the section must always name it, and sees to that itself."""


_SECTIONS: Final[Mapping[str, _Section]] = MappingProxyType({
    "notary": _Section(
        lambda table, path, folder: Notary.parse_section(table, path=path, folder=folder),
        "imgsig.notary.client:NotaryAuthority",
    ),
    "tuf": _Section(
        lambda table, path, folder: Tuf.parse_section(table, path=path, folder=folder),
        "imgsig.tuf.client:TufAuthority",
        server="",
    ),
})


SYSTEMS: Final = tuple(_SECTIONS)
"""The systems that a rule may have a section for."""


@final
@dataclass(frozen=True, slots=True, init=False)
class Rule:
    """Whom to trust for the names that a few patterns cover."""

    names: tuple[str, ...]
    """Patterns over normalised names."""
    sections: tuple[SectionSettings, ...]
    """One for each authority, all of which must vouch; none if the names are exempt."""
    signed_as: str | None
    """A pattern for the names that the publisher signs; None if they are the names that are asked for."""
    exempt: str | None
    """Why the names are not to be verified; None if they are."""

    def __init__(  # noqa: PLR0913 - the parts of a rule, each by name
        self,
        names: Iterable[str],
        *,
        notary: Notary | None = None,
        tuf: Tuf | None = None,
        sections: Iterable[SectionSettings] = (),
        signed_as: str | None = None,
        exempt: str | None = None,
    ) -> None:
        """Trust the authorities of `notary`, `tuf` and the other `sections`, all of which must vouch.

        Raises:
            PolicyError: the parts are wrong or do not go together; all faults are told, with paths below ``rule``.
        """
        listed = names if isinstance(names, str) else tuple(names)
        named: tuple[SectionSettings | None, ...] = (notary, tuf)
        given = (*(section for section in named if section is not None), *sections)
        has_server = {section.system: bool(section.server or section.archive) for section in given}
        faults = Faults()
        _check_systems(tuple(section.system for section in given), "rule", faults)
        _check_rule("rule", faults, names=listed, has_server=has_server, signed_as=signed_as, exempt=exempt)
        if faults:
            raise faults.error()
        object.__setattr__(self, "names", listed)
        object.__setattr__(self, "sections", tuple(sorted(given, key=_order)))
        object.__setattr__(self, "signed_as", signed_as)
        object.__setattr__(self, "exempt", exempt)

    def pattern_for(self, name: str) -> str:
        """Return which of the rule's patterns wins for the normalised `name`.

        Raises:
            UsageError: none covers it.
        """
        for pattern in candidates(name):
            if pattern in self.names:
                return pattern
        msg = f"no pattern of the rule covers {shown(name)}"
        raise UsageError(msg)

    def signed_name(self, name: str) -> str:
        """Return the name that the publisher of the normalised `name` signs: `name` itself, except for a mirror's.

        Raises:
            UsageError: no pattern of the rule covers `name`.
            InvalidReferenceError: ``signed_as`` makes no name of it.
        """
        pattern = self.pattern_for(name)
        return name if self.signed_as is None else substitute(name, pattern, self.signed_as)


@final
@dataclass(frozen=True, slots=True)
class Policy:
    """Every rule. A name that none of them covers is not verified, and nothing is requested for it.

    Raises:
        PolicyError: two rules have the same pattern.
    """

    rules: tuple[Rule, ...] = ()
    _by_pattern: Mapping[str, Rule] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Find out which rule each pattern belongs to."""
        object.__setattr__(self, "rules", tuple(self.rules))
        faults = Faults()
        check_distinct([rule.names for rule in self.rules], faults)
        if faults:
            raise faults.error()
        object.__setattr__(self, "_by_pattern", {pattern: rule for rule in self.rules for pattern in rule.names})

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> "Policy":
        """Return the policy in the TOML file at `path`. Files that it names are relative to its folder.

        Raises:
            PolicyError: it cannot be read, or is wrong; all faults are told.
        """
        content = load_file(path, max_bytes=_LIMITS.max_policy_bytes)
        try:
            text = content.decode()
        except UnicodeDecodeError as error:
            raise PolicyError((f"{shown_path(path)}: is not UTF-8: byte {error.start} is wrong",)) from error
        return _parse_policy(text, shown_path(path), Path(path).absolute().parent)

    @classmethod
    def parse(cls, text: str, *, folder: str | os.PathLike[str] | None = None) -> "Policy":
        """Return the policy that the TOML `text` says. Files that it names are relative to `folder`.

        Raises:
            PolicyError: it is wrong; all faults are told. Without a `folder`, every relative file is.
            UsageError: `text` is no text.
        """
        if not isinstance(text, str):
            msg = f"a policy is a str, not {type(text).__name__}"
            raise UsageError(msg)
        return _parse_policy(text, "text", None if folder is None else Path(folder))

    def rule_for(self, ref: str | ImageReference) -> Rule | None:
        """Return the rule whose pattern wins for the name of `ref`, or None if no pattern covers it.

        Raises:
            InvalidReferenceError: `ref` is a text that is no image reference.
            UsageError: `ref` is neither.
        """
        name = (ref if isinstance(ref, ImageReference) else parse_reference(ref)).name
        found = (self._by_pattern[pattern] for pattern in candidates(name) if pattern in self._by_pattern)
        return next(found, None)

    def with_rule(self, rule: Rule) -> "Policy":
        """Return this policy with one `rule` more.

        Raises:
            PolicyError: a pattern of it is already there.
        """
        return Policy((*self.rules, rule))

    def with_default_server(self, system: str, url: str) -> "Policy":
        """Return this policy with the server at `url` in every section for `system` that names none.

        Raises:
            PolicyError: it is no URL of a server.
        """
        return Policy(tuple(_with_default_server(rule, system, url) for rule in self.rules))

    def to_toml(self) -> str:
        """Return the text of a policy file that says the same. Public keys have become key ids.

        Raises:
            UsageError: an anchor was read from no file, so that no policy can name it.
        """
        lines = [f"version = {VERSION}"]
        for rule in self.rules:
            items = {"names": rule.names, "signed-as": rule.signed_as, "exempt": rule.exempt}
            lines += ["", "[[rule]]", *write_items(items)]
            for section in rule.sections:
                lines += ["", f"[rule.{section.system}]", *write_items(section.to_items())]
        return "\n".join((*lines, ""))


@lru_cache(maxsize=256)
def load_authority(settings: Settings) -> Authority:
    """Return the authority that answers by `settings`; its code is imported when it is first needed.

    Raises:
        UsageError: no such system is known.
    """
    section = _SECTIONS.get(settings.system)
    if section is None:
        msg = f"no authority is known for {shown(settings.system)}"
        raise UsageError(msg)
    module, _, name = section.authority.partition(":")
    return cast("Authority", getattr(importlib.import_module(module), name)(settings))


def _with_default_server(rule: Rule, system: str, url: str) -> Rule:
    sections = [
        section.with_server(url) if section.system == system and not (section.server or section.archive) else section
        for section in rule.sections
    ]
    return Rule(rule.names, sections=sections, signed_as=rule.signed_as, exempt=rule.exempt)


def _order(section: Settings) -> int:
    return tuple(_SECTIONS).index(section.system)


def _check_systems(systems: tuple[str, ...], path: str, faults: Faults) -> None:
    for system in sorted(set(systems)):
        if system not in _SECTIONS:
            faults.note(f"{path}.{system}", f"is no section of a rule; known are {', '.join(_SECTIONS)}")
        elif systems.count(system) > 1:
            faults.note(f"{path}.{system}", "is there twice")


def _check_rule(  # noqa: PLR0913 - the parts of a rule, each by name
    path: str, faults: Faults, *, names: object, has_server: Mapping[str, bool], signed_as: object, exempt: object
) -> None:
    """Note what is wrong with the parts of the rule at `path`, which has the sections that `has_server` tells about."""
    check_names(names, f"{path}.names", faults)
    if signed_as is not None:
        check_signed_as(signed_as, names, f"{path}.signed-as", faults)
    if exempt is None and not has_server:
        faults.note(path, f"has neither a section ({', '.join(_SECTIONS)}) nor exempt")
    if exempt is not None:
        if not isinstance(exempt, str) or not exempt.strip():
            faults.note(f"{path}.exempt", "must give the reason, as a text")
        if has_server:
            faults.note(path, f"has both exempt and a section ({', '.join(has_server)}): drop one of them")
        if signed_as is not None:
            faults.note(f"{path}.signed-as", "has no meaning in a rule that is exempt")
    signed = names if signed_as is None else (signed_as,)
    if isinstance(signed, list | tuple) and EVERYTHING in signed:
        for system in (system for system, has_one in has_server.items() if not has_one):
            key = _SECTIONS[system].server
            faults.note(f"{path}.{system}.{key}", f"must be given, for {EVERYTHING} covers every registry")


def _parse_policy(text: str, source: str, folder: Path | None) -> Policy:
    """Return the policy that `text` says; what is wrong with the whole of it is a fault of `source`."""
    faults = Faults()
    table = Table(parse_toml(text, place=source, max_bytes=_LIMITS.max_policy_bytes), "", faults, folder=folder)
    table.check_keys(("version", "rule"))
    if "version" not in table:
        faults.note("version", f"must be given: version = {VERSION}")
    elif table.integer("version") not in {VERSION, None}:
        faults.note("version", f"must be {VERSION}, the only one that is known")
    items = table.items("rule") or ()
    rules = [_parse_rule(item, f"rule[{number}]", folder, faults) for number, item in enumerate(items)]
    check_distinct([item.get("names") if isinstance(item, dict) else None for item in items], faults)
    if faults:
        raise faults.error()
    return Policy(tuple(rule for rule in rules if rule is not None))


def _parse_rule(values: object, path: str, folder: Path | None, faults: Faults) -> Rule | None:
    """Return one rule, or None after noting what is wrong with it."""
    if not isinstance(values, dict):
        faults.note(path, f"must be a table, not {kind_of(values)}")
        return None
    before = len(faults)
    table = Table(values, path, faults, folder=folder)
    table.check_keys(("names", "signed-as", "exempt", *_SECTIONS))
    found = {system: table.table(system) for system in _SECTIONS if system in table}
    parsed = [_parse_section(table, system, section) for system, section in found.items() if section is not None]
    has_server = {system: _has_server(system, section) for system, section in found.items()}
    names, signed_as, exempt = values.get("names", ()), values.get("signed-as"), values.get("exempt")
    _check_rule(path, faults, names=names, has_server=has_server, signed_as=signed_as, exempt=exempt)
    if len(faults) > before:
        return None
    sections = [section for section in parsed if section is not None]
    return Rule(names, sections=sections, signed_as=signed_as, exempt=exempt)


def _has_server(system: str, section: Mapping[str, object] | None) -> bool:
    """Whether the `section` names a server or an archive, or is so wrong that nobody can tell."""
    key = _SECTIONS[system].server
    return section is None or not key or key in section or ARCHIVE_KEYS[0] in section


def _parse_section(rule: Table, system: str, values: Mapping[str, object]) -> SectionSettings | None:
    """Return the settings for `system`, or None after noting what is wrong with them."""
    try:
        return _SECTIONS[system].parse(values, rule.path_of(system), rule.folder)
    except PolicyError as error:
        rule.faults.note_all(error)
        return None
