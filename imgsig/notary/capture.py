"""Ask for every document of a name that a later verification could ask for, believing none of them.

Spec: docs/notary-v1.md, "Documents and their addresses".
"""

from imgsig.codes import Code
from imgsig.errors import RejectedError, VerificationError
from imgsig.limits import Deadline, Limits
from imgsig.memory import Memory
from imgsig.notary.documents import Documents
from imgsig.notary.metadata import (
    FileInfo,
    Snapshot,
    Targets,
    parse_root,
    parse_snapshot,
    parse_targets,
    parse_timestamp,
)
from imgsig.source import Source


def capture_documents(source: Source, *, deadline: Deadline, limits: Limits) -> None:
    """Fetch from `source` every root version, timestamp, snapshot, targets and delegation that the name has.

    Nothing is verified. A document that cannot be understood is not followed further; one that only other
    documents name may be missing.

    Raises:
        VerificationError: root or timestamp could not be had, or the server failed on the way.
    """
    documents = Documents(source, deadline=deadline, limits=limits, memory=Memory())
    root = documents.fetch_root()
    timestamp = documents.fetch_timestamp()
    try:
        newest = parse_root(root, limits).version
        snapshot_info = parse_timestamp(timestamp, limits).snapshot
    except RejectedError:
        return
    for version in range(max(1, newest - limits.max_root_rotations), newest + 1):
        _fetch_version(documents, version)
    body = _fetch(documents, "snapshot", snapshot_info)
    if body is None:
        return
    try:
        snapshot = parse_snapshot(body, limits)
    except RejectedError:
        return
    _fetch(documents, "root", snapshot.meta["root"])
    _fetch_targets(documents, snapshot, limits)


def _fetch_targets(documents: Documents, snapshot: Snapshot, limits: Limits) -> None:
    waiting = ["targets"]
    seen: set[str] = set()
    while waiting and len(seen) <= limits.max_roles:
        role = waiting.pop()
        info = snapshot.meta.get(role)
        if role in seen or info is None or not info.published:
            continue
        seen.add(role)
        targets = _parsed(_fetch(documents, role, info), role, limits)
        if targets is not None:
            waiting += [delegation.name for delegation in reversed(targets.delegations)]


def _parsed(body: bytes | None, role: str, limits: Limits) -> Targets | None:
    try:
        return None if body is None else parse_targets(body, role, limits)
    except RejectedError:
        return None


def _fetch(documents: Documents, role: str, info: FileInfo) -> bytes | None:
    """Return the document, or None if there is none that fits; an archive keeps what came all the same."""
    try:
        return documents.fetch(role, info)
    except VerificationError as error:
        _allow_absence(error)
        return None


def _fetch_version(documents: Documents, version: int) -> None:
    try:
        documents.fetch_root_version(version)
    except VerificationError as error:
        _allow_absence(error)


def _allow_absence(error: VerificationError) -> None:
    """Raise `error` unless it says that the document is not there, or not the one that was named."""
    if not isinstance(error, RejectedError) and error.code is not Code.MISSING_METADATA:
        raise error
