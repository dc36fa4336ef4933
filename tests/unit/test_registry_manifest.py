"""A manifest is an index or an image's, to every client, or it is refused."""

import json
from typing import Any

import pytest

from imgsig.codes import Code
from imgsig.errors import RejectedError
from imgsig.registry.manifest import (
    ImageManifest,
    Index,
    Manifest,
    check_media_type,
    parse_image_platform,
    parse_manifest,
)
from imgsig.registry.platform import Platform
from tests.support.images import (
    DOCKER_IMAGE,
    DOCKER_INDEX,
    OCI_IMAGE,
    OCI_INDEX,
    make_image,
    make_index,
)

IMAGE = make_image()
SHA512 = "sha512:" + "ab" * 64


def parsed(body: bytes) -> Manifest:
    return parse_manifest(body, what="manifest", max_depth=64)


@pytest.mark.parametrize("docker", [False, True], ids=["oci", "docker"])
def test_an_image_is_told_from_an_index(docker: bool) -> None:
    image = make_image(docker=docker)
    manifest, index = parsed(image.manifest.body), parsed(make_index(image, docker=docker).body)
    assert isinstance(manifest, ImageManifest)
    assert (manifest.config.digest, manifest.config.size) == (image.config.digest, len(image.config.body))
    assert isinstance(index, Index)
    assert [(entry.digest, entry.platform) for entry in index.manifests] == [
        (image.manifest.digest, Platform("linux", "amd64"))
    ]


def test_what_it_is_need_not_be_said() -> None:
    assert parsed(make_image(mediaType=None).manifest.body).media_type == ""
    assert parsed(make_index(mediaType=None).body).media_type == ""


def test_a_platform_that_is_not_said_is_empty() -> None:
    index = parsed(make_index(IMAGE.manifest.descriptor(), IMAGE.entry(platform=None)).body)
    assert isinstance(index, Index)
    assert {entry.platform for entry in index.manifests} == {Platform("", "")}


def test_a_digest_that_is_no_sha256_is_left_out() -> None:
    index = parsed(make_index(IMAGE.entry(digest=SHA512)).body)
    assert isinstance(index, Index)
    assert index.manifests[0].digest == ""


ENTRY = IMAGE.entry()
BAD: dict[str, bytes] = {
    "layers beside manifests": make_index(IMAGE, layers=[]).body,
    "a config beside manifests": make_index(IMAGE, config=IMAGE.config.descriptor()).body,
    "Docker's first schema beside manifests": make_index(IMAGE, fsLayers=[]).body,
    "Docker's first schema beside layers": make_image(fsLayers=[]).manifest.body,
    "an artifact's blobs beside layers": make_image(blobs=[]).manifest.body,
    "manifests beside layers": make_image(manifests=[]).manifest.body,
    "layers in other letters": make_index(IMAGE, Layers=[]).body,
    "manifests in other letters": make_image(manifests=[]).manifest.body.replace(b'sts"', b'\\u017fts"'),
    "a type in other letters": make_image(mediatype=OCI_INDEX).manifest.body,
    "members twice": IMAGE.manifest.body[:-1] + b', "layers": []}',
    "the type of the other kind": make_index(IMAGE, mediaType=OCI_IMAGE).body,
    "the type of an index": make_image(mediaType=OCI_INDEX).manifest.body,
    "the type of something else": make_image(mediaType="text/plain").manifest.body,
    "a type that is no text": make_image(mediaType=5).manifest.body,
    "no version": make_image(schemaVersion=None).manifest.body,
    "Docker's first schema": make_image(schemaVersion=1).manifest.body,
    "a version that is a text": make_image(schemaVersion="2").manifest.body,
    "no layers": make_image(layers=None).manifest.body,
    "layers that are no list": make_image(layers={}).manifest.body,
    "no config": make_image(config=None).manifest.body,
    "a config that is no object": make_image(config=[]).manifest.body,
    "manifests that are no list": make_index(manifests={}).body,
    "manifests that are null": make_index(IMAGE).body.replace(b'"manifests": [', b'"manifests": null, "x": ['),
    "an entry that is no object": make_index().body.replace(b"[]", b"[1]"),
    "an entry without a size": make_index({**ENTRY, "size": None}).body,
    "a negative size": make_index({**ENTRY, "size": -1}).body,
    "a size that is true": make_index({**ENTRY, "size": True}).body,
    "a size with a fraction": make_index({**ENTRY, "size": 7.0}).body,
    "a digest that is no text": make_index({**ENTRY, "digest": 7}).body,
    "a platform that is no object": make_index({**ENTRY, "platform": "linux/amd64"}).body,
    "an architecture that is no text": make_index({**ENTRY, "platform": {"architecture": 64}}).body,
    "an architecture in other letters": make_index({**ENTRY, "platform": {"Architecture": "arm64"}}).body,
    "no object": b"[]",
    "no JSON": b'{"schemaVersion": 2',
}


@pytest.mark.parametrize("what", BAD)
def test_what_clients_could_read_in_two_ways_or_not_at_all_is_malformed(what: str) -> None:
    with pytest.raises(RejectedError) as caught:
        parsed(BAD[what])
    assert caught.value.code is Code.MALFORMED
    assert caught.value.subject.startswith("manifest")


@pytest.mark.parametrize("body", [IMAGE.manifest.body, make_index(IMAGE).body], ids=["image", "index"])
def test_every_truncation_is_malformed(body: bytes) -> None:
    for end in range(len(body)):
        with pytest.raises(RejectedError):
            parsed(body[:end])


def same_kind(manifest: Manifest) -> tuple[str, ...]:
    return (OCI_INDEX, DOCKER_INDEX) if isinstance(manifest, Index) else (OCI_IMAGE, DOCKER_IMAGE)


@pytest.mark.parametrize("served", [OCI_IMAGE, OCI_INDEX, DOCKER_IMAGE, DOCKER_INDEX, "application/json", ""])
@pytest.mark.parametrize(
    "body", [make_image().manifest.body, make_image(mediaType=None).manifest.body, make_index(mediaType=None).body]
)
def test_a_manifest_must_be_served_as_what_it_is(body: bytes, served: str) -> None:
    manifest = parsed(body)
    allowed = (manifest.media_type,) if manifest.media_type else same_kind(manifest)
    if served in allowed:
        check_media_type(manifest, served, what="manifest")
    else:
        with pytest.raises(RejectedError) as caught:
            check_media_type(manifest, served, what="manifest")
        assert caught.value.code is Code.REGISTRY_MISMATCH


@pytest.mark.parametrize(
    ("config", "platform"),
    [
        ({"os": "linux", "architecture": "arm", "variant": "v7", "x": 1}, Platform("linux", "arm", "v7")),
        ({"os": "linux"}, Platform("linux", "")),
        ({}, Platform("", "")),
    ],
)
def test_a_configuration_says_what_the_image_runs_on(config: dict[str, Any], platform: Platform) -> None:
    assert parse_image_platform(json.dumps(config).encode(), what="configuration", max_depth=64) == platform


@pytest.mark.parametrize("config", [[], {"os": 1}, {"OS": "linux"}])
def test_a_configuration_that_is_none_is_malformed(config: object) -> None:
    with pytest.raises(RejectedError) as caught:
        parse_image_platform(json.dumps(config).encode(), what="configuration", max_depth=64)
    assert caught.value.code is Code.MALFORMED
