"""Policy files: read for a command, and one rule added to one, whose other text stays as it is."""

import os
import secrets
import stat
from contextlib import suppress
from pathlib import Path
from typing import Final

from imgsig.environment import Environment
from imgsig.errors import PolicyError, UsageError
from imgsig.faults import shown_path
from imgsig.policy import Policy, Rule

_NEW_FILE: Final = "# Whom imgsig trusts for which image names.\nversion = 1\n"


def load_policy(environment: Environment, path: str | None) -> Policy:
    """Return the policy in the file at `path`, by default the user's own.

    Raises:
        PolicyError: there is none, or it is wrong; all faults are told.
    """
    try:
        return environment.load_policy(path)
    except PolicyError as error:
        if isinstance(error.__cause__, FileNotFoundError | PolicyError):
            raise
        where = shown_path(environment.policy_file if path is None else path)
        raise PolicyError(error.faults, hint=f"correct {where}; imgsig policy check tells what is left") from error


def load_policy_if_any(environment: Environment, path: str | None) -> Policy:
    """Return the policy in the file at `path`, or the user's own, or an empty one if the user has none.

    Raises:
        PolicyError: it is wrong, or there is none at `path`.
    """
    try:
        return load_policy(environment, path)
    except PolicyError as error:
        cause = error.__cause__
        missing = isinstance(cause, PolicyError) and isinstance(cause.__cause__, FileNotFoundError)
        if path is None and missing:
            return Policy()
        raise


def check_writable(path: Path, name: str) -> None:
    """Check that a rule for `name` alone can be added to the policy in the file at `path`, which may not exist.

    Raises:
        PolicyError: what is there is no policy.
        UsageError: a rule for the name is there already.
    """
    _, policy = _read(path)
    rule = policy.rule_for(name)
    if rule is not None:
        pattern = rule.pattern_for(name)
        msg = f"{shown_path(path)} has a rule for {name} already: {pattern}"
        hint = "correct that rule by hand" if pattern == name else "if this name is to have its own, write it by hand"
        raise UsageError(msg, hint=hint)


def add_rule(path: Path, rule: Rule, comment: str) -> None:
    """Add `rule`, below `comment`, at the end of the policy in the file at `path`, or make the file.

    The text that is there stays as it is. The file is replaced whole or not at all.

    Raises:
        PolicyError: what is there is no policy, or has a rule for the same pattern.
        UsageError: the rule cannot be added or the file cannot be written.
    """
    text, policy = _read(path)
    _, _, added = Policy((rule,)).to_toml().partition("\n\n")
    whole = text + ("" if text.endswith("\n") else "\n") + f"\n# {comment}\n{added}"
    wanted = policy.with_rule(rule)
    try:
        written = Policy.parse(whole, folder=path.absolute().parent)
    except PolicyError as error:
        msg = f"{shown_path(path)} is written so that no rule can be added at its end"
        raise UsageError(msg, hint="write its rules as [[rule]], or add this one by hand") from error
    if written != wanted:
        msg = f"a rule added at the end of {shown_path(path)} would not mean the same"
        raise UsageError(msg, hint="add it by hand")
    try:
        _replace(path, whole)
    except OSError as error:
        msg = f"{shown_path(path)} cannot be written: {(error.strerror or 'input/output error').lower()}"
        raise UsageError(msg, hint="name a file in a folder of your own") from error


def _read(path: Path) -> tuple[str, Policy]:
    """Return the text of the policy at `path` and what it says; those of an empty one if there is none."""
    try:
        policy = Policy.load(path)
        with path.open(encoding="utf-8", newline="") as file:
            return file.read(), policy
    except PolicyError as error:
        if isinstance(error.__cause__, FileNotFoundError):
            return _NEW_FILE, Policy()
        raise PolicyError(error.faults, hint=f"correct {shown_path(path)} first") from error
    except OSError as error:
        msg = f"{shown_path(path)} cannot be read: {(error.strerror or 'input/output error').lower()}"
        raise UsageError(msg) from error


def _replace(path: Path, text: str) -> None:
    target = path.resolve()
    target.parent.mkdir(parents=True, exist_ok=True)
    temporary = target.with_name(f".{target.name}.{secrets.token_hex(8)}")
    try:
        with temporary.open("x", encoding="utf-8", newline="") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        with suppress(FileNotFoundError):
            temporary.chmod(stat.S_IMODE(target.stat().st_mode))
        temporary.replace(target)
    except BaseException:
        with suppress(OSError):
            temporary.unlink()
        raise
