"""CONTRIBUTING's four changes still apply to the code as it is."""

import re
import subprocess
from pathlib import Path

import pytest

HOUSE = Path(__file__).parents[2]
DIFFS = re.findall(
    r"^### (.+?)$.*?^```diff\n(.*?)^```", (HOUSE / "CONTRIBUTING.md").read_text(), re.MULTILINE | re.DOTALL
)


def test_there_are_the_four() -> None:
    assert [title for title, _ in DIFFS] == ["Add a recipe", "Add a gate", "Add a setting", "Add a vendor"]


@pytest.mark.parametrize(("title", "diff"), DIFFS, ids=[title for title, _ in DIFFS])
def test_a_change_applies(title: str, diff: str) -> None:
    ended = subprocess.run(
        ["git", "apply", "--check", "-C1", "-"], cwd=HOUSE, input=diff, capture_output=True, text=True
    )
    assert ended.returncode == 0, f"{title}: make this change anew and paste its diff: {ended.stderr}"
