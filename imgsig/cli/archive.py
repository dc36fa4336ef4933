"""``imgsig archive``: save the trust data of names, to verify from later."""

from argparse import Namespace
from pathlib import Path
from typing import Any

from imgsig.archive import PARTIAL, Archive, CapturedName, Wanted
from imgsig.cli.console import Console
from imgsig.cli.places import open_sources, places_of
from imgsig.cli.references import read_references
from imgsig.environment import Environment
from imgsig.errors import UsageError, VerificationError
from imgsig.faults import shown_path
from imgsig.policy import load_authority


def run(arguments: Namespace, console: Console, environment: Environment) -> int:
    """Save the names, print the archive's id and return the exit status.

    Raises:
        RejectedError: a name is not signed.
        InconclusiveError: something could not be had; then no archive was written.
        UsageError: the call or the configuration is wrong, or something else is in the archive's place.
    """
    archive = _saved(arguments, console, environment)
    if arguments.json:
        console.values({
            "archive": archive.id,
            "captured_at": archive.captured_at.isoformat().replace("+00:00", "Z"),
            "names": [_described(name) for name in archive.names],
        })
    else:
        console.data(archive.id)
    for name in archive.names:
        console.note(f"{name.name}: {len(name.files)} documents from {name.server}")
        if not name.verified:
            console.warn(f"{name.name} does not verify and is marked so: {name.summary} ({name.code})")
    return 0


def _saved(arguments: Namespace, console: Console, environment: Environment) -> Archive:
    """Save what can be had of all names, telling how far that is."""
    names = [*arguments.names, *([] if arguments.file is None else read_references(arguments.file))]
    if not names:
        msg = "there is no name to save"
        raise UsageError(msg, hint="imgsig archive NAME -o DIR, or imgsig archive --help")
    places = tuple(dict.fromkeys(places_of(names, arguments, environment)))
    wanted = [Wanted(place.name, place.settings, load_authority(place.settings)) for place in places]
    done: list[tuple[Wanted, VerificationError | None]] = []

    def tell(one: Wanted, fault: VerificationError | None) -> None:
        done.append((one, fault))
        console.show_progress(len(done), len(wanted))
        console.flush()

    try:
        with open_sources(places, environment) as sources:
            return Archive.save(
                wanted,
                arguments.output,
                sources=sources,
                clock=environment.now,
                timeout_seconds=arguments.timeout,
                workers=arguments.workers,
                resumable=True,
                progress=tell,
            )
    except (VerificationError, KeyboardInterrupt):
        console.clear_progress()
        for one, fault in done:
            if fault is not None and len(wanted) > 1:
                console.problem(f"{one.name}: {fault} ({fault.code})")
        partial = Path(f"{arguments.output.rstrip('/')}{PARTIAL}")
        if partial.is_dir():
            console.note(f"what could be had is kept in {shown_path(partial)}, and serves the next try within a day")
        raise
    finally:
        console.clear_progress()


def _described(name: CapturedName) -> dict[str, Any]:
    return {
        "system": name.system,
        "name": name.name,
        "server": name.server,
        "files": len(name.files),
        "verified": name.verified,
        "code": name.code or None,
        "summary": name.summary or None,
    }
