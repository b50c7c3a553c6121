"""`rlhi label` on rows as people have them: odd ones are labelled or named, with their line."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest

from rlhi.cli.labels import show
from rlhi.stages import StageError
from rlhi.stages.files import label_file


def test_half_a_surrogate_pair_and_text_in_parts_are_labelled(tmp_path: Path) -> None:
    parts = [{"type": "text", "text": "Because it rains."}, {"type": "image_url", "image_url": {"url": "x"}}]
    turns = [{"role": "user", "content": "Why?"}, {"role": "assistant", "content": parts}]
    rows = [
        r'{"context": ["Why?", "Because it rains.", "no \ud83d, shorter please"]}', "",
        json.dumps({"messages": [*turns, {"role": "user", "content": "shorter please"}]}),
    ]  # fmt: skip
    (tmp_path / "in.jsonl").write_text("\n".join(rows), encoding="utf-8")
    assert len(label_file(tmp_path / "in.jsonl", tmp_path / "out.jsonl")) == 2
    first, second = (json.loads(line) for line in (tmp_path / "out.jsonl").read_text(encoding="utf-8").splitlines())
    assert first["context"][2] == "no \ud83d, shorter please"
    assert first["label"] == second["label"] == "reattempt_with_feedback"


def test_a_context_is_a_list_or_an_object_and_anything_else_is_told_so(tmp_path: Path) -> None:
    said = {"request": "Why?", "answer": "Because it rains.", "follow_up": "shorter please"}
    file, out = tmp_path / "in.jsonl", tmp_path / "out.jsonl"
    backwards = dict(reversed(said.items()))
    file.write_text("\n".join(json.dumps({"context": row}) for row in (said, backwards, [*said.values()])) + "\n")
    assert len(label_file(file, out)) == 3
    one, two, three = (json.loads(line) for line in out.read_text(encoding="utf-8").splitlines())
    assert one["context"] == said and one["label"] == "reattempt_with_feedback"
    assert one["probability"] == two["probability"] == three["probability"]
    for wrong in ("shorter please", [*said.values()][:2], {"request": "Why?", "follow_up": "shorter please"}):
        file.write_text(json.dumps({"context": wrong}))
        with pytest.raises(
            StageError, match=r"a list of three texts .* or an object of `request`, `answer`, `follow_up`"
        ):
            label_file(file, out)


def test_a_row_that_does_not_end_with_a_follow_up_is_named_by_its_own_line(tmp_path: Path) -> None:
    turns = [{"role": role, "content": "x"} for role in ("assistant", "user", "assistant")]
    (tmp_path / "in.jsonl").write_text("\n\n" + json.dumps({"turns": turns}), encoding="utf-8")
    with pytest.raises(StageError, match=r"in\.jsonl:3: no follow-up in it"):
        label_file(tmp_path / "in.jsonl", tmp_path / "out.jsonl")
    assert not (tmp_path / "out.jsonl").exists()


def test_what_no_tokenizer_takes_is_labelled_and_a_damaged_file_is_named(tmp_path: Path) -> None:
    file, out = tmp_path / "in.jsonl", tmp_path / "out.jsonl"
    file.write_text('{"context": ["Name a bird. \\ud800", "A wren.", "shorter please"]}\n', encoding="utf-8")
    assert len(label_file(file, out, "accurate")) == 1
    packed = bytearray(gzip.compress(file.read_bytes() * 100))
    packed[20:30] = bytes(10)
    file.write_bytes(bytes(packed))
    with pytest.raises(StageError, match=r"in.jsonl:\d+: damaged gzip"):
        label_file(file, out)


def test_without_a_file_to_write_it_shows_what_is_asked_for_and_no_escape_sequences(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = [["Why?", "Because it rains.", "Too long. [red]And use numbered steps.\x1b[31m"], ["Why?", "So.", "Thanks!"]]
    (tmp_path / "in.jsonl").write_text("".join(json.dumps({"context": row}) + "\n" for row in rows))
    read = label_file(tmp_path / "in.jsonl", None)
    assert [one.label for one in read] == ["reattempt_with_feedback", "positive_feedback"]
    assert set(read[0].claims) == {"Keep answers short.", "Use numbered steps."} and read[1].claims == ()
    show(read)
    shown = capsys.readouterr().out
    assert "[red]" in shown and "\x1b[31m" not in shown and "Use numbered steps." in shown


def test_conversations_are_read_as_logs_are(tmp_path: Path) -> None:
    said = [("human", "Why?"), ("gpt", "Because it rains."), ("human", "shorter please")]
    shared = {"conversations": [{"from": who, "value": text} for who, text in said]}
    call = {"id": "1", "type": "function", "function": {"name": "look", "arguments": "{}"}}
    turns = [
        {"role": "developer", "content": "Be kind."}, {"role": "user", "content": "Why?"},
        {"role": "assistant", "content": None, "tool_calls": [call]}, 
        {"role": "tool", "content": "rain", "tool_call_id": "1"},
        {"role": "assistant", "content": "Because it rains."}, {"role": "user", "content": "shorter please"},
    ]  # fmt: skip
    file = tmp_path / "in.jsonl"
    file.write_text("".join(json.dumps(row) + "\n" for row in (shared, {"messages": turns})))
    assert {(one.follow_up, one.label) for one in label_file(file, None)} == {
        ("shorter please", "reattempt_with_feedback")
    }
    for odd, why in (({"messages": [["user", "q"], ["assistant", "a"], ["user", "b"]]}, "says nothing|unknown|turn"),
                     ({"context": [["q"], ["a"], ["b"]]}, "says nothing")):  # fmt: skip
        file.write_text(json.dumps(odd))
        with pytest.raises(StageError, match=why):
            label_file(file, None)
    file.write_text("[" * 100_000)
    with pytest.raises(StageError, match="in.jsonl:1: not JSON"):
        label_file(file, None)
    file.write_text("")
    with pytest.raises(StageError, match="holds no rows"):
        label_file(file, None)
