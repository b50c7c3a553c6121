"""The ways to learn, all of them TRL's trainers: ``dpo.method`` in params.yaml names a module here.

A new one is a module NAME with a class ``Name`` of :class:`TrainingMethod`, and NAME in ``rlhi.contracts.options``.
"""

from importlib import import_module
from typing import cast

from rlhi.config import Method
from rlhi.learn.training.methods.method import TrainingMethod

__all__ = ["TrainingMethod", "method_of"]


def method_of(name: Method) -> TrainingMethod:
    """The method that ``dpo.method`` names."""
    return cast(TrainingMethod, getattr(import_module(f"{__name__}.{name}"), name.capitalize())())
