"""Who else could change a file or folder, or put another in its place. It is looked at, never changed."""

import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Final

_OTHERS_MAY_WRITE: Final = stat.S_IWGRP | stat.S_IWOTH
_ROOT: Final = 0


def faults_of_place(path: Path) -> tuple[str, ...]:
    """Return why others than the user and root could decide what stands at `path`; empty if they cannot.

    Looked at are `path`, if it is there, what it is a symbolic link to, and every folder above these. A group that
    has no other member than the user may write.

    Not checked: access-control lists, and who else may become root.
    """
    faults: dict[str, None] = {}
    for place in _chain(path):
        try:
            status = place.stat()
        except FileNotFoundError:
            continue
        except OSError as error:
            faults[f"{place} cannot be looked at: {(error.strerror or 'input/output error').lower()}"] = None
            continue
        faults.update(dict.fromkeys(f"{place} {fault}" for fault in _faults_of(status)))
    return tuple(faults)


def is_writable(folder: Path) -> bool:
    """Return whether the user may write to `folder`, or make it if it is not there yet."""
    try:
        while not folder.exists() and folder != folder.parent:
            folder = folder.parent
    except OSError:  # a folder above it may not even be looked into
        return False
    return folder.is_dir() and os.access(folder, os.W_OK | os.X_OK)


def _chain(path: Path) -> Iterator[Path]:
    """Yield every place that decides what `path` is: the folders above it as it is written, and as links lead."""
    yield from reversed((path, *path.parents))
    resolved = path.resolve()
    if resolved != path:
        yield from reversed((resolved, *resolved.parents))


def _faults_of(status: os.stat_result) -> Iterator[str]:
    if status.st_uid not in {_ROOT, os.getuid()}:
        yield f"belongs to {_name_of(status.st_uid)}"
    others = status.st_mode & _OTHERS_MAY_WRITE
    if stat.S_ISDIR(status.st_mode) and status.st_mode & stat.S_ISVTX:
        return  # as in /tmp: nobody may rename or remove what belongs to another
    if others & stat.S_IWGRP and not _is_private(status.st_gid):
        yield "may be written to by its group"
    if others & stat.S_IWOTH:
        yield "may be written to by everybody"


def _name_of(user: int) -> str:
    import pwd  # noqa: PLC0415 - POSIX only

    try:
        return f"the user {pwd.getpwuid(user).pw_name}"
    except KeyError:
        return f"user {user}"


def _is_private(group: int) -> bool:
    """Return whether a group is the user's own, as most systems give each user one: of their name, without others."""
    import grp  # noqa: PLC0415 - POSIX only
    import pwd  # noqa: PLC0415 - POSIX only

    try:
        user, entry = pwd.getpwuid(os.getuid()), grp.getgrgid(group)
    except KeyError:
        return False
    return group == user.pw_gid and entry.gr_name == user.pw_name and set(entry.gr_mem) <= {user.pw_name}
