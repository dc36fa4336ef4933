"""Documents of different times cannot be combined into something that the publisher never published.

Spec: TUF 5.5.2, 5.5.4, 5.6.2, 5.6.4.
"""

import base64
import hashlib
import itertools

import pytest

from imgsig.codes import Code
from tests.support.asker import Asker
from tests.support.repository import Reply, SignedRepository, role_of

ROLES = ("root", "timestamp", "snapshot", "targets", "targets/releases")
RELEASES = "targets/releases"
MIXTURES = tuple(itertools.product((0, 1), repeat=len(ROLES)))


def two_times() -> tuple[SignedRepository, dict[str, bytes], dict[str, bytes]]:
    """Return a repository, and its documents by role as they were and as they are; everything changed."""
    repository = SignedRepository(publish=False)
    repository.add_delegation(RELEASES, tags=("latest",))
    repository.publish()
    before = dict(repository.current)
    repository.add_target("latest", b"the newer image", role=RELEASES)
    repository.publish(everything=True)
    return repository, before, dict(repository.current)


def serve(repository: SignedRepository, documents: dict[str, bytes]) -> None:
    """Answer every request for a role with this document, whatever hash is asked for."""
    for role in ROLES:
        repository.reply(role, Reply(200, documents[role]))


@pytest.mark.parametrize("chosen", MIXTURES)
def test_only_documents_of_one_time_go_together(chosen: tuple[int, ...]) -> None:
    repository, before, after = two_times()
    mixed = {role: (before, after)[index][role] for role, index in zip(ROLES, chosen, strict=True)}
    serve(repository, mixed)
    asker = Asker(repository)
    if len(set(chosen)) == 1:
        assert asker.ask().roles[0].version == 1 + chosen[0]
    else:
        assert asker.code() in {Code.HASH_MISMATCH, Code.LIMIT_EXCEEDED}


@pytest.mark.parametrize("chosen", MIXTURES)
def test_whoever_has_seen_the_newer_ones_takes_no_mixture_either(chosen: tuple[int, ...]) -> None:
    """A document at hand stands in for the server's; what is verified is then the newer whole."""
    repository, before, after = two_times()
    serve(repository, after)
    asker = Asker(repository)
    newest = asker.ask()
    serve(repository, {role: (before, after)[index][role] for role, index in zip(ROLES, chosen, strict=True)})
    if chosen[ROLES.index("timestamp")]:
        assert asker.ask() == newest
    else:
        assert asker.code() in {Code.ROLLBACK, Code.HASH_MISMATCH, Code.LIMIT_EXCEEDED}


@pytest.mark.parametrize("role", ["snapshot", "targets", RELEASES])
@pytest.mark.parametrize("addition", [b" ", b"\n", b"\0", b"{}"])
def test_a_document_that_is_longer_than_named_is_refused(role: str, addition: bytes) -> None:
    repository, _, _ = two_times()
    repository.tamper(role, lambda body: body + addition)
    assert Asker(repository).code() is Code.LIMIT_EXCEEDED


def test_the_root_must_be_the_one_that_the_snapshot_names() -> None:
    repository = SignedRepository()
    repository.tamper("root", lambda body: body.replace(b'"signatures":[{', b'"signatures":[{"":0,'))
    repository.edit("snapshot", lambda signed: signed["meta"]["root"].update(length=100_000))
    repository.publish(everything=True)
    assert Asker(repository).code() is Code.HASH_MISMATCH


@pytest.mark.parametrize("algorithm", ["sha256", "sha512"])
@pytest.mark.parametrize("role", ["snapshot", "targets", RELEASES])
def test_each_hash_that_is_given_must_fit(role: str, algorithm: str) -> None:
    repository, _, _ = two_times()
    above = "timestamp" if role == "snapshot" else "snapshot"
    wrong = hashlib.new(algorithm, b"something else").digest()

    def change(signed: dict[str, dict[str, dict[str, dict[str, str]]]]) -> None:
        signed["meta"][role]["hashes"][algorithm] = base64.b64encode(wrong).decode()

    repository.edit(above, change)
    repository.publish(everything=True)
    repository.files = {**repository.files, f"{role}.{wrong.hex()}.json": repository.current[role]}
    assert Asker(repository).code() is Code.HASH_MISMATCH


def test_the_name_of_a_file_vouches_for_nothing() -> None:
    """A server may put any bytes under a name that bears their hash; the hash in the signed document counts."""
    repository, before, _ = two_times()
    for path in list(repository.files):
        if role_of(path) == "targets" and path != "targets.json":
            repository.files[path] = before["targets"]
    assert Asker(repository).code() is Code.HASH_MISMATCH
