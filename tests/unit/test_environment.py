"""What the user has set up around the process, taken from a mapping; nothing else is looked at."""

import json
import os
import re
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

import imgsig
from imgsig.environment import Environment, default_verifier, read_environment, verify
from imgsig.errors import PolicyError, UsageError
from imgsig.limits import Deadline
from imgsig.transport.addresses import parse_address
from imgsig.transport.docker_credentials import DockerCredentials
from tests.support.command import Desk
from tests.support.repository import NAME, SignedRepository
from tests.support.static_server import StaticServer

RULE = '[[rule]]\nnames = ["registry.example.com/**"]\n[rule.notary]\nfirst-use = true\n'
NAMED = '[[rule]]\nnames = ["ghcr.io/**"]\n[rule.notary]\nserver = "https://named.example.com"\nfirst-use = true\n'


class Watched(Mapping[str, str]):
    """A mapping that notes which of its variables are looked at one by one."""

    def __init__(self, variables: dict[str, str]) -> None:
        self._variables = variables
        self.looked_at: set[str] = set()

    def __getitem__(self, name: str) -> str:
        self.looked_at.add(name)
        return self._variables[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._variables)

    def __len__(self) -> int:
        return len(self._variables)


def servers_of(environment: Environment) -> list[str | None]:
    return [section.server for rule in environment.load_policy().rules for section in rule.sections]


# -- where things are -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("variables", "policy", "state"),
    [
        ({"HOME": "/home/u"}, "/home/u/.config/imgsig/policy.toml", "/home/u/.local/state/imgsig"),
        ({"HOME": "/home/u", "XDG_CONFIG_HOME": "/c", "XDG_STATE_HOME": "/s"}, "/c/imgsig/policy.toml", "/s/imgsig"),
        ({"XDG_CONFIG_HOME": "/c", "XDG_STATE_HOME": "/s"}, "/c/imgsig/policy.toml", "/s/imgsig"),
        ({"HOME": "/home/u", "IMGSIG_POLICY": "/p.toml", "IMGSIG_STATE": "/t"}, "/p.toml", "/t"),
        ({"IMGSIG_POLICY": "/p.toml", "IMGSIG_STATE": "/t"}, "/p.toml", "/t"),
    ],
)
def test_policy_and_state_are_where_the_variables_say(variables: dict[str, str], policy: str, state: str) -> None:
    environment = read_environment(variables)
    assert (str(environment.policy_file), str(environment.state_folder)) == (policy, state)


def test_an_empty_or_relative_base_folder_is_as_if_it_were_unset() -> None:
    variables = {"HOME": "/home/u", "XDG_CONFIG_HOME": "", "XDG_STATE_HOME": "relative", "IMGSIG_POLICY": ""}
    environment = read_environment(variables)
    assert str(environment.policy_file) == "/home/u/.config/imgsig/policy.toml"
    assert str(environment.state_folder) == "/home/u/.local/state/imgsig"


@pytest.mark.parametrize("variables", [{}, {"HOME": ""}, {"HOME": "relative"}])
def test_without_a_home_only_named_places_are_known(variables: dict[str, str]) -> None:
    environment = read_environment(variables)
    with pytest.raises(UsageError, match="neither IMGSIG_POLICY, XDG_CONFIG_HOME nor HOME"):
        _ = environment.policy_file
    with pytest.raises(UsageError, match="IMGSIG_STATE"):
        environment.state()
    assert environment.docker_folder is None
    assert environment.credentials() is None
    assert environment.servers() == ()


@pytest.mark.parametrize("variable", ["IMGSIG_POLICY", "IMGSIG_STATE", "DOCKER_CONFIG", "SSL_CERT_FILE"])
def test_what_is_trusted_never_depends_on_the_working_directory(
    variable: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "here").write_text("version = 1\n")
    monkeypatch.chdir(tmp_path)
    environment = read_environment({"HOME": str(tmp_path), variable: "here"})
    with pytest.raises(UsageError, match=f"{variable} must be an absolute path, not 'here'"):
        _ = (environment.policy_file, environment.state_folder, environment.docker_folder, environment.ca_bundle)


def test_only_the_promised_variables_are_looked_at(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    desk.write(RULE)
    watched = Watched(dict(desk.environ))
    Environment(watched).verifier().close()
    Environment(watched).sources(["https://registry.example.com"], logged_in=True).close()
    _ = Environment(watched).wants_color
    assert watched.looked_at <= {
        "IMGSIG_POLICY", "IMGSIG_STATE", "DOCKER_CONFIG", "DOCKER_CONTENT_TRUST_SERVER", "SSL_CERT_FILE", "NO_COLOR",
        "HOME", "PATH", "XDG_CONFIG_HOME", "XDG_STATE_HOME",
        *("http_proxy", "https_proxy", "no_proxy", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY"),
    }


def test_it_shows_none_of_its_variables() -> None:
    assert repr(read_environment({"https_proxy": "http://user:secret@proxy"})) == "Environment()"


def test_the_variables_of_the_process_are_those_at_the_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("IMGSIG_POLICY", "/first")
    environment = read_environment()
    monkeypatch.setenv("IMGSIG_POLICY", "/second")
    assert environment.policy_file == Path("/first")
    assert read_environment().policy_file == Path("/second")


# -- the policy -------------------------------------------------------------------------------------------------------


def test_no_policy_file_is_an_error_that_says_how_to_begin(tmp_path: Path) -> None:
    with pytest.raises(PolicyError, match="there is no such file") as caught:
        read_environment({"HOME": str(tmp_path)}).load_policy()
    assert "imgsig anchor NAME --write" in caught.value.hint


def test_a_default_server_is_for_rules_that_name_none(tmp_path: Path) -> None:
    desk = Desk(tmp_path, DOCKER_CONTENT_TRUST_SERVER="HTTPS://Default.example.com/path/")
    desk.write(RULE + NAMED)
    assert servers_of(read_environment(desk.environ)) == [
        "https://Default.example.com/path", "https://named.example.com",
    ]
    del desk.environ["DOCKER_CONTENT_TRUST_SERVER"]
    assert servers_of(read_environment(desk.environ)) == [None, "https://named.example.com"]


@pytest.mark.parametrize(
    "url", ["http://notary.example.com", "notary.example.com", "https://", "https://me:secret@h", "https://h/?q", "ftp://h"]
)
def test_a_default_server_is_an_https_url_or_an_error_that_does_not_show_it(tmp_path: Path, url: str) -> None:
    desk = Desk(tmp_path, DOCKER_CONTENT_TRUST_SERVER=url)
    desk.write(RULE)
    with pytest.raises(UsageError, match="DOCKER_CONTENT_TRUST_SERVER must be https") as caught:
        read_environment(desk.environ).load_policy()
    assert "secret" not in str(caught.value)


# -- proxies, certificates, logins ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("variables", "proxy"),
    [
        ({}, None),
        ({"https_proxy": "http://low:1"}, "http://low:1"),
        ({"HTTPS_PROXY": "http://up:1"}, "http://up:1"),
        ({"https_proxy": "http://low:1", "HTTPS_PROXY": "http://up:1"}, "http://low:1"),
        ({"https_proxy": "", "HTTPS_PROXY": "http://up:1"}, "http://up:1"),
        ({"http_proxy": "http://low:1", "ALL_PROXY": "http://all:1"}, None),
        ({"https_proxy": "http://low:1", "no_proxy": "other.example.com, example.com"}, None),
        ({"https_proxy": "http://low:1", "NO_PROXY": "*"}, None),
        ({"https_proxy": "http://low:1", "NO_PROXY": "example.org"}, "http://low:1"),
    ],
)
def test_proxies_are_those_of_the_variables_in_either_case(variables: dict[str, str], proxy: str | None) -> None:
    proxies = read_environment(variables).proxies()
    assert proxies.proxy_for(parse_address("https://notary.example.com")) == proxy


def test_a_wrong_proxy_is_an_error() -> None:
    with pytest.raises(UsageError, match="https proxy"):
        read_environment({"https_proxy": "socks5://proxy:1080"}).proxies()


def test_the_ca_bundle_is_the_one_named() -> None:
    assert read_environment({"SSL_CERT_FILE": "/etc/ca.pem"}).ca_bundle == "/etc/ca.pem"
    assert read_environment({}).ca_bundle is None


def test_colours_are_wanted_unless_the_user_says_no() -> None:
    assert read_environment({}).wants_color
    assert read_environment({"NO_COLOR": ""}).wants_color
    assert not read_environment({"NO_COLOR": "1"}).wants_color


@pytest.mark.parametrize("place", [".docker", "elsewhere"])
def test_logins_are_those_that_docker_keeps(tmp_path: Path, place: str) -> None:
    folder = tmp_path / place
    folder.mkdir()
    (folder / "config.json").write_text('{"auths": {"registry.example.com": {"auth": "bWU6c2VjcmV0"}}}')
    variables = {"HOME": str(tmp_path), **({} if place == ".docker" else {"DOCKER_CONFIG": str(folder)})}
    credentials = read_environment(variables).credentials()
    assert credentials is not None
    login = credentials.for_registry("registry.example.com", deadline=Deadline(5))
    assert login is not None
    assert (login.username, login.password) == ("me", "secret")


def test_without_a_docker_configuration_there_are_no_logins(tmp_path: Path) -> None:
    assert read_environment({"HOME": str(tmp_path)}).credentials() is None
    assert read_environment({"DOCKER_CONFIG": str(tmp_path / "no")}).credentials() is None


def test_a_docker_configuration_that_cannot_be_read_is_an_error(tmp_path: Path) -> None:
    (tmp_path / ".docker" / "config.json").mkdir(parents=True)
    with pytest.raises(UsageError, match=r"config\.json"):
        read_environment({"HOME": str(tmp_path)}).credentials()
    with pytest.raises(UsageError, match=r"config\.json"):
        DockerCredentials.load(tmp_path / "no.json")


def test_a_credential_helper_is_sought_in_path_and_gets_the_user_s_variables(tmp_path: Path) -> None:
    helper = tmp_path / "bin" / "docker-credential-mine"
    helper.parent.mkdir()
    helper.write_text('#!/bin/sh\nprintf \'{"Username": "%s", "Secret": "%s"}\' "$MY_USER" "$HOME"\n')
    helper.chmod(0o700)
    (tmp_path / ".docker").mkdir()
    (tmp_path / ".docker" / "config.json").write_text(json.dumps({"credsStore": "mine"}))
    variables = {"HOME": str(tmp_path), "PATH": f"{helper.parent}:/usr/bin:/bin", "MY_USER": "me"}
    credentials = read_environment(variables).credentials()
    assert credentials is not None
    login = credentials.for_registry("registry.example.com", deadline=Deadline(20))
    assert login is not None
    assert (login.username, login.password) == ("me", str(tmp_path))


def test_docker_s_tls_folders_are_those_of_servers(tmp_path: Path) -> None:
    folder = tmp_path / ".docker" / "tls" / "notary.example.com:4443"
    folder.mkdir(parents=True)
    (folder / "ca.crt").write_text("")
    (server,) = read_environment({"HOME": str(tmp_path)}).servers()
    assert server.url == "https://notary.example.com:4443"
    assert server.ca_files == (str(folder / "ca.crt"),)


# -- the two doors ----------------------------------------------------------------------------------------------------


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Desk:
    """The home of the user who runs this process."""
    for variable in list(os.environ):
        if re.match(r"IMGSIG_|DOCKER_|XDG_|SSL_|.*_proxy$", variable, re.IGNORECASE) and variable != "IMGSIG_CORPUS":
            monkeypatch.delenv(variable)
    monkeypatch.setenv("HOME", str(tmp_path))
    return Desk(tmp_path)


def test_verify_is_by_the_user_s_own_configuration(desk: Desk) -> None:
    repository = SignedRepository()
    with StaticServer() as server:
        desk.trust(repository, server.add("r", repository))
        image = verify(f"{NAME}:1.0")
        assert image.digest == repository.digest("1.0")
        assert imgsig.verify(NAME).digest == repository.digest("latest")
    assert desk.files()


def test_a_default_verifier_serves_many_references(desk: Desk) -> None:
    repository = SignedRepository()
    with StaticServer() as server:
        desk.trust(repository, server.add("r", repository))
        with default_verifier() as verifier:
            assert verifier.verify(f"{NAME}:1.0").digest == repository.digest("1.0")
            with pytest.raises(imgsig.RejectedError):
                verifier.verify(f"{NAME}:9")
            with pytest.raises(imgsig.NoPolicyError):
                verifier.verify("alpine")


def test_without_configuration_nothing_is_verified(desk: Desk) -> None:
    with pytest.raises(imgsig.PolicyError, match="there is no such file"):
        verify(NAME)
