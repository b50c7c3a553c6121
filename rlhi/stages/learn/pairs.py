"""The stage ``pairs``: preference pairs, and the answers that users judged singly."""

from __future__ import annotations

from collections import Counter

from rlhi.config import ModelsConfig, PairsConfig, PromptConfig, SplitConfig
from rlhi.contracts import Candidate, JudgedAnswer, PreferencePair, Rewrite
from rlhi.stages import Outcome, backends
from rlhi.stages.learn.dpo import TRAINING
from rlhi.stages.learn.log import judged_maker, lessons_of, pair_maker, read_log
from rlhi.stages.learn.reward_models import scorer
from rlhi.workspace import ledger
from rlhi.workspace.store import Workspace, read_json, read_table, write_table


def pairs(
    space: Workspace, /, *, pairs: PairsConfig, prompt: PromptConfig, split: SplitConfig, models: ModelsConfig,
    seed: int,
) -> Outcome:  # fmt: skip
    """Turn rewrites and candidates into preference pairs, filtered by the reward model; and what users judged singly.

    Judged answers tell the persona that pairs tell, all that is known of the user: what its claims ask for is what is
    to be learned, and most complaints are the first word of it (docs/training.md, "Judged answers").
    """
    rows = [row for row in read_table(space.path("data/rewrites"), Rewrite) if split.teaches(row.user_id)]
    sampled = read_table(space.path("data/candidates"), Candidate)
    embedder = backends.remembering(models)
    log, head = read_log(space), scorer(space, models, embedder)
    champion = ledger.policy_path(space.root, ledger.pinned(space.root).champion)
    learned = lessons_of(read_json(champion / TRAINING))
    maker = pair_maker(log, pairs, prompt, split, seed, head, embedder, learned)
    made = list(maker.pairs(rows, sampled))
    # A head that too few comparisons trained finds all alike by design: pairs are then of what was seen without it.
    if not head.is_neutral:
        maker.spread.check()
    write_table(space.path("data/pairs"), PreferencePair, made, user=lambda row: row.user_id)
    single = judged_maker(log, pairs, prompt, split, seed, learned)
    judged = list(single.answers(log.labels, made))
    write_table(space.path("data/judged"), JudgedAnswer, judged, user=lambda row: row.user_id)
    sources = Counter(str(pair.source) for pair in made)
    sides = Counter(f"judged by {row.source}, {'wanted' if row.wanted else 'unwanted'}" for row in judged)
    counts: dict[str, int | float | str] = {
        **sources, "mean deviation of a request's rewards": maker.spread.deviation,
        "mean best to worst": maker.spread.best_to_worst,
        "wishes of candidates' users": maker.wanted.wishes,
        "wishes that no candidate met": maker.wanted.never.total(),
        **{f"never met: {claim}": count for claim, count in maker.wanted.never.most_common(5) if count},
        **{f"dropped: {reason}": count for reason, count in sorted(maker.dropped.reasons.items()) if count},
        **dict(sorted(sides.items())),
        **{f"judged, dropped: {reason}": count for reason, count in sorted(single.dropped.reasons.items()) if count},
    }  # fmt: skip
    note = f"{len(made)} pairs from {len({pair.user_id for pair in made})} users"
    note += f", {len(judged)} judged answers from {len({row.user_id for row in judged})}"
    return Outcome(len(made) + len(judged), 0, counts, note)
