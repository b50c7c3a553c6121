"""`rlhi bench reward` on small data of its own: sources, folds by user, calibration, and what a head is told."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest

from rlhi.bench.reward import measure
from rlhi.bench.reward_data import judged
from tests.support.choices import WordEmbedder, write, write_choices


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Forty users who like lists, ten choices of nobody."""
    return write_choices(tmp_path)


def test_what_users_like_is_learned_from_other_users(data: Path) -> None:
    found = measure(data, WordEmbedder(), quick=True)
    ours, nobody = found.sources
    assert (ours.source, ours.ours.items, ours.ours.clusters) == ("ours", 40, 40)
    assert (nobody.source, nobody.ours.items, nobody.ours.clusters) == ("nobody", 10, 10), "requests stand for users"
    assert ours.ours.mean == 1.0 and ours.longer.mean == 0.0 and ours.apart.mean == 1.0
    assert sum(one.count for one in found.calibration) == 50 and 0 <= found.expected_error < 0.5
    (told,) = found.personas
    assert told.source == "ours" and told.own.items == 40


def test_a_persona_is_built_without_the_conversation_that_is_predicted(data: Path) -> None:
    rows = [row for row in judged(data) if row.source == "ours"]
    # The other conversation of the same user says it too; the one that is predicted must not be needed.
    assert all("bullet" in row.one.better.persona.text and row.other.text for row in rows)
    alone = gzip.decompress((data / "conversations.jsonl.gz").read_bytes()).decode().splitlines()
    write(data / "conversations.jsonl.gz", [json.loads(line) for line in alone if '-0"' in line])
    assert not any(row.one.better.persona.text for row in judged(data) if row.source == "ours")
