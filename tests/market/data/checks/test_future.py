"""Features that know the future: no false alarm in real data and random worlds, and which planted leaks are found."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime

import numpy as np
import pytest
from idea_worlds import world
from scipy.stats import spearmanr

from gatekeeper.errors import DataError
from gatekeeper.features import FEATURES
from gatekeeper.market import sources
from gatekeeper.market.data import demo
from gatekeeper.market.data.bars import tapes
from gatekeeper.market.data.bars.candles import Candles
from gatekeeper.market.data.checks import future, lags
from gatekeeper.market.data.checks.checked import Checked
from gatekeeper.market.findings import Finding
from gatekeeper.market.ideas import Ideas
from gatekeeper.market.replay.indicators import indicators
from gatekeeper.settings import Settings

RSI = FEATURES.index("rsi14")
DELTA = FEATURES.index("fastMASlowDelta")


def as_of(day: str) -> datetime:
    return datetime.fromisoformat(day).replace(hour=2, tzinfo=UTC)


@pytest.fixture(scope="module")
def tape() -> tapes.Tape:
    return tapes.tape(demo.demo_tables(), "open", "demo:")


@pytest.fixture(scope="module")
def real(tape: tapes.Tape) -> tuple[Ideas, tuple[Candles, ...]]:
    """The demo's ideas at its last Monday, and its bars."""
    day = as_of("2018-12-31")
    return sources.load("demo:", day, Settings()).ideas, tape.book(day).candles


def planted(ideas: Ideas, column: int, values: np.ndarray, rows: np.ndarray | slice = slice(None)) -> Ideas:
    features = ideas.features.copy()
    features[rows, column] = np.asarray(values, dtype=np.float32)[rows]
    return replace(ideas, features=features)


def sign(found: list[Finding]) -> str:
    return next(iter(found[0].numbers)) if found else ""


@pytest.mark.parametrize("day", ["2010-01-04", "2013-01-07", "2016-01-04", "2018-12-31"])
def test_no_false_alarm_on_real_bars(tape: tapes.Tape, day: str) -> None:
    ideas = sources.load("demo:", as_of(day), Settings()).ideas
    assert len(ideas) >= future.FEWEST
    assert future.knowing(ideas, tape.book(as_of(day)).candles) == []


def seeds(count: int) -> object:
    return pytest.param(
        count, id=f"{count} worlds", marks=[pytest.mark.stress, pytest.mark.timeout(3600)] if count > 100 else []
    )


@pytest.mark.parametrize("count", [seeds(12), seeds(1000)])
def test_false_alarms_in_random_worlds(count: int, figures: Callable[[str], None]) -> None:
    """One feature is exactly the distance of stop and target, on which most outcomes lie; that is honest."""
    alarms = []
    for seed in range(count):
        ideas, bars = world(seed, (300, 400, 700, 1200)[seed % 4])
        alarms += [(seed, found.key) for found in future.knowing(ideas, [bars])]
    figures(f"features that know the future: {len(alarms)} false alarms in {count} random worlds {alarms[:5]}")
    assert len(alarms) <= count // 200


def test_rsi_shifted_by_one_bar_is_found_by_the_next_bar_alone(real: tuple[Ideas, tuple[Candles, ...]]) -> None:
    """Its correlation with outcomes is next to nothing, so that no test of outcomes can find it."""
    ideas, bars = real
    shifted = np.empty(len(ideas))
    for each in bars:
        rows = ideas.symbol == each.symbol
        rsi = indicators(each.high, each.low, each.close).rsi14
        own = np.searchsorted(each.closes_at, ideas.time[rows], side="right") - 1
        shifted[rows] = rsi[np.minimum(own + 1, len(rsi) - 1)]
    assert -0.05 < spearmanr(shifted, ideas.outcome).statistic < 0.0
    leak = planted(ideas, RSI, shifted)
    assert future.knowing(leak) == []
    (found,) = future.knowing(leak, bars)
    assert (found.severity, found.key, sign([found])) == ("refused", "knows:rsi14", "next")
    assert found.numbers["bars"] == 1
    assert "over the next bar is 0.36 over 28" in found.message
    assert "over the limit of 0.22. Compute it from bars" in found.message


LEAKS = {
    "copy": (lambda outcome, _: outcome, 1.0),
    "copy in a tenth": (lambda outcome, _: outcome, 0.1),
    "copy in a fiftieth": (lambda outcome, _: outcome, 0.02),
    "rounded copy in a tenth": (lambda outcome, _: outcome.round(4), 0.1),
    "minus twice, in a twentieth": (lambda outcome, _: 3 - 2 * outcome, 0.05),
    "sign of the outcome": (lambda outcome, noise: np.sign(outcome) + noise / 100, 1.0),
    "sign in a tenth": (lambda outcome, noise: 9 + np.sign(outcome) + noise / 100, 0.1),
    "noisy copy": (lambda outcome, noise: outcome + outcome.std() * noise, 1.0),
    "noisy copy in a fifth": (lambda outcome, noise: outcome + outcome.std() * noise, 0.2),
}
"""By name: the values from outcome and noise, and the share of rows that hold them."""
MISSED = {"noisy copy in a fifth"}


def test_planted_leaks_and_which_are_missed(
    real: tuple[Ideas, tuple[Candles, ...]], figures: Callable[[str], None]
) -> None:
    """Each leak three times: in real ideas, into other rows each time. What can't be found is named in the docs."""
    ideas, _ = real
    misses = {}
    for name, (leak, share) in LEAKS.items():
        found = []
        for seed in range(3):
            rng = np.random.default_rng(seed)
            part = ideas.take(slice(seed * 300, seed * 300 + 1200))
            rows, noise = rng.random(len(part)) < share, rng.normal(size=len(part))
            found.append(sign(future.knowing(planted(part, DELTA, leak(part.outcome, noise), rows))))
        misses[name] = found.count("")
    figures(f"features that know the future: misses of 3: {misses}")
    assert {name for name, count in misses.items() if count} <= MISSED | {"copy in a fiftieth"}
    assert misses["copy in a fiftieth"] <= 2


def test_a_line_names_its_rows(real: tuple[Ideas, tuple[Candles, ...]]) -> None:
    ideas, _ = real
    rows = np.random.default_rng(3).random(len(ideas)) < 0.05
    (found,) = future.knowing(planted(ideas, DELTA, 2 * ideas.outcome, rows))
    assert found.key == "knows:fastMASlowDelta"
    assert found.numbers["line"] == rows.sum()
    assert found.numbers["limit"] == pytest.approx(len(ideas) / 100)
    first = np.flatnonzero(rows)[0]
    assert "on one line with the outcome (0.5 * fastMASlowDelta" in found.message
    assert f"({ideas.symbol[first]} {str(ideas.time[first])[:16]} fastMASlowDelta " in found.message
    assert found.message.count(" outcome ") == 1 + future.SHOWN


def test_what_makes_a_run() -> None:
    """By hand: 30 wins in a row at 30 times of 60 ideas, half of which won: 60 * .5 * .5^30 = 2.8e-8."""
    values, block = np.arange(60.0), np.arange(60)
    outcome = np.where(np.arange(60) < 30, 0.01, -0.01)
    found = future.pure(values, outcome, block)
    assert found is not None
    assert (found.blocks, found.chance) == (30, pytest.approx(60 * 0.5**31))
    assert future.pure(values, outcome, block // 30) is None, "two times are no evidence"
    assert future.pure(values // 60, outcome, block) is None, "equal values have no order"
    assert future.pure(values, np.abs(outcome), block) is None, "all of them won"


def test_correlations_are_scipys(real: tuple[Ideas, tuple[Candles, ...]]) -> None:
    ideas, _ = real
    values = ideas.features[:, RSI].astype(np.float64)
    assert lags.spearman(values, ideas.outcome) == pytest.approx(spearmanr(values, ideas.outcome).statistic, abs=1e-12)
    assert lags.spearman(np.ones(5), np.arange(5.0)) == 0.0


def test_limits_by_hand() -> None:
    """At 400 ideas: .25 + 4.5 / 20 = .475 and .12 + 5.5 / 20 = .395."""
    x = np.arange(400.0)
    seen = set()
    for weight in np.linspace(0.2, 1.0, 60):
        y = weight * x + np.random.default_rng(0).permutation(x)
        rho = spearmanr(x, y).statistic
        assert (future.rank(x, y) is not None) == (future.rank(-x, y) is not None) == (rho > 0.475)
        assert (future.ahead_of_market(x, y) is not None) == (rho > 0.395)
        seen.add((bool(rho > 0.475), bool(rho > 0.395)))
    assert len(seen) == 3
    assert future.ahead_of_market(x, np.where(x < 300, x, np.nan)) == pytest.approx(1.0)
    assert future.ahead_of_market(x, np.where(x < 299, x, np.nan)) is None


def test_few_ideas_say_nothing(real: tuple[Ideas, tuple[Candles, ...]]) -> None:
    ideas = real[0].take(slice(0, 300))
    assert sign(future.knowing(planted(ideas, RSI, ideas.outcome))) == "line"
    fewer = ideas.take(slice(0, 299))
    assert future.knowing(planted(fewer, RSI, fewer.outcome)) == []


def test_an_honest_features_correlations_break_off_at_lag_0(real: tuple[Ideas, tuple[Candles, ...]]) -> None:
    found = lags.lagged(*real)["rsi14"]
    by_lag = dict(zip(found.lags, found.correlations, strict=True))
    assert min(by_lag[lag] for lag in range(-5, 1)) > 0.15
    assert max(abs(by_lag[lag]) for lag in range(1, 6)) < 0.1
    assert lags.lagged(*real)["avgSent"].correlations == (None,) * 11
    assert len(real[0]) - 15 <= min(found.ideas) <= max(found.ideas) == len(real[0])


def test_bars_with_a_leak_are_refused_and_accepted(tmp_path, tape: tapes.Tape) -> None:
    """A user's own sentiment column of the next bar's RSI, in bars."""
    import pandas as pd

    parts = []
    for table in demo.demo_tables():
        frame = table.frame.assign(symbol=table.stem, avgOB=0.0)
        rsi = indicators(*(frame[name].to_numpy() for name in ("high", "low", "close"))).rsi14
        parts.append(frame.assign(avgSent=np.append(np.nan_to_num(rsi[1:]), 0.0)))
    pd.concat(parts).to_parquet(tmp_path / "bars.parquet", index=False)
    uri = f"candles:{tmp_path}/bars.parquet"
    with pytest.raises(DataError, match=r"avgSent knows the future: .*next bar is 0\.36.*accept = .\"knows:avgSent\""):
        sources.load(uri, as_of("2018-12-31"), Settings())
    kept = sources.load(uri, as_of("2018-12-31"), Settings(accept=("knows:avgSent",)))
    assert any("accepted: knows:avgSent" in note for note in kept.notes)


def test_ideas_found_in_a_steep_trend_dont_know_the_future() -> None:
    """What is computed here from closed bars can't: in a trend `action` tells of outcomes all the same."""
    ideas, bars = world(0, 700)
    up = ideas.features.copy()
    up[:, FEATURES.index("action")] = ideas.outcome > 0
    steep = replace(ideas, features=up)
    assert [found.key for found in future.knowing(steep, [bars])] == ["knows:action"]
    assert list(future.check_found(Checked((bars,), steep, as_of("2019-01-01"), Settings()))) == []
