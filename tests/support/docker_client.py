"""Docker's client as the oracle of ``inspect``: ``docker trust inspect`` needs a trust server and no daemon."""

import json
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final, final

from tests.support.key_files import make_signer
from tests.support.notary_client import RELEASES, Publisher
from tests.support.peers import NotaryServer
from tests.support.processes import SYSTEM_PATH, ProgramError

RUN_SECONDS: Final = 60
NAME: Final = "registry.example.com/team/app"
TAGS: Final = ("1.9", "1.10", "1.2", "v2", "v10", "v02", "2", "02", "10", "latest", "Latest", "_old", "1.0-rc1", "1.0")
"""Tags whose natural order is not that of their characters."""
ARGUMENTS: Final = (NAME, f"{NAME}:1.10", f"{NAME}:split", f"{NAME}:docs-1", f"{NAME}:carol-only", f"{NAME}:none")
"""What is asked about the name that `publish_for_inspection` publishes."""


@final
class DockerClient:
    """The client in a home of its own, with one trust server."""

    def __init__(self, folder: Path, server: NotaryServer) -> None:
        """Prepare it in `folder`; the server speaks TLS."""
        self.folder = folder
        configuration = folder / ".docker"
        if server.ca_file is not None:
            place = configuration / "tls" / server.url.removeprefix("https://")
            place.mkdir(parents=True)
            shutil.copy(server.ca_file, place / "ca.crt")
        self._environment = {
            "PATH": SYSTEM_PATH,
            "HOME": str(folder),
            "DOCKER_CONFIG": str(configuration),
            "DOCKER_CONTENT_TRUST_SERVER": server.url,
        }

    @property
    def version(self) -> str:
        """What the client says that it is; empty if there is none, or one that cannot inspect trust by itself."""
        if shutil.which("docker", path=SYSTEM_PATH) is None or self._run("trust", "inspect", "--help").returncode:
            return ""
        return self._run("--version").stdout.strip()

    def trust_inspect(self, argument: str) -> str:
        """Return what ``docker trust inspect`` prints.

        Raises:
            ProgramError: it failed.
        """
        done = self._run("trust", "inspect", argument)
        if done.returncode:
            msg = f"docker trust inspect {argument}: status {done.returncode}\n{done.stderr}"
            raise ProgramError(msg)
        return done.stdout

    def _run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        program = shutil.which("docker", path=SYSTEM_PATH)
        if program is None:
            msg = "docker is not installed"
            raise ProgramError(msg)
        return subprocess.run(
            [program, *arguments],
            cwd=self.folder,
            env=self._environment,
            capture_output=True,
            text=True,
            timeout=RUN_SECONDS,
            check=False,
        )


def publish_for_inspection(publisher: Publisher) -> None:
    """Publish NAME with three signers and all that an inspection can meet.

    Signed by several, by one and by nobody but the owner; by a signer alone; the same tag with two digests in the two
    roles that releases are taken from; a signer for some tags only, one below another, one who has signed nothing.
    """
    publisher.init(NAME)
    for signer in ("alice", "bob", "carol"):
        publisher.signer_add(NAME, signer)
    publisher.publish(NAME)
    for role, paths in (("targets/docs", ["docs-", "manual-"]), ("targets/alice/qa", [])):
        pair = make_signer(publisher.folder, role.rpartition("/")[2])
        publisher.key_import(pair, role, name=NAME)
        publisher.delegation_add(NAME, role, [pair.certificate], paths=paths)
    publisher.signer_add(NAME, "dave", releases=False)
    publisher.publish(NAME)
    for number, tag in enumerate(TAGS):
        signers = [f"targets/{signer}" for signer in ("alice", "bob", "carol")[: number % 4]]
        publisher.add(NAME, tag, b"%d" % number, roles=[RELEASES, *signers] if number % 5 else ["targets", *signers])
    publisher.add(NAME, "1.10", b"1", roles=["targets/alice/qa"])
    publisher.add(NAME, "split", b"of the owner", roles=["targets"])
    publisher.add(NAME, "split", b"of a release", roles=[RELEASES, "targets/bob"])
    publisher.add(NAME, "carol-only", b"carol's", roles=["targets/carol"])
    publisher.add(NAME, "docs-1", b"a manual", roles=["targets", "targets/docs"])
    publisher.publish(NAME)


def comparable(answer: Sequence[dict[str, Any]]) -> tuple[list[list[str]], list[dict[str, Any]]]:
    """Return the order of the tags, and the answer with rows of one tag, which docker prints in no order, sorted."""
    order = [[row["SignedTag"] for row in one["SignedTags"]] for one in answer]
    return order, [{**one, "SignedTags": sorted(one["SignedTags"], key=json.dumps)} for one in answer]
