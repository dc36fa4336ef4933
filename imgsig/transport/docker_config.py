"""Docker's ``config.json``: which credentials it holds, and which credential helpers it names."""

import base64
import binascii
import re
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Final, final

from imgsig.errors import RejectedError, UsageError
from imgsig.limits import Limits
from imgsig.strictjson import parse, quote
from imgsig.transport.credentials import Credential

_HELPER: Final = re.compile(r"[a-z0-9-]+")
_WHAT: Final = "docker config.json"


@final
@dataclass(frozen=True, slots=True)
class DockerConfig:
    """What Docker's configuration says about credentials. The rest of the file is not looked at."""

    auths: Mapping[str, Credential]
    """By server address as Docker spells it: a registry, an old URL of one, or ``https://index.docker.io/v1/``."""
    helpers: Mapping[str, str]
    """Helper names by server address; each of ``[a-z0-9-]+``."""
    store: str
    """The helper for all other registries; empty if there is none."""


def parse_docker_config(body: bytes, *, limits: Limits | None = None) -> DockerConfig:
    """Return what Docker's ``config.json`` says about credentials.

    Raises:
        UsageError: it is too large, no strict JSON object, or what it says about credentials is malformed; the
            message names the place and never what stands there.
    """
    limits = limits or Limits()
    if len(body) > limits.max_config_bytes:
        msg = f"{_WHAT} is longer than {limits.max_config_bytes} bytes"
        raise UsageError(msg)
    try:
        config = parse(body, what=_WHAT, max_depth=limits.max_json_depth)
    except RejectedError:
        msg = f"{_WHAT} is not well-formed JSON in UTF-8 with every member once"
        raise UsageError(msg) from None  # the text around the fault may be a password
    _expect(isinstance(config, dict), "the file", "must hold an object")
    auths: dict[str, Credential] = {}
    for address, entry in _object(config, "auths").items():
        credential = _credential(entry, f"auths[{quote(address)}]")
        if credential is not None:
            auths[address] = credential
    helpers = {
        address: _helper(name, f"credHelpers[{quote(address)}]")
        for address, name in _object(config, "credHelpers").items()
    }
    store = config.get("credsStore") or ""
    return DockerConfig(
        MappingProxyType(auths), MappingProxyType(helpers), _helper(store, "credsStore") if store != "" else ""
    )


def _credential(entry: Any, where: str) -> Credential | None:  # noqa: ANN401 - any JSON value
    _expect(isinstance(entry, dict), where, "must be an object")
    username, password = _text(entry, "username", where), _text(entry, "password", where)
    token = _text(entry, "identitytoken", where)
    encoded = _text(entry, "auth", where)
    if encoded:
        username, password = _decoded(encoded, f"{where}.auth")
    return Credential(username, password, token) if username or token else None


def _decoded(encoded: str, where: str) -> tuple[str, str]:
    try:
        text = base64.b64decode(encoded, validate=True).decode()
    except (binascii.Error, UnicodeError, ValueError):
        msg = f"{_WHAT}: {where} must be base64 of USER:PASSWORD"
        raise UsageError(msg) from None
    username, colon, password = text.partition(":")
    _expect(bool(colon and username), where, "must be base64 of USER:PASSWORD")
    return username, password.strip("\0")


def _helper(name: Any, where: str) -> str:  # noqa: ANN401 - any JSON value
    _expect(isinstance(name, str) and _HELPER.fullmatch(name) is not None, where, "must be a name of [a-z0-9-]+")
    return str(name)


def _object(config: dict[str, Any], member: str) -> dict[str, Any]:
    value = config.get(member)
    if value is None:
        return {}
    _expect(isinstance(value, dict), member, "must be an object")
    return dict(value)


def _text(entry: dict[str, Any], member: str, where: str) -> str:
    value = entry.get(member)
    if value is None:
        return ""
    _expect(isinstance(value, str), f"{where}.{member}", "must be a string")
    return str(value)


def _expect(holds: bool, where: str, demand: str) -> None:  # noqa: FBT001 - the condition
    if not holds:
        msg = f"{_WHAT}: {where} {demand}"
        raise UsageError(msg)
