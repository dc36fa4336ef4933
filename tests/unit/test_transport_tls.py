import ssl
from contextlib import suppress
from pathlib import Path

import pytest
import trustme
from cryptography.hazmat.primitives import serialization

from imgsig.codes import Code
from imgsig.errors import InconclusiveError, UsageError
from imgsig.limits import Deadline, Limits
from imgsig.source import OutageError
from imgsig.transport import HttpSources, Server
from imgsig.transport.connections import Lines, Route
from imgsig.transport.exchange import Request, exchange
from imgsig.transport.tls import WatchedContext, believe_system, load_context
from tests.support.asking import TARGET, client, fetch
from tests.support.certificate_names import hashed_name
from tests.support.hostile import HostileServer, loopback_authority, reply, write_ca

BROKEN = b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"
OK = {TARGET: reply(b'{"signed":{}}')}


@pytest.fixture
def ca(tmp_path: Path) -> Path:
    return write_ca(tmp_path)


def failure(sources: HttpSources, url: str, *, seconds: float = 5) -> InconclusiveError:
    with pytest.raises(InconclusiveError) as raised:
        fetch(sources, url, seconds=seconds)
    return raised.value


def test_every_check_is_on() -> None:
    context = load_context()
    assert context.verify_mode is ssl.CERT_REQUIRED
    assert context.check_hostname
    assert context.minimum_version is ssl.TLSVersion.TLSv1_2
    assert not context.hostname_checks_common_name
    assert context.keylog_filename is None


def test_a_bundle_stands_in_place_of_what_the_operating_system_believes(ca: Path) -> None:
    assert load_context(ca_bundle=str(ca)).cert_store_stats()["x509"] == 1


def believes(context: WatchedContext) -> bool:
    with HostileServer(tls=True, answers=OK) as server:
        request = Request(Route(server.url, context), server.url + TARGET, "it", max_bytes=100, max_other_bytes=0)
        with suppress(InconclusiveError):
            return exchange(Lines(), request, deadline=Deadline(5)).status == 200
    assert not server.requests
    return False


def system(file: Path, folder: Path) -> WatchedContext:
    context = load_context(ca_bundle=str(file.parent / "unrelated.pem"))
    believe_system(context, file, folder)
    return context


@pytest.fixture
def places(tmp_path: Path) -> tuple[Path, Path]:
    trustme.CA().cert_pem.write_to_path(str(tmp_path / "unrelated.pem"))
    folder = tmp_path / "certs"
    folder.mkdir()
    return tmp_path / "cert.pem", folder


def test_the_operating_systems_file_is_believed(ca: Path, places: tuple[Path, Path]) -> None:
    file, folder = places
    assert not believes(system(file, folder))
    file.write_bytes(ca.read_bytes())
    assert believes(system(file, folder))
    folder.rmdir()
    assert believes(system(file, folder))


def test_the_operating_systems_folder_is_believed(ca: Path, places: tuple[Path, Path]) -> None:
    file, folder = places
    (folder / hashed_name(ca)).write_bytes(ca.read_bytes())
    assert believes(system(file, folder))
    file.write_bytes(ca.read_bytes())
    context = system(file, folder)
    assert context.cert_store_stats()["x509"] == 1, "the folder has as many, so the file is not parsed"
    assert believes(context)
    file.write_bytes(ca.read_bytes() + trustme.CA().cert_pem.bytes())
    assert system(file, folder).cert_store_stats()["x509"] == 3


def test_a_broken_file_of_the_operating_system_is_a_usage_error(places: tuple[Path, Path]) -> None:
    file, folder = places
    file.write_bytes(BROKEN)
    with pytest.raises(UsageError, match="the operating system's CA certificates cannot be loaded"):
        system(file, folder)


def test_a_server_with_a_private_ca_is_believed_when_it_is_named(ca: Path) -> None:
    with HostileServer(tls=True, answers=OK) as server:
        assert fetch(client(server, ca=ca), server.url)
        assert fetch(HttpSources(ca_bundle=ca), server.url)
        error = failure(HttpSources(), server.url)
    assert error.code is Code.TLS
    assert "failed: unable to get local issuer certificate" in str(error)
    assert not isinstance(error, OutageError)


def test_a_ca_is_believed_for_the_server_that_names_it_alone(ca: Path) -> None:
    with HostileServer(tls=True, answers=OK) as server:
        sources = HttpSources(servers=[Server("https://other.test", ca_file=ca)])
        assert failure(sources, server.url).code is Code.TLS


def test_a_bundle_stands_in_place_of_the_operating_systems_and_beside_the_servers(ca: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.pem"
    trustme.CA().cert_pem.write_to_path(str(other))
    with HostileServer(tls=True, answers=OK) as server:
        assert fetch(client(server, ca=ca, ca_bundle=other), server.url)
        assert failure(HttpSources(ca_bundle=other), server.url).code is Code.TLS


def test_an_intermediate_that_is_named_is_an_anchor(tmp_path: Path) -> None:
    root = trustme.CA()
    intermediate = root.create_child_ca()
    anchor = tmp_path / "intermediate.pem"
    anchor.write_bytes(intermediate.cert_pem.bytes())
    with HostileServer(tls=True, authority=intermediate, answers=OK) as server:
        assert fetch(client(server, ca=anchor), server.url)


def test_a_certificate_for_another_host_is_refused(ca: Path) -> None:
    with HostileServer(tls=True, identities=("other.test",), answers=OK) as server:
        error = failure(client(server, ca=ca), server.url)
    assert error.code is Code.TLS
    assert "not valid for 'localhost'" in str(error)


def test_a_name_in_the_subject_alone_counts_for_nothing(tmp_path: Path) -> None:
    authority = trustme.CA()
    anchor = tmp_path / "ca.pem"
    authority.cert_pem.write_to_path(str(anchor))
    with HostileServer(tls=True, authority=authority, identities=("other.test",), answers=OK) as server:
        context_certificate = authority.issue_cert("other.test", common_name="localhost")
        assert server._context is not None
        context_certificate.configure_cert(server._context)
        assert failure(client(server, ca=anchor), server.url).code is Code.TLS


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1])
@pytest.mark.filterwarnings("ignore:ssl.TLSVersion:DeprecationWarning")
def test_old_tls_is_refused(ca: Path, version: ssl.TLSVersion) -> None:
    with HostileServer(tls=True, newest_tls=version, answers=OK) as server:
        error = failure(client(server, ca=ca), server.url)
    assert error.code is Code.TLS


def test_tls_1_2_is_spoken(ca: Path) -> None:
    with HostileServer(tls=True, newest_tls=ssl.TLSVersion.TLSv1_2, answers=OK) as server:
        assert fetch(client(server, ca=ca), server.url)


def test_a_server_that_speaks_no_tls_is_a_tls_failure(ca: Path) -> None:
    with HostileServer(greeting=b"220 mail.test ESMTP ready\r\n", answers=OK) as server:
        url = server.url.replace("http://", "https://")
        error = failure(HttpSources(servers=[Server(url, ca_file=ca)]), url)
    assert error.code is Code.TLS
    assert not isinstance(error, OutageError)


def test_a_stalled_handshake_ends_at_the_deadline(ca: Path) -> None:
    with HostileServer(tls=True, stalled_handshake=True) as server:
        error = failure(client(server, ca=ca), server.url, seconds=0.3)
    assert isinstance(error, OutageError)
    assert error.code is Code.DEADLINE


@pytest.fixture
def client_files(tmp_path: Path) -> tuple[Path, Path]:
    issued = loopback_authority().issue_cert("client@example.com")
    certificate, key = tmp_path / "client.pem", tmp_path / "client.key"
    issued.cert_chain_pems[0].write_to_path(str(certificate))
    issued.private_key_pem.write_to_path(str(key))
    return certificate, key


def test_a_client_certificate_is_shown(ca: Path, client_files: tuple[Path, Path]) -> None:
    with HostileServer(tls=True, client_authority=loopback_authority(), answers=OK) as server:
        assert fetch(client(server, ca=ca, server_options={"client_certificate": client_files}), server.url)
        assert server.peer_certificates[0]["subjectAltName"] == (("email", "client@example.com"),)


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_a_missing_client_certificate_is_a_tls_failure(ca: Path, version: ssl.TLSVersion) -> None:
    authority = loopback_authority()
    with HostileServer(tls=True, client_authority=authority, newest_tls=version, answers=OK) as server:
        error = failure(client(server, ca=ca), server.url)
    assert error.code is Code.TLS
    assert "alert" in str(error)
    assert not isinstance(error, OutageError)


def unusable(tmp_path: Path, content: bytes | None) -> Path:
    path = tmp_path / "unusable.pem"
    if content is not None:
        path.write_bytes(content)
    return path


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (None, "cannot be read: no such file"),
        (b"", "holds no certificate"),
        (b"hello", "holds no certificate"),
        (BROKEN, "holds no certificate in PEM, or a broken one"),
        (b"\xff\xfe", "holds no certificate"),
    ],
)
def test_a_ca_file_that_cannot_be_used_is_a_usage_error(tmp_path: Path, content: bytes | None, why: str) -> None:
    path = unusable(tmp_path, content)
    with pytest.raises(UsageError, match=f"CA file '.*unusable.pem' {why}"):
        load_context(ca_files=(str(path),))
    with pytest.raises(UsageError, match=f"CA bundle '.*unusable.pem' {why}"):
        load_context(ca_bundle=str(path))


def test_a_ca_file_may_have_comments_in_any_script(tmp_path: Path) -> None:
    path = tmp_path / "ca.pem"
    path.write_bytes("# Zertifikat für alle ✓\n".encode() + loopback_authority().cert_pem.bytes())
    assert load_context(ca_bundle=str(path)).cert_store_stats()["x509"] == 1


def test_an_oversized_ca_file_is_a_usage_error(ca: Path) -> None:
    with pytest.raises(UsageError, match="is longer than 100 bytes"):
        load_context(ca_files=(str(ca),), limits=Limits(max_anchor_bytes=100))


def test_a_folder_is_no_ca_file(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="cannot be read: is a directory"):
        load_context(ca_files=(str(tmp_path),))


def test_an_unusable_file_is_found_before_anything_is_requested(tmp_path: Path) -> None:
    with HostileServer(tls=True, answers=OK) as server, pytest.raises(UsageError, match="CA file"):
        fetch(client(server, ca=tmp_path / "missing.pem"), server.url)
    assert not server.connections


def test_a_client_certificate_and_key_must_fit(tmp_path: Path, client_files: tuple[Path, Path]) -> None:
    certificate, key = map(str, client_files)
    other = tmp_path / "other.key"
    loopback_authority().issue_cert("x@example.com").private_key_pem.write_to_path(str(other))
    for pair in ((certificate, str(other)), (key, certificate), (certificate, certificate)):
        with pytest.raises(UsageError, match="are no pair in PEM"):
            load_context(client_certificate=pair)
    with pytest.raises(UsageError, match="cannot be read: no such file"):
        load_context(client_certificate=(certificate, str(tmp_path / "missing")))


def test_a_key_with_a_passphrase_is_refused_without_asking_for_it(
    tmp_path: Path, client_files: tuple[Path, Path]
) -> None:
    certificate, key = client_files
    private = serialization.load_pem_private_key(key.read_bytes(), None)
    locked = tmp_path / "locked.key"
    locked.write_bytes(
        private.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.TraditionalOpenSSL,
            serialization.BestAvailableEncryption(b"s3cret"),
        )
    )
    with pytest.raises(UsageError, match="or the key needs a passphrase"):
        load_context(client_certificate=(str(certificate), str(locked)))
