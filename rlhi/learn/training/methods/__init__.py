"""The ways to learn, all of them TRL's trainers: ``dpo.method`` in params.yaml names a module here.

A new one is a module NAME with a class ``Name`` of :class:`TrainingMethod`, and NAME in ``rlhi.contracts.options``:
``rlhi.config`` and the help of the command line know the names, and may import nothing from here.
"""

from importlib import import_module
from typing import cast, get_args

from rlhi.config import Method
from rlhi.learn.training.methods.method import TrainingMethod

__all__ = ["METHODS", "TrainingMethod", "method_of"]

METHODS: tuple[Method, ...] = get_args(Method)
"""The names of all there are."""


def method_of(name: Method) -> TrainingMethod:
    """The method that ``dpo.method`` names."""
    return cast(TrainingMethod, getattr(import_module(f"{__name__}.{name}"), name.capitalize())())
