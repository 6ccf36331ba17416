"""Promotion rate of one test next to the closed form, and the cost of a guarantee for any number of tests.

Anytime-valid, for one pair of streams: the asymptotic confidence sequence of Waudby-Smith, Arbour, Sinha, Kennedy &
Ramdas (2024), one-sided, narrowest near one year; and the betting e-process of Waudby-Smith & Ramdas (2024) on the
paired difference, as Choe & Ramdas (2024) compare forecasters, cut off at 4 deviations and with its bets mixed.
"""

import math
from collections.abc import Iterator
from statistics import NormalDist
from typing import Any

import numpy as np
from judgement_looks import AT_ONCE, FIXED, PROVEN, SAFE, Fixed, Seen, seen
from judgement_worlds import LOOKS, WEEK, YEAR, Rows, Setting

ALPHA = 1 / 52  # of one test in a year of them, whatever came before
MIXTURE = 9.0  # prior variance of the drift x days of a year, where the sequence is about narrowest at one year
CUT = 4.0
BETS = 0.02 * 2.0 ** np.arange(6)  # per deviation


def width(days: Rows | float) -> Rows | float:
    """Standard errors that the sequence's lower bound lies under what was seen, after so many days."""
    information = np.asarray(days) * MIXTURE / YEAR
    return np.sqrt(2 * (information + 1) / information * np.log1p(np.sqrt(information + 1) / (2 * ALPHA)))


def anytime(tolerance: float, setting: Setting) -> Fixed:
    """The rule by that bound."""
    return Fixed(f"anytime {tolerance:g}", tolerance, float(width(setting.window)))


def chunks(repeats: int) -> Iterator[int]:
    """Sizes."""
    for start in range(0, repeats, AT_ONCE):
        yield min(AT_ONCE, repeats - start)


def pairs(setting: Setting, gain: float, rng: np.random.Generator, size: int, more: int = 0) -> tuple[Rows, Rows, Rows]:
    """Streams of a challenger that is better by `gain`, and of a champion; and the fewer trades of the two."""
    days = setting.window + more
    nature = setting.nature(rng, size, days)
    every, skill = slice(0, days), np.zeros((size, 1))
    first, second = nature.own(), nature.own()
    trades = np.minimum(nature.trades(first, every), nature.trades(second, every))
    return nature.stream(first, every, skill + gain), nature.stream(second, every, skill), trades


def one_look(setting: Setting, gain: float, rules: tuple[Fixed, ...], repeats: int, seed: int) -> list[float]:
    """How often each rule promotes, in percent."""
    rng, hits = np.random.default_rng([seed, 1]), np.zeros(len(rules))
    for size in chunks(repeats):
        a, b, trades = pairs(setting, gain, rng, size)
        look = Seen(*seen(a, b), trades >= 0)
        hits += [rule.promotes(look).sum() for rule in rules]
    return [float(100 * each / repeats) for each in hits]


def closed_form(setting: Setting, gain: float, rule: Fixed) -> float:
    """The same by SE = sqrt(2 (1 - rho) / years), longer where days correlate, in percent."""
    error = math.sqrt(2 * (1 - setting.rho) / setting.years * (1 + setting.trend) / (1 - setting.trend))
    # The days' correlation widens what is seen; the rule asks for as many errors of that width.
    hurdle = 0.0 if rule.tolerance is None else max(0.0, rule.sure * error - rule.tolerance)
    return 100 * NormalDist().cdf((gain - hurdle) / error)


def followed(rho: float, gain: float, repeats: int, seed: int) -> dict[str, tuple[float, float]]:
    """One challenger beside one champion, looked at 52 times: promoted at the first look, within the year; percent."""
    rng, setting = np.random.default_rng([seed, 2]), Setting(rho)
    names = ("proven", "safe 0.5", "sequence 0", "betting 0", "sequence 0.5", "betting 0.5")
    counted = {name: np.zeros(2) for name in names}
    for size in chunks(repeats):
        a, b, _ = pairs(setting, gain, rng, size, (LOOKS - 1) * WEEK)
        for name, passed in _each_look(a, b, setting).items():
            counted[name] += passed[:, 0].sum(), passed.any(axis=1).sum()
    return {name: (100 * first / repeats, 100 * ever / repeats) for name, (first, ever) in counted.items()}


def _each_look(a: Rows, b: Rows, setting: Setting) -> dict[str, Rows]:
    """Whether each rule promotes at each look, (repeats, looks)."""
    root, ends = math.sqrt(YEAR), YEAR + WEEK * np.arange(LOOKS)
    rolling = [seen(a[:, end - YEAR : end], b[:, end - YEAR : end]) for end in ends]
    growing = [seen(a[:, :end], b[:, :end]) for end in ends]
    found = {}
    for name, looks, sure, tolerance in (
        ("proven", rolling, np.full(LOOKS, PROVEN), 0.0),
        ("safe 0.5", rolling, np.full(LOOKS, SAFE), 0.5),
        ("sequence 0", growing, width(ends), 0.0),
        ("sequence 0.5", growing, width(ends), 0.5),
    ):
        delta, error = (np.column_stack(each) * root for each in zip(*looks, strict=True))
        found[name] = (delta > 0) & (delta - sure * error > -tolerance)
    positive = np.column_stack([delta > 0 for delta, _ in growing])
    for tolerance in (0.0, 0.5):
        found[f"betting {tolerance:g}"] = positive & (_wealth(a, b, setting, tolerance)[:, ends - 1] >= 1 / ALPHA)
    return found


def _wealth(a: Rows, b: Rows, setting: Setting, tolerance: float) -> Rows:
    """Of who bets that the difference of the two, in units of the first year's deviation, lies over -tolerance."""
    gap = a / a[:, :YEAR].std(axis=1, keepdims=True) - b / b[:, :YEAR].std(axis=1, keepdims=True)
    scale = math.sqrt(2 * (1 - setting.rho))
    won = np.clip((gap + tolerance / math.sqrt(YEAR)) / scale, -CUT, CUT)
    # The largest so far: an e-process may be stopped at its best day.
    mixed = np.mean([np.exp(np.cumsum(np.log1p(np.minimum(bet, 0.9 / CUT) * won), axis=1)) for bet in BETS], axis=0)
    return np.maximum.accumulate(mixed, axis=1)


def replaced(rho: float, gain: float, repeats: int, seed: int) -> dict[str, tuple[float, float]]:
    """A fresh challenger each week, all better by `gain`: is the champion replaced in the year, in percent, and its
    mean weeks until then (52 where never). `followed` goes on with each challenger until then.
    """
    rng, setting = np.random.default_rng([seed, 3]), Setting(rho)
    first: dict[str, list[Rows]] = {}
    for size in chunks(repeats):
        for name, weeks in _first_weeks(setting, gain, rng, size).items():
            first.setdefault(name, []).append(weeks)
    joined = {name: np.concatenate(weeks) for name, weeks in first.items()}
    return {name: (float(100 * np.mean(weeks < LOOKS)), float(weeks.mean())) for name, weeks in joined.items()}


def _first_weeks(setting: Setting, gain: float, rng: np.random.Generator, size: int) -> dict[str, Rows]:
    days = setting.window + (LOOKS - 1) * WEEK
    nature, ends = setting.nature(rng, size, days), YEAR + WEEK * np.arange(LOOKS)
    champion, every, skill = nature.own(), slice(0, days), np.zeros((size, 1))
    b = nature.stream(champion, every, skill)
    rules: tuple[Any, ...] = (FIXED[1], FIXED[3], anytime(0.0, setting), anytime(0.5, setting))
    names = [rule.name for rule in rules] + ["followed 0", "followed 0.5"]
    weeks = {name: np.full(size, float(LOOKS)) for name in names}
    for look in range(LOOKS):
        start, end = look * WEEK, int(ends[look])
        a = nature.stream(nature.own(start), every, skill + gain)
        found = Seen(*seen(a[:, start:end], b[:, start:end]), np.full(size, True))
        for rule in rules:
            weeks[rule.name] = np.where(rule.promotes(found), np.minimum(weeks[rule.name], look), weeks[rule.name])
        for tolerance in (0.0, 0.5):
            name = f"followed {tolerance:g}"
            weeks[name] = np.minimum(weeks[name], look + _crosses(a[:, start:], b[:, start:], tolerance))
    return weeks


def _crosses(a: Rows, b: Rows, tolerance: float) -> Rows:
    """Weeks until the sequence of one pair promotes, from its first year on; LOOKS where never."""
    days = np.arange(1, a.shape[1] + 1)
    last = np.arange(YEAR - 1, a.shape[1], WEEK)
    sums = [np.cumsum(each, axis=1)[:, last] / days[last] for each in (a, b, a * a, b * b, a * b)]
    sd_a, sd_b = np.sqrt(sums[2] - sums[0] ** 2), np.sqrt(sums[3] - sums[1] ** 2)
    one, other, rho = sums[0] / sd_a, sums[1] / sd_b, (sums[4] - sums[0] * sums[1]) / (sd_a * sd_b)
    # Jobson & Korkie (1981), corrected by Memmel (2003): here days are independent.
    variance = 2 * (1 - rho) + (one**2 + other**2 - 2 * one * other * rho**2) / 2
    error = np.sqrt(variance / days[last])
    passed = (one > other) & ((one - other - width(days[last]) * error) * math.sqrt(YEAR) > -tolerance)
    return np.where(passed.any(axis=1), passed.argmax(axis=1), LOOKS).astype(float)
