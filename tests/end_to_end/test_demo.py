"""`make demo`: eight Mondays under Airflow; the first one also without it, to the same rows."""

import importlib.util
import os
import re
import runpy
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import ModuleType
from typing import Any

import httpx
import pytest
import readme_table

from gatekeeper.registry import Evaluation, Registry

HOUSE = Path(__file__).parents[2]
GATEKEEPER = str(Path(sys.executable).with_name("gatekeeper"))
MONDAY = datetime(2018, 11, 5, 2, tzinfo=UTC)
WITHOUT = 3
"""So many Mondays are run again without Airflow."""
REHEARSED_FROM = "2018-12-24"
"""Two Mondays of it: three years take most of a minute of processor time."""
ROW = re.compile(r"^2018-\d\d-\d\d .*\b(promote|keep|undecided)\b")


def demo(folder: Path) -> list[str]:
    """What it prints where the output is piped and the terminal said to be narrow."""
    ended = subprocess.run(
        [sys.executable, str(HOUSE / "demo" / "run.py"), str(folder), REHEARSED_FROM],
        env={**os.environ, "COLUMNS": "30", "GATEKEEPER_THRESHOLD": "not the demo's"},
        capture_output=True,
        text=True,
    )
    log = folder / "airflow.log"
    assert ended.returncode == 0, ended.stderr[-2000:] + (log.read_text()[-4000:] if log.exists() else "")
    return ended.stdout.splitlines()


def without_airflow(folder: Path) -> list[Evaluation]:
    """The first weeks by command, in a registry of their own; nothing is set but where things lie."""
    url, models = f"sqlite:///{folder / 'registry.db'}", folder / "models"
    folder.mkdir()
    places = {name: str(folder / name.lower()) for name in ("MODELS", "WORK", "REPORTS")} | {"DB": url}
    own = {name: value for name, value in os.environ.items() if not name.startswith("GATEKEEPER_")}
    environment = {**own, **{f"GATEKEEPER_{name}": value for name, value in places.items()}}
    mondays = [MONDAY + timedelta(weeks=week) for week in range(WITHOUT)]
    for words in (["db", "upgrade"], *(["run", "--as-of", f"{monday:%Y-%m-%d}"] for monday in mondays)):
        ended = subprocess.run([GATEKEEPER, *words], env=environment, cwd=folder, capture_output=True, text=True)
        assert ended.returncode == 0, ended.stderr
    with Registry.open(url, models=models) as opened:
        return list(reversed(opened.evaluations()))


def module_of_the_demo(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """`demo/run.py`, to call its parts."""
    monkeypatch.syspath_prepend(HOUSE / "demo")
    spec = importlib.util.spec_from_file_location("demo_run", HOUSE / "demo" / "run.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, spec.name, module)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("shell", ["bash", "sh"])
def test_the_printed_exports_hold_in_a_path_with_a_space(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, shell: str
) -> None:
    """Case 115: pasted, they left the shell without its PATH."""
    demo = module_of_the_demo(monkeypatch)
    monkeypatch.setattr(demo, "BIN", tmp_path / "my bin")
    place = demo.Place(tmp_path / "the demo's")
    words = "; ".join([*place.exports(), 'echo "$GATEKEEPER_DB"; echo "$GATEKEEPER_MODELS"; echo "$PATH"'])
    around = {"PATH": "/usr/bin:/opt/with a space/bin"}
    ended = subprocess.run([f"/bin/{shell}", "-c", words], env=around, capture_output=True, text=True, check=True)
    assert ended.stdout.splitlines() == [
        f"sqlite:///{place.folder}/registry.db",
        f"{place.folder}/models",
        f"{tmp_path}/my bin:/usr/bin:/opt/with a space/bin",
    ]


def line_of(evaluation: Evaluation) -> str:
    """The demo's own line of an evaluation."""
    return str(runpy.run_path(str(HOUSE / "demo" / "table.py"))["line"](evaluation))


def served(printed: str) -> dict[str, Any]:
    """The answer to the idea that the demo prints, by the server that it says how to start."""
    exports = re.findall(r"^  (export .*)$", printed, re.MULTILINE)
    (body,) = re.findall(r"^  curl .*/v1/score .* -d '(.*)'$", printed, re.MULTILINE)
    words = ["bash", "-c", "; ".join([*exports, "exec gatekeeper serve --port 0"])]
    with subprocess.Popen(words, stderr=subprocess.PIPE, text=True) as server:
        try:
            assert server.stderr is not None
            listening = re.search(r"listening on (\S+)", server.stderr.readline())
            assert listening is not None
            answer = httpx.post(f"{listening[1]}/v1/score", content=body, headers={"Content-Type": "application/json"})
        finally:
            server.terminate()
    assert server.returncode == 0
    return answer.raise_for_status().json()


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.xdist_group("demo")
def test_the_demo_prints_one_line_per_monday_and_without_airflow_the_same(tmp_path: Path) -> None:
    """And what it says of serving the promoted model works as it stands there."""
    first = demo(tmp_path / "the first")
    rows = [line for line in first if line.startswith("2018-")]
    assert [row.split()[0] for row in rows] == [
        f"2018-{day}" for day in ("11-05", "11-12", "11-19", "11-26", "12-03", "12-10", "12-17", "12-24")
    ]
    assert all(ROW.match(row) for row in rows)
    assert rows == readme_table.rows()
    assert "promote" in rows[0]
    text = "\n".join(first)
    active = re.search(r"^(gatekeeper_primary\d+) .* sha256 ([0-9a-f]{64})$", text, re.MULTILINE)
    report = re.search(r"^report of the last Monday: (.*\.html)$", text, re.MULTILINE)
    assert active is not None
    assert report is not None
    assert "</html>" in Path(report[1]).read_text()
    picture = re.search(r"^report: (.*rehearsal_2018-12-24_2018-12-31\.html)$", text, re.MULTILINE)
    assert picture is not None
    assert "never retrained" in Path(picture[1]).read_text()
    assert re.search(r"^safe +\d", text, re.MULTILINE)
    answer = served(text)
    assert (answer["version"], answer["sha256"], answer["degraded"]) == (active[1], active[2], False)
    assert answer["logged"]
    assert answer["decision"] == ("approve" if answer["score"] >= 0.55 else "veto")
    assert [line_of(evaluation) for evaluation in without_airflow(tmp_path / "second")] == rows[:WITHOUT]
