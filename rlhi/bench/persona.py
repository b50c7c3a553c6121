"""Can one trust a persona? Measured on simulated users, whose wishes are known, and on real people.

- *Wishes recovered*: simulated users complain to a scripted model; precision of what their personas claim and recall of
  the wishes that they complained of, against the hidden ones. Beside it the same number of claims for everybody, the
  most frequent ones.
- *Choices and ratings predicted*, *what is seen holds*: :mod:`rlhi.bench.persona_real`.

A user is the unit of every interval. A null result is printed as one.

    rlhi bench persona [--quick] [--json]
"""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass

from rlhi.bench.feedback_data import data_with, embedder_folder
from rlhi.bench.persona_data import NEEDED
from rlhi.bench.persona_real import RealPersonas, real, verdict
from rlhi.checks.form import Check
from rlhi.collect.persona.build import History, personas, said_claims
from rlhi.config import FeedbackConfig, PersonasConfig, SplitConfig
from rlhi.contracts import Claim, Conversation, FeedbackTurn, Interval
from rlhi.evaluate.bounds import VALUES
from rlhi.evaluate.statistics import clustered
from rlhi.models.base import Embedder, Sampling
from rlhi.models.scripted import ScriptedChatModel
from rlhi.simulate import SimulatorConfig, make_users, simulate
from rlhi.simulate.dialogue import SimulatedConversation
from rlhi.simulate.reactions import ANSWER
from rlhi.simulate.users import SimulatedUser
from rlhi.simulate.wishes import WISHES
from rlhi.stages.simulator.recovery import speaks_of

# Answers that meet some wishes and miss others, as a plain model's do.
REPLIES = (
    "Basil needs sun and water, and it does best in a pot that drains well. Turn it now and then.",
    "- Put it near a window\n- Water it every 2 days\n- Cut the tips, so that it grows wide",
    "1. Buy a pot with a hole\n2. Fill it with soil\n3. Water it well\n4. Wait for 10 days",
    "There are several considerations regarding this particular subject, and understanding them takes time. " * 5,
    "It depends on what you want. Some people like it simple.\n\nOthers take their time, and read a lot first.",
    "Certainly! Here are some things to think about: cost, time, comfort, and what your friends would say.",
    "Start small. Then go on, a little every day, until it is a habit that you no longer think about.",
)
CYCLES = 3


@dataclass(frozen=True, slots=True)
class Recovery:
    """How well hidden wishes were read, with labels from ``labels``; values in 0 to 1, intervals by user.

    ``precision``: claims in the personas' texts that speak of a hidden wish. ``recall``: wishes complained of that the
    persona speaks of; ``exact`` also with the right number or language; ``held_out`` those complained of in phrasings
    that only held-out users have. ``baseline``: precision and recall of the most frequent claims, told of everybody.
    ``kinds``: wishes complained of, recall, claims, precision of each kind of wish.
    """

    labels: str
    users: int
    precision: Interval
    recall: Interval
    exact: Interval
    held_out: Interval | None
    baseline: tuple[Interval, Interval]
    kinds: dict[str, tuple[int, float, int, float]]

    @property
    def f1(self) -> float:
        """Of precision and recall."""
        return _f1(self.precision, self.recall)


@dataclass(frozen=True, slots=True)
class PersonaBench:
    """The benchmark's result: ``ours`` and ``baseline`` are F1 of recovered wishes with true labels."""

    name: str
    unit: str
    ours: float
    baseline: float
    ratio: float
    runs: tuple[float, ...]
    recovered: tuple[Recovery, ...]
    real: RealPersonas


def run(quick: bool = False, as_json: bool = False) -> str:
    """Measure and render: JSON, or a text to read."""
    from rlhi.models.embedder import LocalEmbedder

    data_with(*NEEDED)
    result = measure(LocalEmbedder(embedder_folder()), quick)
    return json.dumps(asdict(result)) if as_json else _text(result)


def measure(embedder: Embedder, quick: bool) -> PersonaBench:
    """One run of the simulator (three when not ``quick``, the labeller's labels on the first), and the real data."""
    users = 60 if quick else 160
    worlds = [_world(users, seed) for seed in range(1 if quick else 3)]
    found = [recovery(people, simulated, _true_labels(simulated), "true labels") for people, simulated in worlds]
    runs = tuple(round(one.f1, 4) for one in found)
    if not quick:
        people, simulated = worlds[0]
        found.append(recovery(people, simulated, _labelled(simulated), "the labeller's labels"))
    ours, base = found[0].f1, _f1(*found[0].baseline)
    kept = (found[0], *found[len(worlds) :])
    seen = real(data_with(*NEEDED), embedder, quick)
    return PersonaBench("persona", "F1 of recovered wishes", ours, base, ours / max(base, 1e-9), runs, kept, seen)


def recovery(
    people: Sequence[SimulatedUser],
    simulated: Sequence[SimulatedConversation],
    labels: Sequence[FeedbackTurn],
    name: str,
) -> Recovery:
    """Build everybody's persona and hold it against their wishes.

    Raises:
        ValueError: nobody complained, or no persona says anything.
    """
    by_user: dict[str, list[FeedbackTurn]] = defaultdict(list)
    for row in labels:
        by_user[row.user_id].append(row)
    rows = conversations(simulated)
    histories = [
        History(one.user_id, tuple(row for row in rows if row.user_id == one.user_id), tuple(by_user[one.user_id]))
        for one in people
    ]
    said = {row.user_id: said_claims(row) for row in personas(histories, PersonasConfig())}
    wishes = {one.user_id: one.wishes for one in people}
    complained = _complained(simulated)
    precision = _precision(said, wishes)
    recall = _recall(said, wishes, complained)
    frequent = Counter((claim.kind, claim.text, claim.check) for claims in said.values() for claim in claims)
    each = max(1, round(sum(map(len, said.values())) / max(1, sum(map(bool, said.values())))))
    everybody = tuple(
        Claim(kind, text, 1.0, (), check=check)
        for (kind, text, check), _ in sorted(frequent.items(), key=_often)[:each]
    )
    told = dict.fromkeys(said, everybody)
    only = {wish for wish, held_out in complained.items() if held_out}
    return Recovery(
        labels=name,
        users=len(people),
        precision=_interval(precision),
        recall=_interval(recall),
        exact=_interval(_recall(said, wishes, complained, exact=True)),
        held_out=_interval([row for row in recall if row[:2] in only]) if only else None,
        baseline=(_interval(_precision(told, wishes)), _interval(_recall(told, wishes, complained))),
        kinds=_kinds(precision, recall),
    )


def conversations(simulated: Sequence[SimulatedConversation]) -> list[Conversation]:
    """Simulated talk as rows of the log."""
    return [
        Conversation(
            conversation.conversation_id, conversation.user_id, "real", conversation.turns[0].created_at,
            conversation.model, "en", conversation.turns,
            "simulated",
        )
        for conversation in simulated
    ]  # fmt: skip


MEASURED = ("at_most_words", "at_least_words", "at_most_sentences", "language")
"""Kinds of wishes of which a claim may have the number or the language wrong."""


def heard(wish: Check, check: str) -> tuple[bool, bool]:
    """Whether a claim with this check speaks of a wish, and whether it has its number or language right.

    >>> heard(Check("at_most_words", "40"), "shorter"), heard(Check("bullets"), "bullets")
    ((True, False), (True, True))
    """
    spoken = speaks_of(wish.kind, check)
    return spoken, check == str(wish) if wish.kind in MEASURED else spoken


Row = tuple[str, str, bool]
"""A user, the kind of wish in question, and whether it was got right."""


def _precision(said: Mapping[str, Sequence[Claim]], wishes: Mapping[str, Sequence[Check]]) -> list[Row]:
    rows = []
    for user, claims in said.items():
        for claim in claims:
            right = [wish.kind for wish in wishes[user] if heard(wish, claim.check)[0]]
            about = right or [kind for kind in WISHES if speaks_of(kind, claim.check)]
            rows.append((user, about[0] if about else "none of them", bool(right)))
    return rows


def _recall(
    said: Mapping[str, Sequence[Claim]],
    wishes: Mapping[str, Sequence[Check]],
    complained: Mapping[tuple[str, str], bool],
    exact: bool = False,
) -> list[Row]:
    return [
        (user, wish.kind, any(all(heard(wish, claim.check)[: 1 + exact]) for claim in said.get(user, ())))
        for user, own in wishes.items()
        for wish in own
        if (user, wish.kind) in complained
    ]


def _complained(simulated: Sequence[SimulatedConversation]) -> dict[tuple[str, str], bool]:
    """User and kind of each wish that was complained of; True when only in phrasings of held-out users."""
    found: dict[tuple[str, str], bool] = {}
    for conversation in simulated:
        for row in conversation.truth:
            if row.wish not in ("", ANSWER) and not row.contrary and row.label == "reattempt_with_feedback":
                wish = conversation.user_id, row.wish
                found[wish] = found.get(wish, True) and row.held_out_phrasing
    return found


def _kinds(precision: Sequence[Row], recall: Sequence[Row]) -> dict[str, tuple[int, float, int, float]]:
    found = {}
    for kind in sorted({kind for _, kind, _ in (*precision, *recall)}):
        asked, told = ([right for _, name, right in rows if name == kind] for rows in (recall, precision))
        found[kind] = (len(asked), sum(asked) / max(1, len(asked)), len(told), sum(told) / max(1, len(told)))
    return found


def _world(users: int, seed: int) -> tuple[tuple[SimulatedUser, ...], list[SimulatedConversation]]:
    # The scripted replies answer nothing: here users speak of form alone.
    config = SimulatorConfig(users=users, seed=seed, answers=False)
    people = make_users(config, SplitConfig().holds_out)
    model = ScriptedChatModel(REPLIES)
    simulated = [
        conversation
        for cycle in range(CYCLES)
        for conversation in simulate(model, people, {}, Sampling(), config, cycle)
    ]
    return people, simulated


def _true_labels(simulated: Sequence[SimulatedConversation]) -> list[FeedbackTurn]:
    return [
        FeedbackTurn("", conversation.conversation_id, conversation.user_id, row.turn_index, row.label, 1.0)
        for conversation in simulated
        for row in conversation.truth
    ]


def _labelled(simulated: Sequence[SimulatedConversation]) -> list[FeedbackTurn]:
    from rlhi.collect.feedback.label import Labeller, label_conversations

    return list(label_conversations(conversations(simulated), Labeller.load(), FeedbackConfig()))


def _interval(rows: Sequence[Row]) -> Interval:
    return clustered([float(right) for _, _, right in rows], [user for user, _, _ in rows], bounds=VALUES)


def _often(entry: tuple[tuple[str, str, str], int]) -> tuple[int, str]:
    (_, text, _), count = entry
    return -count, text


def _f1(precision: Interval, recall: Interval) -> float:
    return 2 * precision.mean * recall.mean / max(1e-9, precision.mean + recall.mean)


def _text(result: PersonaBench) -> str:
    lines = []
    for one in result.recovered:
        precision, recall = map(_told, one.baseline)
        lines += [
            f"wishes recovered from {one.users} simulated users, with {one.labels}: F1 {one.f1:.3f}",
            f"  precision {_told(one.precision)} of {one.precision.items} claims",
            f"  recall {_told(one.recall)} of {one.recall.items} wishes complained of; exact {_told(one.exact)}",
            f"  the most frequent claims for everybody: precision {precision}, recall {recall}",
        ]
        if one.held_out:
            held = f"{_told(one.held_out)} of {one.held_out.items}"
            lines.append(f"  recall of wishes told only in held-out phrasings {held}")
        for kind, (wishes, share, claims, right) in one.kinds.items():
            lines.append(f"    {kind:20} recall {share:.2f} of {wishes:3d}, precision {right:.2f} of {claims:3d}")
    lines.append(f"runs (F1) {result.runs}; ratio to the most frequent claims {result.ratio:.2f}")
    return "\n".join([*lines, *verdict(result.real)])


def _told(value: Interval) -> str:
    return f"{value.mean:.3f} [{value.low:.3f}, {value.high:.3f}]"
