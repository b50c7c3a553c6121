"""The sampler against the weights that train: same probabilities, same greedy text, candidates that differ."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest
import torch
from scipy.stats import chisquare
from transformers import PreTrainedModel, Qwen2Config, Qwen2ForCausalLM
from transformers.cache_utils import DynamicCache, DynamicSlidingWindowLayer

from rlhi.contracts import Message
from rlhi.models.base import Sampling
from rlhi.models.cache import ROOM, RoomyLayer, roomy
from rlhi.models.local import LocalChatModel

ASKED = [
    [Message("user", "How do I keep basil alive?")],
    [Message("system", "You are a helpful assistant."), Message("user", "Put it in the sun and water it. " * 6)],
    [Message("user", "Shorter.")],
]


@pytest.fixture(scope="module")
def model(tiny_policy: Path) -> LocalChatModel:
    return LocalChatModel(tiny_policy)


def plain(model: LocalChatModel, tokens: list[int]) -> torch.Tensor:
    """Logits of every place of one sequence, without cache, padding or batch."""
    with torch.inference_mode():
        logits: torch.Tensor = model.weights(torch.tensor([tokens])).logits
        return logits[0].float()


def test_log_probabilities_are_those_of_the_training_weights(model: LocalChatModel) -> None:
    """In a padded batch, with a cache, while replies leave it."""
    drawn = model.draw(ASKED, Sampling(n=8, max_new_tokens=24, seed=1), log_probabilities=True)
    assert len({len(one.tokens) for group in drawn for one in group}) > 1, "some replies must end early"
    for messages, group in zip(ASKED, drawn, strict=True):
        prompt = model.encode(messages)
        for one in group:
            logp = plain(model, [*prompt, *one.tokens]).log_softmax(-1)[len(prompt) - 1 : -1]
            told = logp.gather(1, torch.tensor(one.tokens, dtype=torch.long)[:, None])[:, 0]
            assert torch.allclose(told, torch.tensor(one.log_probabilities), atol=0.08), "bf16 rounds"


def test_tokens_are_drawn_with_the_probabilities_they_have(model: LocalChatModel) -> None:
    sampling = Sampling(n=3000, temperature=0.9, top_k=20, max_new_tokens=1, seed=3)
    stops = set(model.stop_tokens.tolist())
    (group,) = model.draw(ASKED[:1], sampling)
    values, places = plain(model, model.encode(ASKED[0]))[-1].topk(20)
    expected = dict(zip(places.tolist(), (values / 0.9).softmax(-1).tolist(), strict=True))
    found = Counter(one.tokens[0] if one.tokens else -1 for one in group)
    expected[-1] = sum(expected.pop(token) for token in stops & set(expected)) or 1e-12
    assert set(found) <= set(expected), "only what top-k leaves"
    order = sorted(expected)
    counts, shares = [found[token] for token in order], [expected[token] * len(group) for token in order]
    scale = sum(counts) / sum(shares)
    assert chisquare(counts, [share * scale for share in shares]).pvalue > 1e-3


def test_greedy_text_is_that_of_generate(model: LocalChatModel) -> None:
    drawn = model.draw(ASKED, Sampling(temperature=0, max_new_tokens=12))
    for messages, (one,) in zip(ASKED, drawn, strict=True):
        ids = torch.tensor([model.encode(messages)])
        made = model.weights.generate(
            ids, attention_mask=torch.ones_like(ids), do_sample=False, max_new_tokens=12, pad_token_id=0,
            eos_token_id=model.stop_tokens.tolist(),
        )[0, ids.shape[1] :].tolist()  # fmt: skip
        ended = next((at for at, token in enumerate(made) if token in model.stop_tokens.tolist()), len(made))
        assert one.tokens == made[:ended]


def test_a_cache_with_room_holds_what_transformers_own_does(model: LocalChatModel) -> None:
    """Through what sampling does to it: rows repeated, many tokens more than its room, rows that leave."""
    assert _same_logits(model.weights, model.encode(ASKED[0])) == [RoomyLayer] * model.weights.config.num_hidden_layers


def test_a_layer_with_a_sliding_window_keeps_its_own_cache() -> None:
    config = Qwen2Config(
        hidden_size=32, intermediate_size=32, num_hidden_layers=2, num_attention_heads=2, num_key_value_heads=1,
        vocab_size=100, use_sliding_window=True, sliding_window=8, max_window_layers=1,
    )  # fmt: skip
    torch.manual_seed(0)
    assert _same_logits(Qwen2ForCausalLM(config).eval(), list(range(20))) == [RoomyLayer, DynamicSlidingWindowLayer]


def _same_logits(weights: PreTrainedModel, tokens: list[int]) -> list[type]:
    """The kinds of layers of a cache that gives the logits of transformers' own."""
    caches = [roomy(weights.config), DynamicCache(config=weights.config)]
    told: list[list[torch.Tensor]] = [[], []]
    for cache, logits in zip(caches, told, strict=True):
        prompt = torch.tensor([tokens, tokens[::-1]])
        with torch.inference_mode():
            logits.append(weights(prompt, past_key_values=cache).logits)
            cache.batch_repeat_interleave(3)
            rows = torch.arange(6)
            for step in range(2 * ROOM + 3):
                if step in (5, ROOM + 1):
                    rows = rows[[0, 2, *range(3, len(rows))]]
                    cache.batch_select_indices(torch.tensor([0, 2, *range(3, len(rows) + 1)]))
                logits.append(weights((rows + step)[:, None], past_key_values=cache).logits)
    assert all(torch.equal(ours, theirs) for ours, theirs in zip(*told, strict=True))
    assert caches[0].get_seq_length() == caches[1].get_seq_length()
    return [type(layer) for layer in caches[0].layers]


def test_candidates_of_a_prompt_differ_and_a_seed_gives_them_again(model: LocalChatModel) -> None:
    """An engine that returns one text sixteen times makes no pairs."""
    sampling = Sampling(n=16, max_new_tokens=24, seed=5)
    groups = model.chat(ASKED, sampling)
    assert all(len(set(group)) >= 15 for group in groups)
    assert model.chat(ASKED, sampling) == groups
    assert model.chat(ASKED, Sampling(n=16, max_new_tokens=24, seed=6)) != groups


def test_a_reply_that_had_not_ended_is_known(model: LocalChatModel) -> None:
    sampling, stops = Sampling(n=16, max_new_tokens=24, seed=5), set(model.stop_tokens.tolist())
    drawn = [one for group in model.draw(ASKED, sampling) for one in group]
    replies = [one for group in model.chat(ASKED, sampling) for one in group]
    assert [one.cut for one in replies] == [len(one.tokens) == 24 for one in drawn]
    assert {one.cut for one in replies} == {True, False} and not any(stops & set(one.tokens) for one in drawn)


def test_what_leaves_something_out_does_not_fit(tiny_policy: Path) -> None:
    model = LocalChatModel(tiny_policy, context_tokens=64)
    short, long = [Message("user", "How?")], [Message("user", "How? " * 80)]
    assert model.fits(short) and not model.fits(long)
    assert model.encode([*long, Message("assistant", "So."), *short]) == model.encode(short)
