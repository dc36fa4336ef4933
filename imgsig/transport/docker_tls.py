"""Docker's ``tls/`` folder: the certificates that a user has put there for each trust server.

Spec: docker/cli, cli/registry/registry.go:loadTLSConfig and trust.go:certificateDirectory.
"""

from collections.abc import Iterable
from pathlib import Path

from imgsig.errors import UsageError
from imgsig.transport.servers import Server


def load_docker_servers(folder: Path, urls: Iterable[str]) -> tuple[Server, ...]:
    """Return the servers that have a folder ``HOST[:PORT]`` of their own in `folder`, those at `urls` among them.

    Such a folder is named as the server's URL spells host and port. Its ``*.crt`` files are believed besides the
    operating system's; ``X.cert`` and ``X.key`` are a client certificate and its key. Where one of the two is
    missing it is named all the same, so that the server cannot be opened. Of several pairs the first by name
    counts. Other files are passed over.

    Not checked here: what the files hold.

    Raises:
        UsageError: a folder is there but cannot be read.
    """
    names = _names(folder)
    spelled = [url for url in urls if _host(url) in names and url.startswith("https://")]
    servers: dict[str, Server] = {}
    for url in (*spelled, *(f"https://{name}" for name in names)):
        try:
            plain = Server(url)
        except UsageError:
            continue  # a folder whose name is no host belongs to no server
        if plain.url not in servers:
            servers[plain.url] = _server(url, folder / _host(url))
    return tuple(server for server in servers.values() if server.ca_files or server.client_pair)


def _server(url: str, folder: Path) -> Server:
    names = _names(folder)
    pairs = {Path(name).stem for name in names if Path(name).suffix in {".cert", ".key"}}
    broken = [stem for stem in pairs if not {f"{stem}.cert", f"{stem}.key"} <= set(names)]
    chosen = min(broken or pairs, default=None)
    return Server(
        url,
        extra_ca_files=tuple(folder / name for name in names if name.endswith(".crt")),
        client_certificate=None if chosen is None else (folder / f"{chosen}.cert", folder / f"{chosen}.key"),
    )


def _names(folder: Path) -> tuple[str, ...]:
    try:
        return tuple(sorted(entry.name for entry in folder.iterdir()))
    except (FileNotFoundError, NotADirectoryError):
        return ()
    except OSError as error:
        msg = f"{str(folder)!a} cannot be read: {(error.strerror or 'input/output error').lower()}"
        raise UsageError(msg, hint="mend its permissions, or remove it") from error


def _host(url: str) -> str:
    return url.partition("://")[2].partition("/")[0]
