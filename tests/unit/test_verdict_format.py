"""``imgsig-verdict/1`` is what its schema and page say, member by member, for real verdicts and for made ones."""

import json
import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import jsonschema
import pytest

from imgsig.authority import Question
from imgsig.codes import Code, Outcome
from imgsig.errors import VerificationError
from imgsig.limits import Deadline, Limits
from imgsig.notary.client import NotaryAuthority
from imgsig.notary.settings import Notary, RootKeys
from imgsig.policy import Policy, Rule
from imgsig.source import SourceEvidence
from imgsig.state import MemoryState
from imgsig.trust import Evidence
from imgsig.verdict import Attestation, Check, Checks, RegistryEvidence, RoleEvidence, Signer, Verdict
from imgsig.verifier import Verifier
from tests.support.memory_source import MemorySources
from tests.support.repository import NAME, NOW, SignedRepository

ROOT: Final = Path(__file__).resolve().parents[2]
PAGE: Final = (ROOT / "docs" / "verdict.md").read_text(encoding="utf-8")
SCHEMA: Final[dict[str, Any]] = json.loads((ROOT / "docs" / "schemas" / "verdict-1.json").read_text(encoding="utf-8"))
AT: Final = datetime(2026, 11, 25, 9, 30, tzinfo=UTC)
DIGEST: Final = "sha256:" + "ab" * 32


def closed(schema: Any) -> Any:  # noqa: ANN401 - any JSON value
    """Return `schema` with no room for members that it does not describe: readers allow them, imgsig gives none."""
    if isinstance(schema, list):
        return [closed(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    copy = {name: closed(value) for name, value in schema.items()}
    return copy | ({"additionalProperties": False} if copy.get("type") == "object" else {})


VALIDATOR: Final = jsonschema.Draft202012Validator(closed(SCHEMA))


def made_verdict(**changes: Any) -> Verdict:  # noqa: ANN401 - members of a verdict
    """Return a verified verdict in which no member is empty."""
    signer = Signer("targets/releases", ("cd" * 32,))
    attestation = Attestation(
        authority="notary",
        name="docker.io/library/alpine",
        digest=DIGEST,
        length=1156,
        tags=("3",),
        signers=(signer,),
        roles=(RoleEvidence("root", 2, AT + timedelta(days=9), ("ef" * 32,)),),
        anchor=Evidence("root-keys", ("12" * 32,)),
        source=SourceEvidence("archive", DIGEST, captured_at=AT, id_pinned=True),
        fresh=False,
        known_since=AT,
        valid_until=AT + timedelta(days=9, microseconds=250000),
    )
    members: dict[str, Any] = {
        "requested": "mirror.example.com/alpine:3",
        "code": Code.OK,
        "summary": "it is signed",
        "at": AT,
        "reference": "mirror.example.com/alpine:3",
        "rule": "mirror.example.com/**",
        "pinned": f"mirror.example.com/alpine@{DIGEST}",
        "digest": DIGEST,
        "valid_until": attestation.valid_until,
        "attestations": (attestation,),
        "checks": (Check(Code.EXPIRED, "root", passed=True, expected="later", found="2026-12-04"),),
    }
    return Verdict(**(members | changes))


def refused(code: Code, **changes: Any) -> Verdict:  # noqa: ANN401 - members of a verdict
    """Return a verdict with a code other than ``ok``."""
    nothing = {"pinned": "", "digest": "", "valid_until": None, "attestations": ()}
    return made_verdict(code=code, hint=code.remedy, **(nothing | changes))


REGISTRY: Final = RegistryEvidence(
    "https://registry-1.docker.io", "application/vnd.oci.image.index.v1+json", 1156, DIGEST, True, "linux/arm64", DIGEST
)


def with_registry(**changes: Any) -> Verdict:  # noqa: ANN401 - members of a registry's evidence
    """Return a verified verdict whose registry was asked."""
    evidence = replace(REGISTRY, **changes)
    pinned = f"mirror.example.com/alpine@{evidence.platform_digest}" if evidence.platform_digest else ""
    return made_verdict(registry=evidence, platform_pinned=pinned)


def test_the_schema_is_one() -> None:
    jsonschema.Draft202012Validator.check_schema(SCHEMA)


def test_a_verified_verdict_reads_exactly_so() -> None:
    signer = {"role": "targets/releases", "key_ids": ["cd" * 32]}
    assert made_verdict().to_dict() == {
        "format": "imgsig-verdict/1",
        "requested": "mirror.example.com/alpine:3",
        "reference": "mirror.example.com/alpine:3",
        "outcome": "verified",
        "code": "ok",
        "summary": "it is signed",
        "hint": None,
        "at": "2026-11-25T09:30:00Z",
        "fresh": False,
        "valid_until": "2026-12-04T09:30:00.250000Z",
        "rule": "mirror.example.com/**",
        "signers": [signer],
        "attestations": [
            {
                "authority": "notary",
                "name": "docker.io/library/alpine",
                "digest": DIGEST,
                "length": 1156,
                "tags": ["3"],
                "signers": [signer],
                "roles": [
                    {"role": "root", "version": 2, "expires": "2026-12-04T09:30:00Z", "key_ids": ["ef" * 32]},
                ],
                "anchor": {"kind": "root-keys", "ids": ["12" * 32]},
                "source": {
                    "kind": "archive",
                    "location": DIGEST,
                    "captured_at": "2026-11-25T09:30:00Z",
                    "id_pinned": True,
                },
                "fresh": False,
                "known_since": "2026-11-25T09:30:00Z",
                "valid_until": "2026-12-04T09:30:00.250000Z",
            }
        ],
        "checks": [
            {"code": "expired", "subject": "root", "passed": True, "expected": "later", "found": "2026-12-04"},
        ],
        "pinned": f"mirror.example.com/alpine@{DIGEST}",
        "digest": DIGEST,
    }


def test_a_refusal_has_no_digest_and_null_for_what_there_is_not() -> None:
    verdict = Verdict("A b", Code.INVALID_REFERENCE, "it is none", AT, retry_after_seconds=2.5)
    assert verdict.to_dict() == {
        "format": "imgsig-verdict/1",
        "requested": "A b",
        "reference": None,
        "outcome": "rejected",
        "code": "invalid_reference",
        "summary": "it is none",
        "hint": None,
        "at": "2026-11-25T09:30:00Z",
        "fresh": False,
        "valid_until": None,
        "rule": None,
        "signers": [],
        "attestations": [],
        "checks": [],
        "retry_after_seconds": 2.5,
    }


def test_a_registry_that_was_asked_reads_exactly_so() -> None:
    told = with_registry().to_dict()
    assert {name: told[name] for name in told.keys() - made_verdict().to_dict().keys()} == {
        "platform_pinned": f"mirror.example.com/alpine@{DIGEST}",
        "registry": {
            "location": "https://registry-1.docker.io",
            "media_type": "application/vnd.oci.image.index.v1+json",
            "length": 1156,
            "tag_digest": DIGEST,
            "tag_current": True,
            "platform": "linux/arm64",
            "platform_digest": DIGEST,
        },
    }


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"tag_digest": "", "tag_current": False},
        {"tag_digest": "", "tag_current": None},
        {"platform": "", "platform_digest": ""},
    ],
    ids=str,
)
def test_a_verdict_with_a_registry_fits_the_schema(changes: dict[str, Any]) -> None:
    VALIDATOR.validate(with_registry(**changes).to_dict())


def test_only_a_verified_verdict_says_what_a_registry_has() -> None:
    for changes in ({"registry": REGISTRY}, {"platform_pinned": "a@b"}):
        with pytest.raises(ValueError, match="only a verified verdict"):
            refused(Code.EXPIRED, **changes)
    told = with_registry().to_dict()
    for member in ("registry", "platform_pinned"):
        assert not VALIDATOR.is_valid(refused(Code.EXPIRED).to_dict() | {member: told[member]})
    del told["registry"]
    assert not VALIDATOR.is_valid(told)


def test_the_json_is_one_line_of_ascii_that_says_the_same() -> None:
    verdict = made_verdict(requested="\x1b[31m\u202e\u00e9\n")
    assert verdict.to_json().isascii()
    assert verdict.to_json().isprintable()
    assert json.loads(verdict.to_json()) == verdict.to_dict()


@pytest.mark.parametrize("code", list(Code))
def test_a_verdict_with_any_code_fits_the_schema(code: Code) -> None:
    verdict = made_verdict() if code is Code.OK else refused(code, retry_after_seconds=1.0)
    VALIDATOR.validate(verdict.to_dict())


@pytest.mark.parametrize(
    "spoilt",
    [
        {"outcome": "rejected"},
        {"outcome": "maybe"},
        {"code": "expired"},
        {"at": "2026-11-25T09:30:00+00:00"},
        {"digest": "sha256:ab"},
        {"pinned": "mirror.example.com/alpine:3"},
        {"signers": []},
        {"attestations": []},
        {"checks": [{"code": "expired"}]},
        {"format": "imgsig-verdict/2"},
    ],
    ids=str,
)
def test_a_verdict_that_contradicts_itself_does_not_fit_the_schema(spoilt: dict[str, Any]) -> None:
    assert not VALIDATOR.is_valid(made_verdict().to_dict() | spoilt)


@pytest.mark.parametrize("member", made_verdict().to_dict())
def test_no_member_of_a_verified_verdict_may_be_missing(member: str) -> None:
    verdict = made_verdict().to_dict()
    del verdict[member]
    assert not VALIDATOR.is_valid(verdict)


# -- real verdicts ------------------------------------------------------------------------------------------------


def signed() -> SignedRepository:
    """Return a repository in which docker's choice and alice agree on 1.4, bob has let his role expire."""
    repository = SignedRepository()
    for role in ("targets/releases", "targets/alice"):
        repository.add_delegation(role)
        repository.add_target("1.4", b"the image", role=role)
    repository.add_delegation("targets/bob")
    repository.expire("targets/bob")
    repository.publish()
    return repository


def verifier(repository: SignedRepository) -> Verifier:
    settings = Notary(anchor=RootKeys(repository.root_key_ids), signers=("alice",))
    rules = (Rule((NAME,), notary=settings), Rule(("docker.io/**",), exempt="tried out"))
    return Verifier(Policy(rules), source=MemorySources(repository, live=False), clock=lambda: NOW)


@pytest.mark.parametrize(
    ("reference", "code"),
    [
        (f"{NAME}:1.4", Code.OK),
        (f"{NAME}:1.0", Code.SIGNER_MISSING),
        (f"{NAME}:\u00e9", Code.INVALID_REFERENCE),
        (f"{NAME}:none", Code.TAG_NOT_SIGNED),
        (f"{NAME}@{DIGEST}", Code.DIGEST_NOT_SIGNED),
        ("quay.io/team/app", Code.NO_POLICY),
        ("alpine", Code.EXEMPT),
    ],
)
def test_a_real_verdict_fits_the_schema(reference: str, code: Code) -> None:
    verdict = verifier(signed()).evaluate(reference)
    assert verdict.code is code
    VALIDATOR.validate(json.loads(verdict.to_json()))


def test_a_role_that_was_passed_over_is_a_failed_check_of_a_verified_verdict() -> None:
    verdict = verifier(signed()).evaluate(f"{NAME}:1.4")
    assert verdict.outcome is Outcome.VERIFIED
    assert [(check.code, check.subject) for check in verdict.checks if not check.passed] == [
        (Code.EXPIRED, "targets/bob")
    ]


def test_the_check_that_decided_is_the_last_one_with_the_code_of_the_verdict() -> None:
    verdict = verifier(signed()).evaluate(f"{NAME}:1.0")
    decided = [check for check in verdict.checks if check.code is verdict.code][-1]
    assert not decided.passed
    assert decided.subject == "targets/alice"


def test_a_fresh_attestation_with_state_fits_the_schema() -> None:
    repository = signed()
    settings = Notary(anchor=RootKeys(repository.root_key_ids))
    sources = MemorySources(repository)
    question = Question(
        name=NAME,
        tag="1.4",
        digest="",
        at=NOW,
        source=sources.open(settings.endpoint(NAME)),
        live=True,
        state=MemoryState(),
        deadline=Deadline(30),
        limits=Limits(),
    )
    checks = Checks()
    attestation = NotaryAuthority(settings).attest(question, checks)
    assert attestation.fresh
    assert attestation.known_since == NOW
    verdict = made_verdict(attestations=(attestation,), checks=tuple(checks), fresh=True)
    VALIDATOR.validate(json.loads(verdict.to_json()))


def test_the_error_of_a_verdict_holds_what_its_deciding_check_found() -> None:
    with pytest.raises(VerificationError) as caught:
        verifier(signed()).verify(f"{NAME}:1.0")
    assert caught.value.subject == "targets/alice"
    assert caught.value.verdict is not None
    assert caught.value.verdict.code is Code.SIGNER_MISSING


# -- the page -----------------------------------------------------------------------------------------------------


def test_the_example_of_the_page_fits_the_schema() -> None:
    examples = re.findall(r"^```json\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
    assert len(examples) == 1
    example = json.loads(examples[0])
    VALIDATOR.validate(example)
    assert list(example) == list(made_verdict().to_dict())


def rows(title: str) -> Iterator[str]:
    """Yield the members that the table under a heading of the page explains."""
    section = PAGE.split(f"\n## {title}\n")[1].split("\n## ")[0]
    for line in section.splitlines():
        if line.startswith("| `"):
            yield from re.findall(r"`(\w+)`", line.split("|")[1])


@pytest.mark.parametrize(
    ("title", "properties"),
    [
        ("Members", SCHEMA["properties"]),
        ("An attestation", SCHEMA["$defs"]["attestation"]["properties"]),
        ("Checks", SCHEMA["$defs"]["check"]["properties"]),
        ("The registry", SCHEMA["$defs"]["registry"]["properties"]),
    ],
)
def test_the_page_explains_every_member_of_the_schema(title: str, properties: dict[str, Any]) -> None:
    assert sorted(rows(title)) == sorted(properties)
