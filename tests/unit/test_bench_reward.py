"""`rlhi bench reward` on small data of its own: sources, folds by user, calibration, and what a head is told."""

from __future__ import annotations

import gzip
import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from rlhi.bench.reward import judged, measure
from rlhi.contracts import content_key


class WordEmbedder:
    """An ``Embedder`` that hashes a text's words into 32 directions."""

    def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Unit vectors of shape ``[len(texts), 32]``."""
        rows = np.zeros((len(texts), 32), dtype=np.float32)
        for at, text in enumerate(texts):
            for word in text.lower().split():
                rows[at, int(content_key(word), 16) % 32] += 1
        return rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-6)


def write(file: Path, rows: list[dict[str, object]]) -> None:
    with gzip.open(file, "wt", encoding="utf-8") as sink:
        sink.writelines(json.dumps(row) + "\n" for row in rows)


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Forty users who like lists; one conversation of each, and nobody behind the last ten choices."""
    talks, choices = [], []
    for at in range(50):
        user = f"u{at}" if at < 40 else None
        ask = f"How do I keep plant {at} alive?"
        turns = [{"role": "user", "content": ask}, {"role": "assistant", "content": f"Water plant {at} each day."}]
        turns += [{"role": "user", "content": "Use bullet points please."}, {"role": "assistant", "content": "- Water"}]
        if user:
            talks += [
                {
                    "conversation_id": f"t{at}-{number}", "user_id": user, "user_id_kind": "real", "created_at": None,
                    "model": None, "language": "en", "turns": turns, "source": "ours",
                }
                for number in range(2)
            ]  # fmt: skip
        choices.append(
            {
                "user_id": user, "conversation_id": f"t{at}-0", "turn_index": 1, "prompt_turns": turns[:1],
                "prompt_turns_rejected": None, "chosen": f"- Water plant {at}\n- Give it sun\n- Cut it",
                "rejected": f"You should water plant {at} and give it sun, and you should cut it too, now and then.",
                "source": "ours" if user else "nobody-v1", "kind": "same_user_pairwise",
            }
        )  # fmt: skip
    write(tmp_path / "conversations.jsonl.gz", talks)
    write(tmp_path / "preferences.jsonl.gz", choices)
    write(tmp_path / "response_ratings.jsonl.gz", [])
    return tmp_path


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
    assert all("bullet" in row.one.better.persona and row.other for row in rows)
    alone = gzip.decompress((data / "conversations.jsonl.gz").read_bytes()).decode().splitlines()
    write(data / "conversations.jsonl.gz", [json.loads(line) for line in alone if '-0"' in line])
    assert not any(row.one.better.persona for row in judged(data) if row.source == "ours")
