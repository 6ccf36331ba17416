"""Gain over time: the gain and its error as the window grew, in the unit and with the error that the verdict used."""

from collections.abc import Callable
from dataclasses import dataclass
from math import sqrt

import numpy as np
from numpy.typing import NDArray

from gatekeeper.documents.evaluation import EvaluationDocument, Gate
from gatekeeper.documents.evidence import DifferingIdeas, Evidence
from gatekeeper.judgement.backtest.recompute import exposed_of
from gatekeeper.judgement.statistics.capital_gain import capital_gain
from gatekeeper.judgement.statistics.sharpe import excess_returns, sharpe_difference

FIRST_DAYS, LOOKS = 30, 60
DAYS_ALONE = Evidence(DifferingIdeas(0, 0, 0, 0, 0.0), None)
"""No history, so that the error is that of the daily returns."""

Floats = NDArray[np.float64]
Measure = Callable[[Floats, Floats], tuple[float, float] | None]


@dataclass(frozen=True, slots=True, eq=False)
class GainOverTime:
    """(n,) rows of the window's days, with the annual gain up to each and its standard error."""

    rows: NDArray[np.int64]
    value: Floats
    error: Floats
    critical: float


def critical_of(document: EvaluationDocument) -> float:
    """The number of errors between gain and bound, as the gate says; an older document's is its z."""
    gate = _gate(document)
    found = None if gate is None else gate.numbers.get("critical")
    return float(found) if isinstance(found, int | float) else document.policy.z


def of(document: EvaluationDocument) -> GainOverTime | None:
    """The gain as the window grew; None if it was defined at fewer than two looks.

    The error at the end is the verdict's own. History floors it, and is not known for shorter windows: their errors
    are larger than those of their days by as much as the last one.
    """
    gate, policy = _gate(document), document.policy
    ours, theirs = (
        excess_returns(card.daily, exposed_of(card), policy.risk_free, policy.periods_per_year)
        for role, card in document.scorecards
        if role != "ungated"
    )
    measure = _in_capital if gate is not None and gate.name == "saves" else _in_sharpe(document.rules.edition > 1)
    year, days = sqrt(policy.periods_per_year), len(ours)
    seen = [
        (end - 1, found[0] * year, found[1] * year)
        for end in np.unique(np.linspace(min(FIRST_DAYS, days), days, LOOKS).astype(int))
        if (found := measure(ours[:end], theirs[:end])) is not None
    ]
    if len(seen) < 2:
        return None
    rows, value, error = (np.array(column) for column in zip(*seen, strict=True))
    floored = document.verdict.standard_error
    larger = floored / error[-1] if floored and error[-1] > 0 else 1.0
    return GainOverTime(rows.astype(np.int64), value, error * larger, critical_of(document))


def _gate(document: EvaluationDocument) -> Gate | None:
    """The gate whose gain the verdict shows: `bound`, or `saves` where capital alone is compared."""
    gates = {gate.name: gate for gate in document.verdict.gates}
    return gates.get("bound") or gates.get("saves")


def _in_sharpe(unit_free: bool) -> Measure:
    def measured(ours: Floats, theirs: Floats) -> tuple[float, float] | None:
        found = sharpe_difference(ours, theirs, unit_free=unit_free)
        return None if found.delta is None or found.standard_error is None else (found.delta, found.standard_error)

    return measured


def _in_capital(ours: Floats, theirs: Floats) -> tuple[float, float] | None:
    found = capital_gain(ours, theirs)
    return None if found is None else (found.value, found.precision(DAYS_ALONE).standard_error)
