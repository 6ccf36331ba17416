"""Three desks at once on CeleryExecutor, with a worker killed: every run ends right, once."""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from airflow_server import until
from bucket_site import BUCKET
from celery_machines import Feed, Machines, redis
from postgres_server import connect, running
from registry_site import OWN, own_model
from s3_server import running as running_s3
from weekly_data import write_ideas
from weekly_house import House

from gatekeeper.registry import Registry

# Beside the one Airflow, and over a Redis.
pytestmark = [pytest.mark.matrix, pytest.mark.xdist_group("machines"), pytest.mark.timeout(900)]
WEEKS = {
    "folder": ("gatekeeper_weekly_folder", datetime(2016, 1, 4, 2, tzinfo=UTC)),
    "bucket": ("gatekeeper_weekly_bucket", datetime(2016, 1, 11, 2, tzinfo=UTC)),
    "third": ("gatekeeper_weekly_third", datetime(2016, 1, 18, 2, tzinfo=UTC)),
}
WAITS = """
SELECT count(*) FROM pg_locks WHERE NOT granted AND relation = 'bucket.gatekeeper_artifact'::regclass
"""


@pytest.fixture(scope="module")
def ideas(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("market") / "ideas.csv"
    write_ideas(path, start="2012-01-02", end="2016-01-29", edge_from="2012-01-02", seed=7)
    return path


@pytest.fixture(scope="module")
def feed(ideas: Path) -> Iterator[Feed]:
    with Feed(ideas.read_bytes()) as started:
        yield started


@pytest.fixture(scope="module")
def machines(ideas: Path, feed: Feed, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Machines]:
    """The one system of this file."""
    home = tmp_path_factory.mktemp("machines")
    with redis() as broker, running() as server, running_s3() as s3:
        s3.client.create_bucket(Bucket=BUCKET)
        with Machines(home, server=server, broker=broker, feed=feed, ideas=ideas) as started:
            yield started


@pytest.fixture(scope="module")
def struck(machines: Machines, feed: Feed) -> Machines:
    """After three runs at once, whose first worker was killed with a `retrain` and a `register` on it."""
    feed.hold()
    with connect(machines.database, autocommit=False) as holder, connect(machines.database, autocommit=True) as eye:
        # Who registers in the bucket's desk has its lock, wrote blob, file and row, and waits to describe them.
        holder.execute("LOCK TABLE bucket.gatekeeper_artifact IN SHARE MODE")
        for dag_id, monday in WEEKS.values():
            machines.unpause(dag_id)
            machines.trigger(dag_id, {"as_of": f"{monday:%Y-%m-%d}"}, run_id="week")
        assert feed.asked.wait(240), machines.words()
        until(lambda: eye.execute(WAITS).fetchone() == (1,), "register waits to describe its row", machines.words)
        machines.join("two")
        retrain = machines.running("gatekeeper_weekly_folder", "week")["retrain"]
        register = machines.running("gatekeeper_weekly_bucket", "week")["register"]
        assert machines.runs_on(retrain, "one")
        assert machines.runs_on(register, "one")
        machines.kill("one")
        holder.rollback()
    feed.release()
    return machines


def test_every_run_ends_right_and_once(struck: Machines, tmp_path: Path) -> None:
    """Case 49, on more than one machine: what a dead worker had begun others do again, and come to the same end."""
    for desk, (dag_id, monday) in WEEKS.items():
        assert struck.ended(dag_id, "week") == "success"
        settings = struck.settings(desk)
        (tmp_path / desk).mkdir()
        house = House(tmp_path / desk, settings.data.reveal())
        undisturbed = house.week(monday)
        house.registry.close()
        with struck.registry(desk) as registry:
            ((model,), (promotion,), (evaluation,)) = (registry.models(), registry.promotions(), registry.evaluations())
            assert model.sha256 == undisturbed["sha256"]
            assert str(model.run_key).split("/")[1] == f"{monday:%Y-%m-%dT%H:%M:%SZ}"
            assert (promotion.kind, promotion.to_id, promotion.as_of) == ("bootstrap", model.id, monday)
            assert (evaluation.verdict, evaluation.as_of) == (undisturbed["verdict"], monday)
            check_files(registry, left_behind=desk == "bucket")
    tries = {desk: struck.tasks(dag_id, "week") for desk, (dag_id, _) in WEEKS.items()}
    assert (tries["folder"]["retrain"], tries["bucket"]["register"]) == (("success", 2), ("success", 2))
    assert {state for of in tries.values() for state, _ in of.values()} == {"success"}


def check_files(registry: Registry, *, left_behind: bool) -> None:
    """Who was killed in `register` left a file to a row that never was, under a number that nobody gets again."""
    found = [(finding.kind, finding.name) for finding in registry.doctor().findings]
    assert found == ([("orphaned", "gatekeeper_1.onnx")] if left_behind else [])
    assert registry.doctor(repair=True).well
    assert registry.doctor().well


def test_a_person_approves_on_postgresql(machines: Machines) -> None:
    dag_id = "gatekeeper_promote_asked"
    with machines.registry("asked") as registry:
        registry.register(own_model(1), details=OWN)
        machines.unpause(dag_id)
        machines.trigger(dag_id, {"act": "promote", "model_id": 1, "reason": "by form"}, run_id="up")
        asked = machines.question(dag_id, "up")
        assert asked["subject"] == "Promote model 1 by hand?"
        assert "`admin` asks for it: `by form`" in asked["body"]
        assert registry.promotions() == []
        machines.answer(dag_id, "up", "Approve", user="operator")
        assert machines.ended(dag_id, "up") == "success"
        (made,) = registry.promotions()
    assert (made.kind, made.to_id, made.actor, made.reason) == (
        "manual",
        1,
        "admin, approved by operator",
        "by form",
    )
