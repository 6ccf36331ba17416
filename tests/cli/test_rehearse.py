"""Planning and rehearsing as operators type them."""

import json
from pathlib import Path

import pytest
from command_shell import Shell
from weekly_data import write_ideas

from gatekeeper.cli.main import COMMANDS


def test_a_plan_says_what_can_be_seen(shell: Shell) -> None:
    said = shell.json("plan", "--correlation", "0.8", "--years", "1")
    assert said["standard_error"] == pytest.approx(0.6324555320, abs=1e-9)
    assert [(each["policy"], round(each["detectable"], 3)) for each in said["sights"]] == [
        ("better", 0.532),
        ("safe", 1.367),  # (2.11 + 0.8416) x 0.6325 - 0.5
        ("proven", 1.513),  # (1.55 + 0.8416) x 0.6325
    ]
    assert said["budgets"] == [
        {"policy": "safe", "budget": 0.5, "z": 2.11, "expected": None},
        {"policy": "proven", "budget": 1.0, "z": 1.55, "expected": None},
    ]
    code, out, _ = shell("plan", "--correlation", "0.8")
    assert code == 0
    assert "standard error 0.63 for one year" in out
    assert "False promotions a year, in the 52 tests of the schedule '0 2 * * 1':" in out
    assert "a bound, not a forecast: what it spends takes 8 evaluations" in out


def test_a_plan_says_where_the_table_of_the_budget_ends(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GATEKEEPER_SCHEDULE", "@daily")
    monkeypatch.setenv("GATEKEEPER_FALSE_PROMOTIONS_A_YEAR", "1")
    out = shell("plan", "--correlation", "0.8")[1]
    assert out.count("for 1 and 365 the nearest edge holds, and may spend more than the budget.") == 1
    assert [row["z"] for row in shell.json("plan", "--correlation", "0.8")["budgets"]] == [2.02, 2.02]


def test_a_plan_without_an_evaluation_names_the_way_out(shell: Shell) -> None:
    code, out, err = shell("plan")
    assert (code, out) == (1, "")
    assert "--correlation" in err
    assert "at least -1 and under 1" in shell("plan", "--correlation", "1")[2]


def test_a_rehearsal_leaves_a_report_and_no_registry(bare: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    data = write_ideas(bare.folder / "ideas.csv", start="2014-01-02", end="2018-01-12", edge_from="2016-01-01", seed=3)
    monkeypatch.setenv("GATEKEEPER_DATA", data)
    words = ["rehearse", "--from", "2017-12-25", "--to", "2018-01-08", "--jobs", "1"]
    code, out, err = bare(*words, "--json")
    assert code == 0
    said = json.loads(out)
    assert said["mondays"] == 3
    assert set(said["holdouts"]["365"]["policies"]) == {"better", "safe", "proven"}
    assert "3/3" in err
    assert "Walk-forward simulation of 3 Mondays" in Path(said["report"]).read_text()
    assert not (bare.folder / "registry.db").exists()
    code, out, _ = bare(*words, "--policy", "safe", "--report", str(bare.folder / "mine.html"))
    assert code == 0
    assert "never retrained" in out and "proven" not in out
    assert (bare.folder / "mine.html").exists()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("--from 2018-01-08 --to 2017-01-02", "ends on 2017-01-02, before it begins on 2018-01-08"),
        ("--to 2030-01-07", "lies in the future"),
        ("--to yesterday", "is not an ISO 8601 date"),
        ("--policy best", "best"),
        ("--holdout 0 --from 2018-12-31 --to 2018-12-31", "HOLDOUT_DAYS=0"),
    ],
)
def test_what_can_not_be_rehearsed_is_refused(bare: Shell, words: str, said: str) -> None:
    code, out, err = bare("rehearse", *words.split())
    assert code != 0
    assert said in err
    assert out == ""


def test_every_command_says_what_it_is_for(bare: Shell) -> None:
    for command in COMMANDS:
        code, out, _ = bare(command, "--help")
        assert code == 0
        assert len(out.split("\n\n")[1].strip()) > 20, command
