"""Stages whose work is cut in pieces, over a cluster: `ingest.runner: dask` or `ray` in params.yaml."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from typing import Any

from prefect import Task
from prefect.cache_policies import NO_CACHE
from prefect.task_runners import TaskRunner

from rlhi.stages import StageError
from rlhi.stages.collect.ingest.spread import Spread, using, windowed
from rlhi.workspace.store import Workspace

# Pieces handed to the cluster ahead of the result that is waited for: enough for some tens of workers.
AHEAD = 64
_RUNNERS = {"dask": ("prefect_dask", "DaskTaskRunner"), "ray": ("prefect_ray", "RayTaskRunner")}


@contextmanager
def spread_as_configured(stage: str, workspace: Path) -> Iterator[None]:
    """Let the stage `ingest` use the cluster that params.yaml names; other stages, and other runners, as they do.

    Every worker must see the workspace under the same path.

    Raises:
        StageError: the package of that task runner is not installed.
    """
    runner = Workspace.open(workspace).params.ingest if stage == "ingest" else None
    if runner is None or runner.runner not in _RUNNERS:
        yield
        return
    with _task_runner(runner.runner, runner.cluster) as given, using(_over(given)):
        yield


def _task_runner(name: str, cluster: str) -> TaskRunner[Any]:
    module, kind = _RUNNERS[name]
    try:
        runner: TaskRunner[Any] = getattr(import_module(module), kind)(address=cluster or None)
    except ImportError:
        package = module.replace("_", "-")
        raise StageError(f"ingest.runner is {name}: install {package} to use it, or set it to processes") from None
    return runner


def _over(runner: TaskRunner[Any]) -> Spread:
    def spread(function: Callable[[Any], Any], pieces: Iterable[Any]) -> Iterator[Any]:
        task = Task(function, cache_policy=NO_CACHE, persist_result=False)
        return windowed(lambda piece: runner.submit(task, {"piece": piece}), pieces, AHEAD)

    return spread
