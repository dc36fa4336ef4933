import contextlib
import pickle
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from imgsig.errors import InvalidReferenceError, UsageError
from imgsig.reference import ImageReference, parse_reference

SHA256 = "sha256:" + "c3" * 32


@pytest.mark.parametrize(
    ("text", "full"),
    [
        ("alpine", "docker.io/library/alpine"),
        ("alpine:3", "docker.io/library/alpine:3"),
        ("docker.io/alpine", "docker.io/library/alpine"),
        ("index.docker.io/library/alpine", "docker.io/library/alpine"),
        ("index.docker.io/alpine", "docker.io/library/alpine"),
        ("index.docker.io", "docker.io/library/index.docker.io"),
        ("docker.io", "docker.io/library/docker.io"),
        ("localhost", "docker.io/library/localhost"),
        ("localhost:5000", "docker.io/library/localhost:5000"),
        (f"bob/app@{SHA256}", f"docker.io/bob/app@{SHA256}"),
        (f"bob/app:1@{SHA256}", f"docker.io/bob/app:1@{SHA256}"),
        ("localhost/x", "localhost/x"),
        ("127.0.0.1:8000/x", "127.0.0.1:8000/x"),
        ("[::1]:8000/a/b", "[::1]:8000/a/b"),
        ("[::1]/a", "[::1]/a"),
        ("MyHost:5000/a/b", "MyHost:5000/a/b"),
        ("quay.io/org/app:1", "quay.io/org/app:1"),
        ("a__b/c-----d.e_f", "docker.io/a__b/c-----d.e_f"),
        ("a/b:" + "t" * 128, "docker.io/a/b:" + "t" * 128),
        ("a.b/" + "p" * 255, "a.b/" + "p" * 255),
        ("a:_", "docker.io/library/a:_"),
        ("x/" + "0f" * 32, "docker.io/x/" + "0f" * 32),
        ("a@sha384:" + "0" * 96, "docker.io/library/a@sha384:" + "0" * 96),
        ("a@sha512:" + "0" * 128, "docker.io/library/a@sha512:" + "0" * 128),
    ],
)
def test_a_reference_is_written_in_full(text: str, full: str) -> None:
    reference = parse_reference(text)
    assert str(reference) == full
    assert parse_reference(full) == reference


def test_a_reference_has_parts() -> None:
    reference = parse_reference(f"[2001:db8::1]:5000/team/app:1.4@{SHA256}")
    assert reference == ImageReference("[2001:db8::1]:5000", "team/app", "1.4", SHA256)
    assert reference.name == "[2001:db8::1]:5000/team/app"


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("", "must not be empty"),
        ("0f" * 32, "is an image id"),
        ("x" * 1025, "is longer than 1024"),
        ("Alpine", "must be lower case"),
        ("docker.io/Team/app", "must be lower case"),
        ("a.b/" + "p" * 256, "is longer than 255"),
        ("docker.io/" + "p" * 248, "is longer than 255"),
        ("alpine:", "has an empty tag"),
        ("alpine@", "has an empty digest"),
        (f"alpine:@{SHA256}", "has an empty tag"),
        (":1", "must be letters and digits"),
        ("/a", "must be letters and digits"),
        ("a.b/", "must be letters and digits"),
        ("a//b", "must be letters and digits"),
        ("a___b", "must be letters and digits"),
        ("a/..", "must be letters and digits"),
        ("a/../b", "must be letters and digits"),
        (" alpine", "must be letters and digits"),
        ("https://quay.io/app", "must be a host name"),
        ("foo_bar.com/app", "must be a host name"),
        ("[fe80::1%eth0]:5000/debian", "must be a host name"),
        ("[::1]:/a", "must be a host name"),
        ("a.b:x/c", "must be a host name"),
        ("-a.b/c", "must be a host name"),
        ("a-.b/c", "must be a host name"),
        ("a..b/c", "must be a host name"),
        ("\u00e9.b/c", "must be a host name"),
        ("\u0660.b/c", "must be a host name"),
        ("alpine:-x", "must be 1 to 128"),
        ("alpine:" + "t" * 129, "must be 1 to 128"),
        ("alpine:1\n", "must be 1 to 128"),
        ("alpine:\u00e9", "must be 1 to 128"),
        ("alpine:1:2", "must be 1 to 128"),
        ("alpine@sha256", "must be ALGORITHM:HEX"),
        (f"alpine@{SHA256}\n", "must be ALGORITHM:HEX"),
        (f"alpine@{SHA256}@{SHA256}", "must be ALGORITHM:HEX"),
        ("alpine@sha256:" + "c3" * 31, "must have 64 hex digits, not 62"),
        ("alpine@sha256:" + "c3" * 33, "must have 64 hex digits, not 66"),
        ("alpine@sha256:" + "C3" * 32, "must be lower case"),
        ("alpine@md5:" + "c3" * 16, "must be one of sha256, sha384, sha512"),
        ("alpine@sha256+b64:" + "c3" * 32, "must be one of"),
    ],
)
def test_what_is_no_reference_is_refused_with_the_reason(text: str, fault: str) -> None:
    with pytest.raises(InvalidReferenceError, match=fault) as caught:
        parse_reference(text)
    assert str(caught.value).isascii()
    assert str(caught.value).isprintable()
    assert len(str(caught.value)) < 500


@pytest.mark.parametrize("value", [None, 5, b"alpine", ["alpine"], ImageReference("docker.io", "library/alpine")])
def test_what_is_no_text_is_a_wrong_call(value: object) -> None:
    with pytest.raises(UsageError, match="is a str, not") as caught:
        parse_reference(value)  # type: ignore[arg-type]
    assert not isinstance(caught.value, InvalidReferenceError)


@pytest.mark.parametrize(
    ("registry", "repository"),
    [("index.docker.io", "library/alpine"), ("docker.io", "alpine"), ("team", "app"), ("", "library/alpine")],
)
def test_a_reference_that_is_not_in_full_cannot_be_made(registry: str, repository: str) -> None:
    with pytest.raises(InvalidReferenceError, match="is not written in full"):
        ImageReference(registry, repository)


def test_latest_is_added_only_where_nothing_else_tells_which_image_is_meant() -> None:
    assert str(parse_reference("a").with_default_tag()) == "docker.io/library/a:latest"
    assert str(parse_reference("a:1").with_default_tag()) == "docker.io/library/a:1"
    assert str(parse_reference(f"a@{SHA256}").with_default_tag()) == f"docker.io/library/a@{SHA256}"


def test_a_tag_can_be_dropped() -> None:
    assert str(parse_reference(f"a:1@{SHA256}").without_tag()) == f"docker.io/library/a@{SHA256}"


def test_a_reference_can_be_pickled() -> None:
    reference = parse_reference(f"a:1@{SHA256}")
    assert pickle.loads(pickle.dumps(reference)) == reference  # noqa: S301 - its own pickle


@pytest.mark.parametrize("piece", ["a", "a-", "a.", "a_", "a/", "-", "_", "a.b/", "[:", ":a", "@a", "a__"])
@pytest.mark.parametrize("end", ["", "!", "/", ":", "@", "\n"])
def test_no_text_makes_the_parser_think_long(piece: str, end: str) -> None:
    text = (piece * 1024)[: 1024 - len(end)] + end
    started = time.perf_counter()
    with contextlib.suppress(InvalidReferenceError):
        parse_reference(text)
    assert time.perf_counter() - started < 5


FRAGMENTS = st.sampled_from(
    [
        "alpine", "library", "docker.io", "index.docker.io", "localhost", "a", "A", "a.b", "b_c", "[::1]", "/", ":",
        "@", "5000", "sha256:", SHA256, "sha512:", "0f" * 32, "-", "__", "\n", "\u0130", "\x00",
    ]
)
REFERENCES = st.builds(
    lambda registry, path, tag, digest: registry + "/".join(path) + tag + digest,
    st.sampled_from(["", "docker.io/", "index.docker.io/", "localhost/", "Host/", "a.b:80/", "[::1]:80/"]),
    st.lists(st.from_regex(r"[a-z0-9]+([._-][a-z0-9]+)?", fullmatch=True).filter(str.isascii), min_size=1, max_size=4),
    st.sampled_from(["", ":latest", ":V1.0_x-"]),
    st.sampled_from(["", f"@{SHA256}", "@sha512:" + "0" * 128]),
)


@given(st.text() | st.lists(FRAGMENTS).map("".join) | REFERENCES)
def test_any_text_is_a_reference_that_parses_to_itself_or_is_refused(text: str) -> None:
    try:
        reference = parse_reference(text)
    except InvalidReferenceError:
        return
    assert parse_reference(str(reference)) == reference
    assert str(reference).isascii()


@given(REFERENCES)
def test_a_well_formed_text_is_a_reference_and_loses_nothing(text: str) -> None:
    try:
        reference = parse_reference(text)
    except InvalidReferenceError as error:
        assert "longer than" in str(error) or "image id" in str(error)  # noqa: PT017 - nothing else can be wrong
        return
    assert str(reference).endswith(text.rpartition("docker.io/")[2])


@given(st.text() | st.binary() | st.none() | st.integers())
def test_nothing_but_a_usage_error_leaves_the_parser(value: object) -> None:
    try:
        parse_reference(value)  # type: ignore[arg-type]
    except UsageError:
        return
