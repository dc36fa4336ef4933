"""A registry's client: what it asks, whom it believes, and what each answer amounts to."""

import pickle
from collections.abc import Iterator
from pathlib import Path

import pytest

from imgsig.codes import Code
from imgsig.errors import InconclusiveError, InvalidReferenceError, RejectedError, VerificationError
from imgsig.limits import Deadline
from imgsig.reference import parse_reference
from imgsig.registry.source import Registry, Served
from imgsig.source import DocumentMissingError, OutageError
from imgsig.transport import Credential, Credentials, HttpSources, Server, StaticCredentials
from tests.support.hostile import (
    Answer,
    HostileServer,
    basic,
    bearer,
    endless_body,
    for_authorization,
    hang_up,
    head,
    raw,
    redirect,
    reply,
    unauthorised,
    web_page,
    write_ca,
)
from tests.support.images import OCI_IMAGE, UNKNOWN, make_image

IMAGE = make_image()
DIGEST, CONFIG = IMAGE.manifest.digest, IMAGE.config.digest
MANIFEST = reply(IMAGE.manifest.body, headers=[("Content-Type", OCI_IMAGE)])
MANIFEST_PATH = f"/v2/team/app/manifests/{DIGEST}"
BLOB_PATH = f"/v2/team/app/blobs/{CONFIG}"
MAX_BYTES = 64 * 1024


@pytest.fixture
def server() -> Iterator[HostileServer]:
    with HostileServer(tls=True) as running:
        yield running


@pytest.fixture
def ca(tmp_path: Path) -> Path:
    return write_ca(tmp_path)


def opened(
    server: HostileServer, ca: Path | None, *, credentials: Credentials | None = None, more: tuple[Server, ...] = ()
) -> Registry:
    settings = Server(server.url, ca_file=ca)
    sources = HttpSources(servers=[settings, *more], credentials=credentials)
    return sources.open_registry(parse_reference(f"localhost:{server.port}/team/app:1.0"))


def manifest(registry: Registry, what: str = DIGEST, *, seconds: float = 5) -> Served:
    return registry.fetch_manifest(what, max_bytes=MAX_BYTES, deadline=Deadline(seconds))


def blob(registry: Registry) -> bytes:
    return registry.fetch_blob(CONFIG, max_bytes=MAX_BYTES, deadline=Deadline(5))


# -- manifests --------------------------------------------------------------------------------------------------------


def test_a_manifest_is_asked_for_by_digest_with_all_types_that_are_understood(server: HostileServer, ca: Path) -> None:
    server.answers[MANIFEST_PATH] = reply(IMAGE.manifest.body, headers=[("Content-Type", f"{OCI_IMAGE}; charset=x")])
    registry = opened(server, ca)
    assert manifest(registry) == Served(IMAGE.manifest.body, OCI_IMAGE)
    (request,) = server.requests
    assert (request.method, request.path) == ("GET", MANIFEST_PATH)
    accepted = request.headers["accept"].split(", ")
    assert accepted == [
        "application/vnd.oci.image.index.v1+json",
        "application/vnd.docker.distribution.manifest.list.v2+json",
        "application/vnd.oci.image.manifest.v1+json",
        "application/vnd.docker.distribution.manifest.v2+json",
    ]
    assert "authorization" not in request.headers
    assert registry.location == server.url


def test_a_tag_is_asked_for_as_it_stands(server: HostileServer, ca: Path) -> None:
    server.answers["/v2/team/app/manifests/1.0"] = MANIFEST
    assert manifest(opened(server, ca), "1.0").body == IMAGE.manifest.body


@pytest.mark.parametrize(
    "headers", [[], [("Content-Type", "")], [("Content-Type", OCI_IMAGE), ("Content-Type", "text/html")]]
)
def test_a_type_that_is_missing_or_there_twice_is_no_type_of_a_manifest(
    server: HostileServer, ca: Path, headers: list[tuple[str, str]]
) -> None:
    server.answers[MANIFEST_PATH] = reply(IMAGE.manifest.body, headers=headers)
    assert manifest(opened(server, ca)).media_type != OCI_IMAGE


ROWS: dict[str, tuple[Answer, type[VerificationError], Code]] = {
    "404": (reply(UNKNOWN, status=404), DocumentMissingError, Code.BAD_RESPONSE),
    "403": (reply(b"{}", status=403), InconclusiveError, Code.ACCESS_DENIED),
    "429": (reply(b"{}", status=429), OutageError, Code.THROTTLED),
    "500": (reply(b"{}", status=500), OutageError, Code.UNREACHABLE),
    "401 of an unknown kind": (unauthorised("Negotiate"), InconclusiveError, Code.ACCESS_DENIED),
    "202": (reply(b"{}", status=202), InconclusiveError, Code.BAD_RESPONSE),
    "redirect": (redirect("https://localhost/"), InconclusiveError, Code.BAD_RESPONSE),
    "hang-up": (hang_up(), OutageError, Code.UNREACHABLE),
    "not HTTP": (raw(b"SSH-2.0\r\n"), InconclusiveError, Code.BAD_RESPONSE),
    "encoded": (reply(b"{}", headers=[("Content-Encoding", "gzip")]), InconclusiveError, Code.BAD_RESPONSE),
    "endless": (endless_body(), RejectedError, Code.LIMIT_EXCEEDED),
    "a great length": (endless_body(declared=10**12), RejectedError, Code.LIMIT_EXCEEDED),
    "a body that is longer than said": (raw(head(200, [("Content-Length", "1"), ("Content-Length", "2")]) + b"{}"),
                                        InconclusiveError, Code.BAD_RESPONSE),
}


@pytest.mark.parametrize("row", ROWS)
def test_what_the_registry_says_has_one_meaning(server: HostileServer, ca: Path, row: str) -> None:
    answer, kind, code = ROWS[row]
    server.answers[MANIFEST_PATH] = answer
    with pytest.raises(kind) as caught:
        manifest(opened(server, ca))
    assert caught.value.code is code
    assert len(server.requests) == 1


def test_any_other_body_of_a_200_is_for_the_caller_to_judge(server: HostileServer, ca: Path) -> None:
    server.answers[MANIFEST_PATH] = web_page()
    assert manifest(opened(server, ca)).media_type == "text/html"


# -- whom it is -------------------------------------------------------------------------------------------------------


def test_a_registry_is_reached_over_https_unless_its_server_is_spelled_with_http() -> None:
    with HostileServer() as server:
        server.answers[MANIFEST_PATH] = MANIFEST
        assert manifest(opened(server, None)).body == IMAGE.manifest.body
        unnamed = HttpSources().open_registry(parse_reference(f"localhost:{server.port}/team/app"))
        assert unnamed.location == f"https://localhost:{server.port}"


def test_a_private_ca_must_be_named_for_the_registry(server: HostileServer) -> None:
    with pytest.raises(InconclusiveError) as caught:
        manifest(opened(server, None))
    assert caught.value.code is Code.TLS


def test_a_server_with_a_path_is_not_the_registry(server: HostileServer, ca: Path) -> None:
    sources = HttpSources(servers=[Server(f"{server.url}/notary", ca_file=ca)])
    registry = sources.open_registry(parse_reference(f"localhost:{server.port}/team/app"))
    with pytest.raises(InconclusiveError) as caught:
        manifest(registry)
    assert caught.value.code is Code.TLS


def test_docker_io_has_its_registry_elsewhere() -> None:
    assert HttpSources().open_registry(parse_reference("alpine")).location == "https://registry-1.docker.io"


@pytest.mark.parametrize("host", ["localhost:99999", "localhost:0"])
def test_a_registry_that_no_url_can_reach_is_no_reference(host: str) -> None:
    with pytest.raises(InvalidReferenceError):
        HttpSources().open_registry(parse_reference(f"{host}/app"))


# -- logins -----------------------------------------------------------------------------------------------------------


def login(registry: str) -> StaticCredentials:
    return StaticCredentials({registry: Credential("alice", "secret")})


def test_a_token_is_asked_for_the_registry_s_own_name_of_the_repository(server: HostileServer, ca: Path) -> None:
    refused = unauthorised(bearer(f"{server.url}/token", service="registry.test"))
    server.answers[MANIFEST_PATH] = for_authorization("Bearer T", MANIFEST, refused)
    server.answers["/token"] = reply({"token": "T"})
    registry = opened(server, ca, credentials=login(f"localhost:{server.port}"))
    assert manifest(registry).body == IMAGE.manifest.body
    manifest(registry)
    asked = [request for request in server.requests if request.path.startswith("/token")]
    (request,) = asked
    assert request.query["scope"] == ["repository:team/app:pull"]
    assert request.query["service"] == ["registry.test"]
    assert request.headers["authorization"] == basic("alice", "secret")


def test_the_login_of_another_registry_is_not_sent(server: HostileServer, ca: Path) -> None:
    server.answers[MANIFEST_PATH] = unauthorised('Basic realm="x"')
    with pytest.raises(InconclusiveError) as caught:
        manifest(opened(server, ca, credentials=login("docker.io")))
    assert caught.value.code is Code.ACCESS_DENIED
    assert all("authorization" not in request.headers for request in server.requests)


def test_a_token_service_elsewhere_is_not_asked(server: HostileServer, ca: Path) -> None:
    server.answers[MANIFEST_PATH] = unauthorised(bearer("https://tokens.example.com/token"))
    with pytest.raises(InconclusiveError) as caught:
        manifest(opened(server, ca))
    assert caught.value.code is Code.FOREIGN_REALM


def test_a_registry_is_not_pickled(server: HostileServer, ca: Path) -> None:
    with pytest.raises(TypeError):
        pickle.dumps(opened(server, ca))


# -- blobs ------------------------------------------------------------------------------------------------------------


def moved(target: str) -> Answer:
    return raw(head(307, [("Location", target), ("Content-Length", "0")]))


def test_a_blob_is_fetched(server: HostileServer, ca: Path) -> None:
    server.answers[BLOB_PATH] = reply(IMAGE.config.body)
    assert blob(opened(server, ca)) == IMAGE.config.body


def test_a_blob_may_be_kept_elsewhere_and_no_login_is_sent_there(server: HostileServer, ca: Path) -> None:
    with HostileServer(tls=True) as storage:
        server.answers[BLOB_PATH] = for_authorization(
            basic("alice", "secret"), moved(f"{storage.url}/kept?signature=x%2Fy"), unauthorised('Basic realm="x"')
        )
        storage.answers["/kept"] = reply(IMAGE.config.body)
        registry = opened(server, ca, credentials=login(f"localhost:{server.port}"))
        assert blob(registry) == IMAGE.config.body
        (request,) = storage.requests
    assert request.path == "/kept?signature=x%2Fy"
    assert "authorization" not in request.headers


def test_a_blob_may_be_kept_elsewhere_at_the_same_registry(server: HostileServer, ca: Path) -> None:
    allowed = basic("alice", "secret")
    refused = unauthorised('Basic realm="x"')
    server.answers[BLOB_PATH] = for_authorization(allowed, moved("/kept"), refused)
    server.answers["/kept"] = for_authorization(allowed, reply(IMAGE.config.body), refused)
    assert blob(opened(server, ca, credentials=login(f"localhost:{server.port}"))) == IMAGE.config.body


@pytest.mark.parametrize("target", ["http://localhost:1/kept", "ftp://localhost/kept", "https://a b/", "https://u:p@x/"])
def test_a_redirect_that_leads_to_http_or_to_no_url_is_not_followed(
    server: HostileServer, ca: Path, target: str
) -> None:
    server.answers[BLOB_PATH] = moved(target)
    with pytest.raises(InconclusiveError) as caught:
        blob(opened(server, ca))
    assert caught.value.code is Code.BAD_RESPONSE
    assert "p@" not in str(caught.value)


def test_redirects_end(server: HostileServer, ca: Path) -> None:
    server.answers[BLOB_PATH] = moved(BLOB_PATH)
    with pytest.raises(InconclusiveError) as caught:
        blob(opened(server, ca))
    assert caught.value.code is Code.BAD_RESPONSE
    assert len(server.requests) == 4


def test_a_storage_that_lacks_the_blob_speaks_not_for_the_registry(server: HostileServer, ca: Path) -> None:
    with HostileServer(tls=True) as storage:
        server.answers[BLOB_PATH] = moved(f"{storage.url}/kept")
        storage.answers["/kept"] = reply(UNKNOWN, status=404)
        with pytest.raises(InconclusiveError) as caught:
            blob(opened(server, ca))
    assert not isinstance(caught.value, DocumentMissingError)
    assert caught.value.code is Code.BAD_RESPONSE


def test_a_blob_is_bounded(server: HostileServer, ca: Path) -> None:
    with HostileServer(tls=True) as storage:
        server.answers[BLOB_PATH] = moved(f"{storage.url}/kept")
        storage.answers["/kept"] = endless_body()
        with pytest.raises(RejectedError) as caught:
            blob(opened(server, ca))
    assert caught.value.code is Code.LIMIT_EXCEEDED
