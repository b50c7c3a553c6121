"""The stage `personas` and `rlhi persona` in a workspace: incremental, edited, shown, exported."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
import yaml
from typer.testing import CliRunner

from rlhi import stages
from rlhi.cli.app import app
from rlhi.collect.clean.users import hide_user, pseudonym
from rlhi.collect.persona.build import said_claims
from rlhi.contracts import Conversation, FeedbackTurn, Persona, Turn
from rlhi.stages import StageError
from rlhi.stages.collect.personas import EDITS, find
from rlhi.stages.collect.salt import SALT, salt_of
from rlhi.workspace.repository import dvc, git
from rlhi.workspace.store import StoreError, Workspace, read_table, write_table
from tests.support.cycles import digest
from tests.support.endpoint import Endpoint
from tests.support.spaces import make_space

COMPLAINTS = ("no commas please", "use bullet points", "way too long")
EVIL = "[red]evil[/red]\x1b[31m"


def write_log(space: Workspace, more: bool = False) -> None:
    """Rows as `ingest` and `feedback` write them: four users, one complaint each."""
    rows, labels = [], []
    for at, name in enumerate(("ann", "bob", "cyd", EVIL)):
        said = ("Tell me of basil.", "It is a herb.", COMPLAINTS[at % 3])
        asked = [Turn("assistant" if place == 1 else "user", text) for place, text in enumerate(said)]
        if more and name == "bob":
            asked += [Turn("assistant", "- A herb"), Turn("user", "no commas please")]
            labels.append(FeedbackTurn("b2", "t1", name, 4, "reattempt_with_feedback", 0.9))
        time = f"2024-05-0{at + 1}T00:00:00Z"
        rows.append(Conversation(f"t{at}", name, "real", time, None, "en", tuple(asked), "test"))
        labels.append(FeedbackTurn(f"f{at}", f"t{at}", name, 2, "reattempt_with_feedback", 0.9))
    write_table(space.path("data/conversations"), Conversation, rows, user=lambda row: row.user_id)
    write_table(space.path("data/feedback"), FeedbackTurn, labels, user=lambda row: row.user_id)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory, tiny_policy: Path) -> Workspace:
    return make_space(tmp_path_factory.mktemp("personas") / "w", tiny_policy)


@pytest.fixture
def space(made: Workspace) -> Workspace:
    """The workspace with four personas and no edits."""
    made.path(EDITS).unlink(missing_ok=True)
    write_log(made)
    stages.run("personas", made.root)
    return made


def rlhi(space: Workspace, *words: str) -> str:
    done = CliRunner().invoke(app, ["--workspace", str(space.root), "persona", *words], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return done.stdout


def test_only_users_with_new_turns_change_and_a_rebuild_is_equal_byte_for_byte(space: Workspace) -> None:
    before = {row.user_id: row for row in read_table(space.path("data/personas"), Persona)}
    write_log(space, more=True)
    report = stages.run("personas", space.root)
    assert report.made == 1
    after = {row.user_id: row for row in read_table(space.path("data/personas"), Persona)}
    assert {user for user in after if after[user] != before[user]} == {"bob"}
    bytes_before = digest(space.root, "data/personas")
    for file in space.path("data/personas").iterdir():
        file.unlink()
    assert stages.run("personas", space.root).made == len(after)
    assert digest(space.root, "data/personas") == bytes_before


def test_show_tells_each_claim_with_its_evidence(space: Workspace) -> None:
    text = rlhi(space, "show", "ann")
    assert find(space, "ann").version in text
    for part in ("ann", "inferred", "Do not use commas.", "constraint", "0.50", "2024-05-01", "t0#2"):
        assert part in text
    record = json.loads(rlhi(space, "show", "ann", "--json"))
    assert record["claims"][0]["evidence"] == ["t0#2"]


def test_an_edit_holds_at_once_survives_new_turns_and_is_taken_back(space: Workspace) -> None:
    first = find(space, "bob")
    assert first.text == "Use bullet points."
    assert "edited by a person" in rlhi(space, "edit", "bob", "--set", "Say it in verse.")
    write_log(space, more=True)
    stages.run("personas", space.root)
    assert (find(space, "bob").text, find(space, "bob").origin) == ("Say it in verse.", "edited")
    write_log(space)
    rlhi(space, "edit", "bob", "--reset")
    assert find(space, "bob") == first
    rlhi(space, "edit", "bob", "--add", "Never use lists.", "--kind", "format")
    assert find(space, "bob").text == "Never use lists."
    rlhi(space, "edit", "bob", "--remove", "1")
    assert find(space, "bob") == first
    assert json.loads(space.path(EDITS).read_text()) == {}


def test_an_edit_is_recorded_by_dvc_and_not_in_git(space: Workspace) -> None:
    rlhi(space, "edit", "cyd", "--set", "Likes owls.")
    assert git(space.root, "log", "-1", "--format=%s").strip() == "Collect"
    assert not git(space.root, "grep", "-l", "owls", "HEAD", check=False)
    space.path(EDITS).unlink()
    dvc(space.root, "checkout", "--quiet", "--force", "data/persona_edits.dvc")
    assert "Likes owls." in space.path(EDITS).read_text()


def test_users_words_are_escaped(space: Workspace) -> None:
    rlhi(space, "edit", EVIL, "--set", "[bold]Boo[/bold]\x1b[2J")
    text = rlhi(space, "show", EVIL)
    assert "[red]evil[/red]" in text
    assert "[bold]Boo[/bold]" in text
    assert "\x1b" not in text


def test_export_writes_every_persona_once(space: Workspace, tmp_path: Path) -> None:
    out = tmp_path / "personas.jsonl"
    assert rlhi(space, "export", str(out)).startswith("4 personas")
    users = [json.loads(line)["user_id"] for line in out.read_text().split("\n") if line]
    assert users == sorted(["ann", "bob", "cyd", EVIL])
    [line] = rlhi(space, "export", "--user", "ann").splitlines()
    assert json.loads(line)["text"] == "Do not use commas."


def test_a_user_is_found_by_the_id_of_the_log_too(space: Workspace) -> None:
    file = space.root / "params.yaml"
    plain = file.read_text()
    file.write_text(plain.replace("hash_users: false", "hash_users: true"))
    try:
        salt = salt_of(space, space.params.ingest)
        hidden = pseudonym("ann", salt)
        rows = [hide_user(row, salt) for row in read_table(space.path("data/conversations"), Conversation)]
        write_table(space.path("data/conversations"), Conversation, rows, user=lambda row: row.user_id)
        stages.run("personas", space.root)
        assert salt and find(space, "ann") == find(space, hidden)
        assert f"user           {hidden}" in rlhi(space, "show", "ann")
        assert json.loads(rlhi(space, "export", "--user", "ann"))["user_id"] == hidden
        assert "Likes owls." in rlhi(space, "edit", "ann", "--set", "Likes owls.")
        assert find(space, hidden).text == "Likes owls." and [*json.loads(space.path(EDITS).read_text())] == [hidden]
        rlhi(space, "edit", "ann", "--reset")
        assert find(space, hidden).origin == "inferred"
        with pytest.raises(StageError, match="no persona of a user 'zoe'"):
            find(space, "zoe")
    finally:
        file.write_text(plain)
        space.path(SALT).unlink()


def test_who_cannot_be_told_from_others_is_told_so(space: Workspace) -> None:
    rows = read_table(space.path("data/conversations"), Conversation)
    nobody = replace(rows[0], conversation_id="t9", user_id="anonymous-t9", user_id_kind="conversation_only")
    write_table(space.path("data/conversations"), Conversation, [*rows, nobody], user=lambda row: row.user_id)
    with pytest.raises(StageError, match="'anonymous-t9' is one conversation whose log names no user"):
        find(space, "anonymous-t9")


def test_a_look_at_personas_makes_no_salt(space: Workspace) -> None:
    file = space.root / "params.yaml"
    plain = file.read_text()
    file.write_text(plain.replace("hash_users: false", "hash_users: true"))
    try:
        with pytest.raises(StageError, match="no persona of a user 'zoe'"):
            find(space, "zoe")
        assert not space.path(SALT).exists()
    finally:
        file.write_text(plain)


def test_before_personas_are_built_each_command_says_so(space: Workspace, tmp_path: Path) -> None:
    shutil.move(space.path("data/personas"), tmp_path / "aside")
    try:
        for words in (["export"], ["export", "--user", "ann"], ["show", "ann"], ["edit", "ann", "--reset"]):
            with pytest.raises(
                StageError, match="has no data/personas yet: run `rlhi run feedback`, then `rlhi run pe"
            ):
                rlhi(space, *words)
    finally:
        shutil.move(tmp_path / "aside", space.path("data/personas"))


def test_an_edited_persona_tells_how_to_take_it_back_here(space: Workspace) -> None:
    words = " ".join(rlhi(space, "edit", "ann", "--set", "Likes owls.").split())
    assert f"`rlhi --workspace {space.root} persona edit USER --reset`" in words


def test_an_unknown_user_is_one_line_with_a_remedy(space: Workspace) -> None:
    for user, remedy in (("anne", "did you mean 'ann'"), ("zzzzzz", "persona export")):
        with pytest.raises(StageError, match=remedy):
            find(space, user)
    with pytest.raises(StageError, match="persona show"):
        rlhi(space, "edit", "ann", "--remove", "9")


@pytest.mark.parametrize(
    "words", [[], ["--set", "x", "--reset"], ["--remove", "1", "--add", "x"], ["--kind", "format"]]
)
def test_one_change_a_command(space: Workspace, words: list[str]) -> None:
    done = CliRunner().invoke(app, ["--workspace", str(space.root), "persona", "edit", "ann", *words])
    assert done.exit_code == 2


def test_a_damaged_file_of_edits_is_one_line(space: Workspace) -> None:
    space.path(EDITS).write_text('{"ann": {"user_id": "ann", "texts": "x"}}')
    with pytest.raises(StoreError, match="texts"):
        stages.run("personas", space.root)


def test_cold_start_says_that_it_is_one(space: Workspace) -> None:
    file = space.root / "params.yaml"
    plain = file.read_text()
    names = [f"u{at}" for at in range(40)]
    rows = [
        Conversation(
            f"t{name}", name, "real", None, None, "en",
            (Turn("user", "Tell me of basil."), Turn("assistant", "No."), Turn("user", "use bullet points")), "test",
        )
        for name in names
    ]  # fmt: skip
    labels = [FeedbackTurn("", f"t{name}", name, 2, "reattempt_with_feedback", 0.9) for name in names[1:]]
    write_table(space.path("data/conversations"), Conversation, rows, user=lambda row: row.user_id)
    write_table(space.path("data/feedback"), FeedbackTurn, labels, user=lambda row: row.user_id)
    file.write_text(plain.replace("  prior: false", "  prior: true"))
    try:
        report = stages.run("personas", space.root)
        cold = find(space, "u0")
        assert (cold.origin, cold.text) == ("prior", "Like most users: Use bullet points.")
        assert said_claims(cold)[0].confidence == 1.0
        assert "most users" in rlhi(space, "show", "u0")
        assert "only what most users are like" in report.note
        assert stages.run("personas", space.root).note.startswith("up to date")
    finally:
        file.write_text(plain)
    stages.run("personas", space.root)
    assert find(space, "u0").text == ""


def test_a_language_model_reads_whom_it_did_not_read_before(space: Workspace) -> None:
    claim = {"kind": "style", "wish": True, "text": "Answer like a gardener.", "turns": [1]}
    endpoint, file = Endpoint(json.dumps({"claims": [claim]})), space.root / "params.yaml"
    plain = file.read_text()
    params = yaml.safe_load(plain)
    params["personas"] |= {"builder": "llm", "llm": {**params["personas"]["llm"], "model": endpoint.name}}
    file.write_text(yaml.safe_dump(params, sort_keys=False))
    try:
        counts = dict(stages.run("personas", space.root).counts)
        assert (counts["requests"], counts["prompt tokens"], counts["replies refused"]) == ("4", "400", "0")
        assert find(space, "ann").text == "Answer like a gardener."
        before = digest(space.root, "data/personas")
        write_log(space, more=True)
        assert dict(stages.run("personas", space.root).counts)["requests"] == "1", "bob alone said something new"
        write_log(space)
        for made in space.path("data/personas").iterdir():
            made.unlink()
        stages.run("personas", space.root)
        assert digest(space.root, "data/personas") == before
        assert len(endpoint.asked) == 5, "what was read once is kept as data"
    finally:
        endpoint.close()
        file.write_text(plain)


def test_a_language_that_no_rule_is_written_for_is_told_and_does_not_pass_for_content(space: Workspace) -> None:
    said = ("Erzähl mir von Basilikum.", "Basilikum ist ein Kraut.", "Das war viel zu lang, bitte kürzer.")
    turns = tuple(Turn("assistant" if place == 1 else "user", text) for place, text in enumerate(said))
    rows = [Conversation("g0", "dora", "real", None, None, "de", turns, "test")]
    rows += [replace(row, language=None) for row in read_table(space.path("data/conversations"), Conversation)]
    write_table(space.path("data/conversations"), Conversation, rows, user=lambda row: row.user_id)
    labelled = stages.run("feedback", space.root)
    assert ("in a language without rules", "1") in labelled.counts, "an unknown language is not called unread"
    assert "1 of 5 in a language that no rule is written for (de 1)" in labelled.note
    labels = read_table(space.path("data/feedback"), FeedbackTurn)
    complaint = [replace(row, label="reattempt_with_feedback") for row in labels]
    write_table(space.path("data/feedback"), FeedbackTurn, complaint, user=lambda row: row.user_id)
    built = stages.run("personas", space.root)
    assert ("complain in a language without rules", "1") in built.counts
    assert find(space, "dora").text == ""
