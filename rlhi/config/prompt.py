"""The section ``prompt``: what a model is asked with, the same wherever it is asked."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, field_validator

from rlhi.config.base import Section

PERSONA = "{persona}"
"""Where the persona goes."""
LEAST = 3
"""Letters before it: by these words the sentence is found again in a logged system turn."""


class PromptConfig(Section):
    """How a conversation becomes a prompt.

    Attributes:
        system: the system turn of conversations whose application has none, or where ``own`` is replaced. It may hold
            ``{persona}``, and the sentence then stands there.
        persona: the sentence that tells a persona; left out where there is none.
        place: where that sentence joins a system turn that does not say it.
        own: whether the application's own system turn, the first of a conversation, is kept.
        documents: whether later system turns and what tools said are.
    """

    system: str = "You are a helpful assistant."
    persona: str = "About this user: {persona}"
    place: Literal["before", "after"] = "after"
    own: Literal["keep", "replace"] = "keep"
    documents: Literal["keep", "drop"] = Field(default="keep")

    @field_validator("persona")
    @classmethod
    def _tells_it(cls, said: str) -> str:
        if said.count(PERSONA) != 1 or len(said.partition(PERSONA)[0].strip()) < LEAST:
            raise ValueError(f"should be words, and then {PERSONA} once")
        return said

    @field_validator("system")
    @classmethod
    def _has_words(cls, said: str) -> str:
        if said.count(PERSONA) > 1 or (said and not said.replace(PERSONA, "").strip()):
            raise ValueError(f"should be words, with {PERSONA} once or not at all; empty for none")
        return said
