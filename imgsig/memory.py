"""Results of pure functions over outside bytes, kept while they fit: bounded, and shared by threads."""

import os
import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterator
from contextlib import contextmanager
from typing import Final, TypeVar, cast, final

from imgsig.limits import Deadline

_T = TypeVar("_T")

DEFAULT_MAX_BYTES: Final = 512 * 1024 * 1024
"""What is kept at most: a few repositories of 100,000 tags, or thousands of ordinary ones."""


class _Turn:
    """Whose turn it is, and how many wait for it."""

    __slots__ = ("lock", "waiting")

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.waiting = 0


@final
class Memory:
    """The results last used, until their weights together pass a bound. Nothing in it is believed without a key.

    A key holds everything that its result depends on, documents byte for byte, so that no answer for one name, role
    or set of keys can serve another. Time is never part of a result.
    """

    __slots__ = ("_held_bytes", "_lock", "_max_bytes", "_process", "_results", "_turns")

    def __init__(self, max_bytes: int = DEFAULT_MAX_BYTES) -> None:
        """Keep results of at most `max_bytes` together."""
        self._max_bytes = max_bytes
        self._start()

    def _start(self) -> None:
        self._process = os.getpid()
        self._held_bytes = 0
        self._results: OrderedDict[Hashable, tuple[object, int]] = OrderedDict()
        self._turns: dict[Hashable, _Turn] = {}
        self._lock = threading.Lock()

    def recall(self, key: Hashable, weight_bytes: int, make: Callable[[], _T]) -> _T:
        """Return the result kept under `key`, or what `make` returns, which is kept then. What it raises is not."""
        found = self.get(key)
        if found is not None:
            return cast("_T", found)
        made = make()
        self.put(key, weight_bytes, made)
        return made

    def get(self, key: Hashable) -> object | None:
        """Return the result kept under `key`, or None."""
        with self._own_lock():
            found = self._results.get(key)
            if found is None:
                return None
            self._results.move_to_end(key)
            return found[0]

    def put(self, key: Hashable, weight_bytes: int, result: object) -> None:
        """Keep `result` under `key`, and let go of what was used longest ago if that is too much."""
        with self._own_lock():
            self._drop(key)
            self._results[key] = result, weight_bytes
            self._held_bytes += weight_bytes
            while self._held_bytes > self._max_bytes:
                self._drop(next(iter(self._results)))

    @contextmanager
    def turn(self, key: Hashable, deadline: Deadline) -> Iterator[None]:
        """Let one thread at a time do the work that `key` stands for; the others wait, and find its result.

        Raises:
            InconclusiveError: the turn did not come in time (``deadline``).
        """
        with self._own_lock():
            turn = self._turns.setdefault(key, _Turn())
            turn.waiting += 1
        try:
            if not turn.lock.acquire(timeout=deadline.remaining_seconds()):
                raise deadline.exceeded()
            try:
                yield
            finally:
                turn.lock.release()
        finally:
            with self._own_lock():
                turn.waiting -= 1
                if not turn.waiting:
                    self._turns.pop(key, None)

    def drop(self, key: Hashable) -> None:
        """Let go of what is kept under `key`, if anything."""
        with self._own_lock():
            self._drop(key)

    def _own_lock(self) -> threading.Lock:
        """Return the lock. A forked child starts anew: another thread of its parent may have held the old one."""
        if self._process != os.getpid():
            self._start()
        return self._lock

    def _drop(self, key: Hashable) -> None:
        _, weight_bytes = self._results.pop(key, (None, 0))
        self._held_bytes -= weight_bytes
