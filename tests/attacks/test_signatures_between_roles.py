"""A signature made over one document counts for no other, whoever lists the key."""

import itertools
import json

import pytest

from imgsig.codes import Code
from tests.support.asker import Asker
from tests.support.repository import Sign, SignedRepository
from tests.support.root_certificates import root_key
from tests.support.signing import Json

ROLES = ("root", "timestamp", "snapshot", "targets", "targets/releases")
PAIRS = list(itertools.permutations(ROLES, 2))


def repository_with(*, one_key: bool) -> SignedRepository:
    repository = SignedRepository(publish=False)
    key = root_key(repository.name, label="one key")
    if one_key:
        for role in ROLES[:4]:
            repository.set_keys(role, key)
    repository.add_delegation("targets/releases", *[key] * one_key, tags=("latest",))
    return repository


def signatures_of(repository: SignedRepository) -> dict[str, list[Json]]:
    """Return the signatures of each role, as published."""
    repository.publish()
    Asker(repository).ask()
    return {role: json.loads(repository.current[role])["signatures"] for role in ROLES}


def signing(signatures: list[Json]) -> Sign:
    """Return a bend that puts these signatures before a document's own."""
    return lambda own, _: signatures + own


def signed_only_by(signatures: list[Json]) -> Sign:
    """Return a bend that puts these signatures in the place of a document's own."""
    return lambda _, __: signatures


@pytest.mark.parametrize("one_key", [False, True], ids=["own keys", "one key"])
@pytest.mark.parametrize(("taken", "given"), PAIRS)
def test_a_copied_signature_is_none(taken: str, given: str, *, one_key: bool) -> None:
    repository = repository_with(one_key=one_key)
    made = signatures_of(repository)
    repository.sign(given, signed_only_by(made[taken]))
    repository.publish(everything=True)
    assert Asker(repository).code() is Code.THRESHOLD


@pytest.mark.parametrize("one_key", [False, True], ids=["own keys", "one key"])
@pytest.mark.parametrize("given", ROLES)
def test_the_signature_of_an_earlier_version_is_none(given: str, *, one_key: bool) -> None:
    repository = repository_with(one_key=one_key)
    made = signatures_of(repository)
    repository.sign(given, signed_only_by(made[given]))
    repository.publish(everything=True)
    assert Asker(repository).code() is Code.THRESHOLD


def test_copied_signatures_beside_the_true_one_do_no_harm() -> None:
    repository = repository_with(one_key=False)
    made = signatures_of(repository)
    for role in ROLES:
        others = [signature for other in ROLES if other != role for signature in made[other]]
        repository.sign(role, signing(others))
    repository.publish(everything=True)
    assert Asker(repository).ask().digest == repository.digest("latest", "targets/releases")


def test_a_copied_signature_under_the_id_of_the_role_s_own_key_is_none() -> None:
    repository = repository_with(one_key=False)
    made = signatures_of(repository)
    for taken, given in PAIRS:
        repository.mend()
        (own,) = repository.signers[given]
        copied = [{**signature, "keyid": own.id} for signature in made[taken]]
        repository.sign(given, signed_only_by(copied))
        repository.publish(everything=True)
        assert Asker(repository).code() is Code.THRESHOLD
