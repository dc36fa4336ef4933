"""What a program says about one trust server beyond its URL: whom to believe in TLS, where tokens may come from."""

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import KW_ONLY, dataclass, field
from os import PathLike, fspath
from types import MappingProxyType
from typing import Final, final

from imgsig.errors import UsageError
from imgsig.transport.addresses import Address, parse_address, parse_host

TOKEN_HOSTS: Final[Mapping[str, frozenset[str]]] = MappingProxyType({"docker.io": frozenset({"auth.docker.io"})})
"""Token services that belong to a registry without being listed, by the registry of the signed name."""


@final
@dataclass(frozen=True, slots=True)
class Server:
    """A trust server, and how to talk to it.

    The URL is normalised: scheme and host in lower case, no default port, no slash at the end; a path stays.
    Files are read when the first name of this server is opened.
    """

    url: str
    """``https://HOST[:PORT][/PATH]``; ``http://`` only where it is spelled out, and then no credentials are sent."""
    _: KW_ONLY
    ca_file: "str | PathLike[str] | None" = None
    """PEM certificates believed for this server besides the operating system's."""
    extra_ca_files: "tuple[str | PathLike[str], ...]" = ()
    """More such files, as a Docker ``tls/HOST`` folder may hold several."""
    client_certificate: "tuple[str | PathLike[str], str | PathLike[str]] | None" = None
    """PEM files of the certificate and of the key to show to this server; the key without a passphrase."""
    token_hosts: tuple[str, ...] = ()
    """Hosts, without port, whose token services this server may name; its own host needs no listing."""
    address: Address = field(init=False, repr=False, compare=False)
    """The parts of the URL."""

    def __post_init__(self) -> None:
        """Check and normalise what was given.

        Raises:
            UsageError: the URL has a user, a query or a fragment or is malformed, or another value is no such thing.
        """
        address = _address(self.url)
        object.__setattr__(self, "address", address)
        object.__setattr__(self, "url", address.origin + address.path)
        object.__setattr__(self, "extra_ca_files", tuple(self.extra_ca_files))
        object.__setattr__(self, "token_hosts", tuple(_token_host(host) for host in self.token_hosts))
        if self.client_certificate is not None:
            pair = tuple(self.client_certificate)
            if len(pair) != 2:  # noqa: PLR2004 - a pair
                msg = "client_certificate must be a pair: the file of the certificate and the file of its key"
                raise UsageError(msg)
            object.__setattr__(self, "client_certificate", pair)

    @property
    def ca_files(self) -> tuple[str, ...]:
        """The paths of all CA files."""
        first = () if self.ca_file is None else (self.ca_file,)
        return tuple(fspath(file) for file in (*first, *self.extra_ca_files))

    @property
    def client_pair(self) -> tuple[str, str] | None:
        """The paths of the client certificate and of its key; None if there is none."""
        if self.client_certificate is None:
            return None
        certificate, key = self.client_certificate
        return fspath(certificate), fspath(key)

    def realm_hosts(self, registry: str) -> frozenset[str]:
        """Return the hosts whose token services may be asked for names of `registry`, a ``HOST[:PORT]``."""
        hosts = {self.address.host, *self.token_hosts, *TOKEN_HOSTS.get(registry, ())}
        with suppress(ValueError):  # a signed name need not begin with a registry; then none is meant
            hosts.add(parse_address(f"https://{registry}").host)
        return frozenset(hosts)


def _address(url: str) -> Address:
    try:
        address = parse_address(url)
    except ValueError as error:
        msg = f"server: {error}"
        raise UsageError(msg) from error
    if "?" in url:
        msg = f"server: {address.origin} must be given without a query"
        raise UsageError(msg)
    return Address(address.scheme, address.host, address.port, address.path.rstrip("/"), "")


def _token_host(text: str) -> str:
    try:
        return parse_host(text)
    except ValueError as error:
        msg = f"token_hosts: {error}; a host is given without scheme and port"
        raise UsageError(msg) from error
