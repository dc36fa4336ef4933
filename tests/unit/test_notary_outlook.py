"""What the trust data of a name will come to: told from the documents alone."""

from datetime import UTC, datetime, timedelta

import pytest

from imgsig.errors import RejectedError
from imgsig.limits import Limits
from imgsig.memory import Memory
from imgsig.notary.outlook import outlook_of
from imgsig.notary.roots import RootRules
from imgsig.notary.settings import FirstUse, Notary
from imgsig.outlook import Ending, Outlook
from imgsig.trust import Evidence, Trust
from tests.support.repository import NAME, NOW, SignedRepository
from tests.support.root_certificates import NOT_BEFORE, CertificateForm, root_key

END = datetime(2090, 1, 1, tzinfo=UTC)


def outlook(
    repository: SignedRepository, *, signers: tuple[str, ...] = (), at: datetime = NOW, without: tuple[str, ...] = ()
) -> Outlook:
    documents = {role: body for role, body in repository.current.items() if role != "root" and role not in without}
    trust = Trust(repository.current["root"], Evidence("first-use"), {}, documents, "x", NOW, NOW)
    rules = RootRules(NAME, at, Limits(), Memory())
    return outlook_of(trust, Notary(anchor=FirstUse(), signers=signers), rules)


def test_what_a_person_must_sign_is_told_with_its_end_and_the_timestamp_is_not() -> None:
    repository = SignedRepository()
    repository.add_delegation("targets/alice")
    repository.expire("targets/alice", "2030-01-01T00:00:00Z")
    repository.publish()
    found = outlook(repository).endings
    assert {(ending.kind, ending.role) for ending in found} == {
        ("metadata", "root"), ("certificate", "root"), ("metadata", "snapshot"), ("metadata", "targets"),
        ("metadata", "targets/alice"),
    }
    assert Ending("metadata", "targets/alice", datetime(2030, 1, 1, tzinfo=UTC)) in found
    assert Ending("metadata", "root", END) in found


def test_the_root_s_version_and_the_age_of_its_keys_are_told() -> None:
    repository = SignedRepository()
    assert (outlook(repository).root_version, outlook(repository).root_keys_since) == (1, NOT_BEFORE)
    repository.rotate("root")
    repository.publish()
    assert outlook(repository).root_version == 2


def certificate_end(threshold: int) -> datetime:
    repository = SignedRepository()
    years = (2040, 2050, 2060)
    forms = [CertificateForm(NAME, not_after=datetime(year, 1, 1, tzinfo=UTC)) for year in years]
    keys = [root_key(NAME, "p256", str(form.not_after), form=form) for form in forms]
    repository.set_keys("root", *keys, threshold=threshold)
    repository.publish()
    (ending,) = (ending for ending in outlook(repository).endings if ending.kind == "certificate")
    return ending.at


@pytest.mark.parametrize(("threshold", "year"), [(1, 2060), (2, 2050), (3, 2040)])
def test_certificates_end_when_the_threshold_cannot_be_reached_any_more(threshold: int, year: int) -> None:
    assert certificate_end(threshold) == datetime(year, 1, 1, tzinfo=UTC)


def test_a_signer_whom_no_role_is_delegated_to_is_a_stranger() -> None:
    repository = SignedRepository()
    repository.add_delegation("targets/alice")
    repository.add_delegation("targets/bob", metadata=False)
    repository.publish()
    assert outlook(repository, signers=("alice", "bob", "carol")).strangers == ("carol",)


def test_nobody_is_a_stranger_where_no_targets_are_known() -> None:
    assert outlook(SignedRepository(), signers=("carol",), without=("targets",)).strangers == ()


def test_a_root_that_cannot_be_used_any_more_has_no_outlook() -> None:
    with pytest.raises(RejectedError):
        outlook(SignedRepository(), at=datetime(2120, 1, 1, tzinfo=UTC) + timedelta(days=1))
