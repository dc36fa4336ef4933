"""The engine: every outcome, nothing asked without a rule, names of mirrors, archives and their time, wrong calls."""

import pickle
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from pathlib import Path
from typing import Any, final

import pytest

from imgsig.codes import Code, Outcome
from imgsig.errors import InconclusiveError, NoPolicyError, RejectedError, UsageError, VerificationError
from imgsig.limits import Limits
from imgsig.notary.settings import Anchor, FirstUse, Notary, RootKeys
from imgsig.policy import Policy, Rule
from imgsig.source import Endpoint, SourceEvidence
from imgsig.state import FolderState, MemoryState
from imgsig.transport import Credential, Proxies, Server, StaticCredentials
from imgsig.verdict import Verdict
from imgsig.verifier import Verifier
from tests.support.memory_source import MemorySource, MemorySources
from tests.support.repository import NAME, NOW, Reply, SignedRepository
from tests.support.static_server import StaticServer

ROOT = Path(__file__).resolve().parents[2]
REF = f"{NAME}:1.0"


@final
class ArchivedSources:
    """A repository as an archive holds it."""

    live = False

    def __init__(self, repository: SignedRepository, captured_at: datetime) -> None:
        self._repository = repository
        self._captured_at = captured_at

    def open(self, endpoint: Endpoint) -> MemorySource:
        source = MemorySource(self._repository.served)
        source.evidence = SourceEvidence("archive", "sha256:" + "a" * 64, self._captured_at, id_pinned=True)
        return source


@pytest.fixture
def repository() -> SignedRepository:
    return SignedRepository()


@pytest.fixture
def sources(repository: SignedRepository) -> MemorySources:
    return MemorySources(repository)


def anchor_of(repository: SignedRepository) -> Anchor:
    return RootKeys(repository.root_key_ids)


def policy_of(repository: SignedRepository, *, names: tuple[str, ...] = (NAME,), **section: Any) -> Policy:  # noqa: ANN401
    signed_as = section.pop("signed_as", None)
    anchor = section.pop("anchor", None) or anchor_of(repository)
    return Policy((Rule(names, notary=Notary(anchor=anchor, **section), signed_as=signed_as),))


def made(repository: SignedRepository, sources: MemorySources | ArchivedSources, **section: Any) -> Verifier:  # noqa: ANN401
    return Verifier(policy_of(repository, **section), source=sources, clock=lambda: NOW)


@pytest.fixture
def verifier(repository: SignedRepository, sources: MemorySources) -> Verifier:
    return made(repository, sources)


# -- outcomes -------------------------------------------------------------------------------------------------------


def test_a_signed_tag_is_verified(verifier: Verifier, repository: SignedRepository) -> None:
    verdict = verifier.evaluate(REF)
    assert (verdict.outcome, verdict.code) == (Outcome.VERIFIED, Code.OK)
    assert verdict.digest == repository.digest("1.0")
    assert verdict.pinned == f"{NAME}@{verdict.digest}"
    assert (verdict.requested, verdict.reference, verdict.rule, verdict.at) == (REF, REF, NAME, NOW)
    assert verdict.fresh
    assert [signer.role for signer in verdict.signers] == ["targets"]
    assert verifier.verify(REF).pinned == verdict.pinned
    assert all(check.passed for check in verdict.checks)


def test_no_tag_means_latest_and_the_verdict_says_so(verifier: Verifier, repository: SignedRepository) -> None:
    verdict = verifier.evaluate(NAME)
    assert (verdict.requested, verdict.reference) == (NAME, f"{NAME}:latest")
    assert verdict.digest == repository.digest("latest")


def test_a_digest_is_verified_by_the_tags_that_stand_for_it(verifier: Verifier, repository: SignedRepository) -> None:
    digest = repository.digest("1.0")
    verdict = verifier.evaluate(f"{NAME}@{digest}")
    assert verdict.code is Code.OK
    assert verdict.attestations[0].tags == ("1.0",)
    assert verifier.evaluate(f"{REF}@{digest}").code is Code.OK
    assert verifier.evaluate(f"{NAME}:latest@{digest}").code is Code.TAG_DIGEST_CONFLICT
    for other in ("sha256:" + "0" * 64, "sha512:" + "0" * 128):
        assert verifier.evaluate(f"{NAME}@{other}").code is Code.DIGEST_NOT_SIGNED
        assert verifier.evaluate(f"{REF}@{other}").code is Code.TAG_DIGEST_CONFLICT


def bends() -> dict[str, tuple[Any, Code]]:
    return {
        "tag": (lambda made: made.targets["targets"].pop("1.0"), Code.TAG_NOT_SIGNED),
        "name": (lambda made: made.drop("root"), Code.NOT_SIGNED),
        "expired": (lambda made: made.expire("timestamp"), Code.EXPIRED),
        "signature": (lambda made: made.sign("targets", lambda _, __: []), Code.SIGNATURE),
        "threshold": (lambda made: made.set_threshold("targets", 2), Code.THRESHOLD),
        "malformed": (lambda made: made.alter("targets", lambda _: b"{}"), Code.MALFORMED),
        "hash": (lambda made: made.tamper("targets", lambda body: body[:-1] + b" "), Code.HASH_MISMATCH),
        "unreachable": (lambda made: made.fail("timestamp", 503), Code.UNREACHABLE),
        "throttled": (lambda made: made.fail("root", 429), Code.THROTTLED),
        "denied": (lambda made: made.fail("root", 401), Code.ACCESS_DENIED),
        "answer": (lambda made: made.reply("root", Reply(302)), Code.BAD_RESPONSE),
        "missing": (lambda made: made.drop("snapshot"), Code.MISSING_METADATA),
        "long": (lambda made: made.edit("snapshot", _with_a_negative_length), Code.LIMIT_EXCEEDED),
    }


def _with_a_negative_length(signed: dict[str, Any]) -> None:
    signed["meta"]["targets"]["length"] = -9


@pytest.mark.parametrize("name", bends())
@pytest.mark.parametrize("speculate", [True, False])
def test_every_failure_is_a_verdict_and_an_error(name: str, speculate: bool) -> None:
    repository = SignedRepository(publish=False)
    bend, code = bends()[name]
    bend(repository)
    repository.publish()
    verifier = Verifier(
        policy_of(repository), source=MemorySources(repository), speculate=speculate, clock=lambda: NOW
    )
    verdict = verifier.evaluate(REF)
    assert (verdict.code, verdict.outcome) == (code, code.outcome)
    assert not verdict.pinned
    assert not verdict.fresh
    assert verdict.hint
    assert [check.code for check in verdict.checks if not check.passed] == [code]
    with pytest.raises(VerificationError) as caught:
        verifier.verify(REF)
    error = caught.value
    assert (error.code, str(error), error.hint) == (code, verdict.summary, verdict.hint)
    assert isinstance(error, RejectedError if code.outcome is Outcome.REJECTED else InconclusiveError)
    assert isinstance(error.verdict, Verdict)
    assert pickle.loads(pickle.dumps(error)).verdict == error.verdict  # noqa: S301 - our own


def test_a_wrong_pin_shows_what_is_offered(repository: SignedRepository, sources: MemorySources) -> None:
    verdict = made(repository, sources, anchor=RootKeys(["0" * 64])).evaluate(REF)
    assert verdict.code is Code.ANCHOR_MISMATCH
    assert repository.root_key_ids[0] in verdict.checks[-1].found


def test_required_signers_must_be_there(repository: SignedRepository) -> None:
    repository.add_delegation("targets/alice")
    repository.add_target("1.0", b"same")
    repository.add_target("1.0", b"same", role="targets/alice")
    repository.publish()
    sources = MemorySources(repository)
    verdict = made(repository, sources, signers=["alice"]).evaluate(REF)
    assert [signer.role for signer in verdict.signers] == ["targets", "targets/alice"]
    assert made(repository, sources, signers=["bob"]).evaluate(REF).code is Code.SIGNER_MISSING


# -- nothing without a rule -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("ref", "code"),
    [
        ("", Code.INVALID_REFERENCE), ("docker.io/UPPER", Code.INVALID_REFERENCE), ("a" * 64, Code.INVALID_REFERENCE),
        ("x:y:z", Code.INVALID_REFERENCE), ("\x00", Code.INVALID_REFERENCE), ("\ud800", Code.INVALID_REFERENCE),
        ("x" * 100_000, Code.INVALID_REFERENCE), ("alpine", Code.NO_POLICY), (f"{NAME}/below", Code.NO_POLICY),
        (f"{NAME}2", Code.NO_POLICY), ("registry.example.com/team", Code.NO_POLICY),
        ("registry.example.com:443/team/app", Code.NO_POLICY), ("Registry.example.com/team/app", Code.NO_POLICY),
        ("exempt.example.com/app", Code.EXEMPT),
    ],
)  # fmt: skip
def test_nothing_is_requested_without_a_rule(
    ref: str, code: Code, repository: SignedRepository, sources: MemorySources
) -> None:
    exempt = Rule(["exempt.example.com/**"], exempt="built here")
    verifier = Verifier(policy_of(repository).with_rule(exempt), source=sources, clock=lambda: NOW)
    verdict = verifier.evaluate(ref)
    assert (verdict.code, verdict.requested) == (code, ref)
    assert verdict.to_json().isascii()
    assert not sources.opened
    assert not repository.requests
    with pytest.raises(NoPolicyError if code.outcome is Outcome.NO_POLICY else RejectedError) as caught:
        verifier.verify(ref)
    assert caught.value.code is code


def test_an_exemption_tells_its_reason_and_its_rule(sources: MemorySources) -> None:
    policy = Policy((Rule(["exempt.example.com/**"], exempt="built here"),))
    verdict = Verifier(policy, source=sources).evaluate("exempt.example.com/app:1")
    assert "built here" in verdict.summary
    assert (verdict.rule, verdict.reference) == ("exempt.example.com/**", "exempt.example.com/app:1")


def test_a_refused_name_tells_no_rule(verifier: Verifier) -> None:
    verdict = verifier.evaluate("alpine")
    assert (verdict.rule, verdict.reference) == ("", "docker.io/library/alpine:latest")
    assert verdict.hint == Code.NO_POLICY.remedy


# -- mirrors --------------------------------------------------------------------------------------------------------


def test_a_mirror_s_image_is_pinned_by_its_own_name_and_verified_by_the_signed_one(
    repository: SignedRepository, sources: MemorySources
) -> None:
    names = ("mirror.example.net/cache/**",)
    verifier = made(repository, sources, names=names, signed_as="registry.example.com/**")
    verdict = verifier.evaluate("mirror.example.net/cache/team/app:1.0")
    assert verdict.code is Code.OK
    assert verdict.pinned == f"mirror.example.net/cache/team/app@{repository.digest('1.0')}"
    assert verdict.reference == "mirror.example.net/cache/team/app:1.0"
    assert verdict.attestations[0].name == NAME
    (opened,) = sources.opened
    assert (opened.name, opened.server) == (NAME, "https://registry.example.com")
    assert opened.scope == f"repository:{NAME}:pull"
    assert verifier.evaluate(REF).code is Code.NO_POLICY
    assert verifier.evaluate("mirror.example.net/cache/team/other").code is Code.NOT_SIGNED


def test_a_mirror_s_name_that_makes_no_signed_name_is_refused(
    sources: MemorySources, repository: SignedRepository
) -> None:
    names, signed_as = ("m.example.net/**",), "registry.example.com/" + "x" * 100 + "/**"
    verifier = made(repository, sources, names=names, signed_as=signed_as)
    verdict = verifier.evaluate("m.example.net/" + "y" * 200)
    assert (verdict.outcome, verdict.code) == (Outcome.REJECTED, Code.INVALID_REFERENCE)
    assert verdict.rule == "m.example.net/**"
    assert not sources.opened


# -- time -----------------------------------------------------------------------------------------------------------


def archived(repository: SignedRepository, captured_at: datetime = NOW, **section: Any) -> Verifier:  # noqa: ANN401
    return made(repository, ArchivedSources(repository, captured_at), **section)


def test_an_archive_is_verified_as_of_a_time(repository: SignedRepository) -> None:
    repository.expire("timestamp", "2028-01-01T00:00:00Z")
    repository.publish()
    verifier = archived(repository)
    for at, code in [
        (NOW - timedelta(microseconds=1), Code.BEFORE_CAPTURE),
        (NOW, Code.OK),
        (datetime(2028, 1, 1, tzinfo=UTC), Code.OK),
        (datetime(2028, 1, 1, 0, 0, 0, 1, UTC), Code.EXPIRED),
        (datetime(1969, 1, 1, tzinfo=UTC), Code.BEFORE_CAPTURE),
        (datetime(1, 1, 1, tzinfo=UTC), Code.BEFORE_CAPTURE),
        (datetime(9999, 12, 31, 23, 59, 59, 999999, UTC), Code.ROOT_CERTIFICATE),
    ]:
        verdict = verifier.evaluate(REF, at=at)
        assert (verdict.code, verdict.at) == (code, at)
        assert not verdict.fresh
    assert verifier.evaluate(REF).at == NOW


def test_the_verdict_names_the_archive(repository: SignedRepository) -> None:
    attestation = archived(repository).evaluate(REF).attestations[0]
    assert attestation.source == SourceEvidence("archive", "sha256:" + "a" * 64, NOW, id_pinned=True)
    assert attestation.known_since is None
    assert not attestation.fresh


def test_a_time_before_the_capture_asks_for_nothing(repository: SignedRepository) -> None:
    verdict = archived(repository).evaluate(REF, at=NOW - timedelta(days=1))
    assert verdict.outcome is Outcome.INCONCLUSIVE
    assert not repository.requests
    assert verdict.checks[-1].expected == NOW.isoformat()


def test_a_time_of_another_zone_is_turned_into_utc(repository: SignedRepository) -> None:
    east = NOW.astimezone(timezone(timedelta(hours=9, minutes=30)))
    verdict = archived(repository).evaluate(REF, at=east)
    assert verdict.at == NOW
    assert verdict.at.utcoffset() == timedelta()


def test_first_use_trusts_no_archive(repository: SignedRepository) -> None:
    verdict = archived(repository, anchor=FirstUse()).evaluate(REF)
    assert verdict.code is Code.ANCHOR_MISMATCH
    assert not repository.requests


@pytest.mark.parametrize("year", [1, 1960, 9999])
def test_a_clock_that_is_far_off_makes_no_crash(
    repository: SignedRepository, sources: MemorySources, year: int
) -> None:
    now = datetime(year, 6, 1, tzinfo=UTC)
    verdict = Verifier(policy_of(repository), source=sources, clock=lambda: now).evaluate(REF)
    assert (verdict.code, verdict.at) == (Code.ROOT_CERTIFICATE, now)


def test_the_clock_is_read_for_each_question(repository: SignedRepository, sources: MemorySources) -> None:
    times = iter([NOW, datetime(2091, 1, 1, tzinfo=UTC), NOW])
    verifier = Verifier(policy_of(repository), source=sources, clock=lambda: next(times))
    assert [verifier.evaluate(REF).code for _ in range(3)] == [Code.OK, Code.EXPIRED, Code.OK]


def test_the_usual_clock_tells_the_present(repository: SignedRepository, sources: MemorySources) -> None:
    before = datetime.now(UTC)
    at = Verifier(policy_of(repository), source=sources).evaluate(REF).at
    assert before <= at <= datetime.now(UTC)


# -- wrong calls ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("ref", [None, 5, b"alpine", ["alpine"]])
def test_a_reference_is_a_text(verifier: Verifier, ref: Any) -> None:  # noqa: ANN401 - wrong on purpose
    with pytest.raises(UsageError, match="is a str"):
        verifier.evaluate(ref)


@pytest.mark.parametrize(
    "seconds", [0, -1, float("inf"), float("nan"), 10**400, "5", None, [], "x" * 5000], ids=lambda value: str(value)[:9]
)
def test_a_timeout_is_a_positive_number(verifier: Verifier, seconds: Any, sources: MemorySources) -> None:  # noqa: ANN401
    with pytest.raises(UsageError, match="timeout_seconds") as caught:
        verifier.evaluate(REF, timeout_seconds=seconds)
    assert len(str(caught.value)) < 200
    assert not sources.opened


class Nowhere(tzinfo):
    def utcoffset(self, _: datetime | None) -> None:
        return None

    def tzname(self, _: datetime | None) -> None:
        return None

    def dst(self, _: datetime | None) -> None:
        return None


@pytest.mark.parametrize(
    "at",
    [
        datetime(2027, 1, 1),  # noqa: DTZ001 - naive on purpose
        datetime(2027, 1, 1, tzinfo=Nowhere()),
        datetime(1, 1, 1, tzinfo=timezone(timedelta(hours=1))),
        datetime(9999, 12, 31, 23, tzinfo=timezone(timedelta(hours=-2))),
    ],
)
def test_a_time_is_aware_and_within_the_calendar(repository: SignedRepository, at: datetime) -> None:
    with pytest.raises(UsageError, match="time"):
        archived(repository).evaluate(REF, at=at)
    verifier = Verifier(policy_of(repository), source=MemorySources(repository), clock=lambda: at)
    with pytest.raises(UsageError, match="time"):
        verifier.evaluate(REF)


def test_a_time_is_no_text(repository: SignedRepository) -> None:
    with pytest.raises(UsageError, match="datetime"):
        archived(repository).evaluate(REF, at="2027-01-01T00:00:00Z")  # type: ignore[arg-type]


def test_a_live_server_answers_for_now(verifier: Verifier, sources: MemorySources) -> None:
    with pytest.raises(UsageError, match="archive"):
        verifier.evaluate(REF, at=NOW)
    assert not sources.opened


def test_a_verifier_needs_a_state_or_an_archive(repository: SignedRepository) -> None:
    with pytest.raises(UsageError, match="needs a state"):
        Verifier(policy_of(repository))


def test_first_use_needs_a_state_that_stays(repository: SignedRepository, tmp_path: Path) -> None:
    policy = policy_of(repository, anchor=FirstUse())
    with pytest.raises(UsageError, match="outlives") as caught:
        Verifier(policy, state=MemoryState())
    assert caught.value.hint
    Verifier(policy, state=FolderState(tmp_path)).close()
    Verifier(policy_of(repository), state=MemoryState()).close()


@pytest.mark.parametrize(
    "more",
    [
        {"state": MemoryState()},
        {"servers": [Server("https://notary.example.com")]},
        {"credentials": StaticCredentials({"registry.example.com": Credential("user", "password")})},
        {"proxies": Proxies(https="http://proxy.example.com:3128")},
        {"ca_bundle": "/etc/ssl/ca.pem"},
    ],
)
def test_an_archive_needs_nothing_else(
    repository: SignedRepository, sources: MemorySources, more: dict[str, Any]
) -> None:
    with pytest.raises(UsageError, match="an archive needs no"):
        Verifier(policy_of(repository), source=sources, **more)


def test_an_archive_has_no_registry_and_no_credentials(repository: SignedRepository) -> None:
    with pytest.raises(UsageError, match="credentials"):
        archived(repository).with_credentials(None)
    with pytest.raises(UsageError, match="registry"):
        archived(repository).evaluate(REF, check_registry=True)


def test_limits_are_obeyed(repository: SignedRepository, sources: MemorySources) -> None:
    limits = replace(Limits(), max_document_bytes=300)
    verifier = Verifier(policy_of(repository), source=sources, limits=limits, clock=lambda: NOW)
    assert verifier.evaluate(REF).code is Code.LIMIT_EXCEEDED


# -- with a server and a state --------------------------------------------------------------------------------------


@pytest.fixture
def server() -> Iterator[StaticServer]:
    with StaticServer() as server:
        yield server


def test_first_use_is_remembered_by_the_next_verifier(
    repository: SignedRepository, server: StaticServer, tmp_path: Path
) -> None:
    policy = policy_of(repository, anchor=FirstUse(), server=server.add("key", repository))
    with Verifier(policy, state=FolderState(tmp_path), clock=lambda: NOW) as verifier:
        first = verifier.evaluate(REF)
    assert first.code is Code.OK
    assert first.fresh
    assert first.attestations[0].known_since == NOW
    repository.rotate("root", keep_old_signature=False)
    repository.publish(everything=True)
    with Verifier(policy, state=FolderState(tmp_path), clock=lambda: NOW + timedelta(days=1)) as verifier:
        assert verifier.evaluate(REF).code is Code.ROOT_ROTATION


def test_a_verifier_remembers_versions_between_questions(repository: SignedRepository, server: StaticServer) -> None:
    policy = policy_of(repository, server=server.add("key", repository))
    old = dict(repository.files)
    repository.add_target("1.0", b"newer")
    repository.publish()
    with Verifier(policy, state=MemoryState(), clock=lambda: NOW) as verifier:
        assert verifier.evaluate(REF).digest == repository.digest("1.0")
        repository.restore(old)
        assert verifier.evaluate(REF).code is Code.ROLLBACK


def test_one_verifier_serves_many_threads(repository: SignedRepository, server: StaticServer) -> None:
    policy = policy_of(repository, server=server.add("key", repository))
    refs = [f"{NAME}:{tag}" for tag in ("latest", "1.0", "none")] * 12
    with Verifier(policy, state=MemoryState(), clock=lambda: NOW) as verifier, ThreadPoolExecutor(8) as pool:
        verdicts = list(pool.map(verifier.evaluate, refs))
    assert [verdict.requested for verdict in verdicts] == refs
    assert [verdict.code for verdict in verdicts] == [Code.OK, Code.OK, Code.TAG_NOT_SIGNED] * 12


def test_a_verifier_for_other_credentials_shares_what_is_remembered(
    repository: SignedRepository, server: StaticServer
) -> None:
    policy = policy_of(repository, server=server.add("key", repository))
    with Verifier(policy, state=MemoryState(), speculate=False, clock=lambda: NOW) as verifier:
        verifier.evaluate(REF)
        repository.requests.clear()
        twin = verifier.with_credentials(StaticCredentials({"registry.example.com": Credential("user", "password")}))
        assert twin.evaluate(REF).code is Code.OK
        assert repository.requests == ["timestamp.json"]
        twin.close()
        assert verifier.evaluate(REF).code is Code.OK


def test_a_verifier_is_sent_to_another_process_without_its_logins(repository: SignedRepository, tmp_path: Path) -> None:
    credentials = StaticCredentials({"registry.example.com": Credential("user", "a secret password")})
    with Verifier(policy_of(repository), state=FolderState(tmp_path), credentials=credentials) as verifier:
        pickled = pickle.dumps(verifier)
    assert b"a secret password" not in pickled
    with pickle.loads(pickled) as other:  # noqa: S301 - our own
        assert other.evaluate("alpine").code is Code.NO_POLICY


def test_no_answer_depends_on_assertions(repository: SignedRepository, tmp_path: Path) -> None:
    """Python's -O removes every ``assert``: a check that were one would be gone."""
    script = tmp_path / "script.py"
    script.write_text(
        "from tests.support.memory_source import MemorySources\n"
        "from tests.support.repository import NAME, NOW, SignedRepository\n"
        "from tests.unit.test_verifier import bends, policy_of\n"
        "from imgsig.verifier import Verifier\n"
        "assert False\n"
        "for name, (bend, code) in bends().items():\n"
        "    made = SignedRepository(publish=False)\n"
        "    bend(made)\n"
        "    made.publish()\n"
        "    verifier = Verifier(policy_of(made), source=MemorySources(made), clock=lambda: NOW)\n"
        "    print(name, verifier.evaluate(NAME + ':1.0').code == code)\n",
        encoding="utf-8",
    )
    ran = subprocess.run(
        [sys.executable, "-O", str(script)], cwd=ROOT, env={"PYTHONPATH": str(ROOT)}, capture_output=True, text=True,
        check=True
    )
    assert ran.stdout.splitlines() == [f"{name} True" for name in bends()]
