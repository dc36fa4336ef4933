"""Asking the registry too can only lower a verdict: what it has decides nothing that was refused already."""

import asyncio
import json
import pickle
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from imgsig.codes import Code, Outcome
from imgsig.errors import InconclusiveError, RejectedError, UsageError
from imgsig.notary.settings import Notary, RootKeys
from imgsig.policy import Policy, Rule
from imgsig.state import FolderState, MemoryState
from imgsig.transport import Credential, Server, StaticCredentials
from imgsig.verifier import Verifier
from tests.support.hostile import HostileServer, reply, unauthorised, write_ca
from tests.support.images import OCI_IMAGE, OCI_INDEX, UNKNOWN, Blob, make_image, make_index, serve_images
from tests.support.memory_source import MemorySources
from tests.support.repository import NOW, SignedRepository
from tests.support.static_server import StaticServer

AMD64, ARM64 = make_image("linux/amd64"), make_image("linux/arm64")
INDEX = make_index(AMD64, ARM64)
OTHER = make_index(ARM64)


@dataclass
class Scene:
    """A signed name, its registry, and the policy that trusts it."""

    registry: HostileServer
    repository: SignedRepository
    policy: Policy
    ca: Path

    @property
    def name(self) -> str:
        return self.repository.name

    def verifier(self, **options: Any) -> Verifier:  # noqa: ANN401 - those of a verifier
        servers = (Server(self.registry.url, ca_file=self.ca),)
        state = options.pop("state", None) or MemoryState()
        return Verifier(self.policy, state=state, servers=servers, clock=lambda: NOW, **options)


@pytest.fixture
def scene(tmp_path: Path) -> Iterator[Scene]:
    with HostileServer(tls=True) as registry, StaticServer() as notary:
        repository = SignedRepository(f"localhost:{registry.port}/team/app", publish=False)
        repository.add_target("1.0", INDEX.body)
        repository.add_target("single", ARM64.manifest.body)
        repository.add_target("gone", b"{}")
        repository.publish()
        settings = Notary(anchor=RootKeys(repository.root_key_ids), server=notary.add("r", repository))
        serve_images(registry, "team/app", AMD64, ARM64, OTHER)
        serve_images(registry, "team/app", INDEX, tag="1.0")
        yield Scene(registry, repository, Policy((Rule([repository.name], notary=settings),)), write_ca(tmp_path))


def test_without_the_word_the_registry_is_not_asked(scene: Scene) -> None:
    with scene.verifier() as verifier:
        image = verifier.verify(f"{scene.name}:1.0")
    assert image.verdict.registry is None
    assert (image.platform_pinned, image.verdict.platform_pinned) == ("", "")
    assert not scene.registry.requests


def test_a_verified_image_is_found_in_the_registry(scene: Scene) -> None:
    with scene.verifier() as verifier:
        image = verifier.verify(f"{scene.name}:1.0", check_registry=True)
    registry = image.verdict.registry
    assert registry is not None
    assert (registry.location, registry.media_type, registry.length) == (scene.registry.url, OCI_INDEX, len(INDEX.body))
    assert registry.tag_current is True
    assert image.pinned == f"{scene.name}@{INDEX.digest}"
    assert [request.path for request in scene.registry.requests] == [
        f"/v2/team/app/manifests/{INDEX.digest}", "/v2/team/app/manifests/1.0",
    ]


def test_the_manifest_of_a_platform_is_pinned(scene: Scene) -> None:
    with scene.verifier() as verifier:
        image = verifier.verify(f"{scene.name}:1.0", platform="linux/arm64")
        assert image.platform_pinned == f"{scene.name}@{ARM64.manifest.digest}"
        assert image.pinned == f"{scene.name}@{INDEX.digest}"
        single = verifier.verify(f"{scene.name}@{ARM64.manifest.digest}", platform="linux/arm64")
        assert single.platform_pinned == single.pinned
        assert single.verdict.registry is not None
        assert single.verdict.registry.tag_current is None
        with pytest.raises(RejectedError) as caught:
            verifier.verify(f"{scene.name}:1.0", platform="linux/s390x")
    assert caught.value.code is Code.PLATFORM_MISSING


def test_a_refused_verdict_has_no_digest_but_all_that_was_found(scene: Scene) -> None:
    scene.registry.answers[f"/v2/team/app/manifests/{INDEX.digest}"] = reply(
        OTHER.body, headers=[("Content-Type", OCI_INDEX)]
    )
    with scene.verifier() as verifier:
        verdict = verifier.evaluate(f"{scene.name}:1.0", check_registry=True)
    assert (verdict.outcome, verdict.code) == (Outcome.REJECTED, Code.REGISTRY_MISMATCH)
    assert (verdict.pinned, verdict.digest, verdict.fresh, verdict.valid_until) == ("", "", False, None)
    assert verdict.signers == ()
    assert [attestation.digest for attestation in verdict.attestations] == [INDEX.digest]
    decided = verdict.checks[-1]
    assert (decided.code, decided.passed, decided.found) == (Code.REGISTRY_MISMATCH, False, OTHER.digest)
    assert verdict.hint
    assert "digest" not in json.loads(verdict.to_json())


def test_a_tag_that_has_moved_is_refused_only_on_demand(scene: Scene) -> None:
    serve_images(scene.registry, "team/app", OTHER, tag="1.0")
    with scene.verifier() as verifier:
        moved = verifier.evaluate(f"{scene.name}:1.0", check_registry=True)
        refused = verifier.evaluate(f"{scene.name}:1.0", require_tag_current=True)
    assert moved.outcome is Outcome.VERIFIED
    assert moved.registry is not None
    assert (moved.registry.tag_current, moved.registry.tag_digest) == (False, OTHER.digest)
    assert [check.subject for check in moved.checks if not check.passed] == ["1.0"]
    assert refused.code is Code.REGISTRY_MISMATCH


def test_an_outage_of_the_registry_is_no_answer(scene: Scene) -> None:
    path = f"/v2/team/app/manifests/{INDEX.digest}"
    outages = {
        reply(b"", status=503, headers=[("Retry-After", "7")]): Code.UNREACHABLE,
        reply(b"", status=429, headers=[("Retry-After", "7")]): Code.THROTTLED,
        reply(b"no such page", status=404): Code.BAD_RESPONSE,
        unauthorised("Basic"): Code.ACCESS_DENIED,
    }
    with scene.verifier() as verifier:
        for answer, code in outages.items():
            scene.registry.answers[path] = answer
            verdict = verifier.evaluate(f"{scene.name}:1.0", check_registry=True)
            assert (verdict.outcome, verdict.code) == (Outcome.INCONCLUSIVE, code)
            wait = verdict.retry_after_seconds
            assert wait == (7 if code in {Code.UNREACHABLE, Code.THROTTLED} else None)
            with pytest.raises(InconclusiveError) as caught:
                verdict.require()
            assert caught.value.retry_after_seconds == wait
        scene.registry.stop()
        assert verifier.evaluate(f"{scene.name}:1.0", check_registry=True).code is Code.UNREACHABLE


def test_a_manifest_that_the_registry_does_not_have_is_refused(scene: Scene) -> None:
    digest = scene.repository.digest("gone")
    scene.registry.answers[f"/v2/team/app/manifests/{digest}"] = reply(UNKNOWN, status=404)
    with scene.verifier() as verifier:
        assert verifier.evaluate(f"{scene.name}:gone", check_registry=True).code is Code.REGISTRY_MISMATCH


@pytest.mark.parametrize("ref", ["NAME:unsigned", "NAME@sha256:" + "0" * 64, "quay.io/other/app", "no Reference"])
def test_what_is_not_verified_is_not_asked_about(scene: Scene, ref: str) -> None:
    with scene.verifier() as verifier:
        plain = verifier.evaluate(ref.replace("NAME", scene.name))
        asked = verifier.evaluate(ref.replace("NAME", scene.name), platform="linux/arm64")
    assert plain.outcome is not Outcome.VERIFIED
    assert (asked.code, asked.checks) == (plain.code, plain.checks)
    assert not scene.registry.requests


def test_a_signed_length_is_compared_with_the_bytes(scene: Scene) -> None:
    scene.repository.targets["targets"]["1.0"]["length"] = 7
    scene.repository.publish()
    with scene.verifier() as verifier:
        assert verifier.evaluate(f"{scene.name}:1.0").outcome is Outcome.VERIFIED
        assert verifier.evaluate(f"{scene.name}:1.0", check_registry=True).code is Code.REGISTRY_MISMATCH


def test_a_mirror_is_asked_for_what_the_publisher_signed_elsewhere(scene: Scene, tmp_path: Path) -> None:
    with HostileServer(tls=True) as mirror:
        serve_images(mirror, "proxied/app", INDEX, tag="1.0")
        name = f"localhost:{mirror.port}/proxied/app"
        (rule,) = scene.policy.rules
        policy = Policy((Rule([name], sections=rule.sections, signed_as=scene.name),))
        logins = StaticCredentials({f"localhost:{scene.registry.port}": Credential("alice", "secret")})
        servers = (Server(mirror.url, ca_file=scene.ca),)
        with Verifier(
            policy, state=MemoryState(), servers=servers, credentials=logins, clock=lambda: NOW
        ) as verifier:
            assert verifier.verify(f"{name}:1.0", check_registry=True).pinned == f"{name}@{INDEX.digest}"
            mirror.answers[f"/v2/proxied/app/manifests/{INDEX.digest}"] = unauthorised('Basic realm="x"')
            assert verifier.evaluate(f"{name}:1.0", check_registry=True).code is Code.ACCESS_DENIED
        assert all("authorization" not in request.headers for request in mirror.requests)
    assert not scene.registry.requests


def test_many_references_are_checked_each(scene: Scene, tmp_path: Path) -> None:
    refs = [f"{scene.name}:1.0", f"{scene.name}:single", f"{scene.name}:latest"]
    scene.registry.answers[f"/v2/team/app/manifests/{scene.repository.digest('latest')}"] = reply(UNKNOWN, status=404)
    scene.registry.answers["/v2/team/app/manifests/single"] = reply(UNKNOWN, status=404)
    with scene.verifier(state=FolderState(tmp_path / "state")) as verifier, ThreadPoolExecutor(2) as elsewhere:
        for executor in (None, elsewhere):
            verdicts = list(verifier.evaluate_many(refs, platform="linux/arm64", executor=executor))
            assert [verdict.code for verdict in verdicts] == [Code.OK, Code.OK, Code.REGISTRY_MISMATCH]
            assert [bool(verdict.platform_pinned) for verdict in verdicts] == [True, True, False]


def test_it_can_be_awaited(scene: Scene) -> None:
    with scene.verifier() as verifier:
        verdict = asyncio.run(verifier.evaluate_async(f"{scene.name}:1.0", platform="linux/arm64"))
    assert verdict.platform_pinned == f"{scene.name}@{ARM64.manifest.digest}"
    assert pickle.loads(pickle.dumps(verdict)) == verdict  # noqa: S301 - our own


def test_a_registry_that_no_url_can_reach_is_an_invalid_reference(scene: Scene) -> None:
    (rule,) = scene.policy.rules
    name = "localhost:99999/team/app"
    policy = Policy((Rule([name], sections=rule.sections, signed_as=scene.name),))
    with Verifier(policy, state=MemoryState(), clock=lambda: NOW) as verifier:
        verdict = verifier.evaluate(f"{name}:1.0", check_registry=True)
    assert verdict.code is Code.INVALID_REFERENCE


@pytest.mark.parametrize(
    "demand", [{"check_registry": True}, {"require_tag_current": True}, {"platform": "linux/arm64"}], ids=str
)
def test_an_archive_cannot_tell_what_a_registry_has(scene: Scene, demand: dict[str, Any]) -> None:
    with Verifier(scene.policy, source=MemorySources(scene.repository, live=False), clock=lambda: NOW) as verifier:
        for call in (verifier.verify, verifier.evaluate):
            with pytest.raises(UsageError, match="an archive cannot tell"):
                call(f"{scene.name}:1.0", **demand)
        with pytest.raises(UsageError, match="an archive cannot tell"):
            verifier.evaluate_many([f"{scene.name}:1.0"], **demand)


def test_a_platform_that_is_none_is_a_wrong_call(scene: Scene) -> None:
    with scene.verifier() as verifier, pytest.raises(UsageError, match="a platform is written"):
        verifier.evaluate(f"{scene.name}:1.0", platform="arm64")


def test_signed_bytes_of_both_kinds_are_refused(scene: Scene) -> None:
    both = make_index(AMD64, layers=[AMD64.layer.descriptor()], mediaType=None)
    scene.repository.add_target("both", both.body)
    scene.repository.publish()
    for media_type in (OCI_IMAGE, OCI_INDEX):
        serve_images(scene.registry, "team/app", Blob(media_type, both.body), tag="both")
        with scene.verifier() as verifier:
            assert verifier.evaluate(f"{scene.name}:both", check_registry=True).code is Code.MALFORMED
