"""What every section of params.yaml is made of, and the sections that several stages read."""

from __future__ import annotations

import hashlib
import re
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

WhichPersona = Literal["own", "shuffled", "none", "brief"]
"""Which persona is told: the user's, another user's, none, or for all that answers are to be short. All but the first
are controls of an experiment."""


class Section(BaseModel):
    """A part of params.yaml: frozen; an unknown name is an error, and so is a number that is none, or infinite."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class SamplingConfig(Section):
    """How text is sampled: tokens are the model's own."""

    temperature: float = Field(default=0.9, ge=0)
    top_k: int = Field(default=50, ge=1)
    max_new_tokens: int = Field(default=96, ge=1)
    context_tokens: int = Field(default=768, ge=64)
    batch: int = Field(default=96, ge=1)


class ServedConfig(SamplingConfig):
    """How text is sampled where users read it; set it to what serves your model. Cooler by default than what is sampled
    to be compared: that has to differ, and this is to say what is likely."""

    temperature: float = Field(default=0.4, ge=0)


ENDPOINT = "openai:http://HOST:PORT/v1#NAME"
# Of an endpoint the address may be left to $OPENAI_BASE_URL: what is refused is an address without a name.
_LOOKS = {"local:PATH": "local:.+", ENDPOINT: "openai:(?!https?://[^#]*#?$).+", "scripted:FILE": "scripted:.+"}


def one_of(*kinds: str) -> AfterValidator:
    """A backend's name is of one of these kinds: a misspelt one is told before hours of other stages."""

    def check(name: str) -> str:
        if not any(re.fullmatch(_LOOKS.get(kind, kind), name) for kind in kinds):
            raise ValueError(f"no model {name!r}: {', '.join(kinds[:-1])} or {kinds[-1]}")
        return name

    return AfterValidator(check)


Chat = Annotated[str, one_of("champion", *_LOOKS)]


def needs_endpoint(name: str, model: str) -> None:
    """Raises ValueError unless the parameter called ``name`` holds an endpoint's model."""
    if not re.fullmatch(_LOOKS[ENDPOINT], model):
        raise ValueError(f"{name} should name the model that is asked: {ENDPOINT} (it is {model!r})")


Precision = Literal["auto", "bf16", "fp32"]


class ModelsConfig(Section):
    """Backends by name: ``local:PATH``, ``openai:http://host:8000/v1#name``, ``scripted:FILE``.

    ``precision`` is what models of this machine answer in.
    """

    policy: Chat = "champion"
    rewriter: Chat = "champion"
    embedder: Annotated[str, one_of("embedded", "local:PATH")] = "embedded"
    yardstick: Annotated[str, one_of("first", "local:PATH")] = "first"
    precision: Precision = "auto"


UserPart = Literal["held_out", "judges", "teaches"]
"""What a user's turns are for: to measure on, to train the judge of evaluations, or to learn from."""


class SplitConfig(Section):
    """Who is held out, and who of the others judges: salted hashes of the user, fixed for the workspace's life.

    What judges preferred trains the judge that evaluations ask and nothing else: it chooses no pairs and makes none.
    """

    held_out: float = Field(default=0.4, gt=0, lt=1)
    salt: str = "rlhi"
    judges: float = Field(default=0.25, ge=0, lt=1, description="share of the users who are not held out")

    def part_of(self, user_id: str) -> UserPart:
        """What this user's turns are for."""
        if self.holds_out(user_id):
            return "held_out"
        return "judges" if _drawn(f"{self.salt}\0judges\0{user_id}") < self.judges else "teaches"

    def holds_out(self, user_id: str) -> bool:
        """True when this user's turns may only be measured on."""
        return _drawn(f"{self.salt}\0{user_id}") < self.held_out

    def teaches(self, user_id: str) -> bool:
        """True when this user's turns may be learned from."""
        return self.part_of(user_id) == "teaches"


def _drawn(name: str) -> float:
    """A number in [0, 1) that the name alone decides."""
    digest = hashlib.sha256(name.encode("utf-8", "surrogatepass")).digest()
    return int.from_bytes(digest[:8], "big") / 2**64
