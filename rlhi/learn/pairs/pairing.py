"""What makers of pairs share: users and what they wish, the reward model, filters, and the pair itself."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

from rlhi.checks.demands import Demand, demands_of
from rlhi.config import PairsConfig
from rlhi.contracts import Conversation, PairSource, Persona, PreferencePair, Profile, Side, content_key
from rlhi.contracts.thoughts import holds_thought
from rlhi.contracts.turns import asked
from rlhi.learn.pairs.counts import Dropped, Spread, Wanted
from rlhi.learn.pairs.filters import unfit
from rlhi.learn.pairs.substance import Substance
from rlhi.learn.reward.comparisons import prompt_before
from rlhi.models.base import Embedder, Sampled, Scored, Scorer
from rlhi.models.prompts import DEFAULT, Prompts

MARGIN = "margin too small"
COPY = "copy or empty"
THOUGHT = "an answer holds a thought"
CUT = "the chosen answer was cut in the log"


@dataclass
class Pairing:
    """What every maker of pairs needs: whose they are, what judges them, and counts of what gave none.

    Args:
        conversations: by id.
        personas: by user; the one that a pair's prompt tells.
        judged_by: by user; the one that the reward model is told (another only as a control).
        learned: the lessons that the champion has learned.
        seed: draws the users when there may not be all of them.
        embedder: tells answers that left their request; without one all are taken for answers.
        prompts: makes the prompts that pairs answer.
    """

    conversations: Mapping[str, Conversation]
    personas: Mapping[str, Persona]
    judged_by: Mapping[str, Persona]
    scorer: Scorer
    config: PairsConfig
    learned: frozenset[str] = frozenset()
    seed: int = 0
    embedder: Embedder | None = None
    prompts: Prompts = DEFAULT
    dropped: Dropped = field(default_factory=Dropped)
    spread: Spread = field(default_factory=Spread)
    wanted: Wanted = field(default_factory=Wanted)

    @cached_property
    def substance(self) -> Substance:
        """Tells whether answers are about their requests."""
        return Substance(self.config, self.embedder)

    @cached_property
    def learners(self) -> list[str]:
        """Users who are learned from and of whom something is known."""
        return sorted(
            {conversation.user_id for conversation in self.conversations.values() if conversation.has_user}
            & set(self.personas)
        )

    @cached_property
    def content(self) -> list[str]:
        """Users who are learned from and have asked for nothing: they are served as the model answers by itself."""
        said = {user for user, persona in self.personas.items() if persona.text}
        return sorted(
            {conversation.user_id for conversation in self.conversations.values() if conversation.has_user} - said
        )

    def wishes(self, user: str) -> list[Demand]:
        """What the persona that the reward model is told asks for, where an answer alone shows whether it is met."""
        persona = self.judged_by.get(user)
        if persona is None or self.config.wishes == "ignore" or not self.config.filter:
            return []
        return [one for one in demands_of(persona.told) if not one.relative]

    def unfit(self, chosen: str, rejected: str, said: str, asked_for: str) -> str:
        """Why the chosen answer may not be learned from beside the rejected one; empty when it may."""
        return unfit(chosen, rejected, said, self.config, asked_for) if self.config.filter else ""

    def worth(self, margin: float, seen_to_follow: bool = False, counted: bool = True) -> bool:
        """Whether the reward model finds enough of a difference; a margin of 0 says nothing, whatever is configured."""
        worth = margin > 0 and (margin >= self.config.min_margin or not self.config.filter)
        worth |= seen_to_follow and margin > -self.config.max_doubt
        self.dropped.reasons[MARGIN] += counted and not worth
        return worth

    def shows_answers(self, pair: PreferencePair) -> bool:
        """Whether both sides are nothing but answers, the chosen one a whole one: the last line of defence."""
        thinks = holds_thought(pair.chosen) or holds_thought(pair.rejected)
        cut = not thinks and pair.chosen == self._cut(self.conversations[pair.conversation_id], pair.turn_index)
        self.dropped.reasons[THOUGHT] += thinks
        self.dropped.reasons[CUT] += cut
        return not thinks and not cut

    def _cut(self, conversation: Conversation, at: int) -> str | None:
        """The answer of the log, where it was cut."""
        return conversation.turns[at].content if conversation.turns[at].cut else None

    def scores(self, conversation: Conversation, at: int, texts: Sequence[str], user: str = "") -> list[float]:
        """What the reward model finds of these answers, told the persona of ``user``, else of who asked."""
        persona = self.judged_by.get(user or conversation.user_id)
        prompt = prompt_before(conversation, at)
        profile = persona.profile if persona else Profile()
        return self.scorer.score([Scored(profile, prompt, text) for text in texts])

    def pair(
        self, conversation: Conversation, at: int, source: PairSource, chosen: str, rejected: str, high: float,
        low: float, user: str = "",
    ) -> PreferencePair:  # fmt: skip
        """The pair as training reads it, its prompt told the persona of its user."""
        user = user or conversation.user_id
        persona = self.personas.get(user)
        text, version = (persona.text, persona.version) if persona else ("", "")
        where = (conversation.conversation_id, at, source)
        sides: dict[Side, str] = {"chosen": chosen, "rejected": rejected}
        logged = self._cut(conversation, at)
        cut = tuple(side for side, said in sides.items() if said == logged or (isinstance(said, Sampled) and said.cut))
        return PreferencePair(
            content_key(where, chosen, rejected, version), self.prompts.told(asked(conversation.turns, at), text),
            str(chosen), str(rejected), user, *where[:2], source, text, version, high, low, cut,
        )  # fmt: skip
