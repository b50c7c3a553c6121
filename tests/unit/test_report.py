"""The evidence page: self-contained, escaped, and true to the decision."""

from __future__ import annotations

import dataclasses
import html.parser
import json
import math
import re

import pytest

from rlhi.config import GateConfig
from rlhi.contracts import (
    Account,
    Budget,
    DriftColumn,
    DriftReport,
    GateDecision,
    Interval,
    Measurement,
    Spending,
    Verdict,
)
from rlhi.contracts.judges import Agreement, JudgeRecord, JudgesReport, WinRate
from rlhi.report import (
    Compared,
    CycleEvidence,
    CycleTests,
    Drifted,
    Evidence,
    Example,
    Figure,
    LossPoint,
    ShownTest,
    read_evidence,
    render,
    write_evidence,
)  # fmt: skip
from rlhi.report.page import cut
from rlhi.report.summary import against_itself, asked, summary, would_change

SUITES = ("satisfaction", "preference", "instructions", "fluency", "choices", "my_suite")
ATTACK = '<script>alert("x")</script><img src=http://evil.example/x onerror=alert(1)>'
NO_REFERENCE = DriftReport("no_reference", 0.0, (), (), 100, 0)


REPLY = Compared(ATTACK, ATTACK, ATTACK, ATTACK, (Figure("nearness", 1.0, 0.0), Figure(ATTACK, math.nan, 1.0)))


def measurement(suite: str, mean: float = 0.15, low: float = 0.08, high: float = 0.22) -> Measurement:
    return Measurement(
        suite, Interval(0.14, 0.1, 0.19, 48, 384), Interval(0.29, 0.2, 0.4, 48, 384), Interval(mean, low, high, 48, 384)
    )


def cycle(number: int = 1, verdict: Verdict = "promote", *measured: Measurement) -> CycleEvidence:
    measured = measured or tuple(map(measurement, SUITES))
    decision = GateDecision(verdict, (f"Because {ATTACK}.",), ("drift: no_reference",), measured, NO_REFERENCE)
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


def test_language_models_are_shown_with_what_they_are_worth_and_their_names_escaped() -> None:
    share = Interval(0.71, 0.68, 0.74, 30, 60)
    won = WinRate("overall", "", Interval(0.63, 0.5, 0.7, 30, 60), Interval(0.41, 0.3, 0.5, 30, 60), 0.2, 0.17)
    weak = JudgeRecord("weak", dataclasses.replace(share, low=0.5), 0.6, 0.1, (won,))
    report = JudgesReport(
        (JudgeRecord(ATTACK, share, 0.6, 0.1, (won,)), weak, JudgeRecord("dumb", share, 0.6, 0.1)),
        (Agreement(ATTACK, "weak", "overall", 60, 0.55, 0.12),),
    )
    judged = dataclasses.replace(cycle(), judges=report)
    record = json.loads(json.dumps(write_evidence(judged)))
    assert read_evidence(record, judged.gate).judges == report
    page = render(Evidence("Demo", (judged,)))
    assert Tags(page).open == [] and "<script" not in page.split("<body", 1)[1]
    for told in (
        "71% (68% to 74%), counts",
        "71% (50% to 74%), decides nothing",
        "63% (50% to 70%)",
        "41% (30% to 50%)",
    ):
        assert told in page
    assert "kappa 0.12" in page and "answered nothing that fits" in page
    del record["judges"]  # as of cycles before there were any
    assert read_evidence(record, judged.gate).judges is None


def test_replies_come_after_the_figures_then_won_and_lost_then_what_it_learned_from() -> None:
    shown = dataclasses.replace(
        cycle(),
        drawn=(dataclasses.replace(REPLY, request=f"Drawn? {'very ' * 200}long", challenger=""),),
        won=(dataclasses.replace(REPLY, request="Won?"),),
        lost=(dataclasses.replace(REPLY, request="Lost?"),),
        examples=(Example("", "Learned?", "yes", "no", "rewrite"),),
    )
    page = render(Evidence("Demo", (shown,)))
    places = [page.index(word) for word in ("Drawn?", "Won?", "Lost?", "Learned?")]
    assert places == sorted(places) and page.index("What the gate saw") < places[0]
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


def test_what_was_fixed_and_broken_is_shown_escaped_and_kept_in_the_record() -> None:
    evil = "<script>alert(1)</script>"
    shown = (
        ShownTest("broken", "Do not use commas.", evil, "Sun", "Sun, water"),
        ShownTest("fixed", evil, "Why?", evil, evil),
    )
    one = dataclasses.replace(cycle(), tests=CycleTests(30, 12, 8, 3, 4, 2, 1, shown))
    page = render(Evidence("demo", (one,)))
    words = "&lt;script&gt;"
    assert page.count(words) == render(Evidence("demo", (cycle(),))).count(words) + 4
    assert "of 30 complaints" in page.lower() and "2 fixed, 1 broken" in page
    assert evil not in page and page.index(">broken<") < page.index(">fixed<")
    assert read_evidence(write_evidence(one), one.gate) == one
    assert "as tests" not in render(Evidence("demo", (cycle(),)))


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
    assert summary(weak, 0.9) == (
        "Refused v0.2.0: share of held-out users who prefer it 29% (gain +3 points, 90% interval −4 to 10). "
        "Stopped by: fluency. Not shown: preference."
    )
    missing = decided(weak, verdict="invalid", not_measured=("instructions", "choices"))
    told = summary(dataclasses.replace(missing, challenger="challenger"), 0.9)
    assert told.startswith("Invalid decision on the challenger: ")
    assert told.endswith("Stopped by: fluency, instructions not measured. Not shown: preference.")
    nothing = decided(cycle(4, "hold"), measurements=())
    assert summary(nothing, 0.95) == "Cycle 4 judged no challenger. v0.1.0 stays."


def decided(one: CycleEvidence, **changes: object) -> CycleEvidence:
    """The same cycle with another decision."""
    assert one.decision is not None
    return dataclasses.replace(one, decision=dataclasses.replace(one.decision, **changes))  # type: ignore[arg-type]


def shown(suite: str, mean: float, half: float, users: int = 250, **others: object) -> Measurement:
    """As the gate's stage writes it: with bounds at a level, and what could have been seen."""
    gain = Interval(mean, mean - half, mean + half, users, 4 * users)
    before, after = Interval(0.5, 0.4, 0.6, users, 4 * users), Interval(0.5 + mean, 0.4, 0.7, users, 4 * users)
    bounds = {"level": 0.001, "above": mean - 2 * half, "below": mean + 2 * half, "least": 0.053}
    return Measurement(suite, before, after, gain, **{**bounds, **others})  # type: ignore[arg-type]


WAITING = Account(
    "2026-11-30", Budget(0.001, 2, 0.002, 0.048, 0.002, "2026-11-20", "the last decision was on 2026-11-27"),
    (Spending("2026-11-20", 0.001), Spending("2026-11-27", 0.001)), "2026-12-04",
)  # fmt: skip


@pytest.mark.parametrize(
    ("verdict", "word"),
    [("promote", "✓ Promoted"), ("refuse", "✕ Refused"), ("hold", "… Held"), ("invalid", "! Invalid")],
)
def test_every_verdict_has_its_word_and_its_colour(verdict: Verdict, word: str) -> None:
    page = render(Evidence("Demo", (cycle(1, verdict),)))
    assert f'<span class="badge {verdict}">{word}</span>' in page and f".badge.{verdict} {{" in page
    assert Tags(page).open == []


def test_who_was_asked_is_told_and_a_screen_is_no_decision() -> None:
    night = decided(cycle(1, "hold", shown("satisfaction", 0.05, 0.02, 48)), panel="screen")
    assert night.decision and asked(night.decision) == "a screen: 48 held-out users, 192 pairs of replies"
    assert summary(night, 0.95).startswith("Held v0.2.0, screened only: ") and "Not shown" not in summary(night, 0.95)
    page = render(Evidence("Demo", (night,)))
    assert "A screen: 48 held-out users, 192 pairs of replies. A screen promotes nothing." in page
    assert night.decision and asked(dataclasses.replace(night.decision, measurements=())) == ""


def changes(one: CycleEvidence) -> tuple[str, ...]:
    assert one.decision is not None
    return would_change(one.decision, one.gate, one.account, one.held_out_users)


def test_what_would_change_a_screen_is_a_day_or_users_or_a_gain() -> None:
    night = decided(cycle(1, "hold", shown("satisfaction", 0.05, 0.02, 48)), panel="screen", budget=WAITING.budget)
    waiting = dataclasses.replace(night, account=WAITING)
    assert changes(waiting) == ("The budget: a decision may be taken on 2026-12-04.",)
    free = decided(night, budget=dataclasses.replace(WAITING.budget, wait=""))
    assert changes(free) == ("144 more held-out users: a decision asks 192, and 48 talk.",)
    falling = decided(
        dataclasses.replace(free, held_out_users=300), measurements=(shown("satisfaction", 0.0, 0.02, 48),)
    )
    assert changes(falling) == (
        "A gain in the screen: satisfaction shows none in the mean, and no decision is spent on that.",
    )


def test_what_would_change_a_decision_is_told_by_its_figures() -> None:
    assert changes(cycle(1, "promote")) == ()
    assert changes(decided(cycle(1, "hold"), measurements=())) == ("A challenger: none was trained.",)
    small = cycle(1, "hold", shown("satisfaction", 0.04, 0.02))
    # The bound lies 4 points below the mean, which lies 3 above the margin: 16/9 as many.
    assert changes(small) == (
        "satisfaction: 445 users would show this gain (250 would see a true gain of 5.3 points).",
    )
    few = cycle(1, "hold", shown("satisfaction", 0.08, 0.02, 100))
    assert changes(few) == ("92 more held-out users: 100 were asked, of 192.",)
    flat = cycle(1, "hold", shown("satisfaction", 0.0, 0.02), shown("knowledge", -0.09, 0.02, against="first"))
    assert changes(flat) == (
        "satisfaction: a gain: the mean points to none (250 would see a true gain of 5.3 points).",
        "knowledge against the first champion: no fall of more than 12 points; with n = 250 one of 13 is possible, "
        "n = 445 would show it.",
    )
    worse = cycle(1, "refuse", shown("satisfaction", 0.08, 0.02), shown("kept", -0.3, 0.05, group="plain text"))
    assert changes(worse) == (
        "Another challenger: this one is shown to be worse in kept of users who ask for plain text (−30 points).",
    )
    judged = decided(cycle(1, "hold", shown("preference", 0.1, 0.02)), not_measured=("preference", "satisfaction"))
    assert changes(judged) == ("A gain that counts: none was measured; the judge that tells preference is not proven.",)
    odd = decided(cycle(1, "invalid", measurement("satisfaction", math.nan)), not_measured=("knowledge",))
    assert changes(odd)[:2] == (
        "Figures that are numbers, of satisfaction.",
        "A measurement of knowledge: required, and missing.",
    )


def test_a_gain_that_does_not_count_is_not_ticked() -> None:
    judged = decided(cycle(1, "hold", shown("preference", 0.1, 0.02)), not_measured=("preference", "choices"))
    page = render(Evidence("Demo", (judged,)))
    assert "does not count: its judge is not proven" in page and 'class="state pass"' not in page
    assert "Not measured: choices." in page


def test_guards_stand_beside_the_first_champion_and_kinds_from_who_gained_to_who_lost() -> None:
    kinds = [
        dataclasses.replace(shown(suite, gain, 0.02, 14, group=kind), challenger=Interval(0.3, 0.2, 0.4, 14, 14))
        for kind, gain in (("plain text", -0.3), (ATTACK, 0.3))
        for suite in ("satisfaction", "kept")
    ]
    both = cycle(1, "hold", shown("knowledge", -0.02, 0.02), shown("knowledge", -0.31, 0.02, against="first"), *kinds)
    page = render(Evidence("Demo", (both,)))
    assert '<td class="num fail">−31 (−33 to −29)</td>' in page and page.count(">first champion<") == 1
    assert "Stopped by: knowledge against the first champion." in page
    table = page[page.index("Users who ask for") :]
    assert table.index("onerror") < table.index("plain text") and Tags(page).open == []
    assert not {"script", "img"} & set(Tags(page).tags)
    assert '<td class="num fail">70%</td>' in table, "who lost much, of plain text"


def test_the_budget_is_told_and_drawn_and_kept_in_the_record() -> None:
    kept = dataclasses.replace(
        cycle(1, "hold", shown("satisfaction", 0.05, 0.02)), account=WAITING, drawn=(), won=(), lost=()
    )
    assert read_evidence(json.loads(json.dumps(write_evidence(kept))), kept.gate) == kept
    page = render(Evidence("Demo", (kept,)))
    assert "2 decisions in the past year, 0.20% of error spent, 4.80% left" in page
    assert "the next may be taken on 2026-12-04." in page and ">next 2026-12-04<" in page
    drawn = page[page.index("The year&#39;s error") :]
    assert drawn[: drawn.index("</svg>")].count("<circle") == 2


def test_the_champion_against_itself_is_counted_over_decisions() -> None:
    nights = [decided(cycle(at), by_chance=chance) for at, chance in enumerate((0.5, 0.01, None, 0.9, 0.3))]
    screen = decided(cycle(9, "hold"), by_chance=0.001, panel="screen")
    assert against_itself([*nights, screen]) == "below 5% in 1 of 4 decisions (25%, exact 95% interval 1% to 81%)"
    assert against_itself([screen]) == ""
    assert "The champion against itself: below 5% in 1 of 4 decisions" in render(Evidence("Demo", (*nights, screen)))


def test_a_record_of_a_version_that_knew_no_budget_still_renders() -> None:
    """As it was written before decisions had a panel, measurements a level, and cycles an account."""
    record = json.loads(json.dumps(write_evidence(dataclasses.replace(cycle(1, "refuse"), drawn=(), won=(), lost=()))))
    del record["account"]
    for name in ("panel", "budget", "by_chance"):
        del record["decision"][name]
    for one in record["decision"]["measurements"]:
        for name in ("against", "group", "level", "above", "below", "least"):
            del one[name]
    record["decision"]["measurements"][0]["gain"] |= {"mean": 0.0, "low": -0.1, "high": 0.1}
    former = read_evidence(record, GateConfig())
    page = render(Evidence("Demo", (former, cycle(2))))
    assert Tags(page).open == [] and "Error budget" not in page
    assert "Not shown: satisfaction." in page and "✕ Refused" in page
    assert changes(former)[0].startswith("satisfaction: a gain: the mean points to none")


def test_drift_that_refuses_is_named() -> None:
    drifted = DriftReport("drifted", 1.0, ("turns",), ("turns",), 50, 50)
    found = cycle(2, "refuse")
    found = decided(found, drift=drifted)
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
