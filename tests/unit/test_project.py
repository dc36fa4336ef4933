"""What the project's files promise to each other, and the bounds of the house style."""

import ast
import re
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
MODULES = sorted(path.relative_to(ROOT).as_posix() for path in (ROOT / "imgsig").rglob("*.py"))
MODULE_LINES = 500
FUNCTION_LINES = 60


def test_the_lowest_versions_tested_are_those_that_the_project_admits() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    pinned = re.findall(r"^([a-z0-9-]+)==([0-9.]+)$", (ROOT / "tests" / "lowest.txt").read_text(), re.MULTILINE)
    assert sorted(f"{name}>={version}" for name, version in pinned) == sorted(project["dependencies"])


@pytest.mark.parametrize("module", MODULES)
def test_no_module_and_no_function_is_too_long_to_be_read(module: str) -> None:
    text = (ROOT / module).read_text()
    assert len(text.splitlines()) <= MODULE_LINES
    too_long = [
        node.name
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and (node.end_lineno or node.lineno) - node.lineno + 1 > FUNCTION_LINES
    ]
    assert not too_long
