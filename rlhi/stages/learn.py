"""The stages of the learn flow: rewrites and candidates -> reward -> pairs -> dpo."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from rlhi import ledger
from rlhi.config import Params, SamplingConfig
from rlhi.contracts import (
    Candidate,
    Conversation,
    FeedbackTurn,
    Persona,
    PreferencePair,
    Rewrite,
    Sample,
    to_record,
)
from rlhi.learn import candidates as ubr
from rlhi.learn import reward as rewarding
from rlhi.learn import rewrite as ugr
from rlhi.learn.pairs import Dropped
from rlhi.learn.pairs import pairs as make_pairs
from rlhi.learn.rewrite import Asked
from rlhi.learn.sampling import draw, sample
from rlhi.progress import progress
from rlhi.stages import Outcome, backends
from rlhi.stages.ingest import conversations
from rlhi.stages.samples import SampleStore
from rlhi.stages.training import dpo
from rlhi.store import Workspace, read_table, write_atomic, write_json, write_table

__all__ = ["candidates", "dpo", "pairs", "reward", "rewrites", "scorer"]


def rewrites(space: Workspace, params: Params) -> Outcome:
    """Rewrite complained-about answers with their users' words, and keep the revisions the log itself holds."""
    talks, labels, personas = _log(space)
    asked = [
        one
        for one in ugr.complaints(talks.values(), labels, personas, params.rewrites)
        if not params.split.holds_out(one.user_id)
    ]
    config = params.rewrites
    store, new = _sampled(space, params, "rewrites", asked, config.turns, config.tries, config.sampling)
    rows = [*ugr.rewrites(asked, store.samples, talks), *ugr.observed_revisions(talks.values(), labels)]
    write_table(space.path("data/rewrites"), Rewrite, rows, user=lambda row: row.user_id)
    sources = Counter(str(row.source) for row in rows)
    note = f"used {store.taken(_cycle(space))} of {len(asked)} complaints this cycle, {config.tries} tries each"
    return Outcome(new, len(rows) - new * config.tries, {**sources, "complaints": len(asked)}, note)


def candidates(space: Workspace, params: Params) -> Outcome:
    """Sample N answers with the persona for requests drawn by seed."""
    talks, labels, personas = _log(space)
    asked = [
        one
        for one in ubr.requests(talks.values(), labels, personas, params.candidates)
        if not params.split.holds_out(one.user_id)
    ]
    config = params.candidates
    store, new = _sampled(space, params, "candidates", asked, config.prompts, config.n, config.sampling)
    rows = list(ubr.candidates(asked, store.samples))
    write_table(space.path("data/candidates"), Candidate, rows, user=lambda row: row.user_id)
    note = f"used {store.taken(_cycle(space))} of {len(asked)} requests this cycle, {config.n} candidates each"
    distinct = len(rows) / max(1, config.n * len({(row.conversation_id, row.turn_index) for row in rows}))
    return Outcome(new, 0, {"candidates": len(rows), "requests": len(asked), "distinct share": distinct}, note)


def reward(space: Workspace, params: Params) -> Outcome:
    """Train the reward head on what users who are not held out preferred; test it on those who are."""
    talks, labels, personas = _log(space)
    rows = read_table(space.path("data/rewrites"), Rewrite)
    both = rewarding.comparisons(talks.values(), labels, rows, personas)
    held_out = [one for one in both if params.split.holds_out(one.user_id)]
    ours = [one for one in both if not params.split.holds_out(one.user_id)]
    folder = space.path("models/reward")
    embedder = backends.embedder(params)
    try:
        head, lacking = rewarding.train(ours, embedder, params.reward), ""
    except rewarding.RewardError as error:
        head, lacking = rewarding.RewardHead.neutral().attach(embedder), f"no reward model, so no pairs: {error}"
    tested = rewarding.accuracy(head, held_out)
    write_atomic(folder / "head.npz", head.to_bytes())
    write_json(folder / "metrics.json", {"trained_on": len(ours), **to_record(tested)})
    counts = {
        "trained on": len(ours), "held-out comparisons": tested.comparisons, "held-out users": tested.users,
        "accuracy": tested.accuracy, "the longer wins": tested.longer_wins,
    }  # fmt: skip
    note = f"ranks {tested.accuracy:.0%} of held-out users' comparisons right, the longer wins {tested.longer_wins:.0%}"
    return Outcome(len(ours), 0, counts, lacking or note)


def pairs(space: Workspace, params: Params) -> Outcome:
    """Turn rewrites and candidates into preference pairs, filtered by the reward model."""
    talks, _, personas = _log(space)
    rows = [row for row in read_table(space.path("data/rewrites"), Rewrite) if not params.split.holds_out(row.user_id)]
    sampled = read_table(space.path("data/candidates"), Candidate)
    dropped = Dropped()
    head = scorer(space, params)
    made = list(make_pairs(rows, sampled, talks, personas, head, params.pairs, dropped))
    # A head that too few comparisons trained finds all alike by design: no pairs, and the gate says so.
    if not head.is_neutral:
        dropped.check_variance()
    write_table(space.path("data/pairs"), PreferencePair, made, user=lambda row: row.user_id)
    sources = Counter(str(pair.source) for pair in made)
    left = {f"dropped: {reason}": count for reason, count in sorted(dropped.reasons.items()) if count}
    return Outcome(len(made), 0, {**sources, **left}, f"{len(made)} pairs from {len({p.user_id for p in made})} users")


def scorer(space: Workspace, params: Params) -> rewarding.RewardHead:
    """The workspace's reward model, ready to score."""
    head = rewarding.RewardHead.from_bytes(space.path("models/reward/head.npz").read_bytes())
    return head.attach(backends.embedder(params))


def _log(space: Workspace) -> tuple[dict[str, Conversation], list[FeedbackTurn], dict[str, Persona]]:
    talks = conversations(space)
    labels = read_table(space.path("data/feedback"), FeedbackTurn)
    personas = read_table(space.path("data/personas"), Persona)
    return {row.conversation_id: row for row in talks}, labels, {row.user_id: row for row in personas}


def _sampled(
    space: Workspace, params: Params, stage: str, asked: Sequence[Asked], most: int, n: int, config: SamplingConfig
) -> tuple[SampleStore, int]:
    """Sample what this cycle may still sample; the stage's store, and how many requests are new in it."""
    cycle = _cycle(space)
    store = SampleStore(space, stage)
    todo = draw(asked, store.taken(cycle), most, store.samples.__contains__, params.seed)
    name = params.models.rewriter if stage == "rewrites" else params.models.policy
    with progress(f"sampling {stage}", len(todo)) as advance:

        def keep(block: list[Sample]) -> None:
            store.keep(block)
            advance(len(block), "")

        if todo:
            sample(todo, backends.chat_model(space, name, config), n, config, params.seed, cycle, keep)
    return store, len(todo)


def _cycle(space: Workspace) -> int:
    return ledger.pinned(space.root).cycle
