"""Documents of a TUF repository that do not belong together, are in each other's place, or are of another system."""

import pytest

from imgsig.codes import Code
from tests.support.asker import Asker
from tests.support.repository import NAME, Reply, SignedRepository
from tests.support.tuf_asker import TufAsker
from tests.support.tuf_repository import TOP_LEVEL, TufRepository


@pytest.fixture(params=[False, True], ids=["by version", "by hash"])
def asker(request: pytest.FixtureRequest) -> TufAsker:
    repository = TufRepository(hashes=bool(request.param))
    repository.publish(everything=True)
    return TufAsker(repository)


@pytest.mark.parametrize("role", ["snapshot", "targets"])
def test_an_older_document_in_place_of_the_named_one_is_refused(asker: TufAsker, role: str) -> None:
    files = asker.repository.files
    files[f"2.{role}.json"] = files[f"1.{role}.json"]
    assert asker.code() in {Code.ROLLBACK, Code.HASH_MISMATCH}


@pytest.mark.parametrize("role", ["snapshot", "targets"])
def test_a_newer_document_in_place_of_the_named_one_is_refused(asker: TufAsker, role: str) -> None:
    named = dict(asker.repository.files)
    asker.repository.publish(everything=True)
    asker.repository.restore(named | {f"2.{role}.json": asker.repository.current[role]})
    assert asker.code() is Code.HASH_MISMATCH


def test_other_bytes_with_the_same_signed_part_are_refused_where_hashes_are_listed() -> None:
    repository = TufRepository(hashes=True)
    for path in ("1.snapshot.json", "1.targets.json"):
        repository.tamper(path, lambda body: body.replace(b" ", b""))
        assert TufAsker(repository).code() is Code.HASH_MISMATCH
        del repository.tampers[path]


@pytest.mark.parametrize(
    ("hashes", "code"),
    [({"sha512": 128 * "0"}, Code.HASH_MISMATCH), ({"made-up": "00"}, Code.HASH_MISMATCH), ({}, Code.MALFORMED)],
)
def test_every_listed_hash_must_be_known_and_right(hashes: dict[str, str], code: Code) -> None:
    repository = TufRepository(hashes=True)
    repository.edit("snapshot", lambda signed: signed["meta"]["targets.json"].update(hashes=hashes))
    repository.publish(everything=True)
    assert TufAsker(repository).code() is code


@pytest.mark.parametrize("change", [-1, 1])
def test_a_listed_length_is_the_length(change: int) -> None:
    repository = TufRepository(hashes=True)
    length = len(repository.current["targets"]) + change
    repository.edit("snapshot", lambda signed: signed["meta"]["targets.json"].update(length=length))
    repository.publish("snapshot", "timestamp")
    assert TufAsker(repository).code() in {Code.HASH_MISMATCH, Code.LIMIT_EXCEEDED}


@pytest.mark.parametrize("role", TOP_LEVEL)
@pytest.mark.parametrize("other", TOP_LEVEL)
def test_no_document_serves_for_another(role: str, other: str) -> None:
    repository = TufRepository(publish=False)
    for one in TOP_LEVEL:
        repository.set_keys(one, *repository.signers["root"])
    repository.publish()
    asker = TufAsker(repository)
    if role == other:
        assert asker.ask().digest == repository.digest()
        return
    path = {"root": "2.root.json", "timestamp": "timestamp.json"}.get(role, f"1.{role}.json")
    repository.files[path] = repository.current[other]
    assert asker.code() is Code.MALFORMED


def test_a_delegated_role_does_not_serve_for_the_top_level() -> None:
    repository = TufRepository(publish=False)
    repository.add_delegation("team", *repository.signers["targets"], listed=[f"{NAME}:evil"])
    repository.publish()
    repository.files["1.targets.json"] = repository.current["team"]
    asker = TufAsker(repository)
    # Signed by the same key, of the same type and version: only hashes could tell, and here are none. What it
    # lists was signed for paths that the key may sign for anyway.
    assert asker.code() is Code.TAG_NOT_SIGNED
    hashed = TufRepository(hashes=True, publish=False)
    hashed.add_delegation("team", *hashed.signers["targets"], listed=[f"{NAME}:evil"])
    hashed.publish()
    hashed.files["1.targets.json"] = hashed.current["team"]
    assert TufAsker(hashed).code() is Code.HASH_MISMATCH


def test_docker_content_trust_is_refused_by_a_rule_for_tuf() -> None:
    notary, tuf = SignedRepository(), TufRepository()
    asker = TufAsker(tuf)
    for ours, theirs in {"2.root.json": "root.json", "timestamp.json": "timestamp.json"}.items():
        tuf.replies[ours] = Reply(200, notary.files[theirs])
        error = asker.error()
        assert error.code is Code.MALFORMED
        assert "Docker Content Trust, which [rule.notary] is for" in str(error)
        del tuf.replies[ours]


def test_tuf_is_refused_by_a_rule_for_docker_content_trust() -> None:
    notary, tuf = SignedRepository(), TufRepository()
    asker = Asker(notary)
    notary.reply("root", Reply(200, tuf.files["1.root.json"]))
    assert asker.code() is Code.MALFORMED
    known = SignedRepository()
    asker = Asker(known)
    asker.ask()
    known.reply("timestamp", Reply(200, tuf.files["timestamp.json"]))
    assert asker.code() is Code.MALFORMED


def test_a_target_for_another_image_is_not_this_one_s() -> None:
    repository = TufRepository()
    repository.add_target("registry.example.com/team/other:latest", b"another image")
    repository.publish()
    asker = TufAsker(repository)
    assert asker.ask().digest != asker.ask(name="registry.example.com/team/other").digest
    assert asker.code(name="registry.example.com/team/third") is Code.TAG_NOT_SIGNED
