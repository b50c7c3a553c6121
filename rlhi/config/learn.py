"""Sections of the learn flow: rewrites, candidates, reward, pairs, dpo."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field, model_validator

from rlhi.config.base import Precision, SamplingConfig, Section, WhichPersona
from rlhi.contracts.options import Method, RewardKind

Tracker = Literal[
    "azure_ml", "clearml", "codecarbon", "comet_ml", "dagshub", "dvclive", "flyte", "kubeflow", "mlflow", "neptune",
    "swanlab", "tensorboard", "trackio", "wandb",
]  # fmt: skip
"""Where transformers reports a training's figures to; a test compares the names with its own."""


class CompetenceConfig(Section):
    """Least shares of what a model says first, or it makes no pairs (`rlhi.learn.pairs.competence`); 0 asks nothing."""

    answers: float = Field(default=0.5, ge=0, le=1, description="on the topic of what was asked")
    ended: float = Field(default=0.2, ge=0, le=1, description="of themselves; cut ones teach, too")
    language: float = Field(default=0.5, ge=0, le=1, description="and the request's")


class RewritesConfig(Section):
    """User-guided rewrites: at most ``turns`` complaints a cycle, drawn by seed, ``tries`` samples each.

    ``guidance`` is what the rewriter is told: the user's words and persona, the persona only, or neither (controls).
    ``results``: where the user's words say what a calculation comes to, it is told them as any others (``tell``); or it
    is not, and its text has to come to it (``check``, for arithmetic).
    ``revisions``: the assistant's own next answers, where users went on from them, are pairs too.
    """

    turns: int = Field(default=60, ge=0)
    tries: int = Field(default=4, ge=1)
    guidance: Literal["words", "persona", "none"] = "words"
    results: Literal["check", "tell"] = "tell"
    revisions: bool = True
    competence: CompetenceConfig = CompetenceConfig()
    sampling: SamplingConfig = SamplingConfig()


class CandidatesConfig(Section):
    """User-based rewards: at most ``prompts`` requests a cycle, drawn by seed, ``n`` samples each."""

    prompts: int = Field(default=48, ge=0)
    n: int = Field(default=8, ge=2)
    persona_only: bool = False
    competence: CompetenceConfig = CompetenceConfig()
    sampling: SamplingConfig = SamplingConfig()


class StepLimits(Section):
    """Where any training stops with a named reason (:mod:`rlhi.learn.training.guards`)."""

    too_long: float = Field(default=0.5, gt=0, le=1, description="share of the rows left out for their length")
    loss: float = Field(default=20.0, gt=0)
    patience: int = Field(default=3, ge=1, description="steps in a row that may break a bound")


Zero = Literal[0, 1, 2, 3]


class TunedRewardConfig(Section):
    """A language model fine-tuned as the reward model through TRL; ``deepspeed`` is a ZeRO stage, 0 for none."""

    section: ClassVar[str] = "reward.tuned"

    base: str = Field(default="champion", pattern="^(champion|local:.+)$")
    epochs: float = Field(default=1, gt=0)
    learning_rate: float = Field(default=2e-4, gt=0)
    batch: int = Field(default=4, ge=1, description="comparisons in a step of one process")
    max_length: int = Field(default=512, ge=32, description="tokens of prompt and answer together")
    lora_rank: int = Field(default=16, ge=1)
    precision: Precision = "auto"
    length_debias: bool = False
    processes: int = Field(default=1, ge=1)
    deepspeed: Zero = 0
    limits: StepLimits = StepLimits()

    @property
    def nodes(self) -> int:
        """One: a reward model is trained on the machine of its stage."""
        return 1

    @property
    def rendezvous(self) -> str:
        """None is needed by one node."""
        return ""

    @property
    def world_size(self) -> int:
        """Processes on all nodes together."""
        return self.processes


class RewardConfig(Section):
    """The persona-conditioned reward model: a head on frozen features, or a fine-tuned language model."""

    kind: RewardKind = "head"
    penalty: float = Field(default=2.0, gt=0, description="of each comparison")
    persona_dimensions: int = Field(default=16, ge=1)
    min_pairs: int = Field(default=8, ge=1)
    judge_pairs: int = Field(default=48, ge=1, description="fewer comparisons of judges train no judge")
    tuned: TunedRewardConfig = TunedRewardConfig()

    @property
    def lora_rank(self) -> int:
        """The rank of the adapters that a fine-tuned model learns; 0 trains every weight."""
        return self.tuned.lora_rank if self.kind == "lora" else 0


class PairsConfig(Section):
    """Which comparisons are worth learning from. ``persona`` is the one that the reward model judges by.

    ``wishes`` that a program can check: ``first`` they rank candidates and the reward model those that meet as many;
    ``only``: and candidates that they do not tell apart give no pair; ``ignore``: the reward model alone ranks.
    ``mirror``: where a program tells a rewrite and its original apart, a user who wishes the contrary gives a pair of
    them too. ``served``: candidates of one request are ranked for so many users more who wish otherwise. ``edit``:
    where no candidate meets a wish, one is edited until it does; for other users than who asked, wherever one does not.
    ``calculations``: a request of several numbers is one, and a value that a complaint puts right what it comes to; for
    arithmetic alone.
    """

    filter: bool = True
    persona: WhichPersona = "own"
    wishes: Literal["first", "only", "ignore"] = "first"
    min_margin: float = Field(default=0.5, ge=0)
    max_doubt: float = Field(default=0.5, ge=0, description="log-odds against a side that a program finds the better")
    mirror: bool = False
    served: int = Field(default=8, ge=0, description="other users for whom a request's candidates are ranked as well")
    edit: bool = True
    calculations: bool = False
    least_near: float = Field(default=0.45, ge=-1, le=1, description="cosine of the chosen side and its request")
    max_less_near: float = Field(default=0.1, ge=0, le=2, description="by which it may be below the rejected side's")
    max_per_user: int = Field(default=16, ge=1)
    max_users: int = Field(default=0, ge=0, description="0 for all")
    max_longer: float = Field(default=5.0, gt=0)
    replay: float = Field(default=0.3, ge=0, le=1)


class TrainingLimits(StepLimits):
    """What else stops the training of a policy."""

    same_answer: float = Field(default=0.9, gt=0, le=1, description="share of the pairs with one and the same answer")
    chosen_reward: float = Field(default=-10.0, lt=0, description="beta times the chosen answer's log-ratio, in nats")
    answers_every: int = Field(default=5, ge=0, description="steps between looks at the replies; 0 never looks")
    answers_drop: float = Field(default=0.3, gt=0, le=1, description="of the share of replies that answer")


class DpoConfig(Section):
    """Persona-conditioned DPO through TRL; ``deepspeed`` is a ZeRO stage, 0 for none.

    ``processes`` run on each of ``nodes``; several nodes meet at ``rendezvous``, ``HOST:PORT`` of the first. Between
    ``rounds`` the model just trained answers anew, and is judged.
    """

    section: ClassVar[str] = "dpo"

    method: Method = "dpo"
    rounds: int = Field(default=1, ge=1, description="1 learns offline")
    min_fresh_pairs: int = Field(default=8, ge=1, description="fewer from a round's answers end the rounds")
    min_new_pairs: int = Field(default=24, ge=1)
    max_pairs: int = Field(default=240, ge=1)
    unpaired: bool = Field(default=True, description="for kto: learn from answers that users judged singly, too")
    user_cap: float = Field(default=8.0, gt=0, description="pairs that a user's rows weigh together, at most")
    epochs: float = Field(default=1, gt=0)
    learning_rate: float = Field(default=5e-4, gt=0)
    beta: float = Field(default=0.1, gt=0)
    loss: Literal["sigmoid", "sigmoid_norm"] = "sigmoid"
    ld_alpha: float = Field(default=0.3, ge=0, le=1, description="of what the longer answer has beyond the shorter")
    sft_weight: float = Field(default=0.5, ge=0, description="of the chosen side's own likelihood beside DPO's loss")
    batch: int = Field(default=2, ge=1)
    accumulation: int = Field(default=2, ge=1)
    max_length: int = Field(default=768, ge=32)
    lora_rank: int = Field(default=16, ge=0, description="0 trains every weight")
    merge: float = Field(default=0.5, gt=0, le=1, description="of what was learned that the challenger takes over")
    precision: Precision = "auto"
    processes: int = Field(default=1, ge=1)
    nodes: int = Field(default=1, ge=1)
    rendezvous: str = Field(default="", pattern=r"^(|.+:[0-9]+)$")
    deepspeed: Zero = 0
    gradient_checkpointing: bool = False
    share_prompt: bool = Field(default=True, description="compute the prompt of a pair once where the model allows it")
    save_steps: int = Field(default=20, ge=0, description="0 writes no checkpoints")
    report_to: tuple[Tracker, ...] = ()
    limits: TrainingLimits = TrainingLimits()

    @property
    def world_size(self) -> int:
        """Processes on all nodes together."""
        return self.processes * self.nodes

    @model_validator(mode="after")
    def _rounds_have_pairs(self) -> DpoConfig:
        if self.rounds > 1 and (share := self.max_pairs // self.rounds) < self.min_fresh_pairs:
            raise ValueError(
                f"dpo.rounds={self.rounds} leaves a round {share} of dpo.max_pairs={self.max_pairs} pairs, fewer than "
                f"dpo.min_fresh_pairs={self.min_fresh_pairs}: raise dpo.max_pairs"
            )
        return self

    @model_validator(mode="after")
    def _nodes_meet(self) -> DpoConfig:
        if self.nodes > 1 and not self.rendezvous:
            raise ValueError("dpo.nodes above 1 needs dpo.rendezvous, HOST:PORT of the first node")
        return self
