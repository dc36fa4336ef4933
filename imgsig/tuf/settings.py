"""What ``[rule.tuf]`` may say: the anchor of trust, where the metadata is, which target vouches for an image, who else.

Spec: docs/policy.md, "TUF repositories".
"""

import hashlib
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Final, TypeAlias, TypeVar, assert_never, final

from imgsig.errors import PolicyError
from imgsig.faults import Faults, Table, kind_of, shown
from imgsig.sections import ARCHIVE_KEYS, FromArchive, RootFile, check_stale_seconds, parse_archive, parse_url
from imgsig.source import Endpoint
from imgsig.trust import Evidence
from imgsig.tuf.mapping import DEFAULT_DIGEST_TARGET, DEFAULT_TARGET, HEX, TAG, Pointer, Template

_T = TypeVar("_T")
_MAX_ROLE: Final = 255
_TOP_LEVEL: Final = ("root", "timestamp", "snapshot", "targets")
_SHA256: Final = re.compile(r"[0-9a-f]{64}", re.ASCII)
_TEXTS: Final = {
    "metadata_url": "metadata-url",
    "target": "target",
    "digest_target": "digest-target",
    "custom": "custom",
}
"""Arguments that are texts, and their keys in a policy."""
_NO_OUTAGE: Final = "has no meaning beside archive: say max-age-days"
_NEEDED: Final = "must be given: the URL of the folder with timestamp.json"


@final
@dataclass(frozen=True, slots=True)
class RootSha256:
    """Trust the root document with this hash, and those that it leads to.

    Raises:
        PolicyError: it is no sha256.
    """

    kind: ClassVar[str] = "root-sha256"
    sha256: str
    """Of the document's bytes, in lower-case hex."""

    def __post_init__(self) -> None:
        """Refuse what is no hash."""
        sha256: object = self.sha256
        if not isinstance(sha256, str):
            raise PolicyError((f"{self.kind}: must be a text, not {kind_of(sha256)}",))
        if not _SHA256.fullmatch(sha256):
            raise PolicyError((f"{self.kind}: {shown(sha256)} is no sha256: 64 hex digits in lower case",))

    def to_items(self) -> Mapping[str, object]:
        """Return what a policy says for this anchor."""
        return {self.kind: self.sha256}


Anchor: TypeAlias = RootFile | RootSha256
_ANCHORS: Final = (RootFile.kind, RootSha256.kind)


@final
@dataclass(frozen=True, slots=True, init=False)
class Tuf:
    """Whom to trust within a TUF repository. Implements ``imgsig.authority.Settings``."""

    system: ClassVar[str] = "tuf"
    trusts_first_use: ClassVar[bool] = False
    """A repository for many images has a root that its publisher can hand out: none is taken on its own word."""
    anchor: Anchor
    metadata_url: str
    """The URL of the folder with the metadata, without a slash at its end."""
    target: Template
    """The path of the target that vouches for a tag."""
    digest_target: Template
    """The path of the target that vouches for a digest."""
    custom: Pointer | None
    """Where in a target's ``custom`` the image stands; None if its digest is the target's own hash."""
    signers: tuple[str, ...]
    """Names of delegated roles, each of which must list the target too."""
    max_stale_seconds: int
    archive: FromArchive | None
    """Where the metadata is instead of on a server; None if it is on one."""

    def __init__(  # noqa: PLR0913 - what a section may say, each by name
        self,
        *,
        anchor: Anchor,
        metadata_url: str,
        target: str = DEFAULT_TARGET,
        digest_target: str = DEFAULT_DIGEST_TARGET,
        custom: str | None = None,
        signers: Iterable[str] = (),
        max_stale_seconds: int = 0,
        archive: FromArchive | None = None,
    ) -> None:
        """Trust the roots that `anchor` leads to, and the targets that they vouch for.

        Args:
            anchor: why a root is trusted.
            metadata_url: the folder with ``timestamp.json``.
            target: the path of a tag's target, with ``{registry}``, ``{repository}``, ``{name}`` (both), ``{tag}``.
            digest_target: the path of a digest's target, with ``{hex}`` instead of a tag.
            custom: a JSON pointer to ``NAME@sha256:HEX`` in the target's ``custom``, instead of its ``hashes``.
            signers: delegated roles that must vouch besides the one that the search finds first.
            max_stale_seconds: how old an answer may be while the server is out of reach.
            archive: an archive of the metadata, to be used in place of the server.

        Raises:
            PolicyError: a value is not what it must be; all faults are told.
        """
        faults = Faults()
        if not isinstance(anchor, RootFile | RootSha256):
            faults.note(self.system, "the anchor must be RootFile or RootSha256")
        if metadata_url is None:
            faults.note(f"{self.system}.metadata-url", _NEEDED)
        values = _parse_values(
            self.system,
            faults,
            metadata_url=metadata_url,
            target=target,
            digest_target=digest_target,
            custom=custom,
            signers=signers,
            max_stale_seconds=max_stale_seconds,
        )
        if archive is not None and max_stale_seconds:
            faults.note(f"{self.system}.max-stale-seconds", _NO_OUTAGE)
        if faults:
            raise faults.error()
        object.__setattr__(self, "anchor", anchor)
        object.__setattr__(self, "archive", archive)
        for name, value in values.items():
            object.__setattr__(self, name, value)

    @classmethod
    def parse_section(cls, table: Mapping[str, object], *, path: str, folder: Path | None) -> "Tuf":
        """Return what the `table` at `path` of a policy says. Its files are relative to `folder`.

        Raises:
            PolicyError: all that is wrong with it. Without a `folder`, every relative file is.
        """
        faults = Faults()
        section = Table(table, path, faults, folder=folder)
        section.check_keys((*_TEXTS.values(), *_ANCHORS, "signers", "max-stale-seconds", *ARCHIVE_KEYS))
        anchor = _parse_anchor(section)
        if _TEXTS["metadata_url"] not in section:
            section.note(_TEXTS["metadata_url"], _NEEDED)
        found = {name: section.text(key) for name, key in _TEXTS.items()}
        given: dict[str, Any] = {name: text for name, text in found.items() if text is not None}
        given["signers"] = section.items("signers") or ()
        given["max_stale_seconds"] = section.integer("max-stale-seconds") or 0
        _parse_values(path, faults, **({"metadata_url": None} | given))
        given["archive"] = parse_archive(section)
        if given["archive"] is not None and given["max_stale_seconds"]:
            section.note("max-stale-seconds", _NO_OUTAGE)
        if anchor is None or faults:
            raise faults.error()
        return cls(anchor=anchor, **given)

    @property
    def server(self) -> str:
        """The URL of the metadata: what the policy's other sections call their server."""
        return self.metadata_url

    def with_server(self, url: str) -> "Tuf":
        """Return these settings with the metadata at `url`, in place of an archive too.

        Raises:
            PolicyError: it is no URL of a server.
        """
        return Tuf(
            anchor=self.anchor,
            metadata_url=url,
            target=str(self.target),
            digest_target=str(self.digest_target),
            custom=None if self.custom is None else str(self.custom),
            signers=self.signers,
            max_stale_seconds=self.max_stale_seconds,
        )

    def endpoint(self, name: str) -> Endpoint:
        """Return where the metadata is kept: for every `name` at the same place."""
        return Endpoint(self.system, name, self.metadata_url, path="/")

    def to_items(self) -> Mapping[str, object]:
        """Return the section of a policy that says this: texts, numbers, and tuples of texts."""
        items: dict[str, object] = {_TEXTS["metadata_url"]: self.metadata_url, **self.anchor.to_items()}
        if str(self.target) != DEFAULT_TARGET:
            items[_TEXTS["target"]] = str(self.target)
        if str(self.digest_target) != DEFAULT_DIGEST_TARGET:
            items[_TEXTS["digest_target"]] = str(self.digest_target)
        if self.custom is not None:
            items[_TEXTS["custom"]] = str(self.custom)
        if self.signers:
            items["signers"] = self.signers
        if self.max_stale_seconds:
            items["max-stale-seconds"] = self.max_stale_seconds
        if self.archive is not None:
            items.update(self.archive.to_items())
        return items


def anchor_sha256(anchor: Anchor) -> str:
    """Return the hash, in hex, of the root document that `anchor` trusts by itself."""
    match anchor:
        case RootFile():
            return hashlib.sha256(anchor.document).hexdigest()
        case RootSha256():
            return anchor.sha256
        case _:
            assert_never(anchor)


def still_satisfies(evidence: Evidence, anchor: Anchor) -> bool:
    """Return whether a chain of roots that `evidence` once anchored may serve under `anchor` now."""
    return evidence.kind in _ANCHORS and evidence.ids == (anchor_sha256(anchor),)


def _parse_anchor(section: Table) -> Anchor | None:
    """Return the one anchor of a section, or None after noting why there is none."""
    sha256 = section.text(RootSha256.kind)
    anchors: tuple[Anchor | None, ...] = (
        section.loaded(RootFile.kind, RootFile.load),
        None if sha256 is None else section.parsed(lambda: RootSha256(sha256)),
    )
    present = [kind for kind in _ANCHORS if kind in section]
    if len(present) != 1:
        found = f"has {len(present)} anchors ({', '.join(present)})" if present else "has no anchor"
        section.faults.note(section.path, f"{found}: exactly one of {', '.join(_ANCHORS)} says why a root is trusted")
    return next((anchor for anchor in anchors if anchor is not None), None)


def _parse_values(  # noqa: PLR0913 - what a section may say, each by name
    path: str,
    faults: Faults,
    *,
    metadata_url: object,
    target: str = DEFAULT_TARGET,
    digest_target: str = DEFAULT_DIGEST_TARGET,
    custom: str | None = None,
    signers: Iterable[object] = (),
    max_stale_seconds: object = 0,
) -> Mapping[str, object]:
    """Return the attributes that these values become, after noting all that is wrong with the section at `path`."""
    check_stale_seconds(max_stale_seconds, f"{path}.max-stale-seconds", faults)
    return {
        "metadata_url": parse_url(metadata_url, f"{path}.{_TEXTS['metadata_url']}", faults),
        "target": _parsed(lambda: Template(target, TAG), f"{path}.{_TEXTS['target']}", faults),
        "digest_target": _parsed(lambda: Template(digest_target, HEX), f"{path}.{_TEXTS['digest_target']}", faults),
        "custom": None if custom is None else _parsed(lambda: Pointer(custom), f"{path}.{_TEXTS['custom']}", faults),
        "signers": _parse_signers(signers, f"{path}.signers", faults),
        "max_stale_seconds": max_stale_seconds,
    }


def _parsed(parse: Callable[[], _T], path: str, faults: Faults) -> _T | None:
    try:
        return parse()
    except ValueError as error:
        faults.note(path, str(error))
        return None


def _parse_signers(signers: Iterable[object], path: str, faults: Faults) -> tuple[str, ...]:
    """Return `signers`, after noting every one that cannot be the name of a delegated role."""
    if isinstance(signers, str):
        faults.note(path, "must be a list of names, not one text")
        return ()
    found: dict[str, int] = {}
    for index, signer in enumerate(signers):
        fault = _fault_of_signer(signer)
        if fault:
            faults.note(f"{path}[{index}]", fault)
            continue
        first = found.setdefault(str(signer), index)
        if first != index:
            faults.note(f"{path}[{index}]", f"is the same signer as signers[{first}]")
    return tuple(found)


def _fault_of_signer(signer: object) -> str:
    if not isinstance(signer, str):
        return f"must be a text, not {kind_of(signer)}"
    if not signer or len(signer) > _MAX_ROLE:
        return f"must have 1 to {_MAX_ROLE} characters"
    if signer in _TOP_LEVEL:
        return f"{shown(signer)} is no delegated role, and always asked: name those who must sign besides it"
    return ""
