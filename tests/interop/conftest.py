"""The real programs for the tests that ask them: started once a session, or to order and stopped after the test."""

import hashlib
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any, final

import pytest

from tests.support.key_files import TLSAuthority
from tests.support.peers import DockerRegistry, Gate, NotaryClient, NotaryServer, NotarySigner, Publisher
from tests.support.surroundings import need_packages
from tests.support.token_service import Anonymous, TokenService

USERS = {"alice": "the password of alice"}


@final
class Peers:
    """Starts real servers to order and stops them all at the end of the test."""

    def __init__(self, folder: Path, stack: ExitStack) -> None:
        """Keep everything below `folder`; `stack` stops what was started."""
        self.folder = folder
        self._stack = stack
        self._count = 0
        self._tls: TLSAuthority | None = None

    @property
    def tls(self) -> TLSAuthority:
        """The private CA of this test's servers."""
        if self._tls is None:
            self._tls = TLSAuthority(self._next("tls"))
        return self._tls

    def server(
        self, *, tls: bool = False, signer: NotarySigner | None = None, tokens: TokenService | None = None
    ) -> NotaryServer:
        """Start a notary-server: over TLS, with the keys of `signer`, demanding `tokens`."""
        need_packages("notary")
        authority = self.tls if tls else None
        server = NotaryServer(self._next("notary-server"), tls=authority, signer=signer, tokens=tokens)
        return self._stack.enter_context(server)

    def signer(self) -> NotarySigner:
        """Start a notary-signer, with which a server's own keys are ECDSA."""
        need_packages("notary")
        return self._stack.enter_context(NotarySigner(self._next("notary-signer"), self.tls))

    def tokens(self, *, anonymous: Anonymous = "nothing", tls: bool = True) -> TokenService:
        """Start a token service that knows USERS."""
        folder = self._next("tokens")
        folder.mkdir()
        service = TokenService(folder, users=USERS, anonymous=anonymous, tls=self.tls if tls else None)
        return self._stack.enter_context(service)

    def registry(self, *, tls: bool = False, tokens: TokenService | None = None) -> DockerRegistry:
        """Start a docker-registry."""
        need_packages("docker-registry")
        authority = self.tls if tls else None
        return self._stack.enter_context(DockerRegistry(self._next("registry"), tls=authority, tokens=tokens))

    def gate(self, server: NotaryServer) -> Gate:
        """Put an open gate in front of `server`; ``server.url_at(gate.port)`` is the way through it."""
        return self._stack.enter_context(Gate(server.port))

    def publisher(self, server: NotaryServer, *, user: str = "", password: str = "") -> Publisher:
        """Make a publisher with keys of its own; `user` is one of USERS unless a password is given."""
        return Publisher(
            self._next("publisher"),
            server.url,
            ca_file=server.ca_file,
            user=user,
            password=password or USERS.get(user, ""),
        )

    def client(
        self,
        server: NotaryServer,
        *,
        user: str = "",
        password: str = "",
        trust_pinning: Mapping[str, Any] | None = None,
    ) -> NotaryClient:
        """Make a client that knows nothing yet: the oracle of a first contact."""
        return NotaryClient(
            self._next("client"),
            server.url,
            ca_file=server.ca_file,
            trust_pinning=trust_pinning,
            user=user,
            password=password or USERS.get(user, ""),
        )

    def _next(self, label: str) -> Path:
        self._count += 1
        return self.folder / f"{self._count}-{label}"


@pytest.fixture
def peers(tmp_path: Path) -> Iterator[Peers]:
    """Real servers to order, for a test that stops them or wants TLS, tokens or a signer."""
    with ExitStack() as stack:
        yield Peers(tmp_path, stack)


@pytest.fixture(scope="session")
def shared_peers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Peers]:
    """What the servers of the whole session are made with."""
    with ExitStack() as stack:
        yield Peers(tmp_path_factory.mktemp("peers"), stack)


@pytest.fixture(scope="session")
def notary_server(shared_peers: Peers) -> NotaryServer:
    """A notary-server for the whole session, plain http, keys of its own (ed25519). Do not stop it."""
    return shared_peers.server()


@pytest.fixture(scope="session")
def secure_notary_server(shared_peers: Peers) -> NotaryServer:
    """A notary-server for the whole session, over TLS, with keys in a notary-signer (ECDSA). Do not stop it."""
    return shared_peers.server(tls=True, signer=shared_peers.signer())


@pytest.fixture(scope="session")
def docker_registry(shared_peers: Peers) -> DockerRegistry:
    """A docker-registry for the whole session, plain http."""
    return shared_peers.registry()


@pytest.fixture
def publisher(notary_server: NotaryServer, peers: Peers) -> Publisher:
    """A publisher at the session's server, with keys of its own."""
    return peers.publisher(notary_server)


@pytest.fixture
def name(request: pytest.FixtureRequest) -> str:
    """An image name that no other test publishes at the servers of the session."""
    return f"registry.example.com/{hashlib.sha256(request.node.nodeid.encode()).hexdigest()[:12]}/app"
