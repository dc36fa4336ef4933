import json
import re
from pathlib import Path
from typing import Any

import pytest

from imgsig.errors import InvalidReferenceError
from imgsig.reference import GRAMMAR, ImageReference, parse_reference

Case = dict[str, Any]

DOMAIN, PATH, TAG, DIGEST = (GRAMMAR[production].pattern for production in ("domain", "path", "tag", "digest"))
PRODUCTIONS = {
    "domain": GRAMMAR["domain"],
    "identifier": GRAMMAR["identifier"],
    "name": re.compile(rf"(?:({DOMAIN})/)?({PATH})", re.ASCII),
    "reference": re.compile(rf"((?:{DOMAIN}/)?{PATH})(?::({TAG}))?(?:@({DIGEST}))?", re.ASCII),
}


def parts_of(reference: ImageReference) -> dict[str, str]:
    """Return what upstream's tables and the library's own answers call the parts of a reference."""
    familiar = reference.name.removeprefix("docker.io/")
    if familiar.startswith("library/") and familiar.count("/") == 1:
        familiar = familiar.removeprefix("library/")
    return {
        "domain": reference.registry,
        "path": reference.repository,
        "repository": reference.name,
        "name": reference.name,
        "tag": reference.tag,
        "digest": reference.digest,
        "string": str(reference),
        "familiar_name": familiar,
        "familiar_string": familiar + str(reference).removeprefix(reference.name),
        "tag_name_only": str(reference.with_default_tag()),
    }


def parse_docker_ref(text: str) -> ImageReference:
    reference = parse_reference(text)
    return reference.without_tag() if reference.digest else reference.with_default_tag()


PARSERS = {"ParseNormalizedNamed": parse_reference, "ParseDockerRef": parse_docker_ref}


def cases_of(corpus: Path) -> list[Case]:
    document = json.loads((corpus / "reference-cases.json").read_text())
    return [case for case in document["cases"] if case["function"] in PARSERS]


def grammar_cases_of(corpus: Path) -> list[Case]:
    cases: list[Case] = json.loads((corpus / "reference-cases.json").read_text())["grammar_cases"]
    return cases


def test_references_mean_what_docker_makes_of_them(corpus: Path) -> None:
    wrong = []
    cases = cases_of(corpus)
    for case in cases:
        parse = PARSERS[case["function"]]
        if case["error"] is not None:
            with pytest.raises(InvalidReferenceError):
                parse(case["input"])
            continue
        parts = parts_of(parse(case["input"]))
        expected = {**(case["observed"] or {}), **{key: case[key] for key in parts if key in case}}
        wrong += [(case["input"], key, parts[key], value) for key, value in expected.items() if parts[key] != value]
    assert not wrong
    assert {case["function"] for case in cases} == set(PARSERS)


def test_productions_match_what_those_of_the_grammar_match(corpus: Path) -> None:
    wrong: list[tuple[str, object]] = []
    cases = grammar_cases_of(corpus)
    for case in cases:
        match = PRODUCTIONS[case["grammar"]].fullmatch(case["input"])
        if (match is not None) != case["match"]:
            wrong.append((case["input"], match))
        elif match and "groups" in case:
            groups = [group or "" for group in match.groups()]
            # The longest case has its groups in a list of one list.
            wrong += [(case["input"], groups)] if case["groups"] not in (groups, [groups]) else []
    assert not wrong
    assert {case["grammar"] for case in cases} == set(PRODUCTIONS)
