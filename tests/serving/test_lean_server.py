"""Scoring server with the core dependencies only: everything that it calls works without the rest."""

import json
import subprocess
import sys
from pathlib import Path

from model_files import constant_model

ABSENT = [
    "airflow",
    "sklearn",
    "skl2onnx",
    "skops",
    "pandas",
    "pyarrow",
    "talib",
    "arch",
    "matplotlib",
    "jinja2",
    "fsspec",
]

_SERVER = """
import json, sys
class Absent:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in absent:
            raise ModuleNotFoundError(f"{name} is not installed on a scoring server")
absent = set(json.loads(sys.argv[1]))
sys.meta_path.insert(0, Absent())
from gatekeeper import registry
from gatekeeper.registry import Registry
from gatekeeper.serving import Gatekeeper
registry.upgrade(sys.argv[2], models=sys.argv[3])
with Registry.open(sys.argv[2], models=sys.argv[3]) as opened:
    model = opened.register(sys.argv[4])
    opened.promote(model.id, actor="test", reason="test")
    scores = Gatekeeper(opened).score([[41, 22, 0.02, 0.05, 0, 0, 1]])
print(json.dumps([float(scores.values[0]), bool(scores.approved[0]), scores.version]))
"""


def test_register_promote_and_score_need_neither_airflow_nor_scikit_learn(tmp_path: Path) -> None:
    (tmp_path / "new.onnx").write_bytes(constant_model(0.6))
    url, models, file = f"sqlite:///{tmp_path / 'r.db'}", str(tmp_path / "models"), str(tmp_path / "new.onnx")
    ended = subprocess.run(
        [sys.executable, "-c", _SERVER, json.dumps(ABSENT), url, models, file], capture_output=True, text=True
    )
    assert ended.returncode == 0, ended.stderr
    score, approved, version = json.loads(ended.stdout)
    assert (round(score, 6), approved, version) == (0.6, True, "gatekeeper_primary1")
