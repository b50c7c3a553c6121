"""What users said of single answers goes through the loop: made by the stage, learned by KTO, remembered, exported."""

from __future__ import annotations

import json
import math
import shutil
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import pytest

from rlhi import stages
from rlhi.config import DpoConfig
from rlhi.contracts import FeedbackTurn, JudgedAnswer, Message, PreferencePair, to_record
from rlhi.learn.pairs.lessons import Row, lesson
from rlhi.learn.training.run import TrainingError
from rlhi.stages import StageError
from rlhi.stages.learn.dpo import TRAINING, exported
from rlhi.stages.trace import trace
from rlhi.workspace import ledger
from rlhi.workspace.store import Workspace, read_json, read_table, write_table
from tests.support.cycles import digest, run_cycle
from tests.support.spaces import configure, land_talk, make_space
from tests.support.training import made_judged, made_pairs, run_here

FAST = {"method": "kto", "min_new_pairs": 4, "batch": 2, "accumulation": 1, "lora_rank": 4, "learning_rate": 5e-3}


def likelihood(model: Path, rows: list[JudgedAnswer]) -> dict[bool, float]:
    """The mean log-probability of an answer's token, of the wanted and of the unwanted answers."""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    tokenizer, policy = AutoTokenizer.from_pretrained(model), AutoModelForCausalLM.from_pretrained(model)
    found: dict[bool, list[float]] = {True: [], False: []}
    for row in rows:
        prompt = [to_record(message) for message in row.prompt]
        before = tokenizer.apply_chat_template(prompt, add_generation_prompt=True, return_tensors="pt")["input_ids"]
        answer = to_record(Message("assistant", row.response))
        whole = tokenizer.apply_chat_template([*prompt, answer], return_tensors="pt")["input_ids"]
        with torch.no_grad():
            scores = policy(whole).logits.float().log_softmax(-1)[0, :-1].gather(1, whole[0, 1:, None])
        found[row.wanted].append(float(scores[before.shape[1] - 1 :].mean()))
    return {side: sum(values) / len(values) for side, values in found.items()}


def test_thumbs_alone_teach_which_answers_are_wanted(tmp_path: Path, tiny_policy: Path) -> None:
    learned, others = made_judged(24), made_judged(8, first=24)
    config = DpoConfig.model_validate(FAST | {"epochs": 3, "max_length": 256, "save_steps": 0})
    done = run_here(tiny_policy, tmp_path, config, learned)
    assert (done.pairs, done.judged, done.wanted, done.unwanted) == (0, 24, 12, 12)
    for rows in (learned, others):
        before, after = likelihood(tiny_policy, rows), likelihood(done.model, rows)
        assert after[True] - after[False] > before[True] - before[False] + 0.5, (before, after)
    assert likelihood(done.model, learned)[True] > likelihood(tiny_policy, learned)[True]


def test_a_kind_that_is_rare_weighs_more(tmp_path: Path, tiny_policy: Path) -> None:
    rows = [row for row in made_judged(24) if row.wanted or row.key in ("judged1", "judged3")]
    config = DpoConfig.model_validate(FAST | {"max_length": 256, "save_steps": 0})
    done = run_here(tiny_policy, tmp_path, config, rows)
    assert (done.wanted, done.unwanted) == (12, 2) and done.class_weights == pytest.approx((1.0, 4.5))


def training(space: Workspace) -> dict[str, Any]:
    """training.json of the challenger."""
    return read_json(space.path("models/challenger") / TRAINING)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory, tiny_policy: Path) -> Path:
    """A workspace in a cycle, with four pairs and 17 judged answers, an odd number; copied by every test."""
    root = tmp_path_factory.mktemp("spaces") / "made"
    space = make_space(root, tiny_policy)
    ledger.begin(root)
    write_table(space.path("data/pairs"), PreferencePair, made_pairs(4), user=lambda row: row.user_id)
    write_table(space.path("data/judged"), JudgedAnswer, made_judged(17), user=lambda row: row.user_id)
    for name in ("data/conversations", "data/feedback", "data/personas", "models/reward"):
        space.path(name).mkdir(parents=True, exist_ok=True)
    return root


@pytest.fixture
def space(made: Path, tmp_path: Path) -> Workspace:
    """A copy of it that trains with KTO."""
    root = tmp_path / "space"
    shutil.copytree(made, root, symlinks=True)
    configure(Workspace(root), "dpo", FAST)
    return Workspace(root)


def test_the_stage_learns_both_kinds_and_a_champion_that_has_learned_them_learns_nothing(space: Workspace) -> None:
    configure(space, "dpo", FAST, max_pairs=20)
    report = stages.run("dpo", space.root)
    counts, record = dict(report.counts), training(space)
    assert [counts[name] for name in ("new pairs", "new judged", "wanted answers", "unwanted answers")] == [
        "4", "17", "13", "12",
    ]  # fmt: skip
    assert "4 pairs and 17 judged answers (13 wanted, 12 unwanted in all)" in report.note
    rows: list[Row] = [*made_pairs(4), *made_judged(17)]
    every = sorted(lesson(row) for row in rows)
    assert record["lessons"] == every and (record["new_judged"], record["replayed_judged"]) == (17, 0)
    assert record["class_weights"] == [1.0, 1.0]
    card = space.path("models/challenger/README.md").read_text(encoding="utf-8")
    assert "| judged answers | 17 new, 0 replayed |" in card and "`data/judged`" in card
    learned = ledger.policy_path(space.root, "v0.1.0") / TRAINING
    learned.write_text(json.dumps({"lessons": every}), encoding="utf-8")
    space.path(".rlhi/stages/dpo.json").unlink()
    again = stages.run("dpo", space.root)
    assert again.note == "no challenger: 0 new pairs, dpo.min_new_pairs is 4"
    assert "skipped" in training(space)
    # Six thumbs are turned round: new lessons, worth three pairs, and too few.
    turned = [replace(row, wanted=not row.wanted) for row in made_judged(17)[:6]]
    write_table(space.path("data/judged"), JudgedAnswer, turned, user=lambda row: row.user_id)
    told = "no challenger: 0 new pairs and 6 new judged answers, worth 3 pairs together, dpo.min_new_pairs is 4"
    assert stages.run("dpo", space.root).note == told


def test_they_are_for_kto_and_can_be_left_out(space: Workspace) -> None:
    configure(space, "dpo", FAST, unpaired=False)
    stages.run("dpo", space.root)
    record = training(space)
    assert len(record["lessons"]) == 4 and "new_judged" not in record
    assert (record["wanted"], record["unwanted"]) == (4, 4)
    assert len(list(exported(space, "kto"))) == 8
    configure(space, "dpo", FAST, unpaired=True, method="dpo")
    stages.run("dpo", space.root)
    assert len(training(space)["lessons"]) == 4
    assert len(list(exported(space, "dpo"))) == 4 and len(list(exported(space, "kto"))) == 25


def test_answers_of_one_kind_stop_the_stage_with_a_named_reason(space: Workspace) -> None:
    liked = [row for row in made_judged(24) if row.wanted]
    write_table(space.path("data/judged"), JudgedAnswer, liked, user=lambda row: row.user_id)
    write_table(space.path("data/pairs"), PreferencePair, [], user=lambda row: row.user_id)
    with pytest.raises(TrainingError, match="all 12 judged answers are wanted: KTO compares wanted answers"):
        stages.run("dpo", space.root)
    assert not space.path("models/challenger").exists()


def test_trl_reads_both_kinds_in_one_file(space: Workspace, tmp_path: Path, tiny_policy: Path) -> None:
    from datasets import load_dataset
    from trl import KTOConfig, KTOTrainer

    out = tmp_path / "kto.jsonl"
    out.write_text("".join(f"{line}\n" for line in exported(space, "kto")), encoding="utf-8")
    data = load_dataset("json", data_files=str(out), split="train", cache_dir=str(tmp_path / "cache"))
    assert len(data) == 2 * 4 + 17 and sum(data["label"]) == 4 + 9
    thumbs = [row for row in data if row["source"] == "thumbs"]
    assert len(thumbs) == 17 and all(row["weight"] == 1 and row["reward_chosen"] is None for row in thumbs)
    arguments = KTOConfig(
        output_dir=str(tmp_path / "trl"), per_device_train_batch_size=4, max_steps=1, use_cpu=True, bf16=False,
        logging_steps=1, save_strategy="no", report_to="none", disable_tqdm=True,
    )  # fmt: skip
    trainer = KTOTrainer(str(tiny_policy), args=arguments, train_dataset=data)
    trainer.train()
    losses = [row["loss"] for row in trainer.state.log_history if "loss" in row]
    assert losses[0] == pytest.approx(0.5, abs=0.01) and math.isfinite(losses[0])


@pytest.fixture(scope="module")
def cycled(tmp_path_factory: pytest.TempPathFactory, tiny_policy: Path) -> Path:
    """A workspace after a whole cycle with KTO on a simulated log."""
    root = tmp_path_factory.mktemp("spaces") / "cycled"
    land_talk(make_space(root, tiny_policy, dpo={**FAST, "max_pairs": 16, "max_length": 256}))
    assert run_cycle(root) is not None
    return root


def test_a_cycle_learns_from_them_and_one_with_nothing_new_trains_nothing(cycled: Path) -> None:
    space = Workspace(cycled)
    record = read_json(space.path("models/challenger") / TRAINING)
    assert record["method"] == "kto" and int(str(record["new_judged"])) > 0
    assert int(str(record["wanted"])) > 0 < int(str(record["unwanted"]))
    shown = read_json(space.path("reports/cycle-0001.json"))["judged"]
    assert isinstance(shown, list) and sum(count for _, count in shown) == len(
        read_table(space.path("data/judged"), JudgedAnswer)
    )
    before = digest(cycled, "models/challenger", "data/judged", "data/pairs")
    assert run_cycle(cycled) is None, "nothing new: no cycle begins"
    assert digest(cycled, "models/challenger", "data/judged", "data/pairs") == before


def test_the_stage_judges_for_users_who_are_not_held_out_alone_and_its_bytes_repeat(
    cycled: Path, tmp_path: Path
) -> None:
    space, params = Workspace(cycled), Workspace(cycled).params
    rows = read_table(space.path("data/judged"), JudgedAnswer)
    labels = read_table(space.path("data/feedback"), FeedbackTurn)
    assert any(params.split.holds_out(row.user_id) for row in labels if row.label == "positive_feedback")
    assert rows and not any(params.split.holds_out(row.user_id) for row in rows)
    assert {"positive_feedback", "complaint"} <= {row.source for row in rows}
    assert all(row.wanted == (row.source != "complaint") for row in rows)
    pairs = read_table(space.path("data/pairs"), PreferencePair)
    held = {(one.conversation_id, one.turn_index, text) for one in pairs for text in (one.chosen, one.rejected)}
    assert not held & {(row.conversation_id, row.turn_index, row.response) for row in rows}
    copy = Workspace(tmp_path / "copy")
    shutil.copytree(cycled, copy.root, symlinks=True)
    shutil.rmtree(copy.path("data/judged"))
    report = stages.run("pairs", copy.root)
    assert digest(copy.root, "data/judged", "data/pairs") == digest(cycled, "data/judged", "data/pairs")
    counts = dict(report.counts)
    told = sum(int(value) for name, value in counts.items() if name.startswith("judged by "))
    assert told == len(rows) and f"{len(rows)} judged answers from" in report.note


def test_a_conversation_is_followed_through_the_loop(cycled: Path) -> None:
    found = trace(cycled, None)
    assert not found.held_out and any(turn.pairs for turn in found.turns), "one of which pairs were made"
    assert trace(cycled, found.conversation_id) == found == trace(cycled, None)
    space = Workspace(cycled)
    labels = {row.turn_index: row.label for row in read_table(space.path("data/feedback"), FeedbackTurn)
              if row.conversation_id == found.conversation_id}  # fmt: skip
    assert {turn.place: turn.label for turn in found.turns if turn.label} == labels
    pairs = read_table(space.path("data/pairs"), PreferencePair)
    ours = [row for row in pairs if row.conversation_id == found.conversation_id]
    champion = ledger.policy_path(space.root, ledger.champion(space.root))
    known = {
        "champion": set(cast(list[str], read_json(champion / TRAINING).get("lessons", []))),
        "challenger": set(cast(list[str], read_json(space.path("models/challenger") / TRAINING)["lessons"])),
    }  # fmt: skip

    def by(row: PreferencePair) -> str:
        return next((model for model, lessons in known.items() if lesson(row) in lessons), "")

    told = Counter((one.source, one.chosen, one.own, one.learned_by) for turn in found.turns for one in turn.pairs)
    assert told == Counter((row.source, row.chosen, row.user_id == found.user_id, by(row)) for row in ours)
    assert any(one.learned_by for turn in found.turns for one in turn.pairs) == any(map(by, ours))
    assert trace(cycled, found.conversation_id[:-1]) == found, "the beginning of an id is enough"
    with pytest.raises(StageError, match=f"did you mean .*'{found.conversation_id}'"):
        trace(cycled, f"{found.conversation_id}x")
