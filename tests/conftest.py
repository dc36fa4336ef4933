"""What every test gets: the corpus if there is one, and property tests that neither hurry nor surprise."""

from pathlib import Path

import hypothesis
import pytest

from tests.support.surroundings import corpus_folder, on_ci

hypothesis.settings.register_profile("here", deadline=None)
hypothesis.settings.register_profile("ci", deadline=None, derandomize=True, print_blob=True)
hypothesis.settings.load_profile("ci" if on_ci() else "here")


@pytest.fixture(scope="session")
def corpus() -> Path:
    """The folder of the outside corpus; without one the test is skipped, and fails on CI."""
    return corpus_folder()
