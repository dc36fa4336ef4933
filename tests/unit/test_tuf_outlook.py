"""What a TUF repository will come to: told from the documents alone."""

from datetime import UTC, datetime

from imgsig.limits import Limits
from imgsig.outlook import Ending
from imgsig.trust import Evidence, Trust
from imgsig.tuf.outlook import outlook_of
from tests.support.repository import NOW
from tests.support.tuf_repository import TufRepository


def test_root_and_targets_are_told_with_their_ends_and_what_a_server_renews_is_not() -> None:
    repository = TufRepository()
    repository.targets["expires"] = "2030-01-01T00:00:00Z"
    repository.publish()
    documents = {role: body for role, body in repository.current.items() if role != "root"}
    trust = Trust(repository.current["root"], Evidence("root-file"), {}, documents, "x", NOW, NOW)
    found = outlook_of(trust, Limits())
    assert found.endings == (
        Ending("metadata", "root", datetime(2090, 1, 1, tzinfo=UTC)),
        Ending("metadata", "targets", datetime(2030, 1, 1, tzinfo=UTC)),
    )
    assert (found.root_version, found.root_keys_since, found.strangers) == (1, None, ())
