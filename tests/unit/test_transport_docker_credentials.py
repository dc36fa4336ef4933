import json
import os
import pickle
import threading
from collections.abc import Mapping
from pathlib import Path

import pytest

from imgsig.codes import Code
from imgsig.errors import InconclusiveError, UsageError
from imgsig.limits import Deadline, Limits
from imgsig.transport import Credential
from imgsig.transport.docker_config import DockerConfig
from imgsig.transport.docker_credentials import DOCKER_HUB, KEPT_SECONDS, DockerCredentials

ALICE = Credential("alice", "s3cret")
ANSWER = json.dumps({"ServerURL": "https://registry.test", "Username": "alice", "Secret": "s3cret"})


def install(folder: Path, script: str, name: str = "fake") -> str:
    """Write a credential helper into `folder` and return the folder as a PATH."""
    program = folder / f"docker-credential-{name}"
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o700)
    return str(folder)


def helped(
    path: str, *, environment: Mapping[str, str] | None = None, limits: Limits | None = None
) -> DockerCredentials:
    config = DockerConfig(auths={}, helpers={}, store="fake")
    return DockerCredentials(config, path=path, environment=environment, limits=limits)


def ask(credentials: DockerCredentials, registry: str = "registry.test", seconds: float = 10) -> Credential | None:
    return credentials.for_registry(registry, deadline=Deadline(seconds))


def from_file(**auths: Credential) -> DockerCredentials:
    return DockerCredentials(DockerConfig(auths=auths, helpers={}, store=""))


def test_a_login_in_the_file_is_found_by_its_registry() -> None:
    credentials = from_file(**{"registry.test:5000": ALICE})
    assert ask(credentials, "registry.test:5000") is ALICE
    assert ask(credentials, "registry.test") is None


@pytest.mark.parametrize("key", ["https://registry.test", "http://registry.test/v1/", "registry.test/v2"])
def test_a_key_spelled_as_a_url_is_understood(key: str) -> None:
    assert ask(from_file(**{key: ALICE})) is ALICE


def test_the_login_of_docker_hub_has_the_key_that_docker_gives_it() -> None:
    assert ask(from_file(**{DOCKER_HUB: ALICE}), "docker.io") is ALICE
    assert ask(from_file(**{"docker.io": ALICE}), "docker.io") is None


def test_a_helper_is_asked_for_the_address_on_its_input(tmp_path: Path) -> None:
    path = install(tmp_path, f'[ "$1" = get ] && [ "$(cat)" = registry.test ] && printf %s \'{ANSWER}\'')
    assert ask(helped(path)) == ALICE


def test_a_helper_for_one_registry_is_asked_instead_of_file_and_store(tmp_path: Path) -> None:
    path = install(tmp_path, f"printf %s '{ANSWER}'", "one")
    config = DockerConfig(auths={"registry.test": Credential("bob", "x")}, helpers={"registry.test": "one"}, store="no")
    assert ask(DockerCredentials(config, path=path)) == ALICE


def test_docker_hub_is_asked_for_by_its_old_address(tmp_path: Path) -> None:
    path = install(tmp_path, f"[ \"$(cat)\" = {DOCKER_HUB} ] && printf %s '{ANSWER}'")
    assert ask(helped(path), "docker.io") == ALICE


def test_the_user_token_means_an_identity_token(tmp_path: Path) -> None:
    path = install(tmp_path, """printf %s '{"Username":"<token>","Secret":"refresh"}'""")
    assert ask(helped(path)) == Credential(identity_token="refresh")


def test_a_helper_without_the_login_is_no_failure(tmp_path: Path) -> None:
    path = install(tmp_path, "echo credentials not found in native keychain; exit 1")
    assert ask(helped(path)) is None


@pytest.mark.parametrize(
    ("script", "why"),
    [
        ("echo s3cret; exit 1", "failed with status 1"),
        ("kill -9 $$", "failed with status -9"),
        ("echo credentials not found in native keychain", "did not answer with JSON"),
        ("echo s3cret", "did not answer with JSON"),
        ("true", "did not answer with JSON"),
        ("echo '[]'", "did not answer with Username and Secret"),
        ("""echo '{"Username":"s3cret"}'""", "did not answer with Username and Secret"),
        ("""echo '{"Username":"","Secret":"s3cret"}'""", "did not answer with Username and Secret"),
        ("""echo '{"Username":["s3cret"],"Secret":7}'""", "did not answer with Username and Secret"),
    ],
)
def test_a_helper_that_fails_is_no_missing_login_and_shows_nothing(tmp_path: Path, script: str, why: str) -> None:
    with pytest.raises(InconclusiveError, match=why) as raised:
        ask(helped(install(tmp_path, script)))
    assert raised.value.code is Code.ACCESS_DENIED
    assert "s3cret" not in str(raised.value)


def test_a_helper_that_answers_without_reading_is_understood(tmp_path: Path) -> None:
    path = install(tmp_path, f"exec 0<&-\nprintf %s '{ANSWER}'")
    assert ask(helped(path)) == ALICE


def test_a_helper_that_writes_without_end_is_stopped(tmp_path: Path) -> None:
    path = install(tmp_path, "while :; do echo xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx; done")
    with pytest.raises(InconclusiveError, match="wrote more than 1000 bytes") as raised:
        ask(helped(path, limits=Limits(max_helper_bytes=1000)))
    assert raised.value.code is Code.ACCESS_DENIED


@pytest.mark.parametrize(
    "script",
    [
        "sleep 30",
        "exec >&-\nsleep 30",
        "sleep 30 &\nexit 0",
        "trap '' TERM\nsleep 30",
        "while :; do printf x; sleep 0.05; done",
    ],
)
def test_a_helper_that_is_late_is_killed_with_what_it_has_started(tmp_path: Path, script: str) -> None:
    pid_file = tmp_path / "pid"
    path = install(tmp_path, f"echo $$ > {pid_file}\n{script}")
    with pytest.raises(InconclusiveError) as raised:
        ask(helped(path, environment={"PATH": os.defpath}), seconds=0.4)
    assert raised.value.code is Code.DEADLINE
    with pytest.raises(ProcessLookupError):
        os.kill(int(pid_file.read_text()), 0)


def test_a_deadline_that_has_passed_starts_nothing(tmp_path: Path) -> None:
    path = install(tmp_path, f"touch {tmp_path}/started")
    now = [0.0]
    deadline = Deadline(1, clock=lambda: now[0])
    now[0] = 2.0
    with pytest.raises(InconclusiveError) as raised:
        helped(path).for_registry("registry.test", deadline=deadline)
    assert raised.value.code is Code.DEADLINE
    assert not (tmp_path / "started").exists()


def test_a_helper_is_found_in_absolute_folders_only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    install(tmp_path, f"printf %s '{ANSWER}'")
    monkeypatch.chdir(tmp_path)
    for path in ("", ".", os.pathsep, f"relative{os.pathsep}.", str(tmp_path / "missing")):
        with pytest.raises(InconclusiveError, match="docker-credential-fake is not in PATH") as raised:
            ask(helped(path))
        assert raised.value.code is Code.ACCESS_DENIED
    assert ask(helped(f".{os.pathsep}{tmp_path}")) == ALICE


def test_what_cannot_be_run_is_passed_over_or_said(tmp_path: Path) -> None:
    (tmp_path / "docker-credential-fake").mkdir()
    with pytest.raises(InconclusiveError, match="is not in PATH"):
        ask(helped(str(tmp_path)))
    (tmp_path / "docker-credential-fake").rmdir()
    install(tmp_path, "")
    (tmp_path / "docker-credential-fake").write_text("#!/nowhere/at/all\n")
    with pytest.raises(InconclusiveError, match="cannot be started: No such file") as raised:
        ask(helped(str(tmp_path)))
    assert raised.value.code is Code.ACCESS_DENIED


def test_a_helper_gets_the_environment_that_was_given_and_no_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("IMGSIG_TEST_LEAK", "leaked")
    script = f"""env > {tmp_path}/env; pwd > {tmp_path}/pwd; printf %s '{ANSWER}'"""
    ask(helped(install(tmp_path, script), environment={"HOME": "/home/alice", "PATH": os.defpath}))
    seen = dict(line.split("=", 1) for line in (tmp_path / "env").read_text().splitlines())
    assert {name for name in seen if name not in {"PWD", "SHLVL", "_", "OLDPWD"}} == {"HOME", "PATH"}
    assert seen["HOME"] == "/home/alice"
    assert (tmp_path / "pwd").read_text().strip() == "/"


def test_a_helpers_answer_serves_for_a_while(tmp_path: Path) -> None:
    path = install(tmp_path, f"echo >> {tmp_path}/runs; printf %s '{ANSWER}'")
    now = [1000.0]
    config = DockerConfig(auths={}, helpers={}, store="fake")
    credentials = DockerCredentials(config, path=path, clock=lambda: now[0])
    for _ in range(3):
        assert ask(credentials) == ALICE
    assert (tmp_path / "runs").read_text() == "\n"
    now[0] += KEPT_SECONDS
    assert ask(credentials) == ALICE
    assert (tmp_path / "runs").read_text() == "\n\n"


def test_a_failure_is_not_kept(tmp_path: Path) -> None:
    credentials = helped(install(tmp_path, "exit 1"))
    with pytest.raises(InconclusiveError):
        ask(credentials)
    install(tmp_path, f"printf %s '{ANSWER}'")
    assert ask(credentials) == ALICE


def test_logins_are_not_shown(tmp_path: Path) -> None:
    credentials = helped(install(tmp_path, f"printf %s '{ANSWER}'"))
    ask(credentials)
    assert repr(credentials) == "DockerCredentials()"


def test_threads_may_ask_at_once(tmp_path: Path) -> None:
    credentials = helped(install(tmp_path, f"printf %s '{ANSWER}'"))
    found: list[Credential | None] = []
    threads = [threading.Thread(target=lambda: found.append(ask(credentials))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [ALICE] * 8


def test_logins_are_loaded_from_dockers_file(tmp_path: Path) -> None:
    file = tmp_path / "config.json"
    file.write_text(json.dumps({"auths": {"registry.test": {"username": "alice", "password": "s3cret"}}}))
    credentials = DockerCredentials.load(file)
    assert ask(credentials) == ALICE
    pickled = pickle.dumps(credentials)
    assert b"s3cret" not in pickled
    assert ask(pickle.loads(pickled)) == ALICE  # noqa: S301 - our own bytes


def test_logins_that_were_given_are_not_pickled() -> None:
    with pytest.raises(TypeError, match="not pickled"):
        pickle.dumps(from_file(**{"registry.test": ALICE}))


def test_a_missing_file_is_a_usage_error_that_says_so(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="cannot be read: no such file") as raised:
        DockerCredentials.load(tmp_path / "config.json")
    assert isinstance(raised.value.__cause__, FileNotFoundError)
