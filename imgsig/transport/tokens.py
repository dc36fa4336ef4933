"""How a server that demands a login is satisfied: Docker's token flow, or a password sent to the server itself.

Spec: Docker distribution, docs/spec/auth/token.md and oauth.md, and registry/client/auth/session.go.
"""

import base64
import re
import threading
import time
from collections.abc import Callable
from concurrent.futures import CancelledError, Future
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any, Final, final
from urllib.parse import parse_qsl, urlencode

from imgsig.codes import Code
from imgsig.errors import ImgsigError, InconclusiveError, RejectedError
from imgsig.limits import Deadline, Limits
from imgsig.source import OutageError
from imgsig.strictjson import parse, quote
from imgsig.transport.addresses import Address, parse_address
from imgsig.transport.challenges import Challenge, parse_challenges
from imgsig.transport.connections import Lines
from imgsig.transport.credentials import Credential, Credentials
from imgsig.transport.exchange import Answer, Request, exchange
from imgsig.transport.routes import Routes
from imgsig.transport.servers import Server
from imgsig.transport.statuses import outage

CLIENT_ID: Final = "imgsig"
MIN_TOKEN_SECONDS: Final = 60.0
"""How long a token serves at least, whatever the service says: Docker's own rule."""
MAX_TOKEN_SECONDS: Final = 3600.0
"""How long anything is kept at most."""
MAX_KEPT_GRANTS: Final = 4096
"""Names whose grants are kept; the oldest goes first."""

_TOKEN: Final = re.compile(r"[\x21-\x7e]+")
_TOKEN_DEPTH: Final = 16


@final
@dataclass(frozen=True, slots=True)
class Asker:
    """For whom access is asked, and where. Grants are kept by it."""

    server: Server
    registry: str
    """The registry of the signed name: whose login is used."""
    scope: str
    """What to ask a token service for; empty for nothing in particular."""


@final
@dataclass(frozen=True, slots=True)
class Grant:
    """What to show to the server."""

    authorization: str = field(repr=False)
    """The value of the ``Authorization`` header."""
    anonymous: bool
    """Whether no login was used for it."""
    until: float
    """When to forget it, on the clock of the `Grants`."""


@final
class Grants:
    """Gets grants, and keeps them in memory for later requests of the same asker."""

    def __init__(
        self,
        lines: Lines,
        routes: Routes,
        credentials: Credentials | None,
        *,
        limits: Limits,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Keep none yet; `credentials` is asked when a server demands a login."""
        self._lines = lines
        self._routes = routes
        self._credentials = credentials
        self._limits = limits
        self._clock = clock
        self._lock = threading.Lock()
        self._kept: dict[Asker, Grant] = {}
        self._asked: dict[Asker, Future[Grant]] = {}

    def kept(self, asker: Asker) -> Grant | None:
        """Return the grant that served last time, if it may still serve."""
        grant = self._kept.get(asker)
        return grant if grant is not None and self._clock() < grant.until else None

    def forget(self, asker: Asker) -> None:
        """Forget a grant that the server no longer takes."""
        self._kept.pop(asker, None)

    def renew(self, asker: Asker, refused: Grant | None, refusal: Answer, *, deadline: Deadline) -> Grant:
        """Return a grant in place of the one that was `refused` with the 401 in `refusal`.

        Of many threads that are refused at once, one asks for it; the others get what it gets, also if that is an
        error: a wrong password is sent once.

        Raises:
            InconclusiveError: as `fetch` does.
        """
        with self._lock:
            kept = self._kept.get(asker)
            if kept is not None and kept is not refused and self._clock() < kept.until:
                return kept
            asked = self._asked.get(asker)
            mine = asked is None
            if asked is None:
                asked = self._asked[asker] = Future()
        if mine:
            try:
                self.forget(asker)
                asked.set_result(self.fetch(asker, refusal, deadline=deadline))
            except ImgsigError as error:
                asked.set_exception(error)
            finally:
                with self._lock:
                    del self._asked[asker]
                asked.cancel()
        try:
            return asked.result(deadline.remaining_seconds())
        except (TimeoutError, CancelledError) as error:
            raise deadline.exceeded() from error

    def fetch(self, asker: Asker, refusal: Answer, *, deadline: Deadline) -> Grant:
        """Return a new grant for what the 401 in `refusal` demands, and keep it.

        Bearer is preferred to basic. A login goes over https only: to the server, or to a token service on a host
        that `Server.realm_hosts` lists; other token services are not even asked for an anonymous token.

        Raises:
            InconclusiveError: the token service is on another host (``foreign_realm``) or gives none
                (``access_denied``, ``throttled``, ``unreachable``, ``deadline``, ``tls``, ``bad_response``), or there
                is no login where one is needed (``access_denied``). Never an `OutageError`: a token refused is no
                outage of the server that has the documents.
        """
        lines = refusal.headers.getlist("WWW-Authenticate")
        challenges = parse_challenges(lines, max_bytes=self._limits.max_header_bytes)
        by_scheme = {challenge.scheme: challenge for challenge in reversed(challenges)}
        if "bearer" in by_scheme:
            grant = self._bearer(asker, by_scheme["bearer"], deadline)
        elif "basic" in by_scheme:
            grant = self._basic(asker, deadline)
        else:
            msg = f"{asker.server.address.origin} demands a login of a kind that is not understood"
            raise _denied(msg, asker.server.address.origin)
        with self._lock:
            self._kept.pop(asker, None)
            while len(self._kept) >= MAX_KEPT_GRANTS:
                del self._kept[next(iter(self._kept))]
            self._kept[asker] = grant
        return grant

    def _basic(self, asker: Asker, deadline: Deadline) -> Grant:
        origin = asker.server.address.origin
        if not asker.server.address.secure:
            msg = f"{origin} demands a password, which is sent over https only"
            raise _denied(msg, origin)
        credential = self._credential(asker, deadline)
        if credential is None or not (credential.username and credential.password):
            msg = f"{origin} demands a password, and there is none for {quote(asker.registry)}"
            raise _denied(msg, origin)
        return Grant(_basic_header(credential), anonymous=False, until=self._clock() + MAX_TOKEN_SECONDS)

    def _bearer(self, asker: Asker, challenge: Challenge, deadline: Deadline) -> Grant:
        realm = _check_realm(asker, challenge)
        credential = self._credential(asker, deadline) if realm.secure else None
        question = [(name, value) for name in ("service", "scope") if (value := _asked(name, asker, challenge))]
        request = self._request(asker, realm, question, credential)
        started = self._clock()
        answer = self._ask(request, realm, deadline)
        token, seconds = self._read_token(answer, realm, anonymous=credential is None)
        return Grant(f"Bearer {token}", anonymous=credential is None, until=started + seconds)

    def _credential(self, asker: Asker, deadline: Deadline) -> Credential | None:
        if self._credentials is None:
            return None
        return self._credentials.for_registry(asker.registry, deadline=deadline)

    def _request(
        self, asker: Asker, realm: Address, question: list[tuple[str, str]], credential: Credential | None
    ) -> Request:
        url = realm.origin + realm.path
        shared: dict[str, Any] = {
            "route": self._routes.realm_route(asker.server, realm),
            "subject": "the token",
            "max_bytes": self._limits.max_token_bytes,
            "max_other_bytes": 0,
            "wanted": range(HTTPStatus.OK, HTTPStatus.MULTIPLE_CHOICES),
        }
        if credential is not None and credential.identity_token:
            form = [("grant_type", "refresh_token"), *question, ("client_id", CLIENT_ID)]
            body = urlencode([*form, ("refresh_token", credential.identity_token)])
            url += f"?{realm.query}" if realm.query else ""
            headers = {"Content-Type": "application/x-www-form-urlencoded"}
            return Request(url=url, method="POST", headers=headers, body=body.encode(), **shared)
        headers = {}
        if credential is not None and credential.username and credential.password:
            question = [*question, ("account", credential.username)]
            headers = {"Authorization": _basic_header(credential)}
        query = urlencode([*parse_qsl(realm.query, keep_blank_values=True), *question])
        return Request(url=f"{url}?{query}" if query else url, headers=headers, **shared)

    def _ask(self, request: Request, realm: Address, deadline: Deadline) -> Answer:
        try:
            answer = exchange(self._lines, request, deadline=deadline)
        except OutageError as error:
            msg = f"token service: {error}"
            raise InconclusiveError(msg, code=error.code, subject=error.subject) from error
        except RejectedError as error:  # it says nothing about the image
            msg = f"the answer of the token service {realm.origin} is too long"
            raise InconclusiveError(msg, code=Code.BAD_RESPONSE, subject=realm.origin) from error
        failure = outage(answer, realm.origin)
        if failure is not None:
            refusal = InconclusiveError(f"token service: {failure}", code=failure.code, subject=failure.subject)
            refusal.retry_after_seconds = failure.retry_after_seconds
            raise refusal
        return answer

    def _read_token(self, answer: Answer, realm: Address, *, anonymous: bool) -> tuple[str, float]:
        if answer.status not in range(HTTPStatus.OK, HTTPStatus.MULTIPLE_CHOICES):
            whom = "without a login" if anonymous else "for the login that was sent"
            msg = f"the token service {realm.origin} gives no token {whom} (status {answer.status})"
            raise _denied(msg, realm.origin)
        try:
            body = parse(answer.body, what="token", max_depth=_TOKEN_DEPTH)
        except RejectedError:
            body = None  # its text may hold a token, so it is not chained
        token = (body.get("access_token") or body.get("token")) if isinstance(body, dict) else None
        if not (isinstance(token, str) and _TOKEN.fullmatch(token)):
            msg = f"the token service {realm.origin} answered without a token"
            raise InconclusiveError(msg, code=Code.BAD_RESPONSE, subject=realm.origin)
        seconds = body.get("expires_in")
        if not isinstance(seconds, int) or isinstance(seconds, bool):
            seconds = MIN_TOKEN_SECONDS
        return token, min(max(float(seconds), MIN_TOKEN_SECONDS), MAX_TOKEN_SECONDS)


def _check_realm(asker: Asker, challenge: Challenge) -> Address:
    """Return the address of the token service, if it may be asked at all.

    Stricter than the reference client, which asks any realm: a server could have the login sent anywhere.
    """
    server = asker.server.address
    try:
        realm = parse_address(challenge.parameters.get("realm", ""))
    except ValueError as error:
        msg = f"{server.origin} demands a token without saying where to get it: {error}"
        raise InconclusiveError(msg, code=Code.BAD_RESPONSE, subject=server.origin) from error
    allowed = asker.server.realm_hosts(asker.registry)
    if realm.host not in allowed:
        msg = f"{server.origin} sends to the token service {realm.origin}, which is not listed"
    elif not realm.secure and (server.secure or realm.host != server.host):
        msg = f"{server.origin} sends to the token service {realm.origin}, which is not https"
    else:
        return realm
    expected = ", ".join(sorted(allowed))
    raise InconclusiveError(msg, code=Code.FOREIGN_REALM, subject=server.origin, expected=expected, found=realm.host)


def _asked(name: str, asker: Asker, challenge: Challenge) -> str:
    # The scope of the challenge is ignored, as in the reference client: what is needed is known here.
    return asker.scope if name == "scope" else challenge.parameters.get(name, "")


def _basic_header(credential: Credential) -> str:
    encoded = base64.b64encode(f"{credential.username}:{credential.password}".encode())
    return f"Basic {encoded.decode()}"


def _denied(message: str, subject: str) -> InconclusiveError:
    return InconclusiveError(message, code=Code.ACCESS_DENIED, subject=subject)
