"""What the sections of a policy have in common, whatever system they are for: a root file, a URL, a time."""

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Final, final

from imgsig.errors import PolicyError, UsageError
from imgsig.faults import Faults, Table, load_file, shown, shown_path
from imgsig.limits import Limits

_LIMITS: Final = Limits()
_MAX_STALE_SECONDS: Final = 10 * 366 * 24 * 60 * 60
"""Ten years: more is a slip of the pen, and dates that far away cannot all be reckoned with."""
_MAX_URL: Final = 2048
_MAX_AGE_DAYS: Final = 3660
_ARCHIVE: Final = "archive"
_ARCHIVE_KEYS: Final = ("archive-id", "as-of", "max-age-days")
ARCHIVE_KEYS: Final = (_ARCHIVE, *_ARCHIVE_KEYS)
"""The keys of a section that are about an archive."""
_CAPTURE: Final = "capture"
_ARCHIVE_ID: Final = re.compile(r"sha256:[0-9a-f]{64}", re.ASCII)
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


@final
@dataclass(frozen=True, slots=True)
class FromArchive:
    """Take the trust data from an archive on disk, and ask no server.

    Not checked here: whether there is one.

    Raises:
        PolicyError: a value is not what it must be, or they do not go together; all faults are told.
    """

    path: str
    """The folder or tar file, absolute."""
    id: str | None = None
    """``sha256:…`` of the archive that it must be; None for whichever is there."""
    as_of_capture: bool = False
    """Whether expiries are compared with the time of the capture, in place of the present."""
    max_age_days: int | None = None
    """How old the archive may be; None for any age."""

    def __post_init__(self) -> None:
        """Refuse what lets anybody decide what time it is."""
        faults = Faults()
        path: object = self.path
        if not isinstance(path, str) or not Path(path).is_absolute():
            faults.note(_ARCHIVE, "must be an absolute path")
        if self.id is not None and not _ARCHIVE_ID.fullmatch(str(self.id)):
            faults.note(_ARCHIVE_KEYS[0], f"{shown(self.id)} is no id: sha256: and 64 hex digits in lower case")
        days: object = self.max_age_days
        if days is not None and not (type(days) is int and 1 <= days <= _MAX_AGE_DAYS):
            faults.note(_ARCHIVE_KEYS[2], f"must be a whole number from 1 to {_MAX_AGE_DAYS} (ten years)")
        for key, value in ((_ARCHIVE_KEYS[0], self.id), (_ARCHIVE_KEYS[2], days)):
            if self.as_of_capture and value is None:
                faults.note(_ARCHIVE_KEYS[1], f"needs {key}: otherwise whoever replaces the archive chooses the time")
        if faults:
            raise faults.error()

    def to_items(self) -> Mapping[str, object]:
        """Return what a policy says for it."""
        as_of = _CAPTURE if self.as_of_capture else None
        values = (self.id, as_of, self.max_age_days)
        given = {key: value for key, value in zip(_ARCHIVE_KEYS, values, strict=True) if value is not None}
        return {_ARCHIVE: self.path, **given}


def parse_archive(section: Table) -> FromArchive | None:
    """Return the archive that a `section` names, or None if it names none or after noting what is wrong with it."""
    if _ARCHIVE not in section:
        for key in _ARCHIVE_KEYS:
            if key in section:
                section.note(key, "goes with archive alone")
        return None
    path = section.loaded(_ARCHIVE, str)
    as_of, archive_id, days = (section.text(_ARCHIVE_KEYS[1]), section.text(_ARCHIVE_KEYS[0]), None)
    if _ARCHIVE_KEYS[2] in section:
        days = section.integer(_ARCHIVE_KEYS[2])
    if as_of not in {None, _CAPTURE}:
        section.note(_ARCHIVE_KEYS[1], f"must be {_CAPTURE}, or not be there")
    if path is None:
        return None
    return section.parsed(
        lambda: FromArchive(path, id=archive_id, as_of_capture=as_of == _CAPTURE, max_age_days=days)
    )


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
