"""Evidence of a verdict, made again a year later from its row in the registry alone."""

import sqlite3
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from command_shell import Shell, bare
from weekly_house import House

from gatekeeper.registry.views import card_text

pytestmark = pytest.mark.xdist_group("receipts")  # the house is made once

Later = Callable[..., tuple[int, str, str]]

__all__ = ["bare"]


@pytest.fixture
def a_year_later(house: House, bare: Shell) -> Shell:
    """A shell where nothing is left but a copy of the database: no data, no model, no report."""
    with closing(sqlite3.connect(house.folder / "registry.db")) as database:
        database.execute("VACUUM INTO ?", [str(bare.folder / "registry.db")])
    return bare


def test_the_report_is_made_again_with_what_came_of_it(house: House, a_year_later: Shell) -> None:
    for evaluation in map(house.registry.evaluation, (1, 3)):
        code, said, _ = a_year_later("report", str(evaluation.id))
        place = a_year_later.folder / f"report_{evaluation.id}.html"
        assert (code, said.split(":")[0]) == (0, f"Wrote {place.name}")
        then, now = (each.read_text("utf-8") for each in (Path(str(evaluation.report)), place))
        effect = house.registry.pages.effect_of(evaluation)
        before = f"Verdict: {evaluation.verdict}. Whether it was promoted: gatekeeper explain {evaluation.challenger}"
        first = '<header>\n<p class="effect"><strong>'
        assert first + before in then
        assert now == then.replace(before, effect)
        assert effect.startswith(("Promoted gatekeeper_", "Nothing was promoted: the verdict is "))
        code, said, _ = a_year_later("explain", str(evaluation.challenger), "--evaluation", str(evaluation.id))
        assert (code, said.splitlines()[0]) == (0, effect)
    assert a_year_later.json("report", "2", "-o", "other.html") == {
        "file": "other.html",
        "evaluation": 2,
        "challenger": 2,
        "effect": house.registry.pages.effect_of(house.registry.evaluation(2)),
    }
    assert "There is no evaluation 99" in a_year_later("report", "99")[2]


def test_the_verdict_is_explained_as_it_was(house: House, a_year_later: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    later = [a_year_later("explain", str(model)) for model in (1, 2, 3)]
    monkeypatch.setenv("GATEKEEPER_DB", house.settings.db.reveal())
    assert later == [a_year_later("explain", str(model)) for model in (1, 2, 3)]
    assert [code for code, _, _ in later] == [0, 0, 0]
    assert "No test spent in the 365 days to this as-of" in later[0][1]
    assert "1 test spent in the 365 days" in later[1][1]
    assert "2 tests spent in the 365 days" in later[2][1]
    assert "2 tests spent in the 365 days" in Path(str(house.registry.evaluation(3).report)).read_text()


def test_a_model_has_a_card(house: House, a_year_later: Shell) -> None:
    """Each number from the record: as in the document, the artifact and the history."""
    facts = a_year_later.json("card", "1")
    assert isinstance(facts, dict)
    document = house.registry.evaluation(1).document
    model = house.registry.model(1)
    training, (judged,) = facts["training"], facts["evaluations"]
    assert (facts["model"]["sha256"], facts["state"]["name"]) == (model.sha256, "standby")
    assert (training["ideas"], training["wins"], training["seed"]) == (
        document.training.ideas,
        document.training.wins,
        0,
    )
    assert training["parameters"]["logisticregression__C"] == 1.0
    assert (judged["sharpe"], judged["gain"]) == (document.scorecards.challenger.sharpe, None)
    assert facts["as_champion"]["count"] == 2
    assert [(row["kind"], row["to_id"]) for row in facts["promotions"] if 1 in (row["to_id"], row["from_id"])] == [
        (row.kind, row.to_id) for row in house.registry.promotions() if 1 in (row.to_id, row.from_id)
    ]
    code, said, _ = a_year_later("card", "1", "-o", "card.md")
    text = (a_year_later.folder / "card.md").read_text()
    assert (code, said) == (0, "Wrote card.md: the card of model 1.\n")
    assert f"{judged['sharpe']:.3f}" in text
    assert f"{judged['kept']} of {judged['ideas']}" in text
    assert a_year_later("card", "1")[1].splitlines()[4:] == text.splitlines()[4:]
    assert "There is no model 99" in a_year_later("card", "99")[2]


def test_the_age_of_its_data_is_counted_to_the_day_of_the_card(house: House) -> None:
    ends = house.registry.model(3).trained_to
    assert ends is not None
    facts = house.registry.pages.card(3, now=ends + timedelta(days=400, hours=1))
    assert facts.training.age_days == 400
    assert facts.evaluations[0].age_days == (datetime(2018, 1, 1, 2, tzinfo=UTC) - ends).days
    assert "400 days when this card was made" in card_text.markdown(facts)
