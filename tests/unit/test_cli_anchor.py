"""``imgsig anchor``: what is offered is shown, and pinned when the user says so; nobody else's rule is touched."""

import base64
import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from imgsig.policy import Policy
from tests.support.command import Desk
from tests.support.hostile import HostileServer, basic, for_authorization, reply, unauthorised, write_ca
from tests.support.repository import NAME, SignedRepository
from tests.support.root_certificates import CertificateForm, root_key
from tests.support.signing import bare
from tests.support.static_server import StaticServer

OTHER_RULE = """\
# A comment that stays.
version=1

[[rule]]   # so does this
names = [ 'ghcr.io/**' ]
exempt = "elsewhere"
"""


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)


@pytest.fixture(scope="module")
def server() -> Iterator[StaticServer]:
    with StaticServer() as running:
        yield running


@pytest.fixture
def repository() -> SignedRepository:
    return SignedRepository()


@pytest.fixture
def url(server: StaticServer, repository: SignedRepository) -> str:
    return server.add("r", repository)


def pins(policy: Path) -> list[tuple[str, ...]]:
    text = Policy.load(policy).rules[-1].sections[0].to_items()["root-keys"]
    assert isinstance(text, tuple)
    return [text]


def key_id(repository: SignedRepository) -> str:
    return bare(repository.signers["root"][0].private).id


# -- showing ----------------------------------------------------------------------------------------------------------


def test_keys_are_shown_on_stdout_with_a_warning_on_stderr(desk: Desk, url: str, repository: SignedRepository) -> None:
    ran = desk.run("anchor", f"{NAME}:some-tag", "--server", url)
    assert ran.status == 0
    shown = dict(line.split(maxsplit=1) for line in ran.lines if line)
    assert shown["name"] == NAME
    assert shown["server"] == url
    assert shown["certificate"] == repository.root_key_ids[0]
    assert shown["subject"] == f"CN={NAME}"
    assert shown["valid"] == "2020-01-01 to 2120-01-01"
    assert f"key id       {key_id(repository)}" in ran.lines
    assert len(shown["sha256"].split(":")) == 32
    assert ran.said[0].startswith("imgsig: warning: nothing shows whose keys these are")
    assert "--write FILE" in ran.said[1]
    assert not desk.state.exists()


def test_keys_are_shown_as_json(desk: Desk, url: str, repository: SignedRepository) -> None:
    (root,) = desk.run("anchor", NAME, "--server", url, "--json").values
    assert root["name"] == NAME
    assert [key["key_id"] for key in root["keys"]] == [key_id(repository)]
    assert root["written"] is None


def test_what_others_wrote_cannot_command_a_terminal(desk: Desk, server: StaticServer) -> None:
    name = "registry.example.com/team/app"
    repository = SignedRepository(name)
    evil = "registry.example.com/\x1b[2J\u202e*"
    repository.list_keys("root", repository.signers["root"][0], root_key(evil, "p256", "evil"))
    repository.publish()
    for words in (("--json",), ()):
        ran = desk.run("anchor", name, "--server", server.add("evil", repository), *words)
        assert ran.status == 0
        assert all(line.isprintable() for line in (*ran.lines, *ran.said))


BAD: dict[str, tuple[Callable[[SignedRepository], object], int, str]] = {
    "unsigned": (lambda r: r.drop("root"), 10, "no trust data"),
    "outage": (lambda r: r.fail("root"), 11, "503"),
    "tampered": (lambda r: r.tamper("root", lambda body: body.replace(b'"version":1', b'"version":7')), 10, "sign"),
    "empty": (lambda r: r.tamper("root", lambda _: b"{}"), 10, "root"),
}


@pytest.mark.parametrize("what", BAD)
def test_what_cannot_be_shown_is_said_in_one_line_and_nothing_is_written(
    desk: Desk, url: str, repository: SignedRepository, what: str
) -> None:
    bend, status, told = BAD[what]
    bend(repository)
    ran = desk.run("anchor", NAME, "--server", url, "--write", desk.policy)
    assert (ran.status, ran.out) == (status, "")
    problem, hint = ran.said
    assert told in problem
    assert hint.startswith("hint: ")
    assert not desk.policy.parent.exists()


def test_a_name_that_is_none_is_wrong_usage(desk: Desk, url: str) -> None:
    ran = desk.run("anchor", "Not/A/Name", "--server", url)
    assert (ran.status, ran.out, len(ran.said)) == (2, "", 2)


@pytest.mark.parametrize("url", ["notary.example.com", "ftp://notary.example.com", "https://me:secret@notary.example.com"])
def test_a_server_that_is_no_url_is_wrong_usage_and_is_not_shown(desk: Desk, url: str) -> None:
    ran = desk.run("anchor", NAME, "--server", url)
    assert ran.status == 2
    assert ran.said[0].startswith("imgsig: --server must be https://")
    assert "secret" not in ran.err


# -- writing ----------------------------------------------------------------------------------------------------------


def test_the_first_rule_makes_the_file_and_its_folders(desk: Desk, url: str, repository: SignedRepository) -> None:
    ran = desk.run("anchor", NAME, "--server", url, "--write", desk.policy)
    assert ran.status == 0
    assert ran.said[-1] == f"imgsig: {desk.policy} has a rule now that trusts them for {NAME}"
    assert pins(desk.policy) == [(key_id(repository),)]
    assert desk.run("verify", NAME).lines == [f"{NAME}@{repository.digest('latest')}"]
    assert [path.name for path in desk.policy.parent.iterdir()] == ["policy.toml"]


def test_the_written_rule_outlives_a_renewed_certificate(desk: Desk, server: StaticServer) -> None:
    repository = SignedRepository()
    desk.run("anchor", NAME, "--server", server.add("renewed", repository), "--write", desk.policy)
    before = repository.root_key_ids
    repository.rotate("root", root_key(NAME, "p256", form=CertificateForm(common_name=NAME, serial=2)))
    repository.publish()
    assert repository.root_key_ids != before
    assert desk.run("verify", NAME).status == 0


@pytest.mark.parametrize("ending", ["", "\n", "\r\n\r\n", "# the end"])
def test_a_rule_is_added_after_what_is_there_byte_for_byte(desk: Desk, url: str, tmp_path: Path, ending: str) -> None:
    file = tmp_path / "policy.toml"
    before = (OTHER_RULE.rstrip("\n") + ending).encode()
    file.write_bytes(before)
    file.chmod(0o640)
    assert desk.run("anchor", NAME, "--server", url, "--write", file).status == 0
    assert file.read_bytes().startswith(before)
    assert file.stat().st_mode & 0o777 == 0o640
    assert [rule.names for rule in Policy.load(file).rules] == [("ghcr.io/**",), (NAME,)]


def test_a_link_to_the_policy_stays_one(desk: Desk, url: str, tmp_path: Path) -> None:
    file, link = tmp_path / "policy.toml", tmp_path / "link.toml"
    file.write_text(OTHER_RULE)
    link.symlink_to(file)
    assert desk.run("anchor", NAME, "--server", url, "--write", link).status == 0
    assert link.is_symlink()
    assert len(Policy.load(file).rules) == 2


@pytest.mark.parametrize("pattern", [NAME, "registry.example.com/team/*", "registry.example.com/**"])
def test_a_name_that_has_a_rule_gets_no_other_and_nothing_is_asked(
    desk: Desk, url: str, repository: SignedRepository, tmp_path: Path, pattern: str
) -> None:
    file = tmp_path / "policy.toml"
    file.write_text(f'version = 1\n[[rule]]\nnames = ["{pattern}"]\nexempt = "x"\n')
    before = file.read_bytes()
    ran = desk.run("anchor", NAME, "--server", url, "--write", file)
    assert (ran.status, ran.out) == (2, "")
    assert f"has a rule for {NAME} already: {pattern}" in ran.said[0]
    assert file.read_bytes() == before
    assert repository.requests == []


@pytest.mark.parametrize(
    "text",
    [
        "version = 2\n",
        "not toml",
        "version = 1\nrule = []\n",
        'version = 1\nrule = [{names = ["a.b/c"], exempt = "x"}]\n',
    ],
)
def test_a_file_to_which_no_rule_can_be_added_stays_as_it_is(desk: Desk, url: str, tmp_path: Path, text: str) -> None:
    file = tmp_path / "policy.toml"
    file.write_text(text)
    ran = desk.run("anchor", NAME, "--server", url, "--write", file)
    assert ran.status == 2
    assert ran.said[-1].startswith("hint: ")
    assert file.read_text() == text


def test_a_file_that_cannot_be_written_is_wrong_usage(desk: Desk, url: str, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    for place in (tmp_path / "file" / "policy.toml", tmp_path):
        ran = desk.run("anchor", NAME, "--server", url, "--write", place)
        assert (ran.status, len(ran.said)) == (2, 2)


@pytest.mark.skipif(not Path("/proc/self").exists(), reason="there is no /proc")
def test_a_file_that_cannot_be_made_is_wrong_usage(desk: Desk, url: str) -> None:
    ran = desk.run("anchor", NAME, "--server", url, "--write", "/proc/imgsig/policy.toml")
    assert (ran.status, ran.out, len(ran.said)) == (2, "", 2)
    assert "'/proc/imgsig/policy.toml' cannot be written" in ran.said[0]


def test_a_mirror_is_written_with_the_name_that_is_signed(desk: Desk, url: str, tmp_path: Path) -> None:
    desk.write(
        f'[[rule]]\nnames = ["mirror.example.com/app"]\nsigned-as = "{NAME}"\n'
        f'[rule.notary]\nserver = "{url}"\nfirst-use = true\n'
    )
    file = tmp_path / "new.toml"
    assert desk.run("anchor", "mirror.example.com/app", "--write", file).status == 0
    assert desk.run("verify", "--policy", file, "mirror.example.com/app:1.0").status == 0


# -- whom it asks, and with which login -------------------------------------------------------------------------------


@pytest.fixture
def guarded(desk: Desk) -> Iterator[HostileServer]:
    """A registry that is its own trust server, speaks TLS with a private CA, and demands a login that docker keeps."""
    with HostileServer(tls=True) as running:
        name = f"localhost:{running.port}/team/app"
        root = SignedRepository(name).files["root.json"]
        running.answers[f"/v2/{name}/_trust/tuf/root.json"] = for_authorization(
            basic("me", "secret"), reply(root), unauthorised('Basic realm="r"')
        )
        folder = desk.folder / ".docker" / "tls" / f"localhost:{running.port}"
        folder.mkdir(parents=True)
        write_ca(folder).rename(folder / "ca.crt")
        logins = {f"localhost:{running.port}": {"auth": base64.b64encode(b"me:secret").decode()}}
        (desk.folder / ".docker" / "config.json").write_text(json.dumps({"auths": logins}))
        yield running


def test_without_a_rule_and_without_a_named_server_no_login_is_sent(desk: Desk, guarded: HostileServer) -> None:
    ran = desk.run("anchor", f"localhost:{guarded.port}/team/app")
    assert (ran.status, ran.out) == (11, "")
    assert guarded.requests
    assert all("authorization" not in request.headers for request in guarded.requests)


def test_to_a_named_server_the_login_is_sent(desk: Desk, guarded: HostileServer) -> None:
    ran = desk.run("anchor", f"localhost:{guarded.port}/team/app", "--server", guarded.url)
    assert ran.status == 0, ran.err
    assert guarded.requests[-1].headers["authorization"] == basic("me", "secret")


def test_to_a_rule_s_server_the_login_is_sent(desk: Desk, guarded: HostileServer) -> None:
    name = f"localhost:{guarded.port}/team/app"
    desk.write(f'[[rule]]\nnames = ["{name}"]\n[rule.notary]\nfirst-use = true\n')
    assert desk.run("anchor", name).status == 0
    assert desk.run("anchor", name, "--policy", desk.policy).status == 0


def test_the_rule_leaves_out_a_server_that_the_name_tells(desk: Desk, guarded: HostileServer, tmp_path: Path) -> None:
    name, file = f"localhost:{guarded.port}/team/app", tmp_path / "policy.toml"
    assert desk.run("anchor", name, "--server", guarded.url, "--write", file).status == 0
    assert Policy.load(file).rules[0].sections[0].server is None


def test_the_user_s_default_server_is_asked_where_no_rule_names_one(desk: Desk, guarded: HostileServer) -> None:
    desk.environ["DOCKER_CONTENT_TRUST_SERVER"] = guarded.url
    ran = desk.run("anchor", "registry.example.com/no/such")
    assert ran.status == 11
    assert [request.path for request in guarded.requests] == ["/v2/registry.example.com/no/such/_trust/tuf/root.json"]


def test_a_policy_that_is_named_must_be_there(desk: Desk, tmp_path: Path) -> None:
    ran = desk.run("anchor", NAME, "--policy", tmp_path / "no.toml")
    assert (ran.status, len(ran.said)) == (2, 2)


def test_a_rule_that_only_exempts_names_no_server(desk: Desk, guarded: HostileServer) -> None:
    name = f"localhost:{guarded.port}/team/app"
    desk.write(f'[[rule]]\nnames = ["{name}"]\nexempt = "x"\n')
    assert desk.run("anchor", name).status == 11
    assert all("authorization" not in request.headers for request in guarded.requests)
