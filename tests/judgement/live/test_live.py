"""Live performance of the primary: the golden ten days, and what too few of them must not say."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pytest
from msgspec import structs

from gatekeeper.documents import serialization
from gatekeeper.documents.check import LiveGain
from gatekeeper.documents.evaluation import Gate, Rules, Verdict
from gatekeeper.judgement import Contender, rules_of
from gatekeeper.judgement.live.live import Live, measure, promised
from gatekeeper.market.ideas import Dataset, Ideas
from gatekeeper.settings import Settings

SINCE = datetime(2018, 10, 22, tzinfo=UTC)  # ten weekdays before the as-of of the fixtures
FRACTION = 0.05
Make = Callable[..., Any]


@pytest.fixture
def ten_days(golden: dict[str, Any], ideas: Make, dataset: Make) -> Dataset:
    """Idea 2d makes what golden model a makes on day d, idea 2d + 1 what b makes; all are old enough but the last."""
    row = golden["sharpe_difference"]["ten_days"] | golden["sharpe_difference_unit_free"]["ten_days"]
    days = np.arange("2018-10-22", "2018-11-05", dtype="datetime64[D]")
    weekdays = [str(day) for day in days[np.is_busday(days)]]
    rows = [
        ("2018-10-22T01:00", {day: value / FRACTION})
        for day, one, other in zip(weekdays, row["a"], row["b"], strict=True)
        for value in (one, other)
    ]
    made: Ideas = ideas([("2018-10-01T01:00", {weekdays[0]: 9.0}), *rows])  # one from before the promotion
    return dataset(made)


def settings(**changes: object) -> Settings:
    return Settings(**{"longest_hold_days": 1, "floor_trades": 20, "fraction": FRACTION, **changes})


def rules(**changes: object) -> Rules:
    return rules_of(settings(**changes), periods_per_year=252, marked=True)


def measured(known: Dataset, chosen: Settings, since: datetime, *models: Contender | None) -> Live:
    """By the rules of these settings."""
    rules = rules_of(chosen, periods_per_year=known.periods_per_year, marked=known.marked)
    return measure(known, rules, since, *models)


def pair(contender: Make) -> tuple[Contender, Contender]:
    return contender("gatekeeper_primary2", range(1, 21, 2)), contender("gatekeeper_1", range(2, 21, 2))


def test_the_realised_gain_is_the_golden_one(golden: dict[str, Any], ten_days: Dataset, contender: Make) -> None:
    row = golden["sharpe_difference"]["ten_days"] | golden["sharpe_difference_unit_free"]["ten_days"]
    live = measured(ten_days, settings(), SINCE, *pair(contender))
    assert live.primary.daily.tolist() == pytest.approx(row["a"], abs=1e-15)
    assert live.before is not None
    assert live.before.daily.tolist() == pytest.approx(row["b"], abs=1e-15)
    assert live.ungated.daily.tolist() == pytest.approx(np.add(row["a"], row["b"]).tolist(), abs=1e-15)
    assert (live.primary.kept_trades, live.ungated.kept_trades) == (10, 20)
    promise = LiveGain(0.2, 0.25, measured=0.5, measured_error=0.3)
    gain = live.gain(promise)
    assert gain.realised == pytest.approx(row["delta"] * 252**0.5, abs=1e-9)
    assert gain.realised_error == pytest.approx(row["se_hac"] * 252**0.5, abs=1e-9)
    assert gain.surprise == pytest.approx((gain.realised - 0.5) / np.hypot(0.3, gain.realised_error))
    assert (gain.predicted, gain.predicted_error, gain.measured) == (0.2, 0.25, 0.5)
    assert live.gain(LiveGain()).surprise is None
    assert live.gain(LiveGain(measured=0.5, measured_error=0.0)).surprise is None


def verdict(answer: str, **numbers: float) -> Verdict:
    gates = (Gate("better", True, {}, ""),)
    return Verdict(answer, "weekly", "safe", gates, "all", "", **numbers)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("name", "answer", "margin", "least"),
    [
        ("safe", "promote", 0.0, 1.0 - 0.2 - 0.5),  # 0.8 over its bound, which may lie 0.5 under 0
        ("proven", "promote", 0.0, 1.0 - 0.2),
        ("safe", "promote", 0.4, 0.4),
        ("better", "promote", 0.1, 0.1),
        ("safe", "keep", 0.0, None),
    ],
)
def test_the_least_gain_that_would_have_passed(name: Any, answer: str, margin: float, least: float | None) -> None:
    policy = structs.replace(rules().policy, name=name, margin=margin, safe_tolerance=0.5)
    found = promised(verdict(answer, gain=1.0, standard_error=0.4, bound=0.2), policy)
    assert found.least == (None if least is None else pytest.approx(least))
    assert (found.measured, found.measured_error) == (1.0, 0.4)
    prior = (policy.gain_of_interest / 1.6448536) ** 2
    assert found.predicted == pytest.approx(prior / (prior + 0.16))


def test_a_gain_in_other_units_promises_nothing() -> None:
    """Where the capital of two was compared, not their Sharpe, there is no gate `better`."""
    saved = structs.replace(verdict("promote", gain=1.0, standard_error=0.4, bound=0.2), gates=())
    assert promised(saved, rules().policy) == LiveGain()
    assert promised(verdict("undecided"), rules().policy) == LiveGain()


def test_the_realised_gain_is_over_the_rate_like_the_promised_one(
    ten_days: Dataset, ideas: Make, dataset: Make, contender: Make
) -> None:
    """Case 94: the primary's position stays open for nine nights, and the rate of these is off both its Sharpes."""
    rest = [(f"2018-10-22T{hour:02d}:00", {"2018-10-22": 0.01 / hour}) for hour in range(2, 21)]
    path = {str(day): value for day, value in zip(ten_days.market_days[-10:], np.linspace(-0.1, 0.2, 10), strict=True)}
    known = dataset(ideas([("2018-10-01T01:00", {"2018-10-22": 9.0}), ("2018-10-22T01:00", path), *rest]))
    live = measured(known, settings(risk_free=0.05), SINCE, contender("p2", [1, 2, 3]), contender("p1", [2, 3, 4, 5]))
    assert live.before is not None
    assert (live.primary.exposed.tolist(), live.before.exposed.any()) == ([0.0, *[FRACTION] * 9], False)
    rate = (1.05 ** (1 / 252) - 1) * live.primary.exposed
    sharpes = [days.mean() / days.std(ddof=1) * 252**0.5 for days in (live.primary.daily - rate, live.before.daily)]
    assert [live.primary.sharpe, live.before.sharpe] == pytest.approx(sharpes, abs=1e-9)
    assert live.gain(LiveGain()).realised == pytest.approx(sharpes[0] - sharpes[1], abs=1e-9)


def test_too_few_ideas_have_no_sharpe_and_no_gain(ten_days: Dataset, contender: Make) -> None:
    """Returns are facts, and are there; 21 are asked for, 20 came since the promotion."""
    live = measured(ten_days, settings(floor_trades=21), SINCE, *pair(contender))
    assert not live.enough
    assert live.before is not None
    assert [card.sharpe for card in (live.primary, live.before, live.ungated)] == [None, None, None]
    assert serialization.as_object(live.gain(LiveGain(0.5, 0.3, least=0.1))) == {
        "predicted": 0.5, "predicted_error": 0.3, "realised": None, "realised_error": None, "surprise": None,
        "measured": None, "measured_error": None, "least": 0.1,
    }  # fmt: skip
    assert live.primary.total_return != 0


def test_the_newest_ideas_count_for_the_drawdown_alone(ten_days: Dataset, contender: Make) -> None:
    """Case 52: which of them are known by now depends on how they went, so no Sharpe comes of them."""
    live = measured(ten_days, settings(longest_hold_days=21), SINCE, *pair(contender))
    assert (len(live.ideas), live.primary.ideas) == (20, 0)
    assert live.primary.daily.tolist() == [0.0] * 10
    assert live.daily.any()


def test_a_first_primary_has_nothing_before_it(ten_days: Dataset, contender: Make) -> None:
    live = measured(ten_days, settings(), SINCE, pair(contender)[0], None)
    assert (live.before, live.gain(LiveGain()).realised) == (None, None)
    assert live.primary.sharpe is not None


def test_a_promotion_of_this_minute_has_no_days(ten_days: Dataset, contender: Make) -> None:
    live = measured(ten_days, settings(), ten_days.as_of, *pair(contender))
    assert (len(live.ideas), len(live.daily), live.enough) == (0, 0, False)
