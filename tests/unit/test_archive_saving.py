"""Saving: everything, as it came, all at once or not at all."""

import os
import re
import stat
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from imgsig.archive import Archive, Wanted
from imgsig.authority import Authority, Question
from imgsig.codes import Code
from imgsig.errors import InconclusiveError, RejectedError, UsageError, VerificationError
from imgsig.limits import Deadline, Limits
from imgsig.notary.settings import FirstUse, Notary, RootKeys
from imgsig.outlook import Outlook
from imgsig.policy import load_authority
from imgsig.source import Endpoint, Source
from imgsig.trust import Trust
from imgsig.verdict import Attestation, Checks
from tests.support.archives import bend, files_of, pinned, save, verifier, wanted
from tests.support.forks import as_ordinary_user, ordinary_folder
from tests.support.memory_source import MemorySource, MemorySources
from tests.support.repository import NAME, NOW, SignedRepository, envelope
from tests.support.root_certificates import root_key
from tests.support.signing import make_key

OTHER = "docker.io/library/alpine"


@pytest.fixture
def repository() -> SignedRepository:
    return SignedRepository()


@pytest.fixture
def target(tmp_path: Path) -> Path:
    return tmp_path / "saved"


def left_behind(target: Path) -> list[Path]:
    return sorted(target.parent.rglob("*"))


def one(archive: Archive) -> tuple[bool, str, str]:
    (name,) = archive.names
    return name.verified, name.code, name.summary


class Calling:
    """Servers during whose first answer something else happens."""

    live = True

    def __init__(self, repository: SignedRepository, call: Callable[[], object]) -> None:
        self._repository = repository
        self._call = call

    def open(self, endpoint: Endpoint) -> MemorySource:
        self._call()
        return MemorySource(self._repository.served, location=endpoint.server)


# -- what is kept -------------------------------------------------------------------------------------------------


def test_each_document_is_asked_for_once(repository: SignedRepository, target: Path) -> None:
    save(target, repository)
    assert len(repository.requests) == len(set(repository.requests))


def test_the_time_is_that_of_the_last_document(repository: SignedRepository, target: Path) -> None:
    times = iter([NOW + timedelta(microseconds=1), NOW + timedelta(seconds=5, microseconds=999_999)])
    other = SignedRepository(OTHER)
    archive = Archive.save(
        [wanted(NAME), wanted(OTHER)], target, sources=MemorySources(repository, other), clock=lambda: next(times)
    )
    assert archive.captured_at == NOW + timedelta(seconds=5)


def test_the_tool_and_the_server_are_named(repository: SignedRepository, target: Path) -> None:
    archive = save(target, repository)
    assert archive.names[0].server == "https://notary.example.com"
    assert re.search(rb'"tool":"imgsig [0-9a-z.]+"', (target / "capture.json").read_bytes())


def test_a_name_wanted_twice_is_saved_once(repository: SignedRepository, target: Path) -> None:
    archive = save(target, repository, repository)
    assert len(archive.names) == 1


def test_files_are_readable_as_the_umask_says(repository: SignedRepository, target: Path) -> None:
    before = os.umask(0o027)
    try:
        archive = save(target, repository)
    finally:
        os.umask(before)
    assert {stat.S_IMODE(file.stat().st_mode) for file in files_of(archive)} == {0o640}
    folders = [target, *(path for path in target.rglob("*") if path.is_dir())]
    assert {stat.S_IMODE(folder.stat().st_mode) for folder in folders} == {0o750}


def test_a_role_with_a_long_name_is_kept(repository: SignedRepository, target: Path) -> None:
    role = "targets/" + "r" * 247
    repository.add_delegation(role)
    repository.publish()
    archive = save(target, repository)
    assert repository.path_of(role) in {file.path for file in archive.names[0].files}
    assert verifier(archive, repository).evaluate(NAME).code is Code.OK


@pytest.mark.parametrize("name", ["localhost:5000/app", "[::1]:5000/app", "REGISTRY.example.com/app"])
def test_a_name_that_is_no_name_of_a_folder_is_kept(name: str, target: Path) -> None:
    repository = SignedRepository(name)
    archive = save(target, repository)
    assert one(archive) == (True, "", "")
    assert all(re.fullmatch(r"[a-z0-9._%-]+", path.name) or "%" in path.name for path in target.rglob("*"))
    assert verifier(Archive.load(target), repository).evaluate(name).code is Code.OK


# -- what does not verify -----------------------------------------------------------------------------------------


def test_what_verifies_as_if_on_first_use_is_marked_so(repository: SignedRepository, target: Path) -> None:
    assert one(save(target, repository)) == (True, "", "")


def test_what_verifies_by_the_rule_is_marked_so(repository: SignedRepository, target: Path) -> None:
    assert one(save(target, repository, anchor=pinned(repository))) == (True, "", "")


def test_a_repository_without_tags_verifies_too(target: Path) -> None:
    assert one(save(target, SignedRepository(tags=()))) == (True, "", "")


def test_what_does_not_verify_by_the_rule_is_kept_and_marked(repository: SignedRepository, target: Path) -> None:
    archive = save(target, repository, anchor=RootKeys([root_key(NAME, label="another").canonical_id]))
    verified, code, summary = one(archive)
    assert (verified, code) == (False, "anchor_mismatch")
    assert "root" in summary
    assert verifier(archive, repository).evaluate(NAME).code is Code.OK


BENDS: dict[str, tuple[Callable[[SignedRepository], object], Code]] = {
    "expired": (lambda it: it.expire("timestamp"), Code.EXPIRED),
    "unsigned": (lambda it: it.sign("targets", lambda _signatures, _message: []), Code.SIGNATURE),
    "signed by another": (lambda it: it.signers.update(targets=[make_key("p256", "another")]), Code.THRESHOLD),
    "another hash": (lambda it: it.tamper("targets", lambda body: body[:-1] + b" "), Code.HASH_MISMATCH),
    "too long": (lambda it: it.tamper("targets", lambda body: body + b" "), Code.LIMIT_EXCEEDED),
    "no JSON": (lambda it: it.alter("snapshot", lambda _body: b"<html>"), Code.MALFORMED),
    "no timestamp": (lambda it: it.alter("timestamp", lambda _body: b"<html>"), Code.MALFORMED),
    "no root": (lambda it: it.tamper("root", lambda _body: b"<html>"), Code.MALFORMED),
    "no targets": (lambda it: it.alter("targets", lambda _body: b"<html>"), Code.MALFORMED),
    "a missing document": (lambda it: it.drop("targets"), Code.MISSING_METADATA),
    "a missing snapshot": (lambda it: it.drop("snapshot"), Code.MISSING_METADATA),
    "a root nobody knows": (lambda it: it.drop("1.root.json"), Code.OK),
    "another root": (lambda it: it.rewrite("root", lambda text: text, message=lambda _text: b"x"), Code.THRESHOLD),
    "text for terminals": (
        lambda it: it.serialise("targets", lambda text, signatures: envelope(text + b"\x1b[2J\n", signatures)),
        Code.MALFORMED,
    ),
}


@pytest.mark.parametrize("bend", BENDS)
def test_what_does_not_verify_is_kept_and_marked(bend: str, repository: SignedRepository, target: Path) -> None:
    change, code = BENDS[bend]
    change(repository)
    repository.publish(everything=True)
    archive = save(target, repository)
    assert one(archive)[:2] == (code is Code.OK, "" if code is Code.OK else str(code))
    again = verifier(archive, repository).evaluate(NAME).code
    # A document that was not to be had is one that the archive has not got.
    assert again is (Code.ARCHIVE_UNREADABLE if code in {Code.MISSING_METADATA, Code.LIMIT_EXCEEDED} else code)


# -- what stops it ------------------------------------------------------------------------------------------------


FAILURES = [(503, Code.UNREACHABLE), (429, Code.THROTTLED), (403, Code.ACCESS_DENIED)]


@pytest.mark.parametrize("where", ["root.json", "timestamp.json", "snapshot", "targets", "1.root.json"])
@pytest.mark.parametrize(("status", "code"), FAILURES)
def test_a_server_that_fails_leaves_nothing_behind(
    repository: SignedRepository, target: Path, where: str, status: int, code: Code
) -> None:
    repository.fail(where, status)
    with pytest.raises(InconclusiveError) as caught:
        save(target, SignedRepository(OTHER), repository, sources=MemorySources(SignedRepository(OTHER), repository))
    assert caught.value.code is code
    assert left_behind(target) == []


def test_a_name_that_is_not_signed_leaves_nothing_behind(repository: SignedRepository, target: Path) -> None:
    with pytest.raises(RejectedError) as caught:
        save(target, repository, SignedRepository(OTHER), sources=MemorySources(repository))
    assert caught.value.code is Code.NOT_SIGNED
    assert left_behind(target) == []


def test_more_than_an_archive_may_hold_is_refused(repository: SignedRepository, target: Path) -> None:
    archive = save(target, repository)
    total = sum(file.length for file in archive.names[0].files)
    other = target.parent / "other"
    assert save(other, repository, limits=Limits(max_archive_bytes=total)).names == archive.names
    for most in (total - 1, 1):
        with pytest.raises(RejectedError) as caught:
            save(target.parent / "third", repository, limits=Limits(max_archive_bytes=most))
        assert caught.value.code is Code.LIMIT_EXCEEDED
    assert not (target.parent / "third").exists()


def test_the_deadline_is_kept(repository: SignedRepository, target: Path) -> None:
    with pytest.raises(InconclusiveError) as caught:
        Archive.save(
            [wanted(NAME)], target, sources=MemorySources(repository), clock=lambda: NOW, timeout_seconds=1e-9
        )
    assert caught.value.code is Code.DEADLINE
    assert left_behind(target) == []


@pytest.mark.parametrize("seconds", [0, -1, float("nan"), float("inf"), "soon"])
def test_a_timeout_that_is_none_is_a_wrong_call(repository: SignedRepository, target: Path, seconds: float) -> None:
    sources = MemorySources(repository)
    with pytest.raises(UsageError):
        Archive.save([wanted(NAME)], target, sources=sources, clock=lambda: NOW, timeout_seconds=seconds)
    assert repository.requests == []


def test_an_archive_is_not_captured_from_an_archive(repository: SignedRepository, target: Path) -> None:
    archive = save(target, repository)
    with pytest.raises(UsageError, match="from servers"):
        save(target.parent / "copy", repository, sources=archive)


def test_no_names_are_a_wrong_call(target: Path) -> None:
    with pytest.raises(UsageError, match="a name at least"):
        save(target)


@pytest.mark.parametrize("name", ["", "../etc", "a//b", "a b", "a\n", "/a"])
def test_what_is_no_name_is_a_wrong_call(name: str) -> None:
    with pytest.raises(UsageError, match="is no name"):
        wanted(name)


class OddSettings:
    system = "../x"
    trusts_first_use = False

    def endpoint(self, name: str) -> Endpoint:
        return Endpoint(self.system, name, "https://a", "/")


def test_what_is_no_system_is_a_wrong_call() -> None:
    with pytest.raises(UsageError, match="is no system"):
        Wanted(NAME, OddSettings(), load_authority(Notary(anchor=FirstUse())))


class Scripted:
    """An authority that captures what it is told, and answers as it is told."""

    def __init__(self, paths: list[str], answer: VerificationError | None = None) -> None:
        self._paths = paths
        self._answer = answer
        self.lengths: list[int] = []

    def capture(self, source: Source, *, deadline: Deadline, limits: Limits) -> None:
        self.lengths += [len(source.fetch(path, max_bytes=10**6, deadline=deadline)) for path in self._paths]
        assert source.evidence.kind == "server"

    def outlook(self, trust: Trust, name: str, *, at: datetime, limits: Limits) -> Outlook:
        raise NotImplementedError

    def attest(self, question: Question, checks: Checks) -> Attestation:
        for path in self._paths:
            question.source.fetch(path, max_bytes=10**6, deadline=question.deadline)
        if self._answer is not None:
            raise self._answer
        return None  # type: ignore[return-value]  # nobody looks at it


def scripted(target: Path, repository: SignedRepository, authority: Authority) -> Archive:
    settings = Notary(anchor=FirstUse(), server="https://notary.example.com")
    return Archive.save(
        [Wanted(NAME, settings, authority)], target, sources=MemorySources(repository), clock=lambda: NOW
    )


def test_any_authority_can_be_saved(repository: SignedRepository, target: Path) -> None:
    authority = Scripted(["root.json", "root.json", "timestamp.json"])
    archive = scripted(target, repository, authority)
    assert repository.requests == ["root.json", "timestamp.json"]
    assert authority.lengths[0] == authority.lengths[1]
    assert one(archive) == (True, "", "")


class Hesitant:
    """An authority that asks for the same document twice, the second time for less of it."""

    def capture(self, source: Source, *, deadline: Deadline, limits: Limits) -> None:
        length = len(source.fetch("root.json", max_bytes=10**6, deadline=deadline))
        with pytest.raises(RejectedError, match="larger") as caught:
            source.fetch("root.json", max_bytes=length - 1, deadline=deadline)
        assert caught.value.code is Code.LIMIT_EXCEEDED

    def outlook(self, trust: Trust, name: str, *, at: datetime, limits: Limits) -> Outlook:
        raise NotImplementedError

    def attest(self, question: Question, checks: Checks) -> Attestation:
        question.source.fetch("root.json", max_bytes=10, deadline=question.deadline)
        raise AssertionError


def test_a_document_is_never_given_out_beyond_the_bound_asked_for(repository: SignedRepository, target: Path) -> None:
    assert one(scripted(target, repository, Hesitant()))[:2] == (False, "limit_exceeded")
    assert repository.requests == ["root.json"]


@pytest.mark.parametrize("path", ["../root.json", "/etc/passwd", "", "a//b", "a\0b", "a" * 1025, "."])
def test_an_odd_path_is_not_even_asked_for(repository: SignedRepository, target: Path, path: str) -> None:
    with pytest.raises(RejectedError) as caught:
        scripted(target, repository, Scripted([path]))
    assert caught.value.code is Code.MALFORMED
    assert repository.requests == []
    assert left_behind(target) == []


def test_no_answer_for_another_reason_than_the_documents_stops_it(repository: SignedRepository, target: Path) -> None:
    fault = InconclusiveError("another process has changed it", code=Code.STATE_CONFLICT)
    with pytest.raises(InconclusiveError, match="another process"):
        scripted(target, repository, Scripted(["root.json"], fault))
    assert left_behind(target) == []


# -- what is there already ----------------------------------------------------------------------------------------


def contents(folder: Path) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_an_empty_folder_is_filled(repository: SignedRepository, target: Path) -> None:
    target.mkdir()
    assert save(target, repository).path == target


def test_an_archive_of_the_same_documents_stays_as_it_is(repository: SignedRepository, target: Path) -> None:
    archive = save(target, repository)
    before = contents(target)
    assert save(target, repository, now=NOW + timedelta(days=1)) == archive
    assert contents(target) == before
    assert left_behind(target)[0] == target


def refused(target: Path, *repositories: SignedRepository, because: str) -> None:
    before = contents(target)
    with pytest.raises(UsageError, match=because) as caught:
        save(target, *repositories)
    assert contents(target) == before
    assert str(caught.value).isascii()
    assert not list(target.parent.glob(".imgsig-*"))


def test_other_documents_are_not_written_over(repository: SignedRepository, target: Path) -> None:
    save(target, repository)
    repository.add_target("latest", b"another")
    repository.publish()
    refused(target, repository, because="other trust data")


def test_a_damaged_archive_is_not_mended(repository: SignedRepository, target: Path) -> None:
    archive = save(target, repository)
    bend(files_of(archive)[0], lambda body: body[:-1])
    refused(target, repository, because="other trust data")


def test_an_archive_of_other_names_is_not_added_to(repository: SignedRepository, target: Path) -> None:
    save(target, repository)
    repository.requests.clear()
    refused(target, repository, SignedRepository(OTHER), because="other names")
    assert repository.requests == []


def test_files_that_are_no_archive_are_left_alone(repository: SignedRepository, target: Path) -> None:
    target.mkdir()
    (target / "letter.txt").write_text("dear all")
    refused(target, repository, because="no archive")
    assert repository.requests == []


@pytest.mark.parametrize("make", [lambda path: path.write_text("x"), os.mkfifo])
def test_what_is_no_folder_is_left_alone(
    repository: SignedRepository, target: Path, make: Callable[[Path], object]
) -> None:
    make(target)
    with pytest.raises(UsageError, match="no folder"):
        save(target, repository)
    assert repository.requests == []
    assert left_behind(target) == [target]


def test_a_path_that_is_none_is_a_wrong_call(repository: SignedRepository, target: Path) -> None:
    with pytest.raises(UsageError, match="no folder"):
        save(Path("a\0b"), repository)


def test_the_folder_above_must_exist(repository: SignedRepository, target: Path) -> None:
    with pytest.raises(UsageError, match="above it does not exist"):
        save(target / "deeper", repository)
    assert repository.requests == []


def test_what_appears_meanwhile_is_left_alone(repository: SignedRepository, target: Path) -> None:
    def appear() -> None:
        target.mkdir()
        (target / "letter.txt").write_text("dear all")

    with pytest.raises(UsageError, match="cannot be written"):
        save(target, repository, sources=Calling(repository, appear))
    assert contents(target.parent) == {target / "letter.txt": b"dear all"}


def test_a_link_that_leads_nowhere_is_left_alone(repository: SignedRepository, target: Path) -> None:
    target.symlink_to("nowhere")
    with pytest.raises(UsageError, match="cannot be written"):
        save(target, repository)
    assert left_behind(target) == [target]
    assert target.is_symlink()


def test_a_folder_that_may_not_be_written_is_a_wrong_call() -> None:
    repository = SignedRepository()
    with ordinary_folder() as folder:
        folder.chmod(0o500)

        def try_it() -> None:
            with pytest.raises(UsageError, match="permission denied"):
                save(folder / "saved", repository)

        assert as_ordinary_user(try_it) == 0
