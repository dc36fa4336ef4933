"""``imgsig inspect``: what a repository holds, verified, for people, programs and those who know ``docker trust``."""

import json
from argparse import Namespace
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import Any, Final, final

from imgsig.archive import Archive
from imgsig.authority import State
from imgsig.cli.console import Console
from imgsig.cli.places import Place, open_sources, places_of
from imgsig.cli.policy_file import load_policy_if_any
from imgsig.environment import Environment
from imgsig.errors import PolicyError, UsageError
from imgsig.inspection.docker_format import docker_inspect
from imgsig.inspection.drawing import draw_delegations
from imgsig.inspection.inventory import (
    Inventory,
    InventoryRole,
    InventoryTag,
    VerifiedRepository,
    fetch_repository,
    take_inventory,
)
from imgsig.limits import Deadline, Limits
from imgsig.notary.settings import FirstUse, Notary
from imgsig.reference import ImageReference, parse_reference
from imgsig.state import FolderState

_ALL: Final = "every tag"


@final
@dataclass(frozen=True, slots=True)
class _Aim:
    """What is looked at, and by whose word it is trusted."""

    place: Place
    settings: Notary
    by_rule: bool


def run(arguments: Namespace, console: Console, environment: Environment) -> int:
    """Show what the repository holds and return the exit status.

    Raises:
        RejectedError: the name is not signed, or a document breaks a rule.
        InconclusiveError: something could not be had.
        UsageError: the call or the configuration is wrong.
    """
    _check(arguments)
    reference = parse_reference(arguments.reference)
    aim = _aim(reference, arguments, environment)
    repository = _repository(aim, arguments, environment)
    inventory = take_inventory(repository, tag=reference.tag, digest=reference.digest)
    if arguments.json:
        console.values(inventory.to_dict() | {"pinned": _is_pinned(repository)})
    elif arguments.format == "docker":
        tag = "" if reference.digest else reference.tag
        for line in json.dumps(docker_inspect(repository, arguments.reference, tag=tag), indent=4).splitlines():
            console.json(line)
    elif arguments.format == "dot":
        for line in draw_delegations(inventory).splitlines():
            console.data(line)
    else:
        for line in _lines(inventory):
            console.data(line)
    _warn(reference, inventory, console)
    return 0


def _check(arguments: Namespace) -> None:
    if arguments.archive is None:
        for option in ("at", "archive_id"):
            if getattr(arguments, option) is not None:
                msg = f"--{option.replace('_', '-')} goes with --archive only"
                raise UsageError(msg, hint="a server answers for now; name an archive to look into")
        return
    for option in ("server", "state"):
        if getattr(arguments, option) is not None:
            msg = f"--{option} does not go with --archive"
            raise UsageError(msg, hint=f"an archive is looked into by itself: leave --{option} out")


def _repository(aim: _Aim, arguments: Namespace, environment: Environment) -> VerifiedRepository:
    fetch = partial(fetch_repository, aim.settings, aim.place.name)
    bounds: dict[str, Any] = {"deadline": Deadline(arguments.timeout), "limits": Limits()}
    if arguments.archive is not None:
        source = Archive.load(arguments.archive, arguments.archive_id).open(aim.place.endpoint)
        at = environment.now() if arguments.at is None else arguments.at.astimezone(UTC)
        return fetch(source, None, live=False, at=at, **bounds)
    state = _state(aim, arguments, environment)
    with open_sources([aim.place], environment) as sources:
        return fetch(sources.open(aim.place.endpoint), state, live=True, at=environment.now(), **bounds)


def _aim(reference: ImageReference, arguments: Namespace, environment: Environment) -> _Aim:
    """Return the rule's section for Docker Content Trust, or without a rule, that whatever is offered is looked at."""
    rule = load_policy_if_any(environment, arguments.policy).rule_for(reference)
    if rule is None or not rule.sections:
        (place,) = places_of([reference.name], arguments, environment)
        return _Aim(place, Notary(anchor=FirstUse(), server=place.endpoint.server), by_rule=False)
    settings = next((section for section in rule.sections if isinstance(section, Notary)), None)
    if settings is None:
        msg = f"the rule for {reference.name} names no trust in Docker Content Trust"
        raise UsageError(msg, hint="repositories of TUF 1.x cannot be listed: they tell nobody which targets there are")
    if arguments.server is not None:
        try:
            settings = settings.with_server(arguments.server)
        except PolicyError as error:
            raise UsageError(f"--server {error.faults[0].partition(': ')[2]}") from error
    return _Aim(Place(rule.signed_name(reference.name), settings, logged_in=True), settings, by_rule=True)


def _state(aim: _Aim, arguments: Namespace, environment: Environment) -> State | None:
    if not aim.by_rule:
        return None
    return environment.state() if arguments.state is None else FolderState(arguments.state)


def _is_pinned(repository: VerifiedRepository) -> bool:
    """Whether there is a reason to trust the root: an anchor, or that it was trusted before."""
    return repository.evidence.kind != FirstUse.kind or repository.known_since is not None


def _warn(reference: ImageReference, inventory: Inventory, console: Console) -> None:
    repository = inventory.repository
    if not _is_pinned(repository):
        console.warn("nothing shows whose keys these are: no rule pins them, and they were not trusted here before")
    if repository.source.kind == "server" and not repository.fresh:
        console.warn("the server could not be reached; this is what it said before")
    if not inventory.tags and (reference.tag or reference.digest):
        console.warn(f"{reference} is not signed")


def _lines(inventory: Inventory) -> Iterator[str]:
    repository = inventory.repository
    evidence, since, source = repository.evidence, repository.known_since, repository.source
    trust = " ".join((evidence.kind, *evidence.ids))
    yield from _rows(
        ("name", repository.name),
        (source.kind, source.location),
        ("captured at", _day(source.captured_at)),
        ("trust", trust if _is_pinned(repository) else "none: nothing shows whose keys these are"),
        ("known since", _day(since)),
        ("valid until", _day(inventory.valid_until)),
    )
    yield ""
    yield "root keys"
    for key in inventory.root_keys:
        yield f"  {key.key_id}{'' if key.signed else ', has not signed'}"
        yield f"    certificate {key.certificate_id}, {key.subject}, valid until {key.not_after:%Y-%m-%d}"
    yield ""
    yield "roles"
    for role in inventory.roles:
        yield from _role(role)
    yield ""
    yield "tags"
    width = max((len(tag.name) for tag in inventory.tags), default=0)
    for tag in inventory.tags:
        yield _tag(tag, width)


def _rows(*rows: tuple[str, str]) -> Iterator[str]:
    return (f"{label:<12} {value}" for label, value in rows if value)


def _role(role: InventoryRole) -> Iterator[str]:
    found = role.fault or f"version {role.version}, expires {_day(role.expires)}"
    if role.name.startswith("targets") and not role.fault:
        found += f", tags: {role.tags}"
    if role.name.startswith("targets/"):
        found += f", for {_ALL if '' in role.paths else ' '.join(f'{path}…' for path in role.paths) or 'no tag'}"
    yield f"  {role.name}: {found}"
    for key_id in role.key_ids:
        yield f"    key {key_id}{', signed' if key_id in role.signed_by else ''}"
    if len(role.key_ids) > 1 or role.threshold > 1:
        yield f"    threshold {role.threshold}"


def _tag(tag: InventoryTag, width: int) -> str:
    if tag.fault:
        return f"  {tag.name:<{width}}  {tag.fault}"
    return f"  {tag.name:<{width}}  {tag.digest}  {', '.join((tag.role, *tag.signers))}"


def _day(moment: datetime | None) -> str:
    return "" if moment is None else moment.isoformat(timespec="seconds").replace("+00:00", "Z")
