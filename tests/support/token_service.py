"""A token service like that of a registry: it signs tokens that notary-server and docker-registry accept."""

import base64
import binascii
import hmac
import json
import secrets
import ssl
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Literal, Self, final
from urllib.parse import parse_qs, urlsplit

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

from tests.support.key_files import FilePrivateKey, KeyKind, KeyPair, TLSAuthority, make_signer
from tests.support.processes import free_port

TOKEN_SECONDS = 300
REFUSAL = {"errors": [{"code": "UNAUTHORIZED", "message": "no", "detail": None}]}
Anonymous = Literal["pull", "nothing", "refused"]


@final
@dataclass(frozen=True, slots=True)
class TokenRequest:
    """What somebody asked the token service for."""

    method: str
    scopes: tuple[str, ...]
    account: str
    """The user who showed the right password; empty for an anonymous request."""
    granted: bool


@final
class TokenService:
    """Signs tokens for users with a password, who may then pull and push whatever they ask for, and for everybody else.

    What everybody else gets is `anonymous`: a token to ``pull``; a token that allows ``nothing``, as Docker Hub
    answers for private images and as the notary client needs before it shows a password; or no token, ``refused``.
    """

    service = "imgsig-test-registry"
    issuer = "imgsig-test-tokens"

    def __init__(
        self,
        folder: Path,
        *,
        users: Mapping[str, str],
        anonymous: Anonymous = "nothing",
        tls: TLSAuthority | None = None,
        kind: KeyKind = "ecdsa",
    ) -> None:
        """Prepare the service; with `tls` its realm is an https URL, as real credentials demand."""
        self.users = dict(users)
        self.anonymous: Anonymous = anonymous
        self.requests: list[TokenRequest] = []
        self._signing = make_signer(folder, "tokens", kind=kind)
        self._port = free_port()
        self._server = ThreadingHTTPServer(("127.0.0.1", self._port), _handler(self))
        self._server.daemon_threads = True
        if tls is not None:
            pair = tls.issue("tokens")
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(pair.certificate, pair.private_key)
            self._server.socket = context.wrap_socket(self._server.socket, server_side=True)
        self.realm = f"{'https' if tls else 'http'}://localhost:{self._port}/token"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)

    @property
    def options(self) -> dict[str, str]:
        """The options of ``"auth": {"type": "token"}`` with which a server demands these tokens."""
        return {
            "realm": self.realm,
            "service": self.service,
            "issuer": self.issuer,
            "rootcertbundle": str(self._signing.certificate),
        }

    def __enter__(self) -> Self:
        """Answer from now on."""
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Stop answering."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def answer(self, method: str, scopes: Sequence[str], account: str, *, refused: bool) -> dict[str, Any] | None:
        """Return the answer to a request for `scopes`, None if denied; `refused`: a password was wrong."""
        granted = not refused and (bool(account) or self.anonymous != "refused")
        self.requests.append(TokenRequest(method, tuple(scopes), account, granted))
        if not granted:
            return None
        allowed = ("pull", "push", "*") if account else ("pull",) if self.anonymous == "pull" else ()
        access = [_access(scope, allowed) for scope in scopes]
        return {"token": make_token(self._signing, self._claims(account, access)), "expires_in": TOKEN_SECONDS}

    def _claims(self, account: str, access: list[dict[str, Any]]) -> dict[str, Any]:
        now = int(time.time())
        return {
            "iss": self.issuer,
            "sub": account,
            "aud": self.service,
            "exp": now + TOKEN_SECONDS,
            "nbf": now - 10,
            "iat": now,
            "jti": secrets.token_hex(8),
            "access": access,
        }


def make_token(signing: KeyPair, claims: Mapping[str, Any]) -> str:
    """Return `claims` as a JSON Web Token that carries the certificate of the key that signed it."""
    key = serialization.load_pem_private_key(signing.private_key.read_bytes(), None)
    if not isinstance(key, ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey):
        msg = f"no tokens are signed with {type(key).__name__}"
        raise TypeError(msg)
    certificate = x509.load_pem_x509_certificate(signing.certificate.read_bytes())
    der = certificate.public_bytes(serialization.Encoding.DER)
    header = {
        "typ": "JWT",
        "alg": "RS256" if isinstance(key, rsa.RSAPrivateKey) else "ES256",
        "x5c": [base64.b64encode(der).decode()],
    }
    message = f"{_encoded(json.dumps(header).encode())}.{_encoded(json.dumps(claims).encode())}"
    return f"{message}.{_encoded(_signature(key, message.encode()))}"


def _signature(key: FilePrivateKey, message: bytes) -> bytes:
    if isinstance(key, rsa.RSAPrivateKey):
        return key.sign(message, padding.PKCS1v15(), hashes.SHA256())
    r, s = decode_dss_signature(key.sign(message, ec.ECDSA(hashes.SHA256())))
    return r.to_bytes(32, "big") + s.to_bytes(32, "big")


def _encoded(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def _access(scope: str, allowed: Sequence[str]) -> dict[str, Any]:
    """Return what is granted of a scope such as ``repository:localhost:5005/team/app:push,pull``."""
    kind, _, rest = scope.partition(":")
    name, _, actions = rest.rpartition(":")
    return {"type": kind, "name": name, "actions": [action for action in actions.split(",") if action in allowed]}


def _handler(service: TokenService) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        """Answers the GET form with basic authentication, and the POST form with a password as refresh token."""

        def do_GET(self) -> None:
            """Answer a request with, or without, basic authentication."""
            query = parse_qs(urlsplit(self.path).query)
            account, refused = self._basic()
            self._reply(service.answer("GET", _scopes(query), account, refused=refused))

        def do_POST(self) -> None:
            """Answer a request that shows an identity token: here ``USER:PASSWORD``."""
            form = parse_qs(self.rfile.read(int(self.headers.get("Content-Length", "0"))).decode())
            account, refused = _known(service.users, form.get("refresh_token", [":"])[0])
            answer = service.answer("POST", _scopes(form), account, refused=refused)
            if answer is not None:
                answer["access_token"] = answer.pop("token")
            self._reply(answer)

        def _basic(self) -> tuple[str, bool]:
            header = self.headers.get("Authorization")
            if header is None:
                return "", False
            try:
                credentials = base64.b64decode(header.removeprefix("Basic "), validate=True).decode()
            except (binascii.Error, UnicodeDecodeError):
                return "", True
            return _known(service.users, credentials)

        def _reply(self, answer: dict[str, Any] | None) -> None:
            body = json.dumps(answer or REFUSAL).encode()
            self.send_response(401 if answer is None else 200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Write no log: what was asked is in the service's requests."""

    return Handler


def _scopes(query: Mapping[str, list[str]]) -> list[str]:
    return [scope for value in query.get("scope", []) for scope in value.split(" ")]


def _known(users: Mapping[str, str], credentials: str) -> tuple[str, bool]:
    """Return the user whose ``USER:PASSWORD`` it is and whether it was refused."""
    user, _, password = credentials.partition(":")
    right = user in users and hmac.compare_digest(users[user].encode(), password.encode())
    return (user, False) if right else ("", True)
