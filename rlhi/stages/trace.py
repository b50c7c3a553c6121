"""`rlhi trace`: one conversation through the loop, from what its user said to what was learned of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Literal

from rlhi.collect.persona.build import said_claims
from rlhi.collect.wishes.claims import claims_in
from rlhi.contracts import (
    REATTEMPTS,
    Candidate,
    Conversation,
    FeedbackTurn,
    Persona,
    PreferencePair,
    Rewrite,
    content_key,
)
from rlhi.learn.pairs.lessons import lesson
from rlhi.stages import StageError
from rlhi.stages.learn.dpo import CHALLENGER, TRAINING, all_pairs
from rlhi.stages.learn.log import lessons_of, read_log
from rlhi.workspace import ledger
from rlhi.workspace.store import Workspace, read_json, read_table

Learner = Literal["champion", "challenger"]
LearnedBy = Literal[Learner, ""]


@dataclass(frozen=True, slots=True)
class TracedPair:
    """A pair made of one turn. ``own`` says that it is its user's; others are served by the same answers.

    ``learned_by``: the champion, or else the last challenger, whose lessons hold this one; empty for neither.
    """

    source: str
    own: bool
    persona: str
    chosen: str
    rejected: str
    learned_by: LearnedBy


@dataclass(frozen=True, slots=True)
class TracedTurn:
    """One turn: what was said, what a follow-up was read as and asks for, and what was made of an answer."""

    place: int
    role: str
    text: str
    label: str
    probability: float
    asks_for: tuple[str, ...]
    rewrites: tuple[str, ...]
    revisions: tuple[str, ...]
    candidates: tuple[str, ...]
    pairs: tuple[TracedPair, ...]


@dataclass(frozen=True, slots=True)
class Trace:
    """A conversation with all that the workspace's tables hold of it. ``rests_here``: claims with a turn of it.

    Its user is ``held_out``, or ``judges``, or is learned from.
    """

    conversation_id: str
    user_id: str
    held_out: bool
    judges: bool
    persona: str
    rests_here: tuple[str, ...]
    turns: tuple[TracedTurn, ...]

    def as_json(self) -> dict[str, object]:
        """For ``--json``."""
        return asdict(self)


def trace(root: Path, conversation_id: str | None) -> Trace:
    """One conversation by its id or the beginning of it; without one, one of which pairs were made, drawn by seed.

    Raises:
        StageError: there is none of this id, or none at all.
    """
    space = Workspace.open(root)
    log = read_log(space)
    pairs = all_pairs(space) if space.path("data/pairs").is_dir() else []
    conversation = _found(space, log.conversations, pairs, conversation_id)
    learned: dict[Learner, frozenset[str]] = {
        "champion": lessons_of(read_json(ledger.policy_path(space.root, ledger.champion(space.root)) / TRAINING)),
        "challenger": lessons_of(read_json(space.path(CHALLENGER) / TRAINING)),
    }  # fmt: skip
    rewrites = [row for row in read_table(space.path("data/rewrites"), Rewrite) if _of(row, conversation)]
    candidates = [row for row in read_table(space.path("data/candidates"), Candidate) if _of(row, conversation)]
    ours = [row for row in pairs if _of(row, conversation)]
    labels = {row.turn_index: row for row in log.labels if row.conversation_id == conversation.conversation_id}
    persona, part = log.personas.get(conversation.user_id), space.params.split.part_of(conversation.user_id)
    return Trace(
        conversation.conversation_id,
        conversation.user_id,
        part == "held_out",
        part == "judges",
        persona.text if persona else "",
        _rests_on(persona, conversation),
        tuple(
            TracedTurn(
                at, turn.role, turn.content, *_read(labels.get(at), turn.content),
                tuple(row.text for row in rewrites if row.turn_index == at and row.source == "rewrite"),
                tuple(row.text for row in rewrites if row.turn_index == at and row.source != "rewrite"),
                tuple(row.text for row in candidates if row.turn_index == at),
                tuple(_traced(row, conversation, learned) for row in ours if row.turn_index == at),
            )
            for at, turn in enumerate(conversation.turns)
        ),
    )  # fmt: skip


def _found(
    space: Workspace,
    conversations: dict[str, Conversation],
    pairs: Sequence[PreferencePair],
    conversation_id: str | None,
) -> Conversation:
    if conversation_id is None:
        places = {row.conversation_id for row in pairs} & set(conversations) or set(conversations)
        if not places:
            raise StageError(f"{space.root} holds no conversation yet: run `rlhi ingest LOG`")
        return conversations[min(places, key=lambda name: content_key(space.params.seed, "trace", name))]
    if conversation_id in conversations:
        return conversations[conversation_id]
    begins = [name for name in conversations if name.startswith(conversation_id)]
    if len(begins) == 1:
        return conversations[begins[0]]
    near = sorted(begins)[:3] or get_close_matches(conversation_id, conversations, n=3, cutoff=0.6)
    hint = f"did you mean {' or '.join(map(repr, near))}?" if near else "`rlhi persona show USER` names the turns"
    raise StageError(
        f"no conversation {conversation_id!r} among those that are learned from or measured on: {hint}; copies and "
        "templates are set aside (`rlhi quarantine`)"
    )


def _of(row: Rewrite | Candidate | PreferencePair, conversation: Conversation) -> bool:
    return row.conversation_id == conversation.conversation_id


def _read(label: FeedbackTurn | None, text: str) -> tuple[str, float, tuple[str, ...]]:
    if label is None:
        return "", 0.0, ()
    asks = claims_in(text) if label.label in REATTEMPTS else ()
    return label.label, label.probability, tuple(claim for _, claim in asks)


def _rests_on(persona: Persona | None, conversation: Conversation) -> tuple[str, ...]:
    # Claims of kinds that no model is told of are no part of the persona's text.
    claims = said_claims(persona) if persona else ()
    return tuple(
        claim.text
        for claim in claims
        if any(one.startswith(f"{conversation.conversation_id}#") for one in claim.evidence)
    )


def _traced(row: PreferencePair, conversation: Conversation, learned: Mapping[Learner, frozenset[str]]) -> TracedPair:
    own = row.user_id == conversation.user_id
    by: LearnedBy = next((one for one, held in learned.items() if lesson(row) in held), "")
    return TracedPair(str(row.source), own, row.persona, row.chosen, row.rejected, by)
