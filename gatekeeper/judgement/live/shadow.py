"""Shadow: what a standby model would have made on the live ideas since it exists, next to the primary."""

import math
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from gatekeeper.documents.check import CheckedModel, ShadowModel
from gatekeeper.documents.evaluation import Rules, Window
from gatekeeper.judgement.backtest.backtest import ScorecardBuilder
from gatekeeper.judgement.backtest.contender import Contender
from gatekeeper.judgement.backtest.daily_returns import days_from
from gatekeeper.judgement.backtest.scorecard import Scorecard
from gatekeeper.judgement.live.live import gain_over
from gatekeeper.judgement.statistics.sharpe import FEWEST_DAYS
from gatekeeper.judgement.statistics.track_record import Moments
from gatekeeper.market.ideas import Dataset, instant


@dataclass(frozen=True, slots=True, eq=False)
class Standby:
    """A standby model, and since when it exists."""

    model: CheckedModel
    contender: Contender
    since: datetime


@dataclass(frozen=True, slots=True, eq=False)
class ShadowWindow:
    """The ideas known by the as-of, the rules, and the primary with the start of its reign."""

    dataset: Dataset
    rules: Rules
    primary: Contender
    reign: datetime

    def measure(self, standby: Standby) -> ShadowModel:
        """The model on the ideas that started since it exists, and against the primary since both do.

        Only ideas that started at least the longest hold before the as-of count, as in a backtest. Raises DataError for
        scores that don't fit the ideas.
        """
        book = self._book(standby.since)
        card = book.measure(standby.contender)
        common = book if standby.since >= self.reign else self._book(self.reign)
        ours = card if common is book else common.measure(standby.contender)
        gain, gain_error = None, None
        if self._enough(ours):
            other, rules = common.measure(self.primary), self.rules
            gain, gain_error = gain_over(ours, other, rules.risk_free, rules.periods_per_year)
        days = len(card.daily)
        spread = float(card.daily.std(ddof=1)) if days > 1 else None
        return ShadowModel(
            model=standby.model,
            since=standby.since,
            ideas=card.ideas,
            days=days,
            approved=card.kept_trades,
            total_return=card.total_return,
            total_return_error=None if spread is None else spread * math.sqrt(days),
            max_drawdown=card.max_drawdown,
            sharpe=card.sharpe if self._enough(card) else None,
            sharpe_error=self._sharpe_error(card) if self._enough(card) else None,
            gain=gain,
            gain_error=gain_error,
            gain_ideas=ours.ideas,
        )

    def _book(self, since: datetime) -> ScorecardBuilder:
        as_of = self.dataset.as_of.astimezone(UTC)
        days = self.dataset.market_days[days_from(self.dataset, since)]
        span = Window(since, as_of - timedelta(days=self.rules.longest_hold_days), as_of, len(days), "its registration")
        started = self.dataset.ideas.time
        ideas = self.dataset.ideas.take((started >= instant(span.start)) & (started <= instant(span.end)))
        return ScorecardBuilder.of(self.rules, span, ideas, days)

    def _enough(self, card: Scorecard) -> bool:
        return card.ideas >= self.rules.policy.floor_trades and len(card.daily) >= FEWEST_DAYS

    def _sharpe_error(self, card: Scorecard) -> float | None:
        record = Moments.of(card.excess(self.rules.risk_free, self.rules.periods_per_year))
        if record is None or record.variance <= 0:
            return None
        return math.sqrt(record.variance / (record.periods - 1) * self.rules.periods_per_year)
