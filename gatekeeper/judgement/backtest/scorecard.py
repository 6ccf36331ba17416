"""What did a backtest measure, of which model, and over which window?"""

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
    """The stretch that the models are compared on. Empty or negative where `end` is not after `start`."""

    start: datetime
    """First instant at which an idea may start."""
    end: datetime
    """Last instant at which an idea may start: the as-of minus the longest hold."""
    as_of: datetime
    days: int
    """Market days from the start's to the last one closed by the as-of."""
    bound_by: str = HOLDOUT
    """What the start waits for."""
    ready: date | None = None
    """Where the window is too short: the first date that will do; None where it does, or where no date ever will."""

    @property
    def empty(self) -> bool:
        """Can no idea have started in it, or has no market day closed?"""
        return self.end <= self.start or self.days < 1

    def to_dict(self) -> dict[str, str | int | None]:
        """JSON-friendly; instants in ISO 8601."""
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

    def to_dict(self) -> dict[str, object]:
        """JSON-friendly, every number finite or null; nothing of single ideas."""
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
        """What `to_dict` wrote, but for what it leaves out: the window, and which ideas were kept."""
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
