"""A loopback HTTP server that serves repositories as a notary-server does."""

import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Final, Self, final

from tests.support.repository import METADATA_NOT_FOUND, Reply, SignedRepository

_TRUST: Final = "/_trust/tuf/"
RESET: Final = 0
"""A reply with this status closes the connection without an answer."""


@final
class StaticServer:
    """Serves every repository that was added, under ``/KEY/v2/NAME/_trust/tuf/``, until closed.

    The key makes many repositories of the same name possible at a time: each gets a server URL of its own.
    """

    def __init__(self) -> None:
        """Listen on a free loopback port."""
        self._repositories: dict[str, SignedRepository] = {}
        served = self._served

        class _Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True

            def do_GET(self) -> None:
                reply = served(self.path)
                if reply.status == RESET:
                    self.close_connection = True
                    return
                self.send_response_only(reply.status)
                names = {name.lower() for name, _ in reply.headers}
                for name, value in reply.headers:
                    self.send_header(name, value)
                if not names & {"content-length", "transfer-encoding"}:
                    self.send_header("Content-Length", str(len(reply.body)))
                self.end_headers()
                chunked = "transfer-encoding" in names
                self.wfile.write(b"%x\r\n%b\r\n0\r\n\r\n" % (len(reply.body), reply.body) if chunked else reply.body)
                if reply.cut_short:
                    self.close_connection = True

            def log_message(self, *_: object) -> None:
                return

        self._server = _Quiet(("127.0.0.1", 0), _Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        self._thread.start()

    @property
    def origin(self) -> str:
        """The server's address without a key."""
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def add(self, key: str, repository: SignedRepository) -> str:
        """Serve a repository from now on, and return the server URL to give to a client."""
        self._repositories[key] = repository
        return f"{self.origin}/{key}"

    def remove(self, key: str) -> None:
        """Serve it no longer."""
        del self._repositories[key]

    def close(self) -> None:
        """Stop listening."""
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def __enter__(self) -> Self:
        """Return the server, which is listening."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop listening."""
        self.close()

    def _served(self, target: str) -> Reply:
        key, _, rest = target.removeprefix("/").partition("/")
        repository = self._repositories.get(key)
        if repository is None:
            return Reply(404, b"no such repository")
        if rest in {"v2", "v2/"}:
            return Reply(200, b"{}")
        name, found, path = rest.removeprefix("v2/").partition(_TRUST)
        if not found or name != repository.name:
            return Reply(404, METADATA_NOT_FOUND)
        return repository.served(path)


class _Quiet(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def handle_error(self, request: object, client_address: object) -> None:
        """Say nothing: clients hang up as they please."""
