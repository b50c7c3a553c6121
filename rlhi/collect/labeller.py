"""The follow-up labeller: a frozen head over three sentence embeddings and cheap features.

A small ensemble of one-hidden-layer networks. At use it is plain numpy; its file is an .npz without pickle. It is
trained by ``rlhi bench feedback --train`` (labeller_training.py says on what and how).
"""

from __future__ import annotations

import io
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, cast

from rlhi.collect.features import feature_matrix
from rlhi.contracts import FEEDBACK_LABELS, content_key
from rlhi.models.base import Embedder, ModelError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Floats = NDArray[np.float32]

Context = tuple[str, str, str]  # request, answer, follow-up

SHIPPED = "labeller_head.npz"
COMPONENTS = {"follow_up": 32, "answer": 16, "request": 16}  # principal components of each embedding
ARRAYS = (
    "plain_mean", "plain_scale", *(f"{name}_{part}" for name in COMPONENTS for part in ("mean", "axes")),
    "weights1", "bias1", "weights2", "bias2", "operating_point",
)  # fmt: skip
CLIP = 4.0  # standard deviations: one odd feature must not decide alone


@dataclass(frozen=True, slots=True)
class Signals:
    """What is computed once for a context, whatever the head: plain numbers ``[n, k]``, embeddings ``[n, d]``."""

    plain: Floats
    follow_up: Floats
    answer: Floats
    request: Floats

    def __getitem__(self, rows: NDArray[np.int64]) -> Signals:
        return Signals(self.plain[rows], self.follow_up[rows], self.answer[rows], self.request[rows])

    def joined(self, other: Signals) -> Signals:
        """These rows, then the other's."""
        import numpy as np

        mine = (self.plain, self.follow_up, self.answer, self.request)
        theirs = (other.plain, other.follow_up, other.answer, other.request)
        return Signals(*(np.concatenate(pair) for pair in zip(mine, theirs, strict=True)))


def signals(contexts: Sequence[Context], embedder: Embedder) -> Signals:
    """Embeddings, their similarities and the cheap features of each context."""
    import numpy as np

    vectors = embedder.embed([text for context in contexts for text in context])
    request, answer, follow_up = (vectors[at::3] for at in range(3))
    pairs = ((follow_up, request), (follow_up, answer), (request, answer))
    similar = np.stack([(one * other).sum(axis=1) for one, other in pairs], axis=1)
    plain = np.hstack([feature_matrix(contexts), similar, similar**2, similar[:, :1] > 0.9]).astype(np.float32)
    return Signals(plain, follow_up, answer, request)


class Labeller:
    """A frozen head. ``weights1`` is ``[members, inputs, hidden]``, ``weights2`` is ``[members, hidden, 6]``.

    ``version`` is the hash of its arrays: two heads with one version label alike.
    """

    def __init__(self, arrays: Mapping[str, Floats]) -> None:
        import numpy as np

        self._arrays = {name: np.asarray(arrays[name], dtype=np.float32) for name in ARRAYS}
        shapes = [(name, array.shape, array.astype("<f4").tobytes().hex()) for name, array in self._arrays.items()]
        self.version = content_key(*shapes)

    @classmethod
    def load(cls, path: Path | None = None) -> Labeller:
        """Read a head; ``None`` reads the shipped one.

        Raises:
            ModelError: there is no such file, or it is no head.
        """
        import numpy as np

        try:
            raw = (files("rlhi.collect") / SHIPPED).read_bytes() if path is None else path.read_bytes()
            with np.load(io.BytesIO(raw), allow_pickle=False) as archive:
                return cls(archive)
        except (OSError, EOFError, ValueError, KeyError, zipfile.BadZipFile) as error:
            where = path or SHIPPED
            raise ModelError(
                f"no labeller head at {where} ({error}): `rlhi bench feedback --train` makes one"
            ) from None

    def save(self, path: Path) -> None:
        """Write the head as an .npz (about 200 kB), without pickle."""
        import numpy as np

        with path.open("wb") as file:
            np.savez_compressed(file, allow_pickle=False, **self._arrays)

    def label_probabilities(self, contexts: Sequence[Context], embedder: Embedder) -> NDArray[np.float64]:
        """Rows over ``FEEDBACK_LABELS``, shape ``[len(contexts), 6]``.

        0.5 for the two re-attempts together is the operating point that was chosen when the head was trained.
        """
        import numpy as np

        if not contexts:
            return np.zeros((0, len(FEEDBACK_LABELS)))
        return self.probabilities(signals(contexts, embedder))

    def probabilities(self, given: Signals) -> NDArray[np.float64]:
        """As ``label_probabilities``, from signals that are already there."""
        import numpy as np

        rows = inputs(given, self._arrays).astype(np.float64)
        mean = np.mean([self._member(rows, member) for member in range(len(self._arrays["weights1"]))], axis=0)
        # The odds of a re-attempt are divided by those of the operating point; each side keeps its inner shares.
        point = float(self._arrays["operating_point"][0])
        mean[:, :2] *= 1 - point
        mean[:, 2:] *= point
        return cast("NDArray[np.float64]", mean / mean.sum(axis=1, keepdims=True))

    def at(self, operating_point: float) -> Labeller:
        """The same head, shifted so that this (unshifted) probability of a re-attempt becomes 0.5."""
        import numpy as np

        return Labeller({**self._arrays, "operating_point": np.array([operating_point], dtype=np.float32)})

    def _member(self, rows: NDArray[np.float64], member: int) -> NDArray[np.float64]:
        import numpy as np

        arrays = self._arrays
        hidden = np.maximum(rows @ arrays["weights1"][member] + arrays["bias1"][member], 0)
        logits = hidden @ arrays["weights2"][member] + arrays["bias2"][member]
        odds = np.exp(logits - logits.max(axis=1, keepdims=True))
        return cast("NDArray[np.float64]", odds / odds.sum(axis=1, keepdims=True))


def inputs(given: Signals, arrays: Mapping[str, Floats]) -> Floats:
    """What the networks read: standardised plain numbers and the embeddings' components, ``[n, inputs]``."""
    import numpy as np

    plain = np.clip((given.plain - arrays["plain_mean"]) / arrays["plain_scale"], -CLIP, CLIP)
    blocks = [(getattr(given, name) - arrays[f"{name}_mean"]) @ arrays[f"{name}_axes"] for name in COMPONENTS]
    return np.hstack([plain, *blocks]).astype(np.float32)
