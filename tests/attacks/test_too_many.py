"""Whatever a document lists too much of is refused at a bound, before it costs more than reading it.

Spec: TUF 5.3.3 and 5.6.7.1. The bounds of single reads are in test_endless_data.py.
"""

import time
import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from imgsig.codes import Code
from imgsig.limits import Limits
from imgsig.notary.choice import Paths
from tests.support.asker import Asker
from tests.support.repository import SignedRepository
from tests.support.root_certificates import CertificateForm, authority, root_key
from tests.support.signing import make_key

LIMITS = Limits()
KEY = make_key("ed25519", "shared")


def test_a_role_with_ten_thousand_delegations_is_read_and_those_beyond_the_bound_are_refused() -> None:
    repository = SignedRepository(publish=False)
    entry = {"keyids": [KEY.true_id], "threshold": 1, "paths": [""]}
    repository.targets["delegations"] = {
        "keys": {KEY.true_id: KEY.to_json()},
        "roles": [{"name": f"targets/r{number}", **entry} for number in range(10_000)],
    }
    repository.publish()
    asker = Asker(repository)
    assert asker.ask().digest == repository.digest("latest"), "none of them is published"
    info = {"length": 100, "hashes": {"sha256": "A" * 43 + "="}}
    repository.edit(
        "snapshot", lambda signed: signed["meta"].update({f"targets/r{number}": info for number in range(10_000)})
    )
    repository.publish(everything=True)
    assert asker.code() is Code.MISSING_METADATA, "the first of them is asked for, and no other"
    assert len([path for path in asker.requests if path.startswith("targets/r")]) <= 2


def test_more_published_delegations_than_the_bound_are_refused() -> None:
    repository = SignedRepository(publish=False)
    for number in range(9):
        repository.add_delegation(f"targets/r{number}", KEY)
    repository.publish()
    asker = Asker(repository)
    asker.limit(max_roles=9)
    asker.ask()
    asker.limit(max_roles=8)
    assert asker.code() is Code.LIMIT_EXCEEDED


def test_a_deep_chain_of_delegations_ends_at_the_length_of_a_name() -> None:
    repository = SignedRepository(publish=False)
    role = "targets"
    while len(role) + 2 <= 255:
        role += "/a"
        repository.add_delegation(role, KEY)
    repository.publish()
    assert Asker(repository).ask().digest == repository.digest("latest")
    repository.delegations(role + "/a")["roles"] = [
        {"name": role + "/a", "keyids": [KEY.true_id], "threshold": 1, "paths": [""]}
    ]
    repository.delegations(role + "/a")["keys"] = {KEY.true_id: KEY.to_json()}
    repository.publish()
    assert Asker(repository).code() is Code.MALFORMED


@pytest.mark.parametrize("name", ["targets", "targets/a", "targets/b", "targets/a/b/c", "root", "snapshot", ""])
def test_delegations_form_no_circle(name: str) -> None:
    repository = SignedRepository(publish=False)
    repository.add_delegation("targets/a", KEY)
    repository.documents["targets/a"]["delegations"] = {
        "keys": {KEY.true_id: KEY.to_json()},
        "roles": [{"name": name, "keyids": [KEY.true_id], "threshold": 1, "paths": [""]}],
    }
    repository.publish()
    assert Asker(repository).code() is Code.MALFORMED


@pytest.mark.parametrize("role", ["root", "timestamp", "snapshot", "targets"])
def test_too_many_signatures_are_refused_before_one_is_verified(role: str) -> None:
    repository = SignedRepository(publish=False)
    repository.sign(role, lambda signatures, _: signatures * (LIMITS.max_signatures + 1))
    repository.publish()
    assert Asker(repository).code() is Code.LIMIT_EXCEEDED


def test_many_signatures_under_one_id_are_tried_up_to_the_bound_only() -> None:
    repository = SignedRepository(publish=False)
    (true,) = repository.signers["timestamp"]
    wrong = {**make_key("p256", "other").sign(b"x"), "keyid": true.id}
    repository.sign("timestamp", lambda signatures, _: [wrong] * (LIMITS.max_signatures - 1) + signatures)
    repository.publish()
    Asker(repository).ask()


def test_too_many_root_keys_are_refused() -> None:
    repository = SignedRepository(publish=False)
    more = {f"{number:064x}": KEY.to_json() for number in range(LIMITS.max_root_keys)}
    repository.root["keys"].update(more)
    repository.publish()
    assert Asker(repository).code() is Code.LIMIT_EXCEEDED


def test_a_bundle_of_too_many_certificates_is_no_root_key() -> None:
    chain = tuple(authority(f"CA {number}", f"ca {number}") for number in range(LIMITS.max_bundle_certificates))
    name = "registry.example.com/team/app"
    key = root_key(name, form=CertificateForm(name), chain=chain)
    repository = SignedRepository(publish=False)
    repository.set_keys("root", key)
    repository.publish()
    assert Asker(repository).code() is Code.ROOT_CERTIFICATE


def test_more_root_versions_than_the_bound_are_not_walked() -> None:
    repository = SignedRepository()
    asker = Asker(repository)
    asker.ask()
    repository.root["version"] = LIMITS.max_root_rotations + 2
    repository.rotate("root", keep_old_signature=False)
    repository.publish(bump=False)
    assert asker.code() is Code.LIMIT_EXCEEDED
    assert not [path for path in asker.requests if path[0].isdigit()]


@pytest.mark.parametrize("role", ["root", "timestamp", "snapshot", "targets"])
def test_deep_nesting_is_refused(role: str) -> None:
    repository = SignedRepository(publish=False)
    deep = b"[" * 100_000 + b"]" * 100_000
    repository.rewrite(role, lambda text: text[:-1] + b',"x":' + deep + b"}", message=lambda text: text)
    repository.publish()
    assert Asker(repository).code() is Code.MALFORMED


CROWDS = {
    "numbers": b"[" + b"0," * 2_000_000 + b"0]",
    "objects": b"[" + b"{}," * 1_000_000 + b"0]",
    "nested": b"[" + b"[0]," * 1_000_000 + b"0]",
    "members": b"{" + b",".join(b'"%d":0' % number for number in range(2_000_001)) + b"}",
}


@pytest.mark.parametrize("role", ["root", "snapshot"])
@pytest.mark.parametrize("crowd", CROWDS)
def test_millions_of_values_are_refused_before_they_are_decoded(role: str, crowd: str) -> None:
    """Anybody on the way can send them in place of root, and a server that holds its key can sign them."""
    repository = SignedRepository(publish=False)
    repository.alter(role, lambda body: body[:-1] + b',"x":' + CROWDS[crowd] + b"}")
    repository.publish()
    tracemalloc.start()
    try:
        assert Asker(repository).code() is Code.LIMIT_EXCEEDED
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 4 * len(CROWDS[crowd])


def test_as_many_values_as_the_largest_repositories_have_are_decoded() -> None:
    repository = SignedRepository(publish=False)
    many = b"[" + b"0," * 999_999 + b"0]"
    repository.alter("timestamp", lambda body: body[:-1] + b',"x":' + many[: 1024 * 1000].rpartition(b",")[0] + b"]}")
    repository.publish()
    assert Asker(repository).ask().digest == repository.digest("latest")


@pytest.mark.parametrize("signed", [True, False], ids=["signed", "beside it"])
def test_a_document_with_thousands_of_members_is_refused(*, signed: bool) -> None:
    repository = SignedRepository(publish=False)
    more = b"".join(b',"x%d":0' % number for number in range(1024))
    if signed:
        repository.rewrite("timestamp", lambda text: text[:-1] + more + b"}")
    else:
        repository.alter("timestamp", lambda body: body[:-1] + more + b"}")
    repository.publish()
    assert Asker(repository).code() is Code.LIMIT_EXCEEDED


@given(st.lists(st.text("ab", max_size=4), max_size=6), st.text("abc", max_size=6))
def test_paths_cover_what_begins_with_one_of_them(paths: list[str], text: str) -> None:
    assert Paths(paths).cover(text) == any(text.startswith(path) for path in paths)


def test_many_paths_cost_no_more_than_reading_them() -> None:
    """A signer may delegate further, with as many paths as his document holds: each is held to each of his own."""
    repository = SignedRepository(publish=False)
    paths = [f"v{number:05}" for number in range(40_000)]
    repository.add_delegation("targets/releases", KEY, paths=paths, tags=("v00007",))
    narrower = [f"{path}-" for path in reversed(paths)]
    repository.add_delegation("targets/releases/a", KEY, paths=narrower, tags=("v39999-a",))
    repository.publish()
    asker = Asker(repository)
    started = time.process_time()
    assert asker.ask("v00007").digest == repository.digest("v00007", "targets/releases")
    assert asker.code("v39999-a") is Code.TAG_NOT_SIGNED
    assert asker.code("", digest=repository.digest("v39999-a", "targets/releases/a")) is Code.DIGEST_NOT_SIGNED
    assert time.process_time() - started < 60, "one by one, it would be 1,600,000,000 comparisons each time"


def test_a_target_entry_of_any_size_is_no_way_to_a_loop() -> None:
    repository = SignedRepository(publish=False)
    repository.add_target("latest", custom={"x": ["y" * 1000] * 1000})
    repository.publish()
    assert Asker(repository).ask().digest == repository.digest("latest")
