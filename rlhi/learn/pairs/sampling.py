"""Draw text once and keep it: a request that has a sample is never sampled again, by whichever model."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from rlhi.config import SamplingConfig
from rlhi.contracts import Sample, content_key
from rlhi.learn.pairs.rewrite import SampleRequest
from rlhi.models.base import ChatModel, ModelError, Sampled, Sampling


def draw(
    asked: Sequence[SampleRequest], taken: int, most: int, known: Callable[[str], bool], seed: int
) -> list[SampleRequest]:
    """The requests to sample now: in an order drawn by seed, at most ``most`` in a cycle that took ``taken``.

    The order hangs on the requests alone, so a run that was cut short goes on where it stopped.
    """
    fresh = [one for one in asked if not known(one.key)]
    return sorted(fresh, key=lambda one: content_key(seed, one.key.partition("/")[0]))[: max(0, most - taken)]


def sample(
    asked: Sequence[SampleRequest],
    model: ChatModel,
    n: int,
    config: SamplingConfig,
    seed: int,
    cycle: int,
    keep: Callable[[list[Sample]], None],
    answered: bool = False,
    enough: Callable[[], bool] = lambda: False,
) -> None:
    """Sample ``n`` texts for each request, block by block; ``keep`` stores a block before the next begins.

    Blocks are cut from the order of ``asked``, so that a resumed run makes the same blocks with the same seeds. What an
    endpoint refuses is kept as a sample without text, or every cycle would ask for it again.

    Args:
        answered: the model has answered before, so that it may refuse all that is left.
        enough: asked before each block; what is left is not sampled once it says so.

    Raises:
        ModelError: a model that never answered takes none of the requests; nothing is kept.
    """
    refused: list[Sample] = []
    took = answered
    size = max(1, config.batch // n)
    for start in range(0, len(asked), size):
        if enough():
            break
        block = asked[start : start + size]
        block_seed = int(content_key(seed, [one.key for one in block]), 16) % 2**31
        settings = Sampling(n, config.temperature, config.top_k, config.max_new_tokens, block_seed)
        texts = model.chat([one.messages for one in block], settings)
        got = zip(block, texts, strict=True)
        made = [_kept(one.key, replies, model.name, block_seed, cycle) for one, replies in got]
        took = took or any(one.texts for one in made)
        if not took:
            # Perhaps it would take nothing at all, as it is set up: that is not for ever.
            refused += made
            continue
        keep([*refused, *made])
        refused = []
    if refused:
        raise ModelError(
            f"{model.name} took none of {len(asked)} requests, too long for it or against its content filter: look at "
            "its context length and at max_new_tokens"
        )


def _kept(key: str, replies: Sequence[Sampled], model: str, seed: int, cycle: int) -> Sample:
    cut = tuple(at for at, reply in enumerate(replies) if reply.cut)
    return Sample(key, tuple(map(str, replies)), model, seed, cycle, cut)
