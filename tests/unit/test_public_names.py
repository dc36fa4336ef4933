"""``imgsig`` itself is the only promised import path: its names are sorted, complete and explained."""

import ast
import inspect
import types
from pathlib import Path

import pytest

import imgsig

NAMES: list[str] = list(getattr(imgsig, "__all__", []))


def test_the_names_are_sorted_and_unique() -> None:
    assert sorted(set(NAMES)) == NAMES


@pytest.mark.parametrize("name", NAMES)
def test_a_promised_name_is_there_and_says_what_it_is(name: str) -> None:
    value = getattr(imgsig, name)
    if inspect.isclass(value) or inspect.isroutine(value):
        assert (value.__doc__ or "").strip()
        assert value.__doc__ != getattr(value.__mro__[1] if inspect.isclass(value) else None, "__doc__", None)


def test_whatever_looks_public_is_promised() -> None:
    public = {
        name
        for name, value in vars(imgsig).items()
        if not name.startswith("_") and not isinstance(value, types.ModuleType)
    }
    assert public == {name for name in NAMES if not name.startswith("_")}


def test_the_package_itself_holds_no_code() -> None:
    tree = ast.parse(Path(str(imgsig.__file__)).read_text())
    kinds = {type(node) for node in tree.body}
    assert kinds <= {ast.Expr, ast.Import, ast.ImportFrom, ast.Assign, ast.AnnAssign}
