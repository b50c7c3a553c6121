"""The stage `reward`: a new reward model each cycle, which must not rank held-out users worse than the one before."""

from __future__ import annotations

from collections.abc import Sequence

from rlhi import ledger
from rlhi.config import Params
from rlhi.contracts import Conversation, FeedbackTurn, Persona, Rewrite, to_record
from rlhi.learn import reward as rewarding
from rlhi.learn.comparisons import COMPARISON_SOURCES, Comparison, comparisons
from rlhi.models.base import Embedder
from rlhi.stages import Outcome, backends
from rlhi.stages.ingest import conversations
from rlhi.stages.personas import persona_before
from rlhi.store import Workspace, read_table, write_atomic, write_json

FOLDER = "models/reward"
HEAD = f"{FOLDER}/head.npz"
"""The head that scores; ``heads/NNNN.npz`` beside it are those that scored in each cycle."""


def reward(space: Workspace, params: Params) -> Outcome:
    """Train the reward head on what users who are not held out preferred; test it on those who are.

    The head of the cycle before goes on scoring when it ranks held-out users' comparisons better than the new one.
    """
    learned, unseen = _comparisons(space, params)
    embedder, cycle = backends.embedder(params), ledger.pinned(space.root).cycle
    try:
        head, lacking = rewarding.train(learned, embedder, params.reward), ""
    except rewarding.RewardError as error:
        head, lacking = rewarding.RewardHead.neutral().attach(embedder), f"no reward model, so no pairs: {error}"
    tested, former = rewarding.accuracy(head, unseen), _former(space, cycle, embedder)
    before = rewarding.accuracy(former, unseen).accuracy if former else None
    kept = before is not None and before > tested.accuracy
    if former and kept:
        head, lacking = former, f"the former reward model stays: it ranks {before:.0%} right, a new one"
        lacking += f" {tested.accuracy:.0%}"
        tested = rewarding.accuracy(head, unseen)
    by_source = {
        source: rewarding.accuracy(head, some)
        for source in COMPARISON_SOURCES
        if (some := [one for one in unseen if one.source == source])
    }
    write_atomic(space.path(FOLDER) / "heads" / f"{cycle:04d}.npz", head.to_bytes())
    write_atomic(space.path(HEAD), head.to_bytes())
    record = {"trained_on": len(learned), "former_kept": kept, "former_accuracy": before, **to_record(tested)}
    each = {source: to_record(one) for source, one in by_source.items()}
    write_json(space.path(FOLDER) / "metrics.json", {**record, "by_source": each})
    counts: dict[str, int | float | str] = {
        "trained on": len(learned), "held-out comparisons": tested.comparisons, "held-out users": tested.users,
        "accuracy": tested.accuracy, "the longer wins": tested.longer_wins,
        **{f"accuracy, {source} ({one.comparisons})": one.accuracy for source, one in by_source.items()},
    }  # fmt: skip
    note = f"ranks {tested.accuracy:.0%} of held-out users' comparisons right, the longer wins {tested.longer_wins:.0%}"
    if not unseen:
        note = "no comparison of a held-out user: how well it ranks is not known"
    return Outcome(0 if kept or head.is_neutral else len(learned), 0, counts, lacking or note)


def scorer(space: Workspace, params: Params) -> rewarding.RewardHead:
    """The workspace's reward model, ready to score."""
    return rewarding.RewardHead.from_bytes(space.path(HEAD).read_bytes()).attach(backends.embedder(params))


def _comparisons(space: Workspace, params: Params) -> tuple[list[Comparison], list[Comparison]]:
    """What is learned from, and what held-out users said.

    Training is told whole personas, for it is to learn what their claims ask for. The test is told what was known
    before each answer.
    """
    talks = conversations(space)
    labels = read_table(space.path("data/feedback"), FeedbackTurn)
    rows = read_table(space.path("data/rewrites"), Rewrite)
    personas = {row.user_id: row.text for row in read_table(space.path("data/personas"), Persona)}

    def side(held_out: bool) -> Sequence[Conversation]:
        return [talk for talk in talks if params.split.holds_out(talk.user_id) == held_out]

    learned = comparisons(side(False), labels, rows, lambda talk, _: personas.get(talk.user_id, ""))
    return learned, comparisons(side(True), labels, rows, persona_before(space, params))


def _former(space: Workspace, cycle: int, embedder: Embedder) -> rewarding.RewardHead | None:
    """The head that scored in the cycle before this one; None for none, or for one of other features."""
    files = [file for file in sorted((space.path(FOLDER) / "heads").glob("*.npz")) if file.stem < f"{cycle:04d}"]
    if not files:
        return None
    try:
        head = rewarding.RewardHead.from_bytes(files[-1].read_bytes()).attach(embedder)
    except rewarding.RewardError:
        return None
    return None if head.is_neutral else head
