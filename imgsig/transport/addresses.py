"""An http or https URL taken apart, strictly: the one reading of a URL that everything here shares."""

import ipaddress
import re
from dataclasses import dataclass
from typing import Final, final
from urllib.parse import urlsplit

from imgsig.strictjson import quote

MAX_URL_CHARACTERS: Final = 4096
"""Longer URLs are refused: real servers and token services need a few dozen characters."""

_DEFAULT_PORTS: Final = {"http": 80, "https": 443}
_URL: Final = re.compile(r"[\x21\x23-\x3b\x3d\x3f-\x5b\x5d\x5f\x61-\x7a\x7e]+")
_LABEL: Final = r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?"
_HOST: Final = re.compile(rf"{_LABEL}(?:\.{_LABEL})*\.?")
_MAX_HOST_CHARACTERS: Final = 253
_MAX_PORT: Final = 65535
_DOT_SEGMENT: Final = re.compile(r"(?:^|/)(?:\.|%2e){1,2}(?:/|$)", re.IGNORECASE)


@final
@dataclass(frozen=True, slots=True)
class Address:
    """Where an http or https URL leads. Made by `parse_address`, so every part is well-formed."""

    scheme: str
    host: str
    """Lower case; an IPv6 address without brackets."""
    port: int
    path: str
    """Empty, or beginning with a slash; never with dot segments."""
    query: str

    @property
    def origin(self) -> str:
        """Scheme, host and port as one text; the port only where it is not the scheme's own."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.scheme}://{host}" + ("" if self.port == _DEFAULT_PORTS[self.scheme] else f":{self.port}")

    @property
    def secure(self) -> bool:
        """Whether it is https."""
        return self.scheme == "https"

    @property
    def loopback(self) -> bool:
        """Whether the host is this machine by its spelling; nothing is resolved."""
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return self.host in {"localhost", "localhost."}


def parse_address(url: str) -> Address:
    """Return the parts of an absolute http or https URL.

    Raises:
        ValueError: it is none, or has user information, a fragment, dot segments or characters that need escaping.
    """
    shown = "the URL" if "@" in url else quote(url)  # never a password
    if len(url) > MAX_URL_CHARACTERS or not _URL.fullmatch(url):
        msg = f"{shown} is not made of the characters of a URL, or too long"
        raise ValueError(msg)
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        msg = f"{shown} is no URL: its host or port is malformed"
        raise ValueError(msg) from error
    if parts.scheme not in _DEFAULT_PORTS:
        msg = f"{shown} must begin with https:// (or http://)"
        raise ValueError(msg)
    if "@" in parts.netloc or "#" in url:
        msg = f"the URL of {quote(parts.hostname)} must have neither user information nor a fragment"
        raise ValueError(msg)
    if parts.netloc.endswith(":") or port == 0:
        msg = f"{shown} has no usable port"
        raise ValueError(msg)
    if has_dot_segment(parts.path):
        msg = f"{shown} has dot segments"
        raise ValueError(msg)
    return Address(
        parts.scheme, parse_host(parts.hostname or ""), port or _DEFAULT_PORTS[parts.scheme], parts.path, parts.query
    )


def parse_host(text: str) -> str:
    """Return a host name or IP address in lower case, an IPv6 address without brackets.

    Raises:
        ValueError: it is neither; a port is not part of a host.
    """
    host = text.lower()
    bare = host[1:-1] if host.startswith("[") and host.endswith("]") else host
    if ":" in bare:
        try:
            return str(ipaddress.IPv6Address(bare)) if "%" not in bare else _no_host(text)
        except ValueError:
            return _no_host(text)
    if len(host) > _MAX_HOST_CHARACTERS or not _HOST.fullmatch(host):
        return _no_host(text)
    return host


def has_dot_segment(path: str) -> bool:
    """Tell whether a path has a segment that is ``.`` or ``..``, also percent-encoded: it might lead elsewhere."""
    return _DOT_SEGMENT.search(path) is not None


def _no_host(text: str) -> str:
    msg = f"{quote(text)} is no host name"
    raise ValueError(msg)
