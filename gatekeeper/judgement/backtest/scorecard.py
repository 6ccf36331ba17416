"""Scorecards: daily returns, Sharpe ratio, drawdown and decisions of one model over one backtest window."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

import numpy as np
from numpy.typing import NDArray

HOLDOUT = "the holdout"
"""`Window.bound_by` of a window that starts as long before the as-of as the holdout allows."""


@dataclass(frozen=True, slots=True)
class Window:
    """The out-of-sample period on which models are compared. Empty or negative if `end` is not after `start`."""

    start: datetime
    """The first instant at which an idea may start."""
    end: datetime
    """The last instant at which an idea may start: the as-of less the longest hold."""
    as_of: datetime
    days: int
    """Market days from that of the start to the last one closed by the as-of."""
    bound_by: str = HOLDOUT
    """What limits the start: the holdout, or a model's data."""
    ready: date | None = None
    """If the window is too short, the first date at which it is not; None if it is long enough, or never will be."""

    @property
    def empty(self) -> bool:
        """Whether no idea can have started in it, or no market day has closed."""
        return self.end <= self.start or self.days < 1

    def to_dict(self) -> dict[str, str | int | None]:
        """The window for JSON; instants in ISO 8601."""
        return {
            "start": self.start.isoformat(),
            "end": self.end.isoformat(),
            "as_of": self.as_of.isoformat(),
            "days": self.days,
            "bound_by": self.bound_by,
            "ready": None if self.ready is None else self.ready.isoformat(),
        }


@dataclass(frozen=True, slots=True, eq=False)
class Scorecard:
    """One model (or the ungated stream) on the ideas of one window.

    `daily`: (T,) returns as fractions of the initial capital, one for every market day of the window. `scores` and
    `kept`: (n,), one for every idea of the window. A card with `tested` False carries no numbers: its model has the
    same bytes as the other.
    """

    name: str
    window: Window
    daily: NDArray[np.float64]
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

    @property
    def ideas(self) -> int:
        """The number of ideas in the window."""
        return len(self.kept)

    def to_dict(self) -> dict[str, object]:
        """The card for JSON, every number finite or null, without single ideas."""
        return {
            "name": self.name,
            "model_id": self.model_id,
            "sha256": self.sha256,
            "threshold": self.threshold,
            "trained_to": None if self.trained_to is None else self.trained_to.isoformat(),
            "tested": self.tested,
            "out_of_sample": self.out_of_sample,
            "ideas": self.ideas,
            "kept_trades": self.kept_trades,
            "passed_over": self.passed_over,
            "win_rate": self.win_rate,
            "sharpe": self.sharpe,
            "total_return": self.total_return,
            "max_drawdown": self.max_drawdown,
            "daily": self.daily.tolist(),
        }

    @classmethod
    def from_dict(
        cls, said: Mapping[str, Any], window: Window, kept: NDArray[np.bool_], stands_for: str | None = None
    ) -> "Scorecard":
        """The card that `to_dict` wrote, with the window and the approved ideas, which it leaves out."""
        return cls(
            name=said["name"],
            window=window,
            daily=np.array(said["daily"], dtype=np.float64),
            kept=kept,
            sharpe=said["sharpe"],
            total_return=said["total_return"],
            max_drawdown=said["max_drawdown"],
            win_rate=said["win_rate"],
            out_of_sample=said["out_of_sample"],
            sha256=said["sha256"],
            threshold=said["threshold"],
            trained_to=None if said["trained_to"] is None else datetime.fromisoformat(said["trained_to"]),
            model_id=said["model_id"],
            tested=said["tested"],
            passed_over=said.get("passed_over", 0),
            stands_for=stands_for,
        )
