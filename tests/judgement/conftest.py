"""Scorecards, policies and datasets made by hand: small enough to check on paper."""

import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from msgspec import structs

from gatekeeper.documents.evidence import DifferingIdeas, Evidence
from gatekeeper.judgement import Contender, Policy, Scorecard, Window, max_drawdown, policy_of, sharpe_ratio
from gatekeeper.market.ideas import Dataset, Ideas
from gatekeeper.settings import Settings

EVIDENCE = Evidence(DifferingIdeas(20, 20, 40, 40, 0.0), None)
"""One trade a week in forty weeks, and no history: 39 degrees of freedom, and the error of the days alone."""
OTHER = np.arange(40) > 0
"""Decides one idea unlike `card`'s own, which approves all."""
AS_OF = datetime(2018, 11, 5, 2, tzinfo=UTC)


@pytest.fixture(scope="session")
def golden() -> dict[str, Any]:
    return json.loads((Path(__file__).parents[1] / "golden.json").read_text())


@pytest.fixture(scope="session")
def golden_2() -> dict[str, Any]:
    """Right values of the second edition of the judgement."""
    return json.loads((Path(__file__).parents[1] / "golden-judgement-2.json").read_text())


@pytest.fixture
def card() -> Callable[..., Scorecard]:
    """A scorecard whose numbers follow from `daily` and `kept`; anything can be set otherwise."""

    def make(
        daily: Sequence[float], *, kept: Sequence[bool] | None = None, periods: int = 252, **other: Any
    ) -> Scorecard:
        returns = np.asarray(daily, dtype=float)
        window = Window(datetime(2017, 12, 1, tzinfo=UTC), datetime(2018, 10, 15, tzinfo=UTC), AS_OF, len(returns))
        made = Scorecard(
            name="gatekeeper_2",
            window=window,
            daily=returns,
            exposed=np.full(len(returns), 0.05),
            kept=np.ones(40, dtype=bool) if kept is None else np.asarray(kept, dtype=bool),
            sharpe=sharpe_ratio(returns, periods),
            total_return=float(returns.sum()),
            max_drawdown=max_drawdown(returns),
            win_rate=0.5,
            out_of_sample=True,
            evidence=EVIDENCE,
        )
        return replace(made, **other)

    return make


@pytest.fixture
def policy() -> Policy:
    return policy_of(Settings(), 252)


@pytest.fixture
def pair(card: Callable[..., Scorecard], golden: dict[str, Any]) -> tuple[Scorecard, Scorecard]:
    """The golden ten days: the challenger is ahead by 0.0958 a day's Sharpe, with an error of 0.0506."""
    row = golden["sharpe_difference"]["ten_days"]
    return card(row["a"], sha256="a"), card(row["b"], name="gatekeeper_primary1", kept=OTHER, sha256="b")


@pytest.fixture
def small(policy: Policy) -> Policy:
    """The defaults, with floors that ten days reach."""
    return structs.replace(policy, floor_days=10)


@pytest.fixture
def settings() -> Settings:
    return Settings()


@pytest.fixture(scope="session")
def ideas() -> Callable[..., Ideas]:
    """Ideas from rows (started, outcome, path), the path as {day: return}; rsi14 carries the idea's number."""

    def make(rows: Sequence[tuple[str, dict[str, float]]]) -> Ideas:
        count = len(rows)
        features = np.zeros((count, 7), dtype=np.float32)
        features[:, 0] = np.arange(count)
        closed = np.array([max(path) for _, path in rows], dtype="datetime64[D]") + np.timedelta64(1, "D")
        return Ideas(
            symbol=np.array(["SPX"] * count, dtype=np.str_),
            strategy=np.array([""] * count, dtype=np.str_),
            time=np.array([started for started, _ in rows], dtype="datetime64[ns]"),
            features=features,
            outcome=np.array([sum(path.values()) for _, path in rows]),
            closed_at=closed.astype("datetime64[ns]"),
            known_at=closed.astype("datetime64[ns]"),
            path_start=np.cumsum([0] + [len(path) for _, path in rows]).astype(np.int64),
            path_day=np.array([day for _, path in rows for day in path], dtype="datetime64[D]"),
            path_return=np.array([part for _, path in rows for part in path.values()], dtype=np.float64),
        )

    return make


@pytest.fixture(scope="session")
def dataset() -> Callable[..., Dataset]:
    """A dataset on weekdays (or every day) up to the as-of."""

    def make(
        ideas: Ideas, *, as_of: datetime = AS_OF, first: str = "2014-01-01", around_the_clock: bool = False
    ) -> Dataset:
        days = np.arange(np.datetime64(first, "D"), np.datetime64(as_of.date(), "D"))
        return Dataset(
            ideas=ideas,
            market_days=days if around_the_clock else days[np.is_busday(days)],
            periods_per_year=365 if around_the_clock else 252,
            as_of=as_of,
            newest=as_of,
            marked=True,
            source="candles:made by hand",
            notes=(),
        )

    return make


@pytest.fixture(scope="session")
def contender() -> Callable[..., Contender]:
    """A model that keeps the ideas whose number is in `keeps` (all where None)."""

    def make(
        name: str = "gatekeeper_2",
        keeps: Sequence[int] | None = None,
        trained_to: date | None = date(2017, 10, 20),
        **other: Any,
    ) -> Contender:
        def score(features: np.ndarray) -> np.ndarray:
            numbers = features[:, 0]
            taken = np.ones(len(numbers), dtype=bool) if keeps is None else np.isin(numbers, np.asarray(keeps))
            return np.where(taken, np.float32(0.8), np.float32(0.2)).astype(np.float32)

        seen = None if trained_to is None else datetime(trained_to.year, trained_to.month, trained_to.day, tzinfo=UTC)
        return Contender(
            **{"name": name, "sha256": name, "threshold": 0.55, "score": score, "trained_to": seen, **other}
        )

    return make
