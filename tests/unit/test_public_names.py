"""``imgsig`` itself is the only promised import path: its names are sorted, complete and explained."""

import ast
import inspect
import subprocess
import sys
import tomllib
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
    loaded = [getattr(imgsig, name) for name in NAMES]
    public = {
        name
        for name, value in vars(imgsig).items()
        if not name.startswith("_") and not isinstance(value, types.ModuleType) and name != "TYPE_CHECKING"
    }
    assert loaded
    assert public == {name for name in NAMES if not name.startswith("_")}


def test_type_checkers_see_the_names_that_there_are() -> None:
    tree = ast.parse(Path(str(imgsig.__file__)).read_text())
    seen = {alias.name for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) for alias in node.names}
    assert seen - {"TYPE_CHECKING", "import_module"} == set(NAMES) - {"__version__"}
    assert dir(imgsig) == sorted(NAMES)


def test_the_package_itself_holds_no_code_but_what_finds_a_name() -> None:
    tree = ast.parse(Path(str(imgsig.__file__)).read_text())
    guarded = [inner for node in tree.body if isinstance(node, ast.If) for inner in node.body]
    body = [node for node in tree.body if not isinstance(node, ast.If)]
    assert {type(node) for node in body} <= {ast.Expr, ast.ImportFrom, ast.Assign}
    assert [node.name for node in guarded if not isinstance(node, ast.ImportFrom)] == [  # type: ignore[attr-defined]
        "__getattr__",
        "__dir__",
    ]


def test_a_name_that_is_not_promised_is_not_there() -> None:
    with pytest.raises(AttributeError, match="Notation"):
        _ = imgsig.Notation  # type: ignore[attr-defined]


def test_the_version_is_the_project_s() -> None:
    project = Path(__file__).resolve().parents[2] / "pyproject.toml"
    assert imgsig.__version__ == tomllib.loads(project.read_text())["project"]["version"]


HEAVY = ("requests", "urllib3", "cryptography", "tuf", "securesystemslib")


@pytest.mark.parametrize(
    "statement",
    [
        "import imgsig",
        "import imgsig; imgsig.Verifier, imgsig.Policy, imgsig.verify",
        "from imgsig.cli import main; main(['--help'])",
        "from imgsig.cli import main; main(['verify', '--help'])",
    ],
)
def test_nothing_heavy_is_imported_before_it_is_needed(statement: str) -> None:
    script = f"{statement}\nimport sys; print('loaded:', *(name for name in {HEAVY} if name in sys.modules))"
    # -S: what a site folder's .pth files import is not ours to answer for.
    places = [place for place in sys.path if place]
    script = f"import sys; sys.path[:] = {places!r}\n{script}"
    ran = subprocess.run([sys.executable, "-S", "-c", script], check=True, capture_output=True, text=True)
    assert ran.stdout.splitlines()[-1] == "loaded:"


def test_the_bare_package_imports_nothing_of_its_own() -> None:
    script = "import imgsig, sys; print(*sorted(name for name in sys.modules if name.startswith('imgsig.')))"
    ran = subprocess.run([sys.executable, "-c", script], check=True, capture_output=True, text=True)
    assert ran.stdout.split() == []
