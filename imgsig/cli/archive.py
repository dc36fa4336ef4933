"""``imgsig archive``: save the trust data of names, to verify from later."""

from argparse import Namespace
from typing import Any

from imgsig.archive import Archive, CapturedName, Wanted
from imgsig.cli.console import Console
from imgsig.cli.places import open_sources, places_of
from imgsig.environment import Environment
from imgsig.policy import load_authority


def run(arguments: Namespace, console: Console, environment: Environment) -> int:
    """Save the names, print the archive's id and return the exit status.

    Raises:
        RejectedError: a name is not signed.
        InconclusiveError: something could not be had; then nothing was written.
        UsageError: the call or the configuration is wrong, or the folder holds something else.
    """
    places = tuple(dict.fromkeys(places_of(arguments.names, arguments, environment)))
    wanted = [Wanted(place.name, place.settings, load_authority(place.settings)) for place in places]
    with open_sources(places, environment) as sources:
        archive = Archive.save(
            wanted, arguments.output, sources=sources, clock=environment.now, timeout_seconds=arguments.timeout
        )
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
