"""Weeks without a verdict on five US shares, daily bars of 2000 to 2013, with the recipe `logistic`.

The bars are bokeh's sample data, of which nothing is kept here: `pip download --no-deps bokeh_sampledata==2025.0`, and
unzip the wheel: AAPL.csv, FB.csv, GOOG.csv, IBM.csv and MSFT.csv are in `bokeh_sampledata/_data`. Prices are raw
there; SPLITS are taken out here, as a split would be the largest of all trades. `gatekeeper rehearse` follows all
Mondays that it can; printed are the weeks of each policy by the gate that decided.

Usage: judgement_shares.py FOLDER [--recipe NAME] [--floor N]
"""

import argparse
import tempfile
from pathlib import Path

import judgement_rehearsed as rehearsal
import pandas as pd

SYMBOLS = ("AAPL", "FB", "GOOG", "IBM", "MSFT")
SPLITS = {"AAPL": {"2000-06-21": 2, "2005-02-28": 2}, "MSFT": {"2003-02-18": 2}}
"""First day of the new share, and how many of them one old share became."""
PRICES = ["open", "high", "low", "close"]


def bars(folder: Path) -> pd.DataFrame:
    """All five, as one share of the last day."""
    each = []
    for symbol in SYMBOLS:
        frame = pd.read_csv(folder / f"{symbol}.csv").rename(columns=str.lower).astype(dict.fromkeys(PRICES, float))
        for day, shares in SPLITS.get(symbol, {}).items():
            frame.loc[frame["date"] < day, PRICES] /= shares
        # What is rounded to cents lies outside of its day's range here and there.
        frame["high"], frame["low"] = frame[PRICES].max(axis=1), frame[PRICES].min(axis=1)
        each.append(frame[["date", *PRICES]].rename(columns={"date": "time"}).assign(symbol=symbol))
    return pd.concat(each, ignore_index=True)


def main() -> None:
    """Prints the weeks by policy and deciding gate."""
    words = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    words.add_argument("folder", type=Path, help="of the five CSV files")
    words.add_argument("--recipe", default="logistic")
    words.add_argument("--floor", type=int, help="another floor of the weeks in which two models must differ")
    given = words.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        frame = bars(given.folder)
        frame.to_csv(folder / "shares.csv", index=False)
        newest = pd.Timestamp(frame["time"].max())
        last = (newest - pd.Timedelta(days=newest.weekday())).to_pydatetime()
        document = rehearsal.rehearsed(
            f"candles:{folder}/shares.csv",
            folder,
            "--starts",
            "1",
            last=last,
            floor=given.floor,
            GATEKEEPER_RECIPE=given.recipe,
        )
        rehearsal.show(document)


if __name__ == "__main__":
    main()
