from pathlib import Path

import pytest

from imgsig.errors import UsageError
from imgsig.transport import Server


def test_the_url_is_normalised_and_its_path_is_kept() -> None:
    assert Server("HTTPS://Notary.Example.com:443/prefix/").url == "https://notary.example.com/prefix"


def test_servers_with_the_same_settings_are_equal() -> None:
    assert Server("https://a.test/") == Server("https://A.test", ca_file=None)
    assert hash(Server("https://a.test/")) == hash(Server("https://a.test"))
    assert Server("https://a.test") != Server("https://a.test", ca_file="ca.pem")


def test_all_ca_files_are_listed() -> None:
    server = Server("https://a.test", ca_file=Path("one.pem"), extra_ca_files=("two.pem",))
    assert server.ca_files == ("one.pem", "two.pem")
    assert Server("https://a.test").ca_files == ()


def test_a_client_certificate_is_a_pair_of_files() -> None:
    assert Server("https://a.test", client_certificate=(Path("c.pem"), "k.pem")).client_pair == ("c.pem", "k.pem")
    assert Server("https://a.test").client_pair is None
    with pytest.raises(UsageError, match="must be a pair"):
        Server("https://a.test", client_certificate=("c.pem",))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "url",
    ["a.test", "ftp://a.test", "https://u:p@a.test", "https://a.test?x=1", "https://a.test?", "https://a.test/#x", ""],
)
def test_another_kind_of_url_is_a_usage_error(url: str) -> None:
    with pytest.raises(UsageError, match="server: "):
        Server(url)


@pytest.mark.parametrize("host", ["https://auth.test", "auth.test:443", "auth test", ""])
def test_a_token_host_is_a_host_alone(host: str) -> None:
    with pytest.raises(UsageError, match="token_hosts: "):
        Server("https://a.test", token_hosts=(host,))


@pytest.mark.parametrize(
    ("registry", "hosts"),
    [
        ("registry.test", {"notary.test", "registry.test", "auth.other"}),
        ("Registry.test:5000", {"notary.test", "registry.test", "auth.other"}),
        ("docker.io", {"notary.test", "docker.io", "auth.docker.io", "auth.other"}),
        ("[::1]:5000", {"notary.test", "::1", "auth.other"}),
        ("no registry", {"notary.test", "auth.other"}),
        ("", {"notary.test", "auth.other"}),
    ],
)
def test_tokens_come_from_the_server_the_registry_or_a_listed_host(registry: str, hosts: set[str]) -> None:
    assert Server("https://notary.test:4443", token_hosts=("Auth.Other",)).realm_hosts(registry) == hosts
