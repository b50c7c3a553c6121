"""Topics: clusters of what the former users ask, by sentence embeddings; new requests fall into the nearest."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from rlhi.models.base import Embedder

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

LONGEST = 2000
"""Characters of a request that are read."""
TRIES = 4


def topics(
    current: Sequence[str], reference: Sequence[str], embedder: Embedder, clusters: int
) -> tuple[list[str | None], list[str | None]]:
    """A topic for each request, ``topic 1`` the largest of the reference; None for one without text.

    The clusters are the reference's alone, by k-means from a fixed seed, on one thread and in an order that does not
    depend on the store's: equal requests have equal topics.
    """
    known = sorted({_read(text) for text in reference} - {""})
    asked = sorted({_read(text) for text in current} - {""} - {*known})
    if len(known) < clusters:
        return [None] * len(current), [None] * len(reference)
    vectors = embedder.embed([*known, *asked])
    labels = _clustered(vectors, len(known), clusters)
    named = dict(zip([*known, *asked], labels, strict=True))
    new, former = ([named.get(_read(text)) for text in side] for side in (current, reference))
    return new, former


def _clustered(vectors: NDArray[np.float32], known: int, clusters: int) -> list[str]:
    import numpy as np
    from sklearn.cluster import KMeans
    from threadpoolctl import threadpool_limits

    with threadpool_limits(1):
        fitted = KMeans(clusters, n_init=TRIES, random_state=0).fit(vectors[:known].astype(np.float64))
        nearest = fitted.predict(vectors.astype(np.float64))
    sizes = np.bincount(nearest[:known], minlength=clusters)
    ranks = {int(cluster): rank for rank, cluster in enumerate(np.argsort(-sizes, kind="stable"), 1)}
    return [f"topic {ranks[int(cluster)]}" for cluster in nearest]


def _read(text: str) -> str:
    return text[:LONGEST].strip()
