"""Docker's ``tls/HOST[:PORT]`` folders: which files belong to which server."""

from pathlib import Path

import pytest

from imgsig.errors import UsageError
from imgsig.transport.docker_tls import load_docker_servers
from imgsig.transport.tls import load_context


def folder(tmp_path: Path, host: str, *files: str) -> Path:
    made = tmp_path / host
    made.mkdir(parents=True)
    for name in files:
        (made / name).write_text("")
    return made


def test_no_folder_says_nothing_of_any_server(tmp_path: Path) -> None:
    assert load_docker_servers(tmp_path / "tls", ["https://notary.example.com"]) == ()


def test_crt_files_are_believed_for_the_server_of_the_folder(tmp_path: Path) -> None:
    made = folder(tmp_path, "notary.example.com", "b.crt", "a.crt", "readme.txt", "c.pem")
    (server,) = load_docker_servers(tmp_path, [])
    assert server.url == "https://notary.example.com"
    assert server.ca_files == (str(made / "a.crt"), str(made / "b.crt"))
    assert server.client_pair is None


def test_cert_and_key_are_the_client_s(tmp_path: Path) -> None:
    made = folder(tmp_path, "localhost:4443", "client.cert", "client.key")
    (server,) = load_docker_servers(tmp_path, [])
    assert server.url == "https://localhost:4443"
    assert server.client_pair == (str(made / "client.cert"), str(made / "client.key"))


def test_a_url_with_a_path_has_the_folder_of_its_host(tmp_path: Path) -> None:
    folder(tmp_path, "notary.example.com", "ca.crt")
    found = load_docker_servers(tmp_path, ["https://notary.example.com/trust", "https://other.example.com"])
    assert {server.url for server in found} == {"https://notary.example.com/trust", "https://notary.example.com"}
    assert len({server.ca_files for server in found}) == 1


def test_a_folder_is_named_as_the_url_spells_its_host(tmp_path: Path) -> None:
    folder(tmp_path, "notary.example.com:443", "ca.crt")
    assert load_docker_servers(tmp_path, ["https://notary.example.com:443"])[0].url == "https://notary.example.com"
    folder(tmp_path, "[::1]:4443", "ca.crt")
    assert [server.url for server in load_docker_servers(tmp_path, [])] == [
        "https://[::1]:4443", "https://notary.example.com",
    ]


def test_a_server_without_tls_has_no_certificates(tmp_path: Path) -> None:
    folder(tmp_path, "notary.example.com", "ca.crt")
    assert [server.url for server in load_docker_servers(tmp_path, ["http://notary.example.com"])] == [
        "https://notary.example.com"
    ]


@pytest.mark.parametrize("alone", ["b.cert", "b.key"])
def test_a_missing_partner_is_an_error_once_that_server_is_used(tmp_path: Path, alone: str) -> None:
    folder(tmp_path, "broken.example.com", "a.cert", "a.key", alone)
    (server,) = load_docker_servers(tmp_path, [])
    assert server.client_pair is not None
    with pytest.raises(UsageError, match=r"client certificate '.*b\.cert' (and|or) key '.*b\.key'"):
        load_context(client_certificate=server.client_pair)


@pytest.mark.parametrize("name", ["..", ".hidden folder", "a b", "user@host", "host?q"])
def test_a_folder_that_is_named_after_no_host_is_passed_over(tmp_path: Path, name: str) -> None:
    if name != "..":
        folder(tmp_path / "tls", name, "ca.crt")
    (tmp_path / "ca.crt").write_text("")
    assert load_docker_servers(tmp_path / "tls", ["https://.."]) == ()


def test_a_file_in_the_place_of_a_folder_is_passed_over(tmp_path: Path) -> None:
    (tmp_path / "notary.example.com").write_text("")
    assert load_docker_servers(tmp_path, ["https://notary.example.com"]) == ()
    assert load_docker_servers(tmp_path / "notary.example.com", []) == ()


def test_an_empty_folder_says_nothing_of_its_server(tmp_path: Path) -> None:
    folder(tmp_path, "notary.example.com", "readme.txt")
    assert load_docker_servers(tmp_path, []) == ()


def test_a_folder_that_cannot_be_read_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "notary.example.com").symlink_to("notary.example.com")
    with pytest.raises(UsageError, match=r"notary\.example\.com' cannot be read: too many levels"):
        load_docker_servers(tmp_path, [])
