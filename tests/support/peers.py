"""The real servers on loopback: notary-server, notary-signer, docker-registry; and the notary client beside them."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Self, final

import requests

from tests.support.gate import Gate
from tests.support.key_files import KeyPair, RootAuthority, TLSAuthority
from tests.support.notary_client import RELEASES, Answer, NotaryClient, Publisher
from tests.support.processes import Program, ProgramError, free_port, listens
from tests.support.token_service import TokenService

__all__ = [
    "RELEASES",
    "Answer",
    "DockerRegistry",
    "Gate",
    "KeyPair",
    "NotaryClient",
    "NotaryServer",
    "NotarySigner",
    "ProgramError",
    "Publisher",
    "RootAuthority",
    "TLSAuthority",
    "TokenService",
]

ANSWER_SECONDS = 10


@final
class NotarySigner:
    """A notary-signer that keeps its keys in memory, reached over TLS with certificates on both sides."""

    def __init__(self, folder: Path, tls: TLSAuthority) -> None:
        """Prepare it in `folder`; server and client certificates are of `tls`."""
        self.port = free_port()
        self.tls = tls
        self.client = tls.issue("signer-client")
        pair = tls.issue("signer")
        configuration = {
            "server": {
                "grpc_addr": f"127.0.0.1:{self.port}",
                "tls_cert_file": str(pair.certificate),
                "tls_key_file": str(pair.private_key),
                "client_ca_file": str(tls.ca_file),
            },
            "storage": {"backend": "memory"},
            "logging": {"level": "info"},
        }
        self._program = _configured("notary-signer", folder, configuration)

    def __enter__(self) -> Self:
        """Start it and wait until it takes connections."""
        self._program.start(lambda: listens(self.port))
        return self

    def __exit__(self, *_: object) -> None:
        """Stop it."""
        self._program.stop()

    def trust_service(self, algorithm: str = "ecdsa") -> dict[str, Any]:
        """Return the section of a server's configuration that makes it ask this signer."""
        return {
            "type": "remote",
            "hostname": "127.0.0.1",
            "port": str(self.port),
            "key_algorithm": algorithm,
            "tls_ca_file": str(self.tls.ca_file),
            "tls_client_cert": str(self.client.certificate),
            "tls_client_key": str(self.client.private_key),
        }


@final
class NotaryServer:
    """A notary-server that keeps everything in memory: stopped and started again, it is empty.

    By default it speaks plain http and makes its own keys (ed25519). To make it unreachable without
    losing what it holds, put a ``Gate`` in front of it.
    """

    def __init__(
        self,
        folder: Path,
        *,
        tls: TLSAuthority | None = None,
        signer: NotarySigner | None = None,
        tokens: TokenService | None = None,
    ) -> None:
        """Prepare it in `folder`: over TLS with certificates of `tls`, keys of `signer`, `tokens` demanded."""
        folder.mkdir(parents=True, exist_ok=True)
        self.port = free_port()
        self.tls = tls
        self.tokens = tokens
        server = {"http_addr": f"127.0.0.1:{self.port}"}
        if tls is not None:
            pair = tls.issue(f"notary-server-{self.port}")
            server |= {"tls_cert_file": str(pair.certificate), "tls_key_file": str(pair.private_key)}
        configuration: dict[str, Any] = {
            "server": server,
            "trust_service": {"type": "local"} if signer is None else signer.trust_service(),
            "storage": {"backend": "memory"},
            "logging": {"level": "info"},
        }
        if tokens is not None:
            configuration["auth"] = {"type": "token", "options": tokens.options}
        self._program = _configured("notary-server", folder, configuration)

    @property
    def url(self) -> str:
        """Its address, without a final slash."""
        return self.url_at(self.port)

    @property
    def ca_file(self) -> Path | None:
        """The CA file of its TLS certificate, None over plain http."""
        return self.tls.ca_file if self.tls else None

    def url_at(self, port: int) -> str:
        """Return the address to use through a gate on `port`."""
        return f"{'https' if self.tls else 'http'}://localhost:{port}"

    def __enter__(self) -> Self:
        """Start it."""
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Stop it."""
        self.stop()

    def start(self) -> None:
        """Start it, empty, on the same port as before, and wait until it and its signer answer."""
        self._program.start(lambda: _answers(f"{self.url}/_notary_server/health", self.ca_file))

    def stop(self) -> None:
        """Stop it; all that it held is gone."""
        self._program.stop()

    def log(self) -> str:
        """Return the end of its log."""
        return self._program.output()

    def fetch(self, name: str, document: str, *, authorization: str = "") -> bytes:
        """Return the bytes of a document of `name`, such as ``root.json`` or ``1.root.json``.

        Raises:
            ProgramError: the answer is not 200.
        """
        headers = {"Authorization": authorization} if authorization else {}
        with _session(self.ca_file) as session:
            answer = session.get(f"{self.url}/v2/{name}/_trust/tuf/{document}", headers=headers, timeout=ANSWER_SECONDS)
        if answer.status_code != requests.codes.ok:
            msg = f"{document} of {name}: {answer.status_code} {answer.text[:200]}"
            raise ProgramError(msg)
        return answer.content


@final
class DockerRegistry:
    """A docker-registry that keeps its images in a folder."""

    def __init__(self, folder: Path, *, tls: TLSAuthority | None = None, tokens: TokenService | None = None) -> None:
        """Prepare it in `folder`."""
        folder.mkdir(parents=True, exist_ok=True)
        self.port = free_port()
        self.tls = tls
        http: dict[str, Any] = {"addr": f"127.0.0.1:{self.port}", "secret": "for tests"}
        if tls is not None:
            pair = tls.issue(f"docker-registry-{self.port}")
            http["tls"] = {"certificate": str(pair.certificate), "key": str(pair.private_key)}
        configuration: dict[str, Any] = {
            "version": 0.1,
            "log": {"level": "info"},
            "storage": {"filesystem": {"rootdirectory": str(folder / "storage")}, "delete": {"enabled": True}},
            "http": http,
        }
        if tokens is not None:
            configuration["auth"] = {"token": tokens.options}
        path = folder / "registry.yml"
        path.write_text(json.dumps(configuration))
        self._program = Program(
            ["docker-registry", "serve", str(path)], folder=folder, log=folder / "docker-registry.log", environment={}
        )

    @property
    def host(self) -> str:
        """Its address as it stands in image names."""
        return f"localhost:{self.port}"

    @property
    def url(self) -> str:
        """Its address, without a final slash."""
        return f"{'https' if self.tls else 'http'}://{self.host}"

    def __enter__(self) -> Self:
        """Start it and wait until it answers."""
        ca_file = self.tls.ca_file if self.tls else None
        self._program.start(lambda: _answers(f"{self.url}/v2/", ca_file, statuses=(200, 401)))
        return self

    def __exit__(self, *_: object) -> None:
        """Stop it; its images stay in the folder."""
        self._program.stop()

    def log(self) -> str:
        """Return the end of its log."""
        return self._program.output()


def _configured(program: str, folder: Path, configuration: Mapping[str, Any]) -> Program:
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{program}.json"
    path.write_text(json.dumps(configuration))
    return Program([program, "-config", str(path)], folder=folder, log=folder / f"{program}.log", environment={})


def _session(ca_file: Path | None) -> requests.Session:
    session = requests.Session()
    session.trust_env = False
    if ca_file is not None:
        session.verify = str(ca_file)
    return session


def _answers(url: str, ca_file: Path | None, *, statuses: Sequence[int] = (200,)) -> bool:
    with _session(ca_file) as session:
        try:
            return session.get(url, timeout=5).status_code in statuses
        except requests.RequestException:
            return False
