"""The experiments: each a question and its arms. The first arm is what the others are compared with."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Literal

from rlhi.bench.experiments.world import Overrides
from rlhi.config import GateConfig
from rlhi.simulate.wishes import only


@dataclass(frozen=True, slots=True)
class Arm:
    """One way of doing it: what differs in params.yaml, and in the users who talk."""

    name: str
    overrides: Overrides = field(default_factory=dict)
    simulator: Mapping[str, object] = field(default_factory=dict)


Measured = Literal["satisfaction", "problems", "rewrites"]


@dataclass(frozen=True, slots=True)
class Experiment:
    """``measured``: before and after learning, held-out users' satisfaction or the problems that are solved for them;
    or the wishes that rewrites meet."""

    question: str
    arms: tuple[Arm, ...]
    measured: Measured = "satisfaction"
    cycles: int = 1


# What is asked of the reward model or of filters is not to be answered by the wishes that a program checks.
BY_REWARD = {"wishes": "ignore"}
# A dozen users of a world give more pairs than so many: few and many users are compared at this number, each pair read
# four times, for two steps teach nobody.
AT_FEW = {"max_pairs": 16, "min_new_pairs": 8, "epochs": 4}
# Half of them come from a world's requests (56 at full size), answered anew: both arms can fill it.
ONLINE_PAIRS = 48

# A gate that lets all pass: what forgetting there is must show.
OPEN: Mapping[str, object] = {
    "gains": {name: {"margin": -2.0} for name in GateConfig().gains},
    "guards": {name: {"max_drop": 2.0} for name in GateConfig().guards},
    "drift": "report", "judge": 0,
}  # fmt: skip
AS_BY_DEFAULT = {"instruction_samples": 4, "recognised": 1}
ALL_PROMOTED = Arm("all promoted, replay of 30%", {"pairs": {"replay": 0.3}, "gate": OPEN})

# Three of four wish for bullet points, one for prose: of users whose wishes oppose one another a prior knows nothing.
MOST_ALIKE: Mapping[str, object] = {"weights": (*only("lists"), ("bullets", 9), ("numbered", 0))}

QUARTER = 1.25e-4
"""Of DPO's learning rate."""

# As many complaints as there are; no other requests, no revisions of the log, nothing edited: other pairs, and few.
REWRITES_ALONE: Overrides = {
    "rewrites": {"turns": 200, "revisions": False}, "candidates": {"prompts": 0}, "pairs": {"edit": False},
    "dpo": {"method": "sft", "min_new_pairs": 2},
}  # fmt: skip

# On arithmetic: nobody has a persona where answers are right or wrong; as many pairs and steps for each arm. Answers
# given after a complaint are guided by its words: in no arm, so that guidance is what differs.
AT_EQUAL_PAIRS = {"max_pairs": 40, "epochs": 2, "min_new_pairs": 8}
REWRITTEN = {"turns": 96, "tries": 8, "revisions": False, "results": "check"}
CALCULATED = {"calculations": True}


def _arithmetic(name: str, rewrites: Mapping[str, object], candidates: Mapping[str, object]) -> Arm:
    overrides = {"rewrites": {**REWRITTEN, **rewrites}, "candidates": candidates, "pairs": CALCULATED}
    overrides["dpo"] = AT_EQUAL_PAIRS
    return Arm(name, overrides, {"task": "arithmetic"})


def _colluding(what: str, *shares: float, **attack: str) -> Iterator[Arm]:
    for share in shares:
        for capped, most in (("3 pairs a user at most", 3), ("no cap", 1000)):
            overrides = {"pairs": {"max_per_user": most}, "dpo": {"user_cap": most}}
            yield Arm(f"{share:.0%} {what}, {capped}", overrides, {"colluders": share, **attack})


CATALOGUE: dict[str, Experiment] = {
    "rewrites": Experiment(
        "Do rewrites meet more of their users' wishes than the answers complained of, and do the users' words help?",
        (
            Arm("from scratch, no persona", {"rewrites": {"guidance": "none"}}),
            Arm("from scratch, with the persona", {"rewrites": {"guidance": "persona"}}),
            Arm("guided by the user's words"),
        ),
        measured="rewrites",
    ),
    "persona-reward": Experiment(
        "Does a reward model that is told the persona choose better pairs than one told another's, or none?",
        (
            Arm("no persona", {"pairs": {"persona": "none", **BY_REWARD}}),
            Arm("another user's persona", {"pairs": {"persona": "shuffled", **BY_REWARD}}),
            Arm("the user's persona", {"pairs": BY_REWARD}),
        ),
    ),
    "candidates": Experiment(
        "Do more candidates of each request make pairs that teach more?",
        (
            Arm("2 candidates", {"candidates": {"n": 2}}),
            Arm("4 candidates"),
            Arm("8 candidates", {"candidates": {"n": 8}}),
        ),
    ),
    "wishes": Experiment(
        "Do pairs teach more where the wishes that a program can check rank candidates before the reward model?",
        (
            Arm("the reward model alone", {"pairs": BY_REWARD}),
            Arm("wishes first"),
            Arm("wishes only, where they can be checked", {"pairs": {"wishes": "only"}}),
        ),
    ),
    "filter": Experiment(
        "Do filtered pairs teach more than all of them?",
        (Arm("unfiltered", {"pairs": {"filter": False, **BY_REWARD}}), Arm("filtered", {"pairs": BY_REWARD})),
    ),
    "users": Experiment(
        "Do many users teach more than few, at equal pairs?",
        (
            Arm("12 users", {"pairs": {"max_users": 12}, "dpo": AT_FEW}),
            Arm("all users", {"dpo": AT_FEW}),
        ),
    ),
    "method": Experiment(
        "Does DPO teach more than SFT on the chosen side of the same pairs, and than KTO on their sides?",
        (
            Arm("SFT on the chosen side", {"dpo": {"method": "sft"}}),
            Arm("SFT on rewrites alone", REWRITES_ALONE),
            Arm("SFT, a quarter of the learning rate", {"dpo": {"method": "sft", "learning_rate": QUARTER}}),
            # At DPO's learning rate it stopped answering on one of two seeds, and the training by name.
            Arm(
                "KTO, a quarter of the learning rate",
                {"dpo": {"method": "kto", "unpaired": False, "learning_rate": QUARTER}},
            ),
            Arm("DPO"),
        ),
    ),
    "terms": Experiment(
        "Do a term of the chosen side's likelihood and less weight for longer sides' tails teach more than DPO alone?",
        (
            Arm("DPO alone", {"dpo": {"sft_weight": 0.0, "ld_alpha": 1.0}}),
            Arm("with a term of likelihood", {"dpo": {"ld_alpha": 1.0}}),
            Arm("and less weight for tails"),
        ),
    ),
    "online": Experiment(
        "Does DPO on fresh answers of the model in training teach more than offline DPO, at equal pairs and steps?",
        (
            Arm("offline", {"dpo": {"rounds": 1, "max_pairs": ONLINE_PAIRS}}),
            Arm("online, 2 rounds", {"dpo": {"rounds": 2, "max_pairs": ONLINE_PAIRS}}),
        ),
    ),
    "mirror": Experiment(
        "Do pairs of the same two answers for a user who wishes the contrary teach to heed the persona?",
        (
            Arm("no such pairs", {"pairs": {"mirror": False}}),
            Arm("mirrored pairs", {"pairs": {"mirror": True}}),
        ),
    ),
    "persona-inference": Experiment(
        # What stands before learning is each prompt without any training.
        "What does the persona in the prompt do, before learning and after, and what does a prompt for short answers?",
        (
            Arm("no persona", {"evaluate": {"persona": "none"}}),
            Arm("a prompt for short answers", {"evaluate": {"persona": "brief"}}),
            Arm("another user's persona", {"evaluate": {"persona": "shuffled"}}),
            Arm("the user's persona"),
        ),
    ),
    "cold-start": Experiment(
        "What do users get by the number of conversations they have had, and does a prior help who is new?",
        (
            Arm("no conversation yet", {"evaluate": {"conversations": 0}}, MOST_ALIKE),
            Arm(
                "none yet, trained and told with a prior",
                {"evaluate": {"conversations": 0}, "personas": {"prior": True}},
                MOST_ALIKE,
            ),
            Arm("one conversation", {"evaluate": {"conversations": 1}}, MOST_ALIKE),
            Arm("two conversations", {"evaluate": {"conversations": 2}}, MOST_ALIKE),
            Arm("all three", {}, MOST_ALIKE),
        ),
    ),
    "noise": Experiment(
        "How much noise in users' reactions does learning stand?",
        (
            Arm("5% of reactions turned round, as in the demo"),
            Arm("30% of reactions turned round", simulator={"noise": 0.3}),
        ),
    ),
    "collusion": Experiment(
        "How much harm do colluding users do, with a user's share of the pairs capped and not?",
        (Arm("nobody colludes"), *_colluding("collude", 0.1)),
    ),
    "collusion-asked": Experiment(
        "And colluders who ask in words for what others dislike?",
        (Arm("nobody colludes"), *_colluding("ask for long answers", 0.1, attack="asked")),
    ),
    "replay": Experiment(
        "Do three cycles in a row keep what they learned, with and without replay of earlier pairs?",
        (Arm("all promoted, no replay", {"pairs": {"replay": 0.0}, "gate": OPEN}), ALL_PROMOTED),
        cycles=3,
    ),
    "gate": Experiment(
        "Three cycles in a row: are users better off where the gate decides than where every challenger is promoted?",
        # Its guards are measured as well as by default.
        (ALL_PROMOTED, Arm("the gate decides", {"pairs": {"replay": 0.3}, "evaluate": AS_BY_DEFAULT})),
        cycles=3,
    ),
    "reasoning": Experiment(
        "On arithmetic, do rewrites guided by a user who says that an answer is wrong, and why, teach right answers?",
        (
            _arithmetic("rewards only", {"turns": 0}, {"persona_only": False}),
            _arithmetic("rewrites from scratch", {"guidance": "none"}, {"prompts": 0}),
            _arithmetic("guided by the user's words", {"results": "tell"}, {"prompts": 0}),
            _arithmetic("guided, results only checked", {}, {"prompts": 0}),
        ),
        measured="problems",
    ),
}
