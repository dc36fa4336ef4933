"""Going back: older versions of each role, what is protected by the reference client's cache and what is not.

Spec: Notary v1, client/tufclient.go and tuf/builder.go (versions are compared only with what the cache holds).
"""

from typing import Final

from tests.interop.cases.bends import Bend, bad_signature, released
from tests.interop.comparison import ACCEPT, REFUSE, Case, later, nothing
from tests.interop.stage import Stage, Step
from tests.support.repository import SignedRepository

FLOORS: Final = "rollback-floors"
VANISHED: Final = "vanished-delegation"
_RELEASES: Final = "targets/releases"


def _bump(*roles: str) -> Bend:
    """Publish new versions of these roles and of what lists their hashes."""

    def bend(repository: SignedRepository) -> None:
        for role in roles:
            repository.documents[role]["version"] += 1
        repository.publish()

    return bend


def _remember(stage: Stage) -> None:
    stage.notes["files"] = dict(stage.repository.files)
    stage.notes["documents"] = stage.repository.clone()


def _restore(stage: Stage) -> None:
    """Serve what was served when `_remember` was called; nothing newer exists any more."""
    old = stage.notes["documents"]
    if not isinstance(old, SignedRepository):
        raise TypeError
    stage.repository = old.clone()


def _newer(*roles: str) -> Step:
    def step(stage: Stage) -> None:
        _remember(stage)
        _bump(*roles)(stage.repository)

    return step


def _older(role: str, *, new: tuple[str, ...] = ()) -> Step:
    """Serve an older version of one role under newer versions of the roles above it, and of `new`."""

    def step(stage: Stage) -> None:
        repository = stage.repository
        repository.documents[role]["version"] -= 1
        for other in new:
            repository.documents[other]["version"] += 1
        repository.publish(bump=False)
        for other in ("snapshot", "timestamp"):
            if other != role and other not in new:
                repository.documents[other]["version"] += 1
        repository.publish(bump=False)

    return step


def _whole() -> list[Case]:
    roles = ("timestamp", "snapshot", "targets", _RELEASES)
    cases = [
        Case(f"rollback/everything-after-new-{role}", (nothing, _newer(role), _restore), REFUSE, start=released)
        for role in roles
    ]
    cases += [
        Case(
            f"rollback/{role}-alone",
            (nothing, _newer("timestamp", "snapshot", "targets", _RELEASES), _older(role)),
            REFUSE if role != _RELEASES else ACCEPT,
            FLOORS if role == _RELEASES else "",
            start=released,
        )
        for role in ("snapshot", "targets", _RELEASES)
    ]
    cases.append(
        Case(
            "rollback/releases-with-new-targets",
            (nothing, _newer("targets", _RELEASES), _older(_RELEASES, new=("targets",))),
            REFUSE,
            start=released,
        ),
    )
    return cases


def _same_version() -> list[Case]:
    def change(role: str) -> Step:
        def step(stage: Stage) -> None:
            repository = stage.repository
            if role in {"targets", _RELEASES}:
                repository.add_target("latest", b"changed", role=role)
            else:
                repository.documents[role]["unknown"] = 1
            repository.publish(bump=False)

        return step

    return [
        Case(f"same-version/{role}", (nothing, change(role)), ACCEPT, start=released)
        for role in ("timestamp", "snapshot", "targets", _RELEASES)
    ]


def _two_steps() -> list[Case]:
    """Return the cases in which something newer came without what it lists, and then the old again."""

    def timestamp_without_snapshot(stage: Stage) -> None:
        _remember(stage)
        _bump("snapshot")(stage.repository)
        stage.repository.fail("snapshot", 503)

    def snapshot_without_targets(stage: Stage) -> None:
        _remember(stage)
        _bump("targets")(stage.repository)
        stage.repository.fail("targets", 503)

    def old_under_new_timestamp(stage: Stage) -> None:
        newest = stage.repository.documents["timestamp"]["version"]
        _restore(stage)
        stage.repository.documents["timestamp"]["version"] = newest + 1

    def old_under_new_snapshot(stage: Stage) -> None:
        newest = stage.repository.documents["snapshot"]["version"]
        old_under_new_timestamp(stage)
        stage.repository.documents["snapshot"]["version"] = newest + 1

    def newer(stage: Stage) -> None:
        _bump("targets", "snapshot")(stage.repository)

    return [
        Case("two-steps/snapshot", (newer, timestamp_without_snapshot, old_under_new_timestamp), ACCEPT),
        Case("two-steps/targets", (newer, snapshot_without_targets, old_under_new_snapshot), ACCEPT),
        Case(
            "two-steps/snapshot-goes-back-below-accepted",
            (newer, _newer("snapshot"), timestamp_without_snapshot, _back_two),
            ACCEPT,
            FLOORS,
        ),
    ]


def _back_two(stage: Stage) -> None:
    """Serve a snapshot older than one that was accepted, after a newer timestamp's snapshot failed to come."""
    repository = stage.repository
    newest = repository.documents["timestamp"]["version"]
    repository.mend()
    repository.documents["snapshot"]["version"] = 1
    repository.documents["timestamp"]["version"] = newest + 1
    repository.publish(bump=False)


def _vanishing() -> list[Case]:
    def unpublish(stage: Stage) -> None:
        stage.repository.unpublished.add(_RELEASES)

    def undelegate(stage: Stage) -> None:
        stage.repository.remove_delegation(_RELEASES)

    def undelegate_then_again(stage: Stage) -> None:
        undelegate(stage)
        stage.repository.publish()
        stage.repository = released()
        for role in ("targets", "snapshot", "timestamp"):
            stage.repository.documents[role]["version"] = 10

    return [
        Case("vanishing/still-delegated", (nothing, unpublish), ACCEPT, VANISHED, start=released),
        Case("vanishing/no-longer-delegated", (nothing, undelegate), ACCEPT, start=released),
        Case(
            "vanishing/delegated-anew-from-version-1",
            (nothing, _newer(_RELEASES), undelegate, undelegate_then_again),
            ACCEPT,
            start=released,
        ),
        Case("vanishing/never-published", (unpublish, nothing), ACCEPT, start=released),
    ]


def _rotated_floors() -> list[Case]:
    """Return the cases in which new keys begin again from version 1."""

    def restart(*roles: str, rotate: bool = True) -> Step:
        def step(stage: Stage) -> None:
            for role in roles:
                if rotate:
                    stage.repository.rotate(role)
                stage.repository.documents[role]["version"] = 1
            stage.repository.publish(bump=False)

        return step

    later_versions = _newer("timestamp", "snapshot", "targets", _RELEASES)
    cases = []
    for role in ("timestamp", "snapshot", "targets", _RELEASES):
        unchanged = later_versions
        cases.append(
            Case(
                f"floors/{role}-keys-kept",
                (nothing, unchanged, restart(role, rotate=False)),
                REFUSE if role != _RELEASES else ACCEPT,
                FLOORS if role == _RELEASES else "",
                start=released,
            )
        )
        cases.append(
            Case(
                f"floors/{role}-keys-rotated",
                (nothing, later_versions, restart(role)),
                REFUSE,
                wider="rotation-resets-floors",
                start=released,
            )
        )
        cases.append(
            Case(
                f"floors/{role}-keys-rotated-asked-twice",
                (nothing, later_versions, restart(role), nothing),
                ACCEPT,
                wider="rotation-resets-floors",
                start=released,
            )
        )
    return cases


def _online_keys() -> list[Case]:
    """Return the cases of a server that signs timestamp and snapshot as it likes, but has no other key."""

    def older_targets(repository: SignedRepository) -> None:
        repository.documents["targets"]["version"] = 1
        repository.publish(bump=False)

    def broken_and_older(stage: Stage) -> None:
        stage.local("targets", b"junk")
        older_targets(stage.repository)

    return [
        later("online-keys/targets-goes-back", REFUSE, _bump("targets", "timestamp"), older_targets),
        Case(
            "online-keys/targets-goes-back-after-cache-broke",
            (nothing, lambda stage: _bump("targets", "timestamp")(stage.repository), broken_and_older),
            ACCEPT,
            FLOORS,
        ),
        later("online-keys/targets-bad-signature", REFUSE, bad_signature("targets")),
    ]


CASES: Final = (*_whole(), *_same_version(), *_two_steps(), *_vanishing(), *_rotated_floors(), *_online_keys())
