"""Run keys: settings that were added later change none until they are set."""

from datetime import UTC, datetime

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
