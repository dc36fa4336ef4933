"""What is measured: each method yields rows of the table."""

import base64
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import final

import requests

from benchmarks.delay import DelayingProxy
from benchmarks.measure import Row, Sample, at_least, at_most, in_fresh_process
from benchmarks.peer import FileServer, Peer
from imgsig.archive import Archive, Wanted
from imgsig.limits import Limits
from imgsig.notary.keys import parse_public_key
from imgsig.notary.metadata import Key, parse_timestamp
from imgsig.notary.settings import FirstUse, Notary, RootKeys
from imgsig.policy import Policy, Rule, load_authority
from imgsig.state import FolderState
from imgsig.transport import Credential, HttpSources, Server, StaticCredentials
from imgsig.verifier import Verifier
from tests.support.key_files import TLSAuthority
from tests.support.peers import NotaryServer, Publisher
from tests.support.repository import SignedRepository
from tests.support.token_service import TokenService

NAME = "registry.example.com/team/app"
ROUND_TRIP_SECONDS = 0.05
PASSWORD = "the password of alice"  # noqa: S105 - it guards nothing
GO = "Go library"
GO_KEPT = "Go library, connections kept"
TAGS = 100_000


@final
class Bench:
    """The programs and repositories that the cases share."""

    def __init__(self, folder: Path, stack: ExitStack, *, quick: bool) -> None:
        """Build the peer in `folder`; `stack` stops what was started. Measure less often if it is to be `quick`."""
        self._folder = folder
        self._stack = stack
        self._quick = quick
        self._count = 0
        self.cores = os.cpu_count()
        self.peer = Peer(folder)

    def warm_one_tag(self) -> Iterator[Row]:
        """Yield: warm, one tag, a real notary-server on loopback, against the library and against the floor."""
        server = self._stack.enter_context(NotaryServer(self._next()))
        publisher = Publisher(self._next(), server.url)
        publisher.init(NAME)
        publisher.add(NAME, "1.0", b"an image")
        publisher.publish(NAME)
        url = f"{server.url}/v2/{NAME}/_trust/tuf/"
        session = requests.Session()
        session.trust_env = False
        timestamp = parse_timestamp(session.get(url + "timestamp.json").content, Limits())
        signature = timestamp.envelope.signatures[0]
        root = json.loads(session.get(url + "root.json").content)["signed"]
        written = root["keys"][signature.key_id]
        key = parse_public_key(Key(written["keytype"], base64.b64decode(written["keyval"]["public"])))

        def floor() -> None:
            assert session.get(url + "timestamp.json").ok
            assert key.verifies(signature.method, signature.value, timestamp.envelope.message)

        with self._verifier(NAME, server.url) as verifier:
            ours = Sample.of(lambda: verifier.verify(f"{NAME}:1.0"), times=self._times(1000), warm_up=50)
            lowest = Sample.of(floor, times=self._times(1000), warm_up=50)
        for keep, against in ((False, GO), (True, GO_KEPT)):
            peer, _ = self._look_up("warm", server.url, [f"{NAME} 1.0"], 500, keep=keep)
            yield at_most("warm, one tag", 0.75, ours, peer, against)
        yield at_most("warm, one tag", 1.5, ours, lowest, "floor")
        self._server = server

    def warm_thousand_tags(self) -> Iterator[Row]:
        """Yield: warm, 1,000 tags."""
        repository = SignedRepository(NAME, tags=tuple(f"v{number}" for number in range(1000)))
        server = self._serve(repository)
        with self._verifier(NAME, server.url) as verifier:
            ours = Sample.of(lambda: verifier.verify(f"{NAME}:v500"), times=self._times(500), warm_up=20)
        peer, _ = self._look_up("warm", server.url, [f"{NAME} v500"], 100, keep=True)
        yield at_most("warm, 1,000 tags", 0.1, ours, peer, GO_KEPT)

    def cold_over_tls(self) -> Iterator[Row]:
        """Yield: cold, one tag, over TLS, 50 ms away."""
        tls = TLSAuthority(self._next())
        server = self._serve(SignedRepository(NAME), tls=tls)
        yield from self._cold("cold, one tag, 50 ms, TLS", server.port, tls, "latest")

    def cold_with_token(self) -> Iterator[Row]:
        """Yield: the same at a real notary-server that demands tokens, the token service as far away."""
        folder = self._next()
        folder.mkdir()
        tls = TLSAuthority(self._next())
        tokens = TokenService(folder, users={"alice": PASSWORD}, tls=tls)
        port = int(tokens.realm.rpartition(":")[2].partition("/")[0])
        with DelayingProxy(port, ROUND_TRIP_SECONDS) as away, tokens:
            tokens.realm = f"https://localhost:{away.port}/token"
            server = self._stack.enter_context(NotaryServer(self._next(), tls=tls, tokens=tokens))
            publisher = Publisher(self._next(), server.url, ca_file=tls.ca_file, user="alice", password=PASSWORD)
            publisher.init(NAME)
            publisher.add(NAME, "1.0", b"an image")
            publisher.publish(NAME)
            what, user = "cold, one tag, 50 ms, TLS and token", f"alice:{PASSWORD}"
            yield from self._cold(what, server.port, tls, "1.0", user=user)

    def large_repository(self) -> Iterator[Row]:
        """Yield: 100,000 tags, 19 MB of targets.json: time cold and warm, and peak of memory."""
        server = self._serve(_large_repository())
        pins = json.dumps(RootKeys(SignedRepository(NAME).root_key_ids).pins)
        cold_times, warm_times, peaks = [], [], []
        for _ in range(self._times(5)):
            found = in_fresh_process(_LARGE, server.url, str(self._next()), pins)
            cold_times.append(found["cold"])
            warm_times += found["warm"]
            peaks.append(found["peak_bytes"])
        cold, cold_peak = self._look_up("cold", server.url, [f"{NAME} tag-0050000"], 4, keep=True)
        warm, warm_peak = self._look_up("warm", server.url, [f"{NAME} tag-0050000"], 4, keep=True)
        yield at_most("cold, 100,000 tags", 0.3, Sample(tuple(cold_times)), cold, GO_KEPT)
        yield at_most("warm, 100,000 tags", 0.01, Sample(tuple(warm_times)), warm, GO_KEPT)
        peak, peer_peak = max(peaks), min(cold_peak, warm_peak)
        yield Row(
            "peak memory, 100,000 tags", "≤ 1 ×", f"{peak / 2**20:.0f} MiB",
            f"{GO_KEPT}: {peer_peak / 2**20:.0f} MiB", peak / peer_peak, peak <= peer_peak,
        )

    def many_references(self) -> Iterator[Row]:
        """Yield: 1,000 references in 100 repositories, warm."""
        tags = tuple(f"v{number}" for number in range(10))
        repositories = [SignedRepository(f"registry.example.com/team/app{number}", tags=tags) for number in range(100)]
        server = self._serve(*repositories)
        rules = [
            Rule([one.name], notary=Notary(anchor=RootKeys(one.root_key_ids), server=server.url))
            for one in repositories
        ]
        references = [f"{one.name}:{tag}" for one in repositories for tag in tags]
        questions = [f"{one.name} {tag}" for one in repositories for tag in tags]
        with Verifier(Policy(tuple(rules)), state=FolderState(self._next())) as verifier:

            def work() -> None:
                verdicts = verifier.evaluate_many(references, workers=8, max_update_age_seconds=1)
                assert sum(verdict.code == "ok" for verdict in verdicts) == len(references)

            # The pause lets every update of one time be too old for the next.
            ours = Sample.of(work, times=self._times(10), warm_up=2, pause_seconds=1.1)
        peer, _ = self._look_up("many", server.url, questions, 20, keep=True)
        yield at_least("1,000 references, 100 names, warm", 1, ours, peer, f"{GO_KEPT}, 8 goroutines")
        # By tag, since two processes at once in the cache of one name get in each other's way.
        by_tag = [f"{one.name} {tag}" for tag in tags for one in repositories]
        client = _NotaryProcesses(self._next(), server.url, by_tag[: len(by_tag) if not self._quick else 50])
        processes = client.measure()
        scaled = Sample(tuple(seconds * len(questions) / client.count for seconds in processes.seconds))
        yield at_least("1,000 references, 100 names, warm", 10, ours, scaled, "8 parallel notary lookup")

    def imports(self) -> Iterator[Row]:
        """Yield: ``import imgsig`` and ``import requests``, over bare Python."""
        bare = Sample.of_process(sys.executable, "-c", "pass", times=self._times(40))
        ours = Sample.of_process(sys.executable, "-c", "import imgsig", times=self._times(40))
        peer = Sample.of_process(sys.executable, "-c", "import requests", times=self._times(40))
        above = Sample(tuple(max(seconds - bare.median, 0.0) for seconds in ours.seconds))
        peer_above = Sample(tuple(seconds - bare.median for seconds in peer.seconds))
        yield at_most("import imgsig, over bare Python", 0.5, above, peer_above, "import requests")

    def archive(self) -> Iterator[Row]:
        """Yield: ``imgsig verify --archive``, the whole process."""
        repository = SignedRepository(NAME)
        server = self._serve(repository)
        folder = self._next()
        settings = Notary(anchor=RootKeys(repository.root_key_ids), server=server.url)
        with HttpSources() as sources:
            wanted = [Wanted(NAME, settings, load_authority(settings))]
            Archive.save(wanted, folder, sources=sources, clock=lambda: repository.now)
        policy = folder.with_suffix(".toml")
        policy.write_text(Policy((Rule([NAME], notary=settings),)).to_toml())
        command = [sys.executable, "-m", "imgsig", "verify", "--policy", str(policy), "--archive", str(folder)]
        command += ["--at", repository.now.isoformat(), f"{NAME}:latest"]
        ours = Sample.of_process(*command, times=self._times(30))
        peer = Sample.of_process(sys.executable, "-c", "import requests, cryptography.x509", times=self._times(30))
        yield at_most("imgsig verify --archive, whole process", 1.5, ours, peer, "import requests, cryptography.x509")

    def _cold(self, what: str, port: int, tls: TLSAuthority, tag: str, *, user: str = "") -> Iterator[Row]:
        login = StaticCredentials({"registry.example.com": Credential(*user.split(":"))}) if user else None
        with DelayingProxy(port, ROUND_TRIP_SECONDS) as away:
            url = f"https://localhost:{away.port}"

            def cold() -> None:
                servers = (Server(url, ca_file=tls.ca_file),)
                with self._verifier(NAME, url, servers=servers, credentials=login) as verifier:
                    verifier.verify(f"{NAME}:{tag}")

            ours = Sample.of(cold, times=self._times(20), warm_up=2)
            for keep, against in ((False, GO), (True, GO_KEPT)):
                peer, _ = self._look_up("cold", url, [f"{NAME} {tag}"], 15, keep=keep, ca_file=tls.ca_file, user=user)
                yield at_most(what, 0.5, ours, peer, against)

    def _verifier(
        self,
        name: str,
        url: str,
        *,
        servers: tuple[Server, ...] = (),
        credentials: StaticCredentials | None = None,
    ) -> Verifier:
        policy = Policy((Rule([name], notary=Notary(anchor=FirstUse(), server=url)),))
        return Verifier(policy, state=FolderState(self._next()), servers=servers, credentials=credentials)

    def _look_up(  # noqa: PLR0913 - as the peer's
        self, mode: str, url: str, questions: list[str], times: int, *,
        keep: bool, ca_file: Path | None = None, user: str = "",
    ) -> tuple[Sample, int]:
        folder = self._next()
        try:
            return self.peer.look_up(
                mode, url, folder, questions, times=self._times(times), keep=keep, ca_file=ca_file, user=user
            )
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    def _serve(self, *repositories: SignedRepository, tls: TLSAuthority | None = None) -> FileServer:
        return self._stack.enter_context(FileServer(self.peer, self._next(), *repositories, tls=tls))

    def _times(self, times: int) -> int:
        return max(3, times // 20) if self._quick else times

    def _next(self) -> Path:
        self._count += 1
        return self._folder / str(self._count)


@final
class _NotaryProcesses:
    """``notary lookup`` for many questions, eight at a time, each a process, with its cache."""

    def __init__(self, folder: Path, url: str, questions: list[str]) -> None:
        self._trust = folder
        self._url = url
        self._questions = "\n".join(questions)
        self.count = len(questions)

    def measure(self) -> Sample:
        """Return how long all of them take, once the cache is there."""
        command = ["xargs", "-P", "8", "-L", "1", "notary", "-s", self._url, "-d", str(self._trust), "lookup"]

        def run() -> None:
            done = subprocess.run(command, input=self._questions, text=True, check=False, capture_output=True)
            found = done.stdout.count("sha256:")
            assert found > 0.95 * self.count, done.stderr[-500:]

        return Sample.of(run, times=1, warm_up=1)


def _large_repository() -> SignedRepository:
    repository = SignedRepository(NAME, tags=(), publish=False)
    for number in range(TAGS):
        content = str(number).encode()
        repository.add_target(f"tag-{number:07d}", content)
        hashes = repository.targets["targets"][f"tag-{number:07d}"]["hashes"]
        hashes["sha512"] = base64.b64encode(base64.b64decode(hashes["sha256"]) * 2).decode()
    repository.publish()
    return repository


_LARGE = """
import json, resource, sys, time
from pathlib import Path
from imgsig.notary.settings import FirstUse, Notary
from imgsig.policy import Policy, Rule
from imgsig.state import FolderState
from imgsig.verifier import Verifier
url, folder, pins = sys.argv[1:]
name = "registry.example.com/team/app"
policy = Policy((Rule([name], notary=Notary(anchor=FirstUse(), server=url)),))
verifier = Verifier(policy, state=FolderState(Path(folder)))
start = time.perf_counter()
verifier.verify(f"{name}:tag-0050000")
cold = time.perf_counter() - start
warm = []
for _ in range(50):
    start = time.perf_counter()
    verifier.verify(f"{name}:tag-0050000")
    warm.append(time.perf_counter() - start)
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
print(json.dumps({"cold": cold, "warm": warm, "peak_bytes": peak}))
"""
