"""Does a reply answer its request at all? Measured without knowing any wish, so it can be asked of every log.

Every other figure once looked at form alone (satisfaction, rewards, checks), and a model that answered
"Sour, no." to "How does soap clean?" was promoted (docs/log.md, 2026-11-29).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from rlhi.checks import words

if TYPE_CHECKING:
    from rlhi.models.base import Embedder

NEAR = 0.5
"""Cosine of two sentence embeddings from which a reply counts as being about its request. Of replies that were read
blind, 95% of the answers reach it, 81% of the weak ones and 23% of those that were no answer (docs/log.md, 2026-11-29).
"""


def nearness(requests: Sequence[str], replies: Sequence[str], embedder: Embedder) -> list[float]:
    """The cosine of each request's and its reply's embedding, in -1 to 1; 0 for a reply without a word.

    It tells replies that left the topic, not weak or wrong ones. With an embedder of English alone, replies in other
    languages look far from English requests.

    Raises:
        ValueError: the lengths differ.
    """
    if len(requests) != len(replies):
        raise ValueError(f"nearness needs a reply for each request: {len(requests)}, {len(replies)}")
    if not replies:
        return []
    texts = {text: at for at, text in enumerate(dict.fromkeys([*requests, *replies]))}  # many replies, few requests
    vectors = embedder.embed(list(texts))
    asked, said = ([texts[text] for text in side] for side in (requests, replies))
    cosines = (vectors[asked] * vectors[said]).sum(axis=1)
    return [float(cosine) if words(reply) else 0.0 for cosine, reply in zip(cosines, replies, strict=True)]
