"""What ``docker trust inspect`` prints of a repository, as values.

Only what imgsig has verified is in it: where imgsig is stricter, it has refused the repository before.

Spec: docker/cli, cmd/docker-trust/trust/inspect.go, common.go and helpers.go; notary client/reader.go,
GetAllTargetMetadataByName and GetDelegationRoles.
"""

from typing import Any, Final

from imgsig.inspection.inventory import VerifiedRepository, natural_order
from imgsig.notary.choice import RELEASES, TARGETS
from imgsig.notary.keys import parse_public_key
from imgsig.notary.metadata import Key

_RELEASED: Final = (TARGETS, RELEASES)
_NOBODY: Final = "Repo Admin"
"""Who signed what no delegation but ``targets/releases`` has."""
_ADMINISTRATORS: Final = (("Root", "root"), ("Repository", TARGETS))
_CERTIFICATES: Final = frozenset({"ecdsa-x509", "rsa-x509"})


def docker_inspect(repository: VerifiedRepository, requested: str, *, tag: str = "") -> list[dict[str, Any]]:
    """Return what the client prints for the argument `requested`: of one `tag`, or of all.

    As there, names outside a delegation's paths are left out only if a tag is given, and a tag with two digests in the
    two roles that releases are taken from has two rows. Rows of one tag, which the client prints in no order, go by
    digest.
    """
    return [
        {
            "Name": requested,
            "SignedTags": _signed_tags(repository, tag),
            "Signers": _signers(repository),
            "AdministrativeKeys": [
                _signer(name, repository.trusted.root.root.roles[role].key_ids) for name, role in _ADMINISTRATORS
            ],
        }
    ]


def _signed_tags(repository: VerifiedRepository, tag: str) -> list[dict[str, Any]]:
    mentions = [(role, name, info.hashes.get("sha256", b"")) for role, name, info in repository.tree.mentions(tag)]
    signers: dict[tuple[str, bytes], list[str]] = {
        (name, sha256): [] for role, name, sha256 in mentions if role in _RELEASED
    }
    for role, name, sha256 in mentions:
        if role not in _RELEASED and (name, sha256) in signers:
            signers[name, sha256].append(_signer_name(role))
    rows = sorted(signers, key=lambda row: (natural_order(row[0]), row[1]))
    return [
        {"SignedTag": name, "Digest": sha256.hex(), "Signers": signers[name, sha256] or [_NOBODY]}
        for name, sha256 in rows
    ]


def _signers(repository: VerifiedRepository) -> list[dict[str, Any]]:
    """Return the delegations with the canonical ids of their keys; none at all if one of these has none."""
    found: dict[str, tuple[str, ...]] = {}
    for targets in repository.tree.loaded():
        for role in targets.delegations:
            key_ids = [_canonical_id(targets.keys[key_id]) for key_id in role.key_ids]
            if not all(key_ids):
                return []
            if role.name != RELEASES:
                found[_signer_name(role.name)] = tuple(key_ids)
    return [_signer(name, found[name]) for name in sorted(found, key=str.encode, reverse=True)]


def _signer(name: str, key_ids: tuple[str, ...]) -> dict[str, Any]:
    keys = {"Keys": [{"ID": key_id} for key_id in key_ids]} if key_ids else {}
    return {"Name": name, **keys}


def _canonical_id(key: Key) -> str:
    """Return the id of the bare key, and of anything but a certificate its own; empty for an unusable certificate.

    Spec: notary tuf/utils/x509.go, CanonicalKeyID.
    """
    parsed = parse_public_key(key)
    if key.keytype not in _CERTIFICATES:
        return parsed.key_id
    return "" if parsed.native is None else parsed.canonical_id


def _signer_name(role: str) -> str:
    return role.removeprefix(f"{TARGETS}/")
