"""The errors that a command ends with in one clear line."""

from __future__ import annotations


def KNOWN() -> tuple[type[Exception], ...]:  # noqa: N802
    """The classes, gathered when one is needed: their modules are light, but not free."""
    from rlhi.collect.formats import LogError
    from rlhi.config import ConfigError
    from rlhi.ledger import LedgerError
    from rlhi.models.base import ModelError
    from rlhi.stages import StageError
    from rlhi.store import StoreError

    return (LogError, ConfigError, LedgerError, ModelError, StageError, StoreError)
