"""Gain over time, and the glossary of the gates' numbers: the report tells the error and the bound of the verdict."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from gatekeeper.documents.evaluation import EvaluationDocument, of_object
from gatekeeper.judgement import document, judge, policy_of, run
from gatekeeper.judgement.report import gain_over_time, glossary
from gatekeeper.judgement.statistics.sharpe import sharpe_difference
from gatekeeper.market.ideas import Dataset
from gatekeeper.settings import Settings

Make = Callable[..., Any]


@pytest.fixture(scope="module")
def known(dataset: Make, ideas: Make) -> Dataset:
    """An idea for each weekday of two years: nearly all win a little, and a few lose much."""
    random = np.random.default_rng(15)
    days = np.arange("2016-12-01", "2018-10-20", dtype="datetime64[D]")
    days = days[np.is_busday(days)]
    return dataset(ideas([(str(day), {str(day): 0.005 if random.random() < 0.9 else -0.04}) for day in days]))


def judged(known: Dataset, challenger: Any, champion: Any) -> EvaluationDocument:
    chosen = Settings()
    book = run(known, chosen, challenger, champion)
    policy = policy_of(chosen, known.periods_per_year)
    return of_object(document(book, judge(book.challenger, book.champion, policy, book.ungated), known))


@pytest.mark.parametrize(("keeps", "gate"), [(range(0, 600, 2), "bound"), (range(300, 330, 2), "saves")])
def test_its_end_is_the_verdict(known: Dataset, contender: Make, keeps: range, gate: str) -> None:
    """In Sharpe, and in capital of few trades: gain, floored error and bound are those that decided."""
    made = judged(known, contender(keeps=keeps, sha256="a"), contender("old", keeps=range(0, 600, 3), sha256="b"))
    numbers, seen = made.verdict.gate(gate).numbers, gain_over_time.of(made)
    assert seen.critical == numbers["critical"] > made.policy.z
    assert seen.value[-1] == pytest.approx(made.verdict.gain, abs=1e-9)
    assert seen.error[-1] == pytest.approx(numbers["standard_error"], rel=1e-9)
    assert seen.value[-1] - seen.critical * seen.error[-1] == pytest.approx(numbers["bound"], abs=1e-9)
    assert seen.rows[-1] == len(made.days) - 1


def test_errors_of_shorter_windows_are_as_much_larger_as_the_last(known: Dataset, contender: Make) -> None:
    made = judged(
        known, contender(keeps=range(0, 600, 2), sha256="a"), contender("old", keeps=range(0, 600, 3), sha256="b")
    )
    ours, theirs = (np.array(card.daily) for role, card in made.scorecards if role != "ungated")
    seen = gain_over_time.of(made)
    ratios = []
    for row, error in zip(seen.rows, seen.error, strict=True):
        alone = sharpe_difference(ours[: row + 1], theirs[: row + 1]).standard_error * np.sqrt(252)
        ratios.append(error / alone)
    assert ratios == pytest.approx([ratios[-1]] * len(ratios), rel=1e-9)
    assert ratios[-1] > 1.01


def test_the_glossary_tells_of_the_numbers_that_are_shown_and_no_others(known: Dataset, contender: Make) -> None:
    champion = contender("old", keeps=range(0, 600, 3), sha256="b")
    by_sharpe = glossary.of_gates(judged(known, contender(keeps=range(0, 600, 2), sha256="a"), champion).verdict.gates)
    assert {"critical", "degrees_of_freedom", "pooled_error", "differing_weeks", "too_good"} <= set(by_sharpe)
    assert not {"bound_of_many", "alpha", "share"} & set(by_sharpe)
    few = judged(known, contender(keeps=range(300, 330, 2), sha256="a"), champion).verdict.gates
    assert {"champion_alone_lost", "champion_alone_lost_bound"} <= set(glossary.of_gates(few))
    assert all("\n" not in line and len(line) < 115 for line in glossary.GATE_NUMBERS.values())
