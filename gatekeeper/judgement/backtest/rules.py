"""Rules of an evaluation: built once from the settings, and put in the place of other settings later."""

from typing import TYPE_CHECKING

from gatekeeper.config import override
from gatekeeper.documents import budget
from gatekeeper.documents.rules import EDITIONS, Policy, ReadingRecord, ReplayRecord, Rules
from gatekeeper.judgement.backtest.sizing import Sizing
from gatekeeper.market.replay.costs import Rates

if TYPE_CHECKING:
    from gatekeeper.settings import Settings

BASIS_POINTS = 1e4


def policy_of(settings: "Settings", periods_per_year: int) -> Policy:
    """The policy of the settings, for a market with this many periods a year."""
    set_budget = settings.false_promotions_a_year
    return Policy(
        name=settings.policy,
        safe_tolerance=settings.tolerance,
        z=0.0,  # until the name is set
        margin=settings.margin,
        floor_trades=settings.floor_trades,
        floor_days=settings.floor_days,
        drawdown_allowance=settings.drawdown_allowance,
        gain_of_interest=settings.gain_of_interest,
        power=settings.power,
        periods_per_year=periods_per_year,
        risk_free=settings.risk_free,
        beat_ungated=settings.beat_ungated,
        too_good=settings.too_good,
        tests_a_year=settings.tests_a_year,
        safe_budget=budget.SAFE if set_budget is None else set_budget,
        proven_budget=budget.PROVEN if set_budget is None else set_budget,
    ).with_name(settings.policy)


def rules_of(settings: "Settings", *, periods_per_year: int, marked: bool) -> Rules:
    """The rules of the settings, for ideas of such a market; marked: whether their paths are known, day by day."""
    return Rules(
        edition=EDITIONS[-1],
        policy=policy_of(settings, periods_per_year),
        marked=marked,
        sizing=Sizing.from_settings(settings),
        rates=Rates.from_settings(settings),
        calendars=settings.calendars,
        threshold=settings.threshold,
        seed=settings.seed,
        holdout_days=settings.holdout_days,
        embargo_days=settings.embargo_days,
        longest_hold_days=settings.longest_hold_days,
        refit_disagreement=settings.refit_disagreement,
        breaker_level=settings.breaker_level,
        replay=ReplayRecord(settings.pullback_width, settings.time_stop_bars, settings.barrier_atr),
        reading=ReadingRecord(settings.bar_stamp, settings.max_hold),
    )


def settings_under(rules: Rules, settings: "Settings", source: str) -> "Settings":
    """`settings` with these rules in the place of their own, to make the ideas as they were made for the evaluation.

    source: the evaluation's data; how its file is read goes with the file, so it stays as set for another one.
    Unknown rules stay as set. Raises ConfigError.
    """
    pinned: dict[str, object] = {"longest_hold_days": rules.longest_hold_days}
    pinned |= {"sizing": rules.sizing.kind, "most_open": rules.sizing.most_open}
    if rules.sizing.kind == "fraction":
        pinned["fraction"] = rules.sizing.fraction
    else:
        pinned |= {"volatility_target": rules.sizing.target, "largest_fraction": rules.sizing.largest}
    if rules.rates is not None:
        pinned |= {"cost_bp": _points(rules.rates.commission), "spread_bp": _points(rules.rates.spread)}
        pinned |= {"slippage_atr": rules.rates.slippage, "borrow": rules.rates.borrow, "funding": rules.rates.funding}
    if rules.replay is not None:
        pinned["pullback_width"] = rules.replay.pullback_width
        pinned |= {"time_stop_bars": rules.replay.time_stop_bars, "barrier_atr": rules.replay.barrier_atr}
    for name in ("calendars", "threshold", "seed", "holdout_days", "embargo_days"):
        if (value := getattr(rules, name)) is not None:
            pinned[name] = value
    if rules.reading is not None and str(settings.data) == source:
        pinned["bar_stamp"] = rules.reading.bar_stamp
        if rules.reading.max_hold is not None:  # without one, a log that needs it would be refused whatever is set
            pinned["max_hold"] = rules.reading.max_hold
    return override(settings, pinned)


def _points(rate: float) -> float:
    """The basis points that are this rate again to the last bit: other outcomes would have another fingerprint."""
    points = rate * BASIS_POINTS
    return next((each for each in (points, round(points, 9)) if each / BASIS_POINTS == rate), points)
