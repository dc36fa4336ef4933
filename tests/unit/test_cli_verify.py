"""``imgsig verify``: outcomes, exit statuses, and what goes to which stream."""

import io
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from imgsig.cli.console import Console
from imgsig.codes import Code
from tests.support.command import Desk
from tests.support.hostile import HostileServer, reply, write_ca
from tests.support.images import UNKNOWN, make_image, make_index, serve_images
from tests.support.repository import NAME, Reply, SignedRepository
from tests.support.static_server import StaticServer

NOWHERE = "http://127.0.0.1:9"


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)


@pytest.fixture(scope="module")
def server() -> Iterator[StaticServer]:
    with StaticServer() as running:
        yield running


@pytest.fixture
def repository() -> SignedRepository:
    return SignedRepository()


@pytest.fixture
def url(desk: Desk, server: StaticServer, repository: SignedRepository) -> str:
    """The repository's server; the user's policy trusts it."""
    url = server.add("r", repository)
    desk.trust(repository, url)
    return url


def pinned(repository: SignedRepository, tag: str) -> str:
    return f"{repository.name}@{repository.digest(tag)}"


def test_a_verified_image_is_one_line_on_stdout_and_nothing_else(
    desk: Desk, url: str, repository: SignedRepository
) -> None:
    ran = desk.run("verify", f"{NAME}:1.0")
    assert (ran.status, ran.out, ran.err) == (0, pinned(repository, "1.0") + "\n", "")


def test_no_tag_means_latest(desk: Desk, url: str, repository: SignedRepository) -> None:
    ran = desk.run("verify", NAME)
    assert ran.lines == [pinned(repository, "latest")]
    assert desk.run("verify", "--json", NAME).values[0]["reference"] == f"{NAME}:latest"


def test_every_reference_gives_its_line_in_order(desk: Desk, url: str, repository: SignedRepository) -> None:
    ran = desk.run("verify", f"{NAME}:latest", f"{NAME}:1.0")
    assert ran.status == 0
    assert ran.lines == [pinned(repository, "latest"), pinned(repository, "1.0")]


def test_policy_and_state_may_be_named(desk: Desk, url: str, tmp_path: Path) -> None:
    elsewhere = desk.policy.rename(tmp_path / "other.toml")
    ran = desk.run("verify", "--policy", elsewhere, "--state", tmp_path / "trust", NAME)
    assert ran.status == 0
    assert desk.files(tmp_path / "trust")
    assert not desk.state.exists()


# -- bad input: the outcome, one line, what to do, no more ------------------------------------------------------------


def one_byte_changed(body: bytes) -> bytes:
    return body.replace(b'"expires":"2090', b'"expires":"2091')


def remove(repository: SignedRepository) -> None:
    repository.drop("timestamp")
    repository.drop("root")


def expire(repository: SignedRepository) -> None:
    repository.expire("timestamp")
    repository.publish()


HTML = Reply(200, b"<!DOCTYPE html><title>Please log in</title>", (("Content-Type", "text/html"),))

BAD: dict[str, tuple[Callable[[SignedRepository], object], str, Code]] = {
    "a name that is signed no more": (remove, "app", Code.TRUST_DATA_REMOVED),
    "a missing tag": (lambda _: None, "app:9", Code.TAG_NOT_SIGNED),
    "an expired role": (expire, "app", Code.EXPIRED),
    "a tampered byte": (lambda r: r.tamper("timestamp", one_byte_changed), "app", Code.THRESHOLD),
    "a truncated document": (lambda r: r.tamper("timestamp", lambda body: body[:-1]), "app", Code.MALFORMED),
    "a proxy's page": (lambda r: r.reply("timestamp", HTML), "app", Code.BAD_RESPONSE),
    "a server that fails": (lambda r: r.fail("timestamp"), "app", Code.UNREACHABLE),
    "a server that throttles": (lambda r: r.fail("timestamp", 429), "app", Code.THROTTLED),
    "a server that refuses": (lambda r: r.fail("timestamp", 403), "app", Code.ACCESS_DENIED),
    "a server that hangs up": (lambda r: r.reply("timestamp", Reply(0)), "app", Code.UNREACHABLE),
}


@pytest.mark.parametrize("what", BAD)
def test_what_cannot_be_verified_is_said_in_one_line_with_a_hint_and_leaves_the_state_as_it_was(
    desk: Desk, url: str, repository: SignedRepository, what: str
) -> None:
    bend, reference, code = BAD[what]
    assert desk.run("verify", NAME).status == 0
    before = desk.files()
    bend(repository)
    ran = desk.run("verify", "--json", NAME.replace("app", reference))
    (verdict,) = ran.values
    assert verdict["code"] == str(code)
    assert ran.status == {"rejected": 10, "inconclusive": 11}[code.outcome.value]
    problem, hint = ran.said
    assert problem.startswith("imgsig: registry.example.com/team/app")
    assert problem.endswith(f"({code})")
    assert hint.startswith("hint: ")
    assert desk.files() == before


def test_a_name_that_was_never_signed_is_rejected(desk: Desk, url: str, repository: SignedRepository) -> None:
    repository.drop("root")
    ran = desk.run("verify", "--json", NAME)
    assert (ran.status, ran.values[0]["code"]) == (10, "not_signed")
    assert not desk.state.exists()


def test_a_server_that_is_not_there_is_inconclusive(desk: Desk, repository: SignedRepository) -> None:
    desk.trust(repository, NOWHERE)
    ran = desk.run("verify", "--json", NAME)
    assert (ran.status, ran.values[0]["code"]) == (11, "unreachable")
    assert not desk.state.exists()


def test_another_key_than_the_pinned_one_is_rejected(desk: Desk, url: str, repository: SignedRepository) -> None:
    desk.trust(repository, url, pin="0" * 64)
    ran = desk.run("verify", NAME)
    assert (ran.status, ran.out) == (10, "")
    assert "(anchor_mismatch)" in ran.said[0]
    assert not desk.state.exists()


@pytest.mark.parametrize(
    "reference", ["", "Team/App", "a b", "x" * 2000, "0" * 64, "app:", "\x1b[31mred", "\udcff", "\u202eapp", "é"]
)
def test_text_that_is_no_reference_is_rejected_in_one_line(desk: Desk, url: str, reference: str) -> None:
    ran = desk.run("verify", "--json", reference)
    assert (ran.status, ran.values[0]["code"]) == (10, "invalid_reference")
    problem, hint = ran.said
    assert problem.isprintable()
    assert len(problem) < 1000
    assert hint == "hint: write it as NAME, NAME:TAG or NAME@sha256:HEX"


def test_a_name_without_a_rule_has_no_policy_and_causes_no_request(desk: Desk, url: str) -> None:
    ran = desk.run("verify", "alpine")
    assert (ran.status, ran.out) == (12, "")
    assert "docker.io/library/alpine" in ran.said[0]


def test_an_exempt_name_has_no_policy(desk: Desk) -> None:
    desk.write(f'[[rule]]\nnames = ["{NAME}"]\nexempt = "built here"\n')
    ran = desk.run("verify", NAME)
    assert (ran.status, ran.said) == (12, [f"imgsig: {NAME}: exempt from verification: built here (exempt)"])


# -- many -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("references", "status"),
    [
        ((":1.0",), 0),
        ((":1.0", "-unreachable"), 11),
        (("-unreachable", "-nothing"), 12),
        (("-nothing", ":9", "-unreachable"), 10),
        (("-nothing", ":1.0"), 12),
    ],
)
def test_the_gravest_of_many_outcomes_is_the_exit_status(
    desk: Desk, url: str, repository: SignedRepository, references: tuple[str, ...], status: int
) -> None:
    with desk.policy.open("a") as policy:
        policy.write(
            f'[[rule]]\nnames = ["{NAME}-unreachable"]\n[rule.notary]\nserver = "{NOWHERE}"\n'
            f'root-keys = ["{"0" * 64}"]\n'
        )
    ran = desk.run("verify", *(NAME + reference for reference in references))
    assert ran.status == status
    assert ran.lines == [pinned(repository, "1.0")] * references.count(":1.0")


def test_json_is_one_verdict_a_line_whatever_the_outcome(desk: Desk, url: str, repository: SignedRepository) -> None:
    ran = desk.run("verify", "--json", f"{NAME}:1.0", f"{NAME}:9", "alpine", "?")
    assert [verdict["code"] for verdict in ran.values] == ["ok", "tag_not_signed", "no_policy", "invalid_reference"]
    assert all(verdict["format"] == "imgsig-verdict/1" for verdict in ran.values)
    assert ran.values[0]["pinned"] == pinned(repository, "1.0")
    assert all("pinned" not in verdict for verdict in ran.values[1:])
    assert len(ran.said) == 6


# -- what is told besides ---------------------------------------------------------------------------------------------


def test_explain_tells_every_check_on_stderr(desk: Desk, url: str, repository: SignedRepository) -> None:
    ran = desk.run("verify", "--explain", f"{NAME}:1.0")
    checks = desk.run("verify", "--json", f"{NAME}:1.0").values[0]["checks"]
    told = [line.split()[:2] for line in ran.said if line.startswith("    ok ")]
    assert [["ok", check["code"]] for check in checks] == told
    assert ran.lines == [pinned(repository, "1.0")]
    assert ran.said[0] == f"{NAME}:1.0: verified"
    assert any(repository.root_key_ids[0] in line for line in ran.said if line.startswith("  anchor"))


def test_explain_marks_the_check_that_failed(desk: Desk, url: str) -> None:
    ran = desk.run("verify", "--explain", f"{NAME}:9")
    assert ran.said[0] == f"{NAME}:9: rejected (tag_not_signed)"
    assert [line.split()[1] for line in ran.said if line.startswith("    FAILED")] == ["tag_not_signed"]


def test_first_use_is_remembered_and_told_once(desk: Desk, url: str, repository: SignedRepository) -> None:
    desk.write(f'[[rule]]\nnames = ["{NAME}"]\n[rule.notary]\nserver = "{url}"\nfirst-use = true\n')
    first, second = desk.run("verify", NAME), desk.run("verify", NAME)
    assert (first.status, second.status) == (0, 0)
    assert first.said == [
        f"imgsig: warning: {NAME}: {NAME} is trusted from now on, at first use: nothing has shown whose keys these are"
    ]
    assert second.said == []


def test_an_answer_from_before_an_outage_is_told_to_be_one(desk: Desk, url: str, repository: SignedRepository) -> None:
    desk.trust(repository, url, "max-stale-seconds = 3600")
    assert desk.run("verify", NAME).status == 0
    repository.fail("timestamp")
    ran = desk.run("verify", NAME)
    assert (ran.status, ran.lines) == (0, [pinned(repository, "latest")])
    assert ran.said == [f"imgsig: warning: {NAME}: the server could not be reached; this is what it said before"]


def test_how_long_a_throttling_server_asks_to_wait_is_in_the_hint(
    desk: Desk, url: str, repository: SignedRepository
) -> None:
    repository.reply("root", Reply(429, b"", (("Retry-After", "17"),)))
    ran = desk.run("verify", NAME)
    assert ran.status == 11
    assert "wait for 17 seconds" in ran.said[1]


def test_a_changed_server_is_told_as_a_warning(desk: Desk, url: str, server: StaticServer) -> None:
    repository = SignedRepository(name=NAME)
    desk.trust(repository, server.add("first", repository))
    assert desk.run("verify", NAME).err == ""
    desk.trust(repository, server.add("second", repository))
    ran = desk.run("verify", NAME)
    assert ran.status == 0
    assert len(ran.said) == 1
    assert ran.said[0].startswith("imgsig: warning: the trust data of")


# -- wrong usage ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ((), "there is no reference"),
        (("--at", "2026-12-01T00:00:00Z", NAME), "--at goes with --archive"),
        (("--archive-id", "sha256:" + "0" * 64, NAME), "--archive-id goes with --archive"),
        (("--archive", "a", "--state", "s", NAME), "--state does not go"),
        (("--archive", "a", "--archive-id", "x", NAME), "archive's id is"),
        (("--archive", "a", "--at", "2026-12-01T00:00:00", NAME), "is no time with a zone"),
        (("--archive", "a", "--at", "yesterday", NAME), "is no time with a zone"),
        (("--archive", "a", "--at", "2026-02-30T00:00:00Z", NAME), "is no time with a zone"),
        (("--timeout", "0", NAME), "no number of seconds"),
        (("--timeout", "inf", NAME), "no number of seconds"),
        (("--timeout", "soon", NAME), "no number of seconds"),
        (("--frob", NAME), "unrecognized arguments: --frob"),
        (("--expl", NAME), "unrecognized arguments: --expl"),
    ],
)
def test_wrong_usage_is_one_line_and_a_hint(desk: Desk, url: str, words: tuple[str, ...], told: str) -> None:
    ran = desk.run("verify", *words)
    assert (ran.status, ran.out) == (2, "")
    problem, hint = ran.said
    assert problem.startswith("imgsig: ")
    assert told in problem
    assert hint.startswith("hint: ")


def test_without_a_policy_the_hint_says_how_to_begin(desk: Desk) -> None:
    ran = desk.run("verify", NAME)
    assert (ran.status, ran.out) == (2, "")
    problem, hint = ran.said
    assert "there is no such file" in problem
    assert f"imgsig anchor NAME --write '{desk.policy}'" in hint


def test_every_fault_of_a_policy_is_told_at_once_with_its_path(desk: Desk) -> None:
    desk.write('[[rule]]\nnames = ["alpine"]\nfrob = 1\n[[rule]]\nnames = ["**"]\n[rule.notary]\nroot-keys = ["x"]\n')
    ran = desk.run("verify", NAME)
    assert (ran.status, ran.out) == (2, "")
    *faults, hint = ran.said
    paths = [fault.removeprefix("imgsig: policy: ").split(": ")[0] for fault in faults]
    assert set(paths) >= {"rule[0].names[0]", "rule[0].frob", "rule[1].notary.root-keys[0]", "rule[1].notary.server"}
    assert hint.startswith("hint: correct ")


def test_a_policy_that_is_no_toml_is_one_fault(desk: Desk) -> None:
    desk.write("names = [")
    ran = desk.run("verify", NAME)
    assert ran.status == 2
    assert len(ran.said) == 2
    assert "is not TOML" in ran.said[0]


def test_a_policy_that_is_a_folder_is_one_fault(desk: Desk, tmp_path: Path) -> None:
    ran = desk.run("verify", "--policy", tmp_path, NAME)
    assert (ran.status, len(ran.said)) == (2, 2)


# -- archives ---------------------------------------------------------------------------------------------------------


@pytest.fixture
def archive(desk: Desk, url: str, tmp_path: Path) -> Path:
    assert desk.run("archive", NAME, "-o", tmp_path / "saved").status == 0
    return tmp_path / "saved"


def test_an_archive_verifies_without_a_server_and_without_state(
    desk: Desk, server: StaticServer, archive: Path, repository: SignedRepository
) -> None:
    repository.requests.clear()
    ran = desk.run("verify", "--archive", archive, "--json", f"{NAME}:1.0")
    assert ran.status == 0
    assert ran.values[0]["fresh"] is False
    assert repository.requests == []
    assert not desk.state.exists()


@pytest.mark.parametrize(
    ("at", "code", "status"),
    [
        ("2026-01-01T00:00:00Z", "before_capture", 11),
        ("2050-06-01T12:00:00.123456789+02:00", "ok", 0),
        ("2050-06-01t12:00:00z", "ok", 0),
        ("2100-01-01T00:00:00Z", "expired", 10),
    ],
)
def test_an_archive_is_verified_as_of_a_time(desk: Desk, archive: Path, at: str, code: str, status: int) -> None:
    ran = desk.run("verify", "--archive", archive, "--at", at, "--json", NAME)
    assert (ran.status, ran.values[0]["code"]) == (status, code)


def test_the_id_of_an_archive_may_be_demanded(desk: Desk, archive: Path, url: str, tmp_path: Path) -> None:
    (archive_id,) = desk.run("archive", NAME, "-o", archive).lines
    good = desk.run("verify", "--archive", archive, "--archive-id", archive_id, "--explain", NAME)
    assert good.status == 0
    assert any("as demanded" in line for line in good.said)
    bad = desk.run("verify", "--archive", archive, "--archive-id", "sha256:" + "0" * 64, "--json", NAME, "alpine")
    assert (bad.status, [verdict["code"] for verdict in bad.values]) == (10, ["hash_mismatch"] * 2)


@pytest.mark.parametrize(
    ("change", "code", "status"),
    [
        (lambda file: file.unlink(), "archive_unreadable", 11),
        (lambda file: file.write_bytes(file.read_bytes().replace(b"sha256", b"sha255", 1)), "hash_mismatch", 10),
        (lambda file: file.write_bytes(file.read_bytes()[:-1]), "hash_mismatch", 10),
    ],
    ids=["missing", "changed", "cut off"],
)
def test_an_archive_with_a_missing_or_changed_file_is_not_used(
    desk: Desk, archive: Path, change: Callable[[Path], object], code: str, status: int
) -> None:
    document = next(path for path in sorted(archive.rglob("targets*")) if path.is_file())
    change(document)
    ran = desk.run("verify", "--archive", archive, "--json", NAME)
    assert (ran.status, ran.values[0]["code"]) == (status, code)
    assert len(ran.said) == 2


def test_an_archive_that_is_not_there_is_said_of_every_reference(desk: Desk, archive: Path) -> None:
    shutil.rmtree(archive)
    ran = desk.run("verify", "--archive", archive, "--json", NAME, "alpine")
    assert (ran.status, [verdict["code"] for verdict in ran.values]) == (11, ["archive_unreadable"] * 2)
    assert [line.partition(": ")[0] for line in ran.said] == ["imgsig", "hint"] * 2


def test_references_may_come_from_a_file_a_line_each(
    desk: Desk, url: str, repository: SignedRepository, tmp_path: Path
) -> None:
    file = tmp_path / "references.txt"
    file.write_bytes(f"# the images\n\n{NAME}:1.0\r\n  {NAME}:latest\nno\xff{NAME}\n".encode("latin-1"))
    ran = desk.run("verify", "--from", file, NAME)
    assert ran.lines == [pinned(repository, "latest"), pinned(repository, "1.0"), pinned(repository, "latest")]
    assert ran.status == 10
    assert "(invalid_reference)" in ran.err


def test_references_may_come_from_standard_input(
    desk: Desk, url: str, repository: SignedRepository, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(f"{NAME}:1.0\n".encode())))
    assert desk.run("verify", "--from", "-", "--workers", "2").lines == [pinned(repository, "1.0")]


def test_a_file_without_references_is_wrong_usage(desk: Desk, url: str, tmp_path: Path) -> None:
    file = tmp_path / "references.txt"
    file.write_text("# none\n")
    assert desk.run("verify", "--from", file).status == 2
    ran = desk.run("verify", "--from", tmp_path / "missing.txt")
    assert ran.status == 2
    assert "cannot be read: no such file" in ran.err


def test_a_line_without_an_end_is_refused_in_pieces(desk: Desk, url: str, tmp_path: Path) -> None:
    file = tmp_path / "references.txt"
    file.write_bytes(b"a" * 10_000)
    ran = desk.run("verify", "--json", "--from", file)
    assert [value["code"] for value in ran.values] == ["invalid_reference"] * 3


@pytest.mark.parametrize("workers", ["0", "-1", "x", "1001", "9" * 50])
def test_workers_are_a_number(desk: Desk, url: str, workers: str) -> None:
    assert desk.run("verify", f"--workers={workers}", NAME).status == 2


def test_progress_is_shown_on_a_terminal_and_cleared() -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    err = Terminal()
    console = Console(io.StringIO(), err)
    console.show_progress(1, 2)
    assert err.getvalue().endswith("] 1 of 2")
    console.clear_progress()
    console.clear_progress()
    assert err.getvalue().endswith("\r\x1b[K")
    plain = io.StringIO()
    Console(io.StringIO(), plain).show_progress(1, 2)
    assert plain.getvalue() == ""


# -- the registry -----------------------------------------------------------------------------------------------------

ARM64 = make_image("linux/arm64")
INDEX = make_index(make_image("linux/amd64"), ARM64)


@pytest.fixture
def registry(desk: Desk, server: StaticServer) -> Iterator[HostileServer]:
    """A registry that the user's machine believes, with an image whose tag 1.0 is signed."""
    with HostileServer(tls=True) as running:
        place = desk.folder / ".docker" / "tls" / f"localhost:{running.port}"
        place.mkdir(parents=True)
        write_ca(place).rename(place / "ca.crt")
        repository = SignedRepository(f"localhost:{running.port}/team/app", publish=False)
        repository.add_target("1.0", INDEX.body)
        repository.publish()
        desk.trust(repository, server.add("registry", repository))
        serve_images(running, "team/app", ARM64)
        serve_images(running, "team/app", INDEX, tag="1.0")
        yield running


def test_the_manifest_of_a_platform_is_printed_in_place_of_the_index(desk: Desk, registry: HostileServer) -> None:
    name = f"localhost:{registry.port}/team/app"
    ran = desk.run("verify", "--check-registry", f"{name}:1.0")
    assert (ran.status, ran.out, ran.err) == (0, f"{name}@{INDEX.digest}\n", "")
    ran = desk.run("verify", "--platform", "linux/arm64", f"{name}:1.0")
    assert (ran.status, ran.out, ran.err) == (0, f"{name}@{ARM64.manifest.digest}\n", "")
    (verdict,) = desk.run("verify", "--json", "--platform", "linux/arm64", f"{name}:1.0").values
    assert verdict["platform_pinned"] == f"{name}@{ARM64.manifest.digest}"
    assert verdict["registry"]["tag_current"]
    ran = desk.run("verify", "--platform", "linux/s390x", f"{name}:1.0")
    assert (ran.status, ran.out) == (10, "")
    assert "(platform_missing)" in ran.said[0]


def test_a_tag_that_has_moved_is_a_warning_and_with_a_word_a_refusal(desk: Desk, registry: HostileServer) -> None:
    serve_images(registry, "team/app", make_index(ARM64), tag="1.0")
    reference = f"localhost:{registry.port}/team/app:1.0"
    ran = desk.run("verify", "--check-registry", reference)
    assert (ran.status, len(ran.lines)) == (0, 1)
    assert ran.said[0].startswith(f"imgsig: warning: {reference}: the registry's tag does not stand for")
    assert make_index(ARM64).digest in ran.said[0]
    assert ran.said[1].startswith("hint: ")
    ran = desk.run("verify", "--require-tag-current", reference)
    assert (ran.status, ran.lines) == (10, [])
    assert "(registry_mismatch)" in ran.said[0]
    del registry.answers["/v2/team/app/manifests/1.0"]
    registry.answers["/v2/team/app/manifests/1.0"] = reply(UNKNOWN, status=404)
    assert "does not stand for the signed digest\n" in desk.run("verify", "--check-registry", reference).err


def test_what_the_registry_has_is_explained(desk: Desk, registry: HostileServer) -> None:
    reference = f"localhost:{registry.port}/team/app:1.0"
    said = desk.run("verify", "--explain", "--platform", "linux/arm64", reference).said
    assert f"  registry     {registry.url} has it: {len(INDEX.body)} bytes, {INDEX.media_type}" in said
    assert "  its tag      stands for it" in said
    assert f"  platform     linux/arm64: {ARM64.manifest.digest}" in said
    other = make_index(ARM64)
    serve_images(registry, "team/app", other, tag="1.0")
    assert f"  its tag      {other.digest}" in desk.run("verify", "--explain", "--check-registry", reference).said


@pytest.mark.parametrize("options", [["--check-registry"], ["--require-tag-current"], ["--platform", "linux/arm64"]])
def test_an_archive_cannot_tell_what_a_registry_has(desk: Desk, tmp_path: Path, options: list[str]) -> None:
    ran = desk.run("verify", "--archive", tmp_path, *options, NAME)
    assert ran.status == 2
    assert f"{options[0]} does not go with --archive" in ran.said[0]


def test_a_platform_that_is_none_is_wrong_usage(desk: Desk, url: str) -> None:
    ran = desk.run("verify", "--platform", "arm64", NAME)
    assert (ran.status, ran.lines) == (2, [])
    assert "a platform is written OS/ARCHITECTURE" in ran.said[0]
