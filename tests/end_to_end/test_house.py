"""Files around the package: what they name exists, and what they promise holds."""

import ast
import os
import re
import runpy
import subprocess
import sys
import tomllib
from collections import defaultdict
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
import yaml

from gatekeeper.settings import PREFIX, Settings

HOUSE = Path(__file__).parents[2]


COMPOSE = HOUSE / "docker-compose.yaml"
AIRFLOWS = {"init", "api-server", "scheduler", "dag-processor", "triggerer", "worker"}
ONCE = {"init", "roles", "grants"}
"""Services that do their work, and end."""
FILES = {"AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE"}
"""Settings of which `_FILE` is no suffix."""


def services() -> dict[str, Any]:
    return dict(yaml.safe_load(COMPOSE.read_text())["services"])


def airflow_options() -> set[str]:
    """What Airflow and its Celery provider can be told by the environment; read from their files."""
    place = Path(find_spec("airflow").submodule_search_locations[0])  # type: ignore[union-attr]  # it is installed
    celery = runpy.run_path(str(place / "providers" / "celery" / "get_provider_info.py"))["get_provider_info"]()
    core = yaml.safe_load((place / "config_templates" / "config.yml").read_text())
    return {
        f"AIRFLOW__{section}__{option}".upper()
        for described in (core, celery["config"])
        for section, content in described.items()
        for option in content["options"]
    }


def test_compose_describes_the_whole_system() -> None:
    there = services()
    assert set(there) == {*AIRFLOWS, "serve", "postgres", "redis", "roles", "grants"}
    for name in set(there) - ONCE:
        assert there[name]["healthcheck"]["test"], name
        assert there[name]["restart"] == "unless-stopped"


def test_compose_sets_only_settings_that_there_are() -> None:
    there = services()
    for name in (*AIRFLOWS, "serve"):
        set_here = {re.sub("_(CMD|FILE)$", "", one) for one in there[name]["environment"] if one not in FILES}
        assert {one for one in set_here if one.startswith(PREFIX)} <= {
            PREFIX + n.upper() for n in Settings.model_fields
        }
        assert {one for one in set_here if one.startswith("AIRFLOW__")} <= airflow_options()
        assert "/gatekeeper/models" in {volume.split(":")[1] for volume in there[name]["volumes"]}
    # Who runs tasks can't make the tokens that they show.
    assert set(there["scheduler"]["environment"]) - set(there["worker"]["environment"]) == {
        "AIRFLOW__API_AUTH__JWT_SECRET_CMD"
    }


@pytest.mark.parametrize(
    ("name", "fewest"),
    [("requirements.lock", 100), ("bench/requirements.lock", 100), ("bench/serving/mlserver/requirements.lock", 50)],
)
def test_a_lock_holds_hashes_and_no_registry_addresses(name: str, fewest: int) -> None:
    lock = (HOUSE / name).read_text()
    assert not re.search(r"^--(index-url|extra-index-url|find-links)|https?://", lock, re.MULTILINE)
    pins = re.findall(r"^([a-z0-9][a-z0-9._-]*)==", lock, re.MULTILINE)
    assert len(pins) > fewest
    assert all(re.search(rf"^{re.escape(pin)}==.* \\\n    --hash=sha256:", lock, re.MULTILINE) for pin in pins)


def test_the_lock_holds_every_dependency() -> None:
    project = tomllib.loads((HOUSE / "pyproject.toml").read_text())["project"]
    wanted = [*project["dependencies"], *(one for extra in project["optional-dependencies"].values() for one in extra)]
    names = {re.match(r"[A-Za-z0-9._-]+", one)[0].lower() for one in wanted}  # type: ignore[index]  # always a name
    pinned = set(re.findall(r"^([a-z0-9._-]+)==", (HOUSE / "requirements.lock").read_text(), re.MULTILINE))
    assert names - {name.partition("[")[0] for name in pinned} - {"psycopg"} == set()


def test_no_file_of_code_has_over_400_lines() -> None:
    tracked = subprocess.run(["git", "ls-files", "*.py"], cwd=HOUSE, capture_output=True, text=True, check=True)
    long = {name: len((HOUSE / name).read_text().splitlines()) for name in tracked.stdout.split()}
    assert {name: lines for name, lines in long.items() if lines > 400} == {}


def test_one_class_name_means_one_thing() -> None:
    places = defaultdict(list)
    for path in [*HOUSE.glob("gatekeeper/**/*.py"), *HOUSE.glob("plugins/**/*.py")]:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ClassDef):
                places[node.name].append(str(path.relative_to(HOUSE)))
    assert places["EvaluationDocument"] == ["gatekeeper/documents/evaluation.py"]
    assert {name: where for name, where in places.items() if len(where) > 1} == {}


def test_every_document_links_to_what_there_is() -> None:
    for page in [*HOUSE.glob("*.md"), *HOUSE.glob("docs/**/*.md")]:
        for target in re.findall(r"\]\(([^)#:]+)\)", page.read_text()):
            assert (page.parent / target).exists(), f"{page.name} links to {target}"


def test_troubleshooting_knows_every_reason_that_a_server_gives() -> None:
    code = "\n".join(path.read_text() for path in HOUSE.glob("gatekeeper/**/*.py"))
    given = set(re.findall(r'(?:ModelRefused\(|Problem\(\s*\d+,)\s*"([a-z_0-9]+)"', code))
    known = set(re.findall(r"`([a-z_0-9]+)`", (HOUSE / "docs" / "how-to" / "troubleshoot.md").read_text()))
    assert {"sha256", "no_model", "token"} <= given
    assert given - known == set()


def test_a_group_of_tests_stays_with_one_worker(tmp_path: Path) -> None:
    """Airflow's migration, and what else takes long, is done once for its group; some versions of pytest ignore it."""
    (tmp_path / "test_grouped.py").write_text(
        "import pytest\n"
        "@pytest.mark.xdist_group('one')\n"
        "@pytest.mark.parametrize('number', range(6))\n"
        "def test_where(number, worker_id):\n"
        "    print(f'ran on {worker_id}')\n"
    )
    command = [sys.executable, "-m", "pytest", "-n", "2", "--dist", "loadgroup", "-rP", "-p", "no:cacheprovider"]
    alone = {**os.environ, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "PYTEST_PLUGINS": "xdist.plugin"}
    ended = subprocess.run(command, cwd=tmp_path, env=alone, capture_output=True, text=True)
    ran = re.findall(r"ran on (gw\d)", ended.stdout)
    assert (len(ran), len(set(ran))) == (6, 1), ended.stdout


@pytest.mark.slow
def test_the_benchmarks_run() -> None:
    ended = subprocess.run([sys.executable, "bench/run.py", "--quick"], cwd=HOUSE, capture_output=True, text=True)
    assert ended.returncode == 0, ended.stderr
    # Each part's table has its row, and the page was written of them all.
    for row in ("bare onnxruntime", "bare FastAPI", "rehearse, policies: 1", "page of models", "by hand, with the"):
        assert row in ended.stdout
    assert "benchmarks.md: written" in ended.stdout
