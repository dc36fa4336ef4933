"""What may be written on the command line. Nothing is imported here that a command needs to run."""

import argparse
import math
import re
from datetime import datetime
from typing import Any, Final, NoReturn, final

from imgsig import __version__
from imgsig.errors import UsageError
from imgsig.limits import DEFAULT_TIMEOUT_SECONDS, DEFAULT_WORKERS, MAX_WORKERS

_WIDTH: Final = 100
_TIME: Final = re.compile(r"(\d{4}-\d\d-\d\d)[Tt ](\d\d:\d\d:\d\d)(\.\d+)?([Zz]|[+-]\d\d:\d\d)", re.ASCII)
_MICROSECONDS: Final = 7
"""Characters of a fraction that are kept, with its point."""

_DEFAULT_DAYS: Final = 90
"""How far ahead a diagnosis looks: as long as it takes to find the person who keeps a root key."""
_MAX_DAYS: Final = 36500

_STATUSES: Final = """\
exit status:
  0 verified, or done   2 wrong usage or configuration   10 rejected: must not be used
  11 inconclusive: no answer could be reached   12 no policy for the name
  for many references 10 comes before 12 before 11 before 0
"""
_MAIN: Final = f"""\
examples:
  imgsig anchor registry.example.com/team/app --write policy.toml
  imgsig verify --policy policy.toml registry.example.com/team/app:1.4
  docker pull "$(imgsig verify registry.example.com/team/app:1.4)"

{_STATUSES}"""
_VERIFY: Final = f"""\
Prints the pinned reference of each image that the policy's publishers signed: what to deploy. Everything
else goes to stderr.

examples:
  imgsig verify registry.example.com/team/app:1.4
  imgsig verify --policy policy.toml --explain alpine:3.20
  imgsig verify --json app:1 app:2 | jq -r .code
  imgsig verify --from references.txt
  imgsig verify --platform linux/arm64 registry.example.com/team/app:1.4
  imgsig verify --archive saved/ --at 2026-12-01T00:00:00Z registry.example.com/team/app:1.4

{_STATUSES}"""
_ANCHOR: Final = """\
Shows the root keys that a server offers for a name. Nothing proves that they are the publisher's: compare
them with what the publisher tells you by another way before you trust them.

examples:
  imgsig anchor registry.example.com/team/app
  imgsig anchor registry.example.com/team/app --server https://notary.example.com --write policy.toml
"""
_INSPECT: Final = """\
Shows what a repository holds: its tags with their digests, who signed them, its keys, and when everything expires.
All of it is verified: by the rule for the name, or without a rule by nothing but itself. It changes nothing.

examples:
  imgsig inspect registry.example.com/team/app
  imgsig inspect registry.example.com/team/app:1.4 --server https://notary.example.com
  imgsig inspect --format docker alpine | jq -r '.[0].SignedTags[].SignedTag'
  imgsig inspect --format dot registry.example.com/team/app | dot -Tsvg > app.svg
"""
_ARCHIVE: Final = """\
Saves everything that a server has for the names, byte for byte, to be verified later without it. What does
not verify now is kept as well, and marked. If it is interrupted, the same call goes on where it was.

examples:
  imgsig archive registry.example.com/team/app alpine -o saved/
  imgsig archive --from names.txt -o saved.tar
  imgsig verify --archive saved/ registry.example.com/team/app:1.4
"""
_DOCTOR: Final = """\
Looks at the policy, at what is remembered, and at the servers of every name that the policy spells out or you
name here, and tells what will make a verification fail or protects less than it seems to.

examples:
  imgsig doctor
  imgsig doctor --days 180 registry.example.com/team/app alpine
  imgsig doctor --json --ignore rule_unused | jq -r .what

exit status:
  0 there is nothing to tell   2 wrong usage or configuration   10 there is
"""
_POLICY_CHECK: Final = """\
Tells every fault of a policy file, each with its place, or which rule decides about a reference.

examples:
  imgsig policy check policy.toml
  imgsig policy check policy.toml --for registry.example.com/team/app:1.4
"""
_POLICY_IMPORT: Final = """\
Turns the trust pinning of notary's client, or Connaisseur's image policy with its validators for Notary v1, both
as JSON, into a policy. What could not be carried over is told on stderr, and nothing is laxer for it.

examples:
  imgsig policy import ~/.notary/config.json > policy.toml
  helm get values connaisseur --all --output json | imgsig policy import - > policy.toml

exit status:
  0 everything that restricts is carried over   2 something is not, or the call is wrong
"""
_STATE_SHOW: Final = """\
Shows what has been trusted so far: the root, why it is trusted, and the versions that no document may go
back from.
"""
_STATE_FORGET: Final = """\
Forgets what has been trusted of a name: its root, and the versions that no document may go back from. The
next verification starts anew, by the policy's anchor. Do this only when you know why the publisher's
documents do not follow from the old ones.
"""


@final
class Parser(argparse.ArgumentParser):
    """A parser whose complaints are errors like any other."""

    def __init__(self, **options: Any) -> None:  # noqa: ANN401 - as in argparse
        """Take what `argparse` takes; help is as wide everywhere, and no option can be shortened."""
        options.setdefault("formatter_class", _Formatter)
        super().__init__(allow_abbrev=False, **options)
        self.color = False  # Python 3.14 would look into the environment

    def error(self, message: str) -> NoReturn:
        """Raise `message`.

        Raises:
            UsageError: always.
        """
        raise UsageError(message, hint=f"{self.prog} --help shows what may be written")


class _Formatter(argparse.RawDescriptionHelpFormatter):
    def __init__(self, prog: str, **options: Any) -> None:  # noqa: ANN401 - as in argparse
        super().__init__(prog, **{**options, "width": _WIDTH})


def make_parser() -> Parser:
    """Return the parser. What it returns has ``module``, where the command is, and ``run``, its function's name."""
    parser = Parser(
        prog="imgsig",
        description="Which exact bytes did the people I trust sign under this container image name?",
        epilog=_MAIN,
    )
    parser.add_argument("--version", action="version", version=f"imgsig {__version__}")
    commands = parser.add_subparsers(metavar="COMMAND", required=True, parser_class=Parser)
    _add_verify(_command(commands, "verify", "verify images and print what to deploy", _VERIFY, "verify"))
    _add_anchor(_command(commands, "anchor", "show the root keys that a server offers for a name", _ANCHOR, "anchor"))
    _add_inspect(_command(commands, "inspect", "show what a repository holds and who signed it", _INSPECT, "inspect"))
    _add_archive(_command(commands, "archive", "save the trust data of names, to verify later", _ARCHIVE, "archive"))
    _add_doctor(_command(commands, "doctor", "tell what will fail, or protects less than it seems", _DOCTOR, "doctor"))
    policy = commands.add_parser("policy", help="look at policy files", description="Look at policy files.")
    below = policy.add_subparsers(metavar="COMMAND", required=True, parser_class=Parser)
    _add_policy_check(_command(below, "check", "tell every fault of a policy file", _POLICY_CHECK, "policy", "check"))
    _add_policy_import(
        _command(below, "import", "turn another program's configuration into a policy", _POLICY_IMPORT, "policy_import")
    )
    state = commands.add_parser("state", help="look at what is remembered", description="Look at what is remembered.")
    below = state.add_subparsers(metavar="COMMAND", required=True, parser_class=Parser)
    _add_state_show(_command(below, "show", "show what has been trusted so far", _STATE_SHOW, "state", "show"))
    _add_state_forget(_command(below, "forget", "forget what was trusted of a name", _STATE_FORGET, "state", "forget"))
    return parser


def parse_time(text: str) -> datetime:
    """Return the time that `text` says, in the form of RFC 3339: with a zone, to the second or finer.

    Raises:
        argparse.ArgumentTypeError: it says none.
    """
    match = _TIME.fullmatch(text)
    if match is not None:
        date, time, fraction, zone = match.groups()
        try:
            return datetime.fromisoformat(f"{date}T{time}{(fraction or '')[:_MICROSECONDS]}{zone.upper()}")
        except ValueError:
            pass
    msg = f"{text[:40]!a} is no time with a zone, such as 2026-12-01T00:00:00Z"
    raise argparse.ArgumentTypeError(msg)


def parse_seconds(text: str) -> float:
    """Return the positive number of seconds that `text` says.

    Raises:
        argparse.ArgumentTypeError: it says none.
    """
    try:
        seconds = float(text)
    except ValueError:
        seconds = math.nan
    if seconds > 0 and math.isfinite(seconds):
        return seconds
    msg = f"{text[:40]!a} is no number of seconds above zero"
    raise argparse.ArgumentTypeError(msg)


def parse_count(text: str) -> int:
    """Return the number that `text` says, from 1 to 1000.

    Raises:
        argparse.ArgumentTypeError: it says none.
    """
    if text.isascii() and text.isdigit() and 1 <= int(text[:5]) <= MAX_WORKERS:
        return int(text)
    msg = f"{text[:40]!a} is no number from 1 to {MAX_WORKERS}"
    raise argparse.ArgumentTypeError(msg)


def parse_days(text: str) -> int:
    """Return the number of days that `text` says, from 0 to 36500.

    Raises:
        argparse.ArgumentTypeError: it says none.
    """
    if text.isascii() and text.isdigit() and int(text[:6]) <= _MAX_DAYS:
        return int(text)
    msg = f"{text[:40]!a} is no number of days from 0 to {_MAX_DAYS}"
    raise argparse.ArgumentTypeError(msg)


def _command(commands: Any, name: str, summary: str, text: str, module: str, run: str = "run") -> Parser:  # noqa: ANN401, PLR0913, PLR0917 - argparse has no public type for it
    description, _, epilog = text.partition("\n\n")
    parser: Parser = commands.add_parser(name, help=summary, description=description, epilog=epilog)
    parser.set_defaults(module=f"imgsig.cli.{module}", run=run)
    return parser


def _add_verify(parser: Parser) -> None:
    parser.add_argument("references", metavar="REF", nargs="*", help="an image: NAME, NAME:TAG or NAME@sha256:HEX")
    _add_policy(parser)
    _add_state(parser)
    _add_from_archive(parser, "verify from")
    parser.add_argument(
        "--from", dest="file", metavar="FILE", help="verify the references in FILE (- for stdin), a line each, too"
    )
    _add_workers(parser, "verify")
    parser.add_argument(
        "--check-registry", action="store_true", help="fetch the manifest from the registry by its signed digest, too"
    )
    parser.add_argument(
        "--require-tag-current", action="store_true", help="refuse if the registry's tag stands for something else"
    )
    parser.add_argument(
        "--platform", metavar="OS/ARCH",
        help="print the one manifest in the signed index for this platform, such as linux/arm64",
    )
    _add_timeout(parser, "for each image")
    _add_json(parser, "print one verdict a line as JSON, whatever it is")
    parser.add_argument("--explain", action="store_true", help="tell on stderr what was checked and who signed")


def _add_anchor(parser: Parser) -> None:
    parser.add_argument("name", metavar="NAME", help="the image's name; a tag makes no difference")
    _add_server(parser)
    _add_policy(parser, "look there for the server, if a rule covers the name")
    parser.add_argument("--write", metavar="FILE", help="add a rule that trusts these keys to this policy file")
    _add_timeout(parser)
    _add_json(parser, "print the offered root as JSON")


def _add_inspect(parser: Parser) -> None:
    parser.add_argument("reference", metavar="NAME[:TAG]", help="the image's name, and perhaps one tag of it")
    _add_server(parser)
    _add_policy(parser)
    _add_state(parser)
    _add_from_archive(parser, "look into")
    _add_timeout(parser)
    forms = parser.add_mutually_exclusive_group()
    forms.add_argument(
        "--format", choices=("docker", "dot"),
        help="print the JSON of docker trust inspect, or a drawing of who delegates to whom for Graphviz",
    )
    _add_json(forms, "print all of it as JSON")


def _add_archive(parser: Parser) -> None:
    parser.add_argument("names", metavar="NAME", nargs="*", help="an image's name; all of its tags are saved")
    parser.add_argument(
        "--from", dest="file", metavar="FILE", help="save the names in FILE (- for stdin), a line each, too"
    )
    parser.add_argument(
        "-o", "--output", metavar="DIR", required=True, help="the folder of the archive, or a file NAME.tar"
    )
    _add_server(parser)
    _add_policy(parser, "look there for the servers of names that a rule covers")
    _add_workers(parser, "save")
    _add_timeout(parser, "for each name")
    _add_json(parser, "print the archive's id and what it holds as JSON")


def _add_doctor(parser: Parser) -> None:
    parser.add_argument("names", metavar="NAME", nargs="*", help="an image to look at too; a tag makes no difference")
    _add_server(parser)
    _add_policy(parser)
    _add_state(parser)
    parser.add_argument(
        "--days", metavar="N", type=parse_days, default=_DEFAULT_DAYS,
        help="tell what ends within so many days (default: %(default)d)",
    )
    parser.add_argument(
        "--ignore", metavar="WORD", action="append", default=[], help="leave out findings of this word; may be repeated"
    )
    _add_workers(parser, "look at")
    _add_timeout(parser, "for each name")
    _add_json(parser, "print one finding a line as JSON")


def _add_policy_check(parser: Parser) -> None:
    parser.add_argument("file", metavar="FILE", help="the policy file")
    parser.add_argument("--for", dest="reference", metavar="REF", help="tell which rule decides about this image")
    _add_json(parser, "print what was found as JSON")


def _add_policy_import(parser: Parser) -> None:
    parser.add_argument("file", metavar="FILE", help="the configuration, as JSON (- for stdin)")


def _add_state_show(parser: Parser) -> None:
    parser.add_argument("name", metavar="NAME", nargs="?", help="this name only")
    _add_state(parser)
    _add_json(parser, "print one name a line as JSON")


def _add_state_forget(parser: Parser) -> None:
    parser.add_argument("name", metavar="NAME", help="the signed name")
    _add_state(parser)


def _add_policy(parser: Parser, purpose: str = "whom to trust") -> None:
    parser.add_argument("--policy", metavar="FILE", help=f"{purpose}; by default the user's own policy")


def _add_state(parser: Parser) -> None:
    parser.add_argument("--state", metavar="DIR", help="where trust is remembered; by default the user's own folder")


def _add_from_archive(parser: Parser, verb: str) -> None:
    parser.add_argument("--archive", metavar="DIR", help=f"{verb} this archive alone, opening no connection")
    parser.add_argument("--archive-id", metavar="ID", help="demand that the archive is the one with this id")
    parser.add_argument(
        "--docker-trust", metavar="DIR", help="verify from what Docker's client has kept here (~/.docker/trust)"
    )
    parser.add_argument("--at", metavar="TIME", type=parse_time, help="as of this time (RFC 3339), with --archive only")


def _add_server(parser: Parser) -> None:
    parser.add_argument("--server", metavar="URL", help="ask this trust server; without it or a rule, no login is used")


def _add_timeout(parser: Parser, extent: str = "for an answer") -> None:
    parser.add_argument(
        "--timeout", metavar="SECONDS", type=parse_seconds, default=DEFAULT_TIMEOUT_SECONDS,
        help=f"the most that may pass {extent} (default: %(default)g)",
    )


def _add_workers(parser: Parser, verb: str) -> None:
    parser.add_argument(
        "--workers", metavar="N", type=parse_count, default=DEFAULT_WORKERS,
        help=f"{verb} so many at once (default: %(default)d)",
    )


def _add_json(parser: Any, purpose: str) -> None:  # noqa: ANN401 - a parser, or a group of one
    parser.add_argument("--json", action="store_true", help=purpose)
