"""Sources read once for many as-ofs: the same datasets as reading anew, and nothing read twice."""

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pandas as pd
import pytest
from market_bars import random_bars, utc
from weekly_data import write_ideas

from gatekeeper.errors import DataError, GatekeeperError
from gatekeeper.market.sources import load, opened
from gatekeeper.settings import Settings

LAST = utc("2017-06-05T02:00")


def candles(folder: Path) -> str:
    """Two symbols: one out of order, with a bar twice and, late, a high that can't be; the other begins later."""
    first, second = random_bars(370, seed=1), random_bars(300, seed=2).iloc[40:]
    first.loc[365, "high"] = first.loc[365, "low"] / 2
    pd.concat([first, first.iloc[[250]]]).sample(frac=1, random_state=3).to_csv(folder / "A.csv", index=False)
    second.to_csv(folder / "B.csv", index=False)
    return f"candles:{folder}"


def ideas(folder: Path) -> str:
    write_ideas(folder / "ideas.csv", start="2016-01-04", end="2017-06-02", edge_from="2016-06-01", seed=4)
    return f"ideas:{folder / 'ideas.csv'}"


def said(known: Callable[[], object]) -> object:
    """The whole of it, or how it is refused."""
    try:
        dataset = known()
    except GatekeeperError as refusal:
        return type(refusal), str(refusal)
    return dataset.fingerprint(), dataset.notes, dataset.source, dataset.newest


@pytest.mark.parametrize("source", [candles, ideas])
def test_at_each_as_of_it_says_what_reading_anew_says(source: Callable[[Path], str], tmp_path: Path) -> None:
    """In any order, before the data, among them, beyond a fault, and when they are stale."""
    uri, settings = source(tmp_path), Settings()
    as_ofs = [LAST + timedelta(weeks=weeks) for weeks in (0, -30, -2, -70, -80, 1, 12, -10)]
    anew = [said(lambda as_of=as_of: load(uri, as_of, settings)) for as_of in as_ofs]
    known = opened(uri, settings)
    for file in tmp_path.iterdir():
        file.unlink()
    assert [said(lambda as_of=as_of: known(as_of)) for as_of in as_ofs] == anew
    assert len({each[0] for each in anew}) >= 5
    with pytest.raises(DataError):
        opened(uri, settings)
    # Whether it was asked before changes nothing either.
    assert said(lambda: known(as_ofs[0])) == anew[0]
