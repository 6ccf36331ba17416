"""Desks on the command line: each command acts on one desk, and none reaches another's registry."""

import json

import pytest
from command_shell import Shell
from model_files import constant_model
from postgres_server import new_database
from site_fixtures import pooler, postgres
from sqlalchemy.engine import make_url

from gatekeeper import config, desks
from gatekeeper.errors import ConfigError

__all__ = ["pooler", "postgres"]

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
    """A default desk of the environment, and one of desks.toml."""
    (bare.folder / "desks.toml").write_text(TWO.format(folder=bare.folder))
    monkeypatch.setenv("GATEKEEPER_DESK", "")  # and whatever a command chooses is gone after the test
    return bare


def test_without_a_file_there_is_one_desk_with_the_plain_names(bare: Shell) -> None:
    (desk,) = desks.from_environment({})
    assert (desk.name, desk.is_default) == ("default", True)
    assert [desk.dag_id(act) for act in ("weekly", "promote", "monitor")] == [
        "gatekeeper_weekly",
        "gatekeeper_promote",
        "gatekeeper_monitor",
    ]
    assert [row["desk"] for row in bare.json("desks")] == ["default"]


def test_an_empty_desk_is_not_the_default_one(two: Shell) -> None:
    """As of `--desk "$DESK"`, where DESK isn't set: the act would fall on another desk."""
    code, out, err = two("db", "upgrade", "--desk", "")
    assert (code, out) == (2, "")
    assert "Invalid value for '--desk': It is empty." in err


def test_each_desk_has_a_registry_and_folders_of_its_own(two: Shell) -> None:
    for words in ([], ["--desk", "crypto"]):
        assert two(*words, "db", "upgrade")[0] == 0
    file = two.file("new.onnx", constant_model(0.5))
    assert two("register", "-p", file, "--promote", "--desk", "crypto")[0] == 0
    assert [row["version"] for row in two.json("list", "--desk", "crypto")] == ["gatekeeper_primary1"]
    assert two.json("list", "--desk", "default") == []
    assert (two.folder / "models" / "crypto" / "gatekeeper_primary1.onnx").exists()
    assert not list((two.folder / "models").glob("*.onnx"))
    shown = {row["name"]: (row["value"], row["source"]) for row in two.json("config", "--desk", "crypto")}
    assert shown["GATEKEEPER_THRESHOLD"] == ("0.6", "desks.toml")
    assert shown["GATEKEEPER_WORK"] == (f"{two.folder}/work/crypto", "desks.toml")
    assert shown["GATEKEEPER_REPORTS"] == (f"{two.folder}/reports/crypto", "desks.toml")
    assert shown["GATEKEEPER_SPOOL"] == ("spool/crypto", "desks.toml")
    assert shown["GATEKEEPER_PORT"] == ("8055", "default")
    rows = two.json("desks", "--desk", "default")
    assert [(row["desk"], row["schedule"], row["dag"]) for row in rows] == [
        ("default", "0 2 * * 1", "gatekeeper_weekly"),
        ("crypto", "0 3 * * 2", "gatekeeper_weekly_crypto"),
    ]


def test_a_desk_of_the_file_can_be_the_default(two: Shell) -> None:
    (two.folder / "desks.toml").write_text('default = "crypto"\n' + TWO.format(folder=two.folder))
    (row,) = two.json("desks")
    assert (row["desk"], row["dag"], row["db"]) == (
        "crypto",
        "gatekeeper_weekly_crypto",
        f"sqlite:///{two.folder}/crypto.db",
    )
    assert config.load().threshold == 0.6
    assert config.load({"threshold": 0.7}).threshold == 0.7


def test_the_table_default_speaks_for_the_default_desk(two: Shell) -> None:
    (two.folder / "desks.toml").write_text("[default]\nseed = 7\n" + TWO.format(folder=two.folder))
    assert (config.load().desk, config.load().seed, config.load(desk="crypto").seed) == ("default", 7, 0)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("[Crypto]\ndb = 'sqlite:///c.db'", "'Crypto' is not a valid desk name"),
        ("crypto = 3", "crypto is a value, not a desk"),
        ("[crypto]\ndata = 'demo:'", "desk crypto has no registry of its own"),
        ("[crypto]\ndb = 'sqlite:///c.db'\nthreshhold = 0.6", "Did you mean threshold instead of threshhold?"),
        ("[crypto]\ndb = 'sqlite:///c.db'\nshedule = '0 2 * * 1'", "Did you mean schedule instead of shedule?"),
        ("[crypto]\ndb = 'sqlite:///c.db'\nTitle = 'x'", "Did you mean title instead of Title?"),
        ("[crypto]\ndb = 'sqlite:///c.db'\nqq = 1", "Desk crypto sets qq, which is not a setting. `gatekeeper config"),
        (
            "[crypto]\ndb = 'sqlite:///c.db'\npolicy = 'provem'",
            "Desk crypto: GATEKEEPER_POLICY='provem': Input",
        ),
        ("[crypto]\ndb = 'sqlite:///c.db'\nschema = 'A'", "schema = 'A' of desk crypto is not a valid name"),
        (
            "[crypto]\ndb = 'sqlite:///c.db'\nschedule = '0 25 * * 1'",
            "schedule = '0 25 * * 1' of desk crypto is not a",
        ),
        (
            "[crypto]\ndb = 'sqlite:///c.db'\nschedule = '0 2 * * 8'",
            "schedule = '0 2 * * 8' of desk crypto is not a",
        ),
        ("[crypto]\ndb = 'sqlite:///c.db'\nschedule = '0 2 30 2 *'", "schedule = '0 2 30 2 *' of desk crypto is not a"),
        (
            "[crypto]\ndb = 'sqlite:///c.db'\nschedule = 'a b c d e'",
            "schedule = 'a b c d e' of desk crypto is not a",
        ),
        ("[crypto]\ndb = 'sqlite:///c.db'\nthreshold = 6", "Desk crypto: GATEKEEPER_THRESHOLD=6"),
        ("[crypto]\ndb = 'sqlite:///c.db'\nschedule = 'weekly'", "schedule = 'weekly' of desk crypto"),
        ("[crypto]\ndb = 'sqlite:///c.db'\nschedule = 7", "schedule = 7 of desk crypto is not text"),
        ("[crypto]\ndb = 'sqlite:///c.db'\ndata = ['a', 'b']", "data of desk crypto is a list or table"),
        ("[crypto]\nschema = 'crypto'", "needs a PostgreSQL URL"),
        ("[a]\ndb = 'sqlite:///c.db'\n[b]\ndb = 'sqlite:///c.db'", "The desks a and b share the db"),
        ("[a]\ndb = 'sqlite:///c.db'\n[b]\ndb = 'SQLITE:///./x/../c.db '", "The desks a and b share the db"),
        ("[a]\ndb = 'sqlite:///c d.db'\n[b]\ndb = 'sqlite:///c%20d.db'", "The desks a and b share the db"),
        ("[a]\ndb = 'postgres://h/d'\n[b]\ndb = 'postgresql+psycopg://h/d'", "The desks a and b share the db"),
        (
            "[a]\ndb = 'sqlite:///a.db'\nspool = 's'\n[b]\ndb = 'sqlite:///b.db'\nspool = 's/'",
            "The desks a and b share the spool",
        ),
    ],
)
def test_a_wrong_desk_leaves_the_others_standing(two: Shell, content: str, said: str) -> None:
    """Case 106: the wrong one names itself, the setting and the right name; the default desk and another one run."""
    (two.folder / "desks.toml").write_text(f"{content}\n[good]\ndb = 'sqlite:///good.db'\n")
    wrong = [
        name for name in ("a", "b", "crypto", "Crypto") if f"[{name}]" in content or content.startswith(f"{name} =")
    ]
    for name in wrong:
        code, out, err = two("list", "--desk", name)
        assert (code, out) == (1, "")
        assert said in err
        assert name in err
    code, out, err = two("desks", "--desk", "default")
    assert code == 1
    assert said in err
    assert [line.split()[0] for line in out.splitlines()[2:] if line[:1] != " "] == [
        "default",
        "good",
    ]
    for name in ("default", "good"):
        assert two("db", "upgrade", "--desk", name)[0] == 0
        assert two.json("list", "--desk", name) == []


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("default = 'fx'\n[a]\ndb = 'sqlite:///a.db'", "default = 'fx' names no desk of this file. Its desks are a"),
        ("[a\n", "desks.toml is not valid TOML"),
    ],
)
def test_a_wrong_file_is_refused_for_all(two: Shell, content: str, said: str) -> None:
    (two.folder / "desks.toml").write_text(content)
    code, out, err = two("list")
    assert (code, out) == (1, "")
    assert said in err


def test_an_unknown_desk_is_told_those_that_there_are(two: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    code, _, err = two("list", "--desk", "fx")
    assert code == 1
    assert "There is no desk 'fx', only crypto, default" in err
    monkeypatch.setenv("GATEKEEPER_DESKS", str(two.folder / "elsewhere.toml"))
    assert "does not exist" in two("list")[2]


def test_desks_in_schemas_of_one_database_know_nothing_of_each_other(
    two: Shell, postgres: str, pooler: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Case 63: behind PgBouncer in transaction mode, as many of such desks are."""
    url = make_url(new_database(postgres)).update_query_dict({"host": pooler}).render_as_string(hide_password=False)
    monkeypatch.setenv("GATEKEEPER_DB", url)
    (two.folder / "desks.toml").write_text("[fx]\nschema = 'fx'\n[crypto]\nschema = 'crypto'\n")
    file = two.file("new.onnx", constant_model(0.5))
    code, _, err = two("list", "--desk", "fx")
    assert code == 1
    assert "gatekeeper db upgrade" in err
    for desk in ("default", "fx", "crypto"):
        assert two("db", "upgrade", "--desk", desk)[0] == 0
        assert two("db", "upgrade", "--desk", desk)[0] == 0
    for _ in range(2):
        assert two("register", "-p", file, "--desk", "fx")[0] == 0
    assert two("register", "-p", file, "--promote", "--desk", "crypto")[0] == 0
    versions = {
        desk: [row["version"] for row in two.json("list", "--desk", desk)] for desk in ("default", "fx", "crypto")
    }
    assert versions == {"default": [], "fx": ["gatekeeper_2", "gatekeeper_1"], "crypto": ["gatekeeper_primary1"]}
    assert two("doctor", "--desk", "fx")[0] == 0


def test_a_server_of_one_desk_reads_its_settings_alone(two: Shell) -> None:
    """What a worker or a child process finds: the choice is in the environment that it inherits."""
    import subprocess
    import sys

    code = (
        "import json; from gatekeeper import config; print(json.dumps([config.load().desk, config.load().threshold]))"
    )
    config.choose("crypto")
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=two.folder)
    assert json.loads(said.stdout) == ["crypto", 0.6]
    with pytest.raises(ConfigError, match="no desk 'fx'"):
        config.choose("fx")


def test_the_former_names_are_refused_with_the_new_ones(bare: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    """A leftover file or variable would be read by nobody, and the registry of another desk be changed."""
    (bare.folder / "gates.toml").write_text("[fx]\ndb = 'sqlite:///fx.db'\n")
    code, _, err = bare("list")
    assert (code, "gates.toml is called desks.toml now" in err) == (1, True)
    (bare.folder / "gates.toml").rename(bare.folder / "desks.toml")
    for former, name in (("GATEKEEPER_GATES", "GATEKEEPER_DESKS"), ("GATEKEEPER_GATE", "GATEKEEPER_DESK")):
        monkeypatch.setenv(former, "fx")
        code, _, err = bare("list")
        assert (code, f"{former} is called {name} now" in err) == (1, True)
        monkeypatch.delenv(former)
    assert [row["desk"] for row in bare.json("desks")] == ["default", "fx"]


PLACES = ("db", *config.OWN_FOLDERS)


def places(name: str) -> dict[str, str]:
    """Registry, folders and DAG of a desk, by the file as it is now."""
    settings = config.load(desk=name)
    dag = desks.chosen(config.desks(), name).dag_id("weekly")
    return {place: str(getattr(settings, place)) for place in PLACES} | {"dag": dag}


FX = '[fx]\ndb = "sqlite:///fx.db"\n'


@pytest.mark.parametrize(
    "content",
    [
        f'default = "fx"\n{FX}',
        f'default = "fx"\n{FX}[shares]\ndb = "sqlite:///shares.db"\n',
        f'default = "shares"\n{FX}[shares]\ndb = "sqlite:///shares.db"\n',
        f"[default]\nthreshold = 0.6\n{FX}",
    ],
)
@pytest.mark.parametrize("own", [FX, '[fx]\ndb_file = "fx.url"\n'], ids=["a URL", "a file with the URL"])
def test_no_folder_moves_by_who_is_the_default(bare: Shell, content: str, own: str) -> None:
    """Case 117: fx's folders moved to those of the environment, and no model might answer."""
    (bare.folder / "fx.url").write_text("sqlite:///fx.db\n")
    file = bare.folder / "desks.toml"
    content = content.replace(FX, own)
    file.write_text(own)
    before = places("fx")
    assert before["models"] == f"{bare.folder}/models/fx"
    assert before["dag"] == "gatekeeper_weekly_fx"
    file.write_text(content)
    assert places("fx") == before


def test_the_environments_desk_moves_nothing_when_it_gets_a_file_or_a_name(
    bare: Shell, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Case 117's kin: one desk by the environment alone, later with settings of its own, with others, under a name."""
    monkeypatch.setenv("GATEKEEPER_SPOOL", str(bare.folder / "spool"))
    before = places("default")
    assert before["dag"] == "gatekeeper_weekly"
    file = bare.folder / "desks.toml"
    for content in (FX, "[default]\nthreshold = 0.6\n", f"[default]\nthreshold = 0.6\n{FX}"):
        file.write_text(content)
        assert places("default") == before
    for content in ('default = "mine"\n[mine]\n', f'default = "mine"\n[mine]\ntitle = "Mine"\n{FX}'):
        file.write_text(content)
        assert places("mine") == before


def test_a_model_goes_on_answering_when_its_desk_becomes_the_default(
    bare: Shell, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Case 117, as it happened: registered, promoted, then `default = "fx"` is written above."""
    monkeypatch.setenv("GATEKEEPER_DESK", "")  # what a command chooses is gone after the test
    (bare.folder / "desks.toml").write_text(FX)
    assert bare("db", "upgrade", "--desk", "fx")[0] == 0
    path = bare.file("a.onnx", constant_model(0.5))
    assert bare("register", "-p", path, "--promote", "--desk", "fx")[0] == 0
    monkeypatch.setenv("GATEKEEPER_DESK", "")
    (bare.folder / "desks.toml").write_text(f'default = "fx"\n{FX}')
    code, out, err = bare("doctor")
    assert (code, out.splitlines()[-1]) == (0, "All is well."), err
    assert bare.json("active")["id"] == 1
