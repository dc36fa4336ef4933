"""The limits of Python itself, its stack, integers and half characters, let nothing in and break nothing for good."""

import copy
import json
import pickle
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from imgsig.archive import Archive
from imgsig.codes import Code, Outcome
from imgsig.errors import ImgsigError, UsageError
from imgsig.memory import Memory
from imgsig.notary.settings import Notary, RootKeys
from imgsig.policy import Policy, Rule
from imgsig.state import FolderState, MemoryState
from imgsig.transport import Server
from imgsig.verifier import Verifier
from tests.support.archives import pinned
from tests.support.asker import Asker
from tests.support.repository import NAME, SignedRepository
from tests.support.static_server import StaticServer

HALVES = ("\ud800", "\udfff", "\udc80", "app\ud83d", "\ud83d\ude00", "\ud800\ud800")
"""Halves of surrogate pairs, one whole pair as two halves, and what ``surrogateescape`` makes of bytes."""
FORMS = ("{}", "{}/app", "registry.example.com/{}", "app:{}", "app@sha256:{}", "{}" + "a" * 63)


def below(frames: int, call: Callable[[], object]) -> object:
    """Return what `call` returns when it is called `frames` frames deeper than here."""
    return call() if frames == 0 else below(frames - 1, call)


def room(frames: int) -> int:
    """Return how deep `below` must go so that about so many frames are left."""
    depth, frame = 0, sys._getframe()
    while frame is not None:
        depth, frame = depth + 1, frame.f_back  # type: ignore[assignment]
    return sys.getrecursionlimit() - depth - frames


@pytest.mark.parametrize("signed", [True, False], ids=["signed", "forged"])
def test_a_stack_that_is_nearly_full_is_no_way_in(*, signed: bool) -> None:
    """Wherever the stack ends, the answer is an error or the right one; and the next question is answered rightly."""
    repository = SignedRepository(publish=False)
    repository.add_delegation("targets/releases", tags=("latest",))
    if not signed:
        repository.sign("targets/releases", lambda _, __: [])
    repository.publish()
    asker = Asker(repository)
    asker.memory = Memory()
    ended = 0
    for frames in range(5, 120, 5):
        try:
            below(room(frames), asker.ask)
            assert signed
        except RecursionError:
            ended += 1
        except ImgsigError:
            assert not signed
    assert ended > 3
    if signed:
        assert asker.ask().digest == repository.digest("latest", "targets/releases")
    else:
        assert asker.code() is Code.SIGNATURE


@contextmanager
def no_bound_of_digits() -> Iterator[None]:
    """Let Python make integers of any number of digits, as a program around us may."""
    before = sys.get_int_max_str_digits()
    sys.set_int_max_str_digits(0)
    try:
        yield
    finally:
        sys.set_int_max_str_digits(before)


@pytest.mark.parametrize("place", ["version", "unknown", "length"])
@pytest.mark.parametrize("digits", [b"9" * 1_000_000, b"-" + b"9" * 1_000_000, b"1" + b"0" * 4299, b"9" * 300])
def test_a_huge_integer_is_refused_without_being_computed(place: str, digits: bytes) -> None:
    repository = SignedRepository(publish=False)
    rewrites = {
        "version": lambda text: text.replace(b'"version":1', b'"version":' + digits),
        "unknown": lambda text: text[:-1] + b',"x":' + digits + b"}",
        "length": lambda text: text.replace(b'"length":', b'"length":' + digits),
    }
    repository.rewrite("timestamp", rewrites[place], message=lambda text: text)
    repository.publish()
    with no_bound_of_digits():
        error = Asker(repository).error()
    assert error.code is Code.MALFORMED
    assert len(str(error)) < 300


@pytest.mark.parametrize("seconds", [10**400, -(10**400), float("inf"), float("nan"), 0, -1, "30", None, 10**30])
def test_an_odd_timeout_is_a_wrong_call_or_a_long_one(seconds: float) -> None:
    repository = SignedRepository()
    with StaticServer() as server:
        rule = Rule([NAME], notary=Notary(anchor=pinned(repository), server=server.add("r", repository)))
        with Verifier(Policy((rule,)), state=MemoryState()) as verifier:
            if seconds == 10**30:
                assert verifier.evaluate(NAME, timeout_seconds=seconds).code is Code.OK
            else:
                with pytest.raises(UsageError):
                    verifier.evaluate(NAME, timeout_seconds=seconds)


# -- halves of characters ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("half", HALVES)
@pytest.mark.parametrize("form", FORMS)
def test_a_reference_with_halves_is_no_reference(form: str, half: str) -> None:
    rule = Rule(["**"], notary=Notary(anchor=RootKeys(["ab" * 32]), server="https://notary.example.com"))
    with Verifier(Policy((rule,)), state=MemoryState()) as verifier:
        verdict = verifier.evaluate(form.format(half))
    assert (verdict.outcome, verdict.code) == (Outcome.REJECTED, Code.INVALID_REFERENCE)
    assert verdict.summary.isascii()
    assert json.loads(verdict.to_json())["requested"] == json.loads(json.dumps(form.format(half)))
    assert pickle.loads(pickle.dumps(verdict)) == copy.deepcopy(verdict) == verdict  # noqa: S301 - our own
    with pytest.raises(ImgsigError) as caught:
        verdict.require()
    assert str(caught.value).isascii()


@pytest.mark.parametrize("half", HALVES)
def test_a_policy_with_halves_is_refused_or_written_back(half: str) -> None:
    for text in (
        half,
        f'version = 1\n[[rule]]\nnames = ["{half}"]\nexempt = "x"\n',
        f'version = 1\n[[rule]]\nnames = ["a.b/c"]\nexempt = "{half}"\n',
        f'version = 1\n"{half}" = 1\n',
    ):
        with pytest.raises(ImgsigError) as caught:
            Policy.parse(text)
        assert str(caught.value).isascii()
    with pytest.raises(ImgsigError):
        Rule([f"registry.example.com/{half}"], exempt="x")
    exempt = Rule(["registry.example.com/app"], exempt=half)
    with pytest.raises(UsageError):
        Policy((exempt,)).to_toml()
    with Verifier(Policy((exempt,)), state=MemoryState()) as verifier:
        assert json.loads(verifier.evaluate("registry.example.com/app").to_json())["code"] == "exempt"


@pytest.mark.parametrize("half", HALVES)
def test_other_words_with_halves_are_wrong_calls(half: str, tmp_path: Path) -> None:
    calls: tuple[Callable[[], object], ...] = (
        lambda: RootKeys([half]),
        lambda: Notary(anchor=RootKeys(["ab" * 32]), server=f"https://{half}"),
        lambda: Notary(anchor=RootKeys(["ab" * 32]), signers=(half,)),
        lambda: Server(f"https://{half}.example.com"),
        lambda: Archive.load(tmp_path, half),
        lambda: Archive.load(tmp_path / half),
        lambda: Policy.load(tmp_path / half),
    )
    for call in calls:
        with pytest.raises(ImgsigError) as caught:
            call()
        assert str(caught.value).isprintable()


@pytest.mark.parametrize("half", HALVES)
def test_a_tag_with_halves_is_never_signed(half: str) -> None:
    repository = SignedRepository()
    repository.add_target("HALF", b"the image")
    escaped = json.dumps(half).encode()
    repository.rewrite("targets", lambda text: text.replace(b'"HALF"', escaped), message=lambda text: text)
    repository.publish()
    assert Asker(repository).code(half) in {Code.MALFORMED, Code.THRESHOLD}


def test_a_state_folder_may_have_any_name_that_the_system_allows(tmp_path: Path) -> None:
    folder = tmp_path / "\udcff\udcfe"
    Asker(SignedRepository(), state=FolderState(folder)).ask()
    assert FolderState(folder).names() == (("notary", NAME),)
    next(folder.rglob("trust.json")).write_bytes(b"x")
    error = Asker(SignedRepository(), state=FolderState(folder)).error()
    assert error.code is Code.STATE_UNREADABLE
    assert str(error).isascii()
