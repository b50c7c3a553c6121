"""`rlhi ingest`, `rlhi status` and `rlhi quarantine` on what logs hold that says nothing, or says it in another way."""

from __future__ import annotations

import gzip
import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from rlhi.contracts import Conversation
from rlhi.workspace import ledger
from rlhi.workspace.store import Workspace, read_table

RLHI = [sys.executable, "-c", "from rlhi.cli.app import main; main()"]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("made")
    (folder / "model").mkdir()
    (folder / "model" / "config.json").write_text("{}")
    ledger.init(folder / "w", folder / "model")
    return folder / "w"


@pytest.fixture
def space(made: Path, tmp_path: Path) -> Workspace:
    return Workspace(Path(shutil.copytree(made, tmp_path / "w", symlinks=True)))


def rlhi(space: Workspace, *words: object) -> tuple[int, str]:
    call = [*RLHI, "--workspace", str(space.root), *map(str, words)]
    done = subprocess.run(call, capture_output=True, text=True, timeout=300)
    assert "Traceback" not in done.stderr, done.stderr
    return done.returncode, done.stdout


def talk(name: object, text: str = "How deep is a well?", **fields: object) -> dict[str, object]:
    said = [{"role": "user", "content": text}, {"role": "assistant", "content": f"An answer to: {text}"}]
    return {"id": name, "messages": said, **fields}


def table(space: Workspace) -> list[Conversation]:
    return read_table(space.path("data/conversations"), Conversation)


def test_what_was_not_read_is_told_and_costs_no_row(space: Workspace, tmp_path: Path) -> None:
    log = tmp_path / "pages.json.gz"
    first = [
        talk("a", user_id=float("nan"), created_at="2026-09-21 13:33:20 UTC"),
        talk("b", user_id="undefined", created_at="some day"),
        talk("c", user_id=7.0, created_at={"$date": {"$numberLong": "1789997600000"}}),
    ]
    second = [talk("a", "How high is a tower?"), talk("d", user_id="7", created_at="1789997600")]
    pages = [json.dumps(page, indent=1) for page in (first, second)]
    log.write_bytes(b"".join(gzip.compress(page.encode()) for page in pages) + gzip.compress(b"\nand more"))
    code, said = rlhi(space, "ingest", log, "--json")
    told = json.loads(said)
    assert (code, told["read"], told["new"], told["quarantined"]) == (3, 6, 5, 1)
    counts = {name: told[name] for name in ("times_unread", "ids_unread", "kept_apart", "left_over")}
    assert counts == {"times_unread": 1, "ids_unread": 2, "kept_apart": 1, "left_over": 1}
    rows = table(space)
    assert len(rows) == 5 and sum(row.has_user for row in rows) == 2
    assert len({row.user_id for row in rows if row.has_user}) == 1
    assert {row.created_at for row in rows} == {"2026-09-21T13:33:20Z", None}
    _, status = rlhi(space, "status")
    assert status.count("of the logs") == 4 and "1 rows have a time that cannot be read" in status
    _, quarantine = rlhi(space, "quarantine", "--changes")
    assert "pages.json.gz:" in quarantine and "the rest is not read" in quarantine and "time unread" in quarantine
    code, said = rlhi(space, "ingest", log, "--json")
    assert (code, json.loads(said)["duplicate"]) == (0, 6) and table(space) == rows


def test_ids_that_begin_anew_and_the_rows_of_a_session(space: Workspace, tmp_path: Path) -> None:
    for day in ("mon", "tue"):
        (tmp_path / f"{day}.json").write_text(json.dumps([talk(at, f"{day} {at}?") for at in range(3)]))
    asked = [
        {"session_id": "s", "user_id": "lena", "created_at": f"2026-10-01T10:0{at}:00Z", "response": f"Answer {at}.",
         "messages": [{"role": "user", "content": f"Question {at}?"}]}
        for at in (2, 0, 1, 1)
    ]  # fmt: skip
    (tmp_path / "session.jsonl").write_text("\n".join(map(json.dumps, asked)))
    code, said = rlhi(space, "ingest", *(tmp_path / name for name in ("mon.json", "tue.json", "session.jsonl")))
    assert code == 0 and "3 conversations begin otherwise than another of the same id and are kept apart" in said
    rows = table(space)
    assert len(rows) == 7 and len({row.user_id for row in rows}) == 7
    [session] = [row for row in rows if row.has_user]
    assert [turn.content for turn in session.turns if turn.role == "user"] == [f"Question {at}?" for at in range(3)]
