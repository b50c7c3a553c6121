"""`rlhi tests`, the evidence page and `rlhi status`: the tests of a workspace and what became of each."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from difflib import get_close_matches

from rlhi.contracts import AnsweredTest, WorkspaceTest
from rlhi.evaluate.history import STATES, HistoryOfTest, changed, histories, holds
from rlhi.report import CycleTests, ShownTest
from rlhi.stages import StageError
from rlhi.stages.collect.ingest.stage import conversations
from rlhi.stages.collect.tests import TESTS, read_tests
from rlhi.stages.evaluate.tested import read_tested
from rlhi.workspace import ledger
from rlhi.workspace.store import Workspace, read_manifest

SHOWN = 6
"""Tests on the evidence page that the challenger fixed or broke, at most: the broken ones first."""


@dataclass(frozen=True, slots=True)
class ListedTest:
    """A test with what became of it. ``entered`` is the day of its first cycle, empty before that cycle is finished.

    ``complaint`` is what its user said, where one test is looked at; ``answers`` are those of all versions.
    """

    history: HistoryOfTest
    entered: str
    complaint: str = ""
    answers: tuple[AnsweredTest, ...] = ()

    def as_json(self) -> dict[str, object]:
        """For ``--json``."""
        one, test = self.history, self.history.test
        listed: dict[str, object] = {
            "id": test.key, "user_id": test.user_id, "held_out": test.held_out, "cycle": test.cycle,
            "entered": self.entered, "state": one.state, "since": one.since, "told": one.told,
            "changes": [{"what": change.what, "version": change.version} for change in one.changes],
            "wish": test.wish, "checks": [claim.check for claim in test.asked],
            "request": test.request, "persona": test.persona.text,
        }  # fmt: skip
        if not self.complaint:
            return listed
        rows = [
            {
                "cycle": row.cycle, "model": row.model, "version": row.version, "resolved": row.resolved,
                "replies": row.replies, "reply": row.reply,
            }
            for row in self.answers
        ]  # fmt: skip
        return listed | {"complaint": self.complaint, "original": test.original, "answers": rows}


def listed(space: Workspace, state: str | None = None) -> list[ListedTest]:
    """All tests, or those of one state, the worst first.

    Raises:
        StageError: none was ever collected, or there is no such state.
    """
    if state is not None and state not in STATES:
        raise StageError(f"no state {state!r} of tests: one of {', '.join(STATES)}")
    if read_manifest(space.path(TESTS)) is None:
        raise StageError("no tests were collected yet: run `rlhi run tests`, or `rlhi cycle`")
    days = {one.cycle: one.date[:10] for one in ledger.history(space.root)}
    found = became(space)
    return [ListedTest(one, days.get(one.test.cycle, "")) for one in found if state in (None, one.state)]


def find(space: Workspace, key: str) -> ListedTest:
    """One test by its id, or by the beginning of it, with its complaint and every answer to it.

    Raises:
        StageError: there is none, or several begin so.
    """
    rows = listed(space)
    found = [row for row in rows if row.history.test.key.startswith(key)] if key else []
    if len(found) != 1:
        near = [row.history.test.key for row in found[:3]]
        near = near or get_close_matches(key, [row.history.test.key for row in rows], n=3, cutoff=0.5)
        remedy = f"did you mean {' or '.join(near)}?" if near else "`rlhi tests` lists all"
        raise StageError(f"{'several tests' if found else 'no test'} {key!r}: {remedy}")
    one, test = found[0], found[0].history.test
    answers = sorted(
        (row for row in read_tested(space) if row.test == test.key), key=lambda row: (row.cycle, row.model)
    )
    return ListedTest(one.history, one.entered, _complaint(space, test), tuple(answers))


def became(space: Workspace) -> list[HistoryOfTest]:
    """What became of every test, the worst first."""
    promoted = {one.cycle: one.promoted for one in ledger.history(space.root) if one.promoted}
    return histories(read_tests(space), read_tested(space), promoted)


def states(space: Workspace) -> tuple[tuple[str, int], ...]:
    """How many tests are in which state, in the order of the states; none where there are none."""
    found = Counter(one.state for one in became(space))
    return tuple((state, found[state]) for state in STATES if found[state])


def of_cycle(space: Workspace) -> CycleTests | None:
    """What the present cycle's challenger fixed and broke; None where no test was asked."""
    cycle = ledger.pinned(space.root).cycle
    rows = {(row.test, row.model): row for row in read_tested(space) if row.cycle == cycle}
    if not rows:
        return None
    tests = {one.key: one for one in read_tests(space)}
    fixed, broken = changed(rows.values(), cycle)
    shown = [("broken", key) for key in broken[:SHOWN]] + [("fixed", key) for key in fixed]
    held = Counter(row.model for row in rows.values() if holds(row))
    return CycleTests(
        kept=len(tests),
        held_out=sum(one.held_out for one in tests.values()),
        asked=sum(model == "champion" for _, model in rows),
        champion=held["champion"],
        challenger=held["challenger"],
        fixed=len(fixed),
        broken=len(broken),
        shown=tuple(
            ShownTest(
                what, tests[key].wish, tests[key].request, rows[key, "champion"].reply, rows[key, "challenger"].reply
            )
            for what, key in shown[:SHOWN]
        ),
    )


def _complaint(space: Workspace, test: WorkspaceTest) -> str:
    """What the user said, by the log."""
    of = next((one for one in conversations(space) if one.conversation_id == test.conversation_id), None)
    return of.turns[test.turn_index].content if of and test.turn_index < len(of.turns) else "(the log has it no longer)"
