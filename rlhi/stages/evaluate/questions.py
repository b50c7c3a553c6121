"""What an evaluation asks of a model: held-out users' requests, and the answers that they chose in the log."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from random import Random

from rlhi.config import EvaluateConfig, SplitConfig, WhichPersona
from rlhi.contracts import Conversation, Message, Profile, Rewrite, Sample, content_key, to_record
from rlhi.contracts.turns import opening
from rlhi.evaluate import suites
from rlhi.evaluate.said import Choice, Model, Question, Reply, Truth
from rlhi.learn.reward.comparisons import choices as choices_in
from rlhi.learn.reward.comparisons import prompt_before
from rlhi.models.base import Policy, Sampling
from rlhi.models.prompts import with_persona
from rlhi.stages.collect.ingest.stage import conversations
from rlhi.stages.collect.personas import PersonaBefore, personas_told, read_personas
from rlhi.stages.learn.dpo import TRAINING
from rlhi.stages.samples import SampleStore
from rlhi.stages.simulator.truth import EVALUATION_REQUESTS
from rlhi.workspace import ledger
from rlhi.workspace.store import Workspace, read_json, read_table

Logged = Sequence[tuple[Choice, tuple[Message, ...]]]
"""Logged choices, each with the prompt that it answers."""


@dataclass(frozen=True, slots=True)
class Questions:
    """What both models are asked: ``swapped`` are the same requests, and ``logged_swapped`` the same choices, each with
    another user's persona; ``prompts`` and ``questions`` are by suite what it alone asks, without persona."""

    requests: Sequence[Reply]
    swapped: Sequence[Reply]
    prompts: Mapping[str, Sequence[Reply]]
    logged: Logged
    logged_swapped: Logged
    questions: Mapping[str, Sequence[Question]]

    @property
    def count(self) -> int:
        """For a progress bar."""
        by_suite = (*self.prompts.values(), *self.questions.values())
        return sum(map(len, (self.requests, self.swapped, self.logged, self.logged_swapped, *by_suite)))


def asked_of_both(
    space: Workspace, config: EvaluateConfig, split: SplitConfig, seed: int, known: PersonaBefore, truth: Truth | None,
    reader: Policy,
) -> Questions:  # fmt: skip
    """All that is asked of both models; ``reader`` tells which logged answers a model reads whole."""
    requests = held_out_requests(space, config, split, seed, known)
    logged = choices(space, config, split, seed, known, reader)
    own, wishes = config.persona == "own" and config.lift_samples > 0, bool(truth and truth.wishes)
    # By wishes where they are known, else by what users chose in the log.
    swapped = held_out_requests(space, config, split, seed, known, "shuffled") if own and wishes else []
    told = {one.item: one.persona.text for one in requests}
    swapped = [one for one in swapped if one.persona.text not in ("", told.get(one.item, "")) and told.get(one.item)]
    logged_swapped = other_persona(space, split, logged) if own and not wishes else []
    prompts = {
        name: [Reply(item, item, Profile(), prompt, "") for item, prompt in prompted]
        for name, one in suites.MEASURES.items()
        if (prompted := one.prompts())
    }
    questions = {name: found for name, one in suites.MEASURES.items() if (found := one.questions())}
    return Questions(requests, swapped, prompts, logged, logged_swapped, questions)


def held_out_requests(
    space: Workspace,
    config: EvaluateConfig,
    split: SplitConfig,
    seed: int,
    known: PersonaBefore,
    which: WhichPersona | None = None,
) -> list[Reply]:
    """What to ask: the simulator's evaluation requests where there are some, else held-out users' own requests.

    A request of the log's comes with the persona that was known before it, or with the prior: what its user complained
    of afterwards would tell both models how to answer. Where a log tells no times, all of the user's other
    conversations count as before, and an edited persona is told as it is, for edits have no date.

    ``which`` persona is told, if not the one that ``evaluate.persona`` names; another user's has no date here. Requests
    that are asked afresh come after all that was said, or after a user's first ``evaluate.conversations``.
    """
    which = which or config.persona
    personas = personas_told(read_personas(space), which, split.holds_out)
    prior = next((row.profile for row in personas.values() if row.origin == "prior"), Profile())
    kept = read_json(space.path(EVALUATION_REQUESTS)).get("requests")
    fixed = [str(text) for text in kept] if isinstance(kept, list) else []
    by_user: dict[str, dict[str, Conversation]] = {}
    every: dict[str, list[Conversation]] = {}
    for conversation in conversations(space):
        if split.holds_out(conversation.user_id) and (first := opening(conversation.turns)).strip():
            by_user.setdefault(conversation.user_id, {}).setdefault(first, conversation)
            every.setdefault(conversation.user_id, []).append(conversation)
    chosen = sorted(by_user, key=lambda user: content_key(seed, "evaluate", user))[: config.users]
    asked = []
    for user in sorted(chosen):
        random = Random(content_key(seed, "requests", user))
        pool = sorted(set(fixed) or by_user[user])
        row = personas.get(user)
        inferred = row is not None and row.user_id == user and row.origin == "inferred"
        next_one = _behind_the_first(every[user], config.conversations) if fixed else None
        for text in random.sample(pool, min(config.requests, len(pool))):
            before = next_one if fixed else by_user[user][text]
            persona = row.profile if row else Profile()
            if inferred and before:
                persona = found if (found := known(before, 0)).text else prior
            prompt = with_persona([Message("user", text)], persona.text)
            asked.append(Reply(content_key(user, text), user, persona, prompt, ""))
    return asked


def _behind_the_first(held_out: Sequence[Conversation], heard: int | None) -> Conversation | None:
    """The conversation that came after so many, by time; None where there is none, or all were heard."""
    ordered = sorted(held_out, key=lambda conversation: (conversation.created_at or "", conversation.conversation_id))
    return None if heard is None or heard >= len(ordered) else ordered[heard]


def answers(
    space: Workspace, config: EvaluateConfig, seed: int, model: Policy, asked: Sequence[Reply], n: int,
    identity: str,
) -> list[Reply]:  # fmt: skip
    """``n`` replies for each item, from the store of samples where this very model was asked before."""
    if not asked:
        return []  # what is not measured wants no replies: ``n`` is 0 then
    store = SampleStore(space, "evaluate")
    settings = config.sampling.model_dump() | {"n": n}
    keys = [content_key(identity, [to_record(said) for said in one.prompt], settings, one.item) for one in asked]
    size = max(1, config.sampling.batch // n)
    cycle = ledger.pinned(space.root).cycle
    for start in range(0, len(asked), size):
        # Blocks are cut from all that is asked and sampled whole, so that a run which finds some of it answered gives
        # the others the replies of an undisturbed one, and both models have the same seeds.
        block = list(zip(keys, asked, strict=True))[start : start + size]
        fresh = {key for key, _ in block if key not in store.samples}
        if not fresh:
            continue
        drawn = seed * 1000 + start
        sampling = Sampling(
            n, config.sampling.temperature, config.sampling.top_k, config.sampling.max_new_tokens, drawn
        )
        texts = model.chat([one.prompt for _, one in block], sampling)
        store.keep([
            Sample(key, tuple(got), model.name, drawn, cycle)
            for (key, _), got in zip(block, texts, strict=True)
            if key in fresh
        ])  # fmt: skip
    return [
        Reply(f"{one.item}/{at}", one.user_id, one.persona, one.prompt, text)
        for key, one in zip(keys, asked, strict=True)
        for at, text in enumerate(store.samples[key].texts)
    ]


def samples_key(space: Workspace, model: Model, version: str) -> str:
    if model == "champion":
        return version
    return content_key(read_json(space.path("models/challenger") / TRAINING))


def choices(
    space: Workspace, config: EvaluateConfig, split: SplitConfig, seed: int, known: PersonaBefore,
    reader: Policy,
) -> Logged:  # fmt: skip
    """Held-out users' logged preferences: what they chose or edited, and revisions that they accepted.

    Each is told the persona that was known before the answer. An answer that ``reader`` does not read whole is left
    out: of a part nobody can tell how likely the whole is.
    """
    held_out = {row.conversation_id: row for row in conversations(space) if split.holds_out(row.user_id)}
    found = [
        (conversation, at, better, worse)
        for conversation in held_out.values()
        for at, _, better, worse in choices_in(conversation)
    ]
    for row in read_table(space.path("data/rewrites"), Rewrite):
        if row.source == "observed_revision" and row.conversation_id in held_out:
            found.append((held_out[row.conversation_id], row.turn_index, row.text, row.original))
    keyed = {content_key(one[0].conversation_id, *one[1:]): one for one in found}
    fit = (
        (key, one)
        for key, one in sorted(keyed.items(), key=lambda one: content_key(seed, one[0]))
        if all(reader.fits((Message("user", side),)) for side in one[2:])
    )
    drawn = islice(fit, config.pairs)
    return [
        (
            Choice(key, conversation.user_id, better, worse),
            with_persona(prompt_before(conversation, at), known(conversation, at).text),
        )
        for key, (conversation, at, better, worse) in drawn
    ]


def likelihoods(model: Policy, logged: Logged) -> list[tuple[float, float]]:
    chosen = model.log_likelihood([(prompt, choice.chosen) for choice, prompt in logged])
    rejected = model.log_likelihood([(prompt, choice.rejected) for choice, prompt in logged])
    return list(zip(chosen, rejected, strict=True))


def other_persona(space: Workspace, split: SplitConfig, logged: Logged) -> Logged:
    """The same choices with another held-out user's persona in the prompt, where there is one that differs."""
    rows = read_personas(space)
    own = {row.user_id: row.text for row in rows}
    others = personas_told(rows, "shuffled", split.holds_out)
    return [
        (choice, with_persona(prompt, others[choice.user_id].text))
        for choice, prompt in logged
        if own.get(choice.user_id) and others[choice.user_id].text != own[choice.user_id]
    ]
