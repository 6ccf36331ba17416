"""Live performance: the primary since its promotion, next to the model before it and ungated, on the same ideas."""

import math
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

import numpy as np
from msgspec import structs
from numpy.typing import NDArray

from gatekeeper.documents.check import LiveGain
from gatekeeper.documents.evaluation import Policy, Rules, Verdict, Window
from gatekeeper.judgement.backtest.backtest import ScorecardBuilder
from gatekeeper.judgement.backtest.contender import Contender
from gatekeeper.judgement.backtest.daily_returns import days_from
from gatekeeper.judgement.backtest.scorecard import Scorecard
from gatekeeper.judgement.live.selection import shrunk, surprise
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

    def gain(self, promise: LiveGain) -> LiveGain:
        """The promised gain next to the realised one (Ledoit & Wolf 2008)."""
        if self.before is None or not self.enough:
            return promise
        gain, error = gain_over(self.primary, self.before, self.risk_free, self.periods_per_year)
        measured, measured_error = promise.measured, promise.measured_error
        off = None
        if gain is not None and error and measured is not None and measured_error:
            off = surprise(measured, measured_error, gain, error, promise.least)
        return structs.replace(promise, realised=gain, realised_error=error, surprise=off)


def promised(verdict: Verdict, policy: Policy) -> LiveGain:
    """The gain that an evaluation measured, and what it promises.

    Nothing if it compared what the models made of the capital, not their Sharpe: then it had no gate `better`.
    """
    gain, error = verdict.gain, verdict.standard_error
    if not any(gate.name == "better" for gate in verdict.gates):
        return LiveGain()
    if gain is None or not error:
        return LiveGain(measured=gain, measured_error=error)
    mean, spread = shrunk(gain, error, policy.gain_of_interest)
    return LiveGain(mean, spread, measured=gain, measured_error=error, least=_least(verdict, policy))


def _least(verdict: Verdict, policy: Policy) -> float | None:
    """The gain from which on this error would have let it through; None if no gain was asked for."""
    if verdict.answer != "promote" or verdict.gain is None:
        return None
    if policy.tolerance is None or verdict.bound is None:
        return policy.margin
    return max(policy.margin, verdict.gain - verdict.bound - policy.tolerance)


def gain_over(one: Scorecard, other: Scorecard, risk_free: float, periods: int) -> tuple[float | None, float | None]:
    """Annual Sharpe of one card's excess returns over that of another of the same days, and its standard error."""
    ours, theirs = (card.excess(risk_free, periods) for card in (one, other))
    found, annual = sharpe_difference(ours, theirs), math.sqrt(periods)
    return _times(found.delta, annual), _times(found.standard_error, annual)


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
