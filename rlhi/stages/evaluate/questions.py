"""What an evaluation asks of a model: held-out users' requests, and the answers that they chose in the log."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from random import Random

from rlhi.config import EvaluateConfig, PanelConfig, SplitConfig, WhichPersona
from rlhi.contracts import Conversation, Message, Profile, Rewrite, Sample, WorkspaceTest, content_key, to_record
from rlhi.contracts.turns import opened, opening
from rlhi.evaluate import suites
from rlhi.evaluate.said import Choice, Question, Reply, Truth
from rlhi.learn.reward.comparisons import choices as choices_in
from rlhi.learn.reward.comparisons import prompt_before
from rlhi.models.base import Policy, Sampling
from rlhi.models.prompts import Prompts
from rlhi.stages import backends
from rlhi.stages.collect.ingest.stage import conversations
from rlhi.stages.collect.personas import PersonaBefore, personas_told, read_personas
from rlhi.stages.evaluate.follow_ups import follow_ups
from rlhi.stages.samples import SampleStore
from rlhi.stages.simulator.truth import EVALUATION_REQUESTS
from rlhi.workspace import ledger
from rlhi.workspace.store import Workspace, read_json, read_table

Logged = Sequence[tuple[Choice, tuple[Message, ...]]]
"""Logged choices, each with the prompt that it answers."""


@dataclass(frozen=True, slots=True)
class Draw:
    """Which requests and which seeds are drawn: the same every night, or of a ``cycle`` its own."""

    seed: int
    cycle: int | None = None

    def key(self, *parts: str) -> str:
        """What to draw by."""
        return content_key(self.seed, *parts, *(() if self.cycle is None else (self.cycle,)))

    @property
    def first(self) -> int:
        """The first block's seed for sampling; the others count on from it."""
        return self.seed * 1000 if self.cycle is None else int(self.key("samples")[:8], 16)

    @property
    def own(self) -> dict[str, int]:
        """What tells its kept replies from those of others."""
        return {} if self.cycle is None else {"cycle": self.cycle}


@dataclass(frozen=True, slots=True)
class Questions:
    """What the models are asked: ``swapped`` are the same requests, and ``logged_swapped`` the same choices, each with
    another user's persona; ``follow_ups`` are later messages of the log, for judges; ``prompts`` and ``questions`` are
    by suite what it alone asks, without persona; ``tested`` are the requests of ``tests`` of the workspace, an item
    being a test's key."""

    requests: Sequence[Reply] = ()
    swapped: Sequence[Reply] = ()
    follow_ups: Sequence[Reply] = ()
    prompts: Mapping[str, Sequence[Reply]] = field(default_factory=dict)
    logged: Logged = ()
    logged_swapped: Logged = ()
    questions: Mapping[str, Sequence[Question]] = field(default_factory=dict)
    tests: Mapping[str, WorkspaceTest] = field(default_factory=dict)
    tested: Sequence[Reply] = ()

    @property
    def count(self) -> int:
        """For a progress bar."""
        by_suite = (*self.prompts.values(), *self.questions.values())
        own = self.requests, self.swapped, self.follow_ups, self.logged, self.logged_swapped, self.tested
        return sum(map(len, (*own, *by_suite)))


def of_users(
    space: Workspace, config: EvaluateConfig, panel: PanelConfig, prompts: Prompts, split: SplitConfig, draw: Draw,
    known: PersonaBefore, truth: Truth | None,
) -> Questions:  # fmt: skip
    """A panel's requests; with another user's persona too, where wishes are known and ``panel`` wants it."""
    requests = held_out_requests(space, config, panel, prompts, split, draw, known)
    users = {one.user_id for one in requests} if panel.follow_ups else set()
    talks = (row for row in held_out_conversations(space, split) if row.user_id in users)
    later = follow_ups(space, talks, panel.follow_ups, prompts, draw.key, known) if users else ()
    if config.persona != "own" or not panel.lift_samples or not (truth and truth.wishes):
        return Questions(requests, follow_ups=later)
    told = {one.item: one.persona.text for one in requests}
    swapped = held_out_requests(space, config, panel, prompts, split, draw, known, "shuffled")
    differing = [one for one in swapped if told.get(one.item) and one.persona.text not in ("", told[one.item])]
    return Questions(requests, differing, later)


def of_suites(only: Sequence[str] | None = None) -> Questions:
    """What suites ask without users; of all suites, or of some."""
    measures = {name: one for name, one in suites.MEASURES.items() if only is None or name in only}
    prompts = {
        name: [Reply(item, item, Profile(), prompt, "") for item, prompt in prompted]
        for name, one in measures.items()
        if (prompted := one.prompts())
    }
    return Questions(
        prompts=prompts, questions={name: found for name, one in measures.items() if (found := one.questions())}
    )


def of_log(
    space: Workspace, config: EvaluateConfig, prompts: Prompts, split: SplitConfig, seed: int, known: PersonaBefore,
    truth: Truth | None, reader: Policy,
) -> Questions:  # fmt: skip
    """What held-out users chose; ``reader`` tells which answers a model reads whole. With another user's persona where
    no wishes tell what a persona is worth."""
    logged = choices(space, config, prompts, split, seed, known, reader)
    own, wishes = config.persona == "own" and config.lift_samples > 0, bool(truth and truth.wishes)
    swapped = other_persona(space, prompts, split, logged) if own and not wishes else ()
    return Questions(logged=logged, logged_swapped=swapped)


def held_out_requests(
    space: Workspace,
    config: EvaluateConfig,
    panel: PanelConfig,
    prompts: Prompts,
    split: SplitConfig,
    draw: Draw,
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
    for conversation in held_out_conversations(space, split):
        by_user.setdefault(conversation.user_id, {}).setdefault(opening(conversation.turns), conversation)
        every.setdefault(conversation.user_id, []).append(conversation)
    chosen = sorted(by_user, key=lambda user: content_key(draw.seed, "evaluate", user))[: panel.users]
    asked = []
    for user in sorted(chosen):
        random = Random(draw.key("requests", user))
        pool = sorted(set(fixed) or by_user[user])
        row = personas.get(user)
        inferred = row is not None and row.user_id == user and row.origin == "inferred"
        next_one = _behind_the_first(every[user], config.conversations) if fixed else None
        for text in random.sample(pool, min(panel.requests, len(pool))):
            before = next_one if fixed else by_user[user][text]
            persona = row.profile if row else Profile()
            if inferred and before:
                persona = found if (found := known(before, 0)).text else prior
            said = [Message("user", text)] if fixed else opened(by_user[user][text].turns)
            prompt = prompts.told(said, persona.text)
            asked.append(Reply(content_key(user, text), user, persona, prompt, ""))
    return asked


def held_out_conversations(space: Workspace, split: SplitConfig) -> Iterator[Conversation]:
    """Those of held-out users that begin with a request."""
    for conversation in conversations(space):
        if split.holds_out(conversation.user_id) and opening(conversation.turns).strip():
            yield conversation


def _behind_the_first(held_out: Sequence[Conversation], heard: int | None) -> Conversation | None:
    """The conversation that came after so many, by time; None where there is none, or all were heard."""
    ordered = sorted(held_out, key=lambda conversation: (conversation.created_at or "", conversation.conversation_id))
    return None if heard is None or heard >= len(ordered) else ordered[heard]


def answers(
    space: Workspace, config: EvaluateConfig, draw: Draw, model: Policy, asked: Sequence[Reply], n: int,
    identity: str,
) -> list[Reply]:  # fmt: skip
    """``n`` replies for each item, from the store of samples where this very model was asked before, by this engine."""
    if not asked:
        return []  # what is not measured wants no replies: ``n`` is 0 then
    store = SampleStore(space, "evaluate")
    settings = config.sampling.model_dump() | {"n": n} | draw.own
    keys = _keys(store, model.engine, [(identity, _records(one), settings, one.item) for one in asked])
    size = max(1, config.sampling.batch // n)
    cycle = ledger.pinned(space.root).cycle
    for start in range(0, len(asked), size):
        # Blocks are cut from all that is asked and sampled whole, so that a run which finds some of it answered gives
        # the others the replies of an undisturbed one, and both models have the same seeds.
        block = list(zip(keys, asked, strict=True))[start : start + size]
        fresh = {key for key, _ in block if key not in store.samples}
        if not fresh:
            continue
        drawn = draw.first + start
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


def _records(one: Reply) -> list[dict[str, object]]:
    return [to_record(said) for said in one.prompt]


def _keys(store: SampleStore, engine: str, asked: Sequence[tuple[object, ...]]) -> list[str]:
    """The keys of samples. Those that were kept before keys told the engine are taken for the default one's."""
    untold = store.samples if engine == backends.default_engine() else {}
    keys = [(content_key(*one), content_key(*one, engine)) for one in asked]
    return [before if before in untold else now for before, now in keys]


def choices(
    space: Workspace, config: EvaluateConfig, prompts: Prompts, split: SplitConfig, seed: int, known: PersonaBefore,
    reader: Policy,
) -> Logged:  # fmt: skip
    """Held-out users' logged preferences: what they chose or edited, and revisions that they accepted.

    Each is told the persona that was known before the answer. An answer that ``reader`` does not read whole is left
    out: of a part nobody can tell how likely the whole is.
    """
    fit = (one for one in chosen(space, split, seed) if all(reader.fits((Message("user", side),)) for side in one[3:]))
    return [
        (
            Choice(key, conversation.user_id, better, worse),
            prompts.told(prompt_before(conversation, at), known(conversation, at).text),
        )
        for key, conversation, at, better, worse in islice(fit, config.pairs)
    ]


def chosen(space: Workspace, split: SplitConfig, seed: int) -> Iterator[tuple[str, Conversation, int, str, str]]:
    """Held-out users' choices in an order drawn by seed: key, where the answer stands, the better and the worse."""
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
    for key, one in sorted(keyed.items(), key=lambda one: content_key(seed, one[0])):
        yield key, *one


def likelihoods(model: Policy, logged: Logged) -> list[tuple[float, float]]:
    chosen = model.log_likelihood([(prompt, choice.chosen) for choice, prompt in logged])
    rejected = model.log_likelihood([(prompt, choice.rejected) for choice, prompt in logged])
    return list(zip(chosen, rejected, strict=True))


def other_persona(space: Workspace, prompts: Prompts, split: SplitConfig, logged: Logged) -> Logged:
    """The same choices with another held-out user's persona in the prompt, where there is one that differs."""
    rows = read_personas(space)
    own = {row.user_id: row.text for row in rows}
    others = personas_told(rows, "shuffled", split.holds_out)
    return [
        (choice, prompts.told(prompt, others[choice.user_id].text))
        for choice, prompt in logged
        if own.get(choice.user_id) and others[choice.user_id].text != own[choice.user_id]
    ]
