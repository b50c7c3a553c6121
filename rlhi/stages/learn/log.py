"""Who is learned from, and how: the log of users who teach, their requests, and the maker of their pairs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from rlhi.config import CandidatesConfig, PairsConfig, PromptConfig, RewritesConfig, SplitConfig
from rlhi.contracts import Conversation, FeedbackTurn, Persona
from rlhi.learn.pairs import candidates as ubr
from rlhi.learn.pairs import rewrite as ugr
from rlhi.learn.pairs.build import PairMaker
from rlhi.learn.pairs.judged import JudgedMaker
from rlhi.learn.pairs.rewrite import SampleRequest
from rlhi.models.base import Embedder, Scorer
from rlhi.models.prompts import Prompts
from rlhi.stages.collect.ingest.stage import conversations
from rlhi.stages.collect.personas import personas_told, read_personas
from rlhi.workspace.store import Workspace, read_table


@dataclass(frozen=True, slots=True)
class Log:
    """What the log holds of all users and what was found out of it: conversations and personas by name."""

    conversations: dict[str, Conversation]
    labels: list[FeedbackTurn]
    personas: dict[str, Persona]


def read_log(space: Workspace) -> Log:
    """The workspace's conversations that are not set aside, labels and personas."""
    labels = read_table(space.path("data/feedback"), FeedbackTurn)
    personas = read_personas(space)
    by_id = {row.conversation_id: row for row in conversations(space)}
    return Log(by_id, labels, {row.user_id: row for row in personas})


def complaints(log: Log, config: RewritesConfig, prompt: PromptConfig, split: SplitConfig) -> list[SampleRequest]:
    """What may be rewritten."""
    found = ugr.complaints(log.conversations.values(), log.labels, log.personas, config, Prompts(prompt))
    return [one for one in found if split.teaches(one.user_id)]


def requests(log: Log, config: CandidatesConfig, prompt: PromptConfig, split: SplitConfig) -> list[SampleRequest]:
    """What may be sampled for: requests, complaints and thanks left out, with their users' personas."""
    found = ubr.requests(log.conversations.values(), log.labels, log.personas, config, Prompts(prompt))
    return [one for one in found if split.teaches(one.user_id)]


def lessons_of(training: Mapping[str, object]) -> frozenset[str]:
    """What a model has learned, by its training.json; nothing for one that this loop did not train."""
    held = training.get("lessons")
    return frozenset(map(str, held)) if isinstance(held, list) else frozenset()


def pair_maker(
    log: Log,
    config: PairsConfig,
    prompt: PromptConfig,
    split: SplitConfig,
    seed: int,
    scorer: Scorer,
    embedder: Embedder,
    learned: frozenset[str] = frozenset(),
) -> PairMaker:
    """Makes pairs of these users' turns, judged by ``scorer`` as ``pairs.persona`` says."""
    judged_by = personas_told(log.personas.values(), config.persona, split.part_of)
    by_id = _learned_from(log, split)
    return PairMaker(by_id, log.personas, judged_by, scorer, config, learned, seed, embedder, Prompts(prompt))


def judged_maker(
    log: Log, config: PairsConfig, prompt: PromptConfig, split: SplitConfig, seed: int, learned: frozenset[str]
) -> JudgedMaker:
    """Makes judged answers of these users' turns."""
    return JudgedMaker(_learned_from(log, split), log.personas, config, learned, seed, Prompts(prompt))


def _learned_from(log: Log, split: SplitConfig) -> dict[str, Conversation]:
    return {
        name: conversation for name, conversation in log.conversations.items() if split.teaches(conversation.user_id)
    }
