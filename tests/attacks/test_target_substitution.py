"""A tag stands for the digest that its role has signed for it, and for nothing else.

Spec: TUF 5.6.7 and 5.7; docs/notary-v1.md, "Choosing a digest".
"""

import base64
import hashlib

import pytest

from imgsig.codes import Code
from tests.support.asker import Asker
from tests.support.repository import SignedRepository
from tests.support.signing import Json

RELEASES = "targets/releases"
OTHER = "sha256:" + hashlib.sha256(b"another image").hexdigest()


def b64(raw: bytes) -> str:
    return base64.b64encode(raw).decode()


def listing(entry: Json | None) -> SignedRepository:
    """Return a repository whose releases say `entry` of the tag, and whose targets list it well."""
    repository = SignedRepository(publish=False)
    repository.add_delegation(RELEASES, tags=("1.0",))
    repository.documents[RELEASES]["targets"]["latest"] = entry
    repository.publish()
    return repository


SHA256 = hashlib.sha256(b"image").digest()
ENTRIES: dict[str, Json | None] = {
    "null": None,
    "empty": {},
    "no hashes": {"length": 5},
    "hashes null": {"length": 5, "hashes": None},
    "hashes empty": {"length": 5, "hashes": {}},
    "sha256 null": {"length": 5, "hashes": {"sha256": None}},
    "sha256 empty": {"length": 5, "hashes": {"sha256": ""}},
    "sha256 short": {"length": 5, "hashes": {"sha256": b64(SHA256[:31])}},
    "sha256 long": {"length": 5, "hashes": {"sha256": b64(SHA256 + b"\0")}},
    "sha256 in hex": {"length": 5, "hashes": {"sha256": SHA256.hex()}},
    "sha512 only": {"length": 5, "hashes": {"sha512": b64(hashlib.sha512(b"image").digest())}},
    "SHA256": {"length": 5, "hashes": {"SHA256": b64(SHA256)}},
    "sha-256": {"length": 5, "hashes": {"sha-256": b64(SHA256)}},
    "md5": {"length": 5, "hashes": {"md5": b64(hashlib.md5(b"image", usedforsecurity=False).digest())}},
}


@pytest.mark.parametrize("entry", ENTRIES)
def test_an_entry_without_a_sha256_is_no_digest_and_no_way_to_the_next_role(entry: str) -> None:
    assert Asker(listing(ENTRIES[entry])).code() is Code.MALFORMED


def test_other_hashes_beside_the_sha256_change_nothing() -> None:
    hashes = {"sha256": b64(SHA256), "sha512": b64(b"wrong"), "md5": b64(b"wrong"), "sha256 ": b64(b"wrong")}
    assert Asker(listing({"length": 5, "hashes": hashes})).ask().digest == f"sha256:{SHA256.hex()}"


SIMILAR = ("lates", "latest ", "Latest", "LATEST", " latest", "latest\0", "lat\u0435st", "latest/", "*")


@pytest.mark.parametrize("tag", SIMILAR)
def test_a_similar_tag_is_another_tag(tag: str) -> None:
    repository = SignedRepository(tags=(tag,))
    assert Asker(repository).code() is Code.TAG_NOT_SIGNED


def test_a_digest_of_the_caller_s_is_held_against_the_tag() -> None:
    repository = SignedRepository()
    asker = Asker(repository)
    assert asker.code(digest=OTHER) is Code.TAG_DIGEST_CONFLICT
    assert asker.ask(digest=repository.digest("latest")).digest == repository.digest("latest")


def test_a_digest_alone_must_be_some_tag_s_own_choice() -> None:
    """That a role lists it somewhere is not enough: docker must take it for that tag."""
    repository = SignedRepository(publish=False)
    repository.add_delegation(RELEASES, tags=("latest",))
    repository.add_delegation("targets/alice")
    repository.add_target("by-alice", b"alice's", role="targets/alice")
    repository.publish()
    asker = Asker(repository)
    shadowed = repository.digest("latest")
    assert asker.code("", digest=shadowed) is Code.DIGEST_NOT_SIGNED
    assert asker.code("", digest=repository.digest("by-alice", "targets/alice")) is Code.DIGEST_NOT_SIGNED
    assert asker.ask("", digest=repository.digest("latest", RELEASES)).tags == ("latest",)


@pytest.mark.parametrize("algorithm", ["sha384", "sha512"])
def test_a_digest_by_another_hash_is_never_signed(algorithm: str) -> None:
    repository = SignedRepository()
    digest = f"{algorithm}:" + hashlib.new(algorithm, b"targets:latest").hexdigest()
    assert Asker(repository).code("", digest=digest) is Code.DIGEST_NOT_SIGNED
    assert Asker(repository).code(digest=digest) is Code.TAG_DIGEST_CONFLICT


@pytest.mark.parametrize("prefix", ["v", "latest.", "Latest", "latestx", " ", "*"])
def test_a_delegation_signs_nothing_outside_its_paths(prefix: str) -> None:
    repository = SignedRepository(tags=(), publish=False)
    repository.add_delegation(RELEASES, paths=(prefix,), tags=("latest",))
    repository.publish()
    assert Asker(repository).code() is Code.TAG_NOT_SIGNED


@pytest.mark.parametrize("paths", [(), None])
def test_a_delegation_without_paths_signs_nothing(paths: tuple[str, ...] | None) -> None:
    repository = SignedRepository(tags=(), publish=False)
    repository.add_delegation(RELEASES, paths=paths, tags=("latest",))
    repository.publish()
    assert Asker(repository).code() is Code.TAG_NOT_SIGNED


def test_a_delegate_widens_no_path() -> None:
    repository = SignedRepository(tags=(), publish=False)
    repository.add_delegation(RELEASES, paths=("v",))
    repository.add_delegation(f"{RELEASES}/sub", paths=("", "latest"), tags=("latest", "v1"))
    repository.publish()
    asker = Asker(repository)
    assert asker.code() is Code.TAG_NOT_SIGNED
    assert asker.code("v1") is Code.TAG_NOT_SIGNED, "a broader path is dropped, not narrowed"


def test_a_signer_who_is_asked_last_decides_nothing() -> None:
    repository = SignedRepository(tags=(), publish=False)
    repository.add_delegation("targets/alice", tags=("latest",))
    repository.add_delegation("targets/releases2", tags=("latest",))
    repository.publish()
    assert Asker(repository).code() is Code.TAG_NOT_SIGNED


def test_a_required_signer_who_lists_another_digest_refuses() -> None:
    repository = SignedRepository(publish=False)
    repository.add_delegation("targets/alice")
    repository.add_target("latest", b"another image", role="targets/alice")
    repository.publish()
    asker = Asker(repository)
    asker.signers = ("alice",)
    error = asker.error()
    assert (error.code, error.found) == (Code.SIGNERS_DISAGREE, OTHER)
