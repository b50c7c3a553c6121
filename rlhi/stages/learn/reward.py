"""The stage `reward`: a new reward model each cycle, which must not rank held-out users worse than the one before."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from rlhi.config import ModelsConfig, PersonasConfig, RewardConfig, SplitConfig
from rlhi.contracts import Conversation, FeedbackTurn, Profile, Rewrite, to_record
from rlhi.evaluate.statistics import clustered
from rlhi.learn.reward import head as rewarding
from rlhi.learn.reward.comparisons import COMPARISON_SOURCES, Comparison, ComparisonSource, comparisons
from rlhi.learn.reward.head import RewardAccuracy
from rlhi.models.base import RewardModel, Scored
from rlhi.stages import Outcome
from rlhi.stages.collect.ingest.stage import conversations
from rlhi.stages.collect.personas import persona_elsewhere, personas_told, read_personas
from rlhi.stages.learn.reward_models import FOLDER, RewardModels
from rlhi.workspace import ledger
from rlhi.workspace.store import Workspace, read_table, write_json


def reward(
    space: Workspace,
    /,
    *,
    reward: RewardConfig,
    personas: PersonasConfig,
    split: SplitConfig,
    models: ModelsConfig,
    seed: int,
) -> Outcome:
    """Train the reward model on what users who are not held out preferred; test it on those who are.

    The model of the cycle before goes on scoring when it ranks held-out users' comparisons better than the new one,
    whatever the kinds of the two.
    """
    learned, unseen = _comparisons(space, personas, split)
    # Between cycles it is the next one's: the last one's is what it has to beat.
    cycle = ledger.upcoming(space.root)
    held = RewardModels(space, models)
    former = held.former(cycle)
    made: RewardModel
    try:
        made, lacking = held.train(learned, reward, seed, former), ""
    except rewarding.RewardError as error:
        made = rewarding.RewardHead.neutral()
        lacking = f"no reward model, so pairs only of choices and of what a program can tell: {error}"
    apart = rewarding.margins(made, unseen)
    apart_before = rewarding.margins(former, unseen) if former else []
    tested = rewarding.accuracy_of(unseen, apart)
    before = rewarding.accuracy_of(unseen, apart_before).accuracy if former else None
    kept = before is not None and before > tested.accuracy
    changed = former is not None and former.kind != reward.kind
    if former and kept:
        old, new = (f" ({former.kind})", f" ({reward.kind})") if changed else ("", "")
        ranks = f"it ranks {before:.0%} right, a new one{new} {tested.accuracy:.0%}"
        lacking = f"the former reward model{old} stays: {ranks}"
        made, apart, tested = former, apart_before, rewarding.accuracy_of(unseen, apart_before)
    by_source = _by_source(unseen, apart)
    held.keep(cycle, made)
    wins, users = [rewarding.win(one) for one in apart], [one.user_id for one in unseen]
    judge = to_record(clustered(wins, users, seed=seed, bounds=(0.0, 1.0))) if unseen else None
    other = _of_others(space, split, unseen, made)
    record = {"trained_on": len(learned), "former_kept": kept, "former_accuracy": before, **to_record(tested)}
    record |= {"judge": judge, "own_persona": other[0], "another_persona": other[1], "with_persona": other[2]}
    each = {source: to_record(one) for source, one in by_source.items()}
    write_json(space.path(FOLDER) / "metrics.json", {**record, "by_source": each, **made.metrics})
    counts: dict[str, int | float | str] = {
        "trained on": len(learned), "held-out comparisons": tested.comparisons, "held-out users": tested.users,
        "accuracy": tested.accuracy, "the longer wins": tested.longer_wins,
        f"accuracy with the user's persona ({other[2]})": other[0], "and with another user's": other[1],
        **made.counts,
        **{f"accuracy, {source} ({one.comparisons})": one.accuracy for source, one in by_source.items()},
    }  # fmt: skip
    note = f"ranks {tested.accuracy:.0%} of held-out users' comparisons right, the longer wins {tested.longer_wins:.0%}"
    if not unseen:
        note = "no comparison of a held-out user: how well it ranks is not known"
    if former and changed:
        note = f"kind {made.kind} now, {former.kind} before: {note}"
    return Outcome(0 if kept or made.is_neutral else len(learned), 0, counts, lacking or note)


def _by_source(unseen: Sequence[Comparison], apart: Sequence[float]) -> dict[ComparisonSource, RewardAccuracy]:
    return {
        source: rewarding.accuracy_of([unseen[at] for at in places], [apart[at] for at in places])
        for source in COMPARISON_SOURCES
        if (places := [at for at, one in enumerate(unseen) if one.source == source])
    }


def _of_others(
    space: Workspace, split: SplitConfig, unseen: Sequence[Comparison], made: RewardModel
) -> tuple[float, float, int]:
    """How comparisons whose users' personas say something are ranked with these, and with another user's; their number.

    Whole personas on both sides, those of other users as in the control ``shuffled``: a model that likes what everybody
    likes ranks as many right with either.
    """
    rows = read_personas(space)
    own = {row.user_id: row.profile for row in rows if row.text}
    others = personas_told(rows, "shuffled", split.holds_out)
    known = [one for one in unseen if one.user_id in own and others[one.user_id].text != own[one.user_id].text]

    def right(persona_of: Callable[[str], Profile]) -> float:
        def told_of(side: Scored, user: str) -> Scored:
            return replace(side, persona=persona_of(user))

        asked = [
            replace(one, better=told_of(one.better, one.user_id), worse=told_of(one.worse, one.user_id))
            for one in known
        ]
        return rewarding.accuracy(made, asked).accuracy

    return right(own.__getitem__), right(lambda user: others[user].profile), len(known)


def _comparisons(
    space: Workspace, personas: PersonasConfig, split: SplitConfig
) -> tuple[list[Comparison], list[Comparison]]:
    """What is learned from, and what held-out users said.

    Training is told whole personas, for it is to learn what their claims ask for. The test is told what all other
    conversations of the user say, as the model will be told when it judges replies to new requests.
    """
    accepted = conversations(space)
    labels = read_table(space.path("data/feedback"), FeedbackTurn)
    rows = read_table(space.path("data/rewrites"), Rewrite)
    known = {row.user_id: row.profile for row in read_personas(space)}

    def side(held_out: bool) -> Sequence[Conversation]:
        return [conversation for conversation in accepted if split.holds_out(conversation.user_id) == held_out]

    learned = comparisons(side(False), labels, rows, lambda conversation, _: known.get(conversation.user_id, Profile()))
    return learned, comparisons(side(True), labels, rows, persona_elsewhere(space, personas, split))
