"""Nothing leaves the machine that wasn't named: a network of its own, every call to it recorded, an empty HOME."""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

HOUSE = Path(__file__).parents[2]
BIN = Path(sys.executable).parent
LO_UP = "import fcntl, socket, struct; s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); " + (
    "fcntl.ioctl(s, 0x8914, struct.pack('16sH14x', b'lo', 0x1 | 0x8 | 0x40))"  # SIOCSIFFLAGS: up, loopback, running
)
RUN = """
gatekeeper db upgrade
gatekeeper run --as-of 2018-11-05
gatekeeper score rsi14=41 adx14=22 fastMASlowDelta=0.02 bbWidth=0.05 avgSent=0 avgOB=0 action=1
gatekeeper report 1
gatekeeper receipt 1
gatekeeper card 1 -o card.md
"""
SERVE = """
gatekeeper serve --port 18055 2>log & server=$!
until curl -sf http://127.0.0.1:18055/readyz >ready; do kill -0 $server; sleep 0.05; done
curl -sf http://127.0.0.1:18055/v1/score -H 'content-type: application/json' -d '{
  "symbol": "SPX", "features": {"rsi14": 41,
  "adx14": 22, "fastMASlowDelta": 0.02, "bbWidth": 0.05, "avgSent": 0, "avgOB": 0, "action": 1}}'
kill $server; wait $server
"""
AIRFLOW = """
airflow db migrate >migrated 2>&1
python - <<'END' >ran 2>&1
from datetime import datetime
from airflow.dag_processing.bundles.manager import DagBundlesManager
from airflow.dag_processing.dagbag import BundleDagBag, DagBag, sync_bag_to_db
manager = DagBundlesManager()
manager.sync_bundles_to_db()
for bundle in manager.get_all_dag_bundles():
    bundle.initialize()
    bag = BundleDagBag(dag_folder=bundle.path, bundle_path=bundle.path, bundle_name=bundle.name)
    sync_bag_to_db(bag, bundle.name, bundle.version)
dag = DagBag(dag_folder=bundle.path).get_dag("gatekeeper_weekly")
assert dag.test(logical_date=datetime.fromisoformat("2018-11-05T02:00+00:00")).state == "success"
END
"""

Recorded = Callable[[str], list[str]]


@pytest.fixture
def recorded(tmp_path: Path) -> Recorded:
    """Runs a script with a network of its own; returns whom it asked over it, this machine left out."""
    if not shutil.which("strace") or not shutil.which("unshare"):
        pytest.skip("there is no `strace` or no `unshare` (Linux), by which calls of libraries are seen")
    if subprocess.run(["strace", "-o", os.devnull, "true"], capture_output=True).returncode:
        pytest.skip("this machine allows no `strace`")
    ways = (["unshare", "--net"], ["unshare", "--net", "--map-root-user"])
    alone = next((way for way in ways if not subprocess.run([*way, "true"], capture_output=True).returncode), None)
    if alone is None:
        pytest.skip("neither root nor user namespaces to refuse the network with")
    (tmp_path / "home").mkdir()

    def record(script: str) -> list[str]:
        trace = tmp_path / "trace"
        environment = {
            "HOME": str(tmp_path / "home"),
            "PATH": f"{BIN}:{os.environ['PATH']}",
            "GATEKEEPER_RECIPE": "logistic",
            "AIRFLOW_HOME": str(tmp_path / "airflow"),
            "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
            "AIRFLOW__CORE__DAGS_FOLDER": str(HOUSE / "dags"),
            "AIRFLOW__CORE__PLUGINS_FOLDER": str(HOUSE / "plugins"),
        }
        (tmp_path / "trace.sh").touch(0o600)
        (tmp_path / "trace.sh").write_text(f"set -e\n{sys.executable} -c {LO_UP!r}\n{script}")
        words = ["strace", "-f", "-qq", "--seccomp-bpf", "-e", "trace=connect,sendto,sendmsg,sendmmsg,bind"]
        ended = subprocess.run(
            [*alone, *words, "-o", trace, "bash", tmp_path / "trace.sh"],
            cwd=tmp_path,
            umask=0o077,
            env=environment,
            capture_output=True,
            text=True,
        )
        logs = "".join(each.read_text() for name in ("log", "migrated", "ran") if (each := tmp_path / name).exists())
        assert ended.returncode == 0, ended.stdout + ended.stderr + logs[-3000:]
        calls = [line for line in trace.read_text().splitlines() if "AF_INET" in line]
        own = re.compile(r'inet_addr\("(127\.\d+\.\d+\.\d+|0\.0\.0\.0)"\)|"::1"')
        return [
            line for line in calls if "htons(53)" in line or not own.search(line)
        ]  # a name server is no process of ours

    return record


def test_the_record_sees_who_is_asked(recorded: Recorded) -> None:
    """Else the others would find nothing whatever happened: an address."""
    tries = "import socket\ntry: socket.create_connection(('192.0.2.1', 80), 1)\nexcept OSError: pass"
    (asked,) = recorded(f'python -c "{tries}"')
    assert 'sin_port=htons(80), sin_addr=inet_addr("192.0.2.1")' in asked


@pytest.mark.matrix
def test_nobody_is_asked_and_home_stays_empty(recorded: Recorded, tmp_path: Path) -> None:
    """Case 114: onnxruntime's telemetry writes ~/.cache/Microsoft and asks for its maker's host.

    Case 116: all that is written is for its owner alone under the umask 077.
    """
    assert recorded(RUN + SERVE) == []
    assert sorted(path.name for path in (tmp_path / "home").rglob("*")) == []
    written = [
        path for path in tmp_path.rglob("*") if path.relative_to(tmp_path).parts[0] not in ("home", "trace", "trace.sh")
    ]
    names = {path.name.partition("_")[0] for path in written}
    assert {"registry.db", "gatekeeper", ".blobs", "work", "reports", "receipt", "report", "card.md", "spool"} <= names
    assert {path: oct(path.stat().st_mode) for path in written if path.stat().st_mode & 0o077} == {}


@pytest.mark.matrix
@pytest.mark.timeout(600)
def test_nor_by_airflow(recorded: Recorded, tmp_path: Path) -> None:
    """Case 114, a weekly run of Airflow's."""
    assert recorded("gatekeeper db upgrade\n" + AIRFLOW) == []
    assert sorted(path.name for path in (tmp_path / "home").rglob("*")) == []


def test_a_library_that_came_first(tmp_path: Path) -> None:
    """Case 114: said once where onnxruntime was imported before, and by `doctor`; else never."""
    words = "from gatekeeper.cli import main; main(sys.argv[1:])"
    environment = {"HOME": str(tmp_path), "PATH": os.environ["PATH"], "GATEKEEPER_DB": f"sqlite:///{tmp_path}/r.db"}
    subprocess.run([BIN / "gatekeeper", "db", "upgrade"], cwd=tmp_path, env=environment, check=True)
    for before, told in (("", 0), ("import onnxruntime; ", 1)):
        ended = subprocess.run(
            [sys.executable, "-c", f"import sys; {before}{words}", "doctor"],
            cwd=tmp_path,
            env=environment,
            capture_output=True,
            text=True,
        )
        said = "may send usage data"
        assert (ended.stderr.count(said), ended.stdout.count(said)) == (told, told)
    ended = subprocess.run(
        [sys.executable, "-W", "error", "-c", "import onnxruntime, gatekeeper"],
        env=environment | {"ORT_DISABLE_TELEMETRY": "1"},
        capture_output=True,
        text=True,
    )
    assert (ended.returncode, ended.stderr) == (0, "")


@pytest.mark.parametrize("name", ["Dockerfile", "docker-compose.yaml", "up/run.py"])
def test_it_is_off_wherever_processes_are_started(name: str) -> None:
    assert "ORT_DISABLE_TELEMETRY" in (HOUSE / name).read_text()
