"""Where an archive keeps each document: names and paths that others chose, turned into safe names of files.

Spec: docs/archive.md, "Files".
"""

import re
from typing import Final

CAPTURE: Final = "capture.json"
PARTIAL: Final = ".partial"
"""What follows the name of an archive in the name of the folder where it is made."""

_DOCUMENTS: Final = "_trust"
"""The folder below a name's that holds its documents; no component of a name is written with a leading underscore."""
_MAX_PIECE: Final = 128
"""Longer names of files are cut, because file systems have bounds: 255 bytes as a rule, some 143."""
_SYSTEM: Final = re.compile(r"[a-z][a-z0-9-]{0,31}", re.ASCII)
_TEXT: Final = re.compile(r"[!-\[\]-~]{1,1024}", re.ASCII)
_UNSAFE: Final = re.compile(rb"[^a-z0-9._-]")


def is_system(text: object) -> bool:
    """Return whether `text` can be the name of a system, such as ``notary``."""
    return isinstance(text, str) and _SYSTEM.fullmatch(text) is not None


def is_name_or_path(text: object) -> bool:
    """Return whether `text` can be a signed name or a document's path: components split by slashes, none of them odd.

    At most 1024 printable ASCII characters without spaces and backslashes; no component is empty, ``.`` or ``..``.
    """
    if not isinstance(text, str) or not _TEXT.fullmatch(text):
        return False
    return not any(component in {"", ".", ".."} for component in text.split("/"))


def place_of(system: str, name: str, path: str) -> tuple[str, ...]:
    """Return the folders below the archive's, from the top, and last the file that holds a document.

    No two documents share a place, on a file system that tells upper from lower case or on one that does not.
    `system` passes `is_system`; `name` and `path` pass `is_name_or_path`.
    """
    folders = [part for component in name.split("/") for part in _parts(component, "._")]
    file = [part for component in path.split("/") for part in _parts(component, ".")]
    return (system, *folders, _DOCUMENTS, *file)


def _parts(component: str, not_first: str) -> list[str]:
    """Return the names on disk of one component, whose first character is written as %XX if it is in `not_first`."""
    written = _UNSAFE.sub(lambda match: b"%%%02X" % match[0][0], component.encode()).decode()
    if written[0] in not_first:
        written = f"%{ord(written[0]):02X}{written[1:]}"
    pieces = [written[start : start + _MAX_PIECE] for start in range(0, len(written), _MAX_PIECE)]
    return "~/~".join(pieces).split("/")
