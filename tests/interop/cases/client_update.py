"""What a client with no cache, an unchanged cache, or a cache of older versions makes of each damage to each role.

Spec: Notary v1, client/client_update_test.go and tuf/testutils/swizzler.go. Three letters stand for the three clients:
N (no cache), S (a cache; the server has the same versions, the damage is not in any hash), C (a cache; the server has
newer versions of everything, and the hashes follow). A: accept, R: refuse, P: panic.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, final

from tests.interop.cases.bends import FOREIGN, Bend, bad_signature, family, released, removing, setting, signed_by
from tests.interop.comparison import ACCEPT, PANIC, REFUSE, Case, nothing
from tests.interop.stage import Stage, Step
from tests.support.repository import SignedRepository, envelope

_EXPECTED: Final = {"A": ACCEPT, "R": REFUSE, "P": PANIC}
_ROLES: Final = {
    "root": "root",
    "timestamp": "timestamp",
    "snapshot": "base",
    "targets": "base",
    "targets/a": "delegation",
    "targets/a/b": "delegation",
    "targets/b": "delegation",
    "targets/releases": "delegation",
}


@final
@dataclass(frozen=True, slots=True)
class Swizzle:
    """One damage, and what the three clients make of it in a root, a timestamp, a base role, a delegation."""

    id: str
    bend: Callable[[str], Bend]
    table: tuple[str, str, str, str]
    served: bool = False
    """Whether the damage is done to what is served, so that no hash ever follows."""
    parent: bool = False
    """Whether the document that changes is the one that lists the role's keys."""


SWIZZLES: Final = (
    Swizzle(
        "missing", lambda role: lambda repository: repository.drop(role), ("RAR", "RAA", "RAR", "RAR"), served=True
    ),
    Swizzle("503", lambda role: lambda repository: repository.fail(role), ("RAR", "RAA", "RAR", "RAR"), served=True),
    Swizzle(
        "stale-hash",
        lambda role: lambda repository: repository.tamper(role, lambda body: b" " + body + b" "),
        ("RAR", "AAA", "RAR", "RAR"),
        served=True,
    ),
    Swizzle(
        "no-json",
        lambda role: lambda repository: repository.alter(role, lambda body: body[5:]),
        ("RAR", "RRR", "RAR", "RAR"),
    ),
    Swizzle(
        "signatures-no-list",
        lambda role: lambda repository: repository.serialise(role, lambda text, _: envelope(text, "none")),
        ("RAR", "RRR", "RAR", "RAR"),
    ),
    Swizzle("bad-field-type", lambda role: setting(role, "expires", to=["never"]), ("RAR", "RRR", "RAR", "RAR")),
    Swizzle("bad-type", lambda role: setting(role, "_type", to="Wrong"), ("RAR", "RRR", "RAR", "RAR")),
    Swizzle("bad-version", lambda role: setting(role, "version", to=-2), ("RAR", "RRR", "RAR", "RAR")),
    Swizzle("bad-signature", bad_signature, ("RAR", "RRR", "RAR", "AAA")),
    Swizzle("foreign-key", lambda role: signed_by(role, FOREIGN), ("RAR", "RRR", "RAR", "AAA")),
    Swizzle(
        "threshold",
        lambda role: lambda repository: repository.set_threshold(role, 2),
        ("RAR", "RAR", "RAR", "AAA"),
        parent=True,
    ),
    Swizzle("expired", lambda role: lambda repository: repository.expire(role), ("RAR", "RRR", "RAR", "AAA")),
)


def _cases() -> list[Case]:
    cases = []
    for role, group in _ROLES.items():
        for swizzle in SWIZZLES:
            letters = swizzle.table[("root", "timestamp", "base", "delegation").index(group)]
            for client, letter in zip("NSC", letters, strict=True):
                cases.append(_case(role, swizzle, client, letter))
    return cases


def _case(role: str, swizzle: Swizzle, client: str, letter: str) -> Case:
    bend = swizzle.bend(role)
    steps: dict[str, tuple[Step, ...]] = {
        "N": (_bent(bend),),
        "S": (nothing, _bent(bend) if swizzle.served else _tampered(_document(role, swizzle), bend)),
        "C": (nothing, _refreshed(bend)),
    }
    start = released if role == "targets/releases" else family
    return Case(
        f"update/{swizzle.id}/{role}/{client}",
        steps[client],
        _EXPECTED[letter],
        _reason(role, swizzle, client),
        start=start,
    )


def _document(role: str, swizzle: Swizzle) -> str:
    if not swizzle.parent:
        return role
    return "root" if group_of(role) == "base" else role.rpartition("/")[0]


def group_of(role: str) -> str:
    """Return whether a role is one of the base roles or a delegation."""
    return "delegation" if "/" in role else "base"


def _bent(bend: Bend) -> Step:
    return lambda stage: bend(stage.repository)


def _tampered(role: str, bend: Bend) -> Step:
    return lambda stage: stage.tamper_with(role, bend)


def _refreshed(bend: Bend) -> Step:
    def step(stage: Stage) -> None:
        bend(stage.repository)
        stage.repository.publish(everything=True)

    return step


def _reason(role: str, swizzle: Swizzle, client: str) -> str:
    if role == "timestamp" and swizzle.id in {"missing", "503"} and client in "SC":
        return "outage-is-not-freshness"
    skipped = swizzle.id in {"bad-signature", "foreign-key", "threshold", "expired"}
    if role == "targets/releases" and skipped and client in "NC":
        return "skipped-releases"
    return ""


def _mutations() -> list[Case]:
    """Return the cases that change what one document lists."""
    changes: list[tuple[str, str, Bend, str, Callable[[], SignedRepository]]] = []
    for role in ("root", "targets", "snapshot", "timestamp"):
        changes.append(
            (f"root-lists-no-key-of-{role}", "root", setting("root", "roles", role, "keyids", to=[]), "RAR", family)
        )
        changes.append((f"root-lacks-{role}", "root", removing("root", "roles", role), "RAR", family))
    changes += [
        ("snapshot-lacks-root", "snapshot", removing("snapshot", "meta", "root"), "RAR", family),
        ("snapshot-lacks-targets", "snapshot", removing("snapshot", "meta", "targets"), "RAR", family),
        ("timestamp-lacks-snapshot", "timestamp", removing("timestamp", "meta", "snapshot"), "RRR", family),
        ("targets-lacks-first-delegation", "targets", removing("targets", "delegations", "roles", 0), "AAA", family),
        (
            "targets-delegates-to-root",
            "targets",
            setting("targets", "delegations", "roles", 0, "name", to="root"),
            "RAR",
            family,
        ),
    ]
    return [
        Case(f"update/{name}/{client}", steps, _EXPECTED[letter], start=start)
        for name, role, bend, letters, start in changes
        for client, letter, steps in zip(
            "NSC",
            letters,
            ((_bent(bend),), (nothing, _tampered(role, bend)), (nothing, _refreshed(bend))),
            strict=True,
        )
    ]


CASES: Final = (*_cases(), *_mutations())
