"""Sizes that follow a log and a machine: each figure by hand, and params.yaml keeps every word beside the numbers."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import yaml

from rlhi.config import Params, load_params
from rlhi.config.edit import with_values
from rlhi.learn.sizes import Bounds, LogSizes, Speed, lengths, night, quantile

TEMPLATE = Path(__file__).resolve().parents[2] / "params.yaml"
LOG = LogSizes(tuple(range(1, 101)), tuple(range(10, 1010, 10)), 5000, 900)
FAST = Speed(20_000.0, 2_000.0)


def test_other_numbers_leave_every_comment(tmp_path: Path) -> None:
    text = TEMPLATE.read_text(encoding="utf-8")
    values = {"rewrites.turns": 7, "candidates.sampling.max_new_tokens": 480, "dpo.max_length": 2048, "seed": 5}
    edited = with_values(text, values)
    changed = [(a, b) for a, b in zip(text.splitlines(), edited.splitlines(), strict=True) if a != b]
    assert len(changed) == 4 and all(a.partition("#")[1:] == b.partition("#")[1:] for a, b in changed)
    (tmp_path / "params.yaml").write_text(edited, encoding="utf-8")
    params = load_params(tmp_path / "params.yaml")
    assert (params.rewrites.turns, params.candidates.sampling.max_new_tokens) == (7, 480)
    assert (params.dpo.max_length, params.seed, params.rewrites.sampling.max_new_tokens) == (2048, 5, 96)
    back = with_values(
        edited, {"rewrites.turns": 60, "candidates.sampling.max_new_tokens": 96, "dpo.max_length": 768, "seed": 0}
    )
    assert back == text and yaml.safe_load(back) == Params().model_dump(mode="json")


@pytest.mark.parametrize("name", ["rewrites.turn", "rewrites", "sampling.batch"])
def test_a_name_without_a_number_is_told(name: str) -> None:
    with pytest.raises(KeyError, match=name):
        with_values(TEMPLATE.read_text(encoding="utf-8"), {name: 1})


def test_nine_in_ten_fit_and_the_policy_bounds_them() -> None:
    assert quantile(LOG.answers, 0.9) == 90
    wide = Bounds(8192, 50_000, 2**40)
    found = lengths(LOG, wide, Params()).values
    assert {found[f"{stage}.sampling.max_new_tokens"] for stage in ("rewrites", "candidates", "evaluate")} == {96}
    assert found["rewrites.sampling.context_tokens"] == 960 and found["dpo.max_length"] == 96 + 960
    assert found["evaluate.sampling.batch"] == 72, "72 of 1,056 tokens are no more than 96 of 864"
    short = lengths(LOG, replace(wide, positions=512), Params())
    assert (short.values["candidates.sampling.context_tokens"], short.values["dpo.max_length"]) == (416, 512)
    assert "the policy reads 512 in all" in short.reasons[1] and short.values["rewrites.sampling.batch"] == 96


def test_memory_bounds_what_is_trained_on() -> None:
    small = lengths(LOG, Bounds(8192, 50_000, 8 * 2**30), Params())
    tokens = small.values["dpo.max_length"]
    assert tokens % 64 == 0 and tokens * 64 * 50_000 * 4 <= 0.8 * 8 * 2**30 < (tokens + 64) * 64 * 50_000 * 4
    assert "what 8 GB hold of dpo.batch 2" in small.reasons[-1]


def test_a_night_is_filled_and_no_more() -> None:
    params, reply, prompt = Params(), 50.40, sum(min(p, 768) for p in LOG.prompts) / 100
    found = night(LOG, FAST, 8, params, 24)
    complaint, request = (prompt / 20_000 + n * reply / 2_000 for n in (4, 8))
    screen, decision = (prompt / 20_000 + n * reply / 2_000 for n in (2, 3))
    judged = 2 * (48 * 2 * screen + 48 * screen + 192 * 16 * decision + 24 * complaint)
    third = (0.8 * 8 * 3600 - judged) / 3
    small = replace(LOG, requests=10**6, follow_ups=10**6)
    unbound = night(small, FAST, 8, params, 24).values
    assert unbound == {
        "rewrites.turns": int(third / complaint), "candidates.prompts": int(third / request),
        "dpo.max_pairs": int(third / (8 * (prompt + reply) / 20_000)),
    }  # fmt: skip
    assert found.values == {"rewrites.turns": 900, "candidates.prompts": 5000, "dpo.max_pairs": 5000}
    assert "reads 20,000 and writes 2,000 tokens a second" in found.reasons[0] and not found.cannot
    assert "as many as the log could need" in found.reasons[1]


def test_a_machine_that_cannot_says_so_and_changes_nothing() -> None:
    slow = night(LOG, Speed(20.0, 2.0), 8, Params(), 24)
    assert slow.values == {} and "this machine cannot do it in a night of 8 h" in slow.cannot
    assert night(LOG, Speed(20.0, 2.0), 800, Params(), 24).values
