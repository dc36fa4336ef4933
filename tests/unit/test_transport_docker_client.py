"""The Docker client tells its version, or nothing that could be taken for one."""

from pathlib import Path

import pytest

from imgsig.codes import Code
from imgsig.errors import InconclusiveError
from imgsig.limits import Deadline
from imgsig.transport.docker_client import NOT_INSTALLED, fetch_client_version
from imgsig.transport.programs import TooMuchOutputError


def version(folder: Path, script: str, *, seconds: float = 30) -> str:
    """Return what is made of a client that does what `script` says."""
    program = folder / "docker"
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)
    return fetch_client_version(f"{folder}:/usr/bin:/bin", deadline=Deadline(seconds))


def test_the_client_s_version_is_told_although_it_finds_no_daemon(tmp_path: Path) -> None:
    script = 'echo 29.1.3; echo "Cannot connect to the Docker daemon at $DOCKER_HOST" >&2; exit 1'
    assert version(tmp_path, script) == "29.1.3"


def test_it_is_asked_for_its_version_alone_and_told_to_talk_to_no_daemon(tmp_path: Path) -> None:
    script = f'echo "$*|$DOCKER_HOST|${{HOME-none}}" > {tmp_path}/asked; echo 28.2.2'
    assert version(tmp_path, script) == "28.2.2"
    assert (tmp_path / "asked").read_text() == "version --format {{.Client.Version}}|unix:///dev/null|none\n"


@pytest.mark.parametrize(
    ("said", "understood"), [("29.0.0-rc.1", "29.0.0"), ("27.5.1+dfsg", "27.5.1"), ("30", "30"), ("20.10~3", "20.10")]
)
def test_what_follows_the_numbers_is_left_out(tmp_path: Path, said: str, understood: str) -> None:
    assert version(tmp_path, f"echo {said}") == understood


@pytest.mark.parametrize("said", ["", "v29", "<no value>", "29.1.3 extra", "29\n30", "2\uff19"])
def test_what_is_no_version_is_not_taken_for_one(tmp_path: Path, said: str) -> None:
    with pytest.raises(ValueError, match="is no version"):
        version(tmp_path, f"printf '%s' '{said}'")


def test_where_there_is_no_client_there_is_no_version(tmp_path: Path) -> None:
    assert fetch_client_version(str(tmp_path), deadline=Deadline(30)) == NOT_INSTALLED
    assert fetch_client_version("", deadline=Deadline(30)) == NOT_INSTALLED


def test_a_client_that_is_late_or_writes_without_end_is_stopped(tmp_path: Path) -> None:
    with pytest.raises(InconclusiveError) as caught:
        version(tmp_path, "sleep 60", seconds=0.2)
    assert caught.value.code is Code.DEADLINE
    with pytest.raises(TooMuchOutputError):
        version(tmp_path, "while :; do echo 29.1.3; done")


def test_a_client_that_cannot_be_run_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "docker").write_bytes(b"\0")
    (tmp_path / "docker").chmod(0o755)
    with pytest.raises(OSError, match="Exec format"):
        fetch_client_version(str(tmp_path), deadline=Deadline(30))
