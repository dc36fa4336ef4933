"""What ``[rule.notary]`` may say: the anchor of trust in root, the server, the signers, how stale an answer may be."""

import os
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Final, TypeAlias, cast, final

from imgsig.errors import PolicyError
from imgsig.faults import Faults, Table, kind_of, load_file, shown
from imgsig.limits import Limits
from imgsig.notary.pins import parse_pin
from imgsig.reference import DEFAULT_REGISTRY
from imgsig.sections import (
    ARCHIVE_KEYS,
    FromArchive,
    RootFile,
    check_stale_seconds,
    named_file,
    parse_archive,
    parse_url,
    place_of,
)
from imgsig.source import Endpoint

_DOCKER_SERVER: Final = "https://notary.docker.io"
_LIMITS: Final = Limits()
_MAX_ROLE: Final = 255

_SIGNER: Final = re.compile(r"[-a-z0-9_]+(?:/[-a-z0-9_]+)*", re.ASCII)
_CERTIFICATE: Final = re.compile(rb"-----BEGIN CERTIFICATE-----.+?-----END CERTIFICATE-----", re.DOTALL)


@final
@dataclass(frozen=True, slots=True, init=False)
class RootKeys:
    """Trust a root whose threshold is reached by signatures of these keys of its root role alone."""

    kind: ClassVar[str] = "root-keys"
    pins: tuple[str, ...]
    """Ids in lower-case hex: of bare public keys (these outlive a renewed certificate) or of certificates."""

    def __init__(self, pins: Iterable[str]) -> None:
        """Pin key ids, certificate ids, or public keys in PEM, which become their ids.

        Raises:
            PolicyError: a pin is none of these or is there twice, or there is none; all faults are told.
        """
        faults = Faults()
        found: dict[str, int] = {}
        if isinstance(pins, str):
            faults.note(self.kind, "must be a list of keys, not one text")
            pins = ()
        for index, pin in enumerate(pins):
            try:
                key_id = parse_pin(pin)
            except ValueError as error:
                faults.note(f"{self.kind}[{index}]", str(error))
                continue
            first = found.setdefault(key_id, index)
            if first != index:
                faults.note(f"{self.kind}[{index}]", f"is the same key as {self.kind}[{first}]")
        if not found and not faults:
            faults.note(self.kind, "must list at least one key")
        if faults:
            raise faults.error()
        object.__setattr__(self, "pins", tuple(found))

    def to_items(self) -> Mapping[str, object]:
        """Return what a policy says for this anchor."""
        return {self.kind: self.pins}


@final
@dataclass(frozen=True, slots=True)
class RootCA:
    """Trust a root whose certificates were issued by one of these certificate authorities.

    Not checked here: whether the certificates can be parsed and used.
    """

    kind: ClassVar[str] = "root-ca"
    pem: bytes
    file: str = ""
    """Where they came from; only with it can they be written into a policy."""

    def __post_init__(self) -> None:
        """Refuse what holds no certificate."""
        pem: object = self.pem
        if not isinstance(pem, bytes) or not _CERTIFICATE.search(pem):
            raise PolicyError((f"{place_of(self.kind, self.file)} holds no certificate in PEM",))

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> "RootCA":
        """Return the authorities in the file at `path`.

        Raises:
            PolicyError: it cannot be read, is too large, or holds no certificate in PEM.
        """
        return cls(load_file(path, max_bytes=_LIMITS.max_anchor_bytes, place=cls.kind), str(Path(path).absolute()))

    def to_items(self) -> Mapping[str, object]:
        """Return what a policy says for this anchor.

        Raises:
            UsageError: it came from no file.
        """
        return {self.kind: named_file(self.file, self.kind)}


@final
@dataclass(frozen=True, slots=True)
class FirstUse:
    """Trust the root that is offered first, remember it, and demand a valid succession from then on."""

    kind: ClassVar[str] = "first-use"

    def to_items(self) -> Mapping[str, object]:
        """Return what a policy says for this anchor."""
        return {self.kind: True}


Anchor: TypeAlias = RootKeys | RootCA | RootFile | FirstUse
_ANCHORS: Final = (RootKeys.kind, RootCA.kind, RootFile.kind, FirstUse.kind)


@final
@dataclass(frozen=True, slots=True, init=False)
class Notary:
    """Whom to trust within Docker Content Trust. Implements ``imgsig.authority.Settings``."""

    system: ClassVar[str] = "notary"
    anchor: Anchor
    server: str | None
    """The server's URL without a slash at its end; None for the one that goes with the name's registry."""
    signers: tuple[str, ...]
    """Names of delegations below ``targets/``, each of which must list the tag too."""
    max_stale_seconds: int
    archive: FromArchive | None
    """Where the trust data is instead of on a server; None if it is on one."""

    def __init__(
        self,
        *,
        anchor: Anchor,
        server: str | None = None,
        signers: Iterable[str] = (),
        max_stale_seconds: int = 0,
        archive: FromArchive | None = None,
    ) -> None:
        """Trust roots by `anchor`, and demand that the `signers` agree with docker's own choice.

        Raises:
            PolicyError: a value is not what it must be; all faults are told.
        """
        faults = Faults()
        if not isinstance(anchor, RootKeys | RootCA | RootFile | FirstUse):
            faults.note(self.system, "the anchor must be RootKeys, RootCA, RootFile or FirstUse")
        object.__setattr__(self, "anchor", anchor)
        object.__setattr__(self, "server", parse_url(server, f"{self.system}.server", faults))
        object.__setattr__(self, "signers", _parse_signers(signers, f"{self.system}.signers", faults))
        check_stale_seconds(max_stale_seconds, f"{self.system}.max-stale-seconds", faults)
        object.__setattr__(self, "max_stale_seconds", max_stale_seconds)
        object.__setattr__(self, "archive", archive)
        if archive is not None:
            _check_archive(self, self.system, faults)
        if faults:
            raise faults.error()

    @classmethod
    def parse_section(cls, table: Mapping[str, object], *, path: str, folder: Path | None) -> "Notary":
        """Return what the `table` at `path` of a policy says. Its files are relative to `folder`.

        Raises:
            PolicyError: all that is wrong with it. Without a `folder`, every relative file is.
        """
        faults = Faults()
        section = Table(table, path, faults, folder=folder)
        section.check_keys(("server", *_ANCHORS, "signers", "max-stale-seconds", *ARCHIVE_KEYS))
        anchor = _parse_anchor(section)
        server = parse_url(section.text("server"), f"{path}.server", faults)
        signers = _parse_signers(section.items("signers") or (), f"{path}.signers", faults)
        max_stale_seconds = section.integer("max-stale-seconds") or 0
        check_stale_seconds(max_stale_seconds, f"{path}.max-stale-seconds", faults)
        archive = parse_archive(section)
        if anchor is None or faults:
            raise faults.error()
        settings = cls(anchor=anchor, server=server, signers=signers, max_stale_seconds=max_stale_seconds)
        if archive is None:
            return settings
        _check_archive(settings, path, faults)
        if faults:
            raise faults.error()
        return settings.with_archive(archive)

    @property
    def trusts_first_use(self) -> bool:
        """Whether trust begins with whatever root is offered first."""
        return isinstance(self.anchor, FirstUse)

    def with_server(self, url: str) -> "Notary":
        """Return these settings with the server at `url`, in place of an archive too.

        Raises:
            PolicyError: it is no URL of a server.
        """
        return Notary(
            anchor=self.anchor, server=url, signers=self.signers, max_stale_seconds=self.max_stale_seconds
        )

    def with_archive(self, archive: FromArchive) -> "Notary":
        """Return these settings with an archive in place of a server.

        Raises:
            PolicyError: they are of no use with one.
        """
        return Notary(anchor=self.anchor, server=self.server, signers=self.signers, archive=archive)

    def endpoint(self, name: str) -> Endpoint:
        """Return where the trust data of the signed `name` is kept, by these settings.

        Spec: Notary v1, storage/httpstore.go:NewNotaryServerStore; docker/cli, trust.go:Server.
        """
        registry = name.partition("/")[0]
        default = _DOCKER_SERVER if registry == DEFAULT_REGISTRY else f"https://{registry}"
        server = default if self.server is None else self.server
        return Endpoint(self.system, name, server, path=f"/v2/{name}/_trust/tuf/", scope=f"repository:{name}:pull")

    def to_items(self) -> Mapping[str, object]:
        """Return the section of a policy that says this: texts, numbers, truths, and tuples of texts."""
        items: dict[str, object] = {} if self.server is None else {"server": self.server}
        items.update(self.anchor.to_items())
        if self.signers:
            items["signers"] = self.signers
        if self.max_stale_seconds:
            items["max-stale-seconds"] = self.max_stale_seconds
        if self.archive is not None:
            items.update(self.archive.to_items())
        return items


def _check_archive(settings: Notary, path: str, faults: Faults) -> None:
    """Note what has no meaning in a section at `path` that names an archive."""
    if settings.server is not None:
        faults.note(f"{path}.server", "has no meaning beside archive: no server is asked")
    if settings.max_stale_seconds:
        faults.note(f"{path}.max-stale-seconds", "has no meaning beside archive: say max-age-days")
    if settings.trusts_first_use:
        faults.note(f"{path}.first-use", "trusts nothing that is only in an archive: pin the root")


def _parse_anchor(section: Table) -> Anchor | None:
    """Return the one anchor of a section, or None after noting why there is none."""
    pins = cast("Iterable[str] | None", section.items(RootKeys.kind))  # it says itself which are no texts
    anchors: tuple[Anchor | None, ...] = (
        None if pins is None else section.parsed(lambda: RootKeys(pins)),
        section.loaded(RootCA.kind, RootCA.load),
        section.loaded(RootFile.kind, RootFile.load),
        FirstUse() if section.is_true(FirstUse.kind) else None,
    )
    present = [kind for kind in _ANCHORS if kind in section]
    if len(present) != 1:
        found = f"has {len(present)} anchors ({', '.join(present)})" if present else "has no anchor"
        section.faults.note(section.path, f"{found}: exactly one of {', '.join(_ANCHORS)} says why a root is trusted")
    return next((anchor for anchor in anchors if anchor is not None), None)


def _parse_signers(signers: Iterable[object], path: str, faults: Faults) -> tuple[str, ...]:
    """Return `signers`, after noting every one that is not the name of a delegation below ``targets/``.

    Spec: Notary v1, tuf/data/roles.go:IsDelegation.
    """
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
    if len(f"targets/{signer}") > _MAX_ROLE:
        return f"is too long: with targets/ it must be at most {_MAX_ROLE} characters"
    if not _SIGNER.fullmatch(signer):
        return f"{shown(signer)} is no signer: lower-case letters, digits, - and _, in components split by /"
    if signer.startswith("targets/"):
        return f"write {shown(signer.removeprefix('targets/'))}: targets/ goes without saying"
    if signer == "releases":
        return "targets/releases is docker's own first choice, and always asked: name those who must sign besides it"
    return ""
