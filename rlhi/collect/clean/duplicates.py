"""Conversations that say the same: MinHash signatures in bands, and which of a cluster stays.

Two conversations are near duplicates when they agree in all rows of at least one band of their signatures (Broder
1997; Leskovec, Rajaraman and Ullman, Mining of Massive Datasets, section 3.4). With 14 bands of 8 rows, a pair whose
word 5-grams overlap by 0.9 is found with probability 0.9996, by 0.8 with 0.92, by 0.5 with 0.05. Clusters are the
connected components of these pairs; the first row of a cluster stays. All of it depends on the set of rows alone,
never on their order of arrival.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

from rlhi.contracts import Conversation

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

BANDS, ROWS = 14, 8
SHINGLE_WORDS = 5
# A conversation of fewer words than this is no copy of another that says the same: "hello" is everybody's.
MIN_WORDS = 40
BITMAP_BITS = 22


@dataclass(frozen=True, slots=True)
class Signatures:
    """N conversations for comparison, all arrays aligned.

    ``names`` are 64-bit hashes of (user, conversation), ``moments`` seconds since 1970 (the largest integer where
    unknown), ``bands`` ``(N, BANDS)`` hashes, all zero for a conversation that is too short.
    """

    names: NDArray[np.uint64]
    moments: NDArray[np.int64]
    bands: NDArray[np.uint64]


def bands(conversations: Sequence[Conversation]) -> NDArray[np.uint64]:
    """The band hashes of conversations' texts, roles left aside, ``(N, BANDS)``; all zero where one is too short."""
    import numpy as np

    found = np.zeros((len(conversations), BANDS), dtype=np.uint64)
    digests, places = [], []
    for place, conversation in enumerate(conversations):
        if digest := _digest(conversation):
            digests.append(digest)
            places.append(place)
    if digests:
        every = np.array(digests, dtype=np.uint64).reshape(len(digests), BANDS, ROWS)
        # A sum of products modulo 2^64: two bands of other rows agree by chance once in about 2^64 times.
        found[places] = (every * _multipliers()).sum(axis=2, dtype=np.uint64)
    return found


def _digest(conversation: Conversation) -> list[int]:
    """MinHash over the 5-grams of words; empty where there are too few words."""
    from rensa import RMinHash

    words = " ".join([turn.content for turn in conversation.turns if turn.role != "tool"]).lower().split()
    if len(words) < MIN_WORDS:
        return []
    minhash = RMinHash(num_perm=BANDS * ROWS, seed=0)
    minhash.update(list(map(" ".join, zip(*(words[at:] for at in range(SHINGLE_WORDS)), strict=False))))
    digest: list[int] = minhash.digest()
    return digest


@cache
def _multipliers() -> NDArray[np.uint64]:
    """Odd 64-bit numbers, the same everywhere."""
    import numpy as np

    return np.array([hash64(f"row {at}") | 1 for at in range(ROWS)], dtype=np.uint64)


def hash64(text: str) -> int:
    """A stable 64-bit hash."""
    return int.from_bytes(hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8).digest(), "little")


def first_of_cluster(signatures: Signatures) -> NDArray[np.int64]:
    """For each row the place of the first row of its cluster, ``(N,)``; its own place when nothing came before it.

    First is the earliest by time, then by name.
    """
    import numpy as np
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    count = len(signatures.names)
    one, other = _linked(signatures.bands)
    if not len(one):
        return np.arange(count)
    graph = coo_array((np.ones(len(one), dtype=np.int8), (one, other)), shape=(count, count))
    _, cluster = connected_components(graph, directed=False)
    order = np.lexsort((signatures.names, signatures.moments))
    _, found = np.unique(cluster[order], return_index=True)
    first: NDArray[np.int64] = order[found][cluster]
    return first


def _linked(every: NDArray[np.uint64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Pairs of rows that are neighbours in the order of a band and share its hash."""
    import numpy as np

    ones: list[NDArray[np.int64]] = []
    others: list[NDArray[np.int64]] = []
    for band in range(every.shape[1]):
        column = np.ascontiguousarray(every[:, band])
        shared = places_of_repeated(column)
        order = shared[np.argsort(column[shared], kind="stable")]
        column = column[order]
        same = np.flatnonzero((column[1:] == column[:-1]) & (column[1:] != 0))
        ones.append(order[same])
        others.append(order[same + 1])
    return np.concatenate(ones), np.concatenate(others)


def places_of_repeated(values: NDArray[np.uint64]) -> NDArray[np.int64]:
    """The places of the values, zero left aside, that stand in more than one, in order.

    Of a million hashes few are repeated: sorting them without their places, and asking a bitmap first, takes a third
    of the time of sorting them with their places.
    """
    import numpy as np

    ordered = np.sort(values)
    repeated = ordered[1:][(ordered[1:] == ordered[:-1]) & (ordered[1:] != 0)]
    low = np.uint64((1 << BITMAP_BITS) - 1)
    bitmap = np.zeros(1 << BITMAP_BITS, dtype=np.bool_)
    bitmap[repeated & low] = True
    maybe = np.flatnonzero(bitmap[values & low])
    found: NDArray[np.int64] = maybe[np.isin(values[maybe], repeated)]
    return found


def joined(parts: Sequence[Signatures]) -> Signatures:
    """Several sets of rows as one."""
    import numpy as np

    return Signatures(
        np.concatenate([part.names for part in parts]),
        np.concatenate([part.moments for part in parts]),
        np.concatenate([part.bands for part in parts]),
    )
