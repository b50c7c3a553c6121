"""The forecast of re-attempts: its interval holds what it promises, and its change is what the log taught."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rlhi.contracts import Conversation, ToldClaim, Turn, from_record, to_record
from rlhi.contracts.foreseen import Forecast, Forecasts, ForecastScore
from rlhi.evaluate.forecast import (
    LEAST,
    STRANGE,
    Change,
    Measured,
    Share,
    change,
    forecast,
    interval,
    score,
    share_of,
    track,
)
from rlhi.stages.evaluate.forecast import FORM, PENALTIES, FollowedUp, measures, served

LAST = Share({f"u{at}": (2, 5) for at in range(40)})
FOUND = Change(-0.5, 0.1, 200, 240, 0.0)


def made(**changes: object) -> Forecast:
    return replace(forecast(1, "v0.2.0", LAST, "model", FOUND, True, 0.95), **changes)  # type: ignore[arg-type]


def drawn(rng: np.random.Generator, share: float, users: int, alike: float) -> Share:
    """A night's follow-ups: users differ by a beta distribution, ``alike`` is the correlation within one."""
    own = rng.beta(share * (1 / alike - 1), (1 - share) * (1 / alike - 1), users)
    counts = rng.integers(1, 9, users)
    return Share({f"u{at}": (int(rng.binomial(count, own[at])), int(count)) for at, count in enumerate(counts)})


def log(rng: np.random.Generator, slope: float, users: int = 60, each: int = 8) -> list[Measured]:
    """Answers with two measures, of which the first moves the log-odds of a re-attempt by ``slope``."""
    rows = []
    for user in range(users):
        for _ in range(each):
            seen = rng.normal(size=2)
            chance = 1 / (1 + math.exp(-(0.3 + slope * seen[0])))
            rows.append(Measured(f"u{user}", tuple(map(float, seen)), bool(rng.random() < chance)))
    return rows


def replies(rng: np.random.Generator, middle: float, users: int = 40) -> list[Measured]:
    return [Measured(f"h{at % users}", (float(rng.normal(middle)), float(rng.normal()))) for at in range(6 * users)]


@pytest.mark.parametrize(("share", "users", "alike"), [(0.5, 60, 0.15), (0.2, 30, 0.3), (0.08, 120, 0.05)])
def test_a_champion_that_stays_is_hit_about_as_often_as_promised(share: float, users: int, alike: float) -> None:
    rng = np.random.default_rng(1)
    hits = 0
    for _ in range(300):
        last, came = drawn(rng, share, users, alike), drawn(rng, share, users, alike)
        foreseen = forecast(1, "v0.1.0", last, "model", None, False, 0.9)
        hits += score(foreseen, 2, came, "model").hit
    assert 0.86 <= hits / 300 <= 0.97


@pytest.mark.parametrize("spread", [0.1, 0.4])
def test_the_interval_covers_what_is_drawn_from_its_own_terms(spread: float) -> None:
    rng = np.random.default_rng(2)
    low, high = interval(0.6, spread, 1.0, 200, 0.9)
    shares = 1 / (1 + np.exp(-(math.log(1.5) + spread * rng.normal(size=20_000))))
    counted = rng.binomial(200, shares) / 200
    assert np.mean((counted >= low) & (counted <= high)) == pytest.approx(0.9, abs=0.03)


@given(
    share=st.floats(0, 1), spread=st.floats(0, 3), clustering=st.floats(1, 9), count=st.integers(1, 5000),
    confidence=st.sampled_from([0.5, 0.8, 0.95]),
)  # fmt: skip
@settings(max_examples=60, deadline=None)
def test_an_interval_lies_within_0_and_1_and_widens_with_what_is_not_known(
    share: float, spread: float, clustering: float, count: int, confidence: float
) -> None:
    low, high = interval(share, spread, clustering, count, confidence)
    assert 0 <= low <= high <= 1
    wider = interval(share, spread, clustering, count, 0.99)
    assert wider[0] <= low and high <= wider[1]


def test_fewer_follow_ups_that_hang_together_make_the_interval_wider() -> None:
    def width(*given: float) -> float:
        low, high = interval(given[0], given[1], given[2], int(given[3]), 0.95)
        return high - low

    assert width(0.5, 0.1, 1, 400) < width(0.5, 0.1, 1, 40) < width(0.5, 0.1, 3, 40) < width(0.5, 1.5, 3, 40)


def test_users_who_always_say_the_same_count_as_one_follow_up_each() -> None:
    same = Share({f"u{at}": (5 * (at % 2), 5) for at in range(40)})
    mixed = Share({f"u{at}": (2 + at % 2, 5) for at in range(40)})
    assert same.clustering == pytest.approx(5, rel=0.05) and mixed.clustering == 1
    assert same.error == pytest.approx(mixed.error * math.sqrt(same.clustering), rel=0.01)


def test_a_change_is_what_the_log_taught_of_the_difference() -> None:
    rng = np.random.default_rng(3)
    rows, before, after = log(rng, -1.0), replies(rng, 0.0), replies(rng, 1.0)
    found = change(rows, before, after, (0.01, 0.01), 0)
    assert found is not None and found.log_odds == pytest.approx(-0.9, abs=0.3)
    assert 0.03 < found.error < 0.4 and (found.fitted, found.replies) == (len(rows), len(after))
    back = change(rows, after, before, (0.01, 0.01), 0)
    assert back is not None and back.log_odds == pytest.approx(-found.log_odds)
    held = change(rows, before, after, (1e6, 1e6), 0)
    assert held is not None and abs(held.log_odds) < 0.02, "a penalty without end teaches nothing"


def test_the_error_of_a_change_is_that_of_other_logs_and_other_prefixes() -> None:
    rng = np.random.default_rng(4)
    found = [change(log(rng, -1.0), replies(rng, 0.0), replies(rng, 0.5), (1, 1), 0) for _ in range(12)]
    told = [one for one in found if one]
    spread = float(np.std([one.log_odds for one in told], ddof=1))
    assert 0.5 < float(np.median([one.error for one in told])) / spread < 2


def test_a_change_does_not_hang_on_the_order_of_rows() -> None:
    rng = np.random.default_rng(5)
    rows, before, after = log(rng, -1.0, users=12), replies(rng, 0.0, 8), replies(rng, 1.0, 8)
    assert change(rows, before, after, (1, 1), 0) == change(rows[::-1], before[::-1], after[::-1], (1, 1), 0)


def test_the_same_replies_change_nothing() -> None:
    rng = np.random.default_rng(6)
    said = replies(rng, 0.0)
    found = change(log(rng, -1.0), said, said, (1, 1), 0)
    assert found is not None and (found.log_odds, found.error, found.unlike) == (0, 0, 0)


def test_a_log_that_teaches_nothing_gives_no_change() -> None:
    rng = np.random.default_rng(7)
    rows, said = log(rng, -1.0), replies(rng, 0.0)
    assert change(rows[: LEAST - 1], said, said, (1, 1), 0) is None
    assert change(rows, [], said, (1, 1), 0) is None and change(rows, said, [], (1, 1), 0) is None
    assert change([replace(row, again=True) for row in rows], said, said, (1, 1), 0) is None


def test_replies_beyond_all_in_the_log_are_counted_and_refused() -> None:
    rng = np.random.default_rng(8)
    found = change(log(rng, -1.0), replies(rng, 0.0), replies(rng, 30.0), (1, 1), 0)
    assert found is not None and found.unlike > 0.9 > STRANGE
    told = forecast(1, "v0.2.0", LAST, "model", found, True, 0.95)
    assert "unlike any in the log" in told.why_none and told.why_none in told.as_text()
    stays = forecast(1, "v0.1.0", LAST, "model", found, False, 0.95)
    assert not stays.why_none and stays.challenger is None, "who stays is like itself, and of the other nothing is said"


def test_what_is_foreseen_of_a_promotion_moves_from_the_last_share_and_of_a_hold_is_that_share() -> None:
    told, stays = made(), forecast(1, "v0.1.0", LAST, "model", FOUND, False, 0.95)
    assert told.last == stays.share == 0.4 and told.share == pytest.approx(0.288, abs=0.002)
    assert told.low < told.share < told.high and stays.challenger == pytest.approx(told.share)
    assert "the challenger would have had 28.8%" in stays.as_text() and "would have had" not in told.as_text()
    assert told.high - told.low > stays.high - stays.low


@pytest.mark.parametrize(
    ("last", "found", "why"),
    [
        (Share({"u": (3, LEAST - 1)}), FOUND, f"{LEAST - 1} labelled follow-ups"),
        (Share({}), None, "0 labelled follow-ups"),
        (LAST, None, "no held-out prefix was replayed"),
    ],
)
def test_where_nothing_can_be_said_it_is_said_why(last: Share, found: Change | None, why: str) -> None:
    told = forecast(3, "v0.2.0", last, "new", found, True, 0.95)
    assert why in told.why_none and why in told.as_text()


def test_a_share_of_nothing_or_all_is_foreseen_too() -> None:
    for again in (0, 4):
        told = forecast(1, "v0.2.0", Share({f"u{at}": (again, 4) for at in range(20)}), "model", FOUND, True, 0.95)
        assert 0 <= told.low <= told.high <= 1 and told.high - told.low < 0.3


def test_a_score_tells_hit_and_miss_and_by_what_factor() -> None:
    hit = score(made(), 2, share_of((f"u{at % 30}", at % 10 < 3) for at in range(100)), "model")
    assert hit.hit and hit.right is True and hit.ratio == pytest.approx(0.3 / made().share, rel=1e-9)
    assert hit.last_ratio == pytest.approx(4 / 3)
    miss = score(made(), 2, share_of((f"u{at % 30}", at % 10 < 8) for at in range(100)), "time")
    assert not miss.hit and miss.right is False and miss.last_ratio == pytest.approx(2)
    assert "a miss" in miss.as_text() and "a hit" in hit.as_text()
    stays = forecast(1, "v0.1.0", LAST, "model", None, False, 0.95)
    assert score(stays, 2, share_of([("u", True)] * 30), "new").right is None, "no change was foreseen"


def test_the_interval_is_that_of_as_many_follow_ups_as_came() -> None:
    few = score(made(), 2, share_of((f"u{at}", at % 3 == 0) for at in range(30)), "model")
    many = score(made(), 2, share_of((f"u{at}", at % 3 == 0) for at in range(3000)), "model")
    assert few.high - few.low > made().high - made().low > many.high - many.low


def test_the_track_has_the_exact_interval() -> None:
    def scored(hit: bool, right: bool | None) -> ForecastScore:
        return ForecastScore(2, 1, "v0.1.0", 0.4, 0.5, 100, 0.3, 0.5, hit, 1.25, 1.5, right, "model")

    assert track([]) is None
    found = track([scored(True, None), scored(True, True), scored(False, False)])
    assert found is not None and (found.hits, found.scored, found.right, found.moved) == (2, 3, 1, 2)
    assert [found.low, found.high] == pytest.approx([0.0943, 0.9916], abs=1e-4)
    assert "2 of 3 forecasts hit" in found.as_text(0.95) and "1.25 (the share before: 1.50)" in found.as_text(0.95)


def test_forecasts_come_back_from_json() -> None:
    told = Forecasts((made(), made(challenger=None, why_none="x")), (score(made(), 2, LAST, "time"),))
    assert from_record(Forecasts, to_record(told)) == told


def answered(name: str | None, when: str | None) -> FollowedUp:
    turns = Turn("user", "Hi"), Turn("assistant", "Hello", when, name), Turn("user", "Shorter.")
    return FollowedUp(Conversation("c", "u", "real", when, None, "en", turns, "ours"), 1, True)


def test_who_served_is_told_by_model_then_by_time_then_not_at_all() -> None:
    named = [answered("policy@v0.1.0", None), answered("policy@v0.2.0", None), answered(None, None)]
    assert served(named, "v0.2.0", "") == ([named[1]], "model")
    dated = [answered("gpt-4", "2026-01-01T00:00:00Z"), answered(None, "2026-03-01T00:00:00Z"), answered(None, None)]
    assert served(dated, "v0.2.0", "2026-02-01T00:00:00+01:00") == ([dated[1]], "time")
    assert served(dated, "v0.1.0", "") == (dated, "new"), "the first was never promoted"
    assert served(dated, "v0.2.0", "2027-01-01T00:00:00Z") == (dated, "new"), "a clock that is not ours"


def test_measures_tell_what_the_persona_demands_and_form() -> None:
    claims = (ToldClaim("Use bullet points.", "bullets"), ToldClaim("Be kind."), ToldClaim("Shorter.", "shorter"))
    met, unmet = (measures("How?", reply, claims) for reply in ("- Sun\n- Water", "Sun and water."))
    assert len(met) == len(PENALTIES) == 2 + len(FORM)
    assert met[:2] == (1, 1) and unmet[:2] == (1, 0) and measures("How?", "So.", ())[:2] == (0, 0)
    assert met[2 + FORM.index("bullets")] > unmet[2 + FORM.index("bullets")] == 0
