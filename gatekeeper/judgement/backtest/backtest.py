"""Backtest: scorecards of challenger, champion and ungated on the same out-of-sample ideas."""

from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from gatekeeper.documents.evaluation import HOLDOUT, Refit, Rules, Twins, Window
from gatekeeper.documents.evidence import Evidence, PooledHistory
from gatekeeper.documents.rules import known
from gatekeeper.documents.traded import BuyAndHold
from gatekeeper.judgement.backtest import buy_and_hold, differing_trades
from gatekeeper.judgement.backtest.contender import Contender, decided
from gatekeeper.judgement.backtest.daily_returns import Marks, days_from
from gatekeeper.judgement.backtest.refit_agreement import compared
from gatekeeper.judgement.backtest.rules import rules_of
from gatekeeper.judgement.backtest.scorecard import Scorecard
from gatekeeper.judgement.backtest.sizing import Sizing
from gatekeeper.judgement.statistics.sharpe import excess_returns, max_drawdown, sharpe_ratio
from gatekeeper.market.ideas import Dataset, Ideas, instant

if TYPE_CHECKING:
    from gatekeeper.settings import Settings


AROUND_THE_CLOCK = 365


@dataclass(frozen=True, slots=True, eq=False)
class Backtest:
    """The scorecards of one comparison, and the ideas and market days that all of them are measured on."""

    window: Window
    ideas: Ideas
    days: NDArray[np.datetime64]
    """(T,) market days."""
    rules: Rules
    challenger: Scorecard
    champion: Scorecard | None
    ungated: Scorecard
    twins: Twins | None = None
    """The deployed refits of challenger and champion; None if both are deployed themselves."""
    pool: PooledHistory | None = None
    """The ideas known before the window; None if there are too few."""
    held: BuyAndHold | None = None
    """Buy and hold of the source's symbols; None if it has no bars."""

    @property
    def refit(self) -> Refit | None:
        """The refit that would be deployed instead of the challenger."""
        return None if self.twins is None else self.twins.challenger

    @property
    def sizing(self) -> Sizing:
        """The size of each trade, and the limit on open positions."""
        return Sizing.of_rules(self.rules)

    @property
    def as_of(self) -> datetime:
        """The instant after which no data are used."""
        return self.window.as_of


def window(dataset: Dataset, rules: Rules, challenger: Contender, champion: Contender | None) -> Window:
    """The out-of-sample window of both: from the latest of `as_of - holdout` and their data's ends, plus the embargo.

    Never raises: an empty or negative window fails the gate `comparable`.
    """
    as_of = dataset.as_of.astimezone(UTC)
    starts = [(as_of - timedelta(days=known(rules.holdout_days)), HOLDOUT)]
    for contender in (challenger, champion):
        if contender is not None and contender.seen_to is not None:
            how = "data" if contender.trained_to else "creation"
            starts.append((contender.seen_to, f"the {how} of {contender.name}"))
    latest, bound_by = max(starts, key=lambda each: each[0])
    start = latest.astimezone(UTC) + timedelta(days=known(rules.embargo_days))
    days = int(np.count_nonzero(days_from(dataset, start)))
    end = as_of - timedelta(days=rules.longest_hold_days)
    ready = None
    if end <= start or days < rules.policy.floor_days:
        ready = ready_on(dataset.market_days, rules, start, days)
    return Window(start, end, as_of, days, bound_by, ready)


def run(
    dataset: Dataset,
    settings: "Settings",
    challenger: Contender,
    champion: Contender | None = None,
    pool: PooledHistory | None = None,
) -> Backtest:
    """Scores and values every idea of the window, for each model and for the ungated stream.

    pool: the ideas known before the window, of a dataset that has been cut to the window; else the dataset's own.
    A challenger with the champion's bytes and threshold is not scored at all. Raises DataError for scores that don't
    fit the ideas, and the scorer's own errors.
    """
    rules = rules_of(settings, periods_per_year=dataset.periods_per_year, marked=dataset.marked)
    span = window(dataset, rules, challenger, champion)
    started = dataset.ideas.time
    ideas = dataset.ideas.take((started >= instant(span.start)) & (started <= instant(span.end)))
    days = dataset.market_days[days_from(dataset, span.start)]
    pool = pool or differing_trades.history(dataset, rules, span.start)
    book = ScorecardBuilder.of(rules, span, ideas, days)
    same = champion is not None and (champion.sha256, champion.threshold) == (challenger.sha256, challenger.threshold)
    measure = book.untested if same else book.measure
    card, theirs = measure(challenger), None if champion is None else measure(champion)
    if theirs is not None and not same:
        card = book.against(theirs, card, pool)
    return Backtest(
        window=span,
        ideas=ideas,
        days=days,
        rules=rules,
        challenger=card,
        champion=theirs,
        ungated=book.card("ungated", np.ones(len(ideas), dtype=np.bool_)),
        twins=compared(challenger, champion, card, ideas, settings.refit_disagreement),
        pool=pool,
        held=buy_and_hold.of(dataset, days),
    )


@dataclass(frozen=True, slots=True, eq=False)
class ScorecardBuilder:
    """Builds the scorecards of one backtest from the parts that they share."""

    rules: Rules
    window: Window
    ideas: Ideas
    days: NDArray[np.datetime64]
    sizing: Sizing
    marks: Marks

    @classmethod
    def of(cls, rules: Rules, window: Window, ideas: Ideas, days: NDArray[np.datetime64]) -> "ScorecardBuilder":
        """The builder for the window's ideas and market days."""
        sizing = Sizing.of_rules(rules)
        return cls(rules, window, ideas, days, sizing, Marks.of(ideas, days, sizing.of(ideas), marked=rules.marked))

    def measure(self, contender: Contender) -> Scorecard:
        """The card of a model that scores every idea. Raises DataError for scores that don't fit the ideas."""
        scores, kept = decided(contender, self.ideas)
        return self.card(contender.name, kept, scores, contender)

    def against(self, champion: Scorecard, challenger: Scorecard, pool: PooledHistory | None) -> Scorecard:
        """The challenger's card, with how its trades differ from the champion's."""
        ours, theirs = (self.sizing.taken(self.ideas, card.kept) for card in (challenger, champion))
        found = differing_trades.differing(ours, theirs, self.ideas, self.rules, self.days)
        return replace(challenger, evidence=Evidence(found, pool))

    def untested(self, contender: Contender) -> Scorecard:
        """The card of a model that is not scored."""
        return Scorecard(
            name=contender.name,
            window=self.window,
            daily=np.zeros(0),
            exposed=np.zeros(0),
            kept=np.zeros(0, dtype=np.bool_),
            sharpe=None,
            total_return=0.0,
            max_drawdown=0.0,
            win_rate=None,
            out_of_sample=self._out_of_sample(contender),
            sha256=contender.sha256,
            threshold=contender.threshold,
            trained_to=contender.trained_to,
            model_id=contender.model_id,
            tested=False,
            stands_for=contender.refit.name if contender.refit else None,
        )

    def card(
        self,
        name: str,
        kept: NDArray[np.bool_],
        scores: NDArray[np.float32] | None = None,
        contender: Contender | None = None,
    ) -> Scorecard:
        """The card of the approved ideas, an (n,) mask."""
        taken = self.sizing.taken(self.ideas, kept)
        daily, exposed, count = self.marks.daily(taken), self.marks.exposed(taken), np.count_nonzero(taken)
        year = self.rules.periods_per_year
        return Scorecard(
            name=name,
            window=self.window,
            daily=daily,
            exposed=exposed,
            kept=kept,
            sharpe=sharpe_ratio(excess_returns(daily, exposed, self.rules.risk_free, year), year),
            total_return=float(daily.sum()),
            max_drawdown=max_drawdown(daily),
            win_rate=float(np.count_nonzero(taken & self.ideas.wins) / count) if count else None,
            out_of_sample=contender is None or self._out_of_sample(contender),
            scores=scores,
            sha256=contender.sha256 if contender else None,
            threshold=contender.threshold if contender else None,
            trained_to=contender.trained_to if contender else None,
            model_id=contender.model_id if contender else None,
            passed_over=int(np.count_nonzero(kept & ~taken)),
            stands_for=contender.refit.name if contender and contender.refit else None,
        )

    def _out_of_sample(self, contender: Contender) -> bool:
        embargo = timedelta(days=known(self.rules.embargo_days))
        return contender.seen_to is not None and contender.seen_to + embargo <= self.window.start


def ready_on(market_days: NDArray[np.datetime64], rules: Rules, start: datetime, days: int) -> date | None:
    """The first date from which a window with this start is long enough, holidays aside; None if there is none.

    market_days: the days of the window, `days` of them, at its end.
    """
    newest = np.datetime64(start.date() - timedelta(days=1), "D")
    if days:
        newest = market_days[-1]
    mask = "1111111" if rules.periods_per_year == AROUND_THE_CLOCK else "1111100"
    last = np.busday_offset(newest, max(rules.policy.floor_days - days, 0), roll="backward", weekmask=mask)
    closed = last.astype(object) + timedelta(days=1)
    first_idea = (start + timedelta(days=rules.longest_hold_days)).date() + timedelta(days=1)
    ready: date = max(closed, first_idea)
    # By then the holdout may have moved the start on, for ever ahead of the floor.
    by_then = datetime(ready.year, ready.month, ready.day, tzinfo=UTC)
    behind = by_then - timedelta(days=known(rules.holdout_days)) + timedelta(days=known(rules.embargo_days))
    return ready if behind <= start else None
