"""Weekly runs with a training window and a half-life: judged model and refit alike, and on record."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import onnx
import pytest
from msgspec import structs
from weekly_data import write_ideas
from weekly_house import NOW, House

from gatekeeper.judgement.report.recheck import differences
from gatekeeper.registry.views import card_text, proof

AS_OF = datetime(2017, 5, 1, 2, tzinfo=UTC)
CHOSEN = {"holdout_days": 130, "train_years": 1.5, "half_life_days": 500.0}
WINDOW = timedelta(days=1.5 * 365.25)


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> House:
    folder = tmp_path_factory.mktemp("house")
    data = write_ideas(folder / "ideas.csv", start="2014-03-03", end="2018-01-12", edge_from="2014-01-01", seed=5)
    house = House(folder, data)
    house.settings = house.settings.model_copy(update={"deploy": "refit", "refit_disagreement": 0.5})
    house.week(AS_OF, **CHOSEN)
    return house


def test_judged_model_and_refit_take_the_window_before_their_own_cut_off(house: House) -> None:
    judged, refit = house.registry.model(1), house.registry.model(2)
    assert (judged.cutoff, refit.cutoff) == (AS_OF - timedelta(days=130), AS_OF)
    for model in (judged, refit):
        first = model.trained_from - (model.cutoff - WINDOW)
        assert timedelta(0) <= first < timedelta(days=4)  # two ideas each working day
        assert model.description.endswith(" ideas of 1.5 years, half-life 500 days")
        described = onnx.load_from_string((house.folder / "models" / model.file_name).read_bytes()).metadata_props
        facts = {each.key: each.value for each in described}
        assert (facts["train_years"], facts["half_life_days"]) == ("1.5", "500")


def test_evaluation_receipt_and_card_say_so(house: House) -> None:
    evaluation = house.registry.evaluations()[0]
    training = evaluation.document.training
    assert (training.train_years, training.half_life_days) == (1.5, 500.0)
    assert differences(evaluation.document) == []
    assert proof.faults(house.registry.receipt(1)) == []
    for model_id in (1, 2):
        text = card_text.markdown(house.registry.pages.card(model_id, now=NOW))
        assert "| training window | 1.5 years |" in text
        assert "| half-life of an idea's weight | 500 days |" in text


def test_a_first_idea_before_the_window_is_found(house: House) -> None:
    document = house.registry.evaluations()[0].document
    early = structs.replace(document.training, train_years=1.0)
    (found,) = differences(structs.replace(document, training=early))
    assert "before the training window from" in found


def test_without_either_nothing_says_so(house: House, tmp_path: Path) -> None:
    plain = House(tmp_path, str(house.settings.data.reveal()))
    plain.week(AS_OF, holdout_days=130)
    assert "train_years" not in plain.registry.evaluations()[0].stored["training"]
    text = card_text.markdown(plain.registry.pages.card(1, now=NOW))
    assert "training window" not in text
    assert "half-life" not in text
    assert plain.registry.model(1).description.endswith(" ideas")
    keys = {each.run_key for each in (*plain.registry.models(), *house.registry.models())}
    assert len(keys) == 2
