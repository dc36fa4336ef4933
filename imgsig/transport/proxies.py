"""Which proxy, if any, a request goes through: a value, never read from the environment here."""

import ipaddress
import re
from dataclasses import dataclass
from typing import Final, final
from urllib.parse import urlsplit

from imgsig.errors import UsageError
from imgsig.transport.addresses import Address, parse_address

_USER: Final = re.compile(r"[\x21-\x7e]*")


@final
@dataclass(frozen=True, slots=True, repr=False)
class Proxies:
    """The proxies to use for http and https servers, and the hosts that are reached without one.

    A proxy is ``http://[USER:PASSWORD@]HOST[:PORT]`` or ``https://…``; without a scheme http is meant. This machine
    itself is never reached through a proxy. An entry of `no_proxy` is ``*``, an IP address or network, a domain
    (which stands for its subdomains too) or ``.DOMAIN`` (its subdomains only), each with ``:PORT`` or without.
    """

    http: str | None = None
    https: str | None = None
    no_proxy: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Check and normalise what was given.

        Raises:
            UsageError: a proxy's URL is malformed or of a kind that is not supported.
        """
        for name in ("http", "https"):
            object.__setattr__(self, name, _checked(name, getattr(self, name)))
        entries = (entry.strip().lower() for entry in self.no_proxy)
        object.__setattr__(self, "no_proxy", tuple(entry for entry in entries if entry))

    def __repr__(self) -> str:
        """Show the proxies without users and passwords."""
        shown = ", ".join(f"{name}={_without_user(getattr(self, name))!r}" for name in ("http", "https"))
        return f"Proxies({shown}, no_proxy={self.no_proxy!r})"

    def __reduce__(self) -> tuple[type["Proxies"], tuple[str | None, str | None, tuple[str, ...]]]:
        """Allow pickling only where no password would be written.

        Raises:
            TypeError: a proxy has a user.
        """
        if any("@" in proxy for proxy in (self.http, self.https) if proxy):
            msg = "proxies with a user are not pickled"
            raise TypeError(msg)
        return Proxies, (self.http, self.https, self.no_proxy)

    def proxy_for(self, address: Address) -> str | None:
        """Return the URL of the proxy to reach `address` through; None to go straight there."""
        proxy = self.https if address.secure else self.http
        if proxy is None or address.loopback or any(_covers(entry, address) for entry in self.no_proxy):
            return None
        return proxy


def _checked(name: str, proxy: str | None) -> str | None:
    if not proxy:
        return None
    url = proxy if "://" in proxy else f"http://{proxy}"
    bare = _without_user(url) or ""
    try:
        address = parse_address(bare)
    except ValueError:
        msg = f"{name} proxy: it must be http://[USER:PASSWORD@]HOST[:PORT] or the same with https"
        raise UsageError(msg) from None  # what was given may hold a password
    if "?" in bare or address.path not in {"", "/"}:
        msg = f"{name} proxy: {address.origin} must be given without path and query"
        raise UsageError(msg)
    user = urlsplit(url).netloc.rpartition("@")[0]
    if not _USER.fullmatch(user):
        msg = f"{name} proxy: the user and password of {address.origin} must be percent-encoded"
        raise UsageError(msg)
    return f"{address.scheme}://{user}@{address.origin.partition('://')[2]}" if user else address.origin


def _without_user(url: str | None) -> str | None:
    if url is None:
        return None
    scheme, _, rest = url.partition("://")
    end = next((index for index, mark in enumerate(rest) if mark in "/?#"), len(rest))
    return f"{scheme.lower()}://{rest[:end].rpartition('@')[2]}{rest[end:]}"


def _covers(entry: str, address: Address) -> bool:
    if entry == "*":
        return True
    host, port = _split_port(entry)
    if port and port != str(address.port):
        return False
    try:
        ip = ipaddress.ip_address(address.host)
    except ValueError:
        name = address.host.rstrip(".")
        domain = host.removeprefix("*").rstrip(".")
        return name.endswith(domain) if domain.startswith(".") else name == domain or name.endswith(f".{domain}")
    try:
        return ip in ipaddress.ip_network(host.strip("[]"), strict=False)
    except ValueError:
        return False


def _split_port(entry: str) -> tuple[str, str]:
    host, mark, port = entry.rpartition(":")
    if mark and port.isdecimal() and (":" not in host or host.endswith("]")):
        return host, port
    return entry, ""
