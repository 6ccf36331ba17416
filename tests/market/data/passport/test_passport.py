"""Data passport: its digest, the facts of bars, and the comparison with an earlier one."""

import hashlib
import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from evaluation_documents import WHOLE
from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs

from gatekeeper.documents import evaluation
from gatekeeper.documents import passport as passports
from gatekeeper.documents.passport import FORMAT, FindingRecord, Passport, digest_of, sealed
from gatekeeper.errors import DataError
from gatekeeper.market.data.bars.candles import Candles
from gatekeeper.market.data.passport import facts
from gatekeeper.market.data.passport.compared import changes, revised

AS_OF = datetime(2020, 6, 1, 2, tzinfo=UTC)
HOUR = np.timedelta64(1, "h")


def hourly(count: int, symbol: str = "AAA", volume: float | None = 1000.0, seed: int = 0) -> Candles:
    rng = np.random.default_rng(seed)
    opens_at = np.datetime64("2020-01-01T00", "ns") + HOUR * np.arange(count)
    close = 100 * np.exp(np.cumsum(rng.normal(0, 0.01, count)))
    zeros = np.zeros(count)
    traded = None if volume is None else volume * rng.uniform(0.5, 1.5, count)
    return Candles(
        symbol, opens_at, opens_at + HOUR, close, close * 1.01, close * 0.99, close, zeros, zeros, volume=traded
    )


def passport(*candles: Candles, as_of: datetime = AS_OF) -> Passport:
    symbols = [facts.symbol(bars, left_out=False) for bars in candles]
    made = Passport(
        format=FORMAT, source="candles:x", as_of=as_of, layouts=[], symbols=symbols, notes=[], findings=[], digest=""
    )
    return sealed(made)


def test_the_digest_is_that_of_canonical_json() -> None:
    """By json and hashlib alone, over all that the JSON holds but the digest."""
    made = passport(hourly(300), hourly(200, "BBB", None))
    content = passports.as_object(made)
    stated = content.pop("digest")
    canonical = json.dumps(content, sort_keys=True, separators=(",", ":")).encode()
    assert stated == hashlib.sha256(canonical).hexdigest() == digest_of(made)
    again = passports.of_object(json.loads(json.dumps(passports.as_object(made))))
    assert again == made
    assert digest_of(again) == stated


def test_any_other_finding_is_another_digest() -> None:
    made = passport(hourly(300))
    found = FindingRecord(severity="note", kind="split", message="a note", numbers={"ratio": 2.0})
    assert digest_of(structs.replace(made, findings=[found])) != made.digest


def test_one_of_another_format_is_refused() -> None:
    with pytest.raises(DataError, match="data passport of format 2, this version reads 1"):
        passports.of_object(passports.as_object(passport(hourly(300))) | {"format": 2})


def test_an_evaluation_of_before_the_passport_stays_as_it_is() -> None:
    """The key is left out, of format 3 as of the older ones (tests/end_to_end/test_stored*.py)."""
    bare = evaluation.of_object(WHOLE)
    assert bare.data.passport is None
    assert "passport" not in evaluation.as_object(bare)["data"]
    held = structs.replace(bare, data=structs.replace(bare.data, passport=passport(hourly(300))))
    again = evaluation.read(evaluation.written(held))
    assert again == held
    assert evaluation.passport(evaluation.written(held)) == held.data.passport
    assert evaluation.passport(evaluation.written(bare)) is None


def test_holes_are_over_five_bars_and_over_four_days() -> None:
    """Hourly bars: a weekend of 60 hours is none, 97 hours are one of 4.04 days."""
    bars = hourly(400)
    shift = np.where(np.arange(400) < 100, 0, 60) + np.where(np.arange(400) < 300, 0, 97)
    moved = bars.opens_at + HOUR * shift
    record = facts.symbol(replace(bars, opens_at=moved, closes_at=moved + HOUR), left_out=False)
    assert (record.holes, record.longest_hole_days) == (1, round(97 / 24, 2))


def test_a_volume_of_0_or_none_is_counted() -> None:
    bars = hourly(300)
    assert bars.volume is not None
    volume = bars.volume.copy()
    volume[:3], volume[3] = 0, np.nan
    assert facts.symbol(replace(bars, volume=volume), left_out=False).without_volume == 4
    assert facts.symbol(hourly(300, volume=None), left_out=False).without_volume is None


@given(changed=st.sets(st.integers(0, 4)), more=st.integers(0, 200))
def test_what_is_found_of_bars_that_were_used(changed: set[int], more: int) -> None:
    """Whatever came since: the last one alone or with some others was half done, all five were adjusted anew."""
    bars = hourly(300)
    then = facts.newest_bars(replace_rows(bars, slice(0, 100)))
    today = replace_rows(bars, slice(0, 100 + more))
    close = today.close.copy()
    close[[95 + each for each in changed]] *= 1.001
    finding, was_last = revised(replace(today, close=close), then)
    if not changed:
        assert (finding, was_last) == (None, False)
        return
    assert finding is not None
    assert finding.kind == ("readjusted" if len(changed) == 5 else "revised")
    assert was_last == (4 in changed and len(changed) < 5)
    assert finding.numbers["changed"] == len(changed)


def replace_rows(bars: Candles, rows: slice) -> Candles:
    names = ("opens_at", "closes_at", "open", "high", "low", "close", "sentiment", "order_book", "volume")
    return replace(bars, **{name: getattr(bars, name)[rows] for name in names})


def test_bars_before_those_of_today_are_not_compared() -> None:
    """A vendor that gives the last hundred bars only."""
    bars = hourly(300)
    then = facts.newest_bars(replace_rows(bars, slice(0, 100)))
    assert revised(replace_rows(bars, slice(200, 300)), then) == (None, False)


def test_what_moved_between_two_passports() -> None:
    then = passport(hourly(3600), hourly(3600, "BBB"), hourly(3600, "CCC"), hourly(100, "OLD"))
    slow = hourly(1000, "BBB")
    length = 4 * HOUR
    opens_at = np.datetime64("2020-01-01T00", "ns") + length * np.arange(1000)
    slow = replace(slow, opens_at=opens_at, closes_at=opens_at + length)
    lots = hourly(3800, "CCC", volume=10.0)
    now = passport(hourly(3600), slow, lots, as_of=AS_OF + timedelta(days=8))
    found = {(each.kind, each.symbol) for each in changes(then, now, timedelta(days=7))}
    assert found == {("stopped", "AAA"), ("bar_length", "BBB"), ("volume", "CCC")}
    assert changes(then, then, timedelta(days=7)) == ()
