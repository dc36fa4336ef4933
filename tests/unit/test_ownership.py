"""Who else could change what stands at a place."""

import os
from pathlib import Path

import pytest

from imgsig.ownership import faults_of_place, is_writable
from tests.support.forks import as_ordinary_user, ordinary_folder


@pytest.fixture
def home(tmp_path: Path) -> Path:
    folder = tmp_path / "home"
    folder.mkdir(mode=0o700)
    return folder


def test_a_place_of_the_user_s_own_has_no_fault_whether_or_not_it_is_there(home: Path) -> None:
    file = home / "policy.toml"
    assert faults_of_place(file) == ()
    file.touch(mode=0o644)
    assert faults_of_place(file) == ()


@pytest.mark.parametrize(("mode", "who"), [(0o666, "everybody"), (0o622, "everybody")])
def test_a_file_that_others_may_write_to_is_told(home: Path, mode: int, who: str) -> None:
    file = home / "policy.toml"
    file.touch()
    file.chmod(mode)
    assert f"{file} may be written to by {who}" in faults_of_place(file)


def test_a_folder_above_that_others_may_write_to_is_told_unless_names_in_it_are_their_owners(home: Path) -> None:
    home.chmod(0o707)
    assert faults_of_place(home / "a" / "b") == (f"{home} may be written to by everybody",)
    home.chmod(0o1707)
    assert faults_of_place(home / "a" / "b") == ()


@pytest.mark.skipif(os.getuid() != 0, reason="only root gives files away")
def test_what_belongs_to_another_is_told(home: Path) -> None:
    file = home / "policy.toml"
    file.touch()
    os.chown(file, 54321, -1)
    assert faults_of_place(file) == (f"{file} belongs to user 54321",)


@pytest.mark.skipif(os.getuid() != 0, reason="only root gives files away")
def test_a_group_of_others_may_not_write_and_the_user_s_own_group_may(home: Path) -> None:
    file = home / "policy.toml"
    file.touch()
    file.chmod(0o664)
    assert faults_of_place(file) == ()
    os.chown(file, -1, 54321)
    assert faults_of_place(file) == (f"{file} may be written to by its group",)


def test_what_a_link_leads_to_is_looked_at_too(home: Path) -> None:
    real = home / "real"
    real.mkdir()
    (real / "policy.toml").touch()
    (home / "link").symlink_to(real / "policy.toml")
    assert faults_of_place(home / "link") == ()
    real.chmod(0o777)
    assert faults_of_place(home / "link") == (f"{real} may be written to by everybody",)


def test_a_folder_that_can_be_made_is_writable_and_a_file_is_none(home: Path) -> None:
    assert is_writable(home / "a" / "b")
    (home / "file").touch()
    assert not is_writable(home / "file")
    assert not is_writable(home / "file" / "a")


def test_a_folder_without_permission_is_not_writable() -> None:
    with ordinary_folder() as folder:
        locked = folder / "locked"
        locked.mkdir(mode=0o500)

        def look() -> None:
            assert not is_writable(locked / "state")
            assert is_writable(folder / "state")

        assert as_ordinary_user(look) == 0
