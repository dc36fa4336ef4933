"""A rule that names an archive is verified from it, by the terms that it sets, and asks no server."""

import os
import shutil
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from imgsig.archive import Archive
from imgsig.codes import Code
from imgsig.errors import PolicyError
from imgsig.limits import Limits
from imgsig.notary.settings import Notary, RootKeys
from imgsig.origins import Origins
from imgsig.policy import Policy, Rule
from imgsig.sections import FromArchive
from imgsig.source import Endpoint, Source
from imgsig.state import MemoryState
from imgsig.tuf.settings import RootSha256, Tuf
from imgsig.verdict import Checks, Verdict
from imgsig.verifier import Verifier
from tests.support.archives import bend, files_of, pinned, save
from tests.support.command import Desk
from tests.support.repository import NAME, NOW, SignedRepository

ID = f"sha256:{'a' * 64}"
PIN = "a" * 64
DAY = timedelta(days=1)


@pytest.fixture
def repository() -> SignedRepository:
    return SignedRepository()


@pytest.fixture(params=["saved", "saved.tar"])
def archive(request: pytest.FixtureRequest, repository: SignedRepository, tmp_path: Path) -> Archive:
    return save(tmp_path / request.param, repository)


def named(archive: Archive, **terms: Any) -> FromArchive:  # noqa: ANN401 - those of FromArchive
    return FromArchive(str(archive.path), **terms)


def verdict_of(
    repository: SignedRepository, source: FromArchive, *, now: datetime = NOW, given: Archive | None = None
) -> Verdict:
    rule = Rule([NAME], notary=Notary(anchor=pinned(repository), archive=source))
    state = MemoryState() if given is None else None
    with Verifier(Policy((rule,)), state=state, source=given, clock=lambda: now) as verifier:
        verdict = verifier.evaluate(f"{NAME}:1.0")
    assert state is None or state.names() == (), "an archive leaves nothing to remember"
    return verdict


# -- verifying ----------------------------------------------------------------------------------------------------


def test_the_verdict_is_as_with_an_archive_that_is_given(repository: SignedRepository, archive: Archive) -> None:
    verdict = verdict_of(repository, named(archive))
    (attestation,) = verdict.attestations
    assert (verdict.code, verdict.digest) == (Code.OK, repository.digest("1.0"))
    assert (verdict.fresh, attestation.known_since) == (False, None)
    source = attestation.source
    assert (source.kind, source.location, source.captured_at, source.id_pinned) == ("archive", archive.id, NOW, False)
    assert verdict_of(repository, named(archive, id=archive.id)).attestations[0].source.id_pinned


def test_another_archive_than_the_one_demanded_is_rejected(repository: SignedRepository, archive: Archive) -> None:
    assert verdict_of(repository, named(archive, id=ID)).code is Code.HASH_MISMATCH


def test_expiries_are_compared_with_the_present(repository: SignedRepository, tmp_path: Path) -> None:
    repository.expire("timestamp", (NOW + 10 * DAY).strftime("%Y-%m-%dT%H:%M:%SZ"))
    repository.publish()
    archive = save(tmp_path / "saved", repository)
    assert verdict_of(repository, named(archive), now=NOW + 9 * DAY).code is Code.OK
    assert verdict_of(repository, named(archive), now=NOW + 11 * DAY).code is Code.EXPIRED


def test_expiries_are_compared_with_the_capture_where_the_rule_says_so(
    repository: SignedRepository, tmp_path: Path
) -> None:
    repository.expire("timestamp", (NOW + 10 * DAY).strftime("%Y-%m-%dT%H:%M:%SZ"))
    repository.publish()
    archive = save(tmp_path / "saved", repository)
    terms = named(archive, id=archive.id, as_of_capture=True, max_age_days=30)
    verdict = verdict_of(repository, terms, now=NOW + 30 * DAY)
    assert (verdict.code, verdict.at, verdict.fresh) == (Code.OK, NOW, False)
    (check,) = (check for check in verdict.checks if check.code is Code.STALE)
    assert check.passed
    assert (check.expected, check.found) == ("at most 30 days old", f"captured at {NOW.isoformat()}")
    late = verdict_of(repository, terms, now=NOW + 30 * DAY + timedelta(seconds=1))
    assert late.code is Code.STALE
    assert late.hint == "bring a newer archive, and its id into the rule"


def test_an_age_may_be_demanded_by_itself(repository: SignedRepository, archive: Archive) -> None:
    assert verdict_of(repository, named(archive, max_age_days=1), now=NOW + DAY).code is Code.OK
    assert verdict_of(repository, named(archive, max_age_days=1), now=NOW + 2 * DAY).code is Code.STALE


def test_an_archive_of_the_future_answers_for_no_time_before_it(
    repository: SignedRepository, archive: Archive
) -> None:
    terms = named(archive, id=archive.id, as_of_capture=True, max_age_days=30)
    for source in (named(archive), terms):
        assert verdict_of(repository, source, now=NOW - timedelta(seconds=1)).code is Code.BEFORE_CAPTURE


def test_an_archive_that_is_not_there_is_unreadable(
    repository: SignedRepository, archive: Archive, tmp_path: Path
) -> None:
    assert verdict_of(repository, FromArchive(str(tmp_path / "none"))).code is Code.ARCHIVE_UNREADABLE


def test_an_archive_that_is_given_stands_for_every_one_but_by_the_rule_s_terms(
    repository: SignedRepository, archive: Archive, tmp_path: Path
) -> None:
    elsewhere = FromArchive(str(tmp_path / "none"), id=archive.id, as_of_capture=True, max_age_days=1)
    assert verdict_of(repository, elsewhere, given=archive).code is Code.OK
    assert verdict_of(repository, elsewhere, given=archive, now=NOW + 2 * DAY).code is Code.STALE
    assert verdict_of(repository, FromArchive("/none", id=ID), given=archive).code is Code.HASH_MISMATCH


def test_a_changed_archive_is_loaded_anew_and_a_damaged_one_refused(
    repository: SignedRepository, tmp_path: Path
) -> None:
    first = save(tmp_path / "saved", repository)
    rule = Rule([NAME], notary=Notary(anchor=pinned(repository), archive=named(first)))
    with Verifier(Policy((rule,)), state=MemoryState(), clock=lambda: NOW) as verifier:
        assert verifier.evaluate(f"{NAME}:2.0").code is Code.TAG_NOT_SIGNED
        repository.add_target("2.0")
        repository.publish()
        shutil.rmtree(first.path)
        second = save(first.path, repository)
        assert verifier.evaluate(f"{NAME}:2.0").code is Code.OK
        bend(files_of(second)[0], lambda body: body[:-1] + b" ")
        assert verifier.evaluate(f"{NAME}:2.0").code is Code.HASH_MISMATCH
        os.unlink(second.path / "capture.json")  # noqa: PTH108 - as somebody else would
        assert verifier.evaluate(f"{NAME}:2.0").code is Code.ARCHIVE_UNREADABLE


class Closed:
    """Servers that nobody may ask."""

    live = True

    def open(self, endpoint: Endpoint) -> Source:
        raise AssertionError(endpoint)


def test_no_server_is_even_opened(archive: Archive) -> None:
    settings = Notary(anchor=RootKeys([PIN]), archive=named(archive))
    origins = Origins(MemoryState(), Limits(), given=False)
    origin = origins.open(settings, NAME, NOW, Checks(), sources=Closed())
    assert (origin.live, origin.state, origin.source.evidence.location) == (False, None, archive.id)


# -- what a rule may say ------------------------------------------------------------------------------------------


def section(*lines: str, anchor: str = f'root-keys = ["{PIN}"]', system: str = "notary") -> str:
    return "\n".join(("version = 1", "[[rule]]", f'names = ["{NAME}"]', f"[rule.{system}]", anchor, *lines))


TUF = f'metadata-url = "https://tuf.example.com"\nroot-sha256 = "{PIN}"'
FULL = ('archive = "saved"', f'archive-id = "{ID}"', 'as-of = "capture"', "max-age-days = 30")


@pytest.mark.parametrize(("system", "anchor"), [("notary", f'root-keys = ["{PIN}"]'), ("tuf", TUF)])
def test_a_section_names_an_archive_relative_to_the_policy(tmp_path: Path, system: str, anchor: str) -> None:
    policy = Policy.parse(section(*FULL, system=system, anchor=anchor), folder=tmp_path)
    (settings,) = policy.rules[0].sections
    assert settings.archive == FromArchive(str(tmp_path / "saved"), id=ID, as_of_capture=True, max_age_days=30)
    assert Policy.parse(policy.to_toml()) == policy


def test_an_archive_alone_will_do(tmp_path: Path) -> None:
    (settings,) = Policy.parse(section('archive = "saved.tar"'), folder=tmp_path).rules[0].sections
    assert settings.archive == FromArchive(str(tmp_path / "saved.tar"))


def test_a_rule_for_everything_needs_no_server_then(tmp_path: Path) -> None:
    text = section('archive = "saved"').replace(f'"{NAME}"', '"**"')
    assert Policy.parse(text, folder=tmp_path).rules


def test_no_default_server_is_put_in_its_place(tmp_path: Path) -> None:
    policy = Policy.parse(section('archive = "saved"'), folder=tmp_path)
    assert policy.with_default_server("notary", "https://notary.example.com") == policy


def test_a_server_that_is_asked_for_takes_its_place() -> None:
    settings = Notary(anchor=RootKeys([PIN]), archive=FromArchive("/saved"))
    assert settings.with_server("https://a.example").archive is None
    tuf = Tuf(anchor=RootSha256(PIN), metadata_url="https://a.example", archive=FromArchive("/saved"))
    assert tuf.with_server("https://b.example").archive is None


def faults() -> Iterator[tuple[tuple[str, ...], str]]:
    yield (f'archive-id = "{ID}"',), "rule[0].notary.archive-id: goes with archive alone"
    yield ('as-of = "capture"',), "rule[0].notary.as-of: goes with archive alone"
    yield ("max-age-days = 3",), "rule[0].notary.max-age-days: goes with archive alone"
    yield ('archive = "x"', 'as-of = "now"'), "rule[0].notary.as-of: must be capture"
    yield ('archive = "x"', 'as-of = "capture"'), "rule[0].notary.as-of: needs archive-id"
    yield (*FULL[:3],), "rule[0].notary.as-of: needs max-age-days"
    yield (FULL[0], *FULL[2:]), "rule[0].notary.as-of: needs archive-id"
    yield ('archive = "x"', 'archive-id = "abc"'), "rule[0].notary.archive-id: 'abc' is no id"
    yield ('archive = "x"', "max-age-days = 0"), "rule[0].notary.max-age-days: must be a whole number"
    yield ('archive = "x"', "max-age-days = 3661"), "rule[0].notary.max-age-days: must be a whole number"
    yield ('archive = "x"', "max-age-days = true"), "rule[0].notary.max-age-days: must be a whole number"
    yield ("archive = 1",), "rule[0].notary.archive: must be a text"
    yield ('archive = ""',), "rule[0].notary.archive: must not be empty"
    yield ('archive = "x"', 'server = "https://a"'), "rule[0].notary.server: has no meaning beside archive"
    yield ('archive = "x"', "max-stale-seconds = 1"), "rule[0].notary.max-stale-seconds: has no meaning"


@pytest.mark.parametrize(("lines", "fault"), list(faults()))
def test_what_does_not_go_together_is_a_fault(tmp_path: Path, lines: tuple[str, ...], fault: str) -> None:
    with pytest.raises(PolicyError) as caught:
        Policy.parse(section(*lines), folder=tmp_path)
    assert caught.value.faults[0].startswith(fault)


def test_first_use_of_an_archive_is_a_fault(tmp_path: Path) -> None:
    with pytest.raises(PolicyError, match="trusts nothing that is only in an archive"):
        Policy.parse(section('archive = "x"', anchor="first-use = true"), folder=tmp_path)


def test_a_policy_without_a_folder_names_archives_in_full() -> None:
    with pytest.raises(PolicyError, match="absolute"):
        Policy.parse(section('archive = "x"'))
    with pytest.raises(PolicyError, match="absolute"):
        FromArchive("x")


def test_a_tuf_section_bridges_no_outage_of_an_archive(tmp_path: Path) -> None:
    with pytest.raises(PolicyError, match="max-stale-seconds: has no meaning"):
        Policy.parse(section('archive = "x"', "max-stale-seconds = 1", system="tuf", anchor=TUF), folder=tmp_path)


# -- the command line ---------------------------------------------------------------------------------------------


def test_a_machine_without_a_network_verifies_by_its_policy(
    repository: SignedRepository, tmp_path: Path
) -> None:
    desk = Desk(tmp_path)
    archive = save(tmp_path / "saved.tar", repository, now=datetime.fromisoformat("2024-01-01T00:00:00Z"))
    desk.write(
        f'[[rule]]\nnames = ["{NAME}"]\n[rule.notary]\nroot-keys = ["{pinned(repository).pins[0]}"]\n'
        f'archive = "{archive.path}"\narchive-id = "{archive.id}"\nas-of = "capture"\nmax-age-days = 3660\n'
    )
    ran = desk.run("verify", "--explain", f"{NAME}:1.0")
    assert (ran.status, ran.lines) == (0, [f"{NAME}@{repository.digest('1.0')}"])
    assert "captured at 2024-01-01T00:00:00Z as demanded" in ran.err
    assert not desk.state.exists()
    assert desk.run("doctor", "--ignore", "root_never_rotated").status == 0


def test_the_doctor_tells_of_an_archive_that_is_not_there(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    desk.write(f'[[rule]]\nnames = ["{NAME}"]\n[rule.notary]\nroot-keys = ["{PIN}"]\narchive = "saved"\n')
    ran = desk.run("doctor")
    assert (ran.status, ran.lines[0].endswith("(archive_unreadable)")) == (10, True)
