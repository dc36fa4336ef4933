"""The reference client's own library, and the programs that repositories are served with."""

import json
import os
import socket
import subprocess
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Self, final

from benchmarks.measure import Sample
from tests.support.key_files import TLSAuthority
from tests.support.processes import free_port
from tests.support.repository import SignedRepository

SOURCE = Path(__file__).parent / "peer"
PACKAGES = "golang-go golang-github-docker-notary-dev golang-github-docker-distribution-dev"


@final
class Peer:
    """The Go program in `peer/`, built from Debian's packages."""

    def __init__(self, folder: Path) -> None:
        """Build it in `folder`."""
        self.program = folder / "peer"
        environment = os.environ | {"GO111MODULE": "off", "GOPATH": "/usr/share/gocode", "GOFLAGS": ""}
        go = next((one for one in ("/usr/lib/go/bin/go", "/usr/bin/go") if Path(one).exists()), "")
        if not go or not Path("/usr/share/gocode/src/github.com/theupdateframework/notary").exists():
            msg = f"the peer needs the Debian packages {PACKAGES}"
            raise SystemExit(msg)
        subprocess.run([go, "build", "-o", str(self.program), "."], cwd=SOURCE, env=environment, check=True)

    def look_up(  # noqa: PLR0913 - the options of the program
        self,
        mode: str,
        server: str,
        folder: Path,
        questions: Iterable[str],
        *,
        times: int,
        keep: bool = False,
        ca_file: Path | None = None,
        user: str = "",
    ) -> tuple[Sample, int]:
        """Return how long each look-up took, without the first, and the peak of memory in bytes."""
        options = ["-mode", mode, "-server", server, "-dir", str(folder), "-times", str(times + 1)]
        options += ["-keep"] if keep else []
        options += ["-ca", str(ca_file)] if ca_file else []
        options += ["-user", user] if user else []
        done = subprocess.run(
            [str(self.program), *options], input="\n".join(questions), text=True, check=True, capture_output=True
        )
        lines = [json.loads(line) for line in done.stdout.splitlines()]
        return Sample(tuple(line["seconds"] for line in lines[1:-1])), lines[-1]["peak_bytes"]


@final
class FileServer:
    """Serves repositories from files, by the peer program: as quick as a trust server can be."""

    def __init__(
        self, peer: Peer, folder: Path, *repositories: SignedRepository, tls: TLSAuthority | None = None
    ) -> None:
        """Write the files into `folder`, and serve them over TLS with a certificate of `tls`, or plainly."""
        for repository in repositories:
            base = folder / "v2" / repository.name / "_trust" / "tuf"
            for path, body in repository.files.items():
                (base / path).parent.mkdir(parents=True, exist_ok=True)
                (base / path).write_bytes(body)
        self.port = free_port()
        self.tls = tls
        options = ["-mode", "serve", "-server", f"127.0.0.1:{self.port}", "-dir", str(folder)]
        if tls is not None:
            pair = tls.issue("files")
            options += ["-cert", str(pair.certificate), "-key", str(pair.private_key)]
        self._process = subprocess.Popen([str(peer.program), *options], stdin=subprocess.DEVNULL)

    @property
    def url(self) -> str:
        """Its address."""
        return f"{'https' if self.tls else 'http'}://localhost:{self.port}"

    def __enter__(self) -> Self:
        """Wait until it listens."""
        for _ in range(200):
            try:
                socket.create_connection(("127.0.0.1", self.port), timeout=1).close()
                break
            except OSError:
                time.sleep(0.05)
        return self

    def __exit__(self, *_: object) -> None:
        """Stop it."""
        self._process.terminate()
        self._process.wait(10)
