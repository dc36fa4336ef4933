"""What the steps of a differential case bend, and how both clients are asked about it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, TypeAlias, final

from imgsig.authority import Question
from imgsig.codes import Code
from imgsig.errors import ImgsigError
from imgsig.limits import Deadline, Limits
from imgsig.memory import Memory
from imgsig.notary.client import NotaryAuthority
from imgsig.notary.settings import Anchor, FirstUse, Notary, RootCA, RootKeys
from imgsig.source import OutageError, Source, SourceEvidence
from imgsig.state import MemoryState
from imgsig.transport import HttpSources
from imgsig.trust import Stored, Trust
from imgsig.verdict import Checks
from tests.support.memory_source import MemorySource
from tests.support.oracle import Oracle, OracleVerdict, Pinning
from tests.support.repository import SignedRepository

TIMEOUT_SECONDS: Final = 60.0

Step: TypeAlias = "Callable[[Stage], object]"


@final
@dataclass(frozen=True, slots=True)
class OurVerdict:
    """What imgsig answered."""

    accepted: bool
    digest: str = ""
    code: str = ""
    message: str = ""
    crashed: bool = False
    """Something other than an `ImgsigError` came out: never right."""


@final
class RememberingState:
    """A state that outlives the process, as far as anyone can tell within it; so trust may begin at first use."""

    def __init__(self) -> None:
        """Start with nothing."""
        self._memory = MemoryState()
        self.remembers = True

    def load(self, system: str, name: str, *, deadline: Deadline) -> Stored:
        """Return what is stored."""
        return self._memory.load(system, name, deadline=deadline)

    def generation(self, system: str, name: str) -> str:
        """Return the present generation only."""
        return self._memory.generation(system, name)

    def commit(self, system: str, name: str, trust: Trust, *, expected: str, deadline: Deadline) -> Stored:
        """Store `trust` if the generation is still `expected`."""
        return self._memory.commit(system, name, trust, expected=expected, deadline=deadline)

    def change(self, name: str, change: Callable[[Trust], Trust | None]) -> None:
        """Replace what is stored of a name behind everyone's back; None forgets it."""
        deadline = Deadline(TIMEOUT_SECONDS)
        stored = self.load("notary", name, deadline=deadline)
        if stored.trust is None:
            return
        changed = change(stored.trust)
        if changed is None:
            self._memory.forget("notary", name, deadline=deadline)
        else:
            self.commit("notary", name, changed, expected=stored.generation, deadline=deadline)


@dataclass(slots=True)
class Stage:
    """One repository, what each client remembers of it, and the question asked."""

    repository: SignedRepository
    trust_dir: Path
    tag: str = "latest"
    anchor: Callable[[], Anchor] = FirstUse
    """Makes what imgsig's rule trusts; a refusal to make it is imgsig's answer."""
    pinning: Pinning | None = None
    """What the reference client's configuration pins."""
    offline: bool = False
    """Whether no server can be reached."""
    max_stale_seconds: int = 0
    url: str = ""
    """The server that imgsig asks over HTTP; empty to answer it from memory."""
    state: RememberingState = field(default_factory=RememberingState)
    quick: bool = False
    """Whether imgsig asks for documents before it needs them, and remembers results from step to step."""
    memory: Memory = field(default_factory=Memory)
    notes: dict[str, object] = field(default_factory=dict)
    """What one step leaves for a later one."""

    def pin_keys(self, *ids: str, disable_tofu: bool = False) -> None:
        """Let both clients trust these root keys for the repository's name."""
        self.anchor = lambda: RootKeys(ids)
        self.pinning = Pinning({self.repository.name: list(ids)}, disable_tofu=disable_tofu)

    def pin_ca(self, pem: bytes, prefix: str | None = None) -> None:
        """Let both clients trust root certificates issued by these authorities."""
        file = self.trust_dir.parent / f"{self.trust_dir.name}-ca.pem"
        file.write_bytes(pem)
        self.anchor = lambda: RootCA(pem)
        self.pinning = Pinning(ca={self.repository.name if prefix is None else prefix: str(file)})

    def local_path(self, role: str) -> Path:
        """Return where the reference client keeps a role's file."""
        return self.trust_dir / "tuf" / self.repository.name / "metadata" / f"{role}.json"

    def local(self, role: str, body: bytes | None) -> None:
        """Replace what both clients remember of a role; None removes it.

        imgsig without its root remembers nothing at all: a trust without a root cannot be written down.
        """
        path = self.local_path(role)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.unlink(missing_ok=True)
        if body is not None:
            path.write_bytes(body)
        if role == "root":
            self.state.change(self.repository.name, lambda trust: None if body is None else replace(trust, root=body))
        else:
            self.state.change(self.repository.name, lambda trust: replace(trust, documents=_with(trust, role, body)))

    def tamper_with(self, role: str, bend: Callable[[SignedRepository], object]) -> None:
        """Serve of one role what `bend` would make of it, signed anew with the same version; no hash follows."""
        twin = self.repository.clone()
        bend(twin)
        twin.publish(everything=True, bump=False)
        body = twin.current[role]
        self.repository.tamper(role, lambda _: body)


def ask_oracle(stage: Stage, oracle: Oracle, *, docker: bool | None = None) -> OracleVerdict:
    """Return what the reference client says: docker's choice where there are delegations, else a plain look-up."""
    if docker is None:
        docker = bool(stage.repository.delegated)
    ask = oracle.docker_choice if docker else oracle.lookup
    return ask(stage.repository, stage.tag, cache=stage.trust_dir, pins=stage.pinning, offline=stage.offline)


def ask_imgsig(stage: Stage) -> OurVerdict:
    """Return what imgsig says about the same question, its documents answered from memory."""
    try:
        settings = Notary(anchor=stage.anchor(), server=stage.url or None, max_stale_seconds=stage.max_stale_seconds)
        with HttpSources() as servers:
            source = servers.open(settings.endpoint(stage.repository.name)) if stage.url else _in_memory(stage)
            attestation = NotaryAuthority(settings).attest(_question(stage, source), Checks())
    except ImgsigError as error:
        return OurVerdict(accepted=False, code=str(error.code), message=str(error))
    except Exception as error:  # noqa: BLE001 - a crash is a finding, not an answer
        return OurVerdict(accepted=False, code="crash", message=f"{type(error).__name__}: {error}", crashed=True)
    return OurVerdict(accepted=True, digest=attestation.digest, code=str(Code.OK))


def _in_memory(stage: Stage) -> Source:
    return _Unreachable() if stage.offline else MemorySource(stage.repository.served)


def _question(stage: Stage, source: Source) -> Question:
    return Question(
        name=stage.repository.name,
        tag=stage.tag,
        digest="",
        at=datetime.now(UTC),
        source=source,
        live=True,
        state=stage.state,
        deadline=Deadline(TIMEOUT_SECONDS),
        limits=Limits(),
        speculate=stage.quick,
        memory=stage.memory if stage.quick else Memory(),
    )


@final
class _Unreachable:
    """A server that gives no sign of life."""

    evidence = SourceEvidence("server", "https://notary.example.com")

    def fetch(self, path: str, *, max_bytes: int, deadline: Deadline) -> bytes:
        """Raise what a transport raises when it cannot connect."""
        del max_bytes, deadline
        message = "no connection"
        raise OutageError(message, code=Code.UNREACHABLE, subject=path)


def _with(trust: Trust, role: str, body: bytes | None) -> Mapping[str, bytes]:
    others = {name: kept for name, kept in trust.documents.items() if name != role}
    return others if body is None else others | {role: body}
