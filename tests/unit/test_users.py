"""Users under a salted hash."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rlhi.collect.clean.users import hide_user, pseudonym
from rlhi.config import IngestConfig
from rlhi.contracts import Conversation, Turn
from rlhi.stages.collect.salt import SALT, salt_of
from rlhi.workspace.store import StoreError, Workspace, write_json, write_table

ROW = Conversation("c1", "ann@example.org", "real", None, None, None, (Turn("user", "Hi"),), "demo")


@given(st.text(min_size=1), st.text(min_size=1), st.text(min_size=1))
def test_a_pseudonym_is_the_same_under_one_salt_only(name: str, salt: str, other: str) -> None:
    hidden = pseudonym(name, salt)
    assert re.fullmatch(r"user-[0-9a-f]{16}", hidden)
    assert hidden == pseudonym(name, salt)
    assert (hidden == pseudonym(name, other)) == (salt == other)


def test_it_is_hmac_sha256() -> None:
    # RFC 4231, test case 2.
    assert pseudonym("what do ya want for nothing?", "Jefe") == "user-5bdcc146bf60754e"


def test_who_is_hidden() -> None:
    hidden = hide_user(ROW, "salt")
    assert replace(hidden, user_id=ROW.user_id) == ROW != hidden
    root = hide_user(replace(ROW, user_id_kind="real_root_only"), "salt")
    assert root.user_id == hidden.user_id
    nobody = replace(ROW, user_id="anonymous-1", user_id_kind="conversation_only")
    assert hide_user(nobody, "salt") == nobody
    assert hide_user(ROW, "") == ROW


def test_a_workspace_keeps_its_salt(tmp_path: Path) -> None:
    space, config = Workspace(tmp_path), IngestConfig()
    salt = salt_of(space, config)
    assert re.fullmatch("[0-9a-f]{32}", salt)
    assert salt_of(space, config) == salt
    assert (tmp_path / SALT).stat().st_mode & 0o777 == 0o600
    assert [file.name for file in (tmp_path / SALT).parent.iterdir()] == ["salt"]
    assert salt_of(Workspace(tmp_path / "other"), config) != salt


def test_ids_may_stay_as_they_are(tmp_path: Path) -> None:
    config = IngestConfig(hash_users=False)
    assert salt_of(Workspace(tmp_path), config) == ""
    assert not (tmp_path / SALT).exists()


def test_a_damaged_salt_is_told(tmp_path: Path) -> None:
    salt_of(Workspace(tmp_path), IngestConfig())
    (tmp_path / SALT).write_text("")
    with pytest.raises(StoreError, match="holds no salt"):
        salt_of(Workspace(tmp_path), IngestConfig())


def test_a_salt_that_is_gone_after_a_cycle_is_not_made_anew(tmp_path: Path) -> None:
    space, config = Workspace(tmp_path), IngestConfig()
    salt_of(space, config)
    space.path(SALT).unlink()
    write_json(space.path("cycle.json"), {"cycle": 1, "champion": "v0.1.0"})
    assert salt_of(space, config), "nobody has talked yet"
    space.path(SALT).unlink()
    write_table(space.path("data/conversations"), Conversation, [ROW], user=lambda row: row.user_id)
    with pytest.raises(StoreError, match="salt is gone, and cycles have run: put its copy back"):
        salt_of(space, config)
