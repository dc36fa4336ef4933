"""``imgsig state``: what has been trusted so far, and how to forget it."""

from argparse import Namespace
from typing import Any

from imgsig.cli.console import Console
from imgsig.environment import Environment
from imgsig.errors import UsageError
from imgsig.limits import DEFAULT_TIMEOUT_SECONDS, Deadline, Limits
from imgsig.policy import SYSTEMS
from imgsig.reference import parse_reference
from imgsig.state import FolderState
from imgsig.strictjson import parse
from imgsig.trust import Trust


def show(arguments: Namespace, console: Console, environment: Environment) -> int:
    """Show every name, or the one asked for, and return the exit status.

    Raises:
        InconclusiveError: something is stored but cannot be read.
        UsageError: nothing is stored of the name, or the call is wrong.
    """
    state, deadline = _state(arguments, environment), Deadline(DEFAULT_TIMEOUT_SECONDS)
    if arguments.name is None:
        entries = state.names()
    else:
        entries = tuple((system, parse_reference(arguments.name).name) for system in SYSTEMS)
    found = [
        _described(system, name, trust)
        for system, name in entries
        if (trust := state.load(system, name, deadline=deadline).trust) is not None
    ]
    if arguments.name is not None and not found:
        raise _unknown(entries[0][1], state)
    for number, entry in enumerate(found):
        if arguments.json:
            console.values(entry)
        else:
            _tell(entry, console, first=number == 0)
    if not found:
        console.note(f"nothing is remembered in {state.path}")
    return 0


def forget(arguments: Namespace, console: Console, environment: Environment) -> int:
    """Forget the name and return the exit status.

    Raises:
        InconclusiveError: it could not be forgotten.
        UsageError: nothing is stored of the name, or the call is wrong.
    """
    state, name = _state(arguments, environment), parse_reference(arguments.name).name
    deadline = Deadline(DEFAULT_TIMEOUT_SECONDS)
    known = [system for system in SYSTEMS if state.forget(system, name, deadline=deadline)]
    if not known:
        raise _unknown(name, state)
    console.note(f"what was trusted of {name} is forgotten")
    return 0


def _state(arguments: Namespace, environment: Environment) -> FolderState:
    return environment.state() if arguments.state is None else FolderState(arguments.state)


def _unknown(name: str, state: FolderState) -> UsageError:
    msg = f"nothing is remembered of {name} in {state.path}"
    return UsageError(msg, hint="imgsig state show lists every name; a mirror's images go by the signed name")


def _version_of(root: bytes) -> int:
    """Return the version of a root that was verified: every system that keeps one writes it in the same place."""
    version: int = parse(root, what="root", max_depth=Limits().max_json_depth)["signed"]["version"]
    return version


def _described(system: str, name: str, trust: Trust) -> dict[str, Any]:
    return {
        "system": system,
        "name": name,
        "server": trust.origin,
        "root_version": _version_of(trust.root),
        "anchor": {"kind": trust.evidence.kind, "ids": list(trust.evidence.ids)},
        "floors": {role: floor.version for role, floor in sorted(trust.floors.items())},
        "known_since": trust.known_since.isoformat().replace("+00:00", "Z"),
        "confirmed_at": trust.confirmed_at.isoformat().replace("+00:00", "Z"),
    }


def _tell(entry: dict[str, Any], console: Console, *, first: bool) -> None:
    rows = [
        ("name", entry["name"]),
        ("authority", entry["system"]),
        ("server", entry["server"]),
        ("root", f"version {entry['root_version']}"),
        ("anchor", " ".join((entry["anchor"]["kind"], *entry["anchor"]["ids"]))),
        ("floors", ", ".join(f"{role} {version}" for role, version in entry["floors"].items())),
        ("known since", entry["known_since"]),
        ("confirmed at", entry["confirmed_at"]),
    ]
    if not first:
        console.data("")
    for label, value in rows:
        console.data(f"{label:<12} {value}".rstrip())
