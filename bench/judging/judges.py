"""Time to score and judge a million ideas by champion and challenger, next to scikit-learn and empyrical."""

import math
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import numpy as np
from results import FASTER, Result, missing, pair
from threadpoolctl import threadpool_limits

from gatekeeper.judgement import judge
from gatekeeper.judgement.backtest import backtest
from gatekeeper.judgement.backtest.contender import Contender
from gatekeeper.market.ideas import Dataset, Ideas, instant
from gatekeeper.model.export import convert
from gatekeeper.model.recipes import RECIPES
from gatekeeper.model.verify import verify
from gatekeeper.settings import Settings

SIZES = (10_000, 100_000, 1_000_000)
AS_OF = datetime(2024, 1, 1, 2, tzinfo=UTC)
SETTINGS = Settings()
YEARLY = 252
THRESHOLD = 0.5
"""About half of the ideas pass it."""
BOUND = {
    "logistic": "the runtime's scoring is half of it, the daily sums of three streams over three million marks are "
    "two fifths",
    "hist_gradient_boosting": "the runtime's scoring is over nine tenths of it, 1.5 µs a row and model, at which the "
    "other side as a whole takes 1.6 times as long; the same row over and over takes half of that, which points to "
    "branches guessed wrong where random rows go any way through 80 trees; smaller batches are no faster",
}
"""By recipe."""
LONGEST = 5
"""Market days that an idea of `made_up` is open at most."""


def main(*, quick: bool) -> list[Result]:
    """A row for each recipe and size."""
    return [
        beside(recipe, made_up(ideas), rounds=2 if quick else 7)
        for recipe in ("logistic", "hist_gradient_boosting")
        for ideas in (SIZES[:1] if quick else SIZES)
    ]


def beside(recipe: str, dataset: Dataset, *, rounds: int) -> Result:
    """Two models of one recipe."""
    work, size = f"score and judge, {recipe}", f"{len(dataset.ideas):,} ideas"
    try:
        peer = f"scikit-learn {version('scikit-learn')} + empyrical-reloaded {version('empyrical-reloaded')}"
    except PackageNotFoundError:
        return missing("Judging", work, "empyrical-reloaded", "it is not installed here", size)
    estimators = [fitted(recipe, dataset, seed) for seed in (0, 1)]
    sides = [contender(f"model_{number}", estimator) for number, estimator in enumerate(estimators)]
    first, second = ours(dataset, *sides), by_hand(dataset, estimators)
    if not math.isclose(first(), second(), rel_tol=1e-6):
        raise RuntimeError(f"the challenger's Sharpe is {first()} here and {second()} there: not the same work")
    note = (
        "one thread each, and the same Sharpe of the challenger to six digits; ours also finds the window, checks all "
        "scores, tests the difference of the two Sharpes and decides; the others give scores, Sharpe, drawdown and "
        f"total, by pandas' sums of each day. What bounds ours at 1e6 ideas: {BOUND[recipe]}"
    )
    with threadpool_limits(1):
        return pair(
            "Judging",
            work,
            size,
            peer,
            first,
            second,
            rounds=rounds,
            as_=FASTER,
            at_least=2 if len(dataset.ideas) == SIZES[-1] else None,
            note=note,
        )


def made_up(count: int) -> Dataset:
    """Seeded ideas in a year's window; what they make hangs a little on their features."""
    rng = np.random.default_rng(0)
    start = AS_OF - SETTINGS.holdout + SETTINGS.embargo + timedelta(days=1)
    minutes = int((AS_OF - SETTINGS.longest_hold - start) / timedelta(minutes=1))
    time = np.sort(instant(start) + rng.integers(0, minutes, count) * np.timedelta64(1, "m"))
    features = rng.uniform([5, 5, -0.05, 0.01, 0, 0, 0], [95, 60, 0.05, 0.2, 1, 1, 1], (count, 7)).astype(np.float32)
    features[:, 6] = np.round(features[:, 6])
    days = np.arange("2020-01-01", AS_OF.date(), dtype="datetime64[D]")
    days = days[np.is_busday(days)]
    open_for = rng.integers(1, LONGEST + 1, count)
    path_start = np.append(0, np.cumsum(open_for))
    step = np.arange(path_start[-1]) - np.repeat(path_start[:-1], open_for)
    path_day = days[np.repeat(np.searchsorted(days, time.astype("datetime64[D]")), open_for) + step]
    hoped = 0.001 * (features[:, 0] / 50 - 1)
    made = np.repeat(hoped, open_for) + rng.normal(0, 0.01, path_start[-1])
    closed = path_day[path_start[1:] - 1].astype("datetime64[ns]") + np.timedelta64(1, "D")
    ideas = Ideas(
        symbol=np.array([f"SYM{number}" for number in range(10)])[rng.integers(0, 10, count)],
        strategy=np.array(["range_bounce", "trend_pullback"])[rng.integers(0, 2, count)],
        time=time,
        features=features,
        outcome=np.add.reduceat(made, path_start[:-1]),
        closed_at=closed,
        known_at=closed,
        path_start=path_start,
        path_day=path_day,
        path_return=made,
    )
    return Dataset(ideas.in_order(), days, YEARLY, AS_OF, AS_OF - timedelta(hours=2), True, "bench", ())


def fitted(recipe: str, dataset: Dataset, seed: int) -> Any:
    """An estimator of its own few thousand ideas."""
    rows = np.random.default_rng(seed).choice(len(dataset.ideas), 5_000, replace=False)
    features, wins = dataset.ideas.features[rows], dataset.ideas.wins[rows]
    with threadpool_limits(1):
        return RECIPES[recipe](seed).fit(features.astype(np.float64), wins.astype(np.int64))


def contender(name: str, estimator: Any) -> Contender:
    """Its export, verified, trained well before the window."""
    content = convert(estimator, {})
    scorer = verify(content, cap=len(content))
    return Contender(name, scorer.sha256, THRESHOLD, scorer.score, AS_OF - timedelta(days=400))


def ours(dataset: Dataset, champion: Contender, challenger: Contender) -> Callable[[], float]:
    """Backtest and verdict; the challenger's Sharpe."""

    def work() -> float:
        measured = backtest.run(dataset, SETTINGS, challenger, champion)
        policy = measured.rules.policy
        judge(measured.challenger, measured.champion, policy, measured.ungated)
        return measured.challenger.sharpe or 0.0

    return work


def by_hand(dataset: Dataset, estimators: list[Any]) -> Callable[[], float]:
    """The same three streams of daily returns as one would write them; the challenger's Sharpe."""
    import empyrical
    import pandas as pd

    ideas = dataset.ideas
    start = AS_OF - SETTINGS.holdout + SETTINGS.embargo
    days = dataset.market_days[dataset.market_days >= np.datetime64(start.date())]

    def stream(kept: np.ndarray) -> float:
        marks = np.repeat(kept, np.diff(ideas.path_start))
        made = pd.Series(ideas.path_return[marks]).groupby(ideas.path_day[marks]).sum()
        daily = SETTINGS.fraction * made.reindex(pd.DatetimeIndex(days), fill_value=0.0)
        empyrical.max_drawdown(daily)
        daily.sum()
        ideas.wins[kept].mean()
        return float(empyrical.sharpe_ratio(daily, annualization=YEARLY))

    def work() -> float:
        streams = [stream(each.predict_proba(ideas.features)[:, 1] >= THRESHOLD) for each in estimators]
        stream(np.ones(len(ideas), dtype=np.bool_))
        return streams[1]

    return work
