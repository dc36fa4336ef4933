"""A loopback proxy that makes every connection as slow as one across a network: nothing but the round trip is added."""

import asyncio
import threading
from typing import Self, final

_CHUNK = 65_536


@final
class DelayingProxy:
    """Forwards connections to a port, each byte half a round trip late, the first one and a half.

    The first takes longer because a real connection takes a round trip to be made, and one on loopback none.
    """

    def __init__(self, target_port: int, round_trip_seconds: float) -> None:
        """Prepare to forward to `target_port`; it listens with ``with``."""
        self._target_port = target_port
        self._half = round_trip_seconds / 2
        self._loop = asyncio.new_event_loop()
        self._ready = threading.Event()
        self.port = 0
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> Self:
        """Listen on a port of its own."""
        self._thread.start()
        self._ready.wait(10)
        return self

    def __exit__(self, *_: object) -> None:
        """Stop, and drop what is under way."""
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        server = self._loop.run_until_complete(asyncio.start_server(self._serve, "127.0.0.1", 0))
        self.port = server.sockets[0].getsockname()[1]
        self._ready.set()
        self._loop.run_forever()
        for task in asyncio.all_tasks(self._loop):
            task.cancel()
        self._loop.run_until_complete(asyncio.sleep(0))
        self._loop.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        inner_reader, inner_writer = await asyncio.open_connection("127.0.0.1", self._target_port)
        await asyncio.gather(
            self._forward(reader, inner_writer, self._half * 2), self._forward(inner_reader, writer, 0)
        )

    async def _forward(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, more: float) -> None:
        """Pass on what comes, each chunk at its own time, so that later ones do not wait for earlier ones."""
        queue: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue()
        passing = asyncio.ensure_future(self._pass(queue, writer))
        begin = self._loop.time() + more
        try:
            while chunk := await reader.read(_CHUNK):
                await queue.put((max(self._loop.time(), begin) + self._half, chunk))
        except OSError:
            pass  # the other end is gone: what is under way is passed on
        await queue.put((self._loop.time() + self._half, b""))
        await passing

    async def _pass(self, queue: "asyncio.Queue[tuple[float, bytes]]", writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                when, chunk = await queue.get()
                await asyncio.sleep(max(0, when - self._loop.time()))
                if not chunk:
                    break
                writer.write(chunk)
                await writer.drain()
            writer.close()
        except OSError:
            writer.close()
