"""Which delegated roles may speak of a target.

Spec: TUF specification 1.0, section 4.5, "File formats: targets.json and delegated target roles", and TAP 15.
"""

from collections.abc import Iterator
from fnmatch import fnmatchcase
from hashlib import sha256

from imgsig.tuf.model import DelegatedRole, Delegations, Role


def roles_for(delegations: Delegations | None, target: str) -> Iterator[tuple[str, bool]]:
    """Yield the name of each role that the path `target` is delegated to, in order, and whether it is terminating."""
    if delegations is None:
        return
    for role in (delegations.roles or {}).values():
        if covers(role, target):
            yield role.name, role.terminating
    if delegations.succinct_roles is not None:
        yield delegations.succinct_roles.get_role_for_target(target), True


def role_named(delegations: Delegations | None, name: str) -> Role | None:
    """Return the keys and threshold of the delegated role `name`; None if it is not delegated."""
    if delegations is None:
        return None
    succinct = delegations.succinct_roles
    if succinct is not None and succinct.is_delegated_role(name):
        return succinct
    return (delegations.roles or {}).get(name)


def covers(role: DelegatedRole, target: str) -> bool:
    """Return whether the path `target` is one of those that are delegated to `role`."""
    if role.path_hash_prefixes is not None:
        hashed = sha256(target.encode()).hexdigest()
        return any(hashed.startswith(prefix) for prefix in role.path_hash_prefixes)
    return any(_matches(target, pattern) for pattern in role.paths or ())


def _matches(target: str, pattern: str) -> bool:
    """Return whether `target` matches: wildcards stay within their segment, and case counts on every system."""
    segments, patterns = target.split("/"), pattern.split("/")
    return len(segments) == len(patterns) and all(map(fnmatchcase, segments, patterns))
