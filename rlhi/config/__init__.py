"""params.yaml as pydantic models: one section a stage, every name checked, every default here.

The comments in params.yaml say what each number is for and which sentence of the paper it comes from.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import yaml
from pydantic import Field, ValidationError, model_validator

from rlhi.config.base import (
    ModelsConfig,
    Precision,
    SamplingConfig,
    Section,
    ServedConfig,
    SplitConfig,
    UserPart,
    WhichPersona,
)
from rlhi.config.collect import (
    ClaimGroup,
    FeedbackConfig,
    FeedbackLlmConfig,
    IngestConfig,
    PersonaLlmConfig,
    PersonasConfig,
    PiiKind,
)
from rlhi.config.evaluate import (
    BudgetConfig,
    ConfirmConfig,
    DriftConfig,
    EvaluateConfig,
    GateConfig,
    JudgesConfig,
    PanelConfig,
    ProvenConfig,
)
from rlhi.config.learn import (
    CandidatesConfig,
    CompetenceConfig,
    DpoConfig,
    PairsConfig,
    RewardConfig,
    RewritesConfig,
    StepLimits,
    TrainingLimits,
    TunedRewardConfig,
)
from rlhi.config.prompt import PromptConfig
from rlhi.config.suites import GainConfig, GuardConfig
from rlhi.contracts.options import Method, RewardKind

__all__ = [
    "BudgetConfig",
    "CandidatesConfig",
    "ClaimGroup",
    "CompetenceConfig",
    "ConfigError",
    "ConfirmConfig",
    "DpoConfig",
    "DriftConfig",
    "EvaluateConfig",
    "FeedbackConfig",
    "FeedbackLlmConfig",
    "GainConfig",
    "GateConfig",
    "GuardConfig",
    "IngestConfig",
    "JudgesConfig",
    "Method",
    "ModelsConfig",
    "PairsConfig",
    "PanelConfig",
    "Params",
    "PersonaLlmConfig",
    "PersonasConfig",
    "PiiKind",
    "Precision",
    "ProvenConfig",
    "PromptConfig",
    "RewardConfig",
    "RewardKind",
    "RewritesConfig",
    "SamplingConfig",
    "Section",
    "ServedConfig",
    "SplitConfig",
    "StepLimits",
    "TrainingLimits",
    "TunedRewardConfig",
    "UserPart",
    "WhichPersona",
    "load_params",
]


GATED = ("gains", "guards")
"""Of the gate: a row a suite. A suite that a file does not name is gated as by default; ``off`` takes it out."""


RETIRED: Mapping[str, tuple[str, ...]] = {"drift": ("max_share", "min_rows")}
"""Parameters of earlier versions that nothing stands for: they are passed over, so that a workspace's night goes on."""


class ConfigError(ValueError):
    """params.yaml cannot be used; the message is one line that names the parameter and the remedy."""


class Params(Section):
    """The whole of params.yaml."""

    seed: int = Field(default=0, ge=0, lt=2**32)
    models: ModelsConfig = ModelsConfig()
    prompt: PromptConfig = PromptConfig()
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
    confirm: ConfirmConfig = ConfirmConfig()
    judges: JudgesConfig = JudgesConfig()
    drift: DriftConfig = DriftConfig()
    gate: GateConfig = GateConfig()

    @property
    def split_by(self) -> dict[str, object]:
        """By name, the parameters that decide what a user's turns are for: fixed from the first cycle on."""
        split, ingest = self.split, self.ingest
        return {
            "split.held_out": split.held_out, "split.salt": split.salt, "split.judges": split.judges,
            "ingest.hash_users": ingest.hash_users, "ingest.user_column": ingest.user_column,
        }  # fmt: skip

    def fixed_by(self, cycle: Mapping[str, object]) -> Params:
        """As a workspace reads them whose ``cycle.json`` this is.

        Judges that the file does not name are as many as its cycles have: none, where these began without any.
        """
        if not cycle or "judges" in self.split.model_fields_set:
            return self
        fixed = cycle.get("split")
        judges = fixed.get("split.judges", 0.0) if isinstance(fixed, dict) else 0.0
        return self.model_copy(update={"split": self.split.model_copy(update={"judges": judges})})

    @model_validator(mode="after")
    def _enough_can_be_new(self) -> Params:
        replay = self.pairs.replay
        if self.dpo.min_new_pairs > (room := int(self.dpo.max_pairs / (1 + replay))):
            raise ValueError(
                f"dpo.min_new_pairs={self.dpo.min_new_pairs} is never reached: dpo.max_pairs={self.dpo.max_pairs} "
                f"leaves room for {room} new pairs beside a replay of pairs.replay={replay:g}; raise dpo.max_pairs"
            )
        return self


def load_params(path: Path) -> Params:
    """Read and check params.yaml.

    Raises:
        ConfigError: the file is missing, is no YAML, or holds an unknown name or a value out of range.
    """
    try:
        loaded = yaml.load(path.read_text(encoding="utf-8"), _Loader)
    except FileNotFoundError:
        raise ConfigError(f"{path} is missing: run `rlhi init` here, or name a workspace with --workspace") from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        where, problem = getattr(error, "problem_mark", None), getattr(error, "problem", None)
        line = f", line {where.line + 1}" if where else ""
        raise ConfigError(f"{path} is not valid YAML{line}: {problem or str(error).splitlines()[0]}") from None
    if loaded is not None and not isinstance(loaded, dict):
        raise ConfigError(f"{path} should hold sections by name, and not a {type(loaded).__name__}")
    try:
        return Params.model_validate(_with_gate(_without_retired(loaded or {})))
    except ValidationError as error:
        first = error.errors()[0]
        name = ".".join(str(part) for part in first["loc"] if part != "[key]")
        if first["type"] == "extra_forbidden":
            raise ConfigError(f"{path}: unknown parameter {name!r}; remove it or correct its spelling") from None
        if first["type"] == "model_type":
            gated = any(name.startswith(f"gate.{one}.") for one in GATED)
            remedy = "`off` takes it out" if gated else "remove it to have the defaults"
            raise ConfigError(f"{path}: {name}: should hold parameters by name; {remedy}") from None
        told = first["msg"].removeprefix("Value error, ")
        if first["type"] == "tuple_type":
            told = "should be a list, such as [one, other]"
        held = "" if isinstance(first["input"], dict) else f" (it is {first['input']!r})"
        raise ConfigError(": ".join(part for part in (str(path), name, told + held) if part)) from None


class _Loader(yaml.SafeLoader):
    """A name that stands twice in a section is an error: YAML would take the last, and DVC refuses the file."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[object, object]:
        seen: set[object] = set()
        for key, _ in node.value:
            if not isinstance(key, yaml.ScalarNode):
                continue
            if key.value in seen:
                problem = f"{key.value!r} stands twice in its section; merge the two"
                raise yaml.constructor.ConstructorError(None, None, problem, key.start_mark)
            seen.add(key.value)
        return super().construct_mapping(node, deep)


def _without_retired(loaded: dict[str, object]) -> dict[str, object]:
    return {
        name: {key: value for key, value in held.items() if key not in RETIRED.get(name, ())}
        if isinstance(held, dict)
        else held
        for name, held in loaded.items()
    }


def _with_gate(loaded: dict[str, object]) -> dict[str, object]:
    """What a file leaves out of the gate is as by default: a short file must not promote unguarded."""
    gate = loaded.get("gate")
    if not isinstance(gate, dict):
        return loaded
    defaults = GateConfig().model_dump()
    for name in GATED:
        if not isinstance(told := gate.get(name, {}), dict):
            continue
        rows = defaults[name] | {
            suite: defaults[name].get(suite, {}) | (row or {}) if isinstance(row, dict) or row is None else row
            for suite, row in told.items()
        }
        gate = gate | {name: {suite: row for suite, row in rows.items() if row is not False}}
    return loaded | {"gate": gate}
