"""Image references: what a user writes, parsed as Docker parses it and written in full."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Final, NoReturn, final

from imgsig.errors import InvalidReferenceError, UsageError

DEFAULT_REGISTRY: Final = "docker.io"
DEFAULT_TAG: Final = "latest"

_LEGACY_REGISTRY: Final = "index.docker.io"
_OFFICIAL: Final = "library"
_MAX_TEXT: Final = 1024
"""Longest text that is looked at: a host of 253, a port, a path of 255, a tag of 128 and a sha512 need under 800."""
_MAX_REPOSITORY: Final = 255
_MAX_SHOWN: Final = 80
_DIGEST_LENGTHS: Final[Mapping[str, int]] = MappingProxyType({"sha256": 64, "sha384": 96, "sha512": 128})

_LABEL: Final = r"[a-zA-Z0-9]+(?:-+[a-zA-Z0-9]+)*"
_COMPONENT: Final = r"[a-z0-9]+(?:(?:\.|__?|-+)[a-z0-9]+)*"

# No character can be read in two ways, so that a mismatch is found in one pass.
GRAMMAR: Final[Mapping[str, re.Pattern[str]]] = MappingProxyType({
    "domain": re.compile(rf"(?:{_LABEL}(?:\.{_LABEL})*|\[[a-fA-F0-9:]+\])(?::[0-9]+)?", re.ASCII),
    "path": re.compile(rf"{_COMPONENT}(?:/{_COMPONENT})*", re.ASCII),
    "tag": re.compile(r"\w[\w.-]{0,127}", re.ASCII),
    "digest": re.compile(r"[A-Za-z][A-Za-z0-9]*(?:[-_+.][A-Za-z][A-Za-z0-9]*)*:[0-9a-fA-F]{32,}", re.ASCII),
    "identifier": re.compile(r"[a-f0-9]{64}", re.ASCII),
})
"""The productions of Docker's reference grammar, to be matched against a whole text."""


@final
@dataclass(frozen=True, slots=True)
class ImageReference:
    """An image reference in full: nothing is left to be filled in by whoever reads it.

    Raises:
        InvalidReferenceError: a part breaks the grammar, or is not written in full.
    """

    registry: str
    """Host and port as typed, e.g. ``docker.io``, ``localhost:5000``, ``[::1]:5000``."""
    repository: str
    """The path below the registry, e.g. ``library/alpine``."""
    tag: str = ""
    """Empty if none was given."""
    digest: str = ""
    """``ALGORITHM:HEX``; empty if none was given. The algorithm is not always one that imgsig can verify."""

    def __post_init__(self) -> None:
        """Refuse what Docker would refuse, or would read as another reference."""
        _check_registry(self.registry)
        _check_repository(self.registry, self.repository)
        if self.tag and not GRAMMAR["tag"].fullmatch(self.tag):
            _refuse("tag", self.tag, "must be 1 to 128 letters, digits, _, . and -, not beginning with . or -")
        if self.digest:
            _check_digest(self.digest)

    @property
    def name(self) -> str:
        """Registry and repository, e.g. ``docker.io/library/alpine``: what policies and publishers call the image."""
        return f"{self.registry}/{self.repository}"

    def __str__(self) -> str:
        """Return the reference in full: name, then the tag and the digest if given."""
        tag = f":{self.tag}" if self.tag else ""
        digest = f"@{self.digest}" if self.digest else ""
        return f"{self.name}{tag}{digest}"

    def with_default_tag(self) -> "ImageReference":
        """Return this reference, with the tag ``latest`` if it has neither tag nor digest."""
        return self if self.tag or self.digest else replace(self, tag=DEFAULT_TAG)

    def without_tag(self) -> "ImageReference":
        """Return this reference without its tag."""
        return replace(self, tag="")


def parse_reference(text: str) -> ImageReference:
    """Return what `text` means to Docker: ``alpine`` is ``docker.io/library/alpine``.

    No tag is added, and a tag beside a digest is kept.

    Raises:
        InvalidReferenceError: `text` is no image reference.
        UsageError: `text` is no text.

    Spec: distribution/reference, ``ParseNormalizedNamed``.
    """
    if not isinstance(text, str):
        msg = f"an image reference is a str, not {type(text).__name__}"
        raise UsageError(msg)
    if not text:
        msg = "an image reference must not be empty"
        raise InvalidReferenceError(msg)
    if len(text) > _MAX_TEXT:
        # Stricter than Docker, which sets no bound to a host's name: DNS does, and so no such host exists.
        _refuse("reference", text, f"is longer than {_MAX_TEXT} characters")
    if GRAMMAR["identifier"].fullmatch(text):
        _refuse("reference", text, "is an image id (64 hex digits), not a name")
    registry, remainder = _split_registry(text)
    named, at, digest = remainder.partition("@")
    repository, colon, tag = named.partition(":")
    if colon and not tag:
        _refuse("reference", text, "has an empty tag")
    if at and not digest:
        _refuse("reference", text, "has an empty digest")
    return ImageReference(registry, repository, tag, digest)


def _split_registry(text: str) -> tuple[str, str]:
    """Return the registry that `text` names or means, and the rest with ``library/`` added where Docker adds it."""
    first, slash, rest = text.partition("/")
    if first == _LEGACY_REGISTRY and slash:
        first = DEFAULT_REGISTRY
    elif not slash or not _is_registry(first):
        first, rest = DEFAULT_REGISTRY, text
    if first == DEFAULT_REGISTRY and "/" not in rest:
        rest = f"{_OFFICIAL}/{rest}"
    return first, rest


def _is_registry(component: str) -> bool:
    """Whether Docker takes the first component of a name for a registry."""
    return component == "localhost" or "." in component or ":" in component or component != component.lower()


def _check_registry(registry: str) -> None:
    if registry == _LEGACY_REGISTRY or not _is_registry(registry):
        _refuse("registry", registry, "is not written in full")
    # Stricter than Docker, which reads a host with an underscore as the beginning of a path below no registry at all.
    if not GRAMMAR["domain"].fullmatch(registry):
        _refuse("registry", registry, "must be a host name, an IPv4 or [IPv6] address, with or without :PORT")


def _check_repository(registry: str, repository: str) -> None:
    if len(repository) > _MAX_REPOSITORY:
        _refuse("repository", repository, f"is longer than {_MAX_REPOSITORY} characters")
    if not GRAMMAR["path"].fullmatch(repository):
        if repository != repository.lower():
            _refuse("repository", repository, "must be lower case")
        wanted = "must be letters and digits with ., _, __ or dashes between them, in components split by /"
        _refuse("repository", repository, wanted)
    if registry == DEFAULT_REGISTRY and "/" not in repository:
        _refuse("repository", repository, f"is not written in full: {_OFFICIAL}/{repository}")


def _check_digest(digest: str) -> None:
    if not GRAMMAR["digest"].fullmatch(digest):
        _refuse("digest", digest, "must be ALGORITHM:HEX")
    algorithm, _, encoded = digest.partition(":")
    if algorithm not in _DIGEST_LENGTHS:
        _refuse("digest", digest, f"must be one of {', '.join(_DIGEST_LENGTHS)}")
    if len(encoded) != _DIGEST_LENGTHS[algorithm]:
        _refuse("digest", digest, f"must have {_DIGEST_LENGTHS[algorithm]} hex digits, not {len(encoded)}")
    if encoded != encoded.lower():
        _refuse("digest", digest, "must be lower case")


def _refuse(part: str, text: str, fault: str) -> NoReturn:
    shown = ascii(text[:_MAX_SHOWN]) + ("..." if len(text) > _MAX_SHOWN else "")
    msg = f"{part} {shown} {fault}"
    raise InvalidReferenceError(msg)
