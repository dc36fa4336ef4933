"""One repository as a hostile server holds it: any document altered, snapshot and timestamp signed anew over it or not.

The verifier knows nothing of earlier answers: what it refuses, it refuses for the bytes alone.
"""

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from random import Random
from typing import Final, Self, TypeAlias, final

from imgsig.authority import Question
from imgsig.errors import VerificationError
from imgsig.limits import Deadline, Limits
from imgsig.memory import Memory
from imgsig.notary.client import NotaryAuthority
from imgsig.notary.settings import Notary, RootKeys
from imgsig.verdict import Attestation, Checks
from tests.support.canonical import canonical
from tests.support.memory_source import MemorySource
from tests.support.repository import NOW, Reply, SignedRepository, envelope, meta_of, role_of
from tests.support.signing import Json, make_key

ROLES: Final = ("root", "targets", "targets/releases", "snapshot", "timestamp")
TAG: Final = "1.0"

Result: TypeAlias = tuple[str, tuple[tuple[str, tuple[str, ...]], ...], tuple[tuple[str, int], ...]]
"""The digest, the signers with their key ids, the roles with their versions."""


def small_repository(*, older: bool = True) -> SignedRepository:
    """Return a repository whose asked tag stands in ``targets/releases``, and with `older` in ``targets`` too."""
    kinds = {"snapshot": "ed25519", "timestamp": "ed25519"}
    repository = SignedRepository(kinds=kinds, tags=(TAG,) if older else ("latest",), publish=False)
    repository.add_delegation("targets/releases", make_key("ed25519", "releases"), tags=(TAG,))
    repository.publish()
    return repository


@final
@dataclass(slots=True)
class Tally:
    """What came of many tries."""

    tried: int = 0
    refused: int = 0
    identical: int = 0
    """Verified, and everything that counts is as it was."""
    laxer: list[str] = field(default_factory=list)
    """Verified with another result: there must be none."""

    def __iadd__(self, other: "Tally") -> Self:
        """Add what came of other tries."""
        self.tried += other.tried
        self.refused += other.refused
        self.identical += other.identical
        self.laxer += other.laxer
        return self


@final
class ServerHeld:
    """Serves altered documents of one repository, and asks for its tag."""

    def __init__(self, repository: SignedRepository, *, remember: bool = True) -> None:
        """Start with the true documents. With `remember`, results are used again as within one verifier."""
        self.repository = repository
        self.true = dict(repository.current)
        self._served = dict(self.true)
        self._snapshot = json.loads(self.true["snapshot"])["signed"]
        self._timestamp = json.loads(self.true["timestamp"])["signed"]
        pins = RootKeys(key.canonical_id for key in repository.signers["root"])
        self._authority = NotaryAuthority(Notary(anchor=pins))
        self._memory = Memory(4 * 1024 * 1024) if remember else None
        self.result = self._result()

    def try_all(self, role: str, bodies: Iterable[bytes], *, anew: bool) -> Tally:
        """Serve each of `bodies` for `role`, as it is or signed over `anew`, and tell what came of it."""
        tally = Tally()
        for body in bodies:
            self._served = self.signed_over(role, body) if anew else {**self.true, role: body}
            self._try(tally, f"{role}: {body!r}")
        return tally

    def try_signed(self, role: str, texts: Iterable[bytes]) -> Tally:
        """Serve each of `texts` as what `role`, one of the server's own, says, signed by its true key."""
        tally = Tally()
        for text in texts:
            self._served = self.signed_over(role, self._signed(role, text))
            self._try(tally, f"{role}: {text!r}", ours=frozenset({"snapshot", "timestamp"}))
        return tally

    def signed_over(self, role: str, body: bytes) -> dict[str, bytes]:
        """Return all documents with `body` for `role`, named by a snapshot and a timestamp that are signed anew."""
        served = {**self.true, role: body}
        if role not in {"snapshot", "timestamp"}:
            meta = {**self._snapshot["meta"], role: meta_of(body)}
            served["snapshot"] = self._signed("snapshot", canonical({**self._snapshot, "meta": meta}))
        if role != "timestamp":
            meta = {**self._timestamp["meta"], "snapshot": meta_of(served["snapshot"])}
            served["timestamp"] = self._signed("timestamp", canonical({**self._timestamp, "meta": meta}))
        return served

    def _signed(self, role: str, text: bytes) -> bytes:
        (key,) = self.repository.signers[role]
        return envelope(text, [key.sign(_message(text))])

    def _try(self, tally: Tally, what: str, *, ours: frozenset[str] = frozenset()) -> None:
        tally.tried += 1
        try:
            result = self._result()
        except VerificationError:
            tally.refused += 1
            return
        if _apart_from(result, ours) == _apart_from(self.result, ours):
            tally.identical += 1
        else:
            tally.laxer.append(f"{what} gave {result}")

    def _result(self) -> Result:
        question = Question(
            name=self.repository.name,
            tag=TAG,
            digest="",
            at=NOW,
            source=MemorySource(self._reply),
            live=True,
            state=None,
            deadline=Deadline(60),
            limits=Limits(),
            memory=Memory() if self._memory is None else self._memory,
        )
        return _what_counts(self._authority.attest(question, Checks()))

    def _reply(self, path: str) -> Reply:
        body = self._served.get(role_of(path))
        return Reply(404) if body is None else Reply(200, body)


def altered_bytes(body: bytes, *, seed: int, times: int = 1) -> Iterator[bytes]:
    """Yield `body` with each of its bytes changed in one bit, replaced, left out, and preceded by another one."""
    random = Random(f"{seed}:{len(body)}")  # noqa: S311 - it chooses tests, not secrets
    for index, byte in enumerate(body):
        for _ in range(times):
            before, after = body[:index], body[index + 1 :]
            yield before + bytes([byte ^ (1 << random.randrange(8))]) + after
            yield before + bytes([(byte + random.randrange(1, 256)) % 256]) + after
            yield before + after
            yield before + bytes([random.choice(_LIKELY)]) + bytes([byte]) + after


_LIKELY: Final = b'"\\{}[],: \n09-+.eEAa=/\x00\x7f\xc3\xff'
"""Bytes that mean something in JSON or base64, or are no text."""


def _what_counts(attestation: Attestation) -> Result:
    return (
        attestation.digest,
        tuple((signer.role, signer.key_ids) for signer in attestation.signers),
        tuple((role.role, role.version) for role in attestation.roles),
    )


def _apart_from(result: Result, roles: frozenset[str]) -> Result:
    digest, signers, versions = result
    return digest, signers, tuple(one for one in versions if one[0] not in roles)


def _message(text: bytes) -> bytes:
    """Return what a server would sign for `text`: its canonical form, or if it has none the text itself."""
    try:
        signed: Json = json.loads(text)
        return canonical(signed)
    except (ValueError, TypeError, RecursionError, OverflowError):
        return text
