"""Scorecards: daily returns, Sharpe ratio, drawdown and decisions of one model over one backtest window."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import numpy as np
from msgspec import UNSET
from numpy.typing import NDArray

from gatekeeper.documents.evaluation import ScorecardRecord, StreamFigures, Window
from gatekeeper.documents.evidence import Evidence
from gatekeeper.judgement.statistics.sharpe import excess_returns


@dataclass(frozen=True, slots=True, eq=False)
class Scorecard:
    """One model (or the ungated stream) on the ideas of one window.

    `daily`: (T,) returns as fractions of the initial capital, one for every market day of the window; `exposed`: (T,)
    the part of it in open positions in the night before each. `scores` and `kept`: (n,), one for every idea of the
    window. A card with `tested` False carries no numbers: its model has the same bytes as the other.
    """

    name: str
    window: Window
    daily: NDArray[np.float64]
    exposed: NDArray[np.float64]
    kept: NDArray[np.bool_]
    sharpe: float | None
    """Annual; None if undefined."""
    total_return: float
    max_drawdown: float
    win_rate: float | None
    out_of_sample: bool
    scores: NDArray[np.float32] | None = None
    sha256: str | None = None
    threshold: float | None = None
    trained_to: datetime | None = None
    model_id: int | None = None
    tested: bool = True
    passed_over: int = 0
    """Approved ideas that were not entered, since the limit on open positions was reached."""
    stands_for: str | None = None
    """The deployed refit of this model, if it has one (refit_agreement.py)."""
    evidence: Evidence | None = None
    """Of a challenger that was tested against a champion: how their trades differ (differing_trades.py)."""

    @property
    def live(self) -> str:
        """The name of the deployed model, this one or its refit."""
        return self.stands_for or self.name

    @property
    def kept_trades(self) -> int:
        """The number of approved ideas."""
        return int(np.count_nonzero(self.kept))

    @property
    def taken_trades(self) -> int:
        """The number of approved ideas that were entered, on which the returns rest."""
        return self.kept_trades - self.passed_over

    def excess(self, risk_free: float, periods_per_year: float) -> NDArray[np.float64]:
        """(T,) daily returns less the yearly risk-free rate on what was exposed: what every Sharpe is made of."""
        return excess_returns(self.daily, self.exposed, risk_free, periods_per_year)

    @property
    def ideas(self) -> int:
        """The number of ideas in the window."""
        return len(self.kept)

    def record(self) -> ScorecardRecord:
        """The card for documents, without single ideas."""
        return ScorecardRecord(
            name=self.name,
            model_id=self.model_id,
            sha256=self.sha256,
            threshold=self.threshold,
            trained_to=self.trained_to,
            tested=self.tested,
            out_of_sample=self.out_of_sample,
            ideas=self.ideas,
            kept_trades=self.kept_trades,
            passed_over=self.passed_over,
            win_rate=self.win_rate,
            sharpe=self.sharpe,
            total_return=self.total_return,
            max_drawdown=self.max_drawdown,
            evidence=UNSET if self.evidence is None else self.evidence,
            daily=self.daily.tolist(),
            exposed=self.exposed.tolist(),
        )

    @classmethod
    def of(
        cls,
        record: StreamFigures,
        daily: Sequence[float],
        exposed: NDArray[np.float64],
        window: Window,
        kept: NDArray[np.bool_],
        stands_for: str | None = None,
    ) -> "Scorecard":
        """The card of a document's record, with the window and the approved ideas, which it leaves out."""
        return cls(
            name=record.name,
            window=window,
            daily=np.array(daily, dtype=np.float64),
            exposed=exposed,
            kept=kept,
            sharpe=record.sharpe,
            total_return=record.total_return,
            max_drawdown=record.max_drawdown,
            win_rate=record.win_rate,
            out_of_sample=record.out_of_sample,
            sha256=record.sha256,
            threshold=record.threshold,
            trained_to=record.trained_to,
            model_id=record.model_id,
            tested=record.tested,
            passed_over=record.passed_over,
            stands_for=stands_for,
            evidence=None if record.evidence is UNSET else record.evidence,
        )
