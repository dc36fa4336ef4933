"""A platform is read strictly, and stands for what its parts say."""

import pytest

from imgsig.errors import UsageError
from imgsig.registry.platform import Platform, parse_platform


@pytest.mark.parametrize(
    ("text", "platform"),
    [
        ("linux/amd64", Platform("linux", "amd64")),
        ("linux/arm/v7", Platform("linux", "arm", "v7")),
        ("windows/amd64", Platform("windows", "amd64")),
    ],
)
def test_a_platform_is_read_and_written_alike(text: str, platform: Platform) -> None:
    assert parse_platform(text) == platform
    assert str(platform) == text


@pytest.mark.parametrize(
    "text",
    ["", "linux", "linux/", "/amd64", "Linux/amd64", "linux/arm/v7/x", "linux/amd 64", "linux/\u0661", "a/" * 99],
)
def test_what_is_no_platform_is_a_wrong_call(text: str) -> None:
    with pytest.raises(UsageError, match="a platform is written OS/ARCHITECTURE"):
        parse_platform(text)


def test_what_is_no_text_is_a_wrong_call() -> None:
    with pytest.raises(UsageError):
        parse_platform(64)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("asked", "offered", "covered"),
    [
        ("linux/amd64", "linux/amd64", True),
        ("linux/amd64", "linux/386", False),
        ("linux/amd64", "windows/amd64", False),
        ("linux/arm", "linux/arm/v6", True),
        ("linux/arm/v7", "linux/arm/v6", False),
        ("linux/arm/v7", "linux/arm", False),
        ("linux/arm64", "linux/arm64/v8", True),
        ("linux/arm64/v8", "linux/arm64", True),
        ("linux/arm64/v9", "linux/arm64", False),
    ],
)
def test_a_platform_without_a_variant_asks_for_any(asked: str, offered: str, covered: bool) -> None:
    assert parse_platform(asked).covers(parse_platform(offered)) is covered
