"""Closed loop: serve, log outcomes, retrain, promote, and the same server answers with the new model."""

import json
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from model_files import constant_model
from registry_site import Site
from score_server import Server, environment, eventually, running
from weekly_data import write_ideas

from gatekeeper.features import FEATURES

pytestmark = pytest.mark.slow
COMMAND = [sys.executable, "-c", "from gatekeeper.cli import main; main()"]
# The planted edge has a Sharpe ratio that no market gives.
SETTINGS = {"data": "sql:", "recipe": "logistic", "policy": "proven", "spool_cap_mb": 64, "too_good": 1000.0}
BATCH = 500


def gatekeeper(site: Site, *words: str) -> str:
    """One command of an operator's, with the settings of the server."""
    env = environment(site, **SETTINGS, work=site.root / "work", reports=site.root / "reports")
    done = subprocess.run([*COMMAND, *words], env=env, cwd=site.root, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


def ideas(frame: pd.DataFrame) -> list[dict[str, Any]]:
    """As a bot sends them, each with its own time and a name of its own."""
    return [
        {
            "symbol": row.symbol,
            "time": row.time.isoformat(),
            "idea_id": f"bot-{number}",
            "features": {name: row.action if name == "action" else float(getattr(row, name)) for name in FEATURES},
        }
        for number, row in enumerate(frame.itertuples())
    ]


def outcomes(frame: pd.DataFrame) -> list[dict[str, Any]]:
    """Of the vetoed ideas too: what they would have made."""
    return [
        {
            "idea_id": f"bot-{number}",
            "outcome": row.outcome,
            "closed_at": row.closed_at.isoformat(),
            "known_at": row.closed_at.isoformat(),
        }
        for number, row in enumerate(frame.itertuples())
    ]


def send(server: Server, path: str, bodies: list[dict[str, Any]]) -> list[dict[str, Any]]:
    answers = []
    for first in range(0, len(bodies), BATCH):
        answer = server.client.post(path, json=bodies[first : first + BATCH])
        assert answer.status_code in {200, 202}, answer.text
        answers += answer.json()
    return answers


def test_what_the_server_logged_trains_the_model_that_it_serves_next(tmp_path: Path) -> None:
    """Issue 4: an edge that the ideas hold is learned from what the first model let through *and* vetoed."""
    site = Site(tmp_path)
    last = datetime.now(UTC) - timedelta(days=3)
    write_ideas(
        tmp_path / "ideas.csv", start=f"{last - timedelta(days=1100):%Y-%m-%d}", end=f"{last:%Y-%m-%d}",
        edge_from="2000-01-01", seed=4,
    )  # fmt: skip
    frame = pd.read_csv(tmp_path / "ideas.csv", parse_dates=["time", "closed_at"])
    gatekeeper(site, "db", "upgrade")
    (tmp_path / "first.onnx").write_bytes(constant_model(0.6))  # lets everything through, and knows nothing
    gatekeeper(site, "register", "-p", "first.onnx", "--trained-to", "2015-01-01", "--promote")

    with running(site, **SETTINGS) as server:
        first = send(server, "/v1/score", ideas(frame))
        assert {(one["decision"], one["version"], one["logged"]) for one in first} == {
            ("approve", "gatekeeper_primary1", True)
        }
        send(server, "/v1/outcomes", outcomes(frame))
        closed = "SELECT count(*) FROM gatekeeper_decision WHERE closed_at IS NOT NULL"
        eventually(lambda: site.sql(closed) == [(len(frame),)])

        # After the promotion by hand, which counts as of its moment.
        as_of = datetime.now(UTC).isoformat()  # to the microsecond: outcomes came within this second
        said = json.loads(gatekeeper(site, "run", "--as-of", as_of, "--json"))
        assert (said["verdict"], said["promoted"]) == ("promote", True), said
        assert eventually(lambda: server.client.get("/v1/model").json()["version"] == "gatekeeper_primary2")
        same = server.score(*ideas(frame)[-200:]).json()
        anew = [{**idea, "idea_id": f"{idea['idea_id']}-later"} for idea in ideas(frame)[-200:]]
        again = server.score(*anew).json()
        # The same idea again is logged once.
        eventually(lambda: site.sql('SELECT count(*) FROM "RLDataset"') == [(len(frame) + len(anew),)])

    (report,) = (tmp_path / "reports").rglob("*.html")
    assert "outcomes missing (approved 0 of" in report.read_text()
    kept = [one["decision"] == "approve" for one in again]
    wins = frame["rsi14"].to_numpy()[-200:] > 50  # what was planted
    assert 20 < sum(kept) < 180
    assert sum(kept[i] == wins[i] for i in range(200)) > 180
    assert {one["version"] for one in again} == {"gatekeeper_primary2"}
    # Case 123: what was answered stands.
    assert {(one["decision"], one["version"], one["repeated"]) for one in same} == {
        ("approve", "gatekeeper_primary1", True)
    }
