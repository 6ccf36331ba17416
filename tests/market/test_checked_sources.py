"""Data checks where sources are read: what is refused before a replay, what is only told, and listed splits."""

from datetime import timedelta
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from market_bars import random_bars, utc, write

from gatekeeper.errors import DataError
from gatekeeper.market.data.bars.candles import PRICES
from gatekeeper.market.ideas import Dataset, instant
from gatekeeper.market.sources import load, opened
from gatekeeper.settings import Settings

BARS = random_bars(1000, seed=5)
AS_OF = utc("2019-11-02")
DAY = 700
DATE = BARS["time"][DAY][:10]
KEY = f"split:X:{DATE}"


def loaded(folder: Path, bars: pd.DataFrame, as_of: object = AS_OF, **options: object) -> Dataset:
    return load(f"candles:{write(folder, 'X.csv', bars)}", as_of, Settings(**options))


def split_bars(ratio: float) -> pd.DataFrame:
    late = np.where(np.arange(len(BARS)) < DAY, 1.0, 1 / ratio)
    return BARS.assign(**{name: BARS[name] * late for name in PRICES})


def listed(folder: Path, ratio: str, more: str = "") -> str:
    (folder / "splits.txt").write_text(f"X,{DATE},{ratio}\n{more}")
    return str(folder / "splits.txt")


def test_a_split_in_the_middle_is_refused(tmp_path: Path) -> None:
    """Case 78. Who accepts it gets trades of 75 %, which no idea of the same bars unsplit makes."""
    split = split_bars(4)
    with pytest.raises(DataError, match=rf"^candles:.*X\.csv is refused\. X opens on {DATE} .*accept = .*{KEY}"):
        loaded(tmp_path, split)
    honest, wrong = loaded(tmp_path, BARS), loaded(tmp_path, split, accept=(KEY,))
    assert np.abs(honest.ideas.outcome).max() < 0.2 < 0.7 < np.abs(wrong.ideas.outcome).max()
    (finding,) = wrong.findings
    assert finding.accepted
    assert wrong.notes[-1] == str(finding)


def test_a_listed_split_leaves_nothing_of_it(tmp_path: Path) -> None:
    """Case 78: every idea, outcome and path is that of the bars without the split; 4 is exact in binary, 3 is not."""
    honest = loaded(tmp_path, BARS)
    data = loaded(tmp_path, split_bars(4), splits=listed(tmp_path, "4"))
    assert data.ideas.fingerprint() == honest.ideas.fingerprint()
    assert f"splits of GATEKEEPER_SPLITS applied: X,{DATE},4" in data.notes
    assert data.findings == ()
    data = loaded(tmp_path, split_bars(3), splits=listed(tmp_path, "3:1"))
    np.testing.assert_allclose(data.ideas.outcome, honest.ideas.outcome, atol=1e-12)
    np.testing.assert_allclose(data.ideas.path_return, honest.ideas.path_return, atol=1e-12)


def test_a_split_listed_for_adjusted_prices_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=rf"the prices were adjusted for already\. Remove `X,{DATE},2`"):
        loaded(tmp_path, BARS, splits=listed(tmp_path, "2"))


def test_a_split_after_the_as_of_changes_nothing(tmp_path: Path) -> None:
    """No look-ahead: neither what an earlier as-of sees, nor, once it is there, what is said of the time before."""
    before = utc(DATE) - timedelta(days=3)
    early = loaded(tmp_path, BARS, before)
    assert loaded(tmp_path, split_bars(3), before, splits=listed(tmp_path, "3")).fingerprint() == early.fingerprint()
    late = loaded(tmp_path, split_bars(3), splits=listed(tmp_path, "3"))
    known_then = late.ideas.take(late.ideas.known_at <= instant(before))
    assert known_then.fingerprint() == early.ideas.fingerprint()
    assert len(known_then) > 100


def test_bars_without_trades_give_no_ideas(tmp_path: Path) -> None:
    """Case 79: 121 flat bars with volume 0. Of the same bars with volume 0 and their range, ideas are kept."""
    rng = np.random.default_rng(6)
    bars = BARS.assign(volume=rng.integers(1000, 2000, len(BARS)).astype(float))
    still = bars.index[500:621]
    bars.loc[still, "volume"] = 0
    flat = bars.copy()
    price = flat.loc[500, "close"]
    flat.loc[still, list(PRICES)] = price
    # The bars tick up and down by little, so that they aren't stale either.
    flat.loc[still[::2], list(PRICES)] = price * 1.001
    times = pd.to_datetime(BARS["time"]).dt.tz_localize(None).to_numpy() + np.timedelta64(1, "D")

    def ideas_there(data: Dataset) -> int:
        return int(np.isin(data.ideas.time, times[still]).sum())

    data = loaded(tmp_path, flat)
    assert ideas_there(data) == 0
    assert any("121 bars with volume 0 and one price, so not traded" in note for note in data.notes)
    assert ideas_there(loaded(tmp_path, flat.drop(columns="volume"))) > 50
    kept = loaded(tmp_path, bars)
    assert ideas_there(kept) == ideas_there(loaded(tmp_path, bars.drop(columns="volume"))) > 10
    assert any("a missing volume" in note for note in kept.notes)


def test_a_feed_that_stands_still_is_told_and_gives_no_ideas(tmp_path: Path) -> None:
    bars = BARS.copy()
    bars.loc[500:520, list(PRICES)] = bars.loc[500, list(PRICES)].to_numpy(dtype=float)
    data = loaded(tmp_path, bars)
    times = pd.to_datetime(bars["time"]).dt.tz_localize(None).to_numpy() + np.timedelta64(1, "D")
    assert not np.isin(data.ideas.time, times[509:521]).any()
    (finding,) = data.findings
    assert (finding.key, str(finding.severity)) == ("stale:X", "warning")
    assert "12 bars like each of the 9 before" in data.notes[-1]


def test_of_many_as_ofs_the_checks_are_run_where_they_are_asked_for(tmp_path: Path) -> None:
    """A rehearsal checks once, at its newest as-of; a week in which the split isn't known yet is as it was."""
    known = opened(f"candles:{write(tmp_path, 'X.csv', split_bars(2))}", Settings(freshness_days=400))
    with pytest.raises(DataError, match=KEY):
        known(AS_OF, checked=True)
    assert len(known(AS_OF).ideas) > 100
    assert known(utc(DATE), checked=True).findings == ()
    assert known(utc(DATE) + timedelta(hours=30)).findings == ()
