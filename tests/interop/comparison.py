"""A case played for the reference client and for imgsig, and the two verdicts compared."""

from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final, final

from tests.interop.stage import OurVerdict, Stage, Step, ask_imgsig, ask_oracle
from tests.support.oracle import Answer, Oracle, OracleVerdict
from tests.support.repository import SignedRepository

ACCEPT: Final = "accept"
REFUSE: Final = "refuse"
ABSENT: Final = "absent"
PANIC: Final = "panic"


@final
class Relation(StrEnum):
    """How imgsig's verdict stands to the reference client's."""

    AGREE = "agree"
    STRICTER = "stricter"
    LAXER = "laxer"
    """imgsig accepts what the client refuses, or another digest: a defect."""


@final
@dataclass(frozen=True, slots=True)
class Case:
    """One thing that a server, a publisher or an attacker may do."""

    id: str
    steps: tuple[Step, ...]
    """Each bends the stage, is published, and is followed by a question to both clients."""
    expect: str
    """What the reference client does at the last step."""
    stricter: str = ""
    """The key in ``docs/differences.md`` of the reason why imgsig refuses what the client accepts."""
    wider: str = field(default="", kw_only=True)
    """The key in ``docs/differences.md`` of the reason why imgsig accepts what the client refuses: pins by key id."""
    start: Callable[[], SignedRepository] = field(default=SignedRepository, kw_only=True)
    tag: str = field(default="latest", kw_only=True)
    docker: bool | None = field(default=None, kw_only=True)
    """Whether the client is asked for docker's choice; None for whenever there are delegations."""
    http: bool = field(default=False, kw_only=True)
    """Whether imgsig asks over HTTP too, because the case is about how documents are sent."""


@final
@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of a case: both verdicts at the last step, and the worst relation of all steps."""

    case: Case
    oracle: OracleVerdict
    ours: OurVerdict
    relation: Relation
    step: int
    """The index of the step that `oracle` and `ours` are about: the worst, or the last."""
    expected: bool
    """Whether the reference client did what the case says at the last step."""
    refused_once: bool = False
    """Whether the client, which saw a roll-back where imgsig did not, agrees with imgsig when it is asked once more."""

    def fault(self) -> str:
        """Return what is wrong, or nothing."""
        case, relation = self.case, self.relation
        wrong = {
            "imgsig crashed": self.ours.crashed,
            "imgsig is laxer": relation is Relation.LAXER and not case.wider,
            f"the reference client was expected to {case.expect}": not self.expected,
            "imgsig is stricter without a reason": relation is Relation.STRICTER and not case.stricter,
            f"imgsig was expected to be stricter ({case.stricter})": relation is Relation.AGREE and bool(case.stricter),
            f"imgsig was expected to be wider ({case.wider})": relation is not Relation.LAXER and bool(case.wider),
        }
        found = [what for what, is_so in wrong.items() if is_so]
        return f"{found[0]}; step {self.step}: oracle {self.oracle}; imgsig {self.ours}" if found else ""


def run(case: Case, oracle: Oracle, *, until_differing: bool = False, quick: bool = False) -> Outcome:
    """Play a case for both clients, to its end or to the first step at which they differ.

    If `quick`, imgsig speculates and remembers, which must change nothing.
    """
    stage = Stage(case.start(), oracle.trust_dir(), tag=case.tag, quick=quick)
    outcomes = []
    for step in case.steps:
        outcomes.append(_play(stage, step, case, oracle))
        if until_differing and outcomes[-1][2] is not Relation.AGREE:
            break
    answer, last, relation = outcomes[-1]
    once_more = relation is Relation.LAXER and answer.answer is Answer.ROLLBACK
    refused_once = once_more and relate(ask_oracle(stage, oracle, docker=case.docker), last) is Relation.AGREE
    expected = _name(answer) == case.expect
    severity = {Relation.AGREE: 0, Relation.STRICTER: 1, Relation.LAXER: 2}
    index = max(range(len(outcomes)), key=lambda number: (severity[outcomes[number][2]], number))
    theirs, ours, relation = outcomes[index]
    return Outcome(case, theirs, ours, relation, index, expected, refused_once)


def relate(theirs: OracleVerdict, ours: OurVerdict) -> Relation:
    """Compare two verdicts: agreement is the same digest, or two refusals for whatever reason."""
    if not ours.accepted:
        return Relation.STRICTER if theirs.accepted else Relation.AGREE
    return Relation.AGREE if theirs.accepted and theirs.digest == ours.digest else Relation.LAXER


def _play(stage: Stage, step: Step, case: Case, oracle: Oracle) -> tuple[OracleVerdict, OurVerdict, Relation]:
    step(stage)
    stage.repository.publish()
    replies = {where: list(answers) for where, answers in stage.repository.replies.items()}
    theirs = ask_oracle(stage, oracle, docker=case.docker)
    stage.repository.replies = replies
    if case.http:
        with oracle.serving(stage.repository, stage.trust_dir.name) as stage.url:
            ours = ask_imgsig(stage)
    else:
        ours = ask_imgsig(stage)
    return theirs, ours, relate(theirs, ours)


def _name(answer: OracleVerdict) -> str:
    known = {Answer.OK: ACCEPT, Answer.NO_SUCH_TARGET: ABSENT, Answer.PANIC: PANIC}
    return known.get(answer.answer, REFUSE)


def nothing(_: Stage) -> None:
    """Bend nothing: a step that fills what the clients remember."""


def once(
    name: str, expect: str, bend: Callable[[SignedRepository], object], stricter: str = "", **more: object
) -> Case:
    """Return the case of a client that meets the bent repository first of all."""
    return Case(name, (_on_repository(bend),), expect, stricter, **more)  # type: ignore[arg-type]


def later(
    name: str, expect: str, *bends: Callable[[SignedRepository], object], stricter: str = "", **more: object
) -> Case:
    """Return the case of a client that knows the repository before it is bent, once or more."""
    return Case(name, (nothing, *map(_on_repository, bends)), expect, stricter, **more)  # type: ignore[arg-type]


def _on_repository(bend: Callable[[SignedRepository], object]) -> Step:
    return lambda stage: bend(stage.repository)
