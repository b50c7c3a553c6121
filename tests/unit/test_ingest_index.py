"""Which rows are set aside, told by the arrays alone; and where these are kept."""

from __future__ import annotations

from pathlib import Path

from rlhi.contracts import Conversation, Turn
from rlhi.stages.collect.ingest.index import KEPT, TEMPLATE, VERSION, Index, forget_stale, index_path, name_of
from rlhi.workspace.store import Workspace

OPENING = "Please act as a generator of pictures in the style of the old masters"
ANSWER = " ".join(f"word{at}" for at in range(400))


def row(name: str, opening: str, day: int, answer: str = ANSWER) -> Conversation:
    turns = (Turn("user", opening), Turn("assistant", answer))
    return Conversation(name, "ann", "real", f"2026-01-{day:02d}T00:00:00Z", None, "en", turns, "test")


def test_a_template_that_came_first_takes_no_conversation_with_it() -> None:
    others = [row(f"t{at}", OPENING, 9, f"{at} " * 60) for at in range(3)]
    template = row("template", OPENING, 1)
    survivor, copy = row("survivor", "What is this?", 2), row("copy", "What is this?", 3)
    rows = [*others, template, survivor, copy]
    assert Index.of([template, survivor, copy]).marked(3).tolist() == [KEPT, *[name_of("ann", "template")] * 2]
    assert Index.of(rows).marked(3).tolist() == [*[TEMPLATE] * 4, KEPT, name_of("ann", "survivor")]


def test_undated_rows_come_before_templates_too() -> None:
    others = [row(f"t{at}", OPENING, 9, f"{at} " * 60) for at in range(3)]
    undated = Conversation("undated", "ann", "real", None, None, "en", row("", "What is this?", 1).turns, "test")
    assert Index.of([*others, row("template", OPENING, 1), undated]).marked(3).tolist() == [*[TEMPLATE] * 4, KEPT]


def test_an_index_of_another_version_is_not_read_and_goes(tmp_path: Path) -> None:
    space = Workspace(tmp_path)
    path = index_path(space, "0000-0000-a.parquet")
    assert path.parent.name == str(VERSION)
    kept, stale = Index.of([row("c", "Hello", 1)]), path.parent.with_name("0") / path.name
    for one in (path, stale, path.with_name("gone.npz"), path.parent.with_name("loose.npz")):
        kept.save(one)
    forget_stale(space, ["0000-0000-a.parquet"])
    assert [one for one in tmp_path.rglob("*.npz")] == [path]


def test_an_index_survives_packing() -> None:
    index = Index.of([row("one", OPENING, 1), row("two", "Hello", 2)])
    again = Index.unpacked(index.packed())
    assert again.packed() == index.packed() and again.bands.shape == index.bands.shape
