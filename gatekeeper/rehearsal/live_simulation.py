"""Live simulation: returns of the trades that each week's deployed model would have approved out of sample."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta

import numpy as np
from numpy.typing import NDArray

from gatekeeper.documents.rehearsal import StreamResult
from gatekeeper.documents.rules import Rules
from gatekeeper.judgement.backtest.contender import Contender, keeps
from gatekeeper.judgement.backtest.daily_returns import Marks
from gatekeeper.judgement.backtest.sizing import Sizing
from gatekeeper.judgement.statistics.sharpe import excess_returns, max_drawdown, sharpe_ratio
from gatekeeper.market.ideas import Dataset, Ideas, instant

DAY = 86_400.0


@dataclass(frozen=True, slots=True, eq=False)
class Stage:
    """The ideas of the rehearsed period with their outcomes as known at its end, and every market day of it."""

    ideas: Ideas
    days: NDArray[np.datetime64]
    rules: Rules

    @classmethod
    def of(cls, last: Dataset, first: datetime, rules: Rules) -> "Stage":
        """The stage from the first Monday to the last idea whose outcome is certain to be known."""
        time = last.ideas.time
        came = (time >= instant(first)) & (time <= instant(last.as_of - timedelta(days=rules.longest_hold_days)))
        days = last.market_days[last.market_days >= instant(first).astype("datetime64[D]")]
        return cls(last.ideas.take(came), days, rules)

    def days_from(self, begins: datetime) -> NDArray[np.datetime64]:
        """The market days from this Monday on."""
        return np.asarray(self.days[self.days >= instant(begins).astype("datetime64[D]")])

    def between(self, since: datetime, until: datetime) -> slice:
        """The ideas that came from `since` on, and before `until`."""
        start, stop = np.searchsorted(self.ideas.time, np.array([instant(since), instant(until)]))
        return slice(int(start), int(stop))

    def kept(self, model: Contender | None, when: slice) -> NDArray[np.bool_]:
        """The ideas of this slice that the model approves, as a mask; none without a model."""
        features = self.ideas.features[when]
        if model is None or len(features) == 0:
            return np.zeros(len(features), dtype=np.bool_)
        return keeps(np.asarray(model.score(features), dtype=np.float32), model.threshold)

    @property
    def sizing(self) -> Sizing:
        """The size of each trade, and the limit on open positions."""
        return Sizing.of_rules(self.rules)


@dataclass(slots=True, eq=False)
class Track:
    """One way to choose the deployed model, and the ideas that it approved."""

    name: str
    stage: Stage
    kept: NDArray[np.bool_] = field(init=False)
    ages: list[float] = field(default_factory=list)
    """Age in days of the deployed model's training data at each Monday."""

    def __post_init__(self) -> None:
        self.kept = np.zeros(len(self.stage.ideas), dtype=np.bool_)

    def live(self, model: Contender | None, since: datetime, until: datetime) -> None:
        """Let this model decide the ideas from `since` on and before `until`."""
        when = self.stage.between(since, until)
        self.kept[when] = self.stage.kept(model, when)
        if model is not None and model.trained_to is not None:
            self.ages.append((since - model.trained_to).total_seconds() / DAY)

    def taken(self, when: slice, instead: NDArray[np.bool_] | None = None) -> NDArray[np.bool_]:
        """The ideas of this slice that are entered, as a mask: of the approved ones, or of these instead.

        Positions opened before the slice count toward the limit on open positions either way.
        """
        stage, kept = self.stage, self.kept[: when.stop].copy()
        if instead is not None:
            kept[when] = instead
        return stage.sizing.taken(stage.ideas, kept)[when]

    def made(self, when: slice, taken: NDArray[np.bool_]) -> float:
        """Return of these entered ideas of the slice as a part of the initial capital."""
        size, outcome = self.stage.sizing.of(self.stage.ideas), self.stage.ideas.outcome[when][taken]
        if isinstance(size, float):
            return float(size * outcome.sum())
        return float((size[when][taken] * outcome).sum())

    def result(self, begins: datetime) -> StreamResult:
        """The figures for the days from `begins` on; undefined ones are None."""
        stage, days = self.stage, self.stage.days_from(begins)
        counted = self.kept & (stage.ideas.time >= instant(begins))
        taken = stage.sizing.taken(stage.ideas, counted)
        marks = Marks.of(stage.ideas, days, stage.sizing.of(stage.ideas), marked=stage.rules.marked)
        daily, exposed, year = marks.daily(taken), marks.exposed(taken), stage.rules.periods_per_year
        return StreamResult(
            name=self.name,
            ideas=int(np.count_nonzero(stage.ideas.time >= instant(begins))),
            kept_trades=int(np.count_nonzero(counted)),
            passed_over=int(np.count_nonzero(counted & ~taken)),
            sharpe=sharpe_ratio(excess_returns(daily, exposed, stage.rules.risk_free, year), year),
            total_return=float(daily.sum()),
            max_drawdown=max_drawdown(daily),
            age_days=float(np.mean(self.ages)) if self.ages else None,
            daily=daily.tolist(),
            exposed=exposed.tolist(),
        )
