"""The files around the package: does what they name exist, and does what they promise hold?"""

import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import yaml

from gatekeeper.config import PREFIX, Settings

HOUSE = Path(__file__).parents[2]


def test_compose_sets_only_settings_that_there_are() -> None:
    services = yaml.safe_load((HOUSE / "docker-compose.yaml").read_text())["services"]
    assert set(services) == {"postgres", "init", "api-server", "scheduler", "dag-processor"}
    for service in set(services) - {"postgres"}:
        names = {name for name in services[service]["environment"] if name.startswith(PREFIX)}
        assert names <= {PREFIX + name.upper() for name in Settings.model_fields}
        assert "/gatekeeper/models" in {volume.split(":")[1] for volume in services[service]["volumes"]}


@pytest.mark.parametrize(
    ("name", "fewest"),
    [("requirements.lock", 100), ("bench/requirements.lock", 100), ("bench/mlserver/requirements.lock", 50)],
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


def test_every_document_links_to_what_there_is() -> None:
    for page in [*HOUSE.glob("*.md"), *HOUSE.glob("docs/**/*.md")]:
        for target in re.findall(r"\]\(([^)#:]+)\)", page.read_text()):
            assert (page.parent / target).exists(), f"{page.name} links to {target}"


def test_troubleshooting_knows_every_reason_that_a_server_gives() -> None:
    code = "\n".join(path.read_text() for path in HOUSE.glob("gatekeeper/**/*.py"))
    given = set(re.findall(r'(?:ModelRefused\(|Problem\(\s*\d+,)\s*"([a-z_0-9]+)"', code))
    known = set(re.findall(r"`([a-z_0-9]+)`", (HOUSE / "docs" / "troubleshooting.md").read_text()))
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
    ended = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    ran = re.findall(r"ran on (gw\d)", ended.stdout)
    assert (len(ran), len(set(ran))) == (6, 1), ended.stdout


@pytest.mark.slow
def test_the_benchmarks_run() -> None:
    ended = subprocess.run([sys.executable, "bench/run.py", "--quick"], cwd=HOUSE, capture_output=True, text=True)
    assert ended.returncode == 0, ended.stderr
    assert "onnxruntime bare" in ended.stdout
