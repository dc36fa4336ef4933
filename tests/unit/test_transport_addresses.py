import pytest
from hypothesis import given
from hypothesis import strategies as st

from imgsig.transport.addresses import MAX_URL_CHARACTERS, has_dot_segment, parse_address, parse_host


@pytest.mark.parametrize(
    ("url", "origin", "path"),
    [
        ("https://notary.example.com", "https://notary.example.com", ""),
        ("HTTPS://Notary.Example.COM:443/a/B", "https://notary.example.com", "/a/B"),
        ("http://localhost:4443/", "http://localhost:4443", "/"),
        ("https://[::1]:8443", "https://[::1]:8443", ""),
        ("https://[0:0::1]", "https://[::1]", ""),
        ("https://10.0.0.1:80", "https://10.0.0.1:80", ""),
        ("https://my_notary.internal", "https://my_notary.internal", ""),
    ],
)
def test_a_url_is_normalised(url: str, origin: str, path: str) -> None:
    address = parse_address(url)
    assert (address.origin, address.path) == (origin, path)


def test_the_query_stands_apart() -> None:
    address = parse_address("https://auth.example.com/token?a=b")
    assert (address.path, address.query) == ("/token", "a=b")


@pytest.mark.parametrize(
    "url",
    [
        "",
        "notary.example.com",
        "ftp://notary.example.com",
        "https://",
        "https:///path",
        "https://user@notary.example.com",
        "https://user:secret@notary.example.com",
        "https://notary.example.com/#part",
        "https://notary.example.com#",
        "https://notary.example.com:",
        "https://notary.example.com:0",
        "https://notary.example.com:65536",
        "https://notary.example.com:https",
        "https://notary.example.com/a/../b",
        "https://notary.example.com/%2E./b",
        "https://notary.example.com/a b",
        "https://notary.example.com\\evil",
        "https://notary.example.com/\n",
        "https://nötary.example.com",
        "https://[::1%25eth0]",
        "https://[::1",
        "https://[zz::1]",
        "https://-a.example.com",
        "https://a..example.com",
        f"https://{'a' * 64}.example.com",
        f"https://{'a.' * 127}aaaa",
        "https://notary.example.com/" + "a" * MAX_URL_CHARACTERS,
    ],
)
def test_what_is_no_plain_url_is_refused(url: str) -> None:
    with pytest.raises(ValueError, match=r"URL|host|http"):
        parse_address(url)


@pytest.mark.parametrize("url", ["https://user:secret@host:port", "https://user:sec/secret@host", "user:secret@host"])
def test_a_password_is_in_no_message(url: str) -> None:
    with pytest.raises(ValueError, match=r"the URL|host name|http") as raised:
        parse_address(url)
    assert "secret" not in str(raised.value)


@pytest.mark.parametrize(
    ("url", "loopback"),
    [
        ("http://localhost", True),
        ("http://localhost.:80", True),
        ("http://127.8.9.1", True),
        ("http://[::1]", True),
        ("http://10.0.0.1", False),
        ("http://localhost.example.com", False),
    ],
)
def test_loopback_is_known_by_its_spelling(url: str, loopback: bool) -> None:
    assert parse_address(url).loopback is loopback


@pytest.mark.parametrize("host", ["", "a:80", "a/b", "https://a", "::g", "[a]", "a b"])
def test_what_is_no_host_is_refused(host: str) -> None:
    with pytest.raises(ValueError, match="is no host name"):
        parse_host(host)


@pytest.mark.parametrize(
    ("path", "found"),
    [
        ("targets/..", True),
        ("../x", True),
        ("a/./b", True),
        ("a/%2e%2E/b", True),
        ("a/.%2e", True),
        ("a/...", False),
        ("a/..b/c", False),
        ("timestamp.json", False),
    ],
)
def test_dot_segments_are_found(path: str, found: bool) -> None:
    assert has_dot_segment(path) is found


@given(st.text())
def test_nothing_but_a_value_error_comes_of_any_text(text: str) -> None:
    for candidate in (text, f"https://{text}", f"https://host/{text}"):
        try:
            address = parse_address(candidate)
        except ValueError:
            continue
        assert parse_address(address.origin + address.path).origin == address.origin
