"""The command line as a process: streams, colours, help, and being stopped."""

import contextlib
import io
import logging
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

import imgsig
from imgsig.cli import main
from imgsig.cli.arguments import make_parser
from imgsig.cli.console import GREEN, Console, escape
from imgsig.cli.statuses import status_of
from imgsig.codes import Outcome
from tests.support.command import Desk

RULES = '[[rule]]\nnames = ["registry.example.com/**"]\nexempt = "x"\n'


class Terminal(io.StringIO):
    """A stream that is a terminal."""

    def isatty(self) -> bool:
        return True


class Interrupted(Mapping[str, str]):
    """An environment during whose reading the user presses Ctrl-C."""

    def __getitem__(self, name: str) -> str:
        raise KeyError(name)

    def __iter__(self) -> Iterator[str]:
        raise KeyboardInterrupt

    def __len__(self) -> int:
        return 1


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)


def command(desk: Desk, *words: str, **streams: object) -> "subprocess.CompletedProcess[str]":
    """Run a command in a process of its own."""
    environ = {**desk.environ, "PYTHONPATH": str(Path(imgsig.__file__).parents[1])}
    given = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, **streams}
    argv = [sys.executable, "-m", "imgsig", *words]
    return subprocess.run(argv, check=False, text=True, env=environ, cwd=desk.folder, timeout=60, **given)  # type: ignore[call-overload,no-any-return]


# -- help -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "words",
    [
        "", "verify", "anchor", "archive", "doctor", "policy", "policy check", "policy import", "state", "state show",
        "state forget",
    ],
)
def test_every_command_explains_itself(desk: Desk, words: str) -> None:
    ran = desk.run(*words.split(), "--help")
    assert (ran.status, ran.err) == (0, "")
    assert ran.out.startswith(f"usage: imgsig {words}".rstrip())
    assert max(map(len, ran.lines)) <= 120


def test_the_version_is_told(desk: Desk) -> None:
    assert desk.run("--version").out == f"imgsig {imgsig.__version__}\n"


@pytest.mark.parametrize("words", [(), ("frob",), ("--frob",), ("verify", "-x"), ("polic", "check")])
def test_what_is_no_command_is_wrong_usage(desk: Desk, words: tuple[str, ...]) -> None:
    ran = desk.run(*words)
    assert (ran.status, ran.out, len(ran.said)) == (2, "", 2)


def test_help_is_as_wide_everywhere(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    wide = desk.run("--help").out
    monkeypatch.setenv("COLUMNS", "20")
    assert desk.run("--help").out == wide


def test_every_option_is_in_the_guide() -> None:
    guide = (Path(imgsig.__file__).parents[1] / "docs" / "command-line.md").read_text()
    parser = make_parser()
    waiting, options = [parser], set[str]()
    while waiting:
        for action in waiting.pop()._actions:
            options.update(option for option in action.option_strings if option.startswith("--"))
            waiting += action.choices.values() if isinstance(action.choices, dict) else ()
    assert [option for option in sorted(options) if f"`{option}" not in guide] == []


# -- streams ----------------------------------------------------------------------------------------------------------


def test_it_runs_as_a_module(desk: Desk) -> None:
    desk.write(RULES)
    ran = command(desk, "verify", "registry.example.com/app")
    assert (ran.returncode, ran.stdout) == (12, "")
    assert ran.stderr == "imgsig: registry.example.com/app: exempt from verification: x (exempt)\n"


def test_a_reader_that_goes_away_ends_it_without_a_word(desk: Desk) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    with os.fdopen(writer, "wb") as gone:
        ran = command(desk, "policy", "check", str(desk.write(RULES)), "--for", "registry.example.com/app", stdout=gone)
        helped = command(desk, "--help", stdout=gone)
    assert (ran.returncode, ran.stderr) == (141, "")
    assert helped.stderr == ""


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no /dev/full")
def test_an_answer_that_cannot_be_written_is_as_good_as_none(desk: Desk) -> None:
    with Path("/dev/full").open("w") as full:
        ran = command(desk, "policy", "check", str(desk.write(RULES)), "--for", "registry.example.com/app", stdout=full)
    assert (ran.returncode, ran.stderr) == (11, "imgsig: the answer cannot be written: no space left on device\n")


def test_closed_streams_are_no_error_of_their_own(desk: Desk) -> None:
    desk.write(RULES)
    script = '"$0" -m imgsig verify registry.example.com/app >&- 2>&-'
    environ = {**desk.environ, "PYTHONPATH": str(Path(imgsig.__file__).parents[1])}
    ran = subprocess.run(["/bin/sh", "-c", script, sys.executable], check=False, env=environ, timeout=60)
    assert ran.returncode == 12


def test_ctrl_c_ends_it_with_a_word_and_no_trace(desk: Desk) -> None:
    ran = desk.run("verify", "registry.example.com/app", environ=Interrupted())
    assert (ran.status, ran.out, ran.said) == (130, "", ["imgsig: interrupted"])


def test_a_stream_without_our_letters_gets_escapes(desk: Desk) -> None:
    raw = io.BytesIO()
    stream = io.TextIOWrapper(raw, encoding="ascii")
    with contextlib.redirect_stderr(stream):
        assert main(["verify", "é"], environ=desk.environ) == 2
        desk.write(RULES)
        assert main(["verify", "é"], environ=desk.environ) == 10
    stream.flush()
    assert b"\\xe9" in raw.getvalue()


def test_the_working_directory_is_not_looked_into(desk: Desk, tmp_path: Path) -> None:
    for place in ("policy.toml", "imgsig/policy.toml", ".imgsig.toml"):
        (tmp_path / place).parent.mkdir(exist_ok=True)
        (tmp_path / place).write_text(f"version = 1\n{RULES}")
    assert command(desk, "verify", "registry.example.com/app").returncode == 2


# -- text and colours -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("plain é ✓", "plain é ✓"),
        ("\x1b[31mred", "\\x1b[31mred"),
        ("\x9b31mred", "\\x9b31mred"),
        ("a\nb\r\tc", "a\\nb\\r\\tc"),
        ("\u202eevil\u2066", "\\u202eevil\\u2066"),
        ("\u200b\ufeff\u00ad", "\\u200b\\ufeff\\xad"),
        ("\udcff\x7f\x00", "\\udcff\\x7f\\x00"),
        ("\U000e0041", "\\U000e0041"),
    ],
)
def test_what_a_terminal_would_obey_or_hide_is_escaped(text: str, written: str) -> None:
    assert escape(text) == written


@pytest.mark.parametrize(
    ("terminal", "wanted", "colored"), [(True, True, True), (True, False, False), (False, True, False)]
)
def test_colours_are_for_a_terminal_whose_user_does_not_mind(terminal: bool, wanted: bool, colored: bool) -> None:
    err = Terminal() if terminal else io.StringIO()
    console = Console(io.StringIO(), err)
    console.allow_color(wanted=wanted)
    console.tell(("good\x1b", GREEN), (" rest", ""))
    assert err.getvalue() == ("\x1b[32mgood\\x1b\x1b[0m rest\n" if colored else "good\\x1b rest\n")


@pytest.mark.parametrize(("no_color", "colored"), [("", True), ("1", False)])
def test_no_color_is_obeyed(desk: Desk, no_color: str, colored: bool) -> None:
    desk.write(RULES)
    err = Terminal()
    with contextlib.redirect_stderr(err):
        assert main(["verify", "registry.example.com/app"], environ={**desk.environ, "NO_COLOR": no_color}) == 12
    assert ("\x1b[" in err.getvalue()) is colored


def test_json_on_stdout_stays_json_and_ascii() -> None:
    out = io.StringIO()
    console = Console(out, io.StringIO())
    console.values({"a": "\x7f\x1b\u202e"})
    assert out.getvalue() == '{"a": "\\u007f\\u001b\\u202e"}\n'


def test_what_is_logged_is_told_as_a_warning_while_a_command_runs() -> None:
    err = io.StringIO()
    console = Console(io.StringIO(), err)
    with console.warnings():
        logging.getLogger("imgsig").warning("told %s", "once\n")
        logging.getLogger("imgsig").info("not told")
    assert err.getvalue() == "imgsig: warning: told once\\n\n"


# -- statuses ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("outcomes", "status"),
    [
        ([Outcome.VERIFIED], 0),
        ([Outcome.VERIFIED, Outcome.INCONCLUSIVE], 11),
        ([Outcome.NO_POLICY, Outcome.INCONCLUSIVE], 12),
        ([Outcome.NO_POLICY, Outcome.REJECTED, Outcome.INCONCLUSIVE], 10),
    ],
)
def test_the_gravest_outcome_decides(outcomes: list[Outcome], status: int) -> None:
    assert status_of(outcomes) == status
