"""What a decision foresees of the next nights' re-attempts, kept with it, and what came of the last forecast."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import rlhi.evaluate.forecast as foretelling
from rlhi.checks.demands import demands_of
from rlhi.collect.persona.history import moment
from rlhi.collect.wishes.claims import read_profile
from rlhi.contracts import (
    REATTEMPTS,
    Conversation,
    FeedbackTurn,
    GateDecision,
    ToldClaim,
    content_key,
    from_record,
    to_record,
)  # fmt: skip
from rlhi.contracts.foreseen import Forecast, Forecasts, ForecastScore, ServedBy
from rlhi.contracts.turns import followed, request
from rlhi.evaluate.forecast import LEAST, Measured, Share, share_of
from rlhi.evaluate.replies import EvaluatedReply
from rlhi.evaluate.said import Model
from rlhi.learn.reward.features import NAMES, answer_features
from rlhi.stages.collect import incoming
from rlhi.stages.collect.ingest.stage import conversations
from rlhi.stages.collect.personas import PersonaBefore, persona_before
from rlhi.stages.evaluate.confirm import CONFIRMED_REPLIES
from rlhi.stages.evaluate.evaluate import REPLIES
from rlhi.workspace import ledger
from rlhi.workspace.store import Workspace, read_json, read_table, write_json

FORECASTS = "metrics/forecast.json"
MOST = 4000
"""Follow-ups that a forecast is fitted on, at most: drawn by a hash."""
FORM = (
    "log_words", "words_40", "log_sentences", "bullets", "numbered", "commas", "digits", "questions", "exclamations",
    "paragraphs", "overlap", "repeats", "english", "ends_whole",
)  # fmt: skip
"""What of an answer's form a few hundred follow-ups can tell anything of."""
PENALTIES = (1.0, 1.0, *(30.0 for _ in FORM))
"""Of :func:`measures`: what a user asked for counts at once, form only where much speaks for it."""

_FORM = tuple(NAMES.index(name) for name in FORM)


@dataclass(frozen=True, slots=True)
class FollowedUp:
    """A logged answer that its user said something to."""

    conversation: Conversation
    answer: int
    again: bool


def measures(asked: str, reply: str, claims: Sequence[ToldClaim]) -> tuple[float, ...]:
    """What of a reply may tell whether it is asked again: is anything demanded, which share of it is met, and form."""
    demands = [one for one in demands_of(claims) if not one.relative]
    met = sum(one.met(reply, "") for one in demands) / len(demands) if demands else 0.0
    form = answer_features(asked, reply)
    return (float(bool(demands)), met, *(form[at] for at in _FORM))


def read_forecasts(space: Workspace) -> Forecasts:
    """Every forecast and score so far; none before the first."""
    record = read_json(space.path(FORECASTS))
    return from_record(Forecasts, record) if record else Forecasts()


def foretell(space: Workspace, decision: GateDecision) -> Forecasts:
    """Score the last forecast by what is new, make one for the cycle under way, and keep both. Repeatable."""
    pin, held = ledger.pinned(space.root), read_forecasts(space)
    made = tuple(one for one in held.made if one.cycle < pin.cycle)
    scored = tuple(one for one in held.scored if one.cycle < pin.cycle)
    log = list(followed_up(conversations(space), read_table(space.path("data/feedback"), FeedbackTurn)))
    landed = {batch.digest: batch.cycle for batch in incoming.batches(space)}
    if made and (came := _score(space, made[-1], scored, log, landed)):
        scored = (*scored, came)
    told = Forecasts((*made, _forecast(space, decision, log, landed)), scored)
    write_json(space.path(FORECASTS), to_record(told))
    return told


def of_cycle(told: Forecasts, cycle: int) -> tuple[Forecast | None, ForecastScore | None]:
    """What a cycle foresaw, and what it scored."""
    made = next((one for one in told.made if one.cycle == cycle), None)
    return made, next((one for one in told.scored if one.cycle == cycle), None)


def followed_up(rows: Iterable[Conversation], labels: Iterable[FeedbackTurn]) -> Iterator[FollowedUp]:
    """The answers that follow-ups were labelled of."""
    by_name = {(row.user_id, row.conversation_id): row for row in rows}
    for label in labels:
        row = by_name.get((label.user_id, label.conversation_id))
        exchange = followed(row.turns).get(label.turn_index) if row else None
        if row and exchange:
            yield FollowedUp(row, exchange.answer, label.label in REATTEMPTS)


def learned(log: Iterable[FollowedUp], known: PersonaBefore) -> list[Measured]:
    """Measures of logged answers, with the persona that was known before each."""
    return [
        Measured(
            one.conversation.user_id,
            measures(
                request(one.conversation.turns, one.answer),
                one.conversation.turns[one.answer].content,
                known(one.conversation, one.answer).claims,
            ),
            one.again,
        )
        for one in log
    ]


def replayed(said: Iterable[EvaluatedReply], model: Model) -> list[Measured]:
    """Measures of a model's replies to held-out prefixes, with the persona that it was told."""
    return [
        Measured(one.user_id, measures(one.request, one.text, read_profile(one.persona).claims))
        for one in said
        if one.model == model
    ]


def served(log: Sequence[FollowedUp], version: str, since: str) -> tuple[list[FollowedUp], ServedBy]:
    """Those of answers by a version: as the log names its models, else by time, else all."""
    if any(_names(one).startswith("policy@") for one in log):
        return [one for one in log if _names(one) == f"policy@{version}"], "model"
    begun = moment(since)
    if begun and (later := [one for one in log if (at := moment(_when(one))) and at >= begun]):
        return later, "time"
    return list(log), "new"


def _forecast(
    space: Workspace, decision: GateDecision, log: Sequence[FollowedUp], landed: dict[str, int]
) -> Forecast:  # fmt: skip
    pin, params = ledger.pinned(space.root), space.params
    promoted = decision.verdict == "promote"
    model = ledger.next_version(space.root) if promoted else pin.champion
    mine, by = served(log, pin.champion, _since(space, pin.champion))
    fresh = [one for one in mine if landed.get(one.conversation.batch, pin.cycle) == pin.cycle]
    last = _share(fresh if len(fresh) >= LEAST else mine)
    said = [row for name in (CONFIRMED_REPLIES, REPLIES) for row in read_table(space.path(name), EvaluatedReply)]
    found = None
    if said and last.follow_ups >= LEAST:
        # By rule, whoever builds what is served: no forecast asks a model anything.
        known = persona_before(space, params.personas.model_copy(update={"builder": "local"}), params.split)
        teaching = [one for one in log if params.split.teaches(one.conversation.user_id)]
        drawn = sorted(teaching, key=lambda one: content_key(one.conversation.conversation_id, one.answer))[:MOST]
        found = foretelling.change(
            learned(drawn, known), replayed(said, "champion"), replayed(said, "challenger"), PENALTIES, params.seed
        )
    return foretelling.forecast(pin.cycle, model, last, by, found, promoted, params.evaluate.confidence)


def _score(
    space: Workspace, made: Forecast, scored: Sequence[ForecastScore], log: Sequence[FollowedUp], landed: dict[str, int]
) -> ForecastScore | None:
    """What came of a forecast; None while too little came, or where it was scored before."""
    if made.why_none or any(one.of == made.cycle for one in scored):
        return None
    cycle = ledger.pinned(space.root).cycle
    news = [one for one in log if made.cycle < landed.get(one.conversation.batch, cycle) <= cycle]
    came, by = served(news, made.model, _since(space, made.model))
    return foretelling.score(made, cycle, _share(came), by) if len(came) >= LEAST else None


def _share(log: Iterable[FollowedUp]) -> Share:
    return share_of((one.conversation.user_id, one.again) for one in log)


def _since(space: Workspace, version: str) -> str:
    """When a version was promoted; empty for the first, which was never."""
    return next((one.date for one in ledger.history(space.root) if one.promoted == version), "")


def _names(one: FollowedUp) -> str:
    return one.conversation.turns[one.answer].model or one.conversation.model or ""


def _when(one: FollowedUp) -> str:
    return one.conversation.turns[one.answer].created_at or one.conversation.created_at or ""
