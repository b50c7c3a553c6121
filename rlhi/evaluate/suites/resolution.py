"""Is done what users had to ask for, and still answered? Tests of the workspace, which complaints became.

Both models answer the request that led to the complaint, with the persona that was known before it; neither is told
the complaint. Beside it the dumbest control: the champion's replies cut to two sentences.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from rlhi.checks import relevance
from rlhi.checks.answers import FLUENT
from rlhi.checks.demands import demands_of
from rlhi.checks.form import fluency
from rlhi.contracts import EvalResult, WorkspaceTest
from rlhi.evaluate.measure import Measure
from rlhi.evaluate.said import AskedTests, Model, Reply
from rlhi.evaluate.suites.controls import cut_to_sentences
from rlhi.models.base import Embedder


def resolution(*, tested: AskedTests, embedder: Embedder) -> list[EvalResult]:
    """The share of a test's checks that a reply meets, 0 for a reply that is not about the request."""
    rows = (_rows("resolution", model, said, tested.tests, embedder) for model, said in tested.replies.items())
    return [row for side in rows for row in side]


def resolution_beyond_two_sentences(*, tested: AskedTests, embedder: Embedder) -> list[EvalResult]:
    """What is left of it above the champion's replies, cut to two sentences."""
    name = "resolution_beyond_two_sentences"
    cut = [replace(one, text=cut_to_sentences(one.text, 2)) for one in tested.replies["champion"]]
    sides: tuple[tuple[Model, Sequence[Reply]], ...] = ("champion", cut), ("challenger", tested.replies["challenger"])
    return [row for model, said in sides for row in _rows(name, model, said, tested.tests, embedder)]


def _rows(
    suite: str, model: Model, said: Sequence[Reply], tests: Mapping[str, WorkspaceTest], embedder: Embedder
) -> Iterator[EvalResult]:
    of = [tests[reply.item.rpartition("/")[0]] for reply in said]
    for reply, test, answers in zip(said, of, _about(said, of, embedder), strict=True):
        yield EvalResult(suite, reply.item, reply.user_id, model, share_met(test, reply.text) if answers else 0.0)


def share_met(test: WorkspaceTest, text: str) -> float:
    """The share of what was asked for that a text does, beside the answer complained of."""
    asked = demands_of(test.asked)
    return sum(one.met(text, test.original) for one in asked) / len(asked)


def _about(said: Sequence[Reply], of: Sequence[WorkspaceTest], embedder: Embedder) -> list[bool]:
    """Whether replies are near their requests, or near what was answered then.

    Where another language is asked for, an embedder of one language tells nothing: then they have to be language.
    """
    near = relevance.about(
        [one.request for one in of], [one.original for one in of], [reply.text for reply in said], embedder
    )
    return [
        fluency(reply.text) >= FLUENT if any(one.check.startswith("language:") for one in test.asked) else found
        for reply, test, found in zip(said, of, near, strict=True)
    ]


MEASURES = (Measure(resolution), Measure(resolution_beyond_two_sentences))
