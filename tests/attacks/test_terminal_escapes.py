"""Whatever the metadata or the server says, the terminal of whoever looks at it obeys none of it.

Every line that a command writes, to either stream, is printable; JSON is ASCII without control characters.
"""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.command import Desk, Ran
from tests.support.repository import METADATA_NOT_FOUND, NAME, Reply, SignedRepository
from tests.support.root_certificates import CertificateForm, root_key
from tests.support.static_server import StaticServer

EVIL = "\x1b[2J\x1b]0;owned\x07\r\x08\x9b31m\u202e\u2066\u200b\u2028\x7f\nOK"
"""Clears the screen, names the window, rings, overwrites, colours, turns the direction, hides, breaks the line."""
COMMANDS = (
    ("verify", f"{NAME}:latest"),
    ("verify", "--explain", f"{NAME}:latest"),
    ("verify", "--json", f"{NAME}:latest"),
    ("verify", "--json", "--explain", f"{NAME}:latest"),
    ("anchor", NAME),
    ("anchor", "--json", NAME),
    ("state", "show"),
    ("state", "show", "--json"),
)


@pytest.fixture(scope="module")
def server() -> Iterator[StaticServer]:
    with StaticServer() as running:
        yield running


def check_harmless(ran: Ran) -> None:
    for line in (ran.out + ran.err).removesuffix("\n").split("\n"):
        assert line.isprintable(), ascii(line)


def run_all(desk: Desk, commands: tuple[tuple[str, ...], ...] = COMMANDS) -> str:
    """Run the commands, check what they say, and return it."""
    said = ""
    for command in commands:
        ran = desk.run(*command)
        check_harmless(ran)
        assert "--json" not in command or ran.out.isascii()
        said += ran.out + ran.err
    return said


def evil_role(repository: SignedRepository) -> None:
    repository.add_delegation("targets/a")
    repository.targets["delegations"]["roles"][0]["name"] = f"targets/{EVIL}"


def evil_key_id(repository: SignedRepository) -> None:
    repository.targets["delegations"]["keys"][EVIL] = 1


def evil_listed_id(repository: SignedRepository) -> None:
    repository.root["roles"]["targets"]["keyids"] = [EVIL]


def evil_signing_id(repository: SignedRepository) -> None:
    (key,) = repository.signers["targets"]
    repository.set_keys("targets", key.with_id(EVIL))


def evil_duplicate(repository: SignedRepository) -> None:
    twice = f'{{"{EVIL}":1,"{EVIL}":2}}'.encode()
    repository.alter("timestamp", lambda body: body[:-1] + b',"x":' + twice.replace(b"\n", b"\\n") + b"}")


def evil_member(member: str) -> Callable[[SignedRepository], None]:
    def bend(repository: SignedRepository) -> None:
        repository.edit("timestamp", lambda signed: signed.update({member: EVIL}))

    return bend


def evil_target(repository: SignedRepository) -> None:
    repository.targets["targets"][EVIL] = EVIL


def evil_hash(repository: SignedRepository) -> None:
    repository.edit("snapshot", lambda signed: signed["meta"].update({EVIL: {"hashes": {EVIL: EVIL}}}))


def evil_common_name(repository: SignedRepository) -> None:
    repository.set_keys("root", root_key(NAME, label="evil", form=CertificateForm(f"{NAME}*{EVIL}"[:64])))


def evil_subject(repository: SignedRepository) -> None:
    repository.set_keys("root", root_key(NAME, label="evil", form=CertificateForm(NAME, organization=EVIL)))


def evil_answer(**reply: Any) -> Callable[[SignedRepository], None]:  # noqa: ANN401 - the parts of a reply
    def bend(repository: SignedRepository) -> None:
        for role in ("root", "timestamp"):
            repository.reply(role, Reply(**reply))

    return bend


HEADER = EVIL.replace("\r", "").replace("\n", "").encode().decode("latin-1")
BENDS: dict[str, Callable[[SignedRepository], None]] = {
    "role": evil_role,
    "key id": evil_key_id,
    "listed id": evil_listed_id,
    "signing id": evil_signing_id,
    "duplicate member": evil_duplicate,
    "type": evil_member("_type"),
    "version": evil_member("version"),
    "expires": evil_member("expires"),
    "meta": evil_member("meta"),
    "target": evil_target,
    "hash": evil_hash,
    "common name": evil_common_name,
    "subject": evil_subject,
    "html": evil_answer(status=200, body=b"<html>" + EVIL.encode(), headers=(("Content-Type", "text/html"),)),
    "404": evil_answer(status=404, body=EVIL.encode()),
    "404 of notary": evil_answer(status=404, body=METADATA_NOT_FOUND + EVIL.encode()),
    "500": evil_answer(status=500, body=EVIL.encode(), headers=(("Content-Type", HEADER),)),
    "redirect": evil_answer(status=302, headers=(("Location", f"http://evil.example.com/{HEADER}"),)),
    "challenge": evil_answer(
        status=401, headers=(("WWW-Authenticate", f'Bearer realm="https://{HEADER}/",service="{HEADER}"'),)
    ),
    "retry after": evil_answer(status=429, headers=(("Retry-After", HEADER),)),
    "encoding": evil_answer(status=200, body=b"{}", headers=(("Content-Encoding", HEADER),)),
    "length": evil_answer(status=200, body=b"{}", headers=(("Content-Length", HEADER),)),
    "a header": evil_answer(status=200, body=b"{}", headers=(("X", "\x1b[2J"),)),
}


@pytest.mark.parametrize("bend", BENDS)
def test_no_command_passes_on_what_others_wrote(desk: Desk, server: StaticServer, bend: str) -> None:
    repository = SignedRepository(publish=False)
    BENDS[bend](repository)
    repository.publish()
    desk.trust(repository, server.add("r", repository))
    assert run_all(desk)


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)


def test_a_tag_is_shown_escaped(desk: Desk, server: StaticServer) -> None:
    """A digest is verified by tags that the publisher, or someone with his key, may name as he likes."""
    repository = SignedRepository(tags=(), publish=False)
    repository.add_target(EVIL, b"the image")
    repository.publish()
    desk.trust(repository, server.add("r", repository))
    asked = f"{NAME}@{repository.digest(EVIL)}"
    said = run_all(desk, (("verify", asked), ("verify", "--explain", asked), ("verify", "--json", asked)))
    assert "\\x1b[2J" in said
    ran = desk.run("verify", "--json", asked)
    assert ran.status == 0
    assert ran.values[0]["attestations"][0]["tags"] == [EVIL], "JSON tells the very tag, escaped as JSON"


def test_what_is_asked_about_is_shown_escaped(desk: Desk, server: StaticServer) -> None:
    repository = SignedRepository()
    desk.trust(repository, server.add("r", repository))
    hostile = (EVIL, f"{NAME}:{EVIL}", f"{EVIL}/app", "\udc9b31m")
    for reference in hostile:
        run_all(desk, (("verify", reference), ("verify", "--json", reference), ("verify", "--explain", reference)))
        check_harmless(desk.run("anchor", reference))
        check_harmless(desk.run("state", "forget", reference))
        check_harmless(desk.run("verify", "--policy", reference.replace("\0", ""), NAME))


def test_a_policy_that_someone_else_wrote_is_shown_escaped(desk: Desk) -> None:
    quoted = "".join(f"\\u{ord(character):04x}" for character in EVIL)
    desk.write(
        f'[[rule]]\nnames = ["{quoted}"]\n"{quoted}" = 1\nexempt = "{quoted}"\n'
        f'[[rule]]\nnames = ["{NAME}"]\n[rule.notary]\nroot-keys = ["{quoted}"]\nserver = "{quoted}"\n'
    )
    assert "\\x1b" in run_all(desk, (("policy", "check", str(desk.policy)), ("verify", NAME)))
    desk.write(f'[[rule]]\nnames = ["{NAME}"]\nexempt = "because {quoted}"\n')
    assert "\\x1b" in run_all(desk, (("verify", NAME), ("verify", "--explain", NAME), ("verify", "--json", NAME)))
