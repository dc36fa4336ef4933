"""The metadata of one name says nothing under another, also where one verifier has just verified it.

What binds metadata to a name is the certificate of the root key: its common name.
"""

from pathlib import Path

import pytest

from imgsig.codes import Code
from imgsig.memory import Memory
from imgsig.notary.settings import Anchor, FirstUse, RootCA, RootKeys
from imgsig.sections import RootFile
from imgsig.state import FolderState, MemoryState
from tests.support.asker import Asker
from tests.support.repository import SignedRepository
from tests.support.root_certificates import SERVER_AUTH, CertificateForm, authority, root_key

MINE = "registry.example.com/team/app"
OTHERS = (
    "registry.example.com/team/app2",
    "registry.example.com/team/ap",
    "registry.example.com/team/app/sub",
    "registry.example.com/team/App",
    "registry.example.com:443/team/app",
    "registry.example.org/team/app",
    "team/app",
    "*/team/app",
    "registry.example.com/*/app",
)
"""Names for which an attacker may hold good metadata, signed for the very same key."""
CA = authority("A company's CA", "company")


def replayed(other: str, *, chain: bool = False) -> SignedRepository:
    """Return a repository made for another name, by the same key, that is served under mine."""
    key = root_key(
        other, label="shared", form=CertificateForm(other, usages=(SERVER_AUTH,)), chain=(CA,) if chain else ()
    )
    repository = SignedRepository(other, keys={"root": key})
    repository.name = MINE
    return repository


def anchors(repository: SignedRepository) -> dict[str, Anchor]:
    (key,) = repository.signers["root"]
    return {
        "key": RootKeys([key.canonical_id]),
        "certificate": RootKeys([key.true_id]),
        "file": RootFile(repository.current["root"], "root.json"),
        "ca": RootCA(CA.pem),
    }


@pytest.mark.parametrize("other", OTHERS)
@pytest.mark.parametrize("anchor", ["key", "certificate", "file", "ca"])
def test_at_first_contact(other: str, anchor: str) -> None:
    repository = replayed(other, chain=True)
    asker = Asker(repository, anchor=anchors(repository)[anchor])
    assert asker.code() is Code.ROOT_CERTIFICATE
    repository.name = other
    assert Asker(repository, anchor=anchors(repository)[anchor]).ask().name == other


@pytest.mark.parametrize("other", OTHERS)
def test_at_first_use(other: str, tmp_path: Path) -> None:
    asker = Asker(replayed(other), anchor=FirstUse(), state=FolderState(tmp_path / "state"))
    assert asker.code() is Code.ROOT_CERTIFICATE
    assert FolderState(tmp_path / "state").names() == ()


@pytest.mark.parametrize("other", OTHERS)
def test_through_the_memory_of_one_verifier(other: str) -> None:
    """Every document was verified for the other name a moment ago, by the same keys."""
    repository = replayed(other)
    repository.name = other
    state, memory = MemoryState(), Memory()
    asker = Asker(repository, state=state)
    asker.memory = memory
    asker.ask()
    asker.ask()
    repository.name = MINE
    assert asker.code() is Code.ROOT_CERTIFICATE
    repository.name = other
    assert asker.ask().name == other


def test_later_in_the_place_of_newer_documents() -> None:
    """Trust in mine begins well; then the server answers with the other's documents, signed by the same key."""
    mine = SignedRepository(MINE, keys={"root": root_key(MINE, label="shared")})
    asker = Asker(mine)
    asker.memory = Memory()
    asker.ask()
    other = replayed(OTHERS[0])
    other.documents["timestamp"]["version"] = 9
    other.documents["root"]["version"] = 2
    other.rotate("timestamp")
    other.publish(bump=False, everything=True)
    asker.repository = other
    assert asker.code() in {Code.ROOT_CERTIFICATE, Code.ROOT_ROTATION, Code.THRESHOLD}
    asker.repository = mine
    asker.ask()


def test_a_certificate_for_many_names_binds_to_none_of_them() -> None:
    """As in the reference client: whoever issues ``team/*`` lets metadata be moved between those names.

    The pin is what keeps them apart, so each name wants a root key of its own. See docs/trust-model.md.
    """
    key = root_key(MINE, label="wide", form=CertificateForm("registry.example.com/team/*"))
    repository = SignedRepository(MINE, keys={"root": key})
    repository.name = "registry.example.com/team/other"
    assert Asker(repository).ask().name == "registry.example.com/team/other"
    repository.name = "registry.example.com/teams/other"
    assert Asker(repository).code() is Code.ROOT_CERTIFICATE
    repository.name = MINE
    assert Asker(repository, anchor=RootKeys(["ab" * 32])).code() is Code.ANCHOR_MISMATCH


def test_floors_of_one_name_are_not_those_of_another() -> None:
    state = MemoryState()
    mine, other = SignedRepository(MINE), SignedRepository(OTHERS[0])
    for _ in range(3):
        mine.add_target("latest")
        mine.publish(everything=True)
    Asker(mine, state=state).ask()
    assert Asker(other, state=state).ask().roles[1].version == 1
