"""Where a name is looked at before it is trusted: at ``--server``, else at the rule's server, else at the registry's.

A login is used only where the user has named the server by one of the first two.
"""

from argparse import Namespace
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal, Self, final

from imgsig.cli.policy_file import load_policy_if_any
from imgsig.environment import Environment
from imgsig.errors import PolicyError, UsageError
from imgsig.notary.settings import FirstUse, Notary
from imgsig.policy import Policy, Rule, SectionSettings
from imgsig.reference import parse_reference
from imgsig.source import Endpoint, Source


@final
@dataclass(frozen=True, slots=True)
class Place:
    """One signed name, as one system knows it."""

    name: str
    settings: SectionSettings
    logged_in: bool
    """Whether the user has named the server, so that a login may be sent to it."""

    @property
    def endpoint(self) -> Endpoint:
        """Where the documents are kept."""
        return self.settings.endpoint(self.name)


def places_of(names: Iterable[str], arguments: Namespace, environment: Environment) -> tuple[Place, ...]:
    """Return where each of the image `names` is looked at, by the ``server`` and ``policy`` of `arguments`.

    Raises:
        InvalidReferenceError: a name is none.
        UsageError: the server is no URL of one, or the policy is wrong.
    """
    parsed = [parse_reference(name).name for name in names]
    if arguments.server is not None:
        try:
            settings = Notary(anchor=FirstUse(), server=arguments.server)
        except PolicyError as error:
            raise UsageError(f"--server {error.faults[0].partition(': ')[2]}") from error
        return tuple(Place(name, settings, logged_in=True) for name in parsed)
    policy = load_policy_if_any(environment, arguments.policy)
    return tuple(place for name in parsed for place in _by_rule(name, policy, environment))


def open_sources(places: Iterable[Place], environment: Environment) -> "PlacedSources":
    """Return a client of the servers of `places`.

    Raises:
        UsageError: the user's configuration of servers, proxies or logins is wrong.
    """
    return PlacedSources(tuple(places), environment)


@final
class PlacedSources:
    """Opens each place with a login or without. Implements ``imgsig.source.Sources``."""

    live: Literal[True] = True

    def __init__(self, places: tuple[Place, ...], environment: Environment) -> None:
        """Request nothing yet."""
        urls = tuple(place.endpoint.server for place in places)
        self._by_login = {
            logged_in: environment.sources(urls, logged_in=logged_in)
            for logged_in in sorted({place.logged_in for place in places})
        }
        self._logged_in = {place.endpoint: place.logged_in for place in places}

    def open(self, endpoint: Endpoint) -> Source:
        """Return the source of the endpoint of one of the places."""
        return self._by_login[self._logged_in[endpoint]].open(endpoint)

    def __enter__(self) -> Self:
        """Return itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close the connections."""
        for sources in self._by_login.values():
            sources.close()


def _by_rule(name: str, policy: Policy, environment: Environment) -> tuple[Place, ...]:
    rule = policy.rule_for(name)
    if rule is not None and rule.sections:
        signed = rule.signed_name(name)
        return tuple(Place(signed, settings, logged_in=True) for settings in rule.sections)
    anyone = environment.with_default_server(Policy((Rule([name], notary=Notary(anchor=FirstUse())),)))
    return tuple(Place(name, settings, logged_in=False) for settings in anyone.rules[0].sections)
