"""Unit of the outcomes: found by size, by value and by the bars, refused, and converted only as the setting says."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from idea_worlds import world
from market_bars import utc

from gatekeeper.errors import DataError
from gatekeeper.features import FEATURES
from gatekeeper.market.data.checks.outcome_unit import beyond_all, unit
from gatekeeper.market.ideas import Ideas
from gatekeeper.market.sources import load
from gatekeeper.pipeline.weekly.run import Run
from gatekeeper.settings import Settings

IDEAS, BARS = world(1, 400)


def times(factor: float, ideas: Ideas = IDEAS) -> Ideas:
    return replace(ideas, outcome=ideas.outcome * factor)


def key(ideas: Ideas, *bars: object) -> str:
    found = unit(ideas, bars)  # type: ignore[arg-type]
    return "" if found is None else found.key


@pytest.mark.parametrize("seed", range(20))
@pytest.mark.parametrize(("factor", "found"), [(1, ""), (100, "unit:percent"), (1e4, "unit:bp")])
def test_case_84_by_size_and_by_the_bars(seed: int, factor: float, found: str) -> None:
    ideas, bars = world(seed, 300)
    assert key(times(factor, ideas)) == key(times(factor, ideas), bars) == found


def test_money() -> None:
    assert key(times(3e6)) == key(times(3e6), BARS) == "unit:money"


def held(median: float, days: float) -> Ideas:
    """Outcomes of this median size, each held for as long."""
    outcome = np.where(np.arange(400) % 2, median, -median)
    return replace(IDEAS, outcome=outcome, closed_at=IDEAS.time + np.timedelta64(round(days * 86400), "s"))


@pytest.mark.parametrize(
    ("a_year", "found"),
    [
        (1.49, ""),
        (1.51, "unit:unclear"),
        (2.49, "unit:unclear"),
        (2.51, "unit:percent"),
        (249, "unit:percent"),
        (251, "unit:bp"),
        (24_900, "unit:bp"),
        (25_100, "unit:money"),
    ],
)
@pytest.mark.parametrize("days", [0.25, 10])
def test_the_limits(a_year: float, found: str, days: float) -> None:
    """A size for the square root of the hold in years of 365.25 days."""
    assert key(held(a_year * np.sqrt(days / 365.25), days)) == found


def test_labels_and_r_multiples() -> None:
    wins = IDEAS.outcome > 0
    assert key(replace(IDEAS, outcome=wins.astype(np.float64))) == "unit:labels"
    r = np.where(np.arange(400) % 4 == 0, -1.0, 0.03 * np.arange(400))
    assert key(replace(IDEAS, outcome=r)) == "unit:R"
    assert key(replace(IDEAS, outcome=np.where(np.arange(400) % 4 == 0, -1.01, r / 100))) != "unit:R"


def test_log_returns_by_the_bars() -> None:
    """Of trades without a stop, held for 60 bars: what they made by the closes, with costs of 2 bp."""
    ideas, bars = world(3, 400, hold=60)
    side = np.where(ideas.features[:, FEATURES.index("action")] > 0, 1.0, -1.0)
    first = np.searchsorted(bars.closes_at, ideas.time)
    growth = bars.close[first + 60] / bars.close[first]
    held = replace(ideas, closed_at=bars.closes_at[first + 60], outcome=side * (growth - 1) - 0.0002)
    assert key(held, bars) == ""
    assert key(replace(held, outcome=side * np.log(growth) - 0.0002), bars) == "unit:log"


def test_under_100_ideas_nothing_is_said() -> None:
    few = IDEAS.take(slice(0, 99))
    assert key(times(100, few)) == ""
    assert key(times(100, IDEAS.take(slice(0, 100)))) == "unit:percent"


def test_a_buy_that_lost_more_than_its_price_is_of_another_unit() -> None:
    """One row in percent among fractions changes no median. A sell can lose more; a buy pays costs on top of all."""
    bought = IDEAS.features[:, FEATURES.index("action")] > 0
    assert beyond_all(IDEAS) is None and key(IDEAS) == ""
    for rows, value, found in ((bought, -1.2, "unit:loss"), (bought, -1.01, None), (~bought, -1.2, None)):
        outcome = IDEAS.outcome.copy()
        outcome[np.flatnonzero(rows)[7]] = value
        changed = replace(IDEAS, outcome=outcome)
        finding = beyond_all(changed)
        assert (finding and finding.key) == found
        assert key(changed) == ""
    few = replace(IDEAS, outcome=np.where(bought, -2.3, IDEAS.outcome)).take(np.arange(30))
    finding = beyond_all(few)
    assert finding is not None
    count = int(bought[:30].sum())
    assert finding.message.startswith(f"{count} of {count} buys lost more than their entry price, the first ")


def test_a_refusal_says_value_limit_and_way_out() -> None:
    found = unit(times(100))
    assert found is not None
    assert found.message.startswith("The outcomes aren't fractions of the entry price: their median of ")
    assert found.message.endswith("from 2.5 to 250. Set GATEKEEPER_OUTCOME_UNIT=percent, or divide them by 100.")


# The setting.


def written(folder: Path, outcome: np.ndarray, **more: object) -> str:
    frame = pd.DataFrame(dict(zip(FEATURES, IDEAS.features.T, strict=True)))
    frame = frame.assign(symbol=IDEAS.symbol, time=IDEAS.time, closed_at=IDEAS.closed_at, outcome=outcome, **more)
    frame.to_parquet(folder / "ideas.parquet", index=False)
    return f"ideas:{folder}/ideas.parquet"


AS_OF = utc(str(IDEAS.closed_at.max())[:10] + "T02:00")
LOOSE = {"longest_hold_days": 60, "ideas_freshness_days": 300}


def test_the_setting_converts_and_the_file_alone_is_refused(tmp_path: Path) -> None:
    whole = load(written(tmp_path, IDEAS.outcome), AS_OF, Settings(**LOOSE))
    for name, factor in (("percent", 100), ("bp", 10_000)):
        uri = written(tmp_path, IDEAS.outcome * factor)
        with pytest.raises(DataError, match=f'Set GATEKEEPER_OUTCOME_UNIT={name}, or divide.*accept = ."unit:{name}"'):
            load(uri, AS_OF, Settings(**LOOSE))
        converted = load(uri, AS_OF, Settings(outcome_unit=name, **LOOSE))
        assert converted.ideas.outcome == pytest.approx(whole.ideas.outcome, rel=1e-12)
        accepted = load(uri, AS_OF, Settings(accept=(f"unit:{name}",), **LOOSE))
        assert accepted.ideas.outcome == pytest.approx(whole.ideas.outcome * factor)


def test_the_wrong_setting_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="unit:percent"):
        load(written(tmp_path, IDEAS.outcome * 1e4), AS_OF, Settings(outcome_unit="percent", **LOOSE))


def test_log_returns_with_their_paths(tmp_path: Path) -> None:
    """By hand: a market that rises 10 % and then falls 5 %, bought and sold. Costs stay fractions."""
    from market_bars import write

    rise, fall = np.log(1.1), np.log(0.95)
    rows = pd.DataFrame(
        {
            "symbol": ["A", "B"], "time": "2018-02-05T14:00Z", "closed_at": "2018-02-07T14:00Z",
            "action": ["long", "short"], "outcome": [rise + fall, -rise - fall], "cost": 0.001,
            "rsi14": 50.0, "adx14": 20.0, "fastMASlowDelta": 0.0, "bbWidth": 0.1, "avgSent": 0.0, "avgOB": 0.0,
            "path": [f'[["2018-02-06", {sign * rise}], ["2018-02-07", {sign * fall}]]' for sign in (1, -1)],
        }
    )  # fmt: skip
    data = load(f"ideas:{write(tmp_path, 'i.csv', rows)}", utc("2018-02-08T02:00"), Settings(outcome_unit="log"))
    assert data.ideas.outcome == pytest.approx([0.045, -0.045])
    assert data.ideas.path_return == pytest.approx([0.1, -0.055, -0.1, 0.055])
    assert data.ideas.costs[:, 0].tolist() == [0.001, 0.001]


def test_the_run_key_has_it_once_it_is_set() -> None:
    def run_key(**settings: object) -> str:
        return Run(AS_OF, Settings(**settings)).key

    assert run_key() == run_key(idea_bars="x")
    keys = {run_key(), run_key(outcome_unit="percent"), run_key(outcome_unit="bp"), run_key(idea_features="x")}
    assert len(keys) == 4
