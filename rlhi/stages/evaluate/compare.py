"""People's answers to pairs of replies, in a workspace: kept one by one, counted, and taken into a decision."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

from rlhi.config.suites import SUITES
from rlhi.contracts import Comparison, PairAnswer, PeopleTally, content_key, from_record, to_record
from rlhi.evaluate.budget import budget_of
from rlhi.evaluate.people import (
    PEOPLE,
    RATES,
    Side,
    agreement,
    beside,
    left_of,
    pairs_to_show,
    tally,
    to_compare,
    win_rate,
)  # fmt: skip
from rlhi.evaluate.replies import SideBySide
from rlhi.file_lock import locked
from rlhi.stages import StageError
from rlhi.stages.evaluate.decision import DECISION, read_decision
from rlhi.stages.evaluate.replies import last_replies, read_replies
from rlhi.stages.learn.dpo import CHALLENGER, TRAINING
from rlhi.workspace import ledger
from rlhi.workspace.store import Workspace, read_json

ANSWERS = "data/people/answers.jsonl"
"""One answer a line, :class:`Comparison`; lines are only added."""


@dataclass(frozen=True, slots=True)
class Session:
    """What one rater is asked of a workspace's last challenger."""

    space: Workspace
    rater: str
    seed: int
    champion: str
    challenger: str
    pairs: tuple[SideBySide, ...]
    alike: int

    def todo(self) -> list[SideBySide]:
        """The pairs that this rater has not answered, in their order."""
        done = {(one.user_id, one.item) for one in self.answers() if one.rater == self.rater}
        return [row for row in self.pairs if (row.user_id, row.item) not in done]

    def answers(self) -> list[Comparison]:
        """What everybody said of this challenger."""
        return answers_of(self.space, self.champion, self.challenger)

    def sides(self, row: SideBySide) -> tuple[str, str]:
        """Both replies as this rater sees them, left and right, or first and second."""
        both = row.champion, row.challenger
        return both if self.left(row) == "champion" else both[::-1]

    def left(self, row: SideBySide) -> Side:
        """Whose reply stands on the left."""
        return left_of(row, self.rater, self.seed)

    def keep(self, row: SideBySide, said: str) -> None:
        """Keep an answer: ``left``, ``right``, ``tie`` or ``neither``. A pair that was answered meanwhile stays so."""
        left = self.left(row)
        right: Side = "challenger" if left == "champion" else "champion"
        known: dict[str, PairAnswer] = {"left": left, "right": right, "tie": "tie", "neither": "neither"}
        if any(one.item == row.item and one.user_id == row.user_id for one in self.todo()):
            now = datetime.now(UTC).isoformat(timespec="seconds")
            one = Comparison(
                self.rater, now, self.champion, self.challenger, row.user_id, row.item, left, known[said]
            )  # fmt: skip
            _append(self.space, one)


def session(space: Workspace, rater: str, seed: int) -> Session:
    """What is to be asked.

    Raises:
        StageError: nothing was evaluated, there is no challenger, or no pair of replies that differ.
    """
    found = last_replies(space)
    champion, challenger = _models(space)
    if found.why_none or not challenger:
        raise StageError(found.why_none or "the last cycle left no challenger: run `rlhi cycle`")
    pairs, alike = to_compare(found.rows, seed)
    if not pairs:
        raise StageError(f"all {alike} pairs of replies are alike: there is nothing to compare until the next cycle")
    return Session(space, rater, seed, champion, challenger, tuple(pairs), alike)


def answers_of(space: Workspace, champion: str, challenger: str) -> list[Comparison]:
    """What people said of a challenger beside a champion."""
    of = champion, challenger
    return [one for one in read_answers(space) if (one.champion, one.challenger) == of]


def read_answers(space: Workspace) -> list[Comparison]:
    """Every answer that was kept. A last line that a kill cut off is none.

    Raises:
        StageError: a line is no answer.
    """
    file = space.path(ANSWERS)
    if not file.is_file():
        return []
    found = []
    for number, line in enumerate(file.read_bytes().split(b"\n")[:-1], 1):
        try:
            found.append(from_record(Comparison, json.loads(line)))
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            raise StageError(
                f"{file}, line {number} is no answer ({error}): take that line out, or `dvc checkout data/people.dvc`"
            ) from None
    return found


def _append(space: Workspace, one: Comparison) -> None:
    """One line in one write, on the disk before the next question; what a kill left half written goes first."""
    file = space.path(ANSWERS)
    file.parent.mkdir(parents=True, exist_ok=True)
    space.path(".rlhi").mkdir(exist_ok=True)
    with locked(space.path(".rlhi/people.lock")), file.open("ab+") as handle:
        handle.seek(0)
        held = handle.read()
        if not held.endswith(b"\n"):
            handle.truncate(held.rfind(b"\n") + 1)
        handle.write(json.dumps(to_record(one), ensure_ascii=False).encode() + b"\n")
        handle.flush()
        os.fsync(handle.fileno())


def _models(space: Workspace) -> tuple[str, str]:
    """The champion of the last decision, and the key of the challenger's training; empty where there is none."""
    training = read_json(space.path(CHALLENGER) / TRAINING)
    known = "" if not training or "skipped" in training else content_key(training)
    return str(read_json(space.path(DECISION)).get("champion", "")), known


def counted(space: Workspace) -> PeopleTally:
    """What people said of the last challenger."""
    champion, challenger = _models(space)
    return tally(answers_of(space, champion, challenger) if challenger else [], challenger)


def to_decide(space: Workspace, today: str) -> PeopleTally | None:
    """What people said of the last challenger, where the next cycle is to decide on that; None where not.

    It was held, its champion is still champion, people decided on enough users since and prefer it in the mean, and the
    budget allows a decision.
    """
    gate = space.params.gate
    if PEOPLE not in gate.gains or not space.path(DECISION).exists() or ledger.under_way(space.root):
        return None
    said = counted(space)
    if said.decided < gate.least_people or said == ledger.pinned(space.root).compared:
        return None
    held = read_decision(space).verdict == "hold" and _models(space)[0] == ledger.champion(space.root)
    promising = 2 * said.won / said.decided - 1 > gate.gains[PEOPLE].margin
    free = not budget_of(gate.budget, ledger.spendings(space.root), today).wait
    return said if held and promising and free else None


def decided_on(space: Workspace) -> PeopleTally | None:
    """What people said of the challenger that the cycle under way decides on; None where they said nothing of it."""
    told = ledger.pinned(space.root).compared
    return told if told and told.challenger == _models(space)[1] else None


def as_line(space: Workspace) -> str:
    """What people say of the last challenger, in a line; empty where nobody was asked."""
    said = counted(space)
    if not said.answers:
        return ""
    told, gate = _result(said, space.params.evaluate.confidence), space.params.gate
    short = said.decided < gate.least_people
    counts = f"; counts from {gate.least_people} decided users on" if short else ""
    return "; ".join(filter(None, (told + counts, _judges(space))))


def _result(said: PeopleTally, confidence: float) -> str:
    rate, raters = win_rate(said, confidence), f"{said.raters} rater{'' if said.raters == 1 else 's'}"
    what = f"{said.pairs} pairs, {raters}, {said.ties} ties, {said.neither} with no answer"
    if not rate.clusters:
        return f"no winner yet ({what})"
    ends = f"exact {confidence:.0%} interval {rate.low:.1%} to {rate.high:.1%}"
    return f"the challenger wins {rate.mean:.1%} of {rate.clusters} decided users ({ends}; {what})"


def _judges(space: Workspace) -> str:
    """How often a judge that is a model names the same winner as people."""
    rows, said = read_replies(space), answers_of(space, *_models(space))
    told = []
    for name in (suite.name for suite in SUITES.values() if suite.judged):
        same, both = beside(name, said, rows)
        told += [f"the judge of {name} agrees with people on {same} of {both} pairs"] if both else []
    return ", ".join(told)


def before(of: Session) -> Iterator[str]:
    """What is said before the first question: how many pairs would decide, and for what it counts."""
    gate, level = of.space.params.gate, _level(of.space)
    shown = " and ".join(f"{pairs_to_show(rate, level)} for a win rate of {rate:.0%}" for rate in RATES)
    users = len({row.user_id for row in of.pairs})
    yield f"{len(of.pairs)} pairs of replies to {users} held-out users ({of.alike} alike, left out), sides drawn."
    yield (
        f"At the level of a decision ({level:.2%}) {shown} would decide four times in five: decided pairs, "
        f"one a user, ties apart. {_enough(users, level)}Settle on a number first, for who stops when it looks good "
        "is fooled more often."
    )
    yield f"People count from {gate.least_people} decided users on; `rlhi cycle` then decides anew. {_counts(of.space)}"


def _enough(users: int, level: float) -> str:
    """What to know where there are fewer users than the easier of the two asks for."""
    least = pairs_to_show(RATES[-1], level)
    return f"Here are {users} users: they show a higher rate alone. " if least is None or users < least else ""


def _counts(space: Workspace) -> str:
    """Whether the answers can still count."""
    if read_decision(space).verdict != "hold":
        return "The last challenger was not held: what is said of it now is told and decides nothing."
    if _models(space)[0] != ledger.champion(space.root):
        return "Another version is champion since: what is said of this challenger is told and decides nothing."
    return "They are of this challenger alone."


def after(of: Session) -> Iterator[str]:
    """What all answers come to, and how many more would decide."""
    answers, level = of.answers(), _level(of.space)
    said = tally(answers, of.challenger)
    yield _result(said, of.space.params.evaluate.confidence)
    yield _lacking(said, level)
    alike = agreement(answers)
    if alike:
        alpha = "" if alike.alpha is None else f", Krippendorff's alpha {alike.alpha:.2f}"
        yield f"{alike.pairs} pairs had several raters: {alike.share:.0%} of their answers agree{alpha}."
    if judges := _judges(of.space):
        yield f"{judges[:1].upper()}{judges[1:]}."


def _lacking(said: PeopleTally, level: float) -> str:
    rate = said.won / said.decided if said.decided else 0.0
    users = pairs_to_show(rate, level)
    if users is None:
        return "This win rate points to no gain: no number of pairs like these would show one."
    more = users - said.decided
    if more <= 0:
        return (
            f"So many would decide four times in five ({users} at this rate): `rlhi cycle` takes them into a decision."
        )
    return f"{more} more decided users at this rate would decide four times in five ({users} in all)."


def _level(space: Workspace) -> float:
    budget = space.params.gate.budget
    return budget.error / budget.decisions
