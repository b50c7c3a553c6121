"""The benchmark of IFEval: prompts are read and drawn, shares are the published kind, and what lacks is said."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest

from rlhi.bench.ifeval import PROMPTS, Checked, NotRun, Prompt, Told, checker_of, drawn, read, record, share, table


def written(folder: Path, *rows: dict[str, object]) -> Path:
    file = folder / PROMPTS
    with gzip.open(file, "wt", encoding="utf-8") as out:
        out.writelines(json.dumps(row) + "\n" for row in rows)
    return file


def row(item: str, text: str, *instructions: str, source: str = "ifeval") -> dict[str, object]:
    check = {"instruction_id_list": list(instructions), "kwargs": [{} for _ in instructions]}
    return {"prompt_id": item, "source": source, "turns": [{"role": "user", "content": text}], "check": check}


def test_ifeval_s_prompts_are_read_and_no_others(tmp_path: Path) -> None:
    other = row("mt-1", "Write a poem.", source="mt-bench") | {"check": None}
    found = read(written(tmp_path, row("i-1", "No commas, please.", "punctuation:no_comma"), other))
    assert found == [Prompt("i-1", "No commas, please.", ("punctuation:no_comma",), ({},))]
    with pytest.raises(NotRun, match=r"there is no prompts\.jsonl\.gz in RLHI_DATA"):
        read(tmp_path / "nowhere" / PROMPTS)


def test_a_draw_does_not_hang_on_the_order_and_grows() -> None:
    prompts = [Prompt(f"i-{at}", "", (), ()) for at in range(20)]
    assert drawn(prompts, 5) == drawn(prompts[::-1], 5) == drawn(prompts, 9)[:5]
    assert len(drawn(prompts, 0)) == 20


def test_the_mean_is_of_prompts_and_of_instructions() -> None:
    found = [
        Checked("a", {"strict": (True, True, False), "loose": (True, True, True)}),
        Checked("b", {"strict": (True,), "loose": (True,)}),
    ]
    strict, loose = share(found, "strict"), share(found, "loose")
    assert (strict.prompts, strict.instructions, strict.mean) == (0.5, 0.75, 0.625)
    assert strict.low < strict.mean < strict.high and loose.low == loose.mean == loose.high == 1.0
    told = Told({"strict": strict, "loose": loose}, 2, 7, 0.299)
    assert json.loads(record(told))["baseline"] == 0.299 and json.loads(record(told))["left_out"] == 7
    assert "published 29.9%" in table(told) and "strict     62.5%" in table(told)
    assert "published" not in table(Told(told.shares, 2, 7, None)), "of another model nothing is published"


def test_the_library_checks_what_a_reply_follows() -> None:
    pytest.importorskip("if_verifiable", reason="pip install 'rlhi[ifeval]'")
    check = checker_of()
    prompt = Prompt("i-1", "", ("punctuation:no_comma", "startend:quotation"), ({}, {}))
    assert check(prompt, '"A reply without one."').followed["strict"] == (True, True)
    assert check(prompt, "A reply, with one.").followed["strict"] == (False, False)
    assert check(prompt, "").followed == {"strict": (False, False), "loose": (False, False)}
