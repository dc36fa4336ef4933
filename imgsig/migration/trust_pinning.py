"""The trust pinning of Docker's and Notary's clients, as a policy.

Spec: Notary v1, trustpinning/trustpin.go:NewTrustPinChecker; cmd/notary/main.go:parseConfig. Docker's client has none.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

from imgsig.faults import Faults, Table, kind_of, shown
from imgsig.migration.draft import Draft, draft_policy
from imgsig.migration.foreign import (
    Extent,
    ForeignRule,
    Lost,
    Refuse,
    Treatment,
    Trust,
    extent_of_beginning,
    extent_of_name,
)
from imgsig.patterns import split_pattern
from imgsig.sections import parse_url

ORIGIN: Final = "notary"
KEYS: Final = ("certs", "ca", "disable_tofu")
_PINNING: Final = "trust_pinning"
_SERVER: Final = "remote_server"
_ID: Final = re.compile(r"[0-9a-f]{64}", re.ASCII)
_CERTIFICATES: Final = ("root_ca", "tls_client_cert", "tls_client_key")


def is_trust_pinning(values: Mapping[str, Any]) -> bool:
    """Return whether `values` look like a configuration of notary's client, or its ``trust_pinning`` alone."""
    return _PINNING in values or (bool(values) and all(key in KEYS for key in values))


def draft_from_trust_pinning(values: Mapping[str, Any]) -> Draft:
    """Return the policy that pins what the configuration `values` pin, with the precedence that they have there.

    Raises:
        PolicyError: they are none that the client would take; all faults are told.
    """
    faults = Faults()
    table = Table(values if _PINNING in values else {_PINNING: values}, "", faults)
    said = table.table(_PINNING) or {}
    pinning = Table(said, _PINNING, faults)
    server, notes = _server(table, faults)
    certs = _entries(pinning, "certs", list, faults)
    authorities = _entries(pinning, "ca", str, faults)
    disabled = said.get("disable_tofu", False)
    if not isinstance(disabled, bool):
        pinning.note("disable_tofu", f"must be true or false, not {kind_of(disabled)}")
    if faults:
        raise faults.error()
    rules = [*_rules_of_certs(certs, server), *_rules_of_authorities(authorities, server)]
    if not disabled:
        if server is None:
            notes.append(
                "names without a pin are trusted at first use there; that is left out, for no server is named that a "
                "rule for all names would need"
            )
        else:
            everything = extent_of_beginning("")
            trust = Trust({"server": server, "first-use": True})
            rules.append(ForeignRule(f"{_PINNING}, which does not disable first use", everything, trust))
    unknown = sorted(key for key in said if key not in KEYS)
    notes += [f"{_PINNING}.{shown(key)} is not known, and left out" for key in unknown]
    living = _living(rules)
    order = {id(rule): index for index, rule in enumerate(living)}
    return draft_policy(
        living, beats=lambda one, other: order[id(one)] < order[id(other)], origin=ORIGIN, notes=notes
    )


def _server(table: Table, faults: Faults) -> tuple[str | None, list[str]]:
    """Return the server that the configuration names, if it does, and what is to be told of it."""
    server = Table(table.table(_SERVER) or {}, _SERVER, faults)
    url = parse_url(server.text("url"), f"{_SERVER}.url", faults)
    notes = []
    if any(key in server for key in _CERTIFICATES):
        notes.append(
            f"{_SERVER}: certificates are no part of a policy: put the CA's into ~/.docker/tls/HOST:PORT/ca.crt, and a "
            "client's into client.cert and client.key there"
        )
    if "skipTLSVerify" in server:
        notes.append(f"{_SERVER}.skipTLSVerify is left out: imgsig always verifies TLS")
    return url, notes


def _entries(pinning: Table, key: str, kind: type, faults: Faults) -> dict[str, Any]:
    """Return the entries of one kind of pins, after noting each whose value is not what the client demands."""
    found = pinning.table(key) or {}
    for name, value in found.items():
        place = _place(key, name)
        if not isinstance(value, kind):
            faults.note(place, f"must be {'a list of texts' if kind is list else 'a text'}, not {kind_of(value)}")
        elif isinstance(value, list) and not all(isinstance(item, str) for item in value):
            faults.note(place, "must be a list of texts")
    return dict(found)


def _rules_of_certs(certs: Mapping[str, list[str]], server: str | None) -> Iterator[ForeignRule]:
    """Yield exact names first, then wildcards, the longest first: the order in which they are asked."""
    wild = sorted((name for name in certs if name.endswith("*")), key=len, reverse=True)
    for name in (*(name for name in certs if not name.endswith("*")), *wild):
        extent = extent_of_beginning(name[:-1]) if name.endswith("*") else extent_of_name(name)
        yield ForeignRule(_place("certs", name), extent, _pinned(certs[name], server))


def _rules_of_authorities(authorities: Mapping[str, str], server: str | None) -> Iterator[ForeignRule]:
    for beginning in sorted(authorities, key=len, reverse=True):
        path = authorities[beginning]
        treatment: Treatment = Trust({**_at(server), "root-ca": path})
        if not path.startswith("/"):
            treatment = Lost(f"{shown(path)} is relative to wherever the client was started: name the file in full")
        yield ForeignRule(_place("ca", beginning), extent_of_beginning(beginning), treatment)


def _pinned(ids: list[str], server: str | None) -> Treatment:
    pins = tuple(dict.fromkeys(pin for pin in ids if _ID.fullmatch(pin)))
    if not pins:
        return Refuse("no key can have one of the ids" if ids else "the list of keys is empty")
    return Trust({**_at(server), "root-keys": pins})


def _at(server: str | None) -> dict[str, object]:
    return {} if server is None else {"server": server}


def _place(key: str, name: str) -> str:
    return f"{_PINNING}.{key}[{shown(name)}]"


def _living(rules: list[ForeignRule]) -> list[ForeignRule]:
    """Return the rules that decide about any name: none comes after one that covers all of its names."""
    found: list[ForeignRule] = []
    for rule in rules:
        if not any(_swallows(earlier.extent, rule.extent) for earlier in found):
            found.append(rule)
    return found


def _swallows(earlier: Extent, later: Extent) -> bool:
    """Whether `later`, which is asked after it, has no name that `earlier` does not cover."""
    is_name = not split_pattern(earlier.region)[1]
    return not is_name and later.beginning.startswith(earlier.beginning)
