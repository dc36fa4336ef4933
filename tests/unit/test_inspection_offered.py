"""What a server offers is checked by the rules for every root, and described without being trusted."""

import pytest

from imgsig.codes import Code
from imgsig.errors import InconclusiveError, RejectedError
from imgsig.inspection.offered import OfferedRoot, fetch_offered_root
from imgsig.limits import Deadline, Limits
from tests.support.memory_source import LOCATION, source_of
from tests.support.repository import NAME, NOW, SignedRepository
from tests.support.root_certificates import root_key
from tests.support.signing import bare


def offered(repository: SignedRepository, name: str = NAME) -> OfferedRoot:
    return fetch_offered_root(source_of(repository), name, at=NOW, deadline=Deadline(5), limits=Limits())


def test_an_offered_root_is_described_with_its_keys() -> None:
    repository = SignedRepository()
    root = offered(repository)
    assert (root.name, root.server, root.version, root.threshold) == (NAME, LOCATION, 1, 1)
    (key,) = root.keys
    assert key.certificate_id == repository.root_key_ids[0]
    assert key.key_id == bare(repository.signers["root"][0].private).id
    assert key.subject == f"CN={NAME}"
    assert key.signed


def test_a_long_name_is_told_without_a_warning() -> None:
    name = f"{NAME}/{'long' * 40}"
    (key,) = offered(SignedRepository(name), name).keys
    assert key.subject == f"CN={name}"


def test_nothing_but_the_root_is_asked_for() -> None:
    repository = SignedRepository()
    offered(repository)
    assert repository.requests == ["root.json"]


def test_a_key_that_has_not_signed_is_told_to_be_one() -> None:
    repository = SignedRepository()
    old, spare = repository.signers["root"][0], root_key(NAME, "p256", "spare")
    repository.list_keys("root", old, spare)
    repository.publish()
    assert sorted(key.signed for key in offered(repository).keys) == [False, True]


def test_a_key_whose_certificate_is_for_another_name_is_not_offered() -> None:
    repository = SignedRepository()
    old, foreign = repository.signers["root"][0], root_key("registry.example.com/other", "p256", "foreign")
    repository.list_keys("root", old, foreign)
    repository.publish()
    assert [key.subject for key in offered(repository).keys] == [f"CN={NAME}"]


def test_a_root_that_its_own_keys_have_not_signed_is_rejected() -> None:
    repository = SignedRepository()
    repository.rotate("root", sign=False)
    repository.publish()
    with pytest.raises(RejectedError) as caught:
        offered(repository)
    assert caught.value.code is Code.THRESHOLD


def test_an_expired_root_is_rejected() -> None:
    repository = SignedRepository()
    repository.expire("root")
    repository.publish()
    with pytest.raises(RejectedError) as caught:
        offered(repository)
    assert caught.value.code is Code.EXPIRED


def test_a_root_for_another_name_is_rejected() -> None:
    with pytest.raises(RejectedError) as caught:
        offered(SignedRepository(), "registry.example.com/other")
    assert caught.value.code is Code.ROOT_CERTIFICATE


def test_an_unsigned_name_is_rejected_and_an_outage_is_not() -> None:
    repository = SignedRepository()
    repository.drop("root")
    with pytest.raises(RejectedError) as rejected:
        offered(repository)
    repository.fail("root")
    with pytest.raises(InconclusiveError) as inconclusive:
        offered(repository)
    assert (rejected.value.code, inconclusive.value.code) == (Code.NOT_SIGNED, Code.UNREACHABLE)


def test_the_description_is_json() -> None:
    described = offered(SignedRepository()).to_dict()
    assert list(described) == ["name", "server", "version", "expires", "threshold", "keys"]
    assert list(described["keys"][0]) == [
        "key_id", "certificate_id", "subject", "not_before", "not_after", "sha256", "signed",
    ]
    assert described["expires"] == "2090-01-01T00:00:00Z"
