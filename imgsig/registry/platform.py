"""What an image runs on: an operating system, an architecture and perhaps a variant of it."""

import re
from dataclasses import dataclass
from typing import Final, final

from imgsig.errors import UsageError
from imgsig.strictjson import quote

_PLATFORM: Final = re.compile(r"[a-z0-9_.-]+(?:/[a-z0-9_.-]+){1,2}", re.ASCII)
_MAX_PLATFORM: Final = 128
_FIRST_VARIANT: Final = ("arm64", "v8")
"""The one variant that may be left out and is meant: 64-bit ARM begins with version 8."""


@final
@dataclass(frozen=True, slots=True)
class Platform:
    """A platform, by the words of the OCI image specification. Parts that were not given are empty."""

    os: str
    architecture: str
    variant: str = ""

    def __str__(self) -> str:
        """Return ``OS/ARCHITECTURE``, with ``/VARIANT`` if there is one."""
        return "/".join(part for part in (self.os, self.architecture, self.variant) if part)

    def covers(self, other: "Platform") -> bool:
        """Return whether `other` is what this one asks for: without a variant, every variant is."""
        if (self.os, self.architecture) != (other.os, other.architecture):
            return False
        return not self.variant or _variant(self) == _variant(other)


def parse_platform(text: str) -> Platform:
    """Return the platform that `text` names: ``linux/amd64``, ``linux/arm/v7``.

    Raises:
        UsageError: it names none.
    """
    given: object = text
    if not (isinstance(given, str) and len(given) <= _MAX_PLATFORM and _PLATFORM.fullmatch(given)):
        msg = f"a platform is written OS/ARCHITECTURE or OS/ARCHITECTURE/VARIANT, in lower case, not {quote(text)}"
        raise UsageError(msg, hint="for example linux/amd64, linux/arm64 or linux/arm/v7")
    return Platform(*text.split("/"))


def _variant(platform: Platform) -> str:
    return platform.variant or (_FIRST_VARIANT[1] if platform.architecture == _FIRST_VARIANT[0] else "")
