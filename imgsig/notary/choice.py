"""Which digest a tag stands for: docker's own choice among the verified roles, and the signers that must agree.

Spec: docs/notary-v1.md, "Choosing a digest"; notary client/reader.go and tuf/tuf.go, WalkTargets; docker/cli,
command/image/trust.go.
"""

from bisect import bisect_right
from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final, final

from imgsig.codes import Code
from imgsig.errors import RejectedError
from imgsig.notary.metadata import FileInfo, Targets
from imgsig.strictjson import quote

RELEASES: Final = "targets/releases"
TARGETS: Final = "targets"
_WALKS: Final = ((RELEASES, TARGETS), (TARGETS, RELEASES))
"""The roles that docker asks, in order: where a walk starts, and which role it leaves out."""


@final
@dataclass(frozen=True, slots=True)
class Choice:
    """What one tag stands for."""

    tag: str
    digest: str
    length: int
    role: str


@final
class Paths:
    """The paths of a delegation. However many there are, one look tells whether a text begins with any of them."""

    __slots__ = ("_shortest", "listed")

    def __init__(self, listed: Iterable[str]) -> None:
        """Hold the paths as they are `listed`."""
        self.listed = tuple(listed)
        self._shortest: list[str] = []
        """Sorted, without those that begin with another: so none lies between one and a text that begins with it."""
        for path in sorted(self.listed):
            if not (self._shortest and path.startswith(self._shortest[-1])):
                self._shortest.append(path)

    def cover(self, text: str) -> bool:
        """Return whether `text` begins with one of the paths."""
        at = bisect_right(self._shortest, text)
        return at > 0 and text.startswith(self._shortest[at - 1])


_ALL: Final = Paths([""])


@final
class Tree:
    """The verified roles of a repository, with those that had to be passed over."""

    def __init__(self, roles: Mapping[str, Targets], skipped: Mapping[str, RejectedError]) -> None:
        """Hold the verified `roles`, and for each that was `skipped` the reason."""
        self._roles = roles
        self._skipped = skipped
        self._paths: dict[str, Paths] = {}
        self._below: dict[str, tuple[tuple[str, Paths], ...]] = {}
        """For each verified role, what it delegates to and the paths in force for that, in order."""
        self._find_paths()

    @property
    def delegated(self) -> Mapping[str, tuple[str, ...]]:
        """``targets`` and every role delegated below it, nearest to the root first, with the paths in force for it."""
        return MappingProxyType({role: paths.listed for role, paths in self._paths.items()})

    def loaded(self) -> Iterator[Targets]:
        """Iterate over the verified documents, nearest to the root first."""
        return (self._roles[role] for role in self._paths if role in self._roles)

    def released(self) -> tuple[str, ...]:
        """Return every tag that a role lists which docker takes releases from, sorted."""
        return tuple(
            sorted({name for role in (RELEASES, TARGETS) if role in self._roles for name in self._roles[role] if name})
        )

    def mentions(self, tag: str) -> Iterator[tuple[str, str, FileInfo]]:
        """Iterate over what every role says of `tag` within its paths, or of all that it lists if `tag` is empty.

        Yields role, tag and entry, the roles nearest to the root first. Without a tag no paths are looked at.

        Spec: notary client/reader.go, GetAllTargetMetadataByName.
        """
        roles = self._walk(tag, TARGETS, "") if tag else (targets.role for targets in self.loaded())
        for role in roles:
            for name in (tag,) if tag else self._roles[role]:
                info = self._roles[role].target(name)
                if info is not None:
                    yield role, name, info

    def signers_of(self, choice: Choice) -> tuple[str, ...]:
        """Return the roles besides its own that list the tag of `choice` with the same digest, within their paths."""
        found = (role for role, _, info in self.mentions(choice.tag) if f"sha256:{info.sha256.hex()}" == choice.digest)
        return tuple(role for role in found if role != choice.role)

    def choose(self, tag: str) -> Choice:
        """Return what docker's client takes `tag` for.

        Raises:
            RejectedError: neither role lists it (``tag_not_signed``), a role that is asked earlier had to be passed
                over (its code), or the entry has no sha256 (``malformed``).
        """
        for start, left_out in _WALKS:
            for role in self._walk(tag, start, left_out):
                info = self._roles[role].target(tag)
                if info is None:
                    continue
                if role not in {RELEASES, TARGETS}:
                    why = f"it is signed by {quote(role)} only, which docker does not take releases from"
                    raise _not_signed(tag, why)
                return Choice(tag, _digest(info, tag, role), info.length, role)
        raise _not_signed(tag, "no role that docker takes releases from lists it")

    def tags_of(self, digest: str) -> tuple[Choice, ...]:
        """Return the choice of every tag that stands for `digest`; at least one.

        Raises:
            RejectedError: there is none (``digest_not_signed``, or the code of a fault that may have hidden it).
        """
        found: list[Choice] = []
        hidden = next((self._skipped[role] for role in self._skipped if self._is_asked_first(role)), None)
        for name in self.released():
            try:
                choice = self.choose(name)
            except RejectedError as error:
                hidden = hidden or (error if error.code is not Code.TAG_NOT_SIGNED else None)
                continue
            if choice.digest == digest:
                found.append(choice)
        if not found:
            msg = f"no signed tag stands for {digest}"
            raise hidden or RejectedError(msg, code=Code.DIGEST_NOT_SIGNED, subject=digest)
        return tuple(found)

    def check_signer(self, role: str, choice: Choice) -> None:
        """Check that the required signer `role` lists the tag within its paths, with the same digest.

        Raises:
            RejectedError: it does not list it (``signer_missing``) or lists another (``signers_disagree``).
        """
        if role not in self._roles:
            fault = self._skipped.get(role)
            why = str(fault) if fault else "it has published nothing"
            raise _signer_missing(role, choice.tag, why)
        info = self._roles[role].target(choice.tag)
        if info is None:
            raise _signer_missing(role, choice.tag, "it does not list the tag")
        if not self._paths[role].cover(choice.tag):
            raise _signer_missing(role, choice.tag, "the tag is outside the paths delegated to it")
        found = _digest(info, choice.tag, role)
        if found != choice.digest:
            msg = f"{quote(role)} has signed another digest for {quote(choice.tag)}"
            raise RejectedError(msg, code=Code.SIGNERS_DISAGREE, subject=role, expected=choice.digest, found=found)

    def chain(self, role: str) -> tuple[str, ...]:
        """Return `role` after the roles that delegate to it, from ``targets`` on."""
        parts = role.split("/")
        return tuple("/".join(parts[: end + 1]) for end in range(len(parts)))

    def _walk(self, tag: str, start: str, left_out: str) -> Iterator[str]:
        """Yield the roles that may speak for `tag`, nearest to the root first, in the order of the documents."""
        queue = deque([(TARGETS, _ALL)])
        while queue:
            role, paths = queue.popleft()
            asked = (role == start or role.startswith(f"{start}/")) and role != left_out and paths.cover(tag)
            if role not in self._roles:
                # Stricter than notary: it goes on to the next role, whose entry may be older.
                if asked and role in self._skipped and start == RELEASES:
                    raise self._skipped[role]
                continue
            if asked:
                yield role
            if asked or start.startswith(f"{role}/"):
                queue.extend(self._below[role])

    def _find_paths(self) -> None:
        """Find out which paths are in force for each role: those that lie within a path of the role above it.

        A verified role is delegated once; its paths need not be found again for every tag.

        Spec: notary tuf/data/roles.go, RestrictDelegationPathPrefixes: a broader path is dropped, not narrowed.
        """
        queue = deque([(TARGETS, _ALL)])
        while queue:
            role, paths = queue.popleft()
            if role in self._paths:
                continue
            self._paths[role] = paths
            if role in self._roles:
                self._below[role] = tuple(
                    (child.name, Paths(filter(paths.cover, child.paths))) for child in self._roles[role].delegations
                )
                queue.extend(self._below[role])

    def _is_asked_first(self, role: str) -> bool:
        if role != RELEASES and not role.startswith(f"{RELEASES}/"):
            return False
        paths = self._paths.get(role)
        return paths is not None and bool(paths.listed)


def _digest(info: FileInfo, tag: str, role: str) -> str:
    if not info.sha256:
        msg = f"{quote(role)} lists {quote(tag)} without a sha256 of 32 bytes"
        raise RejectedError(msg, code=Code.MALFORMED, subject=role, expected="a sha256 of 32 bytes")
    return f"sha256:{info.sha256.hex()}"


def _not_signed(tag: str, why: str) -> RejectedError:
    return RejectedError(f"tag {quote(tag)} is not signed: {why}", code=Code.TAG_NOT_SIGNED, subject=tag, found=why)


def _signer_missing(role: str, tag: str, why: str) -> RejectedError:
    msg = f"required signer {quote(role)} has not signed {quote(tag)}: {why}"
    return RejectedError(msg, code=Code.SIGNER_MISSING, subject=role, expected=f"an entry for {tag}", found=why)
