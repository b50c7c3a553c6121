"""The sentence embedder: a small BERT from a local folder, mean pooling, on the CPU.

Plain transformers stands in for sentence-transformers: the pooling is three lines, and one dependency fewer.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from rlhi.models.base import ModelError

if TYPE_CHECKING:
    import numpy as np
    import torch
    from numpy.typing import NDArray

    from rlhi.models.base import Embedder, Vectors

    Row = NDArray[np.float32]

MAX_TOKENS = 128
TOKENS_PER_BATCH = 4096
FILES = ("config.json", "model.safetensors", "tokenizer.json")


class LocalEmbedder:
    """An ``Embedder`` over a folder with ``config.json``, ``model.safetensors`` and ``tokenizer.json``.

    A text longer than ``max_tokens`` keeps its first three quarters and its last quarter of them: a long message
    says what it wants at its head or at its tail. Texts of one length share a batch, so that no vector depends on
    padding; what is left of the batch's influence (the order of a sum) is rounded away.

    >>> LocalEmbedder(Path("minilm")).embed(["shorter", "make it short"])  # doctest: +SKIP
    array([[...]], shape=(2, 384), dtype=float32)

    Raises:
        ModelError: the folder or one of its files is missing, or is no model that transformers can read.
    """

    def __init__(self, path: Path, max_tokens: int = MAX_TOKENS) -> None:
        missing = [
            name for name in ("config.json", "model.safetensors", "tokenizer.json") if not (path / name).is_file()
        ]
        if missing:
            raise ModelError(f"the sentence embedder {path} has no {missing[0]}: run `rlhi model prepare`")
        import torch
        from transformers import AutoModel, AutoTokenizer

        try:
            self._tokenizer = AutoTokenizer.from_pretrained(path, local_files_only=True)
            self._model = AutoModel.from_pretrained(
                path, local_files_only=True, use_safetensors=True, dtype=torch.float32
            ).eval()
        except (OSError, ValueError) as error:
            reason = (str(error).splitlines() or ["unreadable"])[0]
            raise ModelError(
                f"the sentence embedder {path} cannot be read ({reason}): run `rlhi model prepare`"
            ) from None
        self.dimensions = int(self._model.config.hidden_size)
        self._max_tokens = max_tokens

    def embed(self, texts: Sequence[str]) -> Vectors:
        """Unit vectors, float32, shape ``[len(texts), dimensions]``; equal texts are computed once."""
        import numpy as np
        import torch

        unique = sorted(set(texts))
        ids = self._token_ids(unique)
        by_length = sorted(range(len(unique)), key=lambda at: (len(ids[at]), at))
        vectors = np.zeros((len(unique), self.dimensions), dtype=np.float32)
        with torch.inference_mode():
            for batch in _equal_lengths(by_length, ids):
                vectors[batch] = self._pool(torch.tensor([ids[at] for at in batch])).numpy()
        rows = {text: at for at, text in enumerate(unique)}
        return vectors[[rows[text] for text in texts]] if texts else vectors

    def _pool(self, ids: torch.Tensor) -> torch.Tensor:
        """Mean over tokens, unit length, rounded to 5 digits. ``ids`` is ``[batch, tokens]`` without padding."""
        import torch

        states = self._model(input_ids=ids, attention_mask=torch.ones_like(ids)).last_hidden_state
        pooled = torch.nn.functional.normalize(states.float().mean(dim=1), dim=1)
        return (pooled * 1e5).round() / 1e5

    def _token_ids(self, texts: Sequence[str]) -> list[list[int]]:
        if not texts:
            return []
        encoded = self._tokenizer(list(texts), add_special_tokens=False, truncation=False, verbose=False)["input_ids"]
        first, last = self._tokenizer.cls_token_id, self._tokenizer.sep_token_id
        room = self._max_tokens - 2
        head = room * 3 // 4
        cut = (ids if len(ids) <= room else [*ids[:head], *ids[head - room :]] for ids in encoded)
        return [[first, *ids, last] for ids in cut]


REMEMBERED = 50_000
"""Texts: 77 MB of the embedded embedder's vectors."""


class RememberingEmbedder:
    """An ``Embedder`` that computes each text once, for callers who ask for the same texts again and again.

    It forgets all when it holds ``most`` of them.
    """

    def __init__(self, embedder: Embedder, most: int = REMEMBERED) -> None:
        self._embedder = embedder
        self._most = most
        self._known: dict[str, Row] = {}

    def embed(self, texts: Sequence[str]) -> Vectors:
        """As the embedder's."""
        import numpy as np

        if len(self._known) + len(texts) > self._most:
            self._known.clear()
        unknown = sorted(set(texts) - self._known.keys())
        if unknown:
            self._known.update(zip(unknown, self._embedder.embed(unknown), strict=True))
        return np.stack([self._known[text] for text in texts]) if texts else self._embedder.embed([])


def _equal_lengths(order: Sequence[int], ids: Sequence[Sequence[int]]) -> list[list[int]]:
    """Split ``order`` (sorted by length) into batches of one length, of at most ``TOKENS_PER_BATCH`` tokens."""
    batches: list[list[int]] = []
    for at in order:
        length = len(ids[at])
        full = not batches or len(ids[batches[-1][0]]) != length or (len(batches[-1]) + 1) * length > TOKENS_PER_BATCH
        if full:
            batches.append([])
        batches[-1].append(at)
    return batches
