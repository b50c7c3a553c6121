"""`rlhi compare`: answers are kept one by one, through the terminal and the page, and reach the next decision."""

from __future__ import annotations

import http.client
import json
import re
import shutil
import threading
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlencode

import pytest
from typer.testing import CliRunner

from rlhi import stages
from rlhi.cli.app import app
from rlhi.cli.compare_page import PageServer, Questions
from rlhi.contracts import EvalResult
from rlhi.evaluate.replies import EvaluatedReply
from rlhi.evaluate.said import MODELS
from rlhi.stages import StageError
from rlhi.stages.conclude import conclude
from rlhi.stages.evaluate.compare import ANSWERS, Session, as_line, counted, read_answers, session
from rlhi.stages.evaluate.decision import read_decision
from rlhi.stages.revisit import DECIDES, revisit
from rlhi.workspace import ledger
from rlhi.workspace.store import Workspace, read_json, write_json, write_table
from tests.support.commands import one_line, rlhi
from tests.support.cycles import run_cycle
from tests.support.spaces import configure, land_talk, make_space

EVIL = "</p><script>alert(1)</script><b>"
HELD = {"verdict": "hold", "reasons": [], "not_measured": [], "measurements": [], "panel": "decision"}
NO_DRIFT = {"status": "stable", "share": 0.0, "columns": [], "failed": [], "current": 0, "reference": 0}


@pytest.fixture
def space(tmp_path: Path, tiny_policy: Path) -> Workspace:
    """A workspace whose last challenger was held, with two pairs of replies of each of ten users."""
    space = make_space(tmp_path / "w", tiny_policy)
    replies = [
        EvaluatedReply(f"{at}/0", f"user-{at // 2}", model, f"persona {EVIL}", f"{at}? {EVIL}", f"{said} {EVIL}")
        for at in range(20)
        for model, said in zip(MODELS, (f"old {at}", f"new {at}"), strict=True)
    ]  # fmt: skip
    write_table(space.path("data/replies"), EvaluatedReply, replies, user=lambda row: row.user_id)
    write_table(space.path("data/evaluation"), EvalResult, [], user=lambda row: row.user_id)
    write_json(space.path("models/challenger/training.json"), {"lessons": ["a"]})
    write_json(space.path("metrics/decision.json"), {"cycle": 1, "champion": "v0.1.0", "drift": NO_DRIFT, **HELD})
    return space


def told(space: Workspace, typed: str, *words: str) -> str:
    done = CliRunner().invoke(app, ["--workspace", str(space.root), "compare", "--rater", "ana", *words], input=typed)
    assert done.exit_code == 0, done.output
    return done.stdout


def test_answers_are_kept_one_by_one_and_nobody_is_asked_twice(space: Workspace) -> None:
    text = told(space, "a\nb\nx\nt\nq\n")
    assert "20 pairs of replies to 10 held-out users" in text and "'x' is none of" in text
    # 2 decisions a year, of 5% error.
    assert "(2.50%) 199 for a win rate of 60% and 90 for a win rate of 65% would decide" in text
    assert "exact 95% interval" in text and "1 rater, 1 ties" in text
    first = read_answers(space)
    assert [one.answer in ("champion", "challenger") for one in first] == [True, True, False]
    assert len({one.user_id for one in first}) == 3, "everybody once before anybody twice"
    told(space, "n\n" * 30)
    every = read_answers(space)
    assert every[:3] == first and len(every) == len({one.item for one in every}) == 20
    assert "None is left" in told(space, "")


def test_what_is_chosen_is_the_reply_that_stood_there_and_no_name_is_shown(space: Workspace) -> None:
    of = session(space, "ana", 0)
    text = told(space, "a\nq\n")
    head = text.split("Which is better?")[0]
    assert "champion" not in head.split("persona", 1)[1] and "challenger" not in head.split("persona", 1)[1]
    one = read_answers(space)[0]
    first = of.sides(of.pairs[0])[0]
    assert one.answer == one.left == ("champion" if first.startswith("old") else "challenger")
    assert first in head and head.index(first) < head.index(of.sides(of.pairs[0])[1])


def test_pairs_bounds_the_questions(space: Workspace) -> None:
    told(space, "n\n" * 30, "--pairs", "4")
    assert len(read_answers(space)) == 4


def test_a_line_that_a_kill_cut_off_is_no_answer_and_the_next_one_takes_its_place(space: Workspace) -> None:
    told(space, "a\nb\nq\n")
    file = space.path(ANSWERS)
    whole = file.read_bytes()
    file.write_bytes(whole[:-20])
    assert len(read_answers(space)) == 1
    told(space, "n\nq\n")
    assert [one.answer == "neither" for one in read_answers(space)] == [False, True]


def test_answers_of_another_challenger_do_not_count(space: Workspace) -> None:
    told(space, "a\n" * 30)
    assert counted(space).answers == 20 and "1 rater" in as_line(space)
    write_json(space.path("models/challenger/training.json"), {"lessons": ["b"]})
    assert counted(space).answers == 0 and as_line(space) == ""
    assert "ana has answered 0 of 20" in told(space, "q\n")


def test_what_cannot_be_asked_is_one_line(space: Workspace, tmp_path: Path, tiny_policy: Path) -> None:
    assert "is not a workspace" in one_line(rlhi("--workspace", tmp_path, "compare"))
    empty = make_space(tmp_path / "empty", tiny_policy)
    with pytest.raises(StageError, match="nothing was evaluated yet: run `rlhi cycle`"):
        session(empty, "ana", 0)
    write_table(space.path("data/replies"), EvaluatedReply, [], user=lambda row: row.user_id)
    with pytest.raises(StageError, match="no held-out user has asked anything yet"):
        session(space, "ana", 0)


@pytest.mark.parametrize("line", [b"{}", b"no json", b"[1]", b'{"rater": 1}', b"\xff", b""])
def test_a_line_that_is_no_answer_is_named_with_its_remedy(space: Workspace, line: bytes) -> None:
    file = space.path(ANSWERS)
    file.parent.mkdir(exist_ok=True)
    file.write_bytes(line + b"\n")
    with pytest.raises(StageError, match=r"answers.jsonl, line 1 is no answer .*take that line out"):
        read_answers(space)


@pytest.fixture
def served(space: Workspace) -> Iterator[PageServer]:
    """The page of three questions."""
    of: Session = session(space, "ana", 0)
    with PageServer(Questions(of, of.todo()[:3])) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def asked(
    server: PageServer, path: str | None = None, form: dict[str, str] | None = None, **headers: str
) -> tuple[int, str, dict[str, str]]:
    link = http.client.HTTPConnection("127.0.0.1", int(server.server_address[1]), timeout=20)
    sent = {"Host": server.host, "Content-Type": "application/x-www-form-urlencoded", **headers}
    body = urlencode(form) if form else None
    link.request("POST" if form else "GET", path or server.path, body=body, headers=sent)
    reply = link.getresponse()
    return reply.status, reply.read().decode(), dict(reply.getheaders())


def test_the_page_escapes_what_users_and_models_wrote_and_runs_its_own_script_alone(served: PageServer) -> None:
    status, text, headers = asked(served)
    assert status == 200 and text.count("<script") == 1 and text.count("&lt;script&gt;alert(1)") == 4
    policy = headers["Content-Security-Policy"]
    nonce = re.findall(r"script-src 'nonce-([^']+)'", policy)[0]
    assert f'<script nonce="{nonce}">' in text and "default-src 'none'" in policy and "unsafe" not in policy
    assert nonce not in asked(served)[1], "a nonce is used once"


def test_the_page_takes_each_answer_once_and_ends(served: PageServer, space: Workspace) -> None:
    of = served.questions.of
    assert asked(served, form={"at": "0", "said": "right"})[0] == 303
    assert asked(served, form={"at": "0", "said": "left"})[0] == 303, "sent twice, by a second window"
    one = of.pairs[0]
    assert [(row.item, row.answer) for row in read_answers(space)] == [
        (one.item, "champion" if of.left(one) == "challenger" else "challenger")
    ]
    assert "2 of 3" in asked(served)[1]
    asked(served, form={"at": "1", "said": "tie"})
    asked(served, form={"at": "2", "said": "neither"})
    assert "3 of 3 answered" in asked(served)[1]
    assert [row.answer for row in read_answers(space)][1:] == ["tie", "neither"]


def test_the_page_refuses_other_hosts_origins_paths_and_forms(served: PageServer, space: Workspace) -> None:
    good = {"at": "0", "said": "left"}
    assert asked(served, Host="evil.example")[0] == 400
    assert asked(served, Host=f"evil.example:{served.server_address[1]}", form=good)[0] == 400
    assert asked(served, Origin="http://evil.example", form=good)[0] == 400
    assert asked(served, Origin="null", form=good)[0] == 400
    assert asked(served, path="/")[0] == 404 and asked(served, path=served.path + "x", form=good)[0] == 404
    assert asked(served, form={"at": "0", "said": "champion"})[0] == 400
    assert asked(served, form={"at": "0", "said": "left" * 9000})[0] == 400
    assert read_answers(space) == []
    assert asked(served, Origin=f"http://{served.host}", form=good)[0] == 303 and len(read_answers(space)) == 1


@pytest.fixture(scope="module")
def held(tmp_path_factory: pytest.TempPathFactory, tiny_policy: Path) -> Workspace:
    """A workspace whose first challenger was held: no gain counts, no guard is asked (`off` in YAML is False)."""
    space = make_space(tmp_path_factory.mktemp("compare") / "w", tiny_policy)
    gate = space.params.gate
    off: dict[str, object] = {"guards": dict.fromkeys(gate.guards, False)}
    off |= {"gains": {"satisfaction": False, "preference": False}, "min_users": 2, "people_users": 4}
    configure(space, "gate", off)
    land_talk(space)
    report = run_cycle(space.root)
    assert report and report.verdict == "hold", report
    return space


@pytest.fixture
def again(held: Workspace, tmp_path: Path) -> Workspace:
    """A copy of it."""
    return Workspace(Path(shutil.copytree(held.root, tmp_path / "w", symlinks=True)))


def prefer(space: Workspace, side: str, rater: str = "ana", most: int | None = None) -> Session:
    """Somebody prefers one model's replies, whichever side they stand on."""
    of = session(space, rater, 0)
    for row in of.todo()[:most]:
        of.keep(row, "left" if of.left(row) == side else "right")
    return of


def test_the_next_cycle_decides_on_what_people_said_of_the_challenger(again: Workspace) -> None:
    before = read_json(again.path("models/challenger/training.json"))
    assert not revisit(again.root)
    prefer(again, "challenger", most=1)
    assert not revisit(again.root), "one user is too few, and a cycle has nothing to do"
    assert stages.pending(again.root) is not None
    prefer(again, "challenger")
    assert revisit(again.root) and ledger.under_way(again.root)
    for name in DECIDES:
        stages.run(name, again.root)
    decision = read_decision(again)
    one = next(one for one in decision.overall if one.suite == "people")
    assert one.challenger.mean == 1.0 and one.gain.clusters == counted(again).won
    assert (decision.verdict == "promote") == (one.lower > 0)
    done = conclude(again.root)
    assert done.cycle == 2 and read_json(again.path("models/challenger/training.json")) == before
    assert ledger.spendings(again.root)[-1].level == 0.025
    page = again.path("reports/index.html").read_text(encoding="utf-8")
    assert "People who compared replies blind: the challenger wins 100.0%" in page
    assert not revisit(again.root), "it was decided on"
    assert stages.pending(again.root) is not None, "nothing is new"
    assert "people" in json.loads(rlhi("--workspace", again.root, "status", "--json").stdout)


def test_what_people_do_not_prefer_spends_no_decision(again: Workspace) -> None:
    prefer(again, "champion")
    assert counted(again).lost > 4 and not revisit(again.root)


def test_a_budget_that_is_spent_is_waited_for(again: Workspace) -> None:
    prefer(again, "challenger")
    configure(again, "gate", {"budget": {"error": 0.05, "decisions": 1, "days": 0}})
    spent = len(ledger.spendings(again.root))
    assert revisit(again.root) == (spent == 0)


def test_a_log_that_landed_is_news_to_the_cycle_after(again: Workspace) -> None:
    prefer(again, "challenger")
    land_talk(again, cycle=2, users=8, seed=5)
    assert revisit(again.root)
    listed = read_json(again.path("data/incoming/batches.json"))
    assert sorted(int(str(one["cycle"])) for one in listed.values() if isinstance(one, dict)) == [1, 3]
