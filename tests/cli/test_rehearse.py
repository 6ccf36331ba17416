"""Planning and rehearsing as operators type them."""

import json
import re
from pathlib import Path

import pytest
from command_shell import Shell
from weekly_data import write_ideas

from gatekeeper.cli.main import COMMANDS
from gatekeeper.settings import Settings


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
    assert "a bound, not a forecast. What your challengers would spend of it is shown once" in out


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
    assert "start dates" not in out
    assert (
        "1 of 3 start dates, since a later one leaves less than a year of the 3 weeks"
        in bare(*words, "--starts", "3")[2]
    )
    assert (bare.folder / "mine.html").exists()


def test_a_rehearsal_tells_what_age_costs(bare: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    """Here the edge stays, so a year of age can't be told from none; each figure has its error."""
    data = write_ideas(bare.folder / "ideas.csv", start="2014-01-02", end="2018-01-12", edge_from="2014-01-01", seed=3)
    for name, value in {"DATA": data, "RECIPE": "logistic", "HOLDOUT_DAYS": "91", "ACCEPT": "knows:rsi14"}.items():
        monkeypatch.setenv(f"GATEKEEPER_{name}", value)
    words = ["rehearse", "--from", "2016-10-03", "--to", "2018-01-08", "--jobs", "1", "--policy", "better", "--ageing"]
    code, out, _ = bare(*words, "--starts", "1")
    assert code == 0
    assert "Trained on all ideas: annual Sharpe less the newest model's ± standard error (smallest visible)" in out
    (row,) = [line for line in out.splitlines() if line.startswith("change with each year of age")]
    assert re.search(r"[+-]\d+\.\d\d ± \d+\.\d\d \(\d+\.\d\d\)$", row.rstrip())
    said = bare.json(*words)
    (training,) = said["ageing"]["trainings"]
    assert f"{training['curves'][0]['slope']['value']:+.2f} ± {training['curves'][0]['slope']['error']:.2f}" in row
    assert "What ageing costs" in Path(said["report"]).read_text()
    out = bare(*words[:-1], "--starts", "5")[1]
    assert re.search(r"^2 start dates, each with a desk", out, re.MULTILINE)
    assert re.search(r"^The start date alone moves the Sharpe of one policy by up to \d+\.\d\d\.$", out, re.MULTILINE)


@pytest.fixture
def ended(bare: Shell, monkeypatch: pytest.MonkeyPatch) -> Shell:
    """Labelled ideas that end on Friday, 12 January 2018."""
    data = write_ideas(bare.folder / "ideas.csv", start="2014-01-02", end="2018-01-12", edge_from="2016-01-01", seed=3)
    monkeypatch.setenv("GATEKEEPER_DATA", data)
    monkeypatch.setenv("GATEKEEPER_RECIPE", "logistic")
    return bare


def test_data_that_end_in_the_past_are_simulated_to_their_end(ended: Shell) -> None:
    """The idea of Friday closed on Saturday, so the Monday after knows all."""
    said = ended.json("rehearse", "--from", "2018-01-08", "--jobs", "1", "--policy", "safe")
    assert (said["mondays"], said["last"]) == (2, "2018-01-15T02:00:00+00:00")
    assert "rehearsal_2018-01-08_2018-01-15" in said["report"]


def test_a_last_monday_beyond_the_data_is_refused_with_the_one_they_cover(ended: Shell) -> None:
    code, out, err = ended("rehearse", "--from", "2018-01-08", "--to", "2018-06-04")
    assert (code, out) == (1, "")
    assert "end on 2018-01-13, before the last Monday of the simulation, 2018-06-04" in err
    assert "The last Monday that they cover is 2018-01-15" in err
    assert "stale" not in err and "feed" not in err


def test_a_holdout_below_the_floors_costs_no_work(ended: Shell) -> None:
    words = ("--from", "2017-12-25", "--to", "2018-01-08", "--holdout", "365", "--holdout", "60", "--jobs", "1")
    code, out, err = ended("rehearse", *words)
    assert (code, out) == (1, "")
    assert "With a holdout of 60 days no Monday can be judged" in err
    assert "Choose --holdout 81 or longer" in err
    assert not (ended.folder / "work").exists()


def test_what_is_finished_is_shown_if_another_holdout_fails(ended: Shell) -> None:
    words = ("rehearse", "--from", "2018-01-08", "--to", "2018-01-08", "--jobs", "1", "--policy", "safe")
    assert ended(*words, "--holdout", "300")[0] == 0
    (model,) = (ended.folder / "work" / "rehearsals").rglob("*.onnx")
    model.write_bytes(b"x")
    code, out, err = ended(*words, "--holdout", "300", "--holdout", "330")
    assert code == 1
    assert "holdout 330 days" in out and "holdout 300 days" not in out
    assert "Holdout 300 days failed" in err and "has changed since the rehearsal wrote it" in err
    page = Path(out.split("report: ")[1].strip()).read_text()
    assert "Holdout of 330 days" in page and "Holdout of 300 days failed" in page


def test_what_is_finished_is_shown_if_it_is_interrupted(ended: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    from gatekeeper.rehearsal import weeks

    prepare = weeks.prepare

    def stopped(as_ofs: object, settings: Settings, *rest: object, **words: object) -> object:
        if settings.holdout_days == 330:
            raise KeyboardInterrupt
        return prepare(as_ofs, settings, *rest, **words)

    monkeypatch.setattr(weeks, "prepare", stopped)
    words = ("rehearse", "--from", "2018-01-08", "--to", "2018-01-08", "--jobs", "1", "--policy", "safe")
    code, out, err = ended(*words, "--holdout", "300", "--holdout", "330")
    assert code == 130
    assert "holdout 300 days" in out and "report: " in out
    assert "Interrupted." in err


def test_a_page_that_can_not_be_written_costs_no_result(ended: Shell) -> None:
    (ended.folder / "file").touch()
    words = ("rehearse", "--from", "2018-01-08", "--to", "2018-01-08", "--jobs", "1", "--policy", "safe")
    code, out, _ = ended(*words, "--report", str(ended.folder / "file" / "page.html"))
    assert code != 0
    assert "holdout 365 days" in out and "never retrained" in out


def test_its_tables_have_errors_and_fit_a_terminal(ended: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GATEKEEPER_TOO_GOOD", "1000")  # as these made-up ideas are
    code, out, _ = ended("rehearse", "--from", "2017-10-02", "--to", "2018-01-08", "--jobs", "1")
    assert code == 0
    lines = out.splitlines()
    assert max(len(line) for line in lines if not line.startswith("report:")) <= 100
    (safe,) = [line for line in lines if re.match(r"safe +-?\d+\.\d\d ±", line)]
    assert safe.count("±") == 3
    assert any(line.startswith("safe - proven") and line.rstrip().endswith("identical") for line in lines)
    assert "Identical: the same return on every day." in lines
    assert re.search(r"^policy +promotions +won +tied +lost +gained, % +given up, % +net, %$", out, re.MULTILINE)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("--from 2018-01-08 --to 2017-01-02", "ends on 2017-01-02, before it begins on 2018-01-08"),
        ("--to 2030-01-07", "lies in the future"),
        ("--to yesterday", "is not an ISO 8601 date"),
        ("--policy best", "best"),
        ("--train-years 2", "--train-years and --half-life need --ageing"),
        ("--starts 21", "21 is not in the range 1<=x<=20"),
        ("--ageing --half-life 0", "half-life"),
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
