"""What is asked for when a name is archived: everything that a later verification could ask for, verified or not."""

import pytest

from imgsig.codes import Code
from imgsig.errors import InconclusiveError, RejectedError, VerificationError
from imgsig.limits import Deadline, Limits
from imgsig.notary.capture import capture_documents
from imgsig.notary.client import NotaryAuthority
from imgsig.notary.settings import FirstUse, Notary
from tests.support.memory_source import MemorySource, source_of
from tests.support.repository import Reply, SignedRepository


def capture(repository: SignedRepository, **limits: int) -> list[str]:
    """Return what was asked for, the hash in each path cut out."""
    source = source_of(repository)
    capture_documents(source, deadline=Deadline(60), limits=Limits(**limits))
    return shortened(source)


def shortened(source: MemorySource) -> list[str]:
    return [".".join(part for part in path.split(".") if len(part) != 64) for path in source.fetched]


def failure(repository: SignedRepository) -> VerificationError:
    with pytest.raises(VerificationError) as caught:
        capture(repository)
    return caught.value


BASE = ["root.json", "timestamp.json", "1.root.json", "snapshot.json", "root.json", "targets.json"]


def test_every_document_is_asked_for() -> None:
    repository = SignedRepository(publish=False)
    for role in ("targets/a", "targets/a/b", "targets/a/c", "targets/d"):
        repository.add_delegation(role)
    repository.add_delegation("targets/e", metadata=False)
    repository.publish()
    delegated = ["targets/a.json", "targets/a/b.json", "targets/a/c.json", "targets/d.json"]
    assert capture(repository) == BASE + delegated


def test_every_root_version_is_asked_for_up_to_the_limit() -> None:
    repository = SignedRepository()
    for _ in range(4):
        repository.rotate("root")
        repository.publish()
    versions = [path for path in capture(repository) if path.endswith(".root.json")]
    assert versions == [f"{version}.root.json" for version in range(1, 6)]
    last = [path for path in capture(repository, max_root_rotations=2) if path.endswith(".root.json")]
    assert last == ["3.root.json", "4.root.json", "5.root.json"]


def test_an_absurd_version_costs_no_more_than_the_limit() -> None:
    repository = SignedRepository(publish=False)
    repository.root["version"] = 2**53
    repository.publish(bump=False)
    assert len([path for path in capture(repository, max_root_rotations=5) if path.endswith(".root.json")]) == 6


def test_nothing_is_verified() -> None:
    repository = SignedRepository(publish=False)
    for role in ("root", "timestamp", "snapshot", "targets"):
        repository.sign(role, lambda _, __: [])
        repository.expire(role)
    repository.publish()
    assert capture(repository) == BASE


def test_a_root_that_the_snapshot_names_by_its_hash_is_asked_for_too() -> None:
    repository = SignedRepository()
    source = source_of(repository)
    capture_documents(source, deadline=Deadline(60), limits=Limits())
    assert repository.path_of("root") in source.fetched
    assert repository.path_of("targets") in source.fetched


@pytest.mark.parametrize(
    ("role", "asked"),
    [("root", BASE[:2]), ("timestamp", BASE[:2]), ("snapshot", BASE[:4]), ("targets", BASE)],
)
def test_what_cannot_be_understood_is_not_followed(role: str, asked: list[str]) -> None:
    repository = SignedRepository(publish=False)
    repository.add_delegation("targets/a")
    repository.alter(role, lambda _: b"{}")
    repository.publish()
    assert capture(repository) == asked


@pytest.mark.parametrize("role", ["snapshot", "targets", "targets/a", "1.root.json"])
def test_what_other_documents_name_may_be_missing(role: str) -> None:
    repository = SignedRepository(publish=False)
    repository.add_delegation("targets/a")
    repository.add_delegation("targets/b")
    repository.publish()
    repository.drop(role)
    asked = capture(repository)
    assert ("targets/b.json" in asked) is (role in {"targets/a", "1.root.json"})


@pytest.mark.parametrize("role", ["snapshot", "targets/a"])
def test_what_is_not_the_document_named_is_not_followed(role: str) -> None:
    repository = SignedRepository(publish=False)
    repository.add_delegation("targets/a")
    repository.add_delegation("targets/a/b")
    repository.publish()
    repository.tamper(role, lambda body: body[:-1] + b"x")
    assert "targets/a/b.json" not in capture(repository)


def test_a_document_longer_than_it_may_be_is_not_followed() -> None:
    repository = SignedRepository(publish=False)
    repository.edit("timestamp", lambda signed: signed["meta"]["snapshot"].update(length=-7))
    repository.publish()
    assert capture(repository) == BASE[:3]


@pytest.mark.parametrize("role", ["root", "timestamp", "snapshot", "targets", "targets/a"])
@pytest.mark.parametrize(
    ("status", "code"), [(503, Code.UNREACHABLE), (429, Code.THROTTLED), (403, Code.ACCESS_DENIED)]
)
def test_an_outage_ends_the_capture(role: str, status: int, code: Code) -> None:
    repository = SignedRepository(publish=False)
    repository.add_delegation("targets/a")
    repository.publish()
    repository.fail(role, status)
    error = failure(repository)
    assert isinstance(error, InconclusiveError)
    assert error.code is code


def test_an_unknown_name_is_not_signed() -> None:
    repository = SignedRepository()
    repository.drop("root")
    error = failure(repository)
    assert isinstance(error, RejectedError)
    assert error.code is Code.NOT_SIGNED


def test_a_missing_timestamp_ends_the_capture() -> None:
    repository = SignedRepository()
    repository.drop("timestamp")
    assert failure(repository).code is Code.BAD_RESPONSE


def test_delegations_are_bounded_and_asked_for_once() -> None:
    repository = SignedRepository(publish=False)
    for number in range(10):
        repository.add_delegation(f"targets/d{number}")
    entries = repository.targets["delegations"]["roles"]
    entries.append(dict(entries[0]))
    repository.publish()
    delegated = [path for path in capture(repository) if path.startswith("targets/")]
    assert delegated == [f"targets/d{number}.json" for number in range(10)]
    assert len([path for path in capture(repository, max_roles=3) if path.startswith("targets/")]) == 3


def test_a_role_that_delegates_to_nobody_published_ends_there() -> None:
    repository = SignedRepository(publish=False)
    repository.snapshot["meta"] = {"targets/a": None}
    repository.add_delegation("targets/a", metadata=False)
    repository.publish()
    assert capture(repository) == BASE


def test_an_authority_captures_by_the_same_function() -> None:
    repository = SignedRepository()
    source = source_of(repository)
    NotaryAuthority(Notary(anchor=FirstUse())).capture(source, deadline=Deadline(60), limits=Limits())
    assert shortened(source) == BASE


def test_a_deadline_ends_the_capture() -> None:
    times = iter([0.0, 1.0, 99.0, 99.0])
    with pytest.raises(InconclusiveError) as caught:
        capture_documents(
            source_of(SignedRepository()), deadline=Deadline(10, clock=lambda: next(times)), limits=Limits()
        )
    assert caught.value.code is Code.DEADLINE


def test_a_reply_that_is_no_document_is_captured_as_it_is() -> None:
    repository = SignedRepository()
    repository.reply("root.json", Reply(200, b"<html>"))
    assert capture(repository) == BASE[:2]
