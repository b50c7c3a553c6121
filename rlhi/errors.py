"""The errors that a command ends with in one clear line instead of a traceback."""

from __future__ import annotations


def explain(error: Exception) -> str | None:
    """One line for an error that a person can mend; None for one of ours, which wants its traceback."""
    from rlhi.collect.formats import LogError
    from rlhi.config import ConfigError
    from rlhi.learn.resolved import TrainingError
    from rlhi.learn.reward import RewardError
    from rlhi.ledger import LedgerError
    from rlhi.models.base import ModelError
    from rlhi.server import ServerError
    from rlhi.stages import StageError
    from rlhi.store import StoreError

    ours = (LogError, ConfigError, StoreError, LedgerError, StageError, ServerError)
    if isinstance(error, (*ours, ModelError, RewardError, TrainingError)):
        return " ".join(str(error).split())
    if isinstance(error, OSError) and error.strerror:
        return f"{error.filename or 'the file system'}: {error.strerror}"
    return None
