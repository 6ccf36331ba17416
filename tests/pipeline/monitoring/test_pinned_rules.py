"""Rules of an evaluation: whatever is set later, the monitor goes by those that the primary was judged under."""

import ast
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from evaluation_documents import as_format_1
from hypothesis import HealthCheck, given
from hypothesis import settings as budget
from hypothesis import strategies as st
from sqlalchemy import create_engine, text
from weekly_house import NOW, House

import gatekeeper
from gatekeeper import config
from gatekeeper.documents import evaluation
from gatekeeper.documents.check import CheckDocument
from gatekeeper.judgement.backtest.rules import rules_of, settings_under
from gatekeeper.market import sources
from gatekeeper.pipeline.monitoring.check_document import observe, reign
from gatekeeper.pipeline.monitoring.monitor import monitor
from gatekeeper.pipeline.weekly.run import _PLACES
from gatekeeper.settings import Settings

pytestmark = pytest.mark.xdist_group("monitor")  # the house of conftest is made once

AS_OF = datetime(2018, 12, 3, 4, 30, tzinfo=UTC)
SRC = Path(gatekeeper.__file__).parent

OTHERWISE: dict[str, Any] = {
    "threshold": 0.9, "seed": 77, "holdout_days": 90, "embargo_days": 3, "longest_hold_days": 90,
    "pullback_width": 0.2, "time_stop_bars": 3, "barrier_atr": 0.5, "bar_stamp": "close", "max_hold": 200,
    "cost_bp": 900.0, "spread_bp": 300.0, "slippage_atr": 0.9, "borrow": 5.0, "funding": 5.0, "calendars": "*=24/7",
    "policy": "better", "tolerance": 3.0, "margin": 2.0, "false_promotions_a_year": 0.01, "schedule": "0 2 * * *",
    "gain_of_interest": 4.0,
    "power": 0.51, "floor_trades": 5000, "floor_days": 5000, "drawdown_allowance": 1.0,
    "sizing": "volatility", "fraction": 1.0, "volatility_target": 0.1, "largest_fraction": 1.0, "most_open": 1,
    "risk_free": 0.9, "refit_disagreement": 1.0, "breaker_level": 0.51, "beat_ungated": "always", "too_good": 0.5,
}  # fmt: skip
"""Every setting that an evaluation went by, far from its default."""

NOT_RULES = frozenset({
    "data", "columns", "idea_features", "outcome_unit",  # how data are read; what they are is told by their fingerprint
    "freshness_days", "ideas_freshness_days",  # refuse data that are too old, and change no number
    "recipe", "min_ideas", "min_class_ideas", "train_years", "half_life_days",  # of the training
    "deploy", "league", "league_size",  # who competes
})  # fmt: skip


def seen(house: House, **changes: Any) -> CheckDocument:
    """One look that is not stored."""
    primary = house.registry.primary()
    assert primary is not None
    lasting = reign(house.registry, primary)
    assert lasting is not None
    return observe(house.registry, config.override(house.settings, changes), lasting, AS_OF)


def test_each_setting_is_a_rule_or_is_none_for_a_reason() -> None:
    """A new one is a rule, but if it changes no result (and stays out of the run key), or for a reason named here."""
    assert set(Settings.model_fields) - (_PLACES - {"breaker_level"}) - NOT_RULES == set(OTHERWISE)
    defaults = Settings()
    assert [name for name, value in OTHERWISE.items() if getattr(defaults, name) == value] == []


def test_changed_settings_change_nothing_of_a_model_that_was_judged_before(house: House) -> None:
    """Case 93: each by itself, and all at once; fraction 1.0 showed a drawdown of 75 % and rolled a good model back."""
    before = seen(house)
    assert before.enough
    assert before.breaker.bound is not None
    assert before.scorecards.primary.sharpe is not None
    assert seen(house, **OTHERWISE) == before
    for name in ("fraction", "risk_free", "most_open", "longest_hold_days", "seed", "breaker_level", "floor_trades"):
        assert seen(house, **{name: OTHERWISE[name]}) == before, name


def test_the_breaker_does_not_trip_by_a_setting(house: House) -> None:
    changed = {**OTHERWISE, "breaker": "rollback"}
    house.settings = config.override(house.settings, changed)
    done = monitor(AS_OF, house.registry, house.settings, now=NOW)
    assert done.check is not None
    assert (done.check.document.breaker.tripped, done.rolled_back, house.registry.generation()) == (False, None, 2)


def test_the_next_evaluation_goes_by_the_new_ones(house: House) -> None:
    """Pinned is what an evaluation went by, not the first that there ever was."""
    house.settings = config.override(house.settings, {"fraction": 0.02, "breaker_level": 0.9, "seed": 5})
    made = house.week(datetime(2018, 6, 11, 2, tzinfo=UTC))
    rules = house.registry.evaluation(made["evaluation_id"]).document.rules
    assert (rules.sizing.fraction, rules.breaker_level, rules.seed) == (0.02, 0.9, 5)


def test_replayed_bars_give_the_ideas_of_the_evaluation(tmp_path: Path) -> None:
    """Of bars, where costs, barriers and calendars make the ideas: by the fingerprint, to the last bit."""
    as_of = datetime(2018, 10, 1, 2, tzinfo=UTC)
    then = config.load({"data": "demo:", "cost_bp": 2.3, "spread_bp": 0.7, "slippage_atr": 0.01, "borrow": 0.02})
    dataset = sources.load("demo:", as_of, then)
    rules = rules_of(then, periods_per_year=dataset.periods_per_year, marked=dataset.marked)
    today = config.override(then, {name: OTHERWISE[name] for name in OTHERWISE if name not in ("sizing", "calendars")})
    assert sources.load("demo:", as_of, today).fingerprint() != dataset.fingerprint()
    pinned = settings_under(rules, today, dataset.source)
    assert sources.load("demo:", as_of, pinned).fingerprint() == dataset.fingerprint()


@budget(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(bp=st.floats(0, 999, allow_nan=False), spread=st.decimals(0, 999, places=4))
def test_rates_come_back_to_the_last_bit(bp: float, spread: Any) -> None:
    """Law: whatever costs were set, the outcomes under the rules are the same numbers again."""
    then = Settings(cost_bp=bp, spread_bp=float(spread))
    rules = rules_of(then, periods_per_year=252, marked=True)
    again = rules_of(settings_under(rules, Settings(), "demo:"), periods_per_year=252, marked=True)
    assert (again.rates.commission, again.rates.spread) == (rules.rates.commission, rules.rates.spread)
    assert again == rules


def test_another_file_is_read_as_it_is_set_today() -> None:
    """Bars stamped at their close, read as if stamped at their open, would be used late; the other way round, ahead."""
    rules = rules_of(Settings(data="candles:a/*.csv", bar_stamp="close"), periods_per_year=252, marked=True)
    same = settings_under(rules, Settings(data="candles:a/*.csv"), "candles:a/*.csv")
    other = settings_under(rules, Settings(data="candles:b/*.csv"), "candles:a/*.csv")
    assert (same.bar_stamp, other.bar_stamp) == ("close", "open")


def test_of_an_older_document_what_it_held_is_pinned_and_the_rest_is_named(house: House) -> None:
    """Format 1 held the policy, sizing, rates and calendars, and the window tells the longest hold."""
    before = seen(house)
    with create_engine(house.settings.db.reveal()).begin() as connection:
        (stored,) = house.registry.evaluations(2)
        older = evaluation.serialization.json.dumps(as_format_1(stored.stored))
        connection.execute(
            text("UPDATE gatekeeper_evaluation SET document = :d WHERE id = :i"), {"d": older, "i": stored.id}
        )
    held = [name for name in OTHERWISE if name not in ("threshold", "seed", "breaker_level", "embargo_days")]
    after = seen(house, **{name: OTHERWISE[name] for name in held})
    assert after.scorecards == before.scorecards
    assert after.breaker == before.breaker
    (note,) = set(after.notes) - set(before.notes)
    assert "doesn't hold threshold, seed, holdout_days, embargo_days, refit_disagreement, breaker_level" in note
    assert seen(house, breaker_level=0.51).breaker.level == 0.51


def read_of(module: Path) -> list[tuple[int, str]]:
    """(line, setting) of each attribute of something called settings that the module reads."""
    found = []
    for node in ast.walk(ast.parse(module.read_text("utf-8"))):
        if isinstance(node, ast.Attribute):
            owner = node.value.attr if isinstance(node.value, ast.Attribute) else getattr(node.value, "id", "")
            if owner.lstrip("_") == "settings":
                found.append((node.lineno, node.attr))
    return found


@pytest.mark.parametrize(
    "room", ["pipeline/monitoring", "judgement/live", "judgement/report", "judgement/league", "judgement/rule"]
)
def test_nothing_after_the_evaluation_reads_a_rule_from_the_settings(room: str) -> None:
    """Monitor, breaker, report and the rule have their numbers from `Rules`."""
    rules = set(OTHERWISE) | {"tests_a_year", "holdout", "embargo", "longest_hold", "market_calendars"}
    read = [(path.name, *each) for path in (SRC / room).glob("*.py") for each in read_of(path) if each[1] in rules]
    assert read == []


def test_one_place_builds_the_rules() -> None:
    """`Rules(...)` is called in one module for today's, and in one for documents of before."""
    callers = {
        path.relative_to(SRC).as_posix()
        for path in SRC.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.Call) and getattr(node.func, "id", "") in ("Rules", "Policy")
    }
    assert callers == {"judgement/backtest/rules.py", "documents/older_evaluation.py"}
