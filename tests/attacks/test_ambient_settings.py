"""Whatever stands in the environment or the home directory changes nothing: what is used was given."""

import json
import ssl
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import trustme

from tests.support.asking import TARGET
from tests.support.certificate_names import hashed_name
from tests.support.forward_proxy import ForwardProxy
from tests.support.hostile import HostileServer, basic, for_authorization, reply, unauthorised, write_ca

ROOT = Path(__file__).resolve().parents[2]
BODY = b'{"signed":{}}'

PROGRAM = """
import json, sys
from imgsig.errors import VerificationError
from imgsig.limits import Deadline
from imgsig.source import Endpoint
from imgsig.transport import HttpSources, Proxies, Server

asked = json.loads(sys.argv[1])
server = Server(asked["url"], ca_file=asked.get("ca"))
proxies = Proxies(**asked["proxies"]) if "proxies" in asked else None
endpoint = Endpoint("notary", "registry.test/team/app", asked["url"], "/v2/registry.test/team/app/_trust/tuf/", "s")
with HttpSources(servers=[server], proxies=proxies) as sources:
    try:
        body = sources.open(endpoint).fetch("timestamp.json", max_bytes=1000, deadline=Deadline(10))
    except VerificationError as error:
        print(json.dumps({"code": error.code, "message": str(error)}))
    else:
        print(json.dumps({"code": "ok", "message": body.decode()}))
"""


GULLIBLE = """
import requests, sys
print(requests.get(sys.argv[1], timeout=10).status_code)
"""
"""What a program does that uses `requests` as it comes."""


def run(environment: Mapping[str, str], **asked: Any) -> str:  # noqa: ANN401 - plain JSON
    """Ask as a fresh process with this environment and no other; return the code of the outcome."""
    done = process(PROGRAM, json.dumps(asked), environment)
    assert (done.returncode, done.stderr) == (0, "")
    return str(json.loads(done.stdout)["code"])


def process(program: str, argument: str, environment: Mapping[str, str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-W", "error", "-c", program, argument],
        env={"PYTHONPATH": str(ROOT), **environment},
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def obeys(environment: Mapping[str, str], url: str) -> bool:
    """Return whether a gullible program gets through: then the trap is a real one."""
    return process(GULLIBLE, url, environment).stdout == "200\n"


@pytest.fixture
def ca(tmp_path: Path) -> Path:
    return write_ca(tmp_path)


@pytest.fixture
def believing(tmp_path: Path, ca: Path) -> dict[str, str]:
    """Every variable that would make the private CA believed."""
    folder = tmp_path / "hashed"
    folder.mkdir()
    (folder / hashed_name(ca)).write_bytes(ca.read_bytes())
    configuration = tmp_path / "openssl.cnf"
    configuration.write_text(
        f"""
openssl_conf = everything
[everything]
ssl_conf = tls
[tls]
system_default = tls_default
[tls_default]
VerifyCAFile = {ca}
VerifyCAPath = {folder}
MinProtocol = TLSv1
CipherString = DEFAULT:@SECLEVEL=0
"""
    )
    names = ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "PIP_CERT", "AWS_CA_BUNDLE")
    return {
        **dict.fromkeys(names, str(ca)),
        "SSL_CERT_DIR": str(folder),
        "OPENSSL_CONF": str(configuration),
        "PYTHONHTTPSVERIFY": "0",
    }


@pytest.fixture
def doubting(tmp_path: Path) -> dict[str, str]:
    """Every variable that would make it not believed."""
    other = tmp_path / "other.pem"
    trustme.CA().cert_pem.write_to_path(str(other))
    names = ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")
    return {**dict.fromkeys(names, str(other)), "SSL_CERT_DIR": str(tmp_path / "missing")}


@pytest.fixture
def server() -> Iterator[HostileServer]:
    with HostileServer(tls=True, identities=("notary.test", "localhost"), answers={TARGET: reply(BODY)}) as listening:
        yield listening


def test_no_variable_makes_an_authority_believed(server: HostileServer, believing: dict[str, str]) -> None:
    for name, value in believing.items():
        assert run({name: value}, url=server.url) == "tls", name
    assert run(believing, url=server.url) == "tls"
    assert not server.requests
    assert obeys({"REQUESTS_CA_BUNDLE": believing["REQUESTS_CA_BUNDLE"]}, server.url + TARGET)


def test_no_variable_makes_a_given_authority_doubted(server: HostileServer, ca: Path, doubting: dict[str, str]) -> None:
    assert run(doubting, url=server.url, ca=str(ca)) == "ok"


def test_no_variable_makes_old_tls_good_enough(ca: Path, believing: dict[str, str]) -> None:
    with (
        pytest.warns(DeprecationWarning, match="TLSv1_1"),
        HostileServer(tls=True, newest_tls=ssl.TLSVersion.TLSv1_1) as old,
    ):
        assert run(believing, url=old.url, ca=str(ca)) == "tls"


def test_no_key_is_logged(server: HostileServer, ca: Path, tmp_path: Path) -> None:
    log = tmp_path / "keys.log"
    assert run({"SSLKEYLOGFILE": str(log)}, url=server.url, ca=str(ca)) == "ok"
    assert not log.exists()


PROXY_NAMES = tuple(
    spelled for name in ("http", "https", "all", "ftp", "ws") for spelled in (f"{name}_proxy", f"{name}_proxy".upper())
)


@pytest.mark.parametrize("tls", [False, True], ids=["http", "https"])
def test_no_variable_leads_through_a_proxy(ca: Path, tls: bool) -> None:
    with (
        HostileServer(tls=tls, identities=("no-such-host.invalid",), answers={TARGET: reply(BODY)}) as server,
        ForwardProxy() as proxy,
    ):
        ambient = dict.fromkeys(PROXY_NAMES, f"http://{proxy.address}")
        url = server.url_at("no-such-host.invalid")
        assert run(ambient, url=url, ca=str(ca)) == "unreachable"
        assert not proxy.seen
        assert obeys({**ambient, "REQUESTS_CA_BUNDLE": str(ca)}, url + TARGET)
        proxy.seen.clear()
        given = {"http": proxy.address, "https": proxy.address}
        assert run({}, url=url, ca=str(ca), proxies=given) == "ok"
        assert len(proxy.seen) == 1


def test_no_variable_leads_past_a_given_proxy(server: HostileServer, ca: Path) -> None:
    with ForwardProxy() as proxy:
        ambient = {"NO_PROXY": "*", "no_proxy": "*", "HTTPS_PROXY": "", "https_proxy": "http://127.0.0.1:1"}
        given = {"https": f"http://{proxy.address}"}
        assert run(ambient, url=server.url_at("notary.test"), ca=str(ca), proxies=given) == "ok"
        assert len(proxy.seen) == 1


def test_no_login_comes_from_the_home_directory(server: HostileServer, ca: Path, tmp_path: Path) -> None:
    home = tmp_path / "home"
    (home / ".docker").mkdir(parents=True)
    for name in (".netrc", "_netrc"):
        (home / name).write_text("machine localhost login alice password s3cret\ndefault login alice password s3cret\n")
        (home / name).chmod(0o600)
    login = basic("alice", "s3cret").removeprefix("Basic ")
    (home / ".docker" / "config.json").write_text(json.dumps({"auths": {"registry.test": {"auth": login}}}))
    server.answers[TARGET] = for_authorization(basic("alice", "s3cret"), reply(BODY), unauthorised("Basic realm=x"))
    ambient = {
        "HOME": str(home),
        "NETRC": str(home / ".netrc"),
        "DOCKER_CONFIG": str(home / ".docker"),
        "NOTARY_AUTH": login,
        "DOCKER_AUTH_CONFIG": (home / ".docker" / "config.json").read_text(),
    }
    assert run(ambient, url=server.url, ca=str(ca)) == "access_denied"
    assert [request.headers.get("authorization") for request in server.requests] == [None]
    assert obeys({**ambient, "REQUESTS_CA_BUNDLE": str(ca)}, server.url + TARGET)


def test_all_of_it_together_changes_nothing(
    server: HostileServer, ca: Path, doubting: dict[str, str], believing: dict[str, str], tmp_path: Path
) -> None:
    ambient = {
        **believing,
        **doubting,
        **dict.fromkeys(PROXY_NAMES, "http://127.0.0.1:1"),
        "NO_PROXY": "",
        "SSLKEYLOGFILE": str(tmp_path / "keys.log"),
        "HOME": str(tmp_path),
        "NETRC": str(tmp_path / "missing"),
        "REQUESTS_METHOD": "x",
        "REQUEST_METHOD": "GET",
    }
    assert run(ambient, url=server.url, ca=str(ca)) == "ok"
    assert not (tmp_path / "keys.log").exists()
