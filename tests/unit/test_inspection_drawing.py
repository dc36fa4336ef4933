"""The drawing is Graphviz's language, and what others wrote is text in it and nothing else."""

import re
import shutil
import subprocess

import pytest

from imgsig.inspection.drawing import draw_delegations
from imgsig.inspection.inventory import take_inventory
from tests.support.asker import looked_at
from tests.support.processes import SYSTEM_PATH
from tests.support.repository import SignedRepository
from tests.support.signing import make_key

NASTY = '"] ; evil [label="\\'


def drawn(repository: SignedRepository) -> str:
    repository.publish()
    return draw_delegations(take_inventory(looked_at(repository)))


def arrows(drawing: str) -> list[tuple[str, str, str]]:
    return re.findall(r'^  "([^"]+)" -> "([^"]+)"(?: \[label="(.*)"\])?;$', drawing, re.MULTILINE)


def delegating() -> SignedRepository:
    repository = SignedRepository(tags=("1",), publish=False)
    keys = [make_key("p256", f"key {number}") for number in range(6)]
    repository.add_delegation("targets/releases", *keys, threshold=2)
    repository.add_delegation("targets/docs", paths=[f"docs-{number}" for number in range(5)])
    repository.add_delegation("targets/docs/de", paths=["docs-1-de"])
    repository.add_delegation("targets/nothing", paths=None)
    repository.add_delegation("targets/new", metadata=False)
    return repository


def test_an_arrow_leads_from_each_role_to_those_it_lists_the_keys_of() -> None:
    assert arrows(drawn(delegating())) == [
        ("root", "timestamp", ""),
        ("root", "snapshot", ""),
        ("root", "targets", ""),
        ("targets", "targets/releases", "every tag"),
        ("targets", "targets/docs", r"'docs-0'…\n'docs-1'…\n'docs-2'…\n'docs-3'…\n…"),
        ("targets", "targets/nothing", "no tag"),
        ("targets", "targets/new", "every tag"),
        ("targets/docs", "targets/docs/de", "'docs-1-de'…"),
    ]


def test_a_box_tells_version_expiry_and_keys() -> None:
    drawing = drawn(delegating())
    (targets,) = re.findall(r'^  "targets" \[label="(.+)"\];$', drawing, re.MULTILINE)
    assert targets.startswith(r"targets\nversion 1, expires 2090-01-01, 1 tag\nkey ")
    (releases,) = re.findall(r'^  "targets/releases" \[label="(.+)"\];$', drawing, re.MULTILINE)
    assert r"\n2 of 6 keys: " in releases
    assert releases.endswith("… and 2 more")
    assert r"\nit has published nothing\nkey " in drawing
    assert drawing.count("dashed") == 1


def test_text_of_others_stays_text() -> None:
    repository = SignedRepository()
    repository.add_delegation("targets/docs", paths=[NASTY, "\x1b[31m\u202e"])
    drawing = drawn(repository)
    assert [arrow[:2] for arrow in arrows(drawing)][-1] == ("targets", "targets/docs")
    assert "evil" not in re.sub(r'"(?:[^"\\]|\\.)*"', "", drawing)
    assert "\x1b" not in drawing
    assert "\u202e" not in drawing


def test_graphviz_draws_it() -> None:
    program = shutil.which("dot", path=SYSTEM_PATH)
    if program is None:
        pytest.skip("Graphviz is not installed")
    repository = delegating()
    repository.add_delegation("targets/nasty", paths=[NASTY, "\\N\\n"])
    done = subprocess.run(
        [program, "-Tplain"], input=drawn(repository), capture_output=True, text=True, timeout=30, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
    boxes = [line.split(" ")[1] for line in done.stdout.splitlines() if line.startswith("node ")]
    assert len(boxes) == 10
    assert "evil" not in boxes
