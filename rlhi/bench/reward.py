"""The reward head on people's own choices and ratings, beside "the longer wins", user by user.

One head learns from all sources together; folds are by user (by request, where nobody knows the user). Users of whom a
persona is known are scored with it, with another user's, and with none; every persona is built without the conversation
that is predicted.

    rlhi bench reward [--quick] [--json]
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from rlhi.bench.feedback_data import data_folder, embedder_folder
from rlhi.bench.persona_data import histories_of, labels, people, ratings, records
from rlhi.collect.persona import History, persona
from rlhi.collect.persona_builder import LocalBuilder, requests
from rlhi.collect.persona_history import said
from rlhi.collect.persona_topics import population
from rlhi.config import PersonasConfig, RewardConfig
from rlhi.contracts import Interval, Message, content_key
from rlhi.evaluate.statistics import GAINS, VALUES, clustered
from rlhi.learn.comparisons import Comparison
from rlhi.learn.reward import RewardHead, train
from rlhi.models.base import Embedder, Scored
from rlhi.models.embedder import LocalEmbedder, RememberingEmbedder
from rlhi.stages import StageError

FOLDS = 5
QUICK_PAIRS = 150  # of each source
CONFIG = PersonasConfig(max_claims=8, text_kinds=("wish", "topic", "expertise", "style", "language"))
BINS = (0.5, 0.6, 0.7, 0.8, 0.9, 1.0)


@dataclass(frozen=True, slots=True)
class Judged:
    """One comparison of a source; ``other`` is another user's persona, empty where the own one is."""

    source: str
    one: Comparison
    other: str = ""


@dataclass(frozen=True, slots=True)
class SourceResult:
    """Accuracy on one source, averaged by user; ``apart`` is ours less "the longer wins"."""

    source: str
    ours: Interval
    longer: Interval
    apart: Interval


@dataclass(frozen=True, slots=True)
class PersonaResult:
    """Of the comparisons whose user has a persona: accuracy with it, and less what others and none give."""

    source: str
    own: Interval
    against_other: Interval
    against_none: Interval


@dataclass(frozen=True, slots=True)
class Bin:
    """Of ``count`` comparisons said to be right with a probability in a range: the mean said, and the share right."""

    count: int
    said: float
    seen: float


@dataclass(frozen=True, slots=True)
class RewardBench:
    """What the benchmark found over ``splits`` splits into folds."""

    splits: int
    sources: tuple[SourceResult, ...]
    personas: tuple[PersonaResult, ...]
    calibration: tuple[Bin, ...]
    expected_error: float


def run(quick: bool, as_json: bool) -> str:
    """The tables, or JSON."""
    if not (data_folder() / "preferences.jsonl.gz").is_file():
        raise StageError(f"{data_folder()} holds no preferences.jsonl.gz: set RLHI_DATA to the folder with the data")
    found = measure(data_folder(), RememberingEmbedder(LocalEmbedder(embedder_folder())), quick)
    return json.dumps(asdict(found)) if as_json else _told(found)


def measure(data: Path, embedder: Embedder, quick: bool) -> RewardBench:
    """Train and test on ``data`` (``RLHI_DATA``); one split and fewer pairs when ``quick``."""
    from sklearn.model_selection import GroupKFold

    rows = _few(judged(data)) if quick else list(judged(data))
    groups = [row.one.user_id for row in rows]
    splits = 1 if quick else 3
    # For each row and split: P(better) with the own persona, another's, none.
    told: list[list[tuple[float, float, float]]] = [[] for _ in rows]
    for seed in range(splits):
        for learn, test in GroupKFold(FOLDS, shuffle=True, random_state=seed).split(rows, groups=groups):
            head = train([rows[at].one for at in learn], embedder, RewardConfig())
            for at, chances in zip(test, _chances(head, [rows[at] for at in test]), strict=True):
                told[at].append(chances)
    longer = [_sign(len(row.one.better.response) - len(row.one.worse.response)) for row in rows]
    wins = [[sum(_sign(split[way] - 0.5) for split in all_) / splits for way in range(3)] for all_ in told]
    sources, personas = [], []
    for name in dict.fromkeys(row.source for row in rows):
        at = [place for place, row in enumerate(rows) if row.source == name]
        sources.append(
            SourceResult(
                name, _mean(wins, at, groups, lambda row: row[0]), _over([longer[p] for p in at], at, groups, VALUES),
                _over([wins[p][0] - longer[p] for p in at], at, groups, GAINS),
            )
        )  # fmt: skip
        known = [place for place in at if rows[place].other and rows[place].one.better.persona]
        if known:
            apart = [_over([wins[p][0] - wins[p][way] for p in known], known, groups, GAINS) for way in (1, 2)]
            personas.append(PersonaResult(name, _mean(wins, known, groups, lambda row: row[0]), *apart))
    bins = _calibration([split[0] for all_ in told for split in all_])
    total = sum(one.count for one in bins)
    error = sum(one.count * abs(one.said - one.seen) for one in bins) / total
    return RewardBench(splits, tuple(sources), tuple(personas), tuple(bins), error)


def judged(data: Path) -> Iterator[Judged]:
    """All comparisons of the data: choices and ranks by source, and ratings of one conversation's answers."""
    rows = people(data)
    histories = histories_of(rows, labels(rows))
    builder = LocalBuilder(CONFIG, population((one.user_id, requests(said(one))) for one in histories.values()))
    texts: dict[tuple[str, str], str] = {}

    def persona_of(user: str, leave_out: str) -> str:
        if (user, leave_out) not in texts:
            history = histories.get(user, History(user, (), ()))
            texts[user, leave_out] = persona(history, CONFIG, leave_out=leave_out or None, builder=builder).text
        return texts[user, leave_out]

    strangers = [user for user in sorted(histories) if persona_of(user, "")]

    def told(source: str, user: str, conversation: str, better: Scored, worse: Scored) -> Judged:
        own = persona_of(user, conversation)
        others = [one for one in strangers if one != user]
        other = min(others, key=lambda one: content_key(one, user, conversation)) if own and others else ""
        one = Comparison(user, replace(better, persona=own), replace(worse, persona=own))
        return Judged(source, one, persona_of(other, "") if other else "")

    for row in records(data / "preferences.jsonl.gz"):
        prompt, other = row["prompt_turns"], row["prompt_turns_rejected"] or row["prompt_turns"]
        name = row["user_id"] or f"request:{content_key(prompt)}"
        better, worse = Scored("", _messages(prompt), row["chosen"]), Scored("", _messages(other), row["rejected"])
        yield told(row["source"].split("-")[0], name, row["conversation_id"], better, worse)
    for pair in ratings(data, rows):
        yield told("ratings", pair.user_id, pair.conversation_id, pair.better, pair.worse)


def _chances(head: RewardHead, rows: Sequence[Judged]) -> Iterator[tuple[float, float, float]]:
    """P(better) of each comparison with the own persona, another user's, and none."""
    import numpy as np

    def chance(persona: Callable[[Judged], str]) -> list[float]:
        sides = [
            head.score([replace(getattr(row.one, side), persona=persona(row)) for row in rows])
            for side in ("better", "worse")
        ]
        apart = np.array(sides[0]) - np.array(sides[1])
        return [float(value) for value in 1 / (1 + np.exp(-apart))]

    yield from zip(
        chance(lambda row: row.one.better.persona), chance(lambda row: row.other), chance(lambda _: ""), strict=True
    )


def _few(rows: Iterator[Judged]) -> list[Judged]:
    by_source: dict[str, list[Judged]] = defaultdict(list)
    for row in rows:
        by_source[row.source].append(row)
    drawn = (
        sorted(some, key=lambda row: content_key(row.one.better.response, row.one.worse.response))[:QUICK_PAIRS]
        for some in by_source.values()
    )
    return [row for some in drawn for row in some]


def _mean(
    wins: Sequence[Sequence[float]], at: Sequence[int], groups: Sequence[str], pick: Callable[[Sequence[float]], float]
) -> Interval:
    return _over([pick(wins[place]) for place in at], at, groups, VALUES)


def _over(values: list[float], at: Sequence[int], groups: Sequence[str], bounds: tuple[float, float]) -> Interval:
    return clustered(values, [groups[place] for place in at], bounds=bounds)


def _calibration(chances: Sequence[float]) -> list[Bin]:
    """How often the side that is said to be better is the better one, by how surely it is said."""
    sure = [(max(chance, 1 - chance), _sign(chance - 0.5)) for chance in chances]
    found = []
    for low, high in zip(BINS, BINS[1:], strict=False):
        some = [one for one in sure if low <= one[0] < high or one[0] == high == 1.0]
        if some:
            found.append(
                Bin(len(some), sum(one[0] for one in some) / len(some), sum(one[1] for one in some) / len(some))
            )
    return found


def _sign(difference: float) -> float:
    return 0.5 if difference == 0 else float(difference > 0)


def _messages(turns: Sequence[dict[str, str]]) -> tuple[Message, ...]:
    return tuple(Message("assistant" if turn["role"] == "assistant" else "user", turn["content"]) for turn in turns)


def _told(found: RewardBench) -> str:
    lines = [f"accuracy by user, {FOLDS} folds by user, {found.splits} splits; brackets are 95% intervals by user"]
    lines.append(f"{'source':10} {'pairs':>5} {'users':>5}  {'ours':22} {'the longer wins':22} ours less the longer")
    lines += [
        f"{one.source:10} {one.ours.items:5d} {one.ours.clusters:5d}  {_span(one.ours):22} {_span(one.longer):22} "
        f"{_span(one.apart, '+')}"
        for one in found.sources
    ]
    lines.append("with the user's persona, of those who have one:")
    lines += [
        f"{one.source:10} {one.own.items:5d} {one.own.clusters:5d}  {_span(one.own):22} "
        f"less another's {_span(one.against_other, '+')}, less none {_span(one.against_none, '+')}"
        for one in found.personas
    ]
    lines.append(f"calibration: expected error {found.expected_error:.3f}")
    lines.append("  pairs " + " ".join(f"{one.count:6d}" for one in found.calibration))
    lines.append("  said  " + " ".join(f"{one.said:6.2f}" for one in found.calibration))
    lines.append("  seen  " + " ".join(f"{one.seen:6.2f}" for one in found.calibration))
    return "\n".join(lines)


def _span(value: Interval, sign: str = "") -> str:
    return f"{value.mean:{sign}.3f} [{value.low:{sign}.3f}, {value.high:{sign}.3f}]"
