"""What did a backtest measure, of which model?"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import numpy as np
from numpy.typing import NDArray

from gatekeeper.documents.evaluation import ScorecardRecord, StreamFigures, Window


@dataclass(frozen=True, slots=True, eq=False)
class Scorecard:
    """One model (or the ungated stream) on the ideas of one window.

    `daily`: (T,) returns as fractions of the initial capital, one for every market day of the window. `scores` and
    `kept`: (n,), one for every idea of the window. A card with `tested` False carries no numbers: its model has the
    other's very bytes.
    """

    name: str
    window: Window
    daily: NDArray[np.float64]
    kept: NDArray[np.bool_]
    sharpe: float | None
    """Annual; None where undefined."""
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
    """Kept ideas that were not entered, because as many positions were open as may be."""
    stands_for: str | None = None
    """The live model, or the one that would be, where that is another: this one's refit (refit_agreement.py)."""

    @property
    def live(self) -> str:
        """The name of the model that answers, or would."""
        return self.stands_for or self.name

    @property
    def kept_trades(self) -> int:
        """How many ideas were not vetoed."""
        return int(np.count_nonzero(self.kept))

    @property
    def taken_trades(self) -> int:
        """How many of them were entered: what the returns rest on."""
        return self.kept_trades - self.passed_over

    @property
    def ideas(self) -> int:
        """How many ideas there were to take."""
        return len(self.kept)

    def record(self) -> ScorecardRecord:
        """As documents keep it: nothing of single ideas."""
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
            daily=self.daily.tolist(),
        )

    @classmethod
    def of(
        cls,
        record: StreamFigures,
        daily: Sequence[float],
        window: Window,
        kept: NDArray[np.bool_],
        stands_for: str | None = None,
    ) -> "Scorecard":
        """What a document keeps, and what it leaves out: the window, and which ideas were kept."""
        return cls(
            name=record.name,
            window=window,
            daily=np.array(daily, dtype=np.float64),
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
        )
