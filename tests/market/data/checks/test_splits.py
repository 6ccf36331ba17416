"""Split check: true splits of real and planted bars are refused, crashes are warned of, and nothing else is found."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from market_bars import daily
from real_series import checked, indices, single_prices, stocks, without_volume

from gatekeeper.market.data.bars.candles import Candles
from gatekeeper.market.data.bars.corporate_actions import Split
from gatekeeper.market.data.checks.splits import splits
from gatekeeper.market.findings import Finding, Severity

TRUE = {"split:AAPL:2000-06-21", "split:AAPL:2005-02-28", "split:MSFT:2003-02-18"}
DAY = 400  # the planted split's


def found(*bars: Candles, **more: object) -> list[Finding]:
    return list(splits(checked(*bars, **more)))


def keys(findings: list[Finding], severity: Severity) -> set[str]:
    return {each.key for each in findings if each.severity is severity}


def world(seed: int, *, n: int = 600, volatility: float = 0.015, times: np.ndarray | None = None) -> Candles:
    """Bars with a gap at each open, and a volume that varies by half."""
    rng = np.random.default_rng(seed)
    close = 100 * np.exp(np.cumsum(rng.normal(0, volatility, n)))
    opened = np.append(100.0, close[:-1]) * np.exp(rng.normal(0, volatility / 3, n))
    high = np.maximum(opened, close) * np.exp(np.abs(rng.normal(0, volatility / 2, n)))
    low = np.minimum(opened, close) * np.exp(-np.abs(rng.normal(0, volatility / 2, n)))
    volume = 1e6 * np.exp(rng.normal(0, 0.5, n))
    stamps = daily(n) if times is None else times
    length = np.diff(stamps).min()
    zeros = np.zeros(n)
    return Candles("X", stamps, stamps + length, opened, high, low, close, zeros, zeros, volume=volume)


def split(
    bars: Candles, new: float, old: float = 1, *, on_top: float = 0.0, raw: bool = True, day: int = DAY
) -> Candles:
    """The bars as a vendor gives them that doesn't adjust: new shares for old ones, with a move on the same day."""
    factor = np.ones(len(bars))
    factor[day:] = old / new * (1 + on_top)
    prices = {name: getattr(bars, name) * factor for name in ("open", "high", "low", "close")}
    volume = bars.volume
    if raw and volume is not None:
        volume = volume * np.where(np.arange(len(bars)) < day, 1, new / old)
    return replace(bars, **prices, volume=volume)


def penny(n: int = 600, *, still: int = 0) -> Candles:
    """A stock at one or two ticks, with one price a day; the last `still` days before DAY at two."""
    rng = np.random.default_rng(5)
    price = rng.choice([1e-4, 2e-4], n)
    price[DAY - still :] = 2e-4
    zeros = np.zeros(n)
    volume = 1e6 * np.exp(rng.normal(0, 0.5, n))
    stamps = daily(n)
    return Candles(
        "X", stamps, stamps + (stamps[1] - stamps[0]), price, price, price, price, zeros, zeros, volume=volume
    )


def test_a_penny_stock_that_moves_by_its_tick_has_no_splits() -> None:
    """With one price a day there is no range; what is usual is how far it goes from day to day."""
    for bars in (penny(), *without_volume([penny()])):
        assert found(bars) == []
    (planted,) = found(split(penny(still=30), 2, raw=False))
    assert (planted.severity, planted.key) == (
        Severity.WARNING,
        f"split:X:{daily(DAY + 1)[DAY].astype('datetime64[D]')}",
    )


def test_real_series_raise_their_true_splits_alone(figures: Callable[[str], None]) -> None:
    """With and without volume: three refusals in 45 years of five stocks, two indices, the VIX and crude oil."""
    for name, change in (("with", tuple), ("without", without_volume)):
        series = change((*stocks(), *indices(), *single_prices()))
        result = found(*series)
        refused, warned = keys(result, Severity.REFUSED), keys(result, Severity.WARNING)
        wrong, missed = len(refused - TRUE), len(TRUE - refused)
        count = f"{sum(map(len, series))} real bars {name} volume"
        figures(f"splits in {count}: {wrong} false alarms, {missed} misses; {len(warned)} warned of")
        assert refused == TRUE
        # A crash, and the VIX's largest day, which is no 2:1: nobody is refused for them.
        assert warned == {"split:AAPL:2000-09-29", "split:vix ranged:2018-02-05", "split:vix flat:2018-02-05"}


def test_what_is_said_of_a_real_split() -> None:
    """Open 44.68 on 2005-02-28 after a close of 88.99: 0.502; the message ends with the line that adjusts it."""
    aapl = next(bars for bars in stocks() if bars.symbol == "AAPL")
    finding = next(each for each in found(aapl) if each.at == "2005-02-28")
    assert finding.numbers["factor"] == pytest.approx(44.68 / 88.99)
    assert finding.message.startswith("AAPL opens on 2005-02-28 at 0.502 times the close before")
    assert finding.message.endswith("GATEKEEPER_SPLITS: `AAPL,2005-02-28,2`.")


@pytest.mark.parametrize(
    ("new", "old", "line"),
    [(2, 1, "2"), (7, 1, "7"), (20, 1, "20"), (1, 10, "1:10"), (1, 2, "1:2"), (4, 1, "4"), (1000, 1, "1000")],
)
@pytest.mark.parametrize("raw", [True, False])
def test_planted_splits_are_refused(new: int, old: int, line: str, raw: bool) -> None:
    """7:1 is in no short list of ratios. Whether the vendor's volume counts new shares or not; and without volume."""
    bars = split(world(1), new, old, raw=raw)
    for each in (bars, *without_volume([bars])):
        (finding,) = found(each)
        assert finding.severity is Severity.REFUSED
        assert finding.at == str(bars.days[DAY])
        assert finding.message.endswith(f": `X,{bars.days[DAY]},{line}`.")


def test_how_many_planted_splits_are_missed(figures: Callable[[str], None]) -> None:
    """2:1 in 200 worlds, with a move of up to 5 % on the same day (case 128): each is refused or warned of.

    With a volume it is only warned of on a day that trades as a crash does.
    """
    moves = np.linspace(-0.05, 0.05, 200)
    planted = [split(world(seed), 2, on_top=move) for seed, move in enumerate(moves)]
    missed = []
    for name, series in (("with", planted), ("without", without_volume(planted))):
        results = [found(bars) for bars in series]
        only_warned = [result for result in results if not keys(result, Severity.REFUSED)]
        missed.append(only_warned)
        figures(f"200 planted splits, {name} volume: {results.count([])} missed, {len(only_warned)} only warned of")
        assert [] not in results
    assert all(each.numbers["volume"] >= 3 or each.numbers["range"] > 4 for (each,) in missed[0])
    alarms = sum(bool(found(world(seed))) for seed in range(200))
    figures(f"200 worlds without a split: {alarms} false alarms")
    assert alarms == 0


def test_all_symbols_split_on_one_day() -> None:
    """What the others did is no excuse (case 128)."""
    book = [replace(split(world(seed), 2), symbol=f"S{seed}") for seed in range(5)]
    assert len(keys(found(*book), Severity.REFUSED)) == 5


def test_a_crash_trades() -> None:
    """Half the price on 12 times the volume, or with five times the range: warned, with the line if it is a split."""
    bars = split(world(3), 2, raw=False)
    loud = replace(bars, volume=bars.volume * np.where(np.arange(len(bars)) == DAY, 24, 1))
    wide = replace(bars, low=np.where(np.arange(len(bars)) == DAY, bars.low * 0.8, bars.low))
    for each in (loud, wide):
        (finding,) = found(each)
        assert finding.severity is Severity.WARNING
        assert finding.message.endswith(
            f"If it is a split, load adjusted prices, or add to GATEKEEPER_SPLITS: `X,{bars.days[DAY]},2`."
        )


def test_without_volume_only_whole_ratios_are_refused() -> None:
    """0.45 is 10 % from 1:2; with a volume that is that of any day, it can't be a crash."""
    bars = split(world(4), 2, on_top=-0.1)
    assert keys(found(bars), Severity.REFUSED)
    (finding,) = found(*without_volume([bars]))
    assert finding.severity is Severity.WARNING


@pytest.mark.parametrize(("new", "old"), [(3, 2), (4, 3), (5, 4), (3, 4)])
def test_small_ratios_are_warned_of_with_volume_alone(new: int, old: int) -> None:
    bars = split(world(5, volatility=0.006), new, old)
    (finding,) = found(bars)
    assert finding.severity is Severity.WARNING
    assert finding.message.endswith(f",{new}:{old}`.")
    assert not found(*without_volume([bars]))
    assert not found(replace(bars, volume=bars.volume * np.where(np.arange(len(bars)) == DAY, 6, 1)))


def test_of_opens_that_are_the_closes_before_a_split_is_warned_of() -> None:
    """There it falls within a bar, as a crash does."""
    bars = split(world(6), 2)
    opened = np.append(bars.open[0], bars.close[:-1])
    bars = replace(bars, open=opened, high=np.maximum(bars.high, opened), low=np.minimum(bars.low, opened))
    for each in (bars, *without_volume([bars])):
        (finding,) = found(each)
        assert (finding.severity, finding.at) == (Severity.WARNING, str(bars.days[DAY]))


def test_intraday_bars_are_judged_by_market_days_and_around_the_clock_bar_by_bar() -> None:
    """Four bars of a day: the split is that day's. Hourly bars every day: it is named by the hour at which it fell."""
    hours = (daily(150)[:, None] + np.arange(14, 18) * np.timedelta64(1, "h")).ravel()
    assert {each.key for each in found(split(world(7, volatility=0.005, times=hours), 3, raw=False))} == {
        f"split:X:{hours[DAY].astype('datetime64[D]')}"
    }
    clock = np.datetime64("2020-01-01", "ns") + np.arange(600) * np.timedelta64(1, "h")
    (finding,) = found(split(world(8, volatility=0.005, times=clock), 10))
    assert (finding.severity, finding.key) == (Severity.REFUSED, "split:X:2020-01-17T16:00Z")
    assert finding.message.endswith("`X,2020-01-17T16:00Z,10`.")


def test_young_symbols_and_flat_ones_are_no_fault() -> None:
    """Fewer than five days before say nothing of what is usual; bars of one price have no range at all."""
    bars = world(9)
    assert not found(split(bars, 2, day=4))
    assert found(split(bars, 2, day=5))
    flat = replace(bars, open=bars.close, high=bars.close, low=bars.close)
    assert keys(found(split(flat, 2)), Severity.REFUSED) == {f"split:X:{bars.days[DAY]}"}
    days = np.full(600, 50.0)
    assert not found(replace(flat, open=days, high=days, low=days, close=days))


def test_a_split_that_was_adjusted_already_is_to_be_removed() -> None:
    """The inverse jump, at the bar that GATEKEEPER_SPLITS names: the way out is to remove that line."""
    bars = split(world(10), 1, 2, raw=False)
    listed = Split("X", str(bars.days[DAY]), 2)
    (finding,) = found(bars, splits=(listed,))
    assert finding.severity is Severity.REFUSED
    assert finding.message.endswith(f"Remove `X,{bars.days[DAY]},2`.")
