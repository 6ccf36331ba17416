"""Run keys: settings that were added later change none until they are set."""

from datetime import UTC, datetime

import pytest

from gatekeeper.pipeline.weekly.run import Run
from gatekeeper.settings import Settings

AS_OF = datetime(2018, 11, 5, 2, tzinfo=UTC)
# As the first version gave it, with its defaults; its recipe was `logistic`.
FIRST = "gatekeeper_weekly/2018-11-05T02:00:00Z/5c6544752b73f2db"


def test_at_its_defaults_a_look_has_the_key_that_it_always_had() -> None:
    assert Run(AS_OF, Settings(recipe="logistic")).key == FIRST


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
    ],
    ids=lambda chosen: next(iter(chosen)),
)
def test_what_bears_on_the_result_makes_another_look(chosen: dict[str, object]) -> None:
    assert Run(AS_OF, Settings(**{"recipe": "logistic", **chosen})).key != FIRST
