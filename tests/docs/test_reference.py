"""The reference: up to date with the code, and complete, by what the running parts themselves have."""

import importlib
import json
import re
import sqlite3
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import click
import pandas as pd
import pytest
from decision_samples import decision
from msgspec import structs
from weekly_data import write_ideas
from weekly_house import NOW, House

import gatekeeper as package
from gatekeeper import config
from gatekeeper.cli.main import gatekeeper
from gatekeeper.documents import check, evaluation, receipt
from gatekeeper.documents.evaluation import EvaluationDocument
from gatekeeper.pipeline.monitoring.monitor import monitor
from gatekeeper.registry import upgrade
from gatekeeper.registry.decision_log.line_format import Outcome, decision_lines, outcome_lines
from gatekeeper.registry.views import proof
from gatekeeper.serving.http.counters import PATHS
from gatekeeper.settings import PREFIX, Settings

pytestmark = pytest.mark.xdist_group("docs")  # the weeks are run once for all

HOUSE = Path(__file__).parents[2]
PACKAGE = Path(package.__file__).parent
MONDAY = datetime(2018, 1, 1, 2, tzinfo=UTC)


@pytest.fixture
def page() -> Any:
    return lambda name: (HOUSE / "docs" / "reference" / f"{name}.md").read_text("utf-8")


@pytest.fixture
def documented(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.syspath_prepend(HOUSE / "docs" / "tooling")
    return importlib.import_module("documents_page")


def rows(text: str) -> dict[str, list[str]]:
    """Of all tables in a page or a section: each row's other cells by its first one, without the marks of code."""
    found = {}
    for line in text.splitlines():
        if line.startswith("| `"):
            first, *others = re.split(r"(?<!\\) \| ", line.strip("| "))
            found[first.strip("`")] = [cell.strip() for cell in others]
    return found


def test_it_is_what_the_code_gives() -> None:
    ended = subprocess.run(
        [sys.executable, "docs/tooling/reference.py", "--check"], cwd=HOUSE, capture_output=True, text=True
    )
    assert (ended.returncode, ended.stdout, ended.stderr) == (0, "", "")


def test_every_setting(page: Any) -> None:
    found = rows(page("settings"))
    assert set(found) == {PREFIX + name.upper() for name in Settings.model_fields}
    assert found["GATEKEEPER_THRESHOLD"] == [
        "number, over 0, under 1",
        "`0.55`",
        "Score below which an idea is vetoed.",
    ]
    assert found["GATEKEEPER_ON_NO_MODEL"][:2] == ["`veto` or `pass` or `error`", "`veto`"]
    assert all(len(cells[-1]) > 15 for cells in found.values())


def walk(command: click.Command, name: str) -> list[tuple[str, click.Command]]:
    if not isinstance(command, click.Group):
        return [(name, command)]
    context = click.Context(command)
    within = [(each, command.get_command(context, each)) for each in command.list_commands(context)]
    return [found for each, inner in within if inner for found in walk(inner, f"{name} {each}")]


def test_every_command_and_option(page: Any) -> None:
    sections = dict(re.findall(r"^## (gatekeeper .*)\n((?:(?!^## ).*\n?)*)", page("commands"), re.MULTILINE))
    commands = dict(walk(gatekeeper, "gatekeeper"))
    assert set(sections) == set(commands)
    assert {"gatekeeper db upgrade", "gatekeeper alarms test"} <= set(sections)
    for name, command in commands.items():
        said = set(re.findall(r"`(--?[a-z][a-z-]*)`", sections[name]))
        options = {each for option in command.params if isinstance(option, click.Option) for each in option.opts}
        assert options - said == {"--desk"}, name


def test_every_exit_code(page: Any) -> None:
    source = (PACKAGE / "cli" / "main.py").read_text()
    given = set(re.findall(r"(?:_end\(.*|return .*\"), (\d+)\)?$", source, re.M)) | {"0", "2"}  # click's own is 2
    assert given >= {"1", "70", "130"}
    assert set(re.findall(r"^\| (\d+) \|", page("commands"), re.MULTILINE)) == given


def test_every_table_and_column(page: Any, tmp_path: Path) -> None:
    """Those of a database that was just made, but for alembic's and SQLite's own."""
    upgrade(f"sqlite:///{tmp_path}/r.db", models=tmp_path / "models")
    sections = dict(re.findall(r"^## (\w+)\n((?:(?!^## ).*\n?)*)", page("tables"), re.MULTILINE))
    with sqlite3.connect(tmp_path / "r.db") as connection:
        names = {name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
        names -= {"sqlite_sequence", "gatekeeper_alembic_version"}
        assert set(sections) == names
        for name in names:
            columns = {row[1] for row in connection.execute(f"PRAGMA table_info('{name}')")}
            assert set(rows(sections[name])) == columns, name
            assert all(len(cells[-1]) > 5 for cells in rows(sections[name]).values()), name


def test_every_metric(page: Any) -> None:
    source = (PACKAGE / "serving" / "http" / "metrics.py").read_text()
    gauges = set(re.findall(r'_gauge\(\s*"(\w+)"', source)) | set(re.findall(r'^            \("(\w+)", ', source, re.M))
    gauges |= set(re.findall(r'GaugeMetricFamily\(\s*"gatekeeper_(\w+)"', source))
    counters = set(re.findall(r'_counter\(\s*"(\w+)"', source))
    counters |= set(re.findall(r'CounterMetricFamily\(\s*"gatekeeper_(\w+)"', source))
    expected = {f"gatekeeper_{name}" for name in gauges} | {f"gatekeeper_{name}_total" for name in counters}
    found = rows(page("metrics"))
    assert set(found) == expected | {"gatekeeper_request_seconds"}
    assert found["gatekeeper_decisions_total"][:2] == ["counter", "`decision`, `symbol`"]
    alerts = set(re.findall(r"gatekeeper_\w+", (HOUSE / "docs" / "alerts.yml").read_text()))
    assert alerts - set(found) == {"gatekeeper_weekly", "gatekeeper_conflict"}  # a DAG and a table


def test_every_path(page: Any) -> None:
    text = page("http")
    assert {path for path in PATHS if not re.search(rf"(GET|POST) {re.escape(path)}\b", text)} == set()


def test_every_public_name_and_error(page: Any) -> None:
    text = page("python")
    for module in ("registry", "serving", "judgement", "market"):
        section = re.search(rf"^## gatekeeper\.{module}\n((?:(?!^## ).*\n?)*)", text, re.MULTILINE)
        assert section
        public = importlib.import_module(f"gatekeeper.{module}").__all__
        assert set(re.findall(r"^### (\w+)$", section[1], re.MULTILINE)) == set(public)
    classes = re.findall(r"^class (\w+)\(", (PACKAGE / "errors.py").read_text(), re.MULTILINE)
    found = rows(page("errors"))
    assert set(classes) - set(found) == set()
    assert found["Unavailable"][1] == "yes"
    assert "model" in found["sha256"][0]


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> House:
    """A first model, a week with a league of one, and a week whose refit would be deployed."""
    folder = tmp_path_factory.mktemp("documents")
    data = write_ideas(folder / "ideas.csv", start="2015-01-02", end="2018-02-12", edge_from="2016-01-01", seed=3)
    pd.read_csv(folder / "ideas.csv").assign(cost=0.0001).to_csv(folder / "ideas.csv", index=False)
    made = House(folder, data)
    made.week(MONDAY, holdout_days=130)
    for week, changes in enumerate([{}, {"league": True}, {"deploy": "refit"}], 1):
        made.settings = config.override(made.settings, {"league": False, "deploy": "judged", **changes})
        made.week(MONDAY + timedelta(weeks=week), holdout_days=130)
    return made


def test_every_field_is_explained(documented: Any, page: Any) -> None:
    """A key without a docstring below it fails, and so does a record that the page doesn't show."""
    text = page("documents")
    for _, records in documented.DOCUMENTS.values():
        for record in (each for one in records for each in documented.reachable(one)):
            section = re.search(rf"^### {record.__name__}\n((?:(?!^##).*\n?)*)", text, re.MULTILINE)
            assert section, record
            written = [field.encode_name for field in structs.fields(record)]
            assert re.findall(r"^\| `(\w+)` \| [^|]+ \| [^|]+ \|$", section[1], re.MULTILINE) == written


def test_every_key_of_an_evaluation(house: House) -> None:
    """Nothing is stored that the records don't know."""
    stored = [each.document_json for each in house.registry.evaluations()]
    assert [evaluation.as_object(evaluation.read(text)) for text in stored] == [json.loads(text) for text in stored]
    assert {key for text in stored for key in json.loads(text)} == set(EvaluationDocument.__struct_fields__)


def test_every_key_of_a_check(house: House) -> None:
    checked = monitor(MONDAY + timedelta(weeks=5), house.registry, house.settings, now=NOW).check
    assert checked is not None
    assert check.as_object(checked.document) == json.loads(checked.document_json)


def test_every_key_of_a_receipt(house: House) -> None:
    for model in house.registry.models():
        content = house.registry.receipt(model.id)
        told = proof.read(content)
        assert told is not None
        assert receipt.as_hashed(told) == json.loads(content)


def test_every_value_of_a_line(documented: Any) -> None:
    idea = json.loads(decision_lines([decision(1)]))
    outcome = json.loads(outcome_lines([Outcome("a", 0.1, MONDAY, MONDAY, True, MONDAY)]))
    assert (idea[0], outcome[0]) == ("idea", "outcome")
    assert (len(documented.IDEA_LINE), len(documented.OUTCOME_LINE)) == (len(idea), len(outcome))
