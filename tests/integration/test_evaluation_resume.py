"""A killed evaluation goes on with the seeds of an undisturbed one."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from rlhi.contracts import Message, Profile
from rlhi.evaluate.said import Reply
from rlhi.models.base import Sampled, Sampling
from rlhi.models.local import LocalChatModel
from rlhi.stages.evaluate.questions import Draw, answers
from rlhi.workspace import ledger
from rlhi.workspace.store import Workspace
from tests.support.spaces import make_space


class Dying(LocalChatModel):
    """A model that is gone after so many blocks."""

    left = 1

    def chat(self, batch: Sequence[Sequence[Message]], sampling: Sampling) -> list[list[Sampled]]:
        if not self.left:
            raise KeyboardInterrupt
        self.left -= 1
        return super().chat(batch, sampling)


def texts(space: Workspace, model: LocalChatModel, identity: str) -> list[str]:
    asked = [
        Reply(f"q{at}", f"u{at}", Profile(), (Message("user", f"Tell me of plant {at}."),), "") for at in range(40)
    ]
    return [reply.text for reply in answers(space, space.params.evaluate, Draw(0), model, asked, 1, identity)]


def test_a_killed_evaluation_ends_with_the_replies_of_an_undisturbed_one(tmp_path: Path, tiny_policy: Path) -> None:
    space = make_space(tmp_path / "w", tiny_policy)
    ledger.begin(space.root)
    undisturbed = texts(space, LocalChatModel(tiny_policy), "one")
    with pytest.raises(KeyboardInterrupt):
        texts(space, Dying(tiny_policy), "two")
    assert texts(space, LocalChatModel(tiny_policy), "two") == undisturbed, "and another model has the same seeds"
