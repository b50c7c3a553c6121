"""Ten thousand damaged rows of every format: each comes out as a conversation or in quarantine, and none is lost."""

from __future__ import annotations

import json
from copy import deepcopy
from pathlib import Path
from random import Random
from typing import Any

from rlhi.collect.clean.users import hide_user
from rlhi.collect.formats import read_log
from rlhi.collect.formats.otlp import unfolded
from rlhi.collect.formats.records import Record, records
from rlhi.contracts import Conversation, Quarantined, from_record, to_record

LOGS = Path(__file__).parents[1] / "fixtures" / "logs"
ROWS = 10_000
ODD: list[object] = [
    None, True, False, 0, -1, 1e308, float("nan"), float("inf"), 10**400, "", " ", "\x00", "\ud800", "‮abc", "😀" * 40,
    "1e999", "-1", "[", "{}", "[[[[", '{"role": "user"}', "2024-13-45", "user", "assistant", "tool", [], {}, [None],
    [[]], [{}], {"": {}}, {"role": "user", "content": "hi"}, [{"role": "user"}], {"choices": []}, "redacted-by-litellm",
]  # fmt: skip


def originals() -> list[dict[str, object]]:
    files = sorted(LOGS.glob("*.json*"))
    return [dict(one.value) for file in files for one in records(file, file.name) if isinstance(one, Record)]


def places(value: Any) -> list[tuple[Any, Any]]:
    """Every (container, key) in a row."""
    found: list[tuple[Any, Any]] = []
    waiting = [value]
    while waiting:
        inside = waiting.pop()
        keys = list(inside) if isinstance(inside, dict) else range(len(inside)) if isinstance(inside, list) else ()
        found += [(inside, key) for key in keys]
        waiting += [inside[key] for key in keys]
    return found


def damage(row: dict[str, object], random: Random) -> None:
    """One to four changes: delete, retype, nest, cut, swap, rename, repeat."""
    for _ in range(random.randint(1, 4)):
        spots = places(row)
        if not spots:
            return
        inside, key = random.choice(spots)
        value = inside[key]
        change = random.randrange(8)
        if change == 0:
            del inside[key]
        elif change in (1, 2):
            inside[key] = deepcopy(random.choice(ODD))
        elif change == 3:
            inside[key] = [value] if random.random() < 0.5 else {"content": value}
        elif change == 4 and isinstance(value, str | list):
            inside[key] = value[: random.randint(0, len(value))]
        elif change == 5:
            other, name = random.choice(spots)
            inside[key] = json.loads(json.dumps(other[name]))
        elif change == 6 and isinstance(inside, dict):
            inside[random.choice(["role", "content", "messages", "id", "user", "signals", "\ud800"])] = inside.pop(key)
        elif isinstance(inside, list):
            inside.append(json.loads(json.dumps(value)))


def lines(random: Random, count: int) -> list[str]:
    rows = [json.dumps(row) for row in originals()]
    made = [rows[0]]  # the first is whole: the file is a log
    while len(made) < count:
        row = json.loads(random.choice(rows))
        damage(row, random)
        text = json.dumps(row)
        kind = random.random()
        if kind < 0.02:
            text = text[: random.randint(0, len(text))].strip() or "?"
        elif kind < 0.03:
            deep = random.choice([200, 900, 5000])
            text = text[:-1] + ', "metadata": ' + '{"a":' * deep + "1" + "}" * (deep + 1)
        elif kind < 0.035:
            text = f'{{"messages": {"[" * 3000}{"]" * 3000}}}'
        made.append(text)
    return made


def test_no_row_is_lost_and_none_breaks_the_reader(tmp_path: Path) -> None:
    path = tmp_path / "log.jsonl"
    path.write_text("\n".join(lines(Random(7), ROWS)), encoding="utf-8")
    fates = {"conversation": 0, "quarantined": 0}
    for row in read_log(path, accept=lambda talk: hide_user(talk, "salt"), user_column=""):
        if isinstance(row, Conversation):
            fates["conversation"] += 1
            if fates["conversation"] % 8 == 0:  # slow, and all rows are made in one place
                assert from_record(Conversation, to_record(row)) == row
        else:
            fates["quarantined"] += 1
            assert isinstance(row, Quarantined) and row.reason
            json.dumps(to_record(row), ensure_ascii=False).encode()
    assert sum(fates.values()) == sum(1 for _ in unfolded(records(path, "log"))) >= ROWS  # a page has several
    assert min(fates.values()) > ROWS / 10


def test_a_column_that_leads_anywhere_breaks_nothing(tmp_path: Path) -> None:
    path = tmp_path / "log.jsonl"
    path.write_text("\n".join(lines(Random(8), 1000)), encoding="utf-8")
    rows = list(read_log(path, user_column="metadata.0.user.id"))
    assert len(rows) == 1000
