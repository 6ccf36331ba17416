"""Bot in another language that reads `RLModel` and loads `path` with its own ONNX Runtime."""

import json
import os
import subprocess
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from npm_packages import installed
from registry_site import OWN
from sqlalchemy.engine import make_url

from gatekeeper import config
from gatekeeper.market import sources
from gatekeeper.market.ideas import Dataset
from gatekeeper.model.export import export
from gatekeeper.model.training import train
from gatekeeper.serving import Gatekeeper

NODE = Path(__file__).parents[2] / "support" / "node"
AS_OF = datetime(2018, 11, 5, 2, tzinfo=UTC)

pytestmark = [
    pytest.mark.slow,
    pytest.mark.xdist_group("node"),
    pytest.mark.parametrize("dialect", ["postgresql"], indirect=True),
]


@pytest.fixture(scope="module")
def modules() -> Path:
    """Where the bot's locked packages are."""
    return installed(NODE, "node")


@pytest.fixture(scope="module")
def dataset() -> Dataset:
    return sources.load("demo:", AS_OF, config.load())


@pytest.fixture
def bot(site, modules: Path) -> Callable[[np.ndarray], dict[str, Any]]:
    """Starts the bot beside `models/`, as an older server is, and returns what it said of these rows."""
    server = make_url(site.postgres)

    def ask(rows: np.ndarray) -> dict[str, Any]:
        place = [server.query["host"], server.database, server.username]
        done = subprocess.run(
            ["node", str(NODE / "bot.mjs"), *place],
            cwd=site.root,
            input=json.dumps(rows.tolist()),
            env={**os.environ, "BOT_MODULES": str(modules)},
            capture_output=True,
            text=True,
            timeout=120,
        )
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    return ask


@pytest.mark.parametrize("recipe", ["logistic", "hist_gradient_boosting"])
def test_a_bot_in_another_language_gets_the_same_scores(registry, bot, dataset, recipe):
    """Case 15: the first output's first number is the score, within 1e-6 of what Python says."""
    content = export(train(dataset, config.load({"recipe": recipe})))
    model = registry.register(content, details=OWN)
    registry.promote(model.id, actor="ann", reason="r")
    rows = dataset.ideas.features[:: len(dataset.ideas) // 50]
    said = bot(rows)
    assert (said["id"], said["version"]) == (model.id, "gatekeeper_primary1")
    wanted = Gatekeeper(registry).score(rows).values
    assert len(set(wanted.tolist())) > 10
    np.testing.assert_allclose(said["scores"], wanted, rtol=0, atol=1e-6)


def test_it_follows_a_promotion_by_the_row_alone(registry, bot, dataset):
    """No file list, no restart of ours: the next look at the table is all."""
    rows = dataset.ideas.features[:5]
    for seed in (1, 2):
        settings = config.load({"recipe": "hist_gradient_boosting", "seed": seed, "holdout_days": 365 * seed})
        model = registry.register(export(train(dataset, settings)), details=OWN)
        registry.promote(model.id, actor="ann", reason="r")
        said = bot(rows)
        assert said["path"] == f"models/gatekeeper_primary{model.id}.onnx"
        np.testing.assert_allclose(said["scores"], Gatekeeper(registry).score(rows).values, rtol=0, atol=1e-6)
