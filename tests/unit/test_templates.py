"""Conversations for any chat template: what it refuses is joined or folded, what it takes keeps its bytes."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rlhi.contracts import Message, Role
from rlhi.learn.training.rows import fitted
from rlhi.models.base import ModelError
from rlhi.models.prepare import checked_policy
from rlhi.models.prompts import DEFAULT, chat_text, judged, prompt_tokens, reply_text, tokenizer_of
from rlhi.models.templates import EVERYTHING, PLAIN, Takes, taken, takes
from tests.support.templates import FAMILIES, SPECIAL, tokenizer
from tests.support.tiny import TEMPLATE

# As Mistral's first templates: strict alternation, no system message.
STRICT = (
    "{{ bos_token }}{% for message in messages %}{% if (message['role'] == 'user') != (loop.index0 % 2 == 0) %}"
    "{{ raise_exception('Conversation roles must alternate user/assistant/user/assistant/...') }}{% endif %}"
    "{% if message['role'] == 'user' %}{{ '[INST] ' + message['content'] + ' [/INST]' }}"
    "{% else %}{{ message['content'] + eos_token }}{% endif %}{% endfor %}"
)
# As Gemma's: it refuses the system message in words.
NO_SYSTEM = (
    "{% if messages[0]['role'] == 'system' %}{{ raise_exception('System role not supported') }}{% endif %}"
    "{% for message in messages %}<{{ message['role'] }}>{{ message['content'] | trim }}\n{% endfor %}"
)
# Its system message is lost without a word.
SILENT = (
    "{% for message in messages %}{% if message['role'] != 'system' %}{{ message['content'] }}\n{% endif %}{% endfor %}"
)
# As Llama's and Mistral's later ones: a system message may come first, then strict alternation.
STRICT_WITH_SYSTEM = (
    "{% if messages[0]['role'] == 'system' %}{% set system = messages[0]['content'] %}{% set rest = messages[1:] %}"
    "{% else %}{% set system = '' %}{% set rest = messages %}{% endif %}{{ system }}{% for message in rest %}"
    "{% if (message['role'] == 'user') != (loop.index0 % 2 == 0) %}{{ raise_exception('must alternate') }}{% endif %}"
    "[{{ message['role'] }}]{{ message['content'] }}{% endfor %}"
)
NOTHING = "{% for message in messages %}{{ message['role'] }}\n{% endfor %}"
TEMPLATES = {"strict": STRICT, "no system": NO_SYSTEM, "silent": SILENT, "system": STRICT_WITH_SYSTEM, "none": PLAIN,
             "chatml": TEMPLATE}  # fmt: skip
ROLES: tuple[Role, ...] = ("user", "assistant")


def test_what_templates_take_is_found_by_asking_them() -> None:
    found = {name: takes(tokenizer(template)) for name, template in TEMPLATES.items()}
    assert found == {
        "strict": Takes(False, False, False, False, False), "no system": Takes(system=False),
        "silent": Takes(system=False, later_system=False), "system": Takes(True, False, False, False, False),
        "none": EVERYTHING, "chatml": EVERYTHING,
    }  # fmt: skip


def test_what_the_families_take() -> None:
    found = {name: takes(tokenizer(template, SPECIAL)) for name, template in FAMILIES.items()}
    lost_once_answered = Takes(False, False, False, False, False)
    assert found == {
        "llama": EVERYTHING, "qwen": EVERYTHING, "smollm": EVERYTHING, "gemma": lost_once_answered,
        "mistral": lost_once_answered,
    }  # fmt: skip


@given(
    st.sampled_from(sorted(TEMPLATES)),
    st.lists(st.tuples(st.sampled_from(ROLES), st.text("abc ", min_size=1).filter(str.strip)), min_size=1, max_size=6),
    st.booleans(),
)
def test_any_conversation_with_a_persona_is_rendered_whole(
    name: str, said: list[tuple[Role, str]], generation: bool
) -> None:
    known = tokenizer(TEMPLATES[name])
    messages = DEFAULT.told([Message(role, text.strip()) for role, text in said], "Wants short answers.")
    text = chat_text(messages, known, generation)
    at = text.index("Wants short answers.")
    for one in messages[1:]:
        at = text.index(one.content, at)
    assert "Wants short answers." in known.decode(prompt_tokens(messages, known, 10_000), skip_special_tokens=True)


@given(st.lists(st.tuples(st.sampled_from(("system", *ROLES)), st.text()), min_size=1, max_size=6))
def test_a_template_that_takes_everything_gets_the_messages_as_they_are(said: list[tuple[Role, str]]) -> None:
    messages = [Message(role, text) for role, text in said]
    assert taken(messages, tokenizer(TEMPLATE)) == tuple(messages)


def test_neighbours_are_joined_and_the_persona_is_folded_into_the_first_turn() -> None:
    said = [Message("user", "Basil?"), Message("user", "Indoors."), Message("assistant", "Sun.")]
    strict = tokenizer(STRICT)
    assert chat_text(said, strict) == "<s>[INST] Basil?\n\nIndoors. [/INST]Sun.</s>"
    assert taken((Message("system", "Be brief."), *said), strict)[0] == Message(
        "user", "Be brief.\n\nBasil?\n\nIndoors."
    )
    greeted = (Message("system", "Be brief."), Message("assistant", "Hello!"), *said)
    assert [one.role for one in taken(greeted, strict)] == ["user", "assistant", "user", "assistant"]
    assert [one.role for one in taken(greeted, tokenizer(STRICT_WITH_SYSTEM))] == [
        "user",
        "assistant",
        "user",
        "assistant",
    ]
    assert [one.content for one in taken(greeted[1:], strict)] == ["Basil?\n\nIndoors.", "Sun."]


def test_training_and_scoring_render_as_sampling_does() -> None:
    strict = tokenizer(STRICT)
    prompt = DEFAULT.told([Message("user", "Basil?"), Message("user", "Indoors.")], "Wants short answers.")
    records = [{"role": one.role, "content": one.content} for one in prompt]
    row = {"prompt": records, "chosen": [{"role": "assistant", "content": "Sun."}], "rejected": [{"content": "No."}]}
    found = fitted(row, strict, 500)
    assert found is not None and [one.role for one in found] == ["user"] and "short answers" in found[0].content
    scored = strict.decode(judged("Wants short answers.", prompt[1:], "Sun.", 500, strict, DEFAULT))
    assert scored.endswith("Indoors. [/INST]Sun.</s>") and "short answers" in scored


def test_thoughts_in_special_tokens_and_opened_by_the_prompt_are_shown_to_be_cut() -> None:
    marked = tokenizer(TEMPLATE, ("[THINK]", "[/THINK]"))
    ids = marked.encode("[THINK]hm[/THINK]do I</s>", add_special_tokens=False)
    assert reply_text(ids, marked) == "[THINK]hm[/THINK]do I"
    opened = tokenizer(TEMPLATE.replace("assistant\n", "assistant\n<think>\n"))
    assert reply_text(opened.encode("hm</think>do I", add_special_tokens=False), opened) == "<think>hm</think>do I"
    assert reply_text(ids, tokenizer(TEMPLATE, ("[A]", "[B]"))) == "hmdo I"


def test_a_model_that_cannot_be_rendered_is_refused(tmp_path: Path) -> None:
    for name, template in {"fine": STRICT, "nothing": NOTHING, "none": None}.items():
        folder = tmp_path / name
        folder.mkdir()
        made = tokenizer(NOTHING)
        made.chat_template = template
        made.save_pretrained(folder)
        made.chat_template = NOTHING
        (folder / "config.json").write_text('{"model_type": "llama"}')
        (folder / "model.safetensors").write_bytes(b"")
    assert checked_policy(str(tmp_path / "fine")) == tmp_path / "fine"
    assert tokenizer_of(checked_policy(str(tmp_path / "none"))).chat_template == PLAIN
    with pytest.raises(ModelError, match="cannot be talked to: its chat template leaves out") as error:
        checked_policy(str(tmp_path / "nothing"))
    assert "\n" not in str(error.value)
