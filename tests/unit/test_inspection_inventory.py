"""What a repository holds is told as it was verified, and nothing is remembered of having looked."""

from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from imgsig.archive import Archive
from imgsig.codes import Code
from imgsig.errors import InconclusiveError, RejectedError
from imgsig.inspection.inventory import (
    Inventory,
    VerifiedRepository,
    fetch_repository,
    natural_order,
    take_inventory,
)
from imgsig.limits import Deadline, Limits
from imgsig.notary.settings import Notary, RootKeys
from imgsig.state import MemoryState
from tests.support.archives import save
from tests.support.asker import Asker, looked_at
from tests.support.memory_source import LOCATION
from tests.support.repository import NAME, NOW, SignedRepository
from tests.support.signing import make_key


def signed() -> SignedRepository:
    """Return a repository that alice and bob release from together, with a role passed over and one unpublished."""
    repository = SignedRepository(tags=("1.9",))
    repository.add_delegation("targets/releases", make_key("p256", "alice"), make_key("p256", "bob"))
    repository.add_delegation("targets/alice", make_key("p256", "alice"))
    repository.add_delegation("targets/docs", paths=["docs-"])
    repository.add_delegation("targets/late")
    repository.add_delegation("targets/new", metadata=False)
    repository.add_delegation("targets/alice/qa")
    for role in ("targets/releases", "targets/alice", "targets/alice/qa"):
        repository.add_target("1.10", b"the image", role=role)
    repository.add_target("1.10", b"another", role="targets")
    repository.add_target("docs-1", b"a manual", role="targets/releases")
    for tag in ("docs-1", "1.10"):
        repository.add_target(tag, b"a manual" if tag == "docs-1" else b"the image", role="targets/docs")
    repository.add_target("own", role="targets/alice")
    repository.expire("targets/late")
    repository.publish()
    return repository


@pytest.fixture(scope="module")
def inventory() -> Inventory:
    repository = signed()
    return take_inventory(looked_at(repository, anchor=RootKeys(repository.root_key_ids)))


def test_tags_are_told_as_docker_takes_them_with_all_who_agree(inventory: Inventory) -> None:
    assert [(tag.name, tag.role, tag.signers) for tag in inventory.tags] == [
        ("1.9", "targets", ()),
        ("1.10", "targets/releases", ("targets/alice", "targets/alice/qa")),
        ("docs-1", "targets/releases", ("targets/docs",)),
    ]
    assert inventory.tags[1].digest == signed().digest("1.10", "targets/releases")
    assert inventory.tags[1].length == len(b"the image")


def test_every_role_is_told_with_its_keys_and_what_became_of_it(inventory: Inventory) -> None:
    roles = {role.name: role for role in inventory.roles}
    assert list(roles) == [
        "root", "timestamp", "snapshot", "targets", "targets/releases", "targets/alice", "targets/docs", "targets/late",
        "targets/new", "targets/alice/qa",
    ]
    releases = roles["targets/releases"]
    assert (len(releases.key_ids), releases.threshold, releases.paths, releases.tags) == (2, 1, ("",), 2)
    assert releases.signed_by == tuple(sorted(releases.key_ids))
    assert roles["targets/alice"].key_ids[0] in releases.key_ids
    assert roles["targets/docs"].paths == ("docs-",)
    assert roles["root"].version == 1
    assert roles["root"].expires is not None
    for name, fault in (("targets/late", "(expired)"), ("targets/new", "it has published nothing")):
        assert (roles[name].version, roles[name].expires, roles[name].signed_by) == (0, None, ())
        assert fault in roles[name].fault
        assert len(roles[name].key_ids) == 1


def test_root_keys_are_told_with_their_certificates(inventory: Inventory) -> None:
    (key,) = inventory.root_keys
    assert key.key_id == inventory.roles[0].key_ids[0] != key.certificate_id
    assert key.signed
    assert inventory.valid_until <= key.not_after


def test_one_tag_or_one_digest_may_be_asked_for() -> None:
    repository = looked_at(signed())
    digest = signed().digest("1.10", "targets/releases")
    assert [tag.name for tag in take_inventory(repository, tag="1.10").tags] == ["1.10"]
    assert [tag.name for tag in take_inventory(repository, digest=digest).tags] == ["1.10"]
    assert not take_inventory(repository, tag="own").tags
    assert not take_inventory(repository, tag="1.10", digest=signed().digest("1.10", "targets")).tags
    assert len(take_inventory(repository, tag="none").roles) == 10


def test_a_tag_that_cannot_be_used_is_told_with_the_reason() -> None:
    repository = signed()
    repository.targets["targets"]["odd"] = {"length": 1, "hashes": {"sha512": "AAAA"}}
    repository.publish()
    (tag,) = take_inventory(looked_at(repository), tag="odd").tags
    assert (tag.digest, tag.role) == ("", "")
    assert "(malformed)" in tag.fault
    repository.expire("targets/releases")
    repository.publish()
    (tag,) = take_inventory(looked_at(repository), tag="1.9").tags
    assert "(expired)" in tag.fault


def test_the_inventory_is_json(inventory: Inventory) -> None:
    values = inventory.to_dict()
    assert list(values) == [
        "name", "source", "at", "fresh", "anchor", "known_since", "valid_until", "root_keys", "roles", "tags",
    ]
    assert values["source"] == {"kind": "server", "location": LOCATION, "captured_at": None, "id_pinned": False}
    assert (values["fresh"], values["known_since"], values["anchor"]["kind"]) == (True, None, "root-keys")
    assert values["roles"][0]["expires"] == "2090-01-01T00:00:00Z"
    assert values["roles"][7]["version"] is None
    assert values["tags"][0]["signers"] == []


# -- by whose word ----------------------------------------------------------------------------------------------------


def test_what_does_not_verify_is_not_told() -> None:
    repository = signed()
    with pytest.raises(RejectedError) as caught:
        looked_at(repository, anchor=RootKeys(["0" * 64]))
    assert caught.value.code is Code.ANCHOR_MISMATCH
    repository.tamper("snapshot", lambda body: body.replace(b"1", b"2", 1))
    with pytest.raises(RejectedError) as caught:
        looked_at(repository)
    assert caught.value.code is Code.HASH_MISMATCH
    repository.mend()
    repository.fail("timestamp")
    with pytest.raises(InconclusiveError) as inconclusive:
        looked_at(repository)
    assert inconclusive.value.code is Code.UNREACHABLE


def test_first_use_without_memory_is_no_reason_to_trust() -> None:
    looked = looked_at(signed())
    assert (looked.evidence.kind, looked.known_since) == ("first-use", None)


def remembering(repository: SignedRepository) -> MemoryState:
    """Return a state in which the repository as it stands was verified."""
    state = MemoryState()
    Asker(repository, state=state, anchor=RootKeys(repository.root_key_ids)).ask("1.10")
    return state


def test_what_is_remembered_counts_and_is_not_changed() -> None:
    repository = signed()
    state = remembering(repository)
    before = state.load("notary", NAME, deadline=Deadline(5))
    assert looked_at(repository, state=state).known_since == NOW
    old = dict(repository.files)
    repository.add_target("2.0", role="targets/releases")
    repository.publish()
    assert len(take_inventory(looked_at(repository, state=state)).tags) == 4
    assert state.load("notary", NAME, deadline=Deadline(5)) == before
    assert old != repository.files


def test_nothing_older_than_what_is_remembered_is_told() -> None:
    repository = signed()
    old = dict(repository.files)
    repository.add_target("2.0", role="targets/releases")
    repository.publish()
    state = remembering(repository)
    repository.restore(old)
    with pytest.raises(RejectedError) as caught:
        looked_at(repository, state=state)
    assert caught.value.code is Code.ROLLBACK


def test_an_archive_is_looked_into_as_of_a_time(tmp_path: Path) -> None:
    repository = signed()
    archive = save(tmp_path / "archive", repository)
    settings = Notary(anchor=RootKeys(repository.root_key_ids))

    def looked(archive: Archive, days: int) -> VerifiedRepository:
        return fetch_repository(
            settings,
            NAME,
            archive.open(settings.endpoint(NAME)),
            None,
            live=False,
            at=NOW + timedelta(days=days),
            deadline=Deadline(30),
            limits=Limits(),
        )

    found = looked(archive, 0)
    assert (found.source.kind, found.source.location, found.fresh) == ("archive", archive.id, False)
    assert len(take_inventory(found).tags) == 3
    with pytest.raises(InconclusiveError) as caught:
        looked(archive, -1)
    assert caught.value.code is Code.BEFORE_CAPTURE


# -- the order of tags ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "ordered",
    [
        ["1.2", "1.9", "1.10"],
        ["1", "01", "001", "2", "02", "10"],
        ["0", "00", "000"],
        ["1a", "a1", "a1b", "a01", "a2", "a10"],
        ["1", "A", "_", "a", "\u00e9"],
        ["", "0", "a", "aa"],
        ["v1", "v1.0", "v1.0-rc1", "v1.0-rc2", "v1.0-rc10", "v1.1"],
    ],
)
def test_tags_are_ordered_as_people_count(ordered: list[str]) -> None:
    backwards = ordered[::-1]
    assert sorted(backwards, key=natural_order) == ordered


@given(st.text("0123ab.", max_size=8), st.text("0123ab.", max_size=8))
def test_the_order_is_that_of_the_go_library(left: str, right: str) -> None:
    assert (natural_order(left) < natural_order(right)) is natural_less(left, right)


def natural_less(left: str, right: str) -> bool:
    """Compare in one pass over both texts, as the library does."""
    one = two = 0
    while one < len(left) and two < len(right):
        digits = left[one].isdigit(), right[two].isdigit()
        if digits[0] != digits[1]:
            return digits[0]
        if not digits[0]:
            if left[one] != right[two]:
                return left[one] < right[two]
            one, two = one + 1, two + 1
            continue
        ends = _end(left, one), _end(right, two)
        numbers = left[one : ends[0]].lstrip("0"), right[two : ends[1]].lstrip("0")
        if numbers[0] != numbers[1]:
            return (len(numbers[0]), numbers[0]) < (len(numbers[1]), numbers[1])
        if ends[0] - one != ends[1] - two:
            return ends[0] - one < ends[1] - two
        one, two = ends
    return len(left) - one < len(right) - two


def _end(text: str, start: int) -> int:
    return next((at for at in range(start, len(text)) if not text[at].isdigit()), len(text))
