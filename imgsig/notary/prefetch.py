"""Ask for everything that a first contact needs at once, by names that carry no hash, and check it in order later.

One round trip instead of four. Nothing is believed because it came early: a document whose hash is not the one
demanded is asked for again, by its hash.
"""

from concurrent.futures import Future, ThreadPoolExecutor
from typing import Final, final

from imgsig.codes import Code
from imgsig.errors import VerificationError
from imgsig.limits import Deadline
from imgsig.source import Source

_REQUIRED: Final = ("root.json", "timestamp.json")
"""Documents that are asked for by these very names anyway: what goes wrong with them is the answer."""
_HOPED_FOR: Final = ("snapshot.json", "targets.json", "targets/releases.json")
_MAX_BYTES: Final = 1024 * 1024
"""A longer document is given up, and asked for in order."""


@final
class Prefetch:
    """Requests under way. Close it when the answer is there, whether or not they have all ended."""

    def __init__(self, source: Source, deadline: Deadline) -> None:
        """Ask `source` for the documents of a name of which nothing is known, each within `deadline`."""
        paths = (*_REQUIRED, *_HOPED_FOR)
        self._pool = ThreadPoolExecutor(len(paths), thread_name_prefix="imgsig-prefetch")
        self._answers: dict[str, Future[bytes]] = {
            path: self._pool.submit(source.fetch, path, max_bytes=_MAX_BYTES, deadline=deadline) for path in paths
        }

    def take(self, path: str) -> bytes | None:
        """Return the document at `path`, once; None if it must be asked for in order.

        Raises:
            VerificationError: the request failed, and another would be the same request.
        """
        answer = self._answers.pop(path, None)
        if answer is None:
            return None
        try:
            return answer.result()
        except VerificationError as error:
            if path in _REQUIRED and error.code is not Code.LIMIT_EXCEEDED:
                raise
            return None

    def close(self) -> None:
        """Give up what has not begun; requests under way end by their deadline."""
        self._pool.shutdown(wait=False, cancel_futures=True)
