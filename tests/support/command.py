"""The command line in this process: a home of its own, a policy, and what it said and returned."""

import contextlib
import io
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, final

from imgsig.cli import main
from tests.support.repository import SignedRepository


@final
@dataclass(frozen=True, slots=True)
class Ran:
    """What came of one command."""

    status: int
    out: str
    err: str

    @property
    def lines(self) -> list[str]:
        """The lines of stdout."""
        return self.out.splitlines()

    @property
    def said(self) -> list[str]:
        """The lines of stderr."""
        return self.err.splitlines()

    @property
    def values(self) -> list[Any]:
        """The lines of stdout, each as JSON, which must be ASCII."""
        assert self.out.isascii()
        return [json.loads(line) for line in self.lines]


@final
class Desk:
    """A user's home folder, in which nothing is set up."""

    def __init__(self, folder: Path, **variables: str) -> None:
        """Live in `folder`, with `variables` besides HOME."""
        self.folder = folder
        self.environ = {"HOME": str(folder), **variables}

    @property
    def policy(self) -> Path:
        """Where the user's own policy is looked for."""
        return self.folder / ".config" / "imgsig" / "policy.toml"

    @property
    def state(self) -> Path:
        """Where trust is remembered."""
        return self.folder / ".local" / "state" / "imgsig"

    def run(self, *argv: str | Path, environ: Mapping[str, str] | None = None) -> Ran:
        """Run one command."""
        out, err = io.StringIO(), io.StringIO()
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            status = main([str(word) for word in argv], environ=self.environ if environ is None else environ)
        assert "Traceback" not in err.getvalue()
        return Ran(status, out.getvalue(), err.getvalue())

    def trust(self, repository: SignedRepository, server: str, *lines: str, pin: str = "") -> Path:
        """Write the user's own policy: the repository's root key is trusted, `lines` are said besides."""
        said = [f'server = "{server}"', f'root-keys = ["{pin or repository.root_key_ids[0]}"]', *lines]
        return self.write(f'[[rule]]\nnames = ["{repository.name}"]\n[rule.notary]\n' + "\n".join(said) + "\n")

    def write(self, rules: str) -> Path:
        """Write the user's own policy."""
        self.policy.parent.mkdir(parents=True, exist_ok=True)
        self.policy.write_text(f"version = 1\n{rules}", encoding="utf-8")
        return self.policy

    def files(self, folder: Path | None = None) -> dict[str, bytes]:
        """Return what all files below a folder hold, by default those of the state."""
        below = self.state if folder is None else folder
        return {str(path.relative_to(below)): path.read_bytes() for path in sorted(below.rglob("*")) if path.is_file()}
