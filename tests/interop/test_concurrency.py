"""Processes that share a state folder, while the publisher moves the tag: nothing older after anything newer.

The full run is ``python -m tests.interop.concurrency``; its figures are in docs/assurance.md.
"""

from pathlib import Path

import pytest

from tests.interop.concurrency import run
from tests.support.peers import NotaryServer, Publisher

pytestmark = pytest.mark.interop


def test_processes_that_share_a_folder_never_go_back(
    notary_server: NotaryServer, publisher: Publisher, name: str, tmp_path: Path
) -> None:
    report = run(notary_server, publisher, name, tmp_path / "state", processes=4, verifications=40)
    assert report.faults == ()
    assert report.verifications == 160
    assert report.seen > 1, "the tag moved while they verified"
