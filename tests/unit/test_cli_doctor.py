"""``imgsig doctor``: what will fail is told before it does."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from imgsig.notary.settings import RootKeys
from tests.support.archives import pinned
from tests.support.command import Desk, Ran
from tests.support.repository import METADATA_NOT_FOUND, NAME, Reply, SignedRepository
from tests.support.static_server import RESET, StaticServer
from tests.support.tuf_repository import TufRepository


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)


@pytest.fixture(scope="module")
def server() -> Iterator[StaticServer]:
    with StaticServer() as running:
        yield running


@pytest.fixture
def repository() -> SignedRepository:
    """A repository whose root was rotated, so that there is nothing to tell of it."""
    made = SignedRepository()
    made.rotate("root")
    made.publish()
    return made


@pytest.fixture
def url(server: StaticServer, repository: SignedRepository) -> str:
    return server.add("r", repository)


def trust(desk: Desk, repository: SignedRepository, url: str, *lines: str) -> None:
    desk.trust(repository, url, *lines, pin=pinned(repository).pins[0])


def words(ran: Ran) -> list[str]:
    """Return the word of every finding, by the text and by the JSON."""
    return [line.rpartition("(")[2].rstrip(")") for line in ran.lines if not line.startswith("  remedy: ")]


def found(desk: Desk, *argv: str, environ: dict[str, str] | None = None) -> list[Any]:
    return desk.run("doctor", "--json", *argv, environ=environ).values


def test_where_all_is_in_order_there_is_nothing_to_tell(desk: Desk, repository: SignedRepository, url: str) -> None:
    trust(desk, repository, url)
    ran = desk.run("doctor")
    assert (ran.status, ran.out, ran.said) == (0, "", ["imgsig: names looked at: 1, findings: 0"])
    assert not desk.state.exists(), "a diagnosis remembers nothing"


def test_a_finding_is_told_in_a_line_with_its_word_and_another_with_its_remedy(
    desk: Desk, repository: SignedRepository, url: str
) -> None:
    desk.trust(repository, url, pin="0" * 64)
    ran = desk.run("doctor")
    assert ran.status == 10
    assert ran.lines[0].startswith("error: the offered root is not signed by ")
    assert words(ran) == ["anchor_mismatch"]
    assert ran.lines[1].startswith("  remedy: ")


def test_a_finding_is_told_as_json(desk: Desk, repository: SignedRepository, url: str) -> None:
    desk.trust(repository, url, pin="0" * 64)
    ran = desk.run("doctor", "--json")
    (finding,) = ran.values
    assert (ran.status, finding["finding"], finding["severity"], finding["subject"]) == (
        10, "anchor_mismatch", "error", NAME,
    )


def test_findings_of_a_word_can_be_left_out(desk: Desk, repository: SignedRepository, url: str) -> None:
    desk.trust(repository, url, pin="0" * 64)
    assert desk.run("doctor", "--ignore", "anchor_mismatch").status == 0
    assert desk.run("doctor", "--ignore", "expired").status == 10


def test_without_a_policy_that_is_told_and_nobody_is_asked(desk: Desk) -> None:
    ran = desk.run("doctor")
    assert (ran.status, words(ran)) == (10, ["policy_missing"])
    assert sorted(words(desk.run("doctor", NAME))) == ["no_policy", "policy_missing"]


@pytest.mark.parametrize("words", [("doctor",), ("anchor", NAME), ("archive", NAME, "-o", "x")])
def test_a_faulty_policy_of_one_s_own_is_not_taken_for_none(desk: Desk, words: tuple[str, ...]) -> None:
    desk.write("rules = 1\n")
    ran = desk.run(*words)
    assert (ran.status, ran.out) == (2, "")
    assert ran.said[0].startswith("imgsig: policy: rules: unknown key")


def test_a_name_under_a_wildcard_is_looked_at_when_it_is_named(
    desk: Desk, repository: SignedRepository, url: str
) -> None:
    repository.fail("timestamp")
    said = f'server = "{url}"\nroot-keys = ["{pinned(repository).pins[0]}"]\n'
    desk.write(f'[[rule]]\nnames = ["registry.example.com/team/**"]\n[rule.notary]\n{said}')
    assert desk.run("doctor").status == 0
    assert words(desk.run("doctor", f"{NAME}:1.0")) == ["unreachable"]


def test_a_server_asked_for_on_the_command_line_is_the_only_one_asked(
    desk: Desk, repository: SignedRepository, url: str
) -> None:
    trust(desk, repository, "http://127.0.0.1:9")
    assert words(desk.run("doctor")) == ["unreachable"]
    assert desk.run("doctor", NAME, "--server", url).status == 0
    desk.trust(repository, url, pin="0" * 64)
    assert words(desk.run("doctor", NAME, "--server", url)) == ["anchor_mismatch"], "the rule's anchor counts there too"


def test_a_name_without_a_rule_is_looked_at_on_a_server_that_is_named(desk: Desk, url: str) -> None:
    assert words(desk.run("doctor", NAME, "--server", url)) == ["policy_missing"]


def test_a_server_without_names_is_wrong_usage(desk: Desk) -> None:
    ran = desk.run("doctor", "--server", "https://notary.example.com")
    assert (ran.status, ran.out, len(ran.said)) == (2, "", 2)


def test_what_ends_within_the_days_is_told(desk: Desk, repository: SignedRepository, url: str) -> None:
    trust(desk, repository, url)
    endings = found(desk, "--days", "36500")
    assert {finding["finding"] for finding in endings} == {"metadata_ends", "certificate_ends"}
    assert len(endings) == 4


@pytest.mark.parametrize("days", ["-1", "x", "36501", "1.5", "99999999"])
def test_what_are_no_days_is_wrong_usage(desk: Desk, days: str) -> None:
    assert desk.run("doctor", f"--days={days}").status == 2


def test_a_first_root_of_old_keys_is_told(desk: Desk, server: StaticServer) -> None:
    first = SignedRepository()
    trust(desk, first, server.add("first", first))
    assert words(desk.run("doctor")) == ["root_never_rotated"]


def test_a_rotated_root_that_the_rule_does_not_know_is_told_where_it_still_serves(
    desk: Desk, repository: SignedRepository, url: str
) -> None:
    trust(desk, repository, url)
    assert desk.run("verify", NAME).status == 0
    before = desk.files()
    repository.rotate("root")
    repository.publish()
    assert words(desk.run("doctor")) == ["anchor_outdated"]
    assert desk.files() == before, "a diagnosis changes nothing"


def test_a_server_that_wants_a_login_and_gets_none_is_told(
    desk: Desk, repository: SignedRepository, url: str
) -> None:
    repository.reply("root", Reply(401, b"", (("WWW-Authenticate", 'Basic realm="x"'),)))
    trust(desk, repository, url)
    assert [(one["finding"], one["subject"]) for one in found(desk)] == [("login_missing", "registry.example.com")]


def test_a_server_that_refuses_a_login_is_told_otherwise(desk: Desk, repository: SignedRepository, url: str) -> None:
    repository.reply("root", Reply(403, b""))
    trust(desk, repository, url)
    docker = desk.folder / ".docker"
    docker.mkdir()
    (docker / "config.json").write_text(json.dumps({"auths": {"registry.example.com": {"auth": "YTpi"}}}))
    assert words(desk.run("doctor")) == ["access_denied"]


def test_a_server_that_is_out_of_reach_is_told_once(desk: Desk) -> None:
    names = ", ".join(f'"registry.example.com/{number}"' for number in range(20))
    desk.write(
        f'[[rule]]\nnames = [{names}]\n[rule.notary]\nserver = "http://127.0.0.1:9"\nroot-keys = ["{"0" * 64}"]\n'
    )
    assert [(one["finding"], one["subject"]) for one in found(desk)] == [("unreachable", "http://127.0.0.1:9")]


def test_a_name_that_is_not_signed_is_told(desk: Desk, repository: SignedRepository, url: str) -> None:
    repository.reply("root", Reply(404, METADATA_NOT_FOUND))
    trust(desk, repository, url)
    assert words(desk.run("doctor")) == ["not_signed"]


def test_a_signer_whom_nobody_delegates_to_is_told(desk: Desk, repository: SignedRepository, url: str) -> None:
    trust(desk, repository, url, 'signers = ["carol"]')
    assert words(desk.run("doctor")) == ["signer_unknown"]


def test_rules_are_compared_with_each_other_and_with_what_is_known(desk: Desk) -> None:
    rule = f'[rule.notary]\nserver = "http://127.0.0.1:9"\nroot-keys = ["{"0" * 64}"]\n'
    desk.write(
        f'[[rule]]\nnames = ["quay.io/team/**"]\n{rule}[[rule]]\nnames = ["quay.io/team/scratch/*"]\nexempt = "x"\n'
    )
    assert words(desk.run("doctor")) == ["rule_laxer"]
    assert sorted(words(desk.run("doctor", "quay.io/team/scratch/a"))) == ["rule_laxer", "rule_unused"]


def test_a_tuf_repository_is_looked_at_once_for_all_names(
    desk: Desk, server: StaticServer, tmp_path: Path
) -> None:
    repository = TufRepository()
    (tmp_path / "root.json").write_bytes(repository.files["1.root.json"])
    desk.write(
        '[[rule]]\nnames = ["registry.example.com/a", "registry.example.com/b"]\n[rule.tuf]\n'
        f'metadata-url = "http://127.0.0.1:9"\nroot-file = "{tmp_path}/root.json"\n'
    )
    ran = desk.run("doctor")
    assert words(ran) == ["unreachable"]
    assert ran.said == ["imgsig: names looked at: 1, findings: 1"]


def test_a_policy_that_others_may_write_to_is_told(desk: Desk, repository: SignedRepository, url: str) -> None:
    trust(desk, repository, url)
    desk.policy.chmod(0o666)
    (finding,) = found(desk)
    assert (finding["finding"], finding["subject"]) == ("place_unsafe", str(desk.policy))


def test_a_state_that_cannot_be_read_or_written_is_told(desk: Desk, repository: SignedRepository, url: str) -> None:
    trust(desk, repository, url)
    desk.state.parent.mkdir(parents=True)
    desk.state.write_text("a file in the folder's place")
    assert sorted(words(desk.run("doctor"))) == ["state_read_only", "state_unreadable"]


def test_an_entry_of_the_state_that_is_damaged_is_told_and_the_rest_looked_at(
    desk: Desk, repository: SignedRepository, url: str
) -> None:
    trust(desk, repository, url)
    assert desk.run("verify", NAME).status == 0
    (record,) = desk.state.glob("*/trust.json")
    record.write_text("{")
    assert words(desk.run("doctor")) == ["state_unreadable"]


@pytest.mark.parametrize(
    ("variable", "version", "word"),
    [
        ("1", "29.1.3", "docker_ignores_trust"),
        ("1", "28.2.2", ""),
        ("0", "29.1.3", ""),
        ("false", "29.1.3", ""),
        ("yes", "29.1.3", "docker_ignores_trust"),
        ("1", "nonsense", "docker_unknown"),
    ],
)
def test_a_docker_client_that_ignores_the_variable_is_told(
    desk: Desk, repository: SignedRepository, url: str, *, variable: str, version: str, word: str
) -> None:
    trust(desk, repository, url)
    program = desk.folder / "docker"
    program.write_text(f"#!/bin/sh\necho {version}\n")
    program.chmod(0o755)
    environ = {**desk.environ, "DOCKER_CONTENT_TRUST": variable, "PATH": f"{desk.folder}:/usr/bin:/bin"}
    ran = desk.run("doctor", environ=environ)
    assert words(ran) == ([word] if word else [])


def test_many_names_are_looked_at_each_at_its_server(desk: Desk, server: StaticServer) -> None:
    rules = []
    for number in range(8):
        one = SignedRepository(f"registry.example.com/many/{number}")
        one.rotate("root")
        one.publish()
        if number == 5:
            one.reply("root", Reply(RESET))
        anchor = RootKeys(pinned(one).pins).pins[0]
        url = server.add(f"many{number}", one)
        rules.append(f'[[rule]]\nnames = ["{one.name}"]\n[rule.notary]\nserver = "{url}"\nroot-keys = ["{anchor}"]\n')
    desk.write("".join(rules))
    ran = desk.run("doctor", "--workers", "4")
    assert words(ran) == ["unreachable"]
    assert ran.said == ["imgsig: names looked at: 8, findings: 1"]
