"""What the documentation says is so: codes, examples, links, and the sections that the code refers to."""

import ast
import inspect
import json
import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Final

import pytest

import imgsig
from imgsig.cli.arguments import make_parser
from imgsig.cli.statuses import STATUSES, USAGE
from imgsig.codes import Code, Outcome
from imgsig.diagnosis import Word
from imgsig.limits import DEFAULT_TIMEOUT_SECONDS, Limits
from imgsig.policy import Policy

ROOT: Final = Path(__file__).resolve().parents[2]
PAGES: Final = sorted(
    path.relative_to(ROOT).as_posix()
    for path in (*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *(ROOT / "fixtures").glob("*.md"))
)
MODULES: Final = sorted((ROOT / "imgsig").rglob("*.py"))

_FENCE: Final = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_HEADING: Final = re.compile(r"^(#+) (.+)$", re.MULTILINE)
_LINK: Final = re.compile(r"\]\(([^()\s]+)\)")
_CITATION: Final = re.compile(r'docs/([a-z0-9-]+\.md), ((?:"[^"]+"(?:,? and |, )?)+)')

RUN: Final = {("docs/embedding.md", "policy.to_toml()")}
"""Examples that need neither network nor files, by a text in them: they are run, the others compiled and looked at."""


@dataclass(frozen=True)
class Block:
    """A block of code in a page."""

    page: str
    language: str
    text: str

    def __str__(self) -> str:
        """Name it in a test's id."""
        return f"{self.page}:{self.text.strip().splitlines()[0][:40]}"


def page_text(page: str) -> str:
    return (ROOT / page).read_text(encoding="utf-8")


def blocks(*languages: str) -> list[Block]:
    return [
        Block(page, language, text)
        for page in PAGES
        for language, text in _FENCE.findall(page_text(page))
        if language in languages
    ]


def headings(page: str) -> list[str]:
    return [title.replace("`", "") for _, title in _HEADING.findall(_FENCE.sub("", page_text(page)))]


def anchors(page: str) -> set[str]:
    """Return the anchors of a page's headings, as mkdocs and GitHub make them of plain titles."""
    plain = (re.sub(r"[^\w\s-]", "", title).strip().lower() for title in headings(page))
    return {re.sub(r"[\s]+", "-", title) for title in plain}


# -- codes --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("outcome", list(Outcome), ids=lambda outcome: outcome.value)
def test_every_code_is_documented_with_its_cause_and_remedy(outcome: Outcome) -> None:
    title = outcome.value.replace("_", " ").capitalize()
    section = page_text("docs/codes.md").split(f"\n## {title}\n")[1].split("\n## ")[0]
    rows = [line for line in section.splitlines() if line.startswith("| `")]
    assert rows == [f"| `{code}` | {code.cause} | {code.remedy} |" for code in Code if code.outcome is outcome]


def test_the_codes_that_nothing_gives_yet_are_said_to_be_so() -> None:
    sentence = re.search(r"^Nothing gives (.+?) yet", page_text("docs/codes.md"), re.MULTILINE)
    texts = [path.read_text() for path in MODULES if path.name != "codes.py"]
    used = {name for text in texts for name in re.findall(r"\bCode\.([A-Z_]+)", text)}
    unused = {str(code) for code in Code if code.name not in used}
    assert set(re.findall(r"`(\w+)`", sentence[1] if sentence else "")) == unused


def test_every_finding_of_the_doctor_is_documented_with_its_cause_and_remedy() -> None:
    section = page_text("docs/doctor.md").split("\n## Findings\n")[1].split("\n## ")[0]
    rows = [line for line in section.splitlines() if line.startswith("| `")]
    assert rows == [f"| `{word}` | {word.severity.value} | {word.cause} | {word.remedy} |" for word in Word]


def test_the_exit_statuses_are_documented() -> None:
    text = page_text("docs/codes.md")
    rows = dict(re.findall(r"^\| `(\w+)` \|.*\| (\d+) \|$", text, re.MULTILINE))
    assert rows == {outcome.value: str(status) for outcome, status in STATUSES.items()}
    assert f"exits with {USAGE}." in text


@pytest.mark.parametrize(
    ("page", "sentence", "bound"),
    [
        ("notary-v1.md", r"deeper than (\S+) levels", Limits().max_json_depth),
        ("notary-v1.md", r"at most (\S+) signatures", Limits().max_signatures),
        ("notary-v1.md", r"at most (\S+) keys", Limits().max_root_keys),
        ("notary-v1.md", r"no document may be longer than (\S+) MiB", Limits().max_document_bytes >> 20),
        ("notary-v1.md", r"`timestamp.json` \| (\S+) MiB", Limits().max_timestamp_bytes >> 20),
        ("notary-v1.md", r"at most (\S+) certificates in a bundle", Limits().max_bundle_certificates),
        ("notary-v1.md", r"a path has at most (\S+) certificates", Limits().max_chain_certificates),
        ("notary-v1.md", r"at most (\S+) of them", Limits().max_root_rotations),
        ("tuf.md", r"`N.root.json` \| (\S+) bytes", Limits().max_tuf_root_bytes),
        ("tuf.md", r"`timestamp.json` \| (\S+) bytes", Limits().max_tuf_timestamp_bytes),
        ("tuf.md", r"or `snapshot.json` \| (\S+) bytes", Limits().max_tuf_snapshot_bytes),
        ("tuf.md", r"or `ROLE.json` \| (\S+) MiB", Limits().max_document_bytes >> 20),
        ("tuf.md", r"at most (\S+) delegated roles are asked", Limits().max_delegations),
        ("tuf.md", r"At most (\S+) are walked at once", Limits().max_root_rotations),
        ("trust-model.md", r"a deadline, (\S+) seconds by default", int(DEFAULT_TIMEOUT_SECONDS)),
        ("embedding.md", r"for the whole call, (\S+) by default", int(DEFAULT_TIMEOUT_SECONDS)),
    ],
)
def test_a_bound_that_a_page_tells_is_the_bound(page: str, sentence: str, bound: int) -> None:
    text = re.sub(r"\s+", " ", page_text(f"docs/{page}"))
    assert re.findall(sentence, text) == [f"{bound:,}"]


# -- examples -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("block", blocks("python"), ids=str)
def test_an_example_in_python_uses_names_and_arguments_that_exist(block: Block) -> None:
    tree = ast.parse(block.text)
    names = {"imgsig": imgsig, **_imported(tree)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute | ast.Name) and _root_of(node) in names:
            _resolved(node, names)
        if isinstance(node, ast.Call):
            _check_call(node, names)
    code = compile(tree, block.page, "exec")
    if any(block.page == page and mark in block.text for page, mark in RUN):
        exec(code, {"__name__": "example"})  # noqa: S102 - our own documentation


def test_every_example_that_should_run_is_there() -> None:
    for page, mark in RUN:
        assert any(block.page == page and mark in block.text for block in blocks("python"))


def functions_of(page: str, name: str) -> Any:  # noqa: ANN401 - a function
    """Return a function that an example defines."""
    block = next(block for block in blocks("python") if block.page == page and f"def {name}(" in block.text)
    namespace: dict[str, Any] = {"__name__": "example"}
    exec(compile(block.text, page, "exec"), namespace)  # noqa: S102 - our own documentation
    return namespace[name]


def recorded_verifier() -> imgsig.Verifier:
    facts = json.loads(page_text("fixtures/facts.json"))
    policy = imgsig.Policy.load(ROOT / "fixtures" / "policy.toml")
    source = imgsig.Archive.load(ROOT / "fixtures" / "app")
    return imgsig.Verifier(policy, source=source, clock=lambda: datetime.fromisoformat(facts["at"]))


def test_the_examples_of_what_comes_back_tell_verified_from_refused(capsys: pytest.CaptureFixture[str]) -> None:
    facts = json.loads(page_text("fixtures/facts.json"))
    name, verifier = facts["name"], recorded_verifier()
    pinned = f"{name}@{facts['tags']['1.0']}"
    admit, choose = functions_of("docs/embedding.md", "admit"), functions_of("docs/verdict.md", "image_to_deploy")
    assert admit(verifier, f"{name}:1.0") == (True, pinned)
    assert choose(verifier, f"{name}:1.0") == pinned
    allowed, why = admit(verifier, f"{name}:1.1")
    assert not allowed
    assert why.endswith("(signer_missing)")
    allowed, why = admit(verifier, "quay.io/team/app")
    assert not allowed
    assert why.startswith("no rule covers it")
    assert choose(verifier, f"{name}:1.1") is None
    assert capsys.readouterr().out.startswith("signer_missing: ")
    planned = functions_of("docs/embedding.md", "plan")(verifier, [f"{name}:1.0", f"{name}:1.1"])
    assert planned[f"{name}:1.0"] == pinned
    assert planned[f"{name}:1.1"].startswith("rejected: ")


def command_lines() -> Iterator[tuple[str, str]]:
    """Yield every call of imgsig with arguments, in blocks for a shell and within sentences: the page and the call."""
    for page in PAGES:
        shell = "\n".join(block.text for block in blocks("sh", "console") if block.page == page)
        calls = re.findall(r"\bimgsig ([a-z][^#|&)\n]*)", shell.replace("\\\n", " "))
        calls += re.findall(r"`imgsig ([a-z]+(?: [a-z]+)? [^`…]*[A-Z.:][^`…]*)`", _FENCE.sub("", page_text(page)))
        yield from ((page, call.strip()) for call in calls)


@pytest.mark.parametrize(("page", "call"), sorted(set(command_lines())))
def test_a_call_of_the_command_is_one_that_it_understands(page: str, call: str) -> None:
    words = shlex.split(re.sub(r"\s2?>\s?\S+", "", call))
    assert make_parser().parse_args(words).run, page


def test_the_readme_opens_with_what_a_user_types() -> None:
    first = next(block.text for block in blocks("sh") if block.page == "README.md")
    commands = [line.split() for line in first.splitlines() if line and not line.startswith("#")]
    assert [words[:2] for words in commands] == [["pip", "install"], ["imgsig", "anchor"], ["imgsig", "verify"]]


@pytest.mark.parametrize("block", blocks("toml"), ids=str)
def test_an_example_in_toml_is_a_policy(block: Block, tmp_path: Path) -> None:
    for kind, file in re.findall(r'^(root-ca|root-file) = "([^"/]+)"$', block.text, re.MULTILINE):
        certificate = "-----BEGIN CERTIFICATE-----\nMA==\n-----END CERTIFICATE-----\n"
        (tmp_path / file).write_text(certificate if kind == "root-ca" else "{}")
    assert Policy.parse(block.text, folder=tmp_path).rules


@pytest.mark.parametrize("block", blocks("json"), ids=str)
def test_an_example_in_json_is_json(block: Block) -> None:
    json.loads(block.text)


# -- links and references -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("page", PAGES)
def test_a_link_leads_to_a_file_and_a_heading_of_the_repository(page: str) -> None:
    for target in _LINK.findall(_FENCE.sub("", page_text(page))):
        if "://" in target:
            continue
        path, _, anchor = target.partition("#")
        file = ((ROOT / page).parent / path).resolve() if path else ROOT / page
        assert file.is_file(), f"{page} links to {target}"
        if page.startswith("docs/"):
            assert file.is_relative_to(ROOT / "docs"), f"{page} links out of docs/: {target}"
        if anchor:
            assert anchor in anchors(file.relative_to(ROOT).as_posix()), f"{page} links to {target}"


def test_every_page_of_the_documentation_is_in_its_table_of_contents() -> None:
    listed = re.findall(r": ([a-z0-9/-]+\.md)$", page_text("mkdocs.yml"), re.MULTILINE)
    assert sorted(f"docs/{page}" for page in listed) == [page for page in PAGES if page.startswith("docs/")]
    assert all(f"(docs/{page})" in page_text("README.md") for page in listed if page != "index.md")


def citations() -> Iterator[tuple[str, str, str]]:
    """Yield every section that the code refers to: the module, the page, the title."""
    for path in MODULES:
        text = re.sub(r"\s+", " ", path.read_text())
        for page, titles in _CITATION.findall(text):
            for title in re.findall(r'"([^"]+)"', titles):
                yield path.relative_to(ROOT).as_posix(), page, title


@pytest.mark.parametrize(("module", "page", "title"), sorted(set(citations())))
def test_a_section_that_the_code_refers_to_is_there(module: str, page: str, title: str) -> None:
    assert title in headings(f"docs/{page}"), f"{module} refers to it"


def test_the_code_refers_to_the_sections_of_the_dialect() -> None:
    assert len({title for _, page, title in citations() if page == "notary-v1.md"}) > 10


@pytest.mark.parametrize("module", [path.relative_to(ROOT).as_posix() for path in MODULES])
def test_a_page_or_decision_that_the_code_names_is_there(module: str) -> None:
    text = re.sub(r"\s+", " ", page_text(module))
    for page in re.findall(r"\bdocs/([a-z0-9-]+\.md)\b", text):
        assert (ROOT / "docs" / page).is_file(), page
    for listed in re.findall(r"decisions? ((?:\d+(?:, | and )?)+) in docs/decisions\.md", text):
        for number in re.findall(r"\d+", listed):
            assert any(title.startswith(f"{number}. ") for title in headings("docs/decisions.md")), number


# -- what examples are made of ------------------------------------------------------------------------------------


def _imported(tree: ast.Module) -> dict[str, Any]:
    """Return what an example imports from imgsig, which must all be promised there."""
    found: dict[str, Any] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and (node.module or "").partition(".")[0] == "imgsig":
            assert node.module == "imgsig", "examples import from imgsig alone"
            found |= {alias.asname or alias.name: _promised(alias.name) for alias in node.names}
    return found


def _promised(name: str) -> Any:  # noqa: ANN401 - whatever the package promises
    assert name in imgsig.__all__, f"imgsig promises no {name}"
    return getattr(imgsig, name)


def _root_of(node: ast.expr) -> str:
    while isinstance(node, ast.Attribute):
        node = node.value
    return node.id if isinstance(node, ast.Name) else ""


def _resolved(node: ast.expr, names: dict[str, Any]) -> Any:  # noqa: ANN401 - whatever an example names
    if isinstance(node, ast.Name):
        return names[node.id]
    assert isinstance(node, ast.Attribute)
    owner = _resolved(node.value, names)
    if owner is imgsig:
        return _promised(node.attr)
    assert hasattr(owner, node.attr), f"there is no {ast.unparse(node)}"
    return getattr(owner, node.attr)


def _check_call(node: ast.Call, names: dict[str, Any]) -> None:
    """Check that what is called takes these arguments, if it is known what is called."""
    if _root_of(node.func) not in names:
        return
    called = _resolved(node.func, names)
    positional = [None] * len(node.args)
    named = {keyword.arg: None for keyword in node.keywords if keyword.arg is not None}
    inspect.signature(called).bind(*positional, **named)
