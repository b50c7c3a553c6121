"""The follow-up labeller: a frozen head that reads cheap features, and a slower tier that also reads embeddings.

At use a head is plain numpy; its file is an .npz without pickle. `rlhi bench feedback --train` trains both
(training.py says on what and how).
"""

from __future__ import annotations

import io
import zipfile
from collections.abc import Callable, Mapping, Sequence
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, cast

from rlhi.collect.feedback.features import READ, feature_matrix
from rlhi.collect.feedback.network import NETWORKS, networks, shifted
from rlhi.contracts import content_key
from rlhi.models.base import Embedder, ModelError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from rlhi.collect.feedback.network import Floats, Matrix

    EmbeddedRows = Callable[[list[int]], Floats]

Context = tuple[str, str, str]  # request, answer, follow-up

SHIPPED = "labeller_head.npz"
SHIPPED_ACCURATE = "labeller_accurate.npz"
CALIBRATION = ("calibration", "operating_point")
COMPONENTS = {"follow_up": 64, "request": 32}  # principal components of each embedding; the answer's said little
AXES = tuple(f"{name}_{part}" for name in COMPONENTS for part in ("center", "axes"))


class _Head:
    """Arrays by name, with a file and a hash. ``version`` is the hash: two heads with one version label alike."""

    names: tuple[str, ...]
    shipped: str

    def __init__(self, arrays: Mapping[str, Floats]) -> None:
        import numpy as np

        # Rounded as the file is: a head labels alike before and after it was saved.
        halves = {name: np.asarray(arrays[name]).astype(np.float16) for name in self.names}
        self.arrays: dict[str, Floats] = {name: half.astype(np.float32) for name, half in halves.items()}
        shapes = [(name, array.shape, array.astype("<f4").tobytes().hex()) for name, array in self.arrays.items()]
        self.version = content_key(READ, *shapes)

    @classmethod
    def read(cls, path: Path | None = None) -> dict[str, Floats]:
        """The arrays of a file; ``None`` reads the shipped one.

        Raises:
            ModelError: there is no such file, or it is no head.
        """
        import numpy as np

        try:
            raw = (files("rlhi.collect.feedback") / cls.shipped).read_bytes() if path is None else path.read_bytes()
            with np.load(io.BytesIO(raw), allow_pickle=False) as archive:
                return {name: archive[name] for name in cls.names}
        except (OSError, EOFError, ValueError, KeyError, zipfile.BadZipFile) as error:
            where = path or cls.shipped
            raise ModelError(
                f"no labeller head at {where} ({error}): `rlhi bench feedback --train` makes one"
            ) from None

    def save(self, path: Path) -> None:
        """Write the arrays as an .npz of half floats, without pickle."""
        import numpy as np

        with path.open("wb") as file:
            halves = {name: array.astype(np.float16) for name, array in self.arrays.items()}
            np.savez_compressed(file, allow_pickle=False, **halves)

    def decided(self, rows: Matrix) -> Matrix:
        """Calibrated probabilities, then shifted so that the operating point becomes 0.5."""
        import numpy as np

        slope, offset = self.arrays["calibration"].tolist()
        point = float(self.arrays["operating_point"][0])
        return shifted(rows, slope, offset - float(np.log(point / (1 - point))))


class Labeller(_Head):
    """The default: networks over the cheap features. It needs no embedder."""

    names = (*NETWORKS, *CALIBRATION)
    shipped = SHIPPED

    @classmethod
    def load(cls, path: Path | None = None) -> Labeller:
        """Read a head; ``None`` reads the shipped one.

        Raises:
            ModelError: there is no such file, or it is no head.
        """
        return cls(cls.read(path))

    def label_probabilities(self, contexts: Sequence[Context]) -> Matrix:
        """Rows over ``FEEDBACK_LABELS``, shape ``[len(contexts), 6]``.

        0.5 for the two re-attempts together is the operating point that was chosen when the head was trained.
        """
        return self.probabilities(feature_matrix(contexts))

    def probabilities(self, plain: Floats) -> Matrix:
        """As ``label_probabilities``, from features that are already there."""
        return self.decided(self.raw(plain))

    def raw(self, plain: Floats) -> Matrix:
        """The networks' mean, neither calibrated nor shifted."""
        return networks(plain, self.arrays)

    def at(self, operating_point: float) -> Labeller:
        """The same head, shifted so that this calibrated probability of a re-attempt becomes 0.5."""
        import numpy as np

        return Labeller({**self.arrays, "operating_point": np.array([operating_point], dtype=np.float32)})


class AccurateLabeller(_Head):
    """The slower tier: where the default is unsure, networks that also read sentence embeddings decide.

    ``band`` holds the least and the greatest probability of a re-attempt, by the default, between which they are
    asked; elsewhere the default's word stands.
    """

    names = (*NETWORKS, *AXES, "band", *CALIBRATION)
    shipped = SHIPPED_ACCURATE

    def __init__(self, arrays: Mapping[str, Floats], default: Labeller, embedder: Embedder | None = None) -> None:
        super().__init__(arrays)
        self.version = content_key(self.version, default.version)
        self._default = default
        self._embedder = embedder

    @classmethod
    def load(cls, embedder: Embedder) -> AccurateLabeller:
        """The shipped pair of heads.

        Raises:
            ModelError: one of them is not there.
        """
        return cls(cls.read(), Labeller.load(), embedder)

    def label_probabilities(self, contexts: Sequence[Context]) -> Matrix:
        """Rows over ``FEEDBACK_LABELS``, shape ``[len(contexts), 6]``; embeds the unclear contexts only."""
        if self._embedder is None:
            raise ModelError("this labeller reads embeddings: give it an embedder")
        plain = feature_matrix(contexts)
        embedder = self._embedder
        return self.probabilities(plain, lambda rows: embeddings([contexts[at] for at in rows], embedder))

    def probabilities(self, plain: Floats, embedded: EmbeddedRows) -> Matrix:
        """As ``label_probabilities``, from features that are already there; ``embedded`` gives the rows asked for."""
        import numpy as np

        found = self._default.probabilities(plain)
        unclear = np.flatnonzero(self.unclear(found))
        if len(unclear):
            read = joined(plain[unclear], embedded(unclear.tolist()), self.arrays)
            found[unclear] = self.decided(networks(read, self.arrays))
        return found

    def unclear(self, found: Matrix) -> NDArray[np.bool_]:
        """Which of the default's rows the embeddings are asked about."""
        low, high = self.arrays["band"].tolist()
        reattempt = found[:, :2].sum(axis=1)
        return cast("NDArray[np.bool_]", (reattempt >= low) & (reattempt <= high))


def embeddings(contexts: Sequence[Context], embedder: Embedder) -> Floats:
    """Unit vectors of follow-up and request, ``[len(contexts), 2, dimensions]``."""
    import numpy as np

    texts = [text for request, _, follow_up in contexts for text in (follow_up, request)]
    return np.asarray(embedder.embed(texts), dtype=np.float32).reshape(len(contexts), len(COMPONENTS), -1)


def joined(plain: Floats, embedded: Floats, axes: Mapping[str, Floats]) -> Floats:
    """Features, then the components of both embeddings and their similarity: what the slower networks read."""
    import numpy as np

    parts = [(embedded[:, at] - axes[f"{name}_center"]) @ axes[f"{name}_axes"] for at, name in enumerate(COMPONENTS)]
    similar = 2 * (embedded[:, 0] * embedded[:, 1]).sum(axis=1, keepdims=True)
    return np.hstack([plain, *parts, similar]).astype(np.float32)
