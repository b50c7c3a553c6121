"""The stages of the collect flow: ingest -> feedback -> personas."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import replace
from itertools import groupby
from pathlib import Path
from typing import TypeVar

from rlhi.collect.clean import accept, merge
from rlhi.collect.formats import LogError, read_log
from rlhi.config import Params
from rlhi.contracts import Conversation, FeedbackTurn, Persona, Quarantined, content_key
from rlhi.progress import progress
from rlhi.stages import Outcome, backends
from rlhi.stages.incoming import Batch, batches
from rlhi.store import Workspace, read_note, read_table, write_table

Owned = TypeVar("Owned", Conversation, FeedbackTurn)
Name = tuple[str, str]
"""A conversation's user and id: some public logs give one id to two users."""


def ingest(space: Workspace, params: Params) -> Outcome:
    """Read the batches that were not read before, and let known conversations grow."""
    folder, refused = space.path("data/conversations"), space.path("data/quarantine")
    config = content_key(params.ingest.model_dump(mode="json"))
    note = read_note(folder)
    fresh = note.get("config") != config
    done = note.get("batches")
    read = set() if fresh or not isinstance(done, list) else set(map(str, done))
    landed = batches(space)
    read &= {batch.digest for batch in landed}
    known = {} if not read else {_name(row): row for row in read_table(folder, Conversation)}
    quarantine = [] if not read else read_table(refused, Quarantined)
    figures: Counter[str] = Counter(dict.fromkeys(("read", "new", "updated", "duplicate", "quarantined"), 0))
    todo = [batch for batch in landed if batch.digest not in read]
    with progress("reading logs", len(todo)) as advance:
        for batch in todo:
            _read_batch(batch, params, known, quarantine, figures)
            advance(1, "")
    everything = sorted({batch.digest for batch in landed})
    write_table(refused, Quarantined, set(quarantine), user=lambda row: row.file)
    write_table(
        folder, Conversation, known.values(), user=lambda row: row.user_id,
        note={"batches": everything, "config": config},
    )  # fmt: skip
    users = len({row.user_id for row in known.values() if row.has_user})
    anonymous = sum(not row.has_user for row in known.values())
    counts = {**figures, "conversations": len(known), "users": users, "anonymous": anonymous}
    text = f"{figures['new']} new and {figures['updated']} grown conversations; {users} users are known by an id"
    if anonymous:
        text += f", {anonymous} conversations name no user: each is its own anonymous user, without persona"
    return Outcome(figures["new"] + figures["updated"], len(known) - figures["new"], counts, text)


def _read_batch(
    batch: Batch, params: Params, known: dict[Name, Conversation], quarantine: list[Quarantined], figures: Counter[str]
) -> None:
    try:
        for row in read_log(batch.path, batch.name, lambda talk: accept(talk, params.ingest)):
            figures["read"] += 1
            if isinstance(row, Quarantined):
                figures["quarantined"] += 1
                quarantine.append(row)
                continue
            old = known.get(_name(row))
            grown = merge(old, replace(row, batch=batch.digest))
            if old is not None and replace(grown, batch=old.batch) == old:
                figures["duplicate"] += 1
                continue
            known[_name(row)] = grown
            figures["new" if old is None else "updated"] += 1
    except LogError as error:
        figures["quarantined"] += 1
        quarantine.append(Quarantined(batch.name, 0, str(error), ""))


def _name(row: Conversation) -> Name:
    return row.user_id, row.conversation_id


def feedback(space: Workspace, params: Params) -> Outcome:
    """Label the follow-ups that have no label yet; labels of turns that are gone go too."""
    from rlhi.collect.feedback import Labeller, follow_ups, label_conversations

    talks = read_table(space.path("data/conversations"), Conversation)
    labeller = Labeller.load(None if params.feedback.head == "shipped" else Path(params.feedback.head))
    before = {row.key: row for row in read_table(space.path("data/feedback"), FeedbackTurn)}
    wanted = {item.key for talk in talks for item in follow_ups(talk, labeller, params.feedback)}
    kept = {key: row for key, row in before.items() if key in wanted}
    made: list[FeedbackTurn] = []
    with progress("labelling follow-ups", len(wanted) - len(kept)) as advance:
        for row in label_conversations(
            talks, labeller, backends.embedder(params), params.feedback, seen=kept.__contains__
        ):
            made.append(row)
            advance(1, "")
    rows = [*kept.values(), *made]
    write_table(space.path("data/feedback"), FeedbackTurn, rows, user=lambda row: row.user_id)
    labels = Counter(row.label for row in rows)
    return Outcome(len(made), len(kept), dict(labels.most_common()), f"{len(made)} follow-ups labelled")


def personas(space: Workspace, params: Params) -> Outcome:
    """Build the persona of every user whose history or whose rules changed."""
    from rlhi.collect.persona import History
    from rlhi.collect.persona import personas as build

    labels = {user: tuple(rows) for user, rows in _grouped(read_table(space.path("data/feedback"), FeedbackTurn))}
    talks = [row for row in read_table(space.path("data/conversations"), Conversation) if row.has_user]
    histories = [History(user, tuple(rows), labels.get(user, ())) for user, rows in _grouped(talks)]
    before = {row.key for row in read_table(space.path("data/personas"), Persona)}
    made = list(build(histories, params.personas))
    write_table(space.path("data/personas"), Persona, made, user=lambda row: row.user_id)
    new = sum(row.key not in before for row in made)
    spoken = sum(bool(row.text) for row in made)
    counts = {"users": len(made), "with claims": spoken, "claims": sum(len(row.claims) for row in made)}
    return Outcome(new, len(made) - new, counts, f"{new} personas made or changed; {spoken} say something")


def _grouped(rows: Iterable[Owned]) -> list[tuple[str, list[Owned]]]:
    ordered = sorted(rows, key=lambda row: row.user_id)
    return [(user, list(group)) for user, group in groupby(ordered, key=lambda row: row.user_id)]
