"""Later messages of the log, each behind what was said before it: what users ask at follow-up turns."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from rlhi.contracts import Conversation, FeedbackTurn, content_key
from rlhi.contracts.turns import followed
from rlhi.evaluate.said import Reply
from rlhi.learn.reward.comparisons import prompt_before
from rlhi.models.prompts import Prompts
from rlhi.stages.collect.personas import PersonaBefore
from rlhi.workspace.store import Workspace, read_table


def follow_ups(
    space: Workspace, talks: Iterable[Conversation], most: int, prompts: Prompts, key: Callable[..., str],
    known: PersonaBefore,
) -> list[Reply]:  # fmt: skip
    """At most so many later messages of each user, the first by ``key``.

    Both models go on from the answers that the log holds, with the persona that was known then. Thanks ask for nothing
    and are left out; complaints are not.
    """
    thanks = {
        (row.conversation_id, row.turn_index)
        for row in read_table(space.path("data/feedback"), FeedbackTurn)
        if row.label == "positive_feedback"
    }
    found: dict[str, dict[str, tuple[Conversation, int]]] = {}
    for row in talks:
        for at in followed(row.turns):
            if (row.conversation_id, at) not in thanks:
                drawn = key("follow-ups", row.user_id, row.conversation_id, str(at))
                found.setdefault(row.user_id, {})[drawn] = (row, at)
    return [
        _asked(*by_key[drawn], prompts, known) for _, by_key in sorted(found.items()) for drawn in sorted(by_key)[:most]
    ]


def _asked(talk: Conversation, at: int, prompts: Prompts, known: PersonaBefore) -> Reply:
    persona = known(talk, at)
    item = content_key(talk.user_id, "follow-up", talk.conversation_id, at)
    return Reply(item, talk.user_id, persona, prompts.told(prompt_before(talk, at + 1), persona.text), "")
