"""Delegations: names, paths, order, what hides a role and what kills the repository, and docker's choice.

Spec: Notary v1, tuf/data/roles.go, tuf/tuf.go:WalkTargets, client/reader.go; docker/cli, image/trust.go.
"""

from collections.abc import Callable, Iterable
from typing import Final

from tests.interop.cases.bends import (
    FOREIGN,
    Bend,
    bad_signature,
    enveloping,
    family,
    released,
    removing,
    setting,
    signing,
    together,
)
from tests.interop.comparison import ABSENT, ACCEPT, PANIC, REFUSE, Case, once
from tests.support.repository import Reply, SignedRepository, envelope
from tests.support.root_certificates import CertificateForm, bundle, certify
from tests.support.signing import Json, SigningKey, make_key

SKIPPED: Final = "skipped-releases"
_RELEASES: Final = "targets/releases"


def _add(
    role: str, *keys: SigningKey, paths: Iterable[str] | None = ("",), tags: Iterable[str] = (), metadata: bool = True
) -> Bend:
    return lambda repository: repository.add_delegation(role, *keys, paths=paths, tags=tags, metadata=metadata)


def _names() -> list[Case]:
    """Return the cases of the name of a delegation; one bad name kills the repository."""
    table = (
        ("targets/a", True),
        ("targets/a-b_c", True),
        ("targets/0", True),
        ("targets/-", True),
        ("targets/_", True),
        ("targets/targets", True),
        ("targets/root", True),
        ("targets/" + "x" * 247, True),
        ("targets/" + "x" * 248, False),
        ("targets/A", False),
        ("targets/a.b", False),
        ("targets/a b", False),
        ("targets/ä", False),
        ("targets/a\n", False),
        ("targets/", False),
        ("targets", False),
        ("root", False),
        ("snapshot", False),
        ("timestamp", False),
        ("a", False),
        ("", False),
        ("targets//a", False),
        ("targets/.", False),
        ("targets/..", False),
        ("targets/a/", False),
        ("targets/a/../b", False),
        ("/targets/a", False),
        ("Targets/a", False),
        ("targets\\a", False),
        ("targets/a\x00", False),
        ("targets/a/b", False),
        ("targets/\u0661", False),
        ("targets/a%2f", False),
        ("targets/*", False),
        ("targets/a:b", False),
    )
    cases = []
    for name, good in table:
        spelled = name if len(name) < 60 else f"{name[:10]}…{len(name)}"
        cases.append(once(f"delegation-name/{spelled!r}", ACCEPT if good else REFUSE, _named(name)))
        if name and not good and name.isprintable() and name.startswith("targets/"):
            cases.append(once(f"delegation-name-below/{spelled!r}", REFUSE, _named_below(name)))
    return cases


def _named(name: str) -> Bend:
    return together(_add("targets/x", metadata=False), setting("targets", "delegations", "roles", 0, "name", to=name))


def _named_below(name: str) -> Bend:
    below = name.replace("targets/", "targets/x/")
    renamed = setting("targets/x", "delegations", "roles", 0, "name", to=below)
    return together(_add("targets/x"), _add("targets/x/y", metadata=False), renamed)


def _entries() -> list[Case]:
    """Return the cases of the other members of a delegation in ``targets``."""

    def entry(**members: object) -> Bend:
        return lambda repository: repository.edit(
            "targets", lambda signed: signed["delegations"]["roles"][0].update(members)
        )

    def roles(change: Callable[[list[Json]], object]) -> Bend:
        return lambda repository: repository.edit("targets", lambda signed: _change_roles(signed, change))

    table: tuple[tuple[str, str, str, Bend], ...] = (
        ("threshold-0", REFUSE, "", entry(threshold=0)),
        ("threshold-negative", REFUSE, "", entry(threshold=-1)),
        ("threshold-missing", REFUSE, "", removing("targets", "delegations", "roles", 0, "threshold")),
        ("threshold-null", REFUSE, "", entry(threshold=None)),
        ("threshold-a-text", REFUSE, "", entry(threshold="1")),
        ("threshold-2-of-1", ACCEPT, SKIPPED, entry(threshold=2)),
        ("threshold-huge", ACCEPT, SKIPPED, entry(threshold=2**53)),
        ("keyids-empty", ACCEPT, SKIPPED, entry(keyids=[])),
        ("keyids-null", ACCEPT, SKIPPED, entry(keyids=None)),
        ("keyids-missing", ACCEPT, SKIPPED, removing("targets", "delegations", "roles", 0, "keyids")),
        ("keyids-unknown", REFUSE, "", entry(keyids=["0" * 64])),
        ("keyids-a-text", REFUSE, "", entry(keyids="x")),
        ("keyids-twice", ACCEPT, "", lambda r: entry(keyids=r.entry(_RELEASES)["keyids"] * 2)(r)),
        (
            "keyids-twice-threshold-2",
            ACCEPT,
            SKIPPED,
            lambda r: entry(keyids=r.entry(_RELEASES)["keyids"] * 2, threshold=2)(r),
        ),
        ("name-null", REFUSE, "", entry(name=None)),
        ("name-a-number", REFUSE, "", entry(name=1)),
        ("name-missing", REFUSE, "", removing("targets", "delegations", "roles", 0, "name")),
        ("paths-a-text", REFUSE, "", entry(paths="")),
        ("path-a-number", REFUSE, "", entry(paths=[1])),
        ("path-null", ACCEPT, "", entry(paths=[None])),
        ("paths-null", ACCEPT, "", entry(paths=None)),
        ("paths-missing", ACCEPT, "", removing("targets", "delegations", "roles", 0, "paths")),
        ("extra-members", ACCEPT, "", entry(terminating=True, path_hash_prefixes=["00"])),
        ("entry-null", PANIC, "", roles(lambda found: [None, *found])),
        ("entry-a-text", REFUSE, "", roles(lambda found: ["x", *found])),
        ("entry-empty", REFUSE, "", roles(lambda found: [{}, *found])),
        ("twice", REFUSE, "", roles(lambda found: found * 2)),
        ("twice-second-with-foreign-key", REFUSE, "", _second_entry),
        ("twice-first-with-foreign-key", ACCEPT, SKIPPED, _first_entry),
        ("twice-without-metadata", ACCEPT, "", together(_unpublish, roles(lambda found: found * 2))),
        ("parent-missing-from-name", REFUSE, "", entry(name="targets/a/b")),
    )
    return [once(f"delegation/{name}", expect, bend, reason, start=released) for name, expect, reason, bend in table]


def _unpublish(repository: SignedRepository) -> None:
    repository.unpublished.add(_RELEASES)


def _change_roles(signed: Json, change: Callable[[list[Json]], object]) -> None:
    signed["delegations"]["roles"] = change(signed["delegations"]["roles"])


def _other_entry(repository: SignedRepository) -> Json:
    repository.targets["delegations"]["keys"][FOREIGN.id] = FOREIGN.to_json()
    return {"name": _RELEASES, "keyids": [FOREIGN.id], "threshold": 1, "paths": [""]}


def _second_entry(repository: SignedRepository) -> None:
    repository.targets["delegations"]["roles"].append(_other_entry(repository))


def _first_entry(repository: SignedRepository) -> None:
    repository.targets["delegations"]["roles"].insert(0, _other_entry(repository))


def _paths() -> list[Case]:
    """Return the cases of which names a delegation may sign; docker's choice tells which entry counted."""
    table: tuple[tuple[str, str, list[str] | None], ...] = (
        ("empty-path", "latest", [""]),
        ("exact", "latest", ["latest"]),
        ("prefix", "latest", ["lat"]),
        ("other", "latest", ["other"]),
        ("longer", "latest", ["latest2"]),
        ("none", "latest", []),
        ("missing", "latest", None),
        ("star", "latest", ["*"]),
        ("star-suffix", "latest", ["lat*"]),
        ("upper-case", "latest", ["LATEST"]),
        ("second-of-two", "latest", ["x", "la"]),
        ("dot", "latest", ["."]),
        ("slash", "latest", ["/"]),
        ("space", "latest", [" "]),
        ("question-mark", "latest", ["lates?"]),
        ("regular-expression", "latest", ["l.*"]),
    )
    cases = [
        once(f"paths/{name}", ACCEPT, _add(_RELEASES, paths=paths, tags=("latest",)), tag=tag)
        for name, tag, paths in table
    ]
    nested: tuple[tuple[str, list[str], list[str]], ...] = (
        ("same", ["la"], ["la"]),
        ("narrower", ["la"], ["late"]),
        ("broader", ["la"], ["l"]),
        ("all-below-narrow", ["la"], [""]),
        ("one-of-two", ["la"], ["l", "lat"]),
        ("disjoint", ["la"], ["x"]),
        ("narrow-below-all", [""], ["la"]),
        ("none-above", [], [""]),
    )
    for name, parent, child in nested:

        def bend(repository: SignedRepository, parent: list[str] = parent, child: list[str] = child) -> None:
            del repository.targets["targets"]["latest"]
            repository.add_delegation(_RELEASES, paths=parent)
            repository.add_delegation(f"{_RELEASES}/sub", paths=child, tags=("latest",))

        cases.append(once(f"paths/nested-{name}/docker", ABSENT, bend))
        cases.append(
            once(f"paths/nested-bad-signature-{name}", ABSENT, together(bend, bad_signature(f"{_RELEASES}/sub")))
        )
        cases.append(
            once(f"paths/nested-unsigned-{name}", REFUSE, together(bend, signing(f"{_RELEASES}/sub", lambda _: [])))
        )
    return cases


def _choice() -> list[Case]:
    """Return the cases of which role docker takes the digest from."""

    def without_tag_in_targets(repository: SignedRepository) -> None:
        del repository.targets["targets"]["latest"]

    return [
        once("choice/releases-before-targets", ACCEPT, lambda _: None, start=released),
        once("choice/only-in-releases", ACCEPT, lambda _: None, start=released, tag="released"),
        once("choice/only-in-targets", ACCEPT, lambda _: None, start=released, tag="1.0"),
        once("choice/in-neither", ABSENT, lambda _: None, start=released, tag="nothing"),
        once("choice/only-in-another-delegation", ABSENT, _add("targets/alice", tags=("alices",)), tag="alices"),
        once("choice/in-another-delegation-and-targets", ACCEPT, _add("targets/alice", tags=("latest",))),
        once(
            "choice/in-another-delegation-and-releases",
            ACCEPT,
            _add("targets/alice", tags=("released",)),
            start=released,
            tag="released",
        ),
        once(
            "choice/below-releases-only", ABSENT, _add(f"{_RELEASES}/sub", tags=("deep",)), start=released, tag="deep"
        ),
        once(
            "choice/below-releases-hides-targets",
            ABSENT,
            _add(f"{_RELEASES}/sub", tags=("1.0",)),
            start=released,
            tag="1.0",
        ),
        once(
            "choice/below-releases-and-in-releases", ACCEPT, _add(f"{_RELEASES}/sub", tags=("latest",)), start=released
        ),
        once(
            "choice/below-another", ABSENT, together(_add("targets/a"), _add("targets/a/b", tags=("deep",))), tag="deep"
        ),
        once("choice/name-with-releases-prefix", ABSENT, _add("targets/releases2", tags=("x",)), tag="x"),
        once("choice/releases-does-not-cover-tag", ACCEPT, _add(_RELEASES, paths=["v"], tags=("latest",))),
        once("choice/releases-without-metadata", ACCEPT, _add(_RELEASES, metadata=False)),
        once(
            "choice/releases-null-entry",
            ACCEPT,
            setting(_RELEASES, "targets", "latest", to=None),
            "unusable-digest",
            start=released,
        ),
        once("choice/releases-empty", ACCEPT, setting(_RELEASES, "targets", to={}), start=released),
        once(
            "choice/alice-before-bob-in-order",
            ABSENT,
            together(_add("targets/b", tags=("x",)), _add("targets/a", tags=("x",))),
            tag="x",
        ),
        once(
            "choice/lookup-default-order",
            ACCEPT,
            together(_add("targets/alice", tags=("latest",)), without_tag_in_targets),
            "docker-choice",
            docker=False,
        ),
    ]


def _failures() -> list[Case]:
    """Return the cases of a delegation's file that hides it, or that kills the repository, by what is wrong."""
    sub = "targets/a"

    def served(status: int) -> Bend:
        return lambda repository: repository.fail(sub, status, b"{}" if status == 404 else b"")

    def no_type(role: str) -> Bend:
        return setting(role, "_type", to="Root")

    def misfiled(repository: SignedRepository) -> None:
        key = make_key("p256", "misfiled").with_id("0" * 64)
        repository.set_keys(sub, repository.signers[sub][0], key)

    def weak(form: CertificateForm, kind: str = "p256") -> Bend:
        return lambda repository: repository.set_keys(sub, bundle(certify(form, kind, "weak")))

    def weak_unpublished(repository: SignedRepository) -> None:
        repository.add_delegation(
            "targets/c", bundle(certify(CertificateForm("x", digest="sha1"), label="weak")), metadata=False
        )

    old = CertificateForm("x", not_after=CertificateForm("x").not_before.replace(year=2021))
    upside_down = CertificateForm("x", not_before=old.not_after, not_after=old.not_after)
    table: tuple[tuple[str, str, Bend], ...] = (
        ("expired", ACCEPT, lambda r: r.expire(sub)),
        ("bad-signature", ACCEPT, bad_signature(sub)),
        ("foreign-key", ACCEPT, lambda r: r.sign(sub, lambda _, message: [FOREIGN.sign(message)])),
        ("zero-signatures", REFUSE, signing(sub, lambda _: [])),
        ("signatures-null", REFUSE, signing(sub, lambda _: None)),
        ("signed-missing", PANIC, enveloping(sub, lambda _, found: envelope(b"null", found))),
        ("wrong-type", REFUSE, no_type(sub)),
        ("wrong-type-and-bad-signature", REFUSE, together(no_type(sub), bad_signature(sub))),
        ("expired-and-bad-signature", ACCEPT, together(lambda r: r.expire(sub), bad_signature(sub))),
        ("version-0", REFUSE, setting(sub, "version", to=0)),
        ("no-json", REFUSE, lambda r: r.alter(sub, lambda body: body[1:])),
        ("404", REFUSE, served(404)),
        ("503", REFUSE, served(503)),
        ("401", REFUSE, served(401)),
        ("stale-hash", REFUSE, lambda r: r.tamper(sub, lambda body: body + b" ")),
        ("misfiled-key-signing", REFUSE, misfiled),
        ("certificate-sha1", REFUSE, weak(CertificateForm("x", digest="sha1"))),
        ("certificate-rsa1024", REFUSE, weak(CertificateForm("x"), "rsa1024")),
        ("certificate-expired", ACCEPT, weak(old)),
        ("certificate-one-moment-long", ACCEPT, weak(upside_down)),
        ("certificate-ca", ACCEPT, weak(CertificateForm("x", authority=True))),
        ("certificate-sha1-without-metadata", ACCEPT, weak_unpublished),
        ("raw-rsa1024", ACCEPT, lambda r: r.set_keys(sub, make_key("rsa1024", "weak"))),
        ("broken-grandchild", REFUSE, signing("targets/a/b", lambda _: [])),
        ("broken-grandchild-below-skipped", ACCEPT, together(bad_signature(sub), signing("targets/a/b", lambda _: []))),
        ("skipped-grandchild", ACCEPT, bad_signature("targets/a/b")),
        ("bad-entry-in-child", REFUSE, setting(sub, "delegations", "roles", 0, "threshold", to=0)),
    )
    cases = [once(f"delegation-file/{name}", expect, bend, start=family) for name, expect, bend in table]
    hidden: tuple[tuple[str, str, Bend], ...] = (
        ("expired", SKIPPED, lambda r: r.expire(_RELEASES)),
        ("bad-signature", SKIPPED, bad_signature(_RELEASES)),
    )
    for name, reason, bend in hidden:
        cases += [
            once(f"skipped-releases/{name}/tag-in-both", ACCEPT, bend, reason, start=released),
            once(f"skipped-releases/{name}/tag-in-targets", ACCEPT, bend, reason, start=released, tag="1.0"),
            once(f"skipped-releases/{name}/tag-in-releases", ABSENT, bend, start=released, tag="released"),
            once(
                f"skipped-releases/{name}/not-covering-the-tag",
                ACCEPT,
                together(_narrow, bend),
                start=released,
                tag="1.0",
            ),
        ]
    return cases


def _narrow(repository: SignedRepository) -> None:
    repository.entry(_RELEASES)["paths"] = ["la", "re"]


def _replies() -> list[Case]:
    """Return the cases of a document that is bad at first and good when it is asked for again."""
    cases = []
    for role in ("timestamp", "snapshot", "targets", _RELEASES):

        def bend(repository: SignedRepository, role: str = role) -> None:
            repository.publish()
            repository.reply(role, Reply(200, b"junk"), Reply(200, repository.current[role]))

        cases.append(once(f"second-try/{role}", ACCEPT, bend, start=released))
    return cases


CASES: Final = (*_names(), *_entries(), *_paths(), *_choice(), *_failures(), *_replies())
