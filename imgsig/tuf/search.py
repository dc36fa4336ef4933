"""Looking for a target in the tree of delegations.

Spec: TUF specification 1.0, section 5.6.7, "Pre-order depth-first search".
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final, TypeAlias, final

from imgsig.codes import Code
from imgsig.errors import RejectedError
from imgsig.tuf.delegations import roles_for
from imgsig.tuf.metadata import Document
from imgsig.tuf.model import TargetFile, Targets

Load: TypeAlias = Callable[[str, str], Document[Targets]]
"""Takes a role and who delegates to it; returns the role's verified document."""

_TARGETS: Final = "targets"
_ROOT: Final = "root"


@final
@dataclass(frozen=True, slots=True)
class Found:
    """What a role says of a target."""

    target: TargetFile
    chain: tuple[str, ...]
    """The role, after those that delegate to it, from ``targets`` on."""

    @property
    def role(self) -> str:
        """The role that says so."""
        return self.chain[-1]


@final
class Search:
    """Searches for targets; documents are loaded when they are needed, each once for each role that delegates to it."""

    def __init__(self, load: Load, *, max_delegations: int) -> None:
        """Search what `load` returns, at most `max_delegations` delegated roles for each question."""
        self._load = load
        self._max_delegations = max_delegations

    def find(self, path: str) -> Found | None:
        """Return what the first role that lists the target at `path` says of it, or None if no role does.

        Raises:
            RejectedError: a role on the way does not verify, or there are too many (``limit_exceeded``).
            InconclusiveError: a document could not be had.
        """
        delegators: dict[str, str] = {}
        waiting = [(_TARGETS, _ROOT)]
        while waiting:
            role, delegator = waiting.pop()
            # 5.6.7.1. Skip a role that was visited before, so that cycles end; and stop after so many.
            if role in delegators:
                continue
            document = self._visit(role, delegator, delegators, path)
            target = document.target(path)
            if target is not None:
                return Found(target, _chain(role, delegators))
            # 5.6.7.2. Those delegated to come next, in order; after a terminating one there is no way back.
            children: list[tuple[str, str]] = []
            for name, terminating in roles_for(document.model.delegations, path):
                children.append((name, role))
                if terminating:
                    waiting.clear()
                    break
            waiting += reversed(children)
        return None

    def find_by_roles(self, path: str, names: tuple[str, ...]) -> Mapping[str, Found | None]:
        """Return what each of the roles `names` that `path` is delegated to says of the target there, if anything.

        A role that it is not delegated to is left out. Terminating delegations end nothing here: whoever asks for a
        role by name does not look for the first one. Raises as `find` does.
        """
        delegators: dict[str, str] = {}
        answers: dict[str, Found | None] = {}
        waiting = [(_TARGETS, _ROOT)]
        while waiting and len(answers) < len(names):
            # Those asked for come first: nobody else's document is loaded without need.
            next_one = next((index for index, (role, _) in enumerate(waiting) if role in names), 0)
            role, delegator = waiting.pop(next_one)
            if role in delegators:
                continue
            document = self._visit(role, delegator, delegators, path)
            if role in names:
                target = document.target(path)
                answers[role] = None if target is None else Found(target, _chain(role, delegators))
            waiting += [(name, role) for name, _ in roles_for(document.model.delegations, path)]
        return answers

    def _visit(self, role: str, delegator: str, delegators: dict[str, str], path: str) -> Document[Targets]:
        if len(delegators) > self._max_delegations:
            most = f"at most {self._max_delegations} delegated roles"
            msg = f"the search for {path} was given up: {most} are asked"
            raise RejectedError(msg, code=Code.LIMIT_EXCEEDED, subject=_TARGETS, expected=most, found="more")
        document = self._load(role, delegator)
        delegators[role] = delegator
        return document


def _chain(role: str, delegators: Mapping[str, str]) -> tuple[str, ...]:
    chain = [role]
    while (delegator := delegators[chain[-1]]) != _ROOT:
        chain.append(delegator)
    return tuple(reversed(chain))
