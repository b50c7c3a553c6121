"""The stage ``feedback``: what each follow-up says of the answer before it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from pathlib import Path

from rlhi.collect.feedback.head import AccurateLabeller, Labeller
from rlhi.collect.feedback.label import FollowUpLabeller
from rlhi.collect.feedback.llm import LlmLabeller
from rlhi.config import FeedbackConfig, ModelsConfig
from rlhi.contracts import Conversation, FeedbackTurn
from rlhi.lexicons.languages import is_unread
from rlhi.progress import progress
from rlhi.stages import Outcome, backends
from rlhi.stages.collect.ingest.stage import conversations
from rlhi.stages.samples import RecordedModel, SampleStore
from rlhi.workspace import ledger
from rlhi.workspace.store import Workspace, read_table, write_table


def feedback(space: Workspace, /, *, feedback: FeedbackConfig, models: ModelsConfig) -> Outcome:
    """Label the follow-ups that have no label yet; labels of turns that are gone go too.

    The table notes which logs it has read: another may land as soon as this stage has begun.
    """
    from rlhi.collect.feedback.label import follow_ups, label_conversations

    accepted = conversations(space)
    labeller = follow_up_labeller(feedback, models, space)
    before = {row.key: row for row in read_table(space.path("data/feedback"), FeedbackTurn)}
    wanted = {item.key for conversation in accepted for item in follow_ups(conversation, labeller, feedback)}
    kept = {key: row for key, row in before.items() if key in wanted}
    made: list[FeedbackTurn] = []
    with progress("labelling follow-ups", len(wanted) - len(kept)) as advance:
        for row in label_conversations(accepted, labeller, feedback, seen=kept.__contains__):
            made.append(row)
            advance(1, "")
    rows = [*kept.values(), *made]
    note = {"batches": sorted({conversation.batch for conversation in accepted})}
    write_table(space.path("data/feedback"), FeedbackTurn, rows, user=lambda row: row.user_id, note=note)
    labels = Counter(row.label for row in rows)
    counts: dict[str, int | float | str] = dict(labels.most_common())
    counts["unsafe"] = sum(bool(row.unsafe) for row in rows)
    text = f"{len(made)} follow-ups labelled"
    if isinstance(labeller, LlmLabeller):
        usage = labeller.model.usage
        counts |= {"prompt tokens": usage.prompt_tokens, "completion tokens": usage.completion_tokens}
        text += f" by {labeller.model.name}, {len(wanted) - len(rows)} left without an answer"
    elif unread := _unread(accepted, rows):
        counts["in a language without rules"] = sum(unread.values())
        told = ", ".join(f"{language} {count}" for language, count in unread.most_common(3))
        text += f"; {sum(unread.values())} of {len(rows)} in a language that no rule is written for ({told})"
    return Outcome(len(made), len(kept), counts, text)


def _unread(accepted: Iterable[Conversation], rows: Iterable[FeedbackTurn]) -> Counter[str]:
    """Labels by language where no rule reads it: the heads' guesses, and no complaint's wish is understood."""
    languages = {
        conversation.conversation_id: conversation.language
        for conversation in accepted
        if is_unread(conversation.language)
    }
    return Counter(language for row in rows if (language := languages.get(row.conversation_id)))


def follow_up_labeller(
    config: FeedbackConfig, models: ModelsConfig, space: Workspace | None = None
) -> FollowUpLabeller:
    """The labeller that ``feedback.labeller`` names. In a workspace a language model's replies are kept as samples."""
    if config.labeller == "llm":
        model = backends.structured_model(config.llm.model, config.llm.tries, config.llm.max_new_tokens)
        if space is None:
            return LlmLabeller(model)
        return LlmLabeller(RecordedModel(model, SampleStore(space, "feedback"), ledger.upcoming(space.root)))
    if config.labeller == "accurate":
        return AccurateLabeller.load(backends.embedder(models))
    return Labeller.load(None if config.head == "shipped" else Path(config.head))
