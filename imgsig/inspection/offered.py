"""What a repository offers, before there is any trust in it: the keys of its root.

Spec: Notary v1, trustpinning/certs.go:ValidateRoot, without an anchor.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, final

from imgsig.limits import Deadline, Limits
from imgsig.memory import Memory
from imgsig.notary.documents import Documents
from imgsig.notary.pinning import RootKey, acceptable_root_keys, fingerprint
from imgsig.notary.roots import RootRules, check_root_expiry, verify_root
from imgsig.source import Source


@final
@dataclass(frozen=True, slots=True)
class OfferedKey:
    """A key of an offered root, as its certificate presents it. Nothing shows whose it is."""

    key_id: str
    """The id of the bare public key: the same in every certificate of it. What to pin."""
    certificate_id: str
    """The id of the certificate, as ``docker trust inspect`` shows it."""
    subject: str
    """The certificate's subject, as RFC 4514 writes it."""
    not_before: datetime
    not_after: datetime
    sha256: str
    """The fingerprint of the certificate's DER, in hex."""
    signed: bool
    """Whether its signature on the root was verified."""

    def to_dict(self) -> dict[str, Any]:
        """Return the key as JSON values."""
        return {
            "key_id": self.key_id,
            "certificate_id": self.certificate_id,
            "subject": self.subject,
            "not_before": _time(self.not_before),
            "not_after": _time(self.not_after),
            "sha256": self.sha256,
            "signed": self.signed,
        }


@final
@dataclass(frozen=True, slots=True)
class OfferedRoot:
    """The root that a server offers for a name: sound and signed by its own keys, trusted by nobody yet."""

    name: str
    """The signed name."""
    server: str
    """Where it came from."""
    version: int
    expires: datetime
    threshold: int
    """How many of the keys must sign a root."""
    keys: tuple[OfferedKey, ...]
    """The keys whose certificates can be used now; at least one."""

    def to_dict(self) -> dict[str, Any]:
        """Return the root as JSON values."""
        return {
            "name": self.name,
            "server": self.server,
            "version": self.version,
            "expires": _time(self.expires),
            "threshold": self.threshold,
            "keys": [key.to_dict() for key in self.keys],
        }


def fetch_offered_root(source: Source, name: str, *, at: datetime, deadline: Deadline, limits: Limits) -> OfferedRoot:
    """Return the root that `source` offers for the signed `name`.

    Its format, its certificates, its expiry and the signatures of its own keys are checked, by the rules that hold
    for every root. Not checked: why anybody should trust it, and whether the documents below it are good.

    Raises:
        RejectedError: there is none (``not_signed``), or it breaks a rule.
        InconclusiveError: it could not be had.
    """
    memory = Memory()
    body = Documents(source, deadline=deadline, limits=limits, memory=memory, known=False).fetch_root()
    rules = RootRules(name, at, limits, memory)
    trusted = verify_root(body, rules, previous=None, min_version=1)
    check_root_expiry(trusted, at)
    keys = acceptable_root_keys(trusted.root, name, at, limits)
    return OfferedRoot(
        name,
        source.evidence.location,
        trusted.root.version,
        trusted.root.expires,
        trusted.root.roles["root"].threshold,
        tuple(offered_key(key, trusted.key_ids) for key in keys),
    )


def offered_key(root_key: RootKey, signers: tuple[str, ...]) -> OfferedKey:
    """Return a key of a root that the keys with the canonical ids `signers` have signed."""
    leaf = root_key.leaf
    return OfferedKey(
        root_key.key.canonical_id,
        root_key.key.key_id,
        leaf.x509.subject.rfc4514_string(),
        leaf.not_before,
        root_key.not_after,
        fingerprint(leaf),
        root_key.key.canonical_id in signers,
    )


def _time(moment: datetime) -> str:
    return moment.isoformat().replace("+00:00", "Z")
