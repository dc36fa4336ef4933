"""The tree of errors, catchable at several heights: every one says why and what to do."""

from typing import TYPE_CHECKING, Any, ClassVar, final

from imgsig.codes import Code, Outcome

if TYPE_CHECKING:
    from imgsig.verdict import Verdict


class ImgsigError(Exception):
    """Anything that goes wrong in imgsig; ``str()`` is one line for a person."""

    code: str
    """A stable word for the cause."""
    hint: str
    """What to do next; may be empty."""

    def __init__(self, message: str, *, code: str, hint: str = "") -> None:
        """Say `message`: lower case, no full stop, untrusted text escaped."""
        super().__init__(message)
        self.code = code
        self.hint = hint

    def __reduce__(self) -> tuple[Any, ...]:
        """Allow pickling and copying, whatever the constructor of a subclass demands."""
        return _rebuild, (type(self), self.args, dict(self.__dict__))


def _rebuild(cls: type[ImgsigError], args: tuple[Any, ...], attributes: dict[str, Any]) -> ImgsigError:
    error = cls.__new__(cls, *args)
    error.args = args
    error.__dict__.update(attributes)
    return error


class UsageError(ImgsigError):
    """The call is wrong, whatever the image: fix the program or the configuration."""

    def __init__(self, message: str, *, code: str = "usage", hint: str = "") -> None:
        """Say what is wrong with the call."""
        super().__init__(message, code=code, hint=hint)


@final
class InvalidReferenceError(UsageError):
    """The text is not an image reference. ``evaluate`` turns this into a REJECTED verdict."""

    def __init__(self, message: str) -> None:
        """Say which rule of the grammar is broken."""
        super().__init__(message, code=Code.INVALID_REFERENCE, hint=Code.INVALID_REFERENCE.remedy)


@final
class PolicyError(UsageError):
    """The policy cannot be used. Every fault found is in ``faults``, each as ``path: what is wrong``."""

    faults: tuple[str, ...]

    def __init__(self, faults: tuple[str, ...], *, hint: str = "imgsig policy check FILE lists every fault") -> None:
        """Hold the `faults`, at least one."""
        more = f" (and {len(faults) - 1} more)" if len(faults) > 1 else ""
        super().__init__(f"policy: {faults[0]}{more}", code="policy", hint=hint)
        self.faults = faults


class VerificationError(ImgsigError):
    """No image may be used on the strength of this call."""

    outcome: ClassVar[Outcome]
    """The outcome that this kind of error stands for."""
    verdict: "Verdict | None"
    """The whole answer when ``verify`` raised it; None from calls that give no verdict."""
    subject: str
    """What the failed check was about: a role, a document, a server; may be empty."""
    expected: str
    """What the check demanded; may be empty."""
    found: str
    """What there was instead; may be empty."""

    def __init__(  # noqa: PLR0913 - the operands of a failed check, each by name
        self,
        message: str,
        *,
        code: Code,
        hint: str = "",
        subject: str = "",
        expected: str = "",
        found: str = "",
        verdict: "Verdict | None" = None,
    ) -> None:
        """Say what failed; the hint is the code's remedy unless a better one is given."""
        super().__init__(message, code=code, hint=hint or code.remedy)
        if code.outcome is not self.outcome:
            msg = f"{code} is not a code of {self.outcome.value}"
            raise ValueError(msg)
        self.code: Code = code
        self.subject, self.expected, self.found = subject, expected, found
        self.verdict = verdict


class RejectedError(VerificationError):
    """It was checked and must not be used."""

    outcome = Outcome.REJECTED


class InconclusiveError(VerificationError):
    """No answer could be reached: fail closed, maybe try again."""

    outcome = Outcome.INCONCLUSIVE
    retry_after_seconds: float | None = None
    """How long the server asked to wait, if it said so."""


@final
class NoPolicyError(VerificationError):
    """No rule says whom to trust for this name."""

    outcome = Outcome.NO_POLICY
