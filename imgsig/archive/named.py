"""The archives that rules name: loaded when they are needed, and again when they have changed."""

import stat
import threading
from pathlib import Path
from typing import TypeAlias, final

from imgsig.archive.places import CAPTURE
from imgsig.archive.reader import Archive
from imgsig.limits import Limits
from imgsig.sections import FromArchive

_Signature: TypeAlias = tuple[int, int, int] | None


@final
class NamedArchives:
    """Keeps what was loaded while the disk shows no change. For several threads."""

    def __init__(self, limits: Limits) -> None:
        """Load nothing yet."""
        self._limits = limits
        self._loaded: dict[FromArchive, tuple[_Signature, Archive]] = {}
        self._lock = threading.Lock()

    def load(self, named: FromArchive) -> Archive:
        """Return the archive that a rule has `named`.

        Raises:
            RejectedError: it is not the one with the id that the rule demands (``hash_mismatch``).
            InconclusiveError: it cannot be read, or breaks the format (``archive_unreadable``).
        """
        signature = _signature(Path(named.path))
        with self._lock:
            known = self._loaded.get(named)
        if known is not None and signature is not None and known[0] == signature:
            return known[1]
        archive = Archive.load(named.path, named.id, limits=self._limits)
        with self._lock:
            self._loaded[named] = signature, archive
        return archive


def _signature(path: Path) -> _Signature:
    """Return what changes when an archive is replaced; None if there is none that can be looked at."""
    try:
        status = path.stat()
        if stat.S_ISDIR(status.st_mode):
            status = (path / CAPTURE).stat()
    except (OSError, ValueError):
        return None
    return status.st_ino, status.st_size, status.st_mtime_ns
