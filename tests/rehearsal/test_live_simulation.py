"""Live simulation by sizes and a limit on open positions, by hand."""

from datetime import UTC, date, datetime, timedelta
from itertools import pairwise

import numpy as np
import pytest
from msgspec import structs

from gatekeeper.documents.rehearsal import Look
from gatekeeper.judgement import rules_of
from gatekeeper.judgement.backtest.contender import Contender
from gatekeeper.market.ideas import Dataset, Ideas
from gatekeeper.rehearsal.live_simulation import Stage, Track
from gatekeeper.rehearsal.policy_replay import Governance
from gatekeeper.rehearsal.results import Ruled
from gatekeeper.settings import Settings

CLOSE = 1e-15
MONDAYS = [datetime(2018, 3, day, 2, tzinfo=UTC) for day in (5, 12, 19)]
END = datetime(2018, 5, 7, 2, tzinfo=UTC)


def day(number: int) -> np.datetime64:
    return np.datetime64(f"2018-03-{number:02d}")


def stage(*, marked: bool = True, **options: object) -> Stage:
    """Ideas of the 6th, 7th (to the 14th), 13th, 15th: each makes 1, 2, 3, 4 % on its last day."""
    starts, ends = np.array([day(n) for n in (6, 7, 13, 15)]), np.array([day(n) for n in (7, 14, 15, 16)])
    outcome = np.array([0.01, 0.02, 0.03, 0.04])
    instants = ends.astype("datetime64[ns]")
    ideas = Ideas(
        symbol=np.full(4, "SPX"),
        strategy=np.full(4, ""),
        time=starts.astype("datetime64[ns]"),
        features=np.zeros((4, 7), dtype=np.float32),
        outcome=outcome,
        closed_at=instants,
        known_at=instants,
        path_start=np.arange(5),
        path_day=ends,
        path_return=outcome,
        atr=np.array([0.01, 0.02, 0.01, 0.04]),
    )
    days = np.arange(np.datetime64("2018-03-05"), np.datetime64("2018-05-07"))
    return Stage.of(
        Dataset(ideas, days, 365, END, END, True, "by hand", ()),
        MONDAYS[0],
        rules_of(Settings(**options), periods_per_year=365, marked=marked),
    )


def everything() -> Contender:
    return Contender("m", "m", 0.5, lambda rows: np.ones(len(rows), dtype=np.float32), None)


def track(of: Stage) -> Track:
    found = Track("by hand", of)
    for since, until in pairwise(MONDAYS):
        found.live(everything(), since, until)
    return found


def made(found: Track, when: slice, instead: np.ndarray | None = None) -> float:
    return found.made(when, found.taken(when, instead))


def test_by_default_each_trade_is_one_part_of_capital() -> None:
    found = track(stage())
    result = found.result(MONDAYS[0])
    assert result.total_return == pytest.approx(0.05 * 0.10, abs=CLOSE)
    assert (result.kept_trades, result.passed_over) == (4, 0)
    assert made(found, found.stage.between(MONDAYS[1], MONDAYS[2])) == pytest.approx(0.05 * 0.07, abs=CLOSE)


def test_the_risk_free_rate_is_taken_off_what_was_exposed() -> None:
    """Without paths from the idea, which midnight gives to the day before, to its exit: the 6th to the 16th."""
    result = track(stage(marked=False, risk_free=0.05)).result(MONDAYS[0])
    exposed = [0, 0.05, 0.1, *[0.05] * 5, 0.1, 0.1, 0.1, 0.05, *[0] * 51]
    assert result.exposed == pytest.approx(exposed, abs=CLOSE)
    excess = np.array(result.daily) - (1.05 ** (1 / 365) - 1) * np.array(exposed)
    assert result.sharpe == pytest.approx(excess.mean() / excess.std(ddof=1) * 365**0.5, abs=1e-9)


def test_a_position_of_last_week_takes_its_room_in_this_one() -> None:
    """One at a time: the 6th; the 7th, as that ends; the 13th finds it open; the 15th is free."""
    found = track(stage(most_open=1))
    result = found.result(MONDAYS[0])
    assert (result.kept_trades, result.passed_over) == (4, 1)
    assert result.total_return == pytest.approx(0.05 * 0.07, abs=CLOSE)
    week = found.stage.between(MONDAYS[1], MONDAYS[2])
    assert made(found, week) == pytest.approx(0.05 * 0.04, abs=CLOSE)
    # Whoever had kept the 13th alone would have found no room either.
    assert made(found, week, np.array([True, False])) == 0.0
    assert found.kept.all()


def test_sizes_by_volatility() -> None:
    """0.05 % of capital a move of ATR14, at most 4 %: 4, 2.5, 4 and 1.25 % of capital."""
    found = track(stage(sizing="volatility", largest_fraction=0.04))
    right = 0.04 * 0.01 + 0.025 * 0.02 + 0.04 * 0.03 + 0.0125 * 0.04
    assert found.result(MONDAYS[0]).total_return == pytest.approx(right, abs=CLOSE)
    week = found.stage.between(MONDAYS[1], MONDAYS[2])
    assert made(found, week) == pytest.approx(0.04 * 0.03 + 0.0125 * 0.04, abs=CLOSE)


def test_weeks_without_a_model_count_from_the_first_one_that_could_be_deployed() -> None:
    """No challenger, then two that were not promoted, then one that was."""
    policy = Ruled(Governance("safe"), track(stage()))
    begun = MONDAYS[0] + timedelta(weeks=1)
    for number, promoted in enumerate((False, False, False, True, False)):
        policy.governance.looks.append(Look(MONDAYS[0] + timedelta(weeks=number), "keep", "weekly", "better", "", None))
        if promoted:
            policy.governance.looks[-1] = structs.replace(policy.governance.looks[-1], promoted=True)
    assert policy.result(begun).weeks_without == 2
    del policy.governance.looks[3:]
    assert policy.result(begun).weeks_without == 2


def test_what_a_promotion_added_is_known_day_by_day() -> None:
    """One that took everything stands in for one that took nothing, from the 12th on."""
    policy = Ruled(Governance("safe"), Track("by hand", stage()))
    week = slice(2, 4)
    policy.ours[week] = True
    added = policy.promoted(MONDAYS[0])
    days = policy.track.stage.days
    assert dict(zip(days[added != 0].tolist(), added[added != 0].tolist(), strict=True)) == {
        date(2018, 3, 15): pytest.approx(0.05 * 0.03, abs=CLOSE),
        date(2018, 3, 16): pytest.approx(0.05 * 0.04, abs=CLOSE),
    }
    policy.theirs[week] = [True, False]
    assert policy.promoted(MONDAYS[0]).sum() == pytest.approx(0.05 * 0.04, abs=CLOSE)
