"""The work done by an engine that a program has already: a local Dask cluster through its executor."""

from pathlib import Path

import pytest
from distributed import Client, LocalCluster

from imgsig.archive import Archive, Wanted
from imgsig.codes import Code
from imgsig.notary.settings import Notary, RootKeys
from imgsig.policy import Policy, Rule, load_authority
from imgsig.verifier import Verifier
from tests.support.memory_source import MemorySources
from tests.support.repository import SignedRepository


@pytest.mark.filterwarnings("ignore")  # those of the cluster are its own affair
def test_a_cluster_verifies_and_the_verdicts_come_in_order(tmp_path: Path) -> None:
    repository = SignedRepository(tags=tuple(f"v{number}" for number in range(100)))
    settings = Notary(anchor=RootKeys(repository.root_key_ids))
    wanted = [Wanted(repository.name, settings, load_authority(settings))]
    sources = MemorySources(repository)
    archive = Archive.save(wanted, tmp_path / "archive", sources=sources, clock=lambda: repository.now)
    references = [f"{repository.name}:v{number}" for number in range(100)] + ["?"]
    verifier = Verifier(Policy((Rule([repository.name], notary=settings),)), source=archive)
    with (
        LocalCluster(  # type: ignore[no-untyped-call]
            n_workers=2, threads_per_worker=1, dashboard_address=None, local_directory=tmp_path
        ) as cluster,
        Client(cluster) as client,  # type: ignore[no-untyped-call]
        client.get_executor() as executor,
    ):
        verdicts = list(verifier.evaluate_many(references, executor=executor, at=repository.now))
    assert [verdict.requested for verdict in verdicts] == references
    assert [verdict.code for verdict in verdicts] == [Code.OK] * 100 + [Code.INVALID_REFERENCE]
