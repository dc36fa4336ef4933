import copy
import pickle
from collections.abc import Callable
from typing import Any

import pytest

from imgsig.limits import Deadline
from imgsig.transport import Credential, StaticCredentials


@pytest.mark.parametrize("credential", [Credential("alice", "s3cret"), Credential(identity_token="s3cret")])
def test_a_credential_never_shows_its_secret(credential: Credential) -> None:
    held = StaticCredentials({"registry.test": credential})
    for shown in (repr(credential), str(credential), f"{credential}", repr(held), str([credential])):
        assert "s3cret" not in shown
        assert "alice" not in shown


@pytest.mark.parametrize("leave", [pickle.dumps, copy.copy, copy.deepcopy])
def test_a_credential_does_not_leave_the_process(leave: Callable[[Any], Any]) -> None:
    with pytest.raises(TypeError, match="not pickled"):
        leave(Credential("alice", "s3cret"))


def test_given_logins_are_found_by_registry_alone() -> None:
    alice = Credential("alice", "s3cret")
    logins = {"registry.test:5000": alice}
    credentials = StaticCredentials(logins)
    logins.clear()
    assert credentials.for_registry("registry.test:5000", deadline=Deadline(1)) is alice
    assert credentials.for_registry("registry.test", deadline=Deadline(1)) is None
