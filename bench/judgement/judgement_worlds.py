"""Simulated worlds: the true skill of a year's models, and their daily returns.

Many years are simulated at once: arrays are (repeats, days). A stream is what all models share, weighted by the root of
rho, and a model's own noise; its true Sharpe is 1 plus its skill. `ideas` is another kind: each idea is taken or vetoed
as a whole, most days have none, and the floors on kept trades can bite.
"""

import math
from dataclasses import dataclass
from functools import cache
from typing import Protocol

import numpy as np

YEAR, WEEK, LOOKS = 252, 5, 52
DAILY = 0.01
FREEDOM = 5
BLOCK = 20  # mean days of a block of real returns
KEPT = 0.6  # of the ideas
Rows = np.ndarray


@dataclass(frozen=True)
class World:
    """How good challengers are, as Sharpe above the champion that the year begins with.

    relative: above whoever is live, so that each promotion of a worse one costs again. ages: what a year costs a model,
    from the end of its training on: a challenger is as old as the window that judges it, and so was the champion when
    the year began. by_day: the returns of each day are those of the model as old as it was then, else as it is now.
    """

    name: str
    level: float = 0.0
    spread: float = 0.0
    ages: float = 0.0
    by_day: bool = False
    relative: bool = False

    def fresh(self, luck: Rows, now: Rows) -> Rows:
        """True skill of this week's challengers at the end of their training."""
        return self.level + self.spread * luck + (now if self.relative else 0.0)

    def aged(self, skill: Rows, weeks: Rows | float) -> Rows:
        """True skill so many weeks after the end of the training."""
        return skill - self.ages * weeks / LOOKS

    def shown(self, skill: Rows, weeks: Rows | float, days: slice) -> Rows:
        """True skill on the days that a look sees, (repeats, 1 or days), by models so many weeks old by then."""
        age = np.broadcast_to(np.asarray(weeks, dtype=float), skill.shape)[:, None]
        if self.by_day:
            age = np.maximum(0.0, age + (np.arange(days.start, days.stop) + 1 - days.stop) / WEEK)
        return self.aged(skill[:, None], age)


WORLDS = (
    World("all worse by 0.25", -0.25),
    World("all worse by 0.5", -0.5),
    World("all equal"),
    World("all better by 0.5", 0.5),
    World("differ by sd 0.3", spread=0.3),
    World("the same, and all age by 0.5 a year", spread=0.3, ages=0.5),
    World("the same, and each day's return shows the age of that day", spread=0.3, ages=0.5, by_day=True),
)
ALWAYS_WORSE = {size: World(f"each worse by {size:g} than who is live", -size, relative=True) for size in (0.25, 0.5)}


@dataclass(frozen=True)
class Setting:
    """What the returns are like. trend: correlation of a day and the next. ideas: a year's, for that kind.

    kin: correlation of what is the challengers' own: those of neighbouring weeks are trained on nearly the same.
    together: ideas of one day, which make the same; each is taken or vetoed for itself.
    """

    rho: float = 0.8
    years: float = 1
    trend: float = 0.0
    kind: str = "student"
    ideas: int = 0
    kin: float = 0.0
    together: int = 1

    def __str__(self) -> str:
        kinds = {"student": "", "real": ", real paths", "ideas": f", {self.ideas} ideas a year, floors"}
        together = f", {self.together} a day alike" if self.together > 1 else ""
        years = "1 year" if self.years == 1 else f"{self.years:g} years"
        trend = f", days correlate by {self.trend:g}" if self.trend else ""
        kin = f", challengers alike by {self.kin:g}" if self.kin else ""
        return f"{years}, rho {self.rho:g}{trend}{kinds[self.kind]}{together}{kin}"

    @property
    def window(self) -> int:
        """Market days, all after the training of the challenger."""
        return round(self.years * YEAR)

    @property
    def holdout(self) -> float:
        """Weeks from the end of a challenger's training to its look."""
        return self.window / WEEK

    def nature(self, rng: np.random.Generator, repeats: int, days: int) -> "Nature":
        """The years' market, from which models draw their own."""
        return (Ideas if self.kind == "ideas" else Mixed)(self, rng, repeats, days)


class Nature(Protocol):
    """Where returns come from."""

    def own(self, start: int = 0, *, kin: bool = True) -> Rows:
        """What is one model's alone, (repeats, days); before `start` it isn't asked for. kin: as challengers are."""

    def stream(self, own: Rows, seen: slice, skill: Rows) -> Rows:
        """Daily returns of a model of that skill, (repeats, 1) or (repeats, days)."""

    def trades(self, own: Rows, seen: slice) -> Rows:
        """How many it kept."""


class Mixed:
    """A common part and an own one, both of unit variance."""

    def __init__(self, setting: Setting, rng: np.random.Generator, repeats: int, days: int) -> None:
        self._setting, self._rng, self._shape = setting, rng, (repeats, days)
        self._common = math.sqrt(setting.rho) * self._noise(0, 0)
        self._weight = math.sqrt(1 - setting.rho)
        self._kin = math.sqrt(setting.kin) * self._noise(0, 1) if setting.kin else None

    def own(self, start: int = 0, *, kin: bool = True) -> Rows:
        """A model's own noise."""
        noise = self._noise(start, 1)
        if kin and self._kin is not None:
            noise = self._kin + math.sqrt(1 - self._setting.kin) * noise
        return self._weight * noise

    def stream(self, own: Rows, seen: slice, skill: Rows) -> Rows:
        """The two parts and the drift."""
        return DAILY * (self._common[:, seen] + own[:, seen] + (1.0 + skill) / math.sqrt(YEAR))

    def trades(self, own: Rows, seen: slice) -> Rows:
        """Each day has one."""
        return np.full(len(own), seen.stop - seen.start)

    def _noise(self, start: int, index: int) -> Rows:
        repeats, days = self._shape
        shape = (repeats, days - start)
        if self._setting.kind == "real":
            noise = blocks(real_days()[index], self._rng, shape)
        else:
            noise = self._rng.standard_t(FREEDOM, shape) * math.sqrt((FREEDOM - 2) / FREEDOM)
        if self._setting.trend:
            noise = trending(noise, self._setting.trend)
        return np.concatenate((np.zeros((repeats, start)), noise), axis=1) if start else noise


class Ideas:
    """One idea makes the same for whoever takes it; models differ by which they take, and by what those make."""

    def __init__(self, setting: Setting, rng: np.random.Generator, repeats: int, days: int) -> None:
        self._rng, shape, together = rng, (repeats, days), setting.together
        share = setting.ideas / YEAR / together
        self._there = rng.random(shape) < share
        self._made = rng.standard_t(FREEDOM, shape) * math.sqrt((FREEDOM - 2) / FREEDOM)
        self._common = rng.random((together, *shape))
        # Two models keep an idea both with chance KEPT x alike, so that their returns correlate by rho.
        alike = setting.rho * (1 + (together - 1) * KEPT) - (together - 1) * KEPT
        self._alike = math.sqrt((alike - KEPT) / (1 - KEPT))
        self._first = share * together * KEPT
        self._second = self._first * (1 + (together - 1) * KEPT)
        """Moments of how many a model keeps on a day."""

    def own(self, start: int = 0, *, kin: bool = True) -> Rows:  # noqa: ARG002 - ideas know no kin
        """How many it keeps on each day."""
        repeats, days = self._there.shape
        kept = np.zeros((repeats, days - start))
        for common in self._common:
            drawn = self._rng.random(kept.shape)
            view = np.where(drawn < self._alike, common[:, start:], self._rng.random(kept.shape))
            kept += self._there[:, start:] & (view < KEPT)
        return np.concatenate((np.zeros((repeats, start)), kept), axis=1)

    def stream(self, own: Rows, seen: slice, skill: Rows) -> Rows:
        """Of the kept ideas; the drift is such that the daily Sharpe, idle days and all, is the true one."""
        daily, first, second = (1.0 + skill) / math.sqrt(YEAR), self._first, self._second
        drift = np.sign(daily) * np.sqrt(daily**2 * second / (first**2 - daily**2 * (second - first**2)))
        return DAILY * own[:, seen] * (self._made[:, seen] + drift)

    def trades(self, own: Rows, seen: slice) -> Rows:
        """How many it kept."""
        return own[:, seen].sum(axis=1)


def trending(noise: Rows, by: float) -> Rows:
    """An AR(1) of the same variance."""
    from scipy.signal import lfilter

    size = math.sqrt(1 - by**2)
    return lfilter([size], [1.0, -by], noise, axis=1, zi=(1 - size) * noise[:, :1])[0]


def blocks(days: Rows, rng: np.random.Generator, shape: tuple[int, int]) -> Rows:
    """Stationary bootstrap (Politis & Romano 1994) of a row of days: blocks of BLOCK on average, around the end."""
    new = rng.random(shape) < 1 / BLOCK
    new[:, 0] = True
    starts = rng.integers(len(days), size=shape)
    position = np.arange(shape[1])
    since = np.maximum.accumulate(np.where(new, position, 0), axis=1)
    return days[(np.take_along_axis(starts, since, axis=1) + position - since) % len(days)]


@cache
def real_days() -> tuple[Rows, Rows]:
    """The demo's index days of 1999 to 2018, of unit variance: the S&P 500's, and what of the NASDAQ's it leaves."""
    from arch.data import nasdaq, sp500

    first, second = (bars.load()["Adj Close"].pct_change().dropna().to_numpy() for bars in (sp500, nasdaq))
    first = first - first.mean()
    rest = second - second.mean()
    rest = rest - first * (rest @ first) / (first @ first)
    return first / first.std(), rest / rest.std()
