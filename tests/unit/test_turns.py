"""System turns anywhere in a log, as applications with retrieval write them, change nothing but the prompts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from rlhi.collect.feedback.head import Labeller
from rlhi.collect.feedback.label import follow_ups
from rlhi.config import CandidatesConfig, FeedbackConfig, PairsConfig, PromptConfig, RewritesConfig
from rlhi.contracts import Candidate, Conversation, FeedbackTurn, Rewrite, Role, Turn
from rlhi.contracts.turns import NOWHERE, beside, spoken
from rlhi.learn.pairs.build import PairMaker
from rlhi.learn.pairs.candidates import requests
from rlhi.learn.pairs.rewrite import SampleRequest, complaints, observed_revisions, rewrites
from rlhi.learn.reward.comparisons import comparisons
from rlhi.models.base import Scored
from rlhi.models.prompts import DEFAULT, Prompts
from tests.support.personas import persona

SAID = (
    "Tell me of Paris.", "Paris is the capital of France, and it has many museums.", "Too long, please be brief.",
    "Paris is known for its tower.", "thanks!", "You are welcome, any time.", "And of Rome?", "Rome is old.",
)  # fmt: skip
LABELS = {2: "reattempt_with_feedback", 4: "positive_feedback", 6: "new_request"}
CONTEXT = Turn("system", "CONTEXT: the tower was built in 1889.")
NOBODY = persona("u", "Be brief.")
BARE = Prompts(PromptConfig(own="replace", documents="drop"))


class Shorter:
    """A ``Scorer`` that likes few words."""

    def score(self, batch: Sequence[Scored]) -> list[float]:
        """So much less for each word."""
        return [-float(len(one.response.split())) for one in batch]


def logged(before: frozenset[int]) -> tuple[Conversation, list[FeedbackTurn], dict[int, int]]:
    """The conversation with context before some of its turns, its labels, and where its turns came to stand."""
    turns: list[Turn] = []
    places: dict[int, int] = {}
    for at, text in enumerate(SAID):
        turns += [CONTEXT] if at in before else []
        places[at] = len(turns)
        turns.append(Turn("assistant" if at % 2 else "user", text))
    talk = Conversation("t", "u", "real", None, None, None, tuple(turns), "test")
    rows = [FeedbackTurn(f"t{at}", "t", "u", places[at], kind, 1.0) for at, kind in LABELS.items()]  # type: ignore[arg-type]
    return talk, rows, places


def learned(
    talk: Conversation, labels: list[FeedbackTurn], places: dict[int, int], prompts: Prompts = BARE
) -> dict[str, object]:
    """All that the learn wing takes from a conversation, with places as they were without context."""
    back = {place: at for at, place in places.items()}
    personas = {"u": NOBODY}
    asked = list(complaints([talk], labels, personas, RewritesConfig(tries=1), prompts))
    revisions = list(observed_revisions([talk], labels))
    rows = [
        Rewrite("r", one.conversation_id, "u", one.turn_index, "rewrite", talk.turns[one.turn_index].content,
                "Paris is a capital.", "m") for one in asked
    ]  # fmt: skip
    requested = list(requests([talk], labels, personas, CandidatesConfig(), prompts))
    texts = "Rome is a city of old stones.", "Rome is old and large, and it has been so for long."
    candidates = [
        Candidate(f"c{at}", "t", "u", one.turn_index, at, text, "m", 0)
        for one in requested
        for at, text in enumerate(texts)
    ]
    maker = PairMaker({"t": talk}, personas, personas, Shorter(), PairsConfig(), prompts=prompts)
    pairs = list(maker.pairs([*rows, *revisions], candidates))

    def told(one: SampleRequest) -> tuple[int, object]:
        return back[one.turn_index], one.messages

    return {
        "complaints": [told(one) for one in asked],
        "requests": [told(one) for one in requested],
        "revisions": [(back[one.turn_index], one.original, one.text) for one in revisions],
        "pairs": sorted((back[one.turn_index], one.source, one.prompt, one.chosen, one.rejected) for one in pairs),
        "comparisons": sorted(
            str((one.source, spoken_in(one.better), spoken_in(one.worse), one.weight))
            for one in comparisons([talk], labels, revisions, lambda *_: NOBODY.profile)
        ),
    }


def spoken_in(one: Scored) -> Scored:
    return replace(one, prompt=tuple(message for message in one.prompt if message.speaks))


@given(st.frozensets(st.integers(1, len(SAID) - 1)), st.sampled_from(["system", "tool"]))
def test_context_stands_in_prompts_where_it_stood(before: frozenset[int], role: Role) -> None:
    talk, labels, places = logged(before)
    turns = tuple(replace(turn, role=role) if turn == CONTEXT else turn for turn in talk.turns)
    found = learned(replace(talk, turns=turns), labels, places, DEFAULT)["pairs"]
    assert isinstance(found, list) and found
    for at, _, prompt, *_ in found:
        said = [text for place, text in enumerate(SAID[:at]) for text in [*[CONTEXT.content] * (place in before), text]]
        said += [CONTEXT.content] * (at in before)
        assert [message.content for message in prompt[1:]] == said
        assert all(message.role == role for message in prompt[1:] if message.content == CONTEXT.content)


@given(st.frozensets(st.integers(0, len(SAID) - 1)))
def test_context_anywhere_changes_nothing_else_that_is_learned(before: frozenset[int]) -> None:
    plain, found = learned(*logged(frozenset())), learned(*logged(before))
    assert plain["pairs"] and plain["revisions"] and plain["comparisons"]
    for name, rows in plain.items():
        assert found[name] == rows, name
    assert CONTEXT.content not in str(found)


@given(st.lists(st.sampled_from(["system", "user", "assistant", "tool"])), st.integers(0, 9), st.integers(-4, 4))
def test_beside_counts_what_was_said(roles: list[str], at: int, by: int) -> None:
    turns = [Turn(role, "x") for role in roles]  # type: ignore[arg-type]
    places = spoken(turns)
    if at not in places or by == 0:
        return
    there = places.index(at) + by
    assert beside(turns, at, by) == (places[there] if 0 <= there < len(places) else NOWHERE)


def test_a_complaint_is_read_over_context_as_without() -> None:
    talk, _, places = logged(frozenset({2, 4}))
    found = follow_ups(talk, Labeller.load(), FeedbackConfig())
    assert [one.turn_index for one in found] == [places[2], places[4], places[6]]
    assert found[0].context == SAID[:3]


def test_an_empty_answer_that_was_complained_of_is_no_pair() -> None:
    talk, labels, _ = logged(frozenset())
    empty = replace(talk, turns=(talk.turns[0], Turn("assistant", " "), *talk.turns[2:]))
    made = learned(empty, labels, {at: at for at in range(len(SAID))})["pairs"]
    assert isinstance(made, list) and made and all(rejected.strip() for *_, rejected in made)
    assert list(rewrites([], {}, {"t": empty})) == []
