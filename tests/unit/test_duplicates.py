"""Near duplicates: what is found, what is not, and that order does not matter."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from rlhi.collect.clean.duplicates import BANDS, MIN_WORDS, Signatures, bands, first_of_cluster, hash64
from rlhi.contracts import Conversation, Turn

WORDS = [
    "basil", "window", "water", "light", "soil", "leaf", "pot", "summer", "winter",
    "cut", "grow", "kitchen", "morning", "slow", "fresh", "green", "salt", "oil",
]  # fmt: skip


def talk(text: str, name: str = "c") -> Conversation:
    return Conversation(
        name, "ann", "real", None, None, None, (Turn("user", "How do I do it?"), Turn("assistant", text)), "test"
    )


def long_text(seed: int, words: int = 300) -> str:
    draw = np.random.default_rng(seed)
    return " ".join(draw.choice(WORDS, words))


def signatures(talks: list[Conversation], moments: list[int] | None = None) -> Signatures:
    return Signatures(
        np.array([hash64(one.conversation_id) for one in talks], dtype=np.uint64),
        np.array(moments or [0] * len(talks), dtype=np.int64),
        bands(talks),
    )


def test_a_copy_with_a_few_words_changed_is_found_and_the_earliest_stays() -> None:
    text = long_text(1)
    near = text.replace("basil", "mint", 1)
    talks = [talk(near, "late"), talk(long_text(2), "other"), talk(text, "early")]
    assert first_of_cluster(signatures(talks, [20, 5, 10])).tolist() == [2, 1, 2]


def test_short_conversations_repeat_nobody() -> None:
    talks = [talk("Hello!", "one"), talk("Hello!", "two")]
    assert bands(talks).tolist() == [[0] * BANDS] * 2
    assert first_of_cluster(signatures(talks)).tolist() == [0, 1]
    assert bands([talk(" ".join(WORDS * 3)[: 6 * MIN_WORDS])]).all()


def test_case_and_spacing_are_no_difference_and_roles_are_left_aside() -> None:
    text = long_text(3)
    one = talk(text)
    other = replace(one, turns=tuple(replace(turn, content=f"  {turn.content.upper()} \n") for turn in one.turns))
    first, second = bands([one, other]).tolist()
    assert first == second


@given(st.permutations(range(9)), st.integers(0, 5))
def test_what_is_set_aside_depends_on_the_set_alone(order: list[int], seed: int) -> None:
    texts = [long_text(seed * 10 + at // 3, 80) for at in range(9)]
    talks = [talk(f"{text} {'x' * (at % 2)}", str(at)) for at, text in enumerate(texts)]
    expected = {talks[at].conversation_id: talks[int(first)].conversation_id
                for at, first in enumerate(first_of_cluster(signatures(talks)))}  # fmt: skip
    shuffled = [talks[at] for at in order]
    found = {shuffled[at].conversation_id: shuffled[int(first)].conversation_id
             for at, first in enumerate(first_of_cluster(signatures(shuffled)))}  # fmt: skip
    assert found == expected
    assert len(set(expected.values())) == 3


def test_nothing_gives_nothing() -> None:
    assert first_of_cluster(signatures([])).tolist() == []
