"""Does the registry cost the same with 10,000 models as with 100, and what does MLflow's cost beside it?

Ours verifies, copies and syncs two files at each registration, and writes an audit row at each promotion; MLflow's
calls do neither.
"""

import itertools
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from rich.console import Console
from sqlalchemy import create_engine, text
from timing import row, table

from gatekeeper import registry
from gatekeeper.registry import Registry

HOUSE = Path(__file__).parent.parent
PAGE = 50


def main(*, quick: bool) -> None:
    """Prints the table, for each size in a registry of its own."""
    shown = table("registry on SQLite / MLflow's on SQLite")
    for size in (100,) if quick else (100, 1_000, 10_000):
        with tempfile.TemporaryDirectory() as folder:
            ours, theirs = filled(Path(folder), size), mlflow(Path(folder), size)
            for work in ("register", "primary", "promote", "page of models"):
                row(shown, work, size, ours[work], theirs.get(work, ours[work]))
            if not theirs:
                shown.caption = "MLflow isn't installed here: ours beside itself; `make bench` installs it"
    Console(width=120).print(shown)


def filled(folder: Path, size: int) -> dict[str, Callable[[], object]]:
    """Our registry with `size` models, two of them real and promoted in turns; the others are rows only."""
    sys.path.append(str(HOUSE / "tests"))
    from model_files import constant_model

    url = f"sqlite:///{folder / 'registry.db'}"
    registry.upgrade(url, models=folder / "models")
    opened = Registry.open(url, models=folder / "models")
    pair = [opened.register(constant_model(score)).id for score in (0.4, 0.6)]
    rows = [{"id": number, "version": f"gatekeeper_{number}"} for number in range(3, size + 1)]
    with create_engine(url).begin() as connection:
        connection.execute(
            text(
                "INSERT INTO \"RLModel\" (id, version, path) VALUES (:id, :version, 'models/' || :version || '.onnx')"
            ),
            rows,
        )
    turns, content = itertools.cycle(pair), constant_model(0.5)
    return {
        "register": lambda: opened.register(content),
        "primary": opened.primary,
        "promote": lambda: opened.promote(next(turns), actor="bench", reason="bench"),
        "page of models": lambda: opened.models(limit=PAGE),
    }


def mlflow(folder: Path, size: int) -> dict[str, Callable[[], Any]]:
    """MLflow's registry with `size` versions of one model; empty where it isn't installed."""
    try:
        from mlflow import MlflowClient
    except ImportError:
        return {}
    uri = f"sqlite:///{folder / 'mlflow.db'}"
    client = MlflowClient(uri, uri)
    client.create_registered_model("gatekeeper")
    source = (folder / "model.onnx").as_uri()
    for _ in range(size):
        client.create_model_version("gatekeeper", source)
    turns = itertools.cycle(("1", "2"))
    client.set_registered_model_alias("gatekeeper", "primary", "1")
    return {
        "register": lambda: client.create_model_version("gatekeeper", source),
        "primary": lambda: client.get_model_version_by_alias("gatekeeper", "primary"),
        "promote": lambda: client.set_registered_model_alias("gatekeeper", "primary", next(turns)),
        "page of models": lambda: client.search_model_versions("name='gatekeeper'", max_results=PAGE),
    }
