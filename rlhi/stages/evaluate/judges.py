"""The stage ``judges``: language models compare what champion and challenger replied to held-out users."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice

from rlhi.config import EvaluateConfig, JudgesConfig, PersonasConfig, SplitConfig
from rlhi.contracts import from_record, to_record
from rlhi.contracts.judges import JudgeRecord, JudgesReport, JudgeVerdict
from rlhi.evaluate.judges.compare import Pair, compared
from rlhi.evaluate.judges.trial import tried
from rlhi.evaluate.judges.verdicts import Judged, agreements, judged, verdicts, win_rates
from rlhi.evaluate.replies import EvaluatedReply
from rlhi.learn.reward.comparisons import prompt_before
from rlhi.models.base import Usage
from rlhi.progress import progress
from rlhi.stages import Outcome, backends
from rlhi.stages.collect.personas import persona_before
from rlhi.stages.evaluate.confirm import CONFIRMED_REPLIES
from rlhi.stages.evaluate.evaluate import REPLIES
from rlhi.stages.evaluate.questions import chosen
from rlhi.stages.samples import RecordedModel, SampleStore
from rlhi.workspace import ledger
from rlhi.workspace.store import Workspace, read_json, read_table, write_json, write_table

VERDICTS = "data/verdicts"
"""What each judge said of each request, by criterion: ``JudgeVerdict``."""
REPORT = "data/judges/judges.json"


def judges(
    space: Workspace,
    /,
    *,
    judges: JudgesConfig,
    evaluate: EvaluateConfig,
    personas: PersonasConfig,
    split: SplitConfig,
    seed: int,
) -> Outcome:
    """Ask every judge of tonight's replies, a decision's where one was asked for; and try each on people's choices.

    Answers are kept as they come, by the judge's name and the question: none is paid for twice.
    """
    replies = (read_table(space.path(name), EvaluatedReply) for name in (CONFIRMED_REPLIES, REPLIES))
    asked = judged(next((rows for rows in replies if rows), []), judges.requests, seed)
    if not judges.models or not asked:
        _write(space, JudgesReport(), [])
        why = "nobody replied to anything" if judges.models else "no judges (judges.models is empty)"
        return Outcome(0, 0, {}, f"nothing to judge: {why}")
    choices = _choices(space, judges, personas, split, seed)
    bench = _Bench(space, judges, evaluate, seed, choices, asked)
    heard = [bench.sit(name) for name in judges.models]
    rows = [row for one in heard for row in one.rows]
    report = JudgesReport(tuple(one.record for one in heard), tuple(agreements(rows)))
    _write(space, report, rows)
    return Outcome(len(rows), 0, _counts(heard, report, asked), _told(report))


@dataclass(frozen=True, slots=True)
class _Heard:
    """One judge: how well it judges, what it said, and what was paid for in this run."""

    record: JudgeRecord
    rows: Sequence[JudgeVerdict]
    paid: Usage


@dataclass(frozen=True, slots=True)
class _Bench:
    """What judges are asked of: ``choices`` of held-out users, and the replies ``asked`` for."""

    space: Workspace
    config: JudgesConfig
    evaluate: EvaluateConfig
    seed: int
    choices: Sequence[Pair]
    asked: Sequence[Judged]

    def sit(self, address: str) -> _Heard:
        """Ask one judge."""
        cycle = ledger.pinned(self.space.root).cycle
        model = backends.structured_model(address, self.config.tries, self.config.max_new_tokens)
        judge = RecordedModel(model, SampleStore(self.space, "judges"), cycle)
        confidence, resamples = self.evaluate.confidence, self.evaluate.resamples
        pairs = [one.pair for one in self.asked]
        with progress(f"judge {judge.name}", len(self.choices) + len(pairs)) as advance:
            of_choices = compared(judge, self.choices, advance)
            said = compared(judge, pairs, advance)
        trial = tried(self.choices, of_choices, confidence, resamples, self.seed)
        rows = list(verdicts(judge.name, self.asked, said))
        wins = tuple(win_rates(rows, confidence, resamples, self.seed))
        unanswered = (*of_choices, *said).count(None)
        record = JudgeRecord(judge.name, trial.accuracy, trial.longer_wins, trial.flipped, wins, unanswered)
        return _Heard(record, rows, judge.usage)


def read_report(space: Workspace) -> JudgesReport:
    """What the judges of the last evaluation were worth, and said; empty before any was asked."""
    record = read_json(space.path(REPORT))
    return from_record(JudgesReport, record) if record else JudgesReport()


def _choices(
    space: Workspace, config: JudgesConfig, personas: PersonasConfig, split: SplitConfig, seed: int
) -> list[Pair]:  # fmt: skip
    """What held-out users chose in the log, with the persona that was known before; each chosen side is the first."""
    known = persona_before(space, personas, split)
    drawn = islice(chosen(space, split, seed), config.choices)
    return [
        Pair(key, row.user_id, known(row, at).text, prompt_before(row, at), better, worse)
        for key, row, at, better, worse in drawn
    ]


def _write(space: Workspace, report: JudgesReport, rows: Sequence[JudgeVerdict]) -> None:
    write_table(space.path(VERDICTS), JudgeVerdict, rows, user=lambda row: row.user_id)
    write_json(space.path(REPORT), to_record(report))


def _counts(
    heard: Sequence[_Heard], report: JudgesReport, asked: Sequence[Judged]
) -> dict[str, int | float | str]:  # fmt: skip
    """What was asked and paid for, and how far judges agree all in all."""
    agree = {
        f"agree: {one.one}, {one.other}": f"{one.share:.0%}" + (f", kappa {one.kappa:.2f}" if one.kappa else "")
        for one in report.agreements
        if one.criterion == "overall"
    }
    return {
        "requests judged": len(asked), "of follow-up turns": sum(one.turn == "follow_up" for one in asked),
        "answers paid for": sum(one.paid.calls for one in heard), "refused": sum(one.paid.failed for one in heard),
        "prompt tokens": sum(one.paid.prompt_tokens for one in heard),
        "completion tokens": sum(one.paid.completion_tokens for one in heard),
        "pairs left out": sum(one.record.unanswered for one in heard), **agree,
    }  # fmt: skip


def _told(report: JudgesReport) -> str:
    """How well each judges people's choices, and what it says of the challenger."""
    told = []
    for one in report.judges:
        accuracy, won = one.accuracy, next((each for each in one.wins if each.criterion == "overall"), None)
        tried_on = (
            f"finds {accuracy.mean:.1%} ({accuracy.low:.1%} to {accuracy.high:.1%}) of {accuracy.items} choices right, "
            f"the longer wins {one.longer_wins:.1%}"
            if accuracy.items
            else "no held-out user chose anything that tests it"
        )
        prefers = f"; the challenger wins {won.raw.mean:.1%}, {won.equal.mean:.1%} at equal length" if won else ""
        told.append(f"{one.name}: {tried_on}{prefers}")
    return "; ".join(told)
