"""Planted edge that appears after the champion's training: found by `proven`; without it nothing is promoted."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pytest

from gatekeeper.judgement import Contender, Verdict, judge, policy_of, run
from gatekeeper.market.ideas import Dataset, Ideas
from gatekeeper.settings import Settings

AS_OF = datetime(2018, 11, 5, 2, tzinfo=UTC)
EDGE_BEGINS = np.datetime64("2016-01-01")
CHAMPION_TRAINED_TO = datetime(2015, 12, 1, tzinfo=UTC)
CHALLENGER_TRAINED_TO = datetime(2017, 11, 4, tzinfo=UTC)


def market(seed: int, edge: float) -> Dataset:
    """Three ideas every weekday from 2013, each open for two days; from 2016 on rsi14 over 50 is worth `edge`."""
    random = np.random.default_rng(seed)
    days = np.arange("2013-01-01", "2018-11-05", dtype="datetime64[D]")
    days = days[np.is_busday(days)]
    at = np.repeat(np.arange(len(days) - 3), 3)
    started = days[at].astype("datetime64[ns]") + np.tile([0, 1, 2], len(days) - 3) * np.timedelta64(1, "h")
    features = random.normal(50, 10, (len(at), 7)).astype(np.float32)
    signal = np.where(features[:, 0] > 50, 1.0, -1.0) * (started >= EDGE_BEGINS)
    steps = random.normal(0, 0.01, (len(at), 2)) + edge * signal[:, None] / 2
    closed = days[at + 2].astype("datetime64[ns]")
    ideas = Ideas(
        symbol=np.array(["X"] * len(at), dtype=np.str_),
        strategy=np.array([""] * len(at), dtype=np.str_),
        time=started,
        features=features,
        outcome=steps.sum(axis=1),
        closed_at=closed,
        known_at=closed,
        path_start=2 * np.arange(len(at) + 1),
        path_day=np.column_stack((days[at + 1], days[at + 2])).ravel(),
        path_return=steps.ravel(),
    )
    return Dataset(ideas, days, 252, AS_OF, AS_OF, True, "planted", ())


def trained(name: str, known: Dataset, to: datetime) -> Contender:
    """The least there is to learning: a linear fit of winning on the ideas that were known by then."""
    train = known.ideas.known_at <= np.datetime64(to.replace(tzinfo=None), "ns")
    rows = np.column_stack((np.ones(int(train.sum())), (known.ideas.features[train] - 50) / 10))
    fit, *_ = np.linalg.lstsq(rows, known.ideas.wins[train].astype(float), rcond=None)

    def score(features: np.ndarray) -> np.ndarray:
        return (np.column_stack((np.ones(len(features)), (features - 50) / 10)) @ fit).astype(np.float32)

    return Contender(name, sha256=name, threshold=0.5, score=score, trained_to=to)


def verdict_on(seed: int, edge: float, policy: Any) -> Verdict:
    known = market(seed, edge)
    settings = Settings(policy=policy, too_good=100.0)
    champion = trained("gatekeeper_primary1", known, CHAMPION_TRAINED_TO)
    challenger = trained("gatekeeper_2", known, CHALLENGER_TRAINED_TO)
    book = run(known, settings, challenger, champion)
    assert book.window.start == AS_OF - timedelta(days=365 - 21)
    return judge(book.challenger, book.champion, policy_of(settings, 252), book.ungated)


def test_planted_edge_is_promoted_by_proven() -> None:
    verdict = verdict_on(seed=7, edge=0.008, policy="proven")
    assert verdict.answer == "promote"
    assert verdict.bound > 0
    assert verdict.p < 1 / 52
    assert verdict.decided_by == "all gates"


@pytest.mark.parametrize("seed", range(5))
def test_planted_edge_is_no_stroke_of_luck(seed: int) -> None:
    assert verdict_on(seed, 0.008, "proven").answer == "promote"


@pytest.mark.parametrize("seed", range(7, 12))
def test_without_an_edge_proven_promotes_nothing(seed: int) -> None:
    verdict = verdict_on(seed, 0.0, "proven")
    assert verdict.answer != "promote"
    assert verdict.bound < 0


def test_false_promotions_stay_rare(card: Callable[..., Any]) -> None:
    """One test of `proven`, at z 1.55, promotes equals in 6.06 %: at most 57 of 600 (36.3 expected, deviation 5.8).

    What a year of such tests promotes is less than 52 times as much: docs/why/judgement.md.
    """
    random = np.random.default_rng(2018)
    policy = policy_of(Settings(policy="proven"), 252)
    kept = (np.arange(40) > 0) & (np.arange(40) < 39)
    promoted = 0
    for _ in range(600):
        shared = random.normal(0.0003, 0.004, 245)
        a, b = shared + random.normal(0, 0.003, (2, 245))
        promoted += judge(card(a, sha256="a"), card(b, kept=kept, sha256="b"), policy).answer == "promote"
    assert promoted <= 57
