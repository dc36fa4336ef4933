"""The recorded repositories of the corpus as a source, at the layer that takes a name and a tag as text."""

import hashlib
import json
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, final

from imgsig.authority import Question
from imgsig.limits import Deadline, Limits
from imgsig.notary.client import NotaryAuthority
from imgsig.notary.settings import Notary, RootKeys
from imgsig.state import MemoryState
from imgsig.verdict import Attestation, Checks
from tests.support.memory_source import MemorySource
from tests.support.repository import METADATA_NOT_FOUND, Reply

CASES = (
    "dockerhub-library-alpine-2018",
    "harbor-2017-03-07",
    "kolide-linux-0",
    "kolide-linux-1",
    "connaisseur-alice",
    "connaisseur-sample-image",
    "connaisseur-bob",
    "notary-compat-0.1",
    "notary-compat-0.3",
)


@final
class Recorded:
    """One case of the corpus: a repository as a server sent it, and what must be said of it."""

    def __init__(self, folder: Path, case: str) -> None:
        listed = json.loads((folder / "notary" / "cases.json").read_bytes())
        self.about: dict[str, Any] = next(one for one in listed["cases"] if one["id"] == case)
        self.name: str = self.about["gun"]
        self.pins = tuple(key["canonical_id"] for key in self.about["root_keys"])
        self.last_valid = min(
            datetime.fromisoformat(self.about["fresh_until"]) - timedelta(seconds=1),
            *(datetime.fromisoformat(key["cert_not_after"]) for key in self.about["root_keys"]),
        )
        self.files: dict[str, bytes] = {}
        for role, path in self.about["files"].items():
            body = (folder / "notary" / path).read_bytes()
            self.files[f"{role}.json"] = body
            self.files[f"{role}.{hashlib.sha256(body).hexdigest()}.json"] = body

    def attest(
        self,
        tag: str,
        *,
        at: datetime,
        digest: str = "",
        signers: tuple[str, ...] = (),
        pins: tuple[str, ...] | None = None,
        state: MemoryState | None = None,
    ) -> Attestation:
        """Ask the authority about `tag` as of `at`, pinning the case's own root."""
        question = Question(
            name=self.name,
            tag=tag,
            digest=digest,
            at=at,
            source=MemorySource(self._served),
            live=True,
            state=state or MemoryState(),
            deadline=Deadline(60),
            limits=Limits(),
        )
        settings = Notary(anchor=RootKeys(pins or self.pins), signers=signers)
        return NotaryAuthority(settings).attest(question, Checks())

    def _served(self, path: str) -> Reply:
        body = self.files.get(path)
        return Reply(404, METADATA_NOT_FOUND) if body is None else Reply(200, body)
