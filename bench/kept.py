"""Stored measurements: figures, date, machine and load, one JSON file a part, the newest of each."""

import json
import math
import os
import platform
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from importlib.metadata import distributions
from pathlib import Path
from typing import Any

from results import Result

HOUSE = Path(__file__).parent.parent
NAMED = (
    "gatekeeper",
    "numpy",
    "pandas",
    "scikit-learn",
    "onnxruntime",
    "TA-Lib",
    "fastapi",
    "uvicorn",
    "apache-airflow",
    "vectorbt",
    "backtesting",
    "empyrical-reloaded",
    "mlflow",
    "mlserver",
)
"""Whose versions are stated: ours, what it is built on, the peers'."""


@dataclass(frozen=True, slots=True)
class Kept:
    """A part's results and their circumstances."""

    part: str
    measured: str
    """When it began, in UTC."""
    took: float
    load: tuple[float, float]
    """Of the last minute, before and after: how busy the machine was."""
    machine: str
    versions: dict[str, str]
    results: list[Result]
    about: str = ""
    """What is out of the ordinary: fewer rounds, figures of several runs."""


def keep(kept: Kept, folder: Path) -> None:
    """Replaces the part's former figures."""
    folder.mkdir(parents=True, exist_ok=True)
    rows = [{name: _plain(value) for name, value in asdict(result).items()} for result in kept.results]
    content = {name: getattr(kept, name) for name in Kept.__slots__} | {"results": rows}
    new = folder / f"{kept.part}.json.new"
    new.write_text(json.dumps(content, indent=1, allow_nan=False))
    new.replace(folder / f"{kept.part}.json")


def read(folder: Path, parts: Iterable[str]) -> dict[str, Kept]:
    """Those of the parts that were ever measured."""
    files = {part: folder / f"{part}.json" for part in parts}
    return {part: _kept(json.loads(file.read_text())) for part, file in files.items() if file.exists()}


def machine() -> str:
    """Processor, cores, memory, system, Python."""
    cores, memory = os.cpu_count(), os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    system = f"{platform.system()} {platform.release().partition('-')[0]}"
    return f"{_processor()}, {cores} cores, {memory:.0f} GB, {system}, Python {platform.python_version()}"


def versions() -> dict[str, str]:
    """Of this environment and of the peers' own."""
    found = {each.name: each.version for each in distributions()}
    others = [str(place) for place in sorted(HOUSE.glob("build/bench-*/lib/python*/site-packages"))]
    for each in distributions(path=others):
        found.setdefault(each.name, each.version)
    by_name = {name.lower().replace("_", "-"): version for name, version in found.items()}
    return {name: by_name[name.lower()] for name in NAMED if name.lower() in by_name}


def _processor() -> str:
    """Its model, where the system says it."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        lines = []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()


def _plain(value: object) -> object:
    """JSON has no `nan`, and no endless ratio."""
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _kept(content: dict[str, Any]) -> Kept:
    numbers = ("ours", "theirs", "ratio", "low", "high")
    rows = [row | {name: math.nan for name in numbers if row[name] is None} for row in content["results"]]
    return Kept(**content | {"results": [Result(**row) for row in rows], "load": tuple(content["load"])})
