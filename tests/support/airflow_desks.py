"""Desks of the Airflow that tests share: one for each test file that needs one, so none sees another's runs.

A desk's folder is laid out as a house's (`weekly_house.House` opens it): registry.db, models, work, reports, spool.
"""

import json
from pathlib import Path

import pandas as pd
from weekly_data import write_ideas

IDEAS, HOLED = "ideas.csv", "holed.csv"
HOLE = ("2016-11-21", "2016-11-28")
"""The week of which HOLED has no ideas: the Monday at its end has nothing fresh to go by."""
MINE = ("models", "work", "reports", "spool")
DESKS: dict[str, dict[str, object]] = {
    "backfill": {"ideas_freshness_days": 7},  # test_backfill.py: of HOLED
    "killed": {},  # test_backfill.py
    "pages": {},  # test_console_in_airflow.py
    "journey": {},  # the journey of a browser
    "watched": {},  # test_monitor_dag.py
    "byhand": {},  # test_promote_dag.py
    "asked": {"approval": True},  # test_approval.py
    "named": {"approval": True, "approvers": "operator"},  # the same, where only one may answer
    "hasty": {"approval": True, "approval_timeout_hours": 0.002},  # the same, where nobody answers in time
}
"""By name, what the desk sets beside its places and data; the desk `default` is the demo's."""


def place_of(folder: Path, desk: str, data: str) -> dict[str, str]:
    """Where the registry and the folders of a desk lie, and what it reads, as its settings."""
    home = folder / desk
    home.mkdir(parents=True)
    return {
        "db": f"sqlite:///{home / 'registry.db'}",
        **{name: str(home / name) for name in MINE},
        "data": data,
    }


def data_of(folder: Path, desk: str) -> str:
    """What the desk reads."""
    return f"ideas:{folder / (HOLED if desk == 'backfill' else IDEAS)}"


def write(folder: Path) -> dict[str, str]:
    """Makes the desks under `folder`; the environment that describes them.

    Their ideas begin in 2012, with an edge from 2016 on that a model has to have seen to know; the last is of January
    2018.
    """
    write_ideas(folder / IDEAS, start="2012-01-02", end="2018-01-12", edge_from="2016-01-04", seed=7)
    every = pd.read_csv(folder / IDEAS)
    every[~every["time"].between(*HOLE)].to_csv(folder / HOLED, index=False)
    tables = []
    for desk, own in DESKS.items():
        # The planted edge has a Sharpe ratio that no market gives.
        settings = place_of(folder, desk, data_of(folder, desk)) | {"too_good": 1000.0} | own
        tables.append("\n".join([f"[{desk}]", *(f"{key} = {json.dumps(value)}" for key, value in settings.items())]))
    (folder / "desks.toml").write_text("\n\n".join(tables))
    default = {f"GATEKEEPER_{key.upper()}": value for key, value in place_of(folder, "default", "demo:").items()}
    return {**default, "GATEKEEPER_RECIPE": "logistic", "GATEKEEPER_DESKS": str(folder / "desks.toml")}
