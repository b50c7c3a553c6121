"""The stage `ingest`: landed logs -> `data/conversations`, a table that grows by segments.

The logs of one `rlhi ingest` are one **landing**. Landings are folded in, one after the other:

1. *read*: each log is cut in blocks; workers parse and clean them and spill the rows, sorted into buckets by user.
2. *merge*: a worker takes a partition: its new rows among themselves, then against the table's rows of the same name.
3. *set aside*: near duplicates and templates are found over all rows, by arrays that the index keeps for each file.
4. *write*: what is new, what grew and what is marked otherwise becomes the files of one more segment. When segments
   hold half of what the first one holds, or are many, all is written as one.

Memory holds blocks, one partition a worker, and the index (about 170 bytes a conversation): never the log. A rebuild
folds the same landings in the same order and comes to the same bytes; another order comes to the same rows, but for
the `batch` of what several logs hold.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

from rlhi.config import IngestConfig
from rlhi.contracts import SCHEMA_VERSION, Conversation, Quarantined, content_key
from rlhi.stages import Outcome
from rlhi.stages.collect.incoming import landings
from rlhi.stages.collect.ingest.chains import OutOfOrder
from rlhi.stages.collect.ingest.fold import USUAL, Fold, Sizes
from rlhi.stages.collect.ingest.index import read_index
from rlhi.stages.collect.ingest.pieces import KEY
from rlhi.stages.collect.ingest.told import WORDS, told
from rlhi.stages.collect.salt import salt_of
from rlhi.workspace.store import Workspace, finish_table, read_manifest, read_note, read_table, write_table

# How logs are read: another way of it wants another number, and all landed logs are read again.
READING = 4
TABLE, REFUSED = "data/conversations", "data/quarantine"
FATES = ("read", "new", "updated", "duplicate", "quarantined", *WORDS)


def ingest(space: Workspace, /, *, ingest: IngestConfig, sizes: Sizes = USUAL) -> Outcome:
    """Fold in the landings that were not read before, and let known conversations grow.

    Raises:
        StoreError: a landed log is gone, or a table cannot be read or written.
    """
    table, refused = space.path(TABLE), space.path(REFUSED)
    landed = landings(space)
    salt, config = salt_of(space, ingest), _config(space, ingest)
    read = batches_read(space, ingest)
    if not read or not read <= {batch.digest for landing in landed for batch in landing}:
        read = set()
        finish_table(table, Conversation, {}, key=KEY, note={"batches": [], "config": config})
    quarantine = set(read_table(refused, Quarantined)) if read else set()

    def keep(rows: Iterable[Quarantined]) -> None:
        """Before the table says that these logs were read: a kill between the two loses nothing."""
        quarantine.update(rows)
        write_table(refused, Quarantined, quarantine, user=lambda row: row.file)

    keep(())
    figures: Counter[str] = Counter(dict.fromkeys(FATES, 0))
    index = None
    for at, landing in enumerate(landed):
        todo = [batch for batch in landing if batch.digest not in read]
        if todo:
            read |= {batch.digest for batch in todo}
            note: dict[str, object] = {"batches": sorted(read), "config": config}
            try:
                index = Fold(space, ingest, salt, figures, sizes).run(todo, keep, note)
            except OutOfOrder:  # conversations in the table go on from what came now: all logs are read as one
                finish_table(table, Conversation, {}, key=KEY, note={"batches": [], "config": config})
                figures = Counter(dict.fromkeys(FATES, 0))
                every = [batch for one in landed[: at + 1] for batch in one]
                index = Fold(space, ingest, salt, figures, sizes).run(every, keep, note)
    index = index or read_index(space)
    counts = {**figures, **index.figures()}
    text = (
        f"{figures['new']} new and {figures['updated']} grown conversations; {counts['users']} users are known by an id"
    )
    if counts["anonymous"]:
        text += f", {counts['anonymous']} conversations name no user: each is its own anonymous user, without persona"
    if counts["set aside"]:
        text += f"; {counts['set aside']} say what others say and are set aside"
    if unread := told(figures):
        text += f"; {unread}"
    made = figures["new"] + figures["updated"]
    return Outcome(made, index.size - figures["new"], counts, text)


def batches_read(space: Workspace, ingest: IngestConfig) -> set[str]:
    """The hashes of the logs that the tables hold, as these parameters would have them; none when they do not.

    Both tables belong together: without the one of refused rows, a table of conversations tells half of the logs.
    """
    if not all(_stands(space.path(name)) for name in (TABLE, REFUSED)):
        return set()
    note = read_note(space.path(TABLE))
    done = note.get("batches") if note.get("config") == _config(space, ingest) else None
    return set(map(str, done)) if isinstance(done, list) else set()


def _stands(folder: Path) -> bool:
    manifest = read_manifest(folder)
    return manifest is not None and manifest.get("schema_version") == SCHEMA_VERSION


def _config(space: Workspace, ingest: IngestConfig) -> str:
    """What makes another table of the same logs: how they are read, the parameters, and the salt, which makes users."""
    asked = ingest.model_dump(mode="json", exclude={"runner", "cluster"})
    return content_key(SCHEMA_VERSION, READING, asked, salt_of(space, ingest))


def forget(space: Workspace) -> None:
    """Let the next run read every landed log again."""
    finish_table(space.path(TABLE), Conversation, {}, key=KEY)


def conversations(space: Workspace) -> list[Conversation]:
    """What the other stages learn from: every conversation that is not set aside, each with an id of its own.

    Some public logs give one id to two users: these conversations are called after both.
    """
    rows = [row for row in read_table(space.path(TABLE), Conversation) if not row.set_aside]
    times = Counter(row.conversation_id for row in rows)
    return [row if times[row.conversation_id] == 1 else _called_after_both(row) for row in rows]


def _called_after_both(row: Conversation) -> Conversation:
    return replace(row, conversation_id=f"{row.conversation_id} of {row.user_id}")
