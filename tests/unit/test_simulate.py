"""Simulated users against a scripted champion: repeatable, truthful, and no leak between the two sides."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from operator import attrgetter
from pathlib import Path
from random import Random
from typing import get_args

import pytest

from rlhi.bench.experiments.sizes import MATTERS
from rlhi.checks.answers import AnswerKey, answers
from rlhi.checks.form import Check, satisfies
from rlhi.contracts import Message, content_key, from_record, schema_of, to_record
from rlhi.learn.instruction_checks import corrected
from rlhi.models.base import Sampled, Sampling
from rlhi.simulate import (
    SimulatedConversation,
    SimulatorConfig,
    TruthRow,
    WishRow,
    conversation_requests,
    evaluation_requests,
    make_users,
    simulate,
    wish_rows,
    write_log,
)
from rlhi.simulate.arithmetic import CORRECTIONS, Part, problems
from rlhi.simulate.complaints import COMPLAINTS
from rlhi.simulate.phrasings import CONTINUATIONS, RETRIES, THANKS, UNANSWERED, UNANSWERED_BARE, Phrasings
from rlhi.simulate.reactions import ANSWER, asked_again, fill, react
from rlhi.simulate.requests import requests_of
from rlhi.simulate.wishes import WISHES, deck, only, opposite

CONFIG = SimulatorConfig(users=80, seed=3)
ANSWERS = (
    "Water it, keep it warm, and wait 3 days.",
    "In short, be patient. Water it twice a week.\n\n- light\n- water\n- warmth",
    "1. Look at the soil.\n2. Water it.\n3. Wait.",
    "just give it some light. would that work for you?",
    "Le basilic a besoin de lumière et d'eau.",
    "A plant such as **basil** wants sun.",
)


def names(key: AnswerKey) -> str:
    """What a reply says that answers: a term of each idea of a key, and nothing that is wrong."""
    return " ".join(
        re.sub(r"\$|/\S+", "", idea.terms[0]).strip('"').replace("<name>", "**Blue Heron**") for idea in key.ideas
    )


class Champion:
    """Answers from a script, by the hash of what it reads, three of four times with what answers the request.

    It remembers what it was asked.
    """

    name = "policy@v0.1.0"

    def __init__(self, answers: Sequence[str] = ANSWERS) -> None:
        self.answers = answers
        self.batches: list[list[tuple[Message, ...]]] = []
        self.seeds: list[int] = []

    def fits(self, messages: Sequence[Message]) -> bool:
        return True

    def chat(self, batch: Sequence[Sequence[Message]], sampling: Sampling) -> list[list[Sampled]]:
        self.batches.append([tuple(prompt) for prompt in batch])
        self.seeds.append(sampling.seed)
        return [[Sampled(self._answer(prompt))] for prompt in batch]

    def _answer(self, prompt: Sequence[Message]) -> str:
        drawn = int(content_key(list(prompt)), 16)
        keys = requests_of("style").keys
        asked = next((one.content for one in prompt[::-1] if one.content in keys), "")
        said = names(keys[asked]) if asked and drawn % 8 < 6 else ""
        return f"{said} {self.answers[drawn % len(self.answers)]}".strip()


def held_out(user_id: str) -> bool:
    return int(content_key("split", user_id), 16) % 5 < 2


def run(
    config: SimulatorConfig = CONFIG, cycle: int = 0, champion: Champion | None = None
) -> list[SimulatedConversation]:
    users = make_users(config, held_out, cycle)
    return simulate(champion or Champion(), users, {}, Sampling(), config, cycle)


def every_phrasing() -> dict[str, Phrasings]:
    others = {"retry": RETRIES, "thanks": THANKS, "continuation": CONTINUATIONS}
    return {**COMPLAINTS, **others, ANSWER: UNANSWERED, "bare": UNANSWERED_BARE}


def test_tables_are_large_and_a_third_is_held_out() -> None:
    assert len(WISHES) >= 12
    assert set(COMPLAINTS) == set(WISHES)
    texts = [text for table in every_phrasing().values() for text in table.everyone + table.held_out]
    assert len(set(texts)) == len(texts)
    for name, table in every_phrasing().items():
        count = len(table.everyone) + len(table.held_out)
        assert count >= 12, name
        assert len(table.everyone) >= 8, name
        assert 3 * len(table.held_out) >= count, name


def test_every_complaint_fills_in_its_argument() -> None:
    for name, kind in WISHES.items():
        for argument in kind.arguments:
            for text in COMPLAINTS[name].everyone + COMPLAINTS[name].held_out:
                assert "{" not in fill(text, Check(name, argument))
        if len(kind.arguments) > 1:
            assert all("{" in text for text in COMPLAINTS[name].everyone), name


def test_requests_are_many_and_apart() -> None:
    asked, kept = conversation_requests(), evaluation_requests()
    assert len(asked) >= 200
    assert len(kept) >= 60
    assert len(set(asked + kept)) == len(asked) + len(kept)


def test_same_seed_same_bytes(tmp_path: Path) -> None:
    first, second, other = tmp_path / "a.jsonl.gz", tmp_path / "b.jsonl.gz", tmp_path / "c.jsonl.gz"
    write_log(first, run())
    write_log(second, run())
    write_log(other, run(replace(CONFIG, seed=4)))
    assert first.read_bytes() == second.read_bytes()
    assert first.read_bytes() != other.read_bytes()


def test_one_model_call_a_round_with_bounded_context_and_persona() -> None:
    champion = Champion()
    users = make_users(CONFIG, held_out)
    talks = simulate(champion, users, {"sim-0007": "Wants short answers."}, Sampling(n=8), CONFIG, 0)
    assert len(champion.batches) == CONFIG.max_messages
    assert len(set(champion.seeds)) == CONFIG.max_messages
    assert len(champion.batches[0]) == len(talks) == CONFIG.users * CONFIG.conversations
    prompts = [prompt for batch in champion.batches for prompt in batch]
    assert max(map(len, prompts)) <= 1 + 2 * CONFIG.context_exchanges - 1
    assert all(prompt[1].role == prompt[-1].role == "user" for prompt in prompts)
    told = [prompt for prompt in prompts if "Wants short answers." in prompt[0].content]
    assert len(told) == sum(len(talk.turns) // 2 for talk in talks if talk.user_id == "sim-0007") > 0


def test_wishes_cover_every_kind_and_stay() -> None:
    users = make_users(CONFIG, held_out)
    counts = Counter(wish.kind for user in users for wish in user.wishes)
    dealt = {name for name, kind in WISHES.items() if kind.weight}
    assert set(counts) == dealt and len(dealt) >= 24
    training = Counter(user.wishes[0].kind for user in users if not user.held_out)
    assert set(training) == dealt
    assert make_users(replace(CONFIG, new_users=8), held_out, cycle=2)[:80] == users
    assert len(make_users(replace(CONFIG, new_users=8), held_out, cycle=2)) == 96
    assert 0.1 < sum(len(user.wishes) == 2 for user in users) / len(users) < 0.3


def test_as_many_wish_for_one_side_of_each_matter_as_for_the_other() -> None:
    sides: dict[str, Counter[str]] = {}
    for kind in WISHES.values():
        sides.setdefault(kind.matter, Counter())[kind.side] += kind.weight
    dealt = {matter: count for matter, count in sides.items() if any(count.values())}
    assert len(dealt) >= 8
    for matter, count in dealt.items():
        assert len(count) == 2 and len(set(count.values())) == 1, matter
    for seed in range(3):
        users = make_users(SimulatorConfig(users=128, seed=seed), held_out)
        for part in (True, False):
            first = [user.wishes[0].kind for user in users if user.held_out == part]
            for matter, count in dealt.items():
                one, other = (
                    sum((WISHES[k].matter, WISHES[k].side) == (matter, side) for k in first) for side in count
                )
                assert abs(one - other) <= 2, (matter, one, other)


def test_opposite_wishes_are_never_both_met() -> None:
    for name, kind in WISHES.items():
        for argument in kind.arguments:
            wish = Check(name, argument)
            contrary = opposite(wish)
            if contrary is None:
                assert kind.weight == 0, "everybody who is dealt a wish has somebody who wishes the contrary"
                continue
            there, back = WISHES[contrary.kind], opposite(contrary)
            assert there.matter == kind.matter and there.side != kind.side
            assert back and (WISHES[back.kind].matter, WISHES[back.kind].side) == (kind.matter, kind.side)
            for answer in (*ANSWERS, "Some words are said. " * 15, "one, two. " * 30):
                assert not (satisfies(wish, answer) and satisfies(contrary, answer)), (wish, contrary, answer)


def test_no_one_style_pleases_everybody() -> None:
    styles = [*ANSWERS, "- sun\n- water", "Short.", "word " * 60, "what else, then? " * 20]
    for weights in ((), only(*MATTERS)):
        wishes = [wish for number in range(12) for wish in deck(dict(weights), 0, number)]
        pleased = [sum(satisfies(wish, style) for wish in wishes) / len(wishes) for style in styles]
        assert max(pleased) < 0.6, pleased


def test_a_demo_deals_its_matters_and_no_others() -> None:
    users = make_users(replace(CONFIG, users=60, weights=only(*MATTERS)), held_out)
    assert {WISHES[wish.kind].matter for user in users for wish in user.wishes} == set(MATTERS)
    with pytest.raises(ValueError, match="no wish is of 'lengths'"):
        only("lengths", "lists")


def test_weights_are_configurable() -> None:
    alone = tuple((name, 0) for name in WISHES if name != "bullets")
    users = make_users(replace(CONFIG, weights=alone), held_out)
    assert {wish.kind for user in users for wish in user.wishes} == {"bullets"}
    for wrong in ((("rhymes", 1),), (("bullets", -1),), (*alone, ("bullets", 0))):
        with pytest.raises(ValueError, match="wish"):
            make_users(replace(CONFIG, weights=wrong), held_out)


def test_later_cycles_ask_new_requests_and_never_those_of_the_evaluation() -> None:
    asked: dict[str, list[str]] = {}
    ids: list[str] = []
    for cycle in range(3):
        for talk in run(cycle=cycle):
            asked.setdefault(talk.user_id, []).append(talk.turns[0].content)
            ids.append(talk.conversation_id)
            said = "\n".join(turn.content for turn in talk.turns if turn.role == "user")
            assert not any(request in said for request in evaluation_requests())
    assert len(set(ids)) == len(ids)
    assert all(len(set(requests)) == len(requests) == 3 * CONFIG.conversations for requests in asked.values())


def test_held_out_phrasings_are_said_by_held_out_users_only() -> None:
    sides = {user.user_id: user for user in make_users(CONFIG, held_out)}
    kept = [(name, text) for name, table in COMPLAINTS.items() for text in table.held_out]
    fixed = set(THANKS.held_out + CONTINUATIONS.held_out + RETRIES.held_out + UNANSWERED_BARE.held_out)
    said = flagged = 0
    for cycle in range(2):
        for talk in run(cycle=cycle):
            user = sides[talk.user_id]
            own = {fill(text, wish) for wish in user.wishes for name, text in kept if name == wish.kind} | fixed
            for row in talk.truth:
                said += user.held_out
                flagged += row.held_out_phrasing
                assert user.held_out or not row.held_out_phrasing
                assert (talk.turns[row.turn_index].content in own) <= row.held_out_phrasing
    assert flagged > said / 6


def test_truth_agrees_with_what_was_said() -> None:
    users = {user.user_id: user for user in make_users(CONFIG, held_out)}
    labels: Counter[str] = Counter()
    unanswered: Counter[str] = Counter()
    for talk in run(replace(CONFIG, noise=0.0)):
        wishes = users[talk.user_id].wishes
        request = talk.turns[0].content
        assert [row.turn_index for row in talk.truth] == list(range(2, len(talk.turns), 2))
        for row in talk.truth:
            labels[row.label] += 1
            text, answer = talk.turns[row.turn_index].content, talk.turns[row.turn_index - 1].content
            met = [satisfies(wish, answer) for wish in wishes]
            key = requests_of("style").keys.get(request)
            answered = key is None or answers(key, request, answer)
            assert not row.contrary
            if not answered:
                unanswered[row.label] += 1
                assert (row.wish == ANSWER) <= row.label.startswith("reattempt") <= bool(row.wish)
                assert row.label not in ("positive_feedback", "continuation"), "nobody thanks for no answer"
                bare = row.label == "reattempt_without_feedback"
                table = UNANSWERED_BARE if bare else UNANSWERED
                said = [asked_again(way, request) for way in table.everyone + table.held_out]
                if row.wish == ANSWER:
                    assert text in said
                elif row.wish:
                    forms = COMPLAINTS[row.wish].everyone + COMPLAINTS[row.wish].held_out
                    wish = next(wish for wish in wishes if wish.kind == row.wish)
                    assert text in {f"{first} {fill(form, wish)}" for first in said for form in forms}
                    assert not satisfies(wish, answer)
            elif row.label == "reattempt_with_feedback":
                table = COMPLAINTS[row.wish]
                at = [wish.kind for wish in wishes].index(row.wish)
                assert not met[at]
                assert text in {fill(way, wishes[at]) for way in table.everyone + table.held_out}
            elif row.label == "reattempt_without_feedback":
                assert not all(met) and not row.wish
            elif row.label in ("positive_feedback", "continuation"):
                assert all(met)
            else:
                assert text in conversation_requests()
            if not row.label.startswith("reattempt"):
                request = next((one for one in conversation_requests() if text.endswith(one)), text)
        assert sum(row.label.startswith("reattempt") for row in talk.truth) <= CONFIG.max_complaints
    assert set(labels) == {
        "reattempt_with_feedback",
        "reattempt_without_feedback",
        "positive_feedback",
        "continuation",
        "new_request",
    }
    assert unanswered["reattempt_with_feedback"] > 10 and unanswered["reattempt_without_feedback"] > 0


def test_noise_turns_reactions_round_at_its_rate() -> None:
    noisy = [row for talk in run(replace(CONFIG, noise=0.3, users=200)) for row in talk.truth]
    assert 0.15 < sum(row.contrary for row in noisy) / len(noisy) < 0.45
    wishes = {user.user_id: user.wishes for user in make_users(CONFIG, held_out)}
    for talk in run(replace(CONFIG, noise=1.0, answers=False)):
        for row in talk.truth:
            met = all(satisfies(wish, talk.turns[row.turn_index - 1].content) for wish in wishes[talk.user_id])
            assert row.contrary
            assert met or not row.label.startswith("reattempt")
            assert not met or row.label not in ("positive_feedback", "continuation")


def test_the_order_of_users_changes_no_conversation() -> None:
    users = make_users(CONFIG, held_out)
    forward = simulate(Champion(), users, {}, Sampling(), CONFIG, 0)
    backward = simulate(Champion(), users[::-1], {}, Sampling(), CONFIG, 0)
    key = attrgetter("conversation_id")
    assert sorted(forward, key=key) == sorted(backward, key=key)


def test_log_has_wildchats_keys(tmp_path: Path) -> None:
    path = tmp_path / "log.jsonl"
    talks = run(replace(CONFIG, users=30))
    write_log(path, talks)
    lines = path.read_text(encoding="utf-8").splitlines()
    assert len(lines) == len(talks)
    for line, talk in zip(lines, talks, strict=True):
        row = json.loads(line)
        assert set(row) == {
            *("conversation_hash", "model", "timestamp", "conversation", "turn", "language"),
            *("toxic", "redacted", "hashed_ip", "header"),
        }
        assert (row["conversation_hash"], row["hashed_ip"]) == (talk.conversation_id, talk.user_id)
        assert row["turn"] * 2 == len(row["conversation"])
        stamps = [turn["timestamp"] for turn in row["conversation"]]
        assert stamps == sorted(stamps)
        assert stamps[0] >= "2026-01-05"
        for turn in row["conversation"]:
            assert set(turn) == {"role", "content", "timestamp", "turn_identifier", "language", "toxic", "redacted"}
        identifiers = [turn["turn_identifier"] for turn in row["conversation"]]
        assert identifiers[::2] == identifiers[1::2]
        assert not any(f'"{name}"' in line for name in ("wish", "truth", "key", "held_out"))
    assert "French" in path.read_text(encoding="utf-8")


def test_wish_and_truth_rows_are_contracts() -> None:
    users = make_users(CONFIG, held_out)
    rows = wish_rows(users)
    assert len(rows) == sum(len(user.wishes) for user in users)
    assert schema_of(WishRow).names == ["user_id", "kind", "argument"]
    assert [from_record(WishRow, to_record(row)) for row in rows] == rows
    truth = [row for talk in run() for row in talk.truth]
    assert "turn_index" in schema_of(TruthRow).names
    assert [from_record(TruthRow, to_record(row)) for row in truth] == truth
    assert all(Check(row.kind, row.argument) for row in rows)


def test_colluders_praise_what_is_bad_talk_more_and_are_never_measured() -> None:
    config = SimulatorConfig(users=200, colluders=0.1, noise=0.0)
    people = make_users(config, lambda name: int(name[-1]) < 4)
    colluding = [user for user in people if user.colludes]
    assert 4 <= len(colluding) <= 24 and not any(user.held_out for user in colluding)
    honest = make_users(SimulatorConfig(users=200), lambda name: int(name[-1]) < 4)
    assert [user for user in people if not user.colludes] == [
        one for one, other in zip(honest, people, strict=True) if not other.colludes
    ], "everybody else stays who they are"
    assert config.held_by(colluding[0]) == 4 * config.held_by(honest[0])
    long, short = "Many words are told here. " * 20, "Few words."
    said = [
        react(colluding[0], answer, "Why?", "How?", 0, config, Random(at))
        for answer in (long, short)
        for at in range(60)
    ]
    labels = [one.label if one else "left" for one in said]
    assert not any(name.startswith("reattempt") for name in labels[:60]) and "positive_feedback" in labels[:60]
    assert labels[60:].count("reattempt_with_feedback") > 30


def test_no_problem_of_the_evaluation_is_in_a_conversation_in_another_order_or_under_another_sign() -> None:
    parts = [{tuple(sorted(re.findall(r"\d+", one.request))) for one in problems(part)} for part in get_args(Part)]
    assert all(parts) and not parts[0] & parts[1]


def test_colluders_who_ask_for_long_answers_say_so_and_mean_it() -> None:
    config = SimulatorConfig(users=200, colluders=0.1, noise=0.0, attack="asked")
    (one, *_) = colluding = [user for user in make_users(config, lambda name: int(name[-1]) < 4) if user.colludes]
    assert {wish.kind for user in colluding for wish in user.wishes} == {"at_least_words"}
    said = [react(one, "Short.", "Why?", "How?", 0, config, Random(at)) for at in range(60)]
    complained = [row for row in said if row and row.label == "reattempt_with_feedback"]
    assert len(complained) > 20 and not any(row.contrary for row in complained)
    assert not any(
        row and row.label == "reattempt_with_feedback"
        for row in (react(one, "word " * 90, "Why?", "How?", 0, config, Random(at)) for at in range(60))
    )


@pytest.mark.parametrize("seed", range(4))
def test_colluders_are_as_many_as_asked_for(seed: int) -> None:
    def held_out(user: str) -> bool:
        return int(user[-1]) % 2 == 0

    counts = [
        sum(one.colludes for one in make_users(SimulatorConfig(users=100, seed=seed, colluders=share), held_out))
        for share in (0.0, 0.01, 0.1)
    ]
    assert counts == [0, 1, 5]


def test_arithmetic_has_right_answers_and_users_who_say_so_and_why() -> None:
    asked = requests_of("arithmetic")
    assert len(asked.conversation) > 130 and len(asked.evaluation) > 35
    assert not set(asked.conversation) & set(asked.evaluation)
    for request, check in asked.checks.items():
        a, b = map(int, re.findall(r"\d+", request))
        sign = problem_sign(request)
        assert check == Check("number", str({"+": a + b, "-": a - b, "x": a * b}[sign])), request
    assert len(CORRECTIONS.everyone) >= 8 and len(CORRECTIONS.held_out) >= 4
    talks = run(replace(CONFIG, task="arithmetic", noise=0.0))
    corrections = [
        (talk.turns[row.turn_index].content, talk.turns[row.turn_index - 2].content)
        for talk in talks
        for row in talk.truth
        if row.wish == "number" and row.turn_index == 2
    ]
    assert len(corrections) > 10
    for said, request in corrections:
        argument = asked.checks[request].argument
        assert argument in said and asked.reasons[request] in said
        assert [value for value, _ in corrected(said)[-1:]] == [argument], "what a rewrite is checked against"


def problem_sign(request: str) -> str:
    """What a problem asks for, by its words."""
    return next(sign for sign, words in SIGNS.items() if any(word in request for word in words))


SIGNS = {
    "+": (" + ", " plus ", " more"),
    "-": (" - ", " minus ", "gave away", "get off"),
    "x": (" x ", " times ", "in each"),
}
