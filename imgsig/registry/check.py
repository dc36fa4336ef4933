"""Whether a registry has the signed bytes, what its tag stands for now, and which manifest is for a platform.

Every byte that is believed was hashed here: a registry's headers say nothing about an image.

Spec: OCI distribution specification, "Pulling manifests"; docs/registry.md, "What is checked".
"""

import hashlib
import re
from dataclasses import dataclass
from typing import Final, NoReturn, final

from imgsig.codes import Code
from imgsig.errors import InconclusiveError, RejectedError
from imgsig.limits import Deadline, Limits
from imgsig.registry.manifest import (
    IMAGE_TYPES,
    Descriptor,
    ImageManifest,
    Index,
    check_media_type,
    parse_image_platform,
    parse_manifest,
)
from imgsig.registry.platform import Platform, parse_platform
from imgsig.registry.source import Registry, Served
from imgsig.source import DocumentMissingError
from imgsig.strictjson import parse, quote
from imgsig.verdict import Checks, RegistryEvidence

_OBJECT: Final = re.compile(rb"[ \t\r\n]*\{")
_UNKNOWN: Final = frozenset({"MANIFEST_UNKNOWN", "MANIFEST_BLOB_UNKNOWN", "BLOB_UNKNOWN", "NAME_UNKNOWN", "NOT_FOUND"})
"""Codes with which a registry says that it does not have what was asked for. ``NOT_FOUND`` is Harbor's."""
_ERROR_DEPTH: Final = 16
_MAX_LISTED: Final = 20
"""Platforms of an index that are told; real ones have about ten."""


@final
@dataclass(frozen=True, slots=True)
class Demand:
    """What the caller wants to know of a registry."""

    platform: Platform | None = None
    """The platform whose manifest must belong to the image."""
    require_tag_current: bool = False
    """Whether the registry's own tag must stand for the signed digest."""


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class RegistryQuestion:
    """One verified image, and the registry that is asked about it."""

    registry: Registry
    tag: str
    """The tag that was asked for; empty if there was none, and then none can have moved."""
    digest: str
    """The signed digest, ``sha256:…``."""
    lengths: tuple[int, ...]
    """How long its bytes are by each authority; 0 where it does not say."""
    demand: Demand
    deadline: Deadline
    limits: Limits


def parse_demand(*, check_registry: bool, require_tag_current: bool, platform: str | None) -> Demand | None:
    """Return what a caller demands by these words; None if that is nothing. The last two imply the first.

    Raises:
        UsageError: `platform` names none.
    """
    if not check_registry and not require_tag_current and platform is None:
        return None
    return Demand(None if platform is None else parse_platform(platform), require_tag_current)


def check_registry(question: RegistryQuestion, checks: Checks) -> RegistryEvidence:
    """Return what the registry has, by these steps.

    1. Fetch the manifest by its signed digest; hash it, and compare its length where one is signed.
    2. Find out what it is: an index or an image's manifest, never both, and served as what it is.
    3. Find out what the registry's tag stands for.
    4. If a platform is asked for, find its one manifest, fetch it and hash it.

    Not checked: the layers of the image, and that it runs on the platform that its publisher says it is for.

    Raises:
        RejectedError: the registry has other bytes, or does not have them (``registry_mismatch``); they are no
            manifest (``malformed``) or too long (``limit_exceeded``); no single manifest is for the platform
            (``platform_missing``); or its tag has moved, if that is demanded (``registry_mismatch``).
        InconclusiveError: it could not be asked.
    """
    # 1. The bytes.
    what = f"manifest {question.digest}"
    served = _fetch_manifest(question, question.digest, what)
    for length in question.lengths:
        if length > 0:
            _check_length(served.body, length, what)
    checks.passed(Code.REGISTRY_MISMATCH, what, found=f"{len(served.body)} bytes at {question.registry.location}")
    # 2. What they are.
    manifest = parse_manifest(served.body, what="manifest", max_depth=question.limits.max_json_depth)
    check_media_type(manifest, served.media_type, what=what)
    checks.passed(Code.MALFORMED, what, found=served.media_type)
    # 3. The tag.
    tag_digest = _tag_digest(question, checks) if question.tag else ""
    # 4. The platform.
    platform = question.demand.platform
    platform_digest = ""
    if platform is not None:
        if isinstance(manifest, Index):
            platform_digest = _platform_manifest(question, manifest, platform)
        else:
            _check_image_platform(question, manifest, platform)
            platform_digest = question.digest
        checks.passed(Code.PLATFORM_MISSING, str(platform), found=platform_digest)
    return RegistryEvidence(
        location=question.registry.location,
        media_type=served.media_type,
        length=len(served.body),
        tag_digest=tag_digest,
        tag_current=tag_digest == question.digest if question.tag else None,
        platform="" if platform is None else str(platform),
        platform_digest=platform_digest,
    )


def _tag_digest(question: RegistryQuestion, checks: Checks) -> str:
    """Return the digest of what the registry's tag stands for; empty if it has no such tag, or too long a thing."""
    found, digest = "no such tag", ""
    try:
        most = question.limits.max_manifest_bytes
        served = question.registry.fetch_manifest(question.tag, max_bytes=most, deadline=question.deadline)
    except DocumentMissingError as error:
        if not _says_unknown(error.body):
            raise
    except RejectedError as error:
        if error.code is not Code.LIMIT_EXCEEDED:
            raise
        found = error.found  # whatever it is, it is not what was signed
    else:
        _check_object(served.body, f"tag {quote(question.tag)}", question.registry)
        found = digest = _digest(served.body)
    if digest == question.digest:
        checks.passed(Code.REGISTRY_MISMATCH, question.tag, found=digest)
    elif question.demand.require_tag_current:
        msg = f"the registry's tag {quote(question.tag)} does not stand for the signed digest"
        raise RejectedError(
            msg, code=Code.REGISTRY_MISMATCH, subject=question.tag, expected=question.digest, found=found
        )
    else:
        checks.failed(Code.REGISTRY_MISMATCH, question.tag, expected=question.digest, found=found)
    return digest


def _platform_manifest(question: RegistryQuestion, index: Index, platform: Platform) -> str:
    """Return the digest of the one manifest for `platform`, which was fetched and hashed."""
    offered = [entry for entry in index.manifests if platform.covers(entry.platform)]
    if len(offered) != 1:
        listed = [quote(entry.platform) for entry in (offered or index.manifests)[:_MAX_LISTED]]
        how_many = f"{len(offered)} manifests" if offered else "no manifest"
        hint = "name the variant too, as in linux/arm/v7" if offered else ""
        _refuse_platform(platform, f"the signed index has {how_many} for {platform}", ", ".join(listed), hint)
    entry = offered[0]
    if entry.media_type not in IMAGE_TYPES or not entry.digest:
        found = f"{quote(entry.media_type)} with {'a' if entry.digest else 'no'} sha256"
        _refuse_platform(platform, f"what the signed index lists for {platform} is no manifest of an image", found)
    what = f"manifest {entry.digest}"
    served = _fetch_manifest(question, entry.digest, what)
    _check_length(served.body, entry.size, what)
    manifest = parse_manifest(served.body, what="platform manifest", max_depth=question.limits.max_json_depth)
    check_media_type(manifest, served.media_type, what=what)
    if served.media_type != entry.media_type:
        msg = f"the registry served {what} as another type than the signed index lists"
        _refuse(msg, what, expected=entry.media_type, found=served.media_type)
    return entry.digest


def _check_image_platform(question: RegistryQuestion, manifest: ImageManifest, platform: Platform) -> None:
    """Check that the image of a manifest that is in no index is for `platform`, by its own configuration."""
    config: Descriptor = manifest.config
    if not config.digest:
        _refuse_platform(platform, "the signed manifest names no configuration by its sha256", "none")
    what = f"configuration {config.digest}"
    try:
        body = question.registry.fetch_blob(
            config.digest, max_bytes=question.limits.max_image_config_bytes, deadline=question.deadline
        )
    except DocumentMissingError as error:
        _absent(error, what)
    _check_digest(body, config.digest, what, question.registry)
    _check_length(body, config.size, what)
    own = parse_image_platform(body, what="configuration", max_depth=question.limits.max_json_depth)
    if not platform.covers(own):
        msg = f"the signed manifest is of an image for {quote(str(own))} alone, not for {platform}"
        _refuse_platform(platform, msg, quote(str(own)))


def _fetch_manifest(question: RegistryQuestion, digest: str, what: str) -> Served:
    try:
        served = question.registry.fetch_manifest(
            digest, max_bytes=question.limits.max_manifest_bytes, deadline=question.deadline
        )
    except DocumentMissingError as error:
        _absent(error, what)
    _check_digest(served.body, digest, what, question.registry)
    return served


def _check_digest(body: bytes, digest: str, what: str, registry: Registry) -> None:
    found = _digest(body)
    if found != digest:
        _check_object(body, what, registry)
        _refuse(f"the registry's {what} has other bytes", what, expected=digest, found=found)


def _check_object(body: bytes, what: str, registry: Registry) -> None:
    """Check that wrong bytes are a document at all: else something other than the registry has answered."""
    if not _OBJECT.match(body):
        msg = f"{registry.location} answered for {what} with a 200 that is no JSON object"
        raise InconclusiveError(msg, code=Code.BAD_RESPONSE, subject=what)


def _check_length(body: bytes, length: int, what: str) -> None:
    if len(body) != length:
        msg = f"{what} is {len(body)} bytes long, and {length} were vouched for"
        _refuse(msg, what, expected=f"{length} bytes", found=f"{len(body)} bytes")


def _digest(body: bytes) -> str:
    return f"sha256:{hashlib.sha256(body).hexdigest()}"


def _absent(error: DocumentMissingError, what: str) -> NoReturn:
    """Say what a 404 means: a refusal if it is the registry's own word, else no answer."""
    if not _says_unknown(error.body):
        raise error
    msg = f"the registry does not have {what}"
    raise RejectedError(msg, code=Code.REGISTRY_MISMATCH, subject=what, found="none") from error


def _says_unknown(body: bytes) -> bool:
    """Return whether the body of a 404 is the registry's own word.

    Spec: OCI distribution specification, "Error Codes".
    """
    try:
        answer = parse(body, what="error", max_depth=_ERROR_DEPTH)
    except RejectedError:
        return False
    errors = answer.get("errors") if isinstance(answer, dict) else None
    codes = [error.get("code") for error in errors if isinstance(error, dict)] if isinstance(errors, list) else []
    return any(isinstance(code, str) and code in _UNKNOWN for code in codes)


def _refuse(message: str, what: str, *, expected: str, found: str) -> NoReturn:
    raise RejectedError(message, code=Code.REGISTRY_MISMATCH, subject=what, expected=expected, found=found)


def _refuse_platform(platform: Platform, message: str, found: str, hint: str = "") -> NoReturn:
    raise RejectedError(
        message, code=Code.PLATFORM_MISSING, subject=str(platform), expected=str(platform), found=found, hint=hint
    )
