"""Live performance of the primary: the golden ten days, and what too few of them must not say."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pytest

from gatekeeper.documents import serialization
from gatekeeper.documents.check import LiveGain
from gatekeeper.judgement import Contender, rules_of
from gatekeeper.judgement.live.live import Live, measure
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
    gain = live.gain(0.5, 0.3)
    assert gain.realised == pytest.approx(row["delta"] * 252**0.5, abs=1e-9)
    assert gain.realised_error == pytest.approx(row["se_hac"] * 252**0.5, abs=1e-9)
    assert gain.surprise == pytest.approx((gain.realised - 0.5) / np.hypot(0.3, gain.realised_error))


def test_a_surprise_counts_in_standard_errors() -> None:
    """3-4-5: both errors together make 0.5, and 0.6 less than predicted is 1.2 of them."""
    assert LiveGain.of(0.8, 0.3, 0.2, 0.4).surprise == pytest.approx(-1.2)
    assert LiveGain.of(None, None, 0.2, 0.4).surprise is None
    assert LiveGain.of(0.8, 0.3).surprise is None
    assert LiveGain.of(0.8, 0.0, 0.2, 0.0).surprise is None


def test_too_few_ideas_have_no_sharpe_and_no_gain(ten_days: Dataset, contender: Make) -> None:
    """Returns are facts, and are there; 21 are asked for, 20 came since the promotion."""
    live = measured(ten_days, settings(floor_trades=21), SINCE, *pair(contender))
    assert not live.enough
    assert live.before is not None
    assert [card.sharpe for card in (live.primary, live.before, live.ungated)] == [None, None, None]
    assert serialization.as_object(live.gain(0.5, 0.3)) == {
        "predicted": 0.5, "predicted_error": 0.3, "realised": None, "realised_error": None, "surprise": None,
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
    assert (live.before, live.gain(None, None).realised) == (None, None)
    assert live.primary.sharpe is not None


def test_a_promotion_of_this_minute_has_no_days(ten_days: Dataset, contender: Make) -> None:
    live = measured(ten_days, settings(), ten_days.as_of, *pair(contender))
    assert (len(live.ideas), len(live.daily), live.enough) == (0, 0, False)
