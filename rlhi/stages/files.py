"""`rlhi label` and `rlhi score`: the loop's two judges on rows of one's own, jsonl in and jsonl out."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

from rlhi.config import FeedbackConfig, Params
from rlhi.contracts import Message
from rlhi.models.base import Scored
from rlhi.stages import StageError
from rlhi.store import Workspace, write_atomic

Record = dict[str, object]
LocalLabeller = Literal["local", "accurate"]


def label_file(rows: Path, out: Path, labeller: LocalLabeller = "local") -> int:
    """Add ``label`` and ``probability`` to rows with a ``context`` (request, answer, follow-up) or a conversation.

    A conversation (``turns``, ``messages`` or ``conversation``) is labelled by its last follow-up. Returns the rows.

    Raises:
        StageError: a row has neither; the message names its line.
    """
    from rlhi.collect.feedback import decide
    from rlhi.stages.collect import follow_up_labeller

    params = Params(feedback=FeedbackConfig(labeller=labeller))
    records = list(_read(rows))
    contexts = [_context(record, rows, at + 1) for at, record in enumerate(records)]
    found = follow_up_labeller(params).label_probabilities(contexts).tolist()
    for record, row in zip(records, found, strict=True):
        record["label"], record["probability"] = decide(row, params.feedback.threshold)
    _write(out, records)
    return len(records)


def score_file(root: Path, rows: Path, out: Path) -> int:
    """Add ``reward`` to rows with ``persona``, ``prompt`` (text or messages) and ``response``. Returns the rows.

    Raises:
        StageError: a row lacks one of them, or no reward model was trained yet.
    """
    from rlhi.stages.rewarding import scorer

    space = Workspace(root)
    params = space.params
    if not space.path("models/reward/head.npz").is_file():
        raise StageError(f"{root} has no reward model yet: run `rlhi cycle` first")
    records = list(_read(rows))
    scored = [_scored(record, rows, at + 1) for at, record in enumerate(records)]
    for record, reward in zip(records, scorer(space, params).score(scored), strict=True):
        record["reward"] = reward
    _write(out, records)
    return len(records)


def _context(record: Record, file: Path, line: int) -> tuple[str, str, str]:
    turns = next((record[name] for name in ("context", "turns", "messages", "conversation") if name in record), None)
    texts = [_content(turn) for turn in turns if _role(turn) != "system"] if isinstance(turns, list) else []
    if not isinstance(turns, list) or len(texts) < 3:
        raise StageError(f"{file}:{line}: needs `context` with request, answer and follow-up, or a conversation")
    if _role(turns[-1]) == "assistant" and len(texts) > 3:
        texts = texts[:-1]
    return texts[-3], texts[-2], texts[-1]


def _content(turn: object) -> str:
    return str(turn.get("content") or "") if isinstance(turn, dict) else str(turn)


def _role(turn: object) -> str:
    return str(turn.get("role", "")) if isinstance(turn, dict) else ""


def _scored(record: Record, file: Path, line: int) -> Scored:
    prompt, response = record.get("prompt"), record.get("response")
    if not isinstance(response, str) or not isinstance(prompt, str | list):
        raise StageError(f"{file}:{line}: needs `prompt` (text or messages) and `response` (text)")
    turns = [{"role": "user", "content": prompt}] if isinstance(prompt, str) else prompt
    messages = tuple(
        Message("assistant" if _role(turn) == "assistant" else "user", _content(turn))
        for turn in turns
        if _role(turn) != "system"
    )
    return Scored(str(record.get("persona") or ""), messages, response)


def _read(file: Path) -> Iterator[Record]:
    try:
        data = file.read_bytes()
        text = (gzip.decompress(data) if data[:2] == b"\x1f\x8b" else data).decode("utf-8")
    except (OSError, EOFError, UnicodeDecodeError) as error:
        raise StageError(f"{file} cannot be read: {error}") from None
    for at, line in enumerate(text.split("\n"), 1):
        if not line.strip():
            continue
        try:
            record = json.loads(line)
        except ValueError as error:
            raise StageError(f"{file}:{at}: no JSON ({error})") from None
        if not isinstance(record, dict):
            raise StageError(f"{file}:{at}: should be a JSON object")
        yield record


def _write(out: Path, records: list[Record]) -> None:
    write_atomic(out, "".join(json.dumps(record, ensure_ascii=False) + "\n" for record in records).encode())
