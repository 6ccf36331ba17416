"""Track record statistics: against golden values, and against scipy's moments and normal."""

import math
from typing import Any

import numpy as np
import pytest
from arch.data import sp500
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from gatekeeper.errors import DataError
from gatekeeper.judgement.statistics.sharpe import annual_factor, sharpe_ratio
from gatekeeper.judgement.statistics.track_record import (
    Moments,
    deflated_sharpe,
    expected_maximum,
    minimum_track_record,
    probabilistic_sharpe,
)


def normal(sharpe: float, periods: int) -> Moments:
    return Moments(sharpe, 0.0, 3.0, periods)


def test_the_moments_are_the_golden_ones_and_scipys(golden: dict[str, Any]) -> None:
    row = golden["sharpe"]["G1"]
    record = Moments.of(row["returns"])
    assert record is not None
    assert record.sharpe == pytest.approx(row["per_period_ddof1"], abs=1e-9)
    assert record.skewness == pytest.approx(row["skew_population"], abs=1e-9)
    assert record.kurtosis == pytest.approx(row["kurtosis_population"], abs=1e-9)
    returns = sp500.load()["Adj Close"].pct_change().dropna().to_numpy()
    long = Moments.of(returns)
    assert long is not None
    assert long.skewness == pytest.approx(stats.skew(returns), rel=1e-9)
    assert long.kurtosis == pytest.approx(stats.kurtosis(returns, fisher=False), rel=1e-9)


def test_the_probability_of_skill_is_the_golden_one(golden: dict[str, Any]) -> None:
    row = golden["sharpe"]["G1"]
    record = Moments.of(row["returns"])
    assert record is not None
    assert probabilistic_sharpe(record) == pytest.approx(row["psr_vs_0"], abs=1e-9)
    assert probabilistic_sharpe(record, record.sharpe) == pytest.approx(0.5, abs=1e-12)


@pytest.mark.parametrize("returns", [[], [0.01], [0.001] * 250, [0.0] * 10, [0.01, math.inf, 0.0]])
def test_undefined_stays_undefined(returns: list[float]) -> None:
    """Case 29: no deflated Sharpe of 1 for constant returns."""
    assert Moments.of(returns) is None


def test_the_deflated_sharpe_is_the_golden_one(golden: dict[str, Any]) -> None:
    row = golden["deflated_sharpe"]["DSR example"]
    a_year = math.sqrt(row["periods_per_year"])
    record = Moments(row["annual_sr"] / a_year, row["skew"], row["kurtosis"], row["T"])
    variance = row["variance_of_annual_sr_across_trials"] / row["periods_per_year"]
    best = expected_maximum(row["trials"]) * math.sqrt(variance)
    assert best == pytest.approx(row["expected_max_sr_per_period"], abs=1e-9)
    assert deflated_sharpe(record, row["trials"], variance) == pytest.approx(row["dsr"], abs=1e-9)


def test_one_try_needs_no_deflation(golden: dict[str, Any]) -> None:
    for trials, expected in golden["deflated_sharpe"]["expected_max_over_sd"].items():
        assert expected_maximum(int(trials)) == pytest.approx(expected, abs=1e-9)
    assert deflated_sharpe(normal(0.1, 500), 1, 0.5) == probabilistic_sharpe(normal(0.1, 500))


@pytest.mark.parametrize(("name", "periods"), [("daily 250", 250), ("weekly 52", 52), ("monthly 12", 12)])
def test_the_shortest_record_is_the_golden_one(golden: dict[str, Any], name: str, periods: int) -> None:
    years = golden["deflated_sharpe"]["min_track_record_length_years_95pct_SR2_vs_SR1"][name]
    needed = minimum_track_record(normal(2 / math.sqrt(periods), 1000), 1 / math.sqrt(periods))
    assert needed is not None
    assert needed / periods == pytest.approx(years, abs=1e-9)


@given(st.floats(0.01, 0.3), st.floats(-2, 2), st.floats(3, 20), st.floats(0.6, 0.999))
def test_a_record_of_that_length_shows_it_with_that_confidence(
    sharpe: float, skewness: float, kurtosis: float, confidence: float
) -> None:
    record = Moments(sharpe, skewness, kurtosis, 100)
    needed = minimum_track_record(record, 0.0, confidence)
    assert needed is not None
    assert stats.norm.ppf(confidence) == pytest.approx(
        sharpe * math.sqrt(needed - 1) / math.sqrt(1 - skewness * sharpe + (kurtosis - 1) / 4 * sharpe**2), abs=1e-7
    )


def test_no_length_shows_what_is_not_there() -> None:
    assert minimum_track_record(normal(0.1, 500), 0.1) is None
    assert minimum_track_record(normal(-0.1, 500)) is None


@pytest.mark.parametrize(
    "call",
    [
        lambda: expected_maximum(0),
        lambda: deflated_sharpe(normal(0.1, 500), 10, -1.0),
        lambda: deflated_sharpe(normal(0.1, 500), 10, math.nan),
        lambda: minimum_track_record(normal(0.1, 500), confidence=1.0),
    ],
)
def test_what_can_not_be_is_refused(call: Any) -> None:
    with pytest.raises(DataError, match=r"0|-1|nan"):
        call()


@pytest.mark.parametrize(
    ("name", "rho", "periods"),
    [
        ("AR1 rho 0.2, q 12", 0.2, 12),
        ("rho -0.2, q 12", -0.2, 12),
        ("rho 0, q 12", 0.0, 12),
        ("rho 0.9, q 12", 0.9, 12),
        ("rho 0.1, q 252", 0.1, 252),
    ],
)
def test_the_annual_factor_is_the_golden_one(golden: dict[str, Any], name: str, rho: float, periods: int) -> None:
    right = golden["sharpe"]["autocorrelation_eta_Lo2002"][name]
    assert annual_factor(rho, periods) == pytest.approx(right, abs=1e-9)


@given(st.floats(-0.95, 0.95), st.integers(2, 400))
def test_the_annual_factor_is_the_sum_of_the_paper(rho: float, periods: int) -> None:
    inflation = periods + 2 * sum((periods - lag) * rho**lag for lag in range(1, periods))
    assert annual_factor(rho, periods) == pytest.approx(periods / math.sqrt(inflation), rel=1e-9)


def test_trending_returns_make_a_smaller_annual_sharpe() -> None:
    """Case: a smooth curve looks better than it is; with rho 0.5 the factor is that of Lo's closed form."""
    rng = np.random.default_rng(3)
    noise = rng.normal(0.0005, 0.01, 40_000)
    smooth = noise.copy()
    for day in range(1, len(smooth)):
        smooth[day] = 0.5 * smooth[day - 1] + noise[day]
    plain, minded = sharpe_ratio(smooth), sharpe_ratio(smooth, autocorrelated=True)
    assert plain is not None and minded is not None
    assert minded / plain == pytest.approx(math.sqrt((1 - 0.5) / (1 + 0.5)), rel=0.02)
    assert annual_factor(1.0, 252) is None
