"""`rlhi bench ...`: each prints our figure, the baseline's and the ratio of one run."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from rlhi.cli.printed import Json
from rlhi.contracts.options import RewardKind

bench_app = typer.Typer(help="Benchmarks: our figure, the baseline's and the ratio of one run.", no_args_is_help=True)


@bench_app.command("feedback")
def bench_feedback(
    context: typer.Context,
    quick: Annotated[bool, typer.Option("--quick", help="One split, smaller ensembles.")] = False,
    train: Annotated[bool, typer.Option("--train", help="Instead, train on every row and write the heads.")] = False,
    agreement: Annotated[
        int, typer.Option(min=0, help="Instead, compare with a language model on so many follow-ups.")
    ] = 0,
    model: Annotated[str, typer.Option(help="That model: openai:http://HOST:PORT/v1#NAME.")] = "",
    labels: Annotated[
        Path | None, typer.Option(help="Labelled follow-ups to sample from, not the workspace's conversations.")
    ] = None,
    as_json: Json = False,
) -> None:
    """The follow-up labeller, 5-fold by conversation, beside tf-idf with logistic regression.

    Measuring and training need RLHI_DATA: its followup_labels.jsonl.gz, and its conversations.jsonl.gz for the texts
    of the reader's labels, of which only ids are shipped.
    """
    if agreement:
        from rlhi.bench.agreement import run as compare

        print(compare(context.obj.resolve(), agreement, model, labels, as_json))
        return
    from rlhi.bench.feedback import retrain
    from rlhi.bench.feedback import run as bench

    print(retrain() if train else bench(quick, as_json))


@bench_app.command("persona")
def bench_persona(
    quick: Annotated[bool, typer.Option("--quick", help="Fewer users, one fold, no labeller.")] = False,
    as_json: Json = False,
) -> None:
    """Personas: hidden wishes recovered, and real held-out choices and ratings predicted; needs RLHI_DATA."""
    from rlhi.bench.persona import run as bench

    print(bench(quick, as_json))


@bench_app.command("reward")
def bench_reward(
    kind: Annotated[RewardKind, typer.Option(help="As `reward.kind`; lora and full take hours on a CPU.")] = "head",
    quick: Annotated[
        bool, typer.Option("--quick", help="One split, 150 pairs of each source; fine-tuned: one fold, 120 pairs.")
    ] = False,
    as_json: Json = False,
) -> None:
    """The reward model on real choices and ratings, beside "the longer wins"; needs RLHI_DATA."""
    from rlhi.bench.reward import run as bench

    print(bench(quick, as_json, kind))


@bench_app.command("drift")
def bench_drift(
    quick: Annotated[bool, typer.Option("--quick", help="Fewer users, fewer draws.")] = False,
    as_json: Json = False,
) -> None:
    """Drift: how often changes of users are seen and nothing is called one, beside rows by Evidently's tests.

    Users are drawn from RLHI_DATA, or made up without it.
    """
    from rlhi.bench.drift import run as bench

    print(bench(quick, as_json))


@bench_app.command("dpo")
def bench_dpo(
    shape: Annotated[
        str, typer.Option(help="Instead, tokens a second of a large model with random weights, on a GPU: 8b or 1b.")
    ] = "",
    quick: Annotated[bool, typer.Option("--quick", help="Fewer pairs, one round.")] = False,
    as_json: Json = False,
) -> None:
    """Learning from pairs: pairs a second beside TRL's DPOTrainer, on the embedded model."""
    if shape:
        from rlhi.bench.dpo_shape import run as large

        print(large(shape, quick, as_json))
        return
    from rlhi.bench.dpo import run as bench

    print(bench(quick, as_json))


@bench_app.command("sample")
def bench_sample(
    quick: Annotated[bool, typer.Option("--quick", help="Half the prompts, one round.")] = False,
    as_json: Json = False,
) -> None:
    """Sampling candidates: tokens a second beside `generate` per prompt, on the embedded model."""
    from rlhi.bench.sample import run as bench

    print(bench(quick, as_json))


@bench_app.command("seeds")
def bench_seeds(
    workspaces: Annotated[list[Path], typer.Argument(metavar="WORKSPACE...", help="Say, of demos of several seeds.")],
    cycle: Annotated[int, typer.Option(min=1, help="Which cycle of each.")] = 1,
    as_json: Json = False,
) -> None:
    """What a cycle of several workspaces measured, side by side, and the mean over them."""
    from rlhi.bench.seeds import run as bench

    print(bench(workspaces, cycle, as_json))


@bench_app.command("pii")
def bench_pii(as_json: Json = False) -> None:
    """Redaction of personal data: precision and recall on this project's labelled texts, and texts a second."""
    from rlhi.bench.pii import run as bench

    print(bench(as_json))


@bench_app.command("conduct")
def bench_conduct(
    model: Annotated[Path | None, typer.Option(help="A model's folder, else the embedded one.")] = None,
    quick: Annotated[bool, typer.Option("--quick", help="One item of four.")] = False,
    as_json: Json = False,
) -> None:
    """Opinions and refusals: what the suites say of a model, and of the same model shown to please its users."""
    from rlhi.bench.conduct import run as bench

    print(bench(model, quick, as_json))


@bench_app.command("ifeval")
def bench_ifeval(
    model: Annotated[Path | None, typer.Option(help="A model's folder, else the embedded one.")] = None,
    limit: Annotated[int, typer.Option(min=0, help="Prompts, drawn by seed; 0 for all.")] = 0,
    quick: Annotated[bool, typer.Option("--quick", help="Sixteen prompts.")] = False,
    most_tokens: Annotated[int, typer.Option("--tokens", min=1, help="Of a reply, at most.")] = 512,
    as_json: Json = False,
) -> None:
    r"""IFEval, beside what is published of the embedded model; needs RLHI_DATA and pip install 'rlhi\[ifeval]'."""
    from rlhi.bench.ifeval import run as bench

    print(bench(model, limit, quick, most_tokens, as_json))


@bench_app.command("gate")
def bench_gate(
    quick: Annotated[bool, typer.Option("--quick", help="Fewer years and decisions, in a minute.")] = False,
    plot: Annotated[Path | None, typer.Option(help="Draw what a decision shows into this SVG too.")] = None,
    spread: Annotated[
        list[Path] | None,
        typer.Option(metavar="WORKSPACE", help="Instead, how far users, requests and replies lie apart there."),
    ] = None,
    suite: Annotated[str, typer.Option(help="Of which suite, with --spread.")] = "satisfaction",
    as_json: Json = False,
) -> None:
    """What the gate promises, measured: false promotions in a year of nights, true gains taken, harm that passes.

    With --spread, real people's ratings are told too where RLHI_DATA has its conversations.jsonl.gz.
    """
    from rlhi.bench.gate import run as bench
    from rlhi.bench.gate import spread as spread_of

    print(spread_of(spread, suite, as_json) if spread else bench(quick, as_json, plot))


@bench_app.command("forecast")
def bench_forecast(
    quick: Annotated[bool, typer.Option("--quick", help="Half the users, one world.")] = False,
    as_json: Json = False,
) -> None:
    """The forecast of re-attempts under scripted models of known quality, beside the last night's share again."""
    from rlhi.bench.forecast import run as bench

    print(bench(quick, as_json))


Rows = Annotated[int, typer.Option("--rows", min=100, help="Conversations in the generated log.")]
Fewer = Annotated[int, typer.Option("--baseline-rows", min=100, help="How many of them the baseline reads at most.")]


@bench_app.command("ingest")
def bench_ingest(rows: Rows = 1_000_000, baseline_rows: Fewer = 100_000, as_json: Json = False) -> None:
    r"""Taking in a large log, beside the same steps as a datatrove pipeline (pip install 'rlhi\[bench]')."""
    from rlhi.bench.ingest import bench_ingest as bench

    print(bench(rows, baseline_rows, as_json))


@bench_app.command("increment")
def bench_increment(rows: Rows = 1_000_000, as_json: Json = False) -> None:
    """What one per cent more of a log costs, as a share of the whole."""
    from rlhi.bench.ingest import bench_increment as bench

    print(bench(rows, as_json))


def experiment(
    name: Annotated[str, typer.Argument(help="Which one: docs/experiments.md lists them.")],
    quick: Annotated[bool, typer.Option("--quick", help="Few users, few pairs: does it run at all?")] = False,
    seeds: Annotated[int, typer.Option(min=1, help="Worlds to repeat it in.")] = 2,
    directory: Annotated[Path, typer.Option("--dir", help="Where worlds and results are kept.")] = Path("experiments"),
    policy: Annotated[Path | None, typer.Option(help="Folder of the base model, else the embedded one.")] = None,
    page: Annotated[
        Path | None,
        typer.Option(help="Put table and picture into this page, say docs/experiments.md; results lie beside it."),
    ] = None,
    as_json: Json = False,
) -> None:
    """An experiment on simulated users: does this part of the method do what it is there for?"""
    import json
    from dataclasses import asdict

    from rlhi.bench.experiments.run import run
    from rlhi.bench.experiments.tables import check_page, table, write

    if page:
        check_page(page)
    told = run(name, quick, seeds, directory.resolve(), policy and policy.resolve(), page)
    if page:
        write(told, page)
    print(json.dumps(asdict(told), default=str) if as_json else table(told))
