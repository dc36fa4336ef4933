"""Docker Content Trust and a TUF repository in one rule: both must vouch, and for the same digest."""

from collections.abc import Callable, Iterator
from typing import Final, final

import pytest

from imgsig import MemoryState, Notary, Policy, RootKeys, Rule, Tuf, Verdict, Verifier
from imgsig.codes import Code, Outcome
from imgsig.sections import RootFile
from tests.support.repository import NAME, NOW, Reply, SignedRepository
from tests.support.static_server import StaticServer
from tests.support.tuf_repository import TufRepository
from tests.support.tuf_server import TufServer

CONTENT: Final = b"the image"


@final
class Pair:
    """One image, signed in both systems, each on a server of its own."""

    def __init__(self, notary: SignedRepository, tuf: TufServer, notary_url: str) -> None:
        self.notary = notary
        self.tuf = tuf.repository
        self.urls = (notary_url, tuf.metadata_url)
        self.state = MemoryState()
        self._anchors = (
            RootKeys(key.canonical_id for key in notary.signers["root"]), RootFile(self.tuf.files["1.root.json"]),
        )
        notary.add_target("latest", CONTENT)
        self.tuf.add_image("latest", CONTENT)

    def verdict(self, ref: str = f"{NAME}:latest") -> Verdict:
        """Publish what has changed, and return the verdict of a rule that asks both."""
        self.notary.publish()
        self.tuf.publish()
        notary = Notary(anchor=self._anchors[0], server=self.urls[0])
        tuf = Tuf(anchor=self._anchors[1], metadata_url=self.urls[1])
        policy = Policy((Rule([NAME], notary=notary, tuf=tuf),))
        with Verifier(policy, state=self.state, clock=lambda: NOW) as verifier:
            return verifier.evaluate(ref)


@pytest.fixture
def pair() -> Iterator[Pair]:
    repository = SignedRepository()
    with StaticServer() as static, TufServer(TufRepository()) as tuf:
        yield Pair(repository, tuf, static.add("here", repository))


def vouches(repository: SignedRepository | TufRepository) -> None:
    """Leave it as it is: it vouches for the digest of `CONTENT`."""


def vouches_for_another(repository: SignedRepository | TufRepository) -> None:
    if isinstance(repository, SignedRepository):
        repository.add_target("latest", b"another")
    else:
        repository.add_image("latest", b"another")


def lacks_the_tag(repository: SignedRepository | TufRepository) -> None:
    repository.targets["targets"].pop("latest" if isinstance(repository, SignedRepository) else f"{NAME}:latest")


def has_expired(repository: SignedRepository | TufRepository) -> None:
    repository.expire("targets")


def is_out_of_reach(repository: SignedRepository | TufRepository) -> None:
    if isinstance(repository, SignedRepository):
        repository.reply("timestamp", Reply(503))
    else:
        repository.replies["timestamp.json"] = Reply(503)


Bend = Callable[[SignedRepository | TufRepository], None]
SAYS: Final[dict[Bend, Code]] = {
    vouches: Code.OK,
    vouches_for_another: Code.OK,
    lacks_the_tag: Code.TAG_NOT_SIGNED,
    has_expired: Code.EXPIRED,
    is_out_of_reach: Code.UNREACHABLE,
}


def expected(first: Bend, second: Bend) -> Code:
    said = (SAYS[first], SAYS[second])
    if said == (Code.OK, Code.OK):
        return Code.OK if first is second else Code.AUTHORITIES_DISAGREE
    return next(
        code
        for outcome in (Outcome.REJECTED, Outcome.INCONCLUSIVE)
        for code in said
        if code is not Code.OK and code.outcome is outcome
    )


@pytest.mark.parametrize("tuf", SAYS, ids=lambda bend: bend.__name__)
@pytest.mark.parametrize("notary", SAYS, ids=lambda bend: bend.__name__)
def test_every_combination_of_answers_has_one_verdict(pair: Pair, notary: Bend, tuf: Bend) -> None:
    notary(pair.notary)
    tuf(pair.tuf)
    verdict = pair.verdict()
    assert verdict.code is expected(notary, tuf)
    vouching = [system for system, bend in (("notary", notary), ("tuf", tuf)) if SAYS[bend] is Code.OK]
    assert [attestation.authority for attestation in verdict.attestations] == vouching
    failed = {check.code for check in verdict.checks if not check.passed}
    assert {code for code in (SAYS[notary], SAYS[tuf]) if code is not Code.OK} <= failed
    if verdict.code is not Code.OK:
        assert (verdict.pinned, verdict.digest) == ("", "")


def test_a_verdict_shows_both_attestations(pair: Pair) -> None:
    pair.tuf.expire("targets", "2060-01-01T00:00:00Z")
    image = pair.verdict().require()
    verdict = image.verdict
    assert [attestation.authority for attestation in verdict.attestations] == ["notary", "tuf"]
    assert {attestation.digest for attestation in verdict.attestations} == {image.digest}
    assert [attestation.anchor.kind for attestation in verdict.attestations] == ["root-keys", "root-file"]
    assert [signer.role for signer in verdict.signers] == ["targets", "targets"]
    assert str(verdict.valid_until) == "2060-01-01 00:00:00+00:00"
    assert verdict.fresh


def test_each_system_remembers_on_its_own(pair: Pair) -> None:
    pair.verdict().require()
    assert pair.state.names() == (("notary", NAME), ("tuf", NAME))


def test_a_digest_needs_both(pair: Pair) -> None:
    digest = pair.tuf.digest()
    assert pair.verdict(f"{NAME}@{digest}").code is Code.DIGEST_NOT_SIGNED
    pair.tuf.add_target(f"sha256/{digest[7:]}", CONTENT)
    assert pair.verdict(f"{NAME}@{digest}").code is Code.OK


def test_the_verdict_s_json_names_both(pair: Pair) -> None:
    attestations = pair.verdict().to_dict()["attestations"]
    assert [attestation["authority"] for attestation in attestations] == ["notary", "tuf"]
    assert [attestation["source"]["location"] for attestation in attestations] == [url.rstrip("/") for url in pair.urls]
