"""The documentation's example of publishing with python-tuf's own API: it runs, and what it writes is verified."""

import hashlib
import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, final

import pytest

from imgsig import Policy, RejectedError, Verifier
from imgsig.codes import Code
from imgsig.limits import Deadline
from imgsig.source import DocumentMissingError, Endpoint, SourceEvidence

PAGE: Final = Path(__file__).resolve().parents[2] / "docs" / "tuf.md"
IMAGE: Final = "registry.example.com/team/app:1.4"
MANIFEST: Final = b"the manifest of the image, as the registry has it"


@final
class FolderSources:
    """Serves the files of a folder."""

    live = False

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.evidence = SourceEvidence("archive", "sha256:" + 64 * "0", datetime(2020, 1, 1, tzinfo=UTC))

    def open(self, endpoint: Endpoint) -> "FolderSources":
        assert endpoint.server == "https://tuf.example.com/metadata"
        return self

    def fetch(self, path: str, *, max_bytes: int, deadline: Deadline) -> bytes:
        file = self._folder / path
        if not file.exists():
            raise DocumentMissingError("no such file", subject=path)
        return file.read_bytes()


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", PAGE.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)


@pytest.fixture
def published(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Run the example in a folder of its own, and return where the metadata is."""
    monkeypatch.chdir(tmp_path)
    (example,) = blocks("python")
    exec(compile(example, str(PAGE), "exec"), {"__name__": "example"})  # noqa: S102 - our own documentation
    return tmp_path / "metadata"


def test_what_the_example_publishes_is_verified_by_the_policy_beside_it(published: Path) -> None:
    (text,) = blocks("toml")
    policy = Policy.parse(text, folder=published)
    with Verifier(policy, source=FolderSources(published)) as verifier:
        image = verifier.verify(IMAGE)
        assert image.digest == f"sha256:{hashlib.sha256(MANIFEST).hexdigest()}"
        assert image.pinned == f"registry.example.com/team/app@{image.digest}"
        assert [attestation.authority for attestation in image.verdict.attestations] == ["tuf"]
        with pytest.raises(RejectedError) as caught:
            verifier.verify("registry.example.com/team/app:1.5")
        assert caught.value.code is Code.TAG_NOT_SIGNED


def test_a_changed_byte_of_what_was_published_is_refused(published: Path) -> None:
    (text,) = blocks("toml")
    policy = Policy.parse(text, folder=published)
    targets = published / "1.targets.json"
    targets.write_bytes(targets.read_bytes().replace(b"app:1.4", b"app:1.5"))
    verdict = Verifier(policy, source=FolderSources(published)).evaluate("registry.example.com/team/app:1.5")
    assert verdict.code is Code.THRESHOLD
