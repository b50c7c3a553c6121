"""Work cut in independent pieces, over the cores of this machine or what the flows put in their place."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Executor, ProcessPoolExecutor, ThreadPoolExecutor
from contextlib import contextmanager
from contextvars import ContextVar
from itertools import islice
from multiprocessing import get_context
from typing import Protocol, TypeVar

Piece = TypeVar("Piece")
Result = TypeVar("Result")
Answer = TypeVar("Answer", covariant=True)


class Spread(Protocol):
    """Apply a picklable function to pieces; results in the order of the pieces."""

    def __call__(self, function: Callable[[Piece], Result], pieces: Iterable[Piece]) -> Iterator[Result]:
        """The results. At most a few pieces are taken ahead of the result that is waited for."""
        ...


def here(function: Callable[[Piece], Result], pieces: Iterable[Piece]) -> Iterator[Result]:
    """One after the other, in this process: for what is smaller than starting others costs."""
    return map(function, pieces)


@contextmanager
def processes(workers: int = 0) -> Iterator[Spread]:
    """A pool of processes, one a core for 0: Python's threads would share one core for this work."""
    with _pool(_processes(workers)) as spread:
        yield spread


def _processes(workers: int = 0) -> Executor:
    # Forked from a fresh process, not from this one: it may hold threads of torch and of Prefect.
    context = get_context("forkserver")
    context.set_forkserver_preload(["rlhi.stages.collect.ingest.ready"])
    return ProcessPoolExecutor(workers or os.cpu_count(), mp_context=context)


def _threads() -> Executor:
    return ThreadPoolExecutor(os.cpu_count())


@contextmanager
def _pool(executor: Executor) -> Iterator[Spread]:
    with executor as pool:

        def spread(function: Callable[[Piece], Result], pieces: Iterable[Piece]) -> Iterator[Result]:
            return windowed(lambda piece: pool.submit(function, piece), pieces, 2 * (os.cpu_count() or 1))

        yield spread


class Waiting(Protocol[Answer]):
    """A result that will be there."""

    def result(self) -> Answer:
        """Wait for it."""
        ...


def windowed(submit: Callable[[Piece], Waiting[Result]], pieces: Iterable[Piece], ahead: int) -> Iterator[Result]:
    """Results in the order of the pieces, never more than ``ahead`` of them under way or waiting to be taken."""
    source = iter(pieces)
    waiting = deque(submit(piece) for piece in islice(source, ahead))
    while waiting:
        done = waiting.popleft().result()
        waiting.extend(submit(piece) for piece in islice(source, 1))
        yield done


_given: ContextVar[Spread | None] = ContextVar("rlhi_spread", default=None)


@contextmanager
def using(spread: Spread) -> Iterator[None]:
    """Let the stages that are called inside spread their work this way."""
    token = _given.set(spread)
    try:
        yield
    finally:
        _given.reset(token)


@contextmanager
def spread_for(large: bool, threads: bool = False) -> Iterator[Spread]:
    """The way to spread that was given; else processes, or threads, for large work and this thread for small."""
    given = _given.get()
    if given is not None:
        yield given
    elif not large:
        yield here
    else:
        with _pool(_threads() if threads else _processes()) as spread:
            yield spread
