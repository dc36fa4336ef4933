"""Ask for every document of a TUF repository that a later verification could ask for, believing none of them.

Spec: docs/tuf.md, "Documents".
"""

from imgsig.codes import Code
from imgsig.errors import RejectedError, VerificationError
from imgsig.limits import Deadline, Limits
from imgsig.sections import RootFile
from imgsig.source import DocumentMissingError, Source
from imgsig.tuf.documents import Documents
from imgsig.tuf.metadata import parse_root, parse_snapshot, parse_timestamp, role_of
from imgsig.tuf.model import Snapshot
from imgsig.tuf.settings import Anchor

_NO_TARGETS = frozenset({"root", "timestamp", "snapshot"})


def capture_documents(source: Source, anchor: Anchor, *, deadline: Deadline, limits: Limits) -> None:
    """Fetch from `source` the roots from the first version on, timestamp, snapshot, and all targets that it lists.

    A repository that has dropped its first roots is taken from the one on that follows the `anchor`. Nothing is
    verified. A document that cannot be understood is not followed further; one that only other documents name may be
    missing.

    Raises:
        VerificationError: the timestamp could not be had, the server failed on the way, or there are more roles or
            roots than the limits allow (``limit_exceeded``).
    """
    documents = Documents(source, deadline=deadline, limits=limits)
    newest = _fetch_roots(documents, anchor, limits)
    timestamp = documents.fetch_timestamp()
    try:
        consistent = bool(parse_root(newest, limits).model.consistent_snapshot)
        meta = parse_timestamp(timestamp, limits).model.snapshot_meta
        snapshot = parse_snapshot(documents.fetch_snapshot(meta, consistent=consistent), limits).model
    except VerificationError as error:
        _allow_absence(error)
        return
    _fetch_targets(documents, snapshot, consistent=consistent, limits=limits)


def _fetch_roots(documents: Documents, anchor: Anchor, limits: Limits) -> bytes:
    """Fetch one root after another, and return the last; the anchor's own if none follows it, else nothing."""
    anchored = anchor.document if isinstance(anchor, RootFile) else b""
    newest, version = documents.fetch_next_root(1), 1
    anchored_version = _version_of(anchored, limits)
    if newest is None:
        newest, version = anchored, anchored_version
    most = limits.max_root_rotations + anchored_version
    while version <= most:
        version += 1
        body = documents.fetch_next_root(version)
        if body is None:
            return newest
        newest = body
    msg = f"more than {limits.max_root_rotations} roots follow the one that is trusted"
    raise RejectedError(msg, code=Code.LIMIT_EXCEEDED, subject="root", found=f"version {version}")


def _version_of(root: bytes, limits: Limits) -> int:
    try:
        return parse_root(root, limits).model.version
    except RejectedError:
        return 1


def _fetch_targets(documents: Documents, snapshot: Snapshot, *, consistent: bool, limits: Limits) -> None:
    roles = {role_of(file): meta for file, meta in snapshot.meta.items() if role_of(file) not in _NO_TARGETS}
    if len(roles) > limits.max_roles:
        msg = f"an archive may hold {limits.max_roles} roles, and the snapshot lists {len(roles)}"
        raise RejectedError(msg, code=Code.LIMIT_EXCEEDED, subject="snapshot", found=str(len(roles)))
    for role, meta in roles.items():
        try:
            documents.fetch_targets(role, meta, consistent=consistent)
        except VerificationError as error:
            _allow_absence(error)


def _allow_absence(error: VerificationError) -> None:
    """Raise `error` unless it says that a document is not there, or not one to be understood."""
    if not isinstance(error, RejectedError | DocumentMissingError) and error.code is not Code.MISSING_METADATA:
        raise error
