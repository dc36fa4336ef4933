"""From an image reference to the target that vouches for it, and from a target to the digest that it vouches for.

Spec: docs/tuf.md, "Which target stands for an image" and "Where the digest stands".
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final, final

from imgsig.codes import Code
from imgsig.errors import InvalidReferenceError, RejectedError
from imgsig.faults import kind_of, shown
from imgsig.reference import parse_reference
from imgsig.strictjson import malformed, quote

DEFAULT_TARGET: Final = "{registry}/{repository}:{tag}"
DEFAULT_DIGEST_TARGET: Final = "sha256/{hex}"
TAG: Final = "tag"
HEX: Final = "hex"

_NAMES: Final = ("registry", "repository", "name")
_MAX_TEXT: Final = 1024
_PLACEHOLDER: Final = re.compile(r"\{([^{}]*)\}")
_LITERAL: Final = re.compile(r"[A-Za-z0-9._~!$&'()*+,;=:@%/-]*", re.ASCII)
_ESCAPED: Final = {":": "%3A", "[": "%5B", "]": "%5D"}
"""What a registry may hold and the path of a URL may not: a colon in its first segment would end a scheme."""
_ANY: Final = "*"
_BAD_ESCAPE: Final = re.compile(r"~(?![01])")
_SHA256: Final = re.compile(r"sha256:[0-9a-f]{64}", re.ASCII)
_HEX: Final = re.compile(r"[0-9a-f]{64}", re.ASCII)
_HEX_OF_ANY_CASE: Final = re.compile(r"[0-9A-Fa-f]{64}", re.ASCII)
_BASE64: Final = re.compile(r"[A-Za-z0-9+/]{43}=", re.ASCII)


@final
@dataclass(frozen=True, slots=True)
class Template:
    """How the path of a target is made of the parts of a reference.

    Raises:
        ValueError: it has an unknown placeholder, lacks `needed`, or could not be the path of a target; says what is
            wrong.
    """

    text: str
    needed: str
    """The placeholder that tells one image of a name from another: `TAG` or `HEX`."""

    def __post_init__(self) -> None:
        """Refuse what cannot be filled in."""
        text: object = self.text
        if not isinstance(text, str):
            msg = f"must be a text, not {kind_of(text)}"
            raise ValueError(msg)  # noqa: TRY004 - all faults of a template are told in one way
        for fault in self._faults():
            raise ValueError(fault)

    def __str__(self) -> str:
        """Return it as a policy spells it."""
        return self.text

    def fill(self, name: str, value: str) -> str:
        """Return the path for the image `name`, and `value` in place of the `needed` placeholder."""
        registry, _, repository = name.partition("/")
        registry = "".join(_ESCAPED.get(character, character) for character in registry)
        values = {"registry": registry, "repository": repository, "name": f"{registry}/{repository}"}
        return _PLACEHOLDER.sub(lambda match: (values | {self.needed: value})[match[1]], self.text)

    def _faults(self) -> Iterator[str]:
        known = (*_NAMES, self.needed)
        placeholders = _PLACEHOLDER.findall(self.text)
        for placeholder in placeholders:
            if placeholder not in known:
                yield f"{shown('{' + placeholder + '}')} is no placeholder: known are {', '.join(map(_braced, known))}"
        if self.needed not in placeholders:
            yield f"{shown(self.text)} must have {_braced(self.needed)} in it: else all images of a name would be one"
        literal = _PLACEHOLDER.sub("x", self.text)
        if len(self.text) > _MAX_TEXT or not _LITERAL.fullmatch(literal):
            yield f"{shown(self.text)} must be the path of a target: at most {_MAX_TEXT} characters as in a URL's path"
        if any(segment in {"", ".", ".."} for segment in literal.split("/")):
            yield f"{shown(self.text)} must have no segment that is empty, . or .."


@final
@dataclass(frozen=True, slots=True)
class Pointer:
    """A JSON pointer (RFC 6901) into a target's ``custom``, with at most one ``*`` that stands for every member.

    Raises:
        ValueError: it is none; says what is wrong.
    """

    text: str

    def __post_init__(self) -> None:
        """Refuse what is no pointer."""
        text: object = self.text
        if not isinstance(text, str):
            msg = f"must be a text, not {kind_of(text)}"
        elif not text.startswith("/") or len(text) > _MAX_TEXT or _BAD_ESCAPE.search(text):
            msg = f"{shown(text)} is no JSON pointer: segments, each after a /, with ~0 for ~ and ~1 for /"
        elif text.split("/").count(_ANY) > 1:
            msg = f"{shown(text)} has more than one *"
        else:
            return
        raise ValueError(msg)

    def __str__(self) -> str:
        """Return it as a policy spells it."""
        return self.text

    def values_in(self, custom: object) -> list[object]:
        """Return what it points at: nothing, one value, or with a ``*`` any number of them."""
        found = [custom]
        for segment in self.text.split("/")[1:]:
            found = [below for value in found for below in _below(value, segment)]
        return found


def digest_in_hashes(hashes: Mapping[str, str], target: str) -> str:
    """Return the ``sha256:…`` that a target's `hashes` list.

    Raises:
        RejectedError: they list none, or one that is not written as this format writes it (``malformed``).
    """
    where = f"target {quote(target)}"
    listed = hashes.get("sha256")
    if listed is None:
        raise malformed(where, "must list a sha256", found=quote(", ".join(sorted(hashes))))
    if _HEX.fullmatch(listed):
        return f"sha256:{listed}"
    why = "its sha256 must be 64 hex digits"
    if _HEX_OF_ANY_CASE.fullmatch(listed):
        why += " in lower case"
    elif _BASE64.fullmatch(listed):
        why += ", not base64 as in Docker Content Trust"
    raise malformed(where, why, found=quote(listed))


def digest_in_custom(custom: object, pointer: Pointer, name: str, target: str) -> str:
    """Return the ``sha256:…`` that a target's `custom` gives, at `pointer`, for the image `name`.

    Raises:
        RejectedError: nothing there is for `name` (``tag_not_signed``); two values are, or something is no
            ``NAME@sha256:HEX`` (``malformed``).
    """
    where = f"target {quote(target)}"
    values = [_image(value, f"{where}: custom{pointer}") for value in pointer.values_in(custom)]
    digests = [digest for found, digest in values if found == name]
    if len(digests) > 1:
        raise malformed(where, f"custom{pointer} must not list {name} twice", found=f"{len(digests)} values")
    if not digests:
        others = ", ".join(quote(found) for found, _ in values[:3]) or "nothing"
        msg = f"{where} lists no digest of {quote(name)} at custom{pointer}"
        raise RejectedError(msg, code=Code.TAG_NOT_SIGNED, subject=target, expected=name, found=others)
    return digests[0]


def hex_of(digest: str) -> str:
    """Return the 64 hex digits of a ``sha256:…``; empty for another algorithm."""
    return digest.partition(":")[2] if _SHA256.fullmatch(digest) else ""


def _braced(placeholder: str) -> str:
    return f"{{{placeholder}}}"


def _below(value: object, segment: str) -> list[Any]:
    if isinstance(value, dict):
        if segment == _ANY:
            return list(value.values())
        member = segment.replace("~1", "/").replace("~0", "~")
        return [value[member]] if member in value else []
    if isinstance(value, list):
        if segment == _ANY:
            return list(value)
        index = int(segment) if segment.isdecimal() and segment.isascii() and len(segment) < len("1000000") else -1
        return value[index : index + 1] if index >= 0 and str(index) == segment else []
    return []


def _image(value: object, where: str) -> tuple[str, str]:
    """Return the name, in full, and the digest of a ``NAME@sha256:HEX``."""
    wanted = "must be NAME@sha256:HEX"
    if not isinstance(value, str):
        raise malformed(where, wanted, found=quote(value))
    try:
        reference = parse_reference(value)
    except InvalidReferenceError as error:
        raise malformed(where, f"{wanted}: {error}", found=quote(value)) from error
    if reference.tag or not hex_of(reference.digest):
        raise malformed(where, wanted, found=quote(value))
    return reference.name, reference.digest
