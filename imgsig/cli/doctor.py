"""``imgsig doctor``: what will make a verification fail, or protects less than it seems to, told beforehand."""

from argparse import Namespace
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Final

from imgsig.cli.console import Console
from imgsig.cli.places import Place, open_sources, places_of
from imgsig.cli.policy_file import load_policy_if_any
from imgsig.cli.statuses import FOUND
from imgsig.diagnosis import (
    Finding,
    Word,
    check_covered,
    check_docker,
    check_examined,
    check_rules,
    exact_names,
    finding_of,
    finding_of_fault,
    unique,
)
from imgsig.environment import Environment
from imgsig.errors import InconclusiveError, UsageError, VerificationError
from imgsig.examination import examine
from imgsig.faults import shown_path
from imgsig.limits import DEFAULT_TIMEOUT_SECONDS, Deadline, Limits
from imgsig.origins import Origin, Origins
from imgsig.ownership import faults_of_place, is_writable
from imgsig.policy import Policy, SectionSettings, load_authority
from imgsig.reference import parse_reference
from imgsig.state import FolderState
from imgsig.trust import Stored
from imgsig.verdict import Checks

_DOCKER_SECONDS: Final = 5.0
"""How long the Docker client may take to tell its version."""


def run(arguments: Namespace, console: Console, environment: Environment) -> int:
    """Look at everything, tell what was found and return the exit status.

    Raises:
        UsageError: the call is wrong, or the configuration is so wrong that nothing can be looked at.
    """
    if arguments.server is not None and not arguments.names:
        msg = "--server goes with names only"
        raise UsageError(msg, hint="name the images to look at, or leave --server out")
    asked = tuple(dict.fromkeys(parse_reference(name).name for name in arguments.names))
    policy = load_policy_if_any(environment, arguments.policy)
    state = environment.state() if arguments.state is None else FolderState(arguments.state)
    found = [*_files(arguments, environment, state), *_docker(environment)]
    remembered, unreadable = _remembered(state)
    found += [*unreadable, *check_rules(policy, asked, remembered)]
    if arguments.server is None:
        found += check_covered(policy, asked)
    places = _places(asked, policy, arguments, environment)
    for done, findings in enumerate(_examinations(places, state, arguments, environment), 1):
        found += findings
        console.show_progress(done, len(places))
        console.flush()
    console.clear_progress()
    told = [finding for finding in unique(found) if finding.word not in arguments.ignore]
    for finding in told:
        if arguments.json:
            console.values(finding.to_dict())
        else:
            console.data(f"{finding.severity.value}: {finding.what} ({finding.word})")
            console.data(f"  remedy: {finding.remedy}")
    console.note(f"names looked at: {len(places)}, findings: {len(told)}")
    return FOUND if told else 0


def _files(arguments: Namespace, environment: Environment, state: FolderState) -> Iterator[Finding]:
    """Yield what is wrong with the places of policy and state."""
    policy = environment.policy_file if arguments.policy is None else Path(arguments.policy).absolute()
    if not policy.exists():
        yield finding_of(Word.POLICY_MISSING, str(policy), f"there is no policy in {shown_path(policy)}")
    for place in (policy, state.path):
        for fault in faults_of_place(place):
            yield finding_of(Word.PLACE_UNSAFE, str(place), fault)
    if not is_writable(state.path):
        what = f"nothing can be written to the state in {shown_path(state.path)}"
        yield finding_of(Word.STATE_READ_ONLY, str(state.path), what)


def _docker(environment: Environment) -> Iterator[Finding]:
    """Yield whether Docker is told to verify and does not."""
    if not environment.wants_content_trust:
        return
    try:
        yield from check_docker(environment.docker_client_version(deadline=Deadline(_DOCKER_SECONDS)))
    except (OSError, ValueError, InconclusiveError) as error:
        why = (error.strerror or "input/output error").lower() if isinstance(error, OSError) else str(error)
        what = f"DOCKER_CONTENT_TRUST is set, and the Docker client does not tell its version: {why}"
        yield finding_of(Word.DOCKER_UNKNOWN, "docker", what)


def _remembered(state: FolderState) -> tuple[tuple[str, ...], list[Finding]]:
    """Return the signed names that were verified here before, and that they cannot be read if so."""
    try:
        return tuple(name for _, name in state.names()), []
    except InconclusiveError as error:
        return (), [finding_of_fault(error, str(state.path))]


def _places(
    asked: tuple[str, ...], policy: Policy, arguments: Namespace, environment: Environment
) -> tuple[Place, ...]:
    """Return where to look: at ``--server`` for the names asked about, else at the servers of rules alone.

    What all names of a rule have in one place is looked at once.
    """
    found: dict[object, Place] = {}
    if arguments.server is not None:
        offered = places_of(asked, arguments, environment)
        every = [at_server for place in offered for at_server in _by_rule(place.name, policy, place)]
    else:
        every = [place for name in dict.fromkeys((*exact_names(policy), *asked)) for place in _by_rule(name, policy)]
    for place in every:
        where = place.endpoint.path if place.settings.archive is None else place.name
        found.setdefault((place.settings, place.endpoint.server, where), place)
    return tuple(found.values())


def _by_rule(name: str, policy: Policy, offered: Place | None = None) -> Iterator[Place]:
    """Yield where the image `name` is looked at by its rule; at the server of `offered`, if there is one."""
    rule = policy.rule_for(name)
    sections = () if rule is None else rule.sections
    signed = name if rule is None or not sections else rule.signed_name(name)
    if offered is None:
        yield from (Place(signed, section, logged_in=True) for section in sections)
        return
    wanted = offered.settings
    same = [section for section in sections if section.system == wanted.system]
    settings = same[0].with_server(wanted.server or "") if same else wanted
    yield Place(signed, settings, logged_in=True)


def _examinations(
    places: tuple[Place, ...], state: FolderState, arguments: Namespace, environment: Environment
) -> Iterator[list[Finding]]:
    """Yield what is found of each place, several at a time."""
    if not places:
        return
    with open_sources(places, environment) as sources, ThreadPoolExecutor(arguments.workers) as pool:
        open_origin = partial(Origins(state, Limits(), given=False).open, sources=sources)
        look = partial(_examination, open_origin=open_origin, state=state, arguments=arguments, environment=environment)
        yield from pool.map(look, places)


def _examination(
    place: Place,
    *,
    open_origin: Callable[[SectionSettings, str, datetime, Checks], Origin],
    state: FolderState,
    arguments: Namespace,
    environment: Environment,
) -> list[Finding]:
    deadline, at = Deadline(arguments.timeout), environment.now()
    found: list[Finding] = []
    try:
        origin = open_origin(place.settings, place.name, at, Checks())
    except VerificationError as error:
        return [finding_of_fault(error, place.name)]
    stored = Stored("", None)
    if origin.state is not None:
        try:
            stored = state.load(place.settings.system, place.name, deadline=deadline)
        except InconclusiveError as error:
            found.append(finding_of_fault(error, str(state.path)))
    examined = examine(
        place.settings,
        load_authority(place.settings),
        place.name,
        origin.source,
        stored.trust,
        at=origin.at,
        deadline=deadline,
        limits=Limits(),
    )
    return [
        *found, *check_examined(examined, at=at, days=arguments.days, has_login=partial(_has_login, environment))
    ]


def _has_login(environment: Environment, registry: str) -> bool:
    """Return whether there is a login for `registry`, or a helper that should have one and failed."""
    credentials = environment.credentials()
    try:
        deadline = Deadline(DEFAULT_TIMEOUT_SECONDS)
        return credentials is not None and credentials.for_registry(registry, deadline=deadline) is not None
    except InconclusiveError:
        return True  # the fault tells that
