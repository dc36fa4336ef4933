"""Ask a server for a document in one line, as an authority would."""

from pathlib import Path
from typing import Any, Final

from imgsig.limits import Deadline
from imgsig.source import Endpoint, Source
from imgsig.transport import HttpSources, Server
from tests.support.hostile import HostileServer

NAME: Final = "registry.test/team/app"
FOLDER: Final = f"/v2/{NAME}/_trust/tuf/"
SCOPE: Final = f"repository:{NAME}:pull"
DOCUMENT: Final = "timestamp.json"
TARGET: Final = FOLDER + DOCUMENT
"""Where a server finds what `fetch` asks for."""
MAX_BYTES: Final = 64 * 1024


def endpoint(url: str, *, name: str = NAME, scope: str = SCOPE) -> Endpoint:
    """Return where Docker Content Trust keeps the documents of `name` on the server at `url`."""
    return Endpoint("notary", name, url, f"/v2/{name}/_trust/tuf/", scope)


def client(server: HostileServer, *, ca: Path | None = None, server_options: Any = None, **options: Any) -> HttpSources:  # noqa: ANN401 - those of HttpSources
    """Return a client that believes `ca` for `server`."""
    settings = Server(server.url, ca_file=ca, **(server_options or {}))
    return HttpSources(servers=[settings], **options)


def fetch(
    sources: HttpSources | Source,
    url: str = "",
    *,
    path: str = DOCUMENT,
    seconds: float = 5,
    max_bytes: int = MAX_BYTES,
) -> bytes:
    """Fetch one document; from the server at `url`, unless a source is given."""
    source = sources.open(endpoint(url)) if isinstance(sources, HttpSources) else sources
    return source.fetch(path, max_bytes=max_bytes, deadline=Deadline(seconds))
