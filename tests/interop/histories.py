"""Random histories of a repository: publications, rotations, roll-backs, faults, and a look-up by both after each.

A history ends with the first step at which the verdicts differ: from there on the clients remember different things.
"""

from collections.abc import Callable
from random import Random
from typing import Final

from tests.interop.cases.bends import FOREIGN, bad_signature
from tests.interop.comparison import ACCEPT, Case
from tests.interop.stage import Stage, Step
from tests.support.repository import BASE_ROLES, EXPIRES, PAST, SignedRepository

STEPS: Final = 8
_ROLES: Final = ("root", "timestamp", "snapshot", "targets", "targets/releases", "targets/other")
_Happening = Callable[[Stage, Random], object]


def history(seed: int, number: int) -> Case:
    """Return the history with this number of the run with this seed."""
    random = Random(f"{seed}:history:{number}")  # noqa: S311 - it chooses tests, not secrets
    steps = [_step(random.choice(_HAPPENINGS), random.random()) for _ in range(STEPS)]
    return Case(f"history/{seed}/{number}", (lambda _: None, *steps), ACCEPT, start=_start)


def _start() -> SignedRepository:
    repository = SignedRepository(publish=False)
    repository.add_delegation("targets/releases", tags=("latest",))
    repository.add_delegation("targets/other", tags=("latest", "other"))
    repository.publish()
    return repository


def _step(happening: _Happening, chance: float) -> Step:
    """Let something happen. What the server was told to do wrong before is mended first, more often than not."""

    def step(stage: Stage) -> None:
        random = Random(chance)  # noqa: S311 - it chooses tests, not secrets
        past = stage.notes.setdefault("past", [])
        if isinstance(past, list):
            past.append(stage.repository.clone())
        if random.random() < 0.6:
            stage.repository.mend()
        happening(stage, random)

    return step


def _is_listed(repository: SignedRepository, role: str) -> bool:
    """Say whether a role is a base role or delegated to just now."""
    return role in BASE_ROLES or any(entry["name"] == role for entry in repository.targets["delegations"]["roles"])


def _publish(stage: Stage, random: Random) -> None:
    role = random.choice(("targets", "targets/releases", "targets/other"))
    if role in stage.repository.documents:
        stage.repository.add_target(random.choice(("latest", "new")), random.randbytes(8), role=role)


def _publish_everything(stage: Stage, _: Random) -> None:
    stage.repository.publish(everything=True)


def _rotate(stage: Stage, random: Random) -> None:
    role = random.choice(_ROLES)
    if _is_listed(stage.repository, role):
        sign = random.random() < 0.9
        stage.repository.rotate(role, keep_old_signature=random.random() < 0.8, sign=sign)


def _restart(stage: Stage, random: Random) -> None:
    """Rotate a role and let its versions begin anew."""
    role = random.choice(_ROLES[1:])
    if _is_listed(stage.repository, role):
        stage.repository.rotate(role)
        stage.repository.documents[role]["version"] = 1
        stage.repository.publish(bump=False)


def _go_back(stage: Stage, random: Random) -> None:
    past = stage.notes["past"]
    if isinstance(past, list):
        stage.repository = random.choice(past).clone()


def _go_back_below(stage: Stage, random: Random) -> None:
    """Serve an older document under new versions of what lists it."""
    repository = stage.repository
    role = random.choice(("snapshot", "targets", "targets/releases", "targets/other"))
    if role in repository.documents and repository.documents[role]["version"] > 1:
        repository.documents[role]["version"] -= 1
        repository.publish(bump=False)


def _set_version(stage: Stage, random: Random) -> None:
    role = random.choice(_ROLES)
    if role in stage.repository.documents:
        stage.repository.documents[role]["version"] = random.randint(1, 9)


def _break(stage: Stage, random: Random) -> None:
    role = random.choice(_ROLES)
    way = random.randrange(6)
    if way < 2:
        stage.repository.fail(role, random.choice((404, 503, 400)))
    elif way == 2:
        stage.repository.tamper(role, lambda body: body + b" ")
    elif way == 3:
        stage.repository.tamper(role, lambda _: b"junk")
    elif way == 4:
        bad_signature(role)(stage.repository)
    else:
        stage.repository.sign(role, lambda _, message: [FOREIGN.sign(message)])


def _expire(stage: Stage, random: Random) -> None:
    role = random.choice(_ROLES)
    if role in stage.repository.documents:
        stage.repository.expire(role, random.choice((EXPIRES, PAST, EXPIRES)))


def _delegate(stage: Stage, random: Random) -> None:
    role = random.choice(("targets/releases", "targets/other", "targets/third"))
    if not _is_listed(stage.repository, role):
        stage.repository.unpublished.discard(role)
        stage.repository.add_delegation(role, tags=("latest",))
    elif random.random() < 0.5:
        stage.repository.remove_delegation(role)


def _unpublish(stage: Stage, random: Random) -> None:
    role = random.choice(("targets/releases", "targets/other"))
    if role not in stage.repository.unpublished:
        stage.repository.unpublished.add(role)
    elif _is_listed(stage.repository, role):
        stage.repository.unpublished.discard(role)


def _threshold(stage: Stage, random: Random) -> None:
    role = random.choice(("root", "targets", "targets/releases"))
    if _is_listed(stage.repository, role):
        stage.repository.set_threshold(role, random.choice((1, 1, 2)))


_HAPPENINGS: Final[tuple[_Happening, ...]] = (
    _publish, _publish, _publish, _publish_everything, _rotate, _rotate, _restart, _go_back, _go_back, _go_back_below,
    _go_back_below, _set_version, _break, _break, _expire, _delegate, _unpublish, _threshold,
)  # fmt: skip
