"""More than one gate: each command is about one of them, and none reaches into another's registry."""

import json

import pytest
from command_shell import Shell
from model_files import constant_model
from postgres_server import new_database
from site_fixtures import postgres

from gatekeeper import config, desks
from gatekeeper.errors import ConfigError

__all__ = ["postgres"]

TWO = """
[crypto]
title = "Crypto, around the clock"
schedule = "0 3 * * 2"
db = "sqlite:///{folder}/crypto.db"
data = "candles:/data/crypto"
threshold = 0.6
"""


@pytest.fixture
def two(bare: Shell, monkeypatch: pytest.MonkeyPatch) -> Shell:
    """A default gate of the environment, and one of gates.toml."""
    (bare.folder / "gates.toml").write_text(TWO.format(folder=bare.folder))
    monkeypatch.setenv("GATEKEEPER_GATE", "")  # and whatever a command chooses is gone after the test
    return bare


def test_without_a_file_there_is_one_gate_with_the_plain_names(bare: Shell) -> None:
    (gate,) = desks.from_environment({})
    assert (gate.name, gate.is_default, gate.schedule) == ("default", True, "0 2 * * 1")
    assert [gate.dag_id(act) for act in ("weekly", "promote", "monitor")] == [
        "gatekeeper_weekly",
        "gatekeeper_promote",
        "gatekeeper_monitor",
    ]
    assert [row["gate"] for row in bare.json("gates")] == ["default"]


def test_each_gate_has_a_registry_and_folders_of_its_own(two: Shell) -> None:
    for words in ([], ["--gate", "crypto"]):
        assert two(*words, "db", "upgrade")[0] == 0
    file = two.file("new.onnx", constant_model(0.5))
    assert two("register", "-p", file, "--promote", "--gate", "crypto")[0] == 0
    assert [row["version"] for row in two.json("list", "--gate", "crypto")] == ["gatekeeper_primary1"]
    assert two.json("list", "--gate", "default") == []
    assert (two.folder / "models" / "crypto" / "gatekeeper_primary1.onnx").exists()
    assert not list((two.folder / "models").glob("*.onnx"))
    shown = {row["name"]: (row["value"], row["source"]) for row in two.json("config", "--gate", "crypto")}
    assert shown["GATEKEEPER_THRESHOLD"] == ("0.6", "gates.toml")
    assert shown["GATEKEEPER_WORK"] == (f"{two.folder}/work/crypto", "gates.toml")
    assert shown["GATEKEEPER_REPORTS"] == (f"{two.folder}/reports/crypto", "gates.toml")
    assert shown["GATEKEEPER_SPOOL"] == ("spool/crypto", "gates.toml")
    assert shown["GATEKEEPER_PORT"] == ("8055", "default")
    rows = two.json("gates", "--gate", "default")
    assert [(row["gate"], row["schedule"], row["dag"]) for row in rows] == [
        ("default", "0 2 * * 1", "gatekeeper_weekly"),
        ("crypto", "0 3 * * 2", "gatekeeper_weekly_crypto"),
    ]


def test_a_gate_of_the_file_can_be_the_default(two: Shell) -> None:
    (two.folder / "gates.toml").write_text('default = "crypto"\n' + TWO.format(folder=two.folder))
    (row,) = two.json("gates")
    assert (row["gate"], row["dag"], row["db"]) == ("crypto", "gatekeeper_weekly", f"sqlite:///{two.folder}/crypto.db")
    assert config.load().threshold == 0.6
    assert config.load({"threshold": 0.7}).threshold == 0.7


def test_the_table_default_speaks_for_the_default_gate(two: Shell) -> None:
    (two.folder / "gates.toml").write_text("[default]\nseed = 7\n" + TWO.format(folder=two.folder))
    assert (config.load().gate, config.load().seed, config.load(gate="crypto").seed) == ("default", 7, 0)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("[Crypto]\ndb = 'sqlite:///c.db'", "'Crypto' is no name of a gate"),
        ("crypto = 3", "crypto = 3 is no gate"),
        ("[crypto]\ndata = 'demo:'", "gate crypto names no registry of its own"),
        ("[crypto]\ndb = 'sqlite:///c.db'\nthreshhold = 0.6", "gate crypto sets threshhold"),
        ("[crypto]\ndb = 'sqlite:///c.db'\nthreshold = 6", "gate crypto: GATEKEEPER_THRESHOLD=6"),
        ("[crypto]\ndb = 'sqlite:///c.db'\nschedule = 'weekly'", "schedule = 'weekly' of gate crypto"),
        ("[crypto]\ndb = 'sqlite:///c.db'\nschedule = 7", "schedule = 7 of gate crypto is no text"),
        ("[crypto]\ndb = 'sqlite:///c.db'\ndata = ['a', 'b']", "data of gate crypto holds more than one value"),
        ("[crypto]\nschema = 'crypto'", "needs a PostgreSQL database"),
        ("[a]\ndb = 'sqlite:///c.db'\n[b]\ndb = 'sqlite:///c.db'", "the gates a and b have the same db"),
        (
            "[a]\ndb = 'sqlite:///a.db'\nspool = 's'\n[b]\ndb = 'sqlite:///b.db'\nspool = 's/'",
            "the gates a and b have the same spool",
        ),
        ("default = 'fx'\n[a]\ndb = 'sqlite:///a.db'", "default = 'fx' names no gate of this file; there are a"),
        ("[a\n", "gates.toml can't be read"),
    ],
)
def test_a_wrong_file_is_refused_with_its_place(two: Shell, content: str, said: str) -> None:
    (two.folder / "gates.toml").write_text(content)
    code, out, err = two("list")
    assert (code, out) == (1, "")
    assert said in err


def test_an_unknown_gate_is_told_those_that_there_are(two: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    code, _, err = two("list", "--gate", "fx")
    assert code == 1
    assert "there is no gate 'fx'; there are crypto, default" in err
    monkeypatch.setenv("GATEKEEPER_GATES", str(two.folder / "elsewhere.toml"))
    assert "there is no such file" in two("list")[2]


def test_gates_in_schemas_of_one_database_know_nothing_of_each_other(
    two: Shell, postgres: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = new_database(postgres)
    monkeypatch.setenv("GATEKEEPER_DB", url)
    (two.folder / "gates.toml").write_text("[fx]\nschema = 'fx'\n[crypto]\nschema = 'crypto'\n")
    file = two.file("new.onnx", constant_model(0.5))
    code, _, err = two("list", "--gate", "fx")
    assert code == 1
    assert "gatekeeper db upgrade" in err
    for gate in ("default", "fx", "crypto"):
        assert two("db", "upgrade", "--gate", gate)[0] == 0
        assert two("db", "upgrade", "--gate", gate)[0] == 0
    for _ in range(2):
        assert two("register", "-p", file, "--gate", "fx")[0] == 0
    assert two("register", "-p", file, "--promote", "--gate", "crypto")[0] == 0
    versions = {
        gate: [row["version"] for row in two.json("list", "--gate", gate)] for gate in ("default", "fx", "crypto")
    }
    assert versions == {"default": [], "fx": ["gatekeeper_2", "gatekeeper_1"], "crypto": ["gatekeeper_primary1"]}
    assert two("doctor", "--gate", "fx")[0] == 0


def test_a_server_of_one_gate_reads_its_settings_alone(two: Shell) -> None:
    """What a worker or a child process finds: the choice is in the environment that it inherits."""
    import subprocess
    import sys

    code = (
        "import json; from gatekeeper import config; print(json.dumps([config.load().gate, config.load().threshold]))"
    )
    config.choose("crypto")
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=two.folder)
    assert json.loads(said.stdout) == ["crypto", 0.6]
    with pytest.raises(ConfigError, match="no gate 'fx'"):
        config.choose("fx")
