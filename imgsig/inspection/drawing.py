"""A drawing of who delegates to whom, in the language of Graphviz."""

from collections.abc import Iterator
from typing import Final

from imgsig.inspection.inventory import Inventory, InventoryRole
from imgsig.strictjson import quote

_SHOWN_ID: Final = 12
_SHOWN_KEYS: Final = 4
_SHOWN_PATHS: Final = 4


def draw_delegations(inventory: Inventory) -> str:
    """Return the drawing: a box a role with its keys, an arrow from each role to those that it lists the keys of.

    Roles without a verified document are dashed. What others wrote is escaped, so that none of it is a command.

    Spec: Graphviz, the DOT language.
    """
    lines = [
        f"digraph {_text(inventory.repository.name)} {{",
        "  rankdir=LR;",
        '  node [shape=box, style=rounded, fontname="sans-serif", fontsize=11];',
        '  edge [fontname="sans-serif", fontsize=9];',
        *(f"  {line}" for role in inventory.roles for line in _role(role)),
        "}",
    ]
    return "\n".join(lines)


def _role(role: InventoryRole) -> Iterator[str]:
    found = role.fault
    if role.expires is not None:
        tags = "" if not role.name.startswith("targets") else ", 1 tag" if role.tags == 1 else f", {role.tags} tags"
        found = f"version {role.version}, expires {role.expires:%Y-%m-%d}{tags}"
    keys = [f"{key_id[:_SHOWN_ID]}…" for key_id in role.key_ids[:_SHOWN_KEYS]]
    more = len(role.key_ids) - _SHOWN_KEYS
    of = f"{role.threshold} of {len(role.key_ids)} keys:" if len(role.key_ids) > 1 else "key"
    label = [role.name, found, " ".join((of, *keys, *([f"and {more} more"] if more > 0 else [])))]
    dashed = ', style="rounded,dashed"' if role.fault else ""
    yield f"{_text(role.name)} [label={_text(*label)}{dashed}];"
    parent = role.name.rpartition("/")[0] or ("" if role.name == "root" else "root")
    if parent:
        yield f"{_text(parent)} -> {_text(role.name)}{_paths(role)};"


def _paths(role: InventoryRole) -> str:
    if not role.name.startswith("targets/"):
        return ""
    if "" in role.paths:
        return ' [label="every tag"]'
    shown = [f"{quote(path)}…" for path in role.paths[:_SHOWN_PATHS]]
    shown += ["…"] if len(role.paths) > _SHOWN_PATHS else []
    return f" [label={_text(*(shown or ['no tag']))}]"


def _text(*lines: str) -> str:
    """Return lines as one quoted text, in which nothing else is a command."""
    escaped = (line.replace("\\", "\\\\").replace('"', '\\"') for line in lines)
    return '"' + "\\n".join(escaped) + '"'
