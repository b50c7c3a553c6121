"""What became of tests of the workspace, version by version: fixed in one, broken in another.

A version holds a test where every reply of its is about the request and does all that was asked, and fails it where
none does. What lies between is unsteady, and changes nothing that was known: a test that is held for the second time
in two replies was not fixed.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from rlhi.contracts import AnsweredTest, EvalResult, WorkspaceTest
from rlhi.evaluate.said import MODELS, AskedTests

State = Literal["learned", "waiting", "unsteady", "failing", "held", "fixed", "broken"]
STATES: Mapping[State, str] = {
    "broken": "held by a former version, and failed now",
    "fixed": "failed by a former version, and held now",
    "failing": "never held",
    "held": "never failed",
    "unsteady": "neither held nor failed by any version yet",
    "waiting": "not asked yet",
    "learned": "of a user who is learned from: never asked",
}
"""What became of a test, in the order in which it is told."""


@dataclass(frozen=True, slots=True)
class Change:
    """A version, the first that held a test (``fixed``) or failed it (``broken``) after another had done otherwise."""

    what: Literal["fixed", "broken"]
    version: str


@dataclass(frozen=True, slots=True)
class HistoryOfTest:
    """What became of one test: its state, the version since which it is so (empty for none), and every change."""

    test: WorkspaceTest
    state: State
    since: str = ""
    changes: tuple[Change, ...] = ()

    @property
    def told(self) -> str:
        """Its state in words: ``fixed in policy@v0.7.0, broken in policy@v0.9.0``."""
        if self.changes:
            return ", ".join(f"{one.what} in policy@{one.version}" for one in self.changes)
        return f"{self.state} since policy@{self.since}" if self.since else self.state


def answered_tests(
    tested: AskedTests, results: Sequence[EvalResult], cycle: int, champion: str
) -> Iterator[AnsweredTest]:  # fmt: skip
    """How both models did in a cycle on every test that they were asked, by the rows of the suite ``resolution``."""
    values = {(row.model, row.item): row.value for row in results if row.suite == "resolution"}
    for model in MODELS:
        replies: dict[str, list[tuple[str, float]]] = {}
        for one in tested.replies[model]:
            replies.setdefault(one.item.rpartition("/")[0], []).append((one.text, values[model, one.item]))
        for key, said in replies.items():
            user, version = tested.tests[key].user_id, champion if model == "champion" else ""
            resolved = sum(value == 1 for _, value in said)
            yield AnsweredTest(key, user, cycle, model, version, resolved, len(said), said[0][0])


def histories(
    tests: Iterable[WorkspaceTest], answered: Iterable[AnsweredTest], promoted: Mapping[int, str]
) -> list[HistoryOfTest]:
    """What became of every test, the worst first; ``promoted`` names the version that a cycle's challenger became."""
    by_test: dict[str, list[AnsweredTest]] = {}
    for row in sorted(answered, key=lambda row: (row.cycle, row.model == "challenger")):
        by_test.setdefault(row.test, []).append(row)
    found = [_history(one, by_test.get(one.key, ()), promoted) for one in tests]
    order = list(STATES)
    return sorted(found, key=lambda one: (order.index(one.state), one.test.cycle, one.test.key))


def changed(answered: Iterable[AnsweredTest], cycle: int) -> tuple[list[str], list[str]]:
    """The tests that a cycle's challenger holds and its champion fails, and those the other way round."""
    rows: dict[str, dict[str, AnsweredTest]] = {}
    for row in answered:
        if row.cycle == cycle:
            rows.setdefault(row.test, {})[row.model] = row
    both = {test: (holds(by["champion"]), holds(by["challenger"])) for test, by in rows.items() if len(by) == 2}
    return (
        sorted(test for test, sides in both.items() if sides == (False, True)),
        sorted(test for test, sides in both.items() if sides == (True, False)),
    )


def holds(row: AnsweredTest) -> bool | None:
    """Whether a model holds a test, or fails it; None for neither."""
    return True if row.resolved == row.replies else None if row.resolved else False


def _history(test: WorkspaceTest, rows: Sequence[AnsweredTest], promoted: Mapping[int, str]) -> HistoryOfTest:
    if not test.held_out:
        return HistoryOfTest(test, "learned")
    now, since = None, ""
    changes: list[Change] = []
    for row in rows:
        version, found = row.version or promoted.get(row.cycle, ""), holds(row)
        if not version or found is None or found == now:
            continue
        if now is not None:
            changes.append(Change("fixed" if found else "broken", version))
        now, since = found, version
    state: State = "unsteady" if rows else "waiting"
    if now is not None:
        state = changes[-1].what if changes else "held" if now else "failing"
    return HistoryOfTest(test, state, since, tuple(changes))
