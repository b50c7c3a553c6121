"""Rows that say which answer was preferred: a choice on the answer, with its user where one is named."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from rlhi.collect.formats import read_log
from rlhi.contracts import Conversation, Quarantined, Signal
from rlhi.learn.reward.comparisons import choices

LOGS = Path(__file__).parents[1] / "fixtures" / "logs"
Row = dict[str, object]
HUMAN = "\n\nHuman: Name a tree.\n\nAssistant:"
ASKED = [{"role": "user", "content": "Name a tree."}]
OAK, ROSE = {"role": "assistant", "content": "Oak."}, {"role": "assistant", "content": "Rose."}


def read(folder: Path, *rows: Row) -> list[Conversation | Quarantined]:
    path = folder / "log.jsonl"
    fine: Row = {"messages": ASKED}
    path.write_text("".join(json.dumps(row) + "\n" for row in (fine, *rows)))
    return list(read_log(path))[1:]


def chosen(folder: Path, row: Row) -> tuple[list[str], tuple[Signal, ...]]:
    """What is said, and what is marked on the last answer."""
    [found] = read(folder, row)
    assert isinstance(found, Conversation), found
    return [turn.content for turn in found.turns], found.turns[-1].signals


OVER_ROSE = (["Name a tree.", "Oak."], (Signal("choice", 1.0, "Rose."),))


@pytest.mark.parametrize(
    "row",
    [
        {"prompt": ASKED, "chosen": [OAK], "rejected": [ROSE]},  # TRL
        {"chosen": [*ASKED, OAK], "rejected": [*ASKED, ROSE]},  # TRL, the prompt in both
        {"prompt": "Name a tree.", "chosen": "Oak.", "rejected": "Rose."},
        {"prompt": "Name a tree.", "chosen": [*ASKED, OAK], "rejected": [*ASKED, ROSE], "messages": [*ASKED, OAK],
         "score_chosen": 9.0, "score_rejected": 2.0},  # UltraFeedback, binarized
        {"input": {"messages": ASKED}, "preferred_output": [OAK], "non_preferred_output": [ROSE]},  # OpenAI
        {"conversations": [{"from": "human", "value": "Name a tree."}], "chosen": {"from": "gpt", "value": "Oak."},
         "rejected": {"from": "gpt", "value": "Rose."}},  # LLaMA-Factory
        {"conversations": ASKED, "chosen": OAK, "rejected": ROSE},
        {"instruction": "Name a tree.", "input": "", "chosen": "Oak.", "rejected": "Rose."},  # LLaMA-Factory, Alpaca
        {"question": "Name a tree.", "chosen": "Oak.", "rejected": ["Rose.", "Oak."]},
        {"chosen": f"{HUMAN} Oak.", "rejected": f"{HUMAN} Rose."},  # HH-RLHF
        {"prompt": HUMAN, "chosen": " Oak.", "rejected": " Rose."},
        {"chosen": "Name a tree. Oak.", "rejected": "Name a tree. Rose."},  # TRL, plain, the prompt in both
        {"prompt": "Name a tree.", "response_0": "Oak.", "response_1": "Rose.", "better_response_id": 0},  # SafeRLHF
        {"context": ASKED, "response1": "Rose.", "response2": "Oak.", "overall_preference": 2},  # HelpSteer3
        {"history": "Name a tree.", "human_ref_A": "Rose.", "human_ref_B": "Oak.", "labels": 0},  # SHP
        {"prompt": '["Name a tree."]', "response_a": '["Oak."]', "response_b": '["Rose."]', "winner_model_a": 1,
         "winner_model_b": 0, "winner_tie": 0},  # Kaggle's arena
        {"prompt": "Name a tree.", "response_a": "Oak.", "response_b": "Rose.", "preference": "A"},
        {"prompt": "Name a tree.", "answers": [{"answer": "Rose.", "rank": 2}, {"answer": "Oak.", "rank": 1}]},
        {"prompt": "Name a tree.", "responses": [{"text": "Rose.", "chosen": False}, {"text": "Oak.", "chosen": True}]},
        {"instruction": "Name a tree.", "completions": {"response": ["Rose.", "Oak."], "overall_score": [1.0, 5.0]}},
    ],
)  # fmt: skip
def test_a_choice_in_every_shape(row: Row, tmp_path: Path) -> None:
    assert chosen(tmp_path, row) == OVER_ROSE


def battle(winner: str, **more: object) -> Row:
    return {"model_a": "red", "model_b": "blue", "winner": winner, "conversation_a": [*ASKED, OAK],
            "conversation_b": [*ASKED, ROSE], "question_id": "q", **more}  # fmt: skip


def test_a_battle_is_its_judges() -> None:
    arena, openai, plain, sharegpt, scored, wanted = read_log(LOGS / "preferences.jsonl")
    assert isinstance(arena, Conversation) and isinstance(plain, Conversation) and isinstance(openai, Conversation)
    assert (arena.user_id, arena.user_id_kind, arena.model, arena.language) == ("arena_user_12", "real", "blue", "en")
    assert arena.turns[-1].content == "Broom." and arena.turns[-1].signals == (Signal("choice", 1.0, "Pine."),)
    assert arena.created_at == "2026-05-01T01:46:40.500000Z"
    assert [one[1:] for one in choices(arena)] == [("explicit_choice", "Broom.", "Pine.")]
    assert (plain.user_id, openai.user_id_kind) == ("ines", "conversation_only")
    assert isinstance(sharegpt, Conversation) and sharegpt.turns[-1].signals == (Signal("choice", 1.0, "Oak."),)
    assert isinstance(scored, Conversation) and (scored.turns[-1].content, scored.model) == ("Hop.", "blue")
    assert scored.turns[-1].signals == (Signal("choice", 1.0, "Elm."), Signal("choice", 1.0, "Ivy, perhaps."))
    assert isinstance(wanted, Conversation) and wanted.turns[-1].signals == (Signal("thumbs", 1.0),)


@pytest.mark.parametrize(
    ("winner", "signals"),
    [
        ("model_b", (Signal("choice", 1.0, "Oak."),)),
        ("tie", (Signal("choice", 0.0, "Rose."),)),
        ("tie (bothbad)", (Signal("choice", 0.0, "Rose."), Signal("thumbs", -1.0))),
        ("both_bad", (Signal("choice", 0.0, "Rose."), Signal("thumbs", -1.0))),
    ],
)
def test_who_won_a_battle(winner: str, signals: tuple[Signal, ...], tmp_path: Path) -> None:
    assert chosen(tmp_path, battle(winner))[1] == signals


def test_parts_of_messages_and_judges_that_are_models(tmp_path: Path) -> None:
    parts = [{"role": one["role"], "content": [{"type": "text", "text": one["content"]}]} for one in [*ASKED, OAK]]
    [new] = read(tmp_path, battle("model_a", conversation_a=parts, judge=["gpt-4", "pair-v2"]))
    [old] = read(tmp_path, battle("model_a", judge="gpt-4"))
    assert isinstance(new, Conversation) and isinstance(old, Conversation)
    assert new.turns == old.turns and {new.user_id_kind, old.user_id_kind} == {"conversation_only"}
    [person] = read(tmp_path, battle("model_a", judge="expert_3"))
    assert isinstance(person, Conversation) and person.user_id == "expert_3"


def test_the_turn_that_was_judged(tmp_path: Path) -> None:
    more = [{"role": "user", "content": "Another?"}, {"role": "assistant", "content": "Ash."}]
    [row] = read(
        tmp_path, battle("model_b", turn=1, conversation_a=[*ASKED, OAK, *more], conversation_b=[*ASKED, ROSE, *more])
    )
    assert isinstance(row, Conversation)
    assert [turn.signals for turn in row.turns] == [(), (Signal("choice", 1.0, "Oak."),), (), ()]


def test_rows_of_one_prompt_stay_rows(tmp_path: Path) -> None:
    pairs: list[Row] = [{"prompt": "Name a tree.", "chosen": "Oak.", "rejected": other} for other in ("Rose.", "Fern.")]
    battles = [
        battle("model_a", conversation_b=[*ASKED, {"role": "assistant", "content": one}]) for one in ("Hop.", "Ivy.")
    ]
    rows = read(tmp_path, *pairs, *battles)
    assert len({row.conversation_id for row in rows if isinstance(row, Conversation)}) == 4


@pytest.mark.parametrize(
    ("row", "values"),
    [
        ({"prompt": "Name a tree.", "completion": "Oak.", "label": False}, [-1.0]),
        ({"messages": [*ASKED, OAK], "kto_tag": True}, [1.0]),
        ({"instruction": "Name a tree.", "output": "Oak.", "kto_tag": 0}, [-1.0]),
        ({"prompt": "Name a tree.", "answers": [{"answer": "Oak.", "rank": 1}, {"answer": "Rose.", "rank": 1}]}, []),
    ],
)
def test_single_answers_and_answers_that_are_as_good(row: Row, values: list[float], tmp_path: Path) -> None:
    said, signals = chosen(tmp_path, row)
    assert said == ["Name a tree.", "Oak."] and [one.value for one in signals] == values


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        (battle("who knows"), "winner does not say which answer was preferred: 'who knows'"),
        ({"prompt": "Name.", "response_a": "Oak.", "response_b": "Rose.", "preference": 1}, "does not say which"),
        ({"prompt": "Name.", "response_a": "Oak.", "response_b": "Rose."}, "nothing says which answer was preferred"),
        ({"chosen": "Oak.", "rejected": "Rose."}, "no request in it"),
        ({"prompt": ASKED, "chosen": [], "rejected": [ROSE]}, "no answer in it"),
        ({"if_chosen": True, "model_response": "Oak.", "user_prompt": "Name a tree."}, "conversations.jsonl holds"),
    ],
)  # fmt: skip
def test_what_says_nothing_is_refused(row: Row, reason: str, tmp_path: Path) -> None:
    [found] = read(tmp_path, row)
    assert isinstance(found, Quarantined) and reason in found.reason


def test_history_and_system_of_alpaca(tmp_path: Path) -> None:
    row: Row = {"instruction": "And a shrub?", "input": "A low one.", "chosen": "Broom.", "rejected": "Oak.",
                "system": "Be brief.", "history": [["Name a tree.", "Oak."]]}  # fmt: skip
    said, _ = chosen(tmp_path, row)
    assert said == ["Be brief.", "Name a tree.", "Oak.", "And a shrub?\n\nA low one.", "Broom."]


def test_prism() -> None:
    [row] = read_log(LOGS / "prism.jsonl")
    assert isinstance(row, Conversation)
    assert (row.user_id, row.user_id_kind, row.model, row.created_at) == ("u-7", "real", "blue", "2026-02-03T10:11:12Z")
    assert [turn.content for turn in row.turns] == [
        "Is tea better than coffee?",
        "It depends.",
        "On what?",
        "On taste.",
    ]
    assert row.turns[1].signals == (Signal("choice", 1.0, "Yes."), Signal("stars", 1.0))
    assert row.turns[3].signals == (Signal("choice", 1.0, "Who knows."), Signal("stars", 0.0))
