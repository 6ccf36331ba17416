"""Live performance: the primary since its promotion, next to the model before it and ungated, on the same ideas."""

import math
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

import numpy as np
from numpy.typing import NDArray

from gatekeeper.documents.check import LiveGain
from gatekeeper.documents.evaluation import Rules, Window
from gatekeeper.judgement.backtest.backtest import ScorecardBuilder
from gatekeeper.judgement.backtest.contender import Contender
from gatekeeper.judgement.backtest.daily_returns import days_from
from gatekeeper.judgement.backtest.scorecard import Scorecard
from gatekeeper.judgement.statistics.sharpe import FEWEST_DAYS, sharpe_difference
from gatekeeper.market.ideas import Dataset, Ideas, instant


@dataclass(frozen=True, slots=True, eq=False)
class Live:
    """The ideas since the promotion, and each stream's scorecard on them.

    ideas: all whose outcome is known. The cards cover those that started at least the longest hold before the as-of,
    as in a backtest, since among the newest only quick exits are known. Sharpes are None if there are too few.
    """

    window: Window
    ideas: Ideas
    days: NDArray[np.datetime64]
    daily: NDArray[np.float64]
    """(T,) returns of the primary on every idea known, the newest included; its drawdown is measured on them."""
    primary: Scorecard
    before: Scorecard | None
    ungated: Scorecard
    periods_per_year: int
    risk_free: float
    marked: bool
    floor: int

    @property
    def enough(self) -> bool:
        """Whether there are enough ideas and days for a meaningful Sharpe."""
        return self.primary.ideas >= self.floor and len(self.days) >= FEWEST_DAYS

    def gain(self, predicted: float | None, error: float | None) -> LiveGain:
        """Realised gain next to the one predicted by an evaluation against the same model. Ledoit & Wolf (2008)."""
        if self.before is None or not self.enough:
            return LiveGain.of(predicted, error)
        annual = math.sqrt(self.periods_per_year)
        ours, before = (card.excess(self.risk_free, self.periods_per_year) for card in (self.primary, self.before))
        found = sharpe_difference(ours, before)
        return LiveGain.of(predicted, error, _times(found.delta, annual), _times(found.standard_error, annual))


def measure(dataset: Dataset, rules: Rules, since: datetime, primary: Contender, before: Contender | None) -> Live:
    """Scores and values every idea of `dataset` that started at `since` or later, per model, by these rules.

    Raises DataError.
    """
    as_of = dataset.as_of.astimezone(UTC)
    days = dataset.market_days[days_from(dataset, since)]
    span = Window(since, as_of - timedelta(days=rules.longest_hold_days), as_of, len(days), "the promotion")
    ideas = dataset.ideas.take(dataset.ideas.time >= instant(since))
    settled = ideas.take(ideas.time <= instant(span.end))
    whole, book = (ScorecardBuilder.of(rules, span, some, days) for some in (ideas, settled))
    ungated = book.card("ungated", np.ones(len(settled), dtype=np.bool_))
    live = Live(
        window=span,
        ideas=ideas,
        days=days,
        daily=whole.measure(primary).daily,
        primary=book.measure(primary),
        before=None if before is None else book.measure(before),
        ungated=ungated,
        periods_per_year=rules.periods_per_year,
        risk_free=rules.risk_free,
        marked=dataset.marked,
        floor=rules.policy.floor_trades,
    )
    return live if live.enough else _without_sharpes(live)


def _without_sharpes(live: Live) -> Live:
    """The card without its Sharpe, which too few ideas make meaningless."""
    return replace(
        live,
        primary=replace(live.primary, sharpe=None),
        before=None if live.before is None else replace(live.before, sharpe=None),
        ungated=replace(live.ungated, sharpe=None),
    )


def _times(value: float | None, factor: float) -> float | None:
    return None if value is None else value * factor
