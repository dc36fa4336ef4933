"""What ends when in the trust data of one name, from documents that were verified.

Spec: docs/doctor.md, "What ends".
"""

from imgsig.errors import RejectedError
from imgsig.limits import Limits
from imgsig.notary.metadata import Targets, parse_snapshot, parse_targets
from imgsig.notary.pinning import acceptable_root_keys
from imgsig.notary.roots import RootRules, verify_root
from imgsig.notary.settings import Notary
from imgsig.outlook import Ending, Outlook
from imgsig.trust import Trust

_NO_TARGETS = frozenset({"root", "snapshot", "timestamp"})


def outlook_of(trust: Trust, settings: Notary, rules: RootRules) -> Outlook:
    """Return what `trust`, which was verified for a rule with these `settings`, will come to.

    The snapshot counts among what a person must sign, for some publishers keep its key; the timestamp does not.

    Raises:
        RejectedError: the root cannot be used at the time of `rules` any more.
    """
    root = verify_root(trust.root, rules, previous=None, min_version=1)
    keys = acceptable_root_keys(root.root, rules.name, rules.at, rules.limits)
    # The root serves as long as its threshold can be reached by signers whose certificates are valid.
    ends = sorted((key.not_after for key in keys if key.key.canonical_id in root.key_ids), reverse=True)
    threshold = root.root.roles["root"].threshold
    endings = [Ending("metadata", "root", root.root.expires), Ending("certificate", "root", ends[threshold - 1])]
    targets = _targets_of(trust, rules.limits)
    if "snapshot" in trust.documents:
        snapshot = parse_snapshot(trust.documents["snapshot"], rules.limits)
        endings.append(Ending("metadata", "snapshot", snapshot.expires))
    endings += [Ending("metadata", document.role, document.expires) for document in targets]
    delegated = {role.name for document in targets for role in document.delegations}
    return Outlook(
        root.root.version,
        min(key.leaf.not_before for key in keys),
        tuple(endings),
        tuple(signer for signer in settings.signers if targets and f"targets/{signer}" not in delegated),
    )


def _targets_of(trust: Trust, limits: Limits) -> list[Targets]:
    found = []
    for role, body in sorted(trust.documents.items()):
        if role not in _NO_TARGETS:
            try:
                found.append(parse_targets(body, role, limits))
            except RejectedError:
                continue  # a cache: what is in it was good once, by bounds that may have changed
    return found
