"""Budget spent by the challengers of a rehearsal: measured on its own tests, week by week."""

from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from gatekeeper.documents.evaluation import Window
from gatekeeper.judgement import Scorecard, max_drawdown, rules_of, sharpe_ratio
from gatekeeper.rehearsal.policy_replay import Governance
from gatekeeper.settings import Settings

FIRST = datetime(2018, 1, 1, 2, tzinfo=UTC)
RULES = rules_of(Settings(), periods_per_year=252, marked=True)
DAYS = np.arange("2016-01-01", "2018-01-01", dtype="datetime64[D]")


def contest(number: int, challenger: np.ndarray, champion: np.ndarray) -> Any:
    """Monday `number`, on 250 days that move on by five each week."""
    window = slice(5 * number, 5 * number + 250)
    as_of = FIRST + timedelta(weeks=number)
    when = Window(as_of - timedelta(days=360), as_of, as_of, 250)

    def card(name: str, stream: np.ndarray) -> Scorecard:
        daily = stream[window]
        kept = np.arange(40) != len(name)
        total, deepest = float(daily.sum()), max_drawdown(daily)
        return Scorecard(
            name, when, daily, np.zeros(250), kept, sharpe_ratio(daily), total, deepest, None, True, sha256=name
        )

    measured = SimpleNamespace(
        rules=RULES, days=DAYS[window], challenger=card(f"challenger{number}", challenger),
        champion=card("champion", champion), ungated=card("ungated", champion), refit=None,
    )  # fmt: skip
    return SimpleNamespace(week=SimpleNamespace(as_of=as_of), challenger=object(), against=lambda _: measured)


def governed(policy: Any, weeks: int, kin: float) -> Governance:
    random = np.random.default_rng(11)
    shared, champion = random.normal(0, 0.01, (2, len(DAYS)))
    found = Governance(policy)
    found.primary = object()  # type: ignore[assignment]  # it is judged by the contest's own streams
    for number in range(weeks):
        own = np.sqrt(kin) * shared + np.sqrt(1 - kin) * random.normal(0, 0.01, len(DAYS))
        found.look(contest(number, own, champion))
    return found


@pytest.mark.parametrize(
    ("policy", "kin", "budget", "z", "spent"),
    [
        ("proven", 0.0, 1.0, 1.55, (0.75, 0.85)),  # 0.854 at 1.5, 0.439 at 2, if they share nothing
        ("proven", 0.98, 1.0, 1.55, (0.37, 0.43)),  # 0.447 and 0.155, if they are the same
        ("safe", 0.98, 0.5, 2.11, (0.10, 0.14)),
    ],
)
def test_a_policy_tells_what_its_own_challengers_spend(
    policy: Any, kin: float, budget: float, z: float, spent: tuple[float, float]
) -> None:
    found = governed(policy, 20, kin).spent()
    assert found is not None
    assert (found.budget, found.z, found.challengers) == (budget, z, 20)
    assert found.correlation == pytest.approx((1 + kin) / 2, abs=0.05)
    assert spent[0] < found.expected < spent[1]


def test_without_a_budget_or_enough_challengers_nothing_is_told() -> None:
    assert governed("better", 20, 0.5).spent() is None
    assert governed("proven", 7, 0.5).spent() is None
    assert Governance("proven").spent() is None
