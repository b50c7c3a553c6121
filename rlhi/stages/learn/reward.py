"""The stage `reward`: a new reward model each cycle, no worse than the one before, and a judge of evaluations."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from rlhi.config import ModelsConfig, PersonasConfig, PromptConfig, RewardConfig, SplitConfig, UserPart
from rlhi.contracts import Conversation, FeedbackTurn, Profile, Rewrite, to_record
from rlhi.learn.reward import head as rewarding
from rlhi.learn.reward.comparisons import (
    COMPARISON_SOURCES,
    Comparison,
    ComparisonSource,
    PersonaAt,
    comparisons,
    halves,
)
from rlhi.learn.reward.head import RewardAccuracy
from rlhi.models.base import RewardModel, Scored
from rlhi.stages import Outcome, backends
from rlhi.stages.collect.ingest.stage import conversations
from rlhi.stages.collect.personas import persona_elsewhere, personas_told, read_personas
from rlhi.stages.learn.judge import METRICS, tested, train_judge
from rlhi.stages.learn.reward_models import FOLDER, RewardModels
from rlhi.workspace import ledger
from rlhi.workspace.store import Workspace, read_table, write_json


@dataclass(frozen=True, slots=True)
class _Chosen:
    """The model that scores from now on, what there is to say of that, and comparisons that did not choose it.

    ``before`` is the share that the ``former`` cycle's model ranks right of those that chose; None without one.
    """

    model: RewardModel
    note: str
    testing: Sequence[Comparison]
    former: RewardModel | None = None
    before: float | None = None
    kept: bool = False


def reward(
    space: Workspace,
    /,
    *,
    reward: RewardConfig,
    personas: PersonasConfig,
    prompt: PromptConfig,
    split: SplitConfig,
    models: ModelsConfig,
    seed: int,
) -> Outcome:
    """Train the reward model on what users who teach preferred, and the judge on what judges did; test both.

    The model of the cycle before goes on scoring when it ranks comparisons of one half of the held-out users better
    than the new one, whatever the kinds of the two; the other half tests the better one.
    """
    said = _comparisons(space, personas, split)
    learned, unseen = said["teaches"], said["held_out"]
    # Answers are crossed with each other, and held-out ones are read by three models: each text is embedded once.
    embedder = backends.remembering(models)
    held = RewardModels(space, models, embedder)
    # Between cycles it is the next one's: the last one's is what it has to beat.
    cycle = ledger.upcoming(space.root)
    chosen = _choose(held, learned, unseen, reward, prompt, seed, cycle)
    # Before it is kept, which leaves nothing of the folder that it was trained in.
    own, counts = _tested(space, split, chosen, seed)
    held.keep(cycle, chosen.model)
    record = {"trained_on": len(learned), "former_kept": chosen.kept, "former_accuracy": chosen.before, **own}
    write_json(space.path(FOLDER) / METRICS, {**record, **chosen.model.metrics})
    judge = train_judge(space, said["judges"], unseen, reward, embedder, seed)
    made = 0 if chosen.kept or chosen.model.is_neutral else len(learned)
    return Outcome(made, 0, {"trained on": len(learned), **counts, **judge}, chosen.note or _note(own, chosen, reward))


def _choose(
    held: RewardModels,
    learned: Sequence[Comparison],
    unseen: Sequence[Comparison],
    config: RewardConfig,
    prompt: PromptConfig,
    seed: int,
    cycle: int,
) -> _Chosen:
    """A new model, or the former cycle's where it is the better one."""
    former = held.former(cycle)
    made: RewardModel
    try:
        made, note = held.train(learned, config, prompt, seed, former), ""
    except rewarding.RewardError as error:
        made = rewarding.RewardHead.neutral()
        note = f"no reward model, so pairs only of choices and of what a program can tell: {error}"
    if former is None:
        return _Chosen(made, note, unseen)
    # What chose the better of two models flatters it: others test it.
    choosing, testing = halves(unseen)
    before, now = (rewarding.accuracy(model, choosing).accuracy for model in (former, made))
    kept = before > now
    if kept:
        changed = former.kind != config.kind
        old, new = (f" ({former.kind})", f" ({config.kind})") if changed else ("", "")
        note = f"the former reward model{old} stays: it ranks {before:.0%} right, a new one{new} {now:.0%}"
    return _Chosen(former if kept else made, note, testing, former, before, kept)


def _tested(
    space: Workspace, split: SplitConfig, chosen: _Chosen, seed: int
) -> tuple[dict[str, object], dict[str, int | float | str]]:
    """How the chosen model ranks what did not choose it: for metrics.json, and for the stage's report."""
    unseen, made = chosen.testing, chosen.model
    apart = rewarding.margins(made, unseen)
    whole, by_source = rewarding.accuracy_of(unseen, apart), _by_source(unseen, apart)
    own, another, known = _of_others(space, split, unseen, made)
    each = {source: to_record(one) for source, one in by_source.items()}
    record = {"own_persona": own, "another_persona": another, "with_persona": known, "by_source": each}
    counts: dict[str, int | float | str] = {
        "held-out comparisons": whole.comparisons, "held-out users": whole.users,
        "accuracy": whole.accuracy, "the longer wins": whole.longer_wins,
        f"accuracy with the user's persona ({known})": own, "and with another user's": another,
        **made.counts,
        **{f"accuracy, {source} ({one.comparisons})": one.accuracy for source, one in by_source.items()},
    }  # fmt: skip
    return {**tested(unseen, apart, seed), **record}, counts


def _note(own: Mapping[str, object], chosen: _Chosen, config: RewardConfig) -> str:
    note = f"ranks {own['accuracy']:.0%} of held-out users' comparisons right, the longer wins {own['longer_wins']:.0%}"
    if not chosen.testing:
        note = "no comparison of a held-out user: how well it ranks is not known"
    if chosen.former and chosen.former.kind != config.kind:
        note = f"kind {chosen.model.kind} now, {chosen.former.kind} before: {note}"
    return note


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
    others = personas_told(rows, "shuffled", split.part_of)
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
) -> dict[UserPart, list[Comparison]]:  # fmt: skip
    """What users preferred, by what their turns are for.

    Training is told whole personas, for it is to learn what their claims ask for. The test is told what all other
    conversations of the user say, as the model will be told when it judges replies to new requests.
    """
    accepted = conversations(space)
    labels = read_table(space.path("data/feedback"), FeedbackTurn)
    rows = read_table(space.path("data/rewrites"), Rewrite)
    known = {row.user_id: row.profile for row in read_personas(space)}

    def said(part: UserPart, persona_at: PersonaAt) -> list[Comparison]:
        own = (conversation for conversation in accepted if split.part_of(conversation.user_id) == part)
        return comparisons(own, labels, rows, persona_at)

    def whole(conversation: Conversation, _: int) -> Profile:
        return known.get(conversation.user_id, Profile())

    elsewhere = persona_elsewhere(space, personas, split)
    return {"teaches": said("teaches", whole), "judges": said("judges", whole), "held_out": said("held_out", elsewhere)}
