"""``imgsig anchor``: show the root keys that a server offers, and pin them in a policy if the user says so."""

from argparse import Namespace
from pathlib import Path

from imgsig.cli.console import Console
from imgsig.cli.places import Place, open_sources, places_of
from imgsig.cli.policy_file import add_rule, check_writable
from imgsig.environment import Environment
from imgsig.errors import UsageError
from imgsig.inspection.offered import OfferedRoot, fetch_offered_root
from imgsig.limits import Deadline, Limits
from imgsig.notary.settings import Notary, RootKeys
from imgsig.policy import Rule
from imgsig.reference import parse_reference


def run(arguments: Namespace, console: Console, environment: Environment) -> int:
    """Show what is offered, write the rule if one is wanted, and return the exit status.

    Raises:
        RejectedError: the name is not signed, or the offered root breaks a rule.
        InconclusiveError: it could not be had.
        UsageError: the call or the configuration is wrong, or there is a rule for the name already.
    """
    requested = parse_reference(arguments.name).name
    place = next(
        (place for place in places_of([requested], arguments, environment) if place.settings.system == Notary.system),
        None,
    )
    if place is None:
        msg = f"the rule for {requested} names no trust in Docker Content Trust"
        raise UsageError(msg, hint="give the server by --server")
    if arguments.write is not None:
        check_writable(Path(arguments.write), requested)
    now, limits = environment.now(), Limits()
    with open_sources([place], environment) as sources:
        root = fetch_offered_root(
            sources.open(place.endpoint), place.name, at=now, deadline=Deadline(arguments.timeout), limits=limits
        )
    if arguments.write is not None:
        comment = f"offered by {root.server} on {now:%Y-%m-%d}"
        add_rule(Path(arguments.write), _rule(requested, place, root), comment)
    if arguments.json:
        console.values(root.to_dict() | {"written": arguments.write})
    else:
        _show(root, console)
    _advise(requested, arguments.write, console)
    return 0


def _rule(requested: str, place: Place, root: OfferedRoot) -> Rule:
    """Return the rule that trusts the offered keys; the server is left out where the name itself tells it."""
    pins = RootKeys(sorted({key.key_id for key in root.keys}))
    server = place.endpoint.server
    unnamed = Notary(anchor=pins)
    settings = unnamed if unnamed.endpoint(place.name).server == server else unnamed.with_server(server)
    return Rule([requested], notary=settings, signed_as=None if place.name == requested else place.name)


def _show(root: OfferedRoot, console: Console) -> None:
    rows = [
        ("name", root.name),
        ("server", root.server),
        ("root", f"version {root.version}, expires {root.expires:%Y-%m-%d}, threshold {root.threshold}"),
    ]
    for key in root.keys:
        rows += [
            ("", ""),
            ("key id", key.key_id),
            ("certificate", key.certificate_id),
            ("subject", key.subject),
            ("valid", f"{key.not_before:%Y-%m-%d} to {key.not_after:%Y-%m-%d}"),
            ("sha256", ":".join(key.sha256[index : index + 2] for index in range(0, len(key.sha256), 2)).upper()),
            ("signed", "yes" if key.signed else "no"),
        ]
    for label, value in rows:
        console.data(f"{label:<12} {value}".rstrip())


def _advise(requested: str, written: str | None, console: Console) -> None:
    console.warn("nothing shows whose keys these are: compare the key ids with what the publisher tells you")
    if written is None:
        console.hint(f"imgsig anchor {requested} --write FILE adds a rule that trusts them to a policy file")
    else:
        console.note(f"{written} has a rule now that trusts them for {requested}")
