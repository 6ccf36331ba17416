"""A small evaluation document, whole and true to its form, for tests that are about a part of one."""

from datetime import UTC, datetime
from typing import Any

from gatekeeper.documents import evaluation
from gatekeeper.documents.evaluation import EvaluationDocument

AS_OF = "2018-11-05T02:00:00+00:00"
CARD: dict[str, Any] = {
    "name": "gatekeeper_2", "model_id": 2, "sha256": "a" * 64, "threshold": 0.55, "trained_to": None, "tested": True,
    "out_of_sample": True, "ideas": 40, "kept_trades": 22, "passed_over": 0, "win_rate": None, "sharpe": None,
    "total_return": 0.0, "max_drawdown": 0.0, "daily": [0.0, 0.0],
}  # fmt: skip
WHOLE: dict[str, Any] = {
    "format": 1,
    "window": {
        "start": "2018-01-01T02:00:00+00:00", "end": AS_OF, "as_of": AS_OF, "days": 2, "bound_by": "the holdout",
        "ready": None,
    },
    "days": ["2018-01-02", "2018-01-03"],
    "scorecards": {"challenger": CARD, "champion": None, "ungated": CARD | {"name": "ungated"}},
    "verdict": {
        "answer": "keep", "kind": "weekly", "policy": "safe", "gates": [], "decided_by": "enough", "message": "kept",
    },
    "policy": {
        "name": "safe", "safe_tolerance": 0.5, "alpha": 1 / 52, "margin": 0.0, "floor_trades": 30, "floor_days": 60,
        "drawdown_allowance": 0.05, "gain_of_interest": 0.5, "power": 0.8, "periods_per_year": 252, "risk_free": 0.0,
        "tolerance": 0.5,
    },
    "policies": {}, "trades": {}, "agreement": None, "scores": {}, "outcomes": None,
    "rules": {"periods_per_year": 252, "marked": True, "fraction": 0.05, "risk_free": 0.0},
    "data": {"source": "made by hand", "newest": datetime(2018, 11, 5, tzinfo=UTC).isoformat(), "notes": [],
             "fingerprint": "f" * 64},
}  # fmt: skip


def document(**parts: Any) -> EvaluationDocument:
    """The document with these parts, as JSON, in the place of its own."""
    return evaluation.of_object(WHOLE | parts)


def cards(**changes: Any) -> dict[str, Any]:
    """Scorecards whose challenger has these figures."""
    return WHOLE["scorecards"] | {"challenger": CARD | changes}
