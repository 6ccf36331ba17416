"""Verdicts on made-up books through the whole pipeline: trade ideas in, verdict out, as a weekly run judges.

A book is a history of ideas before the window and a window of market days; models differ by which ideas they approve.
Every idea is held for a day. Each cell repeats a book and counts the verdicts, with the binomial standard error.
"""

import math
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
from judgement_worlds import WEEK, YEAR

from gatekeeper.judgement.backtest import backtest
from gatekeeper.judgement.backtest.contender import Contender
from gatekeeper.judgement.rule.promotion import judge
from gatekeeper.market.ideas import Dataset, Ideas, instant, market_day
from gatekeeper.settings import Settings

AS_OF = datetime(2024, 1, 1, 2, tzinfo=UTC)
HISTORY = 500  # market days before the window
NEITHER = 20  # ideas a window that both veto
Row = np.ndarray
Draw = Callable[[np.random.Generator, int], Row]


@dataclass(frozen=True)
class Book:
    """One repeat's ideas: market day (0 is the window's first), outcome, and who approves them."""

    day: Row
    outcome: Row
    challenger: Row
    champion: Row


@dataclass(frozen=True)
class Shares:
    """Share of the repeats in which each policy promoted, by policy; and of each other answer of `safe`."""

    repeats: int
    promoted: dict[str, float]
    decided_by: Counter

    def shown(self, policy: str) -> str:
        """In percent, with its error."""
        share = self.promoted[policy]
        return f"{100 * share:.1f} ± {100 * math.sqrt(share * (1 - share) / self.repeats):.1f}"


def skewed(wins: float, loses: float, edge: float = 0.0) -> Draw:
    """Wins of 1 and losses of `loses`, by chance `wins`, at a deviation of 1 %; edge: per idea, in deviations."""
    raw_mean = wins - loses * (1 - wins)
    spread = math.sqrt(wins + loses**2 * (1 - wins) - raw_mean**2)

    def drawn(rng: np.random.Generator, count: int) -> Row:
        made = np.where(rng.random(count) < wins, 1.0, -loses)
        return 0.01 * ((made - raw_mean) / spread + edge)

    return drawn


def normal(edge: float = 0.0) -> Draw:
    """Symmetric payoffs."""

    def drawn(rng: np.random.Generator, count: int) -> Row:
        return 0.01 * (rng.standard_normal(count) + edge)

    return drawn


def differing(
    rng: np.random.Generator,
    days: int,
    common: Draw,
    more: Draw,
    count: int,
    *,
    together: int = 1,
    base: int = 240,
    after: int = 0,
) -> Book:
    """Both approve `base` common ideas; only the challenger `count` more, `together` at a time on one day alike. A few
    are vetoed by both.

    The history has ideas of both kinds in the same proportion, in as large clusters; so have `after` more days.
    """
    kinds = [(common, base, 1), (more, count, together), (common, NEITHER, 1)]
    parts = [_kind(rng, (days, after), *kind) for kind in kinds]
    day, outcome = (np.concatenate([part[index] for part in parts]) for index in (0, 1))
    whose = np.repeat(np.arange(3), [len(part[0]) for part in parts])
    return Book(day, outcome, whose < 2, whose < 1)


def _kind(rng: np.random.Generator, span: tuple[int, int], draw: Draw, count: int, together: int) -> tuple[Row, Row]:
    """`count` ideas in the window and as many a day before and after it; those of one day make the same."""
    (days, after), clusters = span, -(-count // together)
    before, later = (round(clusters * each / days) for each in (HISTORY, after))
    at = np.concatenate(
        (
            rng.integers(-HISTORY, 0, before),
            rng.integers(0, days - 15, clusters),
            days - 15 + rng.integers(0, after + 1, later),
        )
    )
    return np.repeat(at, together), np.repeat(draw(rng, len(at)), together)


@dataclass(frozen=True)
class Calendar:
    """Market days of history, window and the weeks after it; day 0 is the first of the first window."""

    every: Row
    window: int

    @classmethod
    def of(cls, window: int, weeks: int = 1) -> "Calendar":
        """Ending at the newest market day before AS_OF."""
        newest = np.busday_offset(np.datetime64(AS_OF.date(), "D") - 1, 0, roll="backward")
        count = HISTORY + window + WEEK * (weeks - 1)
        return cls(np.busday_offset(newest, np.arange(1 - count, 1), roll="backward"), window)

    def as_of(self, week: int) -> datetime:
        """02:00 UTC of the day after the window of that week, 0 the first."""
        return midnight(self.every[HISTORY + self.window + WEEK * week - 1]) + timedelta(days=1, hours=2)

    def settings(self, week: int, **other: Any) -> Settings:
        """Those whose holdout gives the window so many days."""
        start = midnight(self.every[HISTORY + WEEK * week])
        holdout = math.ceil((self.as_of(week) - start + Settings().embargo) / timedelta(days=1))
        return Settings(holdout_days=holdout, **other)


def midnight(day: Any) -> datetime:
    """00:00 UTC of that day."""
    date = day.astype(object)
    return datetime(date.year, date.month, date.day, tzinfo=UTC)


class Told:
    """A book as a source gives it: each idea known at 21:00 UTC of its day, closed at that of the next market day."""

    def __init__(self, book: Book, calendar: Calendar) -> None:
        order = np.argsort(book.day, kind="stable")
        there = np.clip(book.day[order] + HISTORY, 0, len(calendar.every) - 2)
        hours = np.timedelta64(21, "h")
        closed = calendar.every[there + 1].astype("datetime64[ns]") + hours
        features = np.zeros((len(order), 7), dtype=np.float32)
        features[:, 0], features[:, 1] = book.challenger[order], book.champion[order]
        self._calendar = calendar
        self._ideas = Ideas(
            symbol=np.array([f"S{number:05d}" for number in range(len(order))]),
            strategy=np.full(len(order), "book"),
            time=calendar.every[there].astype("datetime64[ns]") + hours,
            features=features,
            outcome=book.outcome[order],
            closed_at=closed,
            known_at=closed,
            path_start=np.arange(len(order) + 1, dtype=np.int64),
            path_day=market_day(closed),
            path_return=book.outcome[order],
        )

    def dataset(self, week: int = 0) -> Dataset:
        """What is known at the as-of of that week."""
        as_of, known = self._calendar.as_of(week), HISTORY + self._calendar.window + WEEK * week
        ideas = self._ideas.take(self._ideas.known_at <= instant(as_of))
        newest = midnight(self._calendar.every[known - 1]) + timedelta(hours=21)
        return Dataset(ideas, self._calendar.every[:known], YEAR, as_of, newest, True, "made up", ())


def contenders(start: datetime) -> tuple[Contender, Contender]:
    """Challenger and champion, whose scores are the first and second feature."""
    trained = start - timedelta(days=Settings().embargo_days + 30)
    return (
        Contender("gatekeeper_2", "a" * 64, 0.55, lambda rows: rows[:, 0], trained),
        Contender("gatekeeper_primary1", "b" * 64, 0.55, lambda rows: rows[:, 1], trained),
    )


def verdicts(book: Callable[[np.random.Generator], Book], days: int, repeats: int, seed: int, **other: Any) -> Shares:
    """The verdicts of all policies on `repeats` such books."""
    calendar = Calendar.of(days)
    settings, (ours, theirs) = calendar.settings(0, **other), contenders(midnight(calendar.every[HISTORY]))
    promoted: Counter = Counter()
    decided_by: Counter = Counter()
    for rng in streams(repeats, seed):
        run = backtest.run(Told(book(rng), calendar).dataset(), settings, ours, theirs)
        for name in ("better", "safe", "proven"):
            found = judge(run.challenger, run.champion, run.rules.policy.with_name(name), run.ungated)
            promoted[name] += found.answer == "promote"
            decided_by[name, found.answer, found.decided_by] += 1
    return Shares(repeats, {name: promoted[name] / repeats for name in ("better", "safe", "proven")}, decided_by)


def replaced(
    book: Callable[[np.random.Generator], Book], days: int, weeks: int, repeats: int, seed: int, **other: Any
) -> Row:
    """(repeats,) the week in which `safe` promotes the challenger, tested every week; `weeks` where it never does."""
    calendar = Calendar.of(days, weeks)
    ours, theirs = contenders(midnight(calendar.every[HISTORY]))
    settings = [calendar.settings(week, **other) for week in range(weeks)]
    found = np.full(repeats, weeks)
    for number, rng in enumerate(streams(repeats, seed)):
        told = Told(book(rng), calendar)
        for week in range(weeks):
            run = backtest.run(told.dataset(week), settings[week], ours, theirs)
            verdict = judge(run.challenger, run.champion, run.rules.policy.with_name("safe"), run.ungated)
            if verdict.answer == "promote":
                found[number] = week
                break
    return found


def streams(repeats: int, seed: int) -> Iterator[np.random.Generator]:
    """One generator a repeat, so that a cell can be repeated in parts."""
    for number in range(repeats):
        yield np.random.default_rng([seed, number])
