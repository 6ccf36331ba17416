"""Holdouts that can never be judged, refused before the work."""

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from gatekeeper.config import load
from gatekeeper.errors import ConfigError, TrainingRefused
from gatekeeper.market.ideas import Dataset, Ideas
from gatekeeper.rehearsal.feasibility import refuse_hopeless

AS_OF = datetime(2018, 1, 8, 2, tzinfo=UTC)
AS_OFS = (AS_OF - timedelta(weeks=1), AS_OF)


def dataset(every: int = 1, start: str = "2014-01-01") -> Dataset:
    """An idea at noon of every n-th workday, known a day later."""
    days = np.arange(np.datetime64(start), np.datetime64("2018-01-08"))
    days = days[np.is_busday(days)]
    noon = days[::every].astype("datetime64[ns]") + np.timedelta64(12, "h")
    count = len(noon)
    ideas = Ideas(
        symbol=np.full(count, "SPX"),
        strategy=np.full(count, ""),
        time=noon,
        features=np.zeros((count, 7), dtype=np.float32),
        outcome=np.zeros(count),
        closed_at=noon + np.timedelta64(1, "D"),
        known_at=noon + np.timedelta64(1, "D"),
        path_start=np.arange(count + 1),
        path_day=days[::every],
        path_return=np.zeros(count),
        atr=None,
    )
    return Dataset(ideas, days, 252, AS_OF, AS_OF, True, "by hand", ())


def refused(data: Dataset, **settings: object) -> None:
    refuse_hopeless(AS_OFS, data, load({"data": "demo:", **settings}))


def test_what_can_be_judged_passes() -> None:
    refused(dataset())
    refused(dataset(every=3), holdout_days=300)


def test_a_window_too_short_says_how_long_it_must_be() -> None:
    """From 10 December (a Sunday) to 7 January there are 20 workdays; 60 begin on 16 October, 84 days and 21 ago."""
    with pytest.raises(ConfigError) as refusal:
        refused(dataset(), holdout_days=50)
    assert np.busday_count("2017-12-10", "2018-01-08") == 20
    assert np.busday_count("2017-10-16", "2018-01-08") == 60
    assert np.busday_count("2017-10-17", "2018-01-08") == 59
    assert "at most 20 market days, below the floor of 60 (GATEKEEPER_FLOOR_DAYS)" in str(refusal.value)
    assert (AS_OF.date() - datetime(2017, 10, 16, tzinfo=UTC).date()).days == 84
    assert "Choose --holdout 105 or longer, or lower the floor." in str(refusal.value)
    refused(dataset(), holdout_days=105)
    with pytest.raises(ConfigError):
        refused(dataset(), holdout_days=104)


def test_the_demo_holdout_is_no_shorter_than_it_must_be() -> None:
    """The week before has a day less for every holiday of its own: the best Monday counts, not the last."""
    with pytest.raises(ConfigError, match="at most 20 market days"):
        refuse_hopeless(AS_OFS[:1], dataset(), load({"data": "demo:", "holdout_days": 50}))


def test_too_few_ideas_for_the_floor_of_trades() -> None:
    """An idea every 28 days: at most 12 in a year less the 42 days of embargo and longest hold; 30 span 812 days."""
    with pytest.raises(ConfigError) as refusal:
        refused(dataset(every=20, start="2000-01-03"))
    assert "at most 12 ideas, below the floor of 30 trades (GATEKEEPER_FLOOR_TRADES)" in str(refusal.value)
    holdout = int(str(refusal.value).split("--holdout ")[1].split()[0])
    assert 29 * 28 <= holdout - 42 < 30 * 28
    refused(dataset(every=20, start="2000-01-03"), holdout_days=holdout)
    with pytest.raises(ConfigError):
        refused(dataset(every=20, start="2000-01-03"), holdout_days=holdout - 1)


def test_data_too_short_for_any_holdout() -> None:
    with pytest.raises(ConfigError, match="No holdout is long enough on these data"):
        refused(dataset(every=20), holdout_days=200, min_ideas=2, floor_trades=100)


def test_too_few_ideas_to_train_on() -> None:
    """Those up to 22 days before the holdout: 1 January 2014 to 27 January 2017 is 803 workdays, every fifth is 161."""
    with pytest.raises(TrainingRefused) as refusal:
        refused(dataset(every=5), holdout_days=324, min_ideas=200)
    cut = AS_OF - timedelta(days=324 + 21)
    days = np.arange(np.datetime64("2014-01-01"), np.datetime64(cut.date()))
    right = len(days[np.is_busday(days)][::5])
    assert f"no Monday to 2018-01-08 has more than {right} ideas to train on; training needs at least 200" in str(
        refusal.value
    )


def test_all_floors_but_never_together() -> None:
    """Enough to train on only on the last Monday, if the first one's window alone were long enough."""
    data = dataset(start="2017-01-02")
    far = (datetime(2017, 3, 6, 2, tzinfo=UTC), AS_OF)
    settings = load({"data": "demo:", "holdout_days": 40, "embargo_days": 0, "floor_days": 27, "min_ideas": 100})
    refuse_hopeless(far, data, settings.model_copy(update={"floor_trades": 5}))
    with pytest.raises(ConfigError, match=r"at once\. Choose another --holdout or more Mondays"):
        refuse_hopeless(far, thinned(data), settings.model_copy(update={"floor_trades": 10}))


def thinned(data: Dataset) -> Dataset:
    """Without ideas from autumn on."""
    early = data.ideas.time < np.datetime64("2017-10-01")
    return Dataset(data.ideas.take(early), data.market_days, 252, AS_OF, AS_OF, True, "by hand", ())
