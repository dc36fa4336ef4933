"""A gate in front of a real server: shut, the server cannot be reached, and loses nothing meanwhile."""

import contextlib
import select
import socket
import threading
from types import TracebackType
from typing import Self, final

from tests.support.processes import free_port

CHUNK_BYTES = 65_536


@final
class Gate:
    """Forwards connections to a port on loopback while it is open; shut, it refuses them and drops those it has."""

    def __init__(self, target_port: int) -> None:
        """Prepare a gate to `target_port`; it opens on a port of its own with ``open`` or ``with``."""
        self.port = free_port()
        self._target = ("127.0.0.1", target_port)
        self._listener: socket.socket | None = None
        self._connections: set[socket.socket] = set()
        self._lock = threading.Lock()

    def __enter__(self) -> Self:
        """Open it."""
        self.open()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Shut it for good."""
        self.shut()

    def open(self) -> None:
        """Let connections through."""
        listener = socket.create_server(("127.0.0.1", self.port))
        self._listener = listener
        threading.Thread(target=self._accept, args=(listener,), daemon=True).start()

    def shut(self) -> None:
        """Refuse connections from now on and drop the ones there are."""
        listener, self._listener = self._listener, None
        if listener is None:
            return
        with contextlib.suppress(OSError):
            listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        with self._lock:
            dropped, self._connections = self._connections, set()
        for connection in dropped:
            _end(connection)

    def _accept(self, listener: socket.socket) -> None:
        while True:
            try:
                inner, _ = listener.accept()
                outer = socket.create_connection(self._target)
            except OSError:
                return
            with self._lock:
                if self._listener is not listener:
                    _end(inner)
                    _end(outer)
                    return
                self._connections |= {inner, outer}
            threading.Thread(target=self._forward, args=(inner, outer), daemon=True).start()

    def _forward(self, inner: socket.socket, outer: socket.socket) -> None:
        """Copy both ways until either side ends the connection or the gate drops it."""
        with contextlib.suppress(OSError, ValueError):
            while True:
                readable, _, _ = select.select((inner, outer), (), ())
                for source in readable:
                    chunk = source.recv(CHUNK_BYTES)
                    if not chunk:
                        return self._drop(inner, outer)
                    (outer if source is inner else inner).sendall(chunk)
        return self._drop(inner, outer)

    def _drop(self, *connections: socket.socket) -> None:
        with self._lock:
            self._connections -= set(connections)
        for connection in connections:
            _end(connection)


def _end(connection: socket.socket) -> None:
    with contextlib.suppress(OSError):
        connection.shutdown(socket.SHUT_RDWR)
    connection.close()
