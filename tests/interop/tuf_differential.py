"""Ask imgsig and python-tuf's client about the same repositories, step by step, and compare.

    python -m tests.interop.tuf_differential --count 1000 --seed 1

runs that many histories and prints how often the two agreed, and for which reasons they did not.
"""

import argparse
import json
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final, final

from tuf.api.exceptions import DownloadError, DownloadHTTPError, RepositoryError
from tuf.ngclient import FetcherInterface, Updater  # type: ignore[attr-defined] # documented names, but no __all__

from imgsig.codes import Code
from imgsig.errors import VerificationError
from imgsig.limits import Deadline
from imgsig.state import MemoryState
from imgsig.tuf.metadata import parse_root
from tests.interop.tuf_histories import FLOORS, History, Kind, step
from tests.support.repository import NAME
from tests.support.tuf_asker import TufAsker
from tests.support.tuf_repository import TufRepository

STEPS: Final = 7
BASE: Final = "https://tuf.example.com/metadata/"
NOTHING: Final = "nothing"
"""The answer that the target is not listed."""
_REFUSED: Final = "refused"


@final
class FilesFetcher(FetcherInterface):
    """Gives python-tuf's client what a repository serves."""

    def __init__(self, repository: TufRepository) -> None:
        """Serve `repository`."""
        self._repository = repository

    def _fetch(self, url: str) -> Iterator[bytes]:
        reply = self._repository.served(url.removeprefix(BASE))
        if reply.status != 200:
            msg = "no such file"
            raise DownloadHTTPError(msg, reply.status)
        yield reply.body


@final
@dataclass(frozen=True, slots=True)
class Answer:
    """What a client says and keeps."""

    says: str
    """A digest, `NOTHING`, or ``refused``."""
    why: str
    kept: tuple[int, ...]
    """The trusted root's version, and those of timestamp and snapshot, as far as there are any."""


@final
class Theirs:
    """python-tuf's client with a folder of its own."""

    def __init__(self, history: History, folder: Path) -> None:
        """Begin with the repository's first root."""
        self._history = history
        self._folder = folder
        self._first = history.repository.files["1.root.json"]

    def ask(self, path: str) -> Answer:
        """Update, and look for the target at `path`."""
        says, why = _REFUSED, ""
        fetcher = FilesFetcher(self._history.repository)
        updater = Updater(str(self._folder), BASE, fetcher=fetcher, bootstrap=self._first)
        updater._trusted_set.reference_time = self._history.now
        try:
            info = updater.get_targetinfo(path)
            says = NOTHING if info is None else f"sha256:{info.hashes['sha256']}"
        except (RepositoryError, DownloadError, KeyError) as error:
            why = f"{type(error).__name__}: {error}"
        return Answer(says, why, self._kept())

    def _kept(self) -> tuple[int, ...]:
        names = [name for name in ("root", "timestamp", "snapshot") if (self._folder / f"{name}.json").exists()]
        return tuple(_version((self._folder / f"{name}.json").read_bytes()) for name in names)


@final
class Ours:
    """imgsig with a state of its own."""

    def __init__(self, history: History) -> None:
        """Begin with the repository's first root."""
        self._history = history
        self._asker = TufAsker(history.repository, state=MemoryState())

    def ask(self, path: str) -> Answer:
        """Update, and look for the target at `path`."""
        self._asker.now = self._history.now
        says, why = _REFUSED, ""
        try:
            says = self._asker.ask(path.removeprefix(f"{NAME}:")).digest
        except VerificationError as error:
            why = f"{error.code}: {error}"
            says = NOTHING if error.code is Code.TAG_NOT_SIGNED else _REFUSED
        return Answer(says, why, self._kept())

    def _kept(self) -> tuple[int, ...]:
        assert self._asker.state is not None
        trust = self._asker.state.load("tuf", NAME, deadline=Deadline(10)).trust
        if trust is None:
            return (1,)
        root = parse_root(trust.root, self._asker.limits).model.version
        bodies = [trust.documents[role] for role in ("timestamp", "snapshot") if role in trust.documents]
        return (root, *map(_version, bodies))


def _version(body: bytes) -> int:
    found: int = json.loads(body)["signed"]["version"]
    return found


@final
@dataclass(frozen=True, slots=True)
class Difference:
    """One step at which the two differ."""

    seed: int
    bend: str
    reason: str
    """Why that is right; empty if nothing says so."""
    ours: Answer
    theirs: Answer


def compare(seed: int, agreed: Counter[str]) -> Difference | None:
    """Run one history until its end or the first difference, counting in `agreed` what both said."""
    history = History.begin(seed)
    with tempfile.TemporaryDirectory() as folder:
        theirs, ours = Theirs(history, Path(folder) / "metadata"), Ours(history)
        happened: list[Kind] = []
        for number in range(STEPS):
            if number:
                happened.append(step(history))
            path = history.path()
            their, our = theirs.ask(path), ours.ask(path)
            if their.says == our.says and their.kept == our.kept:
                agreed["refused" if our.says == _REFUSED else "nothing" if our.says == NOTHING else "digest"] += 1
                continue
            bend = happened[-1].bend.__name__ if happened else "begin"
            return Difference(seed, bend, _reason(happened, our, their), our, their)
    return None


def _reason(happened: list[Kind], ours: Answer, theirs: Answer) -> str:
    """Return the reason that one of the bends so far gives for the difference, if it is of its kind."""
    in_question = [*happened[-1:], *(kind for kind in reversed(happened[:-1]) if kind.lasting)]
    reasons = [kind.wider for kind in in_question] if theirs.says == _REFUSED else []
    if ours.says == _REFUSED:
        rolled_back = ours.why.startswith("rollback")
        reasons += [kind.stricter for kind in in_question if kind.stricter != FLOORS or rolled_back]
    return next(filter(None, reasons), "")


def main(arguments: list[str]) -> int:
    """Compare as many histories as asked for, print the figures, and return 1 if a difference has no reason."""
    parser = argparse.ArgumentParser(description="Compare imgsig with python-tuf's client.")
    parser.add_argument("--count", type=int, default=500)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args(arguments)
    agreed: Counter[str] = Counter()
    reasons: Counter[str] = Counter()
    unexplained = 0
    for seed in range(options.seed, options.seed + options.count):
        difference = compare(seed, agreed)
        if difference is None:
            continue
        if difference.reason:
            reasons[difference.reason] += 1
            continue
        unexplained += 1
        print(difference)  # noqa: T201 - a script for people
    print(f"{options.count} histories; steps agreed on: {dict(agreed)}")  # noqa: T201
    for reason, count in reasons.most_common():
        print(f"  {count:4} ended by: {reason}")  # noqa: T201
    print(f"  {unexplained:4} differences without a reason")  # noqa: T201
    return 1 if unexplained else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
