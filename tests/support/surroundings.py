"""What the tests may ask of the machine they run on: whether it is CI's, and where the corpus is."""

import os
from pathlib import Path

import pytest

from tests.support.processes import installed

PROGRAMS = {
    "notary": ("notary", "notary-server", "notary-signer"),
    "docker-registry": ("docker-registry",),
    "skopeo": ("skopeo",),
}
"""The Debian packages of the real programs, and what each brings."""


def on_ci() -> bool:
    """Return whether this run must not skip what it lacks (``CI=true``)."""
    return os.environ.get("CI") == "true"


def skip_or_fail(reason: str) -> None:
    """Skip the test for `reason`; on CI it fails, for there nothing may be missing."""
    if on_ci():
        pytest.fail(reason, pytrace=False)
    pytest.skip(reason)


def need_packages(*packages: str) -> None:
    """Skip, or fail on CI, unless the programs of these Debian packages are installed."""
    missing = [package for package in packages if not installed(*PROGRAMS[package])]
    if missing:
        skip_or_fail(f"not installed: {' '.join(missing)} (make peers installs them)")


def corpus_folder() -> Path:
    """Return the folder of the outside corpus that ``IMGSIG_CORPUS`` names; skip, or fail on CI, if it names none."""
    named = os.environ.get("IMGSIG_CORPUS", "")
    if not named:
        skip_or_fail("IMGSIG_CORPUS does not name the corpus")
    folder = Path(named)
    if not (folder / "README.md").is_file():
        pytest.fail(f"IMGSIG_CORPUS: there is no corpus in {folder}", pytrace=False)
    return folder
