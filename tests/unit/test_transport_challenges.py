import pytest
from hypothesis import given
from hypothesis import strategies as st

from imgsig.transport.challenges import MAX_CHALLENGES, parse_challenges


def parsed(*lines: str, max_bytes: int = 1000) -> list[tuple[str, dict[str, str]]]:
    return [
        (challenge.scheme, dict(challenge.parameters)) for challenge in parse_challenges(lines, max_bytes=max_bytes)
    ]


@pytest.mark.parametrize(
    ("line", "scheme", "parameters"),
    [
        (
            'Bearer realm="https://a.test/token",service="s"',
            "bearer",
            {"realm": "https://a.test/token", "service": "s"},
        ),
        ('BEARER Realm=x , SERVICE="a, b"', "bearer", {"realm": "x", "service": "a, b"}),
        (r'Bearer realm="a\"b\\c"', "bearer", {"realm": r'a"b\c'}),
        ('Basic realm=""', "basic", {"realm": ""}),
        ("Basic", "basic", {}),
        ("Negotiate abc==", "negotiate", {}),
        ('Bearer realm="x",service="y", Basic realm="z"', "bearer", {"realm": "x", "service": "y"}),
        ('Bearer realm="x" junk', "bearer", {"realm": "x"}),
        ('Bearer realm="x",,service="y"', "bearer", {"realm": "x"}),
        ('Bearer realm="unclosed', "bearer", {}),
        ('Bearer ,realm="x"', "bearer", {}),
    ],
)
def test_a_line_is_read_up_to_its_first_fault_as_docker_does(
    line: str, scheme: str, parameters: dict[str, str]
) -> None:
    assert parsed(line) == [(scheme, parameters)]


def test_each_line_is_a_challenge() -> None:
    assert [scheme for scheme, _ in parsed("Basic realm=a", "Bearer realm=b")] == ["basic", "bearer"]


@pytest.mark.parametrize("line", ["", "=", '"Bearer" realm=x', "Bearer realm=a,realm=b", "Bearer realm=a,REALM=b"])
def test_a_worthless_line_is_passed_over(line: str) -> None:
    assert parsed(line, "Basic realm=a") == [("basic", {"realm": "a"})]


def test_a_line_that_is_too_long_is_passed_over() -> None:
    assert parsed("Bearer realm=aaaaaa", max_bytes=10) == []


def test_more_lines_than_servers_send_are_not_read() -> None:
    assert len(parsed(*["Basic"] * (MAX_CHALLENGES + 1))) == MAX_CHALLENGES


@given(st.text())
def test_any_text_is_read_without_an_error(text: str) -> None:
    parsed(text, f"Bearer {text}", f'Bearer realm="{text}"')
