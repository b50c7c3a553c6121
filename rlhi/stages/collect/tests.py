"""The stage ``tests``: complaints that a program understood are kept as tests of the workspace."""

from __future__ import annotations

from functools import cache

from rlhi.collect.feedback.understood import ComplaintReader
from rlhi.config import PersonasConfig, SplitConfig
from rlhi.contracts import Conversation, FeedbackTurn, Profile, WorkspaceTest
from rlhi.stages import Outcome
from rlhi.stages.collect.ingest.stage import conversations
from rlhi.stages.collect.personas import PersonaBefore, persona_before
from rlhi.workspace import ledger
from rlhi.workspace.store import Workspace, read_table, write_table

TESTS = "data/tests"


def tests(space: Workspace, /, *, personas: PersonasConfig, split: SplitConfig) -> Outcome:
    """Add what is newly understood. A test goes with its conversation alone: who is erased from the log takes theirs
    along."""

    @cache
    def known() -> PersonaBefore:
        return persona_before(space, personas, split)  # reads all histories: only where something is new

    def known_before(conversation: Conversation, at: int) -> Profile:
        return known()(conversation, at)

    aside = [row for row in read_table(space.path("data/conversations"), Conversation) if row.set_aside]
    feedback = read_table(space.path("data/feedback"), FeedbackTurn)
    before = read_tests(space)
    reader = ComplaintReader(known_before, split.holds_out, ledger.upcoming(space.root))
    rows = reader.tests(conversations(space), aside, feedback, before)
    write_table(space.path(TESTS), WorkspaceTest, rows, user=lambda row: row.user_id)
    standing = {one.key for one in before}
    new = sum(row.key not in standing for row in rows)
    gone = len(standing - {row.key for row in rows})
    measured = sum(row.held_out for row in rows)
    counts: dict[str, int | float | str] = {"tests": len(rows), "of held-out users": measured, **reader.passed_over}
    note = f"{new} complaints understood; {len(rows)} tests, {measured} of held-out users"
    return Outcome(new, len(rows) - new, counts, note + (f"; {gone} gone with their conversations" if gone else ""))


def read_tests(space: Workspace) -> list[WorkspaceTest]:
    """All tests of the workspace; none before any was collected."""
    return read_table(space.path(TESTS), WorkspaceTest)
