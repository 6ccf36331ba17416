"""Differing trades: ideas that only one of two models entered, and the history that says what such ideas make."""

from datetime import datetime

import numpy as np
from numpy.typing import NDArray

from gatekeeper.documents.evaluation import Rules
from gatekeeper.documents.evidence import DifferingIdeas, PooledHistory
from gatekeeper.judgement.backtest.sizing import Sizing, each
from gatekeeper.judgement.statistics.pooled_error import Weeks, differing_ideas, pooled_history, week_of
from gatekeeper.judgement.statistics.sharpe import risk_free_per_period
from gatekeeper.market.data.trades.closed_trades import day_of
from gatekeeper.market.ideas import Dataset, Ideas, instant

Mask = NDArray[np.bool_]
Days = NDArray[np.datetime64]


def history(dataset: Dataset, rules: Rules, start: datetime) -> PooledHistory | None:
    """The pool of a window that starts then: every idea whose outcome was known. None if there are too few."""
    known = dataset.ideas.take(dataset.ideas.known_at <= instant(start))
    return pooled_history(
        made_by_each(known, rules, dataset.market_days), week_of(entry_days(known, marked=rules.marked))
    )


def differing(ours: Mask, theirs: Mask, ideas: Ideas, rules: Rules, market_days: Days) -> DifferingIdeas:
    """The ideas that one alone entered; ours, theirs: (n,) what challenger and champion entered."""
    weeks: Weeks = week_of(entry_days(ideas, marked=rules.marked))
    only_ours, only_theirs = ours & ~theirs, theirs & ~ours
    made = made_by_each(ideas, rules, market_days)
    return differing_ideas(weeks[only_ours], weeks[only_theirs], float(made[only_theirs].sum()))


def made_by_each(ideas: Ideas, rules: Rules, market_days: Days) -> NDArray[np.float64]:
    """(n,) what each idea makes of capital if it is entered, less the risk-free rate of the nights that it is held."""
    size = each(Sizing.of_rules(rules).of(ideas), len(ideas))
    if not rules.risk_free:
        return size * ideas.outcome
    nights = np.searchsorted(market_days, exit_days(ideas), side="right") - np.searchsorted(
        market_days, entry_days(ideas, marked=rules.marked), side="right"
    )
    rate = risk_free_per_period(rules.risk_free, rules.periods_per_year)
    return np.asarray(size * (ideas.outcome - rate * np.maximum(nights, 0)))


def entry_days(ideas: Ideas, *, marked: bool) -> Days:
    """(n,) day of each idea's first mark; without marks, of the idea."""
    days = day_of(ideas.time)
    if marked:
        some = np.flatnonzero(np.diff(ideas.path_start))
        days[some] = ideas.path_day[ideas.path_start[some]]
    return days


def exit_days(ideas: Ideas) -> Days:
    """(n,) day of each idea's last mark; without a path, of its exit."""
    days = day_of(ideas.closed_at)
    some = np.flatnonzero(np.diff(ideas.path_start))
    days[some] = ideas.path_day[ideas.path_start[some + 1] - 1]
    return days
