"""Secrets in files, and the variables that Kubernetes sets for a service."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from command_shell import Shell
from model_files import constant_model

from gatekeeper import config
from gatekeeper.errors import ConfigError
from gatekeeper.settings import Settings

GATEKEEPER = str(Path(sys.executable).parent / "gatekeeper")
SERVICE = {  # as Kubernetes 1.30 sets them for the service `gatekeeper` with the ports http (8055) and dns
    "GATEKEEPER_PORT": "tcp://10.0.0.1:8055",
    "GATEKEEPER_PORT_8055_TCP": "tcp://10.0.0.1:8055",
    "GATEKEEPER_PORT_8055_TCP_ADDR": "10.0.0.1",
    "GATEKEEPER_PORT_8055_TCP_PORT": "8055",
    "GATEKEEPER_PORT_8055_TCP_PROTO": "tcp",
    "GATEKEEPER_PORT_53_UDP": "udp://10.0.0.1:53",
    "GATEKEEPER_SERVICE_HOST": "10.0.0.1",
    "GATEKEEPER_SERVICE_PORT": "8055",
    "GATEKEEPER_SERVICE_PORT_HTTP": "8055",
    # for `gatekeeper-desk` and `gatekeeper-host`
    "GATEKEEPER_DESK_PORT": "tcp://10.0.0.2:80",
    "GATEKEEPER_DESK_SERVICE_HOST": "10.0.0.2",
    "GATEKEEPER_DESK_SERVICE_PORT": "80",
    "GATEKEEPER_HOST_PORT": "tcp://[fd00::1]:80",
    "GATEKEEPER_HOST_SERVICE_PORT_METRICS": "80",
}
SECRETS = ["db", "models", "data", "idea_features", "idea_bars", "alarms", "token"]
VALUES = {
    "db": "postgresql://u:hunter2x@h/d",
    "models": "s3://k:hunter2x@b/p",
    "data": "candles:https://u:hunter2x@h/a.csv",
    "idea_features": "https://u:hunter2x@h/f.csv",
    "idea_bars": "https://u:hunter2x@h/b.csv",
    "alarms": "json://u:hunter2x@h\njson://u:hunter2x@g",
    "token": "hunter2x",
}


def raw(settings: Settings, name: str) -> str:
    value = getattr(settings, name)
    return str(value.get_secret_value() if name == "token" else value.reveal())


def test_the_secrets_are_these() -> None:
    assert sorted(config.SECRETS) == sorted(SECRETS)


@pytest.mark.parametrize("name", SECRETS)
@pytest.mark.parametrize("end", ["", "\n", "\r\n"])
def test_a_secret_in_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, end: str, bare: Shell) -> None:
    place = tmp_path / "secret"
    place.write_bytes((VALUES[name] + end).encode())
    monkeypatch.delenv(f"GATEKEEPER_{name.upper()}", raising=False)
    monkeypatch.setenv(f"GATEKEEPER_{name.upper()}_FILE", str(place))
    assert raw(config.load(), name) == VALUES[name]
    code, out, err = bare("config", "--json")
    (row,) = (row for row in json.loads(out) if row["name"] == f"GATEKEEPER_{name.upper()}")
    assert (code, row["source"]) == (0, "file")
    assert "hunter2x" not in out + err
    monkeypatch.setenv(f"GATEKEEPER_{name.upper()}", VALUES[name])
    with pytest.raises(ConfigError, match=f"Both GATEKEEPER_{name.upper()} and GATEKEEPER_{name.upper()}_FILE") as told:
        config.load()
    assert "hunter2x" not in str(told.value)


def test_one_newline_at_its_end_is_not_part_of_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "t").write_text(" a b \n\n")
    monkeypatch.setenv("GATEKEEPER_TOKEN_FILE", str(tmp_path / "t"))
    assert raw(config.load(), "token") == " a b \n"


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (None, "can't be read: No such file or directory"),
        (b"", "is empty"),
        (b"\n", "is empty"),
        (b"\xff\xfehunter2x", "can't be read: it is not text in UTF-8"),
        (b"\xef\xbb\xbfpostgresql://u:hunter2x@h/d", "begins with a byte order mark"),
        (b"postgresql://u:hunter2x/x@h/d", "It holds more than one @, or one of / # ?"),
        (b"hunter2x", "It is not a database URL"),
        (b"x" * 70_000, "has more than 64 KiB"),
    ],
)
def test_a_file_without_a_secret(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: bytes | None, says: str
) -> None:
    if content is not None:
        (tmp_path / "db").write_bytes(content)
    monkeypatch.delenv("GATEKEEPER_DB", raising=False)
    monkeypatch.setenv("GATEKEEPER_DB_FILE", str(tmp_path / "db"))
    with pytest.raises(ConfigError, match="GATEKEEPER_DB") as told:
        config.load()
    assert says in str(told.value)
    assert "hunter2x" not in str(told.value)


@pytest.mark.parametrize("secret", ["hunter2x", "postgresql://u:hunter2x@h/d"])
def test_the_secret_itself_where_its_file_belongs(monkeypatch: pytest.MonkeyPatch, secret: str) -> None:
    monkeypatch.setenv("GATEKEEPER_TOKEN_FILE", secret)
    with pytest.raises(ConfigError, match=r"^GATEKEEPER_TOKEN_FILE can't be read: No such file") as told:
        config.load()
    assert "hunter2x" not in str(told.value)


def test_only_secrets_are_read_from_files(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GATEKEEPER_THRESHOLD_FILE", "/x")
    with pytest.raises(
        ConfigError, match=r"GATEKEEPER_THRESHOLD_FILE is not read: .* Set GATEKEEPER_THRESHOLD instead"
    ):
        config.load()


def test_each_desk_has_its_own(bare: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the desk says goes before the environment's, whichever of the two is a file."""
    (bare.folder / "fx").write_text(f"sqlite:///{bare.folder}/fx.db\n")
    (bare.folder / "own").write_text(f"sqlite:///{bare.folder}/own.db\n")
    monkeypatch.delenv("GATEKEEPER_DB")
    monkeypatch.setenv("GATEKEEPER_DB_FILE", str(bare.folder / "own"))
    bare.file("desks.toml", f'[fx]\ndb_file = "{bare.folder}/fx"\n[eq]\ndb = "sqlite:///eq.db"\n'.encode())
    assert [raw(config.load(desk=desk), "db").rpartition("/")[2] for desk in ("default", "fx", "eq")] == [
        "own.db",
        "fx.db",
        "eq.db",
    ]
    sources = {desk: dict(row[:3:2] for row in config.sources(config.load(desk=desk))) for desk in ("fx", "eq")}
    assert (sources["fx"]["GATEKEEPER_DB"], sources["eq"]["GATEKEEPER_DB"]) == ("file", "desks.toml")
    bare.file("desks.toml", f'[fx]\ndb_file = "{bare.folder}/fx"\ndb = "sqlite:///eq.db"\n'.encode())
    with pytest.raises(ConfigError, match="Desk fx: Both db and db_file are set"):
        config.load(desk="fx")


@pytest.mark.parametrize("name", [*SERVICE, "all"])
def test_what_kubernetes_sets_for_a_service(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """Case 111."""
    monkeypatch.setattr(config, "_noted", set())
    for each in SERVICE if name == "all" else [name]:
        monkeypatch.setenv(each, SERVICE[each])
    settings = config.load()
    assert (settings.port, settings.host) == (8055, "127.0.0.1")
    assert {row[2] for row in config.sources(settings) if row[0] == "GATEKEEPER_PORT"} == {"default"}


def test_every_command_works_in_such_a_pod(shell: Shell) -> None:
    """Case 111: as a process, with one note on stderr that names the way out."""
    path = shell.file("new.onnx", constant_model(0.6))
    for words in (["register", "-p", path], ["list"], ["config", "--json"]):
        ended = subprocess.run(
            [GATEKEEPER, *words], env={**os.environ, **SERVICE}, capture_output=True, text=True, check=True
        )
        assert ended.stderr.count("GATEKEEPER_PORT=tcp://10.0.0.1:8055 is what Kubernetes sets for a service") == 1
        assert "enableServiceLinks: false" in ended.stderr
        assert ended.stdout


@pytest.mark.parametrize("value", ["tcp:/10.0.0.1", "http://10.0.0.1:80", "eighty"])
def test_another_wrong_port_is_still_refused(monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    monkeypatch.setenv("GATEKEEPER_PORT", value)
    with pytest.raises(ConfigError, match=f"GATEKEEPER_PORT='{value}'"):
        config.load()


def test_a_port_that_the_container_sets_goes_before(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {**SERVICE, "GATEKEEPER_PORT": "9000"}.items():
        monkeypatch.setenv(name, value)
    assert config.load().port == 9000


@pytest.mark.parametrize(
    "command", ["register -p", "receipt 1 -o", "report 1 -o", "card 1 -o", "verify", "db backup", "db restore"]
)
def test_a_url_where_a_path_belongs(bare: Shell, command: str) -> None:
    """It named a folder `https:`, and its password was printed."""
    code, out, err = bare(*command.split(), "https://u:hunter2x@h/m")
    assert (code, out) == (2, "")
    assert "'https://u:***@h/m' is a URL, and has to be a path on this machine." in err


def test_a_password_in_a_variable_of_kubernetes(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(config, "_noted", set())
    monkeypatch.setenv("GATEKEEPER_PORT", "tcp://u:hunter2x@h:80")
    assert config.load().port == 8055
    assert "GATEKEEPER_PORT=tcp://u:***@h:80 is what Kubernetes sets" in caplog.text
