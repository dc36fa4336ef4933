"""Ask the TUF authority about an in-memory repository in one line."""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any, Final, TypeAlias, final

import pytest

from imgsig.authority import Question, State
from imgsig.codes import Code
from imgsig.errors import VerificationError
from imgsig.limits import Deadline, Limits
from imgsig.memory import Memory
from imgsig.sections import RootFile
from imgsig.state import MemoryState
from imgsig.tuf.client import TufAuthority
from imgsig.tuf.settings import Tuf
from imgsig.verdict import Attestation, Checks
from tests.support.memory_source import MemorySource
from tests.support.repository import Reply
from tests.support.tuf_repository import TufRepository

Served: TypeAlias = Callable[[str], Reply]
URL: Final = "https://tuf.example.com/metadata"
COLD: Final = ["2.root.json", "timestamp.json", "1.snapshot.json", "1.targets.json"]


@final
class TufAsker:
    """Asks about `repository`, trusting its first root unless told otherwise."""

    def __init__(self, repository: TufRepository, *, state: State | None = None, **settings: Any) -> None:  # noqa: ANN401 - those of Tuf
        """Start without trust, or with what `state` has."""
        self.repository = repository
        self.settings: dict[str, Any] = {
            "anchor": RootFile(repository.files["1.root.json"]), "metadata_url": URL, **settings,
        }
        self.state: State | None = state or MemoryState()
        self.limits = Limits()
        self.now: datetime = repository.now
        self.live = True
        self.location = URL
        self.served: Served | None = None
        """What the server answers; None for what the repository does."""
        self.memory: Memory | None = None
        """What is known already of how to tell; None to begin each question without."""
        self.checks = Checks()

    def ask(self, tag: str = "latest", *, digest: str = "", name: str = "") -> Attestation:
        """Return what the authority says, having forgotten earlier requests and checks."""
        self.repository.requests.clear()
        self.checks = Checks()
        question = Question(
            name=name or self.repository.name,
            tag=tag,
            digest=digest,
            at=self.now,
            source=MemorySource(self.served or self.repository.served, location=self.location),
            live=self.live,
            state=self.state,
            deadline=Deadline(60),
            limits=self.limits,
            memory=Memory() if self.memory is None else self.memory,
        )
        return TufAuthority(Tuf(**self.settings)).attest(question, self.checks)

    def error(self, tag: str = "latest", *, digest: str = "", name: str = "") -> VerificationError:
        """Return the error that the authority raises; it must raise one."""
        with pytest.raises(VerificationError) as caught:
            self.ask(tag, digest=digest, name=name)
        return caught.value

    def code(self, tag: str = "latest", *, digest: str = "", name: str = "") -> Code:
        """Return the code of the error that the authority raises."""
        return self.error(tag, digest=digest, name=name).code

    def limit(self, **limits: int) -> None:
        """Change some of the limits."""
        self.limits = replace(self.limits, **limits)

    def wait(self, **duration: float) -> None:
        """Let time pass."""
        self.now += timedelta(**duration)

    @property
    def requests(self) -> list[str]:
        """What the last question requested."""
        return self.repository.requests

    @property
    def stored_versions(self) -> dict[str, int]:
        """The version floors that are stored."""
        assert self.state is not None
        trust = self.state.load("tuf", self.repository.name, deadline=Deadline(10)).trust
        return {} if trust is None else {role: floor.version for role, floor in trust.floors.items()}
