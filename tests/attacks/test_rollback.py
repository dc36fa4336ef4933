"""No role goes back to an older version than was accepted before, in one step or in several.

Spec: TUF 5.3.5, 5.4.3, 5.5.5; notary-v1 as in docs/notary-v1.md, "Rollback", where imgsig is stricter than the client.
"""

from collections.abc import Callable

import pytest

from imgsig.codes import Code
from tests.support.asker import Asker
from tests.support.repository import SignedRepository
from tests.support.signing import make_key

BASE = pytest.mark.parametrize("role", ["timestamp", "snapshot", "targets"])
RELEASES = "targets/releases"


@pytest.fixture
def repository() -> SignedRepository:
    repository = SignedRepository(publish=False)
    repository.add_delegation(RELEASES, tags=("latest",))
    repository.publish()
    return repository


@pytest.fixture
def asker(repository: SignedRepository) -> Asker:
    """Has met the second version of everything."""
    asker = Asker(repository)
    asker.ask()
    for role in (RELEASES, "targets", "snapshot", "timestamp"):
        repository.expire(role, "2080-01-01T00:00:00Z")
    repository.add_target("latest", b"the newer image", role=RELEASES)
    repository.publish(everything=True)
    asker.ask()
    return asker


def set_version(repository: SignedRepository, role: str, version: int) -> None:
    """Publish a role with this version, under a snapshot and timestamp newer than any before."""
    repository.documents[role]["version"] = version
    repository.publish(bump=False)


def test_all_documents_of_an_older_time_are_refused(repository: SignedRepository) -> None:
    asker = Asker(repository)
    asker.ask()
    older = dict(repository.files)
    repository.add_target("latest", b"the newer image", role=RELEASES)
    repository.publish()
    asker.ask()
    repository.restore(older)
    error = asker.error()
    assert (error.code, error.subject) == (Code.ROLLBACK, "timestamp")


@pytest.mark.parametrize("role", ["snapshot", "targets", RELEASES])
def test_a_role_goes_back_under_newer_ones(asker: Asker, repository: SignedRepository, role: str) -> None:
    for above in ("timestamp", "snapshot"):
        repository.documents[above]["version"] = 10
    set_version(repository, role, 1)
    error = asker.error()
    assert (error.code, error.subject) == (Code.ROLLBACK, role)


@BASE
def test_the_same_version_is_no_rollback(asker: Asker, repository: SignedRepository, role: str) -> None:
    """As in the reference client, other content of the same version is believed if it is signed."""
    repository.expire(role, "2079-01-01T00:00:00Z")
    repository.publish(bump=False)
    asker.ask()


@pytest.mark.parametrize("role", ["snapshot", "targets", RELEASES])
def test_two_steps_are_no_way_around(asker: Asker, repository: SignedRepository, role: str) -> None:
    """First a document is replaced by garbage, so that no good copy of it is kept; then it comes back older."""
    for garbage in (b"{}", b"[]", b""):
        repository.alter(role, lambda _: garbage)  # noqa: B023 - published before the next
        repository.publish(everything=True)
        assert asker.code() is Code.MALFORMED
        repository.mend()
        set_version(repository, role, 1)
        error = asker.error()
        assert (error.code, error.subject) == (Code.ROLLBACK, role)


BREAK: dict[str, Callable[[SignedRepository], None]] = {
    "expired": lambda repository: repository.expire("targets"),
    "unsigned": lambda repository: repository.sign("targets", lambda _, __: []),
    "malformed": lambda repository: repository.alter("targets", lambda body: body[:-1]),
    "missing": lambda repository: repository.drop("targets"),
}


@pytest.mark.parametrize("how", BREAK)
def test_a_broken_run_in_between_loses_no_floor(asker: Asker, repository: SignedRepository, how: str) -> None:
    """The run that fails may not make imgsig forget what it had seen below the fault."""
    good = repository.targets["expires"]
    repository.documents[RELEASES]["version"] = 7
    repository.publish()
    asker.ask()
    repository.add_target("other")
    BREAK[how](repository)
    repository.publish()
    assert asker.code() is not Code.OK
    repository.mend()
    repository.targets["expires"] = good
    set_version(repository, RELEASES, 6)
    error = asker.error()
    assert (error.code, error.subject) == (Code.ROLLBACK, RELEASES)


def test_root_goes_back_in_no_way(repository: SignedRepository) -> None:
    asker = Asker(repository)
    asker.ask()
    first = repository.files["1.root.json"]
    repository.rotate("targets")
    repository.publish(everything=True)
    asker.ask()
    for path in list(repository.files):
        if path.startswith("root."):
            repository.files[path] = first
    asker.ask()  # nothing asks for a root while everything fits the trusted one
    repository.add_target("latest", b"signed by the old key")
    repository.edit("snapshot", lambda signed: signed["meta"].update(root=signed["meta"]["root"]))
    repository.rotate("targets", *[make_key("p256", "targets")])
    repository.documents["root"]["version"] = 1
    repository.publish(bump=False, everything=True)
    assert asker.code() in {Code.ROLLBACK, Code.THRESHOLD, Code.ROOT_ROTATION}


def test_a_delegation_may_not_vanish_so_that_an_older_entry_counts(repository: SignedRepository) -> None:
    asker = Asker(repository)
    newest = asker.ask().digest
    assert newest == repository.digest("latest", RELEASES) != repository.digest("latest")
    repository.unpublished.add(RELEASES)
    repository.expire("snapshot", "2080-01-01T00:00:00Z")
    repository.publish()
    assert asker.code() is Code.ROLLBACK


def test_an_expired_delegation_may_not_make_an_older_entry_count(asker: Asker, repository: SignedRepository) -> None:
    repository.expire(RELEASES)
    repository.publish()
    assert asker.code() is Code.EXPIRED


def test_floors_hold_when_the_server_s_address_changes(asker: Asker, repository: SignedRepository) -> None:
    asker.location = "https://mirror.example.com"
    for newer in ("timestamp", "snapshot"):
        repository.documents[newer]["version"] = 10
    set_version(repository, RELEASES, 1)
    assert asker.code() is Code.ROLLBACK
