"""URLs with secrets: what any output shows of them, whatever stands in the password."""

import json
import logging
import pickle
import string
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import quote

import pytest
from command_shell import Shell, bare
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy.engine import make_url

from gatekeeper import config
from gatekeeper.errors import ConfigError, DataError, GatekeeperError
from gatekeeper.logs import clear_stores, logger
from gatekeeper.market import sources
from gatekeeper.pipeline.weekly.run import Run
from gatekeeper.registry import Registry
from gatekeeper.registry.db.database import Database
from gatekeeper.secret_urls import SecretUrl, hide, hide_all
from gatekeeper.settings import Settings

__all__ = ["bare"]

LEFT, RIGHT = "Qvzkwxjy", "Jxqzvkwh"  # planted on either side of each character; they stand nowhere else
REFUSED = "@/#?"  # written raw, nobody can tell where the password ends
LETTERS = string.printable + "é漢\u202e\x1b\x7f"


def marked(text: str) -> bool:
    return LEFT in text or RIGHT in text


def urls(password: str) -> dict[str, str]:
    return {
        "db": f"postgresql+psycopg://ann:{password}@db.example.com:5432/live?sslkey={LEFT}",
        "models": f"s3://key:{password}@bucket/prefix",
        "data": f"candles:simplecache::https://ann:{password}@h.example.com/bars/*.csv?token={LEFT}&n={RIGHT}#{LEFT}",
        "alarms": f"json://ann:{password}@h.example.com/{LEFT} slack://{RIGHT}/b/c",
    }


def outputs(settings: Settings) -> Iterator[str]:
    """What config, errors, logs and documents show."""
    yield from (value for row in config.sources(settings) for value in row)
    yield repr(settings)
    yield settings.model_dump_json()
    yield f"{settings.db} {settings.models:>40} {settings.data!r} {settings.alarms!s} {settings.alarms.each()}"
    yield json.dumps(str(settings.data))
    for url in (settings.db, settings.models, settings.data):
        yield str(GatekeeperError(f"the driver said {url.reveal()!r}, {quote(url.reveal())}"))
        yield hide_all(ValueError(url.reveal()))
        yield url.hide(f"invalid {url.reveal()}")


@pytest.mark.parametrize("letter", LETTERS)
def test_no_output_shows_a_password_whatever_it_holds(letter: str) -> None:
    """Case 102. Written raw, or percent-encoded; SQLAlchemy reads the same password where it is taken."""
    for written in (letter, quote(letter, safe="")):
        given = urls(f"{LEFT}{written}{RIGHT}")
        if written in REFUSED:
            for name in ("db", "models", "data"):
                with pytest.raises(ConfigError, match=f"GATEKEEPER_{name.upper()}: .*as %40, / as %2F") as refused:
                    config.load({name: given[name]})
                assert not marked(str(refused.value))
            continue
        settings = config.load(given)
        assert not any(marked(text) for text in outputs(settings))
        assert {name: getattr(settings, name).reveal() for name in given} == given
        assert make_url(settings.db.reveal()).password == f"{LEFT}{letter}{RIGHT}"
        assert str(settings.db) == "postgresql+psycopg://ann:***@db.example.com:5432/live?sslkey=***"
        assert str(settings.models) == "s3://key:***@bucket/prefix"
        assert str(settings.data) == "candles:simplecache::https://ann:***@h.example.com/bars/*.csv?token=***&n=***#***"
        if not letter.isspace():  # a space begins another receiver there
            assert str(settings.alarms) == "json #1, slack #2"


@given(st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=12))
def test_law_of_whole_passwords(text: str) -> None:
    """A marker after each character; refused or hidden, never shown."""
    password = LEFT + "".join(letter + RIGHT for letter in text)
    for written in (password, quote(password, safe="")):
        for kind, url in ((SecretUrl.database, urls(written)["db"]), (SecretUrl.source, urls(written)["data"])):
            try:
                read = kind(url)
            except ValueError as fault:
                assert not marked(str(fault))
                assert set(text) & {*REFUSED, ":"}
            else:
                assert not marked(f"{read} {read!r} {read.hide(url)} {hide(url)}")
                assert pickle.loads(pickle.dumps(read)).reveal() == url


@pytest.mark.parametrize(
    ("kind", "text", "shown"),
    [
        ("database", "sqlite:///registry.db", "sqlite:///registry.db"),
        ("database", "sqlite:////home/me@work/registry.db", "sqlite:////home/me@work/registry.db"),
        ("database", "postgresql://ann@h/db", "postgresql://ann@h/db"),
        ("database", "postgresql://:pw@h/db", "postgresql://:***@h/db"),
        ("database", "postgresql://u:@h/db", "postgresql://u:***@h/db"),
        ("database", "postgresql://u:a:b@[::1]:5/db", "postgresql://u:***@[::1]:5/db"),
        ("database", "postgresql://h1:1,h2:2/db?password=pw&sslmode", "postgresql://h1:1,h2:2/db?password=***&***"),
        ("source", "demo:", "demo:"),
        ("source", "sql:postgresql://u:p@h/d", "sql:postgresql://u:***@h/d"),
        ("source", "candles:bars/BTC_??.csv", "candles:bars/BTC_??.csv"),
        ("source", "candles:https://token@h/a;key=x.csv", "candles:https://***@h/a;key=***"),
        ("source", "broker:account?token=abc", "broker:account?token=***"),
        ("store", "models", "models"),
        ("store", "/srv/me@work/models", "/srv/me@work/models"),
        ("store", "abfs://container@account.example.com/p", "abfs://container@account.example.com/p"),
        ("receivers", "", ""),
        ("receivers", " json://h  mist mailto://u:p@h?to=a@b.c ", "json #1, #2, mailto #3"),
    ],
)
def test_what_is_shown(kind: str, text: str, shown: str) -> None:
    assert str(getattr(SecretUrl, kind)(text)) == shown


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        ("database", f"postgresql://u:{LEFT}/{RIGHT}@h/db"),
        ("database", f"postgresql://u:{LEFT}@{RIGHT}@h/db"),
        ("database", f"postgresql://u:{LEFT}"),  # its host was forgotten
        ("database", f"postgresql:/u:{LEFT}@h/db"),
        ("database", f"u:{LEFT}@h/db"),
        ("database", f"{LEFT}"),
        ("database", f"{LEFT} ://h/db"),
        ("database", f"postgresql://h:{LEFT}/db"),
        ("database", f"postgresql://[{LEFT}]/db"),
        ("store", f"s3:/key:{LEFT}@bucket"),
        ("source", f"https://u:{LEFT}?x@h/a.csv"),
        ("source", f"candles:zip://*.csv::https://u:{LEFT}::{RIGHT}@h/a.zip"),
        ("source", f"candles:https:/u:{LEFT}@h"),
    ],
)
def test_an_unreadable_url_shows_as_its_name_alone(kind: str, text: str) -> None:
    with pytest.raises(ValueError, match=r"\.$") as refused:
        getattr(SecretUrl, kind)(text)
    assert not marked(str(refused.value))
    name = {"database": "db", "store": "models", "source": "data"}[kind]
    with pytest.raises(ConfigError, match=f"^GATEKEEPER_{name.upper()}: ") as told:
        config.load({name: text})
    assert not marked(str(told.value))


def test_pydantic_shows_no_value_either() -> None:
    with pytest.raises(ValueError, match="db") as refused:
        Settings(db=f"postgresql://u:{LEFT}/x@h/db")  # type: ignore[arg-type]
    assert not marked(str(refused.value))


@pytest.mark.parametrize("short", ["x", "a", "pw", "s3cret"])
def test_a_short_password_is_hidden_where_it_stands_alone(short: str) -> None:
    """Letters of other words stay: else each message would be unreadable."""
    url = SecretUrl.database(f"postgresql://u:{short}@h/d")
    assert url.hide(f"bad value '{short}' in {url.reveal()}, xapw3 a_b") == (
        f"bad value '***' in postgresql://u:***@h/d, xapw3 {'***' if short == 'a' else 'a'}_b"
    )


def test_a_driver_that_repeats_what_it_was_given() -> None:
    """psycopg quotes a wrong option; the cause that carries it too is left out of the traceback."""
    for value in (LEFT, "xyz"):
        database = Database.connect(f"postgresql+psycopg://u:{RIGHT}@127.0.0.1:1/d?sslmode={value}")
        with pytest.raises(GatekeeperError, match=r'invalid sslmode value: "\*\*\*"') as told, database.read():
            pass
        assert value not in str(told.value)
        assert told.value.__cause__ is None
        assert told.value.__suppress_context__


def test_stores_that_repeat_the_url(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
    place = f"s3://key:{LEFT}@bucket/x"
    with pytest.raises(GatekeeperError) as told:
        Registry.open(f"sqlite:///{tmp_path / 'r.db'}", models=place)
    assert not marked(str(told.value))


@pytest.mark.parametrize("rest", ["x.csv", "*.csv", "gone.csv?token=" + RIGHT])
def test_a_web_server_that_lacks_the_file(rest: str) -> None:
    """Its address is the file's name there, and the error's whole text."""
    uri = f"ideas:http://ann:{LEFT}@127.0.0.1:1/{rest}"
    with pytest.raises((DataError, GatekeeperError)) as told:
        sources.load(uri, datetime(2018, 1, 1, tzinfo=UTC), Settings())
    assert not marked(str(told.value))
    assert "ann:***@127.0.0.1" in str(told.value)
    assert told.value.__cause__ is None or not marked(str(told.value.__cause__))


@pytest.mark.parametrize("place", [f"ftp://ann:{LEFT}@127.0.0.1:1/x", f"zip://a.csv::http://ann:{LEFT}@127.0.0.1:1/x"])
def test_a_store_that_connects_as_it_is_opened(bare: Shell, monkeypatch: pytest.MonkeyPatch, place: str) -> None:
    """It asked for a bug report."""
    monkeypatch.setenv("GATEKEEPER_DATA", f"candles:{place}")
    assert bare("db", "upgrade")[0] == 0
    code, out, err = bare("run", "--as-of", "2018-11-05")
    assert (code, "can't open " in err) == (1, True), err
    assert not marked(out + err)
    monkeypatch.setenv("GATEKEEPER_MODELS", place.removeprefix("zip://a.csv::"))
    code, out, err = bare("list")
    assert not marked(out + err)
    assert code in (0, 1), err


def test_logs_and_their_tracebacks(caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]) -> None:
    url = SecretUrl.database(f"postgresql://u:{LEFT}{RIGHT}@h/d")
    log = logger("gatekeeper.test_logs")
    log.error("can't reach %s, %s", url, url.reveal())
    try:
        raise RuntimeError(f"driver: {url.reveal()}")
    except RuntimeError:
        log.exception("it broke")
    shown = caplog.text + "".join(logging.Formatter().format(record) for record in caplog.records)
    assert not marked(shown)
    assert "can't reach postgresql://u:***@h/d" in shown
    assert "RuntimeError: driver: postgresql://u:***@h/d" in shown


def test_no_command_shows_it(bare: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    """Case 102, as it was found: config, desks, doctor, list, copy, run, and what nobody foresaw (exit code 70)."""
    password = f"{LEFT}%2F{RIGHT}"
    monkeypatch.setenv("GATEKEEPER_DB", f"postgresql+psycopg://u:{password}@127.0.0.1:1/d?sslmode={LEFT}")
    monkeypatch.setenv("GATEKEEPER_DATA", f"candles:http://u:{password}@127.0.0.1:1/a.csv")
    monkeypatch.setenv("GATEKEEPER_ALARMS", f"json://u:{password}@127.0.0.1:1/x")
    for words in (
        "config",
        "config --json",
        "desks",
        "doctor",
        "list",
        "db upgrade",
        "history",
        "run --as-of 2018-11-05",
    ):
        code, out, err = bare(*words.split())
        assert code in (0, 1)
        assert not marked(out + err)
    to = f"postgresql://u:{LEFT}/{RIGHT}@h/d"
    monkeypatch.setenv("GATEKEEPER_DB", f"sqlite:///{bare.folder}/registry.db")
    code, out, err = bare("copy", "-i", "1", "--to", to, "--models", f"s3://k:{LEFT}@b/p")
    assert code == 1
    assert not marked(out + err)
    monkeypatch.setenv("GATEKEEPER_DB", to)
    for words in ("config", "list", "doctor"):
        code, out, err = bare(words)
        assert (code, out) == (1, "")
        assert not marked(err)
        assert "write @ as %40, / as %2F" in err


def test_a_desk_shows_none_either(bare: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GATEKEEPER_DESK", "default")  # --desk sets it, for its process
    text = f'[fx]\ndb = "postgresql://u:{LEFT}/{RIGHT}@h/d"\n'
    bare.file("desks.toml", text.encode())
    for words in (("desks",), ("config", "--desk", "fx")):
        code, out, err = bare(*words)
        assert code == 1
        assert not marked(out + err)
        assert "Desk fx: GATEKEEPER_DB: " in err
    monkeypatch.setenv("GATEKEEPER_DESK", "default")
    code, out, err = bare("config")  # the other desk stands
    assert (code, err) == (0, "")
    assert not marked(out)
    bare.file("desks.toml", f'db = "postgresql://u:{LEFT}@h/d"\n'.encode())  # outside of any table
    code, out, err = bare("desks")
    assert code == 1
    assert not marked(out + err)


def test_the_run_key_is_that_of_the_text_as_before() -> None:
    """A source with a password keeps its key: that of commit 5d4110c."""
    run = Run(datetime(2018, 11, 5, 2, tzinfo=UTC), config.load({"data": "candles:https://u:pw@h/a.csv"}))
    assert run.key == "gatekeeper_weekly/2018-11-05T02:00:00Z/b27fd0847785eb9b"


@pytest.mark.parametrize("password", ["gatekeeper", "promote1", "registry.db"])
def test_a_password_that_is_a_word_of_ours_leaves_our_messages_whole(password: str) -> None:
    """Such as the one of a try-out; what others wrote about that URL is still without it."""
    url = SecretUrl.database(f"postgresql://u:{password}@h/registry.db?application_name=gatekeeper&timeout=60")
    assert str(url) == "postgresql://u:***@h/registry.db?application_name=***&timeout=***"
    assert str(GatekeeperError("run `gatekeeper db upgrade` within 60 s")) == "run `gatekeeper db upgrade` within 60 s"
    assert url.hide(f"FATAL: {password} is wrong") == "FATAL: *** is wrong"


def test_the_words_of_a_receiver_are_taken_out_of_its_own_messages_alone() -> None:
    (one,) = SecretUrl.receivers("jsons://hooks.example.com/gatekeeper-alarms").each()
    assert one.hide("no route to hooks.example.com/gatekeeper-alarms") == "no route to ***"
    assert (
        str(GatekeeperError("see hooks.example.com, gatekeeper-alarms")) == "see hooks.example.com, gatekeeper-alarms"
    )


def test_a_place_without_a_token_is_no_secret() -> None:
    """A receiver beside the server: the server's own address is shown all the same."""
    SecretUrl.receivers("json://127.0.0.1:8055 json://127.0.0.1:8056/TokenOfTheirs")
    assert hide("http://127.0.0.1:8055 answers") == "http://127.0.0.1:8055 answers"
    assert "TokenOfTheirs" not in hide("POST 127.0.0.1:8056/TokenOfTheirs failed")


@pytest.mark.parametrize("data", ["candles:", "ideas:"])
def test_what_the_packages_of_stores_log_holds_no_secret(data: str, caplog: pytest.LogCaptureFixture) -> None:
    """At DEBUG, fsspec logged each URL whole, with its password and its query."""
    caplog.set_level(logging.DEBUG)
    url = f"{data}http://desk:{LEFT}@127.0.0.1:9/{RIGHT[:3]}.csv?token={RIGHT}"
    with pytest.raises(GatekeeperError):
        sources.load(url, datetime(2018, 1, 1, tzinfo=UTC), Settings())
    assert any(record.name.startswith("fsspec") for record in caplog.records)
    assert not marked(caplog.text)


def test_records_of_stores_are_cleared_as_they_are_made(caplog: pytest.LogCaptureFixture) -> None:
    """Children's records pass by a parent's filter; what can't be formatted fails no caller."""
    caplog.set_level(logging.DEBUG)
    clear_stores()
    clear_stores()
    secret = SecretUrl.store(f"s3://bucket/prefix?key={LEFT}{RIGHT}")
    log = logging.getLogger("botocore.endpoint")
    log.debug("Sending %s", {"url": secret.reveal()})
    log.debug("%d", "no number")
    try:
        raise OSError(secret.reveal())
    except OSError:
        log.exception("failed")
    other = logging.getLogger("somebody.else")
    other.debug("left\nas it is: %s", 7)
    assert logging.makeLogRecord({"name": "anybody", "msg": "made of a dict"}).getMessage() == "made of a dict"
    assert not marked(caplog.text)
    assert "s3://bucket/prefix?***" in caplog.text and "OSError" in caplog.text
    assert [record.args for record in caplog.records if record.name == "somebody.else"] == [(7,)]


@pytest.mark.parametrize("name", ["work", "reports", "spool", "signing_key"])
def test_a_url_where_a_folder_belongs_is_refused_and_not_shown(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """`s3:/key:secret@bucket` would be a folder of that name, which `config` lists."""
    monkeypatch.setenv(f"GATEKEEPER_{name.upper()}", f"s3://key:{LEFT}@bucket/prefix")
    with pytest.raises(ConfigError, match=f"GATEKEEPER_{name.upper()}=.s3:.*: It is a URL") as fault:
        config.load()
    assert LEFT not in str(fault.value)
