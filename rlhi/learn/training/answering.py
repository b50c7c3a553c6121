"""A training that drifts too far stops: does the model still answer what users ask?

Every few steps a copy of the model with all that it has learned so far (more than ``dpo.merge`` saves) replies to a
handful of the requests that it is learning from, the same ones each time, greedily. A reply answers when its embedding
is near its request's: of the first twelve words that passes 81% of what a reader called an answer and 14% of what a
reader called none (docs/log.md). The share before the first step is what later ones are compared with.

The copy leaves the training alone: its mode, its graph and its random numbers stay as they were.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from rlhi.config import TrainingLimits
from rlhi.contracts import Message
from rlhi.contracts.codec import content_key
from rlhi.contracts.turns import asked_last
from rlhi.learn.training.guards import own_weights
from rlhi.learn.training.plan import PolicyPlan
from rlhi.learn.training.rows import read_rows
from rlhi.learn.training.run import TrainingStopped
from rlhi.models.base import ChatModel, Copy, Embedder, Sampling

if TYPE_CHECKING:
    import torch
    from torch import nn
    from transformers import Trainer, TrainerCallback

ANSWERS = "answers"
"""The share of replies that answer, among a step's figures; the one before the first step stands at step 0."""
REQUESTS = 12
TOKENS = 16
NEAR = 0.5
# With fewer requests one reply is more than an eighth of the share.
FEWEST = 8
# Where hardly half of the replies answered before, the measure sees too little: another language, or no model of any.
ENOUGH = 0.5

Prompt = tuple[Message, ...]


Yardstick = Callable[[PolicyPlan], tuple[Copy, Embedder]]
"""Makes what the guard asks; whoever starts the process brings it, for a wing builds no model."""


def drawn_requests(rows: Sequence[Mapping[str, Any]], seed: int) -> list[Prompt]:
    """The prompts to ask, at most ``REQUESTS`` with as many different requests, drawn by seed from the run's rows.

    First requests come first: of one that continues a conversation its own words tell less.
    """
    prompts = [tuple(Message(**message) for message in row["prompt"]) for row in rows]
    ordered = sorted(prompts, key=lambda prompt: (_turns(prompt) > 1, content_key(seed, prompt)))
    found: dict[str, Prompt] = {}
    for prompt in ordered:
        found.setdefault(asked_last(prompt), prompt)
    return list(found.values())[:REQUESTS]


def _turns(prompt: Prompt) -> int:
    return sum(message.role == "user" for message in prompt)


def share_that_answers(model: ChatModel, embedder: Embedder, prompts: Sequence[Prompt]) -> float:
    """The share of the model's replies, greedy and at most ``TOKENS`` long, that are near their request."""
    replies = model.chat(prompts, Sampling(n=1, temperature=0.0, max_new_tokens=TOKENS))
    asked = embedder.embed([asked_last(prompt) for prompt in prompts])
    said = embedder.embed([str(reply[0]) for reply in replies])
    return float(((asked * said).sum(axis=1) >= NEAR).mean())


class AnswersGuard:
    """Compares shares with the first one; ``off`` says why it does not, if so."""

    def __init__(self, limits: TrainingLimits, requests: int, off: str = "") -> None:
        self.limits = limits
        self.before: float | None = None
        self.off = off or ("dpo.limits.answers_every is 0" if not limits.answers_every else "")
        if not self.off and requests < FEWEST:
            self.off = f"{requests} different requests are learned from, fewer than {FEWEST}"

    def begin(self, before: float) -> None:
        """Take the share before the first step."""
        self.before = before
        if before < ENOUGH:
            self.off = f"{before:.0%} of the replies answered before the first step, fewer than {ENOUGH:.0%}"

    def due(self, step: int) -> bool:
        """Whether to ask after this step."""
        return not self.off and step % self.limits.answers_every == 0

    def look(self, step: int, share: float) -> None:
        """Compare the share after a step.

        Raises:
            TrainingStopped: it has fallen too far. At once: the requests are the same, so no odd batch explains it.
        """
        if self.off or self.before is None:
            return
        if self.before - share > self.limits.answers_drop:
            raise TrainingStopped(
                f"the model stops answering: {share:.0%} of its replies are near their request at step {step}, "
                f"{self.before:.0%} were before the first, a fall of more than "
                f"dpo.limits.answers_drop={self.limits.answers_drop:g}: lower dpo.learning_rate or raise dpo.beta"
            )


def hindrance(zero: int, has_yardstick: bool) -> str:
    """Why a run under this ZeRO stage cannot be watched; empty where it can."""
    if zero == 3:
        return "ZeRO-3 holds no whole weights to answer with"
    return "" if has_yardstick else "no sentence embedder was given"


class Watch:
    """Asks the model in training when it is time, on the first process, and tells all of them.

    Without a yardstick it says that there is none.
    """

    def __init__(self, plan: PolicyPlan, trainer: Trainer, yardstick: Yardstick | None) -> None:
        self._plan, self._trainer, self._yardstick = plan, trainer, yardstick
        self._prompts = drawn_requests(read_rows(plan.rows), plan.seed)
        off = hindrance(plan.dpo.deepspeed, yardstick is not None)
        self.guard = AnswersGuard(plan.dpo.limits, len(self._prompts), off)
        self._made: tuple[Copy, Embedder] | None = None

    def told(self) -> dict[str, object]:
        """For the run's result: the share before the first step, of how many requests, and why it was not watched."""
        return {"before": self.guard.before, "requests": len(self._prompts), "off": self.guard.off}

    def share(self) -> float:
        """The share now; every process has to ask, and gets the same."""
        from torch import distributed

        found = [0.0]
        if self._trainer.is_world_process_zero():
            found = [self._measured()]
        if self._trainer.accelerator.num_processes > 1:
            distributed.broadcast_object_list(found, src=0)
        return found[0]

    def _measured(self) -> float:
        assert self._yardstick is not None
        with random_numbers_kept():
            if self._made is None:
                self._made = self._yardstick(self._plan)
            model, embedder = self._made
            model.take(merged(self._trainer.model))
            return share_that_answers(model, embedder, self._prompts)

    def callback(self) -> TrainerCallback:
        """What the trainer calls."""
        from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments

        watch, guard = self, self.guard

        class Answers(TrainerCallback):  # type: ignore[misc]
            """The figure becomes one of its step's, so that checkpoints and the lines of metrics.jsonl have it."""

            def on_train_begin(
                self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: object
            ) -> None:
                if guard.off:
                    return
                # A run that goes on from a checkpoint finds there what was measured before its first step.
                first = next((row for row in state.log_history if row["step"] == 0), None)
                if first is None:
                    first = {"step": 0, ANSWERS: watch.share()}
                    state.log_history.append(first)
                guard.begin(first[ANSWERS])

            def on_log(
                self, args: TrainingArguments, state: TrainerState, control: TrainerControl, logs: dict[str, float],
                **_: object,
            ) -> None:  # fmt: skip
                if "loss" in logs and guard.due(state.global_step):
                    logs[ANSWERS] = state.log_history[-1][ANSWERS] = watch.share()
                    guard.look(state.global_step, logs[ANSWERS])

        return Answers()


@contextmanager
def random_numbers_kept() -> Iterator[None]:
    """Give torch's random numbers back as they were: what is done between must not change the training."""
    import torch

    devices = [torch.cuda.current_device()] if torch.cuda.is_available() else []
    with torch.random.fork_rng(devices=devices):
        yield


def merged(model: nn.Module) -> Iterator[tuple[str, torch.Tensor]]:
    """The weights under their own names as they would be saved, a LoRA merged; the model stays as it is."""
    import torch

    deltas = {f"{name}.base_layer.weight": part for name, part in model.named_modules() if hasattr(part, "lora_A")}
    with torch.no_grad():
        for name, own, weight in own_weights(model):
            part = deltas.get(name)
            yield own, weight if part is None else weight + part.get_delta_weight("default").to(weight.dtype)
