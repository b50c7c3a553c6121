"""What a cycle came to: on a terminal, as JSON, and as the UI's artifact."""

from __future__ import annotations

from rlhi.stages import CycleReport, StageReport

HELD = CycleReport(
    cycle=3,
    verdict="hold",
    version="v0.1.0",
    reasons=("satisfaction gains +3.0 points.",),
    stages=(StageReport("gate", 0.1, 1, 0, (), "a | b <script>"),),
    note="cycle 3: held, champion v0.1.0",
    asked="a decision: 212 held-out users, 848 pairs of replies",
    changes=("satisfaction: 446 users would show this gain.", "kept of users who ask for *bold*: <b>."),
    budget="1 decision in the past year, 0.10% of error spent, 4.90% left",
)


def test_a_terminal_is_told_the_verdict_then_who_was_asked_then_the_reasons() -> None:
    assert HELD.as_text().splitlines() == [
        "cycle 3: held; champion policy@v0.1.0",
        "  asked         a decision: 212 held-out users, 848 pairs of replies",
        "  would change  satisfaction: 446 users would show this gain.",
        "  would change  kept of users who ask for *bold*: <b>.",
        "  budget        1 decision in the past year, 0.10% of error spent, 4.90% left",
        "  - satisfaction gains +3.0 points.",
    ]
    idle = CycleReport(0, "", "v0.1.0", note="nothing new since the last cycle: no training, no promotion")
    assert idle.as_text() == idle.note and idle.told == ()


def test_json_has_the_verdict_as_the_gate_named_it() -> None:
    told = HELD.as_json()
    assert told["verdict"] == "hold" and told["asked"] == HELD.asked and told["budget"] == HELD.budget
    assert told["would_change"] == list(HELD.changes)


def test_the_artifact_says_the_same_and_escapes_it() -> None:
    shown = HELD.as_markdown()
    assert shown.startswith("**cycle 3: held, champion v0.1.0**\n\n- **asked**: a decision: 212 held-out users")
    assert "- **would change**: kept of users who ask for \\*bold\\*: &lt;b&gt;.\n" in shown
    assert "- **budget**: 1 decision in the past year" in shown
    assert (
        shown.index("budget")
        < shown.index("satisfaction gains")
        < shown.index("| gate | 0.1 | a \\| b &lt;script&gt; |")
    )
