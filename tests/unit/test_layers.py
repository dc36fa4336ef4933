"""Imports point downwards: the order of the house, held for every import in every module."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]

LAYERS = {
    "doors": [
        "imgsig.__main__",
        "imgsig.cli",
        "imgsig.cli.verify",
        "imgsig.cli.anchor",
        "imgsig.cli.inspect",
        "imgsig.cli.archive",
        "imgsig.cli.doctor",
        "imgsig.cli.policy",
        "imgsig.cli.policy_import",
        "imgsig.cli.state",
        "imgsig.cli.places",
        "imgsig.cli.references",
        "imgsig.cli.policy_file",
        "imgsig.cli.arguments",
        "imgsig.cli.console",
        "imgsig.cli.statuses",
        "imgsig",
    ],
    "environment": ["imgsig.environment"],
    "diagnosis": ["imgsig.diagnosis", "imgsig.ownership"],
    "migration": [
        "imgsig.migration.connaisseur",
        "imgsig.migration.trust_pinning",
        "imgsig.migration.draft",
        "imgsig.migration.foreign",
        "imgsig.migration",
    ],
    "engine": [
        "imgsig.verifier",
        "imgsig.configuration",
        "imgsig.origins",
        "imgsig.agreement",
        "imgsig.lowering",
        "imgsig.batch",
    ],
    "policy": ["imgsig.policy", "imgsig.toml", "imgsig.patterns"],
    "archive": [
        "imgsig.archive",
        "imgsig.archive.named",
        "imgsig.archive.docker_trust",
        "imgsig.archive.reader",
        "imgsig.archive.saving",
        "imgsig.archive.partial",
        "imgsig.archive.recording",
        "imgsig.archive.wanted",
        "imgsig.archive.documents",
        "imgsig.archive.tar",
        "imgsig.archive.shelves",
        "imgsig.archive.capture",
        "imgsig.archive.disk",
        "imgsig.archive.places",
    ],
    "inspection": [
        "imgsig.examination",
        "imgsig.rehearsal",
        "imgsig.inspection.drawing",
        "imgsig.inspection.docker_format",
        "imgsig.inspection.inventory",
        "imgsig.inspection.offered",
        "imgsig.inspection",
    ],
    "authorities": [
        "imgsig.notary.client",
        "imgsig.notary.capture",
        "imgsig.notary.update",
        "imgsig.notary.documents",
        "imgsig.notary.prefetch",
        "imgsig.notary.answer",
        "imgsig.notary.outlook",
        "imgsig.tuf.client",
        "imgsig.tuf.capture",
        "imgsig.tuf.update",
        "imgsig.tuf.documents",
        "imgsig.tuf.answer",
        "imgsig.tuf.outlook",
        "imgsig.assignment",
        "imgsig.remembering",
        "imgsig.authority",
    ],
    "edges: servers": [
        "imgsig.transport",
        "imgsig.transport.client",
        "imgsig.transport.registry",
        "imgsig.transport.fetching",
        "imgsig.transport.tokens",
        "imgsig.transport.statuses",
        "imgsig.transport.exchange",
        "imgsig.transport.routes",
        "imgsig.transport.connections",
        "imgsig.transport.tls",
        "imgsig.transport.sockets",
        "imgsig.transport.challenges",
        "imgsig.transport.docker_tls",
        "imgsig.transport.docker_credentials",
        "imgsig.transport.docker_config",
        "imgsig.transport.docker_client",
        "imgsig.transport.credential_helper",
        "imgsig.transport.programs",
        "imgsig.transport.credentials",
        "imgsig.transport.proxies",
        "imgsig.transport.servers",
        "imgsig.transport.addresses",
    ],
    "edges: state": [
        "imgsig.state",
        "imgsig.state.folder",
        "imgsig.state.memory",
        "imgsig.state.record",
        "imgsig.state.files",
    ],
    "rules of Docker Content Trust": [
        "imgsig.notary.trusted",
        "imgsig.notary.choice",
        "imgsig.notary.roots",
        "imgsig.notary.pinning",
        "imgsig.notary.chains",
        "imgsig.notary.keys",
        "imgsig.notary.certificates",
        "imgsig.notary.der",
        "imgsig.notary.metadata",
        "imgsig.notary.entries",
        "imgsig.notary.structure",
        "imgsig.notary.pem",
        "imgsig.notary",
    ],
    "rules of TUF 1.x": [
        "imgsig.tuf.search",
        "imgsig.tuf.trusted",
        "imgsig.tuf.rules",
        "imgsig.tuf.delegations",
        "imgsig.tuf.metadata",
        "imgsig.tuf.fields",
        "imgsig.tuf.keys",
        "imgsig.tuf.model",
    ],
    "settings of TUF 1.x": ["imgsig.tuf.settings", "imgsig.tuf.mapping", "imgsig.tuf"],
    "settings of Docker Content Trust": ["imgsig.notary.settings", "imgsig.notary.pins"],
    "what sections share": ["imgsig.sections"],
    "what a registry has": [
        "imgsig.registry.check",
        "imgsig.registry.manifest",
        "imgsig.registry.platform",
        "imgsig.registry.source",
        "imgsig.registry",
    ],
    "texts": ["imgsig.faults", "imgsig.strictjson"],
    "words": [
        "imgsig.reference",
        "imgsig.verdict",
        "imgsig.outlook",
        "imgsig.trust",
        "imgsig.source",
        "imgsig.memory",
        "imgsig.limits",
        "imgsig.errors",
        "imgsig.codes",
    ],
}
"""From the top of the house to the bottom; within a layer, too, a module imports only what stands below it."""

UPWARDS = {("imgsig.errors", "imgsig.verdict"): "an error holds the verdict that raised it: for annotations alone"}

PURE = [
    *LAYERS["rules of Docker Content Trust"],
    *LAYERS["settings of Docker Content Trust"],
    *LAYERS["rules of TUF 1.x"],
    *LAYERS["settings of TUF 1.x"],
    *(module for module in LAYERS["words"] if module != "imgsig.limits"),
    *LAYERS["authorities"],
    *LAYERS["what sections share"],
    *LAYERS["what a registry has"],
    "imgsig.patterns",
    "imgsig.strictjson",
]
"""Bytes, values and a time in, values out; the deadline of ``imgsig.limits`` reads the monotonic clock."""

EFFECTS = frozenset(
    [
        "asyncio", "concurrent", "glob", "http", "io", "multiprocessing", "os", "pathlib", "platform", "random",
        "requests", "secrets", "select", "shutil", "signal", "socket", "socketserver", "ssl", "subprocess",
        "sys", "tempfile", "time", "urllib", "urllib3",
    ]
)
"""What reaches for the clock, the disk, the network, the environment or chance."""

EFFECT_CALLS = frozenset({"open", "print", "input", "exec", "eval"})

PURE_BUT = {
    ("imgsig.tuf.settings", "pathlib"): "a setting may name a file by any path; imgsig.faults reads it",
    ("imgsig.tuf.documents", "urllib.parse"): "it encodes the names of roles; nothing is requested",
    ("imgsig.sections", "os"): "a root file may be named by any path; imgsig.faults reads it",
    ("imgsig.sections", "pathlib"): "likewise",
    ("imgsig.notary.settings", "os"): "a setting may name a file by any path; imgsig.faults reads it",
    ("imgsig.notary.settings", "pathlib"): "likewise",
    ("imgsig.notary.prefetch", "concurrent.futures"): "documents are asked for side by side, of the source",
    ("imgsig.memory", "os"): "a forked child knows by its process id that it is one",
}

ONLY_IN = {
    "argparse": "imgsig.cli",
    "requests": "imgsig.transport",
    "securesystemslib": "imgsig.tuf",
    "tuf": "imgsig.tuf",
    "urllib3": "imgsig.transport",
}
"""Libraries that one folder stands for, so that only it translates their errors."""

ORDER = [module for layer in LAYERS.values() for module in layer]


def module_name(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES = {module_name(path): path for path in sorted((ROOT / "imgsig").rglob("*.py"))}


def imports_of(module: str) -> Iterator[str]:
    """Yield every module that `module` names in an import, wherever the import stands."""
    for node in ast.walk(ast.parse(MODULES[module].read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{module}: a relative import hides where it points"
            for alias in node.names:
                inner = f"{node.module}.{alias.name}"
                yield inner if inner in MODULES else str(node.module)


@pytest.mark.parametrize("module", MODULES)
def test_a_module_has_a_place_in_the_order(module: str) -> None:
    assert module in ORDER, "give it a place in LAYERS"


def test_the_order_names_only_modules_that_exist_and_each_once() -> None:
    assert sorted(ORDER) == sorted(set(ORDER) & set(MODULES))


@pytest.mark.parametrize("module", MODULES)
def test_imports_point_downwards(module: str) -> None:
    below = set(ORDER[ORDER.index(module) + 1 :]) if module in ORDER else set()
    upwards = [
        imported
        for imported in imports_of(module)
        if imported.split(".")[0] == "imgsig" and imported not in below and (module, imported) not in UPWARDS
    ]
    assert not upwards


@pytest.mark.parametrize("module", [module for module in PURE if module in MODULES])
def test_rules_and_words_touch_neither_clock_disk_network_nor_environment(module: str) -> None:
    touched = [
        imported
        for imported in imports_of(module)
        if imported.split(".")[0] in EFFECTS and (module, imported) not in PURE_BUT
    ]
    tree = ast.parse(MODULES[module].read_text())
    called = {node.func.id for node in ast.walk(tree) if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)}
    assert not touched
    assert not called & EFFECT_CALLS


@pytest.mark.parametrize("module", MODULES)
def test_a_library_is_imported_only_where_its_errors_are_translated(module: str) -> None:
    strayed = [
        imported
        for imported in imports_of(module)
        if (home := ONLY_IN.get(imported.split(".")[0])) and not f"{module}.".startswith(f"{home}.")
    ]
    assert not strayed


@pytest.mark.parametrize(("above", "below"), UPWARDS)
def test_an_exception_to_the_order_is_for_annotations_alone(above: str, below: str) -> None:
    tree = ast.parse(MODULES[above].read_text())
    guarded = [
        inner
        for node in tree.body
        if isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING"
        for inner in ast.walk(node)
        if isinstance(inner, ast.ImportFrom)
    ]
    everywhere = [node for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) and node.module == below]
    assert everywhere
    assert all(node in guarded for node in everywhere)
