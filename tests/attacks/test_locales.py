"""The command line says the same in every locale, also in those whose encoding has none of our letters."""

import json
import locale
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

from tests.support.repository import NAME, SignedRepository
from tests.support.static_server import StaticServer

ROOT: Final = Path(__file__).resolve().parents[2]
REASON: Final = "because of the Ä team, 因為 \U0001f600"
LOCALES: Final = {
    "as it is here": {},
    "C": {"LC_ALL": "C"},
    "C, not coerced": {"LC_ALL": "C", "PYTHONCOERCECLOCALE": "0", "PYTHONUTF8": "0"},
    "POSIX, not coerced": {"LANG": "POSIX", "PYTHONCOERCECLOCALE": "0", "PYTHONUTF8": "0"},
    "no utf-8 mode": {"LC_ALL": "C.UTF-8", "PYTHONUTF8": "0"},
    "utf-8 mode": {"LC_ALL": "C", "PYTHONUTF8": "1"},
    "ascii streams": {"PYTHONIOENCODING": "ascii:strict"},
    "latin-1 streams": {"PYTHONIOENCODING": "latin-1:strict"},
    "utf-16 streams": {"PYTHONIOENCODING": "utf-16-le:strict"},
    "Turkish": {"LC_ALL": "tr_TR.UTF-8"},
    "unknown": {"LC_ALL": "xx_YY.ISO-8859-5", "LANGUAGE": "xx"},
}


@pytest.fixture(scope="module")
def server() -> Iterator[StaticServer]:
    with StaticServer() as running:
        yield running


@pytest.fixture(scope="module")
def home(server: StaticServer, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home whose paths and policy have letters that no ASCII has."""
    home = tmp_path_factory.mktemp("hôme-家")
    repository = SignedRepository(tags=("latest", "Ä"))
    policy = home / ".config" / "imgsig" / "policy.toml"
    policy.parent.mkdir(parents=True)
    policy.write_text(
        f'version = 1\n# Ä comment\n[[rule]]\nnames = ["{NAME}"]\n[rule.notary]\n'
        f'server = "{server.add("r", repository)}"\nroot-keys = ["{repository.root_key_ids[0]}"]\n'
        f'[[rule]]\nnames = ["registry.example.com/exempt"]\nexempt = "{REASON}"\n',
        encoding="utf-8",
    )
    return home


def run(home: Path, environment: dict[str, str], *words: str | bytes) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        [sys.executable, "-m", "imgsig", *words],
        cwd=ROOT,
        env={"HOME": str(home), "PATH": os.defpath, **environment},
        capture_output=True,
        check=False,
    )


@pytest.mark.parametrize("name", LOCALES)
def test_a_command_says_the_same_in_every_locale(home: Path, name: str) -> None:
    encoding = LOCALES[name].get("PYTHONIOENCODING", "utf-8").partition(":")[0]
    encoding = "utf-8" if encoding == "latin-1" else encoding

    def said(done: subprocess.CompletedProcess[bytes]) -> str:
        text = (done.stdout + done.stderr).decode(encoding, "replace")
        assert "Traceback" not in text
        return text

    verified = run(home, LOCALES[name], "verify", "--explain", f"{NAME}:latest")
    assert verified.returncode == 0, verified.stderr
    assert f"{NAME}@sha256:" in said(verified)
    exempt = run(home, LOCALES[name], "verify", "registry.example.com/exempt")
    assert exempt.returncode == 12
    assert "because of the" in said(exempt)
    foreign = run(home, LOCALES[name], "verify", "\u00e9/app", b"\xff\xfe/app", "registry.example.com/\u5bb6")
    assert foreign.returncode == 10
    assert "no reference" in said(foreign) or "invalid_reference" in said(foreign)
    missing = run(home, LOCALES[name], "verify", "--policy", "/nicht/dä/家.toml", NAME)
    assert missing.returncode == 2
    assert "there is no such file" in said(missing)


@pytest.mark.parametrize("name", [name for name in LOCALES if name != "utf-16 streams"])
def test_json_is_the_same_bytes_in_every_locale(home: Path, name: str) -> None:
    done = run(home, LOCALES[name], "verify", "--json", f"{NAME}:latest", "registry.example.com/exempt", b"\xff/\xe9")
    verified, exempt, foreign = (json.loads(line) for line in done.stdout.splitlines())
    assert done.stdout.isascii()
    assert verified["outcome"] == "verified"
    assert exempt["summary"].endswith(REASON)
    assert foreign["code"] == "invalid_reference"


def test_the_library_asks_for_no_locale() -> None:
    """Nor does it set one: what a program has set is its own affair, and changes no answer."""
    before = locale.setlocale(locale.LC_ALL)
    assert "locale" not in (ROOT / "imgsig" / "verifier.py").read_text(encoding="utf-8")
    assert locale.setlocale(locale.LC_ALL) == before
