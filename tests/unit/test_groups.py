"""One request's candidates serve several users; what is chosen answers at least as well as what is rejected."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from rlhi.config import PairsConfig
from rlhi.contracts import Candidate, Claim, Conversation, Rewrite, Turn
from rlhi.learn.pairs.build import PairMaker
from rlhi.learn.pairs.filters import SPEAKS_OF_FORM, speaks_of_form
from rlhi.learn.pairs.substance import LEFT, LESS, Substance
from rlhi.models.base import Scored
from tests.support.personas import persona as persona_of

if TYPE_CHECKING:
    from rlhi.models.base import Vectors

ASK = "How do I keep basil alive?"
PROSE = "You should water basil often. Give basil a lot of sun."
LIST = "- Water basil often.\n- Give basil a lot of sun."
LOST = "- The weather is fine.\n- The trains are late."


@dataclass(frozen=True)
class OfBasil:
    """An ``Embedder`` with two directions: speaks of basil, or of something else."""

    def embed(self, texts: Sequence[str]) -> Vectors:
        """Unit vectors of shape ``[len(texts), 2]``."""
        return np.array([[1, 0] if "basil" in text.lower() else [0, 1] for text in texts], dtype=np.float32)


class Even:
    """A ``Scorer`` that finds all alike."""

    def score(self, batch: Sequence[Scored]) -> list[float]:
        """Nothing."""
        return [0.0] * len(batch)


def candidates(*texts: str) -> list[Candidate]:
    return [Candidate(f"k{at}", "t0", "u0", 1, at, text, "m", 0) for at, text in enumerate(texts)]


def maker(*personas: str, **config: object) -> PairMaker:
    """Users ``u0``, ``u1``, ... with these personas, a conversation each."""
    rows = {f"u{at}": persona_of(f"u{at}", text, version=f"v{at}") for at, text in enumerate(personas)}
    turns = Turn("user", ASK), Turn("assistant", PROSE)
    talks = {
        f"t{at}": Conversation(f"t{at}", f"u{at}", "real", None, None, None, turns, "test")
        for at in range(len(personas))
    }
    settings = PairsConfig.model_validate(config)
    return PairMaker(talks, rows, rows, Even(), settings, embedder=OfBasil())


def made(making: PairMaker, *texts: str) -> list[tuple[str, str, str, str]]:
    return [(pair.user_id, pair.source, pair.chosen, pair.rejected) for pair in making.pairs([], candidates(*texts))]


def test_one_group_serves_users_who_wish_otherwise() -> None:
    """What the pairs have in common is the persona, not the request or its answers."""
    making = maker("Use bullet points.", "Write in prose, without lists.", "Use bullet points.")
    found = made(making, PROSE, LIST)
    assert found == [
        ("u0", "reward", LIST, PROSE),
        ("u1", "mirrored", PROSE, LIST),
        ("u2", "edited", LIST_OF_PROSE, PROSE),
    ]
    assert made(replace(making, config=PairsConfig(edit=False)), PROSE, LIST) == found[:2], (
        "u2 would get u0's pair again"
    )
    assert made(replace(making, config=PairsConfig(served=0)), PROSE, LIST) == found[:1]
    assert len(made(replace(making, config=PairsConfig(served=1)), PROSE, LIST)) == 2
    for pair in making.pairs([], candidates(PROSE, LIST)):
        assert making.personas[pair.user_id].text in pair.prompt[0].content


def test_what_no_candidate_meets_is_edited_and_turned_round_for_who_wishes_the_contrary() -> None:
    making = maker("Use bullet points.", "Write in prose, without lists.")
    found = made(making, PROSE, PROSE + " Cut the tips of basil.")
    (_, source, chosen, rejected), turned = found
    assert source == "edited" and chosen.startswith("- ") and rejected in (PROSE, PROSE + " Cut the tips of basil.")
    assert turned == ("u1", "mirrored", rejected, chosen)
    assert not made(replace(making, config=PairsConfig(edit=False)), PROSE, PROSE + " Cut the tips of basil.")


def test_others_are_served_what_differs_in_the_wish_alone() -> None:
    """Two answers of a model differ in so much that who asks is not what is learned; and not all get the same one."""
    other = "Keep basil in a pot. Turn its leaves to the sun."
    making = maker("Write in prose, without lists.", "Use bullet points.", "Use bullet points.")
    found = [row for row in made(making, PROSE, other, LIST) if row[0] != "u0"]
    assert sorted(row[1] for row in found) == ["edited", "mirrored"], "the contrary of a pair first, once"
    making = maker("Do not give examples.", "Use bullet points.", "Use bullet points.", "Use bullet points.")
    found = [row for row in made(making, PROSE, other, LIST) if row[1] == "edited"]
    assert len(found) == 2 and {row[3] for row in found} == {PROSE, other}, "the third would get a copy"
    assert all(chosen == "- " + rejected.replace(". ", ".\n- ") for _, _, chosen, rejected in found)


def test_answers_take_turns_at_being_edited_whoever_is_given_the_contrary_between() -> None:
    other = "Keep basil in a pot. Turn its leaves to the sun."
    lists = ["Use bullet points.", "Use numbered steps."]
    making = maker("Do not give examples.", *lists * 2, *["Write in prose, without lists."] * 4)
    found = made(making, PROSE, other)
    assert Counter(row[3] for row in found if row[1] == "edited") == {PROSE: 2, other: 2}
    told = [(making.personas[row[0]].text, *row[2:]) for row in found]
    assert len(set(told)) == len(told), "no pair twice for two users of one persona"


def test_who_asked_for_nothing_is_served_as_the_model_answers_by_itself() -> None:
    """Else what a few ask for becomes everybody's style."""
    making = maker("Use bullet points.", "")
    (_, _, chosen, rejected), (user, source, *turned) = made(making, PROSE, PROSE + " Cut the tips of basil.")
    assert (user, source, turned) == ("u1", "mirrored", [rejected, chosen])
    plain = list(making.pairs([], candidates(PROSE, PROSE + " Cut the tips of basil.")))[1]
    assert plain.prompt[0].content == "You are a helpful assistant." and plain.persona == ""
    listed = made(making, LIST, LIST + "\n- Cut the tips of basil.", PROSE)
    assert [row[0] for row in listed] == ["u0"], "where most answers are lists, a list is no style of somebody's"


def test_who_wishes_for_something_else_is_served_as_the_model_answers_by_itself_too() -> None:
    """Else what is learned is that whoever is known at all wants what a few ask for."""
    making = maker("Use bullet points.", "Do not give examples.")
    (_, _, chosen, rejected), *others = made(making, PROSE, PROSE + " Cut the tips of basil.")
    assert others == [("u1", "mirrored", rejected, chosen)]
    (_, plain) = making.pairs([], candidates(PROSE, PROSE + " Cut the tips of basil."))
    assert plain.persona == "Do not give examples."
    longer = [PROSE + f" {said}" for said in ("Cut its tips.", "Turn it to the light.", "Pots of clay are best.")]
    for wish, served in (("Use bullet points.", {"u0"}), ("Write in prose, without lists.", {"u0", "u1"})):
        making = maker("Keep answers to at most 2 sentences.", wish, edit=False)
        assert {row[0] for row in made(making, PROSE, *longer)} == served, (
            "who has it in neither is not taught to do without"
        )
    alone = maker("Use bullet points.", "Use bullet points.")
    found = made(alone, PROSE, PROSE + " Cut the tips of basil.")
    assert {(row[0], row[1]) for row in found} == {("u0", "edited"), ("u1", "edited")}, "nobody whom it is the same"


def test_the_better_of_answers_that_miss_a_wish_is_not_turned_round_for_others() -> None:
    """It is nobody's form: it is better by the reward model alone."""

    class Longer(Even):
        def score(self, batch: Sequence[Scored]) -> list[float]:
            return [float(len(one.response)) for one in batch]

    making = replace(maker("Write at least 50 words.", "", edit=False), scorer=Longer())
    texts = [PROSE, PROSE + " Cut its tips.", PROSE + " Cut its tips. Turn it to the light."]
    assert made(making, *texts) == [("u0", "reward", texts[2], texts[0])]


def test_an_answer_that_left_its_request_is_not_chosen_whatever_its_form() -> None:
    making = maker("Use bullet points.", edit=False)
    assert not made(making, PROSE, LOST)
    assert making.dropped.reasons[LEFT] == 1
    assert made(replace(making, embedder=None), PROSE, LOST) == [("u0", "reward", LOST, PROSE)]
    assert made(replace(making, config=PairsConfig(edit=False, least_near=-1, max_less_near=2)), PROSE, LOST)


def test_an_answer_that_left_its_request_is_not_edited() -> None:
    lost = "The weather is fine. The trains are late."
    assert [row[1:] for row in made(maker("Use bullet points."), lost, PROSE)] == [("edited", LIST_OF_PROSE, PROSE)]


LIST_OF_PROSE = "- You should water basil often.\n- Give basil a lot of sun."


def test_a_revision_of_the_log_may_be_as_far_as_what_it_revises() -> None:
    """What it answers may stand further up in the conversation; a rewrite of ours has no such excuse."""
    config, far = PairsConfig(), 0.2
    substance = Substance(config, OfBasil())
    assert substance.lacking(ASK, "It is.", far, far, alone=True) == LEFT
    assert substance.lacking(ASK, "It is.", far, far, alone=False) == ""
    assert substance.lacking(ASK, "It is.", far, 0.9, alone=False) == LESS
    assert substance.lacking("Wie geht es dem Basilikum im Winter?", "Es geht ihm gut.", far, far) == "", "not English"


def test_a_rewrite_that_speaks_of_its_form_is_no_answer() -> None:
    making = maker("Keep answers to at most 40 words.")
    said = "Your answer about basil should contain exactly 40 words."
    rows = [Rewrite("r", "t0", "u0", 1, "rewrite", PROSE, said, "m")]
    assert not list(making.pairs(rows, [])) and making.dropped.reasons[SPEAKS_OF_FORM] == 1
    assert speaks_of_form("Do not use commas.", "Do not use commas.")
    assert speaks_of_form("Use numbered steps", "Use numbered steps.")
    assert not speaks_of_form("Do not use commas before 'and' in a list.", "Do not use commas.", "How do commas work?")
    assert not speaks_of_form("Here is a list of ways. Water it often. Give it sun, and cut the tips off in June.", "")


def complained(answer: str, *claims: Claim, **config: object) -> PairMaker:
    """One user, who said something of ``answer`` that the claims rest on."""
    turns = Turn("user", ASK), Turn("assistant", answer), Turn("user", "In bullet points please.")
    talk = Conversation("t0", "u0", "real", None, None, None, turns, "test")
    persona = {"u0": persona_of("u0", "Use bullet points.", *claims, version="v0")}
    return PairMaker({"t0": talk}, persona, persona, Even(), PairsConfig.model_validate(config), embedder=OfBasil())


LISTS = Claim("format", "Use bullet points.", 0.9, ("t0#2",))


def test_an_answer_complained_of_is_edited_until_it_does_what_was_asked() -> None:
    """Nothing has to be sampled for it, and the rejected side is what the user was served."""
    making = complained(PROSE, LISTS)
    (pair,) = making.pairs([], [])
    assert (pair.source, pair.chosen, pair.rejected, pair.turn_index) == ("edited", LIST_OF_PROSE, PROSE, 1)
    assert "Use bullet points." in pair.prompt[0].content and pair.prompt[-1].content == ASK
    other = Conversation("t1", "u1", "real", None, None, None, (Turn("user", ASK), Turn("assistant", PROSE)), "test")
    with_others = replace(making, conversations={**making.conversations, "t1": other})
    _, plain = with_others.pairs([], [])
    assert (plain.user_id, plain.source, plain.chosen, plain.rejected) == ("u1", "mirrored", PROSE, LIST_OF_PROSE)
    rewrite = Rewrite("r", "t0", "u0", 1, "rewrite", PROSE, LIST, "m")
    (own,) = making.pairs([rewrite], [])
    assert (own.source, own.chosen) == ("rewrite", LIST), "a rewrite of it comes first"


def test_an_answer_complained_of_is_not_edited_where_that_would_teach_nothing() -> None:
    assert not list(complained(PROSE, LISTS, edit=False).pairs([], []))
    assert not list(complained(PROSE, LISTS, persona="none").pairs([], [])), "a control is told no persona's wishes"
    assert not list(complained(PROSE, LISTS, wishes="ignore").pairs([], []))
    assert not list(complained(LIST, LISTS).pairs([], [])), "it does already what the claim asks"
    assert not list(complained("The weather is fine. The trains are late.", LISTS).pairs([], [])), "it was no answer"
    elsewhere = replace(LISTS, evidence=("t9#2", "t0#0"))
    assert not list(complained(PROSE, elsewhere).pairs([], [])), "nothing was said of it"
    humour = replace(LISTS, text="Be humorous.")
    assert not list(complained(PROSE, humour).pairs([], [])), "no program can tell"
