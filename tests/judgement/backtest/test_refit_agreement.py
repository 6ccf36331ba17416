"""Gate `alike`: a refit that decides too many ideas unlike the judged model is not deployed."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, date, datetime
from typing import Any

import pytest
from evaluation_documents import cards, document
from msgspec import structs

from gatekeeper.documents import serialization
from gatekeeper.documents.evaluation import EvaluationDocument, Refit, Twins
from gatekeeper.judgement import Policy, judge, run
from gatekeeper.judgement.backtest.refit_agreement import faults
from gatekeeper.settings import Settings

Make = Callable[..., Any]

REFIT = Refit("gatekeeper_3", "c", 0.55, datetime(2018, 11, 2, tzinfo=UTC), 3, limit=0.1, both_kept=20, both_vetoed=20)


def apart(only_refit: int, only_twin: int, limit: float = 0.1) -> Refit:
    """Of forty ideas."""
    return structs.replace(REFIT, only_refit=only_refit, only_twin=only_twin, both_kept=40 - only_refit - only_twin,
                   both_vetoed=0, limit=limit)  # fmt: skip


@pytest.mark.parametrize(
    ("only_refit", "only_twin", "limit", "passed"),
    [
        (2, 2, 0.1, True),  # 4 of 40 are the 10 % that are allowed
        (3, 2, 0.1, False),
        (0, 5, 0.1, False),
        (0, 0, 0.0, True),
        (1, 0, 0.0, False),
        (20, 20, 1.0, True),
    ],
)
def test_the_share_allowed_is_allowed(
    pair: Any, small: Policy, only_refit: int, only_twin: int, limit: float, passed: bool
) -> None:
    verdict = judge(*pair, small, refit=apart(only_refit, only_twin, limit))
    gate = verdict.gates[-1]
    assert (gate.name, gate.passed) == ("alike", passed)
    assert (gate.numbers["differing"], gate.numbers["share"]) == (
        only_refit + only_twin, (only_refit + only_twin) / 40,
    )  # fmt: skip
    assert (verdict.answer, verdict.decided_by) == (("promote", "all gates") if passed else ("keep", "alike"))


def test_without_a_refit_nothing_changes(pair: Any, small: Policy) -> None:
    alone, alike = judge(*pair, small), judge(*pair, small, refit=REFIT)
    assert [gate.name for gate in alone.gates] == [gate.name for gate in alike.gates[:-1]]
    assert (alone.gain, alone.bound, alone.p) == (alike.gain, alike.bound, alike.p)


def test_too_little_to_see_is_not_undecided_where_the_refit_stays_out_anyway(pair: Any, small: Policy) -> None:
    proven = structs.replace(small, name="proven")
    assert judge(*pair, proven, refit=REFIT).answer == "undecided"
    both = judge(*pair, proven, refit=apart(9, 9))
    assert (both.answer, both.decided_by) == ("keep", "bound")


def test_the_first_primary_has_to_be_alike_too_and_a_person_hears_of_it(pair: Any, small: Policy) -> None:
    """There is nobody else to answer."""
    first = judge(pair[0], None, small, refit=apart(9, 0))
    assert (first.answer, first.decided_by, first.alert) == ("keep", "alike", True)
    assert "there is still no primary" in first.message and "promoted by hand" in first.message
    went = judge(pair[0], None, small, refit=apart(1, 0))
    assert went.message.startswith("promote gatekeeper_3 (refit of gatekeeper_2) as the first primary")
    assert "decides 1 of 40 ideas differently" in went.message


def test_no_ideas_tell_nothing(pair: Any, small: Policy) -> None:
    nothing = structs.replace(REFIT, both_kept=0, both_vetoed=0)
    assert (nothing.share, nothing.alike) == (None, None)
    assert judge(*pair, small, refit=nothing).gates[-1].passed is None


def test_it_is_scored_on_the_twins_ideas_and_its_returns_are_not(
    dataset: Make, ideas: Make, contender: Make, settings: Settings
) -> None:
    """Of four ideas in the window the twin keeps the first three, the refit the last three; the fifth is too old."""
    days = ("2015-01-05", "2018-03-05", "2018-04-03", "2018-05-07", "2018-06-04")
    market = dataset(ideas([(f"{day}T20:00", {day: 0.01}) for day in days]))
    twin = contender(keeps=(1, 2, 3))
    refit = contender("gatekeeper_3", keeps=(0, 2, 3, 4), trained_to=date(2018, 11, 2), model_id=3)
    measured = run(market, settings, replace(twin, refit=refit))
    alone = run(market, settings, twin)
    said = measured.refit
    assert said is not None
    assert (said.both_kept, said.only_refit, said.only_twin, said.both_vetoed) == (2, 1, 1, 0)
    assert (said.name, said.model_id, said.limit) == ("gatekeeper_3", 3, settings.refit_disagreement)
    written = serialization.as_object(measured.twins)
    assert serialization.of_object(written, Twins, "twins") == measured.twins
    assert list(written["challenger"]) == [
        "name", "sha256", "threshold", "trained_to", "model_id", "limit",
        "both_kept", "only_refit", "only_twin", "both_vetoed",
    ]  # fmt: skip
    # The window, and all that is measured of the twin, is as it is without a refit, which has seen all of it.
    assert measured.window == alone.window and measured.challenger.out_of_sample
    assert measured.challenger.record() == alone.challenger.record()
    assert alone.twins is None
    faced = run(market, settings, twin, replace(contender("gatekeeper_1", keeps=(1,)), refit=refit))
    assert faced.refit is None and faced.window == alone.window
    assert faced.twins.champion.name == "gatekeeper_3"


def of(refit: Refit | None, **card: Any) -> EvaluationDocument:
    """A document of this refit whose challenger has such a card."""
    twins = {} if refit is None else {"twins": {"challenger": serialization.as_object(refit), "champion": None}}
    return document(scorecards=cards(**card), **twins)


def test_the_twin_has_to_be_the_one_of_the_scorecard() -> None:
    few: dict[str, Any] = {"ideas": 40, "kept_trades": 22}
    assert faults(of(apart(3, 2), ideas=40, kept_trades=37)) == []
    assert faults(of(None, **few)) == []
    assert faults(of(apart(3, 2), **few)) == [
        "the judged model approved 37 ideas next to its refit, and 22 by its scorecard"
    ]
    more = structs.replace(apart(3, 2), both_vetoed=1)
    assert faults(of(more, **few))[0] == "the refit decided 41 ideas, and the judged model 40"
    assert faults(of(REFIT, tested=False)) != []
    assert faults(of(structs.replace(REFIT, both_kept=0, both_vetoed=0), tested=False)) == []
