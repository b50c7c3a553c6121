"""Sections of the collect flow: ingest, feedback, personas."""

from __future__ import annotations

from typing import Literal, get_args

from pydantic import Field, model_validator

from rlhi.config.base import Section, needs_endpoint

PiiKind = Literal["email", "phone", "card", "iban", "ip", "key"]


class IngestConfig(Section):
    """Bounds on what is accepted, what cleaning changes in it, and who its users are: ``user_column`` is a dotted path
    in a log's rows, ``names`` a spaCy pipeline."""

    max_characters: int = Field(default=100_000, ge=1)
    max_turns: int = Field(default=400, ge=2)
    identify_language: bool = True
    redact: tuple[PiiKind, ...] = get_args(PiiKind)
    names: str = ""
    spam_repeats: int = Field(default=50, ge=1)
    user_column: str = ""
    hash_users: bool = True
    runner: Literal["processes", "threads", "dask", "ray"] = "processes"
    cluster: str = Field(default="", description="address of the Dask scheduler or of Ray; empty starts a local one")


class FeedbackLlmConfig(Section):
    """The language model that labels when ``feedback.labeller`` is ``llm``: ``openai:URL#NAME``."""

    model: str = ""
    tries: int = Field(default=3, ge=1)
    max_new_tokens: int = Field(default=200, ge=1)


class FeedbackConfig(Section):
    """The follow-up labeller; ``threshold`` is the least probability of the two re-attempt classes together."""

    labeller: Literal["local", "accurate", "llm"] = "local"
    head: str = "shipped"
    threshold: float = Field(default=0.5, gt=0, lt=1)
    implicit_weight: float = Field(default=0.3, ge=0, le=1)
    batch: int = Field(default=64, ge=1)
    llm: FeedbackLlmConfig = FeedbackLlmConfig()

    @model_validator(mode="after")
    def _can_ask(self) -> FeedbackConfig:
        if self.labeller == "llm":
            needs_endpoint("feedback.llm.model", self.llm.model)
        return self


ClaimGroup = Literal["wish", "topic", "expertise", "style", "language"]


class PersonaLlmConfig(Section):
    """The language model that reads histories when ``personas.builder`` is ``llm``: ``openai:URL#NAME``."""

    model: str = ""
    tries: int = Field(default=3, ge=1)
    characters: int = Field(default=12_000, ge=200)
    max_new_tokens: int = Field(default=512, ge=1)


class PersonasConfig(Section):
    """How a history becomes a persona. ``half_life`` is a number of later contrary pieces of evidence."""

    builder: Literal["local", "llm"] = "local"
    max_claims: int = Field(default=4, ge=1)
    min_confidence: float = Field(default=0.3, ge=0, le=1)
    half_life: float = Field(default=2, gt=0)
    text_kinds: tuple[ClaimGroup, ...] = ("wish",)
    prior: bool = False
    prior_share: float = Field(default=0.5, gt=0, le=1)
    llm: PersonaLlmConfig = PersonaLlmConfig()

    @model_validator(mode="after")
    def _can_ask(self) -> PersonasConfig:
        if self.builder == "llm":
            needs_endpoint("personas.llm.model", self.llm.model)
        return self
