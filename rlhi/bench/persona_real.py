"""Personas of real people: do they predict what their owners chose and rated, and does what is seen of them hold?

Every persona is built without the conversation that is predicted. The scorer is the loop's own reward head, fitted on
other users' choices (folds by user): with each user's own persona, and once without any. At the test it is given the
user's persona, or another user's. The head sees an answer's form; what it cannot see, no persona can help it with.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path

from rlhi.bench.persona_data import (
    Pair,
    PersonaOf,
    choices,
    histories_of,
    labels,
    people,
    population_builder,
    profiles,
    ratings,
    read_labels,
)
from rlhi.collect.persona.build import History, persona
from rlhi.collect.persona.builder import LocalBuilder, requests
from rlhi.collect.persona.history import Said, said
from rlhi.collect.persona.observed import STYLES, language_of_message
from rlhi.collect.persona.topics import terms
from rlhi.config import PersonasConfig, RewardConfig
from rlhi.contracts import Claim, Interval, Profile, content_key
from rlhi.evaluate.bounds import GAINS, VALUES
from rlhi.evaluate.statistics import clustered
from rlhi.learn.reward.comparisons import Comparison
from rlhi.learn.reward.head import RewardHead, train
from rlhi.models.base import Embedder

OTHERS = 5  # other users whose persona is tried in place of the user's own
QUICK_PAIRS = 6  # of each user in a quick run
FOLDS = 5
# All that is known is told to the scorer, not only what a small chat model would heed.
CONFIG = PersonasConfig(max_claims=8, text_kinds=("wish", "topic", "expertise", "style", "language"))


@dataclass(frozen=True, slots=True)
class Prediction:
    """How often the preferred one of two answers is scored higher (a tie counts half), by user.

    ``against_none`` and ``against_other`` are differences of shares: own persona less none, less another user's.
    """

    what: str
    own: Interval
    none: Interval
    other: Interval
    longer: Interval
    against_none: Interval
    against_other: Interval


@dataclass(frozen=True, slots=True)
class Holding:
    """Whether a group of claims holds in a conversation it was not built from: own claims, and another user's."""

    group: str
    own: Interval
    other: Interval
    difference: Interval


@dataclass(frozen=True, slots=True)
class RealPersonas:
    """What was measured on real users: ``spoken`` of them have a persona that says something, ``wishes`` a wish."""

    users: int
    spoken: int
    wishes: int
    predictions: tuple[Prediction, ...]
    holding: tuple[Holding, ...]


def real(data: Path, embedder: Embedder, quick: bool) -> RealPersonas:
    """Measure on ``data`` (``RLHI_DATA``). ``quick`` labels nothing, reads wishes in every follow-up, and few pairs.

    Raises:
        FileNotFoundError: a file of the data is missing.
    """
    rows = people(data)
    histories = histories_of(rows, read_labels(rows) if quick else labels(rows))
    builder = population_builder(histories, CONFIG)
    persona_of = profiles(histories, CONFIG, builder)

    whole = {user: persona(history, CONFIG, builder=builder) for user, history in histories.items()}
    picked, rated = list(choices(data)), list(ratings(data, rows))
    if quick:
        picked, rated = _few(picked), _few(rated)
    return RealPersonas(
        users=len(whole),
        spoken=sum(bool(one.text) for one in whole.values()),
        wishes=sum(any(one.group == "wish" for one in made.found) for made in builder.build(list(histories.values()))),
        predictions=tuple(_predictions(picked, rated, persona_of, embedder, 1 if quick else 3)),
        holding=tuple(_holding(histories, builder)),
    )


def _few(pairs: Sequence[Pair]) -> list[Pair]:
    """``QUICK_PAIRS`` of each user, drawn by hash."""
    by_user: dict[str, list[Pair]] = defaultdict(list)
    for one in sorted(pairs, key=lambda pair: content_key(pair.conversation_id, pair.better.response)):
        by_user[one.user_id].append(one)
    return [one for own in by_user.values() for one in own[:QUICK_PAIRS]]


def _predictions(
    picked: Sequence[Pair], rated: Sequence[Pair], persona_of: PersonaOf, embedder: Embedder, seeds: int
) -> Iterable[Prediction]:
    """Each pair of a user is scored by heads that were fitted on other users' choices; the mean of ``seeds`` splits."""
    from sklearn.model_selection import KFold

    users = sorted({one.user_id for one in (*picked, *rated)})
    won: dict[str, dict[Pair, list[list[float]]]] = {"choices": defaultdict(list), "ratings": defaultdict(list)}
    for seed in range(seeds):
        for _, held in KFold(FOLDS, shuffle=True, random_state=seed).split(users):
            tested = {users[at] for at in held}
            learned = [one for one in picked if one.user_id not in tested]
            own_head = train([_comparison(one, _own(one, persona_of)) for one in learned], embedder, RewardConfig())
            none_head = train([_comparison(one, Profile()) for one in learned], embedder, RewardConfig())
            for what, pairs in (("choices", picked), ("ratings", rated)):
                for one in pairs:
                    if one.user_id in tested and _own(one, persona_of).text:
                        won[what][one].append(_wins(one, own_head, none_head, users, persona_of))
    for what, scores in won.items():
        if scores:
            means = [[sum(column) / len(column) for column in zip(*rows, strict=True)] for rows in scores.values()]
            yield _prediction(what, means, [one.user_id for one in scores])


def _wins(
    pair: Pair, own_head: RewardHead, none_head: RewardHead, users: Sequence[str], persona_of: PersonaOf
) -> list[float]:
    """Own persona, none, others' (mean), the longer wins: 1, 0.5 or 0 each."""
    strangers = [user for user in users if user != pair.user_id and persona_of(user, "").text]
    strangers.sort(key=lambda user: content_key(user, pair.user_id, pair.conversation_id))
    others = [_win(own_head, pair, persona_of(user, "")) for user in strangers[:OTHERS]]
    longer = len(pair.better.response) - len(pair.worse.response)
    return [
        _win(own_head, pair, _own(pair, persona_of)),
        _win(none_head, pair, Profile()),
        sum(others) / len(others) if others else 0.5,
        _sign(longer),
    ]


def _win(head: RewardHead, pair: Pair, told: Profile) -> float:
    better, worse = head.score([replace(pair.better, persona=told), replace(pair.worse, persona=told)])
    return _sign(better - worse)


def _sign(difference: float) -> float:
    return 0.5 if difference == 0 else float(difference > 0)


def _own(pair: Pair, persona_of: PersonaOf) -> Profile:
    return persona_of(pair.user_id, pair.conversation_id)


def _comparison(pair: Pair, told: Profile) -> Comparison:
    better, worse = replace(pair.better, persona=told), replace(pair.worse, persona=told)
    return Comparison(pair.user_id, better, worse)


def _prediction(what: str, wins: Sequence[Sequence[float]], users: Sequence[str]) -> Prediction:
    own, none, other, longer = (clustered([row[at] for row in wins], users, bounds=VALUES) for at in range(4))
    less = [clustered([row[0] - row[at] for row in wins], users, bounds=GAINS) for at in (1, 2)]
    return Prediction(what, own, none, other, longer, *less)


def _holding(histories: Mapping[str, History], builder: LocalBuilder) -> Iterable[Holding]:
    """For users of three conversations or more: claims from the others, held against each conversation."""
    rows: dict[str, list[tuple[str, float, float]]] = defaultdict(list)
    known = {user: history for user, history in sorted(histories.items()) if len(history.conversations) >= 3}
    whole = {user: persona(history, CONFIG, builder=builder).claims for user, history in known.items()}
    for user, history in known.items():
        everything = requests(said(history))
        strangers = sorted((one for one in known if one != user), key=lambda one: content_key(one, user))
        for left in sorted({one.conversation_id for one in everything}):
            messages = [one for one in everything if one.conversation_id == left]
            own = persona(history, CONFIG, leave_out=left, builder=builder).claims
            for group in ("topic", "style", "language"):
                mine = _share_held(own, group, messages)
                shares = (_share_held(whole[one], group, messages) for one in strangers)
                theirs = list(islice((share for share in shares if share is not None), OTHERS))
                if mine is not None and theirs:
                    rows[group].append((user, mine, sum(theirs) / len(theirs)))
    for group, found in rows.items():
        users = [user for user, _, _ in found]
        apart = [one - other for _, one, other in found]
        yield Holding(
            group, clustered([one for _, one, _ in found], users, bounds=VALUES),
            clustered([other for _, _, other in found], users, bounds=VALUES), clustered(apart, users, bounds=GAINS),
        )  # fmt: skip


def _share_held(claims: Sequence[Claim], group: str, messages: Sequence[Said]) -> float | None:
    """The share of a group's claims that hold in these messages; None where there are none of it."""
    values = [value for claim in claims if (value := _holds(claim, group, messages)) is not None]
    return sum(values) / len(values) if values else None


def _holds(claim: Claim, group: str, messages: Sequence[Said]) -> float | None:
    """Whether a claim that was seen of a user holds in these messages; None for a claim of another group."""
    if group == "topic" and claim.kind == "topic":
        named = set(claim.text.removeprefix("Asks about ").rstrip(".").split(", "))
        return float(any(named & terms(one.text) for one in messages))
    if group == "language" and claim.kind == "language" and "rites in " in claim.text:
        return float(any(f" in {language_of_message(one.text)}." in claim.text for one in messages))
    style = next((one for one in STYLES if one.text == claim.text), None)
    if group == "style" and style is not None:
        able = [one for one in messages if style.can(one.text)]
        return float(sum(style.does(one.text) for one in able) >= style.share * len(able)) if able else None
    return None


def verdict(found: RealPersonas) -> list[str]:
    """The figures as lines to read; a difference whose interval includes 0 is called none."""
    lines = [
        f"{found.users} real users: {found.spoken} have a persona that says something, {found.wishes} one with a wish"
    ]
    for one in found.predictions:
        lines += [
            f"{one.what} predicted without their own conversation: {one.own.items} of {one.own.clusters} users",
            f"  own persona {_told(one.own)}, none {_told(one.none)}, another user's {_told(one.other)}, "
            f"the longer wins {_told(one.longer)}",
            f"  own less none {_judged(one.against_none)}",
            f"  own less another user's {_judged(one.against_other)}",
        ]
    for held in found.holding:
        lines.append(
            f"{held.group} claims hold in {_told(held.own)} of the conversations they were built without "
            f"({held.own.items} of {held.own.clusters} users), another user's in {_told(held.other)}: "
            f"{_judged(held.difference)}"
        )
    return lines


def _told(value: Interval) -> str:
    return f"{value.mean:.3f} [{value.low:.3f}, {value.high:.3f}]"


def _judged(difference: Interval) -> str:
    told = f"{difference.mean:+.3f} [{difference.low:+.3f}, {difference.high:+.3f}]"
    if difference.low > 0:
        return f"{told}: better"
    return f"{told}: worse" if difference.high < 0 else f"{told}: no difference shown, the interval includes 0"
