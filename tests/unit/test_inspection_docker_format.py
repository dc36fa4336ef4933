"""The values of ``docker trust inspect``, row by row; the real client is asked in tests/interop."""

from typing import Any

from imgsig.inspection.docker_format import docker_inspect
from tests.support.asker import looked_at
from tests.support.repository import NAME, SignedRepository
from tests.support.signing import make_key


def inspected(repository: SignedRepository, tag: str = "") -> dict[str, Any]:
    repository.publish()
    looked = looked_at(repository)
    requested = f"{NAME}:{tag}" if tag else NAME
    (one,) = docker_inspect(looked, requested, tag=tag)
    assert list(one) == ["Name", "SignedTags", "Signers", "AdministrativeKeys"]
    assert one["Name"] == requested
    return one


def rows(repository: SignedRepository, tag: str = "") -> list[tuple[str, list[str]]]:
    return [(row["SignedTag"], row["Signers"]) for row in inspected(repository, tag)["SignedTags"]]


def test_a_row_is_a_tag_with_one_digest_and_all_who_signed_it() -> None:
    repository = SignedRepository(tags=("10", "9"))
    for role in ("targets/releases", "targets/alice", "targets/alice/qa", "targets/bob"):
        repository.add_delegation(role)
        repository.add_target("1", b"the image", role=role)
    repository.add_target("9", b"another image", role="targets/bob")
    repository.add_target("unreleased", role="targets/alice")
    assert rows(repository) == [("1", ["alice", "bob", "alice/qa"]), ("9", ["Repo Admin"]), ("10", ["Repo Admin"])]
    digest = inspected(repository, "1")["SignedTags"][0]["Digest"]
    assert f"sha256:{digest}" == repository.digest("1", "targets/alice")


def test_a_tag_with_two_released_digests_has_two_rows() -> None:
    repository = SignedRepository(tags=("1",))
    repository.add_delegation("targets/releases", tags=["1"])
    repository.add_delegation("targets/alice")
    repository.add_target("1", b"targets/releases:1", role="targets/alice")
    assert sorted(rows(repository)) == [("1", ["Repo Admin"]), ("1", ["alice"])]


def test_paths_count_only_if_a_tag_is_given() -> None:
    repository = SignedRepository(tags=("1",))
    repository.add_delegation("targets/docs", paths=["docs-"])
    repository.add_target("1", b"targets:1", role="targets/docs")
    assert rows(repository) == [("1", ["docs"])]
    assert rows(repository, "1") == [("1", ["Repo Admin"])]


def test_a_tag_that_nobody_signed_has_no_row() -> None:
    assert rows(SignedRepository(), "none") == []


def test_an_entry_without_a_sha256_has_an_empty_digest() -> None:
    repository = SignedRepository(tags=())
    repository.targets["targets"]["odd"] = {"length": 1, "hashes": {"sha512": "AAAA"}}
    assert inspected(repository)["SignedTags"] == [{"SignedTag": "odd", "Digest": "", "Signers": ["Repo Admin"]}]


def test_signers_are_all_delegations_but_releases_the_last_first() -> None:
    repository = SignedRepository()
    first, second = make_key("p256", "first"), make_key("p256", "second")
    repository.add_delegation("targets/releases", first)
    repository.add_delegation("targets/alice", second, first)
    repository.add_delegation("targets/bob", metadata=False)
    repository.add_delegation("targets/alice/qa", second)
    signers = inspected(repository)["Signers"]
    assert [signer["Name"] for signer in signers] == ["bob", "alice/qa", "alice"]
    assert signers[2]["Keys"] == [{"ID": second.canonical_id}, {"ID": first.canonical_id}]


def test_a_delegation_without_keys_is_listed_without_keys() -> None:
    repository = SignedRepository()
    repository.add_delegation("targets/nobody", metadata=False)
    repository.delegations("targets/nobody")["roles"][0]["keyids"] = []
    assert inspected(repository)["Signers"] == [{"Name": "nobody"}]


def test_signers_are_left_out_if_the_certificate_of_one_cannot_be_read() -> None:
    repository = SignedRepository()
    repository.add_delegation("targets/alice")
    repository.add_delegation("targets/odd", metadata=False)
    listed = repository.delegations("targets/odd")
    key_id = listed["roles"][1]["keyids"][0]
    listed["keys"][key_id] = {**listed["keys"][key_id], "keytype": "ecdsa-x509"}
    assert inspected(repository)["Signers"] == []


def test_administrative_keys_are_those_of_the_document_and_of_certificates() -> None:
    repository = SignedRepository()
    spare = make_key("p256", "spare")
    repository.list_keys("targets", repository.signers["targets"][0], spare)
    assert inspected(repository)["AdministrativeKeys"] == [
        {"Name": "Root", "Keys": [{"ID": key_id} for key_id in repository.root_key_ids]},
        {"Name": "Repository", "Keys": [{"ID": key_id} for key_id in repository.root["roles"]["targets"]["keyids"]]},
    ]
