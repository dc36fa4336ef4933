"""Many references, in and out in the same order, with a window so that memory is bounded for millions of them."""

import pickle
import threading
from collections import deque
from collections.abc import Callable, Hashable, Iterable, Iterator
from concurrent.futures import Executor, Future
from functools import lru_cache, partial
from itertools import islice
from typing import Any, Final, Generic, TypeVar

_In = TypeVar("_In")
_Out = TypeVar("_Out")

_WINDOW_PER_WORKER: Final = 4
"""Items under way for each worker: enough that none waits for the iterator's consumer, few enough to be little."""
_CHUNK: Final = 32
"""References sent to another process at once: what is sent with them weighs more than one verification."""


def map_in_order(
    pool: Executor, work: Callable[[_In], _Out], items: Iterable[_In], *, workers: int
) -> Iterator[_Out]:
    """Yield what `work` makes of each of `items` in their order, done by `pool`, a window of them at a time.

    `items` is read only as far as the window reaches. Closing the iterator cancels what has not begun.
    """
    window = workers * _WINDOW_PER_WORKER
    under_way: deque[Future[_Out]] = deque()
    try:
        for item in items:
            under_way.append(pool.submit(work, item))
            if len(under_way) >= window:
                yield under_way.popleft().result()
        while under_way:
            yield under_way.popleft().result()
    finally:
        for future in under_way:
            future.cancel()


def map_in_groups(
    pool: Executor, work: Callable[[_In], _Out], items: Iterable[_In], *, workers: int, key: Callable[[_In], Hashable]
) -> Iterator[_Out]:
    """Yield what `map_in_order` does; items of one `key` that wait together are done by one worker, one by one.

    So they find what the first of them has learnt, and threads get less in each other's way.
    """
    waiting: dict[Hashable, _Group[_In, _Out]] = {}
    lock = threading.Lock()

    def work_off(name: Hashable) -> list[_Out]:
        with lock:
            group = waiting.pop(name)
        return [work(item) for item in group.items]

    window = workers * _WINDOW_PER_WORKER
    under_way: deque[tuple[_Group[_In, _Out], int]] = deque()
    try:
        for item in items:
            name = key(item)
            with lock:
                group = waiting.setdefault(name, _Group())
                place = len(group.items)
                group.items.append(item)
            if not place:
                group.future = pool.submit(work_off, name)
            under_way.append((group, place))
            if len(under_way) >= window:
                yield _next(under_way)
        while under_way:
            yield _next(under_way)
    finally:
        for group, _ in under_way:
            group.future.cancel()


class _Group(Generic[_In, _Out]):
    """Items that one worker does, and what becomes of them."""

    __slots__ = ("future", "items")
    future: Future[list[_Out]]

    def __init__(self) -> None:
        self.items: list[_In] = []


def _next(under_way: "deque[tuple[_Group[_In, _Out], int]]") -> _Out:
    group, place = under_way.popleft()
    return group.future.result()[place]


def map_elsewhere(
    pool: Executor, pickled: bytes, work: Callable[[Any, _In], _Out], items: Iterable[_In], *, workers: int
) -> Iterator[_Out]:
    """Yield what `work` makes of the object in `pickled` and each of `items`, in their order.

    Done by the workers of `pool`, which may be other processes: each unpickles the object once.
    """
    for results in map_in_order(pool, partial(_all_of, pickled, work), _chunks(items), workers=workers):
        yield from results


def _all_of(pickled: bytes, work: Callable[[Any, _In], _Out], items: tuple[_In, ...]) -> list[_Out]:
    one = _unpickled(pickled)
    return [work(one, item) for item in items]


def _chunks(items: Iterable[_In]) -> Iterator[tuple[_In, ...]]:
    iterator = iter(items)
    while chunk := tuple(islice(iterator, _CHUNK)):
        yield chunk


@lru_cache(maxsize=8)
def _unpickled(pickled: bytes) -> object:
    """Return the object in `pickled`, which this program made: one for all tasks of a worker process."""
    return pickle.loads(pickled)  # noqa: S301 - the pickle comes from the caller's own executor
