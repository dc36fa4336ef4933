"""Outcomes and codes: stable words that no one can take for yes."""

import copy
import pickle
import re

import pytest

from imgsig.codes import Code, Outcome

REJECTED = """invalid_reference not_signed tag_not_signed digest_not_signed tag_digest_conflict anchor_mismatch
    root_certificate root_rotation signature threshold expired rollback hash_mismatch malformed signer_missing
    signers_disagree authorities_disagree trust_data_removed limit_exceeded registry_mismatch platform_missing"""
INCONCLUSIVE = """unreachable throttled tls access_denied foreign_realm bad_response missing_metadata deadline stale
    state_unreadable state_conflict archive_unreadable before_capture"""
PROMISED = {
    "ok": Outcome.VERIFIED,
    **dict.fromkeys(REJECTED.split(), Outcome.REJECTED),
    **dict.fromkeys(INCONCLUSIVE.split(), Outcome.INCONCLUSIVE),
    "no_policy": Outcome.NO_POLICY,
    "exempt": Outcome.NO_POLICY,
}


def test_the_promised_codes_are_there_with_their_outcomes() -> None:
    found = {code.value: code.outcome for code in Code}
    assert {word: found[word] for word in PROMISED} == PROMISED


def test_only_ok_is_verified() -> None:
    assert [code for code in Code if code.outcome is Outcome.VERIFIED] == [Code.OK]


@pytest.mark.parametrize("outcome", Outcome)
def test_an_outcome_has_no_truth_value(outcome: Outcome) -> None:
    with pytest.raises(TypeError, match="no truth value"):
        bool(outcome)
    with pytest.raises(TypeError):
        not outcome  # noqa: B018 - the point


def test_outcomes_are_four_words() -> None:
    assert [outcome.value for outcome in Outcome] == ["verified", "rejected", "inconclusive", "no_policy"]


@pytest.mark.parametrize("code", Code)
def test_a_code_is_its_word_and_says_why_and_what_to_do(code: Code) -> None:
    assert re.fullmatch(r"[a-z]+(_[a-z]+)*", code)
    assert str(code) == code.value == code.name.lower() == f"{code}"
    for text in (code.cause, code.remedy):
        assert text
        assert text.isascii()
        assert text[0] == text[0].lower() or text.split()[0].isupper()
        assert not text.endswith(".")


def test_codes_are_told_apart() -> None:
    assert len({code.value for code in Code}) == len(Code) == len(Code.__members__)
    assert len({code.cause for code in Code}) == len(Code)


@pytest.mark.parametrize("member", [*Code, *Outcome])
def test_members_stay_themselves_when_copied_and_pickled(member: Code | Outcome) -> None:
    assert pickle.loads(pickle.dumps(member)) is member  # noqa: S301 - our own
    assert copy.copy(member) is member
    assert copy.deepcopy(member) is member


def test_a_word_that_is_no_code_is_refused() -> None:
    for word in ("", "OK", "ok ", "verified"):
        with pytest.raises(ValueError, match="valid Code"):
            Code(word)  # type: ignore[call-arg]  # a look-up, not a new member
