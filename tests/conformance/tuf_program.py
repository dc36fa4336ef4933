"""What ``tuf_client`` does: the update of `imgsig.tuf`, with metadata in plain files, and downloads of targets.

Only the files and the downloads are its own; what is verified, and how, is what verifying an image does.
"""

import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import Final, final
from urllib.parse import quote, unquote

from imgsig.authority import Question
from imgsig.errors import ImgsigError
from imgsig.limits import Deadline, Limits
from imgsig.remembering import Remembered, answer_by_memory
from imgsig.sections import RootFile
from imgsig.trust import Evidence, Stored, Trust
from imgsig.tuf.search import Search
from imgsig.tuf.settings import Tuf
from imgsig.tuf.update import Update, learn
from imgsig.verdict import Checks

_NAME: Final = "tuf.example.com/conformance"
_TIMEOUT_SECONDS: Final = 60.0
_ROOT: Final = "root.json"
_TAKES: Final = ("--metadata-dir", "--metadata-url", "--target-name", "--target-dir", "--target-base-url")
_LONG_AGO: Final = datetime(2000, 1, 1, tzinfo=UTC)
_NOWHERE: Final = "https://tuf.example.com"


class DownloadError(Exception):
    """A target could not be had as it is listed."""


@final
class MetadataFolder:
    """Trusted metadata as ``ROLE.json``, the way that other clients keep it. Implements ``imgsig.authority.State``.

    There are no version floors beside the documents: those found here are verified again, and are the floors then.
    """

    remembers = True

    def __init__(self, path: Path) -> None:
        """Keep metadata in the folder `path`."""
        self._path = path

    def load(self, system: str, name: str, *, deadline: Deadline) -> Stored:
        """Return the documents that are there."""
        bodies = {_role_of(file): file.read_bytes() for file in sorted(self._path.glob("*.json"))}
        root = bodies.pop("root")
        evidence = Evidence(RootFile.kind, (sha256(root).hexdigest(),))
        return Stored("files", Trust(root, evidence, {}, bodies, _NOWHERE, _LONG_AGO, _LONG_AGO))

    def generation(self, system: str, name: str) -> str:
        """Return a constant: nobody else uses the folder."""
        return "files"

    def commit(self, system: str, name: str, trust: Trust, *, expected: str, deadline: Deadline) -> Stored:
        """Write the documents that are new."""
        for role, body in {**trust.documents, "root": trust.root}.items():
            self.write(f"{quote(role, safe='')}.json", body)
        return Stored(expected, trust)

    def write(self, name: str, body: bytes) -> None:
        """Write one file, whole."""
        file = self._path / name
        if not file.exists() or file.read_bytes() != body:
            temporary = file.with_name(f"{name}.new")
            temporary.write_bytes(body)
            temporary.replace(file)


@final
@dataclass(frozen=True, slots=True)
class Options:
    """What the command line says."""

    command: str
    root: Path
    metadata_dir: Path
    metadata_url: str
    target_names: tuple[str, ...]
    target_dir: Path
    target_base_url: str


def _now() -> datetime:
    return datetime.now(UTC)


def main(arguments: Sequence[str], *, clock: Callable[[], datetime] = _now) -> int:
    """Do what the command line says, and return the exit status."""
    try:
        options = parse_options(arguments)
        folder = MetadataFolder(options.metadata_dir)
        if options.command == "init":
            options.metadata_dir.mkdir(parents=True, exist_ok=True)
            _init(options.root.read_bytes(), folder, clock())
        else:
            _update(options, folder, clock())
    except (ImgsigError, DownloadError, OSError, ValueError) as error:
        sys.stderr.write(f"{type(error).__name__}: {error}\n")
        return 1
    return 0


def _init(root: bytes, folder: MetadataFolder, now: datetime) -> None:
    from imgsig.memory import Memory  # noqa: PLC0415 - only here
    from imgsig.tuf.rules import Rules  # noqa: PLC0415
    from imgsig.tuf.trusted import TrustedSet  # noqa: PLC0415

    TrustedSet(root, {}, Rules(now, Limits(), Memory()))
    folder.write(_ROOT, root)


def _update(options: Options, folder: MetadataFolder, now: datetime) -> None:
    from imgsig.transport import HttpSources  # noqa: PLC0415 - init makes no request

    root = folder.load("tuf", _NAME, deadline=Deadline(_TIMEOUT_SECONDS)).trust
    settings = Tuf(anchor=RootFile(b"" if root is None else root.root), metadata_url=options.metadata_url)
    with HttpSources() as sources:
        question = Question(
            name=_NAME,
            tag="",
            digest="",
            at=now,
            source=sources.open(settings.endpoint(_NAME)),
            live=True,
            state=folder,
            deadline=Deadline(_TIMEOUT_SECONDS),
            limits=Limits(),
        )

        def attempt(remembered: Remembered, checks: Checks) -> DownloadError | None:
            update = Update(question, settings, remembered)
            return learn(update, remembered, checks, lambda search: _download_all(options, search, update))

        failure = answer_by_memory(question, settings.system, Checks(), attempt, max_stale_seconds=0)
        if failure is not None:
            raise failure


def _download_all(options: Options, search: Search, update: Update) -> DownloadError | None:
    """Download one target after another; return what ended it, which is no fault of the metadata."""
    if options.command != "download":
        return None
    consistent = bool(update.trusted.root.model.consistent_snapshot)
    for path in options.target_names:
        found = search.find(path)
        if found is None:
            return DownloadError(f"no role lists {path!r}")
        try:
            _download(found.target, options, consistent=consistent)
        except DownloadError as error:
            return error
    return None


def _download(target: object, options: Options, *, consistent: bool) -> None:
    from imgsig.tuf.model import LengthOrHashMismatchError, TargetFile  # noqa: PLC0415 - only here

    if not isinstance(target, TargetFile):
        raise TypeError(target)
    place = options.target_dir / quote(target.path, safe="")
    try:
        if place.exists():
            target.verify_length_and_hashes(place.read_bytes())
            return
    except LengthOrHashMismatchError:
        pass
    path = target.path
    if consistent:
        folder, slash, file = path.rpartition("/")
        path = f"{folder}{slash}{next(iter(target.hashes.values()))}.{file}"
    body = _fetch(f"{options.target_base_url.rstrip('/')}/{path}", target.length)
    try:
        target.verify_length_and_hashes(body)
    except LengthOrHashMismatchError as error:
        raise DownloadError(str(error)) from error
    options.target_dir.mkdir(parents=True, exist_ok=True)
    place.write_bytes(body)


def _fetch(url: str, length: int) -> bytes:
    """Return what is at `url`, one byte more than `length` at most: images are pulled by others, never by imgsig."""
    import requests  # noqa: PLC0415 - for downloads alone

    try:
        with requests.get(url, timeout=_TIMEOUT_SECONDS, stream=True) as answer:
            answer.raise_for_status()
            return answer.raw.read(length + 1)
    except requests.RequestException as error:
        raise DownloadError(str(error)) from error


def _role_of(file: Path) -> str:
    return unquote(file.name.removesuffix(".json"))


def parse_options(words: Sequence[str]) -> Options:
    """Return what the command line says. Written out because a parser of the library costs a tenth of the start.

    Raises:
        ValueError: it says nothing that is known.
    """
    given: dict[str, list[str]] = {name: [] for name in _TAKES}
    left = list(words)
    while left and left[0] in _TAKES and len(left) > 1:
        given[left[0]].append(left[1])
        del left[:2]
    match left:
        case ["init", root]:
            command, rest = "init", Path(root)
        case ["refresh" | "download" as command]:
            rest = Path()
        case _:
            msg = f"usage: tuf_client {' '.join(f'[{name} …]' for name in _TAKES)} init ROOT | refresh | download"
            raise ValueError(msg)
    last = {name: values[-1] if values else "" for name, values in given.items()}
    if not last["--metadata-dir"]:
        msg = "--metadata-dir is missing"
        raise ValueError(msg)
    return Options(
        command,
        rest,
        metadata_dir=Path(last["--metadata-dir"]),
        metadata_url=last["--metadata-url"] or _NOWHERE,
        target_names=tuple(given["--target-name"]),
        target_dir=Path(last["--target-dir"]),
        target_base_url=last["--target-base-url"],
    )
