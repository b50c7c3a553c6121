"""IFEval (arXiv 2311.07911): the share of instructions that a model follows, as a kept library checks them.

Prompts are the 541 of ``RLHI_DATA`` (prompts.jsonl.gz), of which ``--limit`` are drawn by seed; the checks are
``if-verifiable``'s (``pip install 'rlhi[ifeval]'``). Replies are greedy and without system message. What is printed is
the mean of two shares, as the model cards print it: prompts of which all instructions are followed, and instructions;
strictly, and loosely (a first or last line and asterisks do not count). Two kinds of checks want data of NLTK's that
no package brings: prompts with one of them are left out and counted.

    rlhi bench ifeval [--model FOLDER] [--limit N] [--quick] [--json]
"""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from rlhi.bench.feedback_data import data_folder
from rlhi.bench.figure import figure
from rlhi.config import EvaluateConfig, ModelsConfig
from rlhi.contracts import Message, content_key
from rlhi.models.base import Sampling
from rlhi.models.prepare import policy_path
from rlhi.stages import backends

PUBLISHED = 0.299
"""Of SmolLM2-135M-Instruct, by its model card: IFEval, average of prompt and instruction."""
PROMPTS = "prompts.jsonl.gz"
WANT_DATA = frozenset({"length_constraints:number_sentences", "change_case:capital_word_frequency"})
QUICK = 16
RESAMPLES = 2000
MODES = ("strict", "loose")


class NotRun(Exception):
    """What is missing, in one line with the remedy."""


@dataclass(frozen=True, slots=True)
class Prompt:
    """One of IFEval's, with what a program is to check of the reply."""

    item: str
    text: str
    instructions: tuple[str, ...]
    arguments: tuple[Mapping[str, object], ...]


@dataclass(frozen=True, slots=True)
class Checked:
    """One reply: by mode, whether each instruction is followed."""

    item: str
    followed: Mapping[str, tuple[bool, ...]]


@dataclass(frozen=True, slots=True)
class Share:
    """The mean of both shares with its interval over prompts, and the two."""

    mean: float
    low: float
    high: float
    prompts: float
    instructions: float


@dataclass(frozen=True, slots=True)
class Told:
    """Shares by mode, how many prompts were asked and how many left out, and what is published of the model."""

    shares: Mapping[str, Share]
    asked: int
    left_out: int
    published: float | None


Checker = Callable[[Prompt, str], Checked]


def run(folder: Path | None, limit: int, quick: bool, most_tokens: int, as_json: bool) -> str:
    """The table, or JSON; where something is missing, that it was not run and why."""
    try:
        checker, prompts = checker_of(), read(data_folder() / PROMPTS)
    except NotRun as why:
        return json.dumps({"name": "ifeval", "not_run": str(why)}) if as_json else f"ifeval: not run: {why}"
    kept = [one for one in prompts if not WANT_DATA.intersection(one.instructions)]
    asked = drawn(kept, QUICK if quick else limit)
    checked = [checker(one, text) for one, text in zip(asked, replies(folder, asked, most_tokens), strict=True)]
    shares = {mode: share(checked, mode) for mode in MODES}
    told = Told(shares, len(asked), len(prompts) - len(kept), None if folder else PUBLISHED)
    return record(told) if as_json else table(told)


def read(file: Path) -> list[Prompt]:
    """IFEval's prompts of a file.

    Raises:
        NotRun: there is none.
    """
    if not file.is_file():
        raise NotRun(f"there is no {file.name} in RLHI_DATA")
    with gzip.open(file, "rt", encoding="utf-8") as rows:
        found = [row for line in rows if (row := json.loads(line))["source"] == "ifeval"]
    return [
        Prompt(
            row["prompt_id"], row["turns"][0]["content"], tuple(row["check"]["instruction_id_list"]),
            tuple(row["check"]["kwargs"]),
        )
        for row in found
    ]  # fmt: skip


def checker_of() -> Checker:
    """The library's check.

    Raises:
        NotRun: it is not installed.
    """
    try:
        import langdetect
        from if_verifiable import IFEvalSample, evaluate_output_for_sample
    except ImportError as error:
        raise NotRun("pip install 'rlhi[ifeval]'") from error
    langdetect.DetectorFactory.seed = 0  # else a text in two languages is one or the other by chance

    def check(prompt: Prompt, text: str) -> Checked:
        sample = IFEvalSample(
            key=0, prompt=prompt.text, instruction_id_list=list(prompt.instructions),
            kwargs=[dict(one) for one in prompt.arguments],
        )  # fmt: skip
        found, _ = evaluate_output_for_sample("ifeval", sample, text)
        none = (False,) * len(prompt.instructions)  # of an empty reply the library tells nothing
        strict, loose = ([one.strict_pass for one in found], [one.loose_pass for one in found])
        return Checked(prompt.item, {"strict": tuple(strict) or none, "loose": tuple(loose) or none})

    return check


def drawn(prompts: Sequence[Prompt], limit: int, seed: int = 0) -> list[Prompt]:
    """The first ``limit`` in an order drawn by seed; all for 0."""
    order = sorted(prompts, key=lambda one: content_key(seed, "ifeval", one.item))
    return order[:limit] if limit else order


def replies(folder: Path | None, asked: Sequence[Prompt], most_tokens: int) -> list[str]:
    """One greedy reply to each."""
    config = EvaluateConfig().sampling.model_copy(update={"context_tokens": 2048, "batch": 16})
    model = backends.local_model(folder or policy_path(), "measured", config, ModelsConfig())
    told = model.chat([(Message("user", one.text),) for one in asked], Sampling(1, 0.0, 50, most_tokens, 0))
    return [str(texts[0]) for texts in told]


def share(checked: Sequence[Checked], mode: str) -> Share:
    """Both shares and their mean; the interval is a percentile bootstrap over prompts."""
    import numpy as np

    counts = np.array([[all(one.followed[mode]), sum(one.followed[mode]), len(one.followed[mode])] for one in checked])
    places = np.random.default_rng(0).integers(0, len(counts), (RESAMPLES, len(counts)))
    sums = counts[places].sum(axis=1)
    means = (sums[:, 0] / len(counts) + sums[:, 1] / sums[:, 2]) / 2
    low, high = np.quantile(means, [0.025, 0.975])
    prompts, instructions = counts[:, 0].mean(), counts[:, 1].sum() / counts[:, 2].sum()
    return Share(*map(float, ((prompts + instructions) / 2, low, high, prompts, instructions)))


def record(told: Told) -> str:
    """For a program; the baseline is what is published of this model, strictly checked."""
    strict = told.shares["strict"].mean
    found = figure("ifeval", "share of instructions followed", strict, told.published or 0.0, [strict])
    by_mode = {mode: asdict(one) for mode, one in told.shares.items()}
    return json.dumps(found | {"asked": told.asked, "left_out": told.left_out, "by_mode": by_mode})


def table(told: Told) -> str:
    """For people."""
    lines = [
        f"{told.asked} prompts; {told.left_out} more want data of NLTK's and are left out",
        f"{'':8}{'mean':>8}  interval",
    ]
    for mode, one in told.shares.items():
        lines.append(
            f"{mode:8}{one.mean:8.1%}  {one.low:.1%} to {one.high:.1%}   "
            f"prompts {one.prompts:.1%}, instructions {one.instructions:.1%}"
        )
    return "\n".join([*lines, *([f"published {told.published:.1%}"] if told.published else [])])
