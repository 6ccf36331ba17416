"""Transaction costs by hand arithmetic, on the base of test_replay.py: ATR14 is 2, the entry price 100."""

import json
from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest
from market_bars import DAY, candles, daily, utc

from gatekeeper.config import load
from gatekeeper.errors import ConfigError, DataError
from gatekeeper.market.data.reading.files import tables
from gatekeeper.market.data.trades import labelled
from gatekeeper.market.ideas import Ideas
from gatekeeper.market.replay.kernel import replay
from gatekeeper.market.replay.strategies import BOUNCE, PULLBACK
from gatekeeper.market.sources import load as read
from gatekeeper.settings import Settings

LAST = 219
BASE = [(c, c + 1, c - 1, c) for c in (100 + 0.01 * i for i in range(LAST + 1))]
QUIET = (100.0, 101.0, 99.0, 100.5)
LATE = utc("2030-01-01")
CLOSE = 1e-12


def replayed(after: list[tuple[float, float, float, float]], **options: object) -> Ideas:
    """The ideas of the base and what comes after it; bar 219 is Friday 2016-11-04, entered on the Monday."""
    return replay(candles(BASE + after, daily(LAST + 1 + len(after))), LATE, Settings(**options)).ideas


def row_of(ideas: Ideas, strategy: str) -> int:
    signal = daily(LAST + 1)[LAST] + DAY
    (row,) = np.flatnonzero((ideas.time == signal) & (ideas.strategy == strategy))
    return int(row)


def path_of(ideas: Ideas, row: int) -> list[float]:
    return ideas.path_return[ideas.path_start[row] : ideas.path_start[row + 1]].tolist()


# Option, the part that it is, and what a buy and a sell pay that are held from Monday to the next Friday week:
# ten bars, eleven calendar days.
ONE_PART = {
    "commission a side": ({"cost_bp": 3.0}, 0, 2 * 0.0003, 2 * 0.0003),
    "spread, half of it a side": ({"spread_bp": 5.0}, 1, 0.0005, 0.0005),
    "slippage a side, of an ATR14 that is 2 % of the price": ({"slippage_atr": 0.1}, 2, 2 * 0.1 * 0.02, 2 * 0.1 * 0.02),
    "borrow, on shorts": ({"borrow": 0.0365}, 3, 0.0, 11 * 0.0001),
    "funding, on longs": ({"funding": 0.073}, 3, 11 * 0.0002, 0.0),
    "funding that brings something": ({"funding": -0.073}, 3, -11 * 0.0002, 0.0),
}


@pytest.mark.parametrize("name", ONE_PART)
def test_each_part_by_hand(name: str) -> None:
    options, part, buy, sell = ONE_PART[name]
    found = replayed([QUIET] * 12, **{"cost_bp": 0.0, **options})
    assert found.costs is not None
    for strategy, gross, cost in ((PULLBACK, 0.005, buy), (BOUNCE, -0.005, sell)):
        row = row_of(found, strategy)
        assert found.outcome[row] == pytest.approx(gross - cost, abs=CLOSE)
        right = [0.0, 0.0, 0.0, 0.0]
        right[part] = cost
        assert found.costs[row].tolist() == pytest.approx(right, abs=CLOSE)


def test_each_part_is_booked_on_the_days_it_accrues() -> None:
    """A buy: 100 to 100.5 on Monday, 99 on Tuesday, out at the target of 104 on Wednesday."""
    after = [(100, 101, 99, 100.5), (100, 101, 98, 99), (100, 104, 99, 103)]
    found = replayed(after, cost_bp=2.0, spread_bp=4.0, slippage_atr=0.05, funding=0.365)
    side, night = 0.0002 + 0.0002 + 0.05 * 0.02, 0.001
    right = [0.005 - side, -0.015 - night, 0.05 - night - side]
    row = row_of(found, PULLBACK)
    assert path_of(found, row) == pytest.approx(right, abs=CLOSE)
    assert found.outcome[row] == pytest.approx(sum(right), abs=CLOSE)


def test_a_weekend_costs_three_days_and_the_day_of_entry_none() -> None:
    found = replayed([QUIET] * 12, cost_bp=0.0, borrow=0.365)
    # Monday to Friday week: no night before the first, one before each other, three before the second Monday.
    nights = np.array([0, 1, 1, 1, 1, 3, 1, 1, 1, 1])
    flat = path_of(replayed([QUIET] * 12, cost_bp=0.0), row_of(found, BOUNCE))
    assert path_of(found, row_of(found, BOUNCE)) == pytest.approx(flat - 0.001 * nights, abs=CLOSE)


def test_what_is_closed_on_its_first_day_pays_no_carry() -> None:
    found = replayed([(100, 101, 95, 99)], cost_bp=0.0, funding=1.0)
    assert found.outcome[row_of(found, PULLBACK)] == pytest.approx(-0.04, abs=CLOSE)


def test_outcomes_and_their_costs_make_the_gross_that_no_cost_leaves() -> None:
    """All options together, on ideas of a random walk, beside the same without any."""
    rng = np.random.default_rng(3)
    close = 100 * np.exp(np.cumsum(rng.normal(0, 0.01, 500)))
    opened = np.append(100.0, close[:-1])
    bars = candles(
        np.stack([opened, np.maximum(opened, close) * 1.003, np.minimum(opened, close) * 0.997, close], axis=1),
        daily(500),
    )
    free = replay(bars, LATE, Settings(cost_bp=0)).ideas
    options = {"spread_bp": 3.0, "slippage_atr": 0.02, "borrow": 0.03, "funding": 0.01, "sizing": "volatility"}
    paid = replay(bars, LATE, Settings(**options)).ideas
    assert len(paid) > 50
    assert paid.costs is not None
    np.testing.assert_allclose(paid.outcome + paid.costs.sum(axis=1), free.outcome, rtol=0, atol=CLOSE)
    sums = [sum(path_of(paid, row)) for row in range(len(paid))]
    np.testing.assert_allclose(sums, paid.outcome, rtol=0, atol=CLOSE)
    assert (paid.costs[:, 3] >= 0).all()


def test_sizing_by_volatility_brings_the_atr_and_changes_nothing_else() -> None:
    plain, sized = replayed([QUIET] * 12), replayed([QUIET] * 12, sizing="volatility")
    assert plain.atr is None
    assert sized.atr is not None
    assert sized.atr[row_of(sized, PULLBACK)] == pytest.approx(0.02, abs=CLOSE)
    assert sized.outcome.tolist() == plain.outcome.tolist()


def ideas_file(tmp_path: Path, **columns: object) -> str:
    frame = {
        "symbol": ["A", "B"],
        "time": ["2018-02-01T00:00Z", "2018-02-02T00:00Z"],
        "closed_at": ["2018-02-06T00:00Z", "2018-02-07T00:00Z"],
        "action": ["buy", "sell"],
        "outcome": [0.01, -0.02],
        **{name: [1.0, 2.0] for name in ("rsi14", "adx14", "fastMASlowDelta", "bbWidth", "avgSent", "avgOB")},
        **columns,
    }
    rows = [dict(zip(frame, values, strict=True)) for values in zip(*frame.values(), strict=True)]
    path = tmp_path / f"ideas{len(list(tmp_path.iterdir()))}.csv"
    text = [",".join(frame), *(",".join(map(str, row.values())) for row in rows)]
    path.write_text("\n".join(text))
    return str(path)


def known(*paths: str, sized: bool = False) -> Ideas:
    found = [table for path in paths for table in tables(path)]
    held = labelled.ledger(found, "ideas")
    return held.known(utc("2018-03-01"), timedelta(days=21), sized=sized).ideas


def test_labelled_ideas_bring_their_cost_or_are_not_told_apart(tmp_path: Path) -> None:
    assert known(ideas_file(tmp_path)).costs is None
    with_costs = known(ideas_file(tmp_path, cost=[0.0004, 0.0006]))
    assert with_costs.costs is not None
    assert with_costs.costs.tolist() == [[0.0004], [0.0006]]
    assert with_costs.fingerprint() == known(ideas_file(tmp_path)).fingerprint()
    with pytest.raises(DataError, match=r"cost is missing or not a finite number in row 2 \(B 2018-02-02"):
        known(ideas_file(tmp_path, cost=[0.0004, ""]))
    with pytest.raises(DataError, match=r"has costs, .* has none"):
        known(ideas_file(tmp_path, cost=[0.0004, 0.0006]), ideas_file(tmp_path, symbol=["C", "D"]))
    with pytest.raises(DataError, match="two ideas of the same symbol, time and strategy differ"):
        known(ideas_file(tmp_path, cost=[0.0004, 0.0006]), ideas_file(tmp_path, cost=[0.0004, 0.0007]))


def test_labelled_ideas_bring_their_atr_where_sizing_asks(tmp_path: Path) -> None:
    path = ideas_file(tmp_path, atr=[0.01, 0.02])
    assert known(path).atr is None
    found = known(path, sized=True).atr
    assert found is not None
    assert found.tolist() == [0.01, 0.02]
    with pytest.raises(DataError, match="atr is missing or not a positive number in row 1"):
        known(ideas_file(tmp_path, atr=[0.0, 0.02]), sized=True)
    settings = Settings(sizing="volatility")
    with pytest.raises(DataError, match=r"GATEKEEPER_SIZING=volatility needs the ATR14 .* column `atr`"):
        read(f"ideas:{ideas_file(tmp_path)}", utc("2018-03-01"), settings)


@pytest.mark.parametrize(
    "wrong",
    [
        {"spread_bp": -1},
        {"slippage_atr": 2},
        {"borrow": -1},
        {"funding": 11},
        {"sizing": "kelly"},
        {"volatility_target": 0},
        {"largest_fraction": 1.5},
        {"most_open": 0},
        {"calendars": "SPX"},
        {"calendars": "SPX=XNYS SPX=XLON"},
    ],
    ids=json.dumps,
)
def test_what_makes_no_sense_is_refused(wrong: dict[str, object]) -> None:
    (name,) = wrong
    with pytest.raises(ConfigError, match=f"GATEKEEPER_{name.upper()}"):
        load(wrong)
