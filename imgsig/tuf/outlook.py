"""What ends when in a TUF repository, from documents that were verified.

Spec: docs/doctor.md, "What ends".
"""

from imgsig.errors import RejectedError
from imgsig.limits import Limits
from imgsig.outlook import Ending, Outlook
from imgsig.trust import Trust
from imgsig.tuf.metadata import parse_root, parse_targets

_RENEWED_BY_SERVERS = frozenset({"root", "snapshot", "timestamp"})


def outlook_of(trust: Trust, limits: Limits) -> Outlook:
    """Return what `trust` will come to: its root, and those targets that were needed to verify it.

    Whether required signers are delegated to is not told: only the roles on the way to a target are loaded.

    Raises:
        RejectedError: the root is of a format that the limits do not allow any more.
    """
    root = parse_root(trust.root, limits).model
    endings = [Ending("metadata", "root", root.expires)]
    for role, body in sorted(trust.documents.items()):
        if role not in _RENEWED_BY_SERVERS:
            try:
                endings.append(Ending("metadata", role, parse_targets(body, role, limits).model.expires))
            except RejectedError:
                continue  # a cache: what is in it was good once, by bounds that may have changed
    return Outlook(root.version, None, tuple(endings), ())
