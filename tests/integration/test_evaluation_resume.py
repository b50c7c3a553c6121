"""A killed evaluation goes on with the seeds of an undisturbed one, and with no other engine's replies."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from rlhi.contracts import Message, Profile, Sample, content_key, to_record
from rlhi.evaluate.said import Reply
from rlhi.models.base import Sampled, Sampling
from rlhi.models.local import LocalChatModel
from rlhi.models.precision import computed
from rlhi.stages.evaluate.questions import Draw, answers
from rlhi.stages.samples import SampleStore
from rlhi.workspace import ledger
from rlhi.workspace.store import Workspace
from tests.support.spaces import make_space

ASKED = [Reply(f"q{at}", f"u{at}", Profile(), (Message("user", f"Tell me of plant {at}."),), "") for at in range(40)]


class Dying(LocalChatModel):
    """A model that is gone after so many blocks."""

    left = 1

    def chat(self, batch: Sequence[Sequence[Message]], sampling: Sampling) -> list[list[Sampled]]:
        if not self.left:
            raise KeyboardInterrupt
        self.left -= 1
        return super().chat(batch, sampling)


def texts(space: Workspace, model: LocalChatModel, identity: str) -> list[str]:
    return [reply.text for reply in answers(space, space.params.evaluate, Draw(0), model, ASKED, 1, identity)]


def test_a_killed_evaluation_ends_with_the_replies_of_an_undisturbed_one(tmp_path: Path, tiny_policy: Path) -> None:
    space = make_space(tmp_path / "w", tiny_policy)
    ledger.begin(space.root)
    undisturbed = texts(space, LocalChatModel(tiny_policy), "one")
    with pytest.raises(KeyboardInterrupt):
        texts(space, Dying(tiny_policy), "two")
    assert texts(space, LocalChatModel(tiny_policy), "two") == undisturbed, "and another model has the same seeds"


def other_engine(path: Path) -> LocalChatModel:
    """The same weights in what they are not computed in by default."""
    return LocalChatModel(path, precision="fp32" if computed() == "bf16" else "bf16")


def samples(space: Workspace) -> Mapping[str, Sample]:
    return SampleStore(space, "evaluate").samples


def test_replies_of_another_precision_are_not_taken_for_its_own(tmp_path: Path, tiny_policy: Path) -> None:
    space = make_space(tmp_path / "w", tiny_policy)
    ledger.begin(space.root)
    own = texts(space, LocalChatModel(tiny_policy), "one")
    assert len(samples(space)) == len(own)
    texts(space, other_engine(tiny_policy), "one")
    assert len(samples(space)) == 2 * len(own)
    assert texts(space, LocalChatModel(tiny_policy), "one") == own and len(samples(space)) == 2 * len(own)


def test_replies_that_do_not_tell_their_engine_are_the_default_ones(tmp_path: Path, tiny_policy: Path) -> None:
    """As workspaces have them that were made before keys told it."""
    space = make_space(tmp_path / "w", tiny_policy)
    ledger.begin(space.root)
    settings = space.params.evaluate.sampling.model_dump() | {"n": 1}
    keys = [content_key("one", [to_record(said) for said in one.prompt], settings, one.item) for one in ASKED]
    SampleStore(space, "evaluate").keep([Sample(key, (f"reply {key}",), "m", 0, 1) for key in keys])
    assert texts(space, LocalChatModel(tiny_policy), "one") == [f"reply {key}" for key in keys]
    assert len(samples(space)) == len(keys), "nothing is sampled anew"
    assert not {*texts(space, other_engine(tiny_policy), "one")} & {f"reply {key}" for key in keys}
