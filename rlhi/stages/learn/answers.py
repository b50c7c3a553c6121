"""Between the rounds of the stage ``dpo``: the model just trained answers anew, and its answers are judged.

Answers are kept in ``data/samples/dpo``: a run that was killed asks for none twice.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from rlhi.config import CandidatesConfig, ModelsConfig, PairsConfig, PromptConfig, SplitConfig
from rlhi.contracts import Sample
from rlhi.learn.pairs.candidates import candidates
from rlhi.learn.pairs.lessons import size, training_set
from rlhi.learn.pairs.rewrite import SampleRequest
from rlhi.learn.pairs.sampling import sample
from rlhi.learn.training.lengths import Lengths
from rlhi.learn.training.plan import PolicyPlan
from rlhi.learn.training.rounds import Fresh, Round, fresh_requests, room
from rlhi.progress import progress
from rlhi.stages import backends
from rlhi.stages.backends import local_model
from rlhi.stages.learn.log import Log, pair_maker, read_log, requests
from rlhi.stages.learn.reward_models import scorer
from rlhi.stages.learn.teachers import Teachers
from rlhi.stages.samples import SampleStore
from rlhi.workspace import ledger
from rlhi.workspace.store import Workspace


@dataclass(frozen=True, slots=True)
class Answers:
    """Asks the model of a round, by these sections of params.yaml."""

    space: Workspace
    candidates: CandidatesConfig
    pairs: PairsConfig
    prompt: PromptConfig
    split: SplitConfig
    models: ModelsConfig

    def fresh(self, plan: PolicyPlan, rounds: Sequence[Round]) -> Fresh | str:
        """What the last round's model answers now, as pairs for the next; or why the rounds end here."""
        embedder = backends.remembering(self.models)
        before, head = rounds[-1], scorer(self.space, self.models, embedder)
        dpo, following = plan.dpo, before.plan.round + 1
        ended = f"ended before round {following} of {dpo.rounds}"
        if head.is_neutral:
            return f"{ended}: the reward model was trained on too little to tell answers apart"
        log = read_log(self.space)
        asked = self._requests(log, rounds)
        teachers = Teachers(self.space, self.candidates, self.models, plan.seed, asked, log)
        samples, wanting = self._sampled(before, asked, teachers)
        if wanting:
            return f"{ended}: of its own answers, {wanting}"
        rows = list(candidates(asked, samples))
        maker = pair_maker(log, self.pairs, self.prompt, self.split, plan.seed, head, embedder)
        made = list(maker.on_policy(rows, Counter(pair.user_id for one in rounds for pair in one.pairs)))
        maker.spread.check()
        used = sum(size(one.rows) for one in rounds)
        most = room(dpo.max_pairs, math.ceil(used), following, dpo.rounds)
        lengths = Lengths(before.trained.model, dpo.max_length)
        drawn, _ = training_set(made, frozenset(), 0.0, most, plan.seed, lengths.fits)
        if len(drawn) < dpo.min_fresh_pairs:
            fit = f" that fit dpo.max_length ({len(lengths.too_long)} do not)" if lengths.too_long else ""
            return f"{ended}: {len(drawn)} fresh pairs{fit}, dpo.min_fresh_pairs is {dpo.min_fresh_pairs}"
        maker.dropped.reasons["longer than dpo.max_length"] += len(lengths.too_long)
        maker.dropped.reasons["over the round's share"] += len(made) - len(drawn) - len(lengths.too_long)
        distinct = len(rows) / max(1, self.candidates.n * len(asked))
        dropped = tuple(sorted((reason, count) for reason, count in maker.dropped.reasons.items() if count))
        return Fresh(tuple(drawn), len(asked), distinct, maker.spread, dropped)

    def _requests(self, log: Log, rounds: Sequence[Round]) -> list[SampleRequest]:
        """What to ask: first of all what this cycle's candidates were sampled for."""
        cycle, held = ledger.pinned(self.space.root).cycle, SampleStore(self.space, "candidates").samples
        found, users = (
            requests(log, self.candidates, self.prompt, self.split),
            {pair.user_id for pair in rounds[0].pairs},
        )
        if self.pairs.max_users:
            found = [one for one in found if one.user_id in users]
        this_cycle = {name for name, one in held.items() if one.cycle == cycle}
        before = rounds[-1]
        return fresh_requests(found, this_cycle.__contains__, before.weights, self.candidates, before.plan.seed)

    def _sampled(
        self, before: Round, asked: Sequence[SampleRequest], teachers: Teachers
    ) -> tuple[Mapping[str, Sample], str]:
        """All samples, once the round's model has answered what it had not answered; what it was found wanting of."""
        store, cycle = SampleStore(self.space, "dpo"), ledger.pinned(self.space.root).cycle
        sampling, number = self.candidates.sampling, before.plan.round
        name = f"cycle {cycle}, round {number}, {before.weights[:12]}"
        todo = [one for one in asked if one.key not in store.samples]
        with progress(f"sampling anew after round {number}", len(todo)) as advance:

            def keep(block: list[Sample]) -> None:
                store.keep(block)
                advance(len(block), "")

            def enough() -> bool:
                return teachers.fails(store.samples, cycle, name)

            if todo:
                model = local_model(before.trained.model, name, sampling, self.models)
                sample(todo, model, self.candidates.n, sampling, before.plan.seed, cycle, keep, enough=enough)
                model.release()
        return store.samples, teachers.verdict(store.samples, cycle, name).wanting if teachers.asks else ""
