"""The learn wing over rows: rewards follow the persona, and only what is worth learning becomes a pair."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from rlhi.config import CandidatesConfig, PairsConfig, RewardConfig, RewritesConfig
from rlhi.contracts import Candidate, Conversation, FeedbackTurn, Persona, Rewrite, Turn, content_key
from rlhi.learn.candidates import requests
from rlhi.learn.features import NAMES, answer_features, claims_of
from rlhi.learn.pairs import ALIKE, Dropped, lesson, pairs, training_set
from rlhi.learn.reward import Comparison, RewardError, RewardHead, accuracy, comparisons, train
from rlhi.learn.rewrite import complaints, observed_revisions
from rlhi.models.base import Scored

LIST, PROSE = "- Water it\n- Give it sun\n- Cut the tips", "You should water it and give it sun and cut the tips."
BULLETS, NO_LISTS = "Use bullet points.", "Write in prose, without lists."


class WordEmbedder:
    """An ``Embedder`` that hashes a text's words into 32 directions."""

    def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Unit vectors of shape ``[len(texts), 32]``."""
        rows = np.zeros((len(texts), 32), dtype=np.float32)
        for at, text in enumerate(texts):
            for word in text.lower().split():
                rows[at, int(content_key(word), 16) % 32] += 1
        return rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-6)


def compared(user: str, persona: str, better: str, worse: str) -> Comparison:
    """A comparison of two answers to one request."""
    return Comparison(user, persona, Scored(persona, (), better), Scored(persona, (), worse))


def opposed(users: int) -> list[Comparison]:
    """Half of the users want lists, the others none."""
    return [
        compared(f"u{at}", BULLETS, LIST, PROSE) if at % 2 else compared(f"u{at}", NO_LISTS, PROSE, LIST)
        for at in range(users)
    ]


def talk(*texts: str, user: str = "u", name: str = "t") -> Conversation:
    """A conversation of alternating turns, the user's first."""
    turns = tuple(Turn("assistant" if at % 2 else "user", text) for at, text in enumerate(texts))
    return Conversation(name, user, "real", None, None, None, turns, "test")


def label(at: int, kind: str, name: str = "t") -> FeedbackTurn:
    """A label of the follow-up at ``at``."""
    return FeedbackTurn(f"{name}{at}", name, "u", at, kind, 1.0)  # type: ignore[arg-type]


def test_the_same_answer_is_worth_more_to_whom_it_suits() -> None:
    head = train(opposed(20), WordEmbedder(), RewardConfig(l2=1.0))
    for persona, suits, other in ((BULLETS, LIST, PROSE), (NO_LISTS, PROSE, LIST)):
        high, low = head.score([Scored(persona, (), suits), Scored(persona, (), other)])
        assert high > low
    told = accuracy(head, opposed(6))
    assert (told.accuracy, told.users, told.comparisons) == (1.0, 6, 6)
    assert told.longer_wins == 0.5


def test_a_head_survives_its_file_and_refuses_too_little() -> None:
    head = train(opposed(8), WordEmbedder(), RewardConfig())
    again = RewardHead.from_bytes(head.to_bytes()).attach(WordEmbedder())
    asked = [Scored(BULLETS, (), LIST), Scored("", (), PROSE)]
    assert again.score(asked) == head.score(asked)
    with pytest.raises(RewardError, match="3 comparisons, reward.min_pairs wants 8"):
        train(opposed(3), WordEmbedder(), RewardConfig())
    assert RewardHead.neutral().attach(WordEmbedder()).score(asked) == [0.0, 0.0]


def test_a_revision_counts_when_its_user_goes_on() -> None:
    row = talk("How?", PROSE, "as a list", LIST, "thanks", "ok")
    labels = [label(2, "reattempt_with_feedback"), label(4, "positive_feedback")]
    (revision,) = observed_revisions([row], labels)
    assert (revision.turn_index, revision.original, revision.text) == (1, PROSE, LIST)
    assert not list(observed_revisions([row], [labels[0], label(4, "reattempt_without_feedback")]))
    (first, *_) = comparisons([row], labels, [revision], {})
    assert (first.better.response, first.worse.response) == (LIST, PROSE)


def test_only_turns_that_ask_are_sampled_for() -> None:
    row = talk("How?", PROSE, "as a list", LIST, "thanks", "ok", "And why?", PROSE)
    labels = [label(2, "reattempt_with_feedback"), label(4, "positive_feedback"), label(6, "new_request")]
    asked = list(requests([row], labels, {}, CandidatesConfig()))
    assert [one.turn_index for one in asked] == [1, 7]
    assert not list(requests([row], labels, {}, CandidatesConfig(persona_only=True)))


class Longer:
    """A ``Scorer`` that likes words."""

    def score(self, batch: Sequence[Scored]) -> list[float]:
        """A tenth a word."""
        return [len(one.response.split()) / 10 for one in batch]


def sampled(*texts: str) -> list[Candidate]:
    """Candidates for the first request of the conversation ``t``."""
    return [Candidate(f"k{at}", "t", "u", 1, at, text, "m", 0) for at, text in enumerate(texts)]


def test_pairs_are_best_against_worst_and_drops_have_reasons() -> None:
    row, dropped = talk("How?", PROSE), Dropped()
    persona = {"u": Persona("k", "u", "v1", BULLETS, (), 1)}
    config = PairsConfig(min_margin=0.5)
    (made,) = pairs(
        [], sampled("Just water it now.", PROSE, "ha " * 60), {"t": row}, persona, Longer(), config, dropped
    )
    assert (made.chosen, made.rejected) == (PROSE, "Just water it now."), "a loop is never chosen"
    assert made.prompt[0].content.endswith(BULLETS) and made.persona_version == "v1"
    assert made.margin == pytest.approx(0.8)
    copy = Rewrite("r", "t", "u", 1, "rewrite", PROSE, PROSE, "m")
    assert not list(pairs([copy], [], {"t": row}, persona, Longer(), config, dropped))
    assert not list(pairs([], sampled("One two three.", "Two three four."), {"t": row}, {}, Longer(), config, dropped))
    close = sampled("One two three.", "Two three four five.")
    assert not list(pairs([], close, {"t": row}, {}, Longer(), config, dropped))
    assert dropped.reasons["copy or empty"] == 1 and dropped.reasons["margin too small"] == 1
    assert (dropped.reasons[ALIKE], dropped.groups) == (1, 3)


def test_rewards_without_variance_in_every_group_are_an_error_and_in_some_a_count() -> None:
    talks = {name: talk("How?", PROSE, name=name) for name in ("s", "t", "u")}
    flat = [replace(row, conversation_id=name) for name in "st" for row in sampled("One two three.", "Two three four.")]
    dropped = Dropped()
    assert not list(pairs([], flat, talks, {}, Longer(), PairsConfig(min_margin=0.0), dropped))
    with pytest.raises(RewardError, match="no variance in any of 2 groups"):
        dropped.check_variance()
    some = [*flat, *(replace(row, conversation_id="u") for row in sampled("One two three.", PROSE))]
    dropped = Dropped()
    assert len(list(pairs([], some, talks, {}, Longer(), PairsConfig(min_margin=0.0), dropped))) == 1
    dropped.check_variance()
    assert (dropped.reasons[ALIKE], dropped.groups) == (2, 3)


def test_no_pair_without_a_difference_whatever_the_margin() -> None:
    head = RewardHead.neutral().attach(WordEmbedder())
    made = pairs([], sampled(PROSE, LIST), {"t": talk("How?", PROSE)}, {}, head, PairsConfig(min_margin=0.0), Dropped())
    assert not list(made)


@given(st.integers(0, 30), st.integers(0, 30), st.floats(0, 1), st.integers(1, 40))
def test_training_takes_the_new_first_and_replays_a_share(new: int, old: int, share: float, most: int) -> None:
    (one,) = pairs(
        [], sampled("One two three.", PROSE), {"t": talk("How?", PROSE)}, {}, Longer(), PairsConfig(), Dropped()
    )
    made = [replace(one, conversation_id=f"t{at}") for at in range(new + old)]
    learned = frozenset(lesson(pair) for pair in made[new:])
    fresh, replayed = training_set(made, learned, share, most, 0)
    assert len(fresh) == min(new, most) and not {lesson(pair) for pair in fresh} & learned
    assert {lesson(pair) for pair in replayed} <= learned
    assert len(replayed) <= share * len(fresh) and len(fresh) + len(replayed) <= most


@given(st.text(), st.text())
def test_features_are_finite_for_any_text(prompt: str, answer: str) -> None:
    found = answer_features(prompt, answer)
    assert len(found) == len(NAMES) and np.isfinite(found).all()
    assert all(claims_of(answer))


def test_abuse_is_not_rewritten_for_and_a_complaint_of_a_refusal_needs_one() -> None:
    said = label(2, "reattempt_with_feedback")
    answers = {
        "plain": talk("Why?", "Because it rains.", "Do it."),
        "refusal": talk("Why?", "I cannot help.", "Do it."),
    }

    def asked(row: FeedbackTurn, answer: str) -> int:
        return len(list(complaints([answers[answer]], [row], {}, RewritesConfig())))

    assert asked(said, "plain") == asked(said, "refusal") == 1
    assert asked(replace(said, unsafe="abuse"), "plain") == 0
    assert asked(replace(said, about_refusal=True), "plain") == 0
    assert asked(replace(said, about_refusal=True), "refusal") == 1
