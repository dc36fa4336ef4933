"""One root document: is it sound, does it succeed the one before, does the anchor trust it?

Spec: docs/notary-v1.md, "Verifying a root"; notary trustpinning/certs.go, ValidateRoot.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final, final

from imgsig.codes import Code
from imgsig.errors import RejectedError
from imgsig.limits import Limits
from imgsig.memory import Memory
from imgsig.notary.keys import PublicKey, verify_signatures
from imgsig.notary.metadata import Root, parse_root
from imgsig.notary.pinning import (
    RootKey,
    acceptable_root_keys,
    anchored_keys,
    keys_by_id,
    previous_root_keys,
)
from imgsig.notary.settings import Anchor
from imgsig.trust import Evidence, rolled_back


@final
@dataclass(frozen=True, slots=True)
class TrustedRoot:
    """A root that passed, with the bytes that were checked."""

    body: bytes
    root: Root
    key_ids: tuple[str, ...]
    """Canonical ids of the keys whose signatures were verified, sorted."""
    certificates_until: datetime
    """When the first certificate of the keys that signed expires."""


@final
@dataclass(frozen=True, slots=True)
class RootRules:
    """For whom and when a root must be good, and what is known already of how to tell."""

    name: str
    at: datetime
    limits: Limits
    memory: Memory

    def parse(self, body: bytes) -> Root:
        """Return the root in `body`, as `parse_root` does."""
        return self.memory.recall((parse_root, body), WEIGHT * len(body), lambda: parse_root(body, self.limits))

    def verify_signatures(
        self, body: bytes, root: Root, keys: Mapping[str, PublicKey], threshold: int
    ) -> tuple[str, ...]:
        """Return who of `keys` has signed `root`, which is `body`, as `keys.verify_signatures` does."""
        key = (verify_signatures, self.name, "root", body, frozenset(keys), threshold)
        return self.memory.recall(key, len(body), lambda: verify_signatures(root.envelope, "root", keys, threshold))


WEIGHT: Final = 8
"""How many bytes of values a byte of metadata becomes, roughly."""


def verify_root(body: bytes, rules: RootRules, *, previous: TrustedRoot | None, min_version: int) -> TrustedRoot:
    """Return the root in `body`, trusted as far as its own keys and those of `previous` go.

    Not checked: its expiry (see `check_root_expiry`) and, without a `previous`, why it should be trusted at all
    (see `verify_anchor`).

    Raises:
        RejectedError: it is ``malformed``, has no usable certificate (``root_certificate``), is not signed by the
            keys of `previous` (``root_rotation``) or by its own (``threshold``, ``signature``), or is older than
            `min_version` (``rollback``).
    """
    # 1. Format and structure.
    root = rules.parse(body)
    # 2. Certificates made for this name and valid now, also for a root that another one has followed since.
    keys = acceptable_root_keys(root, rules.name, rules.at, rules.limits)
    # 3. The threshold of the previous root's keys.
    if previous is not None:
        _verify_succession(body, root, previous.root, rules)
    # 4. The anchor is looked at in `verify_anchor`.
    # 5. The threshold of its own keys.
    signers = rules.verify_signatures(body, root, keys_by_id(keys), root.roles["root"].threshold)
    # 6. Not older than the one before.
    if root.version < min_version:
        raise rolled_back("root", trusted=min_version, offered=root.version)
    until = min(key.not_after for key in keys if key.key.canonical_id in signers)
    return TrustedRoot(body, root, signers, until)


def verify_anchor(offered: TrustedRoot, anchor: Anchor, rules: RootRules) -> Evidence:
    """Return why `anchor` trusts the root `offered`: signatures by anchored keys reach its threshold.

    Raises:
        RejectedError: they do not (``anchor_mismatch``); what is offered is in ``found``.
    """
    keys = acceptable_root_keys(offered.root, rules.name, rules.at, rules.limits)
    anchored = anchored_keys(anchor, keys, rules.at, rules.limits)
    threshold = offered.root.roles["root"].threshold
    try:
        signers = rules.verify_signatures(offered.body, offered.root, keys_by_id(anchored), threshold)
    except RejectedError as error:
        msg = f"the offered root is not signed by {threshold} of the keys that the rule's {anchor.kind} trusts"
        raise RejectedError(
            msg, code=Code.ANCHOR_MISMATCH, subject="root", expected=anchor.kind, found=offered_keys(keys)
        ) from error
    pins = {pin for key, pin in anchored.items() if key.key.canonical_id in signers}
    return Evidence(anchor.kind, tuple(sorted(pins - {""})))


def check_root_expiry(root: TrustedRoot, at: datetime) -> None:
    """Check that `root`'s metadata has not expired at `at`.

    Raises:
        RejectedError: it has (``expired``).
    """
    check_unexpired("root", root.root.expires, at)


def check_unexpired(role: str, expires: datetime, at: datetime) -> None:
    """Check that a role that `expires` then is still good at `at`; the very moment is.

    Raises:
        RejectedError: it is not (``expired``).
    """
    if expires < at:
        msg = f"{role} has expired on {expires:%Y-%m-%d %H:%M:%SZ}"
        raise RejectedError(
            msg,
            code=Code.EXPIRED,
            subject=role,
            expected=f"an expiry after {at.isoformat()}",
            found=expires.isoformat(),
        )


def offered_keys(keys: tuple[RootKey, ...]) -> str:
    """Return the ids of the root's keys as a person may pin them."""
    return ", ".join(f"key {key.key.canonical_id} (certificate {key.key.key_id})" for key in keys)


def _verify_succession(body: bytes, root: Root, previous: Root, rules: RootRules) -> None:
    keys = keys_by_id(previous_root_keys(previous, rules.name, rules.limits))
    try:
        rules.verify_signatures(body, root, keys, previous.roles["root"].threshold)
    except RejectedError as error:
        msg = f"root version {root.version} is not signed by the keys of version {previous.version}"
        raise RejectedError(
            msg,
            code=Code.ROOT_ROTATION,
            subject="root",
            expected=f"{previous.roles['root'].threshold} keys of root version {previous.version}",
            found=str(error),
        ) from error
