"""The rest of the reference client's update tests: offline, damaged caches, rotations, sizes, deep delegations.

Spec: Notary v1, client/client_update_test.go and trustpinning/certs_test.go:TestValidateRootRotationWithOldRole.
"""

import base64
from collections.abc import Callable
from typing import Final

from tests.interop.cases.bends import FOREIGN, Bend, bad_signature, family, released, signed_by
from tests.interop.comparison import ACCEPT, REFUSE, Case, later, nothing, once
from tests.interop.stage import Stage, Step
from tests.support.oracle import Pinning
from tests.support.repository import BASE_ROLES, EXPIRES, SignedRepository
from tests.support.root_certificates import root_key

OUTAGE: Final = "outage-is-not-freshness"
_TEN_YEARS: Final = 315_360_000


def _go_offline(stage: Stage) -> None:
    stage.offline = True


def _allow_stale(stage: Stage) -> None:
    stage.max_stale_seconds = _TEN_YEARS


def _made(role: str, bend: Bend) -> Callable[[Stage], bytes]:
    """Return what makes a role's document bent, with the version that it has now."""

    def make(stage: Stage) -> bytes:
        twin = stage.repository.clone()
        bend(twin)
        twin.publish(everything=True, bump=False)
        return twin.current[role]

    return make


def _remembering(role: str, make: Callable[[Stage], bytes | None]) -> Step:
    return lambda stage: stage.local(role, make(stage))


def _both(*steps: Step) -> Step:
    return lambda stage: [step(stage) for step in steps]


def _damages(role: str) -> dict[str, Callable[[Stage], bytes | None]]:
    return {
        "missing": lambda _: None,
        "junk": lambda _: b"junk",
        "bad-signature": _made(role, bad_signature(role)),
        "foreign-key": _made(role, signed_by(role, FOREIGN)),
        "expired": _made(role, lambda repository: repository.expire(role)),
    }


_ANSWERED_WITH_JUNK: Final[dict[str, Bend]] = {
    "junk": lambda repository: repository.alter("root", lambda _: b"junk"),
    "bad-signature": bad_signature("root"),
    "foreign-key": signed_by("root", root_key("registry.example.com/team/app", label="foreign")),
    "expired": lambda repository: repository.expire("root"),
    "missing": lambda repository: repository.drop("root"),
}


def _offline() -> list[Case]:
    return [
        Case("offline/no-cache", (_go_offline,), REFUSE),
        Case("offline/cache", (nothing, _go_offline), ACCEPT, OUTAGE),
        Case("offline/cache-and-stale-allowed", (_allow_stale, _go_offline), ACCEPT),
        Case("offline/cache-with-delegations-and-stale-allowed", (_allow_stale, _go_offline), ACCEPT, start=released),
        Case("offline/cached-root-expired", (_allow_stale, _both(_local_expired_root, _go_offline)), REFUSE),
        *(
            Case(
                f"offline/cached-{role}-{name}",
                (_allow_stale, _both(_remembering(role, make), _go_offline)),
                REFUSE,
            )
            for role in ("timestamp", "snapshot", "targets")
            for name, make in _damages(role).items()
        ),
    ]


def _local_expired_root(stage: Stage) -> None:
    stage.local("root", _damages("root")["expired"](stage))


def _local_damage() -> list[Case]:
    answers = {"missing": ACCEPT, "expired": ACCEPT}
    cases = [
        Case(f"local/root-{name}", (nothing, _remembering("root", make)), answers.get(name, REFUSE))
        for name, make in _damages("root").items()
    ]
    cases += [
        Case(f"local/{role}-{name}", (nothing, _remembering(role, make)), ACCEPT, start=family)
        for role in ("timestamp", "snapshot", "targets", "targets/a")
        for name, make in _damages(role).items()
    ]
    for name, make in _damages("root").items():
        for served, bend in _ANSWERED_WITH_JUNK.items():
            steps = (nothing, _both(_remembering("root", make), _refreshed(bend)))
            cases.append(Case(f"local/root-{name}-and-server-root-{served}", steps, REFUSE))
    return cases


def _refreshed(bend: Bend) -> Step:
    def step(stage: Stage) -> None:
        bend(stage.repository)
        stage.repository.publish(everything=True)

    return step


def _replaced_root() -> list[Case]:
    replace: Step = lambda stage: stage.repository.rotate("root", keep_old_signature=False)  # noqa: E731 - a step is a function
    damages = _damages("root")
    return [
        Case("replaced-root/known-root", (nothing, replace), REFUSE),
        Case("replaced-root/expired-root", (nothing, _both(_remembering("root", damages["expired"]), replace)), REFUSE),
        Case("replaced-root/junk-root", (nothing, _both(_remembering("root", damages["junk"]), replace)), REFUSE),
        Case(
            "replaced-root/forgotten-root", (nothing, _both(_remembering("root", damages["missing"]), replace)), ACCEPT
        ),
    ]


def _rotated_keys() -> list[Case]:
    def with_raw_root_key(repository: SignedRepository) -> None:
        repository.rotate("root", FOREIGN, sign=False)

    cases = [later("rotated-key/root-to-a-bare-key-not-signing", REFUSE, with_raw_root_key)]
    for role in ("targets", "snapshot", "timestamp"):

        def unsigned(repository: SignedRepository, role: str = role) -> object:
            return repository.rotate(role, sign=False)

        def signed(repository: SignedRepository, role: str = role) -> object:
            return repository.rotate(role)

        cases.append(later(f"rotated-key/{role}-not-signing", REFUSE, unsigned))
        cases.append(later(f"rotated-key/{role}-signing", ACCEPT, signed))
        cases.append(once(f"rotated-key/{role}-signing-first-use", ACCEPT, signed))
    cases.append(
        later("rotated-key/delegation-not-signing", ACCEPT, lambda r: r.rotate("targets/a", sign=False), start=family)
    )
    cases.append(later("rotated-key/delegation-signing", ACCEPT, lambda r: r.rotate("targets/a"), start=family))
    cases.append(
        later(
            "rotated-key/releases-not-signing",
            ACCEPT,
            lambda r: r.rotate("targets/releases", sign=False),
            start=released,
            stricter="skipped-releases",
        ),
    )
    cases.append(later("rotated-key/releases-signing", ACCEPT, lambda r: r.rotate("targets/releases"), start=released))
    return cases


_NAME: Final = "registry.example.com/team/app"
_KEYS: Final = tuple(root_key(_NAME, label=f"many {index}") for index in range(6))


def _two_of_three() -> SignedRepository:
    repository = SignedRepository(publish=False)
    repository.list_keys("root", *_KEYS[:3], threshold=2)
    repository.signers["root"] = list(_KEYS[:2])
    repository.publish()
    return repository


def _thresholds() -> list[Case]:
    def replaced(*signers: int) -> Bend:
        def bend(repository: SignedRepository) -> None:
            repository.list_keys("root", _KEYS[3], _KEYS[1], _KEYS[2], threshold=1)
            repository.signers["root"] = [_KEYS[index] for index in signers]

        return bend

    def only_snapshot(repository: SignedRepository) -> None:
        repository.rotate("snapshot")
        repository.signers["root"] = [_KEYS[2]]

    def to_another(*signers: int) -> Bend:
        def bend(repository: SignedRepository) -> None:
            repository.list_keys("root", _KEYS[4], threshold=1)
            repository.signers["root"] = [_KEYS[index] for index in signers]

        return bend

    good = replaced(1, 2)
    return [
        once("root-threshold/two-of-three", ACCEPT, lambda _: None, start=_two_of_three),
        later("root-threshold/old-threshold-unmet", REFUSE, replaced(1), start=_two_of_three),
        later("root-threshold/new-key-and-one-old", REFUSE, replaced(3, 1), start=_two_of_three),
        later("root-threshold/two-keys-of-both-roles", ACCEPT, good, start=_two_of_three),
        later("root-threshold/only-snapshot-key-changes", ACCEPT, good, only_snapshot, start=_two_of_three),
        later(
            "root-threshold/to-another-key-signed-by-previous-only",
            REFUSE,
            good,
            only_snapshot,
            to_another(2),
            start=_two_of_three,
        ),
        later(
            "root-threshold/to-another-key-signed-by-both",
            ACCEPT,
            good,
            only_snapshot,
            to_another(2, 4),
            start=_two_of_three,
        ),
        later("root-threshold/two-keys-then-another", ACCEPT, good, to_another(2, 4), start=_two_of_three),
    ]


def _quietly(*keep: bool) -> Bend:
    """Rotate root and publish it once for each of `keep`, without anyone asking in between."""

    def bend(repository: SignedRepository) -> None:
        for kept in keep:
            repository.rotate("root", keep_old_signature=kept)
            repository.publish()

    return bend


def _expired_between(repository: SignedRepository) -> None:
    repository.rotate("root")
    repository.expire("root")
    repository.publish()
    repository.expire("root", EXPIRES)
    repository.rotate("root")


def _all_sign(repository: SignedRepository) -> None:
    first = repository.signers["root"][0]
    _quietly(True, True)(repository)
    repository.add_signature("root", first)


def _version_jump(repository: SignedRepository) -> None:
    repository.rotate("root")
    repository.root["version"] = 10


def _missing_between(status: int) -> Bend:
    def bend(repository: SignedRepository) -> None:
        _quietly(True, True)(repository)
        repository.fail("2.root.json", status)

    return bend


def _higher_between(repository: SignedRepository) -> None:
    repository.rotate("root")
    repository.root["version"] = 3
    repository.publish()
    repository.files["2.root.json"] = repository.files["3.root.json"]
    repository.rotate("root")
    repository.root["version"] = 4


def _lower_between(repository: SignedRepository) -> None:
    _quietly(True, True, True)(repository)
    repository.files["3.root.json"] = repository.files["2.root.json"]


def _same_version(repository: SignedRepository) -> None:
    repository.rotate("snapshot")
    repository.publish(bump=False)


def _bumped(repository: SignedRepository) -> None:
    repository.publish(everything=True)


def _back(repository: SignedRepository) -> None:
    repository.root["version"] = 1
    repository.rotate("snapshot")


def _chains() -> list[Case]:
    return [
        later("chain/signed-by-new-only", REFUSE, _quietly(False)),
        later("chain/signed-by-both", ACCEPT, _quietly(True)),
        later("chain/two-at-once", ACCEPT, _quietly(True, True)),
        later("chain/two-at-once-all-sign", ACCEPT, _all_sign),
        later("chain/five-at-once", ACCEPT, _quietly(True, True, True, True, True)),
        later("chain/two-one-by-one", ACCEPT, _quietly(True), _quietly(True)),
        later("chain/first-link-broken", REFUSE, _quietly(False, True)),
        later("chain/second-link-broken", REFUSE, _quietly(True, False)),
        later("chain/link-expired", ACCEPT, _expired_between),
        later("chain/version-jump", ACCEPT, _version_jump),
        later("chain/link-missing", REFUSE, _missing_between(404)),
        later("chain/link-503", REFUSE, _missing_between(503)),
        later("chain/link-has-higher-version", ACCEPT, _higher_between),
        later("chain/link-has-lower-version", REFUSE, _lower_between),
        later("chain/same-version-other-content", ACCEPT, _same_version),
        later("chain/root-version-goes-back", REFUSE, _bumped, _back),
        once("chain/first-use-after-rotations", ACCEPT, _quietly(True, True, True)),
    ]


def _sizes() -> list[Case]:
    def many_targets(repository: SignedRepository) -> None:
        digest = base64.b64encode(bytes(32)).decode()
        entries = {f"tag-{number}": {"length": 1, "hashes": {"sha256": digest}} for number in range(75_000)}
        repository.targets["targets"].update(entries)

    def deep(repository: SignedRepository) -> None:
        role = "targets"
        for level in range(11):
            role += f"/level-{level}"
            repository.add_delegation(role)

    def wide(repository: SignedRepository) -> None:
        for number in range(75):
            repository.add_delegation(f"targets/wide-{number}")
        entry = {"length": 1, "hashes": {"sha256": base64.b64encode(bytes(32)).decode()}}
        repository.snapshot["meta"] = {f"targets/never-{number}": entry for number in range(75_000)}

    return [
        once("size/75000-targets", ACCEPT, many_targets),
        once("size/11-nested-delegations", ACCEPT, deep),
        once("size/75-delegations-among-75000-entries", ACCEPT, wide),
    ]


def _tofu() -> list[Case]:
    def disable(stage: Stage) -> None:
        stage.pinning = Pinning(disable_tofu=True)

    def blocked(role: str) -> Step:
        def step(stage: Stage) -> None:
            stage.local_path(role).mkdir(parents=True)
            (stage.local_path(role) / "file").touch()

        return step

    return [
        Case("tofu/disabled-with-root-on-disk", (nothing, disable), ACCEPT),
        *(Case(f"cache/cannot-write-{role}", (blocked(role),), ACCEPT) for role in BASE_ROLES),
    ]


CASES: Final = (
    *_offline(),
    *_local_damage(),
    *_replaced_root(),
    *_rotated_keys(),
    *_thresholds(),
    *_chains(),
    *_sizes(),
    *_tofu(),
)
