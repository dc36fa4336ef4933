"""A loopback HTTP server for TUF repositories and their target files: HTTP/1.0, as the simplest hosts of them are."""

import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Final, Self, final
from urllib.parse import unquote

from tests.support.tuf_repository import TufRepository

METADATA: Final = "/metadata/"
TARGETS: Final = "/targets/"


@final
class TufServer:
    """Serves one repository below ``/metadata/`` and the files in ``targets`` below ``/targets/``, until closed."""

    def __init__(self, repository: TufRepository) -> None:
        """Listen on a free loopback port."""
        self.repository = repository
        self.targets: dict[str, bytes] = {}
        """Target files by path."""
        self.target_requests: list[str] = []
        served = self._served

        class _Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                status, body = served(self.path)
                self.send_response_only(status)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                return

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        self._thread.start()

    @property
    def metadata_url(self) -> str:
        """Where the metadata is."""
        return f"http://127.0.0.1:{self._server.server_address[1]}{METADATA}"

    @property
    def target_url(self) -> str:
        """Where the target files are."""
        return f"http://127.0.0.1:{self._server.server_address[1]}{TARGETS}"

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

    def _served(self, path: str) -> tuple[int, bytes]:
        if path.startswith(METADATA):
            reply = self.repository.served(path.removeprefix(METADATA))
            return reply.status, reply.body
        file = unquote(path.removeprefix(TARGETS))
        self.target_requests.append(file)
        return (200, self.targets[file]) if file in self.targets else (404, b"")
