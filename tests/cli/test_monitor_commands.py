"""`gatekeeper monitor` and `gatekeeper alarms test`, as operators type them."""

import json
from datetime import UTC, datetime

import pytest
from alarm_receiver import Receiver
from command_shell import Shell
from model_files import constant_model
from promotion_steps import by_hand_as_of
from weekly_data import write_ideas

from gatekeeper.registry import Registry


@pytest.fixture
def watched(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> Shell:
    """A primary since June 2018, and ideas until that year's end."""
    data = write_ideas(shell.folder / "ideas.csv", start="2018-01-01", end="2018-12-28", edge_from=None, seed=3)
    monkeypatch.setenv("GATEKEEPER_DATA", data)
    with Registry.open(f"sqlite:///{shell.folder / 'registry.db'}", models=shell.folder / "models") as registry:
        registry.register(constant_model(0.6), trained_to=datetime(2017, 1, 1, tzinfo=UTC))
        with by_hand_as_of(datetime(2018, 6, 4, tzinfo=UTC)):
            registry.promote(1, actor="test", reason="test")
    return shell


def test_a_look_from_the_command_line(watched: Shell) -> None:
    code, out, err = watched("monitor", "--as-of", "2018-12-03")
    assert (code, err) == (0, "")
    assert "gatekeeper_primary1, primary since 2018-06-04, on " in out
    said = watched.json("monitor", "--as-of", "2018-12-03")
    assert (said["check_id"], said["desk"], said["document"]["source"]) == (1, "default", "replayed")
    assert said["document"]["breaker"]["bound"] is None  # it was never evaluated
    code, _, err = watched("monitor", "--as-of", "soon")
    assert (code, "not an ISO 8601 date" in err) == (1, True)


def test_a_registry_without_a_primary_has_nothing_to_look_at(shell: Shell) -> None:
    assert shell.json("monitor")["summary"].startswith("nothing was checked: there is no primary")


def test_a_look_that_fails_is_told_of(watched: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    with Receiver() as receiver:
        monkeypatch.setenv("GATEKEEPER_ALARMS", receiver.url)
        code, _, err = watched("monitor", "--as-of", "2019-06-03")
        assert (code, "is stale" in err) == (1, True)
        assert receiver.kinds == ["ALARM: stale feed"]


def test_alarms_are_rehearsed(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    """Exit code 0 only where every receiver has it; no secret of an address is printed."""
    code, _, err = shell("alarms", "test")
    assert (code, "GATEKEEPER_ALARMS is empty" in err) == (1, True)
    with Receiver() as receiver:
        monkeypatch.setenv("GATEKEEPER_ALARMS", receiver.url)
        code, out, _ = shell("alarms", "test")
        assert (code, out) == (0, "arrived  json #1\n")
        monkeypatch.setenv("GATEKEEPER_ALARMS", f"{receiver.url} json://ann:geheim@127.0.0.1:1/x")
        code, out, _ = shell("alarms", "test", "--json")
        said = json.loads(out)
        assert (code, said["levels"]["kept"]) == (1, "off")
        assert [one["fault"] is None for one in said["receivers"]] == [True, False]
        assert "geheim" not in out
        assert receiver.kinds == ["test", "test"]


def test_a_change_by_hand_is_told_once(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    """What makes no change tells nobody."""
    with Receiver() as receiver:
        monkeypatch.setenv("GATEKEEPER_ALARMS", receiver.url)
        for number, score in enumerate((0.2, 0.6), start=1):
            file = shell.file(f"{number}.onnx", constant_model(score))
            assert shell("register", "-p", file)[0] == 0
            assert receiver.kinds == ["promoted"] * (number - 1)
            assert shell("promote", "-i", str(number))[0] == 0
            assert shell("promote", "-i", str(number))[0] == 0
        assert receiver.kinds == ["promoted", "promoted"]
        assert shell("rollback")[0] == 0
        assert receiver.kinds == ["promoted", "promoted", "ALARM: rolled back"]


def test_a_level_that_is_none_is_refused_where_it_is_set(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GATEKEEPER_ALARM_LEVELS", "kept=silent")
    code, _, err = shell("list")
    assert (code, "GATEKEEPER_ALARM_LEVELS='kept=silent'" in err) == (1, True)
