"""Bends that many tables share."""

import base64
from collections.abc import Callable
from typing import Any, Final

from tests.support.repository import SignedRepository, envelope
from tests.support.signing import Json, SigningKey, make_key

Bend = Callable[[SignedRepository], object]

FOREIGN: Final = make_key("p256", "foreign")


def family() -> SignedRepository:
    """Return the repository of the reference client's own update tests: five delegations, two without metadata."""
    repository = SignedRepository(publish=False)
    for role in ("targets/a", "targets/a/b", "targets/b", "targets/a/b/c", "targets/b/c"):
        repository.add_delegation(role, tags=("latest", f"in {role}"), metadata=not role.endswith("/c"))
    repository.publish()
    return repository


def released() -> SignedRepository:
    """Return a repository whose tags are in ``targets/releases`` and, with other digests, in ``targets``."""
    repository = SignedRepository(publish=False)
    repository.add_delegation("targets/releases", tags=("latest", "released"))
    repository.publish()
    return repository


def setting(role: str, *path: str | int, to: object) -> Bend:
    """Return a bend that sets a member of a role's ``signed`` part before it is signed."""
    return lambda repository: repository.edit(role, lambda signed: _set(signed, path, to))


def removing(role: str, *path: str | int) -> Bend:
    """Return a bend that removes a member of a role's ``signed`` part before it is signed."""
    return lambda repository: repository.edit(role, lambda signed: _reach(signed, path).pop(path[-1]))


def rewriting(role: str, old: str | bytes, new: str | bytes, *, signed_as: bytes | None = None) -> Bend:
    """Return a bend that replaces text of ``signed`` before it is signed; it must occur."""
    before, after = (part.encode() if isinstance(part, str) else part for part in (old, new))

    def change(text: bytes) -> bytes:
        if before not in text:
            message = f"{before!r} does not occur in {text!r}"
            raise ValueError(message)
        return text.replace(before, after, 1)

    message = None if signed_as is None else lambda _: signed_as
    return lambda repository: repository.rewrite(role, change, message=message)


def altering(role: str, change: Callable[[bytes], bytes]) -> Bend:
    """Return a bend of a role's bytes after signing."""
    return lambda repository: repository.alter(role, change)


def enveloping(role: str, make: Callable[[bytes, list[Json]], bytes]) -> Bend:
    """Return a bend of how the file is made of the text of ``signed`` and the signatures."""
    return lambda repository: repository.serialise(role, make)


def signing(role: str, change: Callable[[list[Json]], Any]) -> Bend:
    """Return a bend of the list of signatures as it is written."""
    return lambda repository: repository.serialise(role, lambda text, signatures: envelope(text, change(signatures)))


def signed_by(role: str, *keys: SigningKey) -> Bend:
    """Return a bend that lets exactly `keys` sign a role, whoever is listed."""
    return lambda repository: repository.sign(role, lambda _, message: [key.sign(message) for key in keys])


def together(*bends: Bend) -> Bend:
    """Return all of `bends`, in order."""
    return lambda repository: [bend(repository) for bend in bends]


def bad_signature(role: str) -> Bend:
    """Return a bend that replaces the signatures' bytes."""
    bad = base64.b64encode(b"invalid signature").decode()
    return lambda repository: repository.sign(role, lambda found, _: [entry | {"sig": bad} for entry in found])


def _set(signed: Json, path: tuple[str | int, ...], to: object) -> None:
    _reach(signed, path)[path[-1]] = to


def _reach(signed: Json, path: tuple[str | int, ...]) -> Any:  # noqa: ANN401 - any JSON value
    found: Any = signed
    for member in path[:-1]:
        found = found[member]
    return found
