"""`rlhi label` and `rlhi score`: the loop's two judges on rows of one's own, jsonl in and jsonl out."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

from rlhi.collect.formats import read_record
from rlhi.collect.formats.marks import Mark
from rlhi.collect.formats.records import Record as Logged
from rlhi.collect.formats.records import records as records_of
from rlhi.collect.wishes.claims import read_profile
from rlhi.config import FeedbackConfig, ModelsConfig
from rlhi.contracts import REATTEMPTS, FeedbackLabel, Message, Quarantined, Role, Turn
from rlhi.contracts.turns import followed, request
from rlhi.models.base import Scored
from rlhi.models.prompts import well_formed
from rlhi.stages import StageError
from rlhi.workspace.store import Workspace, write_output

Record = dict[str, object]
LocalLabeller = Literal["local", "accurate"]
Context = tuple[str, str, str]
CONTEXT = ("request", "answer", "follow_up")


@dataclass(frozen=True, slots=True)
class Read:
    """What a follow-up says: its label, how sure that is, and what it asks for in words that a persona can hold.

    ``label`` is None where there are no words to go by: of a picture, or of what follows one.
    """

    follow_up: str
    label: FeedbackLabel | None
    probability: float | None
    claims: tuple[str, ...]


WORDLESS = Read("", None, None, ())


def label_file(rows: Path, out: Path | None, labeller: LocalLabeller = "local") -> list[Read]:
    """Add ``label`` and ``probability`` to rows with a ``context`` or a conversation, and write them to ``out``.

    A context is a list of three texts, or an object of the three that :data:`CONTEXT` names. A conversation in any
    format of logs is labelled by its last follow-up, None where that has no words. Returns what was read of each.

    Raises:
        StageError: a row has neither; the message names its line.
    """
    from rlhi.collect.feedback.label import decide
    from rlhi.collect.wishes.claims import claims_in
    from rlhi.stages.collect.feedback import follow_up_labeller

    config = FeedbackConfig(labeller=labeller)
    read = list(_read(rows))
    if not read:
        raise StageError(f"{rows} holds no rows")
    records = [record for _, record in read]
    contexts = [_context(record, rows, line) for line, record in read]
    worded = [context for context in contexts if context is not None]
    model = follow_up_labeller(config, ModelsConfig())
    found = iter(model.label_probabilities(worded).tolist() if worded else [])
    told = []
    for record, context in zip(records, contexts, strict=True):
        one = WORDLESS
        if context is not None:
            label, probability = decide(next(found), config.threshold)
            asks = claims_in(context[2]) if label in REATTEMPTS else ()
            one = Read(context[2], label, probability, tuple(claim for _, claim in asks))
        record["label"], record["probability"] = one.label, one.probability
        told.append(one)
    if out is not None:
        _write(out, records)
    return told


def score_file(root: Path, rows: Path, out: Path) -> int:
    """Add ``reward`` to rows with ``persona``, ``prompt`` (text or messages) and ``response``. Returns the rows.

    Raises:
        StageError: a row lacks one of them, or no reward model was trained yet.
    """
    from rlhi.stages.learn.reward_models import scorer

    space = Workspace.open(root)
    params = space.params
    model = scorer(space, params.models)
    read = list(_read(rows))
    records = [record for _, record in read]
    scored = [_scored(record, rows, line) for line, record in read]
    for record, reward in zip(records, model.score(scored), strict=True):
        record["reward"] = reward
    _write(out, records)
    return len(records)


def _context(record: Record, file: Path, line: int) -> Context | None:
    texts = _last_of_log(record, file, line) if not record.get("context") else _given(record, file, line)
    if texts is not None and not all(text.strip() for text in texts):
        raise StageError(f"{file}:{line}: request, answer or follow-up says nothing")
    return texts


def _last_of_log(record: Record, file: Path, line: int) -> Context | None:
    """The last follow-up of a conversation in any format that `rlhi ingest` reads, else of a plain list of turns.

    None where the user went on after an answer, but one of the two has no words.
    """
    known, row = read_record(Logged(line, record), file.name)
    if not known:
        return _given(record, file, line)
    if isinstance(row, Quarantined):
        raise StageError(f"{file}:{line}: {row.reason}")
    if isinstance(row, Mark):
        raise StageError(f"{file}:{line}: a mark on an answer that stands elsewhere")
    turns = row.turns
    one = max(followed(turns).values(), key=lambda one: one.follow_up, default=None)
    later = turns[one.follow_up + 1 :] if one else turns
    if _goes_on(later) and not all(turn.has_text for turn in later if turn.speaks):
        return None
    if one is not None:
        return request(turns, one.answer), turns[one.answer].content, turns[one.follow_up].content
    raise StageError(f"{file}:{line}: no follow-up in it: a user's turn behind an answer to a user's turn")


def _goes_on(turns: Sequence[Turn]) -> bool:
    """Whether a user speaks behind an answer in these turns."""
    roles = [turn.role for turn in turns if turn.speaks]
    return "assistant" in roles and "user" in roles[roles.index("assistant") :]


def _given(record: Record, file: Path, line: int) -> Context:
    turns = next((record[name] for name in ("context", "turns", "messages", "conversation") if name in record), None)
    if isinstance(turns, dict) and turns.keys() >= set(CONTEXT):
        turns = [turns[name] for name in CONTEXT]
    texts = [_content(turn) for turn in turns if _role(turn) != "system"] if isinstance(turns, list) else []
    if not isinstance(turns, list) or len(texts) < 3:
        raise StageError(
            f"{file}:{line}: needs `context`, a list of three texts (request, answer, follow-up) or an object of "
            f"{', '.join(f'`{name}`' for name in CONTEXT)}; or a conversation as `turns` or `messages`"
        )
    roles = [_role(turn) for turn in turns if _role(turn) != "system"]
    if roles[-1] == "assistant" and len(texts) > 3:
        texts, roles = texts[:-1], roles[:-1]
    told = [role for role in roles[-3:] if role]
    if told and told != ["user", "assistant", "user"]:
        raise StageError(f"{file}:{line}: its last turns are {', '.join(told)}: a follow-up is user, assistant, user")
    return texts[-3], texts[-2], texts[-1]


def _content(turn: object) -> str:
    """The text of a turn: a string, or the text parts of a list of them."""
    said = turn.get("content") if isinstance(turn, dict) else turn
    if isinstance(said, list):
        return well_formed("\n".join(str(part.get("text") or "") for part in said if isinstance(part, dict)))
    return well_formed(str(said or ""))


def _role(turn: object) -> str:
    return str(turn.get("role", "")) if isinstance(turn, dict) else ""


def _scored(record: Record, file: Path, line: int) -> Scored:
    prompt, response = record.get("prompt"), record.get("response")
    if not isinstance(response, str) or not isinstance(prompt, str | list):
        raise StageError(f"{file}:{line}: needs `prompt` (text or messages) and `response` (text)")
    known: dict[str, Role] = {role: role for role in get_args(Role)}
    turns = [{"role": "user", "content": prompt}] if isinstance(prompt, str) else prompt
    messages = tuple(Message(known.get(_role(turn), "user"), _content(turn)) for turn in turns)
    persona = record.get("persona") or ""
    if not isinstance(persona, str):
        raise StageError(f"{file}:{line}: `persona` should be text, and not a {type(persona).__name__}")
    return Scored(read_profile(well_formed(persona)), messages, well_formed(response))


def _read(file: Path) -> Iterator[tuple[int, Record]]:
    """(line, record) of every row, by the reader that `rlhi ingest` has."""
    try:
        for row in records_of(file, str(file)):
            if isinstance(row, Quarantined):
                raise StageError(f"{file}:{row.line}: {row.reason}")
            yield row.line, dict(row.value)
    except OSError as error:
        raise StageError(f"{file} cannot be read: {error}") from None


def _write(out: Path, records: list[Record]) -> None:
    # Half a surrogate pair is no UTF-8 and comes out as the escape that it came in as.
    text = "".join(json.dumps(record, ensure_ascii=False, default=str) + "\n" for record in records)
    write_output(out, text.encode("utf-8", "backslashreplace"))
