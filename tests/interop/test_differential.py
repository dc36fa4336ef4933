"""imgsig's verdict is the reference client's, or stricter for a reason that docs/differences.md gives."""

from collections.abc import Iterator

import pytest

from tests.interop.comparison import Case, Relation, run
from tests.interop.histories import history
from tests.interop.mutations import mutation
from tests.interop.tables import CASES, documented_reasons
from tests.support.oracle import Answer, Oracle
from tests.support.repository import SignedRepository
from tests.support.surroundings import need_packages

SEED = 20_261_125
MUTATIONS = 240
HISTORIES = 40


@pytest.fixture(scope="module")
def oracle() -> Iterator[Oracle]:
    need_packages("notary")
    with Oracle() as serving:
        yield serving


@pytest.mark.interop
@pytest.mark.parametrize("case", CASES, ids=[case.id for case in CASES])
def test_verdict_equals_the_reference_clients_or_is_stricter_for_a_documented_reason(
    case: Case, oracle: Oracle
) -> None:
    assert run(case, oracle).fault() == ""


@pytest.mark.interop
@pytest.mark.parametrize("case", CASES[::8], ids=[case.id for case in CASES[::8]])
def test_speculation_and_memory_change_no_verdict(case: Case, oracle: Oracle) -> None:
    """All cases, not every eighth, are run so by ``python -m tests.interop.differential --quick``."""
    assert run(case, oracle, quick=True).fault() == ""


@pytest.mark.interop
@pytest.mark.parametrize("number", range(MUTATIONS))
def test_random_mutation_is_never_accepted_where_the_reference_client_refuses_it(number: int, oracle: Oracle) -> None:
    made = mutation(SEED, number)
    outcome = run(made.case, oracle)
    assert not outcome.ours.crashed, outcome.ours
    assert outcome.relation is not Relation.LAXER, (made.what, outcome.oracle, outcome.ours)


@pytest.mark.interop
@pytest.mark.parametrize("number", range(HISTORIES))
def test_random_history_never_ends_in_a_laxer_verdict(number: int, oracle: Oracle) -> None:
    outcome = run(history(SEED, number), oracle, until_differing=True)
    assert not outcome.ours.crashed, outcome.ours
    assert outcome.relation is not Relation.LAXER or outcome.refused_once, (outcome.oracle, outcome.ours)


@pytest.mark.interop
def test_oracle_accepts_the_plain_repository_and_tells_refusals_apart(oracle: Oracle) -> None:
    repository = SignedRepository()
    assert oracle.lookup(repository).digest == repository.digest("latest")
    assert oracle.lookup(repository, "nothing").answer is Answer.NO_SUCH_TARGET
    repository.drop("root")
    assert oracle.lookup(repository).answer is Answer.REPO_NOT_EXIST
    repository.fail("root", 503)
    assert oracle.lookup(repository).answer is Answer.UNAVAILABLE
    repository.mend()
    repository.expire("snapshot")
    repository.publish()
    assert oracle.lookup(repository).answer is Answer.EXPIRED


def test_there_are_at_least_300_cases_each_with_an_id_of_its_own() -> None:
    assert len({case.id for case in CASES}) == len(CASES) >= 300


def test_every_reason_is_documented_and_every_documented_reason_has_a_case() -> None:
    stricter, wider = documented_reasons()
    assert {case.stricter for case in CASES if case.stricter} == stricter
    assert {case.wider for case in CASES if case.wider} == wider
