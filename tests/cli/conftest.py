"""A shell in a folder of its own, for every test of the command line."""

from pathlib import Path

import pytest
from command_shell import Shell


@pytest.fixture
def bare(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Shell:
    """A folder without a registry."""
    monkeypatch.chdir(tmp_path)
    for name, value in {
        "GATEKEEPER_DB": f"sqlite:///{tmp_path / 'registry.db'}",
        "GATEKEEPER_MODELS": str(tmp_path / "models"),
        "GATEKEEPER_WORK": str(tmp_path / "work"),
        "GATEKEEPER_REPORTS": str(tmp_path / "reports"),
    }.items():
        monkeypatch.setenv(name, value)
    return Shell(tmp_path, capsys)


@pytest.fixture
def shell(bare: Shell) -> Shell:
    """The same with its tables made."""
    assert bare("db", "upgrade")[0] == 0
    return bare
