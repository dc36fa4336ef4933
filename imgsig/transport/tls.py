"""The TLS context, built explicitly: whom to believe is a value, and nothing switches the checks off."""

import re
import ssl
from pathlib import Path
from typing import Any, Final, cast, final

from imgsig.errors import UsageError
from imgsig.limits import Limits
from imgsig.transport.sockets import WatchedTLSSocket, reason

_NO_PASSPHRASE: Final = ""
_CERTIFICATE: Final = b"-----BEGIN CERTIFICATE-----"
_HASHED: Final = re.compile(r"[0-9a-f]{8}\.[0-9]+")


@final
class WatchedContext(ssl.SSLContext):
    """A context whose handshakes and sockets obey the watch of the socket that they are made over."""

    def wrap_socket(self, sock: Any, *arguments: Any, **options: Any) -> ssl.SSLSocket:  # noqa: ANN401 - as in ssl
        """Make the handshake, in the time that is left.

        Raises:
            OutageError: it was not made in time (``deadline``) or the connection broke (``unreachable``).
            InconclusiveError: the server's certificate is not believed, or no common terms were found (``tls``).
        """
        watch = sock.watch
        sock.settimeout(watch.seconds())
        try:
            secured = cast("WatchedTLSSocket", super().wrap_socket(sock, *arguments, **options))  # see load_context
        except OSError as error:
            raise watch.failed(error) from error
        secured.watch = watch
        watch.socket = secured
        return secured


def load_context(
    *,
    ca_bundle: str | None = None,
    ca_files: tuple[str, ...] = (),
    client_certificate: tuple[str, str] | None = None,
    limits: Limits | None = None,
) -> WatchedContext:
    """Return the context for one server: TLS 1.2 or later, certificate and host name always checked.

    Believed are the certificates of the operating system, found at the paths that OpenSSL was built with, or those
    of `ca_bundle` in their place; and besides them those of `ca_files`. Every certificate in these files is an anchor
    of its own, whether or not it is self-signed.

    Raises:
        UsageError: a file cannot be read, is too large or holds no certificate, or the key needs a passphrase or does
            not belong to the certificate.
    """
    limits = limits or Limits()
    context = WatchedContext(ssl.PROTOCOL_TLS_CLIENT)
    context.sslsocket_class = WatchedTLSSocket
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.check_hostname = True
    context.verify_mode = ssl.CERT_REQUIRED
    context.hostname_checks_common_name = False
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    if ca_bundle is None:
        # OpenSSL's built-in paths, and not what the environment says.
        paths = ssl.get_default_verify_paths()
        believe_system(context, Path(paths.openssl_cafile), Path(paths.openssl_capath))
    else:
        _believe(context, ca_bundle, "CA bundle", limits)
    for file in ca_files:
        _believe(context, file, "CA file", limits)
    if client_certificate is not None:
        _show(context, *client_certificate)
    return context


def believe_system(context: ssl.SSLContext, file: Path, folder: Path) -> None:
    """Believe what the operating system keeps in `file` and `folder`, where they exist.

    Parsing the file costs more than a request. When the folder, whose certificates OpenSSL looks up by their hashed
    names when it needs them, holds as many as the file, it is enough.

    Raises:
        UsageError: they are there but cannot be used.
    """
    try:
        hashed = sum(_HASHED.fullmatch(entry.name) is not None for entry in folder.iterdir()) if folder.is_dir() else 0
        if folder.is_dir():
            context.load_verify_locations(capath=folder)
        if file.is_file() and file.read_bytes().count(_CERTIFICATE) > hashed:
            context.load_verify_locations(cafile=file)
    except OSError as error:
        msg = f"the operating system's CA certificates cannot be loaded: {reason(error)}"
        raise UsageError(msg) from error


def _believe(context: ssl.SSLContext, path: str, what: str, limits: Limits) -> None:
    try:
        with Path(path).open("rb") as file:
            raw = file.read(limits.max_anchor_bytes + 1)
    except OSError as error:
        msg = f"{what} {path!a} cannot be read: {reason(error)}"
        raise UsageError(msg, hint="name a readable file of PEM certificates") from error
    if len(raw) > limits.max_anchor_bytes:
        msg = f"{what} {path!a} is longer than {limits.max_anchor_bytes} bytes"
        raise UsageError(msg)
    try:
        context.load_verify_locations(cadata=raw.decode("ascii", "ignore"))
    except (ssl.SSLError, ValueError) as error:
        msg = f"{what} {path!a} holds no certificate in PEM, or a broken one"
        raise UsageError(msg, hint="name a readable file of PEM certificates") from error


def _show(context: ssl.SSLContext, certificate: str, key: str) -> None:
    try:
        context.load_cert_chain(certificate, key, password=lambda: _NO_PASSPHRASE)  # without one, OpenSSL would ask
    except ssl.SSLError as error:
        msg = f"client certificate {certificate!a} and key {key!a} are no pair in PEM, or the key needs a passphrase"
        raise UsageError(msg) from error
    except OSError as error:
        msg = f"client certificate {certificate!a} or key {key!a} cannot be read: {reason(error)}"
        raise UsageError(msg) from error
