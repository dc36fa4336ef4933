"""The notary client in a folder of its own: a publisher's tool, and the oracle for Docker Content Trust."""

import base64
import hashlib
import json
import re
import shutil
import subprocess
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, final

from tests.support.key_files import KeyPair, make_signer
from tests.support.processes import SYSTEM_PATH, ProgramError

PASSPHRASE = "a passphrase for tests"
PASSPHRASES = {f"NOTARY_{role}_PASSPHRASE": PASSPHRASE for role in ("ROOT", "TARGETS", "SNAPSHOT", "DELEGATION")}
RUN_SECONDS = 60
RELEASES = "targets/releases"


@final
@dataclass(frozen=True, slots=True)
class Answer:
    """How a run of the notary client ended."""

    status: int
    """Its exit status: 0 if it did what it was asked."""
    output: str
    """What it wrote, both streams."""

    @property
    def accepted(self) -> bool:
        """Whether it did what it was asked."""
        return self.status == 0

    @property
    def digest(self) -> str:
        """The ``sha256:…`` that a look-up printed, empty if none."""
        found = re.search(r"\bsha256:[0-9a-f]{64}\b", self.output)
        return found.group() if found and self.accepted else ""


class NotaryClient:
    """The notary client with a trust folder of its own: the oracle for Docker Content Trust."""

    def __init__(
        self,
        folder: Path,
        url: str,
        *,
        ca_file: Path | None = None,
        trust_pinning: Mapping[str, Any] | None = None,
        user: str = "",
        password: str = "",
    ) -> None:
        """Prepare it in `folder`, which becomes its home; `trust_pinning` is the section of its configuration."""
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self.trust = folder / "trust"
        configuration: dict[str, Any] = {"trust_dir": str(self.trust), "remote_server": {"url": url}}
        if ca_file is not None:
            configuration["remote_server"]["root_ca"] = str(ca_file)
        if trust_pinning is not None:
            configuration["trust_pinning"] = dict(trust_pinning)
        self._configuration = folder / "notary.json"
        self._configuration.write_text(json.dumps(configuration))
        self._environment = {"PATH": SYSTEM_PATH, "HOME": str(folder), **PASSPHRASES}
        if user:
            self._environment["NOTARY_AUTH"] = base64.b64encode(f"{user}:{password}".encode()).decode()

    def run(self, *arguments: str, typed: str = "") -> Answer:
        """Run the client with `arguments`, answer its questions with `typed`, and return how it ended."""
        program = shutil.which("notary", path=SYSTEM_PATH)
        if program is None:
            msg = "notary is not installed"
            raise ProgramError(msg)
        done = subprocess.run(
            [program, "-c", str(self._configuration), "-d", str(self.trust), *arguments],
            cwd=self.folder,
            env=self._environment,
            input=typed.encode(),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=RUN_SECONDS,
            check=False,
        )
        return Answer(done.returncode, done.stdout.decode(errors="replace"))

    def must(self, *arguments: str, typed: str = "") -> str:
        """Run the client with `arguments`, answer its questions with `typed`, and return its output.

        Raises:
            ProgramError: it ended with another status than 0.
        """
        answer = self.run(*arguments, typed=typed)
        if not answer.accepted:
            msg = f"notary {' '.join(arguments)}: status {answer.status}\n{answer.output}"
            raise ProgramError(msg)
        return answer.output

    def lookup(self, name: str, tag: str) -> Answer:
        """Ask which digest `name` has signed for `tag`; status 0 and the digest, or why not."""
        return self.run("lookup", name, tag)

    def list_targets(self, name: str, *, roles: Sequence[str] = ()) -> Answer:
        """Ask for everything that `name` has signed."""
        return self.run("list", name, *_options("--roles", roles))

    def cached(self, name: str, role: str) -> Path:
        """Return the path of the client's own copy of a role's metadata."""
        return self.trust / "tuf" / name / "metadata" / f"{role}.json"

    def forget(self, name: str) -> None:
        """Remove the client's copy of all metadata of `name`, so that it meets it for the first time."""
        shutil.rmtree(self.trust / "tuf" / name, ignore_errors=True)


@final
class Publisher(NotaryClient):
    """The notary client as a publisher uses it. What is staged reaches the server with ``publish``.

    Methods bear the names of the client's commands.
    """

    def init(self, name: str, *, root: KeyPair | None = None) -> None:
        """Begin the repository `name`, with a root key of the client's own making or the given one, and publish it."""
        if root is None:
            self.must("init", name, "--publish")
        else:
            self.key_import(root, "root")
            self.must("init", name, "--publish", "--rootcert", str(root.certificate))

    def add(self, name: str, tag: str, content: bytes, *, roles: Sequence[str] = ()) -> str:
        """Stage `content` as what `tag` stands for, and return its digest; `roles` are delegations, none is targets."""
        digest = hashlib.sha256(content).hexdigest()
        self.addhash(name, tag, f"sha256:{digest}", len(content), roles=roles)
        return f"sha256:{digest}"

    def addhash(self, name: str, tag: str, digest: str, length: int, *, roles: Sequence[str] = ()) -> None:
        """Stage a digest, ``sha256:…``, and length as what `tag` stands for."""
        value = digest.removeprefix("sha256:")
        self.must("addhash", name, tag, str(length), "--sha256", value, *_options("--roles", roles))

    def remove(self, name: str, tag: str, *, roles: Sequence[str] = ()) -> None:
        """Stage the removal of `tag`."""
        self.must("remove", name, tag, *_options("--roles", roles))

    def delegation_add(
        self, name: str, role: str, certificates: Iterable[Path], *, paths: Sequence[str] = ()
    ) -> None:
        """Stage the delegation `role` to the keys of `certificates`, for tags beginning with one of `paths`, or any."""
        scope = _options("--paths", paths) if paths else ["--all-paths"]
        self.must("delegation", "add", name, role, *map(str, certificates), *scope)

    def delegation_remove(self, name: str, role: str, *key_ids: str, paths: Sequence[str] = ()) -> None:
        """Stage the removal of keys or paths of a delegation, or of all of it."""
        everything = [] if key_ids or paths else ["--yes"]
        self.must("delegation", "remove", name, role, *key_ids, *_options("--paths", paths), *everything)

    def key_import(self, pair: KeyPair, role: str, *, name: str = "") -> None:
        """Import the private key of `pair` so that this client can sign as `role`."""
        scope = ["--gun", name] if name else []
        self.must("key", "import", str(pair.private_key), "--role", role, *scope)

    def signer_add(self, name: str, signer: str, *, releases: bool = True) -> KeyPair:
        """Stage what ``docker trust signer add`` does: ``targets/SIGNER``, and the same key in ``targets/releases``.

        The private key is imported here too, so that ``add(…, roles=[…])`` can sign for the signer.
        """
        pair = make_signer(self.folder, signer)
        role = f"targets/{signer}"
        self.key_import(pair, role, name=name)
        for delegation in (role, RELEASES) if releases else (role,):
            self.delegation_add(name, delegation, [pair.certificate])
        return pair

    def witness(self, name: str, *roles: str) -> None:
        """Stage a new signature of `roles`, with a new version and expiry."""
        self.must("witness", name, *roles)

    def publish(self, name: str) -> None:
        """Sign and send everything staged."""
        self.must("publish", name)

    def rotate(self, name: str, role: str, *, server_managed: bool = False, keys: Sequence[Path] = ()) -> None:
        """Replace the key of ``root``, ``targets``, ``snapshot`` or ``timestamp`` and publish that at once.

        The key of the timestamp is always the server's.
        """
        managed = ["--server-managed"] if server_managed or role == "timestamp" else []
        given = _options("--key", [str(key) for key in keys])
        self.must("key", "rotate", name, role, *managed, *given, typed="yes\n" if role == "root" else "")

    def delete(self, name: str) -> None:
        """Delete `name` here and on the server."""
        self.must("delete", name, "--remote")

    def key_ids(self, role: str, *, name: str = "") -> tuple[str, ...]:
        """Return the canonical ids of the private keys kept here for `role`, old ones included, sorted."""
        return tuple(sorted(key.stem for key in self.trust.glob("private/*.key") if _is_for(key, role, name)))


def _is_for(key: Path, role: str, name: str) -> bool:
    head = key.read_text()
    return f"role: {role}\n" in head and (not name or f"gun: {name}\n" in head)


def _options(option: str, values: Sequence[str]) -> list[str]:
    return [word for value in values for word in (option, value)]
