"""How do tests run `registry/processes.py`, and what must hold of a site after whatever happened there?"""

import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from registry_site import Site

SCRIPT = Path(__file__).parent / "registry" / "processes.py"
PATHS = os.pathsep.join([str(SCRIPT.parents[1]), str(SCRIPT.parents[2])])


def run(act: str, site: Site, /, *, seconds: float = 120, **options: object) -> Any:
    """What the act says of itself. Fails where it, or one of its workers, failed."""
    done = subprocess.run(
        [sys.executable, str(SCRIPT), act, str(site.root), site.postgres or "", json.dumps(options)],
        env={**os.environ, "PYTHONPATH": PATHS},
        capture_output=True,
        text=True,
        timeout=seconds,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def check_primary_opens(site: Site) -> None:
    """As any server sees it, by SQL and `open` alone: one primary, whose path holds its bytes."""
    claims = site.sql(
        'SELECT id, path, sha256 FROM "RLModel" JOIN gatekeeper_artifact ON model_id = id '
        "WHERE substr(version, 1, 18) = 'gatekeeper_primary'"
    )
    ((_, path, sha256),) = claims
    assert hashlib.sha256((site.root / path).read_bytes()).hexdigest() == sha256
