"""`make demo` as a newcomer sees it: eight Mondays under Airflow, twice, to the same table."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

HOUSE = Path(__file__).parents[2]
ROW = re.compile(r"^2018-\d\d-\d\d .*\b(promote|keep|undecided)\b")


def demo(folder: Path) -> list[str]:
    """What it prints where the output is piped and the terminal said to be narrow."""
    ended = subprocess.run(
        [sys.executable, str(HOUSE / "demo" / "run.py"), str(folder)],
        env={**os.environ, "COLUMNS": "30", "GATEKEEPER_THRESHOLD": "not the demo's"},
        capture_output=True,
        text=True,
    )
    log = folder / "airflow.log"
    assert ended.returncode == 0, ended.stderr[-2000:] + (log.read_text()[-4000:] if log.exists() else "")
    return ended.stdout.splitlines()


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.xdist_group("demo")
def test_the_demo_prints_one_line_per_monday_and_the_same_twice(tmp_path: Path) -> None:
    first = demo(tmp_path / "first")
    rows = [line for line in first if line.startswith("2018-")]
    assert [row.split()[0] for row in rows] == [
        f"2018-{day}" for day in ("11-05", "11-12", "11-19", "11-26", "12-03", "12-10", "12-17", "12-24")
    ]
    assert all(ROW.match(row) for row in rows)
    assert "promote" in rows[0]
    text = "\n".join(first)
    active = re.search(r"^gatekeeper_primary\d+ .* sha256 [0-9a-f]{64}$", text, re.MULTILINE)
    report = re.search(r"^report of the last Monday: (.*\.html)$", text, re.MULTILINE)
    assert active is not None
    assert report is not None
    assert "</html>" in Path(report[1]).read_text()
    second = [line for line in demo(tmp_path / "second") if line.startswith("2018-")]
    assert second == rows
