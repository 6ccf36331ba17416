"""A small evaluation document, whole and true to its form, for tests that are about a part of one."""

from datetime import UTC, datetime
from typing import Any

import msgspec

from gatekeeper.documents import evaluation
from gatekeeper.documents.evaluation import EvaluationDocument
from gatekeeper.judgement import rules_of
from gatekeeper.settings import Settings

LATER_GATES = ("saves", "selective", "plausible", "ungated")
AS_OF = "2018-11-05T02:00:00+00:00"
CARD: dict[str, Any] = {
    "name": "gatekeeper_2", "model_id": 2, "sha256": "a" * 64, "threshold": 0.55, "trained_to": None, "tested": True,
    "out_of_sample": True, "ideas": 40, "kept_trades": 22, "passed_over": 0, "win_rate": None, "sharpe": None,
    "total_return": 0.0, "max_drawdown": 0.0, "daily": [0.0, 0.0], "exposed": [0.0, 0.0],
}  # fmt: skip
WHOLE: dict[str, Any] = {
    "format": 3,
    "window": {
        "start": "2018-01-01T02:00:00+00:00", "end": AS_OF, "as_of": AS_OF, "days": 2, "bound_by": "the holdout",
        "ready": None,
    },
    "days": ["2018-01-02", "2018-01-03"],
    "scorecards": {"challenger": CARD, "champion": None, "ungated": CARD | {"name": "ungated"}},
    "verdict": {
        "answer": "keep", "kind": "weekly", "policy": "safe", "gates": [], "decided_by": "enough", "message": "kept",
    },
    "policies": {}, "trades": {}, "agreement": None, "scores": {}, "outcomes": None,
    "rules": msgspec.to_builtins(rules_of(Settings(), periods_per_year=252, marked=True)),
    "data": {"source": "made by hand", "newest": datetime(2018, 11, 5, tzinfo=UTC).isoformat(), "notes": [],
             "fingerprint": "f" * 64},
}  # fmt: skip


def document(**parts: Any) -> EvaluationDocument:
    """The document with these parts, as JSON, in the place of its own."""
    return evaluation.of_object(WHOLE | parts)


def as_format_1(content: dict[str, Any]) -> dict[str, Any]:
    """The JSON of a document as Gatekeeper wrote it before its rules were one: what it held of them then."""
    content = as_format_2(content)
    rules = content["rules"]
    policy, sizing = rules["policy"], rules["sizing"]
    tolerance = {"better": None, "safe": policy["safe_tolerance"], "proven": 0.0}[policy["name"]]
    older = {"periods_per_year": policy["periods_per_year"], "marked": rules["marked"]}
    older |= {"fraction": sizing["fraction"], "risk_free": policy["risk_free"], "sizing": sizing}
    older |= {name: rules[name] for name in ("rates", "calendars")}
    return content | {"format": 1, "policy": policy | {"tolerance": tolerance}, "rules": older}


def as_format_2(content: dict[str, Any]) -> dict[str, Any]:
    """The JSON of a document as Gatekeeper wrote it before the judgement had editions: by alpha."""
    bare = {role: card and _without_later(card) for role, card in content["scorecards"].items()}
    rules = {name: each for name, each in content["rules"].items() if name != "edition"}
    later = ("z", "tests_a_year", "safe_budget", "proven_budget", "beat_ungated", "too_good")
    policy = {name: each for name, each in rules["policy"].items() if name not in later}
    parts = {"scorecards": bare, "rules": rules | {"policy": policy | {"alpha": 1 / 52}}}
    gates = [gate for gate in content["verdict"]["gates"] if gate["name"] not in LATER_GATES]
    parts["verdict"] = content["verdict"] | {"gates": gates}
    if content.get("league"):
        rows = [_without_later(row) for row in content["league"]["contenders"]]
        parts["league"] = content["league"] | {"contenders": rows}
    kept = {name: each for name, each in content.items() if name not in ("sides", "buy_and_hold")}
    parts["data"] = {name: each for name, each in content["data"].items() if name != "passport"}
    return kept | {"format": 2} | parts


def _without_later(card: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in card.items() if name not in ("exposed", "evidence")}


def cards(**changes: Any) -> dict[str, Any]:
    """Scorecards whose challenger has these figures."""
    return WHOLE["scorecards"] | {"challenger": CARD | changes}
