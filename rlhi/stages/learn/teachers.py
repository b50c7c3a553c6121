"""Who may teach: samples of a model found wanting on this log become no rows (:mod:`rlhi.learn.pairs.competence`).

A model is judged in each cycle anew, by the first requests that it was asked in it, in the order of the draw: a run
that was killed comes to the same verdict from the samples that it kept.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import cast

from rlhi.config import CandidatesConfig, ModelsConfig, RewritesConfig
from rlhi.contracts import Sample, content_key, from_record
from rlhi.contracts.turns import beside, request
from rlhi.learn.pairs.competence import FEWEST, Competence, Said, measure
from rlhi.learn.pairs.rewrite import SampleRequest
from rlhi.learn.pairs.sampling import draw
from rlhi.stages import backends
from rlhi.stages.learn.log import Log
from rlhi.workspace.store import Workspace, read_json, read_note, write_json

WANTING = "wanting"
"""The note in a table's manifest that tells why a model's samples are not in it."""
MODELS = {"rewrites": "rewriter", "candidates": "policy"}
"""Who samples for a stage, by its name in params.yaml (models)."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a model's first outputs in a cycle were worth; ``wanting`` says what is missing, empty if it may teach."""

    measured: Competence
    wanting: str


class Teachers:
    """Judges who samples for the stage of this section; ``asked`` is all that it may be asked."""

    def __init__(
        self, space: Workspace, config: RewritesConfig | CandidatesConfig, models: ModelsConfig, seed: int,
        asked: Sequence[SampleRequest], log: Log,
    ) -> None:  # fmt: skip
        if isinstance(config, RewritesConfig):
            self.stage, n = "rewrites", config.tries
        else:
            self.stage, n = "candidates", config.n
        self.limits = config.competence
        self._models, self._log = models, log
        self._order = draw(asked, 0, len(asked), lambda _: False, seed)
        block = max(1, config.sampling.batch // n)
        self.first: int = math.ceil(FEWEST / block) * block
        self._cache = space.path(f".rlhi/competence/{self.stage}.json")

    @property
    def asks(self) -> bool:
        """Whether anything is asked of who teaches."""
        return any(self.limits.model_dump().values())

    def judged_by(self, samples: Mapping[str, Sample], cycle: int, model: str) -> list[SampleRequest]:
        """The requests that the model was asked first in this cycle and gave text to."""
        held = [(one, samples[one.key]) for one in self._order if one.key in samples]
        return [one for one, said in held if said.texts and (said.cycle, said.model) == (cycle, model)][: self.first]

    def verdict(self, samples: Mapping[str, Sample], cycle: int, model: str) -> Verdict:
        """What its first outputs were worth; measured once, and again only of other outputs."""
        outputs = [said for one in self.judged_by(samples, cycle, model) for said in self._said(one, samples[one.key])]
        key = content_key([list(asdict(said).values()) for said in outputs], self._models.embedder)
        cache = read_json(self._cache)
        if key not in cache:
            measured = measure(outputs, backends.embedder(self._models))
            cache[key] = asdict(measured)
            write_json(self._cache, cache)
        found = from_record(Competence, cast(Mapping[str, object], cache[key]))
        return Verdict(found, found.wanting(self.limits))

    def fails(self, samples: Mapping[str, Sample], cycle: int, model: str) -> bool:
        """Whether it has said enough to be judged, and was found wanting."""
        if not self.asks or len(self.judged_by(samples, cycle, model)) < self.first:
            return False
        return bool(self.verdict(samples, cycle, model).wanting)

    def teaching(self, samples: Mapping[str, Sample]) -> dict[str, Sample]:
        """The samples without those of a model in a cycle in which it was found wanting."""
        if not self.asks:
            return dict(samples)
        made = {(one.cycle, one.model) for one in samples.values()}
        wanting = {group for group in made if self.verdict(samples, *group).wanting}
        return {key: one for key, one in samples.items() if (one.cycle, one.model) not in wanting}

    def told(self, verdict: Verdict, model: str) -> str:
        """What the stage says of a model that was found wanting, and which one would be needed."""
        named = f"name a model that can in params.yaml (models.{MODELS[self.stage]}), a few billion weights at least"
        longer = f"raise {self.stage}.sampling.max_new_tokens"
        one = verdict.measured
        fits = one.answers >= self.limits.answers and one.language >= self.limits.language
        remedies = [longer, named] if fits else [named, longer] if one.ended < self.limits.ended else [named]
        return (
            f"no {self.stage} from {model}: {verdict.wanting}; {', or '.join(remedies)}; what users chose and revised "
            "themselves still makes pairs"
        )

    def _said(self, one: SampleRequest, sample: Sample) -> list[Said]:
        turns = self._log.conversations[one.conversation_id].turns
        told = "\n".join(message.content for message in one.messages)
        asked, logged = request(turns, one.turn_index), turns[one.turn_index].content
        # What follows an answer that is rewritten is the complaint of it.
        after = turns[beside(turns, one.turn_index, 1)].content if self.stage == "rewrites" else ""
        return [Said(asked, logged, told, text, at in sample.cut, after) for at, text in enumerate(sample.texts)]


def counted(verdict: Verdict) -> dict[str, int | float | str]:
    """The figures of a verdict by name."""
    one = verdict.measured
    return {
        "outputs judged": one.said, "of them answer": one.answers, "of them ended": one.ended,
        "of them are language": one.language,
    }  # fmt: skip


def found_wanting(space: Workspace) -> tuple[str, ...]:
    """What the stages that sample last said of models that may not teach."""
    notes = (read_note(space.path(f"data/{stage}")).get(WANTING) for stage in MODELS)
    return tuple(str(note) for note in notes if note)
