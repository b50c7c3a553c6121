"""A chat model on this machine, through transformers: the weights that train are the weights that answer."""

from __future__ import annotations

import gc
import os
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from rlhi.config import Precision
from rlhi.contracts import Message
from rlhi.models.base import ModelError, Sampled, Sampling, sampled
from rlhi.models.precision import computed, dtype
from rlhi.models.prompts import chat_tokens, plain, prompt_tokens, reply_text, tokenizer_of

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedModel, PreTrainedTokenizerBase


@dataclass(slots=True)
class Drawn:
    """One sampled reply: its tokens without the stop token, their log-probabilities (nats) where asked for, and whether
    it came to that token.

    The probabilities are the model's own, before temperature and top-k.
    """

    tokens: list[int] = field(default_factory=list)
    log_probabilities: list[float] = field(default_factory=list)
    ended: bool = False


# Row blocks of this many tokens keep the logits of a 49k vocabulary under 1 GB.
LIKELIHOOD_TOKENS = 2048


class LocalChatModel:
    """``ChatModel`` and ``LikelihoodModel`` over a folder with safetensors, tokenizer and chat template.

    Args:
        path: the model's folder.
        name: what rows record as their model; the folder's name when empty.
        context_tokens: prompts longer than this lose their oldest exchanges.
        batch: replies sampled at once; memory grows with it (23 KB a token and reply at 135M in bf16, 46 in fp32).
        precision: what it computes in (:mod:`rlhi.models.precision`).
        on_prompts: told how many more prompts were answered, for a progress bar.
    """

    def __init__(
        self,
        path: Path,
        name: str = "",
        context_tokens: int = 768,
        batch: int = 96,
        precision: Precision = "auto",
        on_prompts: Callable[[int], None] | None = None,
    ) -> None:
        if not (path / "config.json").is_file():
            raise ModelError(f"no model at {path}: run `rlhi model prepare`, or name another in params.yaml (models)")
        self.path = path
        self.name = name or path.name
        self.context_tokens = context_tokens
        self.batch = batch
        self.precision = precision
        self.on_prompts = on_prompts

    @property
    def engine(self) -> str:
        """As :func:`engine_of`."""
        return engine_of(self.precision)

    @cached_property
    def tokenizer(self) -> PreTrainedTokenizerBase:
        """The folder's tokenizer; its pad token is set."""
        return tokenizer_of(self.path)

    @cached_property
    def weights(self) -> PreTrainedModel:
        """The model, loaded when it is first needed."""
        import torch
        from transformers import AutoModelForCausalLM

        cuda = torch.cuda.is_available()
        try:
            model = AutoModelForCausalLM.from_pretrained(self.path, dtype=dtype(self.precision), use_safetensors=True)
        except (OSError, ValueError) as error:
            raise ModelError(f"cannot load the model at {self.path}: {str(error).splitlines()[0]}") from None
        return model.to("cuda" if cuda else "cpu").eval()

    def release(self) -> None:
        """Forget the weights and give their memory back: another process is about to train on the same GPU."""
        for name in ("weights", "stop_tokens"):
            self.__dict__.pop(name, None)
        import torch

        gc.collect()
        if torch.cuda.is_available():
            torch.cuda.empty_cache()

    def take(self, weights: Iterable[tuple[str, torch.Tensor]]) -> None:
        """Answer with other weights of the same names from now on, rounded to what this model computes in."""
        import torch

        held = dict(self.weights.named_parameters())
        with torch.no_grad():
            for name, weight in weights:
                held[name].copy_(weight)

    def encode(self, messages: Sequence[Message]) -> list[int]:
        """The prompt's tokens, cut to the context."""
        return prompt_tokens(messages, self.tokenizer, self.context_tokens)

    def fits(self, messages: Sequence[Message]) -> bool:
        """Whether :meth:`encode` leaves nothing out."""
        return len(chat_tokens(messages, self.tokenizer)) <= self.context_tokens

    def chat(self, batch: Sequence[Sequence[Message]], sampling: Sampling) -> list[list[Sampled]]:
        """``sampling.n`` replies a conversation; the prompt is computed once and shared by its replies.

        Conversations are sampled together in blocks of like length, each with a seed of its own, so that equal
        calls give equal text.
        """
        drawn = self.draw(batch, sampling)
        return [[self._told(one) for one in replies] for replies in drawn]

    def _told(self, drawn: Drawn) -> Sampled:
        return sampled(reply_text(drawn.tokens, self.tokenizer), not drawn.ended, len(drawn.tokens))

    def draw(
        self, batch: Sequence[Sequence[Message]], sampling: Sampling, log_probabilities: bool = False
    ) -> list[list[Drawn]]:
        """As :meth:`chat`, in tokens."""
        prompts = [self.encode(messages) for messages in batch]
        order = sorted(range(len(prompts)), key=lambda at: len(prompts[at]))
        size = max(1, self.batch // sampling.n)
        replies: list[list[Drawn]] = [[] for _ in prompts]
        for start in range(0, len(order), size):
            block = order[start : start + size]
            seed = sampling.seed + start
            drawn = self._draw([prompts[at] for at in block], sampling, seed, log_probabilities)
            for place, at in enumerate(block):
                replies[at] = drawn[place * sampling.n : (place + 1) * sampling.n]
            if self.on_prompts is not None:
                self.on_prompts(len(block))
        return replies

    def _draw(self, prompts: list[list[int]], sampling: Sampling, seed: int, log_probabilities: bool) -> list[Drawn]:
        import torch

        from rlhi.models.cache import roomy

        model = self.weights
        generator = torch.Generator(device=model.device).manual_seed(seed % 2**63)
        ids, mask = left_padded(prompts, self.tokenizer.pad_token_id)
        ids, mask = ids.to(model.device), mask.to(model.device)
        stops = self.stop_tokens
        with torch.inference_mode():
            position = (mask.cumsum(-1) - 1).clamp(min=0)
            cache = roomy(model.config)
            out = model(ids, attention_mask=mask, position_ids=position, past_key_values=cache, logits_to_keep=1)
            cache.batch_repeat_interleave(sampling.n)
            mask = mask.repeat_interleave(sampling.n, 0)
            position = position[:, -1:].repeat_interleave(sampling.n, 0)
            logits = out.logits[:, -1].repeat_interleave(sampling.n, 0)
            drawn = [Drawn() for _ in range(mask.shape[0])]
            alive = torch.arange(len(drawn), device=model.device)
            for step in range(sampling.max_new_tokens):
                token = _next_token(logits, sampling, generator)
                keep = ~torch.isin(token[:, 0], stops)
                if log_probabilities:
                    told = logits.float().log_softmax(-1).gather(1, token)[:, 0].tolist()
                    for row, value, going in zip(alive.tolist(), told, keep.tolist(), strict=True):
                        drawn[row].log_probabilities += [value] if going else []
                for row, value, going in zip(alive.tolist(), token[:, 0].tolist(), keep.tolist(), strict=True):
                    if going:
                        drawn[row].tokens.append(value)
                    else:
                        drawn[row].ended = True
                if not bool(keep.any()) or step == sampling.max_new_tokens - 1:
                    break
                if not bool(keep.all()):
                    # Rows that ended leave the batch: the rest gets cheaper.
                    chosen = keep.nonzero()[:, 0]
                    alive, token = alive[chosen], token[chosen]
                    mask, position = mask[chosen], position[chosen]
                    cache.batch_select_indices(chosen)
                mask = torch.cat([mask, mask.new_ones(mask.shape[0], 1)], 1)
                position = position + 1
                out = model(token, attention_mask=mask, position_ids=position, past_key_values=cache, use_cache=True)
                logits = out.logits[:, -1]
        return drawn

    @cached_property
    def stop_tokens(self) -> torch.Tensor:
        """The tokens that end a reply."""
        import torch

        configured = self.weights.generation_config.eos_token_id
        ids = {self.tokenizer.eos_token_id, *(configured if isinstance(configured, list) else [configured])}
        return torch.tensor(sorted(int(token) for token in ids if token is not None), device=self.weights.device)

    def log_likelihood(self, batch: Sequence[tuple[Sequence[Message], str]]) -> list[float]:
        """The sum of each answer's token log-probabilities (nats), its end-of-turn token included."""
        import torch

        rows = [(self.encode(messages), self._answer(answer)) for messages, answer in batch]
        order = sorted(range(len(rows)), key=lambda at: sum(map(len, rows[at])))
        found = [0.0] * len(rows)
        with torch.inference_mode():
            for block in blocks(order, lambda at: sum(map(len, rows[at])), LIKELIHOOD_TOKENS):
                ids, mask = left_padded([[*rows[at][0], *rows[at][1]] for at in block], 0)
                keep = max(len(rows[at][1]) for at in block) + 1
                position = (mask.cumsum(-1) - 1).clamp(min=0)
                device = self.weights.device
                logits = self.weights(
                    ids.to(device),
                    attention_mask=mask.to(device),
                    position_ids=position.to(device),
                    logits_to_keep=keep,
                ).logits
                logp = logits[:, :-1].float().log_softmax(-1).cpu()
                picked = logp.gather(2, ids[:, -keep + 1 :, None])[:, :, 0]
                for row, at in enumerate(block):
                    found[at] = float(picked[row, -len(rows[at][1]) :].sum())
        return found

    def log_likelihood_of(self, batch: Sequence[tuple[Sequence[Message], Sequence[str]]]) -> list[list[float]]:
        """As :meth:`log_likelihood`, of several answers to each prompt, which is computed once."""
        from rlhi.models.likelihood import shared_prompts

        groups = [(self.encode(messages), [self._answer(text) for text in texts]) for messages, texts in batch]
        sizes = [len(prompt) + sum(map(len, answers)) for prompt, answers in groups]
        found: list[list[float]] = [[] for _ in groups]
        for block in blocks(sorted(range(len(groups)), key=sizes.__getitem__), sizes.__getitem__, LIKELIHOOD_TOKENS):
            for at, told in zip(block, shared_prompts(self.weights, [groups[at] for at in block]), strict=True):
                found[at] = told
        return found

    def _answer(self, text: str) -> list[int]:
        """An answer's tokens, as long as the context at most, and the one that ends a turn."""
        ids = self.tokenizer.encode(plain(text, self.tokenizer), add_special_tokens=False)[: self.context_tokens]
        return [*ids, int(self.tokenizer.eos_token_id)]


def _next_token(logits: torch.Tensor, sampling: Sampling, generator: torch.Generator) -> torch.Tensor:
    """One token a row, shape ``[rows, 1]``: top-k before the softmax spares the sort of a whole vocabulary."""
    import torch

    if sampling.temperature == 0:
        return logits.argmax(-1, keepdim=True)
    values, places = logits.float().topk(min(sampling.top_k, logits.shape[-1]), -1)
    drawn = torch.multinomial((values / sampling.temperature).softmax(-1), 1, generator=generator)
    return places.gather(1, drawn)


def engine_of(precision: Precision) -> str:
    """What samples here, with what it computes in on this machine."""
    return f"transformers {computed(precision)}"


def left_padded(rows: Sequence[Sequence[int]], pad: int) -> tuple[torch.Tensor, torch.Tensor]:
    import torch

    width = max(map(len, rows))
    ids = torch.tensor([[pad] * (width - len(row)) + list(row) for row in rows])
    mask = torch.tensor([[0] * (width - len(row)) + [1] * len(row) for row in rows])
    return ids, mask


def blocks(order: Sequence[int], size: Callable[[int], int], limit: int) -> list[list[int]]:
    """Consecutive places whose padded sizes add up to at most ``limit`` tokens (one place at least)."""
    blocks: list[list[int]] = []
    for at in order:
        if blocks and size(at) * (len(blocks[-1]) + 1) <= limit:
            blocks[-1].append(at)
        else:
            blocks.append([at])
    return blocks


def quiet() -> None:
    """Keep transformers' own bars and advice off the terminal: ours say what goes on."""
    os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    from transformers.utils import logging

    logging.set_verbosity_error()
    logging.disable_progress_bar()
