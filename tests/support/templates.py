"""Short chat templates that do with messages what those of the families do that they are named for; none is a copy."""

from __future__ import annotations

from functools import cache
from typing import Any

# Every role has its header; a default date stands in the system's, which is always there; a tool's words are JSON.
LLAMA = (
    "{{ bos_token }}{% if messages[0]['role'] == 'system' %}{% set first = messages[0]['content'] | trim %}"
    "{% set rest = messages[1:] %}{% else %}{% set first = '' %}{% set rest = messages %}{% endif %}"
    "{{ '<|head|>system<|end_head|>\n\nToday: 1 May\n\n' + first + '<|eot|>' }}{% for one in rest %}"
    "{% if one['role'] == 'tool' %}{{ '<|head|>ipython<|end_head|>\n\n' + (one['content'] | tojson) + '<|eot|>' }}"
    "{% else %}{{ '<|head|>' + one['role'] + '<|end_head|>\n\n' + (one['content'] | trim) + '<|eot|>' }}{% endif %}"
    "{% endfor %}{% if add_generation_prompt %}{{ '<|head|>assistant<|end_head|>\n\n' }}{% endif %}"
)
# ChatML with a system message of its own where none is sent; what tools answered is a user's turn, several are one.
QWEN = (
    "{% if messages[0]['role'] != 'system' %}{{ '<|im_start|>system\nYou are a made model.<|im_end|>\n' }}{% endif %}"
    "{% for one in messages %}{% if one['role'] == 'tool' %}"
    "{% if loop.index0 == 0 or messages[loop.index0 - 1]['role'] != 'tool' %}{{ '<|im_start|>user' }}{% endif %}"
    "{{ '\n<tool_response>\n' + one['content'] + '\n</tool_response>' }}"
    "{% if loop.last or messages[loop.index0 + 1]['role'] != 'tool' %}{{ '<|im_end|>\n' }}{% endif %}"
    "{% else %}{{ '<|im_start|>' + one['role'] + '\n' + one['content'] + '<|im_end|>\n' }}{% endif %}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)
# Strict alternation, the system message in the last request, tools only with the id of their call.
MISTRAL = (
    "{{ bos_token }}{% if messages[0]['role'] == 'system' %}{% set first = messages[0]['content'] %}"
    "{% set rest = messages[1:] %}{% else %}{% set rest = messages %}{% endif %}{% for one in rest %}"
    "{% if one['role'] == 'tool' and one.tool_call_id is not defined %}{{ raise_exception('no call') }}{% endif %}"
    "{% if (one['role'] == 'user') != (loop.index0 % 2 == 0) %}{{ raise_exception('roles must alternate') }}{% endif %}"
    "{% if one['role'] == 'user' %}{% if loop.last and first is defined %}"
    "{{ '[INST] ' + first + '\n\n' + one['content'] + ' [/INST]' }}{% else %}"
    "{{ '[INST] ' + one['content'] + ' [/INST]' }}{% endif %}"
    "{% elif one['role'] == 'assistant' %}{{ ' ' + one['content'] + eos_token }}"
    "{% else %}{{ raise_exception('only user and assistant') }}{% endif %}{% endfor %}"
)
# No system message at all, strict alternation, the assistant under another name.
GEMMA = (
    "{{ bos_token }}{% if messages[0]['role'] == 'system' %}{{ raise_exception('no system role') }}{% endif %}"
    "{% for one in messages %}{% if (one['role'] == 'user') != (loop.index0 % 2 == 0) %}"
    "{{ raise_exception('roles must alternate') }}{% endif %}"
    "{{ '<start_of_turn>' + ('model' if one['role'] == 'assistant' else one['role']) + '\n' }}"
    "{{ (one['content'] | trim) + '<end_of_turn>\n' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<start_of_turn>model\n' }}{% endif %}"
)
# ChatML for any role, with a system message of its own where none is sent.
SMOLLM = (
    "{% for one in messages %}{% if loop.first and one['role'] != 'system' %}"
    "{{ '<|im_start|>system\nYou are a small model.<|im_end|>\n' }}{% endif %}"
    "{{ '<|im_start|>' + one['role'] + '\n' + one['content'] + '<|im_end|>\n' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)
FAMILIES = {"llama": LLAMA, "qwen": QWEN, "mistral": MISTRAL, "gemma": GEMMA, "smollm": SMOLLM}
SPECIAL = (
    "<|head|>", "<|end_head|>", "<|eot|>", "<|im_start|>", "<|im_end|>", "[INST]", "[/INST]", "<start_of_turn>",
    "<end_of_turn>",
)  # fmt: skip


@cache
def tokenizer(template: str, special: tuple[str, ...] = ()) -> Any:
    """A byte-level tokenizer with this chat template."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import PreTrainedTokenizerFast

    made = Tokenizer(models.BPE())
    made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    made.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=300, special_tokens=["<s>", "</s>", *special], initial_alphabet=pre_tokenizers.ByteLevel.alphabet()
    )
    made.train_from_iterator(["how do I grow basil"], trainer)
    fast = PreTrainedTokenizerFast(tokenizer_object=made, bos_token="<s>", eos_token="</s>", pad_token="</s>")
    fast.chat_template = template
    return fast
