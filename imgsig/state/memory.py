"""State that ends with the process."""

import os
import threading
from collections.abc import Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import NoReturn, TypeVar, final

from imgsig.codes import Code
from imgsig.errors import InconclusiveError, UsageError
from imgsig.limits import Deadline
from imgsig.strictjson import quote
from imgsig.trust import Stored, Trust

_Value = TypeVar("_Value")
_NOTHING = Stored("", None)


@final
class MemoryState:
    """Trust that is forgotten with the process, so a rule may not begin with first use on it.

    Threads may share it. A forked child starts with what its parent had; from then on each has its own.
    """

    __slots__ = ("_entries", "_locks")

    def __init__(self) -> None:
        """Start with nothing."""
        self._entries: dict[tuple[str, str], Stored] = {}
        self._locks: dict[int, threading.Lock] = {}

    @property
    def remembers(self) -> bool:
        """False: it ends with the process."""
        return False

    def load(self, system: str, name: str, *, deadline: Deadline) -> Stored:  # noqa: ARG002 - nothing to wait for
        """Return what is stored; ``Stored("", None)`` if nothing is."""
        return self._entries.get((system, name), _NOTHING)

    def generation(self, system: str, name: str) -> str:
        """Return the present generation only; empty if nothing is stored."""
        return self._entries.get((system, name), _NOTHING).generation

    def commit(
        self,
        system: str,
        name: str,
        trust: Trust,
        *,
        expected: str,
        deadline: Deadline,  # noqa: ARG002 - nothing to wait for
    ) -> Stored:
        """Store `trust` if the generation is still `expected`, and return it with its new generation.

        Raises:
            InconclusiveError: the generation has changed (``state_conflict``).
        """
        frozen = replace(trust, floors=_frozen(trust.floors), documents=_frozen(trust.documents))
        stored = Stored(os.urandom(16).hex(), frozen)
        with self._lock():
            if self.generation(system, name) != expected:
                msg = f"the stored trust of {quote(name)} was changed meanwhile"
                raise InconclusiveError(msg, code=Code.STATE_CONFLICT, subject=name)
            self._entries[system, name] = stored
        return stored

    def names(self) -> tuple[tuple[str, str], ...]:
        """Return system and name of every entry, sorted."""
        return tuple(sorted(self._entries.copy()))

    def forget(self, system: str, name: str, *, deadline: Deadline) -> bool:  # noqa: ARG002 - nothing to wait for
        """Drop the entry and say whether there was one."""
        return self._entries.pop((system, name), None) is not None

    def _lock(self) -> threading.Lock:
        """Return this process's lock: one that a thread held while it was forked would never open in the child."""
        return self._locks.setdefault(os.getpid(), threading.Lock())

    def __reduce__(self) -> NoReturn:
        """Refuse: a copy in another process would not share what is learnt."""
        msg = "a MemoryState cannot be pickled or copied: give each process its own, or a state folder to share"
        raise UsageError(msg)


def _frozen(mapping: Mapping[str, _Value]) -> Mapping[str, _Value]:
    return MappingProxyType(dict(mapping))
