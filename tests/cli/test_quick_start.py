"""Start time of `gatekeeper active`, which scripts call often: it imports nothing heavy."""

import json
import os
import subprocess
import sys
from pathlib import Path

from model_files import constant_model

from gatekeeper import registry
from gatekeeper.registry import Registry

_ACTIVE = """
import json, sys
from gatekeeper.cli import main
try:
    main(["active"])
except SystemExit as ended:
    print(json.dumps([ended.code, sorted({name.partition(".")[0] for name in sys.modules})]))
"""
HEAVY = {"sklearn", "onnx", "onnxruntime", "pandas", "numpy", "alembic", "airflow", "skl2onnx", "matplotlib", "rich"}


def test_active_imports_nothing_heavy(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'registry.db'}"
    registry.upgrade(url, models=tmp_path / "models")
    with Registry.open(url, models=tmp_path / "models") as opened:
        opened.promote(opened.register(constant_model(0.6)).id, actor="test", reason="test")
    ended = subprocess.run(
        [sys.executable, "-c", _ACTIVE],
        env={**os.environ, "GATEKEEPER_DB": url, "GATEKEEPER_MODELS": str(tmp_path / "models")},
        capture_output=True,
        text=True,
    )
    assert ended.stdout.startswith("gatekeeper_primary1 "), ended.stderr
    code, modules = json.loads(ended.stdout.splitlines()[-1])
    assert code == 0
    assert HEAVY & set(modules) == set()
