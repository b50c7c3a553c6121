"""What a user's turns are for, for a workspace's life; and comparisons that choose a model test none."""

from __future__ import annotations

from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from rlhi.config import Params, SplitConfig, load_params
from rlhi.contracts import Profile
from rlhi.learn.reward.comparisons import Comparison, halves
from rlhi.models.base import Scored

USERS = [f"user{at}" for at in range(4000)]


@given(st.text(), st.floats(0.01, 0.99), st.floats(0, 0.99), st.text(max_size=8))
def test_each_user_is_held_out_or_judges_or_teaches(user: str, held_out: float, judges: float, salt: str) -> None:
    split = SplitConfig(held_out=held_out, judges=judges, salt=salt)
    part = split.part_of(user)
    assert split.holds_out(user) == (part == "held_out") and split.teaches(user) == (part == "teaches")
    assert SplitConfig(held_out=held_out, judges=0, salt=salt).part_of(user) in (
        ("held_out",) if part == "held_out" else ("teaches",)
    ), "judges are taken from those who teach: nobody else is held out for them"


def test_judges_are_their_share_of_those_who_are_not_held_out() -> None:
    split = SplitConfig(held_out=0.4, judges=0.25)
    parts = [split.part_of(user) for user in USERS]
    assert abs(parts.count("judges") / (len(USERS) - parts.count("held_out")) - 0.25) < 0.03
    others = SplitConfig(held_out=0.4, judges=0.25, salt="other")
    both = [user for user in USERS if split.part_of(user) == others.part_of(user) == "judges"]
    assert abs(len(both) / len(USERS) - 0.15**2) < 0.01, "the salt draws others"


def read(tmp_path: Path, text: str, cycle: dict[str, object]) -> Params:
    (tmp_path / "params.yaml").write_text(text, encoding="utf-8")
    return load_params(tmp_path / "params.yaml").fixed_by(cycle)


def test_a_workspace_that_began_without_judges_has_none_unless_its_parameters_say_so(tmp_path: Path) -> None:
    old: dict[str, object] = {"cycle": 3, "split": {"split.held_out": 0.4, "split.salt": "rlhi"}}
    assert read(tmp_path, "", {}).split.judges == 0.25, "a new one has judges"
    for text in ("", "split: {held_out: 0.4}\n"):
        assert read(tmp_path, text, old).split.judges == 0
    assert read(tmp_path, "split: {judges: 0.1}\n", old).split.judges == 0.1
    fixed: dict[str, object] = {"cycle": 4, "split": {"split.judges": 0.1}}
    assert read(tmp_path, "", fixed).split.judges == 0.1, "what its cycles have"
    assert read(tmp_path, "split: {judges: 0.2}\n", fixed).split_by["split.judges"] == 0.2, "which is then refused"


def test_a_user_s_comparisons_choose_a_model_or_test_it() -> None:
    said = Scored(Profile(), (), "")
    rows = [Comparison(user, said, said) for user in USERS[:200] for _ in range(3)]
    choosing, testing = halves(rows)
    assert len(choosing) + len(testing) == len(rows) and min(len(choosing), len(testing)) > 200
    assert not {row.user_id for row in choosing} & {row.user_id for row in testing}
