"""The stage `personas`, and what `rlhi persona` does: show, edit and export what it made."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from difflib import get_close_matches
from functools import cache
from itertools import groupby
from pathlib import Path
from typing import TypeVar

from rlhi.collect.persona import build as building
from rlhi.collect.persona.builder import LocalBuilder, PersonaBuilder, requests
from rlhi.collect.persona.edits import EditError, PersonaEdit
from rlhi.collect.persona.history import History, complaints, said
from rlhi.collect.persona.llm import LlmBuilder
from rlhi.collect.persona.topics import population
from rlhi.collect.wishes.claims import read_profile
from rlhi.config import PersonasConfig, SplitConfig, WhichPersona
from rlhi.contracts import Conversation, FeedbackTurn, Persona, Profile, content_key, from_record, to_record
from rlhi.lexicons.languages import is_unread
from rlhi.progress import progress
from rlhi.stages import Outcome, StageError, backends, run
from rlhi.stages.collect.ingest.stage import conversations
from rlhi.stages.collect.salt import known_as
from rlhi.stages.samples import RecordedModel, SampleStore
from rlhi.workspace import ledger
from rlhi.workspace.store import StoreError, Workspace, read_json, read_table, write_json, write_table

EDITS = "data/persona_edits/edits.json"
"""One object a user; a missing file holds none. It can be made from nothing else, so it is no table to be rebuilt."""

Owned = TypeVar("Owned", Conversation, FeedbackTurn)
Change = Callable[[PersonaEdit, Persona], PersonaEdit]


def personas(space: Workspace, /, *, personas: PersonasConfig, split: SplitConfig) -> Outcome:
    """Build the persona of every user whose history, rules or edits changed; the others are kept as they are."""
    table = space.path("data/personas")
    histories = _histories(space)
    builder = _builder(space, personas, split, histories)
    before = {row.key: row for row in read_table(table, Persona)}
    known = {key: row for key, row in before.items() if row.origin != "prior"}
    made: list[Persona] = []
    with progress("building personas", len(histories)) as advance:
        for row in building.personas(histories, personas, builder, read_edits(space), known):
            made.append(row)
            advance(1, "")
    if personas.prior:
        # What users wish who are measured on or judge is no part of what others are told to wish.
        shared = building.prior([row for row in made if split.teaches(row.user_id)], personas)
        made = list(building.with_prior(made, shared))
    write_table(table, Persona, made, user=lambda row: row.user_id)
    new = sum(row.key not in before for row in made)
    spoken = sum(bool(row.text) for row in made)
    counts: dict[str, int | float | str] = {
        "users": len(made), "with claims": spoken, "claims": sum(len(row.claims) for row in made),
        "edited": sum(row.origin == "edited" for row in made), "prior": sum(row.origin == "prior" for row in made),
    }  # fmt: skip
    note = f"{new} personas made or changed; {spoken} say something"
    silent = {row.user_id for row in made if not row.text}
    if isinstance(builder, LlmBuilder):
        counts |= builder.counts
    elif unread := sum(history.user_id in silent and _unread(history) for history in histories):
        counts["complain in a language without rules"] = unread
        note += f"; {unread} complain in languages alone that no rule is written for, and no wish of theirs is known"
    if counts["prior"]:
        note += f", {counts['prior']} of them only what most users are like"
    return Outcome(new, len(made) - new, counts, note)


def _unread(history: History) -> bool:
    """Whether a user complains, and only in languages that no rule reads."""
    languages = {row.conversation_id: row.language for row in history.conversations}
    complained = [languages.get(one.conversation_id) for one in complaints(history)]
    return bool(complained) and all(map(is_unread, complained))


def find(space: Workspace, user_id: str) -> Persona:
    """The persona of a user, by the name that the user has here or else by the id of a log.

    Raises:
        StageError: there is none; the message names users that are called nearly so.
    """
    rows = _table(space)
    by_name = {row.user_id: row for row in rows}
    found = by_name.get(user_id) or by_name.get(known_as(space, space.params.ingest, user_id))
    if found is not None:
        return found
    if any(row.user_id == user_id and not row.has_user for row in conversations(space)):
        raise StageError(f"{user_id!r} is one conversation whose log names no user: it has no persona, and never will")
    near = get_close_matches(user_id, [row.user_id for row in rows], n=3, cutoff=0.5)
    if near:
        raise StageError(f"no persona of a user {user_id!r}: did you mean {' or '.join(map(repr, near))}?")
    remedy = "`rlhi persona export` lists all users that have one" if rows else "nobody here is known by an id"
    raise StageError(f"no persona of a user {user_id!r}: {remedy}")


def edit(root: Path, user_id: str, change: Change | None) -> Persona:
    """Change what was edited of a user's persona (None takes all of it back), rebuild it and record it.

    Raises:
        StageError: no such user, or an edit that cannot be made.
    """
    space = Workspace.open(root)
    now, edits = find(space, user_id), read_edits(space)
    user_id = now.user_id  # which need not be the id that was given
    before = edits.pop(user_id, PersonaEdit(user_id))
    try:
        changed = change(before, now) if change else PersonaEdit(user_id)
    except EditError as error:
        raise StageError(str(error)) from None
    if changed != PersonaEdit(user_id):
        edits[user_id] = changed
    space.path(EDITS).parent.mkdir(parents=True, exist_ok=True)
    write_json(space.path(EDITS), {user: to_record(one) for user, one in sorted(edits.items())})
    run("personas", space.root)
    ledger.record_collect(space.root, ("personas",))
    return find(space, user_id)


def read_edits(space: Workspace) -> dict[str, PersonaEdit]:
    """All edits by user.

    Raises:
        StoreError: the file holds something else; the message names the field.
    """
    edits = {}
    for user, record in read_json(space.path(EDITS)).items():
        try:
            if not isinstance(record, dict):
                raise ValueError(f"{user!r} should be an object")
            edits[user] = from_record(PersonaEdit, record)
        except ValueError as error:
            remedy = "mend it, or take back the recorded one with `dvc checkout data/persona_edits.dvc`"
            raise StoreError(f"{space.path(EDITS)} cannot be read: {error}; {remedy}") from None
    return edits


def exported(space: Workspace, user_id: str | None = None) -> Iterator[str]:
    """Personas as lines of JSON, by user; all of them, or one user's.

    Raises:
        StageError: no such user, or no personas yet.
    """
    rows = [find(space, user_id)] if user_id is not None else _table(space)
    for row in sorted(rows, key=lambda one: one.user_id):
        yield json.dumps(to_record(row), ensure_ascii=False)


BRIEF = "Keep answers short."
"""What the control ``brief`` tells of everybody: the dumbest way to please a world that wants brevity."""


def personas_told(rows: Iterable[Persona], which: WhichPersona, part_of: Callable[[str], object]) -> dict[str, Persona]:
    """The persona told of each user: the own, one that says something else of another user, none, or one for all.

    The other user is on the same side of the split, so that no control tells training of those who do not teach.
    """
    own = {row.user_id: row for row in rows}
    if which == "own":
        return own
    if which == "none":
        return {}
    if which == "brief":
        # As if somebody had edited it: what was known at some time is no matter.
        brief = read_profile(BRIEF).claims
        return {user: replace(row, text=BRIEF, claims=(), origin="edited", told=brief) for user, row in own.items()}
    ring = sorted((row for row in own.values() if row.text), key=lambda row: content_key("shuffled", row.user_id))
    told = dict(own)
    for at, row in enumerate(ring):
        others = (*ring[at + 1 :], *ring[:at])
        part = part_of(row.user_id)
        fit = (one for one in others if part_of(one.user_id) == part and one.text != row.text)
        told[row.user_id] = next(fit, row)
    return told


PersonaBefore = Callable[[Conversation, int], Profile]
"""What was known of a user before a turn of a conversation."""


def persona_before(space: Workspace, personas: PersonasConfig, split: SplitConfig) -> PersonaBefore:
    """A user's persona as it was known before a turn; empty for users who cannot be told from others."""
    histories = {one.user_id: one for one in _histories(space)}
    builder = _builder(space, personas, split, histories.values())

    @cache
    def known(user_id: str, conversation_id: str, turn_index: int) -> Profile:
        if user_id not in histories:
            return Profile()
        history = histories[user_id]
        return building.persona_for(history, conversation_id, turn_index, personas, builder=builder).profile

    return lambda conversation, at: known(conversation.user_id, conversation.conversation_id, at)


def persona_elsewhere(space: Workspace, personas: PersonasConfig, split: SplitConfig) -> PersonaBefore:
    """A user's persona by all other conversations: as it will be told of a new one."""
    histories = {one.user_id: one for one in _histories(space)}
    builder = _builder(space, personas, split, histories.values())

    @cache
    def known(user_id: str, conversation_id: str) -> Profile:
        if user_id not in histories:
            return Profile()
        history = histories[user_id]
        return building.persona(history, personas, leave_out=conversation_id, builder=builder).profile

    return lambda conversation, _: known(conversation.user_id, conversation.conversation_id)


def _table(space: Workspace) -> list[Persona]:
    if not space.path("data/personas").is_dir():
        raise StageError(f"{space.root} has no data/personas yet: run `rlhi run feedback`, then `rlhi run personas`")
    return read_personas(space)


def read_personas(space: Workspace) -> list[Persona]:
    """All personas, those that an earlier version made brought up to date; none before any was built."""
    return list(map(building.up_to_date, read_table(space.path("data/personas"), Persona)))


def _histories(space: Workspace) -> list[History]:
    labels = {user: tuple(rows) for user, rows in _grouped(read_table(space.path("data/feedback"), FeedbackTurn))}
    of_known = [row for row in conversations(space) if row.has_user]
    return [History(user, tuple(rows), labels.get(user, ())) for user, rows in _grouped(of_known)]


def _builder(
    space: Workspace, personas: PersonasConfig, split: SplitConfig, histories: Iterable[History]
) -> PersonaBuilder:
    learned_from = (one for one in histories if split.teaches(one.user_id))
    others = population((one.user_id, requests(said(one))) for one in learned_from)
    local = LocalBuilder(personas, others)
    if personas.builder == "local":
        return local
    llm = personas.llm
    model = backends.structured_model(llm.model, llm.tries, llm.max_new_tokens)
    recorded = RecordedModel(model, SampleStore(space, "personas"), ledger.upcoming(space.root))
    return LlmBuilder(recorded, personas, local)


def _grouped(rows: Iterable[Owned]) -> list[tuple[str, list[Owned]]]:
    ordered = sorted(rows, key=lambda row: row.user_id)
    return [(user, list(group)) for user, group in groupby(ordered, key=lambda row: row.user_id)]
