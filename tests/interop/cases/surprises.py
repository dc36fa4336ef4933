"""What else surprises in the reference client: expired cached roots, expired intermediates, lost fallbacks.

Spec: Notary v1, client/tufclient.go:bootstrapClient, updateRoot; trustpinning/certs.go; cmd/notary/tuf.go.
"""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Final

from tests.interop.cases.bends import Bend, bad_signature, family, released, signing
from tests.interop.cases.client_scenarios import OUTAGE
from tests.interop.cases.root_certificates import OWN, rooted
from tests.interop.comparison import ACCEPT, PANIC, REFUSE, Case, nothing, once
from tests.interop.stage import Stage, Step
from tests.support.oracle import Pinning
from tests.support.repository import NAME, SignedRepository
from tests.support.root_certificates import CertificateForm, authority, bundle, certify, root_key
from tests.support.signing import SigningKey

PINS: Final = "exact-case-pins"
_UPPER: Final = "Registry.example.com/team/app"
_OLD: Final = datetime(2021, 1, 1, tzinfo=UTC)


def _expired_local_root(stage: Stage) -> None:
    twin = stage.repository.clone()
    twin.expire("root")
    twin.publish(everything=True, bump=False)
    stage.local("root", twin.current["root"])


def _then(*steps: Step) -> Step:
    return lambda stage: [step(stage) for step in steps]


def _rotating(times: int) -> Step:
    def step(stage: Stage) -> None:
        for _ in range(times):
            stage.repository.rotate("root")
            stage.repository.publish()

    return step


def _expired_roots() -> list[Case]:
    def bent_delegation(stage: Stage) -> None:
        bad_signature("targets/a")(stage.repository)

    def broken_delegation(stage: Stage) -> None:
        signing("targets/a", lambda _: [])(stage.repository)

    def same_root(stage: Stage) -> None:
        stage.repository.publish(everything=True)

    def still_expired(stage: Stage) -> None:
        stage.repository.expire("root")

    return [
        Case("expired-cached-root/renewed", (nothing, _then(_expired_local_root, same_root)), ACCEPT),
        Case("expired-cached-root/one-rotation", (nothing, _then(_expired_local_root, _rotating(1))), ACCEPT),
        Case("expired-cached-root/two-rotations", (nothing, _then(_expired_local_root, _rotating(2))), REFUSE),
        Case("expired-cached-root/server-still-expired", (nothing, _then(_expired_local_root, still_expired)), REFUSE),
        Case(
            "expired-cached-root/bad-delegation",
            (nothing, _then(_expired_local_root, bent_delegation)),
            PANIC,
            start=family,
            wider="no-crash",
        ),
        Case(
            "expired-cached-root/broken-delegation",
            (nothing, _then(_expired_local_root, broken_delegation)),
            PANIC,
            start=family,
        ),
        Case("cached-root/many-rotations", (nothing, _rotating(7)), ACCEPT),
    ]


def _expired_certificates() -> list[Case]:
    """Return the cases of a cached root whose certificate is no longer good, which nothing can repair."""

    def cached(key: SigningKey) -> Step:
        def step(stage: Stage) -> None:
            twin = stage.repository.clone()
            twin.set_keys("root", key)
            twin.publish(everything=True, bump=False)
            stage.local("root", twin.current["root"])
            stage.repository.root["version"] += 1
            stage.repository.set_keys("root", OWN)
            stage.repository.signers["root"] = [OWN, key]

        return step

    old = bundle(certify(replace(CertificateForm(NAME), not_after=_OLD), label="old"))
    return [
        Case("cached-root-certificate/expired", (nothing, cached(old)), REFUSE),
        Case("cached-root-certificate/other-name", (nothing, cached(root_key("other", label="old"))), REFUSE),
        Case("cached-root-certificate/good", (nothing, cached(root_key(NAME, label="old"))), ACCEPT),
    ]


def _bundles() -> list[Case]:
    """Return the cases of a bundle whose intermediate expires: its next root needs signatures under two ids."""
    short = authority("Short-lived", "short", form=CertificateForm(None, not_after=_OLD, authority=True))
    leaf = certify(CertificateForm(NAME), label="leaf", issuer=short)
    listed, effective = bundle(leaf, short), bundle(leaf)

    def renewed(*ids: str) -> Step:
        def step(stage: Stage) -> None:
            stage.repository.root["version"] += 1
            stage.repository.signers["root"] = [listed.with_signing_id(key_id) for key_id in ids]
            stage.repository.rotate("snapshot")
            stage.repository.publish(bump=False)

        return step

    start = rooted(listed.with_signing_id(effective.true_id))
    return [
        Case(
            "expired-intermediate/renewed-under-both-ids",
            (nothing, renewed(listed.true_id, effective.true_id)),
            ACCEPT,
            start=start,
        ),
        Case("expired-intermediate/renewed-under-listed-id", (nothing, renewed(listed.true_id)), REFUSE, start=start),
        Case(
            "expired-intermediate/renewed-under-effective-id",
            (nothing, renewed(effective.true_id)),
            REFUSE,
            start=start,
        ),
    ]


def _lost_fallback() -> list[Case]:
    def bad_timestamp_and_new_root(stage: Stage) -> None:
        stage.repository.rotate("root")
        stage.repository.publish()
        stage.repository.tamper("timestamp", lambda _: b"junk")

    def timestamp_down(stage: Stage) -> None:
        stage.repository.mend()
        stage.repository.fail("timestamp", 503)

    def cached_then_down(stage: Stage) -> None:
        stage.repository.fail("timestamp", 503)

    return [
        Case("lost-fallback/bad-timestamp-then-503", (nothing, bad_timestamp_and_new_root, timestamp_down), REFUSE),
        Case("fallback/timestamp-503", (nothing, cached_then_down), ACCEPT, OUTAGE, start=released),
    ]


def _upper_case() -> list[Case]:
    def pins(ids: list[str]) -> Step:
        def step(stage: Stage) -> None:
            stage.pin_keys(*ids)
            stage.pinning = Pinning({_UPPER: ids})

        return step

    def start() -> SignedRepository:
        return SignedRepository(_UPPER)

    return [
        Case("upper-case-name/no-pins", (nothing,), ACCEPT, start=start),
        Case("upper-case-name/wrong-pin", (pins(["f" * 64]),), ACCEPT, PINS, start=start),
        Case("upper-case-name/right-pin", (pins([root_key(_UPPER).true_id]),), ACCEPT, start=start),
    ]


def _stale_first_use() -> list[Case]:
    """Return the cases of a server whose ``root.json`` lags behind what its snapshot lists."""

    def lagging(rotations: int, back: int) -> Bend:
        def bend(repository: SignedRepository) -> None:
            roots = [repository.current["root"]]
            for _ in range(rotations):
                repository.rotate("root")
                repository.publish()
                roots.append(repository.current["root"])
            repository.files["root.json"] = roots[-1 - back]

        return bend

    return [
        once("stale-first-use/version-1-of-2", ACCEPT, lagging(1, 1)),
        once("stale-first-use/version-1-of-3", ACCEPT, lagging(2, 2)),
        once("stale-first-use/version-2-of-3", ACCEPT, lagging(2, 1)),
        once("stale-first-use/version-2-of-4", ACCEPT, lagging(3, 2)),
        once("stale-first-use/version-3-of-4", ACCEPT, lagging(3, 1)),
        once("stale-first-use/version-3-of-5", REFUSE, lagging(4, 2)),
        Case("first-use/rotated-only-old-pinned", (_pinning(lagging(1, 0), 0),), REFUSE),
        Case("first-use/rotated-only-new-pinned", (_pinning(lagging(1, 0), 1),), ACCEPT),
        Case("stale-first-use/only-old-pinned", (_pinning(lagging(1, 1), 0),), REFUSE),
        Case("stale-first-use/only-new-pinned", (_pinning(lagging(1, 1), 1),), REFUSE),
        Case("stale-first-use/both-pinned", (_pinning(lagging(1, 1), 0, 1),), ACCEPT),
        Case("stale-first-use/first-and-last-of-3-pinned", (_pinning(lagging(2, 2), 0, 2),), REFUSE),
        Case("stale-first-use/all-of-3-pinned", (_pinning(lagging(2, 2), 0, 1, 2),), ACCEPT),
    ]


def _pinning(bend: Bend, *rotations: int) -> Step:
    """Return a step that pins the root keys of these rotations, whatever the repository comes to."""

    def step(stage: Stage) -> None:
        ids = [stage.repository.root_key_ids[0]]
        bend(stage.repository)
        ids += [root_key(NAME, label=f"root {number}").true_id for number in range(1, 4)]
        stage.pin_keys(*(ids[number] for number in rotations))

    return step


CASES: Final = (
    *_expired_roots(),
    *_expired_certificates(),
    *_bundles(),
    *_lost_fallback(),
    *_upper_case(),
    *_stale_first_use(),
)
