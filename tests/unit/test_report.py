"""The evidence page: self-contained, escaped, and true to the decision."""

from __future__ import annotations

import dataclasses
import html.parser
import json
import math
import re

import pytest

from rlhi.config import GateConfig
from rlhi.contracts import DriftColumn, DriftReport, GateDecision, Interval, Measurement
from rlhi.report import (
    Compared,
    CycleEvidence,
    Drifted,
    Evidence,
    Example,
    Figure,
    LossPoint,
    read_evidence,
    render,
    write_evidence,
)  # fmt: skip
from rlhi.report.page import cut
from rlhi.report.words import summary

SUITES = ("satisfaction", "preference", "instructions", "fluency", "choices", "my_suite")
ATTACK = '<script>alert("x")</script><img src=http://evil.example/x onerror=alert(1)>'
NO_REFERENCE = DriftReport("no_reference", 0.0, (), (), 100, 0)


REPLY = Compared(ATTACK, ATTACK, ATTACK, ATTACK, (Figure("nearness", 1.0, 0.0), Figure(ATTACK, math.nan, 1.0)))


def measurement(suite: str, mean: float = 0.15, low: float = 0.08, high: float = 0.22) -> Measurement:
    return Measurement(
        suite, Interval(0.14, 0.1, 0.19, 48, 384), Interval(0.29, 0.2, 0.4, 48, 384), Interval(mean, low, high, 48, 384)
    )


def cycle(number: int = 1, verdict: str = "promote", *measured: Measurement) -> CycleEvidence:
    measured = measured or tuple(map(measurement, SUITES))
    decision = GateDecision(verdict, (f"Because {ATTACK}.",), ("drift: no_reference",), measured, NO_REFERENCE)  # type: ignore[arg-type]
    return CycleEvidence(
        number=number,
        date="3 November 2026",
        champion="v0.1.0",
        challenger="v0.2.0",
        new_conversations=400,
        conversations=400 * number,
        users=120,
        held_out_users=48,
        feedback=(("reattempt_with_feedback", 30), ("new_request", 70)),
        pairs=(("rewrite", 40), (ATTACK, 2)),
        reward_accuracy=0.71,
        longer_wins=0.58,
        reward_pairs=140,
        loss=tuple(LossPoint(step, 0.7 / step) for step in range(1, 9)),
        examples=(Example(ATTACK, ATTACK, ATTACK, ATTACK, "rewrite"),),
        compared=212,
        drawn=(REPLY,) * 6,
        won=(REPLY,),
        lost=(REPLY,),
        decision=decision,
        wanting=(f"no rewrites from {ATTACK}: 21% of 96 outputs answer (50% needed)",),
    )


class Tags(html.parser.HTMLParser):
    """Collects what a browser would act on, and fails on tags that do not close."""

    VOID = ("meta", "line", "circle", "rect", "polygon", "polyline")

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.names: set[str] = set()
        self.open: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.names |= {name for name, _ in attrs}
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def test_users_words_are_escaped_everywhere() -> None:
    page = render(Evidence(ATTACK, (cycle(1), cycle(2))))
    found = Tags(page)
    assert found.open == []
    assert not {"script", "img", "link", "iframe"} & set(found.tags)
    assert not {"onerror", "src", "href"} & found.names
    assert "&lt;script&gt;" in page


def test_the_page_loads_nothing() -> None:
    plain = dataclasses.replace(cycle(), examples=(), pairs=(), drawn=(), won=(), lost=(), wanting=())
    quiet = dataclasses.replace(plain, decision=dataclasses.replace(plain.decision, reasons=("Good.",)))  # type: ignore[type-var]
    page = render(Evidence("Demo", (quiet,)))
    assert not re.search(r"https?:|//[a-z]|url\(|@import|data:", page)
    assert "default-src 'none'" in page


def test_judged_answers_are_shown_where_the_method_learns_from_them() -> None:
    judged = dataclasses.replace(cycle(), judged=(("positive_feedback", 12), ("complaint", 30)))
    record = write_evidence(judged)
    assert read_evidence(record, judged.gate).judged == judged.judged
    page = render(Evidence("Demo", (judged,)))
    assert "Where the judged answers came from" in page and page.count("<svg") == 6
    # A page of former cycles holds some that were written before there were any.
    del record["judged"]
    assert read_evidence(record, judged.gate).judged == ()


def test_replies_come_first_then_won_and_lost_then_what_it_learned_from() -> None:
    shown = dataclasses.replace(
        cycle(),
        drawn=(dataclasses.replace(REPLY, request=f"Drawn? {'very ' * 200}long", challenger=""),),
        won=(dataclasses.replace(REPLY, request="Won?"),),
        lost=(dataclasses.replace(REPLY, request="Lost?"),),
        examples=(Example("", "Learned?", "yes", "no", "rewrite"),),
    )
    page = render(Evidence("Demo", (shown,)))
    places = [page.index(word) for word in ("Drawn?", "Won?", "Lost?", "Learned?")]
    assert places == sorted(places) and places[0] < page.index("What the gate saw")
    assert "1 of 212 pairs of replies, drawn by seed and not picked" in page
    assert "very long" not in page and "(says nothing)" in page
    assert '<span class="chip ">nearness 100%</span>' in page
    assert '<span class="chip down">nearness 0%</span>' in page


def test_replies_are_kept_in_the_record_and_one_without_them_is_still_read() -> None:
    plain = dataclasses.replace(REPLY, figures=REPLY.figures[:1])
    shown = dataclasses.replace(cycle(), drawn=(plain,) * 2, won=(plain,), lost=())
    record = json.loads(json.dumps(write_evidence(shown)))
    assert read_evidence(record, shown.gate) == shown
    for name in ("compared", "drawn", "won", "lost"):
        del record[name]
    former = read_evidence(record, shown.gate)
    assert former == dataclasses.replace(shown, compared=0, drawn=(), won=())
    assert "drawn by seed" not in render(Evidence("Demo", (former,)))


def test_a_model_that_may_not_teach_is_told_of() -> None:
    record = write_evidence(cycle())
    assert read_evidence(record, GateConfig()).wanting == cycle().wanting
    assert "Models that may not teach here" in render(Evidence("Demo", (cycle(),)))
    del record["wanting"]  # as of cycles before there was such a judgement
    assert read_evidence(record, GateConfig()).wanting == ()


def test_every_suite_is_in_table_and_plot() -> None:
    page = render(Evidence("Demo", (cycle(),)))
    for suite in SUITES:
        assert page.count(f">{suite.replace('_', ' ')}<") == 2
    assert "recorded only" in page
    assert page.count("<svg") == 5


def test_the_summary_says_what_was_decided() -> None:
    assert summary(cycle(), 0.95) == (
        "Promoted v0.2.0: held-out users’ satisfaction 14% → 29% (gain +15 points, 95% interval 8 to 22)."
    )
    weak = cycle(2, "refuse", measurement("preference", 0.03, -0.04, 0.1), measurement("fluency", -0.2, -0.3, -0.1))
    missing = dataclasses.replace(weak.decision, not_measured=("instructions", "choices"))  # type: ignore[type-var]
    assert summary(dataclasses.replace(weak, decision=missing), 0.9) == (
        "Refused v0.2.0: share of held-out users who prefer it 29% (gain +3 points, 90% interval −4 to 10). "
        "Stopped by: preference, fluency, instructions not measured."
    )


def test_drift_that_refuses_is_named() -> None:
    drifted = DriftReport("drifted", 1.0, ("turns",), ("turns",), 50, 50)
    found = cycle(2, "refuse")
    found = dataclasses.replace(found, decision=dataclasses.replace(found.decision, drift=drifted))  # type: ignore[type-var]
    assert summary(found, 0.95).endswith("Stopped by: drift.")
    assert "Stopped" not in summary(dataclasses.replace(found, gate=GateConfig(drift="report")), 0.95)
    assert "drifted: turns" in render(Evidence("Demo", (found,)))


def test_what_drifted_is_shown_by_users_messages_and_beside_what_evidently_says() -> None:
    columns = (
        DriftColumn("request_words", "ks", 1500, 90, 0.41, 0.0004, 0.2, "block", drifted=True, evidently=True),
        DriftColumn("turns", "ks", 1500, 90, 0.31, 0.002, 0.2, "note", drifted=True, evidently=False),
        DriftColumn("code", "ks", 1500, 90, 0.05, 1.0, 0.2, "ask", drifted=False),
    )
    report = DriftReport(
        "drifted", 2 / 3, ("request_words", "turns", "code"), ("request_words", "turns"), 4000, 300,
        columns, 1500, 90, 0.25, 1000, 0.013, 1.5,
    )  # fmt: skip
    found = cycle(2, "refuse")
    found = dataclasses.replace(found, decision=dataclasses.replace(found.decision, drift=report))  # type: ignore[type-var]
    found = dataclasses.replace(found, drifted=(Drifted("request_words", ATTACK), Drifted("turns", "and then?")))
    record = json.loads(json.dumps(write_evidence(found)))
    assert read_evidence(record, found.gate).drifted == found.drifted
    del record["drifted"]  # as of cycles before there were any
    assert read_evidence(record, found.gate).drifted == ()
    page = render(Evidence("Demo", (found,)))
    assert summary(found, 0.95).endswith("Stopped by: drift.") and Tags(page).open == []
    for told in (
        "4,000 new conversations of 1,500 users against 300 former ones of 90", "drifted in 1.3%", "1.50 times theirs",
        "words of the request", "<td class=\"soft\">agrees</td>", "<td class=\"soft\">not drifted</td>", "not asked",
        "<td class=\"num\">0.30</td>", "and then?",
    ):  # fmt: skip
        assert told in page
    noted = dataclasses.replace(report, failed=("turns",))
    found = dataclasses.replace(found, decision=dataclasses.replace(found.decision, drift=noted))  # type: ignore[type-var]
    assert "drift" not in summary(found, 0.95), "a column that is noted stops nothing"


def test_a_cycle_that_trained_nothing_and_infinite_figures_still_render() -> None:
    idle = CycleEvidence(3, "today", "v0.2.0", None, 0, 800, 120, 48, note="nothing new")
    page = render(Evidence("Demo", (cycle(), idle)))
    assert "Cycle 3 judged no challenger: nothing new. v0.2.0 stays." in page
    assert "Cycle 1 · 3 November 2026" in page
    wide = measurement("satisfaction", 0.1, -math.inf, math.inf)
    broken = measurement("preference", math.nan, math.nan, math.nan)
    page = render(Evidence("Demo", (cycle(1, "refuse", wide, broken),)))
    assert Tags(page).open == []
    assert '"nan' not in page
    assert '"inf' not in page


def test_the_page_repeats_byte_for_byte_and_needs_a_cycle() -> None:
    evidence = Evidence("Demo", (cycle(1), cycle(2)))
    assert render(evidence) == render(evidence)
    with pytest.raises(ValueError, match="at least one"):
        render(Evidence("Demo", ()))


def test_long_text_is_cut() -> None:
    assert cut("short") == "short"
    assert cut("word " * 400, 20) == "word word word word…"
