"""Run a function in a child process: one that may stop at any moment, or that is an ordinary user."""

import os
import shutil
import sys
import tempfile
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

STOPPED = 70
"""The exit status of a child that a fake stopped on purpose."""
NOBODY = 65534


def start_child(function: Callable[[], None]) -> int:
    """Run `function` in a child and return the child's id at once. It exits with 0, or with 1 if it raises."""
    sys.stdout.flush()
    sys.stderr.flush()
    child = os.fork()
    if child:
        return child
    status = 1
    try:
        function()
        status = 0
    except BaseException:  # noqa: BLE001 - nothing may return into the parent's frames
        traceback.print_exc()
        sys.stderr.flush()
    finally:
        os._exit(status)


def end_of(child: int) -> int:
    """Wait for a child and return its exit status."""
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def in_child(function: Callable[[], None]) -> int:
    """Run `function` in a child and return its exit status."""
    return end_of(start_child(function))


@contextmanager
def ordinary_folder() -> Iterator[Path]:
    """Give an empty folder that an ordinary user owns and can reach."""
    folder = Path(tempfile.mkdtemp(prefix="imgsig-"))
    try:
        if os.geteuid() == 0:
            os.chown(folder, NOBODY, NOBODY)
        yield folder
    finally:
        for inner in [folder, *folder.rglob("*")]:
            if inner.is_dir() and not inner.is_symlink():
                inner.chmod(0o700)
        shutil.rmtree(folder)


def as_ordinary_user(function: Callable[[], None]) -> int:
    """Run `function` in a child whom permissions stop, unlike the superuser, and return its exit status."""

    def drop_and_run() -> None:
        if os.geteuid() == 0:
            os.setgroups([])
            os.setgid(NOBODY)
            os.setuid(NOBODY)
        function()

    return in_child(drop_and_run)
