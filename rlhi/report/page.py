"""The evidence page: one self-contained HTML file that says what a cycle learned and why it was promoted or not."""

from __future__ import annotations

from importlib.resources import files

from jinja2 import Environment, StrictUndefined

from rlhi.report import plots, words
from rlhi.report import summary as told
from rlhi.report.evidence import CycleEvidence, Evidence
from rlhi.report.foretold import foretold
from rlhi.report.standing import kind_rows, suite_rows

LONGEST = 700
"""Users' text is cut after this many characters."""


def render(evidence: Evidence) -> str:
    """The page as HTML: the last cycle in full, the former ones folded below it, newest first.

    It loads nothing (no script, font, image or address; its content policy forbids them), and every word that may
    be a user's is escaped. Equal evidence gives equal bytes.

    Raises:
        ValueError: there is no cycle to show.
    """
    if not evidence.cycles:
        raise ValueError("the evidence page needs at least one cycle")
    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    environment.filters.update(cut=cut, name_of=words.name_of, percent=words.percent, chips=words.chips)
    environment.filters["sentence"] = lambda text: f"{text[:1].upper()}{text[1:]}."
    template = environment.from_string(files("rlhi.report").joinpath("page.html.j2").read_text(encoding="utf-8"))
    newest_first = evidence.cycles[::-1]
    return template.render(
        title=evidence.title,
        plot_style=plots.style(),
        confidence=words.percent(evidence.confidence),
        latest=_view(newest_first[0], evidence),
        former=[_view(cycle, evidence) for cycle in newest_first[1:]],
        against_itself=told.against_itself(evidence.cycles),
        satisfaction=plots.satisfaction_by_cycle(evidence.cycles),
    )


def cut(text: str, longest: int = LONGEST) -> str:
    """Text of at most ``longest`` characters, its end marked where it was cut."""
    return text if len(text) <= longest else text[: longest - 1].rstrip() + "…"


def _view(cycle: CycleEvidence, evidence: Evidence) -> dict[str, object]:
    """What the template shows of a cycle: the cycle itself, its words and its plots."""
    decision = cycle.decision
    rows = suite_rows(decision, cycle.gate) if decision else []
    kinds = kind_rows(decision, cycle.gate) if decision else []
    return {
        "cycle": cycle,
        "decision": decision,
        "verdict": decision.verdict if decision else "none",
        "summary": told.summary(cycle, evidence.confidence),
        "asked": told.asked(decision) if decision else "",
        "changes": told.would_change(decision, cycle.gate, cycle.account, cycle.held_out_users) if decision else (),
        "account": cycle.account,
        "budget": plots.budget(cycle.account),
        "foretold": foretold(cycle, evidence.cycles),
        "rows": rows,
        "kinds": kinds,
        "by_kind": plots.forest([row.gain for row in kinds if row.gain], "Gain by kind of persona"),
        "pair_total": sum(count for _, count in cycle.pairs),
        "satisfaction": next((row for row in rows if row.name == "satisfaction"), None),
        "forest": plots.forest(rows, "Gain of the challenger on every suite, with bounds and the gate's limits"),
        "loss": plots.loss_curve(cycle.loss),
        "feedback": plots.bars(cycle.feedback, "Feedback labels"),
        "pairs": plots.bars(cycle.pairs, "Preference pairs by source"),
        "judged": plots.bars(cycle.judged, "Judged answers by source"),
    }
