"""What the sections of a policy have in common, whatever system they are for: a root file, a URL, a time."""

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Final, final

from imgsig.errors import PolicyError, UsageError
from imgsig.faults import Faults, load_file, shown_path
from imgsig.limits import Limits

_LIMITS: Final = Limits()
_MAX_STALE_SECONDS: Final = 10 * 366 * 24 * 60 * 60
"""Ten years: more is a slip of the pen, and dates that far away cannot all be reckoned with."""
_MAX_URL: Final = 2048
_URL: Final = re.compile(
    r"https?://(?:[A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])(?::(?P<port>[0-9]{1,5}))?(?P<path>(?:/[\w.~!$&'()*+,;=:@%-]*)*)",
    re.ASCII,
)


@final
@dataclass(frozen=True, slots=True)
class RootFile:
    """Trust exactly this root document, and those that it leads to.

    Not checked here: whether it is a root.
    """

    kind: ClassVar[str] = "root-file"
    document: bytes
    file: str = ""
    """Where it came from; only with it can it be written into a policy."""

    def __post_init__(self) -> None:
        """Refuse an empty document."""
        document: object = self.document
        if not isinstance(document, bytes) or not document.strip():
            raise PolicyError((f"{place_of(self.kind, self.file)} holds no root document",))

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> "RootFile":
        """Return the root document in the file at `path`.

        Raises:
            PolicyError: it cannot be read, is too large or empty.
        """
        return cls(load_file(path, max_bytes=_LIMITS.max_anchor_bytes, place=cls.kind), str(Path(path).absolute()))

    def to_items(self) -> Mapping[str, object]:
        """Return what a policy says for this anchor.

        Raises:
            UsageError: it came from no file.
        """
        return {self.kind: named_file(self.file, self.kind)}


def place_of(kind: str, file: str) -> str:
    """Return how a fault begins that is about an anchor of this `kind`, from a `file` if one is named."""
    return f"{kind}: {shown_path(file)}" if file else f"{kind}:"


def named_file(file: str, kind: str) -> str:
    """Return the `file` that an anchor of this `kind` came from.

    Raises:
        UsageError: it came from none.
    """
    if not file:
        msg = f"a {kind} that came from no file cannot be written into a policy: load it from one"
        raise UsageError(msg)
    return file


def parse_url(url: object, path: str, faults: Faults) -> str | None:
    """Return `url` without slashes at its end, or None after noting what is wrong; None stays None.

    A faulty one is never shown: it might hold a password.
    """
    if url is None:
        return None
    match = _URL.fullmatch(url) if isinstance(url, str) and len(url) <= _MAX_URL else None
    if not match:
        wanted = "must be https://HOST[:PORT][/PATH] (http:// to go without TLS), without user, query and fragment"
        faults.note(path, wanted)
        return None
    if match["port"] and not 0 < int(match["port"]) < 1 << 16:
        faults.note(path, "the port must be from 1 to 65535")
    if any(component in {".", ".."} for component in match["path"].split("/")):
        faults.note(path, "the path must not have . or .. as a component")
    return match[0].rstrip("/")


def check_stale_seconds(seconds: object, path: str, faults: Faults) -> None:
    """Note it if `seconds` cannot be how old an answer may be."""
    if not isinstance(seconds, int) or isinstance(seconds, bool) or not 0 <= seconds <= _MAX_STALE_SECONDS:
        faults.note(path, f"must be a whole number from 0 to {_MAX_STALE_SECONDS} (ten years)")
