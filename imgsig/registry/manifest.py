"""Manifests and indexes as frozen values: what a registry's document is, or why nobody should take it for anything.

Pure: bytes in, values out. That the bytes are the ones vouched for is shown by `imgsig.registry.check`.

Spec: OCI image specification, manifest.md, image-index.md and config.md; distribution, docs/spec/manifest-v2-2.md.
"""

import re
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Final, TypeAlias, final

from imgsig.codes import Code
from imgsig.errors import RejectedError
from imgsig.registry.platform import Platform
from imgsig.strictjson import malformed, parse, quote

INDEX_TYPES: Final = (
    "application/vnd.oci.image.index.v1+json",
    "application/vnd.docker.distribution.manifest.list.v2+json",
)
IMAGE_TYPES: Final = (
    "application/vnd.oci.image.manifest.v1+json",
    "application/vnd.docker.distribution.manifest.v2+json",
)

_SCHEMA_VERSION: Final = 2
_SHA256: Final = re.compile(r"sha256:[0-9a-f]{64}", re.ASCII)
_FOLDS: Final = MappingProxyType({0x17F: "s", 0x212A: "k"})
"""The two letters beyond ASCII that Go, in which most clients are written, takes for an ASCII one."""
_MEMBERS: Final = ("schemaVersion", "mediaType", "manifests", "config", "layers", "fsLayers", "blobs")
_ENTRY: Final = ("mediaType", "digest", "size", "platform")
_PLATFORM: Final = ("os", "architecture", "variant")


@final
@dataclass(frozen=True, slots=True)
class Descriptor:
    """What a document says of another one."""

    media_type: str
    digest: str
    """``sha256:…``; empty if it is of another kind, which nothing here can check."""
    size: int
    platform: Platform


@final
@dataclass(frozen=True, slots=True)
class Index:
    """A list of manifests, one a platform: an OCI index or a Docker manifest list."""

    media_type: str
    """What it says itself that it is; empty if it does not."""
    manifests: tuple[Descriptor, ...]


@final
@dataclass(frozen=True, slots=True)
class ImageManifest:
    """The manifest of one image."""

    media_type: str
    """What it says itself that it is; empty if it does not."""
    config: Descriptor


Manifest: TypeAlias = Index | ImageManifest


def parse_manifest(body: bytes, *, what: str, max_depth: int) -> Manifest:
    """Return the manifest or index in `body`, which must be one of them and not both.

    Raises:
        RejectedError: it breaks the format, or two clients could read it in two ways: members of both kinds, a
            member in other letters, a ``mediaType`` of the other kind (``malformed``).

    Spec: OCI image specification, image-index.md: clients must refuse what has both, CVE-2021-41190.
    """
    members = _members(parse(body, what=what, max_depth=max_depth), what, _MEMBERS)
    if members.get("schemaVersion") != _SCHEMA_VERSION:
        raise malformed(f"{what}.schemaVersion", "must be 2", found=quote(members.get("schemaVersion")))
    is_index = "manifests" in members
    foreign = ("config", "layers", "fsLayers", "blobs") if is_index else ("fsLayers", "blobs")
    for name in foreign:
        if name in members:
            kind = "manifests" if is_index else "layers"
            raise malformed(what, f"has both {kind} and {name}, so that clients may read it in two ways", found=name)
    media_type = _text(members, "mediaType", what)
    allowed = INDEX_TYPES if is_index else IMAGE_TYPES
    if media_type and media_type not in allowed:
        raise malformed(f"{what}.mediaType", f"must be {' or '.join(allowed)}", found=quote(media_type))
    if is_index:
        entries = _list(members, "manifests", what)
        return Index(
            media_type,
            tuple(_descriptor(entry, f"{what}.manifests[{index}]") for index, entry in enumerate(entries)),
        )
    _list(members, "layers", what)
    return ImageManifest(media_type, _descriptor(members.get("config"), f"{what}.config"))


def check_media_type(manifest: Manifest, served: str, *, what: str) -> None:
    """Check that a registry served `manifest` as what it is: clients choose by the answer's type how to read it.

    Raises:
        RejectedError: it served it as something else (``registry_mismatch``).
    """
    own = manifest.media_type
    allowed = (own,) if own else INDEX_TYPES if isinstance(manifest, Index) else IMAGE_TYPES
    if served not in allowed:
        expected, found = " or ".join(allowed), quote(served) if served else "no Content-Type"
        msg = f"the registry served {what} as {found}, and it is {expected}"
        raise RejectedError(msg, code=Code.REGISTRY_MISMATCH, subject=what, expected=expected, found=found)


def parse_image_platform(body: bytes, *, what: str, max_depth: int) -> Platform:
    """Return the platform that the configuration of an image says it is for.

    Raises:
        RejectedError: it breaks the format (``malformed``).
    """
    members = _members(parse(body, what=what, max_depth=max_depth), what, _PLATFORM)
    return Platform(*(_text(members, name, what) for name in _PLATFORM))


def _descriptor(value: object, where: str) -> Descriptor:
    members = _members(value, where, _ENTRY)
    size = members.get("size")
    if type(size) is not int or size < 0:
        raise malformed(f"{where}.size", "must be a number of bytes", found=quote(size))
    digest = _text(members, "digest", where)
    platform = members.get("platform")
    parts = _members({} if platform is None else platform, f"{where}.platform", _PLATFORM)
    return Descriptor(
        _text(members, "mediaType", where),
        digest if _SHA256.fullmatch(digest) else "",
        size,
        Platform(*(_text(parts, name, f"{where}.platform") for name in _PLATFORM)),
    )


def _members(value: object, where: str, known: tuple[str, ...]) -> dict[str, Any]:
    """Return the members of an object, none of which is one of the `known` ones in other letters."""
    if not isinstance(value, dict):
        raise malformed(where, "must be an object", found=quote(value))
    by_lower = {name.lower(): name for name in known}
    for name in value:
        proper = by_lower.get(name.translate(_FOLDS).lower())
        if proper is not None and proper != name:
            raise malformed(where, f"{quote(name)} must be written {proper}", found=quote(name))
    return value


def _text(members: dict[str, Any], name: str, where: str) -> str:
    value = members.get(name)
    if value is not None and not isinstance(value, str):
        raise malformed(f"{where}.{name}", "must be a text", found=quote(value))
    return value or ""


def _list(members: dict[str, Any], name: str, where: str) -> list[Any]:
    value = members.get(name)
    if not isinstance(value, list):
        raise malformed(f"{where}.{name}", "must be a list", found=quote(value))
    return value
