"""Command line, called in this process as an operator types it."""

import json
from pathlib import Path

import pytest

from gatekeeper.cli import main


class Shell:
    """Runs commands in a folder of its own."""

    def __init__(self, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.folder = folder
        self._capsys = capsys

    def __call__(self, *arguments: str) -> tuple[int, str, str]:
        with pytest.raises(SystemExit) as ended:
            main(list(arguments))
        said = self._capsys.readouterr()
        assert "Traceback" not in said.err + said.out
        code = ended.value.code
        return (code if isinstance(code, int) else int(bool(code))), said.out, said.err

    def json(self, *arguments: str) -> object:
        code, out, err = self(*arguments, "--json")
        assert code == 0, err
        return json.loads(out)

    def file(self, name: str, content: bytes) -> str:
        (self.folder / name).write_bytes(content)
        return str(self.folder / name)


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
