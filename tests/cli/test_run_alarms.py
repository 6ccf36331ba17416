"""Alarms of `gatekeeper run`: every way in which a weekly run ends without a verdict sends one alarm, as in Airflow."""

from collections.abc import Iterator

import pytest
from alarm_receiver import Receiver
from command_shell import Shell

from gatekeeper.pipeline.weekly import steps

MONDAY = "2018-11-05"


@pytest.fixture
def receiver(bare: Shell, monkeypatch: pytest.MonkeyPatch) -> Iterator[Receiver]:
    with Receiver() as started:
        monkeypatch.setenv("GATEKEEPER_ALARMS", started.url)
        yield started


ENDS = [
    (("--as-of", "2019-03-04"), {}, "failed", "AsOfError"),  # Case 121
    (("--as-of", "2100-01-04"), {}, "failed", "AsOfError"),
    (("--as-of", "1969-01-04"), {}, "failed", "AsOfError"),
    (("--as-of", "last Monday"), {}, "failed", "AsOfError"),
    (("--as-of", MONDAY, "--param", "sed=1"), {}, "failed", "ConfigError: unknown parameter sed"),
    (("--as-of", MONDAY, "--param", "seed=-1"), {}, "failed", "ConfigError: GATEKEEPER_SEED='-1'"),
    (("--as-of", MONDAY), {"GATEKEEPER_TRESHOLD": "0.6"}, "failed", "Did you mean GATEKEEPER_THRESHOLD?"),
    (("--as-of", MONDAY), {"GATEKEEPER_THRESHOLD": "7"}, "failed", "GATEKEEPER_THRESHOLD='7'"),
    (("--as-of", MONDAY), {"GATEKEEPER_ALARM_LEVELS": "failed=shout"}, "failed", "KIND=LEVEL"),
    (("--as-of", MONDAY), {"GATEKEEPER_RECIPE": "forest"}, "failed", "'forest' is unknown"),
    (("--as-of", MONDAY), {"GATEKEEPER_DATA": "candles:missing.csv"}, "failed", "DataError"),
    (("--as-of", MONDAY), {"GATEKEEPER_DATA": "nowhere:"}, "failed", "ConfigError"),
    (("--as-of", MONDAY), {"GATEKEEPER_DB": "sqlite:///none.db"}, "failed", "SchemaOutOfDate"),
    (("--as-of", MONDAY), {"GATEKEEPER_DB": "oracle://x"}, "failed", "ConfigError"),
    (("--as-of", MONDAY), {"GATEKEEPER_DESK": "fx"}, "failed", "There is no desk 'fx'"),
]


@pytest.mark.parametrize(("words", "environment", "kind", "said"), ENDS)
def test_a_run_without_a_verdict_sends_one_alarm(
    bare: Shell,
    receiver: Receiver,
    monkeypatch: pytest.MonkeyPatch,
    words: tuple[str, ...],
    environment: dict[str, str],
    kind: str,
    said: str,
) -> None:
    """Whichever step, setting or part is at fault, and before the run has begun."""
    if "none.db" not in environment.get("GATEKEEPER_DB", ""):
        bare("db", "upgrade")
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    code, _, err = bare("run", *words)
    assert code == 1, err
    assert receiver.kinds == [f"ALARM: {kind}"]
    assert said in receiver.got[0]["message"]
    assert receiver.got[0]["message"].startswith(f"gatekeeper run --as-of {words[1]} failed")


def test_what_nobody_foresaw_sends_an_alarm_too(
    bare: Shell, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    bare("db", "upgrade")
    monkeypatch.setattr(steps, "retrain", lambda *_: (_ for _ in ()).throw(MemoryError("no room")))
    assert bare("run", "--as-of", MONDAY)[0] == 70
    assert [receiver.kinds, receiver.got[0]["message"].splitlines()[1]] == [
        ["ALARM: failed"],
        "MemoryError: no room [unexpected]",
    ]


def test_a_person_who_interrupts_it_knows(bare: Shell, receiver: Receiver, monkeypatch: pytest.MonkeyPatch) -> None:
    bare("db", "upgrade")
    monkeypatch.setattr(steps, "retrain", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
    assert bare("run", "--as-of", MONDAY)[0] == 130
    assert receiver.kinds == []


def test_the_monitor_does_the_same(bare: Shell, receiver: Receiver, monkeypatch: pytest.MonkeyPatch) -> None:
    for words, environment in ((("--as-of", "soon"), {}), ((), {"GATEKEEPER_BREAKER": "maybe"})):
        for name, value in environment.items():
            monkeypatch.setenv(name, value)
        assert bare("monitor", *words)[0] == 1
    assert receiver.kinds == ["ALARM: failed"] * 2


def test_alarms_go_where_the_desk_says(bare: Shell, receiver: Receiver, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its own receivers, though another setting of it is wrong."""
    (bare.folder / "desks.toml").write_text(f"[fx]\ndb = 'sqlite:///fx.db'\nthreshold = 7\nalarms = '{receiver.url}'\n")
    monkeypatch.setenv("GATEKEEPER_ALARMS", "json://127.0.0.1:1/")
    monkeypatch.setenv("GATEKEEPER_DESK", "")
    assert bare("run", "--as-of", MONDAY, "--desk", "fx")[0] == 1
    assert receiver.got[0]["title"] == "Gatekeeper fx: ALARM: failed"
    assert "Desk fx: GATEKEEPER_THRESHOLD=7" in receiver.got[0]["message"]
