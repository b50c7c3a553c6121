"""What the stages that sample share: until when they sample, and what they tell of it."""

from __future__ import annotations

from collections.abc import Sequence

from rlhi.config import SamplingConfig
from rlhi.contracts import Sample
from rlhi.learn.pairs.rewrite import SampleRequest
from rlhi.learn.pairs.sampling import draw, sample
from rlhi.models.base import ChatModel
from rlhi.progress import progress
from rlhi.stages.learn.teachers import WANTING, Teachers, counted
from rlhi.stages.samples import SampleStore
from rlhi.workspace import ledger
from rlhi.workspace.store import Workspace


def sampled(
    space: Workspace,
    seed: int,
    teachers: Teachers,
    asked: Sequence[SampleRequest],
    model: ChatModel,
    most: int,
    n: int,
    config: SamplingConfig,
) -> tuple[SampleStore, int, str]:
    """Sample what this cycle may still sample, until the model is found wanting.

    The stage's store, how many requests are new in it, and what is to be told of a model that may not teach.
    """
    cycle, new = _cycle(space), 0
    store = SampleStore(space, teachers.stage)
    todo = draw(asked, store.taken(cycle, (one.key for one in asked)), most, store.samples.__contains__, seed)
    with progress(f"sampling {teachers.stage}", len(todo)) as advance:

        def keep(block: list[Sample]) -> None:
            nonlocal new
            store.keep(block)
            new += len(block)
            advance(len(block), "")

        def enough() -> bool:
            return teachers.fails(store.samples, cycle, model.name)

        if todo:
            sample(todo, model, n, config, seed, cycle, keep, store.answered(model.name), enough)
    verdict = teachers.verdict(store.samples, cycle, model.name) if teachers.asks else None
    return store, new, teachers.told(verdict, model.name) if verdict and verdict.wanting else ""


def judged(space: Workspace, teachers: Teachers, store: SampleStore, model: ChatModel) -> dict[str, int | float | str]:
    """The figures that the model was judged by in this cycle; none where nothing is asked or was said."""
    verdict = teachers.verdict(store.samples, _cycle(space), model.name) if teachers.asks else None
    return counted(verdict) if verdict and verdict.measured.said else {}


def noted(wanting: str) -> dict[str, object]:
    return {WANTING: wanting} if wanting else {}


def used(space: Workspace, store: SampleStore, asked: Sequence[SampleRequest]) -> str:
    """How many requests this cycle sampled; and how many samples are of cycles before, by whichever model they are."""
    keys = [one.key for one in asked if one.key in store.samples]
    now = store.taken(_cycle(space), keys)
    return f"{now} (and {len(keys) - now} of cycles before)" if len(keys) > now else str(now)


def cut_off(cut: Sequence[bool], tokens: int) -> str:
    """A warning where most of the text had not ended: what that costs, and what to do."""
    if sum(cut) <= len(cut) / 2:
        return ""
    return (
        f"; {sum(cut)} of {len(cut)} are cut off at {tokens} tokens and teach no end; "
        "a larger sampling.max_new_tokens takes longer"
    )


def unanswered(asked: Sequence[SampleRequest], store: SampleStore) -> dict[str, int]:
    """How many requests an endpoint would not take: too long for it, or refused by its content filter."""
    count = sum(not store.samples[one.key].texts for one in asked if one.key in store.samples)
    return {"refused by the model": count} if count else {}


def _cycle(space: Workspace) -> int:
    return ledger.pinned(space.root).cycle
