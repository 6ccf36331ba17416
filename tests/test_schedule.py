"""Schedules: cron lines of weekly runs, and how many tests a year each of them makes; right values by calendar."""

import pytest

from gatekeeper import config, desks, schedule
from gatekeeper.errors import ConfigError
from gatekeeper.judgement import policy_of
from gatekeeper.pipeline.weekly.run import Run, parse_as_of
from gatekeeper.settings import Settings

DAILY = "0 2 * * *"


@pytest.mark.parametrize(
    ("line", "tests"),
    [
        ("0 2 * * 1", 52),
        ("30 3 * * 2", 52),
        ("@weekly", 52),
        (DAILY, 365),
        ("@daily", 365),
        ("0 2 * * 1-5", 261),  # 5 of 7 days
        ("0 2 * * MON,THU", 104),
        ("0 2 1 * *", 12),
        ("0 2 * * MON#1", 12),  # the first Monday of each month
        ("@monthly", 12),
        ("@quarterly", 4),
        ("@yearly", 1),
        ("0 2 29 2 *", 1),  # a quarter of one; never none
        ("0 * * * *", 8766),  # 24 x 365.25
        ("@hourly", 8766),
        ("*/15 9-16 * * 1-5", 8360),  # 32 times on each of the 1,045 weekdays in 2024 to 2027
        ("0 0 1 * 1", 62),  # 209 Mondays and 39 other firsts of months in 2024 to 2027: cron joins the two by or
    ],
)
def test_a_line_makes_so_many_tests_a_year(line: str, tests: int) -> None:
    assert schedule.fault(line) == ""
    assert schedule.tests_a_year(line) == tests


@pytest.mark.parametrize("line", ["weekly", "0 2 * *", "0 2 * * 1 2024", "0 25 * * 1", "0 2 * * 8", "0 2 30 2 *", ""])
def test_what_is_no_schedule_is_refused_with_the_way_out(line: str) -> None:
    assert schedule.fault(line)
    with pytest.raises(ConfigError, match=r"GATEKEEPER_SCHEDULE=.* not a cron expression .*Write one such as '0 2 \* "):
        config.override(Settings(), {"schedule": line})


def test_the_names_are_those_of_airflow() -> None:
    from airflow.utils import dates  # a second, which only this test pays

    assert dates.cron_presets == schedule.PRESETS


def test_a_changed_schedule_changes_z_and_the_run_key_and_another_hour_neither(
    tmp_path: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Case 55: z follows from the schedule alone; by hand 2.11 and 1.50 are cells, and beyond 250 tests 2.68 holds."""
    as_of = parse_as_of("2018-11-05")
    weekly = Settings()
    assert {
        line: policy_of(Settings(schedule=line), 252).z for line in ("0 2 * * 1", "0 9 * * 5", "0 2 1 * *", DAILY)
    } == {"0 2 * * 1": 2.11, "0 9 * * 5": 2.11, "0 2 1 * *": 1.5, DAILY: 2.68}
    keys = [Run(as_of, config.override(weekly, {"schedule": line})).key for line in ("0 9 * * 5", DAILY)]
    assert [key == Run(as_of, weekly).key for key in keys] == [True, False]


def test_the_line_of_desks_toml_stands_before_the_environments(
    tmp_path: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "desks.toml"  # type: ignore[operator]
    path.write_text(f'[a]\ndb = "sqlite:///a.db"\nschedule = "{DAILY}"\n[b]\ndb = "sqlite:///b.db"\n')
    monkeypatch.setenv("GATEKEEPER_DESKS", str(path))
    monkeypatch.setenv("GATEKEEPER_SCHEDULE", "@monthly")
    assert [config.load(desk=desk.name).tests_a_year for desk in desks.declared(path)] == [12, 365, 12]
    shown = {name: (value, source) for name, value, source, _ in config.sources(config.load(desk="a"))}
    assert shown["GATEKEEPER_SCHEDULE"] == (DAILY, "desks.toml")
