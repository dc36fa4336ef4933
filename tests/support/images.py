"""Images of a few bytes: manifests, indexes and configurations, and where a test puts them for a registry to have."""

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, final

import requests

from imgsig.codes import Code
from imgsig.errors import RejectedError
from imgsig.limits import Deadline
from imgsig.registry.source import Served
from imgsig.source import DocumentMissingError
from tests.support.hostile import HostileServer, reply

OCI_INDEX: Final = "application/vnd.oci.image.index.v1+json"
OCI_IMAGE: Final = "application/vnd.oci.image.manifest.v1+json"
OCI_CONFIG: Final = "application/vnd.oci.image.config.v1+json"
DOCKER_INDEX: Final = "application/vnd.docker.distribution.manifest.list.v2+json"
DOCKER_IMAGE: Final = "application/vnd.docker.distribution.manifest.v2+json"
DOCKER_CONFIG: Final = "application/vnd.docker.container.image.v1+json"
UNKNOWN: Final = b'{"errors":[{"code":"MANIFEST_UNKNOWN","message":"manifest unknown","detail":{}}]}'


@final
@dataclass(frozen=True, slots=True)
class Blob:
    """Bytes that a registry keeps by their digest."""

    media_type: str
    body: bytes

    @property
    def digest(self) -> str:
        """``sha256:…`` of the bytes."""
        return f"sha256:{hashlib.sha256(self.body).hexdigest()}"

    def descriptor(self, **more: Any) -> dict[str, Any]:  # noqa: ANN401 - members of a descriptor
        """Return what another document says of this one."""
        return {"mediaType": self.media_type, "digest": self.digest, "size": len(self.body), **more}


@final
@dataclass(frozen=True, slots=True)
class Image:
    """One image: its manifest and what that names."""

    manifest: Blob
    config: Blob
    layer: Blob
    platform: Mapping[str, str]

    def entry(self, **more: Any) -> dict[str, Any]:  # noqa: ANN401 - members of a descriptor
        """Return what an index says of it."""
        return self.manifest.descriptor(**{"platform": dict(self.platform), **more})


def make_document(media_type: str, value: Mapping[str, Any]) -> Blob:
    """Return `value` as a document of this type."""
    return Blob(media_type, json.dumps(value).encode())


def make_image(platform: str = "linux/amd64", *, docker: bool = False, **changes: Any) -> Image:  # noqa: ANN401 - JSON
    """Return an image for `platform`; `changes` are members of its manifest that are other than they should be."""
    parts = dict(zip(("os", "architecture", "variant"), platform.split("/"), strict=False))
    config_type, image_type = (DOCKER_CONFIG, DOCKER_IMAGE) if docker else (OCI_CONFIG, OCI_IMAGE)
    config = make_document(config_type, {**parts, "rootfs": {"type": "layers", "diff_ids": []}})
    layer = Blob("application/vnd.oci.image.layer.v1.tar+gzip", f"layer for {platform}".encode())
    members = {
        "schemaVersion": 2,
        "mediaType": image_type,
        "config": config.descriptor(),
        "layers": [layer.descriptor()],
        **changes,
    }
    given = {name: value for name, value in members.items() if value is not None}
    return Image(make_document(image_type, given), config, layer, parts)


def make_index(*entries: Image | Mapping[str, Any], docker: bool = False, **changes: Any) -> Blob:  # noqa: ANN401 - JSON
    """Return an index of images, or of entries as they stand; `changes` as for an image."""
    media_type = DOCKER_INDEX if docker else OCI_INDEX
    listed = [entry.entry() if isinstance(entry, Image) else dict(entry) for entry in entries]
    members = {"schemaVersion": 2, "mediaType": media_type, "manifests": listed, **changes}
    return make_document(media_type, {name: value for name, value in members.items() if value is not None})


@final
@dataclass(slots=True)
class MemoryRegistry:
    """One repository of a registry, in memory. Implements ``imgsig.registry.source.Registry``."""

    manifests: dict[str, Served] = field(default_factory=dict)
    """By digest and by tag."""
    blobs: dict[str, bytes] = field(default_factory=dict)
    location: str = "https://registry.example.com"
    asked: list[str] = field(default_factory=list)
    """What was asked for, in order."""
    missing: bytes = UNKNOWN
    """What a 404 says."""

    def put(self, *documents: Blob | Image, tag: str = "") -> None:
        """Keep these, and let `tag` stand for the last one."""
        for document in documents:
            if isinstance(document, Image):
                self.blobs.update({part.digest: part.body for part in (document.config, document.layer)})
            manifest = document.manifest if isinstance(document, Image) else document
            served = Served(manifest.body, manifest.media_type)
            self.manifests[manifest.digest] = served
            if tag:
                self.manifests[tag] = served

    def fetch_manifest(self, tag_or_digest: str, *, max_bytes: int, deadline: Deadline) -> Served:
        """Return it, or raise as a transport does."""
        self.asked.append(tag_or_digest)
        served = self.manifests.get(tag_or_digest)
        if served is None:
            raise self._missing(tag_or_digest)
        _bounded(served.body, max_bytes)
        return served

    def fetch_blob(self, digest: str, *, max_bytes: int, deadline: Deadline) -> bytes:
        """Return it, or raise as a transport does."""
        self.asked.append(digest)
        if digest not in self.blobs:
            raise self._missing(digest)
        return _bounded(self.blobs[digest], max_bytes)

    def _missing(self, what: str) -> DocumentMissingError:
        return DocumentMissingError(f"{self.location} has no {what}", subject=what, body=self.missing)


def serve_images(server: HostileServer, repository: str, *documents: Blob | Image, tag: str = "") -> None:
    """Let a fake server have these as a registry does, and let `tag` stand for the last one; nothing else is there."""
    folder = f"/v2/{repository}"
    for document in documents:
        if isinstance(document, Image):
            for part in (document.config, document.layer):
                server.answers[f"{folder}/blobs/{part.digest}"] = reply(part.body)
        manifest = document.manifest if isinstance(document, Image) else document
        answer = reply(manifest.body, headers=[("Content-Type", manifest.media_type)])
        server.answers[f"{folder}/manifests/{manifest.digest}"] = answer
        if tag:
            server.answers[f"{folder}/manifests/{tag}"] = answer


def push_images(
    session: requests.Session, url: str, repository: str, documents: Iterable[Blob | Image], *, tag: str = ""
) -> None:
    """Push these to the real registry at `url`, and let `tag` stand for the last one.

    Spec: OCI distribution specification, "Push".
    """
    for document in documents:
        if isinstance(document, Image):
            for part in (document.config, document.layer):
                _push_blob(session, f"{url}/v2/{repository}", part)
        manifest = document.manifest if isinstance(document, Image) else document
        for reference in filter(None, (manifest.digest, tag)):
            put = session.put(
                f"{url}/v2/{repository}/manifests/{reference}",
                data=manifest.body,
                headers={"Content-Type": manifest.media_type},
                timeout=10,
            )
            put.raise_for_status()


def _push_blob(session: requests.Session, folder: str, blob: Blob) -> None:
    begun = session.post(f"{folder}/blobs/uploads/", timeout=10)
    begun.raise_for_status()
    place = begun.headers["Location"]
    mark = "&" if "?" in place else "?"
    put = session.put(
        f"{place}{mark}digest={blob.digest}",
        data=blob.body,
        headers={"Content-Type": "application/octet-stream"},
        timeout=10,
    )
    put.raise_for_status()


def _bounded(body: bytes, max_bytes: int) -> bytes:
    if len(body) > max_bytes:
        raise RejectedError("too long", code=Code.LIMIT_EXCEEDED, subject="manifest", found=f"more than {max_bytes}")
    return body
