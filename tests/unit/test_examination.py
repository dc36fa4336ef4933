"""A name is looked at as a whole: here, elsewhere, and ahead."""

import pytest

from imgsig.codes import Code
from imgsig.examination import Examined, examine
from imgsig.limits import Deadline, Limits
from imgsig.notary.settings import Anchor, FirstUse, Notary, RootKeys
from imgsig.policy import load_authority
from imgsig.sections import RootFile
from imgsig.state import MemoryState
from imgsig.trust import Trust
from imgsig.tuf.settings import Tuf
from tests.support.archives import pinned
from tests.support.asker import Asker
from tests.support.memory_source import LOCATION, MemorySource, source_of
from tests.support.repository import NAME, NOW, SignedRepository
from tests.support.tuf_repository import TufRepository


def look(
    repository: SignedRepository, anchor: Anchor, remembered: Trust | None = None, *, signers: tuple[str, ...] = ()
) -> Examined:
    settings = Notary(anchor=anchor, signers=signers)
    return examine(
        settings, load_authority(settings), NAME, source_of(repository), remembered,
        at=NOW, deadline=Deadline(60), limits=Limits(),
    )


def remembered(repository: SignedRepository) -> Trust:
    state = MemoryState()
    Asker(repository, anchor=pinned(repository), state=state).ask()
    trust = state.load("notary", NAME, deadline=Deadline(60)).trust
    assert trust is not None
    return trust


@pytest.fixture
def repository() -> SignedRepository:
    return SignedRepository()


def test_a_name_in_order_has_no_fault_and_an_outlook(repository: SignedRepository) -> None:
    seen = look(repository, pinned(repository))
    assert (seen.system, seen.name, seen.server) == ("notary", NAME, LOCATION)
    assert (seen.fault, seen.fault_elsewhere) == (None, None)
    assert seen.outlook is not None
    assert len(seen.outlook.endings) == 4


def test_first_use_is_looked_at_as_if_it_were_the_first(repository: SignedRepository) -> None:
    assert look(repository, FirstUse()).fault is None


def test_an_anchor_that_the_offered_root_does_not_satisfy_is_a_fault_without_an_outlook(
    repository: SignedRepository,
) -> None:
    seen = look(repository, RootKeys(["0" * 64]))
    assert seen.fault is not None
    assert seen.fault.code is Code.ANCHOR_MISMATCH
    assert seen.fault_elsewhere is seen.fault
    assert seen.outlook is None


def test_a_rotated_root_serves_by_what_is_remembered_and_nowhere_else(repository: SignedRepository) -> None:
    anchor, trust = pinned(repository), remembered(repository)
    repository.rotate("root")
    repository.publish()
    seen = look(repository, anchor, trust)
    assert seen.fault is None
    assert seen.fault_elsewhere is not None
    assert seen.fault_elsewhere.code is Code.ANCHOR_MISMATCH
    assert seen.outlook is not None
    assert seen.outlook.root_version == 2


def test_what_is_remembered_counts_and_is_not_changed(repository: SignedRepository) -> None:
    repository.targets["version"] = 5
    repository.publish()
    trust = remembered(repository)
    repository.targets["version"] = 4
    repository.publish()
    seen = look(repository, pinned(repository), trust)
    assert seen.fault is not None
    assert seen.fault.code is Code.ROLLBACK
    assert trust.floors["targets"].version == 5


def test_an_outage_is_a_fault_also_where_a_rule_bridges_it(repository: SignedRepository) -> None:
    trust = remembered(repository)
    repository.fail("timestamp")
    settings = Notary(anchor=pinned(repository), max_stale_seconds=10**6)
    seen = examine(
        settings, load_authority(settings), NAME, source_of(repository), trust,
        at=NOW, deadline=Deadline(60), limits=Limits(),
    )
    assert seen.fault is not None
    assert seen.fault.code is Code.UNREACHABLE
    assert seen.outlook is not None, "what is remembered still tells what ends when"


def test_no_document_is_asked_for_twice(repository: SignedRepository) -> None:
    trust = remembered(repository)
    repository.add_target("2.0")
    repository.publish()
    repository.requests.clear()
    look(repository, pinned(repository), trust)
    assert sorted(set(repository.requests)) == sorted(repository.requests)


def test_a_signer_who_has_signed_nothing_is_no_fault_and_a_stranger_is_told(repository: SignedRepository) -> None:
    repository.add_delegation("targets/alice")
    repository.publish()
    seen = look(repository, pinned(repository), signers=("alice", "carol"))
    assert seen.fault is None
    assert seen.outlook is not None
    assert seen.outlook.strangers == ("carol",)


def test_a_tuf_repository_is_looked_at_in_the_same_way() -> None:
    repository = TufRepository()
    settings = Tuf(anchor=RootFile(repository.files["1.root.json"]), metadata_url="https://tuf.example.com")
    seen = examine(
        settings, load_authority(settings), NAME, MemorySource(repository.served), None,
        at=NOW, deadline=Deadline(60), limits=Limits(),
    )
    assert seen.fault is None
    assert seen.outlook is not None
    assert [ending.role for ending in seen.outlook.endings] == ["root", "targets"]
