import pickle

import pytest

from imgsig.errors import UsageError
from imgsig.transport import Proxies
from imgsig.transport.addresses import parse_address


def proxy_for(url: str, proxies: Proxies) -> str | None:
    return proxies.proxy_for(parse_address(url))


def test_the_proxy_goes_by_the_scheme_of_the_server() -> None:
    proxies = Proxies(http="http://one.test", https="two.test:3128")
    assert proxy_for("http://a.test", proxies) == "http://one.test"
    assert proxy_for("https://a.test", proxies) == "http://two.test:3128"


def test_without_a_proxy_it_goes_straight() -> None:
    assert proxy_for("https://a.test", Proxies()) is None
    assert proxy_for("https://a.test", Proxies(http="one.test", https="")) is None


@pytest.mark.parametrize("url", ["https://localhost:5000", "https://127.0.0.1", "https://[::1]:1", "https://127.1.2.3"])
def test_this_machine_is_never_reached_through_a_proxy(url: str) -> None:
    assert proxy_for(url, Proxies(https="proxy.test")) is None


@pytest.mark.parametrize(
    ("entry", "url", "straight"),
    [
        ("*", "https://a.test", True),
        ("a.test", "https://a.test", True),
        ("A.Test", "https://a.test", True),
        ("a.test", "https://b.a.test", True),
        ("a.test", "https://ba.test", False),
        (".a.test", "https://b.a.test", True),
        (".a.test", "https://a.test", False),
        ("*.a.test", "https://b.a.test", True),
        ("a.test:8443", "https://a.test:8443", True),
        ("a.test:8443", "https://a.test", False),
        ("a.test:443", "https://a.test", True),
        ("a.test", "https://a.test.", True),
        ("10.0.0.0/8", "https://10.1.2.3", True),
        ("10.0.0.0/8", "https://11.1.2.3", False),
        ("10.1.2.3", "https://10.1.2.3", True),
        ("10.1.2.3:80", "https://10.1.2.3", False),
        ("fd00::/8", "https://[fd00::1]", True),
        ("[fd00::1]:443", "https://[fd00::1]", True),
        ("fd00::1", "https://[fd00::1]", True),
        ("a.test", "https://10.1.2.3", False),
        ("10.0.0.0/8", "https://a.test", False),
        ("", "https://a.test", False),
    ],
)
def test_no_proxy_is_read_as_docker_reads_it(entry: str, url: str, straight: bool) -> None:
    proxies = Proxies(https="proxy.test", no_proxy=(" b.test ", entry))
    assert (proxy_for(url, proxies) is None) is straight


@pytest.mark.parametrize(
    "proxy",
    [
        "socks5://proxy.test",
        "http://proxy.test/path",
        "http://proxy.test?x",
        "http://",
        "http://proxy test",
        "http://us er:secret@proxy.test",
        "http://user:secret@proxy.test:port",
        "http://user:sec/secret@proxy.test",
    ],
)
def test_what_is_no_proxy_is_a_usage_error_without_the_password(proxy: str) -> None:
    with pytest.raises(UsageError, match="https proxy: ") as raised:
        Proxies(https=proxy)
    assert "secret" not in str(raised.value)
    assert raised.value.__cause__ is None


def test_a_proxys_password_is_kept_but_never_shown_or_pickled() -> None:
    proxies = Proxies(http="HTTP://user:secret@Proxy.test:80/")
    assert proxy_for("http://a.test", proxies) == "http://user:secret@proxy.test"
    assert repr(proxies) == "Proxies(http='http://proxy.test', https=None, no_proxy=())"
    with pytest.raises(TypeError, match="not pickled"):
        pickle.dumps(proxies)


def test_proxies_without_a_password_are_plain_values() -> None:
    proxies = Proxies(https="https://proxy.test", no_proxy=("a.test",))
    assert pickle.loads(pickle.dumps(proxies)) == proxies  # noqa: S301 - our own bytes
