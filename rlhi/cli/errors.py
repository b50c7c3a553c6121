"""The errors that a command ends with in one clear line instead of a traceback, and the commands that it advises."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

# These work on no workspace; an option in place of a command is an example with a workspace of its own.
_ADVISED = re.compile(r"`rlhi (?!-|(?:init|model|bench)\b)")


def hinted(text: str, workspace: Path) -> str:
    """The text with the workspace that was given in each command it advises, so that it can be typed as it is.

    >>> hinted("see `rlhi quarantine`", Path("w"))
    'see `rlhi --workspace w quarantine`'
    """
    if workspace == Path("."):
        return text
    return _ADVISED.sub(lambda _: f"`rlhi --workspace {shlex.quote(str(workspace))} ", text)


def explain(error: Exception) -> str | None:
    """One line for an error that a person can mend; None for one of ours, which wants its traceback."""
    from rlhi.collect.formats import LogError
    from rlhi.config import ConfigError
    from rlhi.learn.reward.head import RewardError
    from rlhi.learn.training.run import TrainingError
    from rlhi.models.base import ModelError
    from rlhi.orchestrate.server import ServerError
    from rlhi.stages import StageError
    from rlhi.workspace.ledger import LedgerError
    from rlhi.workspace.store import StoreError

    ours = (LogError, ConfigError, StoreError, LedgerError, StageError, ServerError)
    if isinstance(error, (*ours, ModelError, RewardError, TrainingError)):
        return " ".join(str(error).split())
    if isinstance(error, OSError) and error.strerror:
        return f"{error.filename or 'the file system'}: {error.strerror}"
    return None
