"""Comparison of two data passports of one source: bars that were revised, symbols that stopped, bars or volumes of
another kind."""

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta

import numpy as np

from gatekeeper.documents.passport import BarDigest, Passport, SymbolRecord
from gatekeeper.market.data.bars.candles import Candles
from gatekeeper.market.data.passport.facts import digest
from gatekeeper.market.findings import Finding, Severity
from gatekeeper.market.ideas import instant, moment

VOLUME_FACTOR = 3.0
"""By how much the median volume has to leave the earlier quartiles."""
LENGTH_FACTOR = 1.5
"""By how much the length of a bar has to change; a daylight-saving day changes it by less."""


def revised(bars: Candles, then: Sequence[BarDigest]) -> tuple[Finding | None, bool]:
    """What is found of bars that were used before, and whether the last of them was not complete then.

    then: the symbol's last bars, as an earlier weekly run used them. Those before all bars of today aren't compared. If
    every bar changed, the prices were adjusted anew, which says nothing about the last one.
    """
    symbol, first = bars.symbol, moment(bars.closes_at[0])
    held = [bar for bar in then if bar.closes_at >= first]
    changed = [bar for bar in held if _today(bars, bar.closes_at) != bar.digest]
    if not changed:
        return None, False
    at = changed[-1].closes_at
    numbers = {"changed": float(len(changed)), "compared": float(len(held))}
    if len(changed) == len(held) > 1:
        text = (
            f"{symbol}: all {len(held)} bars that the last weekly run and this one have in common changed, as after a "
            "dividend in prices that are adjusted backwards. Fingerprints change with them, though no return may have."
        )
        return Finding(Severity.WARNING, "readjusted", symbol, at.isoformat(), text, numbers=numbers), False
    was_last = then[-1] in changed
    out = " It was the last one then, so from now on the last bar of this symbol is left out." if was_last else ""
    text = (
        f"{symbol}: {len(changed)} of {len(held)} bars that were used before changed since, the newest closed "
        f"{at:%Y-%m-%d %H:%M}Z.{out} Load files only after the market has closed."
    )
    return Finding(Severity.WARNING, "revised", symbol, at.isoformat(), text, numbers=numbers), was_last


def _today(bars: Candles, closes_at: datetime) -> str | None:
    """The digest that the bar of this close has now; None if there is none within half its length."""
    wanted = instant(closes_at)
    after = int(np.searchsorted(bars.closes_at, wanted))
    row = min(after, len(bars) - 1)
    if row and wanted - bars.closes_at[row - 1] < bars.closes_at[row] - wanted:
        row -= 1
    length = bars.closes_at[row] - bars.opens_at[row]
    return digest(bars, row) if abs(bars.closes_at[row] - wanted) <= length / 2 else None


def changes(before: Passport, now: Passport, freshness: timedelta) -> tuple[Finding, ...]:
    """What moved between two passports of one source, apart from revised bars."""
    today = {each.symbol: each for each in now.symbols}
    found: list[Finding] = []
    for then in before.symbols:
        record = today.get(then.symbol)
        if before.as_of - then.last > freshness:
            continue  # it had stopped by then
        if record is None or now.as_of - record.last > freshness:
            last = then.last if record is None else record.last
            text = (
                f"{then.symbol} stopped: its last bar closed {last:%Y-%m-%d %H:%M}Z, over {freshness.days} days before "
                f"{now.as_of:%Y-%m-%d %H:%M}Z (GATEKEEPER_FRESHNESS_DAYS). Is it delisted, or did its feed fail?"
            )
            found.append(Finding(Severity.WARNING, "stopped", then.symbol, last.isoformat(), text))
        if record is not None:
            found += _moved(then, record)
    return tuple(found)


def _moved(then: SymbolRecord, now: SymbolRecord) -> Iterator[Finding]:
    ratio = now.bar_seconds / then.bar_seconds if then.bar_seconds else 1.0
    if not 1 / LENGTH_FACTOR < ratio < LENGTH_FACTOR:
        text = (
            f"{now.symbol}: a bar is {length_in_words(now.bar_seconds)} long, and was "
            f"{length_in_words(then.bar_seconds)}. Give it bars as its models were trained on, or a desk of its own."
        )
        numbers = {"seconds": now.bar_seconds, "seconds_before": then.bar_seconds}
        yield Finding(Severity.WARNING, "bar_length", now.symbol, "", text, numbers=numbers)
    if then.volume is not None and now.volume is None:
        yield Finding(Severity.WARNING, "volume", now.symbol, "", f"{now.symbol}: its bars have no volume any more.")
    elif then.volume is not None and now.volume is not None:
        low, _, high = then.volume
        median = now.volume[1]
        if not low / VOLUME_FACTOR <= median <= high * VOLUME_FACTOR:
            text = (
                f"{now.symbol}: the median volume of its last bars is {median:.4g}, and half of the bars before had "
                f"{low:.4g} to {high:.4g} (limit: a factor of {VOLUME_FACTOR:g} beyond). Did the feed change its unit?"
            )
            numbers = {"median": median, "low_before": low, "high_before": high}
            yield Finding(Severity.WARNING, "volume", now.symbol, "", text, numbers=numbers)


def length_in_words(seconds: float) -> str:
    """A bar's length in words."""
    for unit, name in ((86400.0, "day"), (3600.0, "hour"), (60.0, "minute")):
        if seconds >= unit:
            count = seconds / unit
            return f"{count:.4g} {name}{'s' * (count != 1)}"
    return f"{seconds:.4g} seconds"
