"""The command line: arguments in; text or JSON and an exit status out. Each command is imported when it is called."""

import io
import sys
from collections.abc import Mapping, Sequence
from importlib import import_module
from typing import TextIO

from imgsig.cli.arguments import make_parser
from imgsig.cli.console import Console
from imgsig.cli.statuses import BROKEN_PIPE, INTERRUPTED, UNDELIVERED, status_of_error
from imgsig.errors import ImgsigError, PolicyError


def main(argv: Sequence[str] | None = None, *, environ: Mapping[str, str] | None = None) -> int:
    """Run the command that `argv` (by default the process's arguments) says, and return the exit status.

    Whatever the input, it ends with one of the statuses of `imgsig.cli.statuses` and no traceback.
    """
    console = Console(_open(sys.stdout), _open(sys.stderr))
    try:
        try:
            with console.warnings():
                status = _run(argv, environ, console)
            console.flush()
        except BrokenPipeError:
            status = BROKEN_PIPE
        except KeyboardInterrupt:
            status = INTERRUPTED
            console.problem("interrupted")
        except OSError as error:  # of the streams: those of files and servers have been translated
            status = UNDELIVERED
            console.problem(f"the answer cannot be written: {(error.strerror or 'input/output error').lower()}")
    except OSError:
        status = UNDELIVERED  # and nobody can be told
    console.give_up()
    return status


def _open(stream: TextIO | None) -> TextIO:
    """Return `stream`, or one that leads nowhere if the process was started without it."""
    return io.StringIO() if stream is None else stream


def _run(argv: Sequence[str] | None, environ: Mapping[str, str] | None, console: Console) -> int:
    try:
        arguments = make_parser().parse_args(argv)
        from imgsig.environment import read_environment  # noqa: PLC0415 - not needed for --help

        environment = read_environment(environ)
        console.allow_color(wanted=environment.wants_color)
        run = getattr(import_module(arguments.module), arguments.run)
        return int(run(arguments, console, environment))
    except SystemExit as stop:  # --help and --version have said what they had to
        return int(stop.code or 0)
    except PolicyError as error:
        for fault in error.faults:
            console.problem(f"policy: {fault}")
        console.hint(error.hint)
        return status_of_error(error)
    except ImgsigError as error:
        console.problem(str(error), error.hint or "imgsig --help shows what may be written")
        return status_of_error(error)
