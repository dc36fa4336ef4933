"""The policy's JSON schema takes every good policy, and refuses what it can see to be wrong."""

import ast
import json
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import jsonschema
import pytest

from imgsig.errors import ImgsigError
from imgsig.policy import Policy
from tests.unit.test_docs import blocks

ROOT: Final = Path(__file__).resolve().parents[2]
SCHEMA: Final[dict[str, Any]] = json.loads((ROOT / "docs" / "schemas" / "policy-1.json").read_text(encoding="utf-8"))
VALIDATOR: Final = jsonschema.Draft202012Validator(SCHEMA)
PIN: Final = "a" * 64
RULE: Final = '[[rule]]\nnames = ["quay.io/team/**"]\n'
NOTARY: Final = f'{RULE}[rule.notary]\nroot-keys = ["{PIN}"]\n'
TUF: Final = f'{RULE}[rule.tuf]\nmetadata-url = "https://tuf.example.com"\nroot-sha256 = "{PIN}"\n'


def faults(text: str) -> list[str]:
    return [error.message for error in VALIDATOR.iter_errors(tomllib.loads(text))]


def texts_in(path: Path) -> Iterator[str]:
    """Yield every text written in a test that looks like a policy."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and "version = 1" in node.value:
            yield node.value


def good_policies() -> Iterator[tuple[str, str]]:
    """Yield every policy that is written out in the documentation, the fixtures and the tests, and is one."""
    yield from ((f"{block.page}", block.text) for block in blocks("toml") if "version = 1" in block.text)
    for file in sorted((ROOT / "fixtures").rglob("*.toml")):
        yield file.name, file.read_text(encoding="utf-8")
    for file in sorted((ROOT / "tests").rglob("*.py")):
        for text in texts_in(file):
            try:
                Policy.parse(text, folder=file.parent)
            except ImgsigError:
                continue
            yield file.name, text


def test_the_schema_is_one() -> None:
    jsonschema.Draft202012Validator.check_schema(SCHEMA)


@pytest.mark.parametrize(("where", "text"), list(good_policies()))
def test_a_good_policy_is_taken(where: str, text: str) -> None:
    assert faults(text) == [], where


def test_there_are_good_policies_to_take() -> None:
    assert len(list(good_policies())) > 12


TERMS: Final = f'archive = "x"\narchive-id = "sha256:{PIN}"\nas-of = "capture"\nmax-age-days = 3\n'


@pytest.mark.parametrize("section", [NOTARY, TUF, f'{RULE}exempt = "scratch"\n', NOTARY + TERMS, TUF + TERMS])
def test_each_kind_of_rule_is_taken_by_schema_and_policy_alike(section: str) -> None:
    assert faults(f"version = 1\n{section}") == []
    assert Policy.parse(f"version = 1\n{section}", folder=ROOT).rules


@pytest.mark.parametrize(
    "text",
    [
        "",
        "version = 2\n",
        "version = 1\nrules = 1\n",
        f"version = 1\n{RULE}",
        'version = 1\n[[rule]]\nexempt = "x"\n',
        'version = 1\n[[rule]]\nnames = []\nexempt = "x"\n',
        f'version = 1\n{RULE}exempt = ""\n',
        f"version = 1\n{RULE}exempt = true\n",
        f'version = 1\n{RULE}exempt = "x"\nsigned-as = "quay.io/x/**"\n',
        f'version = 1\n{RULE}exempt = "x"\n[rule.notary]\nfirst-use = true\n',
        f"version = 1\n{RULE}[rule.notary]\n",
        f"version = 1\n{RULE}[rule.notary]\nfirst-use = false\n",
        f"version = 1\n{NOTARY}first-use = true\n",
        f"version = 1\n{NOTARY}signer = []\n",
        f'version = 1\n{NOTARY}signers = ["Alice"]\n',
        f'version = 1\n{NOTARY}signers = ["releases"]\n',
        f'version = 1\n{NOTARY}signers = ["targets/alice"]\n',
        f'version = 1\n{NOTARY}server = "notary.example.com"\n',
        f'version = 1\n{NOTARY}server = "https://user@notary.example.com"\n',
        f"version = 1\n{NOTARY}max-stale-seconds = -1\n",
        f"version = 1\n{NOTARY}max-stale-seconds = 1.5\n",
        f'version = 1\n{RULE}[rule.notary]\nroot-keys = ["{PIN.upper()}"]\n',
        f"version = 1\n{RULE}[rule.notary]\nroot-keys = []\n",
        f'version = 1\n{RULE}[rule.notary]\nroot-keys = "{PIN}"\n',
        f'version = 1\n{TUF}root-file = "x"\n',
        f'version = 1\n{TUF}signers = ["targets"]\n',
        f'version = 1\n{RULE}[rule.tuf]\nroot-sha256 = "{PIN}"\n',
        f'version = 1\n{NOTARY}archive-id = "sha256:{PIN}"\n',
        f'version = 1\n{NOTARY}archive = "x"\nas-of = "capture"\nmax-age-days = 3\n',
        f'version = 1\n{NOTARY}archive = "x"\nas-of = "now"\n',
        f'version = 1\n{NOTARY}archive = "x"\nserver = "https://a"\n',
        f'version = 1\n{NOTARY}archive = "x"\nmax-stale-seconds = 1\n',
        f'version = 1\n{RULE}[rule.notary]\nfirst-use = true\narchive = "x"\n',
        f"version = 1\n{TUF}max-age-days = 3\n",
        f'version = 1\n{TUF}archive = "x"\nmax-age-days = 0\n',
        NOTARY,
        *(
            f'version = 1\n[[rule]]\nnames = ["{name}"]\nexempt = "x"\n'
            for name in ("*", "quay.io/*/app", "quay.io/app*", "quay.io/App", "quay.io/app@sha256", "", "quay.io//app")
        ),
    ],
)
def test_what_the_schema_can_see_to_be_wrong_is_refused_by_schema_and_policy_alike(text: str) -> None:
    assert faults(text) != []
    with pytest.raises(ImgsigError):
        Policy.parse(text, folder=ROOT)


def test_the_schema_knows_every_key_of_a_policy() -> None:
    unknown = "version = 1\n[[rule]]\nx = 1\n[rule.notary]\nx = 1\n[rule.tuf]\nx = 1\n"
    with pytest.raises(ImgsigError) as caught:
        Policy.parse(unknown)
    told = [fault for fault in getattr(caught.value, "faults", ()) if "known are" in fault]
    known = [set(fault.partition("known are ")[2].split(", ")) for fault in told]
    kinds = SCHEMA["$defs"]
    assert known == [set(kinds[kind]["properties"]) for kind in ("rule", "notary", "tuf")]
