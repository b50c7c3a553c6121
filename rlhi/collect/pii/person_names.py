"""People's names by a spaCy pipeline that the operator installs: no model that finds names comes with this package."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache
from importlib import import_module
from typing import Protocol

from rlhi.collect.pii.recognisers import Recogniser, Span
from rlhi.models.base import ModelError

PEOPLE = frozenset({"PERSON", "PER"})  # what the English and the other languages' pipelines call them


class _Entity(Protocol):
    label_: str
    start_char: int
    end_char: int


class _Parsed(Protocol):
    ents: Iterable[_Entity]


class _Pipeline(Protocol):
    max_length: int

    def __call__(self, text: str) -> _Parsed: ...


@cache
def person_names(pipeline: str) -> Recogniser:
    """The recogniser of a spaCy pipeline, by the name of its package or its folder; loaded once in a process.

    Raises:
        ModelError: spaCy or the pipeline is not installed.
    """
    try:
        load = import_module("spacy").load
    except ImportError:
        raise ModelError(
            f"ingest.names asks for the spaCy pipeline {pipeline!r} and spaCy is not installed: run "
            "`pip install 'rlhi[names]'` and install the pipeline, or set ingest.names to an empty text"
        ) from None
    try:
        loaded: _Pipeline = load(pipeline)
    except OSError:
        raise ModelError(
            f"the spaCy pipeline {pipeline!r} of ingest.names is not installed and is no folder: install it, or set "
            "ingest.names to an empty text"
        ) from None

    def names(text: str) -> list[Span]:
        # Longer text than the pipeline takes is cut: the rest keeps its names, which is better than no row.
        parsed = loaded(text[: loaded.max_length])
        return [(one.start_char, one.end_char) for one in parsed.ents if one.label_ in PEOPLE]

    return names
