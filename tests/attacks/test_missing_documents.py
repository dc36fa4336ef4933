"""A document that is missing, or a server that fails half-way, leaves nothing half-done: the next run recovers.

Spec: TUF 5, "a run may be interrupted at any time".
"""

from collections.abc import Callable

import pytest

from imgsig.codes import Code, Outcome
from imgsig.limits import Deadline
from imgsig.state import MemoryState
from imgsig.trust import Trust
from tests.support.asker import Asker
from tests.support.repository import Reply, SignedRepository

RELEASES = "targets/releases"
ROLES = ("root", "timestamp", "snapshot", "targets", RELEASES)

FAILURES: dict[str, Callable[[SignedRepository, str], None]] = {
    "404": lambda repository, role: repository.drop(role),
    "503": lambda repository, role: repository.fail(role, 503),
    "429": lambda repository, role: repository.fail(role, 429),
    "401": lambda repository, role: repository.fail(role, 401),
    "302": lambda repository, role: repository.fail(role, 302),
    "201": lambda repository, role: repository.fail(role, 201),
    "once": lambda repository, role: repository.reply(role, Reply(503), Reply(404)),
}
FAILED = pytest.mark.parametrize("how", FAILURES)


@pytest.fixture
def repository() -> SignedRepository:
    repository = SignedRepository(publish=False)
    repository.add_delegation(RELEASES, tags=("latest",))
    repository.publish()
    return repository


def stored(asker: Asker) -> Trust | None:
    assert isinstance(asker.state, MemoryState)
    return asker.state.load("notary", asker.repository.name, deadline=Deadline(10)).trust


@FAILED
@pytest.mark.parametrize("role", ROLES)
def test_first_contact_stops_at_it_and_the_next_run_recovers(
    repository: SignedRepository, role: str, how: str
) -> None:
    FAILURES[how](repository, role)
    asker = Asker(repository)
    error = asker.error()
    assert error.outcome is Outcome.INCONCLUSIVE or (role, error.code) == ("root", Code.NOT_SIGNED)
    trust = stored(asker)
    assert role != "root" or trust is None
    if trust is not None:
        assert trust.root == repository.current["root"]
        assert list(trust.documents) == list(ROLES[1 : ROLES.index(role)])
        assert all(body == repository.current[one] for one, body in trust.documents.items())
    repository.mend()
    assert asker.ask().digest == repository.digest("latest", RELEASES)


@FAILED
@pytest.mark.parametrize("role", ROLES)
def test_an_update_stops_at_it_and_loses_nothing(repository: SignedRepository, role: str, how: str) -> None:
    asker = Asker(repository)
    asker.ask()
    old = stored(asker)
    repository.add_target("latest", b"the newer image", role=RELEASES)
    repository.rotate("targets")
    repository.publish(everything=True)
    FAILURES[how](repository, role)
    error = asker.error()
    assert error.outcome is Outcome.INCONCLUSIVE or (role, error.code) == ("root", Code.TRUST_DATA_REMOVED)
    kept = stored(asker)
    assert old is not None
    assert kept is not None
    assert all(kept.floors[one].version >= floor.version for one, floor in old.floors.items())
    repository.mend()
    assert asker.ask().digest == repository.digest("latest", RELEASES)


@pytest.mark.parametrize("role", ROLES)
def test_a_missing_document_is_never_an_older_answer(repository: SignedRepository, role: str) -> None:
    """Neither the copy at hand nor the next role stands in for what the newer documents name."""
    asker = Asker(repository)
    asker.max_stale_seconds = 1000
    asker.ask()
    repository.add_target("latest", b"the newer image", role=RELEASES)
    repository.rotate("targets")
    repository.publish(everything=True)
    repository.drop(role)
    assert asker.code() in {Code.BAD_RESPONSE, Code.MISSING_METADATA, Code.TRUST_DATA_REMOVED}


def test_a_server_that_lost_everything_is_not_a_new_name(repository: SignedRepository) -> None:
    asker = Asker(repository)
    asker.ask()
    for role in ROLES:
        repository.drop(role)
    assert asker.code() is not Code.NOT_SIGNED
    assert stored(asker) is not None
    repository.mend()
    asker.ask()
