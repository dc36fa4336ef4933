"""One authority, asked about one in-memory repository again and again, with a state between the questions."""

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final, final

import pytest

from imgsig.authority import Question, State
from imgsig.codes import Code
from imgsig.errors import VerificationError
from imgsig.inspection.inventory import VerifiedRepository, fetch_repository
from imgsig.limits import Deadline, Limits
from imgsig.memory import Memory
from imgsig.notary.client import NotaryAuthority
from imgsig.notary.settings import Anchor, FirstUse, Notary, RootKeys
from imgsig.state import MemoryState
from imgsig.trust import Trust
from imgsig.verdict import Attestation, Checks
from tests.support.memory_source import LOCATION, MemorySource
from tests.support.repository import SignedRepository

TAG: Final = "latest"


@final
class Asker:
    """Asks about `repository`, trusting its first root keys unless told otherwise."""

    def __init__(
        self, repository: SignedRepository, *, anchor: Anchor | None = None, state: State | None = None
    ) -> None:
        """Start without trust, or with what `state` has."""
        self.repository = repository
        self.anchor: Anchor = anchor or RootKeys(key.canonical_id for key in repository.signers["root"])
        self.state: State | None = state or MemoryState()
        self.signers: tuple[str, ...] = ()
        self.max_stale_seconds = 0
        self.limits = Limits()
        self.now: datetime = repository.now
        self.live = True
        self.location = LOCATION
        self.memory: Memory | None = None
        """What one question leaves to the next, as within one verifier; None: nothing."""
        self.checks = Checks()

    def ask(self, tag: str = TAG, *, digest: str = "") -> Attestation:
        """Return what the authority says, having forgotten earlier requests and checks."""
        self.repository.requests.clear()
        self.checks = Checks()
        question = Question(
            name=self.repository.name,
            tag=tag,
            digest=digest,
            at=self.now,
            source=MemorySource(self.repository.served, location=self.location),
            live=self.live,
            state=self.state,
            deadline=Deadline(60),
            limits=self.limits,
            memory=Memory() if self.memory is None else self.memory,
        )
        settings = Notary(anchor=self.anchor, signers=self.signers, max_stale_seconds=self.max_stale_seconds)
        return NotaryAuthority(settings).attest(question, self.checks)

    def error(self, tag: str = TAG, *, digest: str = "") -> VerificationError:
        """Return the error that the authority raises; it must raise one."""
        with pytest.raises(VerificationError) as caught:
            self.ask(tag, digest=digest)
        return caught.value

    def code(self, tag: str = TAG, *, digest: str = "") -> Code:
        """Return the code of the error that the authority raises."""
        return self.error(tag, digest=digest).code

    def limit(self, **limits: int) -> None:
        """Change some of the limits."""
        self.limits = replace(self.limits, **limits)

    def wait(self, **duration: float) -> None:
        """Let time pass."""
        self.now += timedelta(**duration)

    @property
    def requests(self) -> list[str]:
        """What the last question requested, the hash in each path cut out."""
        return [".".join(part for part in path.split(".") if len(part) != 64) for path in self.repository.requests]

    def stored_root(self) -> bytes:
        """Return the root in the state."""
        return self._stored().root

    def floors(self) -> set[str]:
        """Return the roles with a floor in the state."""
        return set(self._stored().floors)

    def _stored(self) -> Trust:
        assert self.state is not None
        trust = self.state.load("notary", self.repository.name, deadline=Deadline(60)).trust
        assert trust is not None
        return trust


def looked_at(
    repository: SignedRepository, *, anchor: Anchor | None = None, state: State | None = None
) -> VerifiedRepository:
    """Return the repository's verified documents as an inspection has them, by default trusted by nothing at all."""
    return fetch_repository(
        Notary(anchor=anchor or FirstUse()),
        repository.name,
        MemorySource(repository.served),
        state,
        live=True,
        at=repository.now,
        deadline=Deadline(60),
        limits=Limits(),
    )
