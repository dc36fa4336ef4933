"""One tar file as an archive: looked through as a stream, with everything refused that an archive does not need.

Only regular files, each once. No links, devices, folders or sparse files; no headers that speak of other members; no
sizes beyond what the file holds. Names are compared with those that ``capture.json`` leads to and never used as paths,
so that it does not matter what they would mean on a disk. The general reader of the standard library would have to be
told all this afterwards, when it has read already what its headers made it read.

Spec: POSIX.1-2024, pax, "ustar Interchange Format" and "pax Extended Header"; docs/archive.md, "One file".
"""

import errno
import os
import re
import tarfile
from collections.abc import Iterable
from datetime import datetime
from pathlib import Path
from typing import BinaryIO, Final

from imgsig.archive.disk import opened_document, opened_folder
from imgsig.archive.shelves import TarShelf, opened_file

SUFFIX: Final = ".tar"
"""How the name of an archive in one file ends."""

_BLOCK: Final = 512
_MAX_EXTENDED: Final = 8192
"""Bytes of one extended header; a place in an archive has some 3,000 characters at most."""
_MAX_END: Final = 1024 * 1024
"""Bytes of the end of a tar file, which is padded with zeros; programs write 10,240 at most."""
_MAGIC: Final = (b"ustar\x0000", b"ustar  \x00")
_OCTAL: Final = re.compile(rb"[0-7]{1,11}")
_EXTENDED: Final = b"x"
_LONG_NAME: Final = b"L"
"""GNU tar's own kind of extended header: the name of the file that follows, and a zero."""
_REGULAR: Final = (b"0", b"\x00")
_KINDS: Final = {
    b"1": "a link", b"2": "a symbolic link", b"3": "a device", b"4": "a device", b"5": "a folder", b"6": "a pipe",
}
_UNHEEDED: Final = frozenset({"mtime", "atime", "ctime"})
"""What an extended header may say besides the name: it has no meaning here."""


def load_tar(path: Path, *, max_members: int) -> TarShelf:
    """Return the members of the tar file at `path`. Their bytes are not looked at.

    Raises:
        OSError: it cannot be read, or is not as an archive must be.
    """
    members: dict[str, tuple[int, int]] = {}
    with opened_file(path) as file:
        length = os.fstat(file.fileno()).st_size
        extended: str | None = None
        while any(header := _read(file, _BLOCK)):
            kind, said, size = _parse_header(header)
            begin = file.tell()
            if begin + size > length:
                raise _refused("it ends in the middle of a file")
            if kind in {_EXTENDED, _LONG_NAME}:
                if extended is not None:
                    raise _refused("it has two extended headers in a row")
                body = _read(file, size) if size <= _MAX_EXTENDED else b""
                extended = _parse_extended(body) if kind == _EXTENDED else _text(body)
            else:
                said, extended = extended or said, None
                if said in members:
                    raise _refused("it has two files of the same name")
                if len(members) >= max_members:
                    raise _refused(f"it has more than {max_members} files")
                members[said] = begin, size
                file.seek(begin + size)
            if any(_read(file, -size % _BLOCK)):
                raise _refused("it has bytes between two files")
        if extended is not None:
            raise _refused("it ends after an extended header")
        _check_end(file, length)
    return TarShelf(path, members)


def write_tar(folder: Path, places: Iterable[tuple[str, ...]], target: Path, *, at: datetime) -> None:
    """Write the files at `places` of `folder` into the new file `target`, which has the same bytes each time."""
    with (
        opened_folder(folder) as opened,
        target.open("xb") as file,
        tarfile.open(fileobj=file, mode="w", format=tarfile.PAX_FORMAT) as tar,
    ):
        for place in places:
            with opened_document(opened, place) as reader:
                member = tarfile.TarInfo("/".join(place))
                member.size = os.fstat(reader.fileno()).st_size
                member.mtime = int(at.timestamp())
                tar.addfile(member, reader)
        tar.close()
        file.flush()
        os.fsync(file.fileno())


def _parse_header(header: bytes) -> tuple[bytes, str, int]:
    """Return the kind of what follows, its name and its size."""
    if header[257:265] not in _MAGIC:
        raise _refused("it is no tar file")
    if _number(header[148:156]) != sum(header) - sum(header[148:156]) + 8 * ord(" "):
        raise _refused("a header of it is damaged")
    kind = header[156:157]
    if kind not in {_EXTENDED, _LONG_NAME, *_REGULAR}:
        raise _refused(f"it holds {_KINDS.get(kind, 'something')} that is no regular file")
    if any(header[157:257]):
        raise _refused("it holds a link")
    prefix = _text(header[345:500]) if header[257:265] == _MAGIC[0] else ""
    name = _text(header[:100])
    return kind, f"{prefix}/{name}" if prefix else name, _number(header[124:136])


def _parse_extended(body: bytes) -> str:
    """Return the name that an extended header gives to the file that follows; empty if it says times alone."""
    if not body:
        raise _refused("an extended header of it is empty or too long")
    name = ""
    while body:
        digits, space, _ = body[:6].partition(b" ")
        length = int(digits) if space and digits.isdigit() else 0
        record, body = body[len(digits) + 1 : length], body[length:]
        key, equals, value = record.removesuffix(b"\n").partition(b"=")
        if not equals or not record.endswith(b"\n") or len(digits) + 1 + len(record) != length:
            raise _refused("an extended header of it is damaged")
        if key == b"path" and not name:
            name = _text(value)
        elif key.decode("ascii", "replace") not in _UNHEEDED:
            raise _refused("an extended header of it says more than a name and times")
    return name


def _text(field: bytes) -> str:
    """Return a name: ASCII, with nothing but zeros behind it."""
    text, _, rest = field.partition(b"\x00")
    if any(rest) or not text.isascii():
        raise _refused("it has a name that no file of an archive has")
    return text.decode("ascii")


def _number(field: bytes) -> int:
    digits = field.strip(b" \x00")
    if not _OCTAL.fullmatch(digits):
        raise _refused("a header of it is damaged")
    return int(digits, 8)


def _read(file: BinaryIO, count: int) -> bytes:
    """Return exactly `count` bytes."""
    found = b""
    while len(found) < count:
        chunk = file.read(count - len(found))
        if not chunk:
            raise _refused("it ends too early")
        found += chunk
    return found


def _check_end(file: BinaryIO, length: int) -> None:
    """Refuse anything but zeros from here on; one block of them has been read."""
    left = length - file.tell()
    if not _BLOCK <= left <= _MAX_END:
        raise _refused("it ends too early or too late")
    if any(_read(file, left)):
        raise _refused("it has bytes after its end")


def _refused(why: str) -> OSError:
    return OSError(errno.EINVAL, why)
