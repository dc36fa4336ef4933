"""Archives of in-memory repositories, and verifiers that read them."""

import os
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

from imgsig.archive import Archive, Wanted
from imgsig.limits import Limits
from imgsig.notary.settings import Anchor, FirstUse, Notary, RootKeys
from imgsig.policy import Policy, Rule, load_authority
from imgsig.source import Sources
from imgsig.verifier import Verifier
from tests.support.memory_source import LOCATION, MemorySources
from tests.support.repository import NOW, SignedRepository


def pinned(repository: SignedRepository) -> RootKeys:
    """Return an anchor that pins the keys that sign the repository's root."""
    return RootKeys(key.canonical_id for key in repository.signers["root"])


def wanted(name: str, anchor: Anchor | None = None) -> Wanted:
    """Return the wish for a name, verified when it is captured by `anchor` or as if on first use."""
    settings = Notary(anchor=anchor or FirstUse(), server=LOCATION)
    return Wanted(name, settings, load_authority(settings))


def save(
    path: Path,
    *repositories: SignedRepository,
    anchor: Anchor | None = None,
    sources: Sources | None = None,
    now: datetime = NOW,
    limits: Limits | None = None,
) -> Archive:
    """Save `repositories` into `path`."""
    return Archive.save(
        [wanted(repository.name, anchor) for repository in repositories],
        path,
        sources=sources or MemorySources(*repositories),
        clock=lambda: now,
        limits=limits or Limits(),
        timeout_seconds=60,
    )


def verifier(
    archive: Archive, repository: SignedRepository, *, anchor: Anchor | None = None, now: datetime = NOW
) -> Verifier:
    """Return a verifier that trusts the repository's root keys, or `anchor`, and reads from `archive`."""
    rule = Rule([repository.name], notary=Notary(anchor=anchor or pinned(repository)))
    return Verifier(Policy((rule,)), source=archive, clock=lambda: now)


def files_of(archive: Archive) -> list[Path]:
    """Return every file of the archive on disk, ``capture.json`` left out."""
    return sorted(path for path in archive.path.rglob("*") if path.is_file() and path.name != "capture.json")


def bend(path: Path, change: Callable[[bytes], bytes]) -> None:
    """Change the bytes of a file; it keeps its times, so that nothing but the bytes can tell."""
    status = path.stat()
    path.write_bytes(change(path.read_bytes()))
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
