"""Run keys: settings that were added later change none until they are set."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from gatekeeper import config
from gatekeeper.errors import ConfigError
from gatekeeper.pipeline.weekly.run import Run
from gatekeeper.settings import Settings

AS_OF = datetime(2018, 11, 5, 2, tzinfo=UTC)
# As the first version gave it, with its defaults; its recipe was `logistic`.
FIRST = "gatekeeper_weekly/2018-11-05T02:00:00Z/5c6544752b73f2db"


def test_at_its_defaults_a_look_has_the_key_that_it_always_had() -> None:
    assert Run(AS_OF, Settings(recipe="logistic")).key == FIRST


@pytest.mark.parametrize("name", ["train_years", "half_life_days"])
def test_an_empty_training_window_or_half_life_is_none(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """As the environment, desks.toml, a form and `--param NAME=` write it."""
    monkeypatch.setenv(f"GATEKEEPER_{name.upper()}", "")
    assert getattr(config.load(), name) is None
    assert Run(AS_OF, Settings(**{"recipe": "logistic", name: ""})).key == FIRST


@pytest.mark.parametrize("value", [0, -1, "inf", "two"])
@pytest.mark.parametrize("name", ["train_years", "half_life_days"])
def test_a_training_window_or_half_life_that_can_not_be(name: str, value: object) -> None:
    with pytest.raises(ConfigError, match=f"GATEKEEPER_{name.upper()}={value!r}"):
        config.load({name: value})


@pytest.mark.parametrize(
    "chosen",
    [
        {"spread_bp": 1.0},
        {"slippage_atr": 0.1},
        {"borrow": 0.01},
        {"funding": 0.01},
        {"calendars": "SPX=XNYS"},
        {"sizing": "volatility"},
        {"volatility_target": 0.001},
        {"largest_fraction": 0.2},
        {"most_open": 3},
        {"false_promotions_a_year": 1.0},  # by policy, so unlike the default for `safe`
        {"schedule": "0 2 * * *"},
        {"train_years": 5.0},
        {"half_life_days": 365.0},
    ],
    ids=lambda chosen: next(iter(chosen)),
)
def test_what_bears_on_the_result_makes_another_look(chosen: dict[str, object]) -> None:
    assert Run(AS_OF, Settings(**{"recipe": "logistic", **chosen})).key != FIRST


def test_splits_count_by_what_is_in_their_file(tmp_path: Path) -> None:
    """Neither where the file lies, nor how it is written, nor a split after the as-of makes another look."""
    lines = {"a": "X,2018-01-02,2\nY,2017-01-03,3\n", "b": "symbol,date,ratio\nY,2017-01-03,3:1\nX,2018-01-02,2\n"}
    lines |= {"c": lines["a"] + "X,2018-11-06,5\n", "d": "X,2018-01-02,2\n", "none": "X,2018-11-06,2\n"}
    keys = {}
    for name, text in lines.items():
        (tmp_path / name).write_text(text)
        keys[name] = Run(AS_OF, Settings(recipe="logistic", splits=str(tmp_path / name))).key
    assert keys["a"] == keys["b"] == keys["c"] != keys["d"]
    assert FIRST == keys["none"] != keys["a"]
    with pytest.raises(ConfigError, match=r"GATEKEEPER_SPLITS=.*nothing can't be read"):
        Run(AS_OF, Settings(splits=str(tmp_path / "nothing"))).key  # noqa: B018
