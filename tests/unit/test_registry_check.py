"""What a registry has is shown by hashing it: the signed bytes, what its tag stands for, the platform's manifest."""

from dataclasses import replace
from typing import Any

import pytest

from imgsig.codes import Code
from imgsig.errors import InconclusiveError, RejectedError, UsageError, VerificationError
from imgsig.limits import Deadline, Limits
from imgsig.registry.check import Demand, RegistryQuestion, check_registry, parse_demand
from imgsig.registry.platform import parse_platform
from imgsig.registry.source import Served
from imgsig.verdict import Checks, RegistryEvidence
from tests.support.images import OCI_IMAGE, OCI_INDEX, Blob, Image, MemoryRegistry, make_image, make_index

AMD64, ARM64 = make_image("linux/amd64"), make_image("linux/arm64/v8")
ARM_V6, ARM_V7 = make_image("linux/arm/v6"), make_image("linux/arm/v7")
INDEX = make_index(AMD64, ARM64, ARM_V6, ARM_V7)
OTHER = make_index(AMD64)


@pytest.fixture
def registry() -> MemoryRegistry:
    registry = MemoryRegistry()
    registry.put(AMD64, ARM64, ARM_V6, ARM_V7)
    registry.put(INDEX, tag="1.0")
    return registry


def evidence(
    registry: MemoryRegistry,
    signed: Blob | Image = INDEX,
    platform: str | None = None,
    *,
    tag: str = "1.0",
    lengths: tuple[int, ...] = (),
    current: bool = False,
    limits: Limits | None = None,
    checks: Checks | None = None,
) -> RegistryEvidence:
    digest = (signed.manifest if isinstance(signed, Image) else signed).digest
    question = RegistryQuestion(
        registry=registry,
        tag=tag,
        digest=digest,
        lengths=lengths,
        demand=Demand(None if platform is None else parse_platform(platform), current),
        deadline=Deadline(5),
        limits=limits or Limits(),
    )
    return check_registry(question, Checks() if checks is None else checks)


def failure(
    registry: MemoryRegistry,
    signed: Blob | Image = INDEX,
    platform: str | None = None,
    **options: Any,  # noqa: ANN401 - those of evidence
) -> VerificationError:
    with pytest.raises(VerificationError) as caught:
        evidence(registry, signed, platform, **options)
    return caught.value


# -- the signed bytes -------------------------------------------------------------------------------------------------


def test_the_signed_bytes_are_told_with_what_they_are(registry: MemoryRegistry) -> None:
    checks = Checks()
    found = evidence(registry, lengths=(len(INDEX.body), 0), checks=checks)
    assert found == RegistryEvidence(
        "https://registry.example.com", OCI_INDEX, len(INDEX.body), tag_digest=INDEX.digest, tag_current=True
    )
    assert all(check.passed for check in checks)
    assert {check.code for check in checks} == {Code.REGISTRY_MISMATCH, Code.MALFORMED}


def test_bytes_that_are_not_the_signed_ones_are_refused_whatever_they_are_filed_under(registry: MemoryRegistry) -> None:
    registry.manifests[INDEX.digest] = Served(OTHER.body, OCI_INDEX)
    error = failure(registry)
    assert error.code is Code.REGISTRY_MISMATCH
    assert (error.expected, error.found) == (INDEX.digest, OTHER.digest)


@pytest.mark.parametrize("place", range(0, len(INDEX.body), 7))
def test_a_changed_byte_is_refused(registry: MemoryRegistry, place: int) -> None:
    changed = bytearray(INDEX.body)
    changed[place] ^= 1
    registry.manifests[INDEX.digest] = Served(bytes(changed), OCI_INDEX)
    assert failure(registry).code in {Code.REGISTRY_MISMATCH, Code.BAD_RESPONSE}


def test_a_web_page_is_no_answer_of_the_registry(registry: MemoryRegistry) -> None:
    registry.manifests[INDEX.digest] = Served(b"<html>log in</html>", "text/html")
    error = failure(registry)
    assert isinstance(error, InconclusiveError)
    assert error.code is Code.BAD_RESPONSE


@pytest.mark.parametrize("by", [-1, 1])
def test_a_signed_length_that_is_not_the_bytes_is_refused(registry: MemoryRegistry, by: int) -> None:
    assert failure(registry, lengths=(0, len(INDEX.body) + by)).code is Code.REGISTRY_MISMATCH


def test_bytes_that_the_registry_says_it_does_not_have_are_refused() -> None:
    error = failure(MemoryRegistry())
    assert isinstance(error, RejectedError)
    assert error.code is Code.REGISTRY_MISMATCH


@pytest.mark.parametrize(
    "body",
    [b"", b"no such page", b"{}", b"[]", b'{"errors":{}}', b'{"errors":[1]}', b'{"errors":[{"code":["NAME_UNKNOWN"]}]}',
     b'{"errors":[{"code":"METADATA_NOT_FOUND"}]}'],
)
def test_another_404_is_no_answer(body: bytes) -> None:
    error = failure(MemoryRegistry(missing=body))
    assert isinstance(error, InconclusiveError)
    assert error.code is Code.BAD_RESPONSE


@pytest.mark.parametrize("code", ["MANIFEST_UNKNOWN", "NAME_UNKNOWN", "NOT_FOUND"])
def test_a_registry_has_several_words_for_it(code: str) -> None:
    missing = f'{{"errors":[{{"code":"DENIED"}},{{"code":"{code}"}}]}}'.encode()
    assert failure(MemoryRegistry(missing=missing)).code is Code.REGISTRY_MISMATCH


def test_signed_bytes_that_are_no_manifest_are_malformed(registry: MemoryRegistry) -> None:
    for signed in (Blob(OCI_INDEX, b"not even JSON"), make_index(AMD64, layers=[])):
        registry.put(signed)
        assert failure(registry, signed).code is Code.MALFORMED


def test_signed_bytes_served_as_another_type_are_refused(registry: MemoryRegistry) -> None:
    registry.manifests[INDEX.digest] = Served(INDEX.body, OCI_IMAGE)
    assert failure(registry).code is Code.REGISTRY_MISMATCH


def test_a_manifest_beyond_the_bound_is_not_read(registry: MemoryRegistry) -> None:
    assert failure(registry, limits=replace(Limits(), max_manifest_bytes=100)).code is Code.LIMIT_EXCEEDED


# -- the tag ----------------------------------------------------------------------------------------------------------


def test_a_tag_that_has_moved_is_told_and_refused_only_on_demand(registry: MemoryRegistry) -> None:
    registry.put(OTHER, tag="1.0")
    checks = Checks()
    found = evidence(registry, checks=checks)
    assert (found.tag_digest, found.tag_current) == (OTHER.digest, False)
    (failed,) = [check for check in checks if not check.passed]
    assert (failed.code, failed.subject) == (Code.REGISTRY_MISMATCH, "1.0")
    assert (failed.expected, failed.found) == (INDEX.digest, OTHER.digest)
    error = failure(registry, current=True)
    assert (error.code, error.subject, error.found) == (Code.REGISTRY_MISMATCH, "1.0", OTHER.digest)


def test_a_tag_that_is_gone_has_moved_too(registry: MemoryRegistry) -> None:
    del registry.manifests["1.0"]
    found = evidence(registry)
    assert (found.tag_digest, found.tag_current) == ("", False)
    assert failure(registry, current=True).code is Code.REGISTRY_MISMATCH


def test_a_tag_that_stands_for_too_long_a_thing_has_moved_too(registry: MemoryRegistry) -> None:
    registry.manifests["1.0"] = Served(INDEX.body + b" ", OCI_INDEX)
    limits = replace(Limits(), max_manifest_bytes=len(INDEX.body))
    assert evidence(registry, limits=limits).tag_current is False
    assert failure(registry, limits=limits, current=True).code is Code.REGISTRY_MISMATCH


def test_a_tag_that_cannot_be_told_is_no_answer(registry: MemoryRegistry) -> None:
    registry.manifests["1.0"] = Served(b"<html>", "text/html")
    assert failure(registry).code is Code.BAD_RESPONSE
    del registry.manifests["1.0"]
    registry.missing = b"no such page"
    assert failure(registry).code is Code.BAD_RESPONSE


def test_without_a_tag_none_is_asked_for_and_none_can_have_moved(registry: MemoryRegistry) -> None:
    found = evidence(registry, tag="", current=True)
    assert (found.tag_digest, found.tag_current) == ("", None)
    assert registry.asked == [INDEX.digest]


# -- the platform -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("platform", "image"),
    [
        ("linux/amd64", AMD64), ("linux/arm64", ARM64), ("linux/arm64/v8", ARM64), ("linux/arm/v6", ARM_V6),
        ("linux/arm/v7", ARM_V7),
    ],
)
def test_the_one_manifest_for_a_platform_is_fetched(registry: MemoryRegistry, platform: str, image: Image) -> None:
    found = evidence(registry, platform=platform)
    assert (found.platform, found.platform_digest) == (platform, image.manifest.digest)
    assert registry.asked == [INDEX.digest, "1.0", image.manifest.digest]


@pytest.mark.parametrize("platform", ["linux/s390x", "windows/amd64", "linux/arm64/v9", "linux/arm"])
def test_none_or_several_manifests_for_a_platform_are_refused(registry: MemoryRegistry, platform: str) -> None:
    error = failure(registry, platform=platform)
    assert (error.code, error.subject) == (Code.PLATFORM_MISSING, platform)
    assert ("variant" in error.hint) is (platform == "linux/arm")
    assert ("linux/amd64" in error.found) is (platform != "linux/arm")


def test_the_same_manifest_listed_twice_is_two(registry: MemoryRegistry) -> None:
    twice = make_index(AMD64, AMD64)
    registry.put(twice)
    assert failure(registry, twice, "linux/amd64", tag="").code is Code.PLATFORM_MISSING


def test_what_others_wrote_about_platforms_is_told_escaped(registry: MemoryRegistry) -> None:
    index = make_index(AMD64.entry(platform={"os": "\x1b[31m\u202e", "architecture": "x" * 500}))
    registry.put(index)
    found = failure(registry, index, "linux/arm64", tag="").found
    assert found.isascii()
    assert found.isprintable()
    assert len(found) < 200


def test_a_platform_manifest_with_other_bytes_is_refused(registry: MemoryRegistry) -> None:
    registry.manifests[ARM64.manifest.digest] = Served(AMD64.manifest.body, OCI_IMAGE)
    assert failure(registry, platform="linux/arm64").code is Code.REGISTRY_MISMATCH


def test_a_platform_manifest_that_is_not_there_is_refused(registry: MemoryRegistry) -> None:
    del registry.manifests[ARM64.manifest.digest]
    assert failure(registry, platform="linux/arm64").code is Code.REGISTRY_MISMATCH
    assert evidence(registry, platform="linux/amd64").platform_digest == AMD64.manifest.digest


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"size": 1}, Code.REGISTRY_MISMATCH),
        ({"mediaType": "application/vnd.docker.distribution.manifest.v2+json"}, Code.REGISTRY_MISMATCH),
        ({"mediaType": OCI_INDEX}, Code.PLATFORM_MISSING),
        ({"digest": "sha512:" + "ab" * 64}, Code.PLATFORM_MISSING),
        ({"digest": "sha256:../../other"}, Code.PLATFORM_MISSING),
    ],
)
def test_an_entry_that_says_something_else_than_is_there_is_refused(
    registry: MemoryRegistry, change: dict[str, object], code: Code
) -> None:
    index = make_index(ARM64.entry(**change))
    registry.put(index)
    assert failure(registry, index, "linux/arm64", tag="").code is code


def test_a_platform_manifest_that_is_an_index_itself_is_refused(registry: MemoryRegistry) -> None:
    inner = make_index(ARM64)
    entry = inner.descriptor(platform={"os": "linux", "architecture": "arm64"})
    registry.put(inner, make_index({**entry, "mediaType": OCI_IMAGE}))
    outer = make_index({**entry, "mediaType": OCI_IMAGE})
    assert failure(registry, outer, "linux/arm64", tag="").code is Code.REGISTRY_MISMATCH


def test_a_single_image_is_for_the_platform_that_its_configuration_says(registry: MemoryRegistry) -> None:
    found = evidence(registry, ARM64, "linux/arm64", tag="")
    assert (found.media_type, found.platform_digest) == (OCI_IMAGE, ARM64.manifest.digest)
    assert registry.asked == [ARM64.manifest.digest, ARM64.config.digest]
    error = failure(registry, ARM64, "linux/amd64", tag="")
    assert error.code is Code.PLATFORM_MISSING
    assert "linux/arm64/v8" in error.found


def test_a_configuration_is_hashed_and_measured_too(registry: MemoryRegistry) -> None:
    registry.blobs[ARM64.config.digest] = AMD64.config.body
    assert failure(registry, ARM64, "linux/amd64", tag="").code is Code.REGISTRY_MISMATCH
    del registry.blobs[ARM64.config.digest]
    assert failure(registry, ARM64, "linux/arm64", tag="").code is Code.REGISTRY_MISMATCH
    odd = make_image("linux/arm64", config={**ARM64.config.descriptor(), "size": 1})
    registry.put(ARM64, odd)
    assert failure(registry, odd, "linux/arm64", tag="").code is Code.REGISTRY_MISMATCH
    limits = replace(Limits(), max_image_config_bytes=5)
    assert failure(registry, ARM64, "linux/arm64", tag="", limits=limits).code is Code.LIMIT_EXCEEDED


def test_a_configuration_that_cannot_be_checked_or_says_nothing_is_for_no_platform(registry: MemoryRegistry) -> None:
    unnamed = make_image("linux/arm64", config={**ARM64.config.descriptor(), "digest": "sha512:" + "ab" * 64})
    silent = make_image("")
    registry.put(unnamed, silent)
    for image in (unnamed, silent):
        assert failure(registry, image, "linux/arm64", tag="").code is Code.PLATFORM_MISSING


# -- the demand -------------------------------------------------------------------------------------------------------


def test_a_platform_or_a_current_tag_demand_the_registry_check() -> None:
    assert parse_demand(check_registry=False, require_tag_current=False, platform=None) is None
    assert parse_demand(check_registry=True, require_tag_current=False, platform=None) == Demand()
    assert parse_demand(check_registry=False, require_tag_current=True, platform=None) == Demand(None, True)
    assert parse_demand(check_registry=False, require_tag_current=False, platform="linux/arm64") == Demand(
        parse_platform("linux/arm64")
    )
    with pytest.raises(UsageError):
        parse_demand(check_registry=True, require_tag_current=False, platform="")
