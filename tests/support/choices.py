"""A small data folder of people's choices, as `rlhi bench reward` reads it, and an embedder that needs no model."""

from __future__ import annotations

import gzip
import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from rlhi.contracts import content_key


class WordEmbedder:
    """An ``Embedder`` that hashes a text's words into 32 directions."""

    def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Unit vectors of shape ``[len(texts), 32]``."""
        rows = np.zeros((len(texts), 32), dtype=np.float32)
        for at, text in enumerate(texts):
            for word in text.lower().split():
                rows[at, int(content_key(word), 16) % 32] += 1
        unit: NDArray[np.float32] = rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-6)
        return unit


def write(file: Path, rows: Sequence[Mapping[str, object]]) -> None:
    with gzip.open(file, "wt", encoding="utf-8") as sink:
        sink.writelines(json.dumps(row) + "\n" for row in rows)


def write_choices(folder: Path) -> Path:
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
    write(folder / "conversations.jsonl.gz", talks)
    write(folder / "preferences.jsonl.gz", choices)
    write(folder / "response_ratings.jsonl.gz", [])
    return folder
