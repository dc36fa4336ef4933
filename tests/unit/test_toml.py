import tomllib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from imgsig.errors import PolicyError, UsageError
from imgsig.toml import parse_toml, write_items

TEXTS = st.text(st.characters(exclude_categories=["Cs"]))


def parse(text: str) -> object:
    return parse_toml(text, place="text", max_bytes=100_000)


@given(st.dictionaries(st.from_regex(r"[a-z-]+", fullmatch=True), TEXTS | st.integers() | st.booleans()))
def test_what_is_written_is_read_back(items: dict[str, object]) -> None:
    assert parse("\n".join(write_items(items))) == items


@given(st.lists(TEXTS))
def test_a_tuple_is_read_back_as_a_list(texts: list[str]) -> None:
    assert parse(write_items({"a": tuple(texts)})[0]) == {"a": texts}


def test_what_no_terminal_should_be_sent_is_written_as_escapes() -> None:
    (line,) = write_items({"a": 'x"\\\n\x1b\u202e\x7f\u00fc'})
    assert line == 'a = "x\\"\\\\\\U0000000A\\U0000001B\\U0000202E\\U0000007F\u00fc"'


def test_none_stands_for_nothing() -> None:
    assert write_items({"a": None, "b": 1}) == ["b = 1"]


def test_half_of_a_surrogate_pair_cannot_be_written() -> None:
    with pytest.raises(UsageError, match=r"'\\ud800' cannot be written"):
        write_items({"a": ("\ud800",)})


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("a =", "text: is not TOML: invalid value (at end of document)"),
        ("a = 1\na = 2", "text: is not TOML: cannot overwrite a value (at end of document)"),
        ("a = " + "9" * 5000, "text: is not TOML: "),
        ("\ufeffa = 1", "text: is not TOML: "),
        ("a = '\ud800'", "text: is not TOML: "),
        ("\u00e9 = 1", "text: is not TOML: "),
        ("a = " + "[" * 50_000, "text: is nested too deeply"),
        ("#" * 100_001, "text: is larger than 100000 bytes"),
        ("#" + "\u00e9" * 50_000, "text: is larger than 100000 bytes"),
    ],
)
def test_what_is_no_toml_is_a_fault(text: str, fault: str) -> None:
    with pytest.raises(PolicyError) as caught:
        parse(text)
    (found,) = caught.value.faults
    assert found.startswith(fault)
    assert found.isascii()
    assert len(found) < 300


@given(st.text())
def test_nothing_but_a_policy_error_leaves_the_parser(text: str) -> None:
    try:
        assert parse(text) == tomllib.loads(text)
    except PolicyError as error:
        assert error.faults  # noqa: PT017 - either outcome is right
