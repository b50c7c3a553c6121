"""params.yaml as pydantic models: one section a stage, every name checked, every default here.

The comments in params.yaml say what each number is for and which sentence of the paper it comes from.
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Literal, get_args

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError


class ConfigError(ValueError):
    """params.yaml cannot be used; the message is one line that names the parameter and the remedy."""


class Section(BaseModel):
    """A part of params.yaml: frozen, and an unknown name is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class SamplingConfig(Section):
    """How text is sampled: tokens are the model's own."""

    temperature: float = Field(default=0.9, ge=0)
    top_k: int = Field(default=50, ge=1)
    max_new_tokens: int = Field(default=96, ge=1)
    context_tokens: int = Field(default=768, ge=64)
    batch: int = Field(default=96, ge=1)


class ModelsConfig(Section):
    """Backends by name: ``local:PATH``, ``openai:http://host:8000/v1#name``, ``scripted:FILE``."""

    policy: str = "champion"
    rewriter: str = "champion"
    embedder: str = "embedded"


class SplitConfig(Section):
    """Who is held out: a salted hash of the user, fixed for the workspace's life."""

    held_out: float = Field(default=0.4, gt=0, lt=1)
    salt: str = "rlhi"

    def holds_out(self, user_id: str) -> bool:
        """True when this user's turns may only be measured on, never learned from."""
        digest = hashlib.sha256(f"{self.salt}\0{user_id}".encode("utf-8", "surrogatepass")).digest()
        return int.from_bytes(digest[:8], "big") / 2**64 < self.held_out


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


Told = Literal["own", "shuffled", "none"]
"""Which persona is told: the user's, another user's, or none; the last two are controls of an experiment."""

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


class RewritesConfig(Section):
    """User-guided rewrites: at most ``turns`` complaints a cycle, drawn by seed, ``tries`` samples each.

    ``guidance`` is what the rewriter is told: the user's words and persona, the persona only, or neither (controls).
    """

    turns: int = Field(default=60, ge=0)
    tries: int = Field(default=4, ge=1)
    guidance: Literal["words", "persona", "none"] = "words"
    sampling: SamplingConfig = SamplingConfig()


class CandidatesConfig(Section):
    """User-based rewards: at most ``prompts`` requests a cycle, drawn by seed, ``n`` samples each."""

    prompts: int = Field(default=48, ge=0)
    n: int = Field(default=8, ge=2)
    persona_only: bool = False
    sampling: SamplingConfig = SamplingConfig()


class RewardConfig(Section):
    """The persona-conditioned reward head on frozen features."""

    l2: float = Field(default=30.0, gt=0)
    persona_dimensions: int = Field(default=16, ge=1)
    min_pairs: int = Field(default=8, ge=1)


class PairsConfig(Section):
    """Which comparisons are worth learning from. ``persona`` is the one that the reward model judges by."""

    filter: bool = True
    persona: Told = "own"
    min_margin: float = Field(default=0.5, ge=0)
    max_per_user: int = Field(default=8, ge=1)
    max_users: int = Field(default=0, ge=0, description="0 for all")
    max_longer: float = Field(default=5.0, gt=0)
    replay: float = Field(default=0.3, ge=0, le=1)


class DpoConfig(Section):
    """Persona-conditioned DPO through TRL; ``deepspeed`` is a ZeRO stage, 0 for none."""

    min_new_pairs: int = Field(default=24, ge=1)
    max_pairs: int = Field(default=80, ge=1)
    epochs: float = Field(default=1, gt=0)
    learning_rate: float = Field(default=4e-4, gt=0)
    beta: float = Field(default=0.1, gt=0)
    batch: int = Field(default=2, ge=1)
    accumulation: int = Field(default=4, ge=1)
    max_length: int = Field(default=384, ge=32)
    lora_rank: int = Field(default=16, ge=0, description="0 trains every weight")
    precision: Literal["bf16", "fp32"] = "bf16"
    processes: int = Field(default=1, ge=1)
    deepspeed: Literal[0, 1, 2, 3] = 0
    gradient_checkpointing: bool = False
    share_prompt: bool = Field(default=True, description="compute the prompt of a pair once where the model allows it")
    report_to: tuple[str, ...] = ()


class EvaluateConfig(Section):
    """What held-out users see: ``requests`` each, ``samples`` replies each, by champion and challenger."""

    persona: Told = "own"
    users: int = Field(default=48, ge=1)
    requests: int = Field(default=2, ge=1)
    samples: int = Field(default=2, ge=1)
    pairs: int = Field(default=40, ge=0, description="held-out users' logged choices, at most")
    resamples: int = Field(default=2000, ge=100)
    confidence: float = Field(default=0.95, gt=0.5, lt=1)
    sampling: SamplingConfig = SamplingConfig()


class DriftConfig(Section):
    """Evidently on the user's side of new conversations against the former cycles'."""

    max_share: float = Field(default=0.5, gt=0, le=1)
    min_rows: int = Field(default=30, ge=2)


class GainConfig(Section):
    """A gain that must be shown: the interval's lower bound above ``margin``."""

    margin: float = 0.0
    required: bool = False


class GuardConfig(Section):
    """A loss that must not happen: the challenger's mean at most ``max_drop`` below the champion's."""

    max_drop: float = Field(default=0.05, ge=0)
    required: bool = False


class GateConfig(Section):
    """What a promotion needs. ``drift: refuse`` lets drift alone refuse, ``report`` only records it."""

    gains: dict[str, GainConfig] = {
        "satisfaction": GainConfig(),
        "preference": GainConfig(required=True),
    }
    guards: dict[str, GuardConfig] = {
        "instructions": GuardConfig(max_drop=0.1, required=True),
        "fluency": GuardConfig(max_drop=0.05, required=True),
        "choices": GuardConfig(max_drop=0.1),
    }
    drift: Literal["refuse", "report"] = "refuse"


class Params(Section):
    """The whole of params.yaml."""

    seed: int = 0
    models: ModelsConfig = ModelsConfig()
    split: SplitConfig = SplitConfig()
    ingest: IngestConfig = IngestConfig()
    feedback: FeedbackConfig = FeedbackConfig()
    personas: PersonasConfig = PersonasConfig()
    rewrites: RewritesConfig = RewritesConfig()
    candidates: CandidatesConfig = CandidatesConfig()
    reward: RewardConfig = RewardConfig()
    pairs: PairsConfig = PairsConfig()
    dpo: DpoConfig = DpoConfig()
    evaluate: EvaluateConfig = EvaluateConfig()
    drift: DriftConfig = DriftConfig()
    gate: GateConfig = GateConfig()


def load_params(path: Path) -> Params:
    """Read and check params.yaml.

    Raises:
        ConfigError: the file is missing, is no YAML, or holds an unknown name or a value out of range.
    """
    try:
        loaded = yaml.safe_load(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ConfigError(f"{path} is missing: run `rlhi init` here, or name a workspace with --workspace") from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path} is not valid YAML: {str(error).splitlines()[0]}") from None
    try:
        return Params.model_validate(loaded or {})
    except ValidationError as error:
        first = error.errors()[0]
        name = ".".join(str(part) for part in first["loc"])
        if first["type"] == "extra_forbidden":
            raise ConfigError(f"{path}: unknown parameter {name!r}; remove it or correct its spelling") from None
        raise ConfigError(f"{path}: {name}: {first['msg']} (it is {first['input']!r})") from None
