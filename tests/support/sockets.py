"""Show that a piece of code opens no socket: within a block, the interpreter itself refuses to make one."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import final

FORBIDDEN_EVENTS = frozenset({"socket.__new__", "socket.connect", "socket.getaddrinfo", "socket.gethostbyname"})


class SocketForbiddenError(AssertionError):
    """A socket was made, or a name looked up, where neither may happen."""


@final
class _Guard:
    """The hook, which the interpreter never forgets once it has it, and whether it refuses at present."""

    installed = False
    refusing = False

    @classmethod
    def hook(cls, event: str, arguments: tuple[object, ...]) -> None:
        if cls.refusing and event in FORBIDDEN_EVENTS:
            msg = f"{event} {arguments}"
            raise SocketForbiddenError(msg)


@contextmanager
def sockets_forbidden() -> Iterator[None]:
    """Refuse every socket and every look-up of a name in this process, in all its threads, within the block."""
    if not _Guard.installed:
        sys.addaudithook(_Guard.hook)
        _Guard.installed = True
    _Guard.refusing = True
    try:
        yield
    finally:
        _Guard.refusing = False
