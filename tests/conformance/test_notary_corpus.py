"""Real repositories of others, recorded between 2016 and 2020, are judged as the corpus says."""

import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from imgsig.codes import Code
from imgsig.errors import RejectedError
from imgsig.limits import Limits
from imgsig.notary.metadata import parse_root, parse_targets, parse_timestamp
from imgsig.state import MemoryState
from tests.support.recorded import CASES, Recorded

SINGLES = ("missing_keys_root", "wrong_time_timestamp", "missing_path", "sample3_targets", "sample4_targets")
LOOKUPS = range(7)


def _listed(corpus: Path) -> dict[str, Any]:
    listed: dict[str, Any] = json.loads((corpus / "notary" / "cases.json").read_bytes())
    return listed


def test_the_corpus_has_no_case_that_is_not_tested_here(corpus: Path) -> None:
    listed = _listed(corpus)
    assert {case["id"] for case in listed["cases"]} == set(CASES)
    assert {case["id"] for case in listed["singles"]} == set(SINGLES)
    assert len(listed["lookups"]) == len(LOOKUPS)


@pytest.mark.parametrize("case", CASES)
def test_every_tag_of_a_recorded_repository_has_its_digest_while_it_is_fresh(corpus: Path, case: str) -> None:
    recorded = Recorded(corpus, case)
    if recorded.about["expect_before_fresh_until"] != "valid":
        for tag in ("latest", *(name for names in recorded.about["targets"].values() for name in names)):
            with pytest.raises(RejectedError):
                recorded.attest(tag, at=recorded.last_valid)
        return
    assert recorded.about["tags"]
    for tag, digest in recorded.about["tags"].items():
        attestation = recorded.attest(tag, at=recorded.last_valid)
        assert attestation.digest == digest
        assert attestation.valid_until >= recorded.last_valid


@pytest.mark.parametrize("case", CASES)
def test_a_recorded_repository_is_refused_once_it_is_no_longer_fresh(corpus: Path, case: str) -> None:
    recorded = Recorded(corpus, case)
    for tag in recorded.about["tags"]:
        with pytest.raises(RejectedError) as caught:
            recorded.attest(tag, at=recorded.last_valid + timedelta(seconds=2))
        assert caught.value.code in {Code.EXPIRED, Code.ROOT_CERTIFICATE}


@pytest.mark.parametrize("case", CASES)
def test_a_recorded_repository_is_refused_under_another_pin(corpus: Path, case: str) -> None:
    recorded = Recorded(corpus, case)
    with pytest.raises(RejectedError) as caught:
        recorded.attest("latest", at=recorded.last_valid, pins=("0" * 64,))
    assert caught.value.code is Code.ANCHOR_MISMATCH


def test_going_back_from_the_second_to_the_first_generation_is_a_rollback(corpus: Path) -> None:
    older, newer = Recorded(corpus, "kolide-linux-0"), Recorded(corpus, "kolide-linux-1")
    state = MemoryState()
    tag = "somedir/target.0"
    first = older.attest(tag, at=older.last_valid, state=state)
    second = newer.attest(tag, at=older.last_valid, state=state)
    assert first.digest != second.digest
    with pytest.raises(RejectedError) as caught:
        older.attest(tag, at=older.last_valid, state=state)
    assert caught.value.code is Code.ROLLBACK


@pytest.mark.parametrize("single", SINGLES)
def test_a_single_file_is_read_or_refused_as_the_corpus_says(corpus: Path, single: str) -> None:
    about = next(one for one in _listed(corpus)["singles"] if one["id"] == single)
    body = (corpus / "notary" / about["file"]).read_bytes()

    def parse() -> None:
        match about["role"]:
            case "root":
                parse_root(body, Limits())
            case "timestamp":
                parse_timestamp(body, Limits())
            case role:
                parse_targets(body, role, Limits())

    if about["expect"] == "well-formed":
        parse()
        return
    with pytest.raises(RejectedError) as caught:
        parse()
    assert caught.value.code is Code.MALFORMED


@pytest.mark.parametrize("index", LOOKUPS)
def test_a_lookup_of_connaisseur_has_the_same_answer(corpus: Path, index: int) -> None:
    lookup = _listed(corpus)["lookups"][index]
    recorded = Recorded(corpus, lookup["case"])

    def attest() -> str:
        return recorded.attest(
            lookup["tag"] or "",
            at=recorded.last_valid,
            digest=lookup["digest"] or "",
            signers=tuple(role.removeprefix("targets/") for role in lookup["delegations"]),
            pins=(lookup["pin"],),
        ).digest

    if lookup["refused"] is None:
        assert attest() == lookup["result"]
        return
    with pytest.raises(RejectedError) as caught:
        attest()
    assert caught.value.code in {Code.TAG_NOT_SIGNED, Code.TAG_DIGEST_CONFLICT}
