"""How cost grows: with tags, delegations and workers. ``python -m benchmarks.growth FILE.json [--plot FOLDER]``."""

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Final

from benchmarks.delay import DelayingProxy
from benchmarks.measure import Sample, in_fresh_process
from benchmarks.peer import FileServer, Peer
from imgsig.archive import Archive, Wanted
from imgsig.notary.settings import Notary, RootKeys
from imgsig.policy import Policy, Rule, load_authority
from imgsig.state import FolderState
from imgsig.transport import HttpSources
from imgsig.verifier import Verifier
from tests.support.repository import SignedRepository

NAME: Final = "registry.example.com/team/app"
ROUND_TRIP_SECONDS: Final = 0.02
Point = dict[str, float]

_ONE: Final = """
import json, resource, sys, time
from pathlib import Path
from imgsig.notary.settings import FirstUse, Notary
from imgsig.policy import Policy, Rule
from imgsig.state import FolderState
from imgsig.verifier import Verifier
url, folder, reference = sys.argv[1:]
policy = Policy((Rule([reference.rpartition(":")[0]], notary=Notary(anchor=FirstUse(), server=url)),))
verifier = Verifier(policy, state=FolderState(Path(folder)))
times = []
for _ in range(21):
    start = time.perf_counter()
    verifier.verify(reference)
    times.append(time.perf_counter() - start)
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
print(json.dumps({"cold": times[0], "warm": sorted(times[1:])[10], "peak_bytes": peak}))
"""


def by_tags(bench: "Bench") -> list[Point]:
    """Return time and memory at 10, 1,000 and 100,000 tags."""
    points = []
    for count in (10, 1_000, 100_000):
        repository = SignedRepository(NAME, tags=(), publish=False)
        for number in range(count):
            repository.add_target(f"tag-{number:07d}", str(number).encode())
        repository.publish()
        points.append({"tags": count} | bench.one(repository, "tag-0000005"))
    return points


def by_delegations(bench: "Bench") -> list[Point]:
    """Return time and memory at 1, 10 and 100 delegations."""
    points = []
    for count in (1, 10, 100):
        repository = SignedRepository(NAME, publish=False)
        for number in range(count):
            repository.add_delegation(f"targets/signer{number}", tags=["latest"])
        repository.publish()
        points.append({"delegations": count} | bench.one(repository, "latest"))
    return points


def by_workers(bench: "Bench") -> list[Point]:
    """Return warm images a second with 1, 8 and 64 workers, each image of a name of its own, 20 ms away."""
    repositories = [SignedRepository(f"{NAME}{number}") for number in range(64)]
    server = bench.serve(*repositories)
    with DelayingProxy(server.port, ROUND_TRIP_SECONDS) as away:
        url = f"http://localhost:{away.port}"
        policy = Policy(tuple(Rule([one.name], notary=_section(one, url)) for one in repositories))
        references = [f"{one.name}:latest" for one in repositories]
        with Verifier(policy, state=FolderState(bench.folder())) as verifier:
            list(verifier.evaluate_many(references))
            return [
                {"workers": workers, "images_per_second": bench.rate(verifier, references * 4, workers=workers)}
                for workers in (1, 8, 64)
            ]


def by_cluster(bench: "Bench") -> list[Point]:
    """Return images a second verified from an archive by 1 to 4 workers of a Dask cluster."""
    from distributed import Client, LocalCluster  # noqa: PLC0415 - slow to import

    repositories = [SignedRepository(f"{NAME}{number}", tags=("v1", "v2")) for number in range(50)]
    url = bench.serve(*repositories).url
    wanted = [Wanted(one.name, _section(one, url), load_authority(_section(one, url))) for one in repositories]
    with HttpSources() as sources:
        archive = Archive.save(wanted, bench.folder(), sources=sources, clock=lambda: repositories[0].now)
    policy = Policy(tuple(Rule([one.name], notary=_section(one, url)) for one in repositories))
    verifier = Verifier(policy, source=archive)
    references = [f"{one.name}:{tag}" for one in repositories for tag in ("v1", "v2")] * 40
    points = []
    for count in (1, 2, 4):
        with (
            LocalCluster(n_workers=count, threads_per_worker=1, dashboard_address=None) as cluster,
            Client(cluster) as client,
            client.get_executor() as executor,
        ):
            rate = bench.rate(verifier, references, executor=executor, at=repositories[0].now)
            points.append({"workers": count, "images_per_second": rate})
    return points


class Bench:
    """Folders and servers."""

    def __init__(self, folder: Path, stack: ExitStack) -> None:
        """Build the peer in `folder`; `stack` stops what was started."""
        self._folder = folder
        self._stack = stack
        self._count = 0
        self._peer = Peer(folder)

    def folder(self) -> Path:
        """Return a folder that does not exist yet."""
        self._count += 1
        return self._folder / str(self._count)

    def serve(self, *repositories: SignedRepository) -> FileServer:
        """Serve repositories until the end."""
        return self._stack.enter_context(FileServer(self._peer, self.folder(), *repositories))

    def one(self, repository: SignedRepository, tag: str) -> Point:
        """Verify one image in a process of its own: cold, then warm."""
        url = self.serve(repository).url
        found = [in_fresh_process(_ONE, url, str(self.folder()), f"{NAME}:{tag}") for _ in range(3)]
        return {name: sorted(one[name] for one in found)[1] for name in ("cold", "warm", "peak_bytes")}

    def rate(self, verifier: Verifier, references: list[str], **options: Any) -> float:  # noqa: ANN401 - evaluate_many's
        """Return how many images a second are verified, the best of three."""

        def work() -> None:
            verdicts = verifier.evaluate_many(references, max_update_age_seconds=0, **options)
            assert all(verdict.code == "ok" for verdict in verdicts)

        return len(references) / min(Sample.of(work, times=3, warm_up=1).seconds)


def _section(repository: SignedRepository, url: str) -> Notary:
    return Notary(anchor=RootKeys(repository.root_key_ids), server=url)


def plot(found: dict[str, list[Point]], folder: Path) -> None:
    """Draw what was found into `folder`."""
    import matplotlib as mpl  # noqa: PLC0415 - needed for this alone

    mpl.use("svg")
    mpl.rcParams["svg.hashsalt"] = "imgsig"
    from matplotlib import pyplot as plt  # noqa: PLC0415

    for name, points in found.items():
        across = next(iter(points[0]))
        figure, axes = plt.subplots(figsize=(5, 3))
        for series, label in (("cold", "cold"), ("warm", "warm"), ("images_per_second", "images a second")):
            if series in points[0]:
                scale = 1 if series == "images_per_second" else 1000
                heights = [point[series] * scale for point in points]
                axes.plot([point[across] for point in points], heights, "o-", label=label)
        axes.set_xscale("log")
        axes.set_xlabel(across)
        if "cold" in points[0]:
            axes.set_yscale("log")
            axes.set_ylabel("milliseconds")
            axes.legend()
        else:
            axes.set_ylabel("images a second")
            axes.set_ylim(bottom=0)
        figure.tight_layout()
        figure.savefig(folder / f"growth-{name}.svg", metadata={"Date": None})
        plt.close(figure)


def main() -> None:
    """Measure, write the figures, and draw them."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("file", type=Path, help="where to write the figures")
    parser.add_argument("--plot", type=Path, help="draw them into this folder")
    arguments = parser.parse_args()
    cases: dict[str, Callable[[Bench], list[Point]]] = {
        "tags": by_tags, "delegations": by_delegations, "workers": by_workers, "cluster": by_cluster,
    }
    found: dict[str, list[Point]] = {}
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        bench = Bench(Path(folder), stack)
        for name, case in cases.items():
            start = time.perf_counter()
            found[name] = case(bench)
            print(f"{name} ({time.perf_counter() - start:.0f} s): {json.dumps(found[name])}", file=sys.stderr)
    arguments.file.write_text(json.dumps(found, indent=1) + "\n")
    if arguments.plot:
        plot(found, arguments.plot)


if __name__ == "__main__":
    main()
